use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::{Request, Response};

use crate::body::Body;
use crate::hub::Hub;

/// What viewers' listeners serve: the channels of a hub, and whatever annexes add. Clones share both.
#[derive(Debug, Clone)]
pub struct Site {
    hub: Hub,
    annexes: Arc<[Annex]>,
}

/// Paths on the viewers' listeners that somebody else answers, whatever the method: an edge does not know what is there.
#[derive(Clone)]
pub struct Annex {
    prefix: &'static str,
    answer: Arc<Answer>,
}

type Answer = dyn Fn(Request<Incoming>, SocketAddr) -> Answering + Send + Sync;
type Answering = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

impl Site {
    /// A hub, and what else is served.
    pub fn new(hub: Hub, annexes: impl IntoIterator<Item = Annex>) -> Self {
        Self { hub, annexes: annexes.into_iter().collect() }
    }

    pub(crate) fn hub(&self) -> &Hub {
        &self.hub
    }

    /// Who answers for a path, if it is not the hub.
    pub(crate) fn annex(&self, path: &str) -> Option<&Annex> {
        self.annexes.iter().find(|annex| annex.has(path))
    }
}

impl From<Hub> for Site {
    fn from(hub: Hub) -> Self {
        Self::new(hub, None)
    }
}

impl Annex {
    /// `answer` is given each request for a path that begins with `prefix` and a slash, and the address that it comes from.
    /// It sets its own limits on bodies and time.
    pub fn new<A, F>(prefix: &'static str, answer: A) -> Self
    where
        A: Fn(Request<Incoming>, SocketAddr) -> F + Send + Sync + 'static,
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        Self { prefix, answer: Arc::new(move |request, peer| Box::pin(answer(request, peer))) }
    }

    fn has(&self, path: &str) -> bool {
        path.strip_prefix(self.prefix).is_some_and(|rest| rest.starts_with('/'))
    }

    pub(crate) fn answer(&self, request: Request<Incoming>, peer: SocketAddr) -> Answering {
        (self.answer)(request, peer)
    }
}

impl fmt::Debug for Annex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Annex").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;
    use crate::settings::Settings;

    #[test]
    fn an_annex_has_the_paths_below_its_prefix_alone() {
        let hub = Hub::new(Settings::default(), Metrics::default());
        let annex = Annex::new("/annex", async |_, _| Response::default());
        let site = Site::new(hub, Some(annex));
        for (path, theirs) in
            [("/annex/a", true), ("/annex/", true), ("/annex", false), ("/annexes/a", false), ("/", false)]
        {
            assert_eq!(site.annex(path).is_some(), theirs, "{path}");
        }
    }
}
