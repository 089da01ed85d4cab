//! Pathways and the edges that stand for them, as operators see and drain them.
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
use axum::http::StatusCode;
use serde::Serialize;
use tokio::time::timeout;
use touchline_edge::steering::{PathwayId, Report, Steering};
use touchline_registry::Id;
use utoipa::ToSchema;

use super::Ops;
use super::body::By;
use super::refusal::{Refusal, Why};
use crate::desk::timeline::Kind;
use crate::desk::unix;

/// How long the registry may take to know of an order: it is in memory.
const ORDER: Duration = Duration::from_secs(2);

/// What is known of steering.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Pathways {
    /// None: viewers are not steered.
    #[schema(value_type = Vec<Object>)]
    pathways: Vec<Report>,
}

/// The pathways that viewers are led to.
#[utoipa::path(
    get, path = "/api/v1/steering", tag = "fleet",
    responses((status = 200, body = Pathways), (status = 401, body = Why), (status = 403, body = Why))
)]
pub(super) async fn pathways(State(ops): State<Arc<Ops>>) -> Json<Pathways> {
    Json(Pathways { pathways: steering(&ops).map(Steering::report).unwrap_or_default() })
}

/// Leads viewers away from a pathway, at their next manifest.
#[utoipa::path(
    post, path = "/api/v1/steering/pathways/{id}/drain", tag = "fleet", params(("id" = String, Path, description = "What the pathway is called")),
    responses(
        (status = 200, body = Pathways), (status = 400, body = Why), (status = 401, body = Why), (status = 403, body = Why),
        (status = 404, body = Why), (status = 503, body = Why),
    )
)]
pub(super) async fn drain(
    State(ops): State<Arc<Ops>>,
    Path(id): Path<String>,
    By(by): By,
) -> Result<Json<Pathways>, Refusal> {
    order(&ops, &id, true, &by).await
}

/// Lets viewers return to a pathway.
#[utoipa::path(
    delete, path = "/api/v1/steering/pathways/{id}/drain", tag = "fleet", params(("id" = String, Path, description = "What the pathway is called")),
    responses(
        (status = 200, body = Pathways), (status = 400, body = Why), (status = 401, body = Why), (status = 403, body = Why),
        (status = 404, body = Why), (status = 503, body = Why),
    )
)]
pub(super) async fn restore(
    State(ops): State<Arc<Ops>>,
    Path(id): Path<String>,
    By(by): By,
) -> Result<Json<Pathways>, Refusal> {
    order(&ops, &id, false, &by).await
}

/// Leads viewers away from the edge that a pathway is named after.
#[utoipa::path(
    post, path = "/api/v1/edges/{node}/drain", tag = "fleet", params(("node" = String, Path, description = "What the node is called")),
    responses(
        (status = 200, body = Pathways), (status = 400, body = Why), (status = 401, body = Why), (status = 403, body = Why),
        (status = 404, body = Why), (status = 503, body = Why),
    )
)]
pub(super) async fn drain_edge(
    State(ops): State<Arc<Ops>>,
    Path(node): Path<String>,
    By(by): By,
) -> Result<Json<Pathways>, Refusal> {
    order(&ops, &node, true, &by).await
}

/// Lets viewers return to an edge.
#[utoipa::path(
    delete, path = "/api/v1/edges/{node}/drain", tag = "fleet", params(("node" = String, Path, description = "What the node is called")),
    responses(
        (status = 200, body = Pathways), (status = 400, body = Why), (status = 401, body = Why), (status = 403, body = Why),
        (status = 404, body = Why), (status = 503, body = Why),
    )
)]
pub(super) async fn restore_edge(
    State(ops): State<Arc<Ops>>,
    Path(node): Path<String>,
    By(by): By,
) -> Result<Json<Pathways>, Refusal> {
    order(&ops, &node, false, &by).await
}

fn steering(ops: &Ops) -> Option<&Steering> {
    ops.desk.sources().steering.as_ref()
}

async fn order(ops: &Ops, id: &str, drained: bool, by: &str) -> Result<Json<Pathways>, Refusal> {
    let steering = steering(ops)
        .ok_or_else(|| Refusal::not_found("viewers are not steered: there is no [steering] in the configuration"))?;
    let known = id.parse().ok().filter(|id: &PathwayId| steering.has(id));
    let known = known.and_then(|id| id.as_str().parse::<Id>().ok());
    let known = known.ok_or_else(|| {
        Refusal::not_found(format!("there is no pathway called \"{id}\"; /api/v1/steering lists them"))
    })?;
    let registry = |why: String| {
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, format!("the registry does not take the order: {why}"))
    };
    let cluster = &ops.desk.sources().cluster;
    let mut snapshots = cluster.subscribe();
    cluster.drain(known.clone(), drained).map_err(|why| registry(why.to_string()))?;
    let done = snapshots.wait_for(|snapshot| snapshot.drained.contains(&known) == drained);
    let Ok(Ok(snapshot)) = timeout(ORDER, done).await.map(|done| done.map(|snapshot| snapshot.clone())) else {
        return Err(registry(format!("it has not answered within {ORDER:?}")));
    };
    let verb = if drained { "drain" } else { "restore" };
    ops.desk.act(|state| state.did(Kind::Edge, format!("{verb} pathway {id}"), (unix(), by)));
    let drained = |report: Report| Report {
        drained: snapshot.drained.iter().any(|id| id.as_str() == report.pathway.id.as_str()),
        ..report
    };
    Ok(Json(Pathways { pathways: steering.report().into_iter().map(drained).collect() }))
}
