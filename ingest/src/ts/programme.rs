//! Which programme is taken, and which of its streams.

use std::collections::BTreeMap;

use touchline_media::{Kind, Language, TrackId};

use super::content::Content;
use super::table::Entry;
use super::{MAX_AUDIO, MAX_METADATA, MAX_PROGRAMMES, Remark, Unsupported};

/// The programmes of a transport stream, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Programmes {
    list: Vec<Programme>,
    taken: Option<u16>,
}

#[derive(Debug)]
struct Programme {
    /// The section of the table that it is in.
    section: u8,
    number: u16,
    map_pid: u16,
    /// `None` before its map has come.
    streams: Option<Vec<Entry>>,
}

impl Programmes {
    /// Takes a section of the programme association table, the last of which has the number `last`.
    pub(super) fn associate(&mut self, section: u8, last: u8, programmes: &[(u16, u16)]) {
        let has = |known: &Programme| programmes.contains(&(known.number, known.map_pid));
        for known in self.list.iter_mut().filter(|known| has(known)) {
            known.section = section;
        }
        self.list.retain(|known| known.section <= last && (known.section != section || has(known)));
        for &(number, map_pid) in programmes {
            let is_known = self.list.iter().any(|known| (known.number, known.map_pid) == (number, map_pid));
            if !is_known && self.list.len() < MAX_PROGRAMMES {
                self.list.push(Programme { section, number, map_pid, streams: None });
            }
        }
        self.taken = self.taken.filter(|taken| self.list.iter().any(|programme| programme.number == *taken));
    }

    /// Where the maps are.
    pub(super) fn map_pids(&self) -> impl Iterator<Item = u16> {
        self.list.iter().map(|programme| programme.map_pid)
    }

    /// Takes the map of a programme.
    pub(super) fn map(&mut self, number: u16, streams: Vec<Entry>) {
        if let Some(programme) = self.list.iter_mut().find(|programme| programme.number == number) {
            programme.streams = Some(streams);
        }
    }

    /// The streams of the programme that is taken: the first to be known that has video, or if all are known and none has, the
    /// first with sound. What is taken stays so until its programme goes.
    pub(super) fn taken(&mut self) -> Option<&[Entry]> {
        if self.taken.is_none() {
            let has = |programme: &&Programme, kind| {
                programme.streams.iter().flatten().any(|entry| entry.content.kind() == Some(kind))
            };
            let video = self.list.iter().find(|programme| has(programme, Kind::Video));
            let all_known = self.list.iter().all(|programme| programme.streams.is_some());
            let audio = || self.list.iter().find(|programme| has(programme, Kind::Audio)).filter(|_| all_known);
            self.taken = video.or_else(audio).map(|programme| programme.number);
        }
        let programme = self.list.iter().find(|programme| Some(programme.number) == self.taken)?;
        programme.streams.as_deref()
    }

    /// What an operator should know of the choice, where there was one.
    pub(super) fn remark(&self) -> Option<Remark> {
        let of = self.list.len();
        self.taken.filter(|_| of > 1).map(|taken| Remark::Programme { taken, of })
    }
}

/// What is made of the streams of a programme.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// PID, content and the track it becomes.
    pub(super) streams: Vec<(u16, Content, TrackId)>,
    pub(super) tracks: BTreeMap<TrackId, Option<Language>>,
    pub(super) remarks: Vec<Remark>,
    pub(super) refusal: Option<Unsupported>,
}

impl Plan {
    /// The first video, and as many sounds and metadata as are taken. Tracks are numbered by their order, video first, so that
    /// they stay the same when their PIDs change.
    pub(super) fn of(entries: &[Entry]) -> Self {
        let mut plan = Self::default();
        let (mut videos, mut sounds, mut metadata) = (0_u32, 0_u32, 0_u32);
        let mut left = Vec::new();
        for Entry { pid, content, language } in entries {
            let (count, limit) = match (content, content.kind()) {
                (Content::Unsupported(kind, name), _) => {
                    left.push((*kind, *name, *pid));
                    continue;
                }
                (Content::Opus(None), _) => {
                    left.push((Kind::Audio, "Opus in a layout of channels that is not known", *pid));
                    continue;
                }
                (_, Some(Kind::Video)) => (&mut videos, 1),
                (_, Some(Kind::Audio)) => (&mut sounds, MAX_AUDIO),
                (Content::Metadata(_) | Content::Splices, None) => (&mut metadata, MAX_METADATA),
                (_, None) => continue,
            };
            if *count == limit {
                plan.remarks.extend(content.kind().map(|kind| Remark::TooMany { kind, pid: *pid, limit }));
                continue;
            }
            let track = match content.kind() {
                Some(Kind::Video) => VIDEO,
                Some(Kind::Audio) => TrackId(FIRST_AUDIO.0 + *count),
                None => NO_TRACK,
            };
            *count += 1;
            if content.kind().is_some() {
                plan.tracks.insert(track, *language);
            }
            plan.remarks.extend(content.metadata_name().map(|name| Remark::Metadata { name, pid: *pid }));
            plan.streams.push((*pid, content.clone(), track));
        }
        plan.refusal = refusal(&left, videos, sounds);
        plan.remarks.extend(left.into_iter().map(|(kind, name, pid)| Remark::Left { kind, name, pid }));
        plan
    }
}

/// The track of the pictures.
const VIDEO: TrackId = TrackId(0);
/// The track of the first sound; others follow.
const FIRST_AUDIO: TrackId = TrackId(1);
/// Metadata belong to no track.
const NO_TRACK: TrackId = TrackId(u32::MAX);

/// Pictures in a codec that is not taken are a reason to refuse, for who sends them means them to be seen; sound only where
/// there is nothing else.
fn refusal(left: &[(Kind, &'static str, u16)], videos: u32, sounds: u32) -> Option<Unsupported> {
    let first = |wanted| left.iter().find(|(kind, ..)| *kind == wanted).map(|(_, name, _)| *name);
    let video = first(Kind::Video).filter(|_| videos == 0).map(Unsupported::Video);
    video.or_else(|| first(Kind::Audio).filter(|_| videos + sounds == 0).map(Unsupported::Audio))
}
