//! WHIP by plain HTTP: what a publisher is answered, and in which words.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::Value;
use support::{Server, fixtures, until};

/// An offer of Chromium 156 for a camera and a microphone, before any candidate is gathered.
const OFFER: &str = "chromium-156-camera-and-microphone.sdp";
const KEYS: &str = "[publish.keys]\nmain = \"secret\"\ncam2 = \"other\"\n";
const SDP: (&str, &str) = ("Content-Type", "application/sdp");
const FRAGMENT: (&str, &str) = ("Content-Type", "application/trickle-ice-sdpfrag");
const KEY: (&str, &str) = ("Authorization", "Bearer secret");

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    /// A header that must be there; of several of that name, the first.
    fn header(&self, name: &str) -> &str {
        self.find(name).unwrap_or_else(|| panic!("no {name} in {}", self.head))
    }

    fn find(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields.filter(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    /// The words of a refusal.
    fn detail(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem: Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(problem["status"], self.status);
        problem["detail"].as_str().unwrap().to_owned()
    }
}

/// One request over a connection of its own (RFC 9112).
fn ask(server: &Server, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut socket = TcpStream::connect(server.http).unwrap();
    let headers: String = headers.iter().flat_map(|(name, value)| [name, ": ", value, "\r\n"]).collect();
    let length = body.len();
    let host = server.http;
    write!(
        socket,
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
    )
    .unwrap();
    // A server that refuses a long body may not read all of it.
    let _ = socket.write_all(body.as_bytes());
    let mut answer = Vec::new();
    let read = socket.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("{method} {path}: {answer:?}, {read:?}\n{}", server.log()));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

fn offer() -> String {
    std::fs::read_to_string(fixtures().join(OFFER)).unwrap()
}

/// A session that is arranged, and what it was arranged with.
fn publish(server: &Server) -> Answer {
    let answer = ask(server, "POST", "/whip/main", &[SDP, KEY], &offer());
    assert_eq!(answer.status, 201, "{}{}\n{}", answer.head, answer.body, server.log());
    answer
}

/// An attribute of a session description.
fn attribute<'a>(sdp: &'a str, name: &str) -> &'a str {
    sdp.lines().find_map(|line| line.strip_prefix("a=")?.strip_prefix(name)?.strip_prefix(':')).unwrap()
}

#[test]
fn an_offer_is_answered_with_a_session_that_can_be_ended() {
    let config = "[webrtc]\nice_servers = [\"stun:stun.example.net\", { url = \"turn:turn.example.net\", username = \"u\", credential = \"p\" }]\n";
    let server = Server::start(&format!("{KEYS}{config}"));
    let created = publish(&server);
    assert_eq!(created.header("content-type"), "application/sdp");
    assert_eq!(created.header("cache-control"), "no-store");
    let exposed = created.header("access-control-expose-headers");
    assert!(["ETag", "Link", "Location"].iter().all(|name| exposed.contains(name)), "{exposed}");
    let session = created.header("location").to_owned();
    assert!(session.starts_with("/whip/main/") && session.len() == "/whip/main/".len() + 32, "{session}");
    let etag = created.header("etag");
    assert!(etag.starts_with('"') && etag.ends_with('"') && etag.len() > 2, "{etag}");
    let links: Vec<&str> = created
        .head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .filter(|(name, _)| *name == "link")
        .map(|(_, value)| value)
        .collect();
    assert_eq!(
        links,
        [
            &format!("<{session}/health>; rel=\"status\""),
            "<stun:stun.example.net>; rel=\"ice-server\"",
            "<turn:turn.example.net>; rel=\"ice-server\"; username=\"u\"; credential=\"p\"; credential-type=\"password\"",
        ]
    );
    let answer = &created.body;
    for line in ["a=ice-lite", "a=recvonly", "a=setup:passive", "a=rtcp-mux", "H264/90000", "opus/48000/2"] {
        assert!(answer.contains(line), "{line} in\n{answer}");
    }
    assert!(!answer.contains("VP8"), "{answer}");

    let health = format!("{session}/health");
    let report = ask(&server, "GET", &health, &[KEY], "");
    assert_eq!((report.status, report.header("content-type")), (200, "application/json"), "{}", report.body);
    let report: Value = serde_json::from_str(&report.body).unwrap();
    assert_eq!((&report["channel"], &report["protocol"]), (&"main".into(), &"WHIP".into()));
    assert_eq!(ask(&server, "GET", &health, &[], "").status, 401);
    assert_eq!(ask(&server, "DELETE", &session, &[("Authorization", "Bearer other")], "").status, 401);
    assert_eq!(ask(&server, "DELETE", &session, &[KEY], "").status, 200);
    for (method, path) in [("DELETE", &session), ("GET", &health)] {
        let gone = ask(&server, method, path, &[KEY], "");
        assert_eq!(gone.status, 404, "{method} {path}");
        assert_eq!(gone.detail(), "channel main: there is no such session, or it has ended: publish again");
    }
    // Its channel is free.
    publish(&server);
    assert!(!server.log().contains("secret"), "{}", server.log());
}

