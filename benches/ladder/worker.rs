//! Touchline's worker, driven over a socket as the server does it.

use std::error::Error;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use touchline_media::Format;
use touchline_transcode::message::{Answer, Input, InputKind, Output, Packet, Request};
use touchline_transcode::plan::{self, Codec, Encoder, Keys, Plan, VideoRung};
use touchline_transcode::rung::{self, Rung};

use crate::maker::{Arrival, Maker};
use crate::source::{GOP_SECONDS, HEIGHT, Source, Unit, WIDTH};

/// Starts `program` on a ladder.
pub(crate) fn start(program: &Path, source: &Source, rungs: &[Rung]) -> Result<Maker, Box<dyn Error>> {
    let (ours, theirs) = UnixStream::pair()?;
    let process = Command::new(program)
        .arg("work")
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .spawn()
        .map_err(|error| {
            let build = "cargo build --release -p touchline-transcode-worker";
            format!("cannot start {}: {error}; is it built? ({build})", program.display())
        })?;
    let (to, arrivals) = channel();
    let from = ours.try_clone()?;
    let frame_ticks = i64::from(source.track.frame_ticks.ok_or("the source has no constant frame rate")?);
    thread::spawn(move || {
        if let Err(error) = read(from, frame_ticks, &to) {
            eprintln!("the worker's answers: {error}");
        }
    });
    let preamble = bytes(&Request::Plan(plan(source, rungs)?));
    Ok(Maker::new(process, ours, preamble, input, arrivals, rungs.len()))
}

/// What the server would ask for.
fn plan(source: &Source, rungs: &[Rung]) -> Result<Plan, Box<dyn Error>> {
    let Format::Avc(config) = &source.track.format else { return Err("the source is not H.264".into()) };
    let (timescale, record) = (source.track.timescale.get(), config.record.to_vec());
    let shape = rung::Source { width: WIDTH, height: HEIGHT, frame_rate: source.track.frame_rate() };
    let rung = |(stream, rung): (u8, &Rung)| VideoRung {
        stream,
        encoder: Encoder::X264,
        width: shape.width_at(rung.height),
        height: rung.height,
        bitrate: rung.bitrate.0,
        after: None,
    };
    // A rung of the source's size takes its place.
    let is_top = rungs.iter().any(|rung| rung.height == HEIGHT);
    let video = plan::Video {
        source: plan::Source { codec: Codec::H264, timescale, record },
        width: WIDTH,
        height: HEIGHT,
        frame_ticks: source.track.frame_ticks,
        keys: if is_top { Keys::Every { ticks: GOP_SECONDS * timescale, from: None } } else { Keys::Source },
        rungs: (0..).zip(rungs).map(rung).collect(),
        thumbnail: None,
    };
    Ok(Plan { video: Some(video), audio: None })
}

fn input(unit: &Unit) -> Bytes {
    bytes(&Request::Input(Input {
        kind: InputKind::Video,
        sync: unit.sync,
        replay: false,
        pts: unit.pts,
        dts: unit.pts,
        data: unit.data.clone(),
    }))
}

fn bytes(request: &Request) -> Bytes {
    let Packet { head, payload } = Packet::from(request);
    [&head[..], &payload].concat().into()
}

fn read(mut socket: UnixStream, frame_ticks: i64, to: &Sender<Arrival>) -> Result<(), Box<dyn Error>> {
    let (mut buffer, mut bytes) = (BytesMut::new(), vec![0; 64 * 1_024]);
    loop {
        let read = match socket.read(&mut bytes) {
            Ok(0) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(()),
            read => read?,
        };
        let at = Instant::now();
        buffer.extend_from_slice(bytes.get(..read).unwrap_or_default());
        while let Some(packet) = Packet::take(&mut buffer)? {
            if let Answer::Output(Output { stream, sync, pts, data }) = Answer::try_from(packet)? {
                let frame = usize::try_from(pts / frame_ticks)?;
                // Nobody is interested any more when the measurement is over.
                let _ = to.send(Arrival { rung: stream.into(), frame, sync, length: data.len(), at });
            }
        }
    }
}
