//! The connections of one viewer by HTTP/1.1: as many as there are requests at a time, kept for the next ones, as browsers do.

use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::body::{Boxes, Chunks, Sink};
use super::head::{self, Head, Length, Malformed};
use super::stream::Stream;
use super::{Content, Received};
use crate::watch::exchange::{Request, Ticket, What};
use crate::watch::link::Site;
use crate::watch::moment::Moment;
use crate::watch::tally::{Count, Trouble};
use crate::watch::world::World;

/// How much is read at once of an answer whose body is not kept: a head and a little more, as the rest need not be copied.
const HEAD_FIRST: usize = 1024;

/// Connections.
#[derive(Default)]
pub(super) struct Pool {
    slots: Vec<Slot>,
}

/// A connection, or one that is coming about.
struct Slot {
    site: Arc<Site>,
    state: State,
    exchange: Option<Exchange>,
    /// Answers that came over the connection.
    answered: u64,
}

enum State {
    Connecting(Pin<Box<dyn Future<Output = Result<Stream, Trouble>>>>),
    Open(Stream),
}

/// A request and its answer, as far as they have come.
struct Exchange {
    ticket: Ticket,
    request: Vec<u8>,
    sent: usize,
    /// What came of a head that is not complete.
    partial: Vec<u8>,
    head: Option<Head>,
    sink: Sink,
    chunks: Chunks,
    /// Bytes of the body that came, and when the first of them did.
    got: u64,
    began: Moment,
}

/// What came of looking at a connection.
enum Step {
    Pending,
    Done,
    Failed(Trouble),
}

impl Pool {
    /// Makes a request on a connection that is free, else on a new one.
    pub(super) fn ask(&mut self, request: &Request, verify: bool, world: &Rc<World>) {
        let exchange = Exchange::new(request, verify);
        let site = &request.link.site;
        let free = self.slots.iter_mut().rev().find(|slot| slot.exchange.is_none() && slot.site == *site);
        if let Some(slot) = free {
            slot.exchange = Some(exchange);
        } else {
            let state = connecting(site, world);
            self.slots.push(Slot { site: Arc::clone(site), state, exchange: Some(exchange), answered: 0 });
        }
    }

    /// Breaks a request off, and its connection with it.
    pub(super) fn abandon(&mut self, ticket: Ticket) {
        self.slots.retain(|slot| slot.exchange.as_ref().is_none_or(|exchange| exchange.ticket != ticket));
    }

    pub(super) fn close(&mut self) {
        self.slots.clear();
    }

    /// Goes on with everything that is under way, and delivers what has come.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, world: &Rc<World>, deliver: &mut Received<'_>) {
        let mut at = 0;
        while let Some(slot) = self.slots.get_mut(at) {
            if slot.exchange.is_none() {
                at += 1;
                continue;
            }
            match slot.step(cx, world, deliver) {
                Step::Pending => at += 1,
                Step::Done if slot.exchange.is_none() => at += 1,
                Step::Done => {
                    self.slots.remove(at);
                }
                Step::Failed(trouble) => {
                    let slot = self.slots.remove(at);
                    if let Some(exchange) = slot.exchange {
                        deliver(exchange.ticket, Err(trouble));
                    }
                }
            }
        }
    }
}

fn connecting(site: &Arc<Site>, world: &Rc<World>) -> State {
    let (site, world) = (Arc::clone(site), Rc::clone(world));
    world.count(Count::Connections, 1);
    State::Connecting(Box::pin(async move { world.network.connect(&site).await }))
}

impl Slot {
    /// Goes on until there is nothing to do, or the answer is there.
    fn step(&mut self, cx: &mut Context<'_>, world: &Rc<World>, deliver: &mut Received<'_>) -> Step {
        loop {
            let Some(exchange) = &mut self.exchange else { return Step::Done };
            let stream = match &mut self.state {
                State::Open(stream) => stream,
                State::Connecting(connecting) => match connecting.as_mut().poll(cx) {
                    Poll::Pending => return Step::Pending,
                    Poll::Ready(Err(trouble)) => return Step::Failed(trouble),
                    Poll::Ready(Ok(stream)) => {
                        self.state = State::Open(stream);
                        continue;
                    }
                },
            };
            match exchange.step(stream, cx, world, deliver) {
                Step::Done => {
                    self.answered += 1;
                    let closes = exchange.head.is_none_or(|head| head.closes);
                    stream.settle();
                    // What is left in its place tells the pool that the connection is of no more use.
                    if !closes {
                        self.exchange = None;
                    }
                    return Step::Done;
                }
                // A server may close an idle connection at any time: such a failure says nothing.
                Step::Failed(Trouble::Broken) if self.answered > 0 && exchange.is_unanswered() => {
                    self.answered = 0;
                    exchange.sent = 0;
                    self.state = connecting(&self.site, world);
                }
                other => return other,
            }
        }
    }
}

