use super::*;

const LIVE: &str = r#"#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:2
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=0.6,CAN-SKIP-UNTIL=12.0
#EXT-X-PART-INF:PART-TARGET=0.2
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-DISCONTINUITY-SEQUENCE:3
#EXT-X-MAP:URI="init.mp4"
#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:01.500Z
#EXTINF:2.00000,
7.m4s
#EXT-X-DISCONTINUITY
#EXT-X-PART:DURATION=0.2,URI="8.0.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.2,URI="8.1.m4s"
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="8.2.m4s"
#EXT-X-RENDITION-REPORT:URI="../audio/index.m3u8",LAST-MSN=8,LAST-PART=1
"#;

#[test]
fn a_live_playlist_is_read_with_its_growing_segment() {
    let media = Media::read(LIVE);
    assert_eq!(media.faults, []);
    let read: Vec<_> =
        media.segments.iter().map(|s| (s.msn, s.uri.as_deref(), s.parts.len(), s.discontinuity_sequence)).collect();
    assert_eq!(read, [(7, Some("7.m4s"), 0, 3), (8, None, 2, 4)]);
    assert_eq!((media.last_complete(), media.last_part(), media.next_part()), (Some(7), Some((8, 1)), (8, 2)));
    assert_eq!(media.segments[0].date, Some(1_500_000_000));
    assert_eq!((media.hints[0].line, media.reports[0].last_part), (15, Some(1)));
    assert_eq!(media.needed_version, (6, "EXT-X-MAP"));
}

#[test]
fn the_first_segment_after_a_skip_is_numbered_past_the_skipped() {
    let media = Media::read(&LIVE.replace("#EXT-X-MAP:URI=\"init.mp4\"", "#EXT-X-SKIP:SKIPPED-SEGMENTS=5"));
    assert_eq!((media.first_msn(), media.segments[0].msn, media.needed_version.0), (7, 12, 9));
}

#[test]
fn a_part_past_the_end_of_a_complete_segment_is_the_first_of_the_next() {
    let whole = LIVE.replace("#EXT-X-PRELOAD-HINT", "#EXTINF:0.4,\n8.m4s\n#EXT-X-PRELOAD-HINT");
    for (text, part, listed) in [
        (LIVE, (8, 1), true),
        (LIVE, (8, 2), false),
        (LIVE, (7, 99), true),
        (LIVE, (1, 0), true),
        (whole.as_str(), (8, 1), true),
        (whole.as_str(), (8, 2), false),
        (whole.as_str(), (9, 0), false),
    ] {
        assert_eq!(Media::read(text).has_part(part.0, part.1), listed, "{part:?}");
    }
}

#[test]
fn wrong_tags_are_told_with_their_lines() {
    for (tag, line, what) in [
        ("#EXT-X-VERSION:7", 17, "#EXT-X-VERSION stands more than once"),
        ("#EXT-X-BITRATE:fast", 17, "#EXT-X-BITRATE: \"fast\" is not a decimal integer"),
        ("#EXT-X-PART:URI=\"a\"", 17, "#EXT-X-PART has no DURATION"),
        ("#EXTINF:2", 17, "no comma stands after the duration in EXTINF"),
        ("lonely.m4s", 17, "\"lonely.m4s\" has no EXTINF before it"),
    ] {
        let fault = Media::read(&format!("{LIVE}{tag}\n")).faults.remove(0);
        assert_eq!((fault.line, fault.what.as_str()), (line, what));
    }
}

#[test]
fn tags_after_the_first_part_are_late() {
    let text =
        LIVE.replace("#EXT-X-PRELOAD-HINT", "#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:03.500Z\n#EXT-X-PRELOAD-HINT");
    assert_eq!(Media::read(&text).segments[1].late_tags, [("#EXT-X-PROGRAM-DATE-TIME".to_owned(), 15)]);
}

#[test]
fn ranges_go_on_where_the_one_before_ended() {
    let text = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-PART:DURATION=1,URI=\"a\",BYTERANGE=\"10@0\"\n#EXT-X-PART:DURATION=1,URI=\"a\",BYTERANGE=\"5\"\n";
    let media = Media::read(text);
    assert_eq!(media.segments[0].parts[1].byte_range, Some(ByteRange { start: 10, length: 5 }));
}
