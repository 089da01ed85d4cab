//! Recorded sessions of real encoders, through the server, read back by ffprobe and ffmpeg.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::process::Command;

use serde_json::Value;
use support::{Server, run};

/// ffmpeg 5.1 says this of every change of EXT-X-MAP.
const A_SECOND_INIT_SECTION: &str = "Found duplicated MOOV Atom. Skipped it";

/// Every frame arrives, decodes without a warning, and sound and pictures keep the distance they were sent with.
#[test]
fn every_recorded_publisher_plays_as_it_was_sent() {
    for (fixture, expected) in served() {
        // An ended channel is a file to a reader: it gets everything and then the end.
        let server = Server::start("[channels]\ngrace = \"0s\"\n");
        server.replay(&fixture);
        assert_eq!(warnings(&server), [""; 0], "{fixture}\n{}", server.log());

        let (video, audio) = (frames(&server, "video"), frames(&server, "audio"));
        let left_out = sound_before_pictures(&expected);
        assert_eq!(video.len() as u64, count(&expected, "video"), "{fixture}: pictures\n{}", server.log());
        assert_eq!(audio.len() as u64, count(&expected, "audio") - left_out, "{fixture}: sound\n{}", server.log());
        if let (Some(picture), Some(sound)) = (video.first(), audio.first()) {
            let sent = number(&expected, "video", "first_pts_ms")
                - number(&expected, "audio", "first_dts_ms")
                - f64::from(u32::try_from(left_out).unwrap()) * audio_frame_ms(&expected);
            let arrived = (picture - sound) * 1_000.0;
            println!(
                "{fixture}: the first picture comes {arrived:.1} ms after the first sound, sent {sent:.1} ms after"
            );
            assert!((arrived - sent).abs() <= 5.0, "{fixture}: {arrived} ms, sent {sent} ms");
        }
    }
}

#[test]
fn b_frames_keep_their_composition_offsets() {
    let server = Server::start("[channels]\ngrace = \"0s\"\n");
    server.replay("ffmpeg-5.1-h264-aac-bframes.rtmp");
    let sent: Vec<String> = frames(&server, "video").iter().map(|pts| format!("{:.0}", pts * 30.0)).collect();
    // x264 with two B-frames: I P B B, behind the opening gap of six pictures.
    assert_eq!(sent.get(..7).unwrap().join(" "), "8 11 9 10 14 12 13");
    let mut shown: Vec<u64> = sent.iter().map(|frame| frame.parse().unwrap()).collect();
    shown.sort_unstable();
    assert!(shown.windows(2).all(|pair| pair[1] - pair[0] == 1), "every picture has a time of its own: {shown:?}");
}

/// What ffmpeg says while it decodes all of the channel.
fn warnings(server: &Server) -> Vec<String> {
    let url = server.url("/live/main/index.m3u8");
    let output =
        run(Command::new("ffmpeg").args(["-v", "warning", "-nostdin", "-i", &url, "-map", "0", "-f", "null", "-"]));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    said.lines().filter(|line| !line.ends_with(A_SECOND_INIT_SECTION)).map(str::to_owned).collect()
}

/// The presentation times of a rendition's frames in seconds, in decode order, by ffprobe.
fn frames(server: &Server, rendition: &str) -> Vec<f64> {
    let path = format!("/live/main/{rendition}/index.m3u8");
    if server.get(&path).0 == 404 {
        return Vec::new();
    }
    let url = server.url(&path);
    let output = run(Command::new("ffprobe").args(["-v", "error", "-show_packets", "-of", "json", &url]));
    let packets: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packets = packets["packets"].as_array().unwrap();
    packets.iter().map(|packet| packet["pts_time"].as_str().unwrap().parse().unwrap()).collect()
}

/// How many audio frames are mostly over by the first picture: both renditions begin with the picture.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count")]
fn sound_before_pictures(expected: &Value) -> u64 {
    if expected["video"].is_null() || expected["audio"].is_null() {
        return 0;
    }
    let lead = number(expected, "video", "first_pts_ms") - number(expected, "audio", "first_dts_ms");
    (lead / audio_frame_ms(expected)).round().max(0.0) as u64
}

fn audio_frame_ms(expected: &Value) -> f64 {
    1_024_000.0 / number(expected, "audio", "rate")
}

fn number(expected: &Value, kind: &str, field: &str) -> f64 {
    expected[kind][field].as_f64().unwrap()
}

fn count(expected: &Value, kind: &str) -> u64 {
    expected[kind]["frames"].as_u64().unwrap_or(0)
}

/// The recorded sessions, and what is served of them: the first track of pictures, and of sound if it is AAC.
fn served() -> Vec<(String, Value)> {
    let expected = std::fs::read(support::fixtures().join("expected.json")).unwrap();
    let mut expected: serde_json::Map<String, Value> = serde_json::from_slice(&expected).unwrap();
    for session in expected.values_mut().filter(|session| session["audio"]["codec"] != "aac") {
        session["audio"] = Value::Null;
    }
    expected.into_iter().collect()
}
