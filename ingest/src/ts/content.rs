//! What a stream carries, by its type and its descriptors.

use touchline_media::{Kind, opus};

use super::MetadataKind;

/// What a stream carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    /// H.264.
    Avc,
    /// HEVC.
    Hevc,
    /// AAC with ADTS headers.
    Adts,
    /// AAC in LATM and LOAS.
    Latm,
    /// Opus; `None`: in a form that is not known here.
    Opus(Option<opus::Config>),
    /// Timed metadata in PES packets.
    Metadata(MetadataKind),
    /// SCTE 35, in sections.
    Splices,
    /// Pictures or sound that are not taken, by their name.
    Unsupported(Kind, &'static str),
    /// Neither pictures nor sound, nor metadata that anything here knows: subtitles, teletext, private data.
    Other,
}

impl Content {
    /// By `stream_type` (ISO/IEC 13818-1 table 2-34) and the descriptors of the stream and of its programme.
    pub(super) fn of(stream_type: u8, own: Descriptors<'_>, programme: Descriptors<'_>) -> Self {
        let video = |name| Self::Unsupported(Kind::Video, name);
        let audio = |name| Self::Unsupported(Kind::Audio, name);
        match stream_type {
            0x01 => video("MPEG-1"),
            0x02 => video("MPEG-2"),
            0x03 | 0x04 => audio("MPEG-1 (MP2 or MP3)"),
            PRIVATE_PES => Self::private(own),
            0x0f => Self::Adts,
            0x10 => video("MPEG-4 Visual"),
            0x11 => Self::Latm,
            METADATA_PES => Self::Metadata(own.metadata()),
            0x1b => Self::Avc,
            0x24 => Self::Hevc,
            0x33 => video("VVC"),
            0x81 => audio("AC-3"),
            0x87 => audio("E-AC-3"),
            0x82 | 0x85 if programme.registration() == Some(*b"HDMV") => audio("DTS"),
            // SCTE 35 8.1.
            0x86 => Self::Splices,
            0xd1 => video("Dirac"),
            0xea => video("VC-1"),
            _ => Self::Other,
        }
    }

    /// Pictures or sound; `None` for neither.
    pub(super) fn kind(&self) -> Option<Kind> {
        match self {
            Self::Avc | Self::Hevc => Some(Kind::Video),
            Self::Adts | Self::Latm | Self::Opus(_) => Some(Kind::Audio),
            Self::Unsupported(kind, _) => Some(*kind),
            Self::Metadata(_) | Self::Splices | Self::Other => None,
        }
    }

    /// What timed metadata are called.
    pub(super) fn metadata_name(&self) -> Option<&'static str> {
        match self {
            Self::Metadata(kind) => Some(kind.name()),
            Self::Splices => Some(MetadataKind::Scte35.name()),
            _ => None,
        }
    }

    /// PES packets of private data are told by a descriptor alone.
    fn private(own: Descriptors<'_>) -> Self {
        let audio = |name| Self::Unsupported(Kind::Audio, name);
        match own.registration() {
            Some([b'O', b'p', b'u', b's']) => return Self::Opus(own.opus()),
            Some([b'K', b'L', b'V', b'A']) => return Self::Metadata(MetadataKind::Klv),
            Some([b'I', b'D', b'3', b' ']) => return Self::Metadata(MetadataKind::Id3),
            Some([b'H', b'E', b'V', b'C']) => return Self::Hevc,
            Some([b'A', b'V', b'0', b'1']) => return Self::Unsupported(Kind::Video, "AV1 in MPEG-TS"),
            Some([b'A', b'C', b'-', b'3']) => return audio("AC-3"),
            Some([b'E', b'A', b'C', b'3']) => return audio("E-AC-3"),
            Some([b'B', b'S', b'S', b'D']) => return audio("SMPTE 302M"),
            Some([b'D', b'T', b'S', _]) => return audio("DTS"),
            _ => {}
        }
        // ETSI EN 300 468 6.2.
        own.tags()
            .find_map(|tag| match tag {
                0x6a => Some(audio("AC-3")),
                0x7a => Some(audio("E-AC-3")),
                0x7b => Some(audio("DTS")),
                _ => None,
            })
            .unwrap_or(Self::Other)
    }
}

const PRIVATE_PES: u8 = 0x06;
const METADATA_PES: u8 = 0x15;
/// `registration_descriptor` (2.6.8).
const REGISTRATION: u8 = 0x05;
/// `metadata_descriptor` (2.6.60).
const METADATA: u8 = 0x26;
/// `DVB_extension_descriptor` (ETSI EN 300 468 6.2.18).
const EXTENSION: u8 = 0x7f;
/// Its `descriptor_tag_extension` that says how many channels of Opus there are.
const OPUS_CHANNELS: u8 = 0x80;

/// A loop of descriptors (2.6).
#[derive(Debug, Clone, Copy)]
pub(super) struct Descriptors<'a>(pub(super) &'a [u8]);

impl<'a> Descriptors<'a> {
    /// What the first descriptor with this tag says.
    pub(super) fn find(self, tag: u8) -> Option<&'a [u8]> {
        self.into_iter().find(|(found, _)| *found == tag).map(|(_, body)| body)
    }

    fn tags(self) -> impl Iterator<Item = u8> {
        self.into_iter().map(|(tag, _)| tag)
    }

    fn registration(self) -> Option<[u8; 4]> {
        self.find(REGISTRATION)?.first_chunk().copied()
    }

    fn metadata(self) -> MetadataKind {
        // 2.6.61: two bytes of application format, with four more if they are all ones, and the same for the format.
        let described = self.find(METADATA).is_some_and(|body| body.windows(4).any(|word| word == b"ID3 "));
        if described || self.registration() == Some(*b"ID3 ") { MetadataKind::Id3 } else { MetadataKind::Klv }
    }

    fn opus(self) -> Option<opus::Config> {
        let extensions = self.into_iter().filter(|(tag, _)| *tag == EXTENSION);
        let channels = extensions.filter_map(|(_, body)| match body {
            [OPUS_CHANNELS, channels @ 1..=8, ..] => Some(*channels),
            _ => None,
        });
        opus::Config::new(channels.into_iter().next()?).ok()
    }
}

impl<'a> IntoIterator for Descriptors<'a> {
    type Item = (u8, &'a [u8]);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        Iter(self.0)
    }
}

/// Walks over descriptors, to the first that does not fit.
pub(super) struct Iter<'a>(&'a [u8]);

impl<'a> Iterator for Iter<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let ([tag, len], rest) = self.0.split_first_chunk()?;
        let (body, rest) = rest.split_at_checked(usize::from(*len))?;
        self.0 = rest;
        Some((*tag, body))
    }
}
