//! WHIP (RFC 9725): the HTTP by which publishers arrange WebRTC sessions, beside what viewers are served.
//!
//! ```text
//! /whip/CHANNEL                  POST an offer, and get an answer and a session
//! /whip/CHANNEL/SESSION          PATCH: candidates, ICE restarts; DELETE: the end
//! /whip/CHANNEL/SESSION/health   GET: how the feed arrives, for who sends it
//! ```

mod error;
mod request;
mod response;

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use hyper::body::Body as HttpBody;
use hyper::http::request::Parts;
use hyper::{Method, Request, Response};
use touchline_edge::{Annex, Body};
use touchline_ingest::webrtc::{Desk, Offer, Patched, SessionId};
use touchline_media::ChannelName;

use self::error::{Error, Refused};
use self::request::Target;
use crate::config::IceServer;

/// What a session is arranged by and answered with.
#[derive(Debug)]
pub(crate) struct Whip {
    /// Who arranges it.
    pub(crate) desk: Desk,
    /// What publishers are told to find a way through.
    pub(crate) ice_servers: Vec<IceServer>,
    /// There are no publish keys: only who is on this machine may publish, and pages of other sites are not.
    pub(crate) this_machine_only: bool,
}

impl Whip {
    /// What viewers' listeners serve of it.
    pub(crate) fn annex(self) -> Annex {
        let whip = Arc::new(self);
        Annex::new(request::PREFIX, move |request, peer| {
            let whip = Arc::clone(&whip);
            async move { whip.answer(request, peer).await }
        })
    }

    async fn answer<B>(&self, request: Request<B>, peer: SocketAddr) -> Response<Body>
    where
        B: HttpBody<Data = Bytes>,
        B::Error: Into<request::BodyError>,
    {
        let (head, body) = request.into_parts();
        let response = match Target::parse(head.uri.path()) {
            Ok(target) => match self.serve(&target, &head, body, peer).await {
                Ok(response) => response,
                Err(error) => response::error(&Refused { channel: Some(&target.channel), error }),
            },
            Err(error) => response::error(&Refused { channel: None, error }),
        };
        response::finish(response, head.method == Method::HEAD)
    }

    async fn serve<B>(&self, target: &Target, head: &Parts, body: B, peer: SocketAddr) -> Result<Response<Body>, Error>
    where
        B: HttpBody<Data = Bytes>,
        B::Error: Into<request::BodyError>,
    {
        let Target { channel, resource } = target;
        match (resource, &head.method) {
            (_, &Method::OPTIONS) => Ok(response::options(resource)),
            (request::Resource::Endpoint, &Method::POST) => {
                self.admit(head, peer)?;
                request::content_type(head, request::SDP)?;
                self.publish(channel, head, request::text(body).await?, peer).await
            }
            (request::Resource::Session(session), &Method::PATCH) => {
                request::content_type(head, request::FRAGMENT)?;
                self.patch(session, head, &request::text(body).await?).await
            }
            (request::Resource::Session(session), &Method::DELETE) => {
                self.desk.close(session, request::key(head).as_ref()).await?;
                Ok(Response::default())
            }
            (request::Resource::Health(session), &Method::GET | &Method::HEAD) => {
                Ok(response::json(&self.desk.health(session, request::key(head).as_ref())?))
            }
            // RFC 9725 4.1: endpoints and sessions have no representation, and say so with success.
            (_, &Method::GET | &Method::HEAD) => Ok(response::nothing()),
            _ => Err(Error::Method(response::methods(resource))),
        }
    }

    /// Without publish keys, publishing is open to this machine: not to who reaches its pages from elsewhere, be it by a proxy on
    /// this machine, nor to a page of another site in a browser on it.
    fn admit(&self, head: &Parts, peer: SocketAddr) -> Result<(), Error> {
        let here = peer.ip().to_canonical().is_loopback()
            && request::origin_is_this_machine(head)
            && !request::was_passed_on(head);
        if self.this_machine_only && !here { Err(Error::Elsewhere) } else { Ok(()) }
    }

    async fn publish(
        &self,
        channel: &ChannelName,
        head: &Parts,
        sdp: String,
        peer: SocketAddr,
    ) -> Result<Response<Body>, Error> {
        let (key, encoder) = (request::key(head), request::encoder(head));
        let answer = self.desk.offer(Offer { channel: channel.clone(), key, peer, encoder, sdp }).await?;
        Ok(response::created(channel, answer, &self.ice_servers))
    }

    async fn patch(&self, session: &SessionId, head: &Parts, fragment: &str) -> Result<Response<Body>, Error> {
        let key = request::key(head);
        match self.desk.patch(session, key.as_ref(), request::if_match(head), fragment).await? {
            Patched::Candidates => Ok(response::nothing()),
            Patched::Restarted { etag, fragment } => Ok(response::restarted(&etag, fragment)),
        }
    }
}
