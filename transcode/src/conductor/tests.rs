use std::fmt::Write as _;

use touchline_media::{Format, FrameRate, MediaTime, Timescale, aac, avc};

use super::*;
use crate::choice::Passthrough;
use crate::cost::{Budget, Costs};
use crate::message::{Fault, Report};
use crate::plan::{Encoder, Keys};
use crate::rung::{Bitrate, Ladder, Profile};

/// x264 at 1280x720 and 30000/1001 frames/s, High profile: what every rung of these tests says it is.
const RECORD: &[u8] = &[
    0x01, 0x64, 0x00, 0x1f, 0xff, 0xe1, 0x00, 0x18, 0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01,
    0x10, 0x00, 0x00, 0x3e, 0x90, 0x00, 0x0e, 0xa6, 0x00, 0xf1, 0x83, 0x19, 0x60, 0x01, 0x00, 0x04, 0x68, 0xef, 0x8f,
    0xcb, 0xfd, 0xf8, 0xf8, 0x00,
];
const FRAME: i64 = 1_000;
const VIDEO: TrackId = TrackId(1);
const AUDIO: TrackId = TrackId(2);

/// A conductor with a source of 30 frames/s, and all that it does in words: `S` starts the worker, `>` tells it (`~`: there is no hurry), `!`
/// kills it, the rest goes to the channel.
struct Play {
    conductor: Conductor,
    now: Instant,
    /// In frames.
    position: i64,
}

impl Play {
    fn new(passthrough: Passthrough, encoders: &[Encoder]) -> Self {
        let rungs = ["480p 1300k", "360p 800k"].map(|rung| rung.parse().unwrap());
        let ladder = Ladder { video: rungs.to_vec(), audio: vec![Bitrate(128_000)], hevc: false };
        let settings = Settings {
            profile: Profile::Own(ladder),
            passthrough,
            encoder: None,
            keyframe_interval: Duration::from_secs(2),
            keyframe_limit: Duration::from_millis(2_200),
        };
        let conductor = Conductor::new(Arc::new(settings), abilities(encoders));
        Self { conductor, now: Instant::now(), position: 0 }
    }

    /// A source that is passed through beside two rungs, live.
    fn live() -> Self {
        let mut play = Self::new(Passthrough::Auto, &[Encoder::X264, Encoder::OpenH264]);
        play.start();
        play.frames(1);
        play.begin(&[0, 1]);
        play.seen();
        play
    }

    fn start(&mut self) {
        let timescale = FrameRate::new(30, 1).unwrap().timescale();
        let video = Format::Avc(avc::Config::parse(RECORD).unwrap());
        let audio = aac::Config::parse(Bytes::from_static(&[0x11, 0x90])).unwrap();
        let tracks = Arc::new([
            Track { id: VIDEO, timescale, format: video, frame_ticks: Some(1_000), bitrate: None, language: None },
            Track {
                id: AUDIO,
                timescale: audio.timescale(),
                format: Format::Aac(audio),
                frame_ticks: Some(aac::FRAME_LEN),
                bitrate: None,
                language: None,
            },
        ]);
        self.position = 0;
        self.conductor.source(feed::Event::Start { tracks, skipped: 0 }, self.now);
    }

    /// So many pictures, the first of them a keyframe if it is the first of a group of 60.
    fn frames(&mut self, count: i64) {
        for _ in 0..count {
            self.frame(self.position % 60 == 0);
        }
    }

    fn frame(&mut self, sync: bool) {
        let pts = MediaTime::new(self.position * FRAME, Timescale::new(30_000).unwrap());
        let data = Bytes::from_static(b"picture");
        let sample = Sample { track: VIDEO, dts: pts, pts, sync, data, received: self.now };
        self.conductor.source(feed::Event::Sample(sample), self.now);
        self.position += 1;
    }

    /// So many access units of sound.
    fn sound(&mut self, count: i64) {
        for frame in 0..count {
            let pts = MediaTime::new(frame * i64::from(aac::FRAME_LEN), Timescale::new(48_000).unwrap());
            let data = Bytes::from_static(b"sound");
            let sample = Sample { track: AUDIO, dts: pts, pts, sync: true, data, received: self.now };
            self.conductor.source(feed::Event::Sample(sample), self.now);
        }
    }

