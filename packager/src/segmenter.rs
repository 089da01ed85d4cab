use std::time::{Duration, Instant};

use bytes::Bytes;
use touchline_media::{Kind, MediaTime, Timescale};

use crate::decode_clock::DecodeClock;
use crate::fragment::{self, Placed};
use crate::target::Filling;
use crate::{Event, Part, RenditionId, SegmentEnd, SegmentStart};

/// A sample on the timeline of the presentation, in ticks of its rendition.
#[derive(Debug)]
pub(crate) struct Timed {
    pub(crate) dts: i64,
    pub(crate) pts: i64,
    /// Where it ends, as a decode time; `None`: where the next one begins.
    pub(crate) end: Option<i64>,
    pub(crate) sync: bool,
    pub(crate) data: Bytes,
    pub(crate) received: Instant,
}

/// What goes on from stretch to stretch of a rendition.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counters {
    pub(crate) rendition: RenditionId,
    pub(crate) kind: Kind,
    /// The Media Sequence Number of the open segment, or of the next.
    pub(crate) msn: u64,
    /// The running number of the next part.
    pub(crate) part: u64,
    /// The end of what there is.
    pub(crate) end: MediaTime,
}

/// What holds for all of a stretch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stretch {
    pub(crate) timescale: Timescale,
    pub(crate) filling: Filling,
    /// The number of its init section.
    pub(crate) init: u32,
    pub(crate) discontinuity: bool,
    pub(crate) anchor: Anchor,
}

/// Presentation time against the wall clock, the same for all renditions (RFC 8216bis 6.2.4).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Anchor {
    /// An instant of the presentation...
    pub(crate) pts: MediaTime,
    /// ...and the Unix time at it, in whole milliseconds.
    pub(crate) millis: u64,
}

impl Anchor {
    /// The Unix time at an instant, in the whole milliseconds that EXT-X-PROGRAM-DATE-TIME writes: that of pictures rounded
    /// up, that of sound down.
    ///
    /// It depends on the instant alone, and sound is never dated later against pictures than it is. hls.js places sound
    /// by its dates; where its segments end in the playlist after they end in the buffer, it can wait for ever for the
    /// rest of one that it has.
    fn unix_at(&self, pts: MediaTime, kind: Kind) -> Duration {
        let (scale, anchor) = (i128::from(pts.timescale().get()), i128::from(self.pts.timescale().get()));
        let apart = i128::from(pts.ticks()) * anchor - i128::from(self.pts.ticks()) * scale;
        let (thousand, unit) = (apart * 1_000, scale * anchor);
        let since = match kind {
            Kind::Video => -(-thousand).div_euclid(unit),
            Kind::Audio => thousand.div_euclid(unit),
        };
        Duration::from_millis(u64::try_from(i128::from(self.millis) + since).unwrap_or(0))
    }
}

/// Fills the parts of one stretch of a rendition and numbers its segments. Where segments end, others decide.
#[derive(Debug)]
pub(crate) struct Segmenter {
    counters: Counters,
    stretch: Stretch,
    clock: DecodeClock,
    /// By how much the stretch's first PTS is ahead of its decode time.
    delay: i64,
    /// Whether the stretch has a sample.
    has_media: bool,
    discontinuity: bool,
    /// How much of the open segment there is, in ticks; 0 when none is open.
    elapsed: i64,
    /// The parts of the open segment that are closed.
    index: u32,
    /// Of the open segment, until its first part is closed.
    start: Option<SegmentStart>,
    /// The open part.
    samples: Vec<Placed>,
    filled: i64,
    independent: bool,
    received: Option<Instant>,
}

impl Segmenter {
    /// For a stretch whose decode times begin at `start`, and whose presentation times lie `delay` ahead of them there.
    pub(crate) fn new(counters: Counters, stretch: Stretch, start: i64, delay: i64) -> Self {
        Self {
            counters,
            stretch,
            clock: DecodeClock::new(start, stretch.filling.least),
            delay,
            has_media: false,
            discontinuity: stretch.discontinuity,
            elapsed: 0,
            index: 0,
            start: None,
            samples: Vec::new(),
            filled: 0,
            independent: false,
            received: None,
        }
    }

    /// This may be the stretch's first sample, after a gap.
    pub(crate) fn expect(&mut self, first: &Timed) {
        if !self.has_media {
            self.delay = first.pts - first.dts;
        }
    }

    /// Puts a sample that truly ends at `true_end` into the open part, which is closed when that fills it.
    pub(crate) fn place(&mut self, sample: Timed, true_end: i64, out: &mut Vec<Event>) {
        if self.elapsed == 0 {
            self.start = Some(self.segment_start(self.boundary(&sample), sample.sync));
        }
        self.has_media = true;
        let (start, duration) = self.clock.place(true_end, self.stretch.filling.len - self.filled);
        self.elapsed += duration;
        self.filled += duration;
        self.independent |= sample.sync;
        self.received = Some(sample.received);
        self.samples.push(Placed {
            duration: u32::try_from(duration).unwrap_or(u32::MAX),
            offset: saturated(sample.pts - start),
            sync: sample.sync,
            data: sample.data,
        });
        if self.filled >= self.stretch.filling.full {
            self.close_part(out);
        }
    }

