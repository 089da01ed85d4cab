//! Delivery directives: RFC 8216bis 6.2.5.

use std::time::Duration;

use touchline_packager::Skip;

/// What a media playlist request asks for beside the playlist itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Directives {
    /// Until when it is held.
    pub(crate) until: Until,
    /// `_HLS_skip`: an update does instead, where there is one.
    pub(crate) skip: Option<Skip>,
}

/// What a media playlist request waits for (RFC 8216bis 6.2.5.2).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Until {
    /// The playlist as it is.
    #[default]
    Now,
    /// `_HLS_msn=M`: until segment M is complete.
    Segment(u64),
    /// `_HLS_msn=M&_HLS_part=N`: until part N of segment M, or a later one, is listed.
    Part(u64, u64),
}

/// Why a query's directives are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// Not a decimal-integer (RFC 8216bis 4.2).
    #[error("{directive} is not a decimal integer below 2^64")]
    Number {
        /// Its name.
        directive: &'static str,
    },
    /// `_HLS_part` alone.
    #[error("_HLS_part needs an _HLS_msn beside it")]
    PartWithoutMsn,
    /// A directive given twice.
    #[error("{directive} is given more than once")]
    Repeated {
        /// Its name.
        directive: &'static str,
    },
    /// A name of the reserved namespace that means nothing here. Refused, for else any text would make another cache entry.
    #[error("the query has an unknown delivery directive")]
    Unknown,
}

const MSN: &str = "_HLS_msn";
const PART: &str = "_HLS_part";
const SKIP: &str = "_HLS_skip";
/// RFC 8216bis 6.2.5: names that begin so are reserved; any other parameter is not ours to judge.
const RESERVED: &str = "_HLS_";

impl Directives {
    /// Reads the directives of a query.
    pub(crate) fn parse(query: Option<&str>) -> Result<Self, Error> {
        let (mut msn, mut part, mut skip) = (None, None, None);
        for parameter in query.unwrap_or_default().split('&') {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match name {
                MSN => set(&mut msn, MSN, value)?,
                PART => set(&mut part, PART, value)?,
                SKIP => {
                    // RFC 8216bis 6.2.5.1: a value that means nothing is ignored.
                    let form = match value {
                        "YES" => Some(Skip::Segments),
                        "v2" => Some(Skip::SegmentsAndDateRanges),
                        _ => None,
                    };
                    if skip.replace(form).is_some() {
                        return Err(Error::Repeated { directive: SKIP });
                    }
                }
                _ if name.starts_with(RESERVED) => return Err(Error::Unknown),
                _ => {}
            }
        }
        let until = match (msn, part) {
            (None, None) => Until::Now,
            (Some(msn), None) => Until::Segment(msn),
            (Some(msn), Some(part)) => Until::Part(msn, part),
            (None, Some(_)) => return Err(Error::PartWithoutMsn),
        };
        Ok(Self { until, skip: skip.flatten() })
    }
}

impl Until {
    /// What becomes of a request that waits for this while the playlist ends at `edge`.
    pub(crate) fn judge(self, edge: &LiveEdge) -> Verdict {
        let Some((last_msn, last_index)) = edge.last_part else {
            // Before the first part there is nothing to serve and nothing to measure a distance from.
            return if edge.ended { Verdict::Serve } else { Verdict::Wait };
        };
        // RFC 8216bis 6.2.5.2: after EXT-X-ENDLIST directives are ignored.
        if edge.ended {
            return Verdict::Serve;
        }
        let last_complete = edge.last_segment.unwrap_or(last_msn.saturating_sub(1));
        let (reached, msn) = match self {
            Self::Now => return Verdict::Serve,
            Self::Segment(msn) => (msn <= last_complete, msn),
            // A part index past the end of a segment is part 0 of the next: (M + 1, 0) is the first after every (M, N).
            Self::Part(msn, part) => ((msn, part) <= (last_msn, u64::from(last_index)), msn),
        };
        if reached {
            return Verdict::Serve;
        }
        if msn > last_complete.saturating_add(MAX_MSN_AHEAD) {
            return Verdict::TooFar;
        }
        match self {
            Self::Part(msn, part) if msn > last_complete => {
                let ahead =
                    if msn == last_msn { part - u64::from(last_index) } else { part.saturating_add(msn - last_msn) };
                if ahead > edge.advance_part_limit { Verdict::TooFar } else { Verdict::Wait }
            }
            _ => Verdict::Wait,
        }
    }

    /// Whether who asks for it waits as long as the playlist ends at `before`.
    pub(crate) fn is_awaited_at(self, before: &LiveEdge) -> bool {
        self != Self::Now && self.judge(before) == Verdict::Wait
    }
}

/// RFC 8216bis 6.2.5.2: how far past the last complete segment a request may ask.
const MAX_MSN_AHEAD: u64 = 2;

