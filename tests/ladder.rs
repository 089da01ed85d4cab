//! The ladder by a real worker, from a real encoder's source: what viewers can fetch while workers crash and hang.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use support::{Server, run, touchline};

/// The source is 240p. Its keyframes come each second, so that segments do too.
const CONFIG: &str = r#"
[hls]
segment = "1s"
window = "60s"
[ladder]
profile = "small"
[ladder.profiles.small]
rungs = ["180p 200k", "120p 120k"]
"#;
/// A keyframe each second, and others where the scene might have changed.
const SCENE_CUTS: [&str; 2] = ["-force_key_frames", "expr:eq(mod(n,30),0)+eq(mod(n,70),0)"];
const LONG_GOP: [&str; 2] = ["-g", "150"];
const SOURCE: &str = "240p";
const RUNGS: [&str; 2] = ["180p", "120p"];
const SOUND: [&str; 2] = ["audio", "audio-64k"];
/// In the time scale that is written at 30 frames/s.
const FRAME: i64 = 1_000;
/// So many segments are waited for, at most, until something comes about.
const PATIENCE: usize = 60;

#[test]
fn a_worker_that_crashes_or_hangs_leaves_no_hole_and_the_third_time_another_encoder_takes_over() {
    let server = laddered(CONFIG);
    support::until(|| server.log().contains("openh264enc works here"));
    let _feed = Feed::start(&server, SCENE_CUTS);
    let chosen = "ladder: the source as it is, 180p 200 kb/s, 120p 120 kb/s by x264enc";
    follow(&server, SOURCE, 4);
    assert_eq!(count(&server, chosen), 1, "{}", server.log());
    follow(&server, RUNGS[1], 1);
    Renditions::read(&server).assert_aligned(&server, 0, 0);

    crash(&server);
    until_logged(&server, "the rungs go on", 1);
    assert_eq!(count(&server, "has died (it crashed: SIGSEGV"), 1, "{}", server.log());
    follow(&server, RUNGS[1], 2);

    assert!(signal(&worker_at_work(&server), "STOP"));
    until_logged(&server, "the rungs go on", 2);
    assert_eq!(count(&server, "has died (it has said nothing for"), 1, "{}", server.log());
    follow(&server, RUNGS[1], 2);

    let before = Renditions::read(&server);
    before.assert_aligned(&server, 0, 2);
    assert!(before.len(0) >= 8, "{before:#?}");
    for name in [SOURCE].into_iter().chain(SOUND) {
        assert!(!has_hole(&server, name), "{name}: {}", server.log());
    }

    crash(&server);
    until_logged(&server, "once too often", 1);
    until_logged(&server, "x264enc keeps failing: openh264enc takes over at the next keyframe", 1);
    until_logged(&server, "the rungs go on", 3);
    let source_before = before.of(SOURCE).len();
    follow(&server, RUNGS[1], 4);
    let after = Renditions::read(&server);
    after.assert_aligned(&server, 1, 0);
    assert!(after.of(SOURCE).len() > source_before);
    assert!(!has_hole(&server, SOURCE), "the source never stops:\n{}", server.log());
}

#[test]
fn a_source_whose_keyframes_are_too_far_apart_is_encoded_anew_at_the_top_too() {
    let server = laddered(CONFIG);
    let _feed = Feed::start(&server, LONG_GOP);
    support::until(|| server.log().contains("it is encoded anew as the top rendition"));
    assert!(server.log().contains("Set a keyframe interval of 1 s in the encoder"), "{}", server.log());
    follow(&server, SOURCE, 8);
    let all = Renditions::read(&server);
    // Where that is known before anybody could watch, there is nothing to discontinue.
    let newest = all.of(SOURCE).last().unwrap().discontinuity;
    all.assert_aligned(&server, newest, 0);
    assert!(all.len(newest) >= 4, "{all:#?}\n{}", server.log());
}

#[test]
fn without_a_worker_the_server_says_once_what_to_install_and_passes_through() {
    let mut command = with_ladder();
    command.env("TOUCHLINE_WORKER", "/nonexistent/touchline-transcode");
    let server = Server::start_by(command, "");
    for _ in 0..2 {
        server.replay("ffmpeg-5.1-h264-aac-bframes.rtmp");
    }
    assert_eq!(count(&server, "sources are passed through as they are"), 1, "{}", server.log());
    assert_eq!(count(&server, "install gstreamer1.0-plugins-base"), 1, "{}", server.log());
    assert_eq!(server.text("/live/main/index.m3u8").matches("#EXT-X-STREAM-INF:").count(), 1);
    server.text("/live/main/video/index.m3u8");
}

