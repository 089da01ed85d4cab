//! The desk and what is behind it, with real sockets on loopback.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use touchline_media::feed;

use super::client::Client;
use super::pair::client_address;
use crate::webrtc::{Answer, Desk, Offer, Patched, Refusal, SessionId, Settings, bind};
use crate::{Metrics, Publish, Rejection, Secret};

pub(super) struct Stage {
    pub(super) address: SocketAddr,
    pub(super) desk: Desk,
    publishes: mpsc::Receiver<Publish>,
    pub(super) metrics: Metrics,
    shutdown: CancellationToken,
    served: JoinHandle<()>,
}

impl Stage {
    pub(super) async fn open(settings: Settings) -> Self {
        let bound = bind(([127, 0, 0, 1], 0).into(), settings).await.unwrap();
        let address = bound.local_addr();
        let (requests, publishes) = mpsc::channel(8);
        let (metrics, shutdown) = (Metrics::default(), CancellationToken::new());
        let (desk, serving) = bound.serve(requests, metrics.clone(), shutdown.clone());
        Self { address, desk, publishes, metrics, shutdown, served: tokio::spawn(serving) }
    }

    /// Makes an offer, for which the channel answers `with`.
    pub(super) async fn offer(
        &mut self,
        offer: Offer,
        with: Result<feed::Writer, Rejection>,
    ) -> Result<Answer, Refusal> {
        let desk = self.desk.clone();
        let answering = async {
            let publish = self.publishes.recv().await.unwrap();
            match with {
                Ok(writer) => publish.accept(writer),
                Err(why) => publish.reject(why),
            }
        };
        tokio::join!(desk.offer(offer), answering).0
    }

    async fn arrange(&mut self) -> (Answer, feed::Presence) {
        let writer = feed::channel().0;
        let presence = writer.presence();
        (self.offer(offer(), Ok(writer)).await.unwrap(), presence)
    }

    pub(super) async fn close(self) {
        self.shutdown.cancel();
        self.served.await.unwrap();
    }
}

fn peer() -> SocketAddr {
    ([127, 0, 0, 1], 40_000).into()
}

fn sdp() -> String {
    let now = std::time::Instant::now();
    Client::new(client_address(), now).offer(now)
}

pub(super) fn offer() -> Offer {
    Offer { channel: "main".parse().unwrap(), key: Some(Secret::new("key")), peer: peer(), encoder: None, sdp: sdp() }
}

pub(super) fn key() -> Secret {
    Secret::new("key")
}

#[tokio::test(start_paused = true)]
async fn abandoned_sessions_leave_nothing_behind() {
    let settings = Settings { sessions_per_address: 200, unconnected_per_address: 200, ..Settings::default() };
    let mut stage = Stage::open(settings).await;
    let (offer, mut present) = (offer(), Vec::new());
    for _ in 0..200 {
        let writer = feed::channel().0;
        present.push(writer.presence());
        stage.offer(offer.clone(), Ok(writer)).await.unwrap();
    }
    assert_eq!((stage.desk.count(), stage.desk.routes().count()), (200, (200, 200, 0)));
    assert_eq!(stage.metrics.roster().read(Instant::now().into_std()).len(), 200);
    tokio::time::sleep(Duration::from_secs(9)).await;
    assert_eq!(stage.desk.count(), 200, "they have ten seconds");
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!((stage.desk.count(), stage.desk.routes().count()), (0, (0, 0, 0)));
    assert_eq!(stage.metrics.roster().read(Instant::now().into_std()).len(), 0);
    assert!(present.iter().all(|presence| !presence.is_present()), "the channels are free");
    assert_eq!(stage.metrics.open_connections.get(), 0);
    let departed = stage.metrics.departures.get_or_create(&crate::metrics::Reason { reason: "no_datagram" }).get();
    assert_eq!(departed, 200);
    stage.close().await;
}

#[tokio::test(start_paused = true)]
async fn there_is_room_for_so_many_that_have_not_connected() {
    let mut stage = Stage::open(Settings { unconnected_per_address: 2, ..Settings::default() }).await;
    let (first, _) = stage.arrange().await;
    stage.arrange().await;
    assert_eq!(stage.desk.offer(offer()).await, Err(Refusal::Full));
    let elsewhere = Offer { peer: ([10, 0, 0, 1], 1).into(), ..offer() };
    stage.offer(elsewhere, Ok(feed::channel().0)).await.unwrap();
    stage.desk.close(&first.session, Some(&key())).await.unwrap();
    stage.arrange().await;
    stage.close().await;
}

