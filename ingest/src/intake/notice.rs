use std::fmt;
use std::sync::Arc;

use touchline_media::{Format, MediaTime, Track, TrackId};

/// Something in a publisher's feed that an operator should read of.
#[derive(Debug, Clone)]
pub enum Notice {
    /// The tracks are known and samples flow.
    Started {
        /// The tracks.
        tracks: Arc<[Track]>,
    },
    /// Enough has come to say how much it is.
    Measured {
        /// Kind and average bit rate of each track.
        bits_per_second: Vec<(&'static str, u64)>,
        /// From the first keyframe to the second; `None`: no second one came in ten seconds.
        keyframe_interval: Option<MediaTime>,
    },
    /// The publisher's clock has jumped; a new stretch begins.
    Jump {
        /// The track whose clock it is.
        track: TrackId,
        /// From the unit before, in milliseconds.
        by: i64,
    },
    /// A track was added or its decoder configuration has changed; a new stretch begins.
    TracksChanged {
        /// The track.
        track: TrackId,
        /// It was there before.
        changed: bool,
    },
    /// The publisher does not have a track any more; a new stretch begins.
    TrackEnded {
        /// The track.
        track: TrackId,
    },
    /// A packet of Opus lasts longer or shorter than those before; a new stretch begins.
    PacketsChanged {
        /// Its track.
        track: TrackId,
    },
    /// A unit could not be used.
    Dropped {
        /// Its track.
        track: TrackId,
        /// The reason, to follow "dropped because".
        why: &'static str,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started { tracks } => {
                f.write_str("receives ")?;
                for (n, track) in tracks.iter().enumerate() {
                    f.write_str(if n == 0 { "" } else { " and " })?;
                    describe(track, f)?;
                    if let Some(language) = track.language {
                        write!(f, " ({language})")?;
                    }
                }
                Ok(())
            }
            Self::Measured { bits_per_second, keyframe_interval } => {
                for (kind, rate) in bits_per_second {
                    write!(f, "{kind} {} kb/s, ", rate / 1_000)?;
                }
                match keyframe_interval {
                    Some(interval) => write!(f, "a keyframe every {interval}"),
                    None => f.write_str("no second keyframe seen"),
                }
            }
            Self::Jump { track, by } => {
                write!(f, "timestamps of track {} jumped by {by} ms: the timeline begins anew", track.0)
            }
            Self::TracksChanged { track, changed: true } => {
                write!(f, "track {} changed its decoder configuration: the timeline begins anew", track.0)
            }
            Self::TracksChanged { track, changed: false } => {
                write!(f, "track {} was added: the timeline begins anew", track.0)
            }
            Self::TrackEnded { track } => write!(f, "track {} has ended: the timeline begins anew", track.0),
            Self::PacketsChanged { track } => {
                write!(f, "packets of track {} do not last alike any more: the timeline begins anew", track.0)
            }
            Self::Dropped { track, why } => write!(f, "a unit of track {} was dropped because {why}", track.0),
        }
    }
}

/// `H.264 High 3.1 1280x720 at 30.000 frames/s`, `AAC 48000 Hz 2 channels`.
fn describe(track: &Track, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (codec, profile_and_level) = match &track.format {
        Format::Avc(config) => ("H.264", config.profile_and_level()),
        Format::Hevc(config) => ("HEVC", config.profile_and_level()),
        Format::Av1(config) => ("AV1", config.profile_and_level()),
        Format::Aac(config) => {
            return write!(f, "AAC ({}) {} Hz {} channels", config.codec(), config.sample_rate, config.channels);
        }
        Format::Opus(config) => return write!(f, "Opus {} channels", config.channels),
        other => return f.write_str(&other.codec()),
    };
    let (width, height) = track.format.picture_size().unwrap_or_default();
    write!(f, "{codec} {profile_and_level} {width}x{height}")?;
    match track.frame_rate() {
        Some(rate) => write!(f, " at {rate} frames/s"),
        None => f.write_str(" at a variable frame rate"),
    }
}
