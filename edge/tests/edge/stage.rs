//! A channel whose parts come when a test says so.

use std::fmt::Write as _;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::header::{CONTENT_ENCODING, HeaderMap};
use hyper::{Method, Request, StatusCode};
use touchline_edge::channel::Writer;
use touchline_edge::{Hub, Metrics, Settings, respond};
use touchline_media::{ChannelName, FrameRate, MediaTime, Timescale};
use touchline_packager::{
    Coding, Epoch, Event, Init, Media, Part, Presentation, Rendition, RenditionId, SegmentEnd, SegmentStart,
};

pub(crate) const TARGET_DURATION: u32 = 2;
/// No request is held for longer.
pub(crate) const LONGEST_HOLD: Duration = Duration::from_secs(6);
pub(crate) const FIRST_MSN: u64 = 100;
const PART: Duration = Duration::from_millis(200);
const VIDEO: RenditionId = RenditionId(0);
const AUDIO: RenditionId = RenditionId(1);
/// 2025-11-22T20:00:00Z.
const EPOCH: u64 = 1_763_841_600_000;

/// A hub with the channel `main`: a video and an audio rendition, parts of 200 ms, segments of up to 2 s.
pub(crate) struct Stage {
    pub(crate) hub: Hub,
    pub(crate) metrics: Metrics,
    writer: Option<Writer>,
    started: Instant,
    msn: u64,
    index: u32,
    number: u64,
}

impl Stage {
    /// The channel is open, and nothing has come.
    pub(crate) fn empty() -> Self {
        Self::with(Settings::default())
    }

    pub(crate) fn with(settings: Settings) -> Self {
        let metrics = Metrics::default();
        let hub = Hub::new(settings, metrics.clone());
        Self::of(hub, metrics, presentation())
    }

    pub(crate) fn of(hub: Hub, metrics: Metrics, presentation: Arc<Presentation>) -> Self {
        let writer = hub.open(main(), presentation);
        Self { hub, metrics, writer: Some(writer), started: Instant::now(), msn: FIRST_MSN, index: 0, number: 0 }
    }

    /// Segment 100 is complete with five parts, and segment 101 has two.
    pub(crate) fn live() -> Self {
        Self::live_with(Settings::default())
    }

    pub(crate) fn live_with(settings: Settings) -> Self {
        let mut stage = Self::with(settings);
        stage.parts(5);
        stage.end_segment();
        stage.parts(2);
        stage
    }

    /// Nine segments of two seconds are complete, and the tenth has two parts.
    pub(crate) fn long() -> Self {
        let mut stage = Self::empty();
        for _ in 0..9 {
            stage.parts(10);
            stage.end_segment();
        }
        stage.parts(2);
        stage
    }

    pub(crate) fn parts(&mut self, count: u32) {
        for _ in 0..count {
            self.part();
        }
    }

    /// The next part of both renditions.
    pub(crate) fn part(&mut self) {
        let events =
            [self.next(VIDEO, 18_000, Timescale::NINETY_KHZ), self.next(AUDIO, 9_216, Timescale::new(48_000).unwrap())];
        self.writer().apply(&events.concat());
        self.index += 1;
        self.number += 1;
    }

    /// The next part of the video alone.
    pub(crate) fn video_part(&mut self) {
        let events = self.next(VIDEO, 18_000, Timescale::NINETY_KHZ);
        self.writer().apply(&events);
    }

    pub(crate) fn end_segment(&mut self) {
        let duration = MediaTime::from_duration(PART * self.index, Timescale::NINETY_KHZ);
        let msn = self.msn;
        let end = |rendition| Event::SegmentEnd(SegmentEnd { rendition, msn, duration });
        self.writer().apply(&[end(VIDEO), end(AUDIO)]);
        self.msn += 1;
        self.index = 0;
    }

    pub(crate) fn writer(&mut self) -> &mut Writer {
        self.writer.as_mut().expect("the channel has not been removed")
    }

    /// Takes the channel away.
    pub(crate) fn remove(&mut self) {
        self.hub.remove(self.writer.take().expect("the channel has not been removed"));
    }

