use super::*;

/// Reads what follows a chunk size of 4,096.
fn read(bytes: &[u8]) -> Result<Vec<(u32, Vec<u8>)>, Violation> {
    let mut reader = Reader::new(0);
    let bytes = [&[2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 16, 0], bytes].concat();
    let (mut input, mut messages) = (&bytes[..], Vec::new());
    while let Some(message) = reader.read(&mut input)? {
        messages.push((message.timestamp, message.payload.to_vec()));
    }
    Ok(messages)
}

/// A header of format 0 on chunk stream 4 for `length` bytes of audio at 1,000 ms.
fn opening(length: u8) -> [u8; 12] {
    [4, 0, 3, 0xe8, 0, 0, length, kind::AUDIO, 1, 0, 0, 0]
}

#[test]
fn formats_1_to_3_take_over_what_they_leave_out() {
    let bytes = [
        &opening(1)[..],
        b"a",
        &[0x44, 0, 0, 20, 0, 0, 2, kind::AUDIO],
        b"bb",
        &[0x84, 0, 0, 21],
        b"cc",
        &[0xc4],
        b"dd",
    ]
    .concat();
    let times: Vec<u32> = read(&bytes).unwrap().into_iter().map(|(time, _)| time).collect();
    assert_eq!(times, [1_000, 1_020, 1_041, 1_062]);
}

#[test]
fn format_3_after_format_0_repeats_its_timestamp_as_the_delta() {
    let bytes = [&opening(1)[..], b"a", &[0xc4], b"b"].concat();
    assert_eq!(read(&bytes).unwrap(), [(1_000, b"a".to_vec()), (2_000, b"b".to_vec())]);
}

#[test]
fn a_chunk_stream_may_open_with_format_1() {
    let bytes = [&[0x44, 0, 0, 20, 0, 0, 1, kind::AUDIO][..], b"a"].concat();
    assert_eq!(read(&bytes).unwrap(), [(20, b"a".to_vec())]);
}

#[test]
fn a_chunk_stream_cannot_open_with_format_2_or_3() {
    assert_eq!(read(&[0x84, 0, 0, 20]), Err(Violation::NoHeader { id: 4, format: 2 }));
    assert_eq!(read(&[0xc4]), Err(Violation::NoHeader { id: 4, format: 3 }));
}

#[test]
fn extended_timestamps_are_read_in_every_format() {
    let bytes = [
        &[4, 0xff, 0xff, 0xff, 0, 0, 1, kind::AUDIO, 1, 0, 0, 0, 0, 0xff, 0xff, 0xff][..],
        b"a",
        &[0x84, 0xff, 0xff, 0xff, 0x01, 0, 0, 0],
        b"b",
        &[0xc4, 0x01, 0, 0, 0],
        b"c",
        &[0x84, 0, 0, 1],
        b"d",
        &[0xc4],
        b"e",
    ]
    .concat();
    let times: Vec<u32> = read(&bytes).unwrap().into_iter().map(|(time, _)| time).collect();
    assert_eq!(times, [0x00ff_ffff, 0x01ff_ffff, 0x02ff_ffff, 0x0300_0000, 0x0300_0001]);
}

#[test]
fn chunk_stream_ids_come_in_one_two_and_three_bytes() {
    let rest = [0, 0, 0, 0, 0, 1, kind::AUDIO, 1, 0, 0, 0, b'x'];
    let ids: [&[u8]; 4] = [&[63], &[0, 0], &[0, 255], &[1, 255, 255]];
    let bytes: Vec<u8> = ids.iter().flat_map(|id| [id, &rest[..]].concat()).collect();
    assert_eq!(read(&bytes).unwrap().len(), 4);
    assert_eq!(basic(&[1, 255, 255]).map(|(_, id, _)| id), Some(64 + 255 + 255 * 256));
}

#[test]
fn a_chunk_that_is_no_format_3_continues_a_message_if_it_agrees_with_it() {
    let continued = |second: &[u8]| {
        let first = [&opening(0)[..4], &[0, 0x10, 1], &opening(0)[7..], &[b'a'; 4_096]].concat();
        read(&[&first[..], second, b"b"].concat())
    };
    let message = vec![(1_000, [&[b'a'; 4_096][..], b"b"].concat())];
    assert_eq!(continued(&[0xc4]), Ok(message.clone()));
    assert_eq!(continued(&[0x44, 0, 0, 0, 0, 0x10, 1, kind::AUDIO]), Ok(message));
    assert_eq!(continued(&[0x44, 0, 0, 0, 0, 0x10, 2, kind::AUDIO]), Err(Violation::Overlap { id: 4 }));
}

#[test]
fn an_aborted_message_is_discarded_and_the_next_one_begins() {
    let bytes = [
        &opening(0)[..4],
        &[0, 0x20, 0],
        &opening(0)[7..],
        &[b'a'; 4_096],
        &[2, 0, 0, 0, 0, 0, 4, kind::ABORT, 0, 0, 0, 0, 0, 0, 0, 4],
        &opening(1),
        b"b",
    ]
    .concat();
    assert_eq!(read(&bytes).unwrap(), [(1_000, b"b".to_vec())]);
}

#[test]
fn the_header_of_the_next_message_changes_only_that() {
    let bytes = [&opening(2)[..], b"aa", &[0x45, 0, 0, 9, 0, 0, 1, kind::VIDEO], b"v", &[0xc4], b"bb"].concat();
    assert_eq!(
        read(&bytes).unwrap(),
        [(1_000, b"aa".to_vec()), (9, b"v".to_vec()), (2_000, b"bb".to_vec())],
        "chunk stream 5 leaves chunk stream 4 alone"
    );
}

#[test]
fn an_empty_message_is_a_message() {
    assert_eq!(read(&opening(0)).unwrap(), [(1_000, vec![])]);
}

#[test]
fn what_is_written_is_read() {
    let mut out = Vec::new();
    write(&mut out, 5, kind::COMMAND_AMF0, 1, &[7; 300]);
    let mut reader = Reader::new(0);
    reader.chunk_size = usize::try_from(REPLY_SIZE).unwrap();
    let message = reader.read(&mut &out[..]).unwrap().unwrap();
    let expected = Message { timestamp: 0, kind: kind::COMMAND_AMF0, stream: 1, payload: vec![7; 300].into() };
    assert_eq!(message, expected);
}
