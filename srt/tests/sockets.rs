//! Listeners and callers on one machine.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::process::Command;
use tokio::time::timeout;
use touchline_srt::listener::{Admission, Hello, Options};
use touchline_srt::{
    Error, KeyLength, Listener, MAX_PAYLOAD, Passphrase, Received, Reject, Socket, TurnedAway, caller,
};

const LATENCY: Duration = Duration::from_millis(60);
const PATIENCE: Duration = Duration::from_secs(20);

fn listen(gate: impl Fn(&Hello<'_>) -> Result<Admission, Reject> + Send + Sync + 'static) -> Listener {
    let options = Options { latency: LATENCY, ..Options::default() };
    Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0)), &options, gate).unwrap()
}

#[expect(clippy::unnecessary_wraps, reason = "a gate may refuse")]
fn open(_: &Hello<'_>) -> Result<Admission, Reject> {
    Ok(Admission::default())
}

fn call(stream_id: &str) -> caller::Options {
    caller::Options { stream_id: Some(stream_id.into()), latency: LATENCY, ..caller::Options::default() }
}

fn encrypted(passphrase: &str, key_length: KeyLength) -> caller::Options {
    caller::Options { passphrase: Some(Passphrase::new(passphrase).unwrap()), key_length, ..call("main") }
}

async fn pair(listener: &mut Listener, options: &caller::Options) -> (Socket, Socket) {
    let (caller, accepted) = tokio::join!(caller::connect(listener.local_addr(), options), listener.accept());
    (caller.unwrap(), accepted.unwrap())
}

