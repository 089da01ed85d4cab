use std::fmt;

/// Why a connection is refused: a code that the caller is told.
///
/// Those from 1000 on are a listener's own reasons, as libsrt's `access_control.h` names them; those below are libsrt's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Reject(i32);

impl Reject {
    /// Wrong passphrase.
    pub const BAD_SECRET: Self = Self(10);
    /// One side wants encryption and the other does not.
    pub const UNSECURE: Self = Self(11);
    /// No answer.
    pub const TIMEOUT: Self = Self(16);
    /// The stream ID cannot be understood.
    pub const BAD_REQUEST: Self = Self(1400);
    /// The key is missing or wrong.
    pub const UNAUTHORIZED: Self = Self(1401);
    /// The server has as much to do as it takes.
    pub const OVERLOAD: Self = Self(1402);
    /// No access, whatever the key.
    pub const FORBIDDEN: Self = Self(1403);
    /// There is no such stream.
    pub const NOT_FOUND: Self = Self(1404);
    /// The mode (publish, request) is not served.
    pub const BAD_MODE: Self = Self(1405);
    /// What is sent cannot be taken.
    pub const UNACCEPTABLE: Self = Self(1406);
    /// Somebody else publishes there.
    pub const CONFLICT: Self = Self(1409);
    /// The type (stream, file) is not served.
    pub const UNSUPPORTED_MEDIA: Self = Self(1415);
    /// Nobody may have it now.
    pub const LOCKED: Self = Self(1423);
    /// The server has a fault.
    pub const INTERNAL: Self = Self(1500);
    /// The server goes away, or is away.
    pub const DOWN: Self = Self(1503);

    /// What a peer has said.
    pub(crate) fn from_code(code: i32) -> Self {
        Self(code)
    }

    /// The number that goes over the wire.
    pub fn code(self) -> i32 {
        self.0
    }

    fn words(self) -> &'static str {
        match self {
            Self(1) => "a system call failed",
            Self(2) => "the peer refused without a reason",
            Self(3) => "resources are lacking",
            Self(4) => "the handshake is broken",
            Self(5) => "too many connections wait to be accepted",
            Self(7) => "the socket is being closed",
            Self(8) => "the peer's version of SRT is too old",
            Self::BAD_SECRET => "wrong passphrase",
            Self::UNSECURE => "one side has a passphrase and the other has none",
            Self(12) => "one side is in message mode and the other in stream mode",
            Self(13) => "the congestion controllers differ",
            Self(14) => "the packet filters do not fit",
            Self(15) => "groups are not taken",
            Self::TIMEOUT => "no answer in time",
            Self::BAD_REQUEST => "bad stream ID",
            Self::UNAUTHORIZED => "the key is missing or wrong",
            Self::OVERLOAD => "the server has as much to do as it takes",
            Self::FORBIDDEN => "forbidden",
            Self::NOT_FOUND => "there is no such stream",
            Self::BAD_MODE => "the mode in the stream ID is not served",
            Self::UNACCEPTABLE => "what is sent cannot be taken",
            Self::CONFLICT => "somebody else publishes there",
            Self::UNSUPPORTED_MEDIA => "the type in the stream ID is not served",
            Self::LOCKED => "the stream is locked",
            Self::INTERNAL => "the server has a fault",
            Self::DOWN => "the server is shutting down",
            _ => "for a reason of its own",
        }
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (code {})", self.words(), self.0)
    }
}
