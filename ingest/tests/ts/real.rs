//! Whole streams: every access unit, at its time.

use std::time::Instant;

use touchline_ingest::ts::Demuxer;
use touchline_media::{Format, TrackId};

use crate::clip::{Packet, decode, ffmpeg, ffmpeg_with, gstreamer, probe};
use crate::demuxed::{AUDIO, Demuxed, VIDEO, demux, demux_in};

/// Ticks after which times repeat.
const PERIOD: i64 = 1 << 33;

/// Checks the units of a track against the packets of a stream, times in ticks of 90 kHz and keyframes.
fn assert_units(demuxed: &Demuxed, track: TrackId, packets: &[Packet], stream: usize, tolerance: i64) {
    let units = demuxed.of(track);
    let expected: Vec<&Packet> = packets.iter().filter(|packet| packet.stream == stream).collect();
    assert_eq!(units.len(), expected.len(), "{:?}", demuxed.counters);
    for (unit, packet) in units.iter().zip(expected) {
        let apart = |a: i64, b: i64| ((a - b + PERIOD / 2).rem_euclid(PERIOD) - PERIOD / 2).abs();
        assert!(apart(unit.dts, packet.dts) <= tolerance, "{} {packet:?}", unit.dts);
        assert!(apart(unit.dts + unit.offset, packet.pts) <= tolerance, "{} {packet:?}", unit.dts);
        assert_eq!(unit.sync, packet.key, "{packet:?}");
    }
}

/// Nothing was lost, and nothing was wrong.
fn assert_clean(demuxed: &Demuxed) {
    assert!(demuxed.dropped.is_empty(), "{:?}", demuxed.dropped);
    assert!(demuxed.counters.troubles().iter().all(|(_, count)| *count == 0), "{:?}", demuxed.counters);
}

/// Checks that pictures and sound of a clip are whole.
fn assert_whole(clip: &[u8], codec: &str) -> Demuxed {
    let (demuxed, packets) = (demux(clip), probe(clip));
    assert_clean(&demuxed);
    assert_units(&demuxed, VIDEO, &packets, 0, 0);
    assert_units(&demuxed, AUDIO, &packets, 1, 1);
    let pictures = decode(&["-f", codec], "0:v", &demuxed.pictures());
    assert_eq!(pictures, decode(&["-f", "mpegts"], "0:v", clip));
    let sound = decode(&["-f", "aac"], "0:a", &demuxed.sound(AUDIO));
    assert_eq!(sound, decode(&["-f", "mpegts"], "0:a:0", clip));
    demuxed
}

#[test]
fn h264_with_b_frames_and_aac() {
    let clip = ffmpeg("-c:v libx264 -preset ultrafast -bf 2 -b_strategy 0 -g 25 -c:a aac -b:a 96k");
    let demuxed = assert_whole(&clip, "h264");
    let Format::Avc(config) = demuxed.format(VIDEO) else { unreachable!("{:?}", demuxed.formats) };
    assert_eq!((config.width, config.height), (160, 90));
    assert_eq!(demuxed.formats.len(), 2, "one configuration each");
    assert_eq!(demuxed.of(VIDEO).iter().filter(|unit| unit.sync).count(), 4);
    assert!(demuxed.of(VIDEO).iter().any(|unit| unit.offset > 0));
}

#[test]
fn hevc_and_aac() {
    let clip =
        ffmpeg("-c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=25:bframes=2:open-gop=0 -c:a aac");
    let demuxed = assert_whole(&clip, "hevc");
    assert!(matches!(demuxed.format(VIDEO), Format::Hevc(config) if (config.width, config.height) == (160, 90)));
    assert!(demuxed.remarks.is_empty(), "{:?}", demuxed.remarks);
}

#[test]
fn open_groups_of_hevc_are_told_of() {
    let clip = ffmpeg(
        "-c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=24:bframes=2:b-adapt=0:scenecut=0:open-gop=1 -c:a aac",
    );
    let demuxed = assert_whole(&clip, "hevc");
    assert!(
        matches!(&demuxed.remarks[..], [text] if text.starts_with("groups of pictures are open")),
        "{:?}",
        demuxed.remarks
    );
}

