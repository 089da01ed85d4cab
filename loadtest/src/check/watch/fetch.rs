//! Fetches one media resource and reads it; its bytes are then let go.

use std::sync::Arc;
use std::time::Duration;

use hyper::header;
use tokio::time::{Instant, sleep};
use url::Url;

use crate::check::client::{Ask, Client};
use crate::check::dial::Dial;
use crate::check::evidence::{Fetched, What, Why};
use crate::check::media::{Fragment, Init};

/// MPEG-2 transport streams begin with it (ISO/IEC 13818-1 2.4.3.3).
const TRANSPORT_STREAM_SYNC: u8 = 0x47;

/// A resource to be fetched.
pub(super) struct Fetch {
    pub(super) what: What,
    pub(super) why: Why,
    pub(super) url: Url,
    /// The value of a Range header.
    pub(super) range: Option<String>,
    /// The init section that applies to it.
    pub(super) init: Option<Arc<Init>>,
    pub(super) limit: Duration,
    /// How long to wait first.
    pub(super) delay: Duration,
    pub(super) zero: Instant,
}

impl Fetch {
    /// Asks, and reads what comes.
    pub(super) async fn run<D: Dial>(self, client: Client<D>) -> Fetched {
        let known = Instant::now();
        sleep(self.delay).await;
        let mut ask = Ask::get(self.limit);
        if let Some(range) = &self.range {
            ask = ask.with(header::RANGE, range);
        }
        let asked = Instant::now();
        let answer = client.ask(&self.url, &ask).await;
        let mut fetched = Fetched {
            what: self.what,
            why: self.why,
            known: known - self.zero,
            asked: asked - self.zero,
            began: asked - self.zero,
            ended: Instant::now() - self.zero,
            status: Err(String::new()),
            content_type: None,
            content_range: None,
            fragment: None,
            init: self.init,
            url: self.url,
        };
        match answer {
            Ok(answer) => {
                fetched.status = Ok(answer.status);
                fetched.began = answer.began - self.zero;
                fetched.ended = answer.ended - self.zero;
                fetched.content_type = answer.header("content-type").map(str::to_owned);
                fetched.content_range = answer.header("content-range").map(str::to_owned);
                if fetched.is_good() {
                    fetched.read(&answer.body);
                }
            }
            Err(failure) => fetched.status = Err(failure.to_string()),
        }
        fetched
    }
}

impl Fetched {
    fn read(&mut self, body: &[u8]) {
        if body.first() == Some(&TRANSPORT_STREAM_SYNC) {
            return;
        }
        match (self.what, &self.init) {
            (What::Init, _) => self.init = Some(Arc::new(Init::read(body))),
            (_, Some(init)) => self.fragment = Some(Fragment::read(body, init)),
            (_, None) => {}
        }
    }
}
