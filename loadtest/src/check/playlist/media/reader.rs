//! Reads a media playlist.

use std::collections::{BTreeSet, HashMap};
use std::str::FromStr;

use chrono::DateTime;

use super::{
    Arc, Attributes, ByteRange, Control, Fault, FaultKind, Hint, Line, Map, Media, Part, Report, Seconds, Segment,
    Skip, lines,
};

/// Tags that stand at most once: those of 4.4.2, 4.4.3 and EXT-X-SKIP.
const ONCE: [&str; 12] = [
    "#EXTM3U",
    "#EXT-X-VERSION",
    "#EXT-X-INDEPENDENT-SEGMENTS",
    "#EXT-X-START",
    "#EXT-X-TARGETDURATION",
    "#EXT-X-MEDIA-SEQUENCE",
    "#EXT-X-DISCONTINUITY-SEQUENCE",
    "#EXT-X-ENDLIST",
    "#EXT-X-PLAYLIST-TYPE",
    "#EXT-X-PART-INF",
    "#EXT-X-SERVER-CONTROL",
    "#EXT-X-SKIP",
];

pub(super) fn read(text: &str) -> Media {
    let (lines, faults) = lines::read(text);
    let mut reader = Reader {
        media: Media { faults, needed_version: (1, "the basic tags"), ..Media::default() },
        ..Reader::default()
    };
    for (number, line) in lines {
        reader.line = number;
        match line {
            Line::Tag(name, value) => reader.tag(name, value),
            Line::Uri(uri) => reader.uri(uri),
        }
    }
    reader.finish()
}

#[derive(Default)]
struct Reader {
    media: Media,
    seen: BTreeSet<String>,
    line: usize,
    /// The segment whose tags are being read.
    segment: Segment,
    /// Whether any tag of it has been read.
    begun: bool,
    map: Option<Arc<Map>>,
    /// Where ranges without an offset go on, by URI.
    ends: HashMap<String, u64>,
    /// EXT-X-BYTERANGE of the segment: length and offset.
    range: Option<(u64, Option<u64>)>,
}

impl Reader {
    fn tag(&mut self, name: &str, value: Option<&str>) {
        if ONCE.contains(&name) && !self.seen.insert(name.to_owned()) {
            self.fault(FaultKind::Repeated, format!("{name} stands more than once"));
        }
        match name {
            "#EXT-X-VERSION" => self.media.version = self.number(name, value).map(|number| (number, self.line)),
            "#EXT-X-TARGETDURATION" => {
                self.media.target_duration = self.number(name, value).map(|number| (number, self.line));
                if self.media.target_duration.is_some_and(|(number, _)| number == 0) {
                    self.fault(FaultKind::Text, "a target duration of 0 is less than 1 s".to_owned());
                }
            }
            "#EXT-X-MEDIA-SEQUENCE" => self.media.media_sequence = self.number(name, value),
            "#EXT-X-DISCONTINUITY-SEQUENCE" => self.media.discontinuity_sequence = self.number(name, value),
            "#EXT-X-PLAYLIST-TYPE" => self.media.kind = value.map(|value| (value.to_owned(), self.line)),
            "#EXT-X-INDEPENDENT-SEGMENTS" => self.media.independent_segments = true,
            "#EXT-X-ENDLIST" => self.media.ended = true,
            "#EXT-X-DISCONTINUITY" => self.of_segment(name, |segment| segment.discontinuity = true),
            "#EXT-X-GAP" => self.segment.gap = true,
            "#EXT-X-PROGRAM-DATE-TIME" => self.date(name, value.unwrap_or_default()),
            "#EXTINF" => self.duration(value.unwrap_or_default()),
            "#EXT-X-BYTERANGE" => self.byte_range(value.unwrap_or_default()),
            "#EXT-X-KEY" => self.of_segment(name, |_| ()),
            "#EXT-X-BITRATE" => {
                self.number(name, value);
            }
            _ => self.listed(name, value.unwrap_or_default()),
        }
    }

