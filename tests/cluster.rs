//! Nodes that know of each other by NATS: what they tell, and what becomes of viewers when NATS or an origin is killed.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "support/nats.rs"]
mod nats;
mod support;

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nats::Nats;
use serde_json::Value;
use support::{Server, get, until};

const PLAYLIST: &str = "/live/main/video/index.m3u8";
/// Segments of a second, so that parts of the second before are not the newest for long.
const HLS: &str = "[hls]\nsegment = \"1s\"\n";
/// Viewers that ask for every version of a playlist.
const VIEWERS: usize = 20;

/// The settings of a node.
fn node(name: &str, nats: &Nats) -> String {
    format!(
        "{HLS}[cluster]\nnode = \"{name}\"\nadvertise = \"http://127.0.0.1:0\"\nnats = [\"{}\"]\nlease = \"1s\"\n",
        nats.url()
    )
}

/// What a node knows of the cluster.
fn known(server: &Server) -> Value {
    known_at(server.admin)
}

fn known_at(admin: SocketAddr) -> Value {
    let (status, body) = get(admin, "/api/v1/cluster");
    assert_eq!(status, 200);
    serde_json::from_slice(&body).unwrap()
}

/// The nodes that have a channel, by what a server knows.
fn claims(server: &Server, channel: &str) -> Vec<String> {
    let known = known(server);
    let claims = known["channels"][channel]["claims"].as_array().cloned().unwrap_or_default();
    claims.iter().map(|claim| claim["node"].as_str().unwrap().to_owned()).collect()
}

fn is_connected(server: &Server) -> bool {
    known(server)["connected"] == true
}

/// A publisher in real time, into as many servers as there are.
struct Feed(Child);

