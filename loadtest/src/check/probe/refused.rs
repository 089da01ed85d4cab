//! What a server should not wait for: far futures, nonsense, huge numbers, tricks.

use std::time::Duration;

use super::{AT_ONCE, SOON, Subject, blocks, took};
use crate::check::client::{Ask, Failure};
use crate::check::dial::Dial;
use crate::check::ledger::Ledger;
use crate::check::playlist::Media;
use crate::check::rule::Rule;
use crate::check::rules::directives::{
    FUTURE_MSN_REFUSED, FUTURE_PART_REFUSED, HUGE_NUMBERS_REFUSED, MALFORMED_REFUSED, PART_NEEDS_MSN, SKIP_IGNORED,
};
use crate::check::rules::hints::UNKNOWN_REFUSED_AT_ONCE;
use crate::check::rules::http::PATH_TRICKS;
use crate::check::seconds::Seconds;

/// Values that are no decimal integers.
const MALFORMED: [&str; 6] = ["abc", "-1", "1.5", "", "0x10", "1%20"];
/// Numbers that overflow something.
const HUGE: [&str; 4] =
    ["9223372036854775808", "18446744073709551615", "18446744073709551616", "999999999999999999999999999999"];
/// Paths that are no names of anything; `{}` is the folder of the playlist.
const TRICKS: [&str; 9] = [
    "/../../../../etc/passwd",
    "{}../../../../../../etc/passwd",
    "{}%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "{}..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
    "{}..%5c..%5c..%5cetc%5cpasswd",
    "{}index.m3u8%00.mp4",
    "{}%c0%ae%c0%ae/%c0%ae%c0%ae/etc/passwd",
    "{}%ff%fe",
    "//etc/passwd",
];
/// Parts of three seconds at a PART-TARGET that no server has.
const MAX_ADVANCE: u64 = 10_000;
/// Length of a path that no resource has.
const OVERLONG: usize = 9000;

pub(super) async fn run<D: Dial>(subject: &Subject<D>, media: &Media, ledger: &mut Ledger) {
    unknown(subject, ledger).await;
    tricks(subject, ledger).await;
    skip_values(subject, media, ledger).await;
    if !blocks(media) {
        return;
    }
    far(subject, ledger).await;
    malformed(subject, ledger).await;
}

/// Parts that may be asked for in advance (6.2.5.2): as many as last three seconds, or three.
pub(super) fn advance_limit(media: &Media) -> u64 {
    let target = media.part_target.map_or(Seconds::whole(1), |(target, _)| target);
    if target >= Seconds::whole(1) {
        return 3;
    }
    (1..MAX_ADVANCE).find(|parts| target.times(u128::from(*parts), 1) >= Seconds::whole(3)).unwrap_or(MAX_ADVANCE)
}

async fn far<D: Dial>(subject: &Subject<D>, ledger: &mut Ledger) {
    for ahead in [4, 10, 100_000] {
        let Ok(now) = subject.current().await else { return };
        let last = now.media.last_complete().unwrap_or(now.media.first_msn());
        bad_request(subject, ledger, &FUTURE_MSN_REFUSED, &format!("_HLS_msn={}", last + ahead), last).await;
    }
    let Ok(now) = subject.current().await else { return };
    if now.media.part_target.is_some() {
        let last = now.media.last_complete().unwrap_or(now.media.first_msn());
        let (msn, next) = now.media.next_part();
        let beyond = next + 2 * advance_limit(&now.media) + 10;
        bad_request(subject, ledger, &FUTURE_PART_REFUSED, &format!("_HLS_msn={msn}&_HLS_part={beyond}"), last).await;
        bad_request(subject, ledger, &PART_NEEDS_MSN, "_HLS_part=0", last).await;
    }
}

/// Expects 400 at once. A segment that ended meanwhile excuses an answer: the future is nearer then.
async fn bad_request<D: Dial>(subject: &Subject<D>, ledger: &mut Ledger, rule: &Rule, directives: &str, last: u64) {
    let answer = subject.at_once(directives, AT_ONCE).await;
    let told = match answer {
        Ok(answer) if answer.status == 400 => {
            ledger.kept(rule, format!("{directives} has 400 at once, the last complete segment is {last}"));
            return;
        }
        Ok(answer) => format!("{directives} has status {}, the last complete segment is {last}", answer.status),
        Err(Failure::Late(_)) => format!("{directives} is held, the last complete segment is {last}"),
        Err(failure) => format!("{directives}: {failure}"),
    };
    if subject.current().await.is_ok_and(|now| now.media.last_complete() == Some(last)) {
        ledger.broken(rule, told, None);
    }
}