fn set(slot: &mut Option<u64>, directive: &'static str, value: &str) -> Result<(), Error> {
    // RFC 8216bis 4.2: a decimal-integer is 1 to 20 digits and below 2^64.
    let digits = (1..=20).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_digit());
    let number = digits.then(|| value.parse().ok()).flatten().ok_or(Error::Number { directive })?;
    match slot.replace(number) {
        None => Ok(()),
        Some(_) => Err(Error::Repeated { directive }),
    }
}

/// Where a media playlist ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LiveEdge {
    /// MSN and index of the newest part.
    pub(crate) last_part: Option<(u64, u32)>,
    /// MSN of the newest complete segment.
    pub(crate) last_segment: Option<u64>,
    /// Whether the playlist has EXT-X-ENDLIST.
    pub(crate) ended: bool,
    /// How many parts past the newest a request may ask.
    pub(crate) advance_part_limit: u64,
}

/// RFC 8216bis 6.2.5.2: three divided by PART-TARGET where that is below a second, else three.
pub(crate) fn advance_part_limit(part_target: Duration) -> u64 {
    let millis = u64::try_from(part_target.as_millis()).unwrap_or(u64::MAX).clamp(1, 1_000);
    3_000_u64.div_ceil(millis)
}

/// What becomes of a playlist request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The playlist has what it asks for.
    Serve,
    /// It is held.
    Wait,
    /// It asks for what is too far ahead: 400.
    TooFar,
}

#[cfg(test)]
mod tests {
    use super::Until::{Now, Part, Segment};
    use super::Verdict::{Serve, TooFar, Wait};
    use super::*;

    /// Segment 100 is complete and had five parts; `last` is the newest part. Parts of 200 ms.
    fn at(last: (u64, u32)) -> LiveEdge {
        let advance_part_limit = advance_part_limit(Duration::from_millis(200));
        LiveEdge { last_part: Some(last), last_segment: Some(100), ended: false, advance_part_limit }
    }

    fn judge_all(edge: LiveEdge, cases: &[(Until, Verdict)]) {
        for (until, verdict) in cases {
            assert_eq!(until.judge(&edge), *verdict, "{until:?}");
        }
    }

    #[test]
    fn msn_alone_waits_for_the_complete_segment() {
        judge_all(
            at((101, 3)),
            &[(Segment(99), Serve), (Segment(100), Serve), (Segment(101), Wait), (Segment(102), Wait)],
        );
    }

    #[test]
    fn msn_and_part_wait_for_that_part() {
        judge_all(
            at((101, 3)),
            &[(Part(101, 2), Serve), (Part(101, 3), Serve), (Part(101, 4), Wait), (Part(102, 0), Wait)],
        );
    }

    #[test]
    fn a_part_past_the_end_of_a_finished_segment_is_part_0_of_the_next() {
        judge_all(at((100, 4)), &[(Part(100, 5), Wait), (Part(100, u64::MAX), Wait), (Part(101, 0), Wait)]);
        judge_all(at((101, 0)), &[(Part(100, 5), Serve), (Part(100, u64::MAX), Serve), (Part(101, 0), Serve)]);
    }

    #[test]
    fn a_part_past_the_end_of_a_segment_that_finishes_while_held_is_part_0_of_the_next() {
        let asked = Part(101, 7);
        assert_eq!(asked.judge(&at((101, 4))), Wait);
        let finished = LiveEdge { last_segment: Some(101), ..at((101, 5)) };
        assert_eq!(asked.judge(&finished), Wait);
        assert_eq!(asked.judge(&LiveEdge { last_part: Some((102, 0)), ..finished }), Serve);
    }

    #[test]
    fn an_old_msn_is_answered_at_once() {
        judge_all(at((101, 3)), &[(Segment(0), Serve), (Part(0, 0), Serve), (Part(3, u64::MAX), Serve)]);
    }

    #[test]
    fn more_than_two_past_the_last_complete_segment_is_too_far() {
        judge_all(at((101, 3)), &[(Segment(102), Wait), (Segment(103), TooFar), (Segment(u64::MAX), TooFar)]);
        judge_all(at((101, 3)), &[(Part(102, 0), Wait), (Part(103, 0), TooFar), (Part(u64::MAX, u64::MAX), TooFar)]);
    }

    #[test]
    fn more_parts_ahead_than_the_advance_part_limit_is_too_far() {
        judge_all(at((101, 3)), &[(Part(101, 18), Wait), (Part(101, 19), TooFar), (Part(101, u64::MAX), TooFar)]);
        judge_all(at((101, 3)), &[(Part(102, 14), Wait), (Part(102, 15), TooFar), (Part(102, u64::MAX), TooFar)]);
    }

    #[test]
    fn the_advance_part_limit_is_three_seconds_of_parts_or_three() {
        let limits = [200, 334, 500, 999, 1_000, 2_000, 0].map(|ms| advance_part_limit(Duration::from_millis(ms)));
        assert_eq!(limits, [15, 9, 6, 4, 3, 3, 3_000]);
    }

