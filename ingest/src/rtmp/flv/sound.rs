//! Access units of audio.

use bytes::Bytes;
use touchline_media::{Error, Format, aac};

use super::Damage;
use super::header::{Audio, Frame};

/// A track of sound.
#[derive(Debug)]
pub(super) struct Sound {
    codec: Audio,
    /// Codec and decoder configuration.
    pub(super) format: Format,
}

impl Sound {
    /// Reads the decoder configuration of a codec.
    pub(super) fn configure(codec: Audio, record: &[u8]) -> Result<Self, Error> {
        let format = match codec {
            // A copy, so that the configuration does not keep the message alive.
            Audio::Aac => Format::Aac(aac::Config::parse(Bytes::copy_from_slice(record))?),
        };
        Ok(Self { codec, format })
    }

    /// The data of a sample.
    pub(super) fn read(&self, codec: Audio, frame: Frame) -> Result<Bytes, Damage> {
        match frame.body {
            _ if codec != self.codec => Err(Damage::Unconfigured),
            body if body.is_empty() => Err(Damage::Empty),
            body => Ok(body),
        }
    }
}
