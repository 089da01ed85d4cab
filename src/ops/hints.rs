//! Hints, for people and for autoscalers that ask by HTTP.

#![allow(unused_qualifications, reason = "utoipa's macros name what a query has twice")]

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Ops;
use super::body::{Asked, By, Said};
use super::refusal::{Refusal, Why};
use crate::desk::frame::Order;
use crate::desk::pool::HintStatus;
use crate::desk::{Desk, parse_rfc3339, unix};

/// Which moment.
#[derive(Debug, Deserialize, IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Moment {
    /// RFC 3339. Now, unless given.
    #[param(format = DateTime)]
    at: Option<String>,
}

/// Which pool.
#[derive(Debug, Deserialize, IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct OfPool {
    /// `edges` or `transcoders`.
    #[param(default = "edges")]
    pool: Option<String>,
}

/// What an autoscaler reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Metric {
    pub(super) pool: String,
    /// That are needed.
    pub(super) nodes: u64,
    /// Nobody knows how many watch: it does not fall.
    pub(super) stale: bool,
}

/// What an autoscaler is told, by whichever way it asks.
pub(super) fn metric(desk: &Desk, pool: &str) -> Result<Metric, Refusal> {
    desk.with(|state| {
        let hint = state.pool(pool)?.last().filter(|hint| !hint.stale || hint.nodes_now > 0 || hint.nodes > 1);
        let hint = hint.ok_or_else(|| {
            // A number would be taken for what is needed.
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "nothing is known yet: leave what there is as it is")
        })?;
        Ok(Metric { pool: hint.pool.clone(), nodes: hint.nodes, stale: hint.stale })
    })
}

fn last(desk: &Desk, pool: &str) -> Result<HintStatus, Refusal> {
    desk.with(|state| {
        let hint = state.pool(pool)?.last().cloned();
        hint.ok_or_else(|| {
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "nothing has been seen yet: ask again in a second")
        })
    })
}

/// What a pool will need, and why.
#[utoipa::path(
    get, path = "/api/v1/hints/{pool}", tag = "hints", params(("pool" = String, Path, description = "`edges` or `transcoders`")),
    responses(
        (status = 200, body = HintStatus), (status = 400, body = Why), (status = 401, body = Why), (status = 403, body = Why),
        (status = 404, body = Why), (status = 503, body = Why),
    )
)]
pub(super) async fn get(State(ops): State<Arc<Ops>>, Path(pool): Path<String>) -> Result<Json<HintStatus>, Refusal> {
    Ok(Json(last(&ops.desk, &pool)?))
}

/// What was said at a moment of the last six hours, and why.
#[utoipa::path(
    get, path = "/api/v1/hints/{pool}/explain", tag = "hints", params(Moment, ("pool" = String, Path, description = "`edges` or `transcoders`")),
    responses(
        (status = 200, body = HintStatus), (status = 400, body = Why), (status = 401, body = Why),
        (status = 403, body = Why), (status = 404, body = Why),
    )
)]
pub(super) async fn explain(
    State(ops): State<Arc<Ops>>,
    Path(pool): Path<String>,
    Said(moment): Said<Moment>,
) -> Result<Json<HintStatus>, Refusal> {
    let at = match &moment.at {
        Some(text) => parse_rfc3339(text)
            .ok_or_else(|| Refusal::bad_request("at: it has to be a moment, for example 2026-12-05T20:00:00Z"))?,
        None => unix(),
    };
    ops.desk.with(|state| {
        let said = state.pool(&pool)?.said(at).cloned();
        said.map(Json).ok_or_else(|| Refusal::not_found("nobody remembers: hints are kept for six hours, in memory"))
    })
}

/// So many times what is needed, for some minutes.
#[utoipa::path(
    post, path = "/api/v1/hints/{pool}/surge", tag = "hints", params(("pool" = String, Path, description = "`edges` or `transcoders`")), request_body = Order,
    responses(
        (status = 204), (status = 400, body = Why), (status = 401, body = Why), (status = 403, body = Why),
        (status = 404, body = Why),
    )
)]
pub(super) async fn surge(
    State(ops): State<Arc<Ops>>,
    Path(pool): Path<String>,
    By(by): By,
    Asked(order): Asked<Order>,
) -> Result<StatusCode, Refusal> {
    ops.desk.act(|state| state.surge(&pool, None, &order, (unix(), &by)))?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes back a surge.
#[utoipa::path(
    delete, path = "/api/v1/hints/{pool}/surge", tag = "hints", params(("pool" = String, Path, description = "`edges` or `transcoders`")),
    responses(
        (status = 204), (status = 400, body = Why), (status = 401, body = Why), (status = 403, body = Why), (status = 404, body = Why),
    )
)]
pub(super) async fn calm(
    State(ops): State<Arc<Ops>>,
    Path(pool): Path<String>,
    By(by): By,
) -> Result<StatusCode, Refusal> {
    ops.desk.act(|state| state.calm(&pool, (unix(), &by)))?;
    Ok(StatusCode::NO_CONTENT)
}

/// The hint stays as it is, for some minutes.
#[utoipa::path(
    post, path = "/api/v1/hints/{pool}/freeze", tag = "hints", params(("pool" = String, Path, description = "`edges` or `transcoders`")), request_body = Order,
    responses(
        (status = 204), (status = 400, body = Why), (status = 401, body = Why), (status = 403, body = Why),
        (status = 404, body = Why),
    )
)]
pub(super) async fn freeze(
    State(ops): State<Arc<Ops>>,
    Path(pool): Path<String>,
    By(by): By,
    Asked(order): Asked<Order>,
) -> Result<StatusCode, Refusal> {
    ops.desk.act(|state| state.freeze(&pool, None, &order, (unix(), &by)))?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes back a freeze.
#[utoipa::path(
    delete, path = "/api/v1/hints/{pool}/freeze", tag = "hints", params(("pool" = String, Path, description = "`edges` or `transcoders`")),
    responses(
        (status = 204), (status = 400, body = Why), (status = 401, body = Why), (status = 403, body = Why), (status = 404, body = Why),
    )
)]
pub(super) async fn thaw(
    State(ops): State<Arc<Ops>>,
    Path(pool): Path<String>,
    By(by): By,
) -> Result<StatusCode, Refusal> {
    ops.desk.act(|state| state.thaw(&pool, (unix(), &by)))?;
    Ok(StatusCode::NO_CONTENT)
}

/// What KEDA's metrics-api trigger reads, without a token: `valueLocation: nodes`.
#[utoipa::path(
    get, path = "/metric", tag = "hints", params(OfPool),
    responses((status = 200, body = Metric), (status = 400, body = Why), (status = 404, body = Why), (status = 503, body = Why))
)]
pub(super) async fn keda(State(ops): State<Arc<Ops>>, Said(of): Said<OfPool>) -> Result<Json<Metric>, Refusal> {
    Ok(Json(metric(&ops.desk, of.pool.as_deref().unwrap_or(crate::desk::pool::EDGES))?))
}