impl Feed {
    fn start(servers: &[&Server]) -> Self {
        let mut command = Command::new("ffmpeg");
        command
            .args(["-v", "error", "-nostdin", "-re", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=30"])
            .args([
                "-re",
                "-f",
                "lavfi",
                "-i",
                "sine=sample_rate=48000",
                "-map",
                "0:v",
                "-map",
                "1:a",
                "-pix_fmt",
                "yuv420p",
            ])
            .args(["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-b:v", "200k", "-g", "30"])
            .args(["-c:a", "aac", "-b:a", "64k", "-flags", "+global_header", "-f", "tee"]);
        let outputs = servers.iter().map(|server| format!("[f=flv:onfail=ignore]rtmp://{}/live/main", server.rtmp));
        Self(command.arg(outputs.collect::<Vec<_>>().join("|")).spawn().unwrap())
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Viewers who ask for each part of a playlist as soon as the one before has come, as players do.
struct Crowd {
    over: Arc<AtomicBool>,
    viewers: Vec<JoinHandle<Watched>>,
}

/// What one of them has seen.
#[derive(Debug, Default)]
struct Watched {
    playlists: usize,
    /// Answers other than 200.
    refusals: Vec<u16>,
    longest_wait: Duration,
}

impl Crowd {
    fn watch(http: SocketAddr) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let viewers = (0..VIEWERS).map(|_| {
            let over = Arc::clone(&over);
            std::thread::spawn(move || watch(http, &over))
        });
        Self { viewers: viewers.collect(), over }
    }

    fn leave(self) -> Vec<Watched> {
        self.over.store(true, Ordering::Relaxed);
        self.viewers.into_iter().map(|viewer| viewer.join().unwrap()).collect()
    }
}

fn watch(http: SocketAddr, over: &AtomicBool) -> Watched {
    let mut watched = Watched::default();
    let mut next = String::new();
    while !over.load(Ordering::Relaxed) {
        let asked = Instant::now();
        let (status, body) = get(http, &format!("{PLAYLIST}{next}"));
        watched.longest_wait = watched.longest_wait.max(asked.elapsed());
        if status != 200 {
            watched.refusals.push(status);
            continue;
        }
        watched.playlists += 1;
        next = following(&String::from_utf8(body).unwrap());
    }
    watched
}

/// The directives for what follows the last part of a playlist.
fn following(playlist: &str) -> String {
    let first: usize =
        playlist.lines().find_map(|line| line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:")?.parse().ok()).unwrap();
    let whole = playlist.matches("#EXTINF:").count();
    let after = playlist.rsplit("#EXTINF:").next().unwrap();
    let parts = after.matches("#EXT-X-PART:").count();
    format!("?_HLS_msn={}&_HLS_part={parts}", first + whole)
}

#[test]
fn a_live_channel_is_known_to_every_node_until_its_node_drains() {
    let nats = Nats::start();
    let (a, b) = (Server::start(&node("a", &nats)), Server::start(&node("b", &nats)));
    let _feed = Feed::start(&[&a]);
    until(|| claims(&b, "main") == ["a"]);
    let known = known(&b);
    assert_eq!(known["nodes"]["a"]["url"], format!("http://{}", a.http));
    assert_eq!((&known["nodes"]["a"]["role"], &known["nodes"]["a"]["live"]), (&"origin".into(), &true.into()));
    let (code, log) = a.drain();
    assert_eq!(code, Some(0), "{log}");
    until(|| claims(&b, "main").is_empty());
    until(|| self::known(&b)["nodes"].as_object().unwrap().len() == 1);
}

#[test]
fn a_channel_whose_publisher_has_left_is_held_by_who_stands_by() {
    let nats = Nats::start();
    let (a, b) = (Server::start(&node("a", &nats)), Server::start(&node("b", &nats)));
    let on_a = Feed::start(&[&a]);
    until(|| claims(&b, "main") == ["a"]);
    let _on_b = Feed::start(&[&b]);
    until(|| claims(&b, "main") == ["a", "b"]);
    drop(on_a);
    until(|| claims(&b, "main") == ["b", "a"]);
    assert_eq!(known(&b)["channels"]["main"]["claims"][1]["resting"], true);
}

#[test]
fn a_killed_nats_changes_nothing_for_publishers_and_viewers() {
    let mut nats = Nats::start();
    let server = Server::start(&node("a", &nats));
    let _feed = Feed::start(&[&server]);
    until(|| claims(&server, "main") == ["a"]);
    until(|| server.get(PLAYLIST).0 == 200);
    let crowd = Crowd::watch(server.http);
    let seen = || server.text(PLAYLIST).matches("#EXTINF:").count();
    until(|| seen() >= 3);
    nats.kill();
    until(|| !is_connected(&server));
    let before = seen();
    until(|| seen() >= before + 3);
    assert_eq!(claims(&server, "main"), ["a"], "what was known is known");
    nats.restart();
    until(|| is_connected(&server));
    let before = seen();
    until(|| seen() >= before + 2);
    for watched in crowd.leave() {
        assert!(watched.refusals.is_empty() && watched.playlists > 20, "{watched:?}");
        assert!(watched.longest_wait < Duration::from_secs(2), "{watched:?}");
    }
    assert!(!server.text(PLAYLIST).contains("#EXT-X-DISCONTINUITY\n"));
    let log = server.log();
    assert!(log.contains("Nobody who is connected is touched") && log.contains("the registry is there again"), "{log}");
}

#[test]
fn without_nats_a_node_starts_and_takes_publishers_all_the_same() {
    let mut nats = Nats::start();
    nats.kill();
    let server = Server::start(&node("a", &nats));
    server.replay("ffmpeg-5.1-h264-aac-bframes.rtmp");
    server.text(PLAYLIST);
    assert!(!is_connected(&server));
    nats.restart();
    until(|| claims(&server, "main") == ["a"]);
}

#[test]
fn a_pathway_that_is_drained_on_one_node_is_drained_on_the_other() {
    let nats = Nats::start();
    let steering = "[steering.pathways]\ncdn-a = { base = \"https://a.example/\", weight = 3 }\ncdn-b = { base = \"https://b.example/\" }\n";
    let (a, b) = (Server::start(&(node("a", &nats) + steering)), Server::start(&(node("b", &nats) + steering)));
    let first = |server: &Server| {
        let manifest: Value = serde_json::from_slice(&server.get("/steering/main.json?bucket=0").1).unwrap();
        manifest["PATHWAY-PRIORITY"].clone()
    };
    assert_eq!(first(&a), first(&b), "nobody has to be asked");
    order(a.admin, "POST", "cdn-a", 200);
    until(|| first(&b) == serde_json::json!(["cdn-b"]));
    order(b.admin, "DELETE", "cdn-a", 200);
    until(|| first(&a).as_array().unwrap().len() == 2);
    order(b.admin, "POST", "cdn-z", 404);
    b.replay("ffmpeg-5.1-h264-aac-bframes.rtmp");
    let text = b.text("/live/main/index.m3u8");
    assert!(
        text.contains("#EXT-X-CONTENT-STEERING:SERVER-URI=\"../../steering/main.json\",PATHWAY-ID=\"cdn-a\""),
        "{text}"
    );
    assert!(text.contains("\nhttps://b.example/live/main/video/index.m3u8\n"), "{text}");
}

/// Orders on the admin listener.
fn order(admin: SocketAddr, method: &str, pathway: &str, expected: u16) {
    let (status, body) = support::send(admin, method, &format!("/api/v1/steering/pathways/{pathway}/drain"));
    assert_eq!(status, expected, "{}", String::from_utf8_lossy(&body));
}

/// A running `touchline edge` that takes its origins from the registry. Dropping it ends the process.
struct Edge {
    child: Child,
    http: SocketAddr,
    admin: SocketAddr,
    _file: tempfile::NamedTempFile,
}

impl Edge {
    fn start(name: &str, nats: &Nats) -> Self {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), node(name, nats)).unwrap();
        let mut command = support::touchline();
        command.args(["edge", "--http=127.0.0.1:0", "--admin=127.0.0.1:0", "--config"]).arg(file.path());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut address =
            || lines.next().unwrap().unwrap().split(['/', ' ']).find_map(|word| word.parse().ok()).unwrap();
        let (http, admin) = (address(), address());
        // A process that nobody listens to may end of that.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, http, admin, _file: file }
    }

    fn text(&self, path: &str) -> String {
        let (status, body) = get(self.http, path);
        if status == 200 { String::from_utf8(body).unwrap() } else { String::new() }
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn an_edge_learns_from_the_registry_where_a_channel_is_and_turns_to_another_origin_when_that_is_killed() {
    let nats = Nats::start();
    let edge = Edge::start("edge", &nats);
    let (a, b) = (Server::start(&node("a", &nats)), Server::start(&node("b", &nats)));
    let _feed = Feed::start(&[&a, &b]);
    until(|| claims(&a, "main").len() == 2);
    until(|| edge.text(PLAYLIST).matches("#EXTINF:").count() >= 3);
    let (holder, other) = if claims(&a, "main") == ["a", "b"] { (a, b) } else { (b, a) };
    let killed = Instant::now();
    // Dropping a server kills it on the spot.
    drop(holder);
    let before = edge.text(PLAYLIST);
    until(|| {
        let now = edge.text(PLAYLIST);
        now.lines().last() != before.lines().last() && now.contains("#EXT-X-PART:")
    });
    println!("the playlist went on {:?} after the origin was killed", killed.elapsed());
    until(|| claims(&other, "main").first().is_some_and(|first| known(&other)["nodes"][first]["live"] == true));
    until(|| get(edge.http, PLAYLIST).0 == 200);
}

#[test]
fn an_edge_goes_on_when_nats_is_killed_and_finds_channels_that_it_knew() {
    let mut nats = Nats::start();
    let server = Server::start(&node("a", &nats));
    let _feed = Feed::start(&[&server]);
    let edge = Edge::start("edge", &nats);
    until(|| known_at(edge.admin)["channels"]["main"].is_object());
    nats.kill();
    until(|| !is_connected(&server));
    // Nobody has asked for the channel before.
    until(|| edge.text(PLAYLIST).contains("#EXTINF:"));
    let crowd = Crowd::watch(edge.http);
    let seen = || edge.text(PLAYLIST).matches("#EXTINF:").count();
    let before = seen();
    until(|| seen() >= before + 3);
    for watched in crowd.leave() {
        assert!(watched.refusals.is_empty() && watched.playlists > 5, "{watched:?}");
    }
}
