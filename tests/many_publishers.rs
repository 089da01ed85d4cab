//! The black box's publishers, several at a time by each protocol, through the server and read back by ffprobe.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use support::{Dir, Server, loadtest, run, until};

/// Pictures of the clip, and its frames of AAC and packets of Opus, each with what an encoder puts in front.
const PICTURES: u64 = 120;
const AAC: u64 = 188;
const OPUS: u64 = 200;

#[test]
fn three_channels_by_each_protocol_arrive_whole() {
    let (folder, server) = (Dir::new(), Server::start("[channels]\ngrace = \"0s\"\n"));
    let clip = clip(&folder);
    for (name, url, sound) in urls(&server) {
        let channels = format!("{name}{{number}}");
        let arguments = ["--publishers", "3", "--channels", &channels, "--ramp", "300ms"];
        let (good, report) = publish(&folder, &clip, &[&url], &arguments);
        assert!(good, "{report:#}\n{}", server.log());
        let publishers = report["publishers"].as_array().unwrap();
        assert_eq!(publishers.len(), 3);
        for (number, publisher) in (1..).zip(publishers) {
            let channel = format!("{name}{number}");
            assert_eq!((&publisher["channel"], &publisher["protocol"]), (&channel.as_str().into(), &name.into()));
            assert_eq!(publisher["left_out"], 0, "{publisher:#}");
            let sent = publisher["units"].as_u64().unwrap();
            assert!((PICTURES + sound..=PICTURES + sound + 1).contains(&sent), "{publisher:#}");
            until(|| server.text(&format!("/live/{channel}/video/index.m3u8")).contains("#EXT-X-ENDLIST"));
            assert_eq!(frames(&server, &channel, "video"), PICTURES, "{channel}\n{}", server.log());
            let heard = frames(&server, &channel, "audio");
            assert!((sound - 1..=sound + 1).contains(&heard), "{channel}: {heard}\n{}", server.log());
        }
        // A protocol's own counts.
        match name {
            "srt" => assert!(publishers[0]["srt"]["packets"].as_u64().unwrap() > PICTURES, "{report:#}"),
            "whip" => assert!(publishers[0]["whip"]["round_trip_ms"].is_number(), "{report:#}"),
            _ => {}
        }
    }
}

#[test]
fn a_clip_that_is_played_over_and_over_is_one_stream() {
    let (folder, server) = (Dir::new(), Server::start("[channels]\ngrace = \"0s\"\n"));
    let clip = clip(&folder);
    let urls = urls(&server);
    let urls: Vec<&str> = urls.iter().map(|(_, url, _)| url.as_str()).collect();
    let (good, report) = publish(&folder, &clip, &urls, &["--loop", "--duration", "9s"]);
    assert!(good, "{report:#}\n{}", server.log());
    for channel in ["cam1", "cam2", "cam3"] {
        until(|| server.text(&format!("/live/{channel}/video/index.m3u8")).contains("#EXT-X-ENDLIST"));
        let playlist = server.text(&format!("/live/{channel}/video/index.m3u8"));
        assert!(!playlist.contains("#EXT-X-DISCONTINUITY\n"), "{channel}: {playlist}\n{}", server.log());
        let pictures = frames(&server, channel, "video");
        assert!((240..=272).contains(&pictures), "{channel}: {pictures}\n{}", server.log());
    }
}

