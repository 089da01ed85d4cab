use std::fmt::Write as _;

use super::*;
use crate::watch::library::{Body, Library};

const PART: i64 = 200;
const PARTS: i64 = 10;
/// How long after its end a part can be had, in milliseconds.
const MADE_IN: i64 = 20;
/// Segments that are listed, with the one that grows.
const WINDOW: i64 = 12;
/// When somebody joins, in milliseconds: the window is full.
const JOINS: i64 = 60_090;

/// In milliseconds.
const NEVER: i64 = i64::MAX / 4_000;

const fn at(millis: i64) -> Moment {
    Moment::from_micros(millis * 1_000)
}

fn millis(moment: Moment) -> i64 {
    moment.micros() / 1_000
}

/// A server in memory with one viewer, in a time of their own.
struct Stage {
    library: Library,
    viewer: Viewer,
    tally: Tally,
    now: Moment,
    server: Server,
    /// Requests under way: when they are answered, and with what.
    under_way: Vec<(Moment, Request, Option<Trouble>)>,
    /// What was asked for, with the time since the join in milliseconds.
    asked: Vec<(i64, String)>,
    left: u32,
}

#[derive(Clone, Copy)]
struct Server {
    /// What goes wrong with a request.
    fault: fn(&str, i64) -> Option<Trouble>,
    /// When a request that would be answered at some time is answered instead.
    late: fn(i64) -> i64,
    /// The first segment that is a gap.
    gap: i64,
    /// When the programme is over.
    ends: i64,
}

impl Server {
    const GOOD: Self = Self { fault: |_, _| None, late: |at| at, gap: NEVER, ends: NEVER };

    /// How many parts there are.
    fn parts(self, now: i64) -> i64 {
        (now.min(self.ends) - MADE_IN) / PART
    }

    /// The playlist of `rendition` when there are so many parts; of a delta update only what is new.
    fn playlist(self, rendition: &str, parts: i64, skip: bool) -> String {
        let (growing, first) = (parts / PARTS, (parts / PARTS - WINDOW + 1).max(0));
        let mut text = format!(
            "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:2\n#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,\
             PART-HOLD-BACK=0.6,CAN-SKIP-UNTIL=12\n#EXT-X-PART-INF:PART-TARGET=0.2\n#EXT-X-MEDIA-SEQUENCE:{first}\n\
             #EXT-X-MAP:URI=\"init.mp4\"\n"
        );
        let skipped = if skip { 3 } else { 0 };
        if skip {
            writeln!(text, "#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}").unwrap();
        }
        for msn in first + skipped..=growing {
            let begins = msn * PARTS;
            let (seconds, rest) = (begins * PART / 1_000, begins * PART % 1_000);
            let date = chrono::DateTime::from_timestamp(seconds, 0).unwrap().format("%FT%T");
            let here = (parts - begins).min(PARTS);
            if here > 0 {
                writeln!(text, "#EXT-X-PROGRAM-DATE-TIME:{date}.{rest:03}Z").unwrap();
            }
            if msn == self.gap {
                text += "#EXT-X-GAP\n";
            } else if msn >= growing - 3 {
                for part in 0..here {
                    let independent = if part == 0 || rendition == "audio" { ",INDEPENDENT=YES" } else { "" };
                    writeln!(text, "#EXT-X-PART:DURATION=0.2,URI=\"{msn}.{part}.mp4\"{independent}").unwrap();
                }
            }
            if here == PARTS {
                writeln!(text, "#EXTINF:2.0,\n{msn}.mp4").unwrap();
            }
        }
        if parts == self.parts(NEVER) {
            return text + "#EXT-X-ENDLIST\n";
        }
        let (msn, part) = (parts / PARTS, parts % PARTS);
        writeln!(text, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{msn}.{part}.mp4\"").unwrap();
        let (last_msn, last_part) = ((parts - 1) / PARTS, (parts - 1) % PARTS);
        for other in ["low", "high", "audio"].iter().filter(|other| **other != rendition) {
            writeln!(
                text,
                "#EXT-X-RENDITION-REPORT:URI=\"../{other}/index.m3u8\",LAST-MSN={last_msn},LAST-PART={last_part}"
            )
            .unwrap();
        }
        text
    }