#[test]
fn times_go_on_where_the_clock_wraps() {
    let clip = ffmpeg("-c:v libx264 -preset ultrafast -bf 2 -g 25 -c:a aac -output_ts_offset 95440");
    let demuxed = assert_whole(&clip, "h264");
    let times: Vec<i64> = demuxed.of(VIDEO).iter().map(|unit| unit.dts).collect();
    assert!(times.iter().any(|&dts| dts > PERIOD - 90_000) && times.iter().any(|&dts| dts < 90_000), "{times:?}");
}

#[test]
fn latm_holds_the_same_sound_as_adts() {
    let encoding = "-c:v libx264 -preset ultrafast -g 25 -c:a aac -b:a 96k";
    let (latm, adts) = (demux(&ffmpeg(&format!("{encoding} -mpegts_flags +latm"))), demux(&ffmpeg(encoding)));
    assert_clean(&latm);
    let sound =
        |demuxed: &Demuxed| -> Vec<_> { demuxed.of(AUDIO).iter().map(|unit| (unit.dts, unit.data.clone())).collect() };
    assert_eq!(sound(&latm).len(), 189);
    for (latm, adts) in sound(&latm).into_iter().zip(sound(&adts)) {
        assert!((latm.0 - adts.0).abs() <= 1, "{} {}", latm.0, adts.0);
        assert_eq!(latm.1, adts.1);
    }
    assert_eq!(latm.format(AUDIO).codec(), "mp4a.40.2");
}

#[test]
fn each_sound_is_a_track_with_its_language() {
    let inputs = ["-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25", "-f", "lavfi", "-i", "sine=440:r=48000"];
    let other = [
        "-f",
        "lavfi",
        "-i",
        "sine=880:r=44100",
        "-t",
        "4",
        "-map",
        "0:v",
        "-map",
        "1:a",
        "-map",
        "2:a",
        "-map",
        "1:a",
    ];
    let encoding =
        "-c:v libx264 -preset ultrafast -g 25 -c:a aac -metadata:s:a:0 language=eng -metadata:s:a:1 language=deu";
    let clip = ffmpeg_with(&[&inputs[..], &other].concat(), encoding);
    let (demuxed, packets) = (demux(&clip), probe(&clip));
    assert_clean(&demuxed);
    let languages: Vec<String> =
        demuxed.tracks[0].values().map(|code| code.map_or("-".into(), |code| code.to_string())).collect();
    assert_eq!(languages, ["-", "eng", "deu", "-"]);
    // ffprobe rounds frames of 44.1 kHz down, and adds them up.
    for (track, stream, tolerance) in [(VIDEO, 0, 0), (AUDIO, 1, 1), (TrackId(2), 2, 30), (TrackId(3), 3, 1)] {
        assert_units(&demuxed, track, &packets, stream, tolerance);
    }
    assert!(matches!(demuxed.format(TrackId(2)), Format::Aac(config) if config.sample_rate == 44_100));
}

#[test]
fn opus_has_packets_at_their_times() {
    let clip = ffmpeg("-c:v libx264 -preset ultrafast -g 25 -c:a libopus -b:a 96k -ac 2");
    let (demuxed, packets) = (demux(&clip), probe(&clip));
    assert_clean(&demuxed);
    assert_units(&demuxed, AUDIO, &packets, 1, 1);
    assert!(matches!(demuxed.format(AUDIO), Format::Opus(config) if config.channels == 2));
}

#[test]
fn gstreamer_muxes_differently_and_is_read_all_the_same() {
    let clip = gstreamer(
        "videotestsrc num-buffers=100 ! video/x-raw,width=160,height=90,framerate=25/1 ! x264enc speed-preset=1 key-int-max=25 \
         bframes=2 ! mpegtsmux name=m ! fdsink audiotestsrc num-buffers=200 samplesperbuffer=1024 ! audio/x-raw,rate=48000 ! \
         avenc_aac ! aacparse ! m.",
    );
    assert_whole(&clip, "h264");
}

