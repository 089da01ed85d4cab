//! What nobody can guess.

use ring::rand::{SecureRandom as _, SystemRandom};

/// `N` random bytes.
pub(super) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).expect("the system has randomness");
    bytes
}

/// `N` characters of an ice-char (RFC 8839 5.4) each, of six bits.
pub(super) fn ice_chars<const N: usize>() -> String {
    const CHARS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let pick = |byte: u8| CHARS.get(usize::from(byte % 64)).copied().map(char::from);
    bytes::<N>().into_iter().filter_map(pick).collect()
}
