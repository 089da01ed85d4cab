//! Fragmented MP4, as far as a judge of playlists needs it.

mod fragment;
mod init;

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

pub(crate) use fragment::{Fragment, Sample};
pub(crate) use init::{Init, Track};

/// A number that equal bytes have in common.
fn digest(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

/// A top-level box: its kind, where it begins, all of it.
type TopLevel<'a> = (String, usize, &'a [u8]);

/// The top-level boxes of `bytes`. `Err` says where the chain of boxes breaks.
fn boxes(bytes: &[u8]) -> Result<Vec<TopLevel<'_>>, String> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let header = |range| rest.get(range).and_then(|bytes: &[u8]| bytes.try_into().ok());
        let (Some(size), Some(kind)) = (header(0..4).map(u32::from_be_bytes), rest.get(4..8)) else {
            return Err(format!("{} bytes stand at {at}, too few for a box", rest.len()));
        };
        let size = match size {
            0 => rest.len(),
            1 => rest
                .get(8..16)
                .and_then(|bytes| bytes.try_into().ok())
                .map_or(0, u64::from_be_bytes)
                .try_into()
                .unwrap_or(usize::MAX),
            size => size as usize,
        };
        let kind: String = kind.iter().map(|byte| char::from(*byte)).collect();
        let Some(whole) = rest.get(..size).filter(|whole| whole.len() >= 8) else {
            return Err(format!("box {kind:?} at {at} says that it has {size} bytes where {} are left", rest.len()));
        };
        found.push((kind, at, whole));
        at += size;
    }
    Ok(found)
}
