//! Frames as they are read.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use bytes::{Buf, Bytes, BytesMut};
use touchline_packager::{
    Body, Coding, Epoch, Event, Init, Media, Meter, Part, Presentation, Report, Retained, Segment, SegmentEnd,
    SegmentStart, Snapshot, Whole,
};

use super::fields::Fields;
use super::pen::PREFIX;
use super::{
    BATCH, Batch, COMPLETE, DISCONTINUITY, END, EVENT_ENDED, EVENT_INIT, EVENT_PART, EVENT_SEGMENT_END, Ending, Error,
    Frame, GAP, HEAD, Head, INDEPENDENT, KEEP_ALIVE, MAPS, MAX_FRAME, MAX_RENDITIONS, OPEN, RENDITION, RESUMED, Reason,
    Rendition, SEGMENT, STARTS, THUMBNAIL,
};
use crate::replication::log::Clock;

/// Turns bytes, in pieces of any size, into frames. Each byte is copied once: what is kept of a frame is a part of its copy.
#[derive(Debug, Default)]
pub struct Decoder {
    pieces: Pieces,
    /// Ties the instants in frames to those here; a snapshot brings it.
    clock: Option<Clock>,
    /// How many bytes came before the next frame.
    offset: u64,
}

impl Decoder {
    /// Of a stream that goes on where another ended, by the clock of that.
    pub fn resuming(clock: Option<Clock>) -> Self {
        Self { clock, ..Self::default() }
    }

    /// Takes the next bytes of the stream.
    pub fn push(&mut self, bytes: Bytes) {
        self.pieces.push(bytes);
    }

    /// The next frame, if all of it is there. After an error the stream is of no use any more.
    pub fn next(&mut self, now: Instant) -> Result<Option<Frame>, Error> {
        let Some([kind, len @ ..]) = self.pieces.peek() else { return Ok(None) };
        let len = u32::from_be_bytes(len) as usize;
        if len > MAX_FRAME {
            return Err(Error { offset: self.offset, reason: Reason::TooLong { len } });
        }
        if self.pieces.remaining() < PREFIX + len {
            return Ok(None);
        }
        self.pieces.advance(PREFIX);
        let body = self.pieces.copy(len);
        let frame = self.read(kind, body, now).map_err(|reason| Error { offset: self.offset, reason })?;
        self.offset += (PREFIX + len) as u64;
        Ok(Some(frame))
    }

    /// What ties the instants in frames to those here.
    pub fn clock(&self) -> Option<Clock> {
        self.clock
    }

    fn read(&mut self, kind: u8, body: Bytes, now: Instant) -> Result<Frame, Reason> {
        let mut fields = Fields::new(body, self.clock.as_ref());
        let mut clock = None;
        let frame = match kind {
            HEAD => {
                let (head, nanos) = fields.head()?;
                clock = Some(Clock { instant: now, nanos });
                Frame::Head(head)
            }
            RENDITION => Frame::Rendition(Box::new(fields.whole_rendition()?)),
            SEGMENT => Frame::Segment(fields.rendition()?, fields.retained()?),
            OPEN => Frame::Open(fields.rendition()?, Arc::new(fields.segment()?)),
            COMPLETE => {
                let count = fields.count("the proofs", MAX_RENDITIONS)?;
                Frame::Complete((0..count).map(|_| fields.proof()).collect::<Result<_, _>>()?)
            }
            RESUMED => Frame::Resumed(fields.mark()?),
            BATCH => Frame::Batch(fields.batch()?),
            THUMBNAIL => Frame::Thumbnail(fields.mark()?, fields.data("a thumbnail")?),
            KEEP_ALIVE => Frame::KeepAlive,
            END => Frame::End(if fields.flag("the end")? { Ending::Draining } else { Ending::Removed }),
            kind => return Err(Reason::Kind(kind)),
        };
        fields.finish()?;
        self.clock = clock.or(self.clock);
        Ok(frame)
    }
}

/// Bytes that have come and have not been read.
#[derive(Debug, Default)]
struct Pieces {
    pieces: VecDeque<Bytes>,
    len: usize,
}

impl Pieces {
    fn push(&mut self, piece: Bytes) {
        self.len += piece.len();
        if !piece.is_empty() {
            self.pieces.push_back(piece);
        }
    }

