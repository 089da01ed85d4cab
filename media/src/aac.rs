//! MPEG-4 AAC: the `AudioSpecificConfig` of ISO/IEC 14496-3 1.6.2.1.

use bytes::Bytes;

use crate::{Error, Timescale};

/// Samples per channel in an AAC-LC access unit (ISO/IEC 14496-3 4.5.2.1.1, `frameLengthFlag` 0).
pub const FRAME_LEN: u32 = 1_024;

/// Decoder configuration of an AAC track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The `AudioSpecificConfig` as it came.
    pub record: Bytes,
    /// Audio object type: 2 for AAC-LC, 5 for HE-AAC, 29 for HE-AAC v2.
    pub object_type: u8,
    /// Core sampling frequency in Hz: the clock of the access units.
    pub sample_rate: u32,
    /// Channels as configured, 1 to 8.
    pub channels: u8,
}

impl Config {
    /// The longest `AudioSpecificConfig` taken, in bytes.
    pub const MAX_LEN: usize = 64;

    /// Reads an `AudioSpecificConfig`.
    pub fn parse(record: Bytes) -> Result<Self, Error> {
        if record.len() > Self::MAX_LEN {
            return Err(unsupported("length", record.len()));
        }
        let mut bits = Bits { data: &record, position: 0 };
        let object_type = bits.object_type()?;
        let sample_rate = bits.sample_rate()?;
        let configuration = bits.read(4)?;
        let channels = match configuration {
            1..=6 => configuration,
            7 => 8,
            other => {
                return Err(Error::Unsupported { what: WHAT, field: "channel configuration", value: other });
            }
        };
        let core_type = if matches!(object_type, SBR | PS) {
            bits.sample_rate()?;
            bits.object_type()?
        } else {
            object_type
        };
        if core_type != AAC_LC {
            return Err(Error::Unsupported { what: WHAT, field: "audio object type", value: object_type });
        }
        if bits.read(1)? == 1 {
            return Err(Error::Unsupported { what: WHAT, field: "frame length flag", value: 1 });
        }
        Ok(Self {
            object_type: u8::try_from(object_type).unwrap_or(u8::MAX),
            channels: u8::try_from(channels).unwrap_or(u8::MAX),
            sample_rate,
            record,
        })
    }

    /// One tick per PCM sample.
    pub fn timescale(&self) -> Timescale {
        Timescale::new(self.sample_rate).unwrap_or(Timescale::NINETY_KHZ)
    }

    /// The RFC 6381 string, for example `mp4a.40.2`.
    pub fn codec(&self) -> String {
        format!("mp4a.40.{}", self.object_type)
    }
}

const WHAT: &str = "AudioSpecificConfig";
const AAC_LC: u32 = 2;
const SBR: u32 = 5;
const PS: u32 = 29;

/// ISO/IEC 14496-3 table 1.18.
const SAMPLE_RATES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];

fn unsupported(field: &'static str, value: usize) -> Error {
    Error::Unsupported { what: WHAT, field, value: u32::try_from(value).unwrap_or(u32::MAX) }
}

struct Bits<'a> {
    data: &'a [u8],
    position: usize,
}

impl Bits<'_> {
    fn read(&mut self, count: usize) -> Result<u32, Error> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.data.get(self.position / 8).ok_or(Error::Truncated { what: WHAT, len: self.data.len() })?;
            value = (value << 1) | u32::from(byte >> (7 - self.position % 8) & 1);
            self.position += 1;
        }
        Ok(value)
    }

    fn object_type(&mut self) -> Result<u32, Error> {
        match self.read(5)? {
            31 => Ok(32 + self.read(6)?),
            short => Ok(short),
        }
    }

    fn sample_rate(&mut self) -> Result<u32, Error> {
        let index = self.read(4)?;
        let rate = if index == 15 {
            self.read(24)?
        } else {
            usize::try_from(index).ok().and_then(|i| SAMPLE_RATES.get(i).copied()).unwrap_or(0)
        };
        if (7_350..=192_000).contains(&rate) {
            Ok(rate)
        } else {
            Err(Error::Unsupported { what: WHAT, field: "sampling frequency", value: rate })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(record: &'static [u8]) -> Result<Config, Error> {
        Config::parse(Bytes::from_static(record))
    }

    #[test]
    fn aac_lc_at_48_khz_stereo() {
        let config = parse(&[0x11, 0x90]).unwrap();
        assert_eq!((config.object_type, config.sample_rate, config.channels), (2, 48_000, 2));
        assert_eq!(config.codec(), "mp4a.40.2");
    }

    #[test]
    fn he_aac_keeps_the_core_rate_as_its_clock() {
        // Explicit SBR signalling: object type 5, core 24 kHz, extension 48 kHz, core object type 2.
        let config = parse(&[0x2b, 0x11, 0x88, 0x00]).unwrap();
        assert_eq!((config.object_type, config.sample_rate, config.channels), (5, 24_000, 2));
        assert_eq!(config.codec(), "mp4a.40.5");
    }

    #[test]
    fn what_cannot_be_played_is_named() {
        assert_eq!(parse(&[0x11]), Err(Error::Truncated { what: WHAT, len: 1 }));
        assert_eq!(parse(&[]), Err(Error::Truncated { what: WHAT, len: 0 }));
        let message = parse(&[0x11, 0x80]).unwrap_err().to_string();
        assert_eq!(message, "AudioSpecificConfig has unsupported channel configuration 0");
        assert!(parse(&[0xff; 65]).is_err());
    }
}
