use std::fmt;

/// What an encrypted connection is opened with. It shows in no log.
#[derive(Clone, PartialEq, Eq)]
pub struct Passphrase(Box<str>);

impl Passphrase {
    /// The shortest, in bytes (`SRTO_PASSPHRASE`).
    pub const MIN_LEN: usize = 10;
    /// The longest, in bytes.
    pub const MAX_LEN: usize = 79;

    /// The passphrase, if it is as long as SRT wants it.
    pub fn new(text: &str) -> Result<Self, PassphraseLength> {
        if (Self::MIN_LEN..=Self::MAX_LEN).contains(&text.len()) {
            Ok(Self(text.into()))
        } else {
            Err(PassphraseLength(text.len()))
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// A passphrase is too short or too long; this is its length in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a passphrase has {min} to {max} characters, and this one has {0}",
    min = Passphrase::MIN_LEN,
    max = Passphrase::MAX_LEN
)]
pub struct PassphraseLength(pub usize);

/// How long the key of an encrypted connection is, which its caller chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyLength {
    /// AES-128.
    #[default]
    Aes128,
    /// AES-192.
    Aes192,
    /// AES-256.
    Aes256,
}

impl KeyLength {
    /// In bytes, as `SRTO_PBKEYLEN` has it.
    pub fn bytes(self) -> i32 {
        match self {
            Self::Aes128 => 16,
            Self::Aes192 => 24,
            Self::Aes256 => 32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passphrase_is_as_long_as_srt_wants_it_and_never_shows() {
        for (len, fits) in [(0, false), (9, false), (10, true), (79, true), (80, false)] {
            let text = "x".repeat(len);
            assert_eq!(Passphrase::new(&text).err(), (!fits).then_some(PassphraseLength(len)));
        }
        assert_eq!(format!("{:?}", Passphrase::new("0123456789").unwrap()), "[redacted]");
        assert_eq!(PassphraseLength(3).to_string(), "a passphrase has 10 to 79 characters, and this one has 3");
    }
}
