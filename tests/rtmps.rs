//! Publishers by TLS.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;

use support::{Server, run, session, until};

const CONFIG: &str = "[channels]\ngrace = \"0s\"\n[rtmps]\nlisten = \"127.0.0.1:0\"\nself_signed = true\n";

#[test]
fn ffmpeg_publishes_by_tls() {
    let server = Server::start(CONFIG);
    let url = format!("rtmps://{}/live/main", server.rtmps.unwrap());
    let source = ["-f", "lavfi", "-i", "testsrc2=size=160x90:rate=30", "-f", "lavfi", "-i", "sine=sample_rate=48000"];
    let codecs = ["-t", "3", "-c:v", "libx264", "-g", "30", "-bf", "0", "-c:a", "aac", "-f", "flv", &url];
    run(Command::new("ffmpeg").args(["-v", "error", "-nostdin"]).args(source).args(codecs));
    until(|| server.log().contains("the publisher has left"));
    let log = server.log();
    assert!(log.contains("rtmps{") && log.contains("left: unpublished"), "{log}");

    let url = server.url("/live/main/index.m3u8");
    let decode = ["-nostdin", "-i", &url, "-map", "0", "-f", "null", "-"];
    let output = run(Command::new("ffmpeg").args(["-v", "warning"]).args(decode));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let url = server.url("/live/main/video/index.m3u8");
    let count = ["-v", "error", "-count_packets", "-show_entries", "stream=nb_read_packets", "-of", "csv=p=0", &url];
    let output = run(Command::new("ffprobe").args(count));
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().next(), Some("90"), "{log}");
}

#[test]
fn who_comes_to_the_wrong_port_is_told_of_the_other_one_in_the_log() {
    let server = Server::start(CONFIG);
    said_to(server.rtmps.unwrap(), &session("ffmpeg-5.1-aac-only.rtmp"));
    // The beginning of a ClientHello.
    said_to(server.rtmp, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03");
    let (code, log) = server.drain();
    assert_eq!(code, Some(0), "{log}");
    for words in [
        "this port is for RTMPS and the peer does not speak TLS: write rtmps:// in the encoder, or use the RTMP port",
        "the peer speaks TLS and this port is for plain RTMP: use the port for RTMPS (--rtmps), or write rtmp:// in the encoder",
    ] {
        assert!(log.contains(words), "{words} is not in\n{log}");
    }
}

/// Says something, and waits until the server has closed.
fn said_to(address: SocketAddr, bytes: &[u8]) {
    let mut socket = TcpStream::connect(address).unwrap();
    // A server that refuses may reset what it has not read.
    let _ = socket.write_all(bytes);
    let _ = socket.read_to_end(&mut Vec::new());
}
