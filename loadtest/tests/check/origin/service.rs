//! Who asks for what: paths, methods, and what of the media can be had.

use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::{HeaderMap, Method, Request, Response, Uri, header};
use tokio::sync::mpsc;

use super::reply::{Content, Lifetime, Reply};
use super::timeline::Segment;
use super::{Fault, Origin, Rendition};

impl Origin {
    /// Answers a request.
    pub(super) async fn answer(&self, request: &Request<Incoming>) -> Response<Content> {
        let reply = match *request.method() {
            Method::OPTIONS if !self.wrong(Fault::NoPreflight) => return self.preflight(),
            Method::HEAD if self.wrong(Fault::HeadRefused) => Reply::error(405, Lifetime::Error),
            Method::GET | Method::HEAD => self.find(request.uri(), request.headers()).await,
            _ => Reply::error(405, Lifetime::Error),
        };
        let response = self.dress(request.headers(), reply);
        if *request.method() == Method::HEAD && !self.wrong(Fault::HeadWithBody) {
            return without_body(response);
        }
        response
    }

    async fn find(&self, uri: &Uri, headers: &HeaderMap) -> Reply {
        let path = uri.path();
        // No name here needs an escape, so that whoever sends one is not looking for a stream.
        if path.contains('%') || path.contains("..") || path.contains("//") {
            return match self.fault {
                Some(Fault::PathTraversal) => Reply::media("text/plain", "root:x:0:0:root:/root:/bin/sh\n"),
                Some(Fault::PathCrashes) => Reply::error(500, Lifetime::Error),
                _ => Reply::error(400, Lifetime::Error),
            };
        }
        let Some(path) = path.strip_prefix("/live/") else { return not_found() };
        if path == "main.m3u8" {
            return Reply::playlist(self.multivariant(), Lifetime::Playlist);
        }
        let Some((folder, file)) = path.split_once('/') else { return not_found() };
        let rendition = self.shape.renditions.iter().find(|rendition| rendition.name() == folder);
        match rendition {
            None => not_found(),
            Some(&rendition) if file == self.index() => self.reload(rendition, uri.query().unwrap_or("")).await,
            Some(&rendition) => self.media(rendition, file, headers).await.unwrap_or_else(not_found),
        }
    }

    /// An init section, a segment or a part, if it is there or is hinted.
    async fn media(&self, rendition: Rendition, file: &str, headers: &HeaderMap) -> Option<Reply> {
        let kind = if rendition == Rendition::Audio { "audio/mp4" } else { "video/mp4" };
        let name = file.strip_suffix(".mp4")?;
        if let Some(stretch) = name.strip_prefix("init-") {
            let next = self.segment(rendition, self.growing(rendition, self.now()) + 1).stretch;
            return (stretch.parse::<u64>().ok()? <= next).then(|| Reply::media(kind, self.init(rendition)));
        }
        let Some((msn, index)) = name.split_once('.') else {
            let segment = self.known_segment(rendition, name.parse().ok()?)?;
            let range = headers.get(header::RANGE).and_then(|range| range.to_str().ok());
            return match range {
                Some(range) if self.shape.ranges && self.now() < self.published(rendition, segment.end) => {
                    self.growing_range(rendition, kind, segment, range)
                }
                _ => self.segment_media(rendition, &segment).map(|data| Reply::media(kind, data)),
            };
        };
        let segment = self.known_segment(rendition, msn.parse().ok()?)?;
        self.part_media(rendition, kind, &segment, index.parse().ok()?).await
    }

    /// A segment that is there, grows or is the next to.
    fn known_segment(&self, rendition: Rendition, msn: u64) -> Option<Segment> {
        let next = self.growing(rendition, self.edge(rendition, self.now())) + 1;
        (msn <= next).then(|| self.segment(rendition, msn))
    }

    fn segment_media(&self, rendition: Rendition, segment: &Segment) -> Option<Vec<u8>> {
        let late = if self.wrong(Fault::SegmentListedBeforeThere) { 100 } else { 0 };
        let there = self.published(rendition, segment.end) + late..self.segment_kept_until(segment);
        (there.contains(&self.now()) && !segment.gap).then(|| self.whole(rendition, segment))
    }

    async fn part_media(
        &self,
        rendition: Rendition,
        kind: &'static str,
        segment: &Segment,
        index: u64,
    ) -> Option<Reply> {
        let now = self.now();
        let msn = segment.msn;
        if index >= segment.len() || now > self.parts_kept_until(segment) {
            return None;
        }
        let published = self.part_published(rendition, (msn, index));
        if now < published {
            // 6.2.6: what is hinted is held, what is not is refused at once.
            let next = self.next_part(rendition, self.last_part(rendition, self.edge(rendition, now)));
            let hinted = (msn, index) == next && !self.wrong(Fault::HintNotFound)
                || (msn, index) == self.next_part(rendition, next) && self.hints_two();
            if !hinted || self.ended(now) {
                return None;
            }
            if self.wrong(Fault::HintTrickles) {
                return Some(self.trickle(kind, self.part(rendition, segment, index)));
            }
            self.until(published).await;
        } else if self.wrong(Fault::ListedBeforeThere) && now < published + 100 {
            return None;
        }
        (!segment.gap).then(|| Reply::media(kind, self.part(rendition, segment, index)))
    }

    fn hints_two(&self) -> bool {
        [Fault::UnhintedHeld, Fault::WrongHint, Fault::TwoHints].iter().any(|fault| self.wrong(*fault))
    }

    /// A fifth of a part every 40 ms.
    fn trickle(&self, kind: &'static str, part: Vec<u8>) -> Reply {
        let (sender, pieces) = mpsc::channel(1);
        let origin = self.clone();
        tokio::spawn(async move {
            for piece in part.chunks(part.len().div_ceil(5)) {
                origin.until(origin.now() + 40).await;
                // A client that has gone wants no more.
                if sender.send(Bytes::copy_from_slice(piece)).await.is_err() {
                    return;
                }
            }
        });
        Reply::pieces(kind, pieces)
    }
}

/// RFC 9110 9.3.2: the head of GET.
fn without_body(response: Response<Content>) -> Response<Content> {
    let (mut head, body) = response.into_parts();
    if let Some(len) = body.size_hint().exact() {
        head.headers.insert(header::CONTENT_LENGTH, len.into());
    }
    Response::from_parts(head, Content::Whole(Bytes::new()))
}

fn not_found() -> Reply {
    Reply::error(404, Lifetime::Error)
}
