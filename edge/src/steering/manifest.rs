use std::time::Duration;

use serde::Serialize;

use super::query::Query;
use super::share::{self, BUCKETS};
use super::{PathwayId, PathwayLabels, Settings, Steering};

/// A Steering Manifest (RFC 8216bis 7.2, draft-pantos-content-steering-05 4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING-KEBAB-CASE")]
pub(super) struct Manifest {
    version: u8,
    /// In seconds.
    ttl: u64,
    reload_uri: String,
    pathway_priority: Vec<PathwayId>,
}

/// A manifest, and for whom it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) manifest: Manifest,
    /// Everybody who asks by the same bucket is told the same, for so long.
    pub(super) shared: Option<Duration>,
}

impl Steering {
    /// What a viewer is told who asks for `file`, and whose bucket is `dealt` if it has none yet. `now` is Unix time.
    pub(super) fn answer(&self, file: &str, query: &Query, dealt: u16, now: Duration) -> Answer {
        let Settings { pathways, ttl, slow, .. } = &self.0.settings;
        let bucket = query.bucket.unwrap_or(dealt);
        let mut order = share::order(pathways, &self.drained(), bucket);
        let avoid = self.avoid(query, now).filter(|_| order.len() > 1);
        if let Some((avoided, _)) = &avoid {
            order.sort_by_key(|id| *id == avoided);
        }
        let first = order.first().map(ToString::to_string).unwrap_or_default();
        self.0.metrics.answers.get_or_create(&PathwayLabels { pathway: first }).inc();
        let keep_away = avoid.as_ref().map(|(avoided, until)| format!("&avoid={avoided}&until={}", until.as_secs()));
        let reload_uri = format!("{file}?bucket={bucket}{}", keep_away.unwrap_or_default());
        let manifest = Manifest {
            version: 1,
            ttl: spread(*ttl, bucket).as_secs(),
            reload_uri,
            pathway_priority: order.into_iter().cloned().collect(),
        };
        // What depends on the throughput is not the same for any two, and what is to be avoided not for long.
        let shared = query.bucket.is_some() && slow.is_none() && avoid.is_none();
        Answer { manifest, shared: shared.then_some((*ttl / 10).max(Duration::from_secs(1))) }
    }

    /// The pathway that is too slow for the viewer, or was until lately, and until when it keeps away from there.
    fn avoid(&self, query: &Query, now: Duration) -> Option<(PathwayId, Duration)> {
        let slow = self.0.settings.slow?;
        let here = query.pathway.as_ref().filter(|id| self.has(id));
        if let (Some(pathway), Some(throughput)) = (here, query.throughput)
            && throughput < slow
            // Where it was led already, it is the viewer's line that is slow.
            && query.avoid.is_none()
        {
            self.0.metrics.slow.get_or_create(&PathwayLabels { pathway: pathway.to_string() }).inc();
            return Some((pathway.clone(), now + Settings::PENALTY));
        }
        // No further ahead than it can have been said.
        query.avoid.clone().filter(|(id, until)| self.has(id) && *until > now && *until <= now + Settings::PENALTY)
    }
}

/// Nine tenths of a time to all of it, by bucket: who has come at once does not come back at once.
fn spread(ttl: Duration, bucket: u16) -> Duration {
    ttl.saturating_sub(ttl / 10 * u32::from(bucket) / u32::from(BUCKETS))
}

#[cfg(test)]
mod tests {
    use super::super::{Metrics, Pathway};
    use super::*;

    const NOW: Duration = Duration::from_secs(1_790_000_000);
    /// It prefers cdn-a.
    const BUCKET: u16 = 7;

    fn steering(slow: Option<u64>) -> Steering {
        let pathway = |id: &str, weight| Pathway { id: id.parse().unwrap(), base: "/".into(), weight };
        let pathways = vec![pathway("cdn-a", 3), pathway("cdn-b", 1)];
        Steering::new(Settings { pathways, server: None, ttl: Duration::from_mins(5), slow }, Metrics::default())
    }

