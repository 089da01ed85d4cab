use std::time::Duration;

/// What hints depend on beside what is seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// From when a node is asked for until it serves.
    pub boot: Duration,
    /// From one look of the autoscaler to the next.
    pub control: Duration,
    /// How old a measurement is when it is looked at.
    pub lag: Duration,
    /// What a minute of a viewer who is not served costs, in minutes of a place for one that nobody takes.
    pub cost_ratio: f64,
    /// What is there beside what is used, at least, as a share of that.
    pub least_head_room: f64,
    /// A measurement that is older than this is none: the hint does not fall any more.
    pub stale: Duration,
    /// For how long after it was needed what is there is kept, while no event is on air.
    pub cool_down: Duration,
}

impl Settings {
    /// How far ahead is looked.
    pub fn horizon(&self) -> Duration {
        self.boot + self.control + self.lag
    }

    /// Of all growth, the share that there has to be room for.
    pub fn quantile(&self) -> f64 {
        self.cost_ratio / (1.0 + self.cost_ratio)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            boot: Duration::from_mins(2),
            control: Duration::from_secs(15),
            lag: Duration::from_secs(15),
            cost_ratio: 4_000.0,
            least_head_room: 0.15,
            stale: Duration::from_secs(45),
            cool_down: Duration::from_mins(10),
        }
    }
}
