//! What happens to a channel when its publisher goes, returns, or is not alone.

mod support;

use std::collections::BTreeSet;

use support::{Server, session};

const FIXTURE: &str = "ffmpeg-5.1-h264-aac-bframes.rtmp";
const PLAYLIST: &str = "/live/main/video/index.m3u8";

#[test]
fn a_publisher_that_returns_goes_on_in_the_same_channel_after_a_discontinuity() {
    let server = Server::start("[channels]\ngrace = \"60s\"\n");
    server.replay("ffmpeg-5.1-killed.rtmp");
    let before = server.text(PLAYLIST);
    server.replay("ffmpeg-5.1-killed.rtmp");
    let after = server.text(PLAYLIST);

    assert!(!after.contains("#EXT-X-ENDLIST"), "{after}");
    assert_eq!(after.matches("#EXT-X-DISCONTINUITY\n").count(), 1, "{after}");
    let (old, new) = (uris(&before), uris(&after));
    assert!(old.is_subset(&new), "what was listed stays listed:\n{before}\n{after}");
    let number = |text: &str, tag: &str| -> u64 {
        text.lines().find_map(|line| line.strip_prefix(tag)?.parse().ok()).unwrap_or_default()
    };
    let last_msn = |text: &str| number(text, "#EXT-X-MEDIA-SEQUENCE:") + text.matches("#EXTINF:").count() as u64;
    assert!(last_msn(&after) > last_msn(&before));
    for tag in ["#EXT-X-TARGETDURATION:", "#EXT-X-PART-INF:", "#EXT-X-SERVER-CONTROL:"] {
        let line = |text: &str| text.lines().find(|line| line.starts_with(tag)).map(str::to_owned);
        assert_eq!(line(&before), line(&after));
    }
}

#[test]
fn no_url_is_used_twice_when_a_channel_opens_anew() {
    let server = Server::start("[channels]\ngrace = \"0s\"\n");
    server.replay(FIXTURE);
    support::until(|| server.text(PLAYLIST).contains("#EXT-X-ENDLIST"));
    let before = uris(&server.text(PLAYLIST));
    server.replay(FIXTURE);
    let after = uris(&server.text(PLAYLIST));
    assert!(!before.is_empty() && !after.is_empty());
    assert_eq!(before.intersection(&after).count(), 0, "{before:?}\n{after:?}");
}

#[test]
fn a_second_publisher_is_refused_with_a_reason_and_the_first_goes_on() {
    let server = Server::start("");
    let bytes = session(FIXTURE);
    let (half, rest) = bytes.split_at(bytes.len() / 2);
    let first = server.publish(half);
    wait_for(&server, PLAYLIST);
    let answer = server.publish(&session(FIXTURE)).finish();
    assert!(answer.contains("somebody publishes into this channel already"), "{answer}");
    assert!(server.log().contains("publisher refused: somebody publishes"), "{}", server.log());
    first.send(rest);
    assert!(!first.finish().contains("somebody"));
    assert!(!server.text(PLAYLIST).contains("#EXT-X-DISCONTINUITY\n"));
}

#[test]
fn a_second_publisher_takes_over_where_that_is_set() {
    let server = Server::start("[publish]\ntakeover = \"replace\"\n");
    let bytes = session(FIXTURE);
    let (half, rest) = bytes.split_at(bytes.len() / 2);
    let first = server.publish(half);
    wait_for(&server, PLAYLIST);
    let second = server.publish(&bytes);
    support::until(|| server.text(PLAYLIST).contains("#EXT-X-DISCONTINUITY\n"));
    first.send(rest);
    let answer = first.finish();
    assert!(answer.contains("another encoder has taken over this channel"), "{answer}");
    assert!(!second.finish().contains("taken over"));
    assert!(server.log().contains("another publisher takes over"), "{}", server.log());
}

#[test]
fn keys_let_in_who_has_one() {
    let server = Server::start("[publish.keys]\nmain = { studio = \"secret\", spare = \"other\" }\n");
    let answer = server.publish(&session(FIXTURE)).finish();
    assert!(answer.contains("the key is missing or wrong"), "{answer}");
    assert_eq!(server.get(PLAYLIST).0, 404);
    server.replay("ffmpeg-5.1-key-in-stream-name.rtmp");
    server.text(PLAYLIST);
    assert!(!server.log().contains("=secret"), "{}", server.log());
    assert!(server.log().contains("the key is that of studio"), "{}", server.log());
}

#[test]
fn a_long_keyframe_interval_is_played_and_told_in_words() {
    let server = Server::start("[hls]\nsegment = \"1s\"\n");
    server.replay("ffmpeg-5.1-one-keyframe.rtmp");
    assert!(server.log().contains("Set the encoder's keyframe interval"), "{}", server.log());
    let playlist = server.text(PLAYLIST);
    let longest = playlist.lines().filter_map(|line| line.strip_prefix("#EXTINF:")?.strip_suffix(',')?.parse().ok());
    assert!(longest.fold(0.0, f64::max) < 1.5, "{playlist}");
    assert!(!server.text("/live/main/index.m3u8").contains("INDEPENDENT-SEGMENTS"));
}

#[test]
fn a_drain_ends_the_playlists_answers_who_waits_and_exits_with_0() {
    let server = Server::start("");
    let publisher = server.publish(&session(FIXTURE)[..40_000]);
    wait_for(&server, PLAYLIST);
    let playlist = server.text(PLAYLIST);
    let msn: u64 = playlist.lines().find_map(|l| l.strip_prefix("#EXT-X-MEDIA-SEQUENCE:")?.parse().ok()).unwrap();
    let next = msn + playlist.matches("#EXTINF:").count() as u64 + 1;
    let http = server.http;
    let held = std::thread::spawn(move || support::get(http, &format!("{PLAYLIST}?_HLS_msn={next}")));
    wait_for_metric(&server, "touchline_edge_held_requests 1");
    let (code, log) = server.drain();
    assert_eq!(code, Some(0), "{log}");
    let (status, body) = held.join().unwrap();
    assert_eq!(status, 200);
    assert!(String::from_utf8(body).unwrap().ends_with("#EXT-X-ENDLIST\n"));
    publisher.finish();
}

/// The names that a playlist lists.
fn uris(playlist: &str) -> BTreeSet<String> {
    let parts =
        playlist.lines().filter(|line| line.starts_with("#EXT-X-PART:")).filter_map(|line| line.split('"').nth(1));
    parts.chain(playlist.lines().filter(|line| !line.starts_with('#'))).map(str::to_owned).collect()
}

/// Returns as soon as the server has something there: it reads a publisher's bytes in its own time.
fn wait_for(server: &Server, path: &str) {
    support::until(|| server.get(path).0 != 404);
}

fn wait_for_metric(server: &Server, line: &str) {
    support::until(|| {
        let (_, body) = support::get(server.admin, "/metrics");
        String::from_utf8_lossy(&body).lines().any(|l| l == line)
    });
}
