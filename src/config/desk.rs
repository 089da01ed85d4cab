use std::ops::RangeInclusive;
use std::time::Duration;

use touchline_hints as hints;
use touchline_media::Secret;

use super::{Config, Section, duration, webhook_secret};
use crate::desk::{self, Notifications, pool};
use crate::webhook;

const BOOT: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(1);
const CONTROL: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_mins(10);
const COST_RATIO: RangeInclusive<usize> = 1..=1_000_000;
const HEAD_ROOM: RangeInclusive<usize> = 0..=400;
const PER_NODE: RangeInclusive<usize> = 1..=100_000_000;
const CORES: RangeInclusive<usize> = 1..=1_024;
/// What can be guessed keeps nobody out.
const MIN_TOKEN: usize = 16;

/// What lets operators in from other machines.
pub(crate) fn token(text: &str) -> Result<Secret, String> {
    if text.len() >= MIN_TOKEN && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(Secret::new(text))
    } else {
        Err(format!("is not {MIN_TOKEN} or more characters without spaces; `openssl rand -hex 32` makes a good one"))
    }
}

pub(super) fn read_hints(settings: &mut pool::Settings, section: &mut Section<'_, '_>) {
    let hints::Settings { boot, control, lag, .. } = &mut settings.forecasting;
    section.value("boot", duration(BOOT), boot);
    section.value("control", duration(CONTROL), control);
    section.value("lag", duration(CONTROL), lag);
    let mut whole = |name, range: RangeInclusive<usize>, unit: f64, into: &mut f64| {
        let mut number = None;
        section.optional_number(name, range, &mut number);
        if let Some(number) = number {
            *into = f64::from(u32::try_from(number).unwrap_or(u32::MAX)) * unit;
        }
    };
    whole("cost_ratio", COST_RATIO, 1.0, &mut settings.forecasting.cost_ratio);
    whole("head_room_percent", HEAD_ROOM, 0.01, &mut settings.forecasting.least_head_room);
    whole("node_viewers", PER_NODE, 1.0, &mut settings.node_viewers);
    whole("node_megabits_per_second", PER_NODE, 1e6, &mut settings.node_bits_per_second);
    whole("node_joins_per_second", PER_NODE, 1.0, &mut settings.node_joins_per_second);
    whole("node_cores", CORES, 1.0, &mut settings.node_cores);
}

pub(super) fn read_desk(settings: &mut desk::Settings, section: &mut Section<'_, '_>) {
    section.value("state", |text| Ok(Some(text.into())), &mut settings.state);
}

pub(super) fn read_alerts(settings: &mut desk::Settings, section: &mut Section<'_, '_>) {
    let (mut url, mut secret) = (None, None);
    section.value("webhook", |text| webhook::Settings::parse_url(text).map(Some), &mut url);
    section.value("webhook_secret", webhook_secret, &mut secret);
    if url.is_some() && secret.is_none() {
        section.mistake("webhook", "needs webhook_secret, by which the service knows that the message is ours");
    }
    if let (Some(url), Some(secret)) = (url, secret) {
        settings.notifications = Some(Notifications { url, secret });
    }
}

impl Config {
    /// What publishers' keys are called, by channel.
    pub(crate) fn key_names(&self) -> Vec<(String, String)> {
        self.keys.names()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(text: &str) -> String {
        let mistakes: Vec<String> = Config::parse(text).unwrap_err().iter().map(ToString::to_string).collect();
        mistakes.join("\n")
    }

    #[test]
    fn every_setting_can_be_set() {
        let text = r#"
            [admin]
            listen = ":9090"
            token = "0123456789abcdef"
            [desk]
            state = "/var/lib/touchline/desk"
            [hints]
            boot = "3m"
            control = "30s"
            lag = "5s"
            cost_ratio = 1_000
            head_room_percent = 25
            node_viewers = 5_000
            node_megabits_per_second = 900
            node_joins_per_second = 200
            node_cores = 16
            [alerts]
            webhook = "https://example.org/on-call"
            webhook_secret = "fedcba9876543210"
        "#;
        let config = Config::parse(text).unwrap();
        let pool::Settings { forecasting, node_viewers, node_bits_per_second, node_joins_per_second, node_cores } =
            config.desk.hints;
        assert_eq!(forecasting.horizon(), Duration::from_secs(180 + 30 + 5));
        assert_eq!((forecasting.cost_ratio, forecasting.least_head_room), (1_000.0, 0.25));
        assert_eq!(
            (node_viewers, node_bits_per_second, node_joins_per_second, node_cores),
            (5_000.0, 9e8, 200.0, 16.0)
        );
        assert_eq!(config.desk.state, Some("/var/lib/touchline/desk".into()));
        assert_eq!(config.admin_token, Some(Secret::new("0123456789abcdef")));
        assert!(config.desk.notifications.is_some());
    }

    #[test]
    fn every_mistake_is_told() {
        let text = r#"[admin]
token = "short"
[hints]
boot = "2d"
head_room_percent = 15.5
node_viewers = 0
[alerts]
webhook = "https://example.org/"
"#;
        insta::assert_snapshot!(mistakes(text), @r"
        line 2: admin.token: is not 16 or more characters without spaces; `openssl rand -hex 32` makes a good one
        line 4: hints.boot: 172800s is out of range: from 1s to 3600s
        line 5: hints.head_room_percent: must be a whole number from 0 to 400
        line 6: hints.node_viewers: must be a whole number from 1 to 100000000
        line 8: alerts.webhook: needs webhook_secret, by which the service knows that the message is ours
        ");
    }
}
