//! Clips that are made here, and those that ffmpeg makes.

use super::*;

fn hertz(rate: u32) -> NonZeroU32 {
    NonZeroU32::new(rate).unwrap()
}

/// So many seconds of pictures at 30 frames/s in 30000ths of a second, with a keyframe each `gop` seconds.
pub(in super::super) fn video(seconds: i64, gop: i64) -> Track {
    let unit = |n: i64| {
        let sync = n % (30 * gop) == 0;
        let header = if sync { 0x65 } else { 0x41 };
        Unit { dts: n * 1_000, offset: 0, sync, data: vec![0, 0, 0, 2, header, n.to_le_bytes()[0]].into() }
    };
    let avc = Avc {
        record: Bytes::from_static(b"\x01\x64\0\x1f\xff\xe1\0\x04\x67abc\x01\0\x02\x68d"),
        parameter_sets: vec![Bytes::from_static(b"\x67abc"), Bytes::from_static(b"\x68d")],
    };
    let (codec, timescale) = (Codec::Avc(avc), hertz(30_000));
    let units = (0..30 * seconds).map(unit).collect();
    Track { codec, timescale, units, step: Some(hertz(1_000)), end: seconds * 30_000 }
}

/// So many frames of AAC at 48 kHz.
pub(in super::super) fn sound(frames: i64) -> Track {
    let unit = |n: i64| Unit { dts: n * 1_024, offset: 0, sync: true, data: vec![0x21, n.to_le_bytes()[0]].into() };
    let aac = Aac::read(Bytes::from_static(b"\x11\x90")).unwrap();
    let units = (0..frames).map(unit).collect();
    Track { codec: Codec::Aac(aac), timescale: hertz(48_000), units, step: Some(Aac::FRAME), end: frames * 1_024 }
}

pub(in super::super) fn clip(video: Track, sound: Track) -> Clip {
    Clip::new(vec![video, sound]).unwrap()
}

#[test]
fn decoding_begins_at_zero_with_a_keyframe() {
    let (mut pictures, mut sound) = (video(4, 2), sound(188));
    pictures.units.remove(0);
    pictures.shift(-2_000);
    sound.shift(48_000);
    let clip = Clip::new(vec![sound, pictures]).unwrap();
    let begins: Vec<(u8, i64)> = clip.tracks.iter().map(|track| (track.codec.rank(), track.units[0].dts)).collect();
    // The pictures begin at the second keyframe, at 58/30 s; the sound at 1 s.
    assert_eq!(begins, [(0, 28_000), (1, 0)]);
    assert_eq!(clip.period, (60_000, hertz(30_000)));
}

#[test]
fn what_has_no_media_that_can_be_published_is_refused_in_words() {
    assert_eq!(Clip::new(Vec::new()).unwrap_err(), "there is neither H.264 nor AAC nor Opus in it");
    let mut pictures = video(2, 2);
    pictures.units.remove(0);
    Clip::new(vec![pictures]).unwrap_err();
}

#[test]
fn aac_tells_its_rate_and_anything_but_aac_lc_is_refused() {
    let aac = Aac::read(Bytes::from_static(b"\x12\x10")).unwrap();
    assert_eq!((aac.rate(), aac.channels), (NonZeroU32::new(44_100), 2));
    let error = Aac::read(Bytes::from_static(b"\x2b\x92")).unwrap_err();
    assert_eq!(error, "its AAC has object type 5, and only AAC-LC (2) is published");
}

