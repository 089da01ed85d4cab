//! A client as lean as thousands of viewers need it: no body is kept that nobody reads, and no task but the viewer's own.

mod body;
mod head;
mod network;
mod pool;
mod session;
mod stream;

use std::rc::Rc;
use std::task::Context;

use super::exchange::{Request, Ticket, What};
use super::moment::Moment;
use super::tally::{Count, Trouble};
use super::world::World;
pub use network::Sources;
pub(crate) use network::{Network, resolve};
use pool::Pool;
use session::Session;

/// How much of a body is read at once, in bytes.
pub(crate) const SCRATCH: usize = 256 * 1024;

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content<'a> {
    /// A playlist.
    Kept { bytes: &'a [u8], gzip: bool },
    /// Media, the first byte of which came at `began`.
    Media { bytes: u64, began: Moment, verified: bool },
}

/// Who is told what came of requests.
pub(crate) type Received<'a> = dyn FnMut(Ticket, Result<Content<'_>, Trouble>) + 'a;

/// The connections of one viewer.
pub(crate) struct Client {
    kind: Kind,
    /// Looks at the boxes of media.
    verify: bool,
}

enum Kind {
    Http1(Pool),
    Http2(Session),
}

impl Client {
    pub(crate) fn new(http2: bool, verify: bool) -> Self {
        let kind = if http2 { Kind::Http2(Session::default()) } else { Kind::Http1(Pool::default()) };
        Self { kind, verify }
    }

    /// Makes a request. It goes out with the next `poll`.
    pub(crate) fn ask(&mut self, request: &Request, world: &Rc<World>) {
        world.count(Count::Requests, 1);
        match &mut self.kind {
            Kind::Http1(pool) => pool.ask(request, self.verify, world),
            Kind::Http2(session) => session.ask(request, self.verify, world),
        }
    }

    /// Breaks a request off.
    pub(crate) fn abandon(&mut self, ticket: Ticket) {
        match &mut self.kind {
            Kind::Http1(pool) => pool.abandon(ticket),
            Kind::Http2(session) => session.abandon(ticket),
        }
    }

    /// Closes all connections.
    pub(crate) fn close(&mut self) {
        match &mut self.kind {
            Kind::Http1(pool) => pool.close(),
            Kind::Http2(session) => session.close(),
        }
    }

    /// Goes on with everything that is under way, and delivers what has come.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, world: &Rc<World>, deliver: &mut Received<'_>) {
        match &mut self.kind {
            Kind::Http1(pool) => pool.poll(cx, world, deliver),
            Kind::Http2(session) => session.poll(cx, deliver),
        }
    }
}

/// Whether somebody waits for the answer to be made: the playlist of a version that is still to come.
pub(crate) fn is_held(what: What) -> bool {
    matches!(what, What::Playlist(_, directives) if directives.awaited.is_some())
}
