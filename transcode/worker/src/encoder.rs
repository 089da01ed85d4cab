//! How each encoder is told to be quick, to keep to its bitrate, and to make no IDR of its own accord.

use gstreamer as gst;
use touchline_transcode::message::Fault;
use touchline_transcode::plan::{Codec, Encoder};

use crate::chain::{caps_filter, make, set};

/// Pictures until an encoder makes an IDR that nobody asked for: more than an hour at 60 per second, which is never.
const NO_KEYS: &str = "250000";

/// The encoder, and what brings its output into the form of `touchline_media::Sample::data`.
pub(crate) fn elements(encoder: Encoder, bitrate: u32) -> Result<Vec<gst::Element>, Fault> {
    let element = make(encoder.element())?;
    for (property, value) in properties(encoder, bitrate) {
        set(&element, property, &value);
    }
    let (parser, caps) = match encoder.codec() {
        Codec::H265 => (Some(make("h265parse")?), "video/x-h265,stream-format=hvc1,alignment=au"),
        _ if encoder == Encoder::X264 => (None, "video/x-h264,stream-format=avc,alignment=au,profile=high"),
        _ => (Some(make("h264parse")?), "video/x-h264,stream-format=avc,alignment=au"),
    };
    let caps = caps.parse::<gst::Caps>().map_err(|error| Fault {
        place: encoder.to_string(),
        reason: error.to_string(),
        encoder: true,
    })?;
    Ok([element].into_iter().chain(parser).chain([caps_filter(&caps)?]).collect())
}

/// What it likes pictures to be.
pub(crate) fn format(encoder: Encoder) -> &'static str {
    match encoder {
        Encoder::X264 | Encoder::OpenH264 | Encoder::X265 => "I420",
        Encoder::Nvidia | Encoder::QuickSync | Encoder::Va | Encoder::V4l2 => "NV12",
    }
}

/// A constant bitrate within a buffer of one second, no B-frames, no look-ahead, one thread: other rungs want theirs.
fn properties(encoder: Encoder, bitrate: u32) -> Vec<(&'static str, String)> {
    let kilobits = bitrate.div_ceil(1_000);
    let all: &[(&str, &str)] = match encoder {
        Encoder::X264 => &[
            ("speed-preset", "superfast"),
            ("tune", "zerolatency"),
            ("threads", "1"),
            ("sliced-threads", "false"),
            ("bframes", "0"),
            ("b-adapt", "false"),
            ("byte-stream", "false"),
            ("aud", "false"),
            ("key-int-max", NO_KEYS),
            ("vbv-buf-capacity", "1000"),
            // Intra blocks of 4x4 would be tried at a twentieth of the processor time, and bring nothing that PSNR or VMAF sees.
            ("option-string", "scenecut=0:rc-lookahead=0:partitions=i8x8"),
        ],
        Encoder::OpenH264 => &[
            ("rate-control", "bitrate"),
            ("complexity", "low"),
            ("usage-type", "camera"),
            ("enable-frame-skip", "false"),
            ("scene-change-detection", "false"),
            ("background-detection", "false"),
            ("multi-thread", "1"),
            ("slice-mode", "n-slices"),
            ("num-slices", "1"),
            ("gop-size", NO_KEYS),
        ],
        Encoder::X265 => &[("speed-preset", "ultrafast"), ("tune", "zerolatency"), ("key-int-max", NO_KEYS)],
        Encoder::Nvidia => &[
            ("preset", "low-latency-hq"),
            ("rc-mode", "cbr"),
            ("zerolatency", "true"),
            ("bframes", "0"),
            ("rc-lookahead", "0"),
            ("gop-size", "-1"),
        ],
        Encoder::QuickSync => &[
            ("rate-control", "cbr"),
            ("low-latency", "true"),
            ("b-frames", "0"),
            ("ref-frames", "1"),
            ("gop-size", NO_KEYS),
        ],
        Encoder::Va => &[("rate-control", "cbr"), ("b-frames", "0"), ("ref-frames", "1"), ("key-int-max", "1024")],
        Encoder::V4l2 => &[],
    };
    let rate = match encoder {
        Encoder::OpenH264 => vec![("bitrate", bitrate.to_string())],
        Encoder::X265 => vec![
            ("bitrate", kilobits.to_string()),
            (
                "option-string",
                format!(
                    "bframes=0:scenecut=0:rc-lookahead=0:pools=none:frame-threads=1:\
                     vbv-maxrate={kilobits}:vbv-bufsize={kilobits}"
                ),
            ),
        ],
        Encoder::Nvidia => vec![("bitrate", kilobits.to_string()), ("vbv-buffer-size", kilobits.to_string())],
        Encoder::X264 | Encoder::QuickSync => vec![("bitrate", kilobits.to_string())],
        Encoder::Va => vec![("bitrate", kilobits.to_string()), ("cpb-size", kilobits.to_string())],
        Encoder::V4l2 => {
            vec![(
                "extra-controls",
                format!("controls,video_bitrate_mode=1,video_bitrate={bitrate},h264_i_frame_period={NO_KEYS}"),
            )]
        }
    };
    all.iter().map(|(property, value)| (*property, (*value).to_owned())).chain(rate).collect()
}
