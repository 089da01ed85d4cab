//! A store for nodes in one process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use tokio::sync::broadcast::{self, error::RecvError};

use crate::change::{Change, Write};
use crate::key::Key;
use crate::store::{Failure, Refusal, Session, Word};

/// Changes that a reader may lag behind; one that does loses its session, and reads all again.
const BACKLOG: usize = 1_024;

/// What the nodes of a process tell each other. Clones share it.
#[derive(Debug, Clone)]
pub struct Memory(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    values: Mutex<Values>,
    changes: broadcast::Sender<Change>,
}

#[derive(Debug, Default)]
struct Values {
    revision: u64,
    values: BTreeMap<Key, (u64, Bytes)>,
}

impl Default for Memory {
    fn default() -> Self {
        let (changes, _) = broadcast::channel(BACKLOG);
        Self(Arc::new(Inner { values: Mutex::default(), changes }))
    }
}

impl Memory {
    pub(crate) fn connect(&self) -> Session {
        let values = self.values();
        // Within the lock: nothing is written between what is there and what follows.
        let changes = self.0.changes.subscribe();
        let there: Vec<Result<Word, Failure>> = values
            .values
            .iter()
            .map(|(key, (revision, value))| {
                Ok(Word::Change(Change { key: key.clone(), revision: *revision, value: Some(value.clone()) }))
            })
            .collect();
        drop(values);
        let follows = stream::unfold(changes, async |mut changes| match changes.recv().await {
            Ok(change) => Some((Ok(Word::Change(change)), changes)),
            Err(RecvError::Lagged(_)) => Some((Err(Failure::Broken("too far behind".into())), changes)),
            Err(RecvError::Closed) => None,
        });
        let words = stream::iter(there).chain(stream::iter([Ok(Word::Synced)])).chain(follows).boxed();
        let store = self.clone();
        let pen = move |write| -> crate::store::Writing {
            let written = store.write(write);
            Box::pin(async move { written })
        };
        Session { words, pen: Arc::new(pen) }
    }

    fn write(&self, write: Write) -> Result<u64, Refusal> {
        let mut values = self.values();
        let there = values.values.get(&write.key).map_or(0, |(revision, _)| *revision);
        if write.expect.is_some_and(|expected| expected != there) {
            return Err(Refusal::Conflict(write.key.to_string()));
        }
        values.revision += 1;
        let revision = values.revision;
        match &write.value {
            Some(value) => values.values.insert(write.key.clone(), (revision, value.clone())),
            None => values.values.remove(&write.key),
        };
        // Nobody has to listen.
        let _ = self.0.changes.send(Change { key: write.key, revision, value: write.value });
        Ok(revision)
    }

    fn values(&self) -> MutexGuard<'_, Values> {
        // No code that holds the lock can leave the values half changed.
        self.0.values.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
