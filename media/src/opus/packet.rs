//! The framing of a packet: RFC 6716 3, and for several streams RFC 7845 3 with the self-delimiting framing of RFC 6716 B.

use super::MAX_DURATION;
use crate::Error;

/// The longest that a frame is, in bytes (RFC 6716 3.4, R2).
const MAX_FRAME_LEN: usize = 1_275;

const WHAT: &str = "Opus packet";

/// How long a packet lasts, in ticks of [`super::TIMESCALE`], by its first two bytes. Of several streams, which all last as
/// long, the first tells.
pub fn packet_duration(packet: &[u8]) -> Result<u32, Error> {
    let truncated = Error::Truncated { what: WHAT, len: packet.len() };
    let Some(toc) = packet.first() else { return Err(truncated) };
    // RFC 6716 3.1, table 2: durations of a frame by the configuration in the upper five bits.
    let frame = match (toc >> 3, toc >> 3 & 3) {
        (0..12, 3) => 2_880,
        (0..12, nth) => 480 << nth,
        (12..16, nth) => 480 << (nth & 1),
        (_, nth) => 120_u32 << nth,
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        // 3.2.5: the lower six bits of the byte that follows.
        _ => match packet.get(1) {
            Some(count) => u32::from(count & 0x3f),
            None => return Err(truncated),
        },
    };
    match frames * frame {
        duration @ 1..=MAX_DURATION => Ok(duration),
        _ => Err(Error::Unsupported { what: WHAT, field: "frame count", value: frames }),
    }
}

/// Checks that the frames of all streams are there as they say (RFC 6716 3.4), and last as long. A decoder refuses all else.
pub(super) fn check(packet: &[u8], streams: u8) -> Result<u32, Error> {
    let duration = packet_duration(packet)?;
    let mut rest = packet;
    for stream in 1..=streams {
        if packet_duration(rest) != Ok(duration) {
            return Err(unreadable("its streams are not of one duration"));
        }
        rest = Frames { rest, len: packet.len() }.skip(stream < streams)?;
    }
    Ok(duration)
}

fn unreadable(reason: &str) -> Error {
    Error::Unreadable { what: WHAT, reason: reason.into() }
}

/// Reads one stream of a packet.
struct Frames<'a> {
    rest: &'a [u8],
    /// Length of the whole packet.
    len: usize,
}

