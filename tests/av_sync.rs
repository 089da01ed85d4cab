//! Whether pictures and sound belong together in what viewers get, by a source that flashes and beeps at once.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::Path;
use std::process::{Child, Command};

use support::{Server, ffmpeg_9, loadtest, run, until};

/// Less than half of what people notice: sound that is 45 ms early (ITU-R BT.1359-1, 2).
const WITHIN_MS: f64 = 20.0;
const CLAPS: usize = 5;

#[test]
fn pictures_and_sound_stay_together_by_every_protocol() {
    let server = Server::start("[channels]\ngrace = \"0s\"\n");
    let srt = |channel: &str| format!("srt://{}?streamid=publish:{channel}&pkt_size=1316&linger=2", server.srt);
    let rtmp = |channel: &str| format!("rtmp://{}/live/{channel}", server.rtmp);
    let whip = |channel: &str| server.url(&format!("/whip/{channel}"));
    let (debians, newer) = (Path::new("ffmpeg"), ffmpeg_9());
    let feeds = [
        clapper(debians, 0, "flv", &rtmp("rtmp")),
        clapper(debians, 0, "mpegts", &srt("srt")),
        clapper(&newer, 0, "whip", &whip("whip")),
        // What is off at the source stays so: else the measure would not be worth much.
        clapper(debians, 100, "flv", &rtmp("late-rtmp")),
        clapper(debians, 100, "mpegts", &srt("late-srt")),
        clapper(&newer, 100, "whip", &whip("late-whip")),
    ];
    for mut feed in feeds {
        assert!(feed.wait().unwrap().success(), "{}", server.log());
    }
    let channels = [("rtmp", 0.0), ("srt", 0.0), ("whip", 0.0)];
    let late = channels.map(|(channel, _)| (format!("late-{channel}"), 100.0));
    for (channel, expected) in channels.map(|(channel, _)| (channel.to_owned(), 0.0)).into_iter().chain(late) {
        let offsets = offsets(&server, &channel);
        assert!(offsets.len() >= CLAPS, "{channel}: {offsets:?}\n{}", server.log());
        assert!(offsets.iter().all(|offset| (offset - expected).abs() <= WITHIN_MS), "{channel}: {offsets:?}");
    }
}

/// An encoder that sends six seconds with six claps, whose beeps are late by so many milliseconds.
fn clapper(ffmpeg: &Path, late: u32, format: &str, url: &str) -> Child {
    let (begin, end) = (500 + late, 550 + late);
    // WHIP has neither AAC nor B-frames.
    let codecs = match format {
        "whip" => "-bf 0 -profile:v baseline -c:a libopus -ac 2",
        _ => "-bf 2 -c:a aac",
    };
    Command::new(ffmpeg)
        .args(["-v", "error", "-nostdin", "-re", "-f", "lavfi", "-i"])
        .arg("color=s=160x90:r=30,drawbox=color=white:t=fill:enable='eq(mod(n,30),15)'")
        .args(["-re", "-f", "lavfi", "-i"])
        .arg(format!("aevalsrc='sin(2000*PI*t)*between(mod(1000*t,1000),{begin},{end})':s=48000"))
        .args(["-t", "6", "-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "ultrafast", "-g", "30"])
        .args(codecs.split(' '))
        .args(["-b:a", "96k", "-f", format, url])
        .spawn()
        .unwrap()
}

/// How much later than its flash each beep is, in milliseconds, by the black box.
fn offsets(server: &Server, channel: &str) -> Vec<f64> {
    until(|| server.get(&format!("/live/{channel}/audio/index.m3u8")).1.ends_with(b"#EXT-X-ENDLIST\n"));
    let url = server.url(&format!("/live/{channel}/index.m3u8"));
    let output = run(loadtest().args(["sync", "--json", "--seconds", "60", &url]));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let claps = report.get("claps").unwrap().as_array().unwrap();
    claps.iter().map(|clap| clap.get("offset_ms").unwrap().as_f64().unwrap()).collect()
}
