//! Heads of answers: compression, caching, other origins, HEAD, ranges.

use std::time::Duration;

use hyper::{Method, header};
use url::Url;

use super::{SOON, Subject, blocks};
use crate::check::client::{Answer, Ask};
use crate::check::dial::Dial;
use crate::check::ledger::Ledger;
use crate::check::playlist::Media;
use crate::check::rules::http::{CACHE_LIFETIMES, CORS, GZIP, HEAD, RANGES};
use crate::check::seconds::Seconds;
use crate::check::watch::{hold_limit, with_directives};

/// An origin that is not the server's.
const OTHER_ORIGIN: &str = "https://player.example";

pub(super) async fn run<D: Dial>(subject: &Subject<D>, media: &Media, ledger: &mut Ledger) {
    gzip(subject, ledger).await;
    let resource = media
        .complete()
        .next_back()
        .and_then(|segment| segment.uri.as_ref())
        .and_then(|uri| subject.url.join(uri).ok());
    let missing = subject.url.join("touchline-check-nothing.m4s").ok();
    cors(subject, resource.as_ref(), missing.as_ref(), ledger).await;
    head(subject, resource.as_ref(), ledger).await;
    if let Some(resource) = &resource {
        ranges(subject, resource, media, ledger).await;
    }
    caching(subject, resource.as_ref(), missing.as_ref(), ledger).await;
}

async fn gzip<D: Dial>(subject: &Subject<D>, ledger: &mut Ledger) {
    let ask = |accepted: &'static str| async move {
        let ask =
            if accepted.is_empty() { Ask::get(SOON) } else { Ask::get(SOON).with(header::ACCEPT_ENCODING, accepted) };
        subject.client.ask(&subject.url, &ask).await
    };
    let (Ok(packed), Ok(plain), Ok(refused)) = (ask("gzip").await, ask("").await, ask("gzip;q=0, identity").await)
    else {
        return;
    };
    let encoding = |answer: &Answer| answer.header("content-encoding").unwrap_or("identity").to_owned();
    let vary = packed.header("vary").unwrap_or_default().to_ascii_lowercase();
    if encoding(&packed) != "gzip" {
        ledger.broken(&GZIP, "a playlist is not compressed for Accept-Encoding: gzip", None);
    } else if let Err(fault) = packed.unpacked() {
        ledger.broken(&GZIP, fault, None);
    } else if !vary.contains("accept-encoding") && vary != "*" {
        ledger.broken(&GZIP, "a compressed playlist has no Vary: Accept-Encoding", None);
    }
    if encoding(&plain) != "identity" {
        ledger.broken(&GZIP, format!("a playlist is {} for a client that does not accept it", encoding(&plain)), None);
    }
    if encoding(&refused) != "identity" {
        ledger.broken(&GZIP, format!("a playlist is {} for Accept-Encoding: gzip;q=0", encoding(&refused)), None);
    }
    ledger.kept(
        &GZIP,
        format!("{} bytes of playlist are {} compressed, Vary: {vary}", plain.body.len(), packed.body.len()),
    );
}

async fn cors<D: Dial>(subject: &Subject<D>, resource: Option<&Url>, missing: Option<&Url>, ledger: &mut Ledger) {
    let bad = with_directives(&subject.url, "_HLS_part=0");
    let asked = [
        ("a playlist", Some(&subject.url)),
        ("a segment", resource),
        ("a 404", missing),
        ("a refused directive", Some(&bad)),
    ];
    for (what, url) in asked.into_iter().filter_map(|(what, url)| Some((what, url?))) {
        let ask = Ask::get(SOON).with(header::ORIGIN, OTHER_ORIGIN);
        let Ok(answer) = subject.client.ask(url, &ask).await else { continue };
        match answer.header("access-control-allow-origin") {
            Some("*" | OTHER_ORIGIN) => {
                ledger.kept(&CORS, "playlists, media, errors and OPTIONS have Access-Control-Allow-Origin");
            }
            said => {
                let said = said.unwrap_or("absent");
                ledger.broken(
                    &CORS,
                    format!("Access-Control-Allow-Origin of {what} ({}) is {said}", answer.status),
                    None,
                );
            }
        }
    }
    let ask = Ask::get(SOON)
        .method(Method::OPTIONS)
        .with(header::ORIGIN, OTHER_ORIGIN)
        .with(header::ACCESS_CONTROL_REQUEST_METHOD, "GET")
        .with(header::ACCESS_CONTROL_REQUEST_HEADERS, "range");
    let Ok(answer) = subject.client.ask(&subject.url, &ask).await else { return };
    let allowed = answer.header("access-control-allow-headers").unwrap_or("absent").to_ascii_lowercase();
    if !(200..300).contains(&answer.status) || answer.header("access-control-allow-origin").is_none() {
        ledger.broken(&CORS, format!("OPTIONS has status {} and does not allow other origins", answer.status), None);
    } else if allowed != "*" && !allowed.contains("range") {
        ledger.broken(
            &CORS,
            format!("OPTIONS does not allow the Range header: Access-Control-Allow-Headers is {allowed}"),
            None,
        );
    }
}

