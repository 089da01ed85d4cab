//! What is wrong, and messages of it that nobody has taken.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::Ops;
use super::body::By;
use super::refusal::{Refusal, Why};
use crate::desk::deliveries::DeadLetter;
use crate::desk::frame::AlertStatus;
use crate::desk::timeline::Kind;
use crate::desk::unix;

/// Alerts that fire now.
#[utoipa::path(
    get, path = "/api/v1/alerts", tag = "alerts",
    responses((status = 200, body = Vec<AlertStatus>), (status = 401, body = Why), (status = 403, body = Why))
)]
pub(super) async fn alerts(State(ops): State<Arc<Ops>>) -> Json<Vec<AlertStatus>> {
    let alerts = ops.desk.frames().borrow().alerts.clone();
    Json(alerts)
}

/// Messages that could not be delivered within an hour, newest first; a hundred are kept.
#[utoipa::path(
    get, path = "/api/v1/webhooks/dead", tag = "alerts",
    responses((status = 200, body = Vec<DeadLetter>), (status = 401, body = Why), (status = 403, body = Why))
)]
pub(super) async fn dead(State(ops): State<Arc<Ops>>) -> Json<Vec<DeadLetter>> {
    Json(ops.desk.with(|state| state.deliveries().dead().collect()))
}

/// Tries one again, for another hour.
#[utoipa::path(
    post, path = "/api/v1/webhooks/dead/{id}", tag = "alerts", params(("id" = String, Path, description = "The number of the message")),
    responses(
        (status = 204), (status = 400, body = Why), (status = 401, body = Why), (status = 403, body = Why), (status = 404, body = Why),
    )
)]
pub(super) async fn retry(
    State(ops): State<Arc<Ops>>,
    Path(id): Path<String>,
    By(by): By,
) -> Result<StatusCode, Refusal> {
    let there = |state: &mut crate::desk::State, number| state.deliveries().retry(number, unix());
    order(&ops, &id, &by, "retry", there)
}

/// Lets go of one.
#[utoipa::path(
    delete, path = "/api/v1/webhooks/dead/{id}", tag = "alerts", params(("id" = String, Path, description = "The number of the message")),
    responses(
        (status = 204), (status = 400, body = Why), (status = 401, body = Why), (status = 403, body = Why), (status = 404, body = Why),
    )
)]
pub(super) async fn discard(
    State(ops): State<Arc<Ops>>,
    Path(id): Path<String>,
    By(by): By,
) -> Result<StatusCode, Refusal> {
    order(&ops, &id, &by, "discard", |state, number| state.deliveries().discard(number))
}

fn order(
    ops: &Ops,
    id: &str,
    by: &str,
    verb: &str,
    act: impl FnOnce(&mut crate::desk::State, u64) -> bool,
) -> Result<StatusCode, Refusal> {
    let unknown = || Refusal::not_found(format!("there is no message {id:?}; GET /api/v1/webhooks/dead lists them"));
    let number = id.parse().map_err(|_| unknown())?;
    ops.desk.act(|state| {
        if !act(state, number) {
            return Err(unknown());
        }
        state.did(Kind::Alert, format!("{verb} message {number}"), (unix(), by));
        Ok(StatusCode::NO_CONTENT)
    })
}
