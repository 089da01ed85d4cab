//! Ten minutes of each kind of source: what holds for seconds holds for a programme.
//!
//! `cargo test -p touchline-transcode-worker --release -- --ignored --nocapture --test-threads 1`

use touchline_transcode::plan::Codec;

use crate::client::{Said, work};
use crate::clip::Clip;
use crate::pictures::{RUNGS, plan};

fn make(options: &str) -> Clip {
    let pictures = "-f lavfi -i testsrc2=size=320x180:rate=30:duration=600 -pix_fmt yuv420p";
    Clip::make(Codec::H264, &format!("{pictures} -c:v libx264 -preset ultrafast {options}"))
}

/// Each rung has the IDRs of the source, and all of its pictures but those that the decoder did not show.
fn assert_alike(kind: &str, clip: &Clip, said: &Said, damaged: bool) {
    let (shown, source) = (said.pts(RUNGS[0]), clip.pts());
    for rung in RUNGS {
        assert_eq!(said.sync_pts(rung), clip.sync_pts(), "{kind}: IDRs of rung {rung}");
        assert_eq!(said.pts(rung), shown, "{kind}: pictures of rung {rung}");
    }
    if !damaged {
        assert_eq!(shown, source, "{kind}: pictures");
    }
    println!("{kind}: {} IDRs, {} of {} pictures on each rung", clip.sync_pts().len(), shown.len(), source.len());
}

#[test]
#[ignore = "takes minutes: see the head of this file"]
fn idrs_and_times_are_those_of_the_source_for_ten_minutes() {
    let fixed = make("-tune zerolatency -g 60");
    let size_changes = {
        let small = Clip::make(
            Codec::H264,
            "-f lavfi -i testsrc2=size=160x120:rate=30:duration=300 -pix_fmt yuv420p -c:v libx264 -preset ultrafast \
             -tune zerolatency -g 60",
        );
        let mut rest = small.clone().later(9_000_000);
        rest.inputs[0].data = crate::pictures::with_parameter_sets(&small, 0);
        Clip { inputs: [fixed.inputs[..9_000].to_vec(), rest.inputs].concat(), ..fixed.clone() }
    };
    let jumps = {
        let (before, after) = fixed.inputs.split_at(9_000);
        let after = Clip { inputs: after.to_vec(), ..fixed.clone() }.later(30_000 * 3_600);
        Clip { inputs: [before.to_vec(), after.inputs].concat(), ..fixed.clone() }
    };
    let lossy = {
        let mut clip = make("-bf 2 -g 60");
        // One in a hundred, by a sequence that is the same every time.
        let mut seed = 11_u32;
        clip.inputs.retain(|_| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            seed >> 16 > 65_536 / 100
        });
        clip
    };
    let kinds = [
        ("fixed groups", fixed, false),
        ("scene cuts", make("-tune zerolatency -g 600 -force_key_frames expr:not(mod(n,37))+not(mod(n,101))"), false),
        ("B-frames", make("-bf 3 -g 50"), false),
        ("1 % lost", lossy, true),
        ("a jump of an hour", jumps, false),
        ("another size", size_changes, false),
    ];
    for (kind, clip, damaged) in kinds {
        assert_alike(kind, &clip, &work(plan(&clip), &clip.inputs), damaged);
    }
}
