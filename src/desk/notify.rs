//! Tells of alerts by webhook: a POST of JSON, signed as the publish webhook signs.

use std::time::Duration;

use hyper::Uri;
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use touchline_media::Secret;
use tracing::{Instrument as _, info_span, warn};

use super::frame::AlertStatus;
use super::{Desk, rfc3339, unix};
use crate::telemetry::CONTROL;
use crate::webhook;

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(5);
/// How often is looked for what is due.
const LOOK: Duration = Duration::from_millis(250);

/// Whom to tell.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Notifications {
    /// `http` or `https`, with a host.
    pub(crate) url: Uri,
    /// What messages are signed with.
    pub(crate) secret: Secret,
}

/// A message.
pub(super) fn body(id: u64, now: Duration, node: &str, fired: bool, alert: &AlertStatus) -> String {
    let kind = if fired { "fired" } else { "cleared" };
    json!({ "id": id, "at": rfc3339(now), "node": node, "kind": kind, "alert": alert }).to_string()
}

/// Delivers what is due, until `shutdown`; what is not delivered by then is kept.
pub(super) async fn deliver(desk: Desk, to: Notifications, shutdown: CancellationToken) {
    let mut ticks = interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = shutdown.cancelled() => return,
        }
        while let Some(message) = desk.with(|state| state.watchman.deliveries.due(unix())) {
            let span = info_span!(target: CONTROL, "alert webhook", message = message.id);
            let sent = webhook::post(&to.url, &to.secret, Some(message.id), message.body).instrument(span);
            let outcome = match timeout(ANSWER, sent).await {
                Ok(Ok(status)) if status.is_success() => Ok(()),
                Ok(Ok(status)) => Err(format!("it answers {status}")),
                Ok(Err(why)) => Err(why.to_string()),
                Err(_) => Err(format!("no answer within {ANSWER:?}")),
            };
            if let Err(why) = &outcome {
                warn!("message {} cannot be delivered to {}: {why}; it is tried again for an hour", message.id, to.url);
            }
            desk.with(|state| state.watchman.deliveries.tried(message.id, unix(), outcome));
        }
    }
}
