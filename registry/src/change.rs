use bytes::Bytes;

use crate::key::Key;

/// What the store says of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) key: Key,
    /// Rises with every write to any key, until the store is made anew.
    pub(crate) revision: u64,
    /// `None`: the key is gone.
    pub(crate) value: Option<Bytes>,
}

/// What a member wants the store to take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Write {
    pub(crate) key: Key,
    /// `None`: the key goes.
    pub(crate) value: Option<Bytes>,
    /// The revision that the key must have for this to be taken; 0: there must be none. `None`: whatever it has.
    pub(crate) expect: Option<u64>,
}
