//! Access units as RTP carries them, made once for all publishers: RFC 6184 for H.264, RFC 7587 for Opus.

use bytes::Bytes;
use rtc::rtp::codec::h264::H264Payloader;
use rtc::rtp::packetizer::Payloader as _;

use super::super::clip::{Clip, Codec, Track};
use super::super::schedule::Due;

/// The largest payload: with all headers and SRTP's tag, a datagram stays below the smallest MTU of the internet's usual paths.
const MAX_PAYLOAD: usize = 1_200;

/// The payloads of a clip.
#[derive(Debug)]
pub(in super::super) struct Packets(Vec<Option<Payloads>>);

/// A track's payloads.
#[derive(Debug)]
struct Payloads {
    media: Media,
    units: Vec<Vec<Bytes>>,
}

/// What a peer is to offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Media {
    /// H.264 of this `profile-level-id` (RFC 6184 8.1).
    Pictures(String),
    /// Opus.
    Sound,
}

impl Packets {
    /// Fails for pictures that are not shown in the order that they are decoded in.
    pub(in super::super) fn new(clip: &Clip) -> Result<Self, String> {
        clip.tracks.iter().map(Payloads::new).collect::<Result<_, _>>().map(Self)
    }

    /// The tracks that there are payloads of, by their number in the clip.
    pub(super) fn offered(&self) -> Vec<(usize, Media)> {
        let tracks = self.0.iter().enumerate();
        tracks.filter_map(|(number, payloads)| Some((number, payloads.as_ref()?.media.clone()))).collect()
    }

    pub(super) fn unit(&self, due: &Due) -> Option<&[Bytes]> {
        self.0.get(due.track)?.as_ref()?.units.get(due.index).map(Vec::as_slice)
    }
}

impl Payloads {
    fn new(track: &Track) -> Result<Option<Self>, String> {
        match &track.codec {
            Codec::Avc(avc) => {
                if track.units.iter().any(|unit| unit.offset != 0) {
                    return Err(
                        "its pictures have B-frames, which WebRTC has no decoding times for: encode it with -bf 0"
                            .to_owned(),
                    );
                }
                let [_, profile, constraints, level] = *avc.record.first_chunk().unwrap_or(&[0; 4]);
                let level = format!("{profile:02x}{constraints:02x}{level:02x}");
                let mut payloader = H264Payloader::default();
                let failed = |error| format!("its pictures cannot be put into packets: {error}");
                let units = track.units.iter().map(|unit| payloader.payload(MAX_PAYLOAD, &avc.byte_stream(unit)));
                let units = units.collect::<Result<_, _>>().map_err(failed)?;
                Ok(Some(Self { media: Media::Pictures(level), units }))
            }
            Codec::Opus(_) => {
                let units = track.units.iter().map(|unit| vec![unit.data.clone()]).collect();
                Ok(Some(Self { media: Media::Sound, units }))
            }
            Codec::Aac(_) => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::clip::Unit;
    use super::super::super::clip::tests::{clip, sound, video};
    use super::*;

    #[test]
    fn keyframes_come_with_their_parameter_sets_and_long_units_in_fragments() {
        let mut pictures = video(2, 2);
        let long = [&2_500_u32.to_be_bytes()[..], &[0x41], &[7; 2_499]].concat();
        pictures.units[1] = Unit { data: long.into(), ..pictures.units[1].clone() };
        let packets = Packets::new(&clip(pictures, sound(94))).unwrap();
        assert_eq!(packets.offered(), [(0, Media::Pictures("64001f".to_owned()))]);
        let at = tokio::time::Instant::now();
        let unit = |index| packets.unit(&Due { track: 0, index, dts: 0, offset: 0, at }).unwrap();
        // STAP-A, then the picture.
        assert_eq!(unit(0), [&b"\x78\0\x04\x67abc\0\x02\x68d"[..], &b"\x65\0"[..]]);
        // FU-A: start, middle, end.
        assert_eq!(
            unit(1).iter().map(|payload| (payload[0], payload[1])).collect::<Vec<_>>(),
            [(0x5c, 0x81), (0x5c, 1), (0x5c, 0x41)]
        );
        assert!(unit(1).iter().all(|payload| payload.len() <= MAX_PAYLOAD));
        assert_eq!(unit(2), [&b"\x41\x02"[..]]);
    }

    #[test]
    fn b_frames_are_refused_in_words() {
        let mut pictures = video(2, 2);
        pictures.units[1].offset = 1_000;
        let error = Packets::new(&clip(pictures, sound(94))).unwrap_err();
        assert_eq!(error, "its pictures have B-frames, which WebRTC has no decoding times for: encode it with -bf 0");
    }
}
