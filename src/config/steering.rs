use std::ops::RangeInclusive;
use std::time::Duration;

use hyper::Uri;
use touchline_edge::steering::{Pathway, PathwayId, Settings};

use super::{Section, duration};

/// Shares of the viewers; none drains a pathway.
const WEIGHT: RangeInclusive<usize> = 0..=1_000_000;
/// What steering manifests may say; the draft recommends 300 s.
const TTL: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(1);

/// How viewers are steered; `None`: there are no pathways, and they stay where they are.
pub(super) fn read(section: &mut Section<'_, '_>) -> Option<Settings> {
    let (mut pathways, mut server, mut ttl, mut slow) = (Vec::new(), None, Settings::TTL, None);
    section.table("pathways", |table| {
        for id in table.names() {
            pathways.extend(pathway(table, &id));
        }
    });
    section.value("server_uri", |text| base(text).map(Some), &mut server);
    section.value("ttl", duration(TTL), &mut ttl);
    section.value("min_throughput", |text| bitrate(text).map(Some), &mut slow);
    if !section.has("pathways") {
        let example = "[steering.pathways], cdn-a = { base = \"https://a.example/\", weight = 1 }";
        section.mistake("pathways", format!("is missing, and nobody is steered without it; write {example}"));
        return None;
    }
    if pathways.len() > Settings::MAX_PATHWAYS {
        section.mistake("pathways", format!("are more than {}", Settings::MAX_PATHWAYS));
    }
    if !pathways.is_empty() && pathways.iter().all(|pathway| pathway.weight == 0) {
        section.mistake("pathways", "have no weight: one of them at least has to take viewers");
    }
    (!pathways.is_empty()).then_some(Settings { pathways, server, ttl, slow })
}

fn pathway(table: &mut Section<'_, '_>, id: &str) -> Option<Pathway> {
    let (mut to, mut weight, mut leads_nowhere) = (None, 1_usize, false);
    table.table(id, |pathway| {
        pathway.value("base", |text| base(text).map(Some), &mut to);
        pathway.number("weight", WEIGHT, &mut weight);
        leads_nowhere = !pathway.has("base");
    });
    if leads_nowhere {
        table.mistake(
            id,
            "needs base, the URL that the channels are below: { base = \"https://a.example/\", weight = 1 }",
        );
    }
    let known = id.parse::<PathwayId>().map_err(|why| table.mistake(id, format!("{why}")));
    Some(Pathway { id: known.ok()?, base: to?, weight: u32::try_from(weight).unwrap_or(u32::MAX) })
}

/// What goes before a path: `https://a.example/`, or `/` for wherever the playlist came from. With a slash at the end.
fn base(text: &str) -> Result<String, String> {
    // It stands between quotation marks in playlists (RFC 8216bis 4.2); a URI has none.
    let usable = |uri: &Uri| {
        let absolute = matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some();
        (absolute || uri.scheme().is_none() && uri.authority().is_none()) && uri.query().is_none()
    };
    let uri: Option<Uri> = text.parse().ok().filter(usable);
    uri.filter(|_| text.starts_with("http") || text.starts_with('/'))
        .map(|_| format!("{}/", text.trim_end_matches('/')))
        .ok_or_else(|| {
            format!("\"{text}\" is not a URL to be followed by a path; write for example \"https://a.example/\"")
        })
}

/// In bits per second: `800k`, `2M`.
fn bitrate(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.strip_suffix('k') {
        Some(digits) => (digits, 1_000),
        None => (text.strip_suffix('M').unwrap_or_default(), 1_000_000),
    };
    let bitrate = digits.parse::<u32>().ok().filter(|bitrate| *bitrate > 0);
    bitrate
        .map(|bitrate| u64::from(bitrate) * unit)
        .ok_or_else(|| format!("\"{text}\" is not a bitrate; write for example \"800k\" or \"2M\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn every_setting_can_be_set() {
        let text = r#"
            [steering]
            ttl = "10s"
            server_uri = "https://live.example"
            min_throughput = "800k"
            [steering.pathways]
            cdn-a = { base = "https://a.example/sport", weight = 3 }
            cdn-b = { base = "https://b.example/" }
            own = { base = "/", weight = 0 }
        "#;
        let steering = Config::parse(text).unwrap().steering.unwrap();
        let pathways: Vec<_> = steering.pathways.iter().map(|p| (p.id.as_str(), p.base.as_str(), p.weight)).collect();
        let expected = [("cdn-a", "https://a.example/sport/", 3), ("cdn-b", "https://b.example/", 1), ("own", "/", 0)];
        assert_eq!(pathways, expected);
        assert_eq!(steering.server.as_deref(), Some("https://live.example/"));
        assert_eq!((steering.ttl, steering.slow), (Duration::from_secs(10), Some(800_000)));
        assert_eq!(Config::parse("").unwrap().steering, None);
    }

    #[test]
    fn every_mistake_is_told() {
        let text = r#"[steering]
ttl = "0s"
server_uri = "live.example"
min_throughput = "800"
[steering.pathways]
"cdn a" = { base = "https://a.example/" }
cdn-b = { weight = 1 }
cdn-c = { base = "ftp://c.example/", weight = -1 }
cdn-d = "https://d.example/"
cdn-e = { base = "https://e.example/?x=1", weight = "3" }
"#;
        let mistakes: Vec<String> = Config::parse(text).unwrap_err().iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(mistakes.join("\n"), @r#"
        line 2: steering.ttl: 0ns is out of range: from 1s to 3600s
        line 3: steering.server_uri: "live.example" is not a URL to be followed by a path; write for example "https://a.example/"
        line 4: steering.min_throughput: "800" is not a bitrate; write for example "800k" or "2M"
        line 6: steering.pathways.cdn a: a pathway is called by 1 to 64 of A-Z a-z 0-9 . - _ and does not start with a dot
        line 7: steering.pathways.cdn-b: needs base, the URL that the channels are below: { base = "https://a.example/", weight = 1 }
        line 8: steering.pathways.cdn-c.base: "ftp://c.example/" is not a URL to be followed by a path; write for example "https://a.example/"
        line 8: steering.pathways.cdn-c.weight: must be a whole number from 0 to 1000000
        line 9: steering.pathways.cdn-d: must be a table
        line 10: steering.pathways.cdn-e.base: "https://e.example/?x=1" is not a URL to be followed by a path; write for example "https://a.example/"
        line 10: steering.pathways.cdn-e.weight: must be a whole number from 0 to 1000000
        "#);
        let mistakes = Config::parse("[steering]\nttl = \"5s\"").unwrap_err();
        insta::assert_snapshot!(mistakes[0], @r#"steering.pathways: is missing, and nobody is steered without it; write [steering.pathways], cdn-a = { base = "https://a.example/", weight = 1 }"#);
        let mistakes = Config::parse("[steering.pathways]\na = { base = \"/\", weight = 0 }").unwrap_err();
        insta::assert_snapshot!(mistakes[0], @"line 1: steering.pathways: have no weight: one of them at least has to take viewers");
    }
}