async fn malformed<D: Dial>(subject: &Subject<D>, ledger: &mut Ledger) {
    let Ok(now) = subject.current().await else { return };
    let (msn, _) = now.media.next_part();
    let of = |value: &str| [format!("_HLS_msn={value}"), format!("_HLS_msn={msn}&_HLS_part={value}")];
    for directives in MALFORMED.iter().flat_map(|value| of(value)) {
        client_error(subject, ledger, &MALFORMED_REFUSED, &directives).await;
    }
    // What was held meanwhile has made the segment an old one, which any index is right for.
    let Ok(now) = subject.current().await else { return };
    let (msn, _) = now.media.next_part();
    let of = |value: &str| [format!("_HLS_msn={value}"), format!("_HLS_msn={msn}&_HLS_part={value}")];
    for directives in HUGE.iter().flat_map(|value| of(value)) {
        client_error(subject, ledger, &HUGE_NUMBERS_REFUSED, &directives).await;
    }
}

async fn client_error<D: Dial>(subject: &Subject<D>, ledger: &mut Ledger, rule: &Rule, directives: &str) {
    match subject.at_once(directives, SOON).await {
        Ok(answer) if (400..500).contains(&answer.status) => {
            ledger.kept(rule, format!("all of them, the last with {}", answer.status));
        }
        Ok(answer) if answer.status >= 500 => ledger.failed(rule, format!("{directives} has status {}", answer.status)),
        Ok(answer) => {
            let held = if answer.waited() > AT_ONCE {
                format!(" after {:.1} s", answer.waited().as_secs_f64())
            } else {
                String::new()
            };
            ledger.broken(rule, format!("{directives} has status {}{held}", answer.status), None);
        }
        Err(Failure::Late(limit)) => {
            ledger.failed(rule, format!("{directives} is held for more than {} s", limit.as_secs()));
        }
        Err(failure) => ledger.failed(rule, format!("{directives}: {failure}")),
    }
}

/// A delta update only for who asks for one that is offered (6.2.5.1).
async fn skip_values<D: Dial>(subject: &Subject<D>, media: &Media, ledger: &mut Ledger) {
    let offered = media.control.as_ref().is_some_and(|control| control.can_skip_until.is_some());
    let values: &[&str] = if offered { &["NO", "v9"] } else { &["YES", "v2", "v9"] };
    for value in values {
        match subject.playlist(&super::with_directives(&subject.url, &format!("_HLS_skip={value}")), SOON).await {
            Ok(answer) if answer.media.skip.is_none() => {
                let why = if offered { "of an unknown value" } else { "which is not offered" };
                ledger.kept(&SKIP_IGNORED, format!("_HLS_skip={value}, {why}, gives the full playlist"));
            }
            Ok(answer) => {
                let line = answer.media.skip.as_ref().map_or(1, |skip| skip.line);
                ledger.broken(&SKIP_IGNORED, format!("_HLS_skip={value} gives a delta update"), answer.place(line));
            }
            Err(what) => ledger.broken(&SKIP_IGNORED, format!("_HLS_skip={value}: {what}"), None),
        }
    }
}

/// What does not exist, and the part after the hinted one, has its 404 at once (6.2.6).
async fn unknown<D: Dial>(subject: &Subject<D>, ledger: &mut Ledger) {
    let Ok(now) = subject.current().await else { return };
    // A playlist that has just been released has its hint for a whole part.
    let (msn, index) = now.media.next_part();
    let now = match subject.held(&format!("_HLS_msn={msn}&_HLS_part={index}"), &now.media).await {
        Ok(released) if blocks(&now.media) => released,
        _ => now,
    };
    let mut names = vec!["touchline-check-no-such-part.m4s".to_owned()];
    let last = now.media.segments.last().and_then(|segment| segment.parts.last());
    let hint = now.media.hints.iter().find(|hint| hint.kind == "PART" && hint.start.is_none());
    if let Some((last, hint)) = last.zip(hint)
        && let Some(name) = name_after(&last.uri, &hint.uri)
        && now.media.hints.iter().all(|hint| hint.uri != name)
    {
        names.push(name);
    }
    for (number, name) in names.iter().enumerate() {
        let Ok(url) = subject.url.join(name) else { continue };
        let began = tokio::time::Instant::now();
        let told = match subject.get(&url, AT_ONCE).await {
            Ok(answer) if (400..500).contains(&answer.status) => {
                ledger.kept(
                    &UNKNOWN_REFUSED_AT_ONCE,
                    format!("{name} has {} in {} ms", answer.status, answer.waited().as_millis()),
                );
                continue;
            }
            // The part after the hinted one may have come to be meanwhile.
            Ok(ref answer)
                if number > 0
                    && !longer_than_a_part(answer.waited(), &now.media)
                    && subject.current().await.is_ok_and(|later| later.media.next_part() != now.media.next_part()) =>
            {
                continue;
            }
            Err(_)
                if number > 0
                    && began.elapsed() >= AT_ONCE
                    && now.media.part_target.is_none_or(|(target, _)| target.to_duration() > AT_ONCE) =>
            {
                continue;
            }
            Ok(answer) if number > 0 => {
                format!("{name}, which is not hinted, is held for {} ms", answer.waited().as_millis())
            }
            Ok(answer) => format!("{name}, which does not exist, has status {}", answer.status),
            Err(Failure::Late(_)) => format!("{name}, which is not hinted, is held for {}", took(began)),
            Err(failure) => format!("{name}: {failure}"),
        };
        ledger.broken(&UNKNOWN_REFUSED_AT_ONCE, told, None);
    }
}