    /// When a request can be answered that is made now.
    fn answers_at(self, request: &Request, now: i64) -> i64 {
        let name = request.link.path.rsplit('/').next().unwrap();
        let awaited = match request.what {
            What::Playlist(_, Directives { awaited: Some((msn, part)), .. }) => Some((msn, part.unwrap_or(9))),
            What::Media => name.split_once('.').and_then(|(msn, rest)| {
                Some((msn.parse().ok()?, rest.strip_suffix(".mp4").and_then(|part| part.parse().ok()).unwrap_or(0)))
            }),
            _ => None,
        };
        let made = awaited
            .map_or(now, |(msn, part): (u64, u64)| (i64::try_from(msn * 10 + part).unwrap() + 1) * PART + MADE_IN);
        (self.late)(made.min(self.ends + MADE_IN).max(now) + 2)
    }
}

const LADDER: &str = "#EXTM3U\n\
    #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"Main\",DEFAULT=YES,URI=\"audio/index.m3u8\"\n\
    #EXT-X-STREAM-INF:BANDWIDTH=3300000,CODECS=\"avc1.64001f,mp4a.40.2\",AUDIO=\"a\"\nhigh/index.m3u8\n\
    #EXT-X-STREAM-INF:BANDWIDTH=900000,CODECS=\"avc1.64001e,mp4a.40.2\",AUDIO=\"a\"\nlow/index.m3u8\n";

impl Stage {
    fn new(server: Server, habits: Habits) -> Self {
        let library = Library::new("http://127.0.0.1:8080/live/main/index.m3u8".parse().unwrap());
        let viewer = Viewer::new(library.entrance().unwrap(), habits, 7, at(JOINS));
        let (now, tally) = (at(JOINS), Tally::default());
        Self { library, viewer, tally, now, server, under_way: Vec::new(), asked: Vec::new(), left: 0 }
    }

    /// Lets time pass until so many milliseconds after the join.
    fn until(&mut self, end: i64) -> &mut Self {
        let end = at(JOINS + end);
        loop {
            match self.viewer.poll(self.now, &mut self.tally) {
                Action::Ask(request) => self.ask(request),
                Action::Abandon(ticket) => self.under_way.retain(|(_, request, _)| request.ticket != ticket),
                Action::Leave => {
                    self.left += 1;
                    self.under_way.clear();
                }
                Action::Wait(until) => {
                    let next = self.under_way.iter().map(|(at, ..)| *at).min().unwrap_or(Moment::NEVER);
                    self.now = until.min(next).min(end).max(self.now);
                    if self.now == end {
                        self.viewer.look(end, &mut self.tally);
                        return self;
                    }
                    self.answer();
                }
            }
        }
    }

    fn ask(&mut self, request: Request) {
        let now = millis(self.now);
        let query = match request.what {
            What::Playlist(_, directives) => directives.to_string(),
            _ => String::new(),
        };
        let separator = if query.is_empty() { "" } else { "?" };
        let path = format!("{}{separator}{query}", request.link.path.strip_prefix("/live/main/").unwrap());
        let fault = (self.server.fault)(&path, now);
        let answered = if fault.is_some() { now + 2 } else { self.server.answers_at(&request, now) };
        self.asked.push((now - JOINS, path));
        self.under_way.push((at(answered), request, fault));
    }

    fn answer(&mut self) {
        let Some(next) = self.under_way.iter().position(|(at, ..)| *at <= self.now) else { return };
        let (now, request, fault) = self.under_way.remove(next);
        let outcome = match (fault, request.what) {
            (Some(trouble), _) => Err(trouble),
            (None, What::Ladder) => Ok(Answer::Ladder(self.library.ladder(body(LADDER)).unwrap())),
            (None, What::Playlist(id, directives)) => {
                let rendition = request.link.path.split('/').nth(3).unwrap();
                let parts = self.server.parts(millis(now));
                let text = self.server.playlist(rendition, parts, directives.skip.is_some());
                Ok(Answer::Playlist(self.library.playlist(id, body(&text), now).unwrap()))
            }
            (None, What::Media) => {
                let bytes = match &*request.link.path {
                    path if path.contains("init") => 800,
                    path if path.contains("high") => 75_000,
                    path if path.contains("low") => 20_000,
                    _ => 3_200,
                };
                Ok(Answer::Media { bytes, began: now })
            }
        };
        self.viewer.handle(request.ticket, outcome, now, &mut self.tally);
    }

