use std::pin::Pin;
use std::sync::Arc;

use futures_util::stream::BoxStream;

use crate::change::{Change, Write};
use crate::memory::Memory;
use crate::nats::Nats;

/// What holds what the nodes of a cluster tell each other.
#[derive(Debug, Clone)]
pub enum Store {
    /// This process, and whoever shares the value: a cluster of one.
    Memory(Memory),
    /// NATS JetStream.
    Nats(Nats),
}

/// A store that is there, from its first word until it is gone.
pub(crate) struct Session {
    /// All that it has, then [`Word::Synced`], then what changes. An error or the end: it is gone.
    pub(crate) words: BoxStream<'static, Result<Word, Failure>>,
    pub(crate) pen: Arc<Pen>,
}

/// Has something written; the revision that it got.
pub(crate) type Pen = dyn Fn(Write) -> Writing + Send + Sync;
pub(crate) type Writing = Pin<Box<dyn Future<Output = Result<u64, Refusal>> + Send>>;

/// What a store says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Word {
    /// A key has this value.
    Change(Change),
    /// A key whose kind or name is not known here was written.
    Unknown,
    /// What comes from here on is new.
    Synced,
}

/// Why something was not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// The key does not have the revision that it was to have.
    #[error("another node has written {0}")]
    Conflict(String),
    /// The store is gone, or does not do what it should.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// Why a store is not there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// It cannot be reached.
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    /// It is there, and has no bucket for us.
    #[error("its bucket {bucket} cannot be used: {why}")]
    Bucket { bucket: String, why: String },
    /// The credentials cannot be read.
    #[error("the credentials cannot be read: {0}")]
    Credentials(std::io::Error),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// It did not take a write.
    #[error("{key} cannot be written: {why}")]
    Write { key: String, why: String },
}

impl Store {
    pub(crate) async fn connect(&self) -> Result<Session, Failure> {
        match self {
            Self::Memory(memory) => Ok(memory.connect()),
            Self::Nats(nats) => nats.connect().await,
        }
    }

    /// What it is called in the log.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Memory(_) => "memory".to_owned(),
            Self::Nats(nats) => nats.name(),
        }
    }
}
