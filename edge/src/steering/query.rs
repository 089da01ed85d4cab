use std::time::Duration;

use super::PathwayId;
use super::share::BUCKETS;

/// What a player asks with (RFC 8216bis 7.4), and what we had it ask with by the last RELOAD-URI.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Query {
    /// `_HLS_pathway`: where it is.
    pub(super) pathway: Option<PathwayId>,
    /// `_HLS_throughput`: what it gets there, in bits per second.
    pub(super) throughput: Option<u64>,
    /// `bucket`: how it was dealt out.
    pub(super) bucket: Option<u16>,
    /// `avoid` and `until`: where it was too slow, and until when it keeps away from there, as Unix time.
    pub(super) avoid: Option<(PathwayId, Duration)>,
}

/// What a RELOAD-URI of ours does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("bucket, avoid and until are as the RELOAD-URI had them, each once")]
pub(super) struct QueryError;

impl Query {
    /// Reads a query. What a player says that cannot be understood is passed over: it is left where it is.
    pub(super) fn parse(query: Option<&str>) -> Result<Self, QueryError> {
        let (mut parsed, mut avoid, mut until) = (Self::default(), None, None);
        for (name, value) in query.unwrap_or_default().split('&').filter_map(|pair| pair.split_once('=')) {
            match name {
                "_HLS_pathway" => parsed.pathway = unquoted(value).parse().ok(),
                "_HLS_throughput" => parsed.throughput = value.parse().ok(),
                "bucket" => once(&mut parsed.bucket, number(value).filter(|bucket| *bucket < BUCKETS))?,
                "avoid" => once(&mut avoid, value.parse().ok())?,
                "until" => once(&mut until, number(value).map(Duration::from_secs))?,
                _ => {}
            }
        }
        parsed.avoid = match (avoid, until) {
            (Some(pathway), Some(until)) => Some((pathway, until)),
            (None, None) => None,
            _ => return Err(QueryError),
        };
        Ok(parsed)
    }
}

/// RFC 8216bis 7.4 has quotation marks around the pathway, which some players escape and others leave out.
fn unquoted(value: &str) -> &str {
    let value = value.strip_prefix("%22").and_then(|value| value.strip_suffix("%22")).unwrap_or(value);
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value)
}

/// Digits, without a sign.
fn number<T: std::str::FromStr>(value: &str) -> Option<T> {
    if value.starts_with('+') { None } else { value.parse().ok() }
}

fn once<T>(place: &mut Option<T>, value: Option<T>) -> Result<(), QueryError> {
    match (&place, value) {
        (None, Some(value)) => {
            *place = Some(value);
            Ok(())
        }
        _ => Err(QueryError),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_players_say_is_read_as_each_of_them_says_it() {
        let at = |pathway: &str| {
            let query = format!("_HLS_pathway={pathway}&_HLS_throughput=4200000&CMCD=br%3D1");
            let Query { pathway, throughput, bucket: None, avoid: None } = Query::parse(Some(&query)).unwrap() else {
                panic!("more was read")
            };
            assert_eq!(throughput, Some(4_200_000));
            pathway.map(|id| id.to_string())
        };
        for pathway in ["cdn-a", "\"cdn-a\"", "%22cdn-a%22"] {
            assert_eq!(at(pathway).as_deref(), Some("cdn-a"));
        }
        assert_eq!(at("."), None);
        assert_eq!(Query::parse(None), Ok(Query::default()));
        assert_eq!(Query::parse(Some("_HLS_throughput=fast&x&=&&")), Ok(Query::default()));
    }

    #[test]
    fn what_we_said_comes_back_as_we_said_it_or_is_refused() {
        let query = Query::parse(Some("bucket=1023&avoid=cdn-a&until=1790000000")).unwrap();
        assert_eq!(query.bucket, Some(1_023));
        assert_eq!(query.avoid, Some(("cdn-a".parse().unwrap(), Duration::from_secs(1_790_000_000))));
        for query in [
            "bucket=1024",
            "bucket=-1",
            "bucket=+1",
            "bucket=",
            "bucket=1&bucket=2",
            "avoid=a",
            "until=1",
            "avoid=.&until=1",
        ] {
            assert_eq!(Query::parse(Some(query)), Err(QueryError), "{query}");
        }
    }
}
