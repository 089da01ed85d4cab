use std::time::Duration;

use crate::Node;

/// How finely a presentation is cut, and how much of it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The nominal duration of a part; [`crate::Presentation::part_target`] is the whole number of frames next to it.
    pub part: Duration,
    /// The duration that a segment lasts at least, where the source's sync samples allow.
    pub segment: Duration,
    /// How much media a playlist lists in whole segments, never less than three target durations.
    pub window: Duration,
    /// Tells what is opened here from what others open of the same feed.
    pub node: Node,
}

impl Settings {
    /// The shortest nominal part that whole AAC frames at 44.1 and 48 kHz always fill to 85 %.
    pub const MIN_PART: Duration = Duration::from_millis(150);

    /// EXT-X-TARGETDURATION in seconds, at least 1 (RFC 8216bis 4.4.3.1).
    pub fn target_duration(&self) -> u32 {
        u32::try_from(self.segment.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX).max(1)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            part: Duration::from_millis(200),
            segment: Duration::from_secs(2),
            window: Duration::from_secs(30),
            node: Node::default(),
        }
    }
}
