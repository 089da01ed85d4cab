//! Lines that break, nodes that are slow, and origins that talk nonsense.

use std::time::Instant;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::Response;
use hyper::client::conn::http2;
use hyper::header::CONTENT_TYPE;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use touchline_edge::replication::wire::{self, Decoder, Frame};

use super::*;
use crate::sockets::PATIENCE;

/// More batches than an origin remembers.
const FORGOTTEN: u32 = 4_200;

/// What a follower takes before it says so, in bytes.
const WINDOW: u32 = 65_535;

/// A line to an origin that can be cut, and mended.
struct Line {
    address: SocketAddr,
    whole: watch::Sender<bool>,
}

impl Line {
    async fn to(origin: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (whole, mut state) = watch::channel(true);
        tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => {
                        let (mut near, _) = accepted.unwrap();
                        if *state.borrow() {
                            connections.spawn(async move {
                                let mut far = TcpStream::connect(origin).await.unwrap();
                                let _ = copy_bidirectional(&mut near, &mut far).await;
                            });
                        }
                    }
                    changed = state.changed() => match changed {
                        Ok(()) => connections.abort_all(),
                        Err(_) => return,
                    },
                }
            }
        });
        Self { address, whole }
    }

    /// Returns when the origin knows.
    async fn cut(&self, origin: &Node) {
        self.whole.send_replace(false);
        until(|| origin.metrics.replication.followers.get() == 0).await;
    }

    fn mend(&self) {
        self.whole.send_replace(true);
    }
}

#[tokio::test]
async fn after_a_break_an_edge_goes_on_where_it_stopped_and_nothing_is_missing() {
    let mut stage = Stage::long();
    let origin = Node::of(&stage);
    let line = Line::to(origin.address).await;
    let edge = Node::edge_of(&[line.address], SECRET, |settings| settings);
    edge.catch_up(&origin).await;
    for breaks in 1..=3 {
        line.cut(&origin).await;
        stage.parts(3);
        stage.end_segment();
        stage.part();
        line.mend();
        until(|| edge.metrics.replication.resumptions.get() == breaks).await;
        edge.catch_up(&origin).await;
    }
    for path in listed(&edge.lists().await) {
        let (here, there) = (edge.get(&path).await, origin.get(&path).await);
        assert_eq!((here.status, &here.body), (StatusCode::OK, &there.body), "{path}");
    }
    let (theirs, ours) = (&origin.metrics.replication, &edge.metrics.replication);
    assert_eq!((theirs.resumptions_served.get(), theirs.snapshots_sent.get()), (3, 1));
    assert_eq!((ours.snapshots.get(), ours.mismatches.get()), (1, 0));
}

#[tokio::test]
async fn who_was_away_for_too_long_gets_a_snapshot() {
    let mut stage = Stage::live();
    let origin = Node::of(&stage);
    let line = Line::to(origin.address).await;
    let edge = Node::edge_of(&[line.address], SECRET, |settings| settings);
    edge.catch_up(&origin).await;
    line.cut(&origin).await;
    for _ in 0..FORGOTTEN / 10 {
        stage.parts(10);
        stage.end_segment();
    }
    stage.part();
    line.mend();
    edge.catch_up(&origin).await;
    assert_eq!((edge.metrics.replication.snapshots.get(), edge.metrics.replication.resumptions.get()), (2, 0));
}