    /// Tags with attribute lists.
    fn listed(&mut self, name: &str, value: &str) {
        let known = matches!(
            name,
            "#EXT-X-PART-INF"
                | "#EXT-X-SERVER-CONTROL"
                | "#EXT-X-SKIP"
                | "#EXT-X-MAP"
                | "#EXT-X-PART"
                | "#EXT-X-PRELOAD-HINT"
                | "#EXT-X-RENDITION-REPORT"
                | "#EXT-X-DATERANGE"
                | "#EXT-X-START"
                | "#EXT-X-DEFINE"
        );
        if !known {
            return;
        }
        let attributes = Attributes::read(name, value);
        for what in attributes.faults.clone() {
            self.fault(FaultKind::Attributes, format!("{name}: {what}"));
        }
        let line = self.line;
        match name {
            "#EXT-X-PART-INF" => {
                self.media.part_target =
                    self.need(&attributes, name, "PART-TARGET", Attributes::seconds).map(|target| (target, line));
            }
            "#EXT-X-SERVER-CONTROL" => self.media.control = Some(control(&attributes, line)),
            "#EXT-X-SKIP" => self.skip(&attributes),
            "#EXT-X-MAP" => self.map(&attributes),
            "#EXT-X-PART" => self.part(&attributes),
            "#EXT-X-PRELOAD-HINT" => self.hint(&attributes),
            "#EXT-X-RENDITION-REPORT" => self.report(&attributes),
            "#EXT-X-DATERANGE" => self.media.date_ranges.extend(attributes.text("ID").map(str::to_owned)),
            "#EXT-X-DEFINE" if attributes.text("QUERYPARAM").is_some() => {
                self.needs(11, "EXT-X-DEFINE with QUERYPARAM");
            }
            "#EXT-X-DEFINE" => self.needs(8, "EXT-X-DEFINE"),
            _ => {}
        }
    }

    /// A tag that belongs to a segment, and so stands before its first part (4.4.4.9).
    fn of_segment(&mut self, name: &str, set: impl FnOnce(&mut Segment)) {
        self.begin();
        if !self.segment.parts.is_empty() {
            self.segment.late_tags.push((name.to_owned(), self.line));
        }
        set(&mut self.segment);
    }

    fn begin(&mut self) {
        if !self.begun {
            self.begun = true;
            self.segment.line = self.line;
        }
    }

    fn date(&mut self, name: &str, value: &str) {
        let parsed =
            DateTime::parse_from_rfc3339(value).or_else(|_| DateTime::parse_from_str(value, "%Y-%m-%dT%H:%M:%S%.f%z"));
        match parsed.ok().and_then(|date| date.timestamp_nanos_opt()) {
            Some(nanos) => self.of_segment(name, |segment| segment.date = Some(nanos)),
            None => self.fault(
                FaultKind::Text,
                format!("{value:?} is not a date with a time zone, like 2026-05-01T12:00:00.000Z"),
            ),
        }
    }

    fn duration(&mut self, value: &str) {
        self.begin();
        let number = value.split_once(',').map_or(value, |(number, _)| number);
        if !value.contains(',') {
            self.fault(FaultKind::Text, "no comma stands after the duration in EXTINF".to_owned());
        }
        if number.contains('.') {
            self.needs(3, "EXTINF with a fraction");
        }
        match Seconds::parse(number) {
            Some(duration) => self.segment.duration = Some(duration),
            None => self.fault(FaultKind::Text, format!("{number:?} is not a duration in seconds")),
        }
        self.segment.line = self.line;
    }

    fn byte_range(&mut self, value: &str) {
        self.needs(4, "EXT-X-BYTERANGE");
        self.range = parse_range(value);
        if self.range.is_none() {
            self.fault(FaultKind::Text, format!("{value:?} is not LENGTH[@OFFSET]"));
        }
    }

    fn skip(&mut self, attributes: &Attributes<'_>) {
        let removed = attributes.text("RECENTLY-REMOVED-DATERANGES").map(str::to_owned);
        self.needs(if removed.is_some() { 10 } else { 9 }, "EXT-X-SKIP");
        if let Some(segments) = self.need(attributes, "#EXT-X-SKIP", "SKIPPED-SEGMENTS", Attributes::integer) {
            self.media.skip = Some(Skip { segments, removed_date_ranges: removed, line: self.line });
        }
    }

    fn map(&mut self, attributes: &Attributes<'_>) {
        self.needs(6, "EXT-X-MAP");
        if let Some(uri) = self.need(attributes, "#EXT-X-MAP", "URI", Attributes::text) {
            let byte_range = attributes.text("BYTERANGE").and_then(parse_range);
            let byte_range = byte_range.map(|(length, start)| ByteRange { start: start.unwrap_or(0), length });
            self.map = Some(Arc::new(Map { uri: uri.to_owned(), byte_range }));
            self.of_segment("#EXT-X-MAP", |_| ());
        }
    }

    fn part(&mut self, attributes: &Attributes<'_>) {
        self.begin();
        let uri = self.need(attributes, "#EXT-X-PART", "URI", Attributes::text);
        let duration = self.need(attributes, "#EXT-X-PART", "DURATION", Attributes::seconds);
        let (Some(uri), Some(duration)) = (uri, duration) else { return };
        let range = attributes.text("BYTERANGE").and_then(parse_range);
        let byte_range = range.map(|range| self.place_range(uri, range));
        self.segment.parts.push(Part {
            uri: uri.to_owned(),
            duration,
            independent: attributes.yes("INDEPENDENT"),
            gap: attributes.yes("GAP"),
            byte_range,
            line: self.line,
        });
    }

