//! Sound that has to be made anew, whatever becomes of the pictures.

use touchline_media::opus;

use super::*;

const PACKET: i64 = 960;
/// The first rung of sound.
const FIRST: u8 = 16;

/// A source with Opus, with pictures or without, and a profile.
fn play(profile: Profile, pictures: bool, encoders: &[Encoder]) -> Play {
    let mut play = Play::new(Passthrough::Auto, encoders);
    let settings = Settings { profile, ..Settings::clone(&play.conductor.settings) };
    play.conductor.settings = Arc::new(settings);
    start(&mut play, pictures);
    play
}

fn start(play: &mut Play, pictures: bool) {
    let timescale = FrameRate::new(30, 1).unwrap().timescale();
    let track = |id, timescale, format, frame_ticks| Track {
        id,
        timescale,
        format,
        frame_ticks: Some(frame_ticks),
        bitrate: None,
        language: None,
    };
    let video = track(VIDEO, timescale, Format::Avc(avc::Config::parse(RECORD).unwrap()), 1_000);
    let audio = track(AUDIO, opus::TIMESCALE, Format::Opus(opus::Config::new(2).unwrap()), opus::USUAL_DURATION);
    let tracks: Vec<Track> = [video, audio].into_iter().skip(usize::from(!pictures)).collect();
    play.position = 0;
    play.conductor.source(feed::Event::Start { tracks: tracks.into(), skipped: 0 }, play.now);
}

/// The packets with these numbers.
fn packets(play: &mut Play, numbers: std::ops::Range<i64>) {
    for number in numbers {
        let pts = MediaTime::new(number * PACKET, opus::TIMESCALE);
        let data = Bytes::from_static(&[31 << 3, 0, 0]);
        let sample = Sample { track: AUDIO, dts: pts, pts, sync: true, data, received: play.now };
        play.conductor.source(feed::Event::Sample(sample), play.now);
    }
}

/// All rungs of sound up to here, in access units.
fn made(play: &mut Play, streams: &[u8], units: std::ops::Range<i64>) {
    for &stream in streams {
        for unit in units.clone() {
            let data = Bytes::from_static(b"unit");
            play.answer(Answer::Output(Encoded { stream, sync: true, pts: unit * 1_024, data }));
        }
    }
}

fn configure(play: &mut Play, streams: &[u8]) {
    for &stream in streams {
        play.answer(Answer::Config { stream, record: Bytes::from_static(&[0x11, 0x90]) });
    }
}

const TOLD: &str = "(the sound is Opus, which not every player knows: it is made in AAC too, at 128 kb/s)";

/// The tracks of the stretch that has begun since.
fn tracks(play: &mut Play) -> Vec<Track> {
    let starts = std::iter::from_fn(|| play.conductor.poll()).filter_map(|act| match act {
        Act::Output(Output::Start { tracks, .. }) => Some(tracks.to_vec()),
        _ => None,
    });
    starts.last().unwrap()
}

#[test]
fn opus_is_made_in_aac_where_the_ladder_is_off() {
    let mut stage = play(Profile::Off, true, &[Encoder::X264]);
    assert_eq!(stage.seen(), format!("{TOLD} S[128k]"), "there is no rung that less would be for");
    stage.frames(2);
    packets(&mut stage, 0..3);
    assert_eq!(stage.seen(), ">0~ >0~ >1~", "the pictures are not decoded");
    configure(&mut stage, &[FIRST]);
    made(&mut stage, &[FIRST], 0..2);
    let tracks = tracks(&mut stage);
    let ids: Vec<u32> = tracks.iter().map(|track| track.id.0).collect();
    assert_eq!(ids, [VIDEO.0, 1_016, AUDIO.0], "what every player knows comes first");
    let sound = &tracks[1];
    assert_eq!((sound.timescale.get(), sound.frame_ticks, sound.bitrate), (48_000, Some(1_024), Some(128_000)));
}

