use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// What a node of the cluster is called, or a pathway: 1 to [`Id::MAX_LEN`] of `A-Z a-z 0-9 _ - .`, not starting with a dot.
///
/// The alphabet needs no escaping in a URL path, a file name, a log line or a metric label.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Id(Arc<str>);

impl Id {
    /// The longest one, in bytes.
    pub const MAX_LEN: usize = 64;

    /// It as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is not an [`Id`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it has to be 1 to {max} of A-Z a-z 0-9 _ - . and not to start with a dot", max = Id::MAX_LEN)]
pub struct IdError;

impl FromStr for Id {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
        let valid = (1..=Self::MAX_LEN).contains(&text.len()) && !text.starts_with('.') && text.bytes().all(allowed);
        if valid { Ok(Self(text.into())) } else { Err(IdError) }
    }
}

impl TryFrom<String> for Id {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<Id> for String {
    fn from(id: Id) -> Self {
        id.as_str().to_owned()
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_need_no_escaping_are_ids() {
        for good in ["origin-a", "edge-3.example.net", "a", &"x".repeat(64)] {
            assert_eq!(good.parse::<Id>().unwrap().as_str(), good);
        }
        for bad in ["", ".", ".a", "a/b", "a b", "é", "a=b", &"x".repeat(65)] {
            assert_eq!(bad.parse::<Id>(), Err(IdError), "{bad:?}");
        }
    }
}
