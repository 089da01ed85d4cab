//! Media playlists and delta updates: RFC 8216bis 4.4.

use super::timeline::{FAULT_AT, Segment};
use super::{Fault, HEAD_START, Origin, PART_TARGET, Rendition, TARGET};

/// RFC 8216bis 4.4.3.8: CAN-SKIP-UNTIL is at least this.
const SKIP_UNTIL: u64 = 6 * TARGET;

/// A delta update: what `_HLS_skip` asks for (RFC 8216bis 6.2.5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Skip {
    /// `YES`.
    Segments,
    /// `v2`.
    SegmentsAndDateRanges,
}

impl Origin {
    /// The text of a media playlist at `now`.
    pub(crate) fn media_playlist(&self, rendition: Rendition, now: u64, skip: Option<Skip>) -> String {
        let edge = self.edge(rendition, now);
        let window = self.window(rendition, edge);
        let skipped = if skip.is_some() { self.skipped(rendition, window.clone()) } else { 0 };
        let delta = skip.filter(|_| skipped > 0);
        let mut text = self.header(rendition, now, window.start, delta.map(|skip| (skip, skipped)));
        // 6.2.5.1: what a skipped segment said of those after it is said again.
        let mut map = if self.wrong(Fault::DeltaLacksMap) && delta.is_some() {
            Some(self.segment(rendition, window.start + skipped).stretch)
        } else {
            None
        };
        for msn in window.start + skipped..=window.end {
            self.write_segment(&mut text, rendition, msn, now, &mut map);
        }
        if !self.ended(now) || self.wrong(Fault::HintAfterEnd) {
            self.write_hints(&mut text, rendition, edge);
        }
        if !(self.wrong(Fault::DeltaLacksReports) && delta.is_some()) {
            self.write_reports(&mut text, rendition, now);
        }
        if self.ended(now) {
            text += "#EXT-X-ENDLIST\n";
        }
        self.spoil_text(text)
    }

    fn header(&self, rendition: Rendition, now: u64, first: u64, delta: Option<(Skip, u64)>) -> String {
        let late = now >= FAULT_AT;
        // Section 8: EXT-X-MAP asks for 6, EXT-X-SKIP for 9, and for 10 when date ranges are skipped.
        let version = match delta {
            _ if self.wrong(Fault::VersionTooLow) => 3,
            _ if self.wrong(Fault::VersionTooHigh) => 12,
            Some((Skip::Segments, _)) if !self.wrong(Fault::DeltaVersionTooLow) => 9,
            Some((Skip::SegmentsAndDateRanges, _)) if !self.wrong(Fault::DeltaVersionTooLow) => 10,
            _ => 6,
        };
        let mut text = format!("#EXTM3U\n#EXT-X-VERSION:{version}\n");
        if self.wrong(Fault::VersionTwice) {
            text += &format!("#EXT-X-VERSION:{version}\n");
        }
        let grown = self.wrong(Fault::TargetDurationChanges) && late
            || self.wrong(Fault::TargetDurationDiffers) && rendition == Rendition::Audio;
        let fraction = if self.wrong(Fault::TargetDurationFraction) { ".0" } else { "" };
        text += &format!("#EXT-X-TARGETDURATION:{}{fraction}\n", if grown { 3 } else { TARGET / 1_000 });
        if !(self.wrong(Fault::NoServerControl) || self.wrong(Fault::DeltaLacksHeader) && delta.is_some()) {
            text += &self.server_control(rendition, late);
        }
        if !self.wrong(Fault::NoPartInf) {
            text += &format!("#EXT-X-PART-INF:PART-TARGET={}\n", seconds(self.part_target(late)));
        }
        if self.wrong(Fault::PlaylistTypeEvent) {
            text += "#EXT-X-PLAYLIST-TYPE:EVENT\n";
        }
        self.write_sequences(&mut text, rendition, late, first, delta.map_or(0, |(_, skipped)| skipped));
        text += "#EXT-X-INDEPENDENT-SEGMENTS\n";
        if let Some((skip, skipped)) = delta {
            let said = skipped + u64::from(self.wrong(Fault::SkipMiscounted));
            text += &format!("#EXT-X-SKIP:SKIPPED-SEGMENTS={said}");
            if skip == Skip::SegmentsAndDateRanges && !self.wrong(Fault::NoRemovedDateranges) {
                text += ",RECENTLY-REMOVED-DATERANGES=\"\"";
            }
            text += "\n";
        }
        text
    }

