//! Traces of control paths by OpenTelemetry (OTLP by HTTP), if they are asked for: what operators order, who is let in by a webhook, and
//! which alerts are delivered. Media has none: its hops are histograms.

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::HOST;
use hyper::{Request, Response, Uri};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tokio::runtime::Handle;

use crate::webhook;

/// Spans with this target are told.
pub(crate) const CONTROL: &str = "touchline::control";

/// What tells. Dropping it leaves what has not been told yet.
#[derive(Debug)]
pub(crate) struct Telemetry(SdkTracerProvider);

impl Telemetry {
    /// Tells a collector, for example `http://127.0.0.1:4318`. Within a Tokio runtime.
    pub(crate) fn open(collector: &Uri) -> anyhow::Result<Self> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Client(Handle::current()))
            .with_endpoint(format!("{}/v1/traces", collector.to_string().trim_end_matches('/')))
            .build()
            .with_context(|| format!("traces cannot be sent to {collector}"))?;
        let resource = Resource::builder().with_service_name("touchline").build();
        Ok(Self(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build()))
    }

    /// What spans are handed to.
    pub(crate) fn tracer(&self) -> SdkTracer {
        self.0.tracer("touchline")
    }

    /// Tells what has not been told yet.
    pub(crate) async fn close(self) {
        let closed = tokio::task::spawn_blocking(move || self.0.shutdown()).await;
        if let Ok(Err(why)) = closed {
            tracing::warn!("the last traces were not taken: {why}");
        }
    }
}

/// Sends by the runtime of the server, whose thread ever asks.
#[derive(Debug)]
struct Client(Handle);

#[async_trait::async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (head, body) = request.into_parts();
        let url = head.uri;
        let path = url.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let mut onward = Request::post(path).header(HOST, url.authority().map_or("", |authority| authority.as_str()));
        for (name, value) in &head.headers {
            onward = onward.header(name, value);
        }
        let onward = onward.body(Full::from(body))?;
        let status = self.0.spawn(async move { webhook::send(&url, onward).await }).await??;
        Ok(Response::builder().status(status).body(Bytes::new())?)
    }
}