    fn configure(&mut self, streams: &[u8]) {
        for &stream in streams {
            self.answer(Answer::Config { stream, record: Bytes::from_static(RECORD) });
        }
    }

    /// The first access units of these rungs, of the newest picture.
    fn begin(&mut self, streams: &[u8]) {
        self.configure(streams);
        for &stream in streams {
            self.encoded(stream, self.position - 1);
        }
    }

    fn encoded(&mut self, stream: u8, frame: i64) {
        let output = Encoded { stream, sync: false, pts: frame * FRAME, data: Bytes::from_static(b"unit") };
        self.answer(Answer::Output(output));
    }

    fn answer(&mut self, answer: Answer) {
        self.conductor.answer(answer, self.now);
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        while self.conductor.deadline().is_some_and(|at| at <= self.now) {
            self.conductor.tick(self.now);
        }
    }

    fn die(&mut self) {
        self.conductor.gone("SIGSEGV".into(), self.now);
    }

    /// What has been done since the last call.
    fn seen(&mut self) -> String {
        let mut words = String::new();
        while let Some(act) = self.conductor.poll() {
            match act {
                Act::Output(Output::Start { tracks, .. }) => {
                    let ids = tracks.iter().map(|track| track.id.0.to_string()).collect::<Vec<_>>();
                    write!(words, "start:{} ", ids.join("+"))
                }
                Act::Output(Output::Sample(sample)) => {
                    write!(words, "{}:{} ", sample.track.0, sample.pts.ticks() / FRAME)
                }
                Act::Output(Output::Leave(track)) => write!(words, "leave:{} ", track.0),
                Act::Output(Output::Thumbnail(_)) => write!(words, "jpeg "),
                Act::Output(Output::Notice(notice)) => write!(words, "({notice}) "),
                Act::Spawn(Plan { video: None, audio }) => {
                    let rungs = audio.unwrap().rungs.into_iter().map(|rung| match rung.after {
                        Some(after) => format!("{}k>{after}", rung.bitrate / 1_000),
                        None => format!("{}k", rung.bitrate / 1_000),
                    });
                    write!(words, "S[{}] ", rungs.collect::<Vec<_>>().join("+"))
                }
                Act::Spawn(Plan { video: Some(video), .. }) => {
                    let rungs = video.rungs.iter().map(|rung| match rung.after {
                        Some(after) => format!("{}p>{}", rung.height, after / FRAME),
                        None => format!("{}p", rung.height),
                    });
                    let rungs = rungs.collect::<Vec<_>>().join("+");
                    let keys = match video.keys {
                        Keys::Source => String::new(),
                        Keys::Every { from: None, .. } => " by the clock".into(),
                        Keys::Every { from: Some(from), .. } => format!(" by the clock from {}", from / FRAME),
                    };
                    write!(words, "S[{rungs} by {}{keys}] ", video.rungs[0].encoder)
                }
                Act::Send(Request::Input(input)) => {
                    write!(words, ">{}{} ", input.pts / FRAME, if input.replay { "~" } else { "" })
                }
                Act::Send(Request::Switch { stream, on }) => {
                    write!(words, ">{stream}{} ", if on { "on" } else { "off" })
                }
                Act::Send(Request::End) => write!(words, ">end "),
                Act::Send(Request::Plan(_)) | Act::Lag { .. } | Act::Report(_) => Ok(()),
                Act::Kill => write!(words, "! "),
            }
            .unwrap();
        }
        words.trim_end().to_owned()
    }
}

mod sound;

fn abilities(encoders: &[Encoder]) -> Arc<Abilities> {
    let costs = Costs { encode_ns_per_pixel: 1.0, scale_ns_per_pixel: 1.0, decode_ns_per_pixel: 1.0 };
    let encoders = encoders.iter().map(|&encoder| (encoder, costs)).collect();
    Arc::new(Abilities { encoders, complete: true, budget: Budget::of_cores(8) })
}

