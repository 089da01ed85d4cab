//! Access units of audio.

use bytes::Bytes;
use touchline_media::{Error, Format, aac, opus};

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
            Audio::Opus => Format::Opus(opus::Config::parse_head(record)?),
        };
        Ok(Self { codec, format })
    }

    /// The data of a sample.
    pub(super) fn read(&self, codec: Audio, frame: Frame) -> Result<Bytes, Damage> {
        let body = frame.body;
        if codec != self.codec {
            return Err(Damage::Unconfigured);
        }
        match codec {
            _ if body.is_empty() => Err(Damage::Empty),
            Audio::Opus if opus::packet_duration(&body).is_err() => Err(Damage::Damaged),
            _ => Ok(body),
        }
    }
}
