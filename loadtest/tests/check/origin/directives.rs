//! Delivery directives and blocking reload: RFC 8216bis 6.2.5.

use super::playlist::Skip;
use super::reply::{Lifetime, Reply};
use super::{Fault, Origin, PART_TARGET, Rendition, TARGET};

/// 6.2.5.2: how many segments past the last whole one a request may ask for.
const MAX_MSN_AHEAD: u64 = 2;
/// 6.2.5.2: the Advance Part Limit, three divided by a PART-TARGET below a second.
const ADVANCE_PART_LIMIT: u64 = 3_000 / PART_TARGET;
/// 6.2.5.2: how long a request is held at most.
const MAX_HOLD: u64 = 3 * TARGET;

/// The directives of a request.
#[derive(Debug, Default, Clone, Copy)]
struct Directives {
    msn: Option<u64>,
    part: Option<u64>,
    skip: Option<Skip>,
}

impl Origin {
    /// Answers a request for a media playlist, when it is time.
    pub(super) async fn reload(&self, rendition: Rendition, query: &str) -> Reply {
        let blocking = query.contains("_HLS_msn") || query.contains("_HLS_part");
        let nth = self.times_asked(rendition, query);
        let answer = match self.directives(query) {
            Ok(directives) => self.hold(rendition, directives, nth).await.map(|()| directives.skip),
            Err(status) => Err(status),
        };
        match answer {
            Ok(skip) => {
                let mut text = self.media_playlist(rendition, self.now(), skip);
                if self.wrong(Fault::RepliesDiffer) {
                    text += &format!("## reply {nth}\n");
                }
                Reply::playlist(text, if blocking { Lifetime::BlockingPlaylist } else { Lifetime::Playlist })
            }
            Err(status) => Reply::error(status, if blocking { Lifetime::BlockingError } else { Lifetime::Error }),
        }
    }

    /// How often this was asked for before.
    fn times_asked(&self, rendition: Rendition, query: &str) -> u64 {
        let mut asked = self.asked.lock().unwrap();
        let times = asked.entry((rendition.name(), query.to_owned())).or_default();
        *times += 1;
        *times - 1
    }

    /// Reads a query, or says with which status it is refused. Names that don't begin with `_HLS_` are not ours to judge.
    fn directives(&self, query: &str) -> Result<Directives, u16> {
        let mut directives = Directives::default();
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match name {
                "_HLS_msn" => directives.msn = self.number(value)?,
                "_HLS_part" => directives.part = self.number(value)?,
                "_HLS_skip" => directives.skip = self.skip(value)?,
                _ if self.wrong(Fault::TokenRefused) => return Err(400),
                _ => {}
            }
        }
        Ok(directives)
    }

    /// 4.2: a decimal-integer is below 2^64, in digits alone.
    fn number(&self, value: &str) -> Result<Option<u64>, u16> {
        let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
        match value.parse() {
            _ if !digits && self.wrong(Fault::JunkMsnServed) => Ok(None),
            _ if !digits && self.wrong(Fault::JunkMsnCrashes) => Err(500),
            _ if digits && value.len() > 10 && self.wrong(Fault::HugeMsnWraps) => Ok(Some(0)),
            Ok(number) if digits => Ok(Some(number)),
            _ => Err(400),
        }
    }

    /// 6.2.5.1: ignored where CAN-SKIP-UNTIL is not advertised, and with an unknown value.
    fn skip(&self, value: &str) -> Result<Option<Skip>, u16> {
        let withheld = [Fault::SkipIgnored, Fault::SkipDaterangesAlone, Fault::NoServerControl];
        if !self.shape.delta || withheld.iter().any(|fault| self.wrong(*fault)) {
            return Ok(None);
        }
        match value {
            "YES" => Ok(Some(Skip::Segments)),
            "v2" => Ok(Some(Skip::SegmentsAndDateRanges)),
            _ if self.wrong(Fault::UnknownSkipRefused) => Err(400),
            _ if self.wrong(Fault::UnknownSkipHonoured) => Ok(Some(Skip::Segments)),
            _ => Ok(None),
        }
    }

    /// Waits until the playlist has what is asked for, or says with which status the request ends.
    async fn hold(&self, rendition: Rendition, directives: Directives, nth: u64) -> Result<(), u16> {
        let now = self.now();
        // 6.2.5.2: what is held when the stream ends is released with the last playlist.
        let release = self.release(rendition, directives, now)?;
        let release =
            if self.wrong(Fault::HeldAfterEnd) { release } else { release.min(self.end().unwrap_or(u64::MAX)) };
        if release <= now {
            return Ok(());
        }
        if release > now + MAX_HOLD && !self.wrong(Fault::HeldForEver) {
            self.until(now + MAX_HOLD).await;
            return Err(503);
        }
        let late = match self.fault {
            Some(Fault::ReleasedLate) => 300,
            Some(Fault::ReleasedApart) => nth * 100,
            _ => 0,
        };
        self.until(release + late).await;
        Ok(())
    }

    /// When a request is to be answered, or the status that refuses it.
    fn release(&self, rendition: Rendition, directives: Directives, now: u64) -> Result<u64, u16> {
        let edge = self.edge(rendition, now);
        let whole = self.growing(rendition, edge) - 1;
        if self.ended(now) && !self.wrong(Fault::HeldAfterEnd) {
            return Ok(now);
        }
        let msn = match (directives.msn, directives.part) {
            (None, Some(_)) if !self.wrong(Fault::PartWithoutMsnServed) => return Err(400),
            (None, _) => return Ok(now),
            (Some(msn), _) => msn,
        };
        let ahead = if self.wrong(Fault::NextMsnRefused) { MAX_MSN_AHEAD - 1 } else { MAX_MSN_AHEAD };
        if msn > whole + ahead {
            return if self.wrong(Fault::FarMsnHeld) { Ok(u64::MAX) } else { Err(400) };
        }
        if msn < self.window(rendition, edge).start {
            return if self.wrong(Fault::OldMsnRefused) { Err(404) } else { Ok(now) };
        }
        match directives.part {
            None if self.wrong(Fault::MsnReleasedByPart) => Ok(self.part_published(rendition, (msn, 0))),
            None => Ok(self.published(rendition, self.segment(rendition, msn).end)),
            Some(part) => self.release_by_part(rendition, msn, part, edge),
        }
    }

    /// 6.2.5.2: a part past the end of its segment is the first of the next.
    fn release_by_part(&self, rendition: Rendition, msn: u64, part: u64, edge: u64) -> Result<u64, u16> {
        let (last_msn, last) = self.last_part(rendition, edge);
        let ahead = if msn == last_msn { part.saturating_sub(last) } else { part.saturating_add(1) };
        if msn >= self.growing(rendition, edge) && ahead > ADVANCE_PART_LIMIT {
            return if self.wrong(Fault::FarPartHeld) { Ok(u64::MAX) } else { Err(400) };
        }
        if part < self.segment(rendition, msn).len() {
            let published = self.part_published(rendition, (msn, part));
            return Ok(if self.wrong(Fault::PartNotHeld) { 0 } else { published });
        }
        match self.fault {
            Some(Fault::PartPastEndRefused) => Err(400),
            Some(Fault::PartPastEndHeld) => Ok(u64::MAX),
            _ => Ok(self.part_published(rendition, (msn + 1, 0))),
        }
    }

    /// When a part is published.
    pub(super) fn part_published(&self, rendition: Rendition, (msn, index): (u64, u64)) -> u64 {
        self.published(rendition, self.segment(rendition, msn).part(index).1)
    }
}