#[test]
fn a_channel_opens_when_all_its_renditions_are_known_and_loses_nothing_meanwhile() {
    let mut play = Play::new(Passthrough::Auto, &[Encoder::X264]);
    play.start();
    assert_eq!(
        play.seen(),
        "(ladder: the source as it is, 480p 1300 kb/s, 360p 800 kb/s by x264enc, about 0.06 cores of processor) \
         S[480p+360p by x264enc]"
    );
    play.frames(31);
    play.configure(&[0, 1]);
    for frame in 0..30 {
        play.encoded(0, frame);
    }
    assert_eq!(play.seen(), (0..31).map(|frame| format!(">{frame}~")).collect::<Vec<_>>().join(" "));
    for frame in 0..21 {
        play.encoded(1, frame);
    }
    assert_eq!(play.seen(), "", "a rung that is far behind would begin with a gap");
    play.encoded(1, 21);
    let seen = play.seen();
    assert!(seen.starts_with("start:1+1000+1001+2 1:0 1000:0 1001:0 1:1 1000:1 1001:1 1:2 "), "{seen}");
    assert!(
        seen.ends_with(
            "1:21 1000:21 1001:21 1:22 1000:22 1:23 1000:23 1:24 1000:24 1:25 1000:25 1:26 1000:26 1:27 \
                            1000:27 1:28 1000:28 1:29 1000:29 1:30"
        ),
        "{seen}"
    );
    play.encoded(1, 22);
    play.frames(1);
    assert_eq!(play.seen(), "1001:22 >31 1:31");
}

#[test]
fn renditions_that_do_not_come_are_not_waited_for_for_ever() {
    let mut play = Play::new(Passthrough::Auto, &[Encoder::X264]);
    play.start();
    play.frames(1);
    play.configure(&[1]);
    play.seen();
    play.pass(Duration::from_secs(6));
    assert_eq!(
        play.seen(),
        "(480p did not start in time and will be missing until the publisher comes anew. Is the machine overloaded?) \
         start:1+1001+2 1:0"
    );
}

#[test]
fn a_source_that_begins_anew_before_its_ladder_is_known_costs_no_rendition() {
    let mut play = Play::new(Passthrough::Auto, &[Encoder::X264]);
    play.start();
    for _ in 0..80 {
        play.frame(play.position == 0);
    }
    play.seen();
    play.start();
    let seen = play.seen();
    assert!(seen.starts_with("! (ladder: ") && seen.ends_with("S[480p+360p by x264enc]"), "{seen}");
    play.frame(true);
    play.begin(&[0, 1]);
    assert_eq!(play.seen(), ">0~ start:1+1000+1001+2 1:0 1000:0 1001:0");
}

#[test]
fn keyframes_that_are_too_far_apart_wait_until_the_ladder_is_known() {
    let mut play = Play::new(Passthrough::Auto, &[Encoder::X264]);
    play.start();
    for _ in 0..80 {
        play.frame(play.position == 0);
    }
    play.begin(&[0, 1]);
    assert!(play.seen().ends_with("1:79 1000:79 1001:79"));
    play.frame(false);
    assert!(play.seen().ends_with(">end"));
}

#[test]
fn without_an_encoder_or_with_a_ladder_of_its_own_the_source_is_passed_through() {
    let mut play = Play::new(Passthrough::Auto, &[]);
    play.start();
    play.frames(1);
    let words =
        "(no encoder for the ladder works here, so the source is passed through as it is: see `touchline encoders`)";
    assert_eq!(play.seen(), format!("{words} start:1+2 1:0"));
}

#[test]
fn how_long_a_rung_takes_is_known_however_long_the_source_lasts() {
    let mut play = Play::live();
    play.frames(1_500);
    play.sound(2_500);
    play.frames(1);
    play.seen();
    play.pass(Duration::from_millis(40));
    play.encoded(0, play.position - 1);
    let lags = std::iter::from_fn(|| play.conductor.poll()).filter_map(|act| match act {
        Act::Lag { lag, .. } => Some(lag),
        _ => None,
    });
    assert_eq!(lags.collect::<Vec<_>>(), [Duration::from_millis(40)]);
}

