//! Playlists that have been read, for all viewers: what has the same bytes is read once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use url::Url;

use super::grid::Grid;
use super::ladder::{Ladder, Renditions};
use super::link::{Link, Sites};
use super::moment::Moment;
use super::playlist::{Hole, Playlist, Reading};
use crate::check::client::unpack;
use crate::check::playlist::{Media, Multivariant};

/// Forms of a rendition's playlist that are kept: whole and delta, of the last few versions. Viewers who are behind get older ones.
const FORMS: usize = 16;

/// A playlist as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Body<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) gzip: bool,
}

/// Why a body is no playlist that can be played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Unreadable {
    #[error("not gzip")]
    Gzip,
    #[error("not UTF-8")]
    Text,
    #[error("nothing to play in it")]
    Nothing,
    #[error("a delta update without what it updates")]
    Hole,
}

/// All that has been read, shared by the threads.
#[derive(Debug)]
pub(crate) struct Library(Mutex<Stock>);

#[derive(Debug)]
struct Stock {
    url: Url,
    sites: Sites,
    renditions: Renditions,
    ladder: Option<(Vec<u8>, Arc<Ladder>)>,
    /// By the number of the rendition.
    shelves: Vec<Shelf>,
}

/// One rendition.
#[derive(Debug, Default)]
struct Shelf {
    grid: Grid,
    /// The oldest form first.
    forms: Vec<(Vec<u8>, Arc<Playlist>)>,
    newest: Option<Arc<Playlist>>,
}

impl Library {
    /// A library of the stream at `url`.
    pub(crate) fn new(url: Url) -> Self {
        let stock = Stock {
            url,
            sites: Sites::default(),
            renditions: Renditions::default(),
            ladder: None,
            shelves: Vec::new(),
        };
        Self(Mutex::new(stock))
    }

    /// Where the stream is; `None` when it is not reached by HTTP.
    pub(crate) fn entrance(&self) -> Option<Link> {
        let mut stock = self.open();
        let url = stock.url.clone();
        stock.sites.link(&url)
    }

    /// Reads what came from the stream's own URL: a multivariant playlist, or one media playlist.
    pub(crate) fn ladder(&self, body: Body<'_>) -> Result<Arc<Ladder>, Unreadable> {
        let stock = &mut *self.open();
        if let Some((known, ladder)) = stock.ladder.as_ref().filter(|(known, _)| known == body.bytes) {
            debug_assert_eq!(known, body.bytes);
            return Ok(Arc::clone(ladder));
        }
        let text = body.text()?;
        let (url, sites, renditions) = (&stock.url, &mut stock.sites, &mut stock.renditions);
        let ladder = if Multivariant::is(&text) {
            Ladder::read(&text, url, sites, renditions)
        } else if Media::read(&text).segments.is_empty() {
            None
        } else {
            Ladder::of_one(url, sites, renditions)
        };
        let ladder = Arc::new(ladder.ok_or(Unreadable::Nothing)?);
        stock.ladder = Some((body.bytes.to_vec(), Arc::clone(&ladder)));
        Ok(ladder)
    }

    /// Reads a media playlist of a rendition, which came at `now`.
    pub(crate) fn playlist(&self, id: usize, body: Body<'_>, now: Moment) -> Result<Arc<Playlist>, Unreadable> {
        let Stock { sites, renditions, shelves, .. } = &mut *self.open();
        let url = renditions.url(id).ok_or(Unreadable::Nothing)?;
        if shelves.len() <= id {
            shelves.resize_with(id + 1, Shelf::default);
        }
        let rendition = shelves.get_mut(id).ok_or(Unreadable::Nothing)?;
        if let Some((_, known)) = rendition.forms.iter().rev().find(|(known, _)| known == body.bytes) {
            return Ok(Arc::clone(known));
        }
        let media = Media::read(&body.text()?);
        if media.segments.is_empty() {
            return Err(Unreadable::Nothing);
        }
        let reading = Reading { url, sites, before: rendition.newest.as_deref(), grid: &mut rendition.grid, now };
        let playlist = Arc::new(reading.read(&media).map_err(|Hole| Unreadable::Hole)?);
        rendition.keep(body.bytes, &playlist);
        Ok(playlist)
    }

    fn open(&self) -> MutexGuard<'_, Stock> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf {
    fn keep(&mut self, bytes: &[u8], playlist: &Arc<Playlist>) {
        if self.forms.len() == FORMS {
            self.forms.remove(0);
        }
        self.forms.push((bytes.to_vec(), Arc::clone(playlist)));
        // What comes late from a slow edge does not replace what is newer, unless the stream has begun anew.
        let newer = self.newest.as_ref().is_none_or(|newest| {
            playlist.next_part() >= newest.next_part()
                || playlist.edge() > newest.edge()
                || playlist.last_msn() < first(newest)
        });
        if newer {
            self.newest = Some(Arc::clone(playlist));
        }
    }
}

fn first(playlist: &Playlist) -> Option<u64> {
    playlist.segments.first().map(|segment| segment.msn)
}

impl Body<'_> {
    fn text(self) -> Result<String, Unreadable> {
        let bytes = if self.gzip { unpack(self.bytes).map_err(|_| Unreadable::Gzip)? } else { self.bytes.to_vec() };
        String::from_utf8(bytes).map_err(|_| Unreadable::Text)
    }
}
