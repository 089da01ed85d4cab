//! Recorded sessions of real encoders, through the server, read back by ffprobe and ffmpeg.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::process::Command;

use serde_json::Value;
use support::{Server, run, until};

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

        let left_out = sound_before_pictures(&expected);
        let (video, audio) = (tracks(&server, "video"), tracks(&server, "audio"));
        for (kind, tracks, left_out) in [("video", &video, 0), ("audio", &audio, left_out)] {
            let frames = vec![count(&expected, kind) - left_out; tracks_of(&expected, kind)];
            let arrived: Vec<u64> = tracks.iter().map(|frames| frames.len() as u64).collect();
            assert_eq!(arrived, frames, "{fixture}: {kind}\n{}", server.log());
        }
        if let (Some(picture), Some(sound)) = (video.iter().flatten().next(), audio.iter().flatten().next()) {
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

/// Its parameter sets come ahead of the pictures alone, and ffmpeg reads the first init section alone.
#[test]
fn a_publisher_that_returns_with_another_size_decodes_without_damage() {
    let server = Server::start("[channels]\ngrace = \"2s\"\n");
    for fixture in ["ffmpeg-5.1-29.97fps-44100.rtmp", "bench-720p30.rtmp", "ffmpeg-5.1-29.97fps-44100.rtmp"] {
        server.replay(fixture);
    }
    until(|| server.text("/live/main/video/index.m3u8").ends_with("#EXT-X-ENDLIST\n"));
    assert_eq!(warnings(&server), [""; 0], "{}", server.log());
    assert_eq!(frames(&server, "video").len(), 90 + 150 + 90);
}

/// Who sends them encodes them: they are the ladder as they come.
#[test]
fn tracks_of_pictures_are_renditions_with_the_same_pictures() {
    let server = Server::start("[channels]\ngrace = \"0s\"\n");
    server.replay("ffmpeg-9-enhanced-multitrack.rtmp");
    let playlist = server.text("/live/main/index.m3u8");
    let attributes = playlist.split([',', '\n']);
    let resolutions: Vec<&str> = attributes.filter_map(|attribute| attribute.strip_prefix("RESOLUTION=")).collect();
    assert_eq!(resolutions, ["160x90", "80x44"], "{playlist}");
    assert_eq!(names(&server, "video"), ["90p", "44p"]);
    assert_eq!(names(&server, "audio"), ["audio", "audio-2"]);
    assert_eq!(frames(&server, "90p"), frames(&server, "44p"));
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

/// The frames of each rendition of a kind.
fn tracks(server: &Server, kind: &str) -> Vec<Vec<f64>> {
    names(server, kind).iter().map(|name| frames(server, name)).collect()
}

/// The renditions of a kind, in the order of the multivariant playlist.
fn names(server: &Server, kind: &str) -> Vec<String> {
    let playlist = server.text("/live/main/index.m3u8");
    let mut names: Vec<String> = Vec::new();
    for uri in playlist.split(['"', '\n']).filter_map(|text| text.strip_suffix("/index.m3u8")) {
        if uri.starts_with("audio") == (kind == "audio") && !names.iter().any(|name| name == uri) {
            names.push(uri.to_owned());
        }
    }
    names
}

/// The presentation times of a rendition's frames in seconds, in decode order, by ffprobe.
fn frames(server: &Server, rendition: &str) -> Vec<f64> {
    let url = server.url(&format!("/live/main/{rendition}/index.m3u8"));
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
    match expected["audio"]["codec"].as_str() {
        Some("opus") => 20.0,
        _ => 1_024_000.0 / number(expected, "audio", "rate"),
    }
}

fn number(expected: &Value, kind: &str, field: &str) -> f64 {
    expected[kind][field].as_f64().unwrap()
}

fn count(expected: &Value, kind: &str) -> u64 {
    expected[kind]["frames"].as_u64().unwrap_or(0)
}

fn tracks_of(expected: &Value, kind: &str) -> usize {
    usize::try_from(expected[kind]["tracks"].as_u64().unwrap_or(0)).unwrap()
}

/// The recorded sessions, and what is in them: every track of a kind has as many frames.
fn served() -> Vec<(String, Value)> {
    let expected = std::fs::read(support::fixtures().join("expected.json")).unwrap();
    let expected: serde_json::Map<String, Value> = serde_json::from_slice(&expected).unwrap();
    expected.into_iter().collect()
}