    /// 4.4.3.8, the same in all playlists.
    fn server_control(&self, rendition: Rendition, late: bool) -> String {
        let hold_back = match self.part_target(false) {
            // What a part of sound lasts.
            _ if self.wrong(Fault::HoldBackDiffers) && rendition == Rendition::Audio => 3 * 192,
            target if self.wrong(Fault::PartHoldBackBelowTwo) => target * 3 / 2,
            target if self.wrong(Fault::PartHoldBackBelowThree) => target * 5 / 2,
            target => 3 * target,
        };
        let mut attributes = Vec::new();
        if !self.wrong(Fault::NoBlockingReload) {
            attributes.push("CAN-BLOCK-RELOAD=YES".to_owned());
        }
        if !self.wrong(Fault::NoPartHoldBack) {
            attributes.push(format!("PART-HOLD-BACK={}", seconds(hold_back)));
        }
        let back = if self.wrong(Fault::HoldBackTooShort) { 2 * TARGET } else { 3 * TARGET };
        let back = if self.wrong(Fault::ServerControlChanges) && late { back + TARGET } else { back };
        attributes.push(format!("HOLD-BACK={}", seconds(back)));
        if self.shape.delta && !self.wrong(Fault::SkipNotAdvertised) && !self.wrong(Fault::SkipDaterangesAlone) {
            attributes.push(format!("CAN-SKIP-UNTIL={}", seconds(self.skip_until())));
        }
        if self.shape.delta && !self.wrong(Fault::SkipNotAdvertised) {
            attributes.push("CAN-SKIP-DATERANGES=YES".to_owned());
        }
        format!("#EXT-X-SERVER-CONTROL:{}\n", attributes.join(","))
    }

    fn part_target(&self, late: bool) -> u64 {
        match PART_TARGET {
            target if self.wrong(Fault::PartTargetChanges) && late => target + 1,
            target if self.wrong(Fault::PartTooLong) => target - 10,
            _ if self.wrong(Fault::PartTooShort) => 1_000,
            target => target,
        }
    }

    /// 6.2.2: both numbers count what has left. `late` is whether the fault's moment has come.
    fn write_sequences(&self, text: &mut String, rendition: Rendition, late: bool, first: u64, skipped: u64) {
        let sequence = match first {
            first if self.wrong(Fault::MediaSequenceRestarts) && late => first - 20,
            _ if self.wrong(Fault::MediaSequenceStuck) && late => {
                self.window(rendition, self.edge(rendition, FAULT_AT)).start
            }
            first if self.wrong(Fault::DeltaMediaSequence) => first + skipped,
            first => first,
        };
        if !self.wrong(Fault::NoMediaSequence) {
            *text += &format!("#EXT-X-MEDIA-SEQUENCE:{sequence}\n");
        }
        let first = self.segment(rendition, first);
        // The tag of the first segment has not left yet.
        let listed = u64::from(first.discontinuity && !self.wrong(Fault::DiscontinuitySequenceEarly));
        let sequence = if self.wrong(Fault::DiscontinuitySequenceStuck) { 0 } else { first.stretch - listed };
        if !self.wrong(Fault::NoDiscontinuitySequence) {
            *text += &format!("#EXT-X-DISCONTINUITY-SEQUENCE:{sequence}\n");
        }
    }

    /// What of a segment is published, and nothing if nothing is.
    fn write_segment(&self, text: &mut String, rendition: Rendition, msn: u64, now: u64, map: &mut Option<u64>) {
        let edge = self.edge(rendition, now);
        let segment = self.segment(rendition, msn);
        let whole = segment.end <= edge;
        let mut parts = segment.parts_at(edge);
        if parts == 0 {
            return;
        }
        let first = msn == self.window(rendition, edge).start;
        let before = self.starting_tags(rendition, &segment, now, first, map);
        let late_tag = |tag: &str| {
            self.wrong(Fault::DateTimeAfterParts) && tag.starts_with("#EXT-X-PROGRAM-DATE-TIME")
                || self.wrong(Fault::DiscontinuityAfterParts) && tag == "#EXT-X-DISCONTINUITY"
                || self.wrong(Fault::MapAfterParts) && tag.starts_with("#EXT-X-MAP")
        };
        let (after, before): (Vec<_>, Vec<_>) = before.into_iter().partition(|tag| late_tag(tag));
        for tag in before {
            *text += &format!("{tag}\n");
        }
        if !self.lists_parts(&segment, edge) {
            parts = 0;
        }
        for index in 0..parts {
            *text += &self.part_tag(rendition, &segment, index);
        }
        if whole {
            for tag in after {
                *text += &format!("{tag}\n");
            }
            *text += &self.whole_lines(&segment, now);
        }
    }