#[test]
fn the_words_of_a_refusal_are_in_the_report() {
    let config = "[publish.keys]\ncam1 = \"s3cret\"\ncam2 = \"s3cret\"\ncam3 = \"s3cret\"\n";
    let (folder, server) = (Dir::new(), Server::start(config));
    let clip = clip(&folder);
    let urls = urls(&server);
    let urls: Vec<&str> = urls.iter().map(|(_, url, _)| url.as_str()).collect();
    let arguments = ["--duration", "500ms", "--key", "wr0ng"];
    let (good, report) = publish(&folder, &clip, &urls, &arguments);
    assert!(!good, "{report:#}");
    for (publisher, words) in report["publishers"].as_array().unwrap().iter().zip([
        "the key is missing or wrong",
        "SRT reject code 1401: the key is missing or wrong: see --key",
        "HTTP 401 Unauthorized: channel cam3: the key is missing or wrong",
    ]) {
        let refusals: Vec<&String> = publisher["refusals"].as_object().unwrap().keys().collect();
        assert!(refusals.len() == 1 && refusals[0].contains(words), "{refusals:?}");
        assert_eq!(publisher["units"], 0);
    }
    let (good, report) = publish(&folder, &clip, &urls, &["--key", "s3cret"]);
    assert!(good, "{report:#}\n{}", server.log());
    assert!(!server.log().contains("s3cret") && !report.to_string().contains("s3cret"), "{}", server.log());
}

#[test]
fn whoever_is_cut_off_comes_back_into_the_same_channel() {
    let (folder, server) = (Dir::new(), Server::start("[channels]\ngrace = \"60s\"\n"));
    let clip = clip(&folder);
    let url = format!("rtmp://{}/live", server.rtmp);
    let arguments = ["--loop", "--duration", "6s", "--fault", "drop@2500ms"];
    let (good, report) = publish(&folder, &clip, &[&url], &arguments);
    assert!(good, "{report:#}\n{}", server.log());
    let publisher = &report["publishers"][0];
    assert_eq!((&publisher["reconnects"], &publisher["faults"][0]), (&1.into(), &"drop@2s 500ms".into()));
    // One second of waiting, and up to one to the next keyframe.
    let left_out = publisher["left_out"].as_u64().unwrap();
    assert!((77..=170).contains(&left_out), "{publisher:#}");
    let playlist = server.text("/live/cam1/video/index.m3u8");
    assert_eq!(playlist.matches("#EXT-X-DISCONTINUITY\n").count(), 1, "{playlist}\n{}", server.log());
}

/// Where each protocol is spoken: its name, the URL, and how many units of sound the clip has by it.
fn urls(server: &Server) -> [(&'static str, String, u64); 3] {
    [
        ("rtmp", format!("rtmp://{}/live", server.rtmp), AAC),
        ("srt", format!("srt://{}", server.srt), AAC),
        ("whip", server.url("/whip"), OPUS),
    ]
}

/// Four seconds of H.264 with a keyframe each second, AAC and Opus.
fn clip(folder: &Dir) -> PathBuf {
    let file = folder.0.join("clip.mp4");
    run(Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-f", "lavfi", "-i", "testsrc2=size=160x90:rate=30"])
        .args(["-f", "lavfi", "-i", "sine=sample_rate=48000", "-map", "0", "-map", "1", "-map", "1", "-t", "4"])
        .args(["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p", "-g", "30"])
        .args(["-c:a:0", "aac", "-c:a:1", "libopus", "-b:a", "64k"])
        .arg(&file));
    file
}

/// Has the black box publish; whether it is content, and its report.
fn publish(folder: &Dir, clip: &PathBuf, urls: &[&str], arguments: &[&str]) -> (bool, Value) {
    let file = folder.0.join("report.json");
    let output = loadtest()
        .args(["publish", "--media"])
        .arg(clip)
        .arg("--report")
        .arg(&file)
        .args(arguments)
        .args(urls)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("s3cret") && !said.contains("wr0ng"), "{said}");
    let report = std::fs::read(&file).unwrap_or_else(|error| panic!("{error}: {said}"));
    std::fs::remove_file(&file).unwrap();
    (output.status.success(), serde_json::from_slice(&report).unwrap())
}

/// The frames of a rendition that has ended, by ffprobe.
fn frames(server: &Server, channel: &str, rendition: &str) -> u64 {
    let url = server.url(&format!("/live/{channel}/{rendition}/index.m3u8"));
    let count = ["-v", "error", "-count_packets", "-show_entries", "stream=nb_read_packets", "-of", "csv=p=0", &url];
    let output = run(Command::new("ffprobe").args(count));
    String::from_utf8_lossy(&output.stdout).lines().next().unwrap().parse().unwrap()
}
