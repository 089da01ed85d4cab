//! Access units as RTMP carries them: the bodies of FLV tags (Adobe FLV 10.1, annex E), made once for all publishers.

use bytes::{BufMut as _, Bytes, BytesMut};

use super::super::clip::{Clip, Codec, Track, Unit, rescale};
use super::super::schedule::Due;
use super::MILLISECONDS;

/// E.4.3.1: H.264, in a keyframe or not.
const KEYFRAME: u8 = 0x17;
const INTER_FRAME: u8 = 0x27;
/// E.4.2.1: AAC, which is always said to be 44 kHz, 16 bits, stereo.
const AAC: u8 = 0xaf;
/// What a tag holds: a configuration or media.
const CONFIGURATION: u8 = 0;
const MEDIA: u8 = 1;

/// The tags of a clip.
#[derive(Debug)]
pub(in super::super) struct Tags(Vec<Option<OfTrack>>);

#[derive(Debug)]
struct OfTrack {
    video: bool,
    header: Bytes,
    units: Vec<Bytes>,
}

impl Tags {
    pub(in super::super) fn new(clip: &Clip) -> Self {
        Self(clip.tracks.iter().map(OfTrack::new).collect())
    }

    pub(super) fn is_video(&self, track: usize) -> bool {
        self.of(track).is_some_and(|of| of.video)
    }

    /// The decoder configuration of a track; `None` where it is not sent by RTMP.
    pub(super) fn header(&self, track: usize) -> Option<Bytes> {
        self.of(track).map(|of| of.header.clone())
    }

    pub(super) fn unit(&self, due: &Due) -> Option<Bytes> {
        self.of(due.track)?.units.get(due.index).cloned()
    }

    fn of(&self, track: usize) -> Option<&OfTrack> {
        self.0.get(track)?.as_ref()
    }
}

impl OfTrack {
    fn new(track: &Track) -> Option<Self> {
        let (video, header) = match &track.codec {
            Codec::Avc(avc) => (true, [&[KEYFRAME, CONFIGURATION, 0, 0, 0], &avc.record[..]].concat()),
            Codec::Aac(aac) => (false, [&[AAC, CONFIGURATION], &aac.config[..]].concat()),
            Codec::Opus(_) => return None,
        };
        let body =
            |unit: &Unit| if video { picture(track, unit) } else { [&[AAC, MEDIA], &unit.data[..]].concat().into() };
        Some(Self { video, header: header.into(), units: track.units.iter().map(body).collect() })
    }
}

fn picture(track: &Track, unit: &Unit) -> Bytes {
    let mut body = BytesMut::with_capacity(5 + unit.data.len());
    body.put_slice(&[if unit.sync { KEYFRAME } else { INTER_FRAME }, MEDIA]);
    // A signed number of 24 bits.
    body.put_int(rescale(unit.offset, i128::from(track.timescale.get()), MILLISECONDS), 3);
    body.put_slice(&unit.data);
    body.freeze()
}

#[cfg(test)]
mod tests {
    use super::super::super::clip::tests::{clip, sound, video};
    use super::*;

    #[test]
    fn tags_say_what_they_hold_and_when_it_is_shown() {
        let mut pictures = video(2, 2);
        pictures.units[1].offset = 2_000;
        pictures.units[2].offset = -1_000;
        let tags = Tags::new(&clip(pictures, sound(94)));
        let at = tokio::time::Instant::now();
        let unit = |track, index| tags.unit(&Due { track, index, dts: 0, offset: 0, at });
        assert_eq!(tags.header(0).unwrap()[..6], [0x17, 0, 0, 0, 0, 1]);
        assert_eq!(tags.header(1).unwrap(), &[0xaf, 0, 0x11, 0x90][..]);
        assert_eq!(unit(0, 0).unwrap()[..6], [0x17, 1, 0, 0, 0, 0]);
        assert_eq!(unit(0, 1).unwrap()[..5], [0x27, 1, 0, 0, 66]);
        assert_eq!(unit(0, 2).unwrap()[..5], [0x27, 1, 0xff, 0xff, 0xde]);
        assert_eq!(unit(1, 3).unwrap(), &[0xaf, 1, 0x21, 3][..]);
        assert!(tags.is_video(0) && !tags.is_video(1) && !tags.is_video(2));
    }
}
