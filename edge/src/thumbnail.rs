use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use touchline_media::ChannelName;

/// The largest picture that is kept, in bytes: as much as a part of 1080p. One of 640 by 360 has a twentieth of that.
const MAX_LEN: usize = 1_024 * 1_024;

/// The newest still picture of a channel, as a JPEG.
#[derive(Debug, Default)]
pub(crate) struct Thumbnail(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    jpeg: Option<Bytes>,
    /// Whether a picture was too large, which is said once.
    told: bool,
}

impl Thumbnail {
    /// Takes the place of the picture before, unless it is too large.
    pub(crate) fn set(&self, channel: &ChannelName, jpeg: Bytes) {
        // A state is whole after each change, so a panic elsewhere while it was locked leaves it usable.
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if jpeg.len() <= MAX_LEN {
            state.jpeg = Some(jpeg);
        } else if !std::mem::replace(&mut state.told, true) {
            let len = jpeg.len();
            tracing::warn!(
                %channel,
                "a thumbnail of {len} bytes is not shown, as {MAX_LEN} are the most: make it smaller, or of lower quality"
            );
        }
    }

    /// The picture, once there is one.
    pub(crate) fn get(&self) -> Option<Bytes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).jpeg.clone()
    }
}
