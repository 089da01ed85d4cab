use std::fmt;
use std::str::FromStr;

use super::random;

/// Names a session: 128 random bits, written as 32 hexadecimal digits. Who knows it and the key may end the session.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionId(u128);

/// Not a session ID: anything but 32 hexadecimal digits in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a session ID is 32 hexadecimal digits")]
pub struct NotASessionId;

impl SessionId {
    /// One that nobody has had.
    pub(super) fn random() -> Self {
        Self(u128::from_ne_bytes(random::bytes()))
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// It is half of a credential: logs show what tells two apart.
impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}..", self.0 >> 96)
    }
}

impl FromStr for SessionId {
    type Err = NotASessionId;

    fn from_str(text: &str) -> Result<Self, NotASessionId> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != 32 || !text.bytes().all(is_digit) {
            return Err(NotASessionId);
        }
        u128::from_str_radix(text, 16).map(Self).map_err(|_| NotASessionId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_read_back() {
        let id = SessionId::random();
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(SessionId(7).to_string(), "00000000000000000000000000000007");
        assert_ne!(id, SessionId::random());
    }

    #[test]
    fn only_thirty_two_digits_are_a_session() {
        let good = "0123456789abcdef0123456789abcdef";
        assert!(good.parse::<SessionId>().is_ok());
        for bad in ["", "+123456789abcdef0123456789abcdef", &good[1..], "0123456789ABCDEF0123456789ABCDEF"] {
            assert_eq!(bad.parse::<SessionId>(), Err(NotASessionId), "{bad}");
        }
    }
}
