//! What the benches feed the stages with: a recorded publisher, as bytes and as the samples that come of it.

pub mod flv;
pub mod process;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use touchline_ingest::Intake;
use touchline_ingest::rtmp::flv::{Demuxer, Tag, Unsupported};
use touchline_ingest::rtmp::{Media, Output, Session, session};
use touchline_media::timeline::Clock;
use touchline_media::{Sample, Track, feed};
use touchline_packager::{self as packager, Event, Packager, Presentation, WallClock};

/// ffmpeg at 1280x720, 30 frames/s and 3 Mb/s with AAC, 5 s, as it came over TCP.
pub const RECORDED: &[u8] = include_bytes!("../fixtures/bench-720p30.rtmp");

/// Runs a recorded session up to its audio and video messages.
///
/// # Panics
///
/// If the session does not accept the recording.
pub fn messages(recorded: &[u8], now: Instant) -> Vec<Media> {
    let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 1_935));
    let mut session = Session::new(peer, Box::new([0; 1_528]));
    let mut messages = Vec::new();
    for bytes in recorded.chunks(session::MAX_INPUT) {
        session.handle(bytes, now).expect("a recorded session breaks no rule");
        while let Some(output) = session.poll_output() {
            match output {
                Output::Publish(_) => session.accept(now).expect("it may publish"),
                Output::Media(media) => messages.push(media),
                Output::Send(_) | Output::Metadata(_) | Output::Unpublish => {}
            }
        }
    }
    messages
}

/// The tracks and samples of a recorded session.
///
/// # Panics
///
/// If the recording holds what is not supported.
pub fn samples(recorded: &[u8]) -> (Arc<[Track]>, Vec<Sample>) {
    let messages = messages(recorded, Instant::now());
    samples_of(messages).expect("H.264 and AAC are supported")
}

/// What a packager makes of a recorded session, which goes on as far as viewers can tell.
///
/// # Panics
///
/// If the recording cannot be packaged.
pub fn packaged(recorded: &[u8], settings: packager::Settings) -> (Arc<Presentation>, Vec<Event>) {
    let (tracks, samples) = samples(recorded);
    let clock = WallClock { instant: Instant::now(), unix: Duration::from_hours(500_000) };
    let mut packager = Packager::new(settings, clock);
    let mut events = packager.start(&tracks).expect("the recorded tracks can be packaged");
    events.extend(samples.into_iter().flat_map(|sample| packager.push(sample)));
    let presentation = events.iter().find_map(|event| match event {
        Event::Opened(presentation) => Some(Arc::clone(presentation)),
        _ => None,
    });
    (presentation.expect("the presentation opens"), events)
}

/// What the server makes of a publisher's audio and video messages.
pub fn samples_of(messages: impl IntoIterator<Item = Media>) -> Result<(Arc<[Track]>, Vec<Sample>), Unsupported> {
    let (writer, mut reader) = feed::channel();
    let (mut intake, mut demuxer) = (Intake::new(writer), Demuxer::default());
    let (mut tracks, mut samples): (Arc<[Track]>, Vec<Sample>) = (Arc::new([]), Vec::new());
    let mut take = |event| match event {
        feed::Event::Start { tracks: now, .. } => tracks = now,
        feed::Event::Sample(sample) => samples.push(sample),
    };
    for media in messages {
        for tag in demuxer.read(&media)? {
            match tag {
                Tag::Configuration(track, format) => intake.configure(track, Clock::RTMP, format, None),
                Tag::Unit(unit) => intake.push(unit),
                Tag::Dropped(_) => {}
            }
        }
        // A feed keeps so much and no more.
        while let Some(event) = reader.try_next() {
            take(event);
        }
    }
    drop(intake.finish());
    while let Some(event) = reader.try_next() {
        take(event);
    }
    Ok((tracks, samples))
}
