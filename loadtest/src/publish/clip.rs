//! What is published: access units of H.264 and of sound, read once, which all publishers share.

mod avc;
mod flv;
mod mp4;
mod recorded;
#[cfg(test)]
pub(super) mod tests;

use std::num::NonZeroU32;
use std::path::Path;

use bytes::Bytes;

use crate::Error;

/// The largest file that is read.
pub const MAX_FILE: u64 = 1 << 30;

/// Some seconds of pictures and sound, which can be repeated for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Clip {
    /// The pictures first, where there are any; of each codec one at most.
    pub(super) tracks: Vec<Track>,
    /// How long it lasts: as long as its first track.
    period: (i64, NonZeroU32),
}

/// A track of a clip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Track {
    pub(super) codec: Codec,
    /// Ticks per second of all its times.
    pub(super) timescale: NonZeroU32,
    /// In decode order; there is at least one.
    pub(super) units: Vec<Unit>,
    /// Ticks that each unit lasts, where all last equally long.
    pub(super) step: Option<NonZeroU32>,
    /// Where the last unit ends, in ticks.
    pub(super) end: i64,
}

/// What a decoder is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Codec {
    /// H.264, in units with a length of four bytes in front of each NAL unit.
    Avc(Avc),
    /// AAC-LC, as raw frames.
    Aac(Aac),
    /// Opus with so many channels, as packets.
    Opus(u8),
}

/// H.264's decoder configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Avc {
    /// `AVCDecoderConfigurationRecord` (ISO/IEC 14496-15 5.3.3.1).
    pub(super) record: Bytes,
    /// Parameter sets, the sequence's first.
    pub(super) parameter_sets: Vec<Bytes>,
}

/// AAC's decoder configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Aac {
    /// `AudioSpecificConfig` (ISO/IEC 14496-3 1.6.2.1).
    pub(super) config: Bytes,
    /// As in the configuration: an index into the table of sampling rates.
    pub(super) rate_index: u8,
    /// As in the configuration.
    pub(super) channels: u8,
}

/// An access unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    /// When it is decoded, in ticks.
    pub(super) dts: i64,
    /// How much later it is shown, in ticks.
    pub(super) offset: i64,
    /// Whether a decoder can start here.
    pub(super) sync: bool,
    pub(super) data: Bytes,
}

impl Clip {
    /// A clip of these tracks, in which decoding begins at zero. Errors are in words.
    pub(super) fn new(mut tracks: Vec<Track>) -> Result<Self, String> {
        for track in &mut tracks {
            let first = track.units.iter().position(|unit| unit.sync).unwrap_or(track.units.len());
            track.units.drain(..first);
        }
        tracks.retain(|track| !track.units.is_empty());
        tracks.sort_by_key(|track| track.codec.rank());
        tracks.dedup_by_key(|track| track.codec.rank());
        let begins = |track: &Track| track.units.first().map_or(0, |unit| nanoseconds(unit.dts, track.timescale));
        let zero = tracks.iter().map(begins).min().ok_or("there is neither H.264 nor AAC nor Opus in it")?;
        for track in &mut tracks {
            track.shift(-ticks(zero, track.timescale));
        }
        let first = tracks.first().ok_or("it has no tracks")?;
        let start = first.units.first().map_or(0, |unit| unit.dts);
        let period = (first.end - start, first.timescale);
        if period.0 <= 0 {
            return Err("it lasts no time".to_owned());
        }
        Ok(Self { tracks, period })
    }

    /// Reads `media`, or without one the built-in clip, which ffmpeg makes once and which is kept from then on. What is neither MP4 nor
    /// FLV, ffmpeg has to make MP4 of.
    pub(super) async fn open(media: Option<&Path>) -> Result<Self, Error> {
        let made;
        let path = if let Some(path) = media {
            path
        } else {
            made = recorded::built_in().await?;
            &made
        };
        let failed = |what: String| Error::Media { file: path.to_owned(), what };
        let file = recorded::read(path)?;
        let tracks = match file.get(..8) {
            Some([b'F', b'L', b'V', ..]) => flv::read(&file),
            Some([.., b'f', b't', b'y', b'p']) => mp4::read(&file),
            _ => mp4::read(&recorded::remuxed(path).await?),
        };
        tracks.and_then(Self::new).map_err(failed)
    }