#[tokio::test(start_paused = true)]
async fn who_is_refused_by_the_channel_leaves_nothing_behind() {
    let mut stage = Stage::open(Settings::default()).await;
    for why in [Rejection::Busy, Rejection::Unauthorised, Rejection::Undecided] {
        assert_eq!(stage.offer(offer(), Err(why)).await, Err(Refusal::Rejected(why)));
    }
    // Nobody answers in time, and nobody is there to ask.
    let desk = stage.desk.clone();
    assert_eq!(desk.offer(offer()).await, Err(Refusal::Rejected(Rejection::Undecided)));
    stage.publishes.close();
    assert_eq!(desk.offer(offer()).await, Err(Refusal::Rejected(Rejection::Draining)));
    assert_eq!((desk.count(), desk.routes().count()), (0, (0, 0, 0)));
    stage.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_session_is_closed_by_who_began_it() {
    let mut stage = Stage::open(Settings::default()).await;
    let (answer, presence) = stage.arrange().await;
    for wrong in [None, Some(Secret::new("guess"))] {
        assert_eq!(stage.desk.close(&answer.session, wrong.as_ref()).await, Err(Refusal::WrongKey));
        assert_eq!(stage.desk.health(&answer.session, wrong.as_ref()), Err(Refusal::WrongKey));
    }
    assert_eq!(stage.desk.health(&answer.session, Some(&key())).unwrap().protocol, "WHIP");
    assert_eq!(stage.desk.close(&SessionId::random(), Some(&key())).await, Err(Refusal::NoSession));
    stage.desk.close(&answer.session, Some(&key())).await.unwrap();
    assert!(!presence.is_present(), "the channel is free as soon as the answer is there");
    assert_eq!(stage.desk.close(&answer.session, Some(&key())).await, Err(Refusal::NoSession));
    stage.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_patch_brings_candidates_or_restarts_ice() {
    let mut stage = Stage::open(Settings::default()).await;
    let (answer, _) = stage.arrange().await;
    let (desk, session, key) = (stage.desk.clone(), answer.session, key());
    let candidates = "a=candidate:1 1 udp 2122260223 192.0.2.1 61764 typ host\r\na=end-of-candidates\r\n";
    let restart = "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n";
    let etag = answer.etag.as_str();
    assert_eq!(desk.patch(&session, None, Some(etag), candidates).await, Err(Refusal::WrongKey));
    assert_eq!(desk.patch(&session, Some(&key), None, candidates).await, Err(Refusal::EtagMissing));
    assert_eq!(desk.patch(&session, Some(&key), Some("\"other\""), candidates).await, Err(Refusal::EtagStale));
    assert_eq!(desk.patch(&session, Some(&key), Some(etag), candidates).await, Ok(Patched::Candidates));
    assert!(matches!(desk.patch(&session, Some(&key), Some(etag), "{}").await, Err(Refusal::Malformed(_))));

    let Ok(Patched::Restarted { etag: new, fragment }) = desk.patch(&session, Some(&key), Some("*"), restart).await
    else {
        panic!("ICE restarts")
    };
    assert_ne!(new, etag);
    for line in ["a=ice-lite\r\n", "\r\na=ice-ufrag:", "\r\na=ice-pwd:", "\r\na=candidate:", "\r\na=mid:", "m="] {
        assert!(fragment.contains(line), "{line:?} in {fragment}");
    }
    assert_eq!(desk.patch(&session, Some(&key), Some(etag), candidates).await, Err(Refusal::EtagStale));
    // The same again is no other ICE session.
    assert_eq!(desk.patch(&session, Some(&key), Some(&new), restart).await, Ok(Patched::Candidates));
    stage.close().await;
}

#[tokio::test(start_paused = true)]
async fn sessions_end_with_the_server_and_with_their_channel() {
    let mut stage = Stage::open(Settings::default()).await;
    let (replaced, presence) = stage.arrange().await;
    let (_, other) = stage.arrange().await;
    presence.evict();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(stage.desk.health(&replaced.session, Some(&key())), Err(Refusal::NoSession));
    let desk = stage.desk.clone();
    assert_eq!(desk.count(), 1);
    stage.close().await;
    assert_eq!((desk.count(), other.is_present()), (0, false));
    assert_eq!(desk.offer(offer()).await, Err(Refusal::Rejected(Rejection::Draining)));
}
