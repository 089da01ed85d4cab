//! Steering manifests on the viewers' listeners: `/steering/CHANNEL.json`.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hyper::header::HeaderMap;
use hyper::{Method, Request, Response, StatusCode};
use serde::Serialize;
use touchline_media::ChannelName;

use super::query::{Query, QueryError};
use super::{Steering, share};
use crate::annex::Annex;
use crate::body::Body;
use crate::error::Error;
use crate::response::{self, Lifetime};

const PREFIX: &str = "/steering";
/// Where a proxy or a cache tells for whom it asks. Anybody can write it, and changes but its own pathway by that.
const FORWARDED: &str = "x-forwarded-for";

/// The path of a channel's manifest, without a slash before it.
pub(super) fn path(channel: &ChannelName) -> String {
    format!("steering/{channel}.json")
}

impl Steering {
    /// What viewers' listeners serve of it.
    pub fn annex(&self) -> Annex {
        let steering = self.clone();
        Annex::new(PREFIX, move |request, peer| {
            let response = steering.respond(&request, peer, unix());
            async move { response }
        })
    }

    fn respond<B>(&self, request: &Request<B>, peer: SocketAddr, now: Duration) -> Response<Body> {
        let response = match *request.method() {
            Method::GET | Method::HEAD => self.manifest(request, peer, now).unwrap_or_else(|error| error.response()),
            Method::OPTIONS => response::preflight(),
            _ => response::error(&Error::Method),
        };
        response::finish(response, request.method() == Method::HEAD)
    }

    fn manifest<B>(&self, request: &Request<B>, peer: SocketAddr, now: Duration) -> Result<Response<Body>, Unsteered> {
        let file = request.uri().path().rsplit('/').next().unwrap_or_default();
        let channel = file.strip_suffix(".json").ok_or(Error::NoSuchPath)?;
        let channel: ChannelName = channel.parse().map_err(Error::from)?;
        if request.uri().path() != format!("/{}", path(&channel)) {
            return Err(Error::NoSuchPath.into());
        }
        let query = Query::parse(request.uri().query())?;
        let answer = self.answer(file, &query, share::bucket(viewer(request.headers(), peer)), now);
        let lifetime = answer.shared.map_or(Lifetime::None, |shared| Lifetime::Seconds(shared.as_secs()));
        Ok(response::steering_list(lifetime, &answer.manifest))
    }
}

/// Why there is no manifest.
enum Unsteered {
    Path(Error),
    Query(QueryError),
}

impl Unsteered {
    fn response(&self) -> Response<Body> {
        #[derive(Serialize)]
        struct Words {
            error: String,
        }
        match self {
            Self::Path(error) => response::error(error),
            Self::Query(error) => {
                response::json(StatusCode::BAD_REQUEST, Lifetime::ERROR, &Words { error: error.to_string() })
            }
        }
    }
}

impl From<Error> for Unsteered {
    fn from(error: Error) -> Self {
        Self::Path(error)
    }
}

impl From<QueryError> for Unsteered {
    fn from(error: QueryError) -> Self {
        Self::Query(error)
    }
}

/// Who asks: whom a proxy asks for, or else whoever is connected.
fn viewer(headers: &HeaderMap, peer: SocketAddr) -> IpAddr {
    let forwarded = headers.get(FORWARDED).and_then(|value| value.to_str().ok());
    let first = forwarded.and_then(|list| list.split(',').next()?.trim().parse().ok());
    first.unwrap_or(peer.ip())
}

fn unix() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use hyper::header::{CACHE_CONTROL, CONTENT_TYPE};

    use super::super::{Metrics, Pathway, Settings};
    use super::*;

    fn respond(method: &str, uri: &str, forwarded: &str) -> Response<Body> {
        let pathway = |id: &str| Pathway { id: id.parse().unwrap(), base: "/".into(), weight: 1 };
        let pathways = vec![pathway("cdn-a"), pathway("cdn-b")];
        let settings = Settings { pathways, server: None, ttl: Duration::from_mins(1), slow: None };
        let steering = Steering::new(settings, Metrics::default());
        let request = Request::builder().method(method).uri(uri).header(FORWARDED, forwarded).body(()).unwrap();
        steering.respond(&request, ([192, 0, 2, 1], 1).into(), Duration::from_secs(1_790_000_000))
    }

    #[test]
    fn a_manifest_is_of_its_own_type_and_a_bucket_can_be_cached() {
        let head = |uri: &str| {
            let response = respond("GET", uri, "");
            let header = |name| response.headers()[name].to_str().unwrap().to_owned();
            (response.status().as_u16(), header(CONTENT_TYPE), header(CACHE_CONTROL))
        };
        let list = || "application/vnd.apple.steering-list".to_owned();
        assert_eq!(head("/steering/main.json?_HLS_pathway=cdn-a"), (200, list(), "no-store".into()));
        assert_eq!(head("/steering/main.json?bucket=3"), (200, list(), "public, max-age=6".into()));
    }

    #[test]
    fn nothing_else_is_there() {
        for uri in [
            "/steering/",
            "/steering/main",
            "/steering/main.json/",
            "/steering/a/main.json",
            "/steering/..json",
            "/steering/main.json?bucket=x",
        ] {
            let status = respond("GET", uri, "").status().as_u16();
            assert!((400..500).contains(&status), "{uri}: {status}");
        }
        assert_eq!(respond("POST", "/steering/main.json", "").status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(respond("OPTIONS", "/steering/main.json", "").status(), StatusCode::NO_CONTENT);
    }

    #[test]
    fn behind_a_proxy_it_is_the_viewer_that_counts() {
        let peer = SocketAddr::from(([192, 0, 2, 1], 1));
        let of = |forwarded: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(FORWARDED, forwarded.parse().unwrap());
            viewer(&headers, peer).to_string()
        };
        assert_eq!(of("203.0.113.9, 198.51.100.1"), "203.0.113.9");
        assert_eq!(of("2001:db8::9"), "2001:db8::9");
        assert_eq!(of("unknown"), "192.0.2.1");
    }
}