async fn head<D: Dial>(subject: &Subject<D>, resource: Option<&Url>, ledger: &mut Ledger) {
    for url in [Some(&subject.url), resource].into_iter().flatten() {
        let Ok(got) = subject.client.ask(url, &Ask::get(SOON)).await else { continue };
        let path = url.path();
        // Over HTTP/2 a body after the head of HEAD breaks the stream.
        let head = match subject.client.ask(url, &Ask::get(SOON).method(Method::HEAD)).await {
            Ok(head) => head,
            Err(failure) => {
                ledger.broken(&HEAD, format!("HEAD of {path}: {failure}"), None);
                continue;
            }
        };
        if head.status != got.status {
            ledger.broken(&HEAD, format!("HEAD of {path} has status {}, GET has {}", head.status, got.status), None);
        } else if !head.body.is_empty() {
            ledger.broken(&HEAD, format!("HEAD of {path} has a body"), None);
        } else if head.header("content-type") != got.header("content-type") {
            ledger.broken(&HEAD, format!("HEAD of {path} has another Content-Type than GET"), None);
        } else {
            ledger.kept(&HEAD, "playlists and media");
        }
    }
}

/// Ranges of a whole resource. A server whose playlists use no byte ranges may ignore them, which is worth a warning.
async fn ranges<D: Dial>(subject: &Subject<D>, resource: &Url, media: &Media, ledger: &mut Ledger) {
    let used = media
        .segments
        .iter()
        .any(|segment| segment.byte_range.is_some() || segment.parts.iter().any(|part| part.byte_range.is_some()));
    let Ok(whole) = subject.client.ask(resource, &Ask::get(SOON)).await else { return };
    let len = whole.body.len();
    if whole.status != 200 || len < 200 {
        return;
    }
    let cases = [
        ("bytes=0-99".to_owned(), 206, format!("bytes 0-99/{len}"), whole.body.slice(..100)),
        ("bytes=100-".to_owned(), 206, format!("bytes 100-{}/{len}", len - 1), whole.body.slice(100..)),
        ("bytes=-10".to_owned(), 206, format!("bytes {}-{}/{len}", len - 10, len - 1), whole.body.slice(len - 10..)),
        (format!("bytes={len}-"), 416, format!("bytes */{len}"), bytes::Bytes::new()),
    ];
    for (range, status, content_range, body) in cases {
        let Ok(answer) = subject.client.ask(resource, &Ask::get(SOON).with(header::RANGE, &range)).await else {
            continue;
        };
        let said = answer.header("content-range").unwrap_or("absent");
        if answer.status == 200 && !used {
            ledger.suspect(&RANGES, format!("Range: {range} is ignored; the playlists use no byte ranges"), None);
        } else if answer.status != status {
            ledger.broken(
                &RANGES,
                format!("Range: {range} of {len} bytes has status {}, {status} is right", answer.status),
                None,
            );
        } else if said != content_range && (status == 206 || said != "absent") {
            ledger.broken(
                &RANGES,
                format!("Range: {range} has Content-Range: {said}, {content_range:?} is right"),
                None,
            );
        } else if status == 206 && answer.body != body {
            ledger.broken(&RANGES, format!("Range: {range} has other bytes than the whole"), None);
        } else {
            ledger.kept(&RANGES, "first, open, last and unsatisfiable ranges: 206 and 416");
        }
    }
}

/// The lifetimes that the profile recommends (B.1), in target durations.
async fn caching<D: Dial>(subject: &Subject<D>, resource: Option<&Url>, missing: Option<&Url>, ledger: &mut Ledger) {
    let Ok(now) = subject.current().await else { return };
    let Some(target) = now.media.target().map(Seconds::to_duration) else { return };
    let (msn, index) = now.media.next_part();
    let blocking = match now.media.part_target {
        Some(_) => format!("_HLS_msn={msn}&_HLS_part={index}"),
        None => format!("_HLS_msn={msn}"),
    };
    let half = Duration::from_secs(target.as_secs().div_ceil(2));
    let none = Duration::ZERO;
    let mut asked = vec![
        ("a playlist that was not waited for", Some(subject.url.clone()), none, half),
        ("a 404 of media", missing.cloned(), none, target),
        ("a segment", resource.cloned(), target * 6, Duration::MAX),
    ];
    if blocks(&now.media) {
        asked.push((
            "a playlist that was waited for",
            Some(with_directives(&subject.url, &blocking)),
            target,
            target * 6,
        ));
        asked.push(("a refused directive", Some(with_directives(&subject.url, "_HLS_part=0")), none, target * 4));
    }
    for (what, url, least, most) in asked {
        let Some(url) = url else { continue };
        let Ok(answer) = subject.get(&url, hold_limit(&now.media)).await else { continue };
        let control = answer.header("cache-control").unwrap_or("absent");
        let lifetime = max_age(control);
        let told = format!("Cache-Control of {what} is {control}");
        if lifetime.unwrap_or(none) < least {
            ledger.broken(&CACHE_LIFETIMES, format!("{told}: it may be kept for {} s", least.as_secs()), None);
        } else if lifetime.is_none() {
            ledger.broken(&CACHE_LIFETIMES, format!("{told}: no cache knows for how long it is right"), None);
        } else if lifetime.is_some_and(|lifetime| lifetime > most) {
            ledger.broken(&CACHE_LIFETIMES, format!("{told}: {} s is the most", most.as_secs()), None);
        } else {
            ledger.kept(&CACHE_LIFETIMES, told);
        }
    }
}

/// How long a cache may keep an answer; `None` when nothing is said.
fn max_age(control: &str) -> Option<Duration> {
    let mut directives = control.split(',').map(str::trim);
    if directives.clone().any(|directive| matches!(directive, "no-store" | "no-cache" | "private")) {
        return Some(Duration::ZERO);
    }
    let seconds = directives.find_map(|directive| directive.strip_prefix("max-age="))?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}