    /// What a frame begins with.
    fn peek(&self) -> Option<[u8; PREFIX]> {
        let mut bytes = self.pieces.iter().flat_map(|piece| piece.iter().copied());
        let mut prefix = [0; PREFIX];
        for byte in &mut prefix {
            *byte = bytes.next()?;
        }
        Some(prefix)
    }

    /// The next bytes, apart from the buffers that they came in.
    fn copy(&mut self, len: usize) -> Bytes {
        let mut copy = BytesMut::with_capacity(len);
        while copy.len() < len && self.has_remaining() {
            let piece = self.chunk();
            let piece = piece.get(..len - copy.len()).unwrap_or(piece);
            copy.extend_from_slice(piece);
            let taken = piece.len();
            self.advance(taken);
        }
        copy.freeze()
    }
}

impl Buf for Pieces {
    fn remaining(&self) -> usize {
        self.len
    }

    fn chunk(&self) -> &[u8] {
        self.pieces.front().map_or(&[], |piece| piece)
    }

    fn advance(&mut self, mut count: usize) {
        while count > 0
            && let Some(front) = self.pieces.front_mut()
        {
            let step = count.min(front.len());
            front.advance(step);
            if front.is_empty() {
                self.pieces.pop_front();
            }
            self.len -= step;
            count -= step;
        }
    }
}

type Read<T> = Result<T, Reason>;

