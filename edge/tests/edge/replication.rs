//! An edge that follows an origin, on real sockets.

mod secured;
mod trouble;

use std::net::SocketAddr;
use std::time::Duration;

use hyper::StatusCode;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use touchline_edge::replication::{self, Access, Address, Fleet, Origin};
use touchline_edge::{Annex, Hub, Kind, Metrics, RequestLabels, Settings, Site, listen, serve};
use touchline_media::Secret;
use touchline_tls::{Listener, Trust};

use crate::sockets::until;
use crate::spool::{Spooling, segment};
use crate::stage::{Seen, Stage, get};

const SECRET: &str = "correct horse battery";
const LISTS: [&str; 3] = ["/live/main/index.m3u8", "/live/main/video/index.m3u8", "/live/main/audio/index.m3u8"];

/// A node that other nodes may follow.
struct Node {
    hub: Hub,
    metrics: Metrics,
    address: SocketAddr,
    shutdown: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl Node {
    /// Serves a hub.
    fn serving(hub: Hub, metrics: Metrics) -> Self {
        let outlet = replication::annex(hub.clone(), Access::Secret(Secret::new(SECRET)));
        Self::telling(hub, metrics, outlet)
    }

    /// Serves a hub, and tells other nodes what the outlet says.
    fn telling(hub: Hub, metrics: Metrics, outlet: Annex) -> Self {
        Self::listening(hub, metrics, outlet, Listener::from)
    }

    fn listening(hub: Hub, metrics: Metrics, outlet: Annex, listener: impl FnOnce(TcpListener) -> Listener) -> Self {
        let socket = listen(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let (address, shutdown) = (socket.local_addr().unwrap(), CancellationToken::new());
        let site = Site::new(hub.clone(), [outlet]);
        let task = tokio::spawn(serve([listener(socket)], site, Settings::default(), shutdown.clone()));
        Self { hub, metrics, address, shutdown, tasks: vec![task] }
    }

    fn of(stage: &Stage) -> Self {
        Self::serving(stage.hub.clone(), stage.metrics.clone())
    }

    /// An edge of these origins.
    fn edge(origins: &[&Node]) -> Self {
        Self::edge_with(origins, SECRET, &[])
    }

    fn edge_with(origins: &[&Node], secret: &str, channels: &[&str]) -> Self {
        let addresses: Vec<_> = origins.iter().map(|node| node.address).collect();
        let channels = channels.iter().map(|name| name.parse().unwrap()).collect();
        Self::edge_of(&addresses, secret, |settings| replication::Settings { channels, ..settings })
    }

    /// An edge of the origins at these addresses.
    fn edge_of(
        addresses: &[SocketAddr],
        secret: &str,
        change: impl FnOnce(replication::Settings) -> replication::Settings,
    ) -> Self {
        let trust = Trust::system(&replication::PROTOCOLS).unwrap();
        let origin = |address: &SocketAddr| {
            let address = Address::parse(&format!("http://{address}")).unwrap();
            Origin::new(address, Some(Secret::new(secret)), &trust)
        };
        Self::following(addresses.iter().map(origin).collect(), change)
    }

    fn following(origins: Vec<Origin>, change: impl FnOnce(replication::Settings) -> replication::Settings) -> Self {
        let metrics = Metrics::default();
        let hub = Hub::new(Settings::default(), metrics.clone());
        let settings = change(replication::Settings {
            origins: origins.into(),
            channels: Vec::new(),
            idle: Duration::from_mins(1),
            standby: true,
        });
        let fleet = Fleet::new(hub.clone(), settings);
        let mut node = Self::serving(hub, metrics);
        node.tasks.push(tokio::spawn(fleet.run(node.shutdown.clone())));
        node
    }

    /// Is gone at once, as after a crash.
    async fn stop(mut self) {
        for task in self.tasks.drain(..) {
            task.abort();
            let _ = task.await;
        }
    }

    /// Is gone once all connections have ended.
    async fn end(mut self) {
        self.shutdown.cancel();
        for task in self.tasks.drain(..) {
            task.await.unwrap();
        }
    }

    async fn get(&self, path: &str) -> Seen {
        get(&self.hub, path).await
    }

    async fn lists(&self) -> Vec<String> {
        let mut lists = Vec::new();
        for path in LISTS {
            let seen = self.get(path).await;
            assert_eq!(seen.status, StatusCode::OK, "{path}: {}", seen.text());
            lists.push(seen.text());
        }
        for path in &LISTS[1..] {
            lists.push(self.get(&format!("{path}?_HLS_skip=YES")).await.text());
        }
        lists
    }

    /// The answer to what is there when the edge has all that the origin has.
    async fn catch_up(&self, origin: &Node) {
        let lists = origin.lists().await;
        let caught_up = async {
            while self.lists().await != lists {
                tokio::task::yield_now().await;
            }
        };
        let waited = tokio::time::timeout(crate::sockets::PATIENCE, caught_up).await;
        if waited.is_err() {
            assert_eq!(self.lists().await, lists);
        }
    }
}

/// What the playlists of `main` list.
fn listed(lists: &[String]) -> Vec<String> {
    let mut paths = Vec::new();
    for (rendition, list) in ["video", "audio"].iter().zip(lists.iter().skip(1)) {
        let tags = list
            .lines()
            .filter(|line| line.contains("URI=\"") && !line.contains("PRELOAD") && !line.contains("REPORT"));
        let tagged = tags.filter_map(|line| line.split('"').nth(1));
        let segments = list.lines().filter(|line| !line.starts_with('#'));
        paths.extend(tagged.chain(segments).map(|name| format!("/live/main/{rendition}/{name}")));
    }
    paths
}

#[tokio::test]
async fn an_edge_that_joins_in_the_middle_of_a_segment_has_the_same_text_and_the_same_bytes() {
    let mut stage = Stage::long();
    let origin = Node::of(&stage);
    let edge = Node::edge(&[&origin]);
    edge.catch_up(&origin).await;
    stage.parts(5);
    stage.end_segment();
    stage.parts(3);
    edge.catch_up(&origin).await;
    let paths = listed(&edge.lists().await);
    assert!(paths.len() > 40, "{paths:?}");
    for path in paths {
        let (here, there) = (edge.get(&path).await, origin.get(&path).await);
        assert_eq!((here.status, &here.body), (StatusCode::OK, &there.body), "{path}");
    }
    assert_eq!(edge.metrics.replication.mismatches.get(), 0);
    assert_eq!(edge.metrics.replication.snapshots.get(), 1);
}

#[tokio::test]
async fn requests_are_held_at_the_edge_and_answered_when_the_part_comes() {
    let mut stage = Stage::live();
    let origin = Node::of(&stage);
    let edge = Node::edge(&[&origin]);
    edge.catch_up(&origin).await;
    let hub = edge.hub.clone();
    let held = tokio::spawn(async move { get(&hub, "/live/main/video/index.m3u8?_HLS_msn=101&_HLS_part=2").await });
    until(|| edge.metrics.held.get() == 1).await;
    assert_eq!(stage.metrics.held.get(), 0);
    stage.part();
    let answer = held.await.unwrap();
    assert_eq!(answer.text(), origin.get(LISTS[1]).await.text());
}

#[tokio::test]
async fn an_edge_is_the_origin_of_another() {
    let mut stage = Stage::live();
    let origin = Node::of(&stage);
    let relay = Node::edge(&[&origin]);
    let edge = Node::edge(&[&relay]);
    edge.catch_up(&origin).await;
    for _ in 0..3 {
        stage.parts(4);
        stage.end_segment();
    }
    stage.part();
    edge.catch_up(&origin).await;
    relay.catch_up(&origin).await;
    assert_eq!(edge.metrics.replication.mismatches.get() + relay.metrics.replication.mismatches.get(), 0);
    stage.end();
    edge.catch_up(&origin).await;
    assert!(edge.lists().await[1].ends_with("#EXT-X-ENDLIST\n"));
}

fn segments_served(node: &Node) -> u64 {
    node.metrics.requests.get_or_create(&RequestLabels { kind: Kind::Segment, status: 200 }).get()
}

#[tokio::test]
async fn a_segment_that_the_origin_has_in_a_file_is_fetched_once_for_all_who_ask() {
    let mut spooling = Spooling::after(50).await;
    let origin = Node::of(&spooling.stage);
    let relay = Node::edge(&[&origin]);
    let edge = Node::edge(&[&relay]);
    edge.catch_up(&origin).await;
    let (one, two, three) = (segment(100), segment(100), segment(101));
    let (one, two, three) = tokio::join!(edge.get(&one), edge.get(&two), edge.get(&three));
    assert_eq!((segments_served(&origin), segments_served(&relay), segments_served(&edge)), (2, 2, 3));
    assert_eq!((edge.metrics.replication.pulled.get(), relay.metrics.replication.pulled.get()), (2, 2));
    for (seen, path) in [(one, segment(100)), (two, segment(100)), (three, segment(101))] {
        assert_eq!((seen.status, seen.body), (StatusCode::OK, origin.get(&path).await.body), "{path}");
    }

    // What the edge has been told of when it was new, it keeps no longer than the origin keeps it in memory.
    let near = segment(149);
    assert_eq!(edge.get(&near).await.status, StatusCode::OK);
    assert_eq!(edge.metrics.replication.pulled.get(), 2);
    spooling.segments(40).await;
    edge.catch_up(&origin).await;
    assert_eq!(edge.get(&near).await.body, origin.get(&near).await.body);
    assert_eq!(edge.metrics.replication.pulled.get(), 3);

    // Without any origin, what is not here cannot be had; what is, can.
    relay.end().await;
    let (there, gone) = (edge.get(&near).await, edge.get(&segment(148)).await);
    assert_eq!((there.status, gone.status), (StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE));
    assert!(gone.text().contains("no origin answers"), "{}", gone.text());
}

#[tokio::test]
async fn a_channel_that_the_origin_does_not_have_is_not_live_at_the_edge() {
    let stage = Stage::live();
    let origin = Node::of(&stage);
    let edge = Node::edge(&[&origin]);
    let seen = edge.get("/live/other/index.m3u8").await;
    assert_eq!(seen.status, StatusCode::NOT_FOUND, "{}", seen.text());
    let listed = edge.get("/channels.json").await.text();
    assert_eq!(listed, origin.get("/channels.json").await.text());
    assert_eq!(edge.metrics.replication.followed.get(), 0);
}

#[tokio::test]
async fn an_edge_without_the_secret_gets_nothing_and_says_so() {
    let stage = Stage::live();
    let origin = Node::of(&stage);
    let edge = Node::edge_with(&[&origin], "another secret than that", &[]);
    let seen = edge.get(LISTS[0]).await;
    assert_eq!(seen.status, StatusCode::SERVICE_UNAVAILABLE, "{}", seen.text());
    assert!(stage.metrics.replication.refused.get() > 0);
}

#[tokio::test]
async fn a_removed_channel_is_removed_at_the_edge() {
    let mut stage = Stage::live();
    let origin = Node::of(&stage);
    let edge = Node::edge(&[&origin]);
    edge.catch_up(&origin).await;
    stage.end();
    edge.catch_up(&origin).await;
    stage.remove();
    until(|| edge.metrics.replication.followed.get() == 0).await;
}

#[tokio::test]
async fn an_edge_takes_no_publishers() {
    let stage = Stage::live();
    let origin = Node::of(&stage);
    let edge = Node::edge(&[&origin]);
    let seen = edge.get("/publish/main").await;
    assert_eq!(seen.status, StatusCode::NOT_FOUND);
    assert!(seen.text().contains("takes no publishers"), "{}", seen.text());
}

/// Another origin of the same feed.
fn twin() -> Stage {
    let metrics = Metrics::default();
    let hub = Hub::new(Settings::default(), metrics.clone());
    let mut twin = (*crate::stage::presentation()).clone();
    twin.epoch.0 += 1;
    Stage::of(hub, metrics, std::sync::Arc::new(twin))
}

#[tokio::test]
async fn viewers_go_on_with_the_next_origin_when_the_first_one_fails() {
    let (mut first, mut second) = (Stage::live(), twin());
    second.parts(5);
    second.end_segment();
    second.parts(2);
    let (a, b) = (Node::of(&first), Node::of(&second));
    let edge = Node::edge(&[&a, &b]);
    edge.catch_up(&a).await;
    first.part();
    second.part();
    edge.catch_up(&a).await;
    until(|| edge.metrics.replication.snapshots.get() == 2).await;
    let hub = edge.hub.clone();
    let held = tokio::spawn(async move { get(&hub, "/live/main/video/index.m3u8?_HLS_msn=101&_HLS_part=3").await });
    until(|| edge.metrics.held.get() == 1).await;
    a.stop().await;
    let answer = held.await.unwrap();
    assert_eq!(answer.status, StatusCode::OK);
    let lists = edge.lists().await;
    assert_eq!(answer.text(), lists[1]);
    insta::assert_snapshot!("after_the_first_origin_failed", lists[1]);
    second.parts(2);
    second.end_segment();
    second.part();
    until(|| edge.metrics.replication.splices.get() == 1).await;
    let hub = edge.hub.clone();
    let goes_on = get(&hub, "/live/main/audio/index.m3u8?_HLS_msn=103&_HLS_part=0").await;
    assert_eq!(goes_on.status, StatusCode::OK);
    for path in listed(&edge.lists().await) {
        let seen = edge.get(&path).await;
        assert_eq!(seen.status, StatusCode::OK, "{path}");
    }
    // Whoever follows the edge has the same.
    let further = Node::edge(&[&edge]);
    further.catch_up(&edge).await;
    second.part();
    further.catch_up(&edge).await;
}

#[tokio::test]
async fn two_relays_of_one_origin_are_turned_between_without_a_trace() {
    let mut stage = Stage::live();
    let origin = Node::of(&stage);
    let relays = [Node::edge(&[&origin]), Node::edge(&[&origin])];
    let edge = Node::edge(&[&relays[0], &relays[1]]);
    edge.catch_up(&origin).await;
    until(|| edge.metrics.replication.snapshots.get() == 2).await;
    let [first, _second] = relays;
    first.stop().await;
    stage.parts(3);
    stage.end_segment();
    stage.part();
    edge.catch_up(&origin).await;
    assert_eq!(edge.metrics.replication.splices.get(), 0);
    assert!(!edge.lists().await[1].contains("#EXT-X-DISCONTINUITY\n"));
}

#[tokio::test]
async fn a_dead_origin_does_not_take_the_edge_down() {
    let stage = Stage::live();
    let origin = Node::of(&stage);
    let edge = Node::edge(&[&origin]);
    edge.catch_up(&origin).await;
    let before = edge.lists().await;
    origin.stop().await;
    until(|| edge.metrics.replication.connects.get() > 2).await;
    assert_eq!(edge.lists().await, before);
}
