//! `touchline encoders`: what this machine can encode with.

use std::path::Path;

use anyhow::Context as _;
use touchline_transcode::plan::{Codec, Encoder};
use touchline_transcode::probe::{Probe, Verdict};
use touchline_transcode::workshop;

/// Tries each encoder in a throw-away worker, and tells of it on standard output as soon as it is known.
#[tokio::main(flavor = "current_thread")]
pub(crate) async fn tell(worker: Option<&Path>) -> anyhow::Result<()> {
    let program = workshop::find(worker).with_context(|| match worker {
        Some(path) => format!("{} is not there", path.display()),
        None => format!(
            "{} is not beside this program, nor on the search path: build it with `make build`, or say where it is with \
             --worker FILE",
            workshop::PROGRAM
        ),
    })?;
    println!("{:<12} {:<6} {:<8} what is known", "encoder", "codec", "verdict");
    let mut chosen: Vec<Codec> = Vec::new();
    for encoder in Encoder::H264.into_iter().chain(Encoder::HEVC) {
        let probe = workshop::probe(&program, encoder).await;
        let first = probe.verdict == Verdict::Works && !chosen.contains(&encoder.codec());
        if first {
            chosen.push(encoder.codec());
        }
        println!("{}", line(encoder, &probe, first));
    }
    if !chosen.contains(&Codec::H264) {
        anyhow::bail!("no encoder of H.264 works here: install {}", workshop::PACKAGES);
    }
    Ok(())
}

fn line(encoder: Encoder, probe: &Probe, first: bool) -> String {
    let codec = if encoder.codec() == Codec::H265 { "HEVC" } else { "H.264" };
    let verdict = match probe.verdict {
        Verdict::Works if first => "chosen",
        Verdict::Works => "works",
        Verdict::Missing => "missing",
        Verdict::Broken => "broken",
    };
    let known = match (&probe.cost, probe.verdict) {
        (Some(cost), Verdict::Works) => {
            let hd = cost.encode_ns_per_pixel * 1_280.0 * 720.0 * 30.0 / 1e7;
            let role = if first { "ladders are made by it" } else { "takes over if those above fail" };
            format!("{role}; 720p30 takes {hd:.0} % of a core")
        }
        _ => probe.reason.clone(),
    };
    format!("{:<12} {codec:<6} {verdict:<8} {known}", encoder.element())
}