    /// Puts a part of `duration` ticks without media into the open segment, which holds no media.
    pub(crate) fn place_gap(&mut self, duration: i64, received: Instant, out: &mut Vec<Event>) {
        if self.elapsed == 0 {
            self.start = Some(self.segment_start(self.next_pts(), true));
        }
        self.clock.skip(duration);
        self.elapsed += duration;
        self.filled = duration;
        self.received = Some(received);
        self.close_part(out);
    }

    /// Closes the open segment, if there is one, with what its last part holds.
    pub(crate) fn close_segment(&mut self, out: &mut Vec<Event>) {
        self.close_part(out);
        if self.elapsed == 0 {
            return;
        }
        out.push(Event::SegmentEnd(SegmentEnd {
            rendition: self.counters.rendition,
            msn: self.counters.msn,
            duration: self.time(self.elapsed),
        }));
        self.counters.msn += 1;
        self.elapsed = 0;
        self.index = 0;
        self.discontinuity = false;
    }

    /// Closes what is open and gives back what goes on.
    pub(crate) fn finish(mut self, out: &mut Vec<Event>) -> Counters {
        self.close_segment(out);
        self.counters.end = self.time(self.clock.end());
        self.counters
    }

    /// Where a segment would begin that began with `next`: the PTS of a sync sample; for others, whose PTS may lie among
    /// those of the segment before, the decode time as far ahead as at the beginning.
    pub(crate) fn boundary(&self, next: &Timed) -> MediaTime {
        if next.sync { self.time(next.pts) } else { self.next_pts() }
    }

    /// The instant that is reached, as a PTS.
    pub(crate) fn next_pts(&self) -> MediaTime {
        self.pts_of(self.clock.end())
    }

    /// The PTS that is as far ahead of a decode time as at the beginning.
    pub(crate) fn pts_of(&self, decode_time: i64) -> MediaTime {
        self.time(decode_time + self.delay)
    }

    /// The decode time of such a PTS.
    pub(crate) fn decode_time(&self, pts: MediaTime) -> i64 {
        pts.rescale(self.stretch.timescale).ticks() - self.delay
    }

    /// By how much presentation times are ahead of decode times at the beginning.
    pub(crate) fn delay(&self) -> MediaTime {
        self.time(self.delay)
    }

    /// The end of what there is, as a decode time.
    pub(crate) fn end(&self) -> i64 {
        self.clock.end()
    }

    /// The Media Sequence Number of the open segment, or of the next.
    pub(crate) fn msn(&self) -> u64 {
        self.counters.msn
    }

    /// How much of the open segment there is, in ticks.
    pub(crate) fn elapsed(&self) -> i64 {
        self.elapsed
    }

    /// Whether the open segment has a closed part.
    pub(crate) fn has_parts(&self) -> bool {
        self.index > 0
    }

    /// Whether nothing is in the open part.
    pub(crate) fn between_parts(&self) -> bool {
        self.samples.is_empty()
    }

    /// How far the decode times written are from those of the source, whose next sample comes at `dts`.
    pub(crate) fn lag(&self, dts: i64) -> MediaTime {
        self.time(dts.saturating_sub(self.clock.end()).saturating_abs())
    }

    fn segment_start(&self, pts: MediaTime, independent: bool) -> SegmentStart {
        SegmentStart {
            program_date_time: self.stretch.anchor.unix_at(pts, self.counters.kind),
            discontinuity: self.discontinuity,
            independent,
            init: self.stretch.init,
        }
    }

    fn close_part(&mut self, out: &mut Vec<Event>) {
        let Some(received) = self.received.take() else { return };
        let Counters { rendition, msn, part: number, .. } = self.counters;
        out.push(Event::Part(Part {
            rendition,
            msn,
            index: self.index,
            number,
            duration: self.time(self.filled),
            independent: self.independent,
            gap: self.samples.is_empty(),
            data: self.chunk(),
            segment_start: self.start.take(),
            received,
        }));
        self.counters.part += 1;
        self.index += 1;
        self.samples.clear();
        self.filled = 0;
        self.independent = false;
    }

    /// What the open part holds.
    fn chunk(&self) -> Bytes {
        // ISO/IEC 14496-12 8.8.5: counts the fragments from 1; it may wrap.
        #[expect(clippy::cast_possible_truncation, reason = "meant to wrap")]
        let sequence = (self.counters.part as u32).wrapping_add(1);
        let decode_time = u64::try_from(self.clock.end() - self.filled).unwrap_or(0);
        fragment::encode(sequence, decode_time, self.counters.kind, &self.samples)
    }

    fn time(&self, ticks: i64) -> MediaTime {
        MediaTime::new(ticks, self.stretch.timescale)
    }
}

fn saturated(ticks: i64) -> i32 {
    i32::try_from(ticks).unwrap_or(if ticks < 0 { i32::MIN } else { i32::MAX })
}
