//! Frames as they are written.

use std::time::Instant;

use bytes::Bytes;
use touchline_media::Kind;
use touchline_packager::{
    Body, Coding, Event, Init, Media, Meter, Part, Presentation, RenditionId, Report, Retained, Segment, SegmentStart,
};

use super::pen::Pen;
use super::{
    BATCH, COMPLETE, DISCONTINUITY, END, EVENT_ENDED, EVENT_INIT, EVENT_PART, EVENT_SEGMENT_END, EVENT_SPLICE, Ending,
    GAP, HEAD, INDEPENDENT, KEEP_ALIVE, MAPS, OPEN, RENDITION, RESUMED, Rendition, SEGMENT, STARTS, THUMBNAIL,
};
use crate::replication::log::{Clock, Mark};
use crate::replication::proof::Proof;

pub(crate) fn head(
    mark: Mark,
    nanos: i64,
    presentation: &Presentation,
    multivariant: Option<&Bytes>,
    thumbnail: Option<&Bytes>,
) -> Vec<Bytes> {
    let mut pen = Pen::new(HEAD);
    pen.mark(mark);
    pen.i64(nanos);
    pen.presentation(presentation);
    pen.option(multivariant, Pen::data);
    pen.option(thumbnail, Pen::data);
    pen.finish()
}

pub(crate) fn rendition(rendition: &Rendition) -> Vec<Bytes> {
    let Rendition { window, reports } = rendition;
    let mut pen = Pen::new(RENDITION);
    pen.count(window.inits.len());
    for (epoch, init) in &window.inits {
        pen.u64(epoch.0);
        pen.init(init);
    }
    pen.count(window.runs.len());
    for run in &window.runs {
        pen.u64(run.epoch.0);
        pen.u64(run.first);
        pen.u64(run.named);
    }
    pen.u64(window.media_sequence);
    pen.u64(window.discontinuity_sequence);
    pen.span(window.longest.to_duration());
    pen.option(window.last_part, |pen, (msn, index)| {
        pen.u64(msn);
        pen.u32(index);
    });
    pen.u64(window.next_part);
    pen.u8(u8::from(window.ended));
    pen.meter(&window.meter);
    pen.count(reports.len());
    for report in reports {
        pen.report(report);
    }
    pen.finish()
}

pub(crate) fn segment(id: RenditionId, retained: &Retained, clock: Clock) -> Vec<Bytes> {
    let mut pen = Pen::new(SEGMENT);
    pen.u8(id.0);
    for instant in [retained.appeared, retained.parts_until, retained.until] {
        pen.option(instant, |pen, instant| pen.instant(instant, clock));
    }
    pen.segment(&retained.segment, clock);
    pen.finish()
}

pub(crate) fn open(id: RenditionId, segment: &Segment, clock: Clock) -> Vec<Bytes> {
    let mut pen = Pen::new(OPEN);
    pen.u8(id.0);
    pen.segment(segment, clock);
    pen.finish()
}

pub(crate) fn complete(proofs: &[Proof]) -> Vec<Bytes> {
    let mut pen = Pen::new(COMPLETE);
    pen.count(proofs.len());
    for proof in proofs {
        pen.bytes(proof);
    }
    pen.finish()
}

pub(crate) fn resumed(mark: Mark) -> Vec<Bytes> {
    let mut pen = Pen::new(RESUMED);
    pen.mark(mark);
    pen.finish()
}

pub(crate) fn batch(
    mark: Mark,
    made: u64,
    events: &[Event],
    proofs: &[(RenditionId, Proof)],
    clock: Clock,
) -> Vec<Bytes> {
    let mut pen = Pen::new(BATCH);
    pen.mark(mark);
    pen.u64(made);
    pen.count(events.iter().filter(|event| goes(event)).count());
    for event in events {
        pen.event(event, clock);
    }
    pen.count(proofs.len());
    for (rendition, proof) in proofs {
        pen.u8(rendition.0);
        pen.bytes(proof);
    }
    pen.finish()
}

/// Whether other nodes are told: an opening is the head of a snapshot, and operators are told where something happens.
pub(crate) fn goes(event: &Event) -> bool {
    !matches!(event, Event::Opened(_) | Event::Notice(_))
}

pub(crate) fn thumbnail(mark: Mark, jpeg: &Bytes) -> Vec<Bytes> {
    let mut pen = Pen::new(THUMBNAIL);
    pen.mark(mark);
    pen.data(jpeg);
    pen.finish()
}

pub(crate) fn keep_alive() -> Vec<Bytes> {
    Pen::new(KEEP_ALIVE).finish()
}

pub(crate) fn end(ending: Ending) -> Vec<Bytes> {
    let mut pen = Pen::new(END);
    pen.u8(match ending {
        Ending::Removed => 0,
        Ending::Draining => 1,
    });
    pen.finish()
}

