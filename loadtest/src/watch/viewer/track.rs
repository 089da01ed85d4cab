//! One rendition that is followed: its playlist again and again, and the media in it piece by piece.

use std::sync::Arc;
use std::time::Duration;

use super::buffer::Buffer;
use super::piece::{self, Found, Piece, Place};
use super::reload::{Asked, PATIENCE, Reload, after, is_news, pause};
use crate::watch::exchange::{Directives, Request, Ticket, What};
use crate::watch::ladder::Rendition;
use crate::watch::moment::Moment;
use crate::watch::playlist::{Playlist, Resource};
use crate::watch::tally::{Count, Tally, Trouble};

/// How often a piece is tried before it is given up (`fragLoadPolicy`).
const MAX_TRIES: u32 = 6;
/// How much is loaded ahead (`maxBufferLength`).
const MAX_AHEAD: Duration = Duration::from_secs(30);

/// Draws the numbers of requests.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tickets(u64);

impl Tickets {
    pub(super) fn draw(&mut self) -> Ticket {
        self.0 += 1;
        Ticket(self.0)
    }
}

/// A rendition that is followed.
#[derive(Clone, Debug)]
pub(super) struct Track {
    pub(super) rendition: Rendition,
    pub(super) playlist: Option<Arc<Playlist>>,
    /// When it came.
    pub(super) loaded: Moment,
    pub(super) buffer: Buffer,
    /// Since when the rendition is followed: of parts that were due before, this viewer cannot say how late they were.
    followed: Moment,
    reload: Reload,
    next: Option<Place>,
    fetching: Fetching,
    /// The init section that has been loaded.
    map: Option<Arc<Resource>>,
    stretch: Option<u64>,
    /// How often the playlist has failed in a row, and a piece of media.
    refusals: u32,
    failures: u32,
}

/// What becomes of the media.
#[derive(Clone, Debug)]
enum Fetching {
    Nothing {
        not_before: Moment,
    },
    Init(Asked, Arc<Resource>),
    Piece(Asked, Piece),
    /// A part that the playlist only hints at, and when it came.
    Hint(Asked, Place, Resource),
    Early(Place, Resource, Came),
    /// A piece on its way over the viewer's own line.
    Coming(Piece, Came),
}

/// Bytes, when the first and when the last of them came from the server, and when over the viewer's line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Came {
    pub(super) bytes: u64,
    pub(super) began: Moment,
    pub(super) ended: Moment,
    pub(super) carried: Moment,
}

/// How the viewer sees things, for its tracks.
#[derive(Clone, Copy, Debug)]
pub(super) struct View {
    pub(super) now: Moment,
    /// Where the picture is, or is to begin.
    pub(super) position: Option<Moment>,
    /// Preload hints are asked for.
    pub(super) hints: bool,
}

/// What a track wants.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Wish {
    Ask(Request),
    /// What comes next has left the playlist.
    Lost,
    Nothing,
}

impl Track {
    /// Begins to follow a rendition; `directives` where another rendition's playlist has told of this one.
    pub(super) fn new(rendition: Rendition, now: Moment, directives: Directives) -> Self {
        Self {
            rendition,
            playlist: None,
            loaded: now,
            buffer: Buffer::default(),
            followed: now,
            reload: Reload::At(now, directives),
            next: None,
            fetching: Fetching::Nothing { not_before: now },
            map: None,
            stretch: None,
            refusals: 0,
            failures: 0,
        }
    }

    /// The same track by another rendition. Requests that are under way are to be abandoned.
    pub(super) fn switched(&self, rendition: Rendition, now: Moment, directives: Directives) -> Self {
        Self { buffer: self.buffer.clone(), ..Self::new(rendition, now, directives) }
    }

    /// Requests that are under way.
    pub(super) fn pending(&self) -> impl Iterator<Item = Ticket> + use<> {
        [self.asked_playlist(), self.asked_media()].into_iter().flatten().map(|asked| asked.0)
    }

    /// A request that has taken too long.
    pub(super) fn expired(&self, now: Moment) -> Option<Ticket> {
        let asked = [self.asked_playlist(), self.asked_media()].into_iter().flatten();
        asked.filter(|asked| asked.1 <= now).map(|asked| asked.0).next()
    }

    /// When there is something to do about playlist and media, if nothing comes before. What is past has been done.
    pub(super) fn deadlines(&self) -> [Moment; 2] {
        let reload = match &self.reload {
            Reload::At(at, _) => *at,
            Reload::Asked(asked, _) => asked.1,
            Reload::Never => Moment::NEVER,
        };
        let media = match &self.fetching {
            Fetching::Nothing { not_before } => *not_before,
            Fetching::Early(..) => Moment::NEVER,
            Fetching::Init(asked, _) | Fetching::Piece(asked, _) | Fetching::Hint(asked, ..) => asked.1,
            Fetching::Coming(_, came) => came.carried,
        };
        [reload, media]
    }

    fn asked_playlist(&self) -> Option<Asked> {
        if let Reload::Asked(asked, _) = self.reload { Some(asked) } else { None }
    }

