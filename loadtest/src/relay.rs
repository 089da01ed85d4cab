//! `touchline-loadtest relay`: a bad network between publishers and a server, for what goes by UDP.

mod flow;
pub mod link;
mod options;
mod tally;

use std::collections::HashMap;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval_at, sleep};

pub use options::{Delay, Loss, Options};
pub use tally::{Totals, WayTotals};

use crate::random::Random;
use crate::{Error, stop};
use flow::Flow;
use link::{Conditions, Link};
use tally::Tally;

/// The longest payload of a UDP datagram over IPv4; others are longer only as jumbograms.
pub const MAX_DATAGRAM: usize = 65_507;
/// The most callers at a time.
pub const MAX_CALLERS: usize = 1_024;
/// Datagrams of a caller that may wait for its flow.
const MAX_INBOX: usize = 1_024;
/// Bytes that the kernel keeps for the relay meanwhile: a quarter of a second of twenty feeds of 3 Mb/s.
const RECEIVE_BUFFER: usize = 4 << 20;
/// Time between two progress lines.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);

/// Relays until it is stopped or its time is over, and prints what it has done.
pub async fn run(options: &Options) -> Result<(), Error> {
    let relay = Relay::bind(options)?;
    let tally = Arc::clone(&relay.tally);
    let say = |line: String| if options.json { eprintln!("relay: {line}") } else { println!("relay: {line}") };
    let (there, back) = (options.there(), options.back());
    say(format!("{} to {}; there: {there}; back: {back}", relay.local_addr()?, options.to));
    let mut ticks = interval_at(Instant::now() + PROGRESS_EVERY, PROGRESS_EVERY);
    let progress = async {
        loop {
            ticks.tick().await;
            say(tally.read().to_string());
        }
    };
    let time = async {
        match options.seconds {
            Some(seconds) => sleep(Duration::from_secs(seconds)).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        failed = relay.run() => failed?,
        () = progress => {}
        () = time => {}
        () = stop::signal()? => {}
    }
    print(tally.read(), options.json).map_err(|source| Error::Io { doing: "printing the totals", source })
}

fn print(totals: Totals, json: bool) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    if json {
        let json = serde_json::to_string_pretty(&totals).map_err(std::io::Error::other)?;
        return writeln!(out, "{json}");
    }
    writeln!(out, "relay: in all {totals}")
}

/// A relay that listens.
pub struct Relay {
    listener: Arc<UdpSocket>,
    server: SocketAddr,
    there: Conditions,
    back: Conditions,
    /// What the seeds of the links are drawn from.
    seeds: Random,
    callers: HashMap<SocketAddr, mpsc::Sender<Bytes>>,
    tally: Arc<Tally>,
}

