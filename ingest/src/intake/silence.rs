//! Silence in Opus where a publisher sends none for a while, as browsers do while nobody speaks: viewers of the sound would
//! find a gap, and wait.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use touchline_media::{Format, Kind, MediaTime, Sample, Track, TrackId, opus};

/// How long the first packet is waited for, as time of the pictures: encoders begin with one or the other.
const BEGINNING: Duration = Duration::from_secs(1);
/// How much further behind the pictures than ever before sound may fall until it counts as left out.
const PATIENCE: Duration = Duration::from_millis(250);
/// The most that is waited for sound that is always behind the pictures.
const MAX_PATIENCE: Duration = Duration::from_millis(1_500);
/// Less than this is a loss, which decoders conceal better.
const SHORTEST: Duration = Duration::from_millis(100);

/// What goes on in the tracks of Opus of a stretch. Without pictures nothing tells that time does.
#[derive(Debug)]
pub(super) struct Silence {
    sounds: BTreeMap<TrackId, Sound>,
    pictures: Vec<TrackId>,
    /// The newest decode time of a picture.
    newest: Option<MediaTime>,
}

#[derive(Debug)]
struct Sound {
    track: TrackId,
    /// A silent packet.
    packet: Bytes,
    /// Where what has been handed on ends; the first picture before there is any.
    end: Option<MediaTime>,
    /// Where silence ends that has been handed on: what comes for before that comes too late.
    filled: Option<MediaTime>,
    /// How far behind the pictures packets have come, at most; `None` before there was any.
    lag: Option<Duration>,
}

impl Silence {
    pub(super) fn of(tracks: &[Track]) -> Self {
        let sounds = tracks.iter().filter_map(|track| match &track.format {
            Format::Opus(config) => Some((track.id, Sound::new(track.id, config))),
            _ => None,
        });
        let pictures = tracks.iter().filter(|track| track.format.kind() == Kind::Video).map(|track| track.id);
        Self { sounds: sounds.collect(), pictures: pictures.collect(), newest: None }
    }

    /// Hands on the silence that is due before a sample. Returns whether the sample itself is in time.
    pub(super) fn before(&mut self, sample: &Sample, mut hand_on: impl FnMut(Sample)) -> bool {
        if let Some(sound) = self.sounds.get_mut(&sample.track) {
            return sound.take(sample, self.newest, &mut hand_on);
        }
        if self.pictures.contains(&sample.track) {
            self.newest = self.newest.max(Some(sample.dts));
            for sound in self.sounds.values_mut() {
                sound.keep_up(sample, &mut hand_on);
            }
        }
        true
    }
}

impl Sound {
    fn new(track: TrackId, config: &opus::Config) -> Self {
        Self { track, packet: config.silence().into(), end: None, filled: None, lag: None }
    }

    /// A packet has come.
    fn take(&mut self, sample: &Sample, newest: Option<MediaTime>, hand_on: &mut impl FnMut(Sample)) -> bool {
        if let Some(newest) = newest {
            let behind = (newest - sample.dts).max(MediaTime::zero(newest.timescale())).to_duration();
            self.lag = self.lag.max(Some(behind));
        }
        if self.filled.is_some_and(|filled| sample.dts < filled) {
            return false;
        }
        if self.end.is_some_and(|end| sample.dts >= end + ticks(SHORTEST)) {
            self.fill(sample.dts, sample.received, hand_on);
        }
        let lasts = opus::packet_duration(&sample.data).unwrap_or(opus::USUAL_DURATION);
        self.end = Some(sample.dts + MediaTime::new(lasts.into(), opus::TIMESCALE));
        true
    }

    /// Pictures have come so far.
    fn keep_up(&mut self, picture: &Sample, hand_on: &mut impl FnMut(Sample)) {
        self.end.get_or_insert(picture.dts.rescale(opus::TIMESCALE));
        let patience = self.lag.map_or(BEGINNING, |lag| (lag + PATIENCE).min(MAX_PATIENCE));
        self.fill(picture.dts.rescale(opus::TIMESCALE) - ticks(patience), picture.received, hand_on);
    }

    /// Hands on whole packets of silence up to here.
    fn fill(&mut self, until: MediaTime, received: Instant, hand_on: &mut impl FnMut(Sample)) {
        let lasts = MediaTime::new(opus::USUAL_DURATION.into(), opus::TIMESCALE);
        while let Some(dts) = self.end.filter(|end| *end + lasts <= until) {
            hand_on(Sample { track: self.track, dts, pts: dts, sync: true, data: self.packet.clone(), received });
            self.end = Some(dts + lasts);
            self.filled = self.end;
        }
    }
}

