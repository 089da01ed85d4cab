//! Nodes of a cluster with a real nats-server between them.

#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "../../tests/support/nats.rs"]
mod nats;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use nats::Nats;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use touchline_registry::{Announcement, Load, Metrics, Registry, Role, Settings, Snapshot, Standing, Store};

/// Nothing here takes longer unless it is broken.
const PATIENCE: Duration = Duration::from_secs(30);
/// Short, so that a test need not wait long for one to run out.
const SHORT: Duration = Duration::from_millis(800);
const LONG: Duration = Duration::from_mins(1);

/// A node that takes part.
struct Node {
    registry: Registry,
    metrics: Metrics,
    task: JoinHandle<()>,
    leaving: CancellationToken,
}

impl Node {
    fn start(name: &str, url: &str, lease: Duration) -> Self {
        Self::remembering(name, url, lease, None)
    }

    fn remembering(name: &str, url: &str, lease: Duration, state: Option<&Path>) -> Self {
        let settings = Settings {
            node: name.parse().unwrap(),
            url: format!("http://{name}"),
            role: if name == "edge" { Role::Edge } else { Role::Origin },
            lease,
            state: state.map(Path::to_owned),
            load: Arc::new(Load::default),
        };
        let store = touchline_registry::Nats::new(vec![url.parse().unwrap()], None, "touchline".into());
        let metrics = Metrics::default();
        let (registry, task) = Registry::open(settings, Store::Nats(store), metrics.clone());
        let leaving = CancellationToken::new();
        let task = tokio::spawn(task.run(leaving.clone()));
        Self { registry, metrics, task, leaving }
    }

    fn announce(&self, channel: &str) -> Announcement {
        self.registry.announce(channel.parse().unwrap())
    }

    /// Where a channel is to be had, by what is known here.
    fn origins(&self, channel: &str) -> String {
        told(&self.registry.snapshot(), channel)
    }

    fn epoch(&self, channel: &str) -> u64 {
        self.registry.origins(&channel.parse().unwrap()).epoch
    }

    /// Waits until it is told that a channel is to be had there.
    async fn sees(&self, channel: &str, expected: &str) {
        self.until(|snapshot| told(snapshot, channel) == expected, expected).await;
    }

    /// Waits until a channel has another holder, or has been claimed anew.
    async fn rises(&self, channel: &str, before: u64) {
        let above = |snapshot: &Snapshot| snapshot.origins(&channel.parse().unwrap()).epoch > before;
        self.until(above, "the epoch rises").await;
    }

    async fn until(&self, condition: impl FnMut(&Snapshot) -> bool, what: &str) {
        let mut condition = condition;
        let mut snapshots = self.registry.subscribe();
        let seen = timeout(PATIENCE, snapshots.wait_for(|snapshot| condition(snapshot))).await.map(|seen| seen.is_ok());
        assert_eq!(seen, Ok(true), "{what}: {:?}", self.registry.snapshot());
    }

    /// The process ends on the spot.
    fn kill(self) {
        self.task.abort();
    }

    async fn leave(self) {
        self.leaving.cancel();
        self.task.await.unwrap();
    }
}

fn told(snapshot: &Snapshot, channel: &str) -> String {
    let told = snapshot.origins(&channel.parse().unwrap()).origins.into_iter().map(|origin| match origin.standing {
        Standing::Live => origin.node.to_string(),
        standing => format!("{} ({standing:?})", origin.node),
    });
    told.collect::<Vec<_>>().join(", ")
}

/// A way to the server that can be cut.
struct Wire {
    url: String,
    task: JoinHandle<()>,
    port: u16,
    to: u16,
}

impl Wire {
    async fn to(server: &Nats) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let to = server.port();
        Self { url: format!("nats://127.0.0.1:{port}"), task: tokio::spawn(carry(listener, to)), port, to }
    }

    async fn cut(&mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }

    async fn mend(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.unwrap();
        self.task = tokio::spawn(carry(listener, self.to));
    }
}