#[test]
fn a_ladder_has_opus_in_all_its_rates_of_aac() {
    let ladder = Ladder {
        video: vec!["360p 800k".parse().unwrap()],
        audio: vec![Bitrate(96_000), Bitrate(48_000)],
        hevc: false,
    };
    let mut stage = play(Profile::Own(ladder), true, &[Encoder::X264]);
    let plans: Vec<Plan> = std::iter::from_fn(|| stage.conductor.poll())
        .filter_map(|act| match act {
            Act::Spawn(plan) => Some(plan),
            _ => None,
        })
        .collect();
    let [Plan { video: Some(video), audio: Some(audio) }] = &plans[..] else { panic!("{plans:?}") };
    assert_eq!(video.rungs.len(), 1);
    assert_eq!(audio.rungs.iter().map(|rung| rung.bitrate).collect::<Vec<_>>(), [96_000, 48_000]);
    let head = opus::Config::parse_head(&audio.source.record).unwrap();
    assert_eq!((head.channels, head.pre_skip, audio.source.timescale), (2, 0, 48_000));
}

#[test]
fn without_an_encoder_of_pictures_the_sound_is_made_all_the_same() {
    let mut stage = play(Profile::Auto, true, &[]);
    let words =
        "(no encoder for the ladder works here, so the source is passed through as it is: see `touchline encoders`)";
    assert_eq!(stage.seen(), format!("{words} {TOLD} S[128k]"));
}

#[test]
fn sound_alone_is_replayed_to_a_worker_that_takes_over() {
    let mut stage = play(Profile::Off, false, &[]);
    packets(&mut stage, 0..2);
    configure(&mut stage, &[FIRST, FIRST + 1]);
    made(&mut stage, &[FIRST, FIRST + 1], 0..1);
    // Ten seconds, of which the last two to four are kept.
    packets(&mut stage, 2..500);
    made(&mut stage, &[FIRST, FIRST + 1], 1..460);
    stage.seen();
    stage.die();
    let seen = stage.seen();
    let after = 459 * 1_024;
    assert!(seen.contains(&format!("S[128k>{after}+64k>{after}] ")), "{seen}");
    let replayed = seen.matches('~').count();
    assert!((100..=200).contains(&replayed), "{replayed}");
    assert!(seen.ends_with(&format!(">{}~", 499 * PACKET / FRAME)), "{seen}");
}

#[test]
fn when_pictures_are_given_up_the_sound_goes_on() {
    let ladder = Ladder { video: vec!["360p 800k".parse().unwrap()], audio: vec![Bitrate(128_000)], hevc: false };
    let mut stage = play(Profile::Own(ladder), true, &[Encoder::X264]);
    stage.frames(1);
    packets(&mut stage, 0..1);
    stage.configure(&[0]);
    configure(&mut stage, &[FIRST]);
    stage.encoded(0, 0);
    made(&mut stage, &[FIRST], 0..1);
    stage.seen();
    let mut seen = String::new();
    for _ in 0..20 {
        stage.answer(Answer::Fault(Fault { place: "x264enc".into(), reason: "broken".into(), encoder: true }));
        stage.die();
        seen = stage.seen();
        if seen.contains("is given up") {
            break;
        }
    }
    assert!(seen.contains("360p is given up"), "{seen}");
    stage.frame(true);
    assert_eq!(stage.seen(), "S[128k] start:1+1000+1016+2 leave:1000 1:1");
    packets(&mut stage, 1..2);
    assert_eq!(stage.seen(), ">0 2:0");
}

#[test]
fn another_publisher_with_aac_gets_a_ladder_of_its_own() {
    let mut stage = play(Profile::Off, true, &[]);
    packets(&mut stage, 0..1);
    configure(&mut stage, &[FIRST, FIRST + 1]);
    made(&mut stage, &[FIRST, FIRST + 1], 0..1);
    stage.seen();
    stage.conductor.end(stage.now);
    stage.conductor.gone(String::new(), stage.now);
    assert_eq!(stage.seen(), ">end");
    stage.start();
    assert_eq!(stage.seen(), "start:1+2");
}
