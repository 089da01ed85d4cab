//! Real servers and real edges.

mod support;

use support::{Server, get, session, until};

const FIXTURE: &str = "ffmpeg-5.1-h264-aac-bframes.rtmp";
const LISTS: [&str; 3] = ["/live/main/index.m3u8", "/live/main/video/index.m3u8", "/live/main/audio/index.m3u8"];

fn lists(server: &Server) -> Vec<String> {
    LISTS.iter().map(|path| server.text(path)).collect()
}

#[test]
fn an_edge_and_an_edge_of_it_serve_what_their_origin_does() {
    let origin = Server::start("");
    let relay = Server::edge(&[&origin], "");
    let edge = Server::edge(&[&relay], "");
    let bytes = session(FIXTURE);
    let (half, rest) = bytes.split_at(bytes.len() / 2);
    let publisher = origin.publish(half);
    until(|| origin.get(LISTS[0]).0 == 200 && edge.get(LISTS[0]).0 == 200);
    publisher.send(rest);
    publisher.finish();
    until(|| origin.log().contains("the publisher has left"));
    let there = lists(&origin);
    until(|| lists(&edge) == there && lists(&relay) == there);
    for list in there.iter().skip(1).zip(["video", "audio"]) {
        for name in list.0.lines().filter(|line| !line.starts_with('#')) {
            let path = format!("/live/main/{}/{name}", list.1);
            assert_eq!(edge.get(&path), origin.get(&path), "{path}");
        }
    }
    let (_, metrics) = get(edge.admin, "/metrics");
    let metrics = String::from_utf8(metrics).unwrap();
    assert!(metrics.contains("touchline_edge_replication_mismatches_total 0\n"), "{metrics}");
    assert_eq!(get(edge.admin, "/readyz").0, 200);
    let (code, log) = edge.drain();
    assert_eq!(code, Some(0), "{log}");
}

#[test]
fn an_edge_whose_origin_is_killed_serves_what_it_has() {
    let origin = Server::start("");
    let edge = Server::edge(&[&origin], "");
    let publisher = origin.publish(&session(FIXTURE));
    until(|| origin.get(LISTS[0]).0 == 200 && edge.get(LISTS[0]).0 == 200);
    until(|| lists(&edge) == lists(&origin));
    let before = lists(&edge);
    origin.kill();
    until(|| edge.log().contains("no longer followed"));
    assert_eq!(lists(&edge), before);
    publisher.finish();
}

#[test]
fn viewers_go_on_with_the_second_origin_when_the_first_one_is_killed() {
    let (first, second) = (Server::start(""), Server::start(""));
    let edge = Server::edge(&[&first, &second], "");
    let bytes = session(FIXTURE);
    let (half, rest) = bytes.split_at(bytes.len() / 2);
    let (_to_first, to_second) = (first.publish(half), second.publish(half));
    until(|| [&first, &second, &edge].iter().all(|server| server.get(LISTS[1]).0 == 200));
    until(|| metric(&edge, "touchline_edge_replication_snapshots_total 2"));
    until(|| lists(&edge) == lists(&first));
    let before = edge.text(LISTS[1]);
    first.kill();
    until(|| edge.text(LISTS[1]).contains("#EXT-X-DISCONTINUITY\n"));
    let begin = before.lines().find(|line| line.starts_with("#EXT-X-PROGRAM-DATE-TIME")).unwrap();
    assert!(edge.text(LISTS[1]).contains(begin), "what was listed stays");
    to_second.send(rest);
    to_second.finish();
    until(|| second.log().contains("the publisher has left"));
    let newest = second.text(LISTS[1]).lines().rfind(|line| !line.starts_with('#')).unwrap().to_owned();
    until(|| edge.text(LISTS[1]).contains(&newest));
    let path = format!("/live/main/video/{newest}");
    assert_eq!(edge.get(&path), second.get(&path));
    assert_eq!(edge.get(LISTS[0]).0, 200);
}

fn metric(server: &Server, line: &str) -> bool {
    let (_, body) = get(server.admin, "/metrics");
    String::from_utf8_lossy(&body).lines().any(|l| l == line)
}
