//! Requests that no player makes, or makes rarely: what a server does with them is part of the rules.

use hyper::header;
use std::time::Duration;
use tokio::time::{Instant, timeout};
use url::Url;

use super::Plan;
use super::client::{Answer, Ask, Client, Failure};
use super::dial::Dial;
use super::evidence::{Evidence, Version};
use super::ledger::Ledger;
use super::playlist::Media;
use super::watch::{hold_limit, with_directives};

mod blocking;
mod delta;
mod ended;
mod heads;
mod refused;
mod transport;

/// How long an answer that is due at once may take.
const AT_ONCE: Duration = Duration::from_secs(1);
/// How long an answer that is due soon may take, before it is none.
const SOON: Duration = Duration::from_secs(5);

/// The media playlist that is probed.
pub(super) struct Subject<D> {
    client: Client<D>,
    url: Url,
}

/// Probes while the stream is watched, and gives up when the watch is long over.
pub(super) async fn run<D: Dial>(client: &Client<D>, playlists: &[(String, Url)], plan: Plan, ledger: &mut Ledger) {
    let Some((_, url)) = playlists.first() else { return };
    let subject = Subject { client: client.clone(), url: url.clone() };
    let probes = async {
        let Ok(first) = subject.current().await else { return };
        heads::run(&subject, &first.media, ledger).await;
        refused::run(&subject, &first.media, ledger).await;
        delta::run(&subject, &first.media, ledger).await;
        blocking::run(&subject, &first.media, ledger).await;
    };
    // The slowest probe waits for two segments; each has its own limit.
    if timeout(plan.watch.max(MIN_PROBES), probes).await.is_err() {
        (plan.progress)("some probes did not end in time: give --seconds more");
    }
}

/// How long probes may take at least.
const MIN_PROBES: Duration = Duration::from_secs(30);

/// Probes what is only known once the stream has been watched.
pub(super) async fn after<D: Dial>(client: &Client<D>, url: &Url, evidence: &Evidence, ledger: &mut Ledger) {
    ended::run(client, evidence, ledger).await;
    transport::judge(client, url, ledger);
}

impl<D: Dial> Subject<D> {
    /// The playlist as it is now.
    async fn current(&self) -> Result<Version, String> {
        self.playlist(&self.url, SOON).await
    }

    /// A playlist; `Err` says what came instead.
    async fn playlist(&self, url: &Url, limit: Duration) -> Result<Version, String> {
        let answer = self.get(url, limit).await.map_err(|failure| failure.to_string())?;
        Version::read(url.clone(), None, &answer, answer.asked)
    }

    /// The playlist with directives, held for as long as a server may.
    async fn held(&self, directives: &str, media: &Media) -> Result<Version, String> {
        self.playlist(&with_directives(&self.url, directives), hold_limit(media)).await
    }

    async fn get(&self, url: &Url, limit: Duration) -> Result<Answer, Failure> {
        self.client.ask(url, &Ask::get(limit).with(header::ACCEPT_ENCODING, "gzip")).await
    }

    /// The answer to directives that a server is to answer at once.
    async fn at_once(&self, directives: &str, limit: Duration) -> Result<Answer, Failure> {
        self.get(&with_directives(&self.url, directives), limit).await
    }
}

/// Whether the server can hold requests.
fn blocks(media: &Media) -> bool {
    !media.ended && media.control.as_ref().is_some_and(|control| control.can_block_reload)
}

/// Time that an answer took, in words.
fn took(since: Instant) -> String {
    format!("{:.2} s", since.elapsed().as_secs_f64())
}
