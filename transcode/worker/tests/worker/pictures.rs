//! Pictures: the same instants and the same IDRs on every rung, whatever the source does.

use touchline_transcode::message::{Answer, Request};
use touchline_transcode::plan::{Codec, Encoder, Keys, Plan, Video, VideoRung};

use crate::client::{Said, Worker, work};
use crate::clip::Clip;

const PICTURES: &str = "-f lavfi -i testsrc2=size=320x180:rate=30:duration=3 -pix_fmt yuv420p";
const RUNGS: [u8; 3] = [1, 2, 3];

fn x264(options: &str) -> Clip {
    Clip::make(Codec::H264, &format!("{PICTURES} -c:v libx264 -preset ultrafast -tune zerolatency {options}"))
}

fn rung(stream: u8, encoder: Encoder, width: u32, height: u32) -> VideoRung {
    VideoRung { stream, encoder, width, height, bitrate: 300_000, after: None }
}

fn plan(clip: &Clip) -> Plan {
    let rungs =
        vec![rung(1, Encoder::X264, 320, 180), rung(2, Encoder::X264, 256, 144), rung(3, Encoder::OpenH264, 160, 90)];
    let video = Video {
        source: clip.source.clone(),
        width: 320,
        height: 180,
        frame_ticks: Some(1_000),
        keys: Keys::Source,
        rungs,
        thumbnail: None,
    };
    Plan { video: Some(video), audio: None }
}

/// Each rung has these pictures, and these as IDRs.
fn assert_aligned(said: &Said, pts: &[i64], keys: &[i64]) {
    for rung in RUNGS {
        assert_eq!(said.pts(rung), pts, "rung {rung}");
        assert_eq!(said.sync_pts(rung), keys, "rung {rung}");
        assert_eq!(said.records()[&rung].len(), 1, "rung {rung}");
    }
}

#[test]
fn a_fixed_gop_is_kept_on_every_rung() {
    let clip = x264("-g 30 -keyint_min 30");
    assert_eq!(clip.sync_pts(), [0, 30_000, 60_000]);
    assert_aligned(&work(plan(&clip), &clip.inputs), &clip.pts(), &clip.sync_pts());
}

#[test]
fn idrs_at_odd_places_are_kept_one_right_after_another() {
    let clip = x264("-g 300 -force_key_frames 0,0.034,0.4,0.434,1.7");
    assert_eq!(clip.sync_pts(), [0, 1_000, 12_000, 13_000, 51_000]);
    assert_aligned(&work(plan(&clip), &clip.inputs), &clip.pts(), &clip.sync_pts());
}