    pub(crate) fn end(&mut self) {
        self.writer().apply(&[Event::Ended]);
    }

    /// Requests a path by GET.
    pub(crate) fn get(&self, path: &str) -> impl Future<Output = Seen> + Send + use<> {
        self.request(Method::GET, path, &[])
    }

    pub(crate) fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
    ) -> impl Future<Output = Seen> + Send + use<> {
        let hub = self.hub.clone();
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(()).unwrap();
        async move { ask(&hub, request).await }
    }

    /// The name of a file of the channel.
    pub(crate) fn name(item: &str, extension: &str) -> String {
        format!("{item}-{}.{extension}", Epoch(EPOCH))
    }

    fn next(&self, rendition: RenditionId, ticks: i64, timescale: Timescale) -> Vec<Event> {
        let init = Event::Init(Init {
            rendition,
            number: 0,
            coding: presentation().rendition(rendition).unwrap().coding.clone(),
            data: format!("[init of {rendition:?}]").into(),
        });
        let since = PART * u32::try_from(self.number).unwrap();
        let start = SegmentStart {
            program_date_time: Duration::from_millis(EPOCH) + since,
            discontinuity: false,
            independent: true,
            init: 0,
        };
        let part = Event::Part(Part {
            rendition,
            msn: self.msn,
            index: self.index,
            number: self.number,
            duration: MediaTime::new(ticks, timescale),
            independent: self.index == 0,
            gap: false,
            data: format!("[part {} of {rendition:?}]", self.number).into(),
            segment_start: (self.index == 0).then_some(start),
            received: self.started + since,
        });
        if self.number == 0 { vec![init, part] } else { vec![part] }
    }
}

pub(crate) fn main() -> ChannelName {
    "main".parse().unwrap()
}

pub(crate) fn presentation() -> Arc<Presentation> {
    let video = Media::Video { width: 1_280, height: 720, frame_rate: FrameRate::from_f64(29.97) };
    let audio = Media::Audio { sample_rate: 48_000, channels: 2 };
    let rendition = |name: &str, codec: &str, media| {
        let coding = Coding { codec: codec.into(), media, bitrate: None, language: None };
        Rendition { name: name.into(), coding }
    };
    Arc::new(Presentation {
        epoch: Epoch(EPOCH),
        first_msn: FIRST_MSN,
        target_duration: TARGET_DURATION,
        part_target: PART,
        window: Duration::from_secs(30),
        renditions: vec![rendition("video", "avc1.64001f", video), rendition("audio", "mp4a.40.2", audio)],
    })
}

/// GETs a path of a hub.
pub(crate) async fn get(hub: &Hub, path: &str) -> Seen {
    ask(hub, Request::get(path).body(()).unwrap()).await
}

async fn ask(hub: &Hub, request: Request<()>) -> Seen {
    let (head, body) = respond(hub, request, [127, 0, 0, 1].into()).await.into_parts();
    Seen { status: head.status, headers: head.headers, body: body.collect().await.unwrap().to_bytes() }
}

/// A response as a viewer gets it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Seen {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Status, headers by name, and body.
    pub(crate) fn whole(&self) -> String {
        let mut lines: Vec<String> =
            self.headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        lines.sort();
        let mut whole = format!("{}\n{}\n\n", self.status, lines.join("\n"));
        match self.headers.get(CONTENT_ENCODING) {
            Some(_) => write!(whole, "[{} bytes]", self.body.len()).unwrap(),
            None => whole.push_str(&self.text()),
        }
        whole
    }
}

/// Polls a request once: its answer, or `None` where it is held.
pub(crate) async fn answered<F: Future>(mut request: Pin<&mut F>) -> Option<F::Output> {
    std::future::poll_fn(|cx| match request.as_mut().poll(cx) {
        Poll::Ready(answer) => Poll::Ready(Some(answer)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// Polls a request once: whether it is held.
pub(crate) async fn held<F: Future>(request: Pin<&mut F>) -> bool {
    answered(request).await.is_none()
}
