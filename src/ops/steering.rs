//! Pathways, as operators see and drain them.
//!
//! ```text
//! GET    /api/v1/steering
//! POST   /api/v1/steering/pathways/ID/drain   viewers are led away, at their next manifest
//! DELETE /api/v1/steering/pathways/ID/drain   they may return
//! ```

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::time::timeout;
use touchline_edge::steering::{PathwayId, Report, Steering};
use touchline_registry::Id;

use super::Ops;

/// How long the registry may take to know of an order: it is in memory.
const ORDER: Duration = Duration::from_secs(2);

/// What is known of steering.
#[derive(Debug, Serialize)]
pub(super) struct Pathways {
    /// None: viewers are not steered.
    pathways: Vec<Report>,
}

/// Why a pathway is not drained.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("viewers are not steered: there is no [steering] in the configuration")]
    Off,
    #[error("there is no pathway called \"{0}\"; /api/v1/steering lists them")]
    Unknown(String),
    #[error("a page of another site may not do this")]
    Elsewhere,
    #[error("the registry does not take the order: {0}")]
    Registry(String),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Off | Self::Unknown(_) => StatusCode::NOT_FOUND,
            Self::Elsewhere => StatusCode::FORBIDDEN,
            Self::Registry(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        (status, Json(serde_json::json!({ "error": self.to_string() }))).into_response()
    }
}

pub(super) async fn pathways(State(ops): State<Arc<Ops>>) -> Json<Pathways> {
    Json(Pathways { pathways: ops.steering.as_ref().map(Steering::report).unwrap_or_default() })
}

pub(super) async fn drain(
    State(ops): State<Arc<Ops>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Pathways>, Refusal> {
    order(&ops, &id, true, &headers).await
}

pub(super) async fn restore(
    State(ops): State<Arc<Ops>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Pathways>, Refusal> {
    order(&ops, &id, false, &headers).await
}

async fn order(ops: &Ops, id: &str, drained: bool, headers: &HeaderMap) -> Result<Json<Pathways>, Refusal> {
    if is_of_another_site(headers) {
        return Err(Refusal::Elsewhere);
    }
    let steering = ops.steering.as_ref().ok_or(Refusal::Off)?;
    let known = id.parse().ok().filter(|id: &PathwayId| steering.has(id));
    let known = known.and_then(|id| id.as_str().parse::<Id>().ok()).ok_or_else(|| Refusal::Unknown(id.to_owned()))?;
    let mut snapshots = ops.cluster.subscribe();
    ops.cluster.drain(known.clone(), drained).map_err(|why| Refusal::Registry(why.to_string()))?;
    let done = snapshots.wait_for(|snapshot| snapshot.drained.contains(&known) == drained);
    match timeout(ORDER, done).await {
        Ok(Ok(snapshot)) => {
            let pathways = ops.steering.as_ref().map(Steering::report).unwrap_or_default();
            let drained = |report: Report| Report {
                drained: snapshot.drained.iter().any(|id| id.as_str() == report.pathway.id.as_str()),
                ..report
            };
            Ok(Json(Pathways { pathways: pathways.into_iter().map(drained).collect() }))
        }
        Ok(Err(_)) | Err(_) => Err(Refusal::Registry(format!("it has not answered within {ORDER:?}"))),
    }
}

/// A browser on this machine reaches this listener too, and says of which site the page is that asks.
fn is_of_another_site(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(ORIGIN) else { return false };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let site = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, site)| site);
    site.is_none() || site != host
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_other_sites_are_told_by_their_origin() {
        let from = |origin: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, "127.0.0.1:9090".parse().unwrap());
            if let Some(origin) = origin {
                headers.insert(ORIGIN, origin.parse().unwrap());
            }
            is_of_another_site(&headers)
        };
        assert!(!from(None));
        assert!(!from(Some("http://127.0.0.1:9090")));
        for origin in ["http://127.0.0.1:8080", "https://elsewhere.example", "null"] {
            assert!(from(Some(origin)), "{origin}");
        }
    }
}
