//! Whose a datagram is. Anybody can send datagrams to an open port, with any address on them: what has not shown that it is of a
//! session gets no further than here.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::SessionId;
use super::ice::{Credentials, Path};
use super::stun::{self, Class, Message};

/// The most paths that are remembered of a session: a publisher has a few networks, and tries some ports on each.
const MAX_PATHS: usize = 16;
/// The most ICE sessions of a session that are known: the one that is, and the one that is to be.
const MAX_GENERATIONS: usize = 2;
/// The most datagrams that wait for a session: about half a second of 10 Mb/s.
const MAX_WAITING: usize = 512;

/// Where the datagrams of each session go. Its clones are one.
#[derive(Debug, Clone, Default)]
pub(super) struct Routes(Arc<Mutex<Table>>);

#[derive(Debug, Default)]
struct Table {
    /// By our own ufrags.
    ufrags: HashMap<String, (SessionId, String)>,
    paths: HashMap<Path, (SessionId, mpsc::Sender<Datagram>)>,
    sessions: HashMap<SessionId, Session>,
}

#[derive(Debug)]
struct Session {
    inbox: mpsc::Sender<Datagram>,
    ufrags: VecDeque<String>,
    paths: VecDeque<Path>,
}

/// What has come for a session.
#[derive(Debug, Clone)]
pub(super) struct Datagram {
    pub(super) path: Path,
    pub(super) received: Instant,
    pub(super) data: Bytes,
}

/// What became of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivery {
    Delivered,
    /// It is of no session.
    Stranger,
    /// Its session has too many waiting.
    Overflow,
}

/// A session's entry. Dropping it forgets the session and its paths.
#[derive(Debug)]
pub(super) struct Route {
    session: SessionId,
    routes: Routes,
}

impl Routes {
    /// Datagrams of who knows these credentials go to the receiver from now on.
    pub(super) fn open(&self, session: SessionId, local: &Credentials) -> (Route, mpsc::Receiver<Datagram>) {
        let (inbox, datagrams) = mpsc::channel(MAX_WAITING);
        let entry = Session { inbox, ufrags: VecDeque::new(), paths: VecDeque::new() };
        self.lock().sessions.insert(session, entry);
        let route = Route { session, routes: self.clone() };
        route.expect(local);
        (route, datagrams)
    }

    /// Hands a datagram to its session.
    pub(super) fn deliver(&self, datagram: Datagram) -> Delivery {
        let inbox = {
            let mut table = self.lock();
            table.recognise(&datagram);
            table.paths.get(&datagram.path).map(|(_, inbox)| inbox.clone())
        };
        let Some(inbox) = inbox else { return Delivery::Stranger };
        match inbox.try_send(datagram) {
            Ok(()) => Delivery::Delivered,
            Err(mpsc::error::TrySendError::Full(_)) => Delivery::Overflow,
            Err(mpsc::error::TrySendError::Closed(_)) => Delivery::Stranger,
        }
    }

