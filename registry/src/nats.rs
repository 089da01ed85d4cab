//! A store by NATS JetStream: a bucket of keys and values.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::push::OrderedConfig;
use async_nats::jetstream::consumer::{DeliverPolicy, ReplayPolicy};
use async_nats::jetstream::context::{Context, PublishErrorKind};
use async_nats::jetstream::{self, kv};
use async_nats::{Client, ConnectOptions, Event, HeaderMap, ServerAddr};
use futures_util::{Stream, StreamExt as _, future, stream};
use tokio::sync::watch;

use crate::book::{MAX_VALUE, MEMORY};
use crate::change::{Change, Write};
use crate::key::Key;
use crate::store::{Failure, Refusal, Session, Word, Writing};

/// How long a server has to say what it is asked. One that has lost its leader takes five to six seconds to elect another.
const ANSWER: Duration = Duration::from_secs(8);
/// How often a silent server is asked whether it is still there; it is not, when it has not said so twice.
const PING: Duration = Duration::from_secs(5);
/// Copies that a bucket has where there are so many servers; one where there are not.
const REPLICAS: usize = 3;

/// What tells a deletion from a value (the NATS convention for buckets, ADR-8).
const OPERATION: &str = "KV-Operation";
const DELETE: &str = "DEL";
/// The revision that a key must have for a write to be taken.
const EXPECTED: &str = "Nats-Expected-Last-Subject-Sequence";

/// Servers of one NATS cluster, and the bucket that is ours.
#[derive(Debug, Clone)]
pub struct Nats {
    servers: Vec<Server>,
    credentials: Option<PathBuf>,
    bucket: String,
}

/// The address of a NATS server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server(ServerAddr);

impl FromStr for Server {
    type Err = String;

    /// `nats://HOST:PORT`, or `tls://HOST:PORT`; with `USER:PASSWORD@` before the host, if it wants that.
    fn from_str(text: &str) -> Result<Self, String> {
        let usable = |server: &ServerAddr| matches!(server.scheme(), "nats" | "tls") && !server.host().is_empty();
        let server: Option<ServerAddr> = text.parse().ok().filter(usable);
        server.filter(|_| text.contains("://")).map(Self).ok_or_else(|| {
            format!("\"{text}\" is not the address of a NATS server; write for example \"nats://10.0.0.9:4222\"")
        })
    }
}

impl fmt::Display for Server {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.0.scheme(), self.0.host(), self.0.port())
    }
}

impl Nats {
    /// A bucket on whichever of the servers answers first. `credentials` is a file as `nsc` writes it, with a JWT and a seed.
    pub fn new(servers: Vec<Server>, credentials: Option<PathBuf>, bucket: String) -> Self {
        Self { servers, credentials, bucket }
    }

    /// Whether a bucket can have this name.
    pub fn is_bucket(name: &str) -> bool {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    }

    pub(crate) fn name(&self) -> String {
        self.servers.iter().map(Server::to_string).collect::<Vec<_>>().join(", ")
    }

    pub(crate) async fn connect(&self) -> Result<Session, Failure> {
        let (client, gone) = self.dial().await?;
        let context = jetstream::context::ContextBuilder::new().timeout(ANSWER).build(client.clone());
        let bucket = self.open(&context).await?;
        let words = read(&client, &bucket, gone).await.map_err(|why| self.unusable(&why))?;
        let prefix = bucket.prefix;
        let pen = move |write| -> Writing { Box::pin(put(context.clone(), prefix.clone(), write)) };
        Ok(Session { words: words.boxed(), pen: Arc::new(pen) })
    }

    /// A connection, and what turns true when it breaks: a session is one connection, so nothing of it is lost unseen.
    async fn dial(&self) -> Result<(Client, watch::Receiver<bool>), Failure> {
        let (broken, gone) = watch::channel(false);
        let options = match &self.credentials {
            Some(file) => ConnectOptions::with_credentials_file(file).await.map_err(Failure::Credentials)?,
            None => ConnectOptions::new(),
        };
        // The client leaves the login in an address unread. One holds for all: they are one cluster.
        let login = self.servers.iter().find_map(|Server(server)| Some((server.username()?, server.password()?)));
        let options = match login {
            Some((user, password)) => options.user_and_password(user.to_owned(), password.to_owned()),
            None => options,
        };
        let servers: Vec<ServerAddr> = self.servers.iter().map(|server| server.0.clone()).collect();
        let client = options
            .name("touchline")
            .ping_interval(PING)
            .request_timeout(Some(ANSWER))
            .event_callback(move |event| {
                if matches!(event, Event::Disconnected | Event::Closed) {
                    broken.send_replace(true);
                }
                future::ready(())
            })
            .connect(servers)
            .await
            .map_err(|error| Failure::Unreachable(error.to_string()))?;
        Ok((client, gone))
    }

