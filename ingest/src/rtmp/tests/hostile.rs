//! What a peer may try at the session. `Seen` checks the memory at every step.

use std::time::Instant;

use touchline_media::feed;
use touchline_media::timeline::Clock;

use super::super::amf0::{self, Value};
use super::super::chunk::{MAX_COMMAND, MAX_MEDIA, MAX_PARTIAL, kind};
use super::super::flv::{Demuxer, Tag};
use super::super::session::{MAX_HELD, MAX_INPUT};
use super::super::{Output, Session};
use super::script::{Script, chunks};
use super::{Seen, fixtures, session};
use crate::Intake;

fn error(script: &Script) -> String {
    Seen::of_whole(&script.bytes).error.expect("the session goes on")
}

/// A stream that is alive: its publish, and the messages of one more picture after what was tried.
fn goes_on(script: Script) -> Seen {
    let seen = Seen::of_whole(&script.video(40, b"\x27\x01picture").bytes);
    assert_eq!(seen.error, None);
    assert_eq!(seen.media().last().map(|media| &media.payload[..]), Some(&b"\x27\x01picture"[..]));
    seen
}

#[test]
fn another_protocol_ends_at_its_first_byte() {
    assert_eq!(
        error(&Script::new().raw(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")),
        "127.0.0.1:1935: RTMP error at byte 0: the first byte is 71, not 3: this is not plain RTMP (RTMPE and HTTP are \
         not served on this port)"
    );
}

#[test]
fn garbage_after_the_handshake_ends_in_an_error() {
    let mut random = Random(1);
    let mut errors = 0;
    for _ in 0..500 {
        let garbage: Vec<u8> = (0..4_096).map(|_| random.byte()).collect();
        errors += u32::from(Seen::of_whole(&Script::greeted().raw(&garbage).bytes).error.is_some());
    }
    assert!(errors > 450, "{errors} of 500");
}

#[test]
fn a_message_longer_than_its_type_may_be_is_refused_at_its_header() {
    let publishing = Script::publishing();
    let end = publishing.bytes.len() + 12;
    assert_eq!(
        error(&publishing.clone().header(6, kind::VIDEO, 0x00ff_ffff).raw(&[0; 1_000])),
        format!(
            "127.0.0.1:1935: RTMP error at byte {end}: a message of type 9 announces 16777215 bytes, more than the {MAX_MEDIA} that \
             are taken here"
        )
    );
    assert!(error(&publishing.header(3, kind::COMMAND_AMF0, 65_537)).contains("more than the 65536"));
    assert!(
        error(&Script::connected().header(6, kind::VIDEO, 65_537)).contains("more than the 65536"),
        "before publish"
    );
}

#[test]
fn an_announced_message_takes_no_memory_before_it_comes() {
    let script =
        (10..40).fold(Script::publishing(), |script, id| script.header(id, kind::VIDEO, 8 << 20).raw(&[0; 128]));
    let seen = Seen::of(&script.bytes, &[64], Instant::now());
    assert_eq!(seen.error, None);
    assert!(seen.peak < 200_000, "{}", seen.peak);
}

#[test]
fn the_longest_media_message_is_taken() {
    let seen = goes_on(Script::publishing().chunk_size(65_536).video(0, &vec![1; MAX_MEDIA]));
    assert_eq!(seen.media().next().unwrap().payload.len(), MAX_MEDIA);
    assert!(seen.peak <= MAX_PARTIAL, "{}", seen.peak);
}

#[test]
fn amf_200_000_deep_is_refused() {
    let deep = [0x0a, 0, 0, 0, 1].repeat(200_000);
    let whole = Script::connected().chunk_size(65_536).message(3, 0, kind::COMMAND_AMF0, &deep);
    assert!(error(&whole).contains("announces 1000000 bytes, more than the 65536"));
    let part = Script::connected().message(3, 0, kind::COMMAND_AMF0, &deep[..65_000]);
    assert!(error(&part).ends_with("AMF0 nested deeper than 8"));
    goes_on(Script::publishing().message(4, 0, kind::DATA_AMF0, &deep[..65_000]));
}

#[test]
fn an_array_length_of_2_to_the_32_is_refused() {
    let array = [0x0a, 0xff, 0xff, 0xff, 0xff, 5];
    let command = [&amf0::encode(&["connect".into(), Value::Number(1.0)])[..], &array].concat();
    assert!(
        error(&Script::greeted().message(3, 0, kind::COMMAND_AMF0, &command))
            .ends_with("more than 512 AMF0 values in a message")
    );
    goes_on(Script::publishing().message(4, 0, kind::DATA_AMF0, &array));
}

#[test]
fn sixteen_megabytes_of_amf_nulls_take_no_memory() {
    let whole = Script::publishing().chunk_size(65_536).header(4, kind::DATA_AMF0, 0x00ff_ffff).raw(&[5; 1_000]);
    assert!(error(&whole).contains("announces 16777215 bytes"));
    let nulls = vec![5; MAX_COMMAND];
    let pieces = (0..256).fold(Script::publishing(), |script, _| script.message(4, 0, kind::DATA_AMF0, &nulls));
    let seen = goes_on(pieces);
    assert!(seen.peak < 256 * 1_024, "{}", seen.peak);
}

#[test]
fn a_33rd_chunk_stream_is_refused() {
    // The script itself uses 3 and 6.
    let ids = (10..40).fold(Script::publishing(), |script, id| script.message(id, 0, kind::DATA_AMF0, &[5]));
    goes_on(ids.clone());
    let one_more = ids.message(40, 0, kind::DATA_AMF0, &[5]).message(41, 0, kind::DATA_AMF0, &[5]);
    assert!(error(&one_more).ends_with("more than 32 chunk streams"));
}

#[test]
fn chunk_sizes_of_0_and_2_to_the_31_are_refused_and_1_is_taken() {
    let set = |size: u32| Script::publishing().message(2, 0, kind::SET_CHUNK_SIZE, &size.to_be_bytes());
    assert!(error(&set(0)).ends_with("chunk size 0 is outside of 1 to 2147483647"));
    assert!(error(&set(1 << 31)).ends_with("chunk size 2147483648 is outside of 1 to 2147483647"));
    assert!(
        error(&Script::publishing().message(2, 0, kind::SET_CHUNK_SIZE, &[1]))
            .ends_with("type 1 with 1 bytes is cut short")
    );
    goes_on(Script::publishing().chunk_size(1));
    goes_on(Script::publishing().chunk_size(0x7fff_ffff));
}

#[test]
fn interleaved_partial_messages_are_refused_past_12_mib() {
    let payload = vec![0; 4 << 20];
    let mut streams: Vec<_> = (10..20).map(|id| chunks(id, 0, kind::VIDEO, &payload, 65_536).into_iter()).collect();
    let mut script = Script::publishing().chunk_size(65_536);
    for _ in 0..60 {
        for chunk in &mut streams {
            script = script.raw(&chunk.next().unwrap());
        }
    }
    let seen = Seen::of_whole(&script.bytes);
    assert!(seen.error.unwrap().ends_with("incomplete messages take more than 12582912 bytes"));
    assert!(seen.peak > MAX_PARTIAL / 2, "{}", seen.peak);
}

#[test]
fn a_flood_of_aborts_frees_what_it_aborts() {
    let mut script = Script::publishing();
    for _ in 0..20_000 {
        script = script.header(7, kind::VIDEO, 1_000).raw(&[0; 128]).message(2, 0, kind::ABORT, &7_u32.to_be_bytes());
        script = script.message(2, 0, kind::ABORT, &99_u32.to_be_bytes());
    }
    let seen = goes_on(script);
    assert!(seen.peak < 64 * 1_024, "{}", seen.peak);
}

#[test]
fn a_flood_of_pings_is_answered_within_bounds() {
    let ping = [0, 6, 0, 0, 0, 1];
    let script = (0..20_000).fold(Script::greeted(), |script, _| script.message(2, 0, kind::USER_CONTROL, &ping));
    let seen = Seen::of_whole(&script.bytes);
    assert_eq!((seen.error, seen.sent.len()), (None, 3_073 + 20_000 * 18));
}

#[test]
fn what_is_sent_ahead_of_the_answer_is_held_up_to_a_limit() {
    let mut session = session();
    let ahead = Script::publishing().video(0, &[7; 1_000]);
    session.handle(&ahead.bytes, Instant::now()).unwrap();
    assert!(!outputs(&mut session).iter().any(|output| matches!(output, Output::Media(_))));
    let mut held = session.buffered();
    assert!(held > 1_000);
    let refusal = (0..100).find_map(|_| match session.handle(&[0; 1_000], Instant::now()) {
        Ok(()) => {
            held = session.buffered();
            None
        }
        Err(error) => Some(error.to_string()),
    });
    let refusal = refusal.expect("100,000 bytes are held");
    assert!(refusal.ends_with("more than 65536 bytes sent ahead of the answer to publish"));
    assert!(held <= MAX_HELD);
}

#[test]
fn what_is_out_of_order_is_refused_or_ignored() {
    let publish = Script::greeted().publish("main");
    assert!(error(&publish).ends_with("publish before connect"));
    let seen = Seen::of_whole(&Script::connected().video(0, b"\x27\x01").command(&["deleteStream".into()]).bytes);
    assert_eq!((seen.error, seen.outputs), (None, vec![]));
    let twice = goes_on(Script::publishing().publish("other"));
    assert!(String::from_utf8_lossy(&twice.sent).contains("this connection publishes already"));
    goes_on(Script::publishing().command(&[
        "deleteStream".into(),
        Value::Number(4.0),
        Value::Null,
        Value::Number(9.0),
    ]));
    let unpublished = Script::publishing().command(&["FCUnpublish".into()]).command(&["closeStream".into()]);
    let seen = Seen::of_whole(&unpublished.video(0, b"\x27\x01").bytes);
    assert_eq!(seen.outputs.iter().filter(|output| **output == Output::Unpublish).count(), 1);
    assert_eq!(seen.media().count(), 0);
}

#[test]
fn a_player_is_told_where_to_watch() {
    let play = ["play".into(), Value::Number(4.0), Value::Null, "main".into()];
    let seen = Seen::of_whole(&Script::connected().command(&play).bytes);
    assert_eq!(seen.error, None);
    let sent = String::from_utf8_lossy(&seen.sent).into_owned();
    assert!(sent.contains("NetStream.Play.Failed") && sent.contains("watch over HTTP, at /watch/CHANNEL"));
}

#[test]
fn unknown_commands_are_answered_as_such() {
    let seen = Seen::of_whole(&Script::connected().command(&["getFoo".into(), Value::Number(9.0), Value::Null]).bytes);
    assert!(String::from_utf8_lossy(&seen.sent).contains("NetConnection.Call.Failed"));
}

/// Everything behind the socket, as a connection has it.
fn feed_all(bytes: &[u8]) -> Result<u64, String> {
    let (writer, _reader) = feed::channel();
    let (mut intake, mut demuxer, mut units) = (Intake::new(writer), Demuxer::default(), 0);
    let seen = Seen::of_whole(bytes);
    for output in &seen.outputs {
        match output {
            Output::Metadata(metadata) => intake.expect(metadata.video, metadata.audio),
            Output::Media(media) => {
                for tag in demuxer.read(media).map_err(|unsupported| unsupported.to_string())? {
                    match tag {
                        Tag::Configuration(track, format) => intake.configure(track, Clock::RTMP, format, None),
                        Tag::Unit(unit) => {
                            units += 1;
                            intake.push(unit);
                        }
                        Tag::Dropped(_) => {}
                    }
                }
            }
            _ => {}
        }
    }
    drop(intake.finish());
    seen.error.map_or(Ok(units), Err)
}

#[test]
fn mutated_sessions_never_panic_nor_take_more_memory_than_they_may() {
    let sessions = [
        "ffmpeg-5.1-aac-only.rtmp",
        "ffmpeg-5.1-h264-only.rtmp",
        "gst-rtmpsink-librtmp-type1-first.rtmp",
        "ffmpeg-9-enhanced-hevc-aac.rtmp",
        "ffmpeg-9-enhanced-av1-opus.rtmp",
        "ffmpeg-9-enhanced-multitrack.rtmp",
    ];
    let sessions = sessions.map(fixtures::read);
    let mut random = Random(7);
    let (mut ended, mut survived) = (0, 0);
    for round in 0..3_000 {
        let mut bytes = sessions[round % sessions.len()].clone();
        for _ in 0..=random.below(4) {
            random.mutate(&mut bytes);
        }
        match feed_all(&bytes) {
            Ok(_) => survived += 1,
            Err(_) => ended += 1,
        }
    }
    assert!(ended > 300 && survived > 300, "{ended} ended, {survived} survived");
}

fn outputs(session: &mut Session) -> Vec<Output> {
    std::iter::from_fn(|| session.poll_output()).collect()
}

/// Marsaglia's xorshift: the same on every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap() % limit
    }

    /// Changes, removes, repeats or inserts a few bytes: half of the time among the commands, else anywhere.
    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        let first = 3_073.min(bytes.len() - 1);
        let span = bytes.len() - first;
        let at = first + if self.below(2) == 0 { self.below(span.min(1_500)) } else { self.below(span) };
        let end = (at + 1 + self.below(8)).min(bytes.len());
        match self.below(5) {
            0 => bytes[at] ^= 1 << self.below(8),
            1 => bytes[at..end].fill(self.byte()),
            2 => drop(bytes.drain(at..end)),
            3 => bytes.extend_from_within(at..end),
            _ => bytes.insert(at, self.byte()),
        }
    }
}

#[test]
fn inputs_of_any_size_are_within_the_memory_bound_if_they_are_as_long_as_allowed() {
    // One output for every two bytes, held and released at once: the worst case that MAX_BUFFERED is made for.
    let mut script = Script::publishing().video(0, b"x");
    script = script.raw(&[0xc6, b'x'].repeat(MAX_HELD / 2 - 100));
    let seen = Seen::of(&script.bytes, &[MAX_INPUT], Instant::now());
    assert_eq!(seen.error, None);
    assert!(seen.media().count() > MAX_HELD / 2 - 100);
}
