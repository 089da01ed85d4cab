use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use touchline_media::ChannelName;
use touchline_srt::caller::{self, MAX_STREAM_ID};
use touchline_srt::{KeyLength, MAX_LATENCY, Passphrase};
use tracing::{Instrument, field, info, info_span, warn};
use url::Url;

use super::Settings;
use super::connection::{self, Context, Request};
use crate::{Metrics, Publish};

/// The pause before the second attempt; each is twice the one before...
pub const MIN_PAUSE: Duration = Duration::from_secs(1);
/// ...up to this. A source that has been there for as long begins from the first again.
pub const MAX_PAUSE: Duration = Duration::from_secs(30);

/// A source that is fetched: `srt://HOST:PORT?streamid=...&passphrase=...&pbkeylen=16|24|32&latency=MILLISECONDS`, with
/// percent-encoded values. It shows without them, because there are secrets among them.
#[derive(Clone, PartialEq, Eq)]
pub struct Source {
    host: String,
    port: u16,
    options: caller::Options,
}

impl Source {
    /// Reads a URL; what is wrong with it in words that hold no secret.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|why| format!("it is not a URL: {why}; {FORM}"))?;
        if url.scheme() != "srt" {
            return Err(format!("it does not begin with srt://; {FORM}"));
        }
        if url.fragment().is_some() {
            return Err("write %23 for a # in the stream ID".into());
        }
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| format!("it has no host; {FORM}"))?;
        let port = url.port().ok_or_else(|| format!("it has no port; {FORM}"))?;
        let mut options = caller::Options::default();
        for (name, value) in url.query_pairs() {
            set(&mut options, &name, &value)?;
        }
        Ok(Self { host: host.trim_matches(['[', ']']).to_owned(), port, options })
    }

    async fn resolve(&self) -> std::io::Result<SocketAddr> {
        let mut found = lookup_host((self.host.as_str(), self.port)).await?;
        found.next().ok_or_else(|| std::io::ErrorKind::NotFound.into())
    }
}

const FORM: &str = "write for example srt://studio.example:8890?streamid=request:main&latency=200";

fn set(options: &mut caller::Options, name: &str, value: &str) -> Result<(), String> {
    match name {
        "streamid" if value.len() > MAX_STREAM_ID => {
            return Err(format!("streamid has {} bytes, and {MAX_STREAM_ID} is the most", value.len()));
        }
        "streamid" => options.stream_id = Some(value.to_owned()),
        "passphrase" => options.passphrase = Some(Passphrase::new(value).map_err(|why| why.to_string())?),
        "pbkeylen" => {
            options.key_length = match value {
                "16" => KeyLength::Aes128,
                "24" => KeyLength::Aes192,
                "32" => KeyLength::Aes256,
                _ => return Err("pbkeylen is 16, 24 or 32: the length of the key in bytes".into()),
            };
        }
        "latency" => {
            let latency = value.parse().ok().map(Duration::from_millis).filter(|latency| *latency <= MAX_LATENCY);
            options.latency = latency
                .ok_or_else(|| format!("latency is a number of milliseconds, at most {}", MAX_LATENCY.as_millis()))?;
        }
        "mode" if value == "caller" => {}
        "mode" => return Err("mode can only be caller here".into()),
        _ => return Err("it has a parameter other than streamid, passphrase, pbkeylen and latency".into()),
    }
    Ok(())
}

/// Fetches `source` into `channel` until `shutdown`: whenever it is not there or has ended, tries again after a pause.
pub async fn pull(
    channel: ChannelName,
    source: Source,
    settings: Settings,
    publishes: mpsc::Sender<Publish>,
    metrics: Metrics,
    shutdown: CancellationToken,
) {
    let context = Arc::new(Context { settings, publishes, metrics, shutdown: shutdown.clone() });
    let span = info_span!("srt", source = %source, channel = field::Empty);
    let pulling = async {
        let (mut pause, mut told) = (MIN_PAUSE, None);
        loop {
            let since = Instant::now();
            match fetch(&channel, &source, &context).await {
                Ok(()) => told = None,
                // The same trouble is told once.
                Err(why) if told.as_ref() == Some(&why) => {}
                Err(why) => {
                    warn!("cannot be fetched: {why}; it is tried again until it can");
                    told = Some(why);
                }
            }
            if since.elapsed() >= MAX_PAUSE {
                pause = MIN_PAUSE;
            }
            sleep(pause).await;
            pause = MAX_PAUSE.min(pause * 2);
        }
    };
    shutdown.run_until_cancelled(pulling.instrument(span)).await;
}

/// Publishes what the source sends until it ends; an error: it did not begin.
async fn fetch(channel: &ChannelName, source: &Source, context: &Context) -> Result<(), String> {
    let address = source.resolve().await.map_err(|why| format!("its name is not found: {why}"))?;
    let socket = caller::connect(address, &source.options).await.map_err(|why| why.to_string())?;
    info!("is connected");
    let request = Request { channel: channel.clone(), key: None, invited: true };
    connection::publish(socket, request, context).await.map(drop).map_err(|why| why.to_string())
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "srt://{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_all_that_a_caller_needs_and_shows_no_secret() {
        let text = "srt://studio.example:9000?streamid=%23!::m%3Drequest,r%3Da%20b&passphrase=correct+horse&pbkeylen=32&latency=200";
        let source = Source::parse(text).unwrap();
        let options = caller::Options {
            stream_id: Some("#!::m=request,r=a b".into()),
            passphrase: Some(Passphrase::new("correct horse").unwrap()),
            key_length: KeyLength::Aes256,
            latency: Duration::from_millis(200),
        };
        assert_eq!(source, Source { host: "studio.example".into(), port: 9_000, options });
        assert_eq!(format!("{source} {source:?}"), "srt://studio.example:9000 srt://studio.example:9000");
        assert_eq!(Source::parse("srt://[::1]:9000").unwrap().host, "::1");
    }

    #[test]
    fn mistakes_are_told_without_secrets() {
        let mistakes = [
            "studio:9000",
            "rtmp://studio/live",
            "srt://:9000",
            "srt://studio",
            "srt://studio:9000?streamid=#!::r=main,s=hush",
            "srt://studio:9000?passphrase=hush",
            "srt://studio:9000?pbkeylen=hush",
            "srt://studio:9000?latency=9000",
            "srt://studio:9000?mode=listener",
            "srt://studio:9000?key=hush",
        ]
        .map(|text| Source::parse(text).unwrap_err());
        assert!(mistakes.iter().all(|mistake| !mistake.contains("hush")));
        insta::assert_snapshot!(mistakes.join("\n"), @r"
        it does not begin with srt://; write for example srt://studio.example:8890?streamid=request:main&latency=200
        it does not begin with srt://; write for example srt://studio.example:8890?streamid=request:main&latency=200
        it is not a URL: empty host; write for example srt://studio.example:8890?streamid=request:main&latency=200
        it has no port; write for example srt://studio.example:8890?streamid=request:main&latency=200
        write %23 for a # in the stream ID
        a passphrase has 10 to 79 characters, and this one has 4
        pbkeylen is 16, 24 or 32: the length of the key in bytes
        latency is a number of milliseconds, at most 8000
        mode can only be caller here
        it has a parameter other than streamid, passphrase, pbkeylen and latency
        ");
    }
}