#[test]
fn a_patch_brings_candidates_or_restarts_ice() {
    let server = Server::start(KEYS);
    let created = publish(&server);
    let (session, etag) = (created.header("location"), created.header("etag"));
    let offer = offer();
    let (ufrag, password) = (attribute(&offer, "ice-ufrag"), attribute(&offer, "ice-pwd"));
    let fragment = |ufrag: &str, password: &str| {
        format!(
            "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=ice-ufrag:{ufrag}\r\na=ice-pwd:{password}\r\n\
             a=candidate:1 1 udp 2122260223 192.0.2.1 61764 typ host\r\na=end-of-candidates\r\n"
        )
    };
    let patch = |if_match: Option<&str>, body: &str| {
        let if_match = if_match.map(|etag| ("If-Match", etag));
        let headers: Vec<_> = [FRAGMENT, KEY].into_iter().chain(if_match).collect();
        ask(&server, "PATCH", session, &headers, body)
    };
    let same = fragment(ufrag, password);
    let trickled = patch(Some(etag), &same);
    assert_eq!((trickled.status, trickled.body.as_str(), trickled.find("etag")), (204, "", None));
    assert_eq!(patch(None, &same).status, 428);
    assert_eq!(patch(Some("\"another\""), &same).status, 412);

    let restarted = patch(Some("*"), &fragment("anew", "a-password-of-more-than-22-characters"));
    assert_eq!((restarted.status, restarted.header("content-type")), (200, FRAGMENT.1), "{}", restarted.body);
    assert_ne!(restarted.header("etag"), etag);
    for name in ["ice-ufrag", "ice-pwd"] {
        assert_ne!(attribute(&restarted.body, name), attribute(&created.body, name));
    }
    assert_eq!(patch(Some(etag), &same).status, 412, "of the ICE session before");
    let wrong_type = ask(&server, "PATCH", session, &[SDP, KEY, ("If-Match", "*")], &same);
    assert_eq!((wrong_type.status, wrong_type.header("accept-patch")), (415, FRAGMENT.1));
    let stranger = ask(&server, "PATCH", session, &[FRAGMENT, ("If-Match", "*")], &same);
    assert_eq!(stranger.status, 401);
}

#[test]
fn refusals_say_what_happened_to_which_channel_and_what_to_do() {
    let server = Server::start(KEYS);
    let offer = offer();
    let post = |path: &str, headers: &[(&str, &str)], body: &str| ask(&server, "POST", path, headers, body);
    let unauthorised = post("/whip/main", &[SDP], &offer);
    assert_eq!((unauthorised.status, unauthorised.header("www-authenticate")), (401, "Bearer realm=\"main\""));
    assert_eq!(unauthorised.detail(), "channel main: the key is missing or wrong");
    assert_eq!(post("/whip/cam2", &[SDP, KEY], &offer).status, 401, "the key of another channel");

    let not_sdp = post("/whip/main", &[("Content-Type", "application/json"), KEY], "{}");
    assert_eq!((not_sdp.status, not_sdp.header("accept-post")), (415, "application/sdp"));
    let nonsense = post("/whip/main", &[SDP, KEY], "hello");
    assert_eq!(nonsense.status, 400);
    assert!(nonsense.detail().starts_with("channel main: "), "{}", nonsense.body);
    let long = post("/whip/main", &[SDP, KEY], &"v=0\r\n".repeat(20_000));
    assert_eq!(
        (long.status, long.detail().as_str()),
        (413, "channel main: the body is longer than the 65536 bytes that are taken")
    );
    let only_vp8: String = offer
        .lines()
        .filter(|line| !["H264", "H265", "AV1"].iter().any(|codec| line.contains(codec)))
        .flat_map(|line| [line, "\r\n"])
        .collect();
    let unknown = post("/whip/main", &[SDP, KEY], &only_vp8);
    assert_eq!(unknown.status, 422, "{}", unknown.body);
    assert!(unknown.detail().contains("VP8"), "{}", unknown.body);

    publish(&server);
    let busy = post("/whip/main", &[SDP, KEY], &offer);
    assert_eq!(
        (busy.status, busy.detail().as_str()),
        (409, "channel main: somebody publishes into this channel already: stop that encoder, or use another channel")
    );

    for path in [
        "/whip/",
        "/whip/..",
        "/whip/a%20b",
        "/whip/main/x",
        "/whip/main/",
        "/whip/main/0123456789abcdef0123456789abcdef/x",
    ] {
        assert_eq!(post(path, &[SDP, KEY], &offer).status, 404, "{path}");
    }
    let unknown = ask(&server, "DELETE", "/whip/main/0123456789abcdef0123456789abcdef", &[KEY], "");
    assert_eq!(unknown.status, 404);
}