impl Fields<'_> {
    fn head(&mut self) -> Read<(Head, i64)> {
        let (mark, nanos) = (self.mark()?, self.i64("the clock")?);
        let presentation = Arc::new(self.presentation()?);
        let multivariant = self.option("the multivariant playlist", Self::text)?;
        let thumbnail = self.option("a thumbnail", Self::data)?;
        Ok((Head { mark, presentation, multivariant, thumbnail }, nanos))
    }

    fn presentation(&mut self) -> Read<Presentation> {
        let epoch = Epoch(self.u64("the epoch")?);
        let first_msn = self.number("the first segment")?;
        let target_duration = self.u32("the target duration")?;
        let part_target = self.span("the part target")?;
        let window = self.span("the window")?;
        let count = self.count("the renditions", MAX_RENDITIONS)?;
        let rendition = |_| {
            let (name, coding) = (self.name("a rendition's name")?, self.coding()?);
            Ok(touchline_packager::Rendition { name, coding })
        };
        let renditions = (0..count).map(rendition).collect::<Read<Vec<_>>>()?;
        if renditions.is_empty() || target_duration == 0 || part_target.is_zero() {
            return Err(Reason::Value("the presentation"));
        }
        Ok(Presentation { epoch, first_msn, target_duration, part_target, window, renditions })
    }

    fn coding(&mut self) -> Read<Coding> {
        let codec = self.name("a codec")?;
        let media = if self.flag("the kind of media")? {
            Media::Audio { sample_rate: self.u32("a sample rate")?, channels: self.u8("the channels")? }
        } else {
            let (width, height) = (self.u32("a width")?, self.u32("a height")?);
            Media::Video { width, height, frame_rate: self.option("a frame rate", Self::frame_rate)? }
        };
        let bitrate = self.option("a bitrate", Self::u32)?;
        Ok(Coding { codec, media, bitrate, language: self.option("a language", Self::language)? })
    }

    fn whole_rendition(&mut self) -> Read<Rendition> {
        let inits = self.count("the init sections", usize::MAX)?;
        let window = Snapshot {
            inits: (0..inits).map(|_| self.init()).collect::<Read<_>>()?,
            segments: Vec::new(),
            open: None,
            media_sequence: self.number("the media sequence")?,
            discontinuity_sequence: self.number("the discontinuity sequence")?,
            longest: self.span("the longest playlist")?.into(),
            last_part: self.option("the last part", |fields, what| Ok((fields.number(what)?, fields.u32(what)?)))?,
            next_part: self.number("the next part")?,
            ended: self.flag("the end")?,
            meter: self.meter()?,
        };
        let reports = self.count("the reports", MAX_RENDITIONS)?;
        Ok(Rendition { window, reports: (0..reports).map(|_| self.report()).collect::<Read<_>>()? })
    }

    fn meter(&mut self) -> Read<Meter> {
        Ok(Meter {
            bits: self.number("the size of all parts")?,
            span: self.span("the length of all parts")?,
            peak: self.number("the peak")?,
            average: self.number("the average")?,
        })
    }

    fn report(&mut self) -> Read<Report> {
        Ok(Report { rendition: self.rendition()?, msn: self.number("a report")?, part: self.u32("a report")? })
    }

    fn retained(&mut self) -> Read<Retained> {
        let appeared = self.option("when a segment appeared", Self::instant)?;
        let parts_until = self.option("when parts go", Self::instant)?;
        let until = self.option("when a segment goes", Self::instant)?;
        let segment = self.segment()?;
        if segment.whole.is_none() {
            return Err(Reason::Value("a whole segment"));
        }
        Ok(Retained { segment: Arc::new(segment), appeared, parts_until, until })
    }

    fn segment(&mut self) -> Read<Segment> {
        let msn = self.number("a segment")?;
        let start = self.start()?;
        let flags = self.u8("a segment's flags")?;
        let first_part = self.number("the first part")?;
        let count = self.count("the parts", usize::MAX)?;
        let parts = (0..count).map(|_| self.part()).collect::<Read<Vec<Part>>>()?;
        let whole = self.option("the whole segment", |fields, _| fields.whole(&parts))?;
        if parts.is_empty() && whole.is_none() {
            return Err(Reason::Value("a segment without parts"));
        }
        Ok(Segment { msn, start, maps: flags & MAPS != 0, gap: flags & GAP != 0, first_part, parts, whole })
    }

    fn whole(&mut self, parts: &[Part]) -> Read<Whole> {
        let duration = self.span("EXTINF")?.into();
        let body = match self.u8("the bytes of a segment")? {
            0 if !parts.is_empty() => Body::Here(parts.iter().map(|part| part.data.clone()).collect()),
            1 => {
                let count = self.count("the chunks", usize::MAX)?;
                Body::Here((0..count).map(|_| self.data("a chunk")).collect::<Read<_>>()?)
            }
            2 => Body::Elsewhere { len: self.number("the size of a segment")? },
            _ => return Err(Reason::Value("the bytes of a segment")),
        };
        Ok(Whole { duration, body })
    }

    fn batch(&mut self) -> Read<Batch> {
        let (mark, made) = (self.mark()?, self.u64("a time")?);
        let count = self.count("the events", usize::MAX)?;
        let events = (0..count).map(|_| self.event()).collect::<Read<_>>()?;
        let count = self.count("the proofs", usize::MAX)?;
        let proofs = (0..count).map(|_| Ok((self.rendition()?, self.proof()?))).collect::<Read<_>>()?;
        Ok(Batch { mark, made, events, proofs })
    }

    fn event(&mut self) -> Read<Event> {
        Ok(match self.u8("an event")? {
            EVENT_INIT => Event::Init(self.init()?),
            EVENT_PART => Event::Part(self.part()?),
            EVENT_SEGMENT_END => Event::SegmentEnd(SegmentEnd {
                rendition: self.rendition()?,
                msn: self.number("a segment's end")?,
                duration: self.duration("a segment's duration")?,
            }),
            EVENT_ENDED => Event::Ended,
            _ => return Err(Reason::Value("an event")),
        })
    }

    fn init(&mut self) -> Read<Init> {
        Ok(Init {
            rendition: self.rendition()?,
            number: self.u32("an init section")?,
            coding: self.coding()?,
            data: self.data("an init section")?,
        })
    }

    fn part(&mut self) -> Read<Part> {
        let (rendition, flags) = (self.rendition()?, self.u8("a part's flags")?);
        let msn = self.number("a part's segment")?;
        let (index, number) = (self.u32("a part's index")?, self.number("a part's number")?);
        let (duration, received) = (self.duration("a part's duration")?, self.instant("a part's arrival")?);
        let segment_start = if flags & STARTS == 0 { None } else { Some(self.start()?) };
        Ok(Part {
            rendition,
            msn,
            index,
            number,
            duration,
            independent: flags & INDEPENDENT != 0,
            gap: flags & GAP != 0,
            data: self.data("a part")?,
            segment_start,
            received,
        })
    }

    fn start(&mut self) -> Read<SegmentStart> {
        let flags = self.u8("a segment's start")?;
        Ok(SegmentStart {
            program_date_time: self.span("EXT-X-PROGRAM-DATE-TIME")?,
            discontinuity: flags & DISCONTINUITY != 0,
            independent: flags & INDEPENDENT != 0,
            init: self.u32("a segment's init section")?,
        })
    }
}
