//! What the dashboard is fed with.

#![allow(unused_qualifications, reason = "utoipa's macros name what a query has twice")]

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::Stream;
use futures_util::stream;
use serde::Deserialize;
use tokio::sync::broadcast::error::RecvError;
use utoipa::{IntoParams, ToSchema};

use super::Ops;
use super::body::Said;
use super::refusal::{Refusal, Why};
use crate::desk::audit::Deed;
use crate::desk::frame::Frame;
use crate::desk::history::Past;
use crate::desk::timeline::Entry;

/// Entries that are told at most.
const MAX_ENTRIES: usize = 1_000;

/// How far back.
#[derive(Debug, Deserialize, IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Span {
    /// At most six hours are kept.
    #[param(minimum = 1, maximum = 21_600, default = 3_600)]
    seconds: Option<u64>,
}

/// How many.
#[derive(Debug, Deserialize, IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Limit {
    #[param(minimum = 1, maximum = 1_000, default = 200)]
    limit: Option<usize>,
}

impl Limit {
    fn checked(&self) -> Result<usize, Refusal> {
        let limit = self.limit.unwrap_or(200);
        let known = (1..=MAX_ENTRIES).contains(&limit);
        known.then_some(limit).ok_or_else(|| Refusal::bad_request("limit: it has to be a whole number from 1 to 1000"))
    }
}

/// Everything, as it was seen last: at most a second ago.
#[utoipa::path(
    get, path = "/api/v1/desk", tag = "desk",
    responses((status = 200, body = Frame), (status = 401, body = Why), (status = 403, body = Why))
)]
pub(super) async fn frame(State(ops): State<Arc<Ops>>) -> Json<Frame> {
    let frame = Frame::clone(&ops.desk.frames().borrow());
    Json(frame)
}

/// The same once a second as `frame`, and what happens as `entry` (text/event-stream).
#[utoipa::path(
    get, path = "/api/v1/desk/stream", tag = "desk",
    responses(
        (status = 200, body = String, content_type = "text/event-stream"),
        (status = 401, body = Why), (status = 403, body = Why),
    )
)]
pub(super) async fn stream(State(ops): State<Arc<Ops>>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let (mut frames, entries, closing) = (ops.desk.frames(), ops.desk.entries(), ops.closing.clone());
    // Who comes sees at once what there is.
    frames.mark_changed();
    let events = stream::unfold((frames, entries, closing), async |(mut frames, mut entries, closing)| {
        let event = loop {
            tokio::select! {
                changed = frames.changed() => {
                    changed.ok()?;
                    let frame = Arc::clone(&frames.borrow_and_update());
                    break Event::default().event("frame").json_data(&*frame);
                }
                entry = entries.recv() => match entry {
                    Ok(entry) => break Event::default().event("entry").json_data(entry),
                    // Who is slow asks for the timeline when it likes.
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return None,
                },
                () = closing.cancelled() => return None,
            }
        };
        Some((Ok(event.ok()?), (frames, entries, closing)))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))
}

/// What has been, in even steps.
#[utoipa::path(
    get, path = "/api/v1/desk/history", tag = "desk", params(Span),
    responses((status = 200, body = Past), (status = 400, body = Why), (status = 401, body = Why), (status = 403, body = Why))
)]
pub(super) async fn history(State(ops): State<Arc<Ops>>, Said(span): Said<Span>) -> Result<Json<Past>, Refusal> {
    let seconds = span.seconds.unwrap_or(3_600);
    if !(1..=21_600).contains(&seconds) {
        return Err(Refusal::bad_request("seconds: it has to be a whole number from 1 to 21600"));
    }
    Ok(Json(ops.desk.with(|state| state.past(seconds))))
}

/// What has happened, newest first.
#[utoipa::path(
    get, path = "/api/v1/timeline", tag = "desk", params(Limit),
    responses((status = 200, body = Vec<Entry>), (status = 400, body = Why), (status = 401, body = Why), (status = 403, body = Why))
)]
pub(super) async fn timeline(
    State(ops): State<Arc<Ops>>,
    Said(limit): Said<Limit>,
) -> Result<Json<Vec<Entry>>, Refusal> {
    let limit = limit.checked()?;
    Ok(Json(ops.desk.with(|state| state.entries(limit))))
}

/// What has been done by hand, newest first.
#[utoipa::path(
    get, path = "/api/v1/audit", tag = "desk", params(Limit),
    responses((status = 200, body = Vec<Deed>), (status = 400, body = Why), (status = 401, body = Why), (status = 403, body = Why))
)]
pub(super) async fn audit(State(ops): State<Arc<Ops>>, Said(limit): Said<Limit>) -> Result<Json<Vec<Deed>>, Refusal> {
    let limit = limit.checked()?;
    Ok(Json(ops.desk.with(|state| state.deeds(limit))))
}