#[test]
fn a_worker_that_dies_is_replaced_and_goes_on_where_each_rung_was() {
    let mut play = Play::live();
    play.frames(3);
    for (stream, frame) in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)] {
        play.encoded(stream, frame);
    }
    play.seen();
    play.now += Duration::from_millis(5);
    play.die();
    assert_eq!(
        play.seen(),
        "(the transcoding worker has died (SIGSEGV): another takes over where it was) S[480p>2+360p>1 by x264enc] \
         >0~ >1~ >2~ >3~"
    );
    play.frames(1);
    play.now += Duration::from_millis(300);
    for (stream, frame) in [(0, 2), (0, 3), (1, 2)] {
        play.encoded(stream, frame);
    }
    assert_eq!(play.seen(), ">4 1:4 (the rungs go on 305 ms after the last picture before) 1000:3 1001:2");
}

#[test]
fn pictures_of_the_group_before_are_replayed_while_a_rung_still_needs_them() {
    let mut play = Play::live();
    play.frames(61);
    for frame in 0..62 {
        play.encoded(0, frame);
        play.encoded(1, frame.min(59));
    }
    play.seen();
    play.die();
    let seen = play.seen();
    assert!(seen.contains("S[480p>61+360p>59 by x264enc] >0~ >1~ "), "{seen}");
    play.encoded(1, 60);
    play.seen();
    play.die();
    let seen = play.seen();
    assert!(seen.ends_with("S[480p>61+360p>60 by x264enc] >60~ >61~"), "{seen}");
}

#[test]
fn a_worker_that_says_nothing_is_killed_and_replaced() {
    let mut play = Play::live();
    play.answer(Answer::Report(Report::default()));
    play.pass(Duration::from_millis(699));
    assert_eq!(play.seen(), "");
    play.pass(Duration::from_millis(1));
    assert_eq!(
        play.seen(),
        "! (the transcoding worker has died (it has said nothing for 700 ms): another takes over where it was) \
         S[480p>0+360p>0 by x264enc] >0~"
    );
}

#[test]
fn a_worker_that_encodes_nothing_is_killed_and_replaced() {
    let mut play = Play::live();
    let rungs = vec![RungReport { frames_out: 7, queued: 3, ..RungReport::default() }];
    for _ in 0..31 {
        play.answer(Answer::Report(Report { rungs: rungs.clone(), ..Report::default() }));
        play.pass(Duration::from_millis(100));
    }
    assert!(play.seen().starts_with("! (the transcoding worker has died (it has encoded nothing for 3000 ms)"));
}

#[test]
fn deaths_that_go_on_change_the_encoder_and_then_the_ladder_at_a_keyframe() {
    let mut play = Play::live();
    for _ in 0..3 {
        play.die();
    }
    let seen = play.seen();
    assert!(seen.ends_with("(x264enc keeps failing: openh264enc takes over at the next keyframe. See `touchline encoders` for what works here)"), "{seen}");
    play.frames(60);
    let seen = play.seen();
    assert!(seen.starts_with("1:1 1:2 "), "the source goes on meanwhile: {seen}");
    assert!(seen.ends_with("1:59 S[480p+360p by openh264enc] >60~"), "{seen}");
    play.begin(&[0, 1]);
    assert_eq!(
        play.seen(),
        "(the rungs go on 0 ms after the last picture before) start:1+1000+1001+2 1:60 1000:60 1001:60"
    );

    let fault = || Fault { place: "openh264enc".into(), reason: "no".into(), encoder: true };
    play.answer(Answer::Fault(fault()));
    play.die();
    assert_eq!(
        play.seen(),
        "(the transcoding worker has died (openh264enc: no), once too often) (transcoding keeps failing: 480p is given up \
         until the publisher comes anew) leave:1000"
    );
    play.frames(60);
    assert!(play.seen().ends_with("S[360p by openh264enc] start:1+1000+1001+2 leave:1000 >120 1:120"));
    play.answer(Answer::Fault(fault()));
    play.die();
    play.frames(60);
    assert!(play.seen().ends_with("start:1+1000+1001+2 leave:1000 leave:1001 1:180"));
}

