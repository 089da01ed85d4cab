//! A report for people: a line per rule, and for what is wrong the place where it stands.

use std::fmt::{self, Display};

use super::report::{Finding, Report, Verdict};

/// A report as text.
pub(crate) struct Page<'a> {
    pub(crate) report: &'a Report,
    /// Colour it for a terminal.
    pub(crate) colour: bool,
}

const BOLD: &str = "1";
const DIM: &str = "2";

impl Display for Page<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { url, watched, seen, findings } = self.report;
        writeln!(f, "{}", self.paint(BOLD, url))?;
        writeln!(f, "{seen}; watched for {:.0} s; rules of draft-pantos-hls-rfc8216bis-22\n", watched.as_secs_f64())?;
        let width = findings.iter().map(|finding| finding.rule.id.len()).max().unwrap_or(0);
        for finding in findings {
            self.finding(f, finding, width)?;
        }
        writeln!(f, "\n{}", self.summary())
    }
}

/// Without colours.
impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Page { report: self, colour: false }.fmt(f)
    }
}

impl Page<'_> {
    fn finding(&self, f: &mut fmt::Formatter<'_>, finding: &Finding, width: usize) -> fmt::Result {
        let (word, colour) = shown(finding.verdict);
        let rule = &finding.rule;
        let more = if finding.more > 0 { format!(" (and {} more)", finding.more) } else { String::new() };
        let evidence = format!("{}{more}", finding.evidence);
        let evidence = if finding.verdict == Verdict::NotSeen { self.paint(DIM, &evidence) } else { evidence };
        let head = format!("{:<7} {:<9} {:<width$}", rule.level.as_str(), rule.section, rule.id);
        writeln!(f, "{} {head}  {evidence}", self.paint(colour, &format!("{word:<8}")))?;
        if finding.verdict < Verdict::Warn {
            return Ok(());
        }
        writeln!(f, "{:9}{}", "", self.paint(DIM, &format!("rule: {}", rule.title)))?;
        if let Some(place) = &finding.place {
            writeln!(f, "{:9}{}", "", self.paint(DIM, &format!("line {} of {}", place.line, place.playlist)))?;
            writeln!(f, "{:11}{}", "", place.text)?;
        }
        Ok(())
    }

    fn summary(&self) -> String {
        let count = |verdict, what: &str| {
            let (count, (_, colour)) = (self.report.count(verdict), shown(verdict));
            let text = format!("{count} {what}");
            if count > 0 { self.paint(colour, &text) } else { text }
        };
        format!(
            "{}, {}, {}, {}",
            count(Verdict::Fail, "failed"),
            count(Verdict::Warn, "warned"),
            count(Verdict::Pass, "passed"),
            count(Verdict::NotSeen, "not seen"),
        )
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{colour}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// The word and the colour of a verdict.
fn shown(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::Pass => ("pass", "32"),
        Verdict::Warn => ("warn", "33;1"),
        Verdict::Fail => ("FAIL", "31;1"),
        Verdict::NotSeen => ("not seen", "2"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::check::report::Place;
    use crate::check::rule::{Rule, must, profile, should};

    fn finding(rule: Rule, verdict: Verdict, evidence: &str, more: usize) -> Finding {
        Finding { rule, verdict, evidence: evidence.to_owned(), place: None, more }
    }

    fn report() -> Report {
        let place = Place {
            playlist: "http://127.0.0.1/index.m3u8?_HLS_msn=889017734".to_owned(),
            line: 24,
            text: r#"#EXT-X-PART:DURATION=0.512,URI="17.m4s""#.to_owned(),
        };
        let evidence = "part 17 of segment 889017734 lasts 0.512 s, PART-TARGET is 0.5 s";
        let mut part = finding(
            must("part-within-target", "4.4.4.9", "no part is longer than PART-TARGET"),
            Verdict::Fail,
            evidence,
            11,
        );
        part.place = Some(place);
        Report {
            url: "http://127.0.0.1/index.m3u8".to_owned(),
            watched: Duration::from_secs(30),
            seen: "1 media playlist(s), 150 versions".to_owned(),
            findings: vec![
                part,
                finding(should("head", "B.1", "HEAD has no body"), Verdict::Warn, "HEAD of /index.m3u8 has a body", 0),
                finding(profile("gzip", "B.1", ""), Verdict::Pass, "4000 bytes are 700", 0),
                finding(must("hold-ends", "6.2.5.2", ""), Verdict::NotSeen, "no request was held that long", 0),
            ],
        }
    }

    #[test]
    fn a_report_has_a_line_per_rule_and_the_place_of_what_is_wrong() {
        insta::assert_snapshot!(Page { report: &report(), colour: false }.to_string(), @r#"
        http://127.0.0.1/index.m3u8
        1 media playlist(s), 150 versions; watched for 30 s; rules of draft-pantos-hls-rfc8216bis-22

        FAIL     must    4.4.4.9   part-within-target  part 17 of segment 889017734 lasts 0.512 s, PART-TARGET is 0.5 s (and 11 more)
                 rule: no part is longer than PART-TARGET
                 line 24 of http://127.0.0.1/index.m3u8?_HLS_msn=889017734
                   #EXT-X-PART:DURATION=0.512,URI="17.m4s"
        warn     should  B.1       head                HEAD of /index.m3u8 has a body
                 rule: HEAD has no body
        pass     profile B.1       gzip                4000 bytes are 700
        not seen must    6.2.5.2   hold-ends           no request was held that long

        1 failed, 1 warned, 1 passed, 1 not seen
        "#);
    }

    #[test]
    fn colours_only_wrap_what_is_printed_without_them() {
        let report = report();
        let [plain, coloured] = [false, true].map(|colour| Page { report: &report, colour }.to_string());
        let mut bare = String::new();
        for piece in coloured.split('\u{1b}') {
            bare.push_str(piece.strip_prefix('[').and_then(|code| Some(code.split_once('m')?.1)).unwrap_or(piece));
        }
        assert!(coloured.contains("\u{1b}[31;1mFAIL") && bare == plain);
    }
}