async fn refusal(listener: &Listener, options: &caller::Options) -> Reject {
    match caller::connect(listener.local_addr(), options).await {
        Err(Error::Refused { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

/// Sends so many numbered datagrams.
async fn send_numbers(socket: &mut Socket, count: u32) {
    let mut datagram = [7; 1_316];
    for number in 0..count {
        datagram.first_chunk_mut::<4>().unwrap().copy_from_slice(&number.to_be_bytes());
        socket.send(&datagram).await.unwrap();
    }
}

/// The numbers that come until the end, and how many the socket says are missing.
async fn receive_numbers(socket: &mut Socket) -> (Vec<u32>, u32) {
    let (mut numbers, mut missing) = (Vec::new(), 0);
    let mut buffer = [0; MAX_PAYLOAD];
    while let Some(received) = timeout(PATIENCE, socket.recv(&mut buffer)).await.unwrap().unwrap() {
        assert_eq!(received.len, 1_316);
        numbers.push(u32::from_be_bytes(*buffer.first_chunk().unwrap()));
        missing += received.missing;
    }
    (numbers, missing)
}

#[tokio::test]
async fn what_a_caller_sends_arrives_whole_and_its_tail_is_read_after_it_has_closed() {
    let mut listener = listen(open);
    let (mut caller, mut accepted) = pair(&mut listener, &call("publish:main")).await;
    assert_eq!(accepted.stream_id(), "publish:main");
    assert_eq!(accepted.peer().ip(), listener.local_addr().ip());
    let sending = async {
        send_numbers(&mut caller, 500).await;
        caller.finish().await;
    };
    let ((), (numbers, missing)) = tokio::join!(sending, receive_numbers(&mut accepted));
    assert_eq!(numbers, (0..500).collect::<Vec<_>>());
    assert_eq!(missing, 0);
}

#[tokio::test]
async fn the_larger_latency_holds() {
    let mut listener = listen(|hello| {
        Ok(Admission { latency: (hello.stream_id == "own").then_some(LATENCY * 3), ..Admission::default() })
    });
    for (stream_id, asked, agreed) in
        [("a", LATENCY / 2, LATENCY), ("b", LATENCY * 2, LATENCY * 2), ("own", LATENCY, LATENCY * 3)]
    {
        let (caller, accepted) = pair(&mut listener, &caller::Options { latency: asked, ..call(stream_id) }).await;
        assert_eq!((accepted.latency(), caller.latency()), (agreed, agreed), "{stream_id}");
    }
}

#[tokio::test]
async fn a_connection_has_figures_while_it_lasts() {
    let mut listener = listen(open);
    let (mut caller, mut accepted) = pair(&mut listener, &call("main")).await;
    send_numbers(&mut caller, 10).await;
    let mut buffer = [0; MAX_PAYLOAD];
    for _ in 0..10 {
        accepted.recv(&mut buffer).await.unwrap().unwrap();
    }
    let stats = accepted.stats().unwrap();
    assert_eq!((stats.received, stats.lost, stats.dropped, stats.undecrypted), (10, 0, 0, 0));
    assert_eq!(stats.latency, LATENCY);
    assert!(stats.rtt > Duration::ZERO);
    drop(caller);
    assert_eq!(timeout(PATIENCE, accepted.recv(&mut buffer)).await.unwrap().unwrap(), None);
    assert!(accepted.stats().is_err());
}

#[tokio::test]
async fn a_caller_reads_why_it_is_refused_and_the_next_one_is_let_in() {
    const REASONS: [(&str, Reject); 7] = [
        ("bad", Reject::BAD_REQUEST),
        ("key", Reject::UNAUTHORIZED),
        ("full", Reject::OVERLOAD),
        ("mode", Reject::BAD_MODE),
        ("busy", Reject::CONFLICT),
        ("file", Reject::UNSUPPORTED_MEDIA),
        ("down", Reject::DOWN),
    ];
    let mut listener = listen(|hello| match REASONS.iter().find(|(id, _)| *id == hello.stream_id) {
        Some((_, reject)) => Err(*reject),
        None => Ok(Admission::default()),
    });
    for (stream_id, reject) in REASONS {
        assert_eq!(refusal(&listener, &call(stream_id)).await, reject);
    }
    assert_eq!(Reject::CONFLICT.to_string(), "somebody else publishes there (code 1409)");
    pair(&mut listener, &call("main")).await;
}

#[tokio::test]
async fn a_passphrase_has_to_be_the_same_on_both_sides() {
    let secret = Passphrase::new("correct horse").unwrap();
    let mut listener = listen(move |_| Ok(Admission { passphrase: Some(secret.clone()), ..Admission::default() }));
    for length in [KeyLength::Aes128, KeyLength::Aes192, KeyLength::Aes256] {
        let (mut caller, mut accepted) = pair(&mut listener, &encrypted("correct horse", length)).await;
        let sending = async {
            send_numbers(&mut caller, 50).await;
            caller.finish().await;
        };
        let ((), (numbers, _)) = tokio::join!(sending, receive_numbers(&mut accepted));
        assert_eq!(numbers, (0..50).collect::<Vec<_>>(), "{length:?}");
    }
    assert_eq!(listener.turned_away(), []);
    assert_eq!(refusal(&listener, &encrypted("battery staple", KeyLength::Aes128)).await, Reject::BAD_SECRET);
    assert_eq!(told(&listener).await, ("main".to_owned(), true));
    assert_eq!(refusal(&listener, &call("main")).await, Reject::UNSECURE);
    assert_eq!(told(&listener).await, ("main".to_owned(), true));
    let clear = listen(open);
    assert_eq!(refusal(&clear, &encrypted("correct horse", KeyLength::Aes128)).await, Reject::UNSECURE);
    assert_eq!(told(&clear).await, ("main".to_owned(), false));
}

/// Who has been turned away by libsrt: one caller's stream ID, and whether it had to have a passphrase.
async fn told(listener: &Listener) -> (String, bool) {
    let looking = async {
        loop {
            if let [TurnedAway { stream_id, passphrase, .. }, ..] = &listener.turned_away()[..] {
                return (stream_id.clone(), *passphrase);
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, looking).await.unwrap()
}

#[tokio::test]
async fn keys_are_changed_in_mid_stream() {
    let secret = Passphrase::new("correct horse").unwrap();
    let mut listener = listen(move |_| Ok(Admission { passphrase: Some(secret.clone()), ..Admission::default() }));
    let url = format!(
        "srt://{}?mode=caller&passphrase=correct horse&pbkeylen=32&kmrefreshrate=72&kmpreannounce=35",
        listener.local_addr()
    );
    let feeder = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let free = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut program = Command::new("srt-live-transmit");
    let program = program.args(["-quiet", &format!("udp://{free}"), &url]).kill_on_drop(true);
    let _program = program.spawn().expect("srt-live-transmit, of Debian's srt-tools");
    let mut accepted = timeout(PATIENCE, listener.accept()).await.unwrap().unwrap();
    let mut buffer = [0; MAX_PAYLOAD];
    for round in 0..10_u8 {
        for number in 0..20 {
            feeder.send_to(&[round * 20 + number; 1_316], free).await.unwrap();
        }
        for number in 0..20 {
            let received = timeout(PATIENCE, accepted.recv(&mut buffer)).await.unwrap().unwrap();
            assert_eq!(received, Some(Received { len: 1_316, missing: 0 }));
            assert_eq!(buffer.first_chunk(), Some(&[round * 20 + number; 1_316]));
        }
    }
    assert_eq!(accepted.stats().unwrap().undecrypted, 0);
}

#[tokio::test]
async fn twenty_callers_at_once_are_served() {
    let mut listener = listen(open);
    let address = listener.local_addr();
    let callers: Vec<_> = (0..20)
        .map(|number| {
            tokio::spawn(async move {
                // All at once: what does not fit into the port's buffer takes time to come again.
                let options = caller::Options { latency: 10 * LATENCY, ..call(&format!("channel{number}")) };
                let mut socket = caller::connect(address, &options).await.unwrap();
                send_numbers(&mut socket, 50).await;
                socket.finish().await;
            })
        })
        .collect();
    let mut receivers = Vec::new();
    let mut names = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let mut socket = timeout(PATIENCE, listener.accept()).await.unwrap().unwrap();
        names.insert(socket.stream_id().to_owned());
        receivers.push(tokio::spawn(async move { receive_numbers(&mut socket).await }));
    }
    assert_eq!(names.len(), 20);
    for receiver in receivers {
        let (numbers, missing) = receiver.await.unwrap();
        assert_eq!((numbers.len(), missing), (50, 0));
    }
    for caller in callers {
        caller.await.unwrap();
    }
}

#[tokio::test]
async fn no_more_connections_are_open_than_allowed() {
    let options = Options { sockets: 1, ..Options::default() };
    let mut listener = Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0)), &options, open).unwrap();
    let (first, accepted) = pair(&mut listener, &call("one")).await;
    assert_eq!(refusal(&listener, &call("two")).await, Reject::OVERLOAD);
    drop((first, accepted));
    pair(&mut listener, &call("three")).await;
}

#[tokio::test]
async fn a_gate_that_panics_refuses_its_caller_and_nobody_else() {
    let mut listener =
        listen(|hello| if hello.stream_id == "panic" { panic!("as asked") } else { Ok(Admission::default()) });
    assert_eq!(refusal(&listener, &call("panic")).await, Reject::INTERNAL);
    pair(&mut listener, &call("main")).await;
}

#[tokio::test]
async fn junk_beside_a_live_stream_costs_it_nothing() {
    let mut listener = listen(open);
    let (mut caller, mut accepted) = pair(&mut listener, &call("main")).await;
    let stranger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let sending = async {
        let mut datagram = [7; 1_316];
        for number in 0..1_000_u32 {
            datagram.first_chunk_mut::<4>().unwrap().copy_from_slice(&number.to_be_bytes());
            caller.send(&datagram).await.unwrap();
            for junk in 0..5 {
                stranger.send_to(&junk_datagram(number * 5 + junk), listener.local_addr()).await.unwrap();
            }
            tokio::task::yield_now().await;
        }
        caller.finish().await;
    };
    let ((), (numbers, missing)) = tokio::join!(sending, receive_numbers(&mut accepted));
    assert_eq!((numbers, missing), ((0..1_000).collect::<Vec<_>>(), 0));
    pair(&mut listener, &call("after")).await;
}

/// One of: random bytes, a handshake (control type 0, to socket 0) of any type with any extensions, data for a socket.
fn junk_datagram(number: u32) -> Vec<u8> {
    let mut state = u64::from(number) | 1 << 40;
    let mut random = || {
        // Knuth's MMIX generator: the same junk in every run.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from(state >> 33).unwrap()
    };
    let words = 4 + random() % 60;
    let mut datagram: Vec<u8> = (0..words).flat_map(|_| random().to_be_bytes()).collect();
    if !number.is_multiple_of(3) {
        // The header of a handshake, then version 5, encryption, and one of SRT's extensions.
        let kind = if number.is_multiple_of(2) { 1 } else { u32::MAX };
        let header = [0x8000_0000, 0, 0, 0, 5, 0x0002_4a17, random(), 1_500, 8_192, kind, 0, random()];
        let header: Vec<u8> = header.into_iter().flat_map(u32::to_be_bytes).collect();
        let len = header.len().min(datagram.len());
        datagram.splice(..len, header);
    }
    datagram
}
