//! Feeds to package: tracks and samples as `ingest` hands them on.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use bytes::Bytes;
use touchline_media::{Format, FrameRate, MediaTime, Sample, Timescale, Track, TrackId, aac, avc, opus};
use touchline_packager::{Event, Packager, Settings, WallClock};

pub(crate) const VIDEO: TrackId = TrackId(1);
pub(crate) const AUDIO: TrackId = TrackId(2);
/// A lower rung of the same pictures.
pub(crate) const SMALL: TrackId = TrackId(3);
/// The same sound at a lower bitrate.
pub(crate) const LIGHT: TrackId = TrackId(4);
/// Sound in Opus.
pub(crate) const OPUS: TrackId = TrackId(5);

/// The instant at which the tests' wall clock is at [`OPENING`].
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// 2026-07-19T19:00:00.000Z.
pub(crate) const OPENING: Duration = Duration::from_hours(495_691);

/// x264, High, 1280x720.
pub(crate) const AVC_720: &[u8] = &[
    0x01, 0x64, 0x00, 0x1f, 0xff, 0xe1, 0x00, 0x1a, 0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01,
    0x10, 0x00, 0x00, 0x03, 0x00, 0x10, 0x00, 0x00, 0x03, 0x03, 0xc0, 0xf1, 0x83, 0x19, 0x60, 0x01, 0x00, 0x06, 0x68,
    0xeb, 0xe3, 0xcb, 0x22, 0xc0, 0xfd, 0xf8, 0xf8, 0x00,
];

/// x264, High, 640x360.
pub(crate) const AVC_360: &[u8] = &[
    0x01, 0x64, 0x00, 0x1e, 0xff, 0xe1, 0x00, 0x1a, 0x67, 0x64, 0x00, 0x1e, 0xac, 0xd9, 0x40, 0xa0, 0x2f, 0xf9, 0x70,
    0x11, 0x00, 0x00, 0x03, 0x00, 0x01, 0x00, 0x00, 0x03, 0x00, 0x32, 0x0f, 0x16, 0x2d, 0x96, 0x01, 0x00, 0x06, 0x68,
    0xeb, 0xe3, 0xcb, 0x22, 0xc0, 0xfd, 0xf8, 0xf8, 0x00,
];

pub(crate) const ZERO: Duration = Duration::ZERO;

