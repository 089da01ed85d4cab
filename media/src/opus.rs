//! Opus: the identification header of RFC 7845 5.1, the `OpusSpecificBox` of the encapsulation in ISO BMFF 4.3.2, and how
//! long a packet lasts (RFC 6716 3).

mod packet;

use crate::{Error, Timescale};

pub use packet::packet_duration;

/// Ticks per second of all Opus, whatever the encoder was given (RFC 7845 4).
pub const TIMESCALE: Timescale = Timescale::FORTY_EIGHT_KHZ;

/// The usual duration of a packet, 20 ms, in ticks of [`TIMESCALE`].
pub const USUAL_DURATION: u32 = 960;

/// The longest that a packet lasts, 120 ms, in ticks of [`TIMESCALE`] (RFC 6716 3.2.5).
pub const MAX_DURATION: u32 = 5_760;

/// The RFC 6381 string (encapsulation in ISO BMFF 4.3.3).
pub const CODEC: &str = "opus";

/// What encoders of the reference implementation are late by as a rule, in ticks of [`TIMESCALE`]: 6.5 ms.
const USUAL_PRE_SKIP: u16 = 312;

/// Decoder configuration of an Opus track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Channels that come out of the decoder, 1 to 8.
    pub channels: u8,
    /// By how much what comes out of the decoder is later than what went into the encoder, in ticks of [`TIMESCALE`].
    ///
    /// The PTS of a sample is that of the first tick which its packet decodes to, as containers have it. RTP has the time
    /// of what went into the encoder: its PTS is so much earlier.
    pub pre_skip: u16,
    /// The sampling rate before it was encoded, in Hz; 0: unknown. Nothing depends on it.
    pub input_rate: u32,
    /// What decoded sound is to be amplified by, in 1/256 dB.
    pub gain: i16,
    /// How channels lie in streams; `None`: mono or stereo in one (family 0).
    pub mapping: Option<Mapping>,
}

/// How channels lie in streams (RFC 7845 5.1.1.2, family 1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// Streams in each packet.
    pub streams: u8,
    /// How many of them are stereo; they come first.
    pub coupled: u8,
    /// For each channel the decoded one, counted over all streams; 255: silence.
    pub channels: Vec<u8>,
}

impl Config {
    /// That of an encoder which sends no header, as in RTP and MPEG-TS: `channels` in the order and streams of RFC 7845
    /// 5.1.1.2.
    pub fn new(channels: u8) -> Result<Self, Error> {
        let mapping = match channels {
            1 | 2 => None,
            _ => Some(Mapping::usual(channels).ok_or_else(|| unsupported("channel count", channels))?),
        };
        Ok(Self { channels, pre_skip: USUAL_PRE_SKIP, input_rate: TIMESCALE.get(), gain: 0, mapping })
    }

    /// Reads an identification header, `OpusHead` and on.
    pub fn parse_head(head: &[u8]) -> Result<Self, Error> {
        let truncated = || Error::Truncated { what: WHAT, len: head.len() };
        let rest = head.strip_prefix(MAGIC).ok_or_else(|| match head.len() {
            ..8 => truncated(),
            _ => Error::Unreadable { what: WHAT, reason: "it does not begin with OpusHead".into() },
        })?;
        let ([version, channels, skip0, skip1, rate0, rate1, rate2, rate3, gain0, gain1, family], table) =
            rest.split_first_chunk().ok_or_else(truncated)?;
        // 5.1: what has the upper four bits of version 1 can be read by it.
        if version >> 4 != 0 {
            return Err(unsupported("version", *version));
        }
        let mapping = match family {
            0 if (1..=2).contains(channels) => None,
            1 if (1..=MAX_CHANNELS).contains(channels) => Some(Mapping::parse(table, *channels, head.len())?),
            0 | 1 => return Err(unsupported("channel count", *channels)),
            other => return Err(unsupported("channel mapping family", *other)),
        };
        Ok(Self {
            channels: *channels,
            pre_skip: u16::from_le_bytes([*skip0, *skip1]),
            input_rate: u32::from_le_bytes([*rate0, *rate1, *rate2, *rate3]),
            gain: i16::from_le_bytes([*gain0, *gain1]),
            mapping,
        })
    }

