//! A CMAF chunk (ISO/IEC 23000-19 7.3.2.3): one `moof` and one `mdat`.

use bytes::{BufMut, Bytes};
use mp4_atom::{Encode, Mfhd, Moof, Tfdt, Tfhd, Traf, Trun, TrunEntry};
use touchline_media::Kind;

/// The one track of every rendition.
pub(crate) const TRACK_ID: u32 = 1;

/// A sample as it is written.
#[derive(Debug, Clone)]
pub(crate) struct Placed {
    /// In ticks.
    pub(crate) duration: u32,
    /// PTS less decode time, in ticks.
    pub(crate) offset: i32,
    pub(crate) sync: bool,
    pub(crate) data: Bytes,
}

/// What samples are when their fragment does not say otherwise: the `default_sample_flags` of `trex`.
pub(crate) fn default_flags(kind: Kind) -> u32 {
    match kind {
        Kind::Video => NON_SYNC,
        Kind::Audio => SYNC,
    }
}

/// ISO/IEC 14496-12 8.8.3.1: `sample_depends_on` 2 (on no other).
const SYNC: u32 = 0x0200_0000;
/// `sample_depends_on` 1 (on others), `sample_is_non_sync_sample`.
const NON_SYNC: u32 = 0x0101_0000;
/// Size and kind of a box.
const HEADER_LEN: usize = 8;

/// Writes the chunk with this `sequence_number`, whose first sample has this decode time.
pub(crate) fn encode(sequence: u32, decode_time: u64, kind: Kind, samples: &[Placed]) -> Bytes {
    let payload: usize = samples.iter().map(|sample| sample.data.len()).sum();
    let mut moof = moof(sequence, decode_time, kind, samples);
    // `data_offset` counts from the start of the moof, whose size does not depend on it: write twice.
    let mut chunk = Vec::with_capacity(256 + 16 * samples.len() + payload);
    write(&moof, &mut chunk);
    for run in moof.traf.iter_mut().flat_map(|traf| &mut traf.trun) {
        run.data_offset = i32::try_from(chunk.len() + HEADER_LEN).ok();
    }
    chunk.clear();
    write(&moof, &mut chunk);
    chunk.put_u32(u32::try_from(HEADER_LEN + payload).unwrap_or(u32::MAX));
    chunk.put_slice(b"mdat");
    for sample in samples {
        chunk.put_slice(&sample.data);
    }
    chunk.into()
}

fn write(moof: &Moof, chunk: &mut Vec<u8>) {
    moof.encode(chunk).expect("offsets are i32 and a moof stays far below 4 GiB: nothing can fail");
}

fn moof(sequence: u32, decode_time: u64, kind: Kind, samples: &[Placed]) -> Moof {
    let uniform = samples
        .first()
        .map(|first| first.duration)
        .filter(|&duration| samples.iter().all(|sample| sample.duration == duration));
    let reordered = samples.iter().any(|sample| sample.offset != 0);
    // A run can override the flags of its first sample alone, or must give those of all.
    let sync_inside = samples.iter().skip(1).any(|sample| sample.sync);
    let entries = samples.iter().map(|sample| TrunEntry {
        duration: if uniform.is_some() { None } else { Some(sample.duration) },
        size: u32::try_from(sample.data.len()).ok(),
        flags: match (kind, sample.sync) {
            (Kind::Audio, _) => None,
            (Kind::Video, true) => Some(SYNC),
            (Kind::Video, false) => sync_inside.then_some(NON_SYNC),
        },
        cts: reordered.then(|| sample.offset.into()),
    });
    Moof {
        mfhd: Mfhd { sequence_number: sequence },
        traf: vec![Traf {
            tfhd: Tfhd {
                track_id: TRACK_ID,
                default_sample_duration: uniform,
                default_base_is_moof: true,
                ..Tfhd::default()
            },
            tfdt: Some(Tfdt { base_media_decode_time: decode_time }),
            trun: vec![Trun { data_offset: Some(0), samples: entries.collect::<Vec<_>>().into() }],
            ..Traf::default()
        }],
    }
}
