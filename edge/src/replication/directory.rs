use std::fmt;
use std::sync::Arc;

use touchline_media::ChannelName;

use super::Origin;

/// Says which origins there are, best first, at any moment anew.
#[derive(Clone)]
pub struct Directory(Arc<Look>);

type Look = dyn Fn(Option<&ChannelName>) -> Vec<Arc<Origin>> + Send + Sync;

impl Directory {
    /// `look` is asked for the origins that have a channel, or for all there are. It answers at once, by what it knows.
    pub fn new(look: impl Fn(Option<&ChannelName>) -> Vec<Arc<Origin>> + Send + Sync + 'static) -> Self {
        Self(Arc::new(look))
    }

    /// Those that have a channel, or may have it.
    pub(super) fn of(&self, channel: &ChannelName) -> Vec<Arc<Origin>> {
        (self.0)(Some(channel))
    }

    /// All there are.
    pub(crate) fn all(&self) -> Vec<Arc<Origin>> {
        (self.0)(None)
    }
}

impl From<Vec<Origin>> for Directory {
    /// Always these, whatever the channel.
    fn from(origins: Vec<Origin>) -> Self {
        let origins: Vec<Arc<Origin>> = origins.into_iter().map(Arc::new).collect();
        Self::new(move |_| origins.clone())
    }
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.all()).finish()
    }
}
