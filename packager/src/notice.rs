use std::fmt;
use std::time::Duration;

use touchline_media::Kind;

/// Something that the operator should know; its `Display` says what and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// Segments have to be cut where a decoder cannot start. Said once per stretch.
    LongKeyframeInterval {
        /// How long the source has gone without a keyframe when the cut fell due.
        seen: Duration,
        /// The longest segment that EXT-X-TARGETDURATION allows.
        limit: Duration,
        /// The keyframe interval to set.
        advised: Duration,
        /// The same in frames, where the frame rate is known.
        advised_frames: Option<u32>,
    },
    /// The source keeps no constant frame rate: a part waits for the frame after its last.
    VariableFrameRate,
    /// Whole frames do not fill 85 % of PART-TARGET, as RFC 8216bis 4.4.4.9 asks.
    ShortParts {
        /// Pictures or sound.
        kind: Kind,
        /// What whole frames make.
        part: Duration,
        /// PART-TARGET of the presentation.
        part_target: Duration,
    },
    /// Others have come without a keyframe of the leading pictures for so long that the oldest are let go. Said once per
    /// stretch.
    NoKeyframe {
        /// Samples that were waiting.
        held: usize,
    },
    /// The media of a rendition did not come while that of others did. Said once per gap, at its end.
    Gap {
        /// The name of the rendition.
        rendition: String,
        /// How long a gap viewers find.
        missing: Duration,
        /// Whether the source had said that it pauses.
        announced: bool,
        /// Samples that came, but too late or where media cannot begin again.
        left_out: usize,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LongKeyframeInterval { seen, limit, advised, advised_frames } => {
                write!(
                    f,
                    "no keyframe for {:.1} s, and a segment may last {:.1} s: viewers join and seek late. Set the encoder's \
                     keyframe interval to {} s",
                    seen.as_secs_f64(),
                    limit.as_secs_f64(),
                    advised.as_secs_f64(),
                )?;
                match advised_frames {
                    Some(frames) => write!(f, " (OBS: Keyframe Interval; ffmpeg: -g {frames}; x264: keyint={frames})"),
                    None => f.write_str(" (OBS: Keyframe Interval; ffmpeg: -force_key_frames; x264: keyint)"),
                }
            }
            Self::VariableFrameRate => f.write_str(
                "the source keeps no constant frame rate: every part waits for the frame after its last. Set a constant \
                 frame rate in the encoder for the lowest latency",
            ),
            Self::ShortParts { kind, part, part_target } => write!(
                f,
                "whole {} make parts of {:.0} ms, less than 85 % of the part target of {} ms: some players will \
                 complain. Keep to one frame rate, or set longer parts",
                match kind {
                    Kind::Video => "pictures",
                    Kind::Audio => "audio frames",
                },
                part.as_secs_f64() * 1_000.0,
                part_target.as_millis(),
            ),
            Self::NoKeyframe { held } => write!(
                f,
                "{held} samples have come without a keyframe of the video track that was announced: nothing is shown \
                 until one comes. Check that the encoder sends video"
            ),
            Self::Gap { rendition, missing, announced: true, left_out } => write!(
                f,
                "{rendition} was left out on purpose for {:.1} s, and viewers have a gap in it; {left_out} samples came \
                 before one to go on with",
                missing.as_secs_f64(),
            ),
            Self::Gap { rendition, missing, announced: false, left_out } => write!(
                f,
                "{rendition} was missing for {:.1} s while the others went on, and viewers have a gap in it; {left_out} \
                 samples came too late, or before one to begin with. Check the encoder's load and its uplink",
                missing.as_secs_f64(),
            ),
        }
    }
}
