//! What operators, orchestrators and autoscalers ask, on a listener of its own.

mod body;
mod desk;
mod events;
mod fleet;
mod gate;
mod hints;
mod keda;
mod page;
mod refusal;
mod steering;
mod webhooks;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use touchline_edge::replication::Readiness;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) use self::gate::Gate;
use crate::desk::Desk;

/// What the admin listener answers from.
#[derive(Debug)]
pub(crate) struct Ops {
    /// The metrics of every stage.
    pub(crate) registry: Registry,
    /// What is seen.
    pub(crate) desk: Desk,
    /// Who may ask.
    pub(crate) gate: Gate,
    /// What publishers' keys are called, by channel.
    pub(crate) keys: Vec<(String, String)>,
    /// Cancelled when no more publishers are taken.
    pub(crate) draining: CancellationToken,
    /// Cancelled when answers that go on for ever have to end.
    pub(crate) closing: CancellationToken,
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

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Touchline admin",
        description = "What operators and autoscalers ask of a Touchline server. Where a token is set, everything but /healthz, \
                       /readyz, /metrics and /metric wants it: as `Authorization: Bearer TOKEN`, or by a session.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    tags(
        (name = "desk", description = "What is seen, once a second"),
        (name = "events", description = "The calendar of what people come for"),
        (name = "hints", description = "What the next minutes will need"),
        (name = "fleet", description = "Channels, publishers, edges and keys"),
        (name = "alerts", description = "What is wrong, and whom to tell"),
        (name = "session", description = "Logging in"),
        (name = "process", description = "What orchestrators ask"),
    )
)]
struct Document;

/// Answers until `ops.closing`.
pub(crate) async fn serve(listener: TcpListener, ops: Ops) -> std::io::Result<()> {
    let closing = ops.closing.clone();
    let app = router(ops).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, app).with_graceful_shutdown(closing.cancelled_owned()).await
}

fn router(ops: Ops) -> Router {
    let ops = Arc::new(ops);
    let (open, guarded) = (open(), guarded());
    let mut document = open.get_openapi().clone();
    document.merge(guarded.get_openapi().clone());
    let json = document.to_pretty_json().unwrap_or_default();
    let document = async move || ([(header::CONTENT_TYPE, "application/json")], json);
    let (open, _) = open.split_for_parts();
    let (guarded, _) = guarded.split_for_parts();
    let guarded = guarded.layer(from_fn_with_state(Arc::clone(&ops), gate::guard));
    Router::new()
        .merge(open)
        .merge(guarded)
        .route("/", get(page::index))
        .route("/assets/{name}", get(page::asset))
        .route("/api/v1/openapi.json", get(document))
        .route_service(keda::PATH, keda::Scaler::new(Arc::clone(&ops)))
        .fallback(page::nothing)
        .method_not_allowed_fallback(page::no_method)
        .with_state(ops)
}

/// What is answered to everybody: nothing in it is secret, and orchestrators have no token.
fn open() -> OpenApiRouter<Arc<Ops>> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(healthz))
        .routes(routes!(readyz))
        .routes(routes!(metrics))
        .routes(routes!(hints::keda))
        .routes(routes!(gate::session, gate::log_in, gate::log_out))
}

/// What is answered to operators.
fn guarded() -> OpenApiRouter<Arc<Ops>> {
    OpenApiRouter::new()
        .routes(routes!(desk::frame))
        .routes(routes!(desk::stream))
        .routes(routes!(desk::history))
        .routes(routes!(desk::timeline))
        .routes(routes!(desk::audit))
        .routes(routes!(events::list))
        .routes(routes!(events::get, events::put, events::delete))
        .routes(routes!(events::extend))
        .routes(routes!(events::end))
        .routes(routes!(events::surge))
        .routes(routes!(events::freeze))
        .routes(routes!(hints::get))
        .routes(routes!(hints::explain))
        .routes(routes!(hints::surge, hints::calm))
        .routes(routes!(hints::freeze, hints::thaw))
        .routes(routes!(fleet::channels))
        .routes(routes!(fleet::channel))
        .routes(routes!(fleet::thumbnail))
        .routes(routes!(fleet::kick_channel))
        .routes(routes!(fleet::publishers))
        .routes(routes!(fleet::publisher, fleet::kick))
        .routes(routes!(fleet::edges))
        .routes(routes!(fleet::edge))
        .routes(routes!(fleet::keys))
        .routes(routes!(fleet::cluster))
        .routes(routes!(steering::drain_edge, steering::restore_edge))
        .routes(routes!(steering::pathways))
        .routes(routes!(steering::drain, steering::restore))
        .routes(routes!(webhooks::alerts))
        .routes(routes!(webhooks::dead))
        .routes(routes!(webhooks::retry, webhooks::discard))
}

/// The process answers.
#[utoipa::path(get, path = "/healthz", tag = "process", responses((status = 200, body = String, content_type = "text/plain")))]
async fn healthz() -> &'static str {
    "ok\n"
}

/// Publishers and viewers may come.
#[utoipa::path(
    get, path = "/readyz", tag = "process",
    responses(
        (status = 200, body = String, content_type = "text/plain"), (status = 503, body = String, content_type = "text/plain"),
    )
)]
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

/// For Prometheus.
#[utoipa::path(
    get, path = "/metrics", tag = "process",
    responses((status = 200, body = String, content_type = "application/openmetrics-text"))
)]
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

#[cfg(test)]
mod tests {
    use super::*;

    /// As clients are generated from: `UPDATE=1 cargo test openapi` writes it anew.
    #[test]
    fn the_openapi_document_is_checked_in() {
        let mut document = open().get_openapi().clone();
        document.merge(guarded().get_openapi().clone());
        let json = format!("{}\n", document.to_pretty_json().unwrap());
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(path, &json).unwrap();
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            kept == json,
            "docs/openapi.json is not what the server says: UPDATE=1 cargo test openapi, and look at the difference"
        );
    }
}