#[test]
fn methods_are_as_the_rfc_has_them() {
    let server = Server::start(KEYS);
    let session = publish(&server).header("location").to_owned();
    for path in ["/whip/main", &session] {
        for method in ["GET", "HEAD"] {
            let answer = ask(&server, method, path, &[], "");
            assert_eq!((answer.status, answer.body.as_str()), (204, ""), "{method} {path}");
        }
        assert_eq!(ask(&server, "PUT", path, &[SDP, KEY], "v=0\r\n").status, 405);
    }
    let put = ask(&server, "PUT", "/whip/main", &[], "");
    assert_eq!(put.header("allow"), "OPTIONS, GET, HEAD, POST");
    assert_eq!(put.detail(), "channel main: this takes OPTIONS, GET, HEAD, POST");
    assert_eq!(
        ask(&server, "POST", &session, &[SDP, KEY], "v=0\r\n").header("allow"),
        "OPTIONS, GET, HEAD, PATCH, DELETE"
    );

    let preflight = [("Origin", "https://studio.example"), ("Access-Control-Request-Method", "POST")];
    let options = ask(&server, "OPTIONS", "/whip/main", &preflight, "");
    assert_eq!((options.status, options.header("accept-post")), (200, "application/sdp"));
    assert_eq!(options.header("access-control-allow-origin"), "*");
    assert_eq!(options.header("access-control-allow-methods"), "OPTIONS, GET, HEAD, POST");
    assert_eq!(options.header("access-control-allow-headers"), "Authorization, Content-Type, If-Match");
    assert_eq!(ask(&server, "OPTIONS", &session, &preflight, "").header("accept-patch"), FRAGMENT.1);
}

#[test]
fn without_keys_pages_of_other_sites_do_not_publish() {
    let server = Server::start("");
    let post = |origin: &[(&str, &str)]| {
        let headers: Vec<_> = [SDP].iter().chain(origin).copied().collect();
        ask(&server, "POST", "/whip/main", &headers, &offer())
    };
    let foreign = post(&[("Origin", "https://elsewhere.example")]);
    assert_eq!(foreign.status, 403);
    assert!(foreign.detail().contains("set keys"), "{}", foreign.body);
    let own = post(&[("Origin", &format!("http://{}", server.http))]);
    assert_eq!(own.status, 201, "{}", own.body);
}

/// A door on this machine brings the whole world by the loopback.
#[test]
fn without_keys_nobody_publishes_by_a_proxy() {
    let server = Server::start("");
    for added in [("Via", "1.1 door"), ("Forwarded", "for=192.0.2.7"), ("X-Forwarded-For", "192.0.2.7")] {
        let passed_on = ask(&server, "POST", "/whip/main", &[SDP, added], &offer());
        assert_eq!(passed_on.status, 403, "{}: {}", added.0, passed_on.body);
        assert!(passed_on.detail().contains("set keys"), "{}", passed_on.body);
    }
}

#[test]
fn a_server_that_shuts_down_ends_its_sessions_and_takes_no_more() {
    let server = Server::start(KEYS);
    let session = publish(&server).header("location").to_owned();
    let publishers = || serde_json::from_slice::<Value>(&support::get(server.admin, "/api/v1/publishers").1).unwrap();
    until(|| publishers()[0]["protocol"] == "WHIP");
    assert_eq!(ask(&server, "DELETE", &session, &[KEY], "").status, 200);
    until(|| publishers().as_array().unwrap().is_empty());
    publish(&server);
    let (code, log) = server.drain();
    assert_eq!(code, Some(0), "{log}");
}
