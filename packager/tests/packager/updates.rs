//! What may change from one version of a playlist to the next (RFC 8216bis 6.2.1, 6.2.2).

use std::collections::BTreeMap;

/// A media playlist taken apart.
#[derive(Debug, Clone, Default, PartialEq)]
struct Version<'a> {
    /// What must never change.
    fixed: Vec<&'a str>,
    media_sequence: u64,
    discontinuity_sequence: u64,
    /// By Media Sequence Number.
    segments: BTreeMap<u64, Listed<'a>>,
    hint: Option<&'a str>,
    reports: Vec<&'a str>,
    ended: bool,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Listed<'a> {
    /// Its Discontinuity Sequence Number, its init section and its EXT-X-PROGRAM-DATE-TIME.
    said: (u64, &'a str, &'a str),
    parts: Vec<&'a str>,
    gap: bool,
    /// EXTINF and URI.
    whole: Option<(&'a str, &'a str)>,
}

fn parse(text: &str) -> Version<'_> {
    update(&Version::default(), text)
}

/// What a player that has `old` makes of a playlist or of an update of it (RFC 8216bis 6.3.7).
fn update<'a>(old: &Version<'a>, text: &'a str) -> Version<'a> {
    let mut version = Version::default();
    let (mut discontinuities, mut map, mut extinf) = (0, "", "");
    let mut segment = Listed::default();
    for line in text.lines() {
        let number = || line.split_once([':', '=']).unwrap().1.split(',').next().unwrap().parse::<u64>().unwrap();
        match line.split_once([':', '=']).unwrap_or((line, "")).0 {
            "#EXT-X-MEDIA-SEQUENCE" => version.media_sequence = number(),
            "#EXT-X-DISCONTINUITY-SEQUENCE" => version.discontinuity_sequence = number(),
            "#EXT-X-SKIP" => {
                for msn in version.media_sequence..version.media_sequence + skipped(line) {
                    let known = Listed { parts: Vec::new(), ..old.segments[&msn].clone() };
                    (discontinuities, map) = (known.said.0 - version.discontinuity_sequence, known.said.1);
                    version.segments.insert(msn, known);
                }
            }
            "#EXT-X-DISCONTINUITY" => discontinuities += 1,
            "#EXT-X-MAP" => map = line,
            "#EXT-X-PROGRAM-DATE-TIME" => segment.said = (version.discontinuity_sequence + discontinuities, map, line),
            "#EXT-X-PART" => segment.parts.push(line),
            "#EXT-X-GAP" => segment.gap = true,
            "#EXTINF" => extinf = line,
            "#EXT-X-PRELOAD-HINT" => version.hint = Some(line),
            "#EXT-X-RENDITION-REPORT" => version.reports.push(line),
            "#EXT-X-ENDLIST" => version.ended = true,
            "#EXT-X-VERSION" => {}
            tag if tag.starts_with('#') => version.fixed.push(line),
            _ => {
                segment.whole = Some((extinf, line));
                version
                    .segments
                    .insert(version.media_sequence + version.segments.len() as u64, std::mem::take(&mut segment));
            }
        }
    }
    if !segment.parts.is_empty() {
        version.segments.insert(version.media_sequence + version.segments.len() as u64, segment);
    }
    version
}

fn skipped(line: &str) -> u64 {
    line.split_once("SKIPPED-SEGMENTS=").unwrap().1.split(',').next().unwrap().parse().unwrap()
}

/// Checks that who has `before` and gets `delta` knows exactly what `full` says, and that no more is skipped than may be:
/// RFC 8216bis 6.2.5.1. Tells how much is skipped.
pub(crate) fn rebuilds(before: &str, delta: &str, full: &str) -> u64 {
    let context = || format!("--- before\n{before}--- delta\n{delta}--- full\n{full}");
    let (known, full) = (parse(before), parse(full));
    assert_eq!(update(&known, delta), full, "{}", context());
    let skipped = delta.lines().find(|line| line.starts_with("#EXT-X-SKIP")).map_or(0, skipped);
    let control = full.fixed.iter().find_map(|line| line.split_once("CAN-SKIP-UNTIL=")).unwrap().1;
    let until: f64 = control.split(',').next().unwrap().parse().unwrap();
    let whole: Vec<f64> = full.segments.values().filter_map(seconds).collect();
    let from_end = |index: usize| whole.iter().skip(index).sum::<f64>();
    let boundary = usize::try_from(skipped).unwrap();
    assert!(from_end(boundary) >= until - 1e-6 || skipped == 0, "6.2.5.1: one too many\n{}", context());
    assert!(from_end(boundary + 1) < until + 1e-6, "6.2.5.1: one too few\n{}", context());
    skipped
}

/// EXTINF.
fn seconds(listed: &Listed<'_>) -> Option<f64> {
    listed.whole.map(|(extinf, _)| extinf[8..extinf.len() - 1].parse().unwrap())
}

/// Checks that `after` follows from `before` by appending, by removing from the front and by ending alone.
pub(crate) fn allowed(before: &str, after: &str) {
    kept(before, after);
    hinted(&parse(before), &parse(after));
}

/// The same, but that another part may come than was hinted.
pub(crate) fn kept(before: &str, after: &str) {
    let context = || format!("--- before\n{before}--- after\n{after}");
    let (before, after) = (parse(before), parse(after));
    assert_eq!(before.fixed, after.fixed);
    assert!(
        after.media_sequence >= before.media_sequence && after.discontinuity_sequence >= before.discontinuity_sequence
    );
    assert!(!before.ended || before == after, "nothing follows the end\n{}", context());
    for (msn, old) in &before.segments {
        let Some(new) = after.segments.get(msn) else {
            assert!(*msn < after.media_sequence, "{}", context());
            continue;
        };
        assert_eq!(old.said, new.said, "{}", context());
        assert!(old.whole.is_none() || old.whole == new.whole, "{}", context());
        let dropped = new.parts.is_empty() && new.whole.is_some();
        assert!(dropped || new.parts.starts_with(&old.parts), "{}", context());
    }
    if after.media_sequence > before.media_sequence {
        let whole: f64 = after.segments.values().filter_map(seconds).sum();
        let target: f64 =
            after.fixed.iter().find_map(|line| line.strip_prefix("#EXT-X-TARGETDURATION:")).unwrap().parse().unwrap();
        assert!(whole >= 3.0 * target - 0.001, "6.2.2: three target durations stay\n{}", context());
    }
}

/// 4.4.5.3: the part that was hinted is the one that is listed next, and there is a hint as long as something may come.
fn hinted(before: &Version<'_>, after: &Version<'_>) {
    assert_eq!(after.hint.is_none(), after.ended);
    let parts = |version: &Version<'_>| -> Vec<String> {
        version.segments.values().flat_map(|segment| &segment.parts).map(|part| uri(part).to_owned()).collect()
    };
    let (old, new) = (parts(before), parts(after));
    let appended: Vec<&String> = new.iter().filter(|part| !old.contains(part)).collect();
    assert!(appended.len() <= 1);
    if let Some(part) = appended.first() {
        assert_eq!(Some(part.as_str()), before.hint.map(uri));
    }
}

fn uri(line: &str) -> &str {
    line.split_once("URI=\"").unwrap().1.split_once('"').unwrap().0
}
