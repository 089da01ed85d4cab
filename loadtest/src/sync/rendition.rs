//! What viewers get: the pictures and the sound of a stream, recorded into memory.

use std::sync::Arc;
use std::time::Duration;

use hyper::header;
use tokio::time::{Instant, sleep};
use url::Url;

use crate::Error;
use crate::check::client::{Answer, Ask, Client};
use crate::check::dial::Tcp;
use crate::check::playlist::{Map, Media, Multivariant, Segment};

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(10);
/// How long a playlist may list nothing new.
const PATIENCE: Duration = Duration::from_secs(30);
/// Time between two looks at a playlist.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// The playlists to be compared. They are one where pictures and sound are in the same segments.
pub(super) struct Renditions {
    pub(super) pictures: Url,
    pub(super) sound: Url,
}

/// The first variant of the multivariant playlist at `url`, and the sound that goes with it.
pub(super) async fn find(client: &Client<Tcp>, url: &Url) -> Result<Renditions, Error> {
    let text = text(client, url).await?;
    if !Multivariant::is(&text) {
        return Ok(Renditions { pictures: url.clone(), sound: url.clone() });
    }
    let playlist = Multivariant::read(&text);
    let variant = playlist.variants.first().ok_or_else(|| unusable(url, "it lists no variant"))?;
    let pictures = url.join(&variant.uri).map_err(|_| unusable(url, "the URI of its first variant is none"))?;
    let group = variant.groups.iter().find(|(kind, _)| *kind == "AUDIO").map(|(_, group)| group);
    let mut sounds = playlist.alternatives.iter().filter(|sound| sound.kind == "AUDIO" && Some(&sound.group) == group);
    let sound = sounds.clone().find(|sound| sound.default).or_else(|| sounds.next());
    let sound = match sound.and_then(|sound| sound.uri.as_ref()) {
        Some(uri) => url.join(uri).map_err(|_| unusable(url, "the URI of its sound is none"))?,
        None => pictures.clone(),
    };
    Ok(Renditions { pictures, sound })
}

/// The next `length` of the rendition at `url` as one file: its initialisation section and whole segments, from the oldest that is
/// listed on, until there is enough, the stream has ended, or its initialisation section changes.
pub(super) async fn record(client: &Client<Tcp>, url: &Url, length: Duration) -> Result<Vec<u8>, Error> {
    let mut recording = Recording { client, url, map: None, next: 0, length: Duration::ZERO, bytes: Vec::new() };
    let mut grown = Instant::now();
    loop {
        let playlist = Media::read(&text(client, url).await?);
        let before = recording.next;
        for segment in playlist.complete().filter(|segment| segment.msn >= before) {
            if recording.length >= length || !recording.take(segment).await? {
                return Ok(recording.bytes);
            }
        }
        if playlist.ended || recording.length >= length {
            return Ok(recording.bytes);
        }
        if recording.next > before {
            grown = Instant::now();
        } else if grown.elapsed() > PATIENCE {
            return Err(unusable(url, "it lists nothing new"));
        }
        sleep(LOOK_AGAIN).await;
    }
}

struct Recording<'a> {
    client: &'a Client<Tcp>,
    url: &'a Url,
    map: Option<Arc<Map>>,
    /// The number of the next segment.
    next: u64,
    length: Duration,
    bytes: Vec<u8>,
}

impl Recording<'_> {
    /// Adds a segment; false where it belongs to another initialisation section than those before.
    async fn take(&mut self, segment: &Segment) -> Result<bool, Error> {
        self.next = segment.msn + 1;
        let Some((uri, map)) = segment.uri.as_ref().zip(segment.map.as_ref()).filter(|_| !segment.gap) else {
            return Ok(true);
        };
        match &self.map {
            Some(known) if known != map => return Ok(false),
            Some(_) => {}
            None => {
                self.map = Some(Arc::clone(map));
                self.append(&map.uri).await?;
            }
        }
        self.append(uri).await?;
        if let Some(duration) = segment.duration {
            self.length += duration.to_duration();
        }
        Ok(true)
    }

    async fn append(&mut self, uri: &str) -> Result<(), Error> {
        let url = self.url.join(uri).map_err(|_| unusable(self.url, "a URI in it is none"))?;
        let answer = get(self.client, &url).await?;
        self.bytes.extend_from_slice(&answer.body);
        Ok(())
    }
}

async fn text(client: &Client<Tcp>, url: &Url) -> Result<String, Error> {
    let text = get(client, url).await?.unpacked().map_err(|what| unusable(url, &what))?;
    let text = String::from_utf8_lossy(&text).into_owned();
    if text.starts_with("#EXTM3U") { Ok(text) } else { Err(unusable(url, "it is no playlist")) }
}

async fn get(client: &Client<Tcp>, url: &Url) -> Result<Answer, Error> {
    let ask = Ask::get(ANSWER).with(header::ACCEPT_ENCODING, "identity");
    let answer = client.ask(url, &ask).await.map_err(|failure| unusable(url, &failure.to_string()))?;
    if answer.status == 200 { Ok(answer) } else { Err(unusable(url, &format!("status {}", answer.status))) }
}

fn unusable(url: &Url, what: &str) -> Error {
    Error::Stream { url: url.to_string(), what: what.to_owned() }
}
