//! What comes with a request, with words of ours when it cannot be understood.

use std::net::SocketAddr;

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{ConnectInfo, FromRequest, FromRequestParts, OptionalFromRequest, Query, Request};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::refusal::Refusal;

/// JSON.
pub(super) struct Asked<T>(pub(super) T);

impl<T, S> FromRequest<S> for Asked<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        <Json<T> as FromRequest<S>>::from_request(request, state)
            .await
            .map(|Json(body)| Self(body))
            .map_err(|why| of_json(&why))
    }
}

/// JSON that may be left out.
pub(super) struct Perhaps<T>(pub(super) T);

impl<T, S> FromRequest<S> for Perhaps<T>
where
    T: DeserializeOwned + Default,
    S: Send + Sync,
{
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        match <Json<T> as OptionalFromRequest<S>>::from_request(request, state).await {
            Ok(body) => Ok(Self(body.map(|Json(body)| body).unwrap_or_default())),
            Err(why) => Err(of_json(&why)),
        }
    }
}

fn of_json(why: &JsonRejection) -> Refusal {
    let (status, text) = (why.status(), why.body_text());
    Refusal::new(if status.is_client_error() { axum::http::StatusCode::BAD_REQUEST } else { status }, text)
}

/// A query.
pub(super) struct Said<T>(pub(super) T);

impl<T, S> FromRequestParts<S> for Said<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let said = Query::<T>::from_request_parts(parts, state).await;
        said.map(|Query(said)| Self(said)).map_err(|why: QueryRejection| Refusal::bad_request(why.body_text()))
    }
}

/// Who asks, for the audit log.
pub(super) struct By(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for By {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Ok(Self(peer.map_or_else(|| "unknown".to_owned(), |ConnectInfo(peer)| peer.ip().to_string())))
    }
}