    /// When a unit is decoded in the `turn`th repetition, in ticks of its track: repetitions begin a period after each other, for a
    /// track whose units last equally long at the next unit's time, so that its times stay even.
    pub(super) fn dts(&self, track: &Track, turn: u64, unit: &Unit) -> i64 {
        let (ticks, timescale) = self.period;
        let step = track.step.map_or(1, NonZeroU32::get);
        let elapsed = i128::from(turn) * i128::from(ticks) * i128::from(track.timescale.get());
        let steps = ceiling(elapsed, i128::from(timescale.get()) * i128::from(step));
        i64::try_from(steps).unwrap_or(i64::MAX).saturating_mul(step.into()).saturating_add(unit.dts)
    }
}

impl Track {
    /// A track in which the end of each unit is the next one's beginning; the last lasts as long as the others do on average.
    fn evenly(codec: Codec, timescale: NonZeroU32, units: Vec<Unit>) -> Option<Self> {
        let (first, last) = (units.first()?.dts, units.last()?.dts);
        let intervals = i64::try_from(units.len() - 1).ok()?.max(1);
        let end = last + ((last - first) + intervals / 2) / intervals;
        Some(Self { codec, timescale, units, step: None, end })
    }

    fn shift(&mut self, ticks: i64) {
        for unit in &mut self.units {
            unit.dts += ticks;
        }
        self.end += ticks;
    }
}

impl Codec {
    /// The order of tracks.
    fn rank(&self) -> u8 {
        match self {
            Self::Avc(_) => 0,
            Self::Aac(_) => 1,
            Self::Opus(_) => 2,
        }
    }
}

impl Aac {
    /// Hertz, by index (ISO/IEC 14496-3 table 1.18).
    const RATES: [u32; 13] =
        [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];
    /// Samples of a frame.
    pub(super) const FRAME: NonZeroU32 = NonZeroU32::new(1_024).unwrap();

    /// Reads an `AudioSpecificConfig`.
    fn read(config: Bytes) -> Result<Self, String> {
        let Some([first, second]) = config.first_chunk::<2>() else {
            return Err("its AAC has no configuration".to_owned());
        };
        let (object_type, rate_index, channels) = (first >> 3, (first & 7) << 1 | second >> 7, second >> 3 & 0x0f);
        if object_type != 2 {
            return Err(format!("its AAC has object type {object_type}, and only AAC-LC (2) is published"));
        }
        let aac = Self { config, rate_index, channels };
        aac.rate().map(|_| ()).ok_or("its AAC has a sampling rate of its own, which is not published")?;
        Ok(aac)
    }

    /// Samples per second.
    pub(super) fn rate(&self) -> Option<NonZeroU32> {
        Self::RATES.get(usize::from(self.rate_index)).copied().and_then(NonZeroU32::new)
    }
}

/// Nanoseconds of so many ticks, rounded down.
pub(super) fn nanoseconds(ticks: i64, timescale: NonZeroU32) -> i64 {
    rescale(ticks, i128::from(timescale.get()), 1_000_000_000)
}

/// The nearest number of ticks to so many nanoseconds, which are rounded down from some.
pub(super) fn ticks(nanoseconds: i64, timescale: NonZeroU32) -> i64 {
    rescale(nanoseconds, 500_000_000, i128::from(timescale.get())).saturating_add(1).div_euclid(2)
}

/// Ticks of another clock for so many of one, rounded down.
pub(super) fn rescale(ticks: i64, from: i128, to: i128) -> i64 {
    i64::try_from((i128::from(ticks) * to).div_euclid(from)).unwrap_or(i64::MAX)
}

fn ceiling(number: i128, divisor: i128) -> i128 {
    -(-number).div_euclid(divisor)
}
