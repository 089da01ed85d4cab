use std::io::{self, Write};
use std::sync::OnceLock;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use prometheus_client::metrics::counter::Counter;

/// A text that many viewers get: rendered once, compressed at most once, when the first of them asks for gzip.
#[derive(Debug)]
pub(crate) struct Text {
    plain: Bytes,
    gzip: OnceLock<Option<Bytes>>,
    gzips_built: Counter,
}

impl Text {
    /// Counts in `gzips_built` when it is compressed.
    pub(crate) fn new(plain: Bytes, gzips_built: Counter) -> Self {
        Self { plain, gzip: OnceLock::new(), gzips_built }
    }

    /// The text as it is.
    pub(crate) fn plain(&self) -> Bytes {
        self.plain.clone()
    }

    /// The text compressed, or `None` where that makes it no smaller.
    pub(crate) fn gzip(&self) -> Option<Bytes> {
        let build = || {
            self.gzips_built.inc();
            compress(&self.plain).ok().filter(|gzip| gzip.len() < self.plain.len())
        };
        self.gzip.get_or_init(build).clone()
    }
}

/// The playlist of a window of hours, which is so long that compressing it well holds up other viewers for longer than it
/// saves who downloads it: it repeats itself so much that little effort does nearly as well.
const LONG: usize = 64 * 1_024;

fn compress(plain: &[u8]) -> io::Result<Bytes> {
    let effort = if plain.len() > LONG { Compression::fast() } else { Compression::default() };
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 8), effort);
    encoder.write_all(plain)?;
    Ok(encoder.finish()?.into())
}
