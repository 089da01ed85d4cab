use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use touchline_packager::{Event, Presentation, RenditionId, Report, Window};

use super::{Closed, Playlist};
use crate::directives::{self, LiveEdge, Until, Verdict};
use crate::metrics::Metrics;
use crate::replication::proof::Provable;
use crate::replication::wire;
use crate::version::Version;

/// One rendition: what can be fetched, and the newest version of its playlist.
pub(super) struct Rendition {
    /// Locked for as long as it takes to look a file up, or to apply events.
    window: Mutex<Window>,
    pub(super) state: watch::Sender<Media>,
    advance_part_limit: u64,
    metrics: Metrics,
}

/// A media playlist at one moment.
#[derive(Debug, Clone)]
pub(super) struct Media {
    pub(super) version: Arc<Version>,
    pub(super) edge: LiveEdge,
    /// The versions before this one, oldest first.
    pub(super) recent: VecDeque<Past>,
    pub(super) closed: Option<Closed>,
}

/// A version that another has followed.
#[derive(Debug, Clone)]
pub(super) struct Past {
    version: Arc<Version>,
    /// Where it ends.
    pub(super) edge: LiveEdge,
}

/// Past versions that are kept: as many as may come before somebody who is woken has been looked after.
const RECENT: usize = 8;

impl Media {
    /// The first version that has what somebody waits for, as far back as is known.
    pub(super) fn first(&self, until: Until) -> Playlist {
        let past = self.recent.iter().map(|past| (&past.version, &past.edge));
        let mut before = None;
        for (version, edge) in past.chain([(&self.version, &self.edge)]) {
            if until.judge(edge) == Verdict::Serve {
                let first = before.is_some_and(|edge| until.is_awaited_at(edge));
                return Playlist { version: Arc::clone(version), first, held: true };
            }
            before = Some(edge);
        }
        Playlist { version: Arc::clone(&self.version), first: false, held: true }
    }
}

impl Rendition {
    pub(super) fn new(presentation: &Arc<Presentation>, id: RenditionId, metrics: Metrics) -> Self {
        let window = Window::new(Arc::clone(presentation), id);
        let advance_part_limit = directives::advance_part_limit(presentation.part_target);
        let version = Arc::new(Version::new(window.playlist(&[]), metrics.clone()));
        let edge = edge(&window, advance_part_limit);
        let state = watch::Sender::new(Media { version, edge, recent: VecDeque::with_capacity(RECENT), closed: None });
        Self { window: Mutex::new(window), state, advance_part_limit, metrics }
    }

    /// Applies the events; tells whether the playlist has changed.
    pub(super) fn take(&self, events: &[Event]) -> bool {
        let mut window = self.window();
        events.iter().fold(false, |changed, event| window.apply(event) | changed)
    }

    /// Makes the playlist as it is now the newest version, and wakes its waiters.
    pub(super) fn publish(&self, reports: &[Report]) {
        let (version, edge) = self.now(reports);
        self.state.send_modify(|state| {
            if state.recent.len() == RECENT {
                state.recent.pop_front();
            }
            let past = Past { version: mem::replace(&mut state.version, version), edge: state.edge };
            state.recent.push_back(past);
            state.edge = edge;
        });
    }

    /// The playlist as it is now, and where it ends.
    fn now(&self, reports: &[Report]) -> (Arc<Version>, LiveEdge) {
        let (playlist, edge) = {
            let window = self.window();
            (window.playlist(reports), edge(&window, self.advance_part_limit))
        };
        (Arc::new(Version::new(playlist, self.metrics.clone())), edge)
    }

    /// The newest version of its playlist.
    pub(super) fn version(&self) -> Arc<Version> {
        Arc::clone(&self.state.borrow().version)
    }

    /// What another node needs to go on with it, and the newest version of its playlist.
    pub(super) fn snapshot(&self) -> (wire::Rendition, Arc<Version>) {
        let version = self.version();
        (wire::Rendition { window: self.window().snapshot(), reports: version.reports().to_vec() }, version)
    }

    /// Puts it where another node has it.
    pub(super) fn restore(&self, presentation: &Arc<Presentation>, state: wire::Rendition) {
        {
            let mut window = self.window();
            *window = Window::restore(Arc::clone(presentation), window.rendition(), state.window);
        }
        let (version, edge) = self.now(&state.reports);
        // Nothing in it is new: which version was the first to have it, only the other node knows.
        self.state.send_modify(|state| {
            (state.version, state.edge) = (version, edge);
            state.recent.clear();
        });
    }

    /// The end of this segment, with the newest version of the playlist.
    pub(super) fn provable(&self, id: RenditionId, msn: u64) -> Provable {
        Provable { rendition: id, segment: self.window().whole(msn), version: self.version() }
    }

    /// A window is whole after each event, so a panic elsewhere while it was locked leaves it usable.
    pub(super) fn window(&self) -> MutexGuard<'_, Window> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn edge(window: &Window, advance_part_limit: u64) -> LiveEdge {
    LiveEdge {
        last_part: window.last_part(),
        last_segment: window.last_segment(),
        ended: window.ended(),
        advance_part_limit,
    }
}
