use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The name of a channel: 1 to [`ChannelName::MAX_LEN`] of `A-Z a-z 0-9 _ - .`, not starting with a dot.
///
/// The alphabet needs no escaping in a URL path, a file name, a log line or a metric label.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelName(Arc<str>);

impl ChannelName {
    /// The longest name, in bytes.
    pub const MAX_LEN: usize = 64;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is not a channel name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a channel name is 1 to {max} of A-Z a-z 0-9 _ - . and does not start with a dot",
    max = ChannelName::MAX_LEN
)]
pub struct ChannelNameError;

impl FromStr for ChannelName {
    type Err = ChannelNameError;

    fn from_str(text: &str) -> Result<Self, ChannelNameError> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
        let valid = (1..=Self::MAX_LEN).contains(&text.len()) && !text.starts_with('.') && text.bytes().all(allowed);
        if valid { Ok(Self(text.into())) } else { Err(ChannelNameError) }
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_need_no_escaping_are_names() {
        for good in ["main", "Pitch_2", "a", "cam-1.hd", &"x".repeat(64)] {
            assert_eq!(good.parse::<ChannelName>().unwrap().as_str(), good);
        }
        for bad in ["", ".", "..", ".main", "a/b", "a b", "é", "a%2f", "a\0", &"x".repeat(65)] {
            assert_eq!(bad.parse::<ChannelName>(), Err(ChannelNameError), "{bad:?}");
        }
    }
}