    /// The bucket, which is made where it is not there.
    async fn open(&self, context: &Context) -> Result<kv::Store, Failure> {
        let there = context.get_key_value(&self.bucket).await;
        let Err(missing) = there else { return there.map_err(|why| self.unusable(&why)) };
        tracing::debug!(bucket = self.bucket, "there is no bucket yet, or it cannot be seen: {missing}");
        let mut made = context.create_key_value(self.bucket_of(REPLICAS)).await;
        if made.is_err() {
            made = context.create_key_value(self.bucket_of(1)).await;
        }
        made.map_err(|why| self.unusable(&why))
    }

    fn bucket_of(&self, num_replicas: usize) -> kv::Config {
        kv::Config {
            bucket: self.bucket.clone(),
            description: "Touchline: which node has which channel".into(),
            max_value_size: i32::try_from(MAX_VALUE).unwrap_or(i32::MAX),
            history: 1,
            // What nobody writes again is forgotten by itself.
            max_age: MEMORY,
            num_replicas,
            ..kv::Config::default()
        }
    }

    fn unusable(&self, why: &impl ToString) -> Failure {
        Failure::Bucket { bucket: self.bucket.clone(), why: why.to_string() }
    }
}

/// All that the bucket has, and what changes in it, until the connection breaks.
async fn read(
    client: &Client,
    bucket: &kv::Store,
    mut gone: watch::Receiver<bool>,
) -> Result<impl Stream<Item = Result<Word, Failure>> + Send + use<>, async_nats::Error> {
    let consumer = bucket
        .stream
        .create_consumer(OrderedConfig {
            deliver_subject: client.new_inbox(),
            description: Some("Touchline reads who has which channel".into()),
            filter_subject: format!("{}>", bucket.prefix),
            deliver_policy: DeliverPolicy::LastPerSubject,
            replay_policy: ReplayPolicy::Instant,
            ..OrderedConfig::default()
        })
        .await?;
    let mut synced = consumer.cached_info().num_pending == 0;
    let at_once = stream::iter(synced.then_some(Ok(Word::Synced)));
    let prefix = bucket.prefix.clone();
    let words = consumer.messages().await?.flat_map(move |message| {
        let words = match message {
            Ok(message) => {
                let pending = message.info().map(|info| (info.stream_sequence, info.pending));
                let (revision, pending) = pending.unwrap_or((0, 0));
                let last = !synced && pending == 0;
                synced |= last;
                [Some(Ok(word(&message, &prefix, revision))), last.then_some(Ok(Word::Synced))]
            }
            Err(error) => [Some(Err(Failure::Broken(error.to_string()))), None],
        };
        stream::iter(words.into_iter().flatten())
    });
    let broken = async move {
        // The sender lives as long as the connection.
        let _ = gone.wait_for(|gone| *gone).await;
        Err(Failure::Broken("the server is gone".into()))
    };
    Ok(stream::select(at_once.chain(words), stream::once(broken)))
}

fn word(message: &async_nats::Message, prefix: &str, revision: u64) -> Word {
    let key = message.subject.as_str().strip_prefix(prefix).and_then(Key::parse);
    let Some(key) = key else { return Word::Unknown };
    // Any operation that is named takes the value away: deletions, purges, and what has outlived its time.
    let taken_away = message.headers.as_ref().is_some_and(|headers| headers.get(OPERATION).is_some());
    let value = (!taken_away).then(|| message.payload.clone());
    Word::Change(Change { key, revision, value })
}

async fn put(context: Context, prefix: String, write: Write) -> Result<u64, Refusal> {
    let mut headers = HeaderMap::new();
    if let Some(expected) = write.expect {
        headers.insert(EXPECTED, expected.to_string());
    }
    if write.value.is_none() {
        headers.insert(OPERATION, DELETE);
    }
    let subject = format!("{prefix}{}", write.key);
    let written =
        async { context.publish_with_headers(subject, headers, write.value.unwrap_or_default()).await?.await };
    match written.await {
        Ok(written) => Ok(written.sequence),
        Err(error) if error.kind() == PublishErrorKind::WrongLastSequence => {
            Err(Refusal::Conflict(write.key.to_string()))
        }
        Err(error) => Err(Failure::Write { key: write.key.to_string(), why: error.to_string() }.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_told_without_their_passwords() {
        let server: Server = "nats://touchline:hush@10.0.0.9:4223".parse().unwrap();
        assert_eq!(server.to_string(), "nats://10.0.0.9:4223");
        assert_eq!("tls://nats.example.net".parse::<Server>().unwrap().to_string(), "tls://nats.example.net:4222");
        for text in ["", "10.0.0.9", "http://10.0.0.9", "nats://", "ws://10.0.0.9"] {
            assert!(text.parse::<Server>().unwrap_err().contains("is not the address of a NATS server"), "{text}");
        }
    }

    #[test]
    fn buckets_have_names_that_nats_takes() {
        assert!(Nats::is_bucket("touchline-eu_1"));
        for name in ["", "a.b", "a b", "ü"] {
            assert!(!Nats::is_bucket(name), "{name}");
        }
    }
}