#[test]
fn an_encoder_that_is_found_later_can_take_over_too() {
    let mut play = Play::live();
    play.conductor.know(abilities(&[Encoder::X264]));
    play.die();
    play.die();
    play.conductor.know(abilities(&[Encoder::X264, Encoder::OpenH264]));
    play.die();
    assert!(play.seen().contains("openh264enc takes over"));
}

#[test]
fn a_source_with_too_few_keyframes_is_encoded_anew_from_then_on() {
    let mut play = Play::live();
    for _ in 0..66 {
        play.frame(false);
    }
    let seen = play.seen();
    assert!(seen.ends_with(">66 1:66"), "{seen}");
    play.frame(false);
    assert_eq!(
        play.seen(),
        ">67 1:67 (the source has sent no keyframe for 2.2 s: it is encoded anew as the top rendition, which costs quality \
         and processor time. Set a keyframe interval of 2 s in the encoder) >end"
    );
    play.encoded(1, 67);
    play.die();
    let seen = play.seen();
    assert!(seen.starts_with("1001:67 S[720p>67+480p>67+360p>67 by x264enc by the clock] >0~ "), "{seen}");
    play.configure(&[15]);
    play.frame(false);
    play.encoded(15, 68);
    assert_eq!(play.seen(), ">68~ start:1015+1000+1001+2 1015:68");
    play.die();
    let seen = play.seen();
    assert!(seen.contains("S[720p>68+480p>67+360p>67 by x264enc by the clock from 68]"), "the grid stays: {seen}");
}

#[test]
fn a_source_that_may_not_be_replaced_is_passed_through_with_a_word() {
    let mut play = Play::new(Passthrough::Always, &[Encoder::X264]);
    play.start();
    play.frame(true);
    play.begin(&[0, 1]);
    for _ in 0..200 {
        play.frame(false);
    }
    let seen = play.seen();
    assert_eq!(seen.matches("it is passed through, and players can only join and switch at those").count(), 1);
    assert!(seen.ends_with("1:200"), "{seen}");
}

#[test]
fn when_the_source_jumps_what_is_on_the_way_comes_first() {
    let mut play = Play::live();
    play.frames(2);
    play.start();
    assert!(!play.conductor.takes_source());
    play.encoded(0, 2);
    assert_eq!(play.seen(), ">1 1:1 >2 1:2 >end 1000:2");
    play.die();
    assert!(play.conductor.takes_source());
    assert_eq!(play.seen(), "S[480p+360p by x264enc] start:1+1000+1001+2");
}

#[test]
fn a_worker_that_does_not_end_is_killed() {
    let mut play = Play::live();
    play.conductor.end(play.now);
    assert!(!play.conductor.is_idle());
    play.pass(DRAIN);
    assert_eq!(play.seen(), ">end !");
    assert!(play.conductor.is_idle());
}

#[test]
fn a_rung_that_rests_leaves_where_the_worker_says_so_and_stays_away_over_a_death() {
    let mut play = Play::live();
    for second in 0..70_u64 {
        let rungs = [0, 1].map(|stream| RungReport {
            stream,
            frames_in: 20 * second,
            shed: 10 * second,
            ..RungReport::default()
        });
        play.answer(Answer::Report(Report { rungs: rungs.to_vec(), ..Report::default() }));
        play.pass(Duration::from_millis(100));
    }
    assert_eq!(play.seen(), ">0off");
    play.encoded(0, 59);
    play.answer(Answer::Switched { stream: 0, on: false, pts: 60 * FRAME });
    let seen = play.seen();
    assert!(seen.starts_with("1000:59 (the machine is overloaded: 480p rests"), "{seen}");
    let mut rung = RungReport { queued: 1, ..RungReport::default() };
    play.answer(Answer::Report(Report { rungs: vec![rung.clone()], ..Report::default() }));
    assert_eq!(play.seen(), "", "what is on its way comes first");
    rung.queued = 0;
    play.answer(Answer::Report(Report { rungs: vec![rung], ..Report::default() }));
    assert_eq!(play.seen(), "leave:1000");
    play.die();
    assert!(play.seen().contains("S[480p>59+360p>0 by x264enc] >0off >0~"));
}
