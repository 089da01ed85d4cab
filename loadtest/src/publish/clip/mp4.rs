//! MP4 files (ISO/IEC 14496-12), as far as clips need them: one `moov` with the places and times of all samples.

use std::num::NonZeroU32;

use bytes::Bytes;
use mp4_atom::{Codec as Entry, Decode as _, Encode as _, Header, Moov, Stbl, StszSamples, Trak};

use super::{Aac, Avc, Codec, Track, Unit, rescale};

/// The tracks that can be published.
pub(super) fn read(file: &Bytes) -> Result<Vec<Track>, String> {
    let moov = moov(file)?;
    let timescale = moov.mvhd.timescale;
    let mut tracks = Vec::new();
    for trak in &moov.trak {
        tracks.extend(track(trak, timescale, file)?);
    }
    if moov.mvex.is_some() && tracks.iter().all(|track| track.units.is_empty()) {
        return Err("it is fragmented; make it whole: ffmpeg -i FILE -c copy WHOLE.mp4".to_owned());
    }
    Ok(tracks)
}

fn moov(file: &Bytes) -> Result<Moov, String> {
    let broken = |error: mp4_atom::Error| format!("it is no MP4 that can be read: {error}");
    let mut rest: &[u8] = file;
    while !rest.is_empty() {
        let whole = rest;
        let header = Header::decode(&mut rest).map_err(broken)?;
        if header.kind == mp4_atom::FourCC::new(b"moov") {
            return Moov::decode(&mut &*whole).map_err(broken);
        }
        rest = rest.get(header.size.unwrap_or(rest.len())..).ok_or("it is cut short")?;
    }
    Err("it has no moov box".to_owned())
}

/// One track; `None` where it is of no codec that is published. `movie` is the time scale of edits.
fn track(trak: &Trak, movie: u32, file: &Bytes) -> Result<Option<Track>, String> {
    let stbl = &trak.mdia.minf.stbl;
    let (codec, length) = match stbl.stsd.codecs.first() {
        Some(Entry::Avc1(entry)) => {
            let mut record = Vec::new();
            entry.avcc.encode(&mut record).map_err(|error| format!("its H.264 configuration: {error}"))?;
            // A box header stands in front of the record.
            let (avc, length) = Avc::read(&Bytes::from(record).slice(8..))?;
            (Codec::Avc(avc), length)
        }
        Some(Entry::Mp4a(entry)) => {
            let config = entry.esds.es_desc.dec_config.dec_specific.as_ref().map(|specific| specific.raw.clone());
            (Codec::Aac(Aac::read(config.unwrap_or_default().into())?), 0)
        }
        Some(Entry::Opus(entry)) => (Codec::Opus(u8::try_from(entry.audio.channel_count).unwrap_or(2)), 0),
        _ => return Ok(None),
    };
    let timescale = NonZeroU32::new(trak.mdia.mdhd.timescale).ok_or("a track of it has no time scale")?;
    let shift = edit(trak, movie, timescale);
    let mut units = units(stbl, file)?;
    if matches!(codec, Codec::Avc(_)) {
        for unit in &mut units {
            unit.data = Avc::normalised(&unit.data, length)?;
        }
    }
    let step = step(stbl);
    let end = duration(stbl) + shift;
    for unit in &mut units {
        unit.dts += shift;
    }
    // What an encoder puts in front of the sound is not to be heard.
    if !matches!(codec, Codec::Avc(_)) {
        let primed = step.map_or(0, |step| i64::from(step.get()));
        units.retain(|unit| unit.dts + primed.max(1) > 0);
    }
    Ok(Some(Track { codec, timescale, units, step, end }))
}

/// How much later than in the media its times are in the movie, in ticks: an empty edit delays it, the first other one cuts off its
/// beginning (ISO/IEC 14496-12 8.6.6).
fn edit(trak: &Trak, movie: u32, timescale: NonZeroU32) -> i64 {
    let entries = trak.edts.as_ref().and_then(|edts| edts.elst.as_ref()).map_or(&[][..], |elst| &elst.entries);
    let mut shift = 0;
    for entry in entries {
        match entry.media_time {
            None => {
                let delay = i64::try_from(entry.segment_duration).unwrap_or(0);
                shift += rescale(delay, i128::from(movie.max(1)), i128::from(timescale.get()));
            }
            Some(time) => return shift - i64::try_from(time).unwrap_or(0),
        }
    }
    shift
}

fn units(stbl: &Stbl, file: &Bytes) -> Result<Vec<Unit>, String> {
    let deltas = stbl.stts.entries.iter().flat_map(|entry| repeated(i64::from(entry.sample_delta), entry.sample_count));
    let mut offsets = stbl
        .ctts
        .iter()
        .flat_map(|ctts| &ctts.entries)
        .flat_map(|entry| repeated(entry.sample_offset, entry.sample_count));
    let mut dts = 0;
    let mut units = Vec::new();
    for ((number, data), delta) in (1..).zip(samples(stbl, file)?).zip(deltas) {
        let sync = stbl.stss.as_ref().is_none_or(|stss| stss.entries.binary_search(&number).is_ok());
        units.push(Unit { dts, offset: offsets.next().unwrap_or(0), sync, data });
        dts += delta;
    }
    Ok(units)
}

/// How long each sample lasts, where all last equally long, but for the last one, which may be cut off.
fn step(stbl: &Stbl) -> Option<NonZeroU32> {
    let deltas: Vec<(u32, u32)> =
        stbl.stts.entries.iter().map(|entry| (entry.sample_count, entry.sample_delta)).collect();
    match deltas.as_slice() {
        [(_, step)] => NonZeroU32::new(*step),
        [(_, step), (1, last)] if last < step => NonZeroU32::new(*step),
        _ => None,
    }
}

fn repeated(value: i64, count: u32) -> impl Iterator<Item = i64> {
    (0..count).map(move |_| value)
}

fn duration(stbl: &Stbl) -> i64 {
    stbl.stts.entries.iter().map(|entry| i64::from(entry.sample_count) * i64::from(entry.sample_delta)).sum()
}

/// The bytes of each sample.
fn samples(stbl: &Stbl, file: &Bytes) -> Result<Vec<Bytes>, String> {
    let chunks: Vec<u64> = match (&stbl.stco, &stbl.co64) {
        (Some(stco), _) => stco.entries.iter().map(|at| u64::from(*at)).collect(),
        (None, Some(co64)) => co64.entries.clone(),
        (None, None) => Vec::new(),
    };
    let mut sizes: Box<dyn Iterator<Item = u32>> = match &stbl.stsz.samples {
        StszSamples::Identical { count, size } => Box::new((0..*count).map(|_| *size)),
        StszSamples::Different { sizes } => Box::new(sizes.iter().copied()),
    };
    let mut samples = Vec::new();
    for (number, chunk) in (1..).zip(chunks) {
        let run = stbl.stsc.entries.iter().rev().find(|entry| entry.first_chunk <= number);
        let mut at = usize::try_from(chunk).unwrap_or(usize::MAX);
        for size in sizes.by_ref().take(run.map_or(0, |run| run.samples_per_chunk as usize)) {
            let end = at.checked_add(size as usize).filter(|end| *end <= file.len()).ok_or("it is cut short")?;
            samples.push(file.slice(at..end));
            at = end;
        }
    }
    Ok(samples)
}