pub(crate) fn secs(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// Some instant of the feed's life.
pub(crate) fn at(since_start: Duration) -> Instant {
    *START + since_start
}

pub(crate) fn packager() -> Packager {
    with(Settings::default())
}

pub(crate) fn with(settings: Settings) -> Packager {
    Packager::new(settings, WallClock { instant: at(Duration::ZERO), unix: OPENING })
}

/// The frame rates that encoders use.
pub(crate) static RATES: LazyLock<[(&str, FrameRate); 7]> = LazyLock::new(|| {
    [
        ("24", rate(24, 1)),
        ("25", rate(25, 1)),
        ("29.97", rate(30_000, 1_001)),
        ("30", rate(30, 1)),
        ("50", rate(50, 1)),
        ("59.94", rate(60_000, 1_001)),
        ("60", rate(60, 1)),
    ]
});

pub(crate) fn rate(numerator: u32, denominator: u32) -> FrameRate {
    FrameRate::new(numerator, denominator).unwrap()
}

/// Video on a constant grid.
pub(crate) fn video(rate: FrameRate) -> Track {
    let format = Format::Avc(avc::Config::parse(AVC_720).unwrap());
    Track {
        id: VIDEO,
        timescale: rate.timescale(),
        format,
        frame_ticks: Some(rate.frame_ticks()),
        bitrate: None,
        language: None,
    }
}

/// Video whose frames come when they come, in milliseconds.
pub(crate) fn variable_video() -> Track {
    Track { timescale: Timescale::MILLIS, frame_ticks: None, ..video(rate(30, 1)) }
}

/// Another picture size.
pub(crate) fn small_video(rate: FrameRate) -> Track {
    Track { format: Format::Avc(avc::Config::parse(AVC_360).unwrap()), ..video(rate) }
}

/// The same pictures in 720p and 360p with a keyframe every two seconds, and sound at 48 kHz.
pub(crate) fn ladder(rate: FrameRate, half: bool) -> [Frames; 3] {
    let gop = (2.0 * rate.as_f64()).round() as u32;
    let small = if half { self::rate(rate.timescale().get(), 2 * rate.frame_ticks()) } else { rate };
    let track = Track { id: SMALL, ..small_video(small) };
    let small = Frames { track, gop: if half { gop / 2 } else { gop }, reorder: &[0], first: 0 };
    [Frames::video(rate, gop), small, Frames::audio(48_000)]
}

/// AAC-LC in stereo at 44,100 or 48,000 Hz.
pub(crate) fn audio(sample_rate: u32) -> Track {
    let record: &[u8] = match sample_rate {
        44_100 => &[0x12, 0x10],
        48_000 => &[0x11, 0x90],
        other => panic!("no AudioSpecificConfig for {other} Hz here"),
    };
    let config = aac::Config::parse(Bytes::from_static(record)).unwrap();
    Track {
        id: AUDIO,
        timescale: config.timescale(),
        format: Format::Aac(config),
        frame_ticks: Some(aac::FRAME_LEN),
        bitrate: None,
        language: None,
    }
}

/// The same sound as that of [`audio`] at 48,000 Hz, in 64 kb/s.
pub(crate) fn light_audio() -> Track {
    Track { id: LIGHT, bitrate: Some(64_000), ..audio(48_000) }
}

/// Opus in stereo, in packets of so many ticks.
pub(crate) fn opus(packet_ticks: u32) -> Track {
    let config = opus::Config::new(2).unwrap();
    Track {
        id: OPUS,
        timescale: opus::TIMESCALE,
        format: Format::Opus(config),
        frame_ticks: Some(packet_ticks),
        bitrate: None,
        language: None,
    }
}

/// The frames of a regular source.
#[derive(Debug, Clone)]
pub(crate) struct Frames {
    pub(crate) track: Track,
    /// Frames from one sync sample to the next; 1 for sound.
    pub(crate) gop: u32,
    /// The composition offsets of a GOP's frames repeat these, in frames: [2, 4, 1, 0] is an encoder with B-frames.
    pub(crate) reorder: &'static [i64],
    /// The decode time of the first frame, in frames.
    pub(crate) first: i64,
}

impl Frames {
    pub(crate) fn video(rate: FrameRate, gop: u32) -> Self {
        Self { track: video(rate), gop, reorder: &[0], first: 0 }
    }

    pub(crate) fn audio(sample_rate: u32) -> Self {
        Self::of(audio(sample_rate))
    }

    /// Of a track of sound.
    pub(crate) fn of(track: Track) -> Self {
        Self { track, gop: 1, reorder: &[0], first: 0 }
    }

    /// The frame with this number, received `delay` after its decode time.
    pub(crate) fn frame(&self, number: u32, delay: Duration) -> Sample {
        let ticks = i64::from(self.track.frame_ticks.unwrap());
        let dts = (i64::from(number) + self.first) * ticks;
        let sync = number.is_multiple_of(self.gop);
        if let Format::Opus(_) = self.track.format {
            return packet(&self.track, dts, self.track.frame_ticks.unwrap());
        }
        let reorder = self.reorder[(number % self.gop) as usize % self.reorder.len()];
        sample(&self.track, dts, dts + reorder * ticks, sync, delay)
    }

    /// The frames whose decode times lie within `from..to`.
    pub(crate) fn between(&self, from: Duration, to: Duration) -> Vec<Sample> {
        let frames = (0..).map(|number| self.frame(number, Duration::ZERO));
        frames
            .skip_while(|sample| sample.dts.to_duration() < from)
            .take_while(|sample| sample.dts.to_duration() < to)
            .collect()
    }
}

/// Pictures at 30 frames/s with a keyframe every two seconds, and sound at 48 kHz.
pub(crate) fn sources() -> [Frames; 2] {
    [Frames::video(rate(30, 1), 60), Frames::audio(48_000)]
}

/// Their tracks.
pub(crate) fn tracks() -> [Track; 2] {
    sources().map(|source| source.track)
}

/// A packet of Opus of so many ticks: of frames of 2.5 ms (RFC 6716 3.2.5).
pub(crate) fn packet(track: &Track, dts: i64, ticks: u32) -> Sample {
    let mut sample = sample(track, dts, dts, true, Duration::ZERO);
    let mut data = vec![28 << 3 | 3, u8::try_from(ticks / 120).unwrap()];
    data.extend(&sample.data);
    sample.data = data.into();
    sample
}

/// A sample of this decode time and PTS in ticks, received `delay` after its decode time. Its data tells it from every
/// other.
pub(crate) fn sample(track: &Track, dts: i64, pts: i64, sync: bool, delay: Duration) -> Sample {
    let time = |ticks| MediaTime::new(ticks, track.timescale);
    let len = match (track.id, sync) {
        (AUDIO, _) => 341,
        (LIGHT | OPUS, _) => 171,
        (_, true) => 3_000,
        (_, false) => 1_000,
    };
    let mut data = format!("{}@{dts}+{}", track.id.0, pts - dts).into_bytes();
    data.resize(len, 0);
    Sample {
        track: track.id,
        dts: time(dts),
        pts: time(pts),
        sync,
        data: data.into(),
        received: at(time(dts).to_duration() + delay),
    }
}

/// Samples in the order in which they are received.
pub(crate) fn interleave(tracks: impl IntoIterator<Item = Vec<Sample>>) -> Vec<Sample> {
    let mut samples: Vec<Sample> = tracks.into_iter().flatten().collect();
    samples.sort_by_key(|sample| sample.received);
    samples
}

/// Packages one stretch.
pub(crate) fn stretch(packager: &mut Packager, tracks: &[Track], samples: Vec<Sample>) -> Vec<Event> {
    let mut events = packager.start(tracks).unwrap();
    events.extend(samples.into_iter().flat_map(|sample| packager.push(sample)));
    events
}

/// `seconds` of sources that begin together, packaged and not ended.
pub(crate) fn live(packager: &mut Packager, sources: &[Frames], seconds: f64) -> Vec<Event> {
    let tracks: Vec<Track> = sources.iter().map(|source| source.track.clone()).collect();
    let to = Duration::from_secs_f64(seconds);
    let samples = interleave(sources.iter().map(|source| source.between(Duration::ZERO, to)));
    stretch(packager, &tracks, samples)
}
