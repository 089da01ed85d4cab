//! The calendar of events.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::Ops;
use super::body::{Asked, By, Perhaps};
use super::refusal::{Refusal, Why};
use crate::desk::calendar::{EventSpec, EventStatus};
use crate::desk::frame::Order;
use crate::desk::pool::EDGES;
use crate::desk::{State as Desk, unix};

/// All events, and where each stands.
#[utoipa::path(
    get, path = "/api/v1/events", tag = "events",
    responses((status = 200, body = Vec<EventStatus>), (status = 401, body = Why), (status = 403, body = Why))
)]
pub(super) async fn list(State(ops): State<Arc<Ops>>) -> Json<Vec<EventStatus>> {
    Json(ops.desk.with(|state| state.events(unix())))
}

/// One event.
#[utoipa::path(
    get, path = "/api/v1/events/{id}", tag = "events", params(("id" = String, Path, description = "What the event is called")),
    responses(
        (status = 200, body = EventStatus), (status = 400, body = Why), (status = 401, body = Why),
        (status = 403, body = Why), (status = 404, body = Why),
    )
)]
pub(super) async fn get(State(ops): State<Arc<Ops>>, Path(id): Path<String>) -> Result<Json<EventStatus>, Refusal> {
    Ok(Json(ops.desk.with(|state| state.event(&id, unix()))?))
}

/// Plans an event, or plans it anew.
#[utoipa::path(
    put, path = "/api/v1/events/{id}", tag = "events", params(("id" = String, Path, description = "What the event is called")), request_body = EventSpec,
    responses(
        (status = 200, body = EventStatus), (status = 201, body = EventStatus), (status = 400, body = Why),
        (status = 401, body = Why), (status = 403, body = Why),
    )
)]
pub(super) async fn put(
    State(ops): State<Arc<Ops>>,
    Path(id): Path<String>,
    By(by): By,
    Asked(spec): Asked<EventSpec>,
) -> Result<Response, Refusal> {
    let now = unix();
    let (new, status) = ops.desk.act(|state: &mut Desk| {
        let new = state.plan(&id, &spec, (now, &by))?;
        Ok::<_, crate::desk::Refusal>((new, state.event(&id, now)?))
    })?;
    Ok((if new { StatusCode::CREATED } else { StatusCode::OK }, Json(status)).into_response())
}

/// Takes an event out of the calendar.
#[utoipa::path(
    delete, path = "/api/v1/events/{id}", tag = "events", params(("id" = String, Path, description = "What the event is called")),
    responses(
        (status = 204), (status = 400, body = Why), (status = 401, body = Why), (status = 403, body = Why),
        (status = 404, body = Why),
    )
)]
pub(super) async fn delete(
    State(ops): State<Arc<Ops>>,
    Path(id): Path<String>,
    By(by): By,
) -> Result<StatusCode, Refusal> {
    ops.desk.act(|state| state.cancel(&id, (unix(), &by)))?;
    Ok(StatusCode::NO_CONTENT)
}

/// It lasts longer than was planned, by some minutes.
#[utoipa::path(
    post, path = "/api/v1/events/{id}/extend", tag = "events", params(("id" = String, Path, description = "What the event is called")), request_body = Order,
    responses(
        (status = 200, body = EventStatus), (status = 400, body = Why), (status = 401, body = Why),
        (status = 403, body = Why), (status = 404, body = Why), (status = 409, body = Why),
    )
)]
pub(super) async fn extend(
    State(ops): State<Arc<Ops>>,
    Path(id): Path<String>,
    By(by): By,
    Asked(order): Asked<Order>,
) -> Result<Json<EventStatus>, Refusal> {
    Ok(Json(ops.desk.act(|state| state.extend(&id, &order, (unix(), &by)))?))
}

/// It has ended: what was held for it may be taken away.
#[utoipa::path(
    post, path = "/api/v1/events/{id}/end", tag = "events", params(("id" = String, Path, description = "What the event is called")), request_body = Option<Order>,
    responses(
        (status = 200, body = EventStatus), (status = 400, body = Why), (status = 401, body = Why),
        (status = 403, body = Why), (status = 404, body = Why),
    )
)]
pub(super) async fn end(
    State(ops): State<Arc<Ops>>,
    Path(id): Path<String>,
    By(by): By,
    Perhaps(order): Perhaps<Order>,
) -> Result<Json<EventStatus>, Refusal> {
    Ok(Json(ops.desk.act(|state| state.end(&id, &order, (unix(), &by)))?))
}

/// So many times what is needed of edges, for some minutes, because of this event.
#[utoipa::path(
    post, path = "/api/v1/events/{id}/surge", tag = "events", params(("id" = String, Path, description = "What the event is called")), request_body = Order,
    responses(
        (status = 200, body = EventStatus), (status = 400, body = Why), (status = 401, body = Why),
        (status = 403, body = Why), (status = 404, body = Why),
    )
)]
pub(super) async fn surge(
    State(ops): State<Arc<Ops>>,
    Path(id): Path<String>,
    By(by): By,
    Asked(order): Asked<Order>,
) -> Result<Json<EventStatus>, Refusal> {
    let now = unix();
    ops.desk.act(|state| state.surge(EDGES, Some(&id), &order, (now, &by)))?;
    Ok(Json(ops.desk.with(|state| state.event(&id, now))?))
}

/// The hint for edges stays as it is, for some minutes, because of this event.
#[utoipa::path(
    post, path = "/api/v1/events/{id}/freeze", tag = "events", params(("id" = String, Path, description = "What the event is called")), request_body = Order,
    responses(
        (status = 200, body = EventStatus), (status = 400, body = Why), (status = 401, body = Why),
        (status = 403, body = Why), (status = 404, body = Why),
    )
)]
pub(super) async fn freeze(
    State(ops): State<Arc<Ops>>,
    Path(id): Path<String>,
    By(by): By,
    Asked(order): Asked<Order>,
) -> Result<Json<EventStatus>, Refusal> {
    let now = unix();
    ops.desk.act(|state| state.freeze(EDGES, Some(&id), &order, (now, &by)))?;
    Ok(Json(ops.desk.with(|state| state.event(&id, now))?))
}