/// A part that became the hinted one while it was asked for is held for less than its own time.
fn longer_than_a_part(waited: Duration, media: &Media) -> bool {
    media.part_target.is_some_and(|(target, _)| waited > target.times(5, 4).to_duration())
}

/// The name that follows `hinted`, when one number in it is one more than in `last`.
fn name_after(last: &str, hinted: &str) -> Option<String> {
    let (ours, theirs) = (numbers(last), numbers(hinted));
    let differ: Vec<usize> = (0..ours.len().max(theirs.len()))
        .filter(|at| ours.get(*at).map(|run| &run.1) != theirs.get(*at).map(|run| &run.1))
        .collect();
    let [at] = differ.as_slice() else { return None };
    let ((_, last), (start, next)) = (ours.get(*at)?, theirs.get(*at)?);
    let (last, value): (u64, u64) = (last.parse().ok()?, next.parse().ok()?);
    let end = start + next.len();
    (value == last + 1)
        .then(|| format!("{}{:0width$}{}", &hinted[..*start], value + 1, &hinted[end..], width = next.len()))
}

/// Runs of digits with where they begin.
fn numbers(text: &str) -> Vec<(usize, &str)> {
    let mut runs = Vec::new();
    let mut at = 0;
    while let Some(begin) =
        text.get(at..).and_then(|rest| rest.find(|c: char| c.is_ascii_digit())).map(|found| at + found)
    {
        let rest = text.get(begin..).unwrap_or_default();
        let len = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        runs.push((begin, rest.get(..len).unwrap_or_default()));
        at = begin + len;
    }
    runs
}

async fn tricks<D: Dial>(subject: &Subject<D>, ledger: &mut Ledger) {
    let folder = subject.url.path().rsplit_once('/').map_or("/".to_owned(), |(folder, _)| format!("{folder}/"));
    let overlong = format!("{folder}{}", "a".repeat(OVERLONG));
    let paths = TRICKS.iter().map(|trick| trick.replace("{}", &folder)).chain([overlong]);
    for path in paths {
        let shown: String = path.chars().take(60).collect();
        match subject.client.ask_path(&subject.url, &path, &Ask::get(SOON)).await {
            Ok(answer) if answer.status >= 500 => {
                ledger.failed(&PATH_TRICKS, format!("{shown} has status {}", answer.status));
            }
            Ok(answer) if answer.status == 200 => {
                ledger.failed(&PATH_TRICKS, format!("{shown} has status 200, {} bytes", answer.body.len()));
            }
            Ok(answer) if (400..500).contains(&answer.status) => ledger.kept(&PATH_TRICKS, "all of them have 4xx"),
            Ok(answer) => ledger.broken(&PATH_TRICKS, format!("{shown} has status {}", answer.status), None),
            // A server may close the connection on what is no request.
            Err(Failure::Late(limit)) => {
                ledger.failed(&PATH_TRICKS, format!("{shown} has no answer in {} s", Duration::as_secs(&limit)));
            }
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_after_the_hinted_one_is_guessed_from_one_number() {
        assert_eq!(name_after("seg7/part009.m4s", "seg7/part010.m4s").as_deref(), Some("seg7/part011.m4s"));
        for (last, hinted) in [("a1", "a3"), ("a1b1", "a2b2"), ("x", "y"), ("a1", "a1")] {
            assert_eq!(name_after(last, hinted), None, "{last} {hinted}");
        }
    }

    #[test]
    fn as_many_parts_as_last_three_seconds_may_be_asked_for_in_advance() {
        for (target, limit) in [("0.2", 15), ("0.333", 10), ("0.999", 4), ("1", 3), ("2", 3)] {
            let text = format!("#EXTM3U\n#EXT-X-PART-INF:PART-TARGET={target}\n");
            assert_eq!(advance_limit(&Media::read(&text)), limit, "{target}");
        }
    }
}
