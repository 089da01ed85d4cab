//! However bytes are cut into reads, and messages into chunks, the same comes out.

use std::time::Instant;

use proptest::prelude::*;

use super::super::chunk::{Message, Reader, kind};
use super::script::{Script, chunks};
use super::{Seen, fixtures};

fn read_all(bytes: &[u8]) -> Vec<Message> {
    let (mut reader, mut input, mut messages) = (Reader::new(0), bytes, Vec::new());
    reader.expect_media();
    while let Some(message) = reader.read(&mut input).unwrap() {
        messages.push(message);
    }
    assert_eq!((reader.buffered(), reader.offset()), (0, bytes.len() as u64));
    messages
}

fn payload(timestamp: u32, length: usize) -> Vec<u8> {
    (0..length).map(|i| u8::try_from((i + timestamp as usize) % 251).unwrap()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_split_of_a_session_gives_the_same(sizes in proptest::collection::vec(1_usize..4_000, 1..60)) {
        let session = fixtures::read("gst-rtmpsink-librtmp-type1-first.rtmp");
        let now = Instant::now();
        let (split, whole) = (Seen::of(&session, &sizes, now), Seen::of(&session, &[], now));
        prop_assert_eq!(split.outputs, whole.outputs);
        prop_assert_eq!(split.sent, whole.sent);
        prop_assert_eq!(split.error, None);
    }

    #[test]
    fn interleaved_chunk_streams_of_any_chunk_size_give_the_same_messages(
        lengths in proptest::collection::vec((1_usize..2_000, 1_usize..2_000), 1..6),
        size in 1_usize..1_500,
        order in proptest::collection::vec(any::<bool>(), 64),
        base in prop_oneof![Just(0_u32), Just(0x00ff_fff0), Just(0x7fff_fff0), Just(0xffff_ff00)],
    ) {
        let mut order = order.into_iter().cycle();
        let mut bytes = Script::new().message(2, 0, kind::SET_CHUNK_SIZE, &u32::try_from(size).unwrap().to_be_bytes()).bytes;
        let mut expected = Vec::new();
        for (n, (audio, video)) in lengths.into_iter().enumerate() {
            let timestamp = base.wrapping_add(u32::try_from(n).unwrap() * 20);
            let (audio, video) = (payload(timestamp, audio), payload(timestamp + 1, video));
            let mut left = chunks(4, timestamp, kind::AUDIO, &audio, size).into_iter().peekable();
            let mut right = chunks(6, timestamp, kind::VIDEO, &video, size).into_iter().peekable();
            for (kind, payload) in [(kind::AUDIO, audio), (kind::VIDEO, video)] {
                expected.push(Message { timestamp, kind, stream: 1, payload: payload.into() });
            }
            while left.peek().is_some() || right.peek().is_some() {
                let next = if order.next().unwrap() { left.next() } else { right.next() };
                bytes.extend(next.unwrap_or_default());
            }
        }
        let mut messages = read_all(&bytes);
        // Two messages of a moment complete in either order.
        messages.sort_by_key(|message| (message.timestamp.wrapping_sub(base), message.kind));
        prop_assert_eq!(messages, expected);
    }
}

#[test]
fn one_byte_at_a_time_gives_the_same() {
    let session = fixtures::read("ffmpeg-5.1-extended-timestamp.rtmp");
    let now = Instant::now();
    let (bytes, whole) = (Seen::of(&session, &[1], now), Seen::of(&session, &[], now));
    assert_eq!((bytes.outputs, bytes.sent, bytes.error), (whole.outputs, whole.sent, None));
}