impl Exchange {
    fn new(request: &Request, verify: bool) -> Self {
        let mut bytes = Vec::with_capacity(256);
        head::write(request, &mut bytes);
        let sink = match request.what {
            What::Media if verify => Sink::Verify(Boxes::default()),
            What::Media => Sink::Count,
            What::Ladder | What::Playlist(..) => Sink::Keep(Vec::new()),
        };
        Self {
            ticket: request.ticket,
            request: bytes,
            sent: 0,
            partial: Vec::new(),
            head: None,
            sink,
            chunks: Chunks::default(),
            got: 0,
            began: Moment::default(),
        }
    }

    fn is_unanswered(&self) -> bool {
        self.head.is_none() && self.partial.is_empty()
    }

    fn step(&mut self, stream: &mut Stream, cx: &mut Context<'_>, world: &World, deliver: &mut Received<'_>) -> Step {
        while let Some(rest) = self.request.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match stream.poll_write(cx, rest) {
                Poll::Pending => return Step::Pending,
                Poll::Ready(Err(_) | Ok(0)) => return Step::Failed(Trouble::Broken),
                Poll::Ready(Ok(written)) => self.sent += written,
            }
        }
        let scratch = &mut *world.scratch.borrow_mut();
        loop {
            let left = self.left();
            let read = match (self.head, &self.sink, left) {
                (Some(_), Sink::Count, Some(left)) => stream.poll_discard(cx, left, scratch),
                (None, Sink::Count, _) => stream.poll_read(cx, scratch.get_mut(..HEAD_FIRST).unwrap_or_default()),
                _ => stream.poll_read(cx, scratch),
            };
            let done = match read {
                Poll::Pending => return Step::Pending,
                Poll::Ready(Ok(0)) if self.head.is_some_and(|head| head.length == Length::Open) => true,
                Poll::Ready(Err(_) | Ok(0)) => return Step::Failed(Trouble::Broken),
                Poll::Ready(Ok(many)) => {
                    // Bytes that were thrown away are not there to be looked at, and nobody does: they are only counted.
                    let bytes = scratch.get(..many).unwrap_or_default();
                    match self.take(bytes, world) {
                        Ok(done) => done,
                        Err(Malformed) => return Step::Failed(Trouble::Malformed),
                    }
                }
            };
            if done {
                self.deliver(deliver);
                return Step::Done;
            }
        }
    }

    /// Bytes of the body that are still to come, where that is known.
    fn left(&self) -> Option<usize> {
        let Some(Head { length: Length::Bytes(all), .. }) = self.head else { return None };
        usize::try_from(all.saturating_sub(self.got)).ok()
    }

    /// Takes what came; tells whether it was the last of it.
    fn take(&mut self, bytes: &[u8], world: &World) -> Result<bool, Malformed> {
        let Some(head) = self.head else { return self.take_head(bytes, world) };
        if let Length::Chunked = head.length {
            let (taken, over) = self.chunks.take(bytes, &mut self.sink)?;
            self.got += taken;
            return Ok(over);
        }
        self.got += bytes.len() as u64;
        self.sink.take(bytes)?;
        match head.length {
            Length::Bytes(all) if self.got > all => Err(Malformed),
            Length::Bytes(all) => Ok(self.got == all),
            Length::Chunked | Length::Open => Ok(false),
        }
    }

    fn take_head(&mut self, bytes: &[u8], world: &World) -> Result<bool, Malformed> {
        let mut partial = std::mem::take(&mut self.partial);
        let whole = if partial.is_empty() {
            bytes
        } else {
            partial.extend_from_slice(bytes);
            &partial
        };
        match head::read(whole)? {
            None => {
                self.partial = whole.to_vec();
                Ok(false)
            }
            Some((head, size)) => {
                self.head = Some(head);
                self.began = world.clock.now();
                match whole.get(size..).unwrap_or_default() {
                    [] => Ok(head.length == Length::Bytes(0)),
                    body => self.take(body, world),
                }
            }
        }
    }

    fn deliver(&mut self, deliver: &mut Received<'_>) {
        let status = self.head.map_or(0, |head| head.status);
        let outcome = match &self.sink {
            _ if !matches!(status, 200 | 206) => Err(Trouble::Status(status)),
            Sink::Keep(bytes) => Ok(Content::Kept { bytes, gzip: self.head.is_some_and(|head| head.gzip) }),
            Sink::Verify(boxes) if !boxes.are_whole() => Err(Trouble::Boxes),
            Sink::Verify(_) => Ok(Content::Media { bytes: self.got, began: self.began, verified: true }),
            Sink::Count => Ok(Content::Media { bytes: self.got, began: self.began, verified: false }),
        };
        deliver(self.ticket, outcome);
    }
}
