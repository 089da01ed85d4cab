//! The init section of a rendition: a CMAF header (ISO/IEC 23000-19 7.3.1, RFC 8216bis 3.1.2).

use bytes::Bytes;
use mp4_atom::esds::{DecoderConfig, DecoderSpecific, EsDescriptor, SLConfig};
use mp4_atom::{
    Atom, Audio, Av01, Av1c, Avc1, Avcc, Codec, Dinf, Dops, Dref, Encode, Esds, FourCC, Ftyp, Hdlr, Hvc1, Hvcc, Mdhd,
    Mdia, Minf, Moov, Mp4a, Mvex, Mvhd, Opus, Smhd, Stbl, Stco, Stsd, Tkhd, Trak, Trex, Url, Visual, Vmhd,
};
use touchline_media::{Format, Kind, Track, aac, av1, avc, hevc, opus};

use crate::fragment::{TRACK_ID, default_flags};
use crate::{Coding, Error, Media};

/// Writes the `ftyp` and the `moov` of a track.
pub(crate) fn section(track: &Track) -> Result<Bytes, Error> {
    let refuse = |reason: String| Error::Configuration { codec: track.format.codec().into_owned(), reason };
    let moov = moov(track).map_err(refuse)?;
    let mut data = Vec::with_capacity(1_024);
    ftyp().encode(&mut data).and_then(|()| moov.encode(&mut data)).map_err(|error| refuse(error.to_string()))?;
    Ok(data.into())
}

/// What the multivariant playlist says about a track.
pub(crate) fn coding(track: &Track) -> Result<Coding, Error> {
    let codec = track.format.codec().into_owned();
    let media = match (&track.format, track.format.picture_size()) {
        (Format::Aac(config), _) => Media::Audio { sample_rate: config.sample_rate, channels: config.channels },
        (Format::Opus(config), _) => Media::Audio { sample_rate: config.timescale().get(), channels: config.channels },
        (_, Some((width, height))) => Media::Video { width, height, frame_rate: track.frame_rate() },
        _ => return Err(Error::Configuration { codec, reason: UNKNOWN.into() }),
    };
    Ok(Coding { codec, media, bitrate: track.bitrate, language: track.language })
}

const UNKNOWN: &str = "this codec has no place in an init section yet";

/// CMAF asks for `cmfc`, RFC 8216bis 3.1.2 for `iso6` or later.
fn ftyp() -> Ftyp {
    let cmaf = FourCC::new(b"cmfc");
    Ftyp { major_brand: cmaf, minor_version: 0, compatible_brands: vec![cmaf, FourCC::new(b"iso6")] }
}

/// 3.1.2: no samples and no durations; `mvex` says that fragments follow.
fn moov(track: &Track) -> Result<Moov, String> {
    let kind = track.format.kind();
    let timescale = track.timescale.get();
    let (width, height) = match track.format.picture_size() {
        Some((width, height)) => (side(width)?, side(height)?),
        None => (0, 0),
    };
    let volume = match kind {
        Kind::Video => 0,
        Kind::Audio => 1,
    };
    Ok(Moov {
        mvhd: Mvhd { timescale, rate: 1.into(), volume: 1.into(), next_track_id: TRACK_ID + 1, ..Mvhd::default() },
        mvex: Some(Mvex {
            mehd: None,
            trex: vec![Trex {
                track_id: TRACK_ID,
                default_sample_description_index: 1,
                default_sample_duration: track.frame_ticks.unwrap_or(0),
                default_sample_size: 0,
                default_sample_flags: default_flags(kind),
            }],
        }),
        trak: vec![Trak {
            tkhd: Tkhd {
                track_id: TRACK_ID,
                enabled: true,
                in_movie: true,
                volume: volume.into(),
                width: width.into(),
                height: height.into(),
                ..Tkhd::default()
            },
            mdia: mdia(track, kind)?,
            ..Trak::default()
        }],
        ..Moov::default()
    })
}