    /// 4.4.4.9: these come before the segment's first part.
    fn starting_tags(
        &self,
        rendition: Rendition,
        segment: &Segment,
        now: u64,
        first: bool,
        map: &mut Option<u64>,
    ) -> Vec<String> {
        let mut tags = Vec::new();
        if segment.discontinuity {
            tags.push("#EXT-X-DISCONTINUITY".to_owned());
        }
        if map.replace(segment.stretch) != Some(segment.stretch) && !self.wrong(Fault::NoMap) {
            let uri = format!("init-{}.mp4", segment.stretch);
            let uri = if self.wrong(Fault::UnquotedUri) { uri } else { format!("\"{uri}\"") };
            tags.push(format!("#EXT-X-MAP:URI={uri}"));
        }
        if segment.gap {
            tags.push("#EXT-X-GAP".to_owned());
        }
        let dated = match self.fault {
            Some(Fault::NoDateTime) => false,
            Some(Fault::DateTimeOnOneRendition) => rendition != Rendition::Audio,
            Some(Fault::NoDateTimeOnDiscontinuity) => first,
            _ => true,
        };
        if dated {
            tags.push(format!("#EXT-X-PROGRAM-DATE-TIME:{}", self.date(rendition, segment.start, now)));
        }
        tags
    }

    fn part_tag(&self, rendition: Rendition, segment: &Segment, index: u64) -> String {
        let (start, end) = segment.part(index);
        let duration = match end - start {
            _ if self.wrong(Fault::NominalPartDuration) => seconds(PART_TARGET),
            millis if self.wrong(Fault::ExponentDuration) => format!("{millis}e-3"),
            millis => seconds(millis),
        };
        let independent = match self.fault {
            Some(Fault::NoIndependentParts) => false,
            Some(Fault::AllPartsIndependent) => true,
            Some(Fault::SoundNotIndependent) => index == 0,
            _ => rendition == Rendition::Audio || index == 0,
        };
        let mut attributes =
            vec![format!("DURATION={duration}"), self.place(rendition, segment, index, &Bounds::Whole)];
        if self.wrong(Fault::AttributeTwice) {
            attributes.push(format!("DURATION={duration}"));
        }
        if segment.gap {
            attributes.push("GAP=YES".to_owned());
        } else if independent {
            attributes
                .push(if self.wrong(Fault::QuotedYes) { "INDEPENDENT=\"YES\"" } else { "INDEPENDENT=YES" }.to_owned());
        }
        let comma = if self.wrong(Fault::SpaceInAttributes) { ", " } else { "," };
        format!("#EXT-X-PART:{}\n", attributes.join(comma))
    }

    fn whole_lines(&self, segment: &Segment, now: u64) -> String {
        let old = now > segment.end + 4_000;
        let duration = match segment.end - segment.start {
            _ if self.wrong(Fault::NominalExtinf) => 2_000,
            millis if self.wrong(Fault::ExtinfTooLong) => millis + 250,
            millis if self.wrong(Fault::ExtinfRewritten) && old => millis - 40,
            millis => millis,
        };
        let space = if self.wrong(Fault::StrayWhitespace) { " " } else { "" };
        let query = if self.wrong(Fault::UriRewritten) && old { "?old" } else { "" };
        format!("#EXTINF:{},{space}\n{}.mp4{query}\n", seconds(duration), segment.msn)
    }

    /// 4.4.5.3: the next part, and the map of the next stretch before its first part.
    fn write_hints(&self, text: &mut String, rendition: Rendition, edge: u64) {
        let last = self.last_part(rendition, edge);
        let mut next = self.next_part(rendition, last);
        if self.wrong(Fault::NoHint) || self.wrong(Fault::NoHintAtBoundary) && next.1 == 0 {
            return;
        }
        if self.wrong(Fault::WrongHint) {
            next = self.next_part(rendition, next);
        }
        let segment = self.segment(rendition, next.0);
        if next.1 == 0 && segment.discontinuity {
            *text += &format!("#EXT-X-PRELOAD-HINT:TYPE=MAP,URI=\"init-{}.mp4\"\n", segment.stretch);
        }
        *text +=
            &format!("#EXT-X-PRELOAD-HINT:TYPE=PART,{}\n", self.place(rendition, &segment, next.1, &Bounds::Start));
        if self.wrong(Fault::TwoHints) {
            let (msn, index) = self.next_part(rendition, next);
            *text += &format!("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{msn}.{index}.mp4\"\n");
        }
    }