#[test]
fn without_a_worker_opus_is_passed_through_and_the_operator_told_what_to_install() {
    let server = Server::start("[channels]\ngrace = \"0s\"\n");
    server.replay("ffmpeg-9-enhanced-av1-opus.rtmp");
    let playlist = server.text("/live/main/index.m3u8");
    assert!(playlist.contains(",opus\",") && playlist.contains("AUDIO=\"audio\""), "{playlist}");
    assert_eq!(count(&server, "nothing here makes AAC of it"), 1, "{}", server.log());
    assert_eq!(count(&server, "install gstreamer1.0-plugins-base"), 1, "{}", server.log());
}

#[test]
fn encoders_are_told_in_a_table_with_the_one_that_is_chosen() {
    worker();
    let output = run(with_ladder().arg("encoders"));
    let table = String::from_utf8(output.stdout).unwrap();
    let rows: BTreeMap<&str, Vec<&str>> = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .map(|words| (words[0], words[1..].to_vec()))
        .collect();
    for encoder in ["nvh264enc", "qsvh264enc", "vah264enc", "v4l2h264enc", "x264enc", "openh264enc", "x265enc"] {
        assert!(rows.contains_key(encoder), "{encoder} is missing:\n{table}");
    }
    let chosen = rows.values().filter(|words| words[..2] == ["H.264", "chosen"]).count();
    assert_eq!(chosen, 1, "{table}");
    assert!(table.contains("720p30 takes"), "{table}");
}

/// A server with the real worker.
fn laddered(config: &str) -> Server {
    worker();
    Server::start_by(with_ladder(), config)
}

fn with_ladder() -> Command {
    let mut command = touchline();
    command.env_remove("TOUCHLINE_LADDER").env_remove("TOUCHLINE_WORKER");
    command
}

/// Fails where the worker is not beside the server.
fn worker() {
    let path = Path::new(env!("CARGO_BIN_EXE_touchline")).with_file_name("touchline-transcode");
    assert!(
        path.is_file(),
        "{} is not there. Build it: cargo build -p touchline-transcode-worker (`make test` does)",
        path.display()
    );
}

/// A publisher that goes on until it is dropped.
struct Feed(Child);

