//! Players' reports on the viewers' listeners: `POST /cmcd/CHANNEL` (CTA-5004-B, event mode).

use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::{Method, Request, Response};
use tokio::time::timeout;
use touchline_audience::Cmcd;
use touchline_media::ChannelName;

use super::Signs;
use crate::annex::Annex;
use crate::body::Body;
use crate::error::Error;
use crate::hub::Hub;
use crate::response;

const PREFIX: &str = "/cmcd";
/// Bytes of a report, and how long it may take to come.
const MAX_REPORT: usize = 64 * 1_024;
const REPORT_WAIT: Duration = Duration::from_secs(10);
/// Lines of it that are looked at.
const MAX_LINES: usize = 200;

/// What viewers' listeners serve to players that report.
pub fn annex(hub: &Hub) -> Annex {
    let hub = hub.clone();
    Annex::new(PREFIX, move |request, peer| {
        let hub = hub.clone();
        async move {
            let head = request.method() == Method::HEAD;
            let response = match *request.method() {
                Method::POST => take(&hub, request, peer).await.unwrap_or_else(|error| response::error(&error)),
                Method::OPTIONS => response::reports_preflight(),
                _ => response::error(&Error::ReportsOnly),
            };
            response::finish(response, head)
        }
    })
}

async fn take(hub: &Hub, request: Request<Incoming>, peer: SocketAddr) -> Result<Response<Body>, Error> {
    let name = request.uri().path().strip_prefix(PREFIX).and_then(|path| path.strip_prefix('/'));
    let channel: ChannelName = name.ok_or(Error::NoSuchPath)?.parse()?;
    // Of channels that are not here nothing is kept: names could be made up without an end.
    if hub.channel(&channel).is_none() {
        return Err(Error::NotLive { channel });
    }
    let (head, body) = request.into_parts();
    let body = timeout(REPORT_WAIT, Limited::new(body, MAX_REPORT).collect()).await.map_err(|_| Error::Report)?;
    let body = body.map_err(|_| Error::Report)?.to_bytes();
    for line in String::from_utf8_lossy(&body).lines().take(MAX_LINES) {
        let mut said = Cmcd::default();
        said.read(line);
        let signs = Signs::of_line(hub.audience(), peer.ip(), &head.headers, &said);
        hub.audience().reported(&channel, &signs, &said);
    }
    Ok(response::taken())
}
