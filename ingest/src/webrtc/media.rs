//! What is taken of an `m=` section: one codec, and with it the ways to ask for what is missing.

use data_encoding::BASE64;

use super::offer::{Lines, NoCodec};
use crate::rtp::{self, Codec};

/// Of the extension that numbers all packets of a connection.
pub(super) const TRANSPORT_SEQUENCE: &str = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
/// How many bits a second of sound an encoder may use. Those of browsers keep to 32,000 if nothing is said.
const OPUS_BITRATE: u32 = 128_000;

/// The parameters by which a sender tells of parameter sets (RFC 6184 8.1, RFC 7798 7.1). They are about what it sends, so that
/// an answer does not repeat them.
const PARAMETER_SETS: [&str; 4] = ["sprop-vps", "sprop-sps", "sprop-pps", "sprop-parameter-sets"];

/// What is taken of a section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Media {
    pub(super) codec: Codec,
    pub(super) payload_type: u8,
    /// As in `H264/90000`.
    pub(super) rtpmap: String,
    /// As the answer has it.
    pub(super) fmtp: Option<String>,
    /// NAL units that the offer tells of.
    pub(super) parameter_sets: Vec<Vec<u8>>,
    /// The payload type by which packets are sent again (RFC 4588).
    pub(super) rtx: Option<u8>,
    /// Whether packets can be asked for.
    pub(super) nack: bool,
    /// Whether keyframes can be asked for.
    pub(super) pli: bool,
    /// What [`TRANSPORT_SEQUENCE`] is numbered, if the sender wants to know what arrived when.
    pub(super) transport_sequence: Option<u8>,
    /// Whether RTCP may go without a report in front (RFC 5506).
    pub(super) reduced_rtcp: bool,
}

impl Media {
    /// Ticks of its clock in a second.
    pub(super) fn clock_rate(&self) -> u32 {
        if self.is_video() { 90_000 } else { 48_000 }
    }

    pub(super) fn is_video(&self) -> bool {
        !matches!(self.codec, Codec::Opus { .. })
    }

    /// What the packets of it are like.
    pub(super) fn description(&self) -> rtp::Description {
        let Self { codec, nack, pli, parameter_sets, .. } = self;
        rtp::Description { codec: *codec, nack: *nack, pli: *pli, parameter_sets: parameter_sets.clone() }
    }
}

/// A payload type of an offer.
struct Format<'a> {
    payload_type: u8,
    rtpmap: &'a str,
    fmtp: Option<&'a str>,
}

/// The best of what a section offers.
pub(super) fn choose(lines: &Lines<'_>) -> Result<Media, NoCodec> {
    let formats: Vec<Format<'_>> = lines.formats().filter_map(|format| Format::read(lines, format)).collect();
    let is_video = lines.kind() == "video";
    let ranked = formats.iter().filter_map(|format| Some((format.rank(is_video)?, format)));
    // Of those of one rank, the publisher's first: `min_by_key` keeps it.
    let Some(((_, codec), chosen)) = ranked.min_by_key(|((rank, _), _)| *rank) else {
        return Err(none(&formats, is_video));
    };
    let apt = chosen.payload_type.to_string();
    let is_rtx = |format: &&Format<'_>| {
        format.is("rtx") && format.parameters().any(|parameter| parameter == ("apt", apt.as_str()))
    };
    let feedback = |wanted: &str| {
        lines
            .all("rtcp-fb")
            .filter_map(|value| value.split_once(' '))
            .any(|(format, what)| (format == "*" || format.parse() == Ok(chosen.payload_type)) && what.trim() == wanted)
    };
    let transport_sequence = lines.all("extmap").find_map(|value| {
        let (id, uri) = value.split_once(' ')?;
        let id = id.split('/').next()?.parse().ok().filter(|id| *id > 0)?;
        (uri.split_ascii_whitespace().next() == Some(TRANSPORT_SEQUENCE)).then_some(id)
    });
    Ok(Media {
        codec,
        payload_type: chosen.payload_type,
        rtpmap: chosen.rtpmap.to_owned(),
        fmtp: match codec {
            // RFC 7587 7.1: what we would like to be sent.
            Codec::Opus { .. } => Some(format!("minptime=10;useinbandfec=1;stereo=1;maxaveragebitrate={OPUS_BITRATE}")),
            _ => chosen.fmtp.map(|_| chosen.answered_parameters()),
        },
        parameter_sets: chosen.parameter_sets(),
        rtx: formats.iter().find(is_rtx).map(|format| format.payload_type),
        nack: feedback("nack"),
        pli: feedback("nack pli"),
        transport_sequence: transport_sequence.filter(|_| feedback("transport-cc")),
        reduced_rtcp: lines.attribute("rtcp-rsize").is_some(),
    })
}

