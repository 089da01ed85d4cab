//! HTTP as the server profile asks for it.

use crate::check::evidence::Evidence;
use crate::check::ledger::Ledger;
use crate::check::rule::{Rule, profile, should};

/// The rules of this chapter.
pub(super) const RULES: &[&Rule] =
    &[&GZIP, &HTTP2, &PERSISTENT, &RANGES, &CACHE_LIFETIMES, &CORS, &HEAD, &MEDIA_TYPES, &PATH_TRICKS];

pub(in crate::check) const GZIP: Rule =
    profile("gzip", "B.1", "playlists are compressed for those who accept it, and only for them");
pub(in crate::check) const HTTP2: Rule =
    profile("http2", "B.1", "HTTP/2 is spoken").unseen("the URL is plain http: HTTP/2 is agreed on by ALPN over TLS");
pub(in crate::check) const PERSISTENT: Rule = profile("persistent", "B.1", "connections are kept open");
pub(in crate::check) const RANGES: Rule =
    profile("ranges", "B.1", "ranges have right answers").unseen("no media was fetched");
pub(in crate::check) const CACHE_LIFETIMES: Rule =
    should("cache-lifetimes", "B.1", "answers may be cached for as long as they are right");
pub(in crate::check) const CORS: Rule =
    should("cors", "B.1", "pages of other origins may read every answer, errors too");
pub(in crate::check) const HEAD: Rule = should("head", "B.1", "HEAD has the head of GET and no body");
pub(in crate::check) const MEDIA_TYPES: Rule =
    should("media-types", "B.1", "media has the content type of media").unseen("no media was fetched");
pub(in crate::check) const PATH_TRICKS: Rule =
    should("path-tricks", "B.1", "tricks with the path are refused with 4xx");

/// Judges what was seen of media resources; the rest is probed.
pub(super) fn judge(evidence: &Evidence, ledger: &mut Ledger) {
    for fetched in
        evidence.renditions.iter().flat_map(|recording| &recording.fetched).filter(|fetched| fetched.is_good())
    {
        let said = fetched.content_type.as_deref().unwrap_or("absent");
        let mime = said.split(';').next().unwrap_or_default().trim();
        let fine = match &fetched.init {
            Some(init) if init.tracks.iter().any(|track| track.video) => {
                matches!(mime, "video/mp4" | "video/iso.segment")
            }
            Some(_) => matches!(mime, "audio/mp4" | "video/mp4" | "audio/iso.segment" | "video/iso.segment"),
            None => mime.starts_with("video/") || mime.starts_with("audio/") || mime.starts_with("text/"),
        };
        if fine {
            ledger.kept(&MEDIA_TYPES, format!("Content-Type {said}"));
        } else {
            ledger.broken(&MEDIA_TYPES, format!("Content-Type of {} is {said}", fetched.url.path()), None);
        }
    }
}
