use bytes::Bytes;
use touchline_media::{Format, Track, TrackId, aac, avc, hevc};

use crate::plan::{Codec, Encoder};
use crate::rung::{Bitrate, Rung};
use crate::source::Source;

/// Tracks of a ladder are numbered from here, above those of any source.
const FIRST_TRACK: u32 = 1_000;

/// Whether a track was made here, of another.
pub fn is_of_ladder(track: TrackId) -> bool {
    track.0 >= FIRST_TRACK
}

/// One rung of a channel's ladder, from its choice to the end of the channel.
#[derive(Debug)]
pub(crate) struct Rendition {
    /// Names it in messages.
    pub(crate) stream: u8,
    pub(crate) made: Made,
    /// The decoder configuration, once it has been seen.
    format: Option<(Fit, Format)>,
    /// The PTS of the newest access unit in this stretch.
    pub(crate) newest: Option<i64>,
    /// Nothing more comes of it.
    pub(crate) given_up: bool,
}

/// What a rendition is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Made {
    /// Of the pictures.
    Video { rung: Rung, width: u32, codec: Codec },
    /// Of the sound.
    Audio { bitrate: Bitrate },
}

/// What a decoder configuration depends on, beside the rung itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fit {
    encoder: Option<Encoder>,
    timescale: u32,
    frame_ticks: Option<u32>,
}

impl Fit {
    pub(crate) fn of(rendition: &Rendition, encoder: Option<Encoder>, source: &Source) -> Self {
        let (track, encoder) = match rendition.made {
            Made::Video { .. } => (source.video.as_ref(), encoder),
            Made::Audio { .. } => (source.audio.as_ref(), None),
        };
        let timescale = track.map_or(0, |track| track.timescale.get());
        Self { encoder, timescale, frame_ticks: track.and_then(|track| track.frame_ticks) }
    }
}

impl Rendition {
    pub(crate) fn new(stream: u8, made: Made) -> Self {
        Self { stream, made, format: None, newest: None, given_up: false }
    }

    pub(crate) fn track_id(&self) -> TrackId {
        TrackId(FIRST_TRACK + u32::from(self.stream))
    }

    pub(crate) fn is_video(&self) -> bool {
        matches!(self.made, Made::Video { .. })
    }

    /// What people call it.
    pub(crate) fn name(&self) -> String {
        match self.made {
            Made::Video { rung, .. } => format!("{}p", rung.height),
            Made::Audio { bitrate } => format!("audio at {bitrate}"),
        }
    }

    /// Takes the record that a worker has sent; an error in words if it is none.
    pub(crate) fn configure(&mut self, record: Bytes, fit: Fit) -> Result<(), String> {
        let format = match self.made {
            Made::Video { codec: Codec::H265, .. } => hevc::Config::parse(&record).map(Format::Hevc),
            Made::Video { .. } => avc::Config::parse(&record).map(Format::Avc),
            Made::Audio { .. } => aac::Config::parse(record).map(Format::Aac),
        };
        self.format = Some((fit, format.map_err(|why| format!("{}: {why}", self.name()))?));
        Ok(())
    }

    pub(crate) fn format(&self) -> Option<&Format> {
        self.format.as_ref().map(|(_, format)| format)
    }

    /// Whether its decoder configuration is known, and will be the same.
    pub(crate) fn fits(&self, fit: Fit) -> bool {
        self.format.as_ref().is_some_and(|(known, _)| *known == fit)
    }

    /// Its track, on the timeline of the track it is made of; `None` before its decoder configuration has come.
    pub(crate) fn track(&self, source: &Track) -> Option<Track> {
        let (bitrate, frame_ticks) = match self.made {
            Made::Video { rung, .. } => (rung.bitrate, source.frame_ticks),
            Made::Audio { bitrate } => (bitrate, sound_frame(source)),
        };
        Some(Track {
            id: self.track_id(),
            timescale: source.timescale,
            format: self.format()?.clone(),
            frame_ticks,
            bitrate: Some(bitrate.0),
            language: source.language,
        })
    }
}

/// Ticks from one access unit of AAC to the next: as in a source of AAC, and made of Opus at its sampling rate.
fn sound_frame(source: &Track) -> Option<u32> {
    match source.format {
        Format::Opus(_) => Some(aac::FRAME_LEN),
        _ => source.frame_ticks,
    }
}
