//! Parts and segments: the samples in them, and how they are addressed.

use mp4_atom::{Decode as _, Moof, Traf, TrunEntry};

use super::{Init, boxes, digest};

/// `sample_is_non_sync_sample` (ISO/IEC 14496-12 8.8.3.1).
const NON_SYNC: u32 = 0x0001_0000;

/// A part or a segment: movie fragments and their media.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fragment {
    pub(crate) runs: Vec<Run>,
    /// Size of all bytes.
    pub(crate) len: usize,
    /// Size and digest of each top-level box, which tells whether bytes are the same.
    pub(crate) boxes: Vec<(usize, u64)>,
    /// What is wrong with it.
    pub(crate) faults: Vec<String>,
}

/// The samples of a track in one movie fragment.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) track: u32,
    /// Decode time of the first sample in the track's timescale.
    pub(crate) start: Option<u64>,
    pub(crate) samples: Vec<Sample>,
}

/// A sample. Equal samples have equal fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) duration: u64,
    pub(crate) composition_offset: i64,
    pub(crate) sync: bool,
    pub(crate) size: u64,
    /// Digest of its bytes, `None` where it points outside.
    pub(crate) digest: Option<u64>,
}

impl Fragment {
    /// Reads movie fragments; `init` has the defaults of their samples.
    pub(crate) fn read(bytes: &[u8], init: &Init) -> Self {
        let mut fragment = Self { len: bytes.len(), ..Self::default() };
        let boxes = match boxes(bytes) {
            Ok(boxes) => boxes,
            Err(fault) => {
                fragment.faults.push(fault);
                return fragment;
            }
        };
        fragment.boxes = boxes.iter().map(|(_, _, whole)| (whole.len(), digest(whole))).collect();
        for (kind, at, whole) in &boxes {
            if kind == "moof" {
                match Moof::decode(&mut &**whole) {
                    Ok(moof) => fragment.fill(&moof, *at, bytes, init),
                    Err(error) => fragment.faults.push(format!("the moof at {at} cannot be read: {error}")),
                }
            }
        }
        if fragment.runs.is_empty() && fragment.faults.is_empty() {
            fragment.faults.push("it has no moof with a traf".to_owned());
        }
        fragment
    }

    fn fill(&mut self, moof: &Moof, at: usize, bytes: &[u8], init: &Init) {
        for traf in &moof.traf {
            let id = traf.tfhd.track_id;
            if traf.tfdt.is_none() {
                self.faults.push(format!("traf of track {id} has no tfdt"));
            }
            if let Some(offset) = traf.tfhd.base_data_offset {
                self.faults.push(format!("tfhd of track {id} has a base-data-offset ({offset})"));
            } else if !traf.tfhd.default_base_is_moof {
                self.faults.push(format!("tfhd of track {id} lacks default-base-is-moof"));
            }
            if init.track(id).is_none() {
                self.faults.push(format!("track {id} has no trak in the init section"));
            }
            let samples = samples(traf, at, bytes, init);
            if samples.iter().any(|sample| sample.digest.is_none()) {
                self.faults.push(format!("samples of track {id} point outside of the fragment"));
            }
            let start = traf.tfdt.as_ref().map(|tfdt| tfdt.base_media_decode_time);
            self.runs.push(Run { track: id, start, samples });
        }
    }

    /// The runs of one track.
    pub(crate) fn of(&self, track: u32) -> impl Iterator<Item = &Run> {
        self.runs.iter().filter(move |run| run.track == track)
    }

    /// The samples of one track.
    pub(crate) fn samples(&self, track: u32) -> impl Iterator<Item = &Sample> {
        self.of(track).flat_map(|run| &run.samples)
    }

    /// Decode time of the first sample of a track.
    pub(crate) fn start(&self, track: u32) -> Option<u64> {
        self.of(track).next()?.start
    }

    /// How long the samples of a track last, in its timescale.
    pub(crate) fn duration(&self, track: u32) -> u64 {
        self.samples(track).map(|sample| sample.duration).sum()
    }

    /// Presentation time of the sample of a track that is shown first.
    pub(crate) fn presentation_start(&self, track: u32) -> Option<i64> {
        let mut time = i64::try_from(self.start(track)?).ok()?;
        let mut least = None;
        for sample in self.samples(track) {
            let shown = time + sample.composition_offset;
            least = Some(least.map_or(shown, |least: i64| least.min(shown)));
            time += i64::try_from(sample.duration).ok()?;
        }
        least
    }
}

fn samples(traf: &Traf, moof_at: usize, bytes: &[u8], init: &Init) -> Vec<Sample> {
    let header = &traf.tfhd;
    let defaults = init.defaults.iter().find(|trex| trex.track_id == header.track_id);
    let base = header.base_data_offset.unwrap_or(moof_at as u64);
    let mut at = base;
    let mut samples = Vec::new();
    for trun in &traf.trun {
        if let Some(offset) = trun.data_offset {
            at = base.saturating_add_signed(offset.into());
        }
        // Bounded by what a fragment of these bytes can hold: a run that only counts allocates nothing by itself.
        for entry in trun.samples.iter().take(bytes.len()) {
            let TrunEntry { duration, size, flags, cts, .. } = entry;
            let pick = |own: Option<u32>, track: Option<u32>, movie: Option<u32>| own.or(track).or(movie).unwrap_or(0);
            let size = u64::from(pick(size, header.default_sample_size, defaults.map(|trex| trex.default_sample_size)));
            let flags = pick(flags, header.default_sample_flags, defaults.map(|trex| trex.default_sample_flags));
            let data =
                usize::try_from(at).ok().and_then(|at| bytes.get(at..at.checked_add(usize::try_from(size).ok()?)?));
            samples.push(Sample {
                duration: pick(
                    duration,
                    header.default_sample_duration,
                    defaults.map(|trex| trex.default_sample_duration),
                )
                .into(),
                composition_offset: cts.unwrap_or(0),
                sync: flags & NON_SYNC == 0,
                size,
                digest: data.map(digest),
            });
            at = at.saturating_add(size);
        }
    }
    samples
}
