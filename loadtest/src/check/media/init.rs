//! Init sections: what a decoder is told, and what RFC 8216bis 3.1.2 and CMAF ask of them.

use std::fmt::Write as _;

use mp4_atom::{Codec, Decode as _, Ftyp, Moov, Stbl, StszSamples, Trak, Trex};

use super::boxes;

/// Brands that promise what fragments need (RFC 8216bis 3.1.2: `iso6` or later).
const BRANDS: [&str; 6] = ["iso6", "iso7", "iso8", "iso9", "cmfc", "cmf2"];

/// An init section.
#[derive(Clone, Debug, Default)]
pub(crate) struct Init {
    pub(crate) tracks: Vec<Track>,
    /// Defaults for samples, by track.
    pub(crate) defaults: Vec<Trex>,
    /// What is wrong with it.
    pub(crate) faults: Vec<String>,
}

/// A track.
#[derive(Clone, Debug, Default)]
pub(crate) struct Track {
    pub(crate) id: u32,
    pub(crate) timescale: u32,
    pub(crate) video: bool,
    /// As in CODECS (RFC 6381), where this judge can tell it.
    pub(crate) codec: Option<String>,
    pub(crate) width: u16,
    pub(crate) height: u16,
    pub(crate) channels: u16,
}

impl Init {
    /// Reads an init section. What cannot be read is told in `faults`.
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let mut init = Self::default();
        if let Err(fault) = init.fill(bytes) {
            init.faults.push(fault);
        }
        init
    }

    /// The track that durations are told of: video where there is video.
    pub(crate) fn leading(&self) -> Option<&Track> {
        self.tracks.iter().find(|track| track.video).or(self.tracks.first())
    }

    /// The track with this id.
    pub(crate) fn track(&self, id: u32) -> Option<&Track> {
        self.tracks.iter().find(|track| track.id == id)
    }

    fn fill(&mut self, bytes: &[u8]) -> Result<(), String> {
        let boxes = boxes(bytes)?;
        let find = |kind| boxes.iter().find(|(other, ..)| other == kind).map(|(_, _, whole)| *whole);
        match boxes.first().map(|(kind, _, whole)| (kind.as_str(), *whole)) {
            Some(("ftyp", whole)) => self.brands(whole)?,
            first => self
                .faults
                .push(format!("it begins with {:?}, not with ftyp", first.map_or("nothing", |(kind, _)| kind))),
        }
        let mut moov = find("moov").ok_or("it has no moov")?;
        let moov = Moov::decode(&mut moov).map_err(|error| format!("its moov cannot be read: {error}"))?;
        self.movie(&moov);
        Ok(())
    }

    fn brands(&mut self, mut whole: &[u8]) -> Result<(), String> {
        let ftyp = Ftyp::decode(&mut whole).map_err(|error| format!("its ftyp cannot be read: {error}"))?;
        let brands: Vec<String> =
            [ftyp.major_brand].iter().chain(&ftyp.compatible_brands).map(ToString::to_string).collect();
        if !brands.iter().any(|brand| BRANDS.contains(&brand.as_str())) {
            self.faults.push(format!("its brands are {}: iso6 or a later one is missing", brands.join(", ")));
        }
        Ok(())
    }

    fn movie(&mut self, moov: &Moov) {
        if moov.mvhd.duration != 0 {
            self.faults.push(format!("mvhd has the duration {}, not 0", moov.mvhd.duration));
        }
        match &moov.mvex {
            Some(mvex) => self.defaults.clone_from(&mvex.trex),
            None => self.faults.push("moov has no mvex, which says that fragments follow".to_owned()),
        }
        for trak in &moov.trak {
            self.trak(trak);
        }
        if moov.trak.is_empty() {
            self.faults.push("moov has no trak".to_owned());
        }
    }

    fn trak(&mut self, trak: &Trak) {
        let id = trak.tkhd.track_id;
        if trak.tkhd.duration != 0 {
            self.faults.push(format!("tkhd of track {id} has the duration {}, not 0", trak.tkhd.duration));
        }
        let tables = &trak.mdia.minf.stbl;
        if !is_empty(tables) {
            self.faults.push(format!("the sample tables of track {id} are not empty"));
        }
        if moov_lacks(&self.defaults, id) {
            self.faults.push(format!("mvex has no trex for track {id}"));
        }
        let entry = tables.stsd.codecs.first();
        let visual = entry.and_then(Codec::visual);
        self.tracks.push(Track {
            id,
            timescale: trak.mdia.mdhd.timescale,
            video: trak.mdia.hdlr.handler.to_string() == "vide",
            codec: entry.and_then(codec_string),
            width: visual.map_or(0, |visual| visual.width),
            height: visual.map_or(0, |visual| visual.height),
            channels: entry.and_then(Codec::audio).map_or(0, |audio| audio.channel_count),
        });
    }
}

fn moov_lacks(defaults: &[Trex], id: u32) -> bool {
    !defaults.is_empty() && !defaults.iter().any(|trex| trex.track_id == id)
}

fn is_empty(tables: &Stbl) -> bool {
    let sizes = match &tables.stsz.samples {
        StszSamples::Identical { count, .. } => *count as usize,
        StszSamples::Different { sizes } => sizes.len(),
    };
    sizes == 0
        && tables.stts.entries.is_empty()
        && tables.stsc.entries.is_empty()
        && tables.stco.as_ref().is_none_or(|offsets| offsets.entries.is_empty())
}

/// The codec as CODECS names it: RFC 6381, and ISO/IEC 14496-15 annex E for H.264 and H.265.
fn codec_string(entry: &Codec) -> Option<String> {
    let avc = |name: &str, avcc: &mp4_atom::Avcc| {
        let (profile, compatibility, level) =
            (avcc.avc_profile_indication, avcc.profile_compatibility, avcc.avc_level_indication);
        format!("{name}.{profile:02x}{compatibility:02x}{level:02x}")
    };
    Some(match entry {
        Codec::Avc1(entry) => avc("avc1", &entry.avcc),
        Codec::Avc3(entry) => avc("avc3", &entry.avcc),
        Codec::Hvc1(entry) => hevc("hvc1", &entry.hvcc),
        Codec::Hev1(entry) => hevc("hev1", &entry.hvcc),
        Codec::Mp4a(entry) => {
            let config = &entry.esds.es_desc.dec_config;
            match &config.dec_specific {
                Some(specific) => format!("mp4a.{:02x}.{}", config.object_type_indication, specific.profile),
                None => format!("mp4a.{:02x}", config.object_type_indication),
            }
        }
        Codec::Opus(_) => "opus".to_owned(),
        Codec::Flac(_) => "flac".to_owned(),
        Codec::Ac3(_) => "ac-3".to_owned(),
        Codec::Eac3(_) => "ec-3".to_owned(),
        _ => return None,
    })
}

fn hevc(name: &str, hvcc: &mp4_atom::Hvcc) -> String {
    let space = ["", "A", "B", "C"].get(usize::from(hvcc.general_profile_space)).unwrap_or(&"");
    let compatibility = u32::from_be_bytes(hvcc.general_profile_compatibility_flags).reverse_bits();
    let tier = if hvcc.general_tier_flag { 'H' } else { 'L' };
    let mut text =
        format!("{name}.{space}{}.{compatibility:x}.{tier}{}", hvcc.general_profile_idc, hvcc.general_level_idc);
    let constraints = hvcc.general_constraint_indicator_flags;
    let used = constraints.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    for byte in constraints.iter().take(used) {
        let _ = write!(text, ".{byte:x}");
    }
    text
}