impl Relay {
    /// Listens where the options say. Within a runtime of tokio only.
    pub fn bind(options: &Options) -> Result<Self, Error> {
        let address = options.listen;
        if !address.ip().is_loopback() && !options.exposed {
            return Err(Error::Exposed(address));
        }
        let listener = listen(address).map_err(|source| Error::Listen { address, source })?;
        Ok(Self {
            listener: Arc::new(listener),
            server: options.to,
            there: options.there(),
            back: options.back(),
            seeds: Random::new(options.seed),
            callers: HashMap::new(),
            tally: Arc::default(),
        })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> Result<SocketAddr, Error> {
        self.listener.local_addr().map_err(|source| Error::Io { doing: "asking for the address", source })
    }

    /// Passes datagrams on. Comes back only when it cannot go on; dropping it ends it.
    pub async fn run(mut self) -> Result<(), Error> {
        let mut flows = JoinSet::new();
        let mut buffer = vec![0; MAX_DATAGRAM];
        loop {
            let received = self.listener.recv_from(&mut buffer).await;
            let (len, caller) = received.map_err(|source| Error::Io { doing: "receiving datagrams", source })?;
            let datagram = Bytes::copy_from_slice(buffer.get(..len).unwrap_or_default());
            while flows.try_join_next().is_some() {}
            self.dispatch(caller, datagram, &mut flows).await?;
        }
    }

    /// Gives a datagram to its caller's flow, which begins with the first one.
    async fn dispatch(&mut self, caller: SocketAddr, datagram: Bytes, flows: &mut JoinSet<()>) -> Result<(), Error> {
        let known = self.callers.get(&caller).filter(|inbox| !inbox.is_closed()).cloned();
        let inbox = match known {
            Some(inbox) => Some(inbox),
            None => self.open(caller, flows).await?,
        };
        match inbox {
            None => self.tally.refused.add(1),
            // A flow that is so far behind loses what comes, as a full queue in the network does.
            Some(inbox) if inbox.try_send(datagram).is_err() => self.tally.there.taken(link::Fate::Overflows),
            Some(_) => {}
        }
        Ok(())
    }

    /// Begins a flow, if there is room for one.
    async fn open(
        &mut self,
        caller: SocketAddr,
        flows: &mut JoinSet<()>,
    ) -> Result<Option<mpsc::Sender<Bytes>>, Error> {
        if self.callers.len() >= MAX_CALLERS {
            self.callers.retain(|_, inbox| !inbox.is_closed());
        }
        if self.callers.len() >= MAX_CALLERS {
            return Ok(None);
        }
        let links = [self.there, self.back].map(|conditions| Link::new(conditions, self.seeds.draw()));
        let (listener, tally) = (Arc::clone(&self.listener), Arc::clone(&self.tally));
        let flow = Flow::open(caller, listener, self.server, links, tally).await?;
        let (inbox, datagrams) = mpsc::channel(MAX_INBOX);
        flows.spawn(flow.run(datagrams));
        self.callers.insert(caller, inbox.clone());
        Ok(Some(inbox))
    }
}

fn listen(address: SocketAddr) -> std::io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    // The kernel gives as much as it is allowed to.
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        options: Options,
    }

    fn options(line: &str) -> Options {
        Cli::parse_from(format!("relay {line}").split_whitespace()).options
    }

    async fn socket() -> UdpSocket {
        UdpSocket::bind("127.0.0.1:0").await.unwrap()
    }

    #[tokio::test]
    async fn each_caller_gets_the_answers_to_its_own_datagrams() {
        let server = socket().await;
        let relay = Relay::bind(&options(&format!("127.0.0.1:0 {}", server.local_addr().unwrap()))).unwrap();
        let (address, tally) = (relay.local_addr().unwrap(), Arc::clone(&relay.tally));
        let _running = JoinSet::from_iter([relay.run()]);
        let callers = [socket().await, socket().await];
        let mut buffer = [0; 16];
        let mut seen = Vec::new();
        for (caller, word) in callers.iter().zip(["one", "two"]) {
            caller.send_to(word.as_bytes(), address).await.unwrap();
            let (len, from) = server.recv_from(&mut buffer).await.unwrap();
            assert_eq!(&buffer[..len], word.as_bytes());
            seen.push(from);
        }
        for (from, word) in seen.iter().zip(["eins", "zwei"]) {
            server.send_to(word.as_bytes(), from).await.unwrap();
        }
        for (caller, word) in callers.iter().zip(["eins", "zwei"]) {
            let (len, _) = caller.recv_from(&mut buffer).await.unwrap();
            assert_eq!(&buffer[..len], word.as_bytes());
        }
        assert_ne!(seen[0], seen[1]);
        insta::assert_snapshot!(
            tally.read(),
            @"2 callers; there: 2 taken, 0 lost, 2 arrived, 0 overtaken; back: 2 taken, 0 lost, 2 arrived, 0 overtaken"
        );
    }

    #[tokio::test]
    async fn losses_are_on_the_way_there_unless_they_are_asked_for_both_ways() {
        let to = "127.0.0.1:0 127.0.0.1:9 --loss 2% --delay 5ms --jitter";
        insta::assert_snapshot!(options(to).back(), @"0 % lost, 5 ms each for itself");
        insta::assert_snapshot!(options(&format!("{to} --both-ways")).back(), @"2 % lost, 5 ms each for itself");
    }

    #[tokio::test]
    async fn it_listens_for_other_machines_only_when_told_to() {
        let Err(error) = Relay::bind(&options("0.0.0.0:0 127.0.0.1:9")) else { panic!("it listens") };
        insta::assert_snapshot!(error, @"0.0.0.0:0 can be reached from other machines, and whoever reaches it reaches the server: listen on loopback, such as 127.0.0.1:8891, or allow it with --exposed");
        Relay::bind(&options("0.0.0.0:0 127.0.0.1:9 --exposed")).unwrap();
    }
}
