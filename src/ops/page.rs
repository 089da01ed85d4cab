//! The dashboard, and a list of what there is for who has no browser.

use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::refusal::Refusal;

const LIST: &str = "\
Touchline admin: in a browser, the event desk

/healthz                 the process answers
/readyz                  publishers and viewers may come
/metrics                 Prometheus
/metric?pool=edges       nodes that are needed, for KEDA's metrics-api; by gRPC, its external scaler
/api/v1/openapi.json     all that follows
/api/v1/desk             everything, as it is now; /stream: once a second
/api/v1/channels         who watches what
/api/v1/publishers       who publishes, and how each feed does
/api/v1/edges            who serves viewers
/api/v1/events           the calendar
/api/v1/hints/edges      what the next minutes will need, and why
/api/v1/alerts           what is wrong
/api/v1/timeline         what has happened
/api/v1/cluster          which node has which channel
/api/v1/steering         the pathways that viewers are led to
";

/// Nothing but what the page itself brings: what an encoder calls itself is text, and stays so.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

pub(super) async fn index(headers: HeaderMap) -> Response {
    let accepted = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if !accepted.contains("text/html") {
        return LIST.into_response();
    }
    let mut response = embedded("desk.html", &headers);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

pub(super) async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Response {
    embedded(&format!("assets/{name}"), &headers)
}

pub(super) async fn nothing() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "there is nothing here; / lists what there is")
}

pub(super) async fn no_method(method: Method) -> Refusal {
    let why = format!("{method} cannot be done here; /api/v1/openapi.json says what can");
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, why)
}

fn embedded(path: &str, headers: &HeaderMap) -> Response {
    match touchline_edge::embedded(path, headers) {
        Some(response) => response.map(Body::new),
        None => Refusal::not_found("there is nothing here; / lists what there is").into_response(),
    }
}
