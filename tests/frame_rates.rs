//! Every part within PART-TARGET, and at least 85 % of it where RFC 8216bis 4.4.4.9 asks so, at every usual frame rate.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::process::Command;

use support::{Server, run};

const FRAME_RATES: [(&str, u32); 7] =
    [("24", 24), ("25", 25), ("30000/1001", 30), ("30", 30), ("50", 50), ("60000/1001", 60), ("60", 60)];
const SAMPLE_RATES: [u32; 2] = [44_100, 48_000];

#[test]
fn parts_fill_their_target_at_every_frame_rate() {
    println!("frames/s   Hz     PART-TARGET  video parts      audio parts      EXTINF");
    for (rate, nominal) in FRAME_RATES {
        for sample_rate in SAMPLE_RATES {
            let server = Server::start("[channels]\ngrace = \"0s\"\n");
            publish(&server, rate, nominal, sample_rate);
            let [video, audio] = ["video", "audio"].map(|rendition| {
                let text = server.text(&format!("/live/main/{rendition}/index.m3u8"));
                Playlist::parse(&text, &format!("{rate} frames/s, {sample_rate} Hz, {rendition}"))
            });
            assert!((video.part_target - audio.part_target).abs() < 1e-9);
            println!(
                "{rate:10} {sample_rate}  {:.3} s      {}  {}  {:?}",
                video.part_target,
                video.range(),
                audio.range(),
                video.segments
            );
        }
    }
}

/// Seven seconds of which no keyframe interval is a whole number of parts.
fn publish(server: &Server, rate: &str, nominal: u32, sample_rate: u32) {
    let url = format!("rtmp://{}/live/main", server.rtmp);
    let gop = (nominal * 2 + 1).to_string();
    run(Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-f", "lavfi", "-i", &format!("testsrc2=size=160x90:rate={rate}")])
        .args(["-f", "lavfi", "-i", &format!("sine=sample_rate={sample_rate}"), "-t", "7", "-pix_fmt", "yuv420p"])
        .args(["-c:v", "libx264", "-preset", "ultrafast", "-g", &gop, "-sc_threshold", "0", "-b:v", "100k"])
        .args(["-c:a", "aac", "-f", "flv", &url]));
}

struct Playlist {
    part_target: f64,
    /// Durations of parts for which the 85 % rule holds.
    parts: Vec<f64>,
    segments: Vec<f64>,
}

impl Playlist {
    /// Reads a playlist and checks its durations.
    fn parse(text: &str, what: &str) -> Self {
        let value = |line: &str, name: &str| -> Option<f64> {
            let at = line.find(name)? + name.len();
            line.get(at..)?.split(',').next()?.parse().ok()
        };
        let part_target = text.lines().find_map(|line| value(line, "PART-TARGET=")).unwrap();
        let target: f64 = text.lines().find_map(|line| value(line, "#EXT-X-TARGETDURATION:")).unwrap();
        let mut playlist = Self { part_target, parts: Vec::new(), segments: Vec::new() };
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("#EXT-X-PROGRAM")).collect();
        for (line, next) in lines.iter().zip(lines.iter().skip(1)) {
            if let Some(duration) = value(line, "#EXT-X-PART:DURATION=") {
                assert!(duration <= part_target, "{what}: a part of {duration} s exceeds {part_target} s\n{text}");
                let exempt = line.contains("INDEPENDENT=YES") && !what.ends_with("audio");
                if next.starts_with("#EXT-X-PART:") && !exempt {
                    assert!(duration >= 0.85 * part_target, "{what}: a part of {duration} s\n{text}");
                    playlist.parts.push(duration);
                }
            }
            if let Some(duration) = value(line, "#EXTINF:") {
                assert!(duration.round() <= target, "{what}: a segment of {duration} s");
                playlist.segments.push(duration);
            }
        }
        assert!(playlist.parts.len() >= 20, "{what}: too few parts to judge by\n{text}");
        playlist
    }

    /// `0.18576-0.20000`.
    fn range(&self) -> String {
        let least = self.parts.iter().copied().fold(f64::INFINITY, f64::min);
        let most = self.parts.iter().copied().fold(0.0, f64::max);
        format!("{least:.5}-{most:.5}")
    }
}
