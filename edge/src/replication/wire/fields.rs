use std::time::{Duration, Instant};

use bytes::{Buf as _, Bytes};
use touchline_media::{FrameRate, Language, MediaTime, Timescale};
use touchline_packager::RenditionId;

use super::Reason;
use crate::replication::log::{Clock, Mark};
use crate::replication::proof::Proof;

/// The highest of numbers that count: nothing counted from 1970 in nanoseconds comes near, and sums of them stay numbers.
const MAX_NUMBER: u64 = 1 << 56;
/// The longest span of media.
const MAX_MEDIA: Duration = Duration::from_hours(24);
/// The longest span of anything, and the latest Unix time.
const MAX_SPAN: Duration = Duration::from_hours(24 * 366 * 200);

/// Reads the body of a frame. Media is a part of it, not a copy.
pub(super) struct Fields<'a> {
    rest: Bytes,
    clock: Option<&'a Clock>,
}

type Read<T> = Result<T, Reason>;

impl<'a> Fields<'a> {
    pub(super) fn new(body: Bytes, clock: Option<&'a Clock>) -> Self {
        Self { rest: body, clock }
    }

    /// Nothing may be left.
    pub(super) fn finish(self) -> Read<()> {
        if self.rest.is_empty() { Ok(()) } else { Err(Reason::Trailing(self.rest.len())) }
    }

    pub(super) fn u8(&mut self, what: &'static str) -> Read<u8> {
        self.rest.try_get_u8().map_err(|_| Reason::Short(what))
    }

    pub(super) fn u32(&mut self, what: &'static str) -> Read<u32> {
        self.rest.try_get_u32().map_err(|_| Reason::Short(what))
    }

    pub(super) fn u64(&mut self, what: &'static str) -> Read<u64> {
        self.rest.try_get_u64().map_err(|_| Reason::Short(what))
    }

    pub(super) fn i64(&mut self, what: &'static str) -> Read<i64> {
        self.rest.try_get_i64().map_err(|_| Reason::Short(what))
    }

    /// A number that counts.
    pub(super) fn number(&mut self, what: &'static str) -> Read<u64> {
        Some(self.u64(what)?).filter(|&number| number <= MAX_NUMBER).ok_or(Reason::Value(what))
    }

    /// A number of items, each of which has a byte at least.
    pub(super) fn count(&mut self, what: &'static str, limit: usize) -> Read<usize> {
        let count = self.u32(what)? as usize;
        if count > limit.min(self.rest.len()) { Err(Reason::Value(what)) } else { Ok(count) }
    }

    pub(super) fn flag(&mut self, what: &'static str) -> Read<bool> {
        match self.u8(what)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Reason::Value(what)),
        }
    }

    pub(super) fn option<T>(
        &mut self,
        what: &'static str,
        read: impl FnOnce(&mut Self, &'static str) -> Read<T>,
    ) -> Read<Option<T>> {
        if self.flag(what)? { read(self, what).map(Some) } else { Ok(None) }
    }

    pub(super) fn span(&mut self, what: &'static str) -> Read<Duration> {
        let span = Duration::from_nanos(self.u64(what)?);
        if span > MAX_SPAN { Err(Reason::Value(what)) } else { Ok(span) }
    }

    pub(super) fn instant(&mut self, what: &'static str) -> Read<Instant> {
        let nanos = self.i64(what)?;
        self.clock.map(|clock| clock.instant(nanos)).ok_or(Reason::Early)
    }

    /// How long some media lasts.
    pub(super) fn duration(&mut self, what: &'static str) -> Read<MediaTime> {
        let (ticks, timescale) = (self.i64(what)?, self.u32(what)?);
        let time = Timescale::new(timescale).map(|timescale| MediaTime::new(ticks, timescale));
        time.filter(|time| ticks >= 0 && time.to_duration() <= MAX_MEDIA).ok_or(Reason::Value(what))
    }

    pub(super) fn data(&mut self, what: &'static str) -> Read<Bytes> {
        let len = self.u32(what)? as usize;
        if len > self.rest.len() { Err(Reason::Short(what)) } else { Ok(self.rest.split_to(len)) }
    }

    pub(super) fn text(&mut self, what: &'static str) -> Read<String> {
        let data = self.data(what)?;
        String::from_utf8(data.to_vec()).map_err(|_| Reason::Value(what))
    }

    /// A name that needs no escaping in a URL or a playlist.
    pub(super) fn name(&mut self, what: &'static str) -> Read<String> {
        let len = usize::from(self.rest.try_get_u16().map_err(|_| Reason::Short(what))?);
        if len > self.rest.len() {
            return Err(Reason::Short(what));
        }
        let name = self.rest.split_to(len);
        let plain = |&byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        let name = (!name.is_empty() && name.iter().all(plain)).then(|| String::from_utf8(name.to_vec()).ok());
        name.flatten().ok_or(Reason::Value(what))
    }

    pub(super) fn language(&mut self, what: &'static str) -> Read<Language> {
        self.name(what)?.parse().map_err(|_| Reason::Value(what))
    }

    pub(super) fn frame_rate(&mut self, what: &'static str) -> Read<FrameRate> {
        let (numerator, denominator) = (self.u32(what)?, self.u32(what)?);
        FrameRate::new(numerator, denominator).ok_or(Reason::Value(what))
    }

    pub(super) fn proof(&mut self) -> Read<Proof> {
        let mut proof = Proof::default();
        self.rest.try_copy_to_slice(&mut proof).map_err(|_| Reason::Short("a proof"))?;
        Ok(proof)
    }

    pub(super) fn mark(&mut self) -> Read<Mark> {
        Ok(Mark { line: self.u64("a mark")?, position: self.number("a mark")? })
    }

    pub(super) fn rendition(&mut self) -> Read<RenditionId> {
        self.u8("a rendition").map(RenditionId)
    }
}
