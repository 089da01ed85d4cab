//! The proof that a segment and its playlist are the same on another node.

use std::sync::Arc;

use bytes::Bytes;
use ring::digest::{Context, SHA256, SHA256_OUTPUT_LEN};
use touchline_packager::{RenditionId, Skip};

use crate::version::Version;

/// A SHA-256.
pub type Proof = [u8; SHA256_OUTPUT_LEN];

/// The end of a segment, of which a proof can be made when somebody wants one.
#[derive(Debug, Clone)]
pub(crate) struct Provable {
    pub(crate) rendition: RenditionId,
    /// The segment; `None` where its bytes are not here.
    pub(crate) segment: Option<Arc<[Bytes]>>,
    /// The playlist that lists it first.
    pub(crate) version: Arc<Version>,
}

impl Provable {
    /// Of the segment's bytes, and of what the playlist says but for the segments that updates skip: each of these was part
    /// of an earlier proof.
    pub(crate) fn proof(&self) -> Proof {
        let mut context = Context::new(&SHA256);
        for chunk in self.segment.iter().flat_map(|chunks| chunks.iter()) {
            context.update(chunk);
        }
        context.update(&self.version.text(Some(Skip::Segments)).plain());
        finish(context)
    }
}

/// Of the whole of a playlist.
pub(crate) fn of_playlist(version: &Version) -> Proof {
    let mut context = Context::new(&SHA256);
    context.update(&version.text(None).plain());
    finish(context)
}

fn finish(context: Context) -> Proof {
    let mut proof = [0; SHA256_OUTPUT_LEN];
    for (to, from) in proof.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    proof
}
