//! What a worker process is asked to do: one plan for its whole life.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The work of one worker process. Times are in ticks of their source's timescale.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Pictures to decode and encode anew.
    pub video: Option<Video>,
    /// Sound to decode and encode anew. Apart from the pictures: if one falls silent, the other goes on.
    pub audio: Option<Audio>,
}

/// Decode once, then scale and encode for each rung.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Video {
    /// What the access units are.
    pub source: Source,
    /// Width of the source's pictures in pixels.
    pub width: u32,
    /// Height of the source's pictures in pixels.
    pub height: u32,
    /// Ticks from one picture to the next, where the source keeps a constant grid.
    pub frame_ticks: Option<u32>,
    /// Which pictures are to be IDRs in every rung.
    pub keys: Keys,
    /// What to make of it.
    pub rungs: Vec<VideoRung>,
    /// The height in pixels of a JPEG to make of each IDR; `None`: none.
    pub thumbnail: Option<u32>,
}

/// Decode once, then encode for each rung, in stereo at most and at the source's sampling rate.
///
/// Of AAC each access unit is made of the one at the same PTS, so that what the source leaves out is left out. Of Opus they
/// follow each other at whole multiples of 1024 samples from a PTS of 0 on, whichever worker makes them, and what the source
/// leaves out is silence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audio {
    /// What the access units are. Its timescale is the sampling rate, 48 kHz for Opus.
    pub source: Source,
    /// Channels of the source.
    pub channels: u8,
    /// What to make of it.
    pub rungs: Vec<AudioRung>,
}

/// Codec and decoder configuration of what is decoded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The codec.
    pub codec: Codec,
    /// Ticks per second.
    pub timescale: u32,
    /// The decoder configuration record: avcC, hvcC, av1C, `AudioSpecificConfig`, `OpusHead`.
    pub record: Vec<u8>,
}

/// What can be decoded, where the platform has a decoder for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// H.264, NAL units behind lengths of four bytes.
    H264,
    /// HEVC, NAL units behind lengths of four bytes.
    H265,
    /// AV1, temporal units.
    Av1,
    /// MPEG-4 AAC, raw access units.
    Aac,
    /// Opus, packets.
    Opus,
}

/// Which pictures are IDRs in every rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Keys {
    /// Those that are sync samples of the source.
    Source,
    /// The first at or after each line of a grid.
    Every {
        /// Ticks of PTS from one line to the next.
        ticks: u32,
        /// The PTS of one of them; `None`: that of the first picture that is encoded.
        from: Option<i64>,
    },
}

/// One rendition of the pictures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VideoRung {
    /// Names it in messages.
    pub stream: u8,
    /// By which encoder.
    pub encoder: Encoder,
    /// Width in pixels, even. A source of another shape gets black borders.
    pub width: u32,
    /// Height in pixels, even.
    pub height: u32,
    /// Bits per second, kept to within a buffer of one second.
    pub bitrate: u32,
    /// What has been encoded already, before this worker: pictures up to this PTS are decoded only.
    pub after: Option<i64>,
}

/// One rendition of the sound: AAC-LC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioRung {
    /// Names it in messages.
    pub stream: u8,
    /// Bits per second.
    pub bitrate: u32,
    /// What has been encoded already: access units up to this PTS are decoded only.
    pub after: Option<i64>,
}

/// An encoder that a worker knows how to use, where the platform has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Encoder {
    /// NVIDIA.
    #[serde(rename = "nvh264enc")]
    Nvidia,
    /// Intel Quick Sync.
    #[serde(rename = "qsvh264enc")]
    QuickSync,
    /// VA-API.
    #[serde(rename = "vah264enc")]
    Va,
    /// `Video4Linux` memory-to-memory, as on small boards.
    #[serde(rename = "v4l2h264enc")]
    V4l2,
    /// x264, in software.
    #[serde(rename = "x264enc")]
    X264,
    /// `OpenH264`, in software.
    #[serde(rename = "openh264enc")]
    OpenH264,
    /// x265, in software: HEVC.
    #[serde(rename = "x265enc")]
    X265,
}

impl Encoder {
    /// Those of H.264, the most wanted first: hardware leaves the processor to others.
    pub const H264: [Self; 6] = [Self::Nvidia, Self::QuickSync, Self::Va, Self::V4l2, Self::X264, Self::OpenH264];
    /// Those of HEVC.
    pub const HEVC: [Self; 1] = [Self::X265];

    /// The name of its GStreamer element.
    pub fn element(self) -> &'static str {
        match self {
            Self::Nvidia => "nvh264enc",
            Self::QuickSync => "qsvh264enc",
            Self::Va => "vah264enc",
            Self::V4l2 => "v4l2h264enc",
            Self::X264 => "x264enc",
            Self::OpenH264 => "openh264enc",
            Self::X265 => "x265enc",
        }
    }

    /// Whether it needs hardware of its own.
    pub fn is_hardware(self) -> bool {
        matches!(self, Self::Nvidia | Self::QuickSync | Self::Va | Self::V4l2)
    }

    /// The encoder with this name.
    pub fn find(element: &str) -> Option<Self> {
        Self::H264.into_iter().chain(Self::HEVC).find(|encoder| encoder.element() == element)
    }

    /// What it makes.
    pub fn codec(self) -> Codec {
        if self == Self::X265 { Codec::H265 } else { Codec::H264 }
    }
}

impl fmt::Display for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.element())
    }
}
