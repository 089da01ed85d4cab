//! What a person reads who makes a mistake.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use support::{Server, get, touchline};

fn fails(args: &[&str]) -> String {
    let output = touchline().args(args).output().unwrap();
    assert!(!output.status.success(), "{args:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn publishing_is_not_left_open_to_the_network() {
    insta::assert_snapshot!(fails(&["serve", "--rtmp", ":0", "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0"]), @r#"error: refusing to listen for publishers on :0 without publish keys: anybody who reaches it could publish. Set keys with TOUCHLINE_PUBLISH_KEYS=main=SECRET or in touchline.toml ([publish.keys], main = "SECRET"), or listen on loopback with --rtmp 127.0.0.1:1935"#);
}

#[test]
fn a_port_that_is_taken_is_named_with_the_flag_to_change() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let error = fails(&["serve", "--rtmp", "127.0.0.1:0", "--http", &address, "--admin", "127.0.0.1:0"]);
    let error = error.replace(&address, "ADDRESS");
    insta::assert_snapshot!(error, @"error: cannot listen for viewers on ADDRESS; choose another address with --http: Address already in use (os error 98)");
}

#[test]
fn a_certificate_that_cannot_be_shown_stops_the_start_with_what_to_do() {
    let start = ["serve", "--rtmp", "127.0.0.1:0", "--srt", "off", "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    let with = |args: &[&str]| fails(&[&start[..], &["--https", "127.0.0.1:0"], args].concat());
    let errors = [
        with(&[]),
        with(&["--certificate", "/nowhere/live.pem", "--key", "/nowhere/live.key"]),
        with(&["--certificate", "live.pem", "--self-signed"]),
        fails(&[&start[..], &["--self-signed"]].concat()),
    ];
    insta::assert_snapshot!(errors.concat());
}

#[test]
fn viewers_by_tls_have_a_listener_of_their_own() {
    let server = Server::start("[https]\nlisten = \"127.0.0.1:0\"\nself_signed = true\n");
    let mut socket = TcpStream::connect(server.https.unwrap()).unwrap();
    socket.write_all(b"GET / HTTP/1.1\r\nHost: edge.test\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    // RFC 8446 5.1: a record of type alert.
    assert_eq!(answer.first(), Some(&21));
    let (code, log) = server.drain();
    assert_eq!(code, Some(0), "{log}");
}

#[test]
fn a_directory_for_segments_that_cannot_be_used_stops_the_start() {
    // This file: it is no directory.
    let config = std::env::temp_dir().join(format!("touchline-spool-{}.toml", std::process::id()));
    let file = config.to_str().unwrap();
    std::fs::write(&config, format!("[hls]\nspool = \"{file}\"\n")).unwrap();
    let listen = ["--http", "127.0.0.1:0", "--rtmp", "127.0.0.1:0", "--srt", "off", "--admin", "127.0.0.1:0"];
    let error = fails(&[&["serve", "--config", file], &listen[..]].concat()).replace(file, "FILE");
    std::fs::remove_file(&config).unwrap();
    insta::assert_snapshot!(error, @"error: segments cannot be kept in FILE: File exists (os error 17); choose a directory that the user that the server runs as may write ([hls] spool)");
}

#[test]
fn config_check_tells_every_mistake_and_fails() {
    let file = std::env::temp_dir().join(format!("touchline-check-{}.toml", std::process::id()));
    std::fs::write(&file, "[hls]\npart = \"9s\"\nsegmnt = \"2s\"\n[rtmp]\nlisten = \"nowhere\"\n").unwrap();
    let error = fails(&["config", "check", file.to_str().unwrap()]).replace(file.to_str().unwrap(), "FILE");
    insta::assert_snapshot!(error, @r#"
    error: FILE has 3 mistakes:
      line 2: hls.part: 9s is out of range: from 150ms to 2s
      line 3: hls.segmnt: is not a setting; here there are: part, profile, segment, spool, window
      line 5: rtmp.listen: "nowhere" is not an address to listen on; write for example "127.0.0.1:8080" or ":8080"
    "#);
    std::fs::write(&file, "[hls]\npart = \"200ms\"\n").unwrap();
    assert!(touchline().args(["config", "check"]).arg(&file).status().unwrap().success());
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn operators_get_health_readiness_and_metrics() {
    let server = Server::start("");
    let text = |path: &str| {
        let (status, body) = get(server.admin, path);
        (status, String::from_utf8(body).unwrap())
    };
    assert_eq!(text("/healthz"), (200, "ok\n".into()));
    assert_eq!(text("/readyz"), (200, "ready\n".into()));
    let (status, metrics) = text("/metrics");
    assert_eq!(status, 200);
    for name in ["touchline_edge_held_requests", "touchline_ingest_"] {
        assert!(metrics.contains(name), "{name} is missing:\n{metrics}");
    }
    assert!(metrics.ends_with("# EOF\n"));
    let (code, log) = server.drain();
    assert_eq!(code, Some(0), "{log}");
}