#[test]
fn any_pieces_give_the_same_units() {
    let clip = ffmpeg("-c:v libx264 -preset ultrafast -bf 2 -g 25 -c:a aac");
    let units = |demuxed: &Demuxed| -> Vec<_> {
        demuxed.units.iter().map(|unit| (unit.track, unit.dts, unit.offset, unit.sync, unit.data.clone())).collect()
    };
    let whole = demux_in(&clip, clip.len());
    for piece in [1, 100, 187, 188, 189, 1_316, 4_096] {
        let pieces = demux_in(&clip, piece);
        assert_clean(&pieces);
        assert!(units(&pieces) == units(&whole), "pieces of {piece}");
    }
}

#[test]
fn stated_lengths_let_pictures_go_at_once() {
    // The last picture is there before anything that follows it.
    let encoding =
        "-c:v libx264 -preset ultrafast -g 25 -b:v 60k -maxrate 60k -bufsize 30k -c:a aac -omit_video_pes_length 0";
    let clip = ffmpeg(encoding);
    let mut demuxer = Demuxer::default();
    let mut demuxed = Demuxed::default();
    demuxer.push(&clip, Instant::now());
    demuxed.take(&mut demuxer);
    assert_eq!(demuxed.of(VIDEO).len(), 100);
}

#[test]
fn codecs_that_are_not_taken_are_told_in_words() {
    let refused = |encoding| demux(&ffmpeg(encoding)).refused.map(|unsupported| unsupported.to_string());
    assert_eq!(
        refused("-c:v mpeg2video -c:a aac").as_deref(),
        Some("MPEG-2 video is not supported: set the encoder to H.264 or HEVC")
    );
    assert_eq!(
        refused("-vn -c:a mp2").as_deref(),
        Some("MPEG-1 (MP2 or MP3) audio is not supported: set the encoder to AAC")
    );
    let left = |codec| {
        let demuxed = demux(&ffmpeg(&format!("-c:v libx264 -preset ultrafast -g 25 -c:a {codec}")));
        assert_eq!((demuxed.of(VIDEO).len(), &demuxed.refused), (100, &None));
        demuxed.remarks.join("\n")
    };
    assert_eq!(
        left("ac3"),
        "AC-3 audio on PID 257 is not taken, and the channel goes on without it: set the encoder to AAC"
    );
    assert_eq!(
        left("eac3"),
        "E-AC-3 audio on PID 257 is not taken, and the channel goes on without it: set the encoder to AAC"
    );
}

#[test]
fn pictures_go_with_their_last_packet_once_the_muxer_has_shown_which_it_is() {
    let inputs =
        ["-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25", "-f", "lavfi", "-i", "sine=440:r=48000", "-t", "8"];
    let ffmpeg = ffmpeg_with(&inputs, "-c:v libx264 -preset ultrafast -bf 2 -g 25 -c:a aac");
    let constant = ffmpeg_with(&inputs, "-c:v libx264 -preset ultrafast -g 25 -c:a aac -muxrate 2M");
    let gstreamer = gstreamer(
        "videotestsrc num-buffers=200 ! video/x-raw,width=160,height=90,framerate=25/1 ! x264enc speed-preset=1 key-int-max=25 \
         ! mpegtsmux ! fdsink",
    );
    for clip in [ffmpeg, constant, gstreamer] {
        let (mut demuxer, mut demuxed) = (Demuxer::default(), Demuxed::default());
        demuxer.push(&clip, Instant::now());
        demuxed.take(&mut demuxer);
        // The last one too, which nothing follows.
        assert_units(&demuxed, VIDEO, &probe(&clip), 0, 0);
        assert_clean(&demuxed);
        let pictures = decode(&["-f", "h264"], "0:v", &demuxed.pictures());
        assert_eq!(pictures, decode(&["-f", "mpegts"], "0:v", &clip));
    }
}