    fn counts(&self, counts: &[Count]) -> Vec<u64> {
        counts.iter().map(|count| self.tally.count(*count)).collect()
    }

    fn paths(&self) -> Vec<&str> {
        self.asked.iter().map(|(_, path)| path.as_str()).collect()
    }
}

fn body(text: &str) -> Body<'_> {
    Body { bytes: text.as_bytes(), gzip: false }
}

#[test]
fn a_join_asks_for_what_hls_js_asks_for() {
    let mut stage = Stage::new(Server::GOOD, Habits::default());
    stage.until(500);
    let told: Vec<String> = stage.asked.iter().map(|(at, path)| format!("{at:>4} {path}")).collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn a_good_stream_plays_at_the_hold_back_without_a_stall() {
    let mut stage = Stage::new(Server::GOOD, Habits::default());
    stage.until(2_000);
    let before = stage.asked.len();
    stage.until(22_000);
    assert_eq!(stage.counts(&[Count::Stalls, Count::Lost, Count::Jumps, Count::Unchanged]), [0, 0, 0, 0]);
    assert_eq!(stage.asked.len() - before, 20 * 20, "two playlists and two parts each 200 ms");
    let Look::Playing(Some(latency)) = stage.viewer.look(stage.now, &mut stage.tally) else {
        panic!("it does not play")
    };
    assert!((500..900).contains(&latency.as_millis()), "{latency:?} behind");
    assert!(stage.tally.startup.longest() < Duration::from_millis(30), "{:?}", stage.tally.startup.longest());
    // The playlist comes after 2 ms, the part after 2 more.
    let late = stage.tally.part.quantile(0.5).as_micros();
    assert!((2_000..2_100).contains(&late), "{late} us late");
    assert_eq!(stage.tally.part.len(), 2 * stage.tally.fan_out.len() / 2);
}

#[test]
fn what_a_frozen_server_delays_is_late_from_when_it_was_due() {
    // Nothing is answered from the 70th to the 73rd second.
    let frozen = Server { late: |at| if (70_000..73_000).contains(&at) { 73_000 } else { at }, ..Server::GOOD };
    let mut stage = Stage::new(frozen, Habits::default());
    stage.until(20_000);
    assert_eq!(stage.tally.count(Count::Stalls), 1);
    let (stood, latest) = (stage.tally.stood.as_millis(), stage.tally.part.longest().as_millis());
    assert!((2_000..3_000).contains(&stood), "stood still for {stood} ms");
    // All fourteen parts of each track that were due meanwhile are late, and not just the one that was asked for.
    assert!((2_700..3_000).contains(&latest), "{latest} ms late");
    assert!(stage.tally.part.quantile(0.9) > Duration::from_millis(100));
    let Look::Playing(Some(latency)) = stage.viewer.look(stage.now, &mut stage.tally) else {
        panic!("it does not play")
    };
    assert!(latency.as_millis() > 1_500, "a stall is a lesson: {latency:?}");
}

#[test]
fn a_part_that_is_not_there_is_left_out() {
    let missing = Server { fault: |path, _| (path == "high/33.4.mp4").then_some(Trouble::Status(404)), ..Server::GOOD };
    let mut stage = Stage::new(missing, Habits::default());
    stage.until(15_000);
    assert_eq!(stage.counts(&[Count::Lost, Count::Jumps]), [1, 1]);
    assert_eq!(stage.tally.troubles.get(&Trouble::Status(404)), Some(&1));
    assert!(matches!(stage.viewer.look(stage.now, &mut stage.tally), Look::Playing(_)));
}

#[test]
fn a_playlist_that_fails_is_asked_for_without_directives_after_a_pause() {
    let failing = Server {
        fault: |path, now| {
            (path.starts_with("high/index") && (65_000..65_300).contains(&now)).then_some(Trouble::Status(503))
        },
        ..Server::GOOD
    };
    let mut stage = Stage::new(failing, Habits::default());
    stage.until(10_000);
    let refused = stage.tally.troubles.get(&Trouble::Status(503));
    assert_eq!(refused, Some(&1));
    let plain: Vec<_> = stage.asked.iter().filter(|(_, path)| path == "high/index.m3u8").map(|(at, _)| *at).collect();
    assert_eq!(plain.len(), 2, "{plain:?}");
}

#[test]
fn a_stream_that_is_gone_is_begun_anew() {
    let gone =
        Server { fault: |_, now| (65_000..67_000).contains(&now).then_some(Trouble::Status(404)), ..Server::GOOD };
    let mut stage = Stage::new(gone, Habits::default());
    stage.until(12_000);
    assert_eq!(stage.counts(&[Count::Joins, Count::Stalls]), [1, 1]);
    assert!(matches!(stage.viewer.look(stage.now, &mut stage.tally), Look::Playing(_)));
    assert!((2_000..3_600).contains(&stage.tally.stood.as_millis()), "{:?}", stage.tally.stood);
}

#[test]
fn nobody_answers_a_request_and_it_is_made_again() {
    let silent = Server { late: |at| if (65_000..65_100).contains(&at) { NEVER } else { at }, ..Server::GOOD };
    let mut stage = Stage::new(silent, Habits::default());
    stage.until(20_000);
    assert!(stage.tally.troubles.get(&Trouble::Late) >= Some(&1), "{:?}", stage.tally.troubles);
    assert!(matches!(stage.viewer.look(stage.now, &mut stage.tally), Look::Playing(_)));
}

#[test]
fn a_slow_line_leads_to_the_lower_variant_by_its_rendition_report() {
    let mut stage = Stage::new(Server::GOOD, Habits { bandwidth: Some(2_000_000), ..Habits::default() });
    stage.until(20_000);
    assert_eq!(stage.tally.count(Count::Switches), 1);
    let first = stage.paths().into_iter().find(|path| path.starts_with("low/index")).unwrap();
    assert!(first.contains("_HLS_msn="), "{first}");
    assert!(matches!(stage.viewer.look(stage.now, &mut stage.tally), Look::Playing(_)));
}

#[test]
fn who_goes_back_loads_whole_segments_and_returns() {
    let mut stage = Stage::new(Server::GOOD, Habits { seeks: true, ..Habits::default() });
    stage.until(300_000);
    let [seeks, segments, stalls] = stage.counts(&[Count::Seeks, Count::Segments, Count::Stalls])[..] else { panic!() };
    assert!(seeks >= 2 && segments >= 6 && stalls == 0, "{seeks} seeks, {segments} segments, {stalls} stalls");
    assert_eq!(stage.tally.seek.len(), seeks);
}

#[test]
fn who_leaves_comes_back() {
    let mut stage = Stage::new(Server::GOOD, Habits { leaves: true, ..Habits::default() });
    stage.until(120_000);
    assert!(stage.left >= 2, "left {} times", stage.left);
    assert!((stage.left.into()..=u64::from(stage.left) + 1).contains(&stage.tally.count(Count::Joins)));
    assert_eq!(stage.tally.count(Count::Stalls), 0);
}

#[test]
fn who_asks_for_hints_asks_for_no_part_twice() {
    let mut stage = Stage::new(Server::GOOD, Habits { hints: true, ..Habits::default() });
    stage.until(2_000);
    let before = stage.asked.len();
    stage.until(12_000);
    assert_eq!(stage.asked.len() - before, 20 * 10);
    let mut parts = stage.paths();
    parts.retain(|path| !path.contains("m3u8"));
    let all = parts.len();
    parts.sort_unstable();
    parts.dedup();
    assert_eq!((parts.len(), stage.tally.count(Count::Stalls)), (all, 0));
    assert_eq!(stage.tally.part.quantile(0.5), Duration::ZERO, "a hinted part comes with the playlist that lists it");
}

#[test]
fn a_gap_is_left_out_by_all() {
    let mut stage = Stage::new(Server { gap: 34, ..Server::GOOD }, Habits::default());
    stage.until(16_000);
    assert!(!stage.paths().iter().any(|path| path.contains("/34.")));
    assert_eq!(stage.counts(&[Count::Jumps, Count::Lost]), [1, 0]);
    assert!(matches!(stage.viewer.look(stage.now, &mut stage.tally), Look::Playing(_)));
}

#[test]
fn a_programme_that_ends_is_not_asked_for_any_longer() {
    let mut stage = Stage::new(Server { ends: 70_020, ..Server::GOOD }, Habits::default());
    stage.until(15_000);
    assert_eq!((stage.viewer.look(stage.now, &mut stage.tally), stage.tally.count(Count::Stalls)), (Look::Over, 0));
    assert!(stage.asked.last().unwrap().0 < 10_000);
}
