//! From a URL to a report: finds the renditions, watches and probes them at once, then lets the rules judge.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hyper::header;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use url::Url;

use super::client::{Answer, Ask, Client};
use super::dial::Dial;
use super::evidence::{Evidence, Recording};
use super::ledger::Ledger;
use super::playlist::{Media, Multivariant};
use super::watch::{Progress, Watch};
use super::{Error, Plan, Report, probe, rules};

/// How long the first answer may take.
const FIRST_ANSWER: Duration = Duration::from_secs(10);
/// Redirects that are followed from the URL that was given.
const MAX_REDIRECTS: usize = 5;
/// Media playlists that are watched; a ladder with languages has fewer.
const MAX_RENDITIONS: usize = 16;
/// Time between two lines of progress.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);

/// Judges the stream at `url`.
pub(super) async fn run<D: Dial>(dial: D, url: Url, plan: Plan) -> Result<Report, Error> {
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(Error::Url(url));
    }
    // A playlist may lead from http to https.
    let client = Client::new(dial, true, plan.insecure);
    let (url, answer, text) = open(&client, url).await?;
    let multivariant = Multivariant::is(&text).then(|| Multivariant::read(&text));
    let playlists = playlists(&url, multivariant.as_ref());
    (plan.progress)(&format!("judging {} media playlist(s) for {} s", playlists.len(), plan.watch.as_secs()));

    let zero = Instant::now();
    let progress = Arc::new(Progress::default());
    let mut ledger = Ledger::default();
    let (renditions, ()) = tokio::join!(
        watch(&client, &playlists, zero, plan, &progress),
        probe::run(&client, &playlists, plan, &mut ledger),
    );
    let content_type = answer.header("content-type").map(str::to_owned);
    let evidence =
        Evidence { multivariant: multivariant.map(|read| (url.clone(), text, read, content_type)), renditions };
    rules::judge(&evidence, &mut ledger);
    probe::after(&client, &url, &evidence, &mut ledger).await;
    Ok(Report { url: url.into(), watched: zero.elapsed(), seen: describe(&evidence), findings: ledger.findings() })
}

/// The first playlist, with the URL that redirects led to.
async fn open<D: Dial>(client: &Client<D>, mut url: Url) -> Result<(Url, Answer, String), Error> {
    for _ in 0..MAX_REDIRECTS {
        let failed = |what: String| Error::NoPlaylist { url: url.clone(), what };
        let ask = Ask::get(FIRST_ANSWER).with(header::ACCEPT_ENCODING, "gzip");
        let answer = client.ask(&url, &ask).await.map_err(|failure| failed(failure.to_string()))?;
        if let (300..400, Some(location)) = (answer.status, answer.header("location")) {
            url = url.join(location).map_err(|_| failed(format!("redirected to {location:?}, which is no URL")))?;
            continue;
        }
        if answer.status != 200 {
            return Err(failed(format!("status {}", answer.status)));
        }
        let text = answer.unpacked().map_err(failed)?;
        let text = String::from_utf8_lossy(&text).into_owned();
        if !text.contains("#EXTM3U") {
            return Err(Error::NoPlaylist { url, what: "the answer is not a playlist: #EXTM3U is missing".to_owned() });
        }
        return Ok((url, answer, text));
    }
    Err(Error::NoPlaylist { url, what: format!("more than {MAX_REDIRECTS} redirects") })
}

/// Names and URLs of all media playlists: those of variants first.
fn playlists(url: &Url, multivariant: Option<&Multivariant>) -> Vec<(String, Url)> {
    let Some(multivariant) = multivariant else {
        let name = url.path().trim_start_matches('/').to_owned();
        return vec![(name, url.clone())];
    };
    let variants = multivariant.variants.iter().map(|variant| &variant.uri);
    let alternatives = multivariant.alternatives.iter().filter_map(|alternative| alternative.uri.as_ref());
    let mut found: Vec<(String, Url)> = Vec::new();
    for uri in variants.chain(alternatives) {
        if let Ok(url) = url.join(uri)
            && found.len() < MAX_RENDITIONS
            && found.iter().all(|(_, known)| *known != url)
        {
            found.push((uri.clone(), url));
        }
    }
    found
}

async fn watch<D: Dial>(
    client: &Client<D>,
    playlists: &[(String, Url)],
    zero: Instant,
    plan: Plan,
    progress: &Arc<Progress>,
) -> Vec<Recording> {
    let mut watches = JoinSet::new();
    for (number, (name, url)) in playlists.iter().cloned().enumerate() {
        let (client, progress) = (client.clone(), progress.clone());
        let watch = Watch { client, name, url, zero, until: zero + plan.watch, progress };
        watches.spawn(async move { (number, watch.run().await) });
    }
    let mut recordings = Vec::new();
    loop {
        tokio::select! {
            done = watches.join_next() => match done {
                Some(Ok(recording)) => recordings.push(recording),
                Some(Err(_)) => {}
                None => break,
            },
            () = sleep(PROGRESS_EVERY) => {
                let [playlists, fetched] = [&progress.playlists, &progress.fetched].map(|counter| counter.load(Ordering::Relaxed));
                let elapsed = zero.elapsed().as_secs().min(plan.watch.as_secs());
                (plan.progress)(&format!("{elapsed} of {} s: {playlists} playlists, {fetched} parts and segments", plan.watch.as_secs()));
            }
        }
    }
    recordings.sort_by_key(|(number, _)| *number);
    recordings.into_iter().map(|(_, recording)| recording).collect()
}

/// What was seen, in one line.
fn describe(evidence: &Evidence) -> String {
    let versions: usize = evidence.renditions.iter().map(|recording| recording.versions.len()).sum();
    let fetched: usize = evidence.renditions.iter().map(|recording| recording.fetched.len()).sum();
    let media: Vec<&Media> =
        evidence.renditions.iter().filter_map(|recording| Some(&*recording.first()?.media)).collect();
    let target = media.iter().find_map(|media| media.target_duration).map_or(0, |(seconds, _)| seconds);
    let part = media
        .iter()
        .find_map(|media| media.part_target)
        .map_or("no parts".to_owned(), |(part, _)| format!("PART-TARGET {part}"));
    format!(
        "{} media playlist(s), {versions} versions, {fetched} parts and segments; target duration {target} s, {part}",
        evidence.renditions.len()
    )
}
