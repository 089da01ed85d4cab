use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::time::Duration;

use touchline_edge as edge;

use super::{Section, duration};

const CONNECTIONS: RangeInclusive<usize> = 1..=1_000_000;
const HELD: RangeInclusive<usize> = 1..=10_000_000;
const THREADS: RangeInclusive<usize> = 1..=256;
const LAG: RangeInclusive<Duration> = Duration::from_millis(20)..=Duration::from_secs(5);

/// What viewers are granted, by as many threads as there are cores.
pub(super) fn usual() -> edge::Settings {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    edge::Settings { cores, ..edge::Settings::default() }
}

pub(super) fn read(settings: &mut edge::Settings, section: &mut Section<'_, '_>) {
    section.number("connections", CONNECTIONS, &mut settings.connections);
    section.number("held", HELD, &mut settings.held);
    section.number("held_per_channel", HELD, &mut settings.held_per_channel);
    section.number("threads", THREADS, &mut settings.cores);
    section.value("lag", duration(LAG), &mut settings.lag);
}
