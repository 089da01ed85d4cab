//! Events, as the API has them and as hints have them.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use touchline_hints::{Event, Phase, Span};
use touchline_media::ChannelName;
use utoipa::ToSchema;

use super::{parse_rfc3339, rfc3339};

/// Events that there may be, and breaks, announcements and channels of each.
pub(crate) const MAX_EVENTS: usize = 1_000;
const MAX_ITEMS: usize = 100;
/// The longest event.
pub(super) const LONGEST: Duration = Duration::from_hours(48);

/// Something that people come for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventSpec {
    /// When what people come for begins (RFC 3339).
    #[schema(format = DateTime, example = "2026-12-05T20:00:00Z")]
    pub(crate) kick_off: String,
    /// When it is planned to end. It is on air until it is said to have ended.
    #[schema(format = DateTime, example = "2026-12-05T21:50:00Z")]
    pub(crate) end: String,
    /// Viewers that are expected at its peak.
    #[serde(default)]
    #[schema(minimum = 1)]
    pub(crate) expected_peak: Option<f64>,
    #[serde(default)]
    pub(crate) breaks: Vec<BreakSpec>,
    /// When people are told to come: by a push message, or on another channel.
    #[serde(default)]
    pub(crate) announcements: Vec<String>,
    /// What it is watched on. None: all channels.
    #[serde(default)]
    pub(crate) channels: Vec<String>,
}

/// A break.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BreakSpec {
    #[schema(format = DateTime, example = "2026-12-05T20:47:00Z")]
    pub(crate) from: String,
    #[schema(format = DateTime, example = "2026-12-05T21:02:00Z")]
    pub(crate) to: String,
}

/// An event, and where it stands.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct EventStatus {
    pub(crate) id: String,
    pub(crate) kick_off: String,
    pub(crate) end: String,
    pub(crate) expected_peak: Option<f64>,
    pub(crate) breaks: Vec<BreakSpec>,
    pub(crate) announcements: Vec<String>,
    pub(crate) channels: Vec<String>,
    /// `off`, `gathering`, `arrival`, `play`, `break`, `return`, `finish`, `announced` or `exodus`.
    #[schema(value_type = String)]
    pub(crate) phase: Phase,
    /// Nothing is taken away.
    pub(crate) on_air: bool,
    pub(crate) ended: Option<String>,
}

/// An event that has been understood.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Planned {
    pub(crate) event: Event,
    pub(crate) channels: Vec<String>,
}