fn mdia(track: &Track, kind: Kind) -> Result<Mdia, String> {
    let (handler, name) = match kind {
        Kind::Video => (FourCC::new(b"vide"), "video"),
        Kind::Audio => (FourCC::new(b"soun"), "audio"),
    };
    // ISO/IEC 14496-12 8.4.2.3: a code of ISO 639-2.
    let language = track.language.map_or("und".to_owned(), |language| language.to_string());
    Ok(Mdia {
        mdhd: Mdhd { timescale: track.timescale.get(), language, ..Mdhd::default() },
        hdlr: Hdlr { handler, name: name.into() },
        minf: Minf {
            vmhd: (kind == Kind::Video).then(Vmhd::default),
            smhd: (kind == Kind::Audio).then(Smhd::default),
            // An empty location: the media is in the same file.
            dinf: Dinf { dref: Dref { entries: vec![Url::default().into()] } },
            stbl: Stbl {
                stsd: Stsd { codecs: vec![sample_entry(track)?] },
                stco: Some(Stco::default()),
                ..Stbl::default()
            },
            ..Minf::default()
        },
    })
}

fn sample_entry(track: &Track) -> Result<Codec, String> {
    match &track.format {
        Format::Avc(config) => avc1(config).map(Codec::Avc1),
        Format::Hevc(config) => hvc1(config).map(Codec::Hvc1),
        Format::Av1(config) => av01(config).map(Codec::Av01),
        Format::Aac(config) => Ok(Codec::Mp4a(mp4a(config))),
        Format::Opus(config) => opus(config).map(Codec::Opus),
        _ => Err(UNKNOWN.into()),
    }
}

/// ISO/IEC 14496-15 5.4.2.1.
fn avc1(config: &avc::Config) -> Result<Avc1, String> {
    let avcc = Avcc::decode_body(&mut &*config.record).map_err(|error| format!("avcC: {error}"))?;
    Ok(Avc1 { visual: visual(config.width, config.height)?, avcc, ..Avc1::default() })
}

/// ISO/IEC 14496-15 8.4.1.1: all parameter sets are in the sample entry.
fn hvc1(config: &hevc::Config) -> Result<Hvc1, String> {
    let hvcc = Hvcc::decode_body(&mut &*config.record).map_err(|error| format!("hvcC: {error}"))?;
    Ok(Hvc1 { visual: visual(config.width, config.height)?, hvcc, ..Hvc1::default() })
}

/// AV1-ISOBMFF 2.2.
fn av01(config: &av1::Config) -> Result<Av01, String> {
    let av1c = Av1c::decode_body(&mut &*config.record).map_err(|error| format!("av1C: {error}"))?;
    let visual = Visual { compressor: "AOM Coding".into(), ..visual(config.width, config.height)? };
    Ok(Av01 { visual, av1c, ..Av01::default() })
}

/// ISO/IEC 14496-12 12.1.3.
fn visual(width: u32, height: u32) -> Result<Visual, String> {
    Ok(Visual { data_reference_index: 1, width: side(width)?, height: side(height)?, ..Visual::default() })
}

/// ISO/IEC 14496-14 5.6.1.
fn mp4a(config: &aac::Config) -> Mp4a {
    let descriptor = EsDescriptor {
        dec_config: DecoderConfig {
            // ISO/IEC 14496-1 table 5: audio ISO/IEC 14496-3.
            object_type_indication: 0x40,
            // Table 6: audio stream.
            stream_type: 5,
            dec_specific: Some(DecoderSpecific { raw: config.record.to_vec(), ..DecoderSpecific::default() }),
            ..DecoderConfig::default()
        },
        sl_config: SLConfig {},
        ..EsDescriptor::default()
    };
    // Rates beyond 16 bits are told by the AudioSpecificConfig alone.
    let audio = audio(config.channels, u16::try_from(config.sample_rate).unwrap_or(0));
    Mp4a { audio, esds: Esds { es_desc: descriptor }, btrt: None, taic: None }
}

/// Encapsulation of Opus in ISO BMFF 4.3.1. The first samples that a player decodes are none of the encoder's delay, as it
/// joins in the middle, so no edit list leaves them out; and each access unit has the time of what it decodes to.
fn opus(config: &opus::Config) -> Result<Opus, String> {
    let dops = Dops::decode_body(&mut &*config.dops()).map_err(|error| format!("dOps: {error}"))?;
    Ok(Opus { audio: audio(config.channels, 48_000), dops, btrt: None })
}

/// ISO/IEC 14496-12 12.2.3.
fn audio(channels: u8, sample_rate: u16) -> Audio {
    Audio { data_reference_index: 1, channel_count: channels.into(), sample_size: 16, sample_rate: sample_rate.into() }
}

fn side(pixels: u32) -> Result<u16, String> {
    u16::try_from(pixels).map_err(|_| format!("{pixels} pixels are more than a sample entry can say"))
}