    /// How many sessions, credentials and paths are known.
    #[cfg(test)]
    pub(super) fn count(&self) -> (usize, usize, usize) {
        let table = self.lock();
        (table.sessions.len(), table.ufrags.len(), table.paths.len())
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // No code that holds the lock can leave the table half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Remembers a path when a check on it shows the password of a session (RFC 8445 7.3). Nothing less will do: whoever can have
    /// an address remembered takes a session's place on it.
    fn recognise(&mut self, datagram: &Datagram) -> Option<()> {
        if !stun::is_stun(&datagram.data) {
            return None;
        }
        let message = Message::parse(&datagram.data).filter(|message| message.class == Class::Request)?;
        let (session, password) = self.ufrags.get(message.username?.0)?;
        if self.paths.get(&datagram.path).is_some_and(|(known, _)| known == session) || !message.is_authentic(password)
        {
            return None;
        }
        let session = *session;
        let entry = self.sessions.get_mut(&session)?;
        entry.paths.push_back(datagram.path);
        let oldest = if entry.paths.len() > MAX_PATHS { entry.paths.pop_front() } else { None };
        let before = self.paths.insert(datagram.path, (session, entry.inbox.clone()));
        // The path was another session's: a publisher that comes again from the same port.
        if let Some(other) = before.and_then(|(other, _)| self.sessions.get_mut(&other)) {
            other.paths.retain(|path| *path != datagram.path);
        }
        if let Some(oldest) = oldest {
            self.paths.remove(&oldest);
        }
        Some(())
    }
}

impl Route {
    /// Datagrams of who knows these credentials are the session's too.
    pub(super) fn expect(&self, local: &Credentials) {
        let mut table = self.routes.lock();
        table.ufrags.insert(local.ufrag.clone(), (self.session, local.password.clone()));
        let Some(entry) = table.sessions.get_mut(&self.session) else { return };
        entry.ufrags.push_back(local.ufrag.clone());
        let oldest = if entry.ufrags.len() > MAX_GENERATIONS { entry.ufrags.pop_front() } else { None };
        if let Some(oldest) = oldest {
            table.ufrags.remove(&oldest);
        }
    }
}

impl Drop for Route {
    fn drop(&mut self) {
        let mut table = self.routes.lock();
        let Some(entry) = table.sessions.remove(&self.session) else { return };
        for ufrag in &entry.ufrags {
            table.ufrags.remove(ufrag);
        }
        for path in &entry.paths {
            table.paths.remove(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(port: u16) -> Path {
        Path::Udp(([127, 0, 0, 1], port).into())
    }

    fn datagram(port: u16, data: Vec<u8>) -> Datagram {
        Datagram { path: path(port), received: Instant::now(), data: data.into() }
    }

    fn check(port: u16, local: &Credentials, password: &str) -> Datagram {
        datagram(port, stun::check([7; 12], &format!("{}:them", local.ufrag), [0; 8], password))
    }

    #[test]
    fn only_a_check_with_the_password_opens_a_path() {
        let (routes, local) = (Routes::default(), Credentials::random());
        let (_route, mut inbox) = routes.open(SessionId::random(), &local);
        for stranger in [
            datagram(1, vec![0x80; 200]),
            datagram(1, vec![0; 20]),
            check(1, &local, "a guess"),
            check(1, &Credentials::random(), &local.password),
        ] {
            assert_eq!(routes.deliver(stranger), Delivery::Stranger);
        }
        assert_eq!(routes.deliver(check(1, &local, &local.password)), Delivery::Delivered);
        assert_eq!(routes.deliver(datagram(1, vec![0x80; 200])), Delivery::Delivered);
        assert_eq!(routes.deliver(datagram(2, vec![0x80; 200])), Delivery::Stranger);
        assert_eq!((inbox.try_recv().is_ok(), inbox.try_recv().is_ok(), inbox.try_recv().is_ok()), (true, true, false));
    }

    #[test]
    fn a_session_that_is_over_leaves_nothing_behind() {
        let (routes, local) = (Routes::default(), Credentials::random());
        let (route, _inbox) = routes.open(SessionId::random(), &local);
        for _ in 0..5 {
            route.expect(&Credentials::random());
        }
        let again = Credentials::random();
        route.expect(&again);
        for port in 1..=100 {
            assert_eq!(routes.deliver(check(port, &again, &again.password)), Delivery::Delivered);
        }
        assert_eq!(routes.count(), (1, MAX_GENERATIONS, MAX_PATHS));
        assert_eq!(routes.deliver(check(200, &local, &local.password)), Delivery::Stranger, "two restarts ago");
        drop(route);
        assert_eq!(routes.count(), (0, 0, 0));
    }

    #[test]
    fn a_path_goes_to_the_session_that_came_last_and_stays_when_the_other_ends() {
        let (routes, first, second) = (Routes::default(), Credentials::random(), Credentials::random());
        let (old, _old_inbox) = routes.open(SessionId::random(), &first);
        let (_new, mut inbox) = routes.open(SessionId::random(), &second);
        assert_eq!(routes.deliver(check(1, &first, &first.password)), Delivery::Delivered);
        assert_eq!(routes.deliver(check(1, &second, &second.password)), Delivery::Delivered);
        drop(old);
        assert_eq!(routes.deliver(datagram(1, vec![0x80; 20])), Delivery::Delivered);
        assert!(inbox.try_recv().is_ok() && inbox.try_recv().is_ok());
    }

    #[test]
    fn what_a_session_does_not_take_in_time_is_dropped() {
        let (routes, local) = (Routes::default(), Credentials::random());
        let (_route, _inbox) = routes.open(SessionId::random(), &local);
        for _ in 0..MAX_WAITING {
            assert_eq!(routes.deliver(check(1, &local, &local.password)), Delivery::Delivered);
        }
        assert_eq!(routes.deliver(datagram(1, vec![0x80; 20])), Delivery::Overflow);
    }
}