impl Feed {
    /// With B-frames, so that pictures are not sent in the order that they are shown in.
    fn start(server: &Server, keyframes: [&str; 2]) -> Self {
        let child = Command::new("ffmpeg")
            .args(["-v", "error", "-nostdin", "-re", "-f", "lavfi", "-i", "testsrc2=size=426x240:rate=30"])
            .args(["-re", "-f", "lavfi", "-i", "sine=sample_rate=48000", "-pix_fmt", "yuv420p"])
            .args(["-c:v", "libx264", "-preset", "superfast", "-b:v", "400k", "-bf", "2", "-sc_threshold", "0"])
            .args(keyframes)
            .args(["-c:a", "aac", "-b:a", "128k", "-f", "flv", &format!("rtmp://{}/live/main", server.rtmp)])
            .spawn()
            .unwrap();
        Self(child)
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Crashes the worker at work as a null pointer in a codec does.
fn crash(server: &Server) {
    let worker = worker_at_work(server);
    // The first one only ends the guard against stack overflows that every Rust program has: nothing faults again.
    support::until(|| !signal(&worker, "SEGV"));
}

/// Sends a signal; whether there is anybody to get it.
fn signal(process: &str, name: &str) -> bool {
    Command::new("kill").args([&format!("-{name}"), process]).stderr(Stdio::null()).status().unwrap().success()
}

fn worker_at_work(server: &Server) -> String {
    let log = server.log();
    let (_, after) = log.rsplit_once("a worker begins worker=").unwrap();
    after.split_whitespace().next().unwrap().to_owned()
}

fn count(server: &Server, words: &str) -> usize {
    server.log().matches(words).count()
}

/// Waits until the log has `words` so many times; all the while the source goes on.
/// How many pictures of a rung its workers have left out for want of time.
fn shed(server: &Server, rung: &str) -> usize {
    let (_, metrics) = support::get(server.admin, "/metrics");
    let series = format!("touchline_transcode_frames_shed_total{{channel=\"main\",rung=\"{rung}\"}} ");
    String::from_utf8(metrics).unwrap().lines().find_map(|line| line.strip_prefix(&series)?.parse().ok()).unwrap_or(0)
}

fn until_logged(server: &Server, words: &str, times: usize) {
    for _ in 0..PATIENCE {
        if count(server, words) >= times {
            return;
        }
        follow(server, SOURCE, 1);
    }
    panic!("not {times} times \"{words}\" within {PATIENCE} segments:\n{}", server.log());
}

/// Waits for so many more segments of a rendition.
fn follow(server: &Server, rendition: &str, segments: u64) {
    let path = playlist(rendition);
    support::until(|| server.get(&path).0 == 200);
    for _ in 0..segments {
        let next = media_sequence(&server.text(&path)) + server.text(&path).matches("#EXTINF:").count() as u64;
        // RFC 8216bis 6.2.5.2: the answer waits until the segment is there.
        server.text(&format!("{path}?_HLS_msn={next}"));
    }
}

/// Whether a rendition has a gap after its first segment with media.
fn has_hole(server: &Server, rendition: &str) -> bool {
    let text = server.text(&playlist(rendition));
    let mut segments = text.split_inclusive("#EXTINF:").map(|before| before.contains("#EXT-X-GAP"));
    segments.by_ref().find(|gap| !gap).is_some() && segments.any(|gap| gap)
}

fn playlist(rendition: &str) -> String {
    format!("/live/main/{rendition}/index.m3u8")
}

fn media_sequence(playlist: &str) -> u64 {
    playlist.lines().find_map(|line| line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:")?.parse().ok()).unwrap()
}

/// What there is of pictures, up to the last segment that all renditions have.
#[derive(Debug)]
struct Renditions(BTreeMap<&'static str, Vec<Segment>>);

impl Renditions {
    fn read(server: &Server) -> Self {
        let mut all: BTreeMap<_, _> =
            [SOURCE].into_iter().chain(RUNGS).map(|name| (name, segments(server, name))).collect();
        let end = all.values().map(|segments| segments.last().unwrap().msn).min().unwrap();
        for segments in all.values_mut() {
            segments.retain(|segment| segment.msn <= end);
        }
        Self(all)
    }

    fn of(&self, rendition: &str) -> &[Segment] {
        &self.0[rendition]
    }

    /// The segments with pictures after so many discontinuities.
    fn stretch(&self, rendition: &str, discontinuity: u64) -> Vec<&Segment> {
        self.of(rendition).iter().filter(|segment| segment.discontinuity == discontinuity && !segment.gap).collect()
    }

    fn len(&self, discontinuity: u64) -> usize {
        self.stretch(SOURCE, discontinuity).len()
    }

    /// After so many discontinuities: every rung has every picture of the source, at its time, in the segment with the same
    /// number, but for those that a machine in want of time has shed and counted; IDRs are where the source has them, and
    /// where a worker has taken over; each segment begins with one, and no picture of the source is missing between two.
    fn assert_aligned(&self, server: &Server, discontinuity: u64, takeovers: usize) {
        let source = self.stretch(SOURCE, discontinuity);
        assert!(!source.is_empty(), "nothing after {discontinuity} discontinuities:\n{}", server.log());
        for segment in &source {
            let first = segment.pictures.iter().min().unwrap();
            assert!(first.idr, "segment {} begins with no IDR: {:?}", segment.msn, segment.pictures);
        }
        let mut times: Vec<i64> = source.iter().flat_map(|segment| &segment.pictures).map(|shown| shown.pts).collect();
        times.sort_unstable();
        let steps: Vec<i64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(steps.iter().all(|step| *step == FRAME), "not one picture in each frame: {steps:?}\n{}", server.log());
        for rung in RUNGS {
            let rung_segments = self.stretch(rung, discontinuity);
            let numbers = |segments: &[&Segment]| -> Vec<u64> { segments.iter().map(|segment| segment.msn).collect() };
            assert_eq!(
                numbers(&rung_segments),
                numbers(&source),
                "{rung}: the segments with pictures\n{}",
                server.log()
            );
            let mut missing = 0;
            for (made, original) in rung_segments.iter().zip(&source) {
                let times =
                    |segment: &Segment| -> BTreeSet<i64> { segment.pictures.iter().map(|shown| shown.pts).collect() };
                let (made_at, original_at) = (times(made), times(original));
                assert!(made_at.is_subset(&original_at), "{rung}, segment {}:\n{}", made.msn, server.log());
                missing += original_at.len() - made_at.len();
            }
            let shed = shed(server, rung);
            assert!(missing <= shed, "{rung}: {missing} pictures are missing, {shed} were shed\n{}", server.log());
            let idrs = |segments: &[&Segment]| -> BTreeSet<i64> {
                let pictures = segments.iter().flat_map(|segment| &segment.pictures);
                pictures.filter(|shown| shown.idr).map(|shown| shown.pts).collect()
            };
            let (made, original) = (idrs(&rung_segments), idrs(&source));
            assert!(made.is_superset(&original), "{rung}: {made:?}, {SOURCE}: {original:?}\n{}", server.log());
            assert!(
                made.len() <= original.len() + takeovers,
                "{rung}: {made:?}, {SOURCE}: {original:?}\n{}",
                server.log()
            );
        }
    }
}

#[derive(Debug)]
struct Segment {
    msn: u64,
    /// How many discontinuities come before it.
    discontinuity: u64,
    gap: bool,
    /// In the order they are sent in.
    pictures: Vec<Picture>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Picture {
    /// In 30000ths of a second.
    pts: i64,
    /// By its NAL units, not by what the container says.
    idr: bool,
}

/// The segments that a rendition's playlist lists.
fn segments(server: &Server, rendition: &str) -> Vec<Segment> {
    let text = server.text(&playlist(rendition));
    let body = |uri: &str| {
        let (status, body) = server.get(&format!("/live/main/{rendition}/{uri}"));
        assert_eq!(status, 200, "{uri}");
        body
    };
    let (mut msn, mut discontinuity, mut gap, mut init) = (media_sequence(&text), 0, false, Vec::new());
    let mut segments = Vec::new();
    for line in text.lines() {
        match line {
            "#EXT-X-DISCONTINUITY" => discontinuity += 1,
            "#EXT-X-GAP" => gap = true,
            _ if line.starts_with("#EXT-X-MAP:") => init = body(line.split('"').nth(1).unwrap()),
            _ if !line.starts_with('#') => {
                let pictures = if gap { Vec::new() } else { pictures(&init, &body(line)) };
                segments.push(Segment { msn, discontinuity, gap, pictures });
                (msn, gap) = (msn + 1, false);
            }
            _ => {}
        }
    }
    segments
}

/// The pictures of a segment, by ffprobe.
fn pictures(init: &[u8], segment: &[u8]) -> Vec<Picture> {
    let file = [init, segment].concat();
    let mut probe = Command::new("ffprobe")
        .args(["-v", "error", "-show_entries", "packet=pts,size,pos:stream=time_base", "-of", "json", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = probe.stdin.take().unwrap();
    // It may have seen enough before the end.
    let _ = input.write_all(&file);
    drop(input);
    let output = probe.wait_with_output().unwrap();
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["streams"][0]["time_base"], "1/30000");
    let packets = found["packets"].as_array().unwrap().iter();
    packets
        .map(|packet| {
            let number = |name: &str| packet[name].as_str().unwrap().parse::<usize>().unwrap();
            let (begin, size) = (number("pos"), number("size"));
            Picture { pts: packet["pts"].as_i64().unwrap(), idr: is_idr(&file[begin..begin + size]) }
        })
        .collect()
}

/// Whether the first slice of an access unit is one of an IDR picture (H.264 table 7-1); NAL units have a length of 4 bytes.
fn is_idr(mut sample: &[u8]) -> bool {
    loop {
        let (len, rest) = sample.split_first_chunk::<4>().unwrap();
        let (unit, after) = rest.split_at(u32::from_be_bytes(*len) as usize);
        match unit[0] & 0x1f {
            5 => return true,
            1 => return false,
            _ => sample = after,
        }
    }
}