    fn hint(&mut self, attributes: &Attributes<'_>) {
        let kind = self.need(attributes, "#EXT-X-PRELOAD-HINT", "TYPE", Attributes::text);
        let uri = self.need(attributes, "#EXT-X-PRELOAD-HINT", "URI", Attributes::text);
        let (Some(kind), Some(uri)) = (kind, uri) else { return };
        let (start, length) = (attributes.integer("BYTERANGE-START"), attributes.integer("BYTERANGE-LENGTH"));
        self.media.hints.push(Hint { kind: kind.to_owned(), uri: uri.to_owned(), start, length, line: self.line });
    }

    fn report(&mut self, attributes: &Attributes<'_>) {
        let Some(uri) = self.need(attributes, "#EXT-X-RENDITION-REPORT", "URI", Attributes::text) else { return };
        let (last_msn, last_part) = (attributes.integer("LAST-MSN"), attributes.integer("LAST-PART"));
        self.media.reports.push(Report { uri: uri.to_owned(), last_msn, last_part, line: self.line });
    }

    /// The URI of a segment: the segment is complete.
    fn uri(&mut self, uri: &str) {
        if self.segment.duration.is_none() {
            self.fault(FaultKind::Text, format!("{uri:?} has no EXTINF before it"));
        }
        self.segment.uri = Some(uri.to_owned());
        let range = self.range.take();
        self.segment.byte_range = range.map(|range| self.place_range(uri, range));
        self.end_segment();
    }

    fn end_segment(&mut self) {
        let skipped = self.media.skip.as_ref().map_or(0, |skip| skip.segments);
        let mut segment = std::mem::take(&mut self.segment);
        self.begun = false;
        let before = self.media.segments.last();
        segment.msn = before
            .map_or_else(|| self.media.first_msn().saturating_add(skipped), |before| before.msn.saturating_add(1));
        let sequence =
            before.map_or(self.media.discontinuity_sequence.unwrap_or(0), |before| before.discontinuity_sequence);
        segment.discontinuity_sequence = sequence.saturating_add(segment.discontinuity.into());
        segment.map.clone_from(&self.map);
        self.media.segments.push(segment);
    }

    fn finish(mut self) -> Media {
        if !self.segment.parts.is_empty() {
            self.end_segment();
        }
        if self.media.target_duration.is_none() {
            self.line = 1;
            self.fault(FaultKind::Text, "the playlist has no EXT-X-TARGETDURATION".to_owned());
        }
        self.media
    }

    /// Gives a range without an offset the one where the range before it ended.
    fn place_range(&mut self, uri: &str, (length, start): (u64, Option<u64>)) -> ByteRange {
        let start = start.unwrap_or_else(|| self.ends.get(uri).copied().unwrap_or(0));
        self.ends.insert(uri.to_owned(), start.saturating_add(length));
        ByteRange { start, length }
    }

    fn number(&mut self, name: &str, value: Option<&str>) -> Option<u64> {
        let value = value.unwrap_or_default();
        let number = if value.starts_with('+') { None } else { u64::from_str(value).ok() };
        if number.is_none() {
            self.fault(FaultKind::Text, format!("{name}: {value:?} is not a decimal integer"));
        }
        number
    }

    fn need<'a, T>(
        &mut self,
        attributes: &Attributes<'a>,
        tag: &str,
        name: &str,
        read: impl Fn(&Attributes<'a>, &str) -> Option<T>,
    ) -> Option<T> {
        let value = read(attributes, name);
        if attributes.text(name).is_none() {
            self.fault(FaultKind::Attributes, format!("{tag} has no {name}"));
        }
        value
    }

    fn needs(&mut self, version: u64, what: &'static str) {
        if version > self.media.needed_version.0 {
            self.media.needed_version = (version, what);
        }
    }

    fn fault(&mut self, kind: FaultKind, what: String) {
        self.media.faults.push(Fault { kind, line: self.line, what });
    }
}

fn control(attributes: &Attributes<'_>, line: usize) -> Control {
    Control {
        attributes: attributes.sorted(),
        can_block_reload: attributes.yes("CAN-BLOCK-RELOAD"),
        can_skip_until: attributes.seconds("CAN-SKIP-UNTIL"),
        can_skip_date_ranges: attributes.yes("CAN-SKIP-DATERANGES"),
        hold_back: attributes.seconds("HOLD-BACK"),
        part_hold_back: attributes.seconds("PART-HOLD-BACK"),
        line,
    }
}

/// `LENGTH[@OFFSET]`.
fn parse_range(text: &str) -> Option<(u64, Option<u64>)> {
    match text.split_once('@') {
        Some((length, offset)) => Some((length.parse().ok()?, Some(offset.parse().ok()?))),
        None => Some((text.parse().ok()?, None)),
    }
}
