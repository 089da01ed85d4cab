//! The picture on the screen: when it moves, when it stands still, and how fast it goes.

use std::time::Duration;

use super::buffer::Buffer;
use crate::watch::moment::Moment;
use crate::watch::tally::{Count, Tally};

/// What has to be buffered for the first frame to be shown and followed by others.
const ENOUGH_TO_START: Duration = Duration::from_millis(100);
/// What has to be buffered for a picture that has run dry to go on: Chromium waits for about so much.
const ENOUGH_TO_RESUME: Duration = Duration::from_millis(500);
/// The most media that may be left out at once where several tracks have holes.
const MAX_HOLES: usize = 16;

/// Where the picture is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Playhead {
    /// Nothing has been shown since a join or a seek.
    Waiting { position: Moment, since: Moment, why: Why },
    /// It was at `position` when it was `at`, and has gone on at `rate` since.
    Playing { position: Moment, at: Moment, rate: f64 },
    /// There is nothing to show.
    Stalled { position: Moment, since: Moment },
    /// The programme is over.
    Over { position: Moment },
}

/// What a viewer waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    Join,
    Seek,
}

/// What there is to play.
#[derive(Clone, Copy, Debug)]
pub(super) struct Media<'a> {
    /// By track. There is at least one.
    pub(super) buffers: [Option<&'a Buffer>; 2],
    /// Nothing more will come.
    pub(super) complete: bool,
}

impl Playhead {
    /// Where it is at `now`.
    pub(super) fn position(&self, now: Moment) -> Moment {
        match *self {
            Self::Waiting { position, .. } | Self::Stalled { position, .. } | Self::Over { position } => position,
            Self::Playing { position, at, rate } => position.shifted(now.seconds_from(at).max(0.0) * rate),
        }
    }

    /// Lets time pass until `now`, with what has been there to play all the time.
    pub(super) fn advance(&mut self, now: Moment, media: Media<'_>, tally: &mut Tally) {
        match *self {
            Self::Waiting { position, since, why } => {
                let Some(position) = media.ready(position, ENOUGH_TO_START) else { return };
                match why {
                    Why::Join => tally.startup.record(now.since(since)),
                    Why::Seek => tally.seek.record(now.since(since)),
                }
                *self = Self::Playing { position, at: now, rate: 1.0 };
            }
            Self::Stalled { position, since } => {
                let Some(to) = media.ready(position, ENOUGH_TO_RESUME) else { return };
                if to > position {
                    tally.add(Count::Jumps, 1);
                }
                tally.stall.record(now.since(since));
                tally.stood += now.since(since);
                *self = Self::Playing { position: to, at: now, rate: 1.0 };
            }
            Self::Playing { .. } => self.play(now, media, tally),
            Self::Over { .. } => {}
        }
    }

    /// Plays over holes to the end of what is there.
    fn play(&mut self, now: Moment, media: Media<'_>, tally: &mut Tally) {
        for _ in 0..MAX_HOLES {
            let Self::Playing { position, at, rate } = *self else { return };
            let here = self.position(now);
            let until = media.until(position).unwrap_or(position);
            if here <= until {
                tally.played += now.since(at);
                *self = Self::Playing { position: here, at: now, rate };
                return;
            }
            let dry = at.shifted(until.seconds_from(position) / rate);
            tally.played += dry.since(at);
            *self = match media.ready(until, Duration::ZERO) {
                Some(to) => {
                    tally.add(Count::Jumps, 1);
                    Self::Playing { position: to, at: dry, rate }
                }
                None if media.complete => Self::Over { position: until },
                None => {
                    tally.add(Count::Stalls, 1);
                    Self::Stalled { position: until, since: dry }
                }
            };
        }
    }

    /// Goes on at another rate.
    pub(super) fn set_rate(&mut self, now: Moment, to: f64) {
        if let Self::Playing { rate, .. } = *self
            && (rate - to).abs() > f64::EPSILON
        {
            *self = Self::Playing { position: self.position(now), at: now, rate: to };
        }
    }

    /// Adds what has not ended yet.
    pub(super) fn finish(&self, now: Moment, tally: &mut Tally) {
        match *self {
            Self::Stalled { since, .. } => {
                tally.stall.record(now.since(since));
                tally.stood += now.since(since);
            }
            Self::Playing { at, .. } => tally.played += now.since(at),
            Self::Waiting { .. } | Self::Over { .. } => {}
        }
    }
}