impl<'a> Format<'a> {
    fn read(lines: &Lines<'a>, format: &str) -> Option<Self> {
        let payload_type: u8 = format.parse().ok().filter(|number| *number < 128)?;
        let of_format = |value: &'a str| {
            let (number, value) = value.split_once(' ')?;
            (number == format).then_some(value.trim())
        };
        let rtpmap = lines.all("rtpmap").find_map(of_format)?;
        Some(Self { payload_type, rtpmap, fmtp: lines.all("fmtp").find_map(of_format) })
    }

    /// Names and values.
    fn parameters(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let all = self.fmtp.unwrap_or_default().split(';').map(str::trim);
        all.filter(|parameter| !parameter.is_empty())
            .map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")))
    }

    /// What the answer repeats of them.
    fn answered_parameters(&self) -> String {
        let kept = self.parameters().filter(|(name, _)| !PARAMETER_SETS.contains(name));
        let text =
            |(name, value): (&str, &str)| if value.is_empty() { name.to_owned() } else { format!("{name}={value}") };
        kept.map(text).collect::<Vec<String>>().join(";")
    }

    /// What is in base64 is taken, the rest passed over: the stream itself may have it.
    fn parameter_sets(&self) -> Vec<Vec<u8>> {
        let of = |wanted: &'static str| self.parameters().filter(move |(name, _)| *name == wanted);
        let lists = PARAMETER_SETS.into_iter().flat_map(of);
        let sets = lists.flat_map(|(_, list)| list.split(','));
        sets.filter_map(|set| BASE64.decode(set.trim().as_bytes()).ok()).filter(|set| !set.is_empty()).collect()
    }

    fn name(&self) -> &'a str {
        self.rtpmap.split('/').next().unwrap_or_default()
    }

    fn is(&self, name: &str) -> bool {
        self.name().eq_ignore_ascii_case(name)
    }

    /// What it is, and how many are liked better. Every player knows H.264.
    fn rank(&self, is_video: bool) -> Option<(u8, Codec)> {
        let is = |rtpmap: &str| self.rtpmap.eq_ignore_ascii_case(rtpmap);
        if !is_video {
            // RFC 7587 7: there are always two channels; a sender of one says so in its packets.
            return is("opus/48000/2").then_some((0, Codec::Opus { channels: 2 }));
        }
        let whole_units = || self.parameters().any(|parameter| parameter == ("packetization-mode", "1"));
        match () {
            // RFC 6184 6.2: without that mode, a picture has to fit into as many packets as it has slices.
            () if is("H264/90000") && whole_units() => Some((0, Codec::H264)),
            () if is("H264/90000") => Some((1, Codec::H264)),
            () if is("H265/90000") => Some((2, Codec::H265)),
            () if is("AV1/90000") => Some((3, Codec::Av1)),
            () => None,
        }
    }
}

fn none(formats: &[Format<'_>], is_video: bool) -> NoCodec {
    let mut names: Vec<&str> = Vec::new();
    for format in formats.iter().filter(|format| !format.is("rtx") && !format.is("red") && !format.is("ulpfec")) {
        if !names.contains(&format.name()) {
            names.push(format.name());
        }
    }
    let (kind, taken) = if is_video { ("video", "H264, H265 and AV1") } else { ("audio", "opus") };
    NoCodec { kind, offered: if names.is_empty() { "none".to_owned() } else { names.join(", ") }, taken }
}