fn ticks(duration: Duration) -> MediaTime {
    MediaTime::from_duration(duration, opus::TIMESCALE)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use touchline_media::{Timescale, aac, avc};

    use super::super::tests::RECORD;
    use super::*;

    const PICTURES: TrackId = TrackId(1);
    const SOUND: TrackId = TrackId(2);
    /// 20 ms.
    const PACKET: &[u8] = &[31 << 3, 1, 2];

    struct Feed {
        silence: Silence,
        begun: Instant,
        seen: String,
    }

    impl Feed {
        fn new(format: Format) -> Self {
            let track = |id, timescale, format| Track {
                id,
                timescale,
                format,
                frame_ticks: None,
                bitrate: None,
                language: None,
            };
            let video = Format::Avc(avc::Config::parse(RECORD).unwrap());
            let tracks = [track(PICTURES, Timescale::NINETY_KHZ, video), track(SOUND, opus::TIMESCALE, format)];
            Self { silence: Silence::of(&tracks), begun: Instant::now(), seen: String::new() }
        }

        fn opus() -> Self {
            Self::new(Format::Opus(opus::Config::new(2).unwrap()))
        }

        /// Pictures every 40 ms and packets every 20, in milliseconds; packets come `late`.
        fn run(&mut self, pictures: std::ops::Range<i64>, packets: &[(i64, i64)], late: i64) -> &mut Self {
            let mut all: Vec<(i64, TrackId, i64)> = pictures.step_by(40).map(|time| (time, PICTURES, time)).collect();
            let packets = packets.iter().flat_map(|&(from, to)| (from..to).step_by(20));
            all.extend(packets.map(|time| (time + late, SOUND, time)));
            all.sort_unstable();
            for (_, track, time) in all {
                self.push(track, time);
            }
            self
        }

        fn push(&mut self, track: TrackId, time: i64) {
            let dts = MediaTime::new(time, Timescale::MILLIS).rescale(if track == SOUND {
                opus::TIMESCALE
            } else {
                Timescale::NINETY_KHZ
            });
            let data = Bytes::from_static(PACKET);
            let sample = Sample { track, dts, pts: dts, sync: true, data, received: self.begun };
            let seen = &mut self.seen;
            let mut silent = |silent: Sample| {
                assert_eq!((silent.track, opus::packet_duration(&silent.data)), (SOUND, Ok(960)));
                write!(seen, "-{} ", silent.pts.rescale(Timescale::MILLIS).ticks()).unwrap();
            };
            let taken = self.silence.before(&sample, &mut silent);
            if track == SOUND {
                write!(self.seen, "{}{time} ", if taken { "" } else { "x" }).unwrap();
            }
        }

        /// What was handed on of the sound, as runs: `0..400 -400..900` is silence after sound; `x` came too late.
        fn told(&self) -> String {
            let mut runs: Vec<(&str, i64, i64)> = Vec::new();
            for word in self.seen.split_whitespace() {
                let mark = word.get(..1).filter(|mark| ["-", "x"].contains(mark)).unwrap_or("");
                let time: i64 = word[mark.len()..].parse().unwrap();
                match runs.last_mut() {
                    Some((kind, _, end)) if *kind == mark && *end == time => *end += 20,
                    _ => runs.push((mark, time, time + 20)),
                }
            }
            runs.iter().map(|(mark, from, to)| format!("{mark}{from}..{to}")).collect::<Vec<_>>().join(" ")
        }
    }

    #[test]
    fn sound_that_comes_is_left_alone_however_far_it_is_behind() {
        assert_eq!(Feed::opus().run(0..5_000, &[(0, 4_000)], 900).told(), "0..4000");
        assert_eq!(Feed::opus().run(0..2_000, &[(0, 2_000)], 0).told(), "0..2000");
    }

    #[test]
    fn a_pause_is_filled_while_it_lasts_and_sound_goes_on_after_it() {
        let mut feed = Feed::opus();
        feed.run(0..2_000, &[(0, 600)], 0);
        // Sound has not been behind at all: 250 ms are waited.
        assert_eq!(feed.told(), "0..600 -600..1700");
        feed.run(2_000..3_000, &[(2_500, 3_000)], 0);
        assert_eq!(feed.told(), "0..600 -600..2500 2500..3000");
    }

    #[test]
    fn sound_that_begins_late_or_never_begins_with_silence() {
        assert_eq!(Feed::opus().run(0..1_000, &[(400, 800)], 0).told(), "-0..400 400..800");
        assert_eq!(Feed::opus().run(0..3_000, &[], 0).told(), "-0..1960");
    }

    #[test]
    fn what_comes_after_its_time_was_filled_is_dropped_and_the_next_pause_waits_longer() {
        let mut feed = Feed::opus();
        feed.run(0..1_000, &[(0, 400)], 0);
        assert_eq!(feed.told(), "0..400 -400..700");
        for time in (400..1_000).step_by(20) {
            feed.push(SOUND, time);
        }
        assert_eq!(feed.told(), "0..400 -400..700 x400..700 700..1000");
        feed.seen.clear();
        feed.run(1_000..2_400, &[(1_000, 1_200)], 0);
        // It was 560 ms behind.
        assert_eq!(feed.told(), "1000..1200 -1200..1540");
    }

    #[test]
    fn a_loss_is_left_to_the_decoder() {
        assert_eq!(Feed::opus().run(0..1_000, &[(0, 400), (480, 1_000)], 0).told(), "0..400 480..1000");
    }

    #[test]
    fn other_sound_is_left_alone() {
        let aac = aac::Config::parse(Bytes::from_static(&[0x11, 0x90])).unwrap();
        assert_eq!(Feed::new(Format::Aac(aac)).run(0..3_000, &[(0, 200)], 0).told(), "0..200");
    }
}