impl<'a> Frames<'a> {
    /// What follows this stream. `delimited`: it says itself where it ends (RFC 6716 B), as all but the last do.
    fn skip(mut self, delimited: bool) -> Result<&'a [u8], Error> {
        let toc = self.byte()?;
        let (mut count, mut variable, mut padding) = (1_usize, false, 0);
        match toc & 3 {
            0 => {}
            1 => count = 2,
            2 => (count, variable) = (2, true),
            _ => {
                let byte = self.byte()?;
                (count, variable) = (usize::from(byte & 0x3f), byte & 0x80 != 0);
                if byte & 0x40 != 0 {
                    padding = self.padding()?;
                }
            }
        }
        let mut frames = 0;
        for _ in 1..count {
            // 3.2.3: without this, all frames are of one length.
            if variable {
                frames += self.length()?;
            }
        }
        let alike = if variable { 1 } else { count };
        if delimited {
            let last = self.length()?;
            return self.take(frames + last * alike + padding);
        }
        let last = self.rest.len().checked_sub(frames + padding).ok_or_else(|| self.truncated())?;
        match last.checked_rem(alike) {
            Some(0) if last / alike <= MAX_FRAME_LEN => Ok(&[]),
            Some(0) => Err(unreadable("a frame is longer than 1275 bytes")),
            _ => Err(unreadable("what is left is no whole number of frames")),
        }
    }

    /// 3.2.1: one byte, or two.
    fn length(&mut self) -> Result<usize, Error> {
        let first = usize::from(self.byte()?);
        if first < 252 { Ok(first) } else { Ok(first + 4 * usize::from(self.byte()?)) }
    }

    /// 3.2.5: 255 stands for 254 and more in the next byte.
    fn padding(&mut self) -> Result<usize, Error> {
        let mut padding = 0;
        loop {
            match self.byte()? {
                255 => padding += 254,
                last => return Ok(padding + usize::from(last)),
            }
        }
    }

    fn byte(&mut self) -> Result<u8, Error> {
        let (byte, rest) = self.rest.split_first().ok_or_else(|| self.truncated())?;
        self.rest = rest;
        Ok(*byte)
    }

    fn take(self, len: usize) -> Result<&'a [u8], Error> {
        self.rest.get(len..).ok_or_else(|| self.truncated())
    }

    fn truncated(&self) -> Error {
        Error::Truncated { what: WHAT, len: self.len }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// CELT, 20 ms, in this form (RFC 6716 3.2).
    fn packet(code: u8, rest: &[u8]) -> Vec<u8> {
        [&[31 << 3 | code][..], rest].concat()
    }

    #[test]
    fn a_packet_lasts_as_long_as_its_frames() {
        let frame = |config: u8| packet_duration(&[config << 3]).unwrap();
        // RFC 6716 table 2.
        assert_eq!([0, 1, 2, 3, 8, 11].map(frame), [480, 960, 1_920, 2_880, 480, 2_880]);
        assert_eq!([12, 13, 14, 15].map(frame), [480, 960, 480, 960]);
        assert_eq!([16, 17, 18, 19, 28, 31].map(frame), [120, 240, 480, 960, 120, 960]);
        assert_eq!(packet_duration(&packet(1, &[])), Ok(1_920));
        assert_eq!(packet_duration(&packet(2, &[])), Ok(1_920));
        assert_eq!(packet_duration(&packet(3, &[0xc6])), Ok(5_760));
        let refused = |packet: &[u8]| packet_duration(packet).unwrap_err().to_string();
        assert_eq!(refused(&[]), "Opus packet is cut short: 0 bytes");
        assert_eq!(refused(&packet(3, &[])), "Opus packet is cut short: 1 bytes");
        assert_eq!(refused(&packet(3, &[7])), "Opus packet has unsupported frame count 7");
        assert_eq!(refused(&packet(3, &[0x80])), "Opus packet has unsupported frame count 0");
    }

    #[test]
    fn frames_that_are_there_as_they_say_are_taken() {
        let one = |code, rest: &[u8]| check(&packet(code, rest), 1);
        assert_eq!(one(0, &[]), Ok(960), "a frame that was not sent");
        assert_eq!(one(0, &[1; 1_275]), Ok(960));
        assert_eq!(one(1, &[1; 6]), Ok(1_920));
        assert_eq!(one(2, &[2, 1, 1, 1, 1, 1]), Ok(1_920));
        assert_eq!(one(2, &[&[252, 1][..], &[1; 256 + 9]].concat()), Ok(1_920));
        assert_eq!(one(3, &[3, 1, 1, 1, 1, 1, 1]), Ok(2_880));
        assert_eq!(one(3, &[0x83, 1, 2, 1, 1, 1, 1, 1]), Ok(2_880));
        assert_eq!(one(3, &[0x42, 3, 1, 1, 1, 1, 0, 0, 0]), Ok(1_920));
        assert_eq!(one(3, &[&[0x41, 255, 0][..], &[0; 254]].concat()), Ok(960));
        // Two streams: one of two bytes, which says so, and one of three.
        assert_eq!(check(&[31 << 3, 2, 1, 1, 31 << 3, 1, 1, 1], 2), Ok(960));
        assert_eq!(check(&[31 << 3 | 1, 2, 1, 1, 1, 1, 31 << 3 | 1, 1, 1], 2), Ok(1_920));
    }

    #[test]
    fn others_are_refused_as_a_decoder_would() {
        let one = |code, rest: &[u8]| check(&packet(code, rest), 1).map_err(|error| error.to_string());
        let cut = |len: usize| Err(format!("Opus packet is cut short: {len} bytes"));
        let uneven = Err("Opus packet does not parse: what is left is no whole number of frames".to_owned());
        assert_eq!(one(0, &[1; 1_276]), Err("Opus packet does not parse: a frame is longer than 1275 bytes".into()));
        assert_eq!(one(1, &[1; 5]), uneven);
        assert_eq!(one(2, &[]), cut(1));
        assert_eq!(one(2, &[4, 1, 1]), cut(4));
        assert_eq!(one(2, &[252]), cut(2));
        assert_eq!(one(3, &[3, 1, 1]), uneven);
        assert_eq!(one(3, &[0x42, 255]), cut(3));
        assert_eq!(one(3, &[0x42, 9, 1, 1]), cut(5));
        assert_eq!(check(&[31 << 3, 4, 1, 1], 2), Err(Error::Truncated { what: WHAT, len: 4 }));
        let other = check(&[31 << 3, 1, 1, 30 << 3, 1], 2).unwrap_err().to_string();
        assert_eq!(other, "Opus packet does not parse: its streams are not of one duration");
    }

    proptest! {
        #[test]
        fn any_packet_lasts_at_most_120_ms(bytes in prop::collection::vec(any::<u8>(), 0..40), streams in 1..5_u8) {
            if let Ok(duration) = packet_duration(&bytes) {
                prop_assert!((120..=MAX_DURATION).contains(&duration) && duration % 120 == 0);
            }
            if let Ok(duration) = check(&bytes, streams) {
                prop_assert_eq!(packet_duration(&bytes), Ok(duration));
            }
        }
    }
}
