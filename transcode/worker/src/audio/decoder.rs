//! The decoders of sound, and how what they make is cut.

use gstreamer as gst;
use touchline_media::opus;
use touchline_transcode::message::Fault;
use touchline_transcode::plan::{self, Codec};

use crate::blocks::Blocks;
use crate::chain::{self, bad_plan};
use crate::even::Even;

/// RFC 7845 5.2: a comment header that says nothing.
const NO_COMMENTS: &[u8] = b"OpusTags\0\0\0\0\0\0\0\0";

/// A decoder, what it is told of the access units, and what it may make of them.
pub(super) struct Decoder {
    pub(super) element: gst::Element,
    pub(super) units: gst::Caps,
    pub(super) samples: gst::Caps,
    /// Of Opus: what tells which packets it takes. After one that it refuses, it gives those that follow the times of the
    /// ones before them.
    pub(super) opus: Option<opus::Config>,
}

impl Decoder {
    /// For a source, in so many channels.
    pub(super) fn of(source: &plan::Source, channels: u8) -> Result<Self, Fault> {
        let samples = gst::Caps::builder("audio/x-raw").field("format", "F32LE").field("layout", "interleaved");
        let samples = samples.field("channels", i32::from(channels));
        let record = gst::Buffer::from_slice(source.record.clone());
        let (element, units, samples, opus) = match source.codec {
            Codec::Aac => {
                let caps = gst::Caps::builder("audio/mpeg").field("mpegversion", 4).field("stream-format", "raw");
                ("avdec_aac", caps.field("codec_data", record).build(), samples.build(), None)
            }
            Codec::Opus if source.timescale == opus::TIMESCALE.get() => {
                let config = opus::Config::parse_head(&source.record).map_err(|why| bad_plan(&why.to_string()))?;
                // It can be decoded at other rates, too.
                let samples = samples.field("rate", 48_000).build();
                ("opusdec", opus_caps(&config, record), samples, Some(config))
            }
            Codec::Opus => return Err(bad_plan("Opus has a timescale of 48,000")),
            Codec::H264 | Codec::H265 | Codec::Av1 => return Err(bad_plan("AAC and Opus are codecs of sound")),
        };
        let element = chain::make(element)?;
        // A damaged access unit is no reason to give up.
        chain::set(&element, "max-errors", "-1");
        Ok(Self { element, units, samples, opus })
    }
}

/// For a decoder that is made anew for each source, `OpusHead` is all there is to know. What streams it tells of is in the
/// caps too, as elements compare those before they look at headers.
fn opus_caps(config: &opus::Config, head: gst::Buffer) -> gst::Caps {
    let headers = gst::Array::new([head, gst::Buffer::from_slice(NO_COMMENTS)]);
    let caps = gst::Caps::builder("audio/x-opus").field("streamheader", headers);
    match &config.mapping {
        None => caps.field("channel-mapping-family", 0).build(),
        Some(opus::Mapping { streams, coupled, .. }) => caps
            .field("channel-mapping-family", 1)
            .field("channels", i32::from(config.channels))
            .field("stream-count", i32::from(*streams))
            .field("coupled-count", i32::from(*coupled))
            .build(),
    }
}

/// Cuts what is decoded.
#[derive(Debug)]
pub(super) enum Cut {
    /// As the access units are: of AAC, which has blocks of the same length.
    Units(Blocks),
    /// Evenly: of Opus.
    Even(Even),
}

impl Cut {
    /// Of sound of a source that is decoded to so many samples a second of so many bytes.
    pub(super) fn new(source: &plan::Source, sample_size: usize, rate: u32) -> Self {
        match source.codec {
            Codec::Opus => Self::Even(Even::new(sample_size)),
            _ => Self::Units(Blocks::new(sample_size, source.timescale, rate)),
        }
    }

    /// Whole blocks, and the PTS of their first samples.
    pub(super) fn cut(&mut self, pts: i64, sound: &[u8]) -> Vec<(i64, Vec<u8>)> {
        match self {
            Self::Units(blocks) => blocks.cut(pts, sound),
            Self::Even(even) => even.cut(pts, sound),
        }
    }
}
