use std::time::Instant;

use bytes::Bytes;

use crate::{MediaTime, TrackId};

/// One access unit, in decode order within its track.
///
/// Within a stretch of a feed a track's `dts` never repeats and never goes back.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The track it belongs to.
    pub track: TrackId,
    /// Decode time, in the track's timescale.
    pub dts: MediaTime,
    /// Presentation time, in the track's timescale.
    pub pts: MediaTime,
    /// Whether a decoder can start here.
    pub sync: bool,
    /// H.264 and HEVC: NAL units, each behind its length in four bytes, big-endian. AV1: the OBUs of one temporal unit,
    /// without temporal delimiters (AV1-ISOBMFF 2.4). AAC: one raw access unit. Opus: one packet.
    pub data: Bytes,
    /// When its last byte arrived: the zero of every latency figure.
    pub received: Instant,
}
