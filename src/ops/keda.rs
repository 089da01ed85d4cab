//! KEDA's external scaler by gRPC: `externalscaler.ExternalScaler` of its `externalscaler.proto`, on the same listener.
//!
//! The trigger's metadata says which pool: `pool: edges`. The target is one, so that the metric is a number of nodes.

#![expect(clippy::struct_field_names, reason = "fields are called as in the proto file")]

use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::http::{Request, Response};
use futures_util::Stream;
use futures_util::stream;
use tonic::body::Body as GrpcBody;
use tonic::server::{Grpc, NamedService, ServerStreamingService, UnaryService};
use tonic::{Code, Request as Call, Response as Answer, Status};
use tonic_prost::ProstCodec;
use tower::Service;

use super::Ops;
use super::hints::metric;
use crate::desk::pool::EDGES;

/// As the proto file names it.
pub(super) const PATH: &str = "/externalscaler.ExternalScaler/{method}";

/// What the metric is called.
const METRIC: &str = "nodes";

#[derive(Clone, PartialEq, prost::Message)]
struct ScaledObjectRef {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    namespace: String,
    #[prost(map = "string, string", tag = "3")]
    scaler_metadata: HashMap<String, String>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct IsActiveResponse {
    #[prost(bool, tag = "1")]
    result: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
struct GetMetricSpecResponse {
    #[prost(message, repeated, tag = "1")]
    metric_specs: Vec<MetricSpec>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct MetricSpec {
    #[prost(string, tag = "1")]
    metric_name: String,
    #[prost(int64, tag = "2")]
    target_size: i64,
    #[prost(double, tag = "3")]
    target_size_float: f64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct GetMetricsRequest {
    #[prost(message, optional, tag = "1")]
    scaled_object_ref: Option<ScaledObjectRef>,
    #[prost(string, tag = "2")]
    metric_name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct GetMetricsResponse {
    #[prost(message, repeated, tag = "1")]
    metric_values: Vec<MetricValue>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct MetricValue {
    #[prost(string, tag = "1")]
    metric_name: String,
    #[prost(int64, tag = "2")]
    metric_value: i64,
    #[prost(double, tag = "3")]
    metric_value_float: f64,
}

/// Answers KEDA.
#[derive(Debug, Clone)]
pub(super) struct Scaler(Arc<Ops>);

impl Scaler {
    pub(super) fn new(ops: Arc<Ops>) -> Self {
        Self(ops)
    }

    /// Nodes that a pool needs.
    fn nodes(&self, object: &ScaledObjectRef) -> Result<u64, Status> {
        let pool = object.scaler_metadata.get("pool").map_or(EDGES, String::as_str);
        let metric = metric(&self.0.desk, pool).map_err(|why| match why.status().as_u16() {
            404 => Status::invalid_argument(why.why()),
            _ => Status::unavailable(why.why()),
        })?;
        Ok(metric.nodes)
    }

    fn metrics(&self, request: &GetMetricsRequest) -> Result<GetMetricsResponse, Status> {
        let nodes = self.nodes(&request.scaled_object_ref.clone().unwrap_or_default())?;
        let metric_value = i64::try_from(nodes).unwrap_or(i64::MAX);
        let metric_value_float = u32::try_from(nodes).map_or(f64::MAX, f64::from);
        let value = MetricValue { metric_name: METRIC.to_owned(), metric_value, metric_value_float };
        Ok(GetMetricsResponse { metric_values: vec![value] })
    }
}

/// A pool always has a node at least.
const ACTIVE: IsActiveResponse = IsActiveResponse { result: true };

fn spec() -> GetMetricSpecResponse {
    let spec = MetricSpec { metric_name: METRIC.to_owned(), target_size: 1, target_size_float: 1.0 };
    GetMetricSpecResponse { metric_specs: vec![spec] }
}

type Answering<T> = Pin<Box<dyn Future<Output = Result<Answer<T>, Status>> + Send>>;

fn answered<T: Send + 'static>(answer: Result<T, Status>) -> Answering<T> {
    Box::pin(std::future::ready(answer.map(Answer::new)))
}

/// Each method of the service, as tonic wants it.
#[derive(Clone)]
struct IsActive(Scaler);
#[derive(Clone)]
struct StreamIsActive(Scaler);
#[derive(Clone)]
struct GetMetricSpec(Scaler);
#[derive(Clone)]
struct GetMetrics(Scaler);

impl UnaryService<ScaledObjectRef> for IsActive {
    type Response = IsActiveResponse;
    type Future = Answering<IsActiveResponse>;

    fn call(&mut self, call: Call<ScaledObjectRef>) -> Self::Future {
        answered(self.0.nodes(call.get_ref()).map(|_| ACTIVE))
    }
}

impl UnaryService<ScaledObjectRef> for GetMetricSpec {
    type Response = GetMetricSpecResponse;
    type Future = Answering<GetMetricSpecResponse>;

    fn call(&mut self, call: Call<ScaledObjectRef>) -> Self::Future {
        answered(self.0.nodes(call.get_ref()).map(|_| spec()).or_else(|status| match status.code() {
            // What it is measured in is known before how much.
            Code::Unavailable => Ok(spec()),
            _ => Err(status),
        }))
    }
}

impl UnaryService<GetMetricsRequest> for GetMetrics {
    type Response = GetMetricsResponse;
    type Future = Answering<GetMetricsResponse>;

    fn call(&mut self, call: Call<GetMetricsRequest>) -> Self::Future {
        answered(self.0.metrics(call.get_ref()))
    }
}

type Active = Pin<Box<dyn Stream<Item = Result<IsActiveResponse, Status>> + Send>>;

impl ServerStreamingService<ScaledObjectRef> for StreamIsActive {
    type Response = IsActiveResponse;
    type ResponseStream = Active;
    type Future = Answering<Active>;

    fn call(&mut self, call: Call<ScaledObjectRef>) -> Self::Future {
        let closing = self.0.0.closing.clone();
        let active = self.0.nodes(call.get_ref()).map(|_| {
            // It stays so: the stream is open until we close.
            let once = stream::iter([Ok(ACTIVE)]);
            let until = stream::once(async move { closing.cancelled().await });
            let rest = futures_util::StreamExt::filter_map(until, async |()| None);
            Box::pin(futures_util::StreamExt::chain(once, rest)) as Active
        });
        answered(active)
    }
}

impl NamedService for Scaler {
    const NAME: &'static str = "externalscaler.ExternalScaler";
}

impl Service<Request<Body>> for Scaler {
    type Response = Response<GrpcBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let scaler = self.clone();
        Box::pin(async move {
            let method = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
            Ok(match method.as_str() {
                "IsActive" => Grpc::new(ProstCodec::default()).unary(IsActive(scaler), request).await,
                "StreamIsActive" => {
                    Grpc::new(ProstCodec::default()).server_streaming(StreamIsActive(scaler), request).await
                }
                "GetMetricSpec" => Grpc::new(ProstCodec::default()).unary(GetMetricSpec(scaler), request).await,
                "GetMetrics" => Grpc::new(ProstCodec::default()).unary(GetMetrics(scaler), request).await,
                _ => Status::unimplemented(format!("externalscaler.ExternalScaler has no {method}")).into_http(),
            })
        })
    }
}