/// Why an event is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Mistake {
    #[error("\"{0}\" cannot name an event: 1 to 64 of A-Z a-z 0-9 _ - . that do not begin with a dot can")]
    Id(String),
    #[error("{field}: \"{text}\" is no moment; write for example 2026-12-05T20:00:00Z")]
    Moment { field: &'static str, text: String },
    #[error("end: it has to be after kick_off, and within 48 h of it")]
    End,
    #[error("expected_peak: it has to be a number of viewers, at least 1")]
    Peak,
    #[error("breaks: each has to end after it begins, and lie between kick_off and end")]
    Break,
    #[error("{field}: there are more than 100")]
    TooMany { field: &'static str },
    #[error("channels: \"{0}\" is no channel name")]
    Channel(String),
    #[error("there are 1,000 events already: delete those that are over")]
    Full,
}

impl EventSpec {
    /// What it means, or what is wrong with it.
    pub(crate) fn understood(&self, id: &str) -> Result<Planned, Mistake> {
        // As channels are named, so that it needs no escaping in a path.
        let _: ChannelName = id.parse().map_err(|_| Mistake::Id(id.to_owned()))?;
        let lists = [
            ("breaks", self.breaks.len()),
            ("announcements", self.announcements.len()),
            ("channels", self.channels.len()),
        ];
        if let Some((field, _)) = lists.into_iter().find(|(_, len)| *len > MAX_ITEMS) {
            return Err(Mistake::TooMany { field });
        }
        let (kick_off, end) = (moment("kick_off", &self.kick_off)?, moment("end", &self.end)?);
        if end <= kick_off || end > kick_off + LONGEST {
            return Err(Mistake::End);
        }
        if self.expected_peak.is_some_and(|peak| !peak.is_finite() || peak < 1.0) {
            return Err(Mistake::Peak);
        }
        let span = |span: &BreakSpec| {
            let (from, to) = (moment("breaks", &span.from)?, moment("breaks", &span.to)?);
            if kick_off <= from && from < to && to <= end { Ok(Span { from, to }) } else { Err(Mistake::Break) }
        };
        let breaks = self.breaks.iter().map(span).collect::<Result<_, _>>()?;
        let announcements =
            self.announcements.iter().map(|text| moment("announcements", text)).collect::<Result<_, _>>()?;
        if let Some(channel) = self.channels.iter().find(|channel| channel.parse::<ChannelName>().is_err()) {
            return Err(Mistake::Channel(channel.clone()));
        }
        let event = Event {
            id: id.to_owned(),
            kick_off,
            end,
            expected_peak: self.expected_peak,
            breaks,
            announcements,
            ended: None,
        };
        Ok(Planned { event, channels: self.channels.clone() })
    }
}

fn moment(field: &'static str, text: &str) -> Result<Duration, Mistake> {
    parse_rfc3339(text).ok_or_else(|| Mistake::Moment { field, text: text.chars().take(40).collect() })
}

impl Planned {
    /// As the API has it.
    pub(crate) fn status(&self, now: Duration) -> EventStatus {
        let Event { id, kick_off, end, expected_peak, breaks, announcements, ended } = &self.event;
        EventStatus {
            id: id.clone(),
            kick_off: rfc3339(*kick_off),
            end: rfc3339(*end),
            expected_peak: *expected_peak,
            breaks: breaks.iter().map(|span| BreakSpec { from: rfc3339(span.from), to: rfc3339(span.to) }).collect(),
            announcements: announcements.iter().copied().map(rfc3339).collect(),
            channels: self.channels.clone(),
            phase: self.event.phase(now),
            on_air: self.event.is_on_air(now),
            ended: ended.map(rfc3339),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> EventSpec {
        EventSpec {
            kick_off: "2026-12-05T20:00:00Z".into(),
            end: "2026-12-05T21:50:00+00:00".into(),
            expected_peak: Some(250_000.0),
            breaks: vec![BreakSpec { from: "2026-12-05T20:47:00Z".into(), to: "2026-12-05T21:02:00Z".into() }],
            announcements: vec!["2026-12-05T19:30:00Z".into()],
            channels: vec!["main".into()],
        }
    }

    #[test]
    fn what_is_understood_is_told_again() {
        let planned = spec().understood("final").unwrap();
        let status = planned.status(planned.event.kick_off);
        assert_eq!((status.phase, status.on_air), (Phase::Arrival, true));
        assert_eq!(status.kick_off, "2026-12-05T20:00:00.000Z");
        let EventStatus { kick_off, end, expected_peak, breaks, announcements, channels, .. } = status;
        let told = EventSpec { kick_off, end, expected_peak, breaks, announcements, channels };
        assert_eq!(told.understood("final").unwrap(), planned);
    }

    #[test]
    fn what_is_wrong_with_an_event_is_told() {
        let told = |change: fn(&mut EventSpec)| {
            let mut spec = spec();
            change(&mut spec);
            spec.understood("final").unwrap_err().to_string()
        };
        assert!(told(|spec| spec.kick_off = "tomorrow".into()).starts_with("kick_off: \"tomorrow\" is no moment"));
        assert!(told(|spec| spec.end = spec.kick_off.clone()).starts_with("end: "));
        assert!(told(|spec| spec.expected_peak = Some(0.5)).starts_with("expected_peak: "));
        assert!(told(|spec| spec.breaks[0].to = "2026-12-05T22:00:00Z".into()).starts_with("breaks: "));
        assert!(told(|spec| spec.channels.push("a b".into())).contains("\"a b\" is no channel name"));
        assert!(told(|spec| spec.announcements = vec![String::new(); 101]).contains("more than 100"));
        assert!(matches!(spec().understood("a/b"), Err(Mistake::Id(_))));
    }
}
