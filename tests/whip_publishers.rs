//! Publishers by WHIP, through the server, read back by ffprobe and ffmpeg.

mod support;

use std::process::Command;

use support::{Server, ffmpeg_9, run, until};

/// ffmpeg is told to send so many pictures.
const PICTURES: usize = 120;

#[test]
fn what_ffmpeg_sends_plays_whole() {
    let server = Server::start("[channels]\ngrace = \"0s\"\n[publish.keys]\nmain = \"s3cret-key\"\n");
    let publish = |key: &str| {
        let source =
            "-v error -nostdin -re -f lavfi -i testsrc=size=160x90:rate=30 -re -f lavfi -i sine=sample_rate=48000";
        let codecs = "-t 4 -c:v libx264 -profile:v baseline -pix_fmt yuv420p -preset ultrafast -tune zerolatency -g 30 \
                      -c:a libopus -ac 2 -f whip";
        let arguments = source.split_whitespace().chain(codecs.split_whitespace());
        Command::new(ffmpeg_9())
            .args(arguments)
            .args(["-authorization", key, &server.url("/whip/main")])
            .output()
            .unwrap()
    };
    assert!(!publish("wrong").status.success());
    assert!(server.log().contains("refused: the key is missing or wrong"), "{}", server.log());
    let sent = publish("s3cret-key");
    assert!(sent.status.success(), "{}\n{}", String::from_utf8_lossy(&sent.stderr), server.log());

    until(|| server.text("/live/main/video/index.m3u8").contains("#EXT-X-ENDLIST"));
    let (url, log) = (server.url("/live/main/index.m3u8"), server.log());
    let decoding = run(Command::new("ffmpeg").args(["-v", "warning", "-nostdin", "-i", &url, "-f", "null", "-"]));
    assert_eq!(String::from_utf8_lossy(&decoding.stderr), "", "{log}");
    let video = server.url("/live/main/video/index.m3u8");
    let count = ["-v", "error", "-count_frames", "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0", &video];
    let counted = String::from_utf8(run(Command::new("ffprobe").args(count)).stdout).unwrap();
    assert_eq!(counted.lines().next().map(|count| count.trim_end_matches(',').parse()), Some(Ok(PICTURES)), "{log}");
    assert!(!log.contains("s3cret"), "{log}");
}