    /// The identification header.
    pub fn head(&self) -> Vec<u8> {
        let mut head = MAGIC.to_vec();
        head.extend([1, self.channels]);
        head.extend(self.pre_skip.to_le_bytes());
        head.extend(self.input_rate.to_le_bytes());
        head.extend(self.gain.to_le_bytes());
        self.write_mapping(&mut head);
        head
    }

    /// What an `OpusSpecificBox` ("dOps") holds: the same, in network order.
    pub fn dops(&self) -> Vec<u8> {
        let mut body = vec![0, self.channels];
        body.extend(self.pre_skip.to_be_bytes());
        body.extend(self.input_rate.to_be_bytes());
        body.extend(self.gain.to_be_bytes());
        self.write_mapping(&mut body);
        body
    }

    fn write_mapping(&self, to: &mut Vec<u8>) {
        match &self.mapping {
            None => to.push(0),
            Some(mapping) => {
                to.extend([1, mapping.streams, mapping.coupled]);
                to.extend(&mapping.channels);
            }
        }
    }

    /// Whether a decoder will take a packet: an error that names what is wrong with its frames, else how long it lasts, in
    /// ticks of [`TIMESCALE`].
    pub fn check(&self, packet: &[u8]) -> Result<u32, Error> {
        packet::check(packet, self.streams())
    }

    fn streams(&self) -> u8 {
        self.mapping.as_ref().map_or(1, |mapping| mapping.streams)
    }

    /// A packet of silence of [`USUAL_DURATION`].
    pub fn silence(&self) -> Vec<u8> {
        let [toc, frame @ ..] = SILENCE;
        // RFC 7845 3, RFC 6716 B: all streams but the last tell the length of their frame.
        let mut packet: Vec<u8> = (1..self.streams()).flat_map(|_| [toc, 2].into_iter().chain(frame)).collect();
        packet.extend(SILENCE);
        packet
    }

    /// The clock of the packets.
    pub fn timescale(&self) -> Timescale {
        TIMESCALE
    }

    /// [`CODEC`].
    pub fn codec(&self) -> &'static str {
        CODEC
    }
}

impl Mapping {
    /// The streams and order of RFC 7845 5.1.1.2 that the reference implementation uses; `None` beyond eight channels.
    fn usual(channels: u8) -> Option<Self> {
        let (streams, coupled, order): (u8, u8, &[u8]) = match channels {
            1 => (1, 0, &[0]),
            2 => (1, 1, &[0, 1]),
            3 => (2, 1, &[0, 2, 1]),
            4 => (2, 2, &[0, 1, 2, 3]),
            5 => (3, 2, &[0, 4, 1, 2, 3]),
            6 => (4, 2, &[0, 4, 1, 2, 3, 5]),
            7 => (4, 3, &[0, 4, 1, 2, 3, 5, 6]),
            8 => (5, 3, &[0, 6, 1, 2, 3, 4, 5, 7]),
            _ => return None,
        };
        Some(Self { streams, coupled, channels: order.to_vec() })
    }

    /// Reads a channel mapping table, which ends a header of `len` bytes.
    fn parse(table: &[u8], channels: u8, len: usize) -> Result<Self, Error> {
        let truncated = Error::Truncated { what: WHAT, len };
        let Some(([streams, coupled], rest)) = table.split_first_chunk() else { return Err(truncated) };
        let Some(order) = rest.get(..usize::from(channels)) else { return Err(truncated) };
        // 5.1.1: no more than 255 channels come out of all streams.
        let decoded = streams.checked_add(*coupled).filter(|_| *streams > 0 && coupled <= streams);
        let decoded = decoded.ok_or_else(|| unsupported("stream count", *streams))?;
        match order.iter().find(|&&index| index >= decoded && index != SILENT) {
            Some(index) => Err(unsupported("channel mapping", *index)),
            None => Ok(Self { streams: *streams, coupled: *coupled, channels: order.to_vec() }),
        }
    }
}

const WHAT: &str = "OpusHead";
const MAGIC: &[u8] = b"OpusHead";
/// Family 1 has no more.
const MAX_CHANNELS: u8 = 8;
/// A channel that no stream has.
const SILENT: u8 = 255;
/// One frame of CELT, mono, full band, 20 ms, which says that all of it is silence (RFC 6716 4.3).
const SILENCE: [u8; 3] = [0xf8, 0xff, 0xfe];