    fn ask(steering: &Steering, query: &str, now: Duration) -> Answer {
        steering.answer("main.json", &Query::parse(Some(query)).unwrap(), BUCKET, now)
    }

    fn first(answer: &Answer) -> &str {
        answer.manifest.pathway_priority[0].as_str()
    }

    #[test]
    fn a_manifest_has_the_words_of_the_draft() {
        let answer = ask(&steering(None), "_HLS_pathway=cdn-a&_HLS_throughput=1", NOW);
        insta::assert_snapshot!(
            serde_json::to_string(&answer.manifest).unwrap(),
            @r#"{"VERSION":1,"TTL":299,"RELOAD-URI":"main.json?bucket=7","PATHWAY-PRIORITY":["cdn-a","cdn-b"]}"#
        );
        assert_eq!(answer.shared, None, "it goes by the viewer's address");
    }

    #[test]
    fn who_asks_by_a_bucket_is_told_what_everybody_in_it_is_told() {
        let steering = steering(None);
        let (one, other) = (ask(&steering, "bucket=9&_HLS_throughput=1", NOW), ask(&steering, "bucket=9", NOW * 2));
        assert_eq!(one, other);
        assert_eq!(one.shared, Some(Duration::from_secs(30)));
    }

    #[test]
    fn from_a_drained_pathway_viewers_are_led_away_and_back_again() {
        let steering = steering(None);
        assert_eq!(first(&ask(&steering, "bucket=7", NOW)), "cdn-a");
        steering.drain(["cdn-a".parse().unwrap()].into());
        let answer = ask(&steering, "bucket=7", NOW);
        assert_eq!((first(&answer), answer.manifest.pathway_priority.len()), ("cdn-b", 1));
        steering.drain([].into());
        assert_eq!(first(&ask(&steering, "bucket=7", NOW)), "cdn-a");
    }

    #[test]
    fn from_a_slow_pathway_a_viewer_keeps_away_for_five_minutes() {
        let steering = steering(Some(800_000));
        assert_eq!(first(&ask(&steering, "bucket=7&_HLS_pathway=cdn-a&_HLS_throughput=800000", NOW)), "cdn-a");
        let answer = ask(&steering, "bucket=7&_HLS_pathway=cdn-a&_HLS_throughput=799999", NOW);
        assert_eq!((first(&answer), answer.shared), ("cdn-b", None));
        let query = answer.manifest.reload_uri.split_once('?').unwrap().1.to_owned();
        assert_eq!(query, "bucket=7&avoid=cdn-a&until=1790000300");
        let again = |after: u64, state: &str| {
            let answer = ask(&steering, &format!("{query}&{state}"), NOW + Duration::from_secs(after));
            (first(&answer).to_owned(), answer.manifest.reload_uri)
        };
        // Slow there as well: it is the viewer's line, and there is no point in sending it back and forth.
        let slow = "_HLS_pathway=cdn-b&_HLS_throughput=1";
        assert_eq!(again(299, slow), ("cdn-b".into(), format!("main.json?{query}")));
        assert_eq!(again(300, ""), ("cdn-a".into(), "main.json?bucket=7".into()));
    }

    #[test]
    fn what_no_answer_has_said_is_not_avoided() {
        let steering = steering(Some(1));
        for avoid in ["avoid=cdn-a&until=1790000301", "avoid=cdn-a&until=1790000000", "avoid=cdn-z&until=1790000100"] {
            assert_eq!(first(&ask(&steering, &format!("bucket=7&{avoid}"), NOW)), "cdn-a", "{avoid}");
        }
    }

    #[test]
    fn those_who_have_come_at_once_do_not_come_back_at_once() {
        let ttl = |bucket| spread(Duration::from_mins(5), bucket).as_secs();
        assert_eq!((ttl(0), ttl(BUCKETS / 2), ttl(BUCKETS - 1)), (300, 285, 270));
    }
}
