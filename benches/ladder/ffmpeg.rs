//! One ffmpeg process that makes the same ladder in the same way: decoded once, split, scaled by Lanczos, encoded by x264.

use std::error::Error;
use std::io::Read as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Instant;

use touchline_benches::flv;
use touchline_media::{FrameRate, Kind};
use touchline_transcode::rung::{self, Rung};

use crate::maker::{Arrival, Maker};
use crate::source::{FRAMES_PER_SECOND, GOP_SECONDS, HEIGHT, Source, Unit, WIDTH};

/// Starts ffmpeg on a ladder. Sockets that it writes to are made in `folder`.
pub(crate) fn start(source: &Source, rungs: &[Rung], folder: &Path) -> Result<Maker, Box<dyn Error>> {
    let (to, arrivals) = channel();
    let mut ffmpeg = Command::new("ffmpeg");
    // It is told not to look for more than it needs, and to keep nothing back.
    ffmpeg.args(["-nostdin", "-loglevel", "error", "-fflags", "nobuffer", "-flags", "low_delay"]);
    ffmpeg.args(["-probesize", "32", "-analyzeduration", "0", "-threads", "1", "-f", "flv", "-i", "pipe:0"]);
    ffmpeg.args(["-filter_complex_threads", "1", "-filter_complex", &filters(rungs)]);
    for (index, rung) in rungs.iter().enumerate() {
        let socket = folder.join(format!("{index}.sock"));
        let (listener, to) = (UnixListener::bind(&socket)?, to.clone());
        thread::spawn(move || {
            let read = listener.accept().map(|(socket, _)| read(socket, index, &to));
            if let Err(error) = read {
                eprintln!("what ffmpeg makes: {error}");
            }
        });
        ffmpeg.args(output(index, *rung)).arg(format!("unix:{}", socket.display()));
    }
    let mut process = ffmpeg
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .map_err(|error| format!("cannot run ffmpeg: {error}"))?;
    let input = process.stdin.take().ok_or("ffmpeg has no standard input")?;
    let pack = |unit: &Unit| unit.tag.bytes().clone();
    Ok(Maker::new(process, input, source.preamble.clone(), pack, arrivals, rungs.len()))
}

/// One split, and a scaler for each rung of another size.
fn filters(rungs: &[Rung]) -> String {
    let shape = rung::Source { width: WIDTH, height: HEIGHT, frame_rate: FrameRate::new(FRAMES_PER_SECOND, 1) };
    let pads: Vec<String> = (0..rungs.len()).map(|index| format!("[s{index}]")).collect();
    let scalers = rungs.iter().enumerate().map(|(index, rung)| {
        let (width, height) = (shape.width_at(rung.height), rung.height);
        format!(";[s{index}]scale={width}:{height}:flags=lanczos[v{index}]")
    });
    format!("[0:v]split={}{}", pads.len(), pads.concat()) + &scalers.collect::<String>()
}

/// As the worker sets x264: a constant bitrate within a buffer of one second, no B-frames, no look-ahead, one thread.
fn output(index: usize, rung: Rung) -> Vec<String> {
    let (bitrate, gop) = (rung.bitrate.0, GOP_SECONDS * FRAMES_PER_SECOND);
    let options = format!(
        "-map [v{index}] -fps_mode passthrough -c:v libx264 -preset superfast -tune zerolatency -profile:v high -threads 1 \
         -x264-params sliced-threads=0:scenecut=0:rc-lookahead=0 -bf 0 -g {gop} -keyint_min {gop} \
         -b:v {bitrate} -maxrate {bitrate} -bufsize {bitrate} -flush_packets 1 -flvflags no_duration_filesize -f flv"
    );
    options.split_whitespace().map(str::to_owned).collect()
}

fn read(mut socket: UnixStream, rung: usize, to: &Sender<Arrival>) -> std::io::Result<()> {
    let (mut tags, mut bytes) = (flv::Reader::default(), vec![0; 64 * 1_024]);
    loop {
        let read = socket.read(&mut bytes)?;
        if read == 0 {
            return Ok(());
        }
        let at = Instant::now();
        tags.extend(bytes.get(..read).unwrap_or_default());
        for tag in tags.by_ref().filter(|tag| tag.kind() == Some(Kind::Video)) {
            let body = tag.body();
            // E.4.3.1: FrameType 1 is a keyframe, AVCPacketType 1 an access unit; five bytes stand in front of it.
            let [first, 1, ..] = *body else { continue };
            let frame = (tag.timestamp() as usize * FRAMES_PER_SECOND as usize + 500) / 1_000;
            // Nobody is interested any more when the measurement is over.
            let _ = to.send(Arrival { rung, frame, sync: first >> 4 == 1, length: body.len() - 5, at });
        }
    }
}