impl Pen {
    fn mark(&mut self, mark: Mark) {
        self.u64(mark.line);
        self.u64(mark.position);
    }

    fn instant(&mut self, instant: Instant, clock: Clock) {
        self.i64(clock.nanos(instant));
    }

    fn presentation(&mut self, presentation: &Presentation) {
        self.u64(presentation.epoch.0);
        self.u64(presentation.first_msn);
        self.u32(presentation.target_duration);
        self.span(presentation.part_target);
        self.span(presentation.window);
        self.count(presentation.renditions.len());
        for rendition in &presentation.renditions {
            self.name(&rendition.name);
            self.coding(&rendition.coding);
        }
    }

    fn coding(&mut self, coding: &Coding) {
        self.name(&coding.codec);
        self.u8(u8::from(coding.kind() == Kind::Audio));
        match coding.media {
            Media::Video { width, height, frame_rate } => {
                self.u32(width);
                self.u32(height);
                // Frames per second are the quotient of the two.
                self.option(frame_rate, |pen, rate| {
                    pen.u32(rate.timescale().get());
                    pen.u32(rate.frame_ticks());
                });
            }
            Media::Audio { sample_rate, channels } => {
                self.u32(sample_rate);
                self.u8(channels);
            }
        }
        self.option(coding.bitrate, Self::u32);
        self.option(coding.language, |pen, language| pen.name(language.code()));
    }

    fn event(&mut self, event: &Event, clock: Clock) {
        match event {
            Event::Init(init) => {
                self.u8(EVENT_INIT);
                self.init(init);
            }
            Event::Part(part) => {
                self.u8(EVENT_PART);
                self.part(part, clock);
            }
            Event::SegmentEnd(end) => {
                self.u8(EVENT_SEGMENT_END);
                self.u8(end.rendition.0);
                self.u64(end.msn);
                self.time(end.duration);
            }
            Event::Splice(splice) => {
                self.u8(EVENT_SPLICE);
                self.u64(splice.msn);
                self.u64(splice.epoch.0);
                self.u64(splice.named);
                self.span(splice.last_begins);
                self.span(splice.last_lasts);
                self.instant(splice.at, clock);
            }
            Event::Ended => self.u8(EVENT_ENDED),
            Event::Opened(_) | Event::Notice(_) => {}
        }
    }

    fn init(&mut self, init: &Init) {
        self.u8(init.rendition.0);
        self.u32(init.number);
        self.coding(&init.coding);
        self.data(&init.data);
    }

    fn part(&mut self, part: &Part, clock: Clock) {
        let flag = |flag, set| if set { flag } else { 0 };
        let flags =
            flag(INDEPENDENT, part.independent) | flag(GAP, part.gap) | flag(STARTS, part.segment_start.is_some());
        self.u8(part.rendition.0);
        self.u8(flags);
        self.u64(part.msn);
        self.u32(part.index);
        self.u64(part.number);
        self.time(part.duration);
        self.instant(part.received, clock);
        if let Some(start) = part.segment_start {
            self.start(start);
        }
        self.data(&part.data);
    }

    fn start(&mut self, start: SegmentStart) {
        let flag = |flag, set| if set { flag } else { 0 };
        self.u8(flag(INDEPENDENT, start.independent) | flag(DISCONTINUITY, start.discontinuity));
        self.span(start.program_date_time);
        self.u32(start.init);
    }

    fn segment(&mut self, segment: &Segment, clock: Clock) {
        let flag = |flag, set| if set { flag } else { 0 };
        self.u64(segment.msn);
        self.u64(segment.epoch.0);
        self.u64(segment.named);
        self.option(segment.cut, Self::u32);
        self.start(segment.start);
        self.u8(flag(MAPS, segment.maps) | flag(GAP, segment.gap));
        self.u64(segment.first_part);
        self.count(segment.parts.len());
        for part in &segment.parts {
            self.part(part, clock);
        }
        self.option(segment.whole.as_ref(), |pen, whole| {
            pen.span(whole.duration.to_duration());
            // What its parts have is not sent again.
            let chunks = match &whole.body {
                _ if !segment.parts.is_empty() => None,
                Body::Here(chunks) => Some(Ok(chunks)),
                Body::Elsewhere { len } => Some(Err(*len)),
            };
            match chunks {
                None => pen.u8(0),
                Some(Ok(chunks)) => {
                    pen.u8(1);
                    pen.count(chunks.len());
                    for chunk in chunks.iter() {
                        pen.data(chunk);
                    }
                }
                Some(Err(len)) => {
                    pen.u8(2);
                    pen.u64(len);
                }
            }
        });
    }

    fn meter(&mut self, meter: &Meter) {
        self.u64(meter.bits);
        self.span(meter.span);
        self.u64(meter.peak);
        self.u64(meter.average);
    }

    fn report(&mut self, report: &Report) {
        self.u8(report.rendition.0);
        self.u64(report.msn);
        self.u32(report.part);
    }
}
