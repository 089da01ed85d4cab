//! An RTMP connection behind its handshake, as bytes in any pieces: the session, the tags, and the border to the feed.
//!
//! Whatever comes, nothing panics, no more is kept than may be, and the pieces make no difference.

#![no_main]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::LazyLock;
use std::time::Instant;

use libfuzzer_sys::fuzz_target;
use touchline_ingest::Intake;
use touchline_ingest::rtmp::flv::{Demuxer, Tag};
use touchline_ingest::rtmp::handshake::PACKET_LEN;
use touchline_ingest::rtmp::session::{MAX_BUFFERED, MAX_INPUT};
use touchline_ingest::rtmp::{Output, Session};
use touchline_media::feed;
use touchline_media::timeline::Clock;

static NOW: LazyLock<Instant> = LazyLock::new(Instant::now);

fuzz_target!(|input: (Vec<u8>, &[u8])| {
    let (sizes, bytes) = input;
    let whole = outputs(bytes, &[]);
    assert_eq!(outputs(bytes, &sizes), whole);
    feed(&whole.0);
});

/// What comes of a session that is fed in pieces of so many bytes, over and over, and whose every publish is accepted; and
/// the error that it ends with.
fn outputs(bytes: &[u8], sizes: &[u8]) -> (Vec<Output>, Option<String>) {
    let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 1_935));
    let mut session = Session::new(peer, Box::new([0; PACKET_LEN - 8]));
    let mut outputs = Vec::new();
    let greeting = [&[3][..], &[0; 2 * PACKET_LEN]].concat();
    session.handle(&greeting, *NOW).expect("any bytes will do after the version");
    let (mut rest, mut sizes) = (bytes, sizes.iter().cycle());
    while !rest.is_empty() {
        let size = sizes.next().map_or(MAX_INPUT, |size| usize::from(*size).max(1));
        let (piece, after) = rest.split_at(size.min(rest.len()));
        rest = after;
        let mut result = session.handle(piece, *NOW);
        while let Some(output) = session.poll_output() {
            if matches!(output, Output::Publish(_)) && result.is_ok() {
                result = session.accept(*NOW);
            }
            outputs.push(output);
        }
        assert!(session.buffered() <= MAX_BUFFERED);
        if let Err(error) = result {
            return (outputs, Some(error.to_string()));
        }
    }
    (outputs, None)
}

/// Hands on what is published as a connection does.
fn feed(outputs: &[Output]) {
    let (writer, _reader) = feed::channel();
    let (mut intake, mut demuxer) = (Intake::new(writer), Demuxer::default());
    for output in outputs {
        match output {
            Output::Metadata(metadata) => intake.expect(metadata.video, metadata.audio),
            Output::Media(media) => {
                let Ok(tags) = demuxer.read(media) else { return };
                for tag in tags {
                    match tag {
                        Tag::Configuration(track, format) => intake.configure(track, Clock::RTMP, format, None),
                        Tag::Unit(unit) => intake.push(unit),
                        Tag::Dropped(_) => {}
                    }
                }
            }
            _ => {}
        }
    }
    drop(intake.finish());
}
