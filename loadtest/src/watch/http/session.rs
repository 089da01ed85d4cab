//! The connection of one viewer by HTTP/2: one for each server, with all requests on it at a time.

use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http2::{self, SendRequest};
use hyper::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, RANGE, USER_AGENT};
use hyper::{Request as Message, Version};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Mutex;

use super::body::{Boxes, Sink};
use super::stream::Stream;
use super::{Content, Received};
use crate::watch::exchange::{Request, Ticket, What};
use crate::watch::link::Site;
use crate::watch::moment::Moment;
use crate::watch::tally::{Count, Trouble};
use crate::watch::world::World;

/// What a server may send that has not been taken, on a stream and on the connection: as much as Chromium allows, in bytes.
const STREAM_WINDOW: u32 = 6 << 20;
const CONNECTION_WINDOW: u32 = 15 << 20;

/// Connections and the requests on them.
#[derive(Default)]
pub(super) struct Session {
    connections: Vec<(Arc<Site>, Rc<Connection>)>,
    exchanges: Vec<(Ticket, Exchange)>,
}

/// A request and its answer, as far as they have come.
type Exchange = Pin<Box<dyn Future<Output = Result<Came, Trouble>>>>;

/// Who makes requests on a connection, once it is there. Who comes first opens it.
type Connection = Mutex<Option<SendRequest<Empty<Bytes>>>>;

/// An answer.
struct Came {
    sink: Sink,
    bytes: u64,
    gzip: bool,
    began: Moment,
}

impl Session {
    pub(super) fn ask(&mut self, request: &Request, verify: bool, world: &Rc<World>) {
        let site = &request.link.site;
        let known =
            self.connections.iter().find(|(known, _)| known == site).map(|(_, connection)| Rc::clone(connection));
        let connection = known.unwrap_or_else(|| {
            let connection = Rc::new(Mutex::new(None));
            self.connections.push((Arc::clone(site), Rc::clone(&connection)));
            connection
        });
        let answer = exchange(connection, request.clone(), verify, Rc::clone(world));
        self.exchanges.push((request.ticket, Box::pin(answer)));
    }

    pub(super) fn abandon(&mut self, ticket: Ticket) {
        self.exchanges.retain(|(known, _)| *known != ticket);
    }

    pub(super) fn close(&mut self) {
        self.exchanges.clear();
        self.connections.clear();
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>, deliver: &mut Received<'_>) {
        let mut at = 0;
        while let Some((_, exchange)) = self.exchanges.get_mut(at) {
            match exchange.as_mut().poll(cx) {
                Poll::Pending => at += 1,
                Poll::Ready(outcome) => {
                    let (ticket, _) = self.exchanges.remove(at);
                    match &outcome {
                        Ok(came) => deliver(ticket, came.content()),
                        Err(trouble) => deliver(ticket, Err(*trouble)),
                    }
                }
            }
        }
    }
}

impl Came {
    fn content(&self) -> Result<Content<'_>, Trouble> {
        let (bytes, began) = (self.bytes, self.began);
        match &self.sink {
            Sink::Keep(bytes) => Ok(Content::Kept { bytes, gzip: self.gzip }),
            Sink::Verify(boxes) if !boxes.are_whole() => Err(Trouble::Boxes),
            Sink::Verify(_) => Ok(Content::Media { bytes, began, verified: true }),
            Sink::Count => Ok(Content::Media { bytes, began, verified: false }),
        }
    }
}

async fn exchange(
    connection: Rc<Connection>,
    request: Request,
    verify: bool,
    world: Rc<World>,
) -> Result<Came, Trouble> {
    let mut sender = sender(&connection, &request.link.site, &world).await?;
    let response = sender.send_request(message(&request)?).await.map_err(|_| Trouble::Broken)?;
    let (head, mut body) = response.into_parts();
    if !matches!(head.status.as_u16(), 200 | 206) {
        return Err(Trouble::Status(head.status.as_u16()));
    }
    let sink = match request.what {
        What::Media if verify => Sink::Verify(Boxes::default()),
        What::Media => Sink::Count,
        What::Ladder | What::Playlist(..) => Sink::Keep(Vec::new()),
    };
    let gzip = head.headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding == "gzip");
    let mut came = Came { sink, bytes: 0, gzip, began: world.clock.now() };
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Trouble::Broken)?;
        if let Some(data) = frame.data_ref() {
            came.bytes += data.len() as u64;
            came.sink.take(data).map_err(|_| Trouble::Malformed)?;
        }
    }
    Ok(came)
}

/// Who makes requests, on a connection that is opened if there is none.
async fn sender(
    connection: &Connection,
    site: &Arc<Site>,
    world: &World,
) -> Result<SendRequest<Empty<Bytes>>, Trouble> {
    let mut open = connection.lock().await;
    if let Some(sender) = open.as_ref().filter(|sender| !sender.is_closed()) {
        return Ok(sender.clone());
    }
    world.count(Count::Connections, 1);
    let sender = match world.network.connect(site).await? {
        Stream::Plain(stream) => handshake(stream).await?,
        Stream::Tls(stream) => handshake(stream).await?,
    };
    *open = Some(sender.clone());
    Ok(sender)
}

async fn handshake<S>(stream: S) -> Result<SendRequest<Empty<Bytes>>, Trouble>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let shaken = http2::Builder::new(Here)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .handshake(TokioIo::new(stream))
        .await;
    let (sender, connection) = shaken.map_err(|_| Trouble::Broken)?;
    tokio::task::spawn_local(connection);
    Ok(sender)
}

/// Runs what hyper needs to run on the viewer's own thread.
#[derive(Clone, Copy)]
struct Here;

impl<F> hyper::rt::Executor<F> for Here
where
    F: Future<Output: 'static> + 'static,
{
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}

fn message(request: &Request) -> Result<Message<Empty<Bytes>>, Trouble> {
    let (site, path) = (&request.link.site, &request.link.path);
    let separator = if path.contains('?') { '&' } else { '?' };
    let query = match request.what {
        What::Playlist(_, directives) => directives.to_string(),
        What::Ladder | What::Media => String::new(),
    };
    let scheme = if site.https { "https" } else { "http" };
    let url = if query.is_empty() {
        format!("{scheme}://{site}{path}")
    } else {
        format!("{scheme}://{site}{path}{separator}{query}")
    };
    let mut message = Message::builder()
        .version(Version::HTTP_2)
        .uri(url)
        .header(USER_AGENT, concat!("touchline-loadtest/", env!("CARGO_PKG_VERSION")))
        .header(ACCEPT, "*/*")
        .header(ACCEPT_ENCODING, "gzip");
    if let Some(range) = request.range {
        let last = (range.start + range.length).saturating_sub(1);
        message = message.header(RANGE, format!("bytes={}-{last}", range.start));
    }
    message.body(Empty::new()).map_err(|_| Trouble::Malformed)
}
