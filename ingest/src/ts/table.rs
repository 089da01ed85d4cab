//! Which programmes there are (2.4.4.3, the programme association table) and which streams make one (2.4.4.8, the programme
//! map table).

use touchline_media::Language;

use super::content::{Content, Descriptors};

/// `table_id`s (ISO/IEC 13818-1 table 2-31, SCTE 35 9.6).
const ASSOCIATION: u8 = 0x00;
const MAP: u8 = 0x02;
const SPLICE: u8 = 0xfc;

/// The descriptor of the language of a stream (2.6.18).
const ISO_639_LANGUAGE: u8 = 0x0a;

/// A section of a table that is valid now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Table {
    /// Programme numbers with the PIDs of their maps.
    Association {
        /// The number of the section.
        section: u8,
        /// That of the last section of the table.
        last: u8,
        /// In the order of the table.
        programmes: Vec<(u16, u16)>,
    },
    /// What makes a programme.
    Map {
        /// The number of the programme.
        programme: u16,
        /// In the order of the table.
        streams: Vec<Entry>,
    },
    /// SCTE 35: a cue.
    Splice,
}

/// A stream of a programme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) pid: u16,
    pub(super) content: Content,
    pub(super) language: Option<Language>,
}

impl Table {
    /// `None` for what is another table, not valid yet, or does not parse.
    pub(super) fn parse(section: &[u8]) -> Option<Self> {
        const CHECKSUM_LEN: usize = 4;
        let (section, _) = section.split_at_checked(section.len().checked_sub(CHECKSUM_LEN)?)?;
        if *section.first()? == SPLICE {
            return Some(Self::Splice);
        }
        // 2.4.4.3: table, length, identifier, version, number, last number.
        let ([table, _, _, id0, id1, version, section, last], body) = section.split_first_chunk()?;
        let is_current = version & 1 != 0;
        match *table {
            _ if !is_current => None,
            ASSOCIATION => Some(Self::Association { section: *section, last: *last, programmes: programmes(body) }),
            MAP => Some(Self::Map { programme: u16::from_be_bytes([*id0, *id1]), streams: streams(body)? }),
            _ => None,
        }
    }
}

fn programmes(body: &[u8]) -> Vec<(u16, u16)> {
    let (entries, _) = body.as_chunks();
    let programmes = entries.iter().map(|[n0, n1, p0, p1]| (u16::from_be_bytes([*n0, *n1]), pid(*p0, *p1)));
    // 2.4.4.5: number 0 is the network information table.
    programmes.filter(|(number, _)| *number != 0).collect()
}

fn streams(body: &[u8]) -> Option<Vec<Entry>> {
    let ([_, _, len0, len1], rest) = body.split_first_chunk()?;
    let (of_programme, mut rest) = rest.split_at_checked(length(*len0, *len1))?;
    let mut streams = Vec::new();
    while let Some(([stream_type, pid0, pid1, len0, len1], after)) = rest.split_first_chunk() {
        let (descriptors, after) = after.split_at_checked(length(*len0, *len1))?;
        streams.push(Entry {
            pid: pid(*pid0, *pid1),
            content: Content::of(*stream_type, Descriptors(descriptors), Descriptors(of_programme)),
            language: language(Descriptors(descriptors)),
        });
        rest = after;
    }
    Some(streams)
}

fn language(descriptors: Descriptors<'_>) -> Option<Language> {
    let code = descriptors.find(ISO_639_LANGUAGE)?.first_chunk()?;
    Language::new(*code)
}

fn pid(high: u8, low: u8) -> u16 {
    u16::from_be_bytes([high & 0x1f, low])
}

fn length(high: u8, low: u8) -> usize {
    usize::from(u16::from_be_bytes([high & 0x0f, low]))
}