    fn asked_media(&self) -> Option<Asked> {
        match self.fetching {
            Fetching::Init(asked, _) | Fetching::Piece(asked, _) | Fetching::Hint(asked, ..) => Some(asked),
            _ => None,
        }
    }

    /// Whether a piece could be asked for at once: the moment to choose another rendition.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self.fetching, Fetching::Nothing { .. }) && self.playlist.is_some()
    }

    /// Nothing more comes.
    pub(super) fn is_over(&self) -> bool {
        let all = |playlist: &Arc<Playlist>| {
            self.next.is_some_and(|next| matches!(piece::find(playlist, next, false), Found::Later(_)))
        };
        matches!(self.reload, Reload::Never) && self.is_idle() && self.playlist.as_ref().is_some_and(all)
    }

    /// Goes to another position. A request for media that is under way is to be abandoned.
    pub(super) fn seek(&mut self, to: Option<Moment>, now: Moment) -> Option<Ticket> {
        let pending = self.asked_media().map(|asked| asked.0);
        self.fetching = Fetching::Nothing { not_before: now };
        self.buffer.clear();
        self.failures = 0;
        self.followed = now;
        self.next = self
            .playlist
            .as_ref()
            .zip(to)
            .and_then(|(playlist, to)| piece::begin_at(playlist, to, is_behind(playlist, to)));
        pending
    }

    /// The playlist, when it is time for it.
    pub(super) fn ask_playlist(&mut self, now: Moment, tickets: &mut Tickets) -> Option<Request> {
        let Reload::At(at, directives) = self.reload else { return None };
        if at > now {
            return None;
        }
        let ticket = tickets.draw();
        self.reload = Reload::Asked(Asked(ticket, now + PATIENCE), directives);
        let what = What::Playlist(self.rendition.id, directives);
        Some(Request { ticket, what, link: self.rendition.link.clone(), range: None })
    }

    /// The next piece of media, when it is there and there is room for it.
    pub(super) fn ask_media(&mut self, view: View, tickets: &mut Tickets, tally: &mut Tally) -> Wish {
        let (Some(playlist), Some(position)) = (self.playlist.clone(), view.position) else { return Wish::Nothing };
        match &self.fetching {
            Fetching::Nothing { not_before } if *not_before <= view.now => {}
            Fetching::Early(..) => return self.take_early(&playlist, view, tickets, tally),
            _ => return Wish::Nothing,
        }
        if self.buffer.until(position).is_some_and(|until| until.since(position) > MAX_AHEAD) {
            return Wish::Nothing;
        }
        let behind = is_behind(&playlist, position);
        // A switch of renditions goes on where the buffer of the one before ends.
        let from = self.buffer.until(position).unwrap_or(position);
        let Some(mut place) = self.next.or_else(|| piece::begin_at(&playlist, from, behind)) else {
            return Wish::Nothing;
        };
        loop {
            self.next = Some(place);
            match piece::find(&playlist, place, behind) {
                Found::Piece(piece) => return Wish::Ask(self.ask_piece(piece, view.now, tickets)),
                Found::Gap(next) => place = next,
                Found::Gone => return Wish::Lost,
                Found::Later(place) => return self.ask_hint(&playlist, place, view, tickets),
            }
        }
    }

    fn ask_piece(&mut self, piece: Piece, now: Moment, tickets: &mut Tickets) -> Request {
        let ticket = tickets.draw();
        let asked = Asked(ticket, now + PATIENCE);
        let init = piece.map.clone().filter(|map| self.map.as_ref().is_none_or(|known| !same(known, map)));
        let resource = init.as_deref().unwrap_or(&piece.resource).clone();
        self.fetching = match init {
            Some(map) => Fetching::Init(asked, map),
            None => Fetching::Piece(asked, piece),
        };
        Request { ticket, what: What::Media, link: resource.link, range: resource.range }
    }

    /// `AVPlayer`'s way: what is hinted is asked for before it is there.
    fn ask_hint(&mut self, playlist: &Playlist, place: Place, view: View, tickets: &mut Tickets) -> Wish {
        let next = playlist.next_part();
        let is_next = (place.msn, place.part as u64) == next;
        let Some(link) = playlist.hint.clone().filter(|_| view.hints && is_next && self.map.is_some()) else {
            return Wish::Nothing;
        };
        let ticket = tickets.draw();
        let resource = Resource { link: link.clone(), range: None };
        self.fetching = Fetching::Hint(Asked(ticket, view.now + PATIENCE), place, resource);
        Wish::Ask(Request { ticket, what: What::Media, link, range: None })
    }

    /// Takes what came by its hint, once the playlist says how long it lasts.
    fn take_early(&mut self, playlist: &Playlist, view: View, tickets: &mut Tickets, tally: &mut Tally) -> Wish {
        let Fetching::Early(place, ref resource, came) = self.fetching else { return Wish::Nothing };
        match piece::find(playlist, place, false) {
            Found::Later(_) => Wish::Nothing,
            Found::Piece(piece) if piece.resource == *resource => {
                self.measure(&piece, came.ended, tally);
                self.fetching = Fetching::Coming(piece, came);
                Wish::Nothing
            }
            // What was hinted at is not what came to be: the request was in vain.
            _ => {
                self.fetching = Fetching::Nothing { not_before: view.now };
                self.ask_media(view, tickets, tally)
            }
        }
    }

    /// A playlist came.
    pub(super) fn load(&mut self, playlist: Arc<Playlist>, now: Moment, tally: &mut Tally) {
        let Reload::Asked(_, asked) = self.reload else { return };
        tally.add(Count::Playlists, 1);
        let before = self.playlist.take();
        if let Some(first) = playlist.delta {
            tally.add(Count::Deltas, 1);
            let last = before.as_ref().and_then(|before| before.last_msn());
            if last.is_none_or(|last| last + 1 < first) {
                self.playlist = before;
                self.reload = Reload::At(now, Directives { skip: None, ..asked });
                return;
            }
        }
        let news = before.as_ref().is_none_or(|before| is_news(before, &playlist));
        if before.is_none() {
            self.followed = now;
        }
        tally.add(Count::Unchanged, u64::from(!news));
        self.reload = if playlist.ended { Reload::Never } else { after(&playlist, news, now) };
        if news {
            self.loaded = now;
        }
        self.refusals = 0;
        self.playlist = Some(playlist);
    }

    /// Media came.
    pub(super) fn receive(&mut self, came: Came, tally: &mut Tally) {
        let nothing = Fetching::Nothing { not_before: came.ended };
        self.fetching = match std::mem::replace(&mut self.fetching, nothing) {
            Fetching::Init(_, map) => {
                tally.add(Count::Inits, 1);
                self.map = Some(map);
                return;
            }
            Fetching::Piece(_, piece) => {
                self.measure(&piece, came.ended, tally);
                Fetching::Coming(piece, came)
            }
            Fetching::Hint(_, place, resource) => Fetching::Early(place, resource, came),
            other => other,
        };
    }

    /// Puts a piece that has come over the viewer's line into the buffer.
    pub(super) fn take_carried(&mut self, now: Moment, tally: &mut Tally) -> Option<Came> {
        let Fetching::Coming(piece, came) = &self.fetching else { return None };
        if came.carried > now {
            return None;
        }
        let came = *came;
        self.buffer.add(piece.start, piece.end);
        self.next = Some(piece.next);
        let changed = self.stretch.replace(piece.stretch).is_some_and(|before| before != piece.stretch);
        tally.add(Count::Discontinuities, u64::from(changed));
        tally.add(if piece.times.is_some() { Count::Parts } else { Count::Segments }, 1);
        self.fetching = Fetching::Nothing { not_before: now };
        self.failures = 0;
        Some(came)
    }

    /// Tells how late a part was, if this viewer was there when it was due.
    fn measure(&self, piece: &Piece, came: Moment, tally: &mut Tally) {
        if let Some((Some(due), seen)) = piece.times
            && due >= self.followed
        {
            tally.part.record(came.since(due));
            tally.fan_out.record(came.since(seen));
        }
    }

    /// A playlist did not come.
    pub(super) fn fail_playlist(&mut self, trouble: Trouble, now: Moment) {
        self.refusals += 1;
        let pause = if trouble == Trouble::Late { Duration::ZERO } else { pause(self.refusals) };
        self.reload = Reload::At(now + pause, Directives::default());
    }

    /// Media did not come. It is tried again, or left out where the server says that it is not there.
    pub(super) fn fail_media(&mut self, trouble: Trouble, now: Moment, tally: &mut Tally) {
        self.failures += 1;
        let refused = matches!(trouble, Trouble::Status(400..=499));
        let not_before = if trouble == Trouble::Late { now } else { now + pause(self.failures) };
        let before = std::mem::replace(&mut self.fetching, Fetching::Nothing { not_before });
        if let Fetching::Piece(_, piece) = before
            && (refused || self.failures > MAX_TRIES)
        {
            tally.add(Count::Lost, 1);
            self.next = Some(piece.next);
            self.failures = 0;
            self.fetching = Fetching::Nothing { not_before: now };
        }
    }

    /// Whether a ticket is of the playlist; `None` when it is not of this track.
    pub(super) fn is_playlist(&self, ticket: Ticket) -> Option<bool> {
        let of = |asked: Option<Asked>| asked.is_some_and(|asked| asked.0 == ticket);
        if of(self.asked_playlist()) { Some(true) } else { of(self.asked_media()).then_some(false) }
    }

    /// Counts a part that is still awaited at the end, at least for as long as it has been.
    pub(super) fn finish(&self, now: Moment, tally: &mut Tally) {
        if let Fetching::Piece(_, piece) = &self.fetching {
            self.measure(piece, now, tally);
        }
    }
}

/// Whether whole segments are loaded at a position: before what is listed as parts.
fn is_behind(playlist: &Playlist, position: Moment) -> bool {
    let parts = playlist.segments.iter().position(|segment| !segment.parts.is_empty());
    let before = parts.and_then(|first| playlist.segments.get(first.checked_sub(1)?));
    before.is_some_and(|before| position < before.start)
}

fn same(known: &Arc<Resource>, other: &Arc<Resource>) -> bool {
    Arc::ptr_eq(known, other) || **known == **other
}
