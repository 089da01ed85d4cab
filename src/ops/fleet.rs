//! Channels, publishers, edges and keys: what there is, and what an operator does about it.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use touchline_media::ChannelName;
use touchline_registry::Snapshot;
use utoipa::ToSchema;

use super::Ops;
use super::body::By;
use super::refusal::{Refusal, Why};
use crate::desk::frame::{ChannelStatus, EdgeStatus, PublisherStatus};
use crate::desk::timeline::Kind;
use crate::desk::unix;

/// Who may publish into a channel: what keys are called, and not what they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct KeyStatus {
    /// `*` stands for all channels without keys of their own.
    channel: String,
    /// As `[publish.keys]` calls it; empty where it has no name.
    name: String,
}

/// Channels that are live, or are watched.
#[utoipa::path(
    get, path = "/api/v1/channels", tag = "fleet",
    responses((status = 200, body = Vec<ChannelStatus>), (status = 401, body = Why), (status = 403, body = Why))
)]
pub(super) async fn channels(State(ops): State<Arc<Ops>>) -> Json<Vec<ChannelStatus>> {
    let channels = ops.desk.frames().borrow().channels.clone();
    Json(channels)
}

/// One of them.
#[utoipa::path(
    get, path = "/api/v1/channels/{name}", tag = "fleet", params(("name" = String, Path, description = "The channel")),
    responses(
        (status = 200, body = ChannelStatus), (status = 400, body = Why), (status = 401, body = Why),
        (status = 403, body = Why), (status = 404, body = Why),
    )
)]
pub(super) async fn channel(
    State(ops): State<Arc<Ops>>,
    Path(name): Path<String>,
) -> Result<Json<ChannelStatus>, Refusal> {
    let found = ops.desk.frames().borrow().channels.iter().find(|status| status.channel == name).cloned();
    found.map(Json).ok_or_else(|| not_live(&name))
}

/// Its newest still picture.
#[utoipa::path(
    get, path = "/api/v1/channels/{name}/thumbnail.jpg", tag = "fleet", params(("name" = String, Path, description = "The channel")),
    responses(
        (status = 200, body = Vec<u8>, content_type = "image/jpeg"), (status = 400, body = Why), (status = 401, body = Why),
        (status = 403, body = Why), (status = 404, body = Why),
    )
)]
pub(super) async fn thumbnail(State(ops): State<Arc<Ops>>, Path(name): Path<String>) -> Result<Response, Refusal> {
    let known: ChannelName = name.parse().map_err(|_| not_live(&name))?;
    let jpeg = ops.desk.sources().hub.still(&known);
    let jpeg = jpeg.ok_or_else(|| Refusal::not_found(format!("there is no still picture of \"{name}\" yet")))?;
    let headers = [(header::CONTENT_TYPE, "image/jpeg"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, jpeg).into_response())
}

/// Sends whoever publishes into a channel away.
#[utoipa::path(
    post, path = "/api/v1/channels/{name}/kick", tag = "fleet", params(("name" = String, Path, description = "The channel")),
    responses(
        (status = 204), (status = 400, body = Why), (status = 401, body = Why), (status = 403, body = Why), (status = 404, body = Why),
    )
)]
pub(super) async fn kick_channel(
    State(ops): State<Arc<Ops>>,
    Path(name): Path<String>,
    By(by): By,
) -> Result<StatusCode, Refusal> {
    let known: ChannelName = name.parse().map_err(|_| not_live(&name))?;
    evict(&ops, &known, &by)
}

/// Who publishes, and how each feed does.
#[utoipa::path(
    get, path = "/api/v1/publishers", tag = "fleet",
    responses((status = 200, body = Vec<PublisherStatus>), (status = 401, body = Why), (status = 403, body = Why))
)]
pub(super) async fn publishers(State(ops): State<Arc<Ops>>) -> Json<Vec<PublisherStatus>> {
    Json(read(&ops))
}

/// One of them.
#[utoipa::path(
    get, path = "/api/v1/publishers/{id}", tag = "fleet", params(("id" = String, Path, description = "As GET /api/v1/publishers has it")),
    responses(
        (status = 200, body = PublisherStatus), (status = 400, body = Why), (status = 401, body = Why),
        (status = 403, body = Why), (status = 404, body = Why),
    )
)]
pub(super) async fn publisher(
    State(ops): State<Arc<Ops>>,
    Path(id): Path<String>,
) -> Result<Json<PublisherStatus>, Refusal> {
    Ok(Json(find(&ops, &id)?))
}

