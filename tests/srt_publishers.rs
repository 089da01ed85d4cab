//! Publishers by SRT, through the server, read back by ffprobe and ffmpeg.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::Path;
use std::process::{Child, Command, Stdio};

use support::{Server, ffmpeg_9, run, until};

const PLAYLIST: &str = "/live/main/index.m3u8";

#[test]
fn what_an_encoder_sends_plays_whole() {
    let server = Server::start("[channels]\ngrace = \"0s\"\n");
    publish(&server, "streamid=publish:main").leave();
    until(|| server.text("/live/main/video/index.m3u8").contains("#EXT-X-ENDLIST"));
    let url = server.url(PLAYLIST);
    let decoding =
        run(Command::new("ffmpeg").args(["-v", "error", "-nostdin", "-i", &url, "-map", "0", "-f", "null", "-"]));
    assert_eq!(String::from_utf8_lossy(&decoding.stderr), "", "{}", server.log());
    assert_eq!(frames(&server, "video"), 90, "{}", server.log());
    // The channel begins with the first picture, and sound that is over before it is left out.
    assert!((137..=143).contains(&frames(&server, "audio")), "{}", server.log());
}

/// As browsers do it by WHIP, too: the encoder goes on with other parameter sets, and ffmpeg reads the first init section alone.
#[test]
fn an_encoder_that_changes_its_size_decodes_without_damage() {
    let server = Server::start("[channels]\ngrace = \"0s\"\n");
    let file = std::env::temp_dir().join(format!("touchline-sizes-{}.ts", std::process::id()));
    let sizes = [("160x90", 0), ("320x180", 2), ("160x90", 4)];
    let clips = sizes.map(|(size, from)| {
        let source = format!("testsrc2=size={size}:rate=30");
        let from = from.to_string();
        let codec = "-t 2 -c:v libx264 -preset ultrafast -g 30 -f mpegts -mpegts_flags +initial_discontinuity";
        let input = ["-v", "error", "-nostdin", "-f", "lavfi", "-i", &source, "-output_ts_offset", &from];
        run(Command::new("ffmpeg").args(input).args(codec.split(' ')).arg("-")).stdout
    });
    std::fs::write(&file, clips.concat()).unwrap();
    let url = format!("srt://{}?streamid=publish:main&linger=2&pkt_size=1316", server.srt);
    let input = ["-v", "error", "-nostdin", "-re", "-i", file.to_str().unwrap()];
    run(Command::new("ffmpeg").args(input).args(["-c", "copy", "-f", "mpegts", &url]));
    std::fs::remove_file(&file).unwrap();
    until(|| server.text("/live/main/video/index.m3u8").contains("#EXT-X-ENDLIST"));
    let playlist = server.url(PLAYLIST);
    for ffmpeg in [Path::new("ffmpeg"), &ffmpeg_9()] {
        let arguments = ["-v", "repeat+warning", "-nostdin", "-i", &playlist, "-f", "null", "-"];
        let said = run(Command::new(ffmpeg).args(arguments)).stderr;
        let said = String::from_utf8(said).unwrap();
        // Of each reload of a list with several init sections.
        let damage: Vec<&str> = said.lines().filter(|line| !line.contains("Found duplicated MOOV Atom")).collect();
        assert_eq!(damage, [""; 0], "{}: {}", ffmpeg.display(), server.log());
    }
    assert_eq!(frames(&server, "video"), 180, "{}", server.log());
}

#[test]
fn a_key_and_a_passphrase_are_asked_for_and_neither_shows() {
    let config = "[publish.keys]\nmain = \"s3cret-key\"\n[srt.passphrases]\nmain = \"correct-horse\"\n";
    let server = Server::start(config);
    for query in ["streamid=publish:main", "streamid=publish:main:s3cret-key", "streamid=main&passphrase=correct-horse"]
    {
        assert!(!publish(&server, query).child.wait().unwrap().success(), "{query}");
    }
    let log = server.log();
    assert!(log.contains("the key is missing or wrong: the stream ID has to be publish:CHANNEL:SECRET"), "{log}");
    assert!(log.contains("the stream ID has to be publish:CHANNEL or publish:CHANNEL:SECRET"), "{log}");
    until(|| server.log().contains("it has no passphrase, or not the one of this channel in [srt.passphrases]"));
    publish(&server, "streamid=publish:main:s3cret-key&passphrase=correct-horse").leave();
    server.text(PLAYLIST);
    let log = server.log();
    assert!(!log.contains("s3cret") && !log.contains("correct"), "{log}");
}

#[test]
fn a_second_publisher_is_refused_before_it_is_connected() {
    let server = Server::start("");
    let first = publish(&server, "streamid=publish:main");
    until(|| server.log().contains("receives H.264"));
    assert!(!publish(&server, "streamid=publish:main").child.wait().unwrap().success());
    assert!(
        server.log().contains("SRT caller refused: somebody publishes into this channel already"),
        "{}",
        server.log()
    );
    first.leave();
    let (code, log) = server.drain();
    assert_eq!(code, Some(0), "{log}");
}

#[test]
fn a_drain_ends_the_connection_and_the_process() {
    let server = Server::start("");
    let mut encoder = publish(&server, "streamid=publish:main");
    until(|| server.log().contains("receives H.264"));
    let (code, log) = server.drain();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("sent away: the server is shutting down"), "{log}");
    encoder.child.wait().unwrap();
}

/// An encoder that sends three seconds of pictures and sound as they would happen.
struct Encoder {
    child: Child,
}

impl Encoder {
    /// Waits until it has sent everything.
    fn leave(mut self) {
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn publish(server: &Server, query: &str) -> Encoder {
    let url = format!("srt://{}?{query}&linger=2&pkt_size=1316", server.srt);
    let clip = "-hide_banner -loglevel error -nostdin -re -f lavfi -i testsrc=size=160x90:rate=30 \
                -re -f lavfi -i sine=sample_rate=48000 -t 3 -c:v libx264 -preset ultrafast -tune zerolatency -g 30 \
                -c:a aac -f mpegts";
    let child = Command::new("ffmpeg").args(clip.split_whitespace()).arg(url).stderr(Stdio::null()).spawn().unwrap();
    Encoder { child }
}

/// How many frames a rendition has, by ffprobe.
fn frames(server: &Server, rendition: &str) -> usize {
    let url = server.url(&format!("/live/main/{rendition}/index.m3u8"));
    let arguments = ["-v", "error", "-count_frames", "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0", &url];
    let output = run(Command::new("ffprobe").args(arguments));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().next().unwrap().trim_end_matches(',').parse().unwrap()
}