/// What it is not sent in time it is not sent at all: nothing waits for it at the origin.
#[tokio::test]
async fn a_follower_that_takes_nothing_for_long_gets_a_snapshot_in_between() {
    let mut stage = Stage::live();
    let origin = Node::of(&stage);
    let stream = TcpStream::connect(origin.address).await.unwrap();
    let mut client = http2::Builder::new(TokioExecutor::new());
    client.initial_stream_window_size(WINDOW).initial_connection_window_size(WINDOW);
    let (mut sender, connection) = client.handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = hyper::Request::get(format!("http://{}/replicate/v1/main", origin.address));
    let request = request.header("authorization", format!("Bearer {SECRET}")).body(Empty::<Bytes>::new()).unwrap();
    let mut body = sender.send_request(request).await.unwrap().into_body();
    until(|| origin.metrics.replication.followers.get() == 1).await;
    // What it has been given to send by then, is less than what it has forgotten afterwards.
    for _ in 0..3 * FORGOTTEN / 10 {
        for _ in 0..10 {
            stage.part();
            tokio::task::yield_now().await;
        }
        stage.end_segment();
    }
    stage.end();
    stage.remove();
    let mut decoder = Decoder::resuming(None);
    let (mut snapshots, mut batches) = (0, 0);
    let reading = async {
        while let Some(frame) = body.frame().await {
            decoder.push(frame.unwrap().into_data().unwrap());
            while let Some(frame) = decoder.next(Instant::now()).unwrap() {
                match frame {
                    Frame::Complete(_) => snapshots += 1,
                    Frame::Batch(_) => batches += 1,
                    _ => {}
                }
            }
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("the stream ends");
    assert_eq!((snapshots, origin.metrics.replication.fallen.get()), (2, 1));
    assert!(batches < 2 * FORGOTTEN, "{batches}");
}

#[tokio::test]
async fn a_channel_that_nobody_asks_for_is_closed_and_opened_again() {
    let stage = Stage::live();
    let origin = Node::of(&stage);
    let settings = |settings| replication::Settings { idle: Duration::ZERO, ..settings };
    let edge = Node::edge_of(&[origin.address], SECRET, settings);
    edge.catch_up(&origin).await;
    until(|| edge.metrics.replication.followed.get() == 0).await;
    until(|| origin.metrics.replication.followers.get() == 0).await;
    edge.catch_up(&origin).await;
    assert_eq!(edge.metrics.replication.snapshots.get(), 2);
}

/// An origin that has the channel, as it says, and tells of it what it is not.
fn nonsense(media_type: &'static str, said: &[u8]) -> Node {
    let said = Bytes::copy_from_slice(said);
    let outlet = Annex::new("/replicate", move |request, _| {
        let said = said.clone();
        async move {
            if request.uri().path().ends_with('/') {
                return Response::new(Bytes::from_static(b"{\"channels\":[],\"names\":[\"main\"]}").into());
            }
            let mut response = Response::new(said.into());
            response.headers_mut().insert(CONTENT_TYPE, media_type.parse().unwrap());
            response
        }
    });
    Node::telling(Hub::new(Settings::default(), Metrics::default()), Metrics::default(), outlet)
}

/// What an origin tells first of a channel.
async fn snapshot_of(stage: &Stage) -> Vec<u8> {
    let origin = Node::of(stage);
    let stream = TcpStream::connect(origin.address).await.unwrap();
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = hyper::Request::get(format!("http://{}/replicate/v1/main", origin.address));
    let request = request.header("authorization", format!("Bearer {SECRET}")).body(Empty::<Bytes>::new()).unwrap();
    let mut body = sender.send_request(request).await.unwrap().into_body();
    let (mut decoder, mut snapshot) = (Decoder::resuming(None), Vec::new());
    loop {
        let bytes = body.frame().await.unwrap().unwrap().into_data().unwrap();
        snapshot.extend_from_slice(&bytes);
        decoder.push(bytes);
        while let Some(frame) = decoder.next(Instant::now()).unwrap() {
            if let Frame::Complete(_) = frame {
                return snapshot;
            }
        }
    }
}

#[tokio::test]
async fn an_origin_that_talks_nonsense_is_left_and_another_one_is_turned_to() {
    let stage = Stage::live();
    let snapshot = snapshot_of(&stage).await;
    let cases: [(&'static str, &[u8]); 6] = [
        ("text/html", &snapshot),
        (wire::MEDIA_TYPE, b""),
        (wire::MEDIA_TYPE, b"<!doctype html>"),
        (wire::MEDIA_TYPE, &[7; 4_096]),
        (wire::MEDIA_TYPE, &snapshot[..snapshot.len() - 1]),
        (wire::MEDIA_TYPE, &snapshot[snapshot.len() / 3..]),
    ];
    for (media_type, said) in cases {
        let alone = nonsense(media_type, said);
        let edge = Node::edge(&[&alone]);
        let seen = edge.get(LISTS[0]).await;
        assert_eq!(seen.status, StatusCode::SERVICE_UNAVAILABLE, "{media_type} {}: {}", said.len(), seen.text());
        assert!(edge.metrics.replication.breaks.get() > 0);

        let good = Node::of(&stage);
        let edge = Node::edge(&[&alone, &good]);
        edge.catch_up(&good).await;
    }
}
