//! A viewer and its connections: the thin shell around the model, one task for each viewer.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep, sleep_until};

use super::exchange::{Action, Answer, Outcome, Request, Ticket, What};
use super::http::{Client, Content, is_held};
use super::library::Body;
use super::moment::Moment;
use super::tally::{Count, Trouble};
use super::viewer::Viewer;
use super::world::World;

/// Somebody who watches. As a future it never ends.
pub(crate) struct Seat {
    viewer: Rc<RefCell<Viewer>>,
    client: Client,
    world: Rc<World>,
    under_way: Vec<(Ticket, What)>,
    timer: Pin<Box<Sleep>>,
}

impl Seat {
    /// Within a runtime of tokio only.
    pub(crate) fn new(viewer: Rc<RefCell<Viewer>>, client: Client, world: Rc<World>) -> Self {
        let timer = Box::pin(sleep_until(Instant::now()));
        Self { viewer, client, world, under_way: Vec::new(), timer }
    }

    /// Does what the viewer wants, until it waits; then tells until when.
    fn act(&mut self) -> Moment {
        let now = self.world.clock.now();
        loop {
            let action = self.viewer.borrow_mut().poll(now, &mut self.world.tally.borrow_mut());
            match action {
                Action::Ask(request) => self.ask(&request),
                Action::Abandon(ticket) => {
                    forget(&mut self.under_way, ticket, &self.world);
                    self.client.abandon(ticket);
                }
                Action::Leave => {
                    let tickets: Vec<_> = self.under_way.iter().map(|(ticket, _)| *ticket).collect();
                    for ticket in tickets {
                        forget(&mut self.under_way, ticket, &self.world);
                    }
                    self.client.close();
                }
                Action::Wait(until) => return until,
            }
        }
    }

    fn ask(&mut self, request: &Request) {
        self.under_way.push((request.ticket, request.what));
        if is_held(request.what) {
            self.world.held.set(self.world.held.get() + 1);
        }
        self.client.ask(request, &self.world);
    }

    /// Goes on with the requests; tells whether anything came.
    fn receive(&mut self, cx: &mut Context<'_>) -> bool {
        let Self { viewer, client, world, under_way, .. } = self;
        let mut any = false;
        client.poll(cx, world, &mut |ticket, content| {
            any = true;
            let Some(what) = forget(under_way, ticket, world) else { return };
            let now = world.clock.now();
            let outcome = read(world, what, content, now);
            viewer.borrow_mut().handle(ticket, outcome, now, &mut world.tally.borrow_mut());
        });
        any
    }

    /// Whether it is `until` already; if not, it will be woken then.
    fn is_time(&mut self, until: Moment, cx: &mut Context<'_>) -> bool {
        if until == Moment::NEVER {
            return false;
        }
        let until = Instant::from_std(self.world.clock.instant(until));
        // A timer that fires too early does no harm, and mostly what comes makes it needless to set it anew.
        if self.timer.is_elapsed() || self.timer.deadline() > until {
            self.timer.as_mut().reset(until);
        }
        self.timer.as_mut().poll(cx).is_ready()
    }
}

impl Future for Seat {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let seat = self.get_mut();
        loop {
            let until = seat.act();
            if !seat.receive(cx) && !seat.is_time(until, cx) {
                return Poll::Pending;
            }
        }
    }
}

/// A request is no longer under way.
fn forget(under_way: &mut Vec<(Ticket, What)>, ticket: Ticket, world: &World) -> Option<What> {
    let at = under_way.iter().position(|(known, _)| *known == ticket)?;
    let (_, what) = under_way.swap_remove(at);
    if is_held(what) {
        world.held.set(world.held.get().saturating_sub(1));
    }
    Some(what)
}

/// Reads what came.
fn read(world: &World, what: What, content: Result<Content<'_>, Trouble>, now: Moment) -> Outcome {
    match (what, content?) {
        (What::Media, Content::Media { bytes, began, verified }) => {
            world.count(Count::Bytes, bytes);
            world.count(Count::Verified, verified.into());
            Ok(Answer::Media { bytes, began })
        }
        (What::Ladder, Content::Kept { bytes, gzip }) => {
            world.count(Count::Bytes, bytes.len() as u64);
            world.library.ladder(Body { bytes, gzip }).map(Answer::Ladder).map_err(Trouble::Playlist)
        }
        (What::Playlist(id, _), Content::Kept { bytes, gzip }) => {
            world.count(Count::Bytes, bytes.len() as u64);
            world.library.playlist(id, Body { bytes, gzip }, now).map(Answer::Playlist).map_err(Trouble::Playlist)
        }
        _ => Err(Trouble::Malformed),
    }
}
