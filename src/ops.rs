//! What operators and orchestrators ask, on a listener of its own: health, readiness and metrics.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use touchline_edge::replication::Readiness;
use touchline_ingest::Roster;
use touchline_ingest::health::Report;

/// What the admin listener answers from.
#[derive(Debug)]
pub(crate) struct Ops {
    /// The metrics of every stage.
    pub(crate) registry: Registry,
    /// Who publishes.
    pub(crate) roster: Roster,
    /// Cancelled when no more publishers are taken.
    pub(crate) draining: CancellationToken,
    /// Whether viewers may come.
    pub(crate) ready: Ready,
}

/// When viewers may come.
#[derive(Debug)]
pub(crate) enum Ready {
    /// From the start.
    Always,
    /// Once an origin has answered.
    Followed(Readiness),
}

/// Answers until `shutdown`.
pub(crate) async fn serve(listener: TcpListener, ops: Ops, shutdown: CancellationToken) -> std::io::Result<()> {
    axum::serve(listener, router(ops)).with_graceful_shutdown(shutdown.cancelled_owned()).await
}

fn router(ops: Ops) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/api/v1/publishers", get(publishers))
        .with_state(Arc::new(ops))
}

async fn index() -> &'static str {
    "Touchline admin\n\n/healthz            the process answers\n/readyz             publishers and viewers may come\n\
     /metrics            Prometheus\n/api/v1/publishers  who publishes, and how each feed does\n"
}

async fn readyz(State(ops): State<Arc<Ops>>) -> (StatusCode, &'static str) {
    let follows = match &ops.ready {
        Ready::Always => true,
        Ready::Followed(readiness) => readiness.is_ready(),
    };
    match (ops.draining.is_cancelled(), follows) {
        (true, _) => (StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
        (false, false) => (StatusCode::SERVICE_UNAVAILABLE, "no origin has answered yet\n"),
        (false, true) => (StatusCode::OK, "ready\n"),
    }
}

async fn publishers(State(ops): State<Arc<Ops>>) -> Json<Vec<Report>> {
    Json(ops.roster.read(Instant::now()))
}

async fn metrics(State(ops): State<Arc<Ops>>) -> impl IntoResponse {
    let mut text = String::new();
    match encode(&mut text, &ops.registry) {
        Ok(()) => (
            StatusCode::OK,
            [(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")],
            text,
        ),
        Err(_) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            [(header::CONTENT_TYPE, "text/plain; charset=utf-8")],
            "the metrics could not be written as text\n".to_owned(),
        ),
    }
}