impl Media<'_> {
    fn buffers(&self) -> impl Iterator<Item = &Buffer> {
        self.buffers.iter().copied().flatten()
    }

    /// Until when there is everything from `position` on.
    pub(super) fn until(&self, position: Moment) -> Option<Moment> {
        self.buffers().map(|buffer| buffer.until(position)).min().flatten()
    }

    /// The first position from `position` on where there is everything, for `enough`.
    fn ready(&self, position: Moment, enough: Duration) -> Option<Moment> {
        let mut position = position;
        for _ in 0..MAX_HOLES {
            let starts = self.buffers().map(|buffer| match buffer.until(position) {
                Some(_) => Some(position),
                None => buffer.after(position),
            });
            let from = starts.reduce(|all, start| Some(all?.max(start?))).flatten()?;
            if let Some(until) = self.until(from) {
                return (until.since(from) >= enough || self.complete).then_some(from);
            }
            position = from;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: i64) -> Moment {
        Moment::from_micros(millis * 1_000)
    }

    fn buffer(ranges: &[(i64, i64)]) -> Buffer {
        let mut buffer = Buffer::default();
        for &(start, end) in ranges {
            buffer.add(at(start), at(end));
        }
        buffer
    }

    fn media<'a>(video: &'a Buffer, audio: &'a Buffer) -> Media<'a> {
        Media { buffers: [Some(video), Some(audio)], complete: false }
    }

    fn playing(millis: i64) -> Playhead {
        Playhead::Playing { position: at(millis), at: at(millis), rate: 1.0 }
    }

    #[test]
    fn it_starts_where_both_tracks_are_there() {
        let (video, audio, mut tally) = (buffer(&[(0, 1_000)]), buffer(&[(600, 1_000)]), Tally::default());
        let mut playhead = Playhead::Waiting { position: at(400), since: at(1_000), why: Why::Join };
        playhead.advance(at(1_250), media(&video, &Buffer::default()), &mut tally);
        assert_eq!(playhead.position(at(1_250)), at(400));
        playhead.advance(at(1_300), media(&video, &audio), &mut tally);
        assert_eq!(playhead, Playhead::Playing { position: at(600), at: at(1_300), rate: 1.0 });
        assert_eq!(tally.startup.longest(), Duration::from_millis(300));
    }

    #[test]
    fn it_stalls_when_either_track_runs_dry_at_the_very_moment() {
        let (video, audio, mut tally) = (buffer(&[(0, 1_000)]), buffer(&[(0, 800)]), Tally::default());
        let mut playhead = playing(0);
        playhead.advance(at(950), media(&video, &audio), &mut tally);
        assert_eq!(playhead, Playhead::Stalled { position: at(800), since: at(800) });
        assert_eq!((tally.count(Count::Stalls), tally.played), (1, Duration::from_millis(800)));
    }

    #[test]
    fn it_goes_on_once_there_is_enough() {
        let (mut video, audio, mut tally) = (buffer(&[(0, 1_000)]), buffer(&[(0, 2_000)]), Tally::default());
        let mut playhead = Playhead::Stalled { position: at(1_000), since: at(1_000) };
        video.add(at(1_000), at(1_400));
        playhead.advance(at(1_900), media(&video, &audio), &mut tally);
        assert_eq!(playhead.position(at(1_900)), at(1_000), "400 ms are not enough");
        video.add(at(1_400), at(1_600));
        playhead.advance(at(2_100), media(&video, &audio), &mut tally);
        assert_eq!(playhead.position(at(2_200)), at(1_100));
        assert_eq!((tally.stall.longest(), tally.stood), (Duration::from_millis(1_100), Duration::from_millis(1_100)));
    }

    #[test]
    fn it_leaves_out_a_gap_without_a_stall_when_the_media_after_it_is_there() {
        let (video, audio, mut tally) =
            (buffer(&[(0, 1_000), (3_000, 4_000)]), buffer(&[(0, 1_020), (2_980, 4_000)]), Tally::default());
        let mut playhead = playing(0);
        playhead.advance(at(1_500), media(&video, &audio), &mut tally);
        assert_eq!((playhead.position(at(1_500)), tally.count(Count::Jumps)), (at(3_500), 1));
        assert_eq!(tally.count(Count::Stalls), 0);
    }

    #[test]
    fn a_programme_that_is_over_is_no_stall() {
        let (video, audio, mut tally) = (buffer(&[(0, 1_000)]), buffer(&[(0, 1_020)]), Tally::default());
        let mut playhead = playing(0);
        playhead.advance(at(5_000), Media { complete: true, ..media(&video, &audio) }, &mut tally);
        assert_eq!((playhead, tally.count(Count::Stalls)), (Playhead::Over { position: at(1_000) }, 0));
    }

    #[test]
    fn another_rate_counts_from_now_on() {
        let (video, audio, mut tally) = (buffer(&[(0, 10_000)]), buffer(&[(0, 10_000)]), Tally::default());
        let mut playhead = playing(0);
        playhead.advance(at(1_000), media(&video, &audio), &mut tally);
        playhead.set_rate(at(1_000), 1.1);
        assert_eq!(playhead.position(at(2_000)), at(2_100));
        assert_eq!(tally.played, Duration::from_secs(1));
    }
}