fn unsupported(field: &'static str, value: u8) -> Error {
    Error::Unsupported { what: WHAT, field, value: value.into() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As libopus writes it in ffmpeg: stereo, 312 samples late.
    const STEREO: &[u8] = b"OpusHead\x01\x02\x38\x01\x80\xbb\x00\x00\x00\x00\x00";
    /// 5.1 in four streams, two of them stereo, 3 dB down.
    const SURROUND: &[u8] = b"OpusHead\x01\x06\x38\x01\x44\xac\x00\x00\x00\xfd\x01\x04\x02\x00\x04\x01\x02\x03\x05";

    #[test]
    fn headers_are_read_and_written_as_they_were() {
        let stereo = Config::parse_head(STEREO).unwrap();
        assert_eq!(stereo, Config::new(2).unwrap());
        assert_eq!(stereo.head(), STEREO);
        let surround = Config::parse_head(SURROUND).unwrap();
        assert_eq!((surround.channels, surround.input_rate, surround.gain), (6, 44_100, -768));
        assert_eq!(surround.mapping, Config::new(6).unwrap().mapping);
        assert_eq!(surround.head(), SURROUND);
    }

    #[test]
    fn the_box_has_the_same_in_network_order() {
        assert_eq!(Config::parse_head(STEREO).unwrap().dops(), b"\0\x02\x01\x38\0\0\xbb\x80\0\0\0");
        let surround = b"\0\x06\x01\x38\0\0\xac\x44\xfd\0\x01\x04\x02\x00\x04\x01\x02\x03\x05";
        assert_eq!(Config::parse_head(SURROUND).unwrap().dops(), surround);
    }

    #[test]
    fn every_usual_mapping_is_one_that_is_read() {
        for channels in 1..=8 {
            let config = Config::new(channels).unwrap();
            assert_eq!(Config::parse_head(&config.head()), Ok(config));
        }
        assert!(Config::new(0).is_err() && Config::new(9).is_err());
    }

    #[test]
    fn what_cannot_be_played_is_named() {
        let with = |at: usize, value: u8| {
            let mut head = SURROUND.to_vec();
            head[at] = value;
            Config::parse_head(&head).map_err(|error| error.to_string())
        };
        let refused = |what: &str| Err(format!("OpusHead has unsupported {what}"));
        assert_eq!(with(8, 16), refused("version 16"));
        assert!(with(8, 15).is_ok());
        assert_eq!(with(9, 9), refused("channel count 9"));
        assert_eq!(with(18, 0), refused("channel count 6"));
        assert_eq!(with(18, 255), refused("channel mapping family 255"));
        assert_eq!(with(19, 0), refused("stream count 0"));
        assert_eq!(with(20, 5), refused("stream count 4"));
        assert_eq!(with(26, 6), refused("channel mapping 6"));
        assert!(with(26, 255).is_ok());
        assert_eq!(with(0, b'o'), Err("OpusHead does not parse: it does not begin with OpusHead".into()));
        for len in 0..SURROUND.len() {
            assert_eq!(Config::parse_head(&SURROUND[..len]), Err(Error::Truncated { what: WHAT, len }));
        }
    }

    #[test]
    fn silence_is_a_frame_for_each_stream() {
        let silence = Config::new(2).unwrap().silence();
        assert_eq!((silence.as_slice(), Config::new(2).unwrap().check(&silence)), (&SILENCE[..], Ok(USUAL_DURATION)));
        let surround = Config::new(6).unwrap().silence();
        let delimited = [0xf8, 2, 0xff, 0xfe];
        assert_eq!(surround, [&delimited[..], &delimited, &delimited, &SILENCE].concat());
        assert_eq!(Config::new(6).unwrap().check(&surround), Ok(USUAL_DURATION));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_header_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            for head in [bytes.clone(), [MAGIC, &bytes].concat()] {
                if let Ok(config) = Config::parse_head(&head) {
                    prop_assert_eq!(Config::parse_head(&config.head()), Ok(config));
                }
            }
        }
    }
}
