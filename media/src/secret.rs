use std::fmt;

/// What somebody proves by that they may publish, or replicate. It shows in no log.
#[derive(Clone)]
pub struct Secret(Box<str>);

impl Secret {
    /// The secret that a peer or a configuration names.
    pub fn new(secret: &str) -> Self {
        Self(secret.into())
    }

    /// The secret itself, for who has to send it on; not for people.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Secret {
    /// The time it takes depends on the lengths alone.
    fn eq(&self, other: &Self) -> bool {
        let differences = self.0.bytes().zip(other.0.bytes()).fold(0, |acc, (a, b)| acc | (a ^ b));
        self.0.len() == other.0.len() && std::hint::black_box(differences) == 0
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_compare_and_never_show() {
        assert_eq!(Secret::new("abc"), Secret::new("abc"));
        for other in ["abd", "ab", "abcd", ""] {
            assert_ne!(Secret::new("abc"), Secret::new(other));
        }
        assert_eq!(format!("{0} {0:?}", Secret::new("abc")), "[redacted] [redacted]");
    }
}
