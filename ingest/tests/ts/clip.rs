//! Clips that encoders make here, and what `ffprobe` reads of them.

use std::io::Write as _;
use std::process::{Command, Stdio};

/// Four seconds of a test card at 160x90 and of a tone, encoded and muxed as the arguments say.
pub(crate) fn ffmpeg(encoding: &str) -> Vec<u8> {
    let mut inputs = vec!["-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25", "-f", "lavfi", "-i", "sine=440:r=48000"];
    inputs.extend(["-t", "4", "-map", "0:v", "-map", "1:a"]);
    ffmpeg_with(&inputs, encoding)
}

/// A clip of the given inputs.
pub(crate) fn ffmpeg_with(inputs: &[&str], encoding: &str) -> Vec<u8> {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-nostdin"]).args(inputs).args(encoding.split_whitespace());
    run(command.args(["-f", "mpegts", "-"]), &[])
}

/// What a relay makes of a clip that came by RTMP, whose times are in milliseconds.
pub(crate) fn relayed(inputs: &[&str], encoding: &str) -> Vec<u8> {
    let mut encoder = Command::new("ffmpeg");
    encoder.args(["-v", "error", "-nostdin"]).args(inputs).args(encoding.split_whitespace()).args(["-f", "flv", "-"]);
    let mut relay = Command::new("ffmpeg");
    relay.args(["-v", "error", "-f", "flv", "-i", "-", "-c", "copy", "-f", "mpegts", "-"]);
    run(&mut relay, &run(&mut encoder, &[]))
}

/// A clip by GStreamer.
pub(crate) fn gstreamer(pipeline: &str) -> Vec<u8> {
    run(Command::new("gst-launch-1.0").arg("-q").args(pipeline.split_whitespace()), &[])
}

/// A packet as `ffprobe` tells of it: stream, PTS, DTS and whether it is a keyframe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) stream: usize,
    pub(crate) pts: i64,
    pub(crate) dts: i64,
    pub(crate) key: bool,
}

/// All packets of a clip.
pub(crate) fn probe(clip: &[u8]) -> Vec<Packet> {
    let mut command = Command::new("ffprobe");
    command.args(["-v", "error", "-show_entries", "packet=stream_index,pts,dts,flags", "-of", "csv=p=0", "-"]);
    let text = String::from_utf8(run(&mut command, clip)).unwrap();
    let packet = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        Some(Packet {
            stream: fields[0].parse().ok()?,
            pts: fields[1].parse().ok()?,
            dts: fields[2].parse().ok()?,
            key: fields[3].starts_with('K'),
        })
    };
    let lines = text.lines().filter(|line| !line.is_empty());
    lines.map(|line| packet(line).unwrap_or_else(|| unreachable!("{line}"))).collect()
}

/// The checksum of every picture or span of sound that a clip or an elementary stream decodes to; errors are failures.
pub(crate) fn decode(input: &[&str], stream: &str, data: &[u8]) -> Vec<String> {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-xerror", "-err_detect", "explode", "-nostdin"]);
    command.args(input).args(["-i", "-", "-map", stream, "-fps_mode", "passthrough", "-f", "framemd5", "-"]);
    let text = String::from_utf8(run(&mut command, data)).unwrap();
    let checksum = |line: &str| line.rsplit(',').next().map(|sum| sum.trim().to_owned());
    text.lines().filter(|line| !line.starts_with('#')).filter_map(checksum).collect()
}

fn run(command: &mut Command, input: &[u8]) -> Vec<u8> {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it is installed");
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    // A child that has read enough may leave.
    drop(writer.join().unwrap());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{command:?}: {errors}");
    output.stdout
}
