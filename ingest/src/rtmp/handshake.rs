//! The simple handshake (RTMP 1.0, 5.2).

use super::Violation;

/// Bytes of C1, S1, C2 and S2.
pub const PACKET_LEN: usize = 1_536;
/// The bytes of S1 that are ours to choose, behind time and zero (5.2.3).
pub type Random = [u8; PACKET_LEN - 8];

const VERSION: u8 = 3;
/// What TLS begins with: the content type of a handshake record (RFC 8446 5.1).
const TLS_HANDSHAKE: u8 = 0x16;

/// The server's side of the handshake: C0 and C1 come, S0, S1 and S2 go, C2 comes.
///
/// C1 and C2 may say what they like: clients fill them with digests, zeros or nonsense, and nothing depends on them.
#[derive(Debug)]
pub struct Handshake {
    random: Box<Random>,
    step: Step,
}

#[derive(Debug)]
enum Step {
    C0,
    C1(Vec<u8>),
    C2 { missing: usize },
    Done,
}

impl Handshake {
    /// A handshake whose S1 carries `random`.
    pub fn new(random: Box<Random>) -> Self {
        Self { random, step: Step::C0 }
    }

    /// Takes what belongs to the handshake off `input` and appends answers to `out`; true once it is complete.
    pub fn read(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Result<bool, Violation> {
        loop {
            match &mut self.step {
                Step::C0 => match input.split_off_first() {
                    None => return Ok(false),
                    // 5.2.2: values from 32 on are what text protocols begin with.
                    Some(&VERSION) => self.step = Step::C1(Vec::with_capacity(PACKET_LEN)),
                    Some(&TLS_HANDSHAKE) => return Err(Violation::Tls),
                    Some(&other) => return Err(Violation::Version(other)),
                },
                Step::C1(c1) => {
                    c1.extend_from_slice(take(input, PACKET_LEN - c1.len()));
                    if c1.len() < PACKET_LEN {
                        return Ok(false);
                    }
                    out.push(VERSION);
                    // S1: time 0 and four bytes of zero, the mark of the simple handshake.
                    out.extend_from_slice(&[0; 8]);
                    out.extend_from_slice(&*self.random);
                    // S2 echoes C1 (5.2.4).
                    out.extend_from_slice(c1);
                    self.step = Step::C2 { missing: PACKET_LEN };
                }
                Step::C2 { missing } => {
                    *missing -= take(input, *missing).len();
                    if *missing > 0 {
                        return Ok(false);
                    }
                    self.step = Step::Done;
                }
                Step::Done => return Ok(true),
            }
        }
    }
}

/// Up to `most` bytes off the front of `input`.
pub(super) fn take<'a>(input: &mut &'a [u8], most: usize) -> &'a [u8] {
    let (head, rest) = input.split_at_checked(most).unwrap_or((input, &[]));
    *input = rest;
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handshake() -> Handshake {
        Handshake::new(Box::new([7; PACKET_LEN - 8]))
    }

    #[test]
    fn s2_echoes_c1_and_what_follows_c2_is_left() {
        let c1: Vec<u8> = (0..PACKET_LEN).map(|i| u8::try_from(i % 251).unwrap()).collect();
        let bytes = [&[3][..], &c1, &[0; PACKET_LEN], b"rest"].concat();
        let (mut input, mut out) = (&bytes[..], Vec::new());
        assert!(handshake().read(&mut input, &mut out).unwrap());
        assert_eq!(input, b"rest");
        assert_eq!(out.len(), 1 + 2 * PACKET_LEN);
        assert_eq!(out[..9], [3, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(out[1 + PACKET_LEN..], c1);
    }

    #[test]
    fn bytes_may_come_one_by_one() {
        let (mut handshake, mut out) = (handshake(), Vec::new());
        let bytes = [&[3][..], &[9; 2 * PACKET_LEN]].concat();
        for (i, byte) in bytes.iter().enumerate() {
            let done = handshake.read(&mut std::slice::from_ref(byte), &mut out).unwrap();
            assert_eq!(done, i + 1 == bytes.len());
        }
        assert_eq!(out.len(), 1 + 2 * PACKET_LEN);
    }

    #[test]
    fn another_protocol_is_refused_at_its_first_byte() {
        for (bytes, first) in [(&b"GET / HTTP/1.1\r\n"[..], b'G'), (&[6], 6)] {
            let result = handshake().read(&mut &bytes[..], &mut Vec::new());
            assert_eq!(result, Err(Violation::Version(first)));
        }
        assert_eq!(handshake().read(&mut &[0x16, 3, 1][..], &mut Vec::new()), Err(Violation::Tls));
    }
}