    #[test]
    fn what_is_there_is_awaited_no_more_and_what_is_far_ahead_not_yet() {
        let awaited = |until: Until, before| until.is_awaited_at(&before);
        assert!(awaited(Part(101, 3), at((101, 2))) && !awaited(Part(101, 3), at((101, 3))));
        assert!(awaited(Part(101, 7), at((101, 4))) && !awaited(Part(101, 7), at((102, 0))));
        assert!(awaited(Segment(101), at((101, 4))) && !awaited(Segment(100), at((101, 4))));
        assert!(!awaited(Segment(104), at((101, 4))) && !awaited(Part(101, 99), at((101, 4))));
        let empty = LiveEdge { last_part: None, last_segment: None, ..at((0, 0)) };
        assert!(awaited(Segment(7), empty) && !awaited(Now, empty));
        let ended = LiveEdge { ended: true, ..at((101, 3)) };
        assert!(!awaited(Part(101, 4), ended) && !awaited(Segment(u64::MAX), ended));
    }

    #[test]
    fn after_the_end_directives_are_ignored() {
        let ended = LiveEdge { ended: true, ..at((101, 3)) };
        judge_all(ended, &[(Now, Serve), (Segment(103), Serve), (Part(101, 99), Serve)]);
        judge_all(LiveEdge { last_part: None, ..ended }, &[(Now, Serve), (Segment(u64::MAX), Serve)]);
    }

    #[test]
    fn before_the_first_part_every_request_waits() {
        let empty = LiveEdge { last_part: None, last_segment: None, ..at((0, 0)) };
        judge_all(empty, &[(Now, Wait), (Segment(7), Wait), (Part(u64::MAX, 0), Wait)]);
    }

    #[test]
    fn before_the_first_complete_segment_the_one_before_it_counts_as_complete() {
        let first = LiveEdge { last_segment: None, ..at((101, 0)) };
        judge_all(first, &[(Segment(100), Serve), (Segment(102), Wait), (Segment(103), TooFar)]);
    }

    #[test]
    fn directives_are_read_and_foreign_parameters_are_not_judged() {
        for (query, expected) in [
            ("", Now),
            ("_HLS_msn=7", Segment(7)),
            ("_HLS_msn=7&_HLS_part=0", Part(7, 0)),
            ("_HLS_part=3&token=a%20b&_HLS_msn=7", Part(7, 3)),
            ("_HLS_msn=18446744073709551615", Segment(u64::MAX)),
            ("token&&=&x=y=z&_hls_msn=abc&CMCD=bl%3D100", Now),
        ] {
            assert_eq!(Directives::parse(Some(query)), Ok(Directives { until: expected, skip: None }), "{query}");
        }
        assert_eq!(Directives::parse(None), Ok(Directives::default()));
    }

    #[test]
    fn updates_are_asked_for_by_two_values_and_others_mean_nothing() {
        let skip = |query| Directives::parse(Some(query)).unwrap().skip;
        assert_eq!(skip("_HLS_msn=7&_HLS_skip=YES"), Some(Skip::Segments));
        assert_eq!(skip("_HLS_skip=v2&_HLS_msn=7&_HLS_part=1"), Some(Skip::SegmentsAndDateRanges));
        for nothing in ["_HLS_skip=yes", "_HLS_skip=V2", "_HLS_skip=", "_HLS_skip", "_HLS_skip=junk"] {
            assert_eq!(skip(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_part_without_msn_is_refused() {
        assert_eq!(Directives::parse(Some("_HLS_part=0")), Err(Error::PartWithoutMsn));
    }

    #[test]
    fn malformed_and_huge_numbers_are_refused() {
        for value in ["", "abc", "-1", "+1", "1.5", "0x10", "1e3", " 1", "%31", "18446744073709551616", &"9".repeat(30)]
        {
            let refused = Err(Error::Number { directive: MSN });
            assert_eq!(Directives::parse(Some(&format!("_HLS_msn={value}"))), refused, "{value:?}");
        }
        assert_eq!(Directives::parse(Some("_HLS_msn")), Err(Error::Number { directive: MSN }));
        assert_eq!(Directives::parse(Some("_HLS_msn=1&_HLS_part=x")), Err(Error::Number { directive: PART }));
    }

    #[test]
    fn unknown_and_repeated_directives_are_refused() {
        for query in ["_HLS_push=1", "_HLS_", "_HLS_MSN=1", "_HLS_msn2=1"] {
            assert_eq!(Directives::parse(Some(query)), Err(Error::Unknown), "{query}");
        }
        assert_eq!(Directives::parse(Some("_HLS_msn=1&_HLS_msn=1")), Err(Error::Repeated { directive: MSN }));
        assert_eq!(Directives::parse(Some("_HLS_skip=YES&_HLS_skip=v2")), Err(Error::Repeated { directive: SKIP }));
    }
}