async fn carry(listener: TcpListener, to: u16) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (mut near, _) = listener.accept().await.unwrap();
        connections.spawn(async move {
            if let Ok(mut far) = TcpStream::connect(("127.0.0.1", to)).await {
                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            }
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn channels_are_announced_found_and_given_up() {
    let server = Nats::start();
    let (a, b, edge) = (
        Node::start("a", &server.url(), LONG),
        Node::start("b", &server.url(), LONG),
        Node::start("edge", &server.url(), LONG),
    );
    let on_a = a.announce("main");
    edge.sees("main", "a").await;
    let on_b = b.announce("main");
    edge.sees("main", "a, b").await;
    assert_eq!(edge.registry.origins(&"main".parse().unwrap()).origins[0].url, "http://a");
    assert_eq!(edge.registry.snapshot().live(Role::Origin), 2);
    drop(on_a);
    edge.sees("main", "b").await;
    drop(on_b);
    edge.sees("main", "").await;
    let _other = b.announce("cam.1");
    edge.sees("cam.1", "b").await;
    b.leave().await;
    edge.until(|snapshot| snapshot.nodes.len() == 2, "it has left").await;
    assert_eq!(edge.origins("cam.1"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stands_by_takes_over_when_a_lease_runs_out() {
    let server = Nats::start();
    let (a, b, edge) = (
        Node::start("a", &server.url(), SHORT),
        Node::start("b", &server.url(), SHORT),
        Node::start("edge", &server.url(), SHORT),
    );
    let _on_a = a.announce("main");
    edge.sees("main", "a").await;
    let _on_b = b.announce("main");
    edge.sees("main", "a, b").await;
    let before = edge.epoch("main");
    a.kill();
    edge.rises("main", before).await;
    assert_eq!(edge.origins("main"), "b, a (Lapsed)");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_claim_a_channel_at_once_are_put_in_an_order() {
    let server = Nats::start();
    let nodes: Vec<Node> = ["a", "b", "c", "d"].iter().map(|name| Node::start(name, &server.url(), LONG)).collect();
    let edge = Node::start("edge", &server.url(), LONG);
    edge.until(|snapshot| snapshot.live(Role::Origin) == nodes.len(), "all are there").await;
    let _claims: Vec<Announcement> = nodes.iter().map(|node| node.announce("main")).collect();
    let four = |snapshot: &Snapshot| snapshot.origins(&"main".parse().unwrap()).origins.len() == nodes.len();
    edge.until(four, "all have claimed it").await;
    let order = edge.origins("main");
    for node in &nodes {
        node.sees("main", &order).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_cut_off_cannot_take_a_channel_back() {
    let server = Nats::start();
    let mut wire = Wire::to(&server).await;
    let (a, b, edge) = (
        Node::start("a", &wire.url, SHORT),
        Node::start("b", &server.url(), SHORT),
        Node::start("edge", &server.url(), SHORT),
    );
    let _on_a = a.announce("main");
    edge.sees("main", "a").await;
    let _on_b = b.announce("main");
    a.sees("main", "a, b").await;
    let before = edge.epoch("main");
    wire.cut().await;
    edge.rises("main", before).await;
    assert_eq!(edge.origins("main"), "b, a (Lapsed)");
    assert_eq!(a.origins("main"), "a, b", "it knows of nothing");
    let epoch = edge.epoch("main");
    wire.mend().await;
    edge.sees("main", "b, a").await;
    a.sees("main", "b, a").await;
    assert_eq!((edge.epoch("main"), a.metrics.fenced.get()), (epoch, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_server_is_killed_lookups_go_on_and_all_is_there_when_it_is() {
    let mut server = Nats::start();
    let (a, edge) = (Node::start("a", &server.url(), SHORT), Node::start("edge", &server.url(), SHORT));
    let on_a = a.announce("main");
    edge.sees("main", "a").await;
    server.kill();
    edge.until(|snapshot| !snapshot.connected, "it is gone").await;
    // Longer than a lease.
    tokio::time::sleep(2 * SHORT).await;
    assert_eq!(edge.origins("main"), "a");
    // What happens meanwhile is told later.
    let _more = a.announce("second");
    drop(on_a);
    server.restart();
    edge.sees("second", "a").await;
    edge.sees("main", "").await;
    assert!(edge.metrics.failures.get() > 0 && edge.metrics.connected.get() == 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_has_lost_its_disk_is_told_anew() {
    let mut server = Nats::start();
    let (a, edge) = (Node::start("a", &server.url(), LONG), Node::start("edge", &server.url(), LONG));
    let _on_a = a.announce("main");
    edge.sees("main", "a").await;
    let before = edge.epoch("main");
    server.kill();
    server.forget();
    server.restart();
    edge.rises("main", before).await;
    assert_eq!(edge.origins("main"), "a");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_starts_while_the_server_is_away_knows_what_was_known() {
    let mut server = Nats::start();
    let directory = tempfile::tempdir().unwrap();
    let a = Node::start("a", &server.url(), LONG);
    let _on_a = a.announce("main");
    let edge = Node::remembering("edge", &server.url(), LONG, Some(directory.path()));
    edge.sees("main", "a").await;
    // It is written within a second.
    let kept = || std::fs::read_to_string(directory.path().join("registry.json")).unwrap_or_default();
    timeout(PATIENCE, async {
        while !kept().contains("\"main\"") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap();
    edge.kill();
    server.kill();
    let edge = Node::remembering("edge", &server.url(), LONG, Some(directory.path()));
    assert_eq!(edge.origins("main"), "a", "before anything has been asked of anybody");
    assert!(!edge.registry.snapshot().connected);
    server.restart();
    edge.until(|snapshot| snapshot.connected, "it is there").await;
    edge.sees("main", "a").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_pathway_is_drained_on_every_node() {
    let server = Nats::start();
    let (a, edge) = (Node::start("a", &server.url(), LONG), Node::start("edge", &server.url(), LONG));
    a.registry.drain("cdn-a".parse().unwrap(), true).unwrap();
    edge.until(|snapshot| snapshot.drained.len() == 1, "it is drained").await;
    edge.registry.drain("cdn-a".parse().unwrap(), false).unwrap();
    a.until(|snapshot| snapshot.drained.is_empty(), "it is not").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_shown_to_the_server() {
    let server = Nats::start_with(|_| ["--user", "touchline", "--pass", "hush"].map(String::from).to_vec());
    let edge = Node::start("edge", &server.url().replace("//", "//touchline:hush@"), LONG);
    edge.until(|snapshot| snapshot.connected, "it is let in").await;
    let stranger = Node::start("stranger", &server.url(), LONG);
    timeout(PATIENCE, async {
        while stranger.metrics.failures.get() == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap();
    assert!(!stranger.registry.snapshot().connected);
}