    /// 4.4.5.4: the last parts of the other renditions, at the same moment.
    fn write_reports(&self, text: &mut String, rendition: Rendition, now: u64) {
        if self.wrong(Fault::NoReports) {
            return;
        }
        for &other in self.shape.renditions.iter().filter(|&&other| other != rendition) {
            if self.wrong(Fault::NoSoundReport) && other == Rendition::Audio {
                continue;
            }
            let at = if self.wrong(Fault::ReportStale) { now - 1_000 } else { now };
            let last = self.last_part(other, self.edge(other, at));
            let (msn, part) = match self.next_part(other, last) {
                next if self.wrong(Fault::ReportPredicts) => next,
                next if self.wrong(Fault::ReportNextSegment) && next.1 == 0 => next,
                _ if self.wrong(Fault::ReportCountsParts) => (last.0, last.1 + 1),
                _ => last,
            };
            let base = if self.wrong(Fault::ReportAbsolute) { "http://origin.test/live/" } else { "../" };
            let part = if self.wrong(Fault::ReportLacksPart) { String::new() } else { format!(",LAST-PART={part}") };
            *text += &format!(
                "#EXT-X-RENDITION-REPORT:URI=\"{base}{}/{}\",LAST-MSN={msn}{part}\n",
                other.name(),
                self.index()
            );
        }
    }

    /// Where a part is: the attributes that say so.
    fn place(&self, rendition: Rendition, segment: &Segment, index: u64, bounds: &Bounds) -> String {
        let msn = segment.msn;
        if !self.shape.ranges {
            return format!("URI=\"{msn}.{index}.mp4\"");
        }
        let start = self.offset(rendition, segment, index);
        let len = self.part(rendition, segment, index).len();
        match bounds {
            Bounds::Start => format!("URI=\"{msn}.mp4\",BYTERANGE-START={start}"),
            Bounds::Whole if self.wrong(Fault::UnquotedByteRange) => {
                format!("URI=\"{msn}.mp4\",BYTERANGE={len}@{start}")
            }
            Bounds::Whole => format!("URI=\"{msn}.mp4\",BYTERANGE=\"{len}@{start}\""),
        }
    }

    /// 6.2.5.1: how many segments lie wholly before CAN-SKIP-UNTIL, counted from the end of the last whole one.
    fn skipped(&self, rendition: Rendition, window: std::ops::Range<u64>) -> u64 {
        let end = self.segment(rendition, window.end).start;
        let old = window.filter(|&msn| self.segment(rendition, msn).end + self.skip_until() <= end).count();
        u64::try_from(old).unwrap() + if self.wrong(Fault::SkipTooMuch) { 2 } else { 0 }
    }

    fn skip_until(&self) -> u64 {
        if self.wrong(Fault::SkipUntilTooShort) { 5 * TARGET } else { SKIP_UNTIL }
    }

    /// The date of a moment: the stream began at the start of the year.
    fn date(&self, rendition: Rendition, at: u64, now: u64) -> String {
        let at = match at {
            at if self.wrong(Fault::DateTimeMoves) => at + (now - HEAD_START) / 1_000 * 100,
            at if self.wrong(Fault::DateTimeDrifts) => at + at / 50,
            at if self.wrong(Fault::DateTimeDiffers) && rendition == Rendition::Audio => at + 1_000,
            at => at,
        };
        format!("2026-01-01T00:{:02}:{:02}.{:03}Z", at / 60_000, at / 1_000 % 60, at % 1_000)
    }

    /// What is wrong with the text as a whole.
    fn spoil_text(&self, text: String) -> String {
        match self.fault {
            Some(Fault::ByteOrderMark) => format!("\u{feff}{text}"),
            Some(Fault::ControlCharacter) => text.replace(",\n", ",\u{7f}\n"),
            Some(Fault::NoExtM3u) => text.replace("#EXTM3U\n", ""),
            _ => text,
        }
    }
}

/// How much is known of a byte range.
enum Bounds {
    /// BYTERANGE.
    Whole,
    /// BYTERANGE-START.
    Start,
}

/// 4.2: a decimal-floating-point.
fn seconds(millis: u64) -> String {
    format!("{}.{:03}", millis / 1_000, millis % 1_000)
}