/// Sends a publisher away. Its encoder may come again: take its key away first.
#[utoipa::path(
    delete, path = "/api/v1/publishers/{id}", tag = "fleet", params(("id" = String, Path, description = "As GET /api/v1/publishers has it")),
    responses(
        (status = 204), (status = 400, body = Why), (status = 401, body = Why), (status = 403, body = Why), (status = 404, body = Why),
    )
)]
pub(super) async fn kick(
    State(ops): State<Arc<Ops>>,
    Path(id): Path<String>,
    By(by): By,
) -> Result<StatusCode, Refusal> {
    let publisher = find(&ops, &id)?;
    let channel: ChannelName = publisher.channel.parse().map_err(|_| no_publisher(&id))?;
    evict(&ops, &channel, &by)
}

fn evict(ops: &Ops, channel: &ChannelName, by: &str) -> Result<StatusCode, Refusal> {
    if !ops.desk.sources().live.evict(channel) {
        return Err(Refusal::not_found(format!("nobody publishes into \"{channel}\"")));
    }
    ops.desk.act(|state| state.did(Kind::Publisher, format!("send away who publishes into {channel}"), (unix(), by)));
    Ok(StatusCode::NO_CONTENT)
}

fn read(ops: &Ops) -> Vec<PublisherStatus> {
    ops.desk.sources().roster.read(Instant::now()).into_iter().map(PublisherStatus::from).collect()
}

fn find(ops: &Ops, id: &str) -> Result<PublisherStatus, Refusal> {
    let wanted: u64 = id.parse().map_err(|_| no_publisher(id))?;
    read(ops).into_iter().find(|publisher| publisher.id == wanted).ok_or_else(|| no_publisher(id))
}

fn no_publisher(id: &str) -> Refusal {
    Refusal::not_found(format!("there is no publisher {id:?}; GET /api/v1/publishers lists them"))
}

fn not_live(name: &str) -> Refusal {
    Refusal::not_found(format!("{name:?} is not live here; GET /api/v1/channels lists what is"))
}

/// Nodes that serve viewers.
#[utoipa::path(
    get, path = "/api/v1/edges", tag = "fleet",
    responses((status = 200, body = Vec<EdgeStatus>), (status = 401, body = Why), (status = 403, body = Why))
)]
pub(super) async fn edges(State(ops): State<Arc<Ops>>) -> Json<Vec<EdgeStatus>> {
    let edges = ops.desk.frames().borrow().edges.clone();
    Json(edges)
}

/// One of them.
#[utoipa::path(
    get, path = "/api/v1/edges/{node}", tag = "fleet", params(("node" = String, Path, description = "What the node is called")),
    responses(
        (status = 200, body = EdgeStatus), (status = 400, body = Why), (status = 401, body = Why),
        (status = 403, body = Why), (status = 404, body = Why),
    )
)]
pub(super) async fn edge(State(ops): State<Arc<Ops>>, Path(node): Path<String>) -> Result<Json<EdgeStatus>, Refusal> {
    let found = ops.desk.frames().borrow().edges.iter().find(|edge| edge.node == node).cloned();
    found.map(Json).ok_or_else(|| no_edge(&node))
}

fn no_edge(node: &str) -> Refusal {
    Refusal::not_found(format!("there is no node {node:?} that serves viewers; GET /api/v1/edges lists them"))
}

/// What publishers' keys are called. The keys themselves are told to nobody.
#[utoipa::path(
    get, path = "/api/v1/keys", tag = "fleet",
    responses((status = 200, body = Vec<KeyStatus>), (status = 401, body = Why), (status = 403, body = Why))
)]
pub(super) async fn keys(State(ops): State<Arc<Ops>>) -> Json<Vec<KeyStatus>> {
    let names = ops.keys.iter().cloned();
    Json(names.map(|(channel, name)| KeyStatus { channel, name }).collect())
}

/// Which node of the cluster has which channel.
#[utoipa::path(
    get, path = "/api/v1/cluster", tag = "fleet",
    responses((status = 200, body = serde_json::Value), (status = 401, body = Why), (status = 403, body = Why))
)]
pub(super) async fn cluster(State(ops): State<Arc<Ops>>) -> Json<Snapshot> {
    Json(Snapshot::clone(&ops.desk.sources().cluster.snapshot()))
}
