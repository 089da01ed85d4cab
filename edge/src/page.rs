//! The pages and their assets, built into the binary from `web/dist`.

use std::collections::HashMap;
use std::sync::LazyLock;

use bytes::Bytes;
use hyper::header::ACCEPT_ENCODING;
use hyper::{HeaderMap, Response};
use prometheus_client::metrics::counter::Counter;

use crate::accept;
use crate::body::Body;
use crate::error::Error;
use crate::response::{self, Lifetime};
use crate::text::Text;

/// A file of `web/dist`.
struct Embedded {
    /// Its path below `web/dist`.
    path: &'static str,
    content_type: &'static str,
    /// Whether its name changes with its content.
    hashed: bool,
    content: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/dist.rs"));

/// A file, compressed at most once.
struct File {
    content_type: &'static str,
    lifetime: Lifetime,
    text: Text,
}

static FILES: LazyLock<HashMap<&'static str, File>> =
    LazyLock::new(|| DIST.iter().map(|file| (file.path, File::of(file))).collect());

impl File {
    fn of(file: &Embedded) -> Self {
        let lifetime = if file.hashed { Lifetime::Forever } else { Lifetime::Revalidated };
        // Not a playlist: its compression is not counted.
        let text = Text::new(Bytes::from_static(file.content), Counter::default());
        Self { content_type: file.content_type, lifetime, text }
    }
}

/// The page that lists the channels.
pub(crate) fn index(gzip: bool) -> Result<Response<Body>, Error> {
    serve("index.html", gzip)
}

/// The page that plays a channel; it reads which from its address.
pub(crate) fn watch(gzip: bool) -> Result<Response<Body>, Error> {
    serve("watch.html", gzip)
}

/// The page that publishes into a channel; it reads which from its address.
pub(crate) fn publish(gzip: bool) -> Result<Response<Body>, Error> {
    serve("publish.html", gzip)
}

/// What the pages need.
pub(crate) fn asset(name: &str, gzip: bool) -> Result<Response<Body>, Error> {
    serve(&format!("assets/{name}"), gzip)
}

/// A file that the pages need, for a listener of the caller's: `path` is below `web/dist`; `None`: there is none.
pub fn embedded(path: &str, headers: &HeaderMap) -> Option<Response<Body>> {
    let accepted = headers.get_all(ACCEPT_ENCODING).into_iter().filter_map(|value| value.to_str().ok());
    serve(path, accept::gzip(accepted)).ok()
}

fn serve(path: &str, gzip: bool) -> Result<Response<Body>, Error> {
    let file = FILES.get(path).ok_or(Error::NoSuchPath)?;
    Ok(response::text(&file.text, file.content_type, file.lifetime, gzip))
}