/// What ffmpeg makes of two seconds of pictures with B-frames and of sound.
async fn made(name: &str, arguments: &str) -> Result<Clip, Error> {
    let folder = std::env::temp_dir().join(format!("touchline-clip-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join(name);
    let source = "-v error -nostdin -y -f lavfi -i testsrc2=size=160x90:rate=30 -f lavfi -i sine=sample_rate=48000 -t 2 \
                  -c:v libx264 -preset ultrafast -g 30 -bf 2 -pix_fmt yuv420p -map 0 -map 1 -c:a aac";
    let words = source.split_whitespace().chain(arguments.split_whitespace());
    let made = tokio::process::Command::new("ffmpeg").args(words).arg(&file).output().await.unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let clip = Clip::open(Some(&file)).await;
    std::fs::remove_dir_all(&folder).unwrap();
    clip
}

/// What each track is, in words.
fn summary(clip: &Clip) -> Vec<String> {
    let track = |track: &Track| {
        let codec = match &track.codec {
            Codec::Avc(avc) => format!("H.264 with {} parameter sets", avc.parameter_sets.len()),
            Codec::Aac(aac) => format!("AAC of {} channels", aac.channels),
            Codec::Opus(channels) => format!("Opus of {channels} channels"),
        };
        let milliseconds = |ticks: i64| nanoseconds(ticks, track.timescale) / 1_000_000;
        let (first, syncs) = (&track.units[0], track.units.iter().filter(|unit| unit.sync).count());
        let shown = track.units.iter().map(|unit| unit.dts + unit.offset).min().unwrap();
        format!(
            "{codec}: {} units, {syncs} of them sync, the first at {} ms, shown from {} ms on, to {} ms",
            track.units.len(),
            milliseconds(first.dts),
            milliseconds(shown),
            milliseconds(track.end),
        )
    };
    clip.tracks.iter().map(track).collect()
}

#[tokio::test]
async fn mp4_is_read_with_its_edits() {
    let clip = made("made.mp4", "-map 1 -c:a:1 libopus").await.unwrap();
    insta::assert_snapshot!(summary(&clip).join("\n"), @"
    H.264 with 2 parameter sets: 60 units, 2 of them sync, the first at 0 ms, shown from 66 ms on, to 2000 ms
    AAC of 1 channels: 94 units, 94 of them sync, the first at 66 ms, shown from 66 ms on, to 2066 ms
    Opus of 1 channels: 101 units, 101 of them sync, the first at 60 ms, shown from 60 ms on, to 2066 ms
    ");
}

#[tokio::test]
async fn flv_is_read_and_its_sound_is_even() {
    let clip = made("made.flv", "").await.unwrap();
    insta::assert_snapshot!(summary(&clip).join("\n"), @"
    H.264 with 2 parameter sets: 60 units, 2 of them sync, the first at 0 ms, shown from 67 ms on, to 2000 ms
    AAC of 1 channels: 95 units, 95 of them sync, the first at 46 ms, shown from 46 ms on, to 2072 ms
    ");
    assert_eq!(clip.tracks[1].step, Some(Aac::FRAME));
}

#[tokio::test]
async fn a_transport_stream_is_made_mp4_of() {
    let clip = made("made.ts", "").await.unwrap();
    insta::assert_snapshot!(summary(&clip).join("\n"), @"
    H.264 with 2 parameter sets: 60 units, 2 of them sync, the first at 0 ms, shown from 66 ms on, to 2000 ms
    AAC of 1 channels: 95 units, 95 of them sync, the first at 45 ms, shown from 45 ms on, to 2072 ms
    ");
}

#[tokio::test]
async fn a_fragmented_file_is_refused_with_what_to_do() {
    let error = made("made.mp4", "-movflags frag_keyframe+empty_moov").await.unwrap_err().to_string();
    assert!(error.ends_with("it is fragmented; make it whole: ffmpeg -i FILE -c copy WHOLE.mp4"), "{error}");
}

#[tokio::test]
async fn what_is_no_media_is_refused_in_words() {
    let file = std::env::temp_dir().join(format!("touchline-clip-{}.mp4", std::process::id()));
    std::fs::write(&file, b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2\0\0\x10\0moov").unwrap();
    let error = Clip::open(Some(&file)).await.unwrap_err().to_string();
    std::fs::remove_file(&file).unwrap();
    assert!(error.contains(&*file.to_string_lossy()) && error.contains("it is no MP4 that can be read"), "{error}");
}
