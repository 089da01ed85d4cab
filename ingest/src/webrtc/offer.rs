//! What a publisher offers (RFC 8866, RFC 8829, RFC 9725 4.2), judged before anything is built for it. What cannot be read is an
//! error here, never a panic: [`judge()`] is all that an offer meets.

use super::Refusal;
use super::ice::Credentials;
use super::media::{self, Media};
use super::secure::{Fingerprint, Role};

/// The most bytes of an offer.
pub const MAX_OFFER: usize = 64 * 1024;
/// The most `m=` sections of an offer: one is taken of each kind, those that are not have to be answered too.
pub const MAX_SECTIONS: usize = 8;

/// Why an offer or a fragment cannot be read or served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Too long.
    #[error("the SDP has {0} bytes, more than the {MAX_OFFER} that are taken")]
    Length(usize),
    /// A fragment that is too long, and how long it may be.
    #[error("the fragment of SDP has {0} bytes, more than the {1} that are taken")]
    Fragment(usize, usize),
    /// Not lines of the form `x=value`.
    #[error("this is not SDP: line {0} is not of the form x=value")]
    Line(usize),
    /// Nothing to be received.
    #[error("the offer sends neither audio nor video: it needs an m= section with a=sendonly or a=sendrecv")]
    NoMedia,
    /// Too many sections.
    #[error("the offer has more than {MAX_SECTIONS} m= sections")]
    Sections,
    /// What an offer has to have is missing or of no use.
    #[error("the offer has no usable a={0}")]
    Attribute(&'static str),
}

/// Nothing that is offered can be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no {kind} codec that is offered can be taken: offered are {offered}, taken {taken}. Choose one of these in the encoder"
)]
pub struct NoCodec {
    /// `video` or `audio`.
    pub kind: &'static str,
    /// The names of those that are offered.
    pub offered: String,
    /// The names of those that are taken.
    pub taken: &'static str,
}

/// Reads an offer as [`Desk::offer`](super::Desk::offer) does, and says what would be wrong with it.
pub fn judge(sdp: &str) -> Result<(), Refusal> {
    Proposal::parse(sdp).map(drop)
}

/// An offer that can be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Proposal {
    pub(super) remote: Credentials,
    pub(super) fingerprint: Fingerprint,
    pub(super) role: Role,
    /// All that were offered, in order.
    pub(super) sections: Vec<Section>,
    /// Whether all media share a transport.
    pub(super) bundled: bool,
    /// Whether header extensions may be of both forms (RFC 8285 6).
    pub(super) mixed_extensions: bool,
}

/// An `m=` section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Section {
    /// `video`, `audio`, or what it is.
    pub(super) kind: String,
    /// As in `UDP/TLS/RTP/SAVPF`.
    pub(super) protocol: String,
    /// The first of its formats: a section that is turned down is answered with one.
    pub(super) format: String,
    pub(super) mid: Option<String>,
    /// What is taken of it.
    pub(super) media: Option<Media>,
}

impl Proposal {
    pub(super) fn parse(sdp: &str) -> Result<Self, Refusal> {
        if sdp.len() > MAX_OFFER {
            return Err(Malformed::Length(sdp.len()).into());
        }
        let text = Text::parse(sdp)?;
        let mut sections = Vec::new();
        for lines in &text.sections {
            let is_new = |section: &Section| section.media.is_none() || section.kind != lines.kind();
            let wanted = sections.iter().all(is_new);
            sections.push(lines.read(&text.session, wanted)?);
        }
        let Some(first) =
            text.sections.iter().zip(&sections).find_map(|(lines, section)| section.media.as_ref().and(Some(lines)))
        else {
            return Err(Malformed::NoMedia.into());
        };
        let bundled = text.check_bundle(&sections)?;
        let either = |name| first.attribute(name).or_else(|| text.session.attribute(name));
        let ufrag = either("ice-ufrag").ok_or(Malformed::Attribute("ice-ufrag"))?;
        let password = either("ice-pwd").ok_or(Malformed::Attribute("ice-pwd"))?;
        let mut fingerprints = first.all("fingerprint").chain(text.session.all("fingerprint"));
        let fingerprint = fingerprints.find_map(Fingerprint::parse).ok_or(Malformed::Attribute("fingerprint"))?;
        // RFC 8842 5.3: who offers either is best let begin, as it knows when it has a path.
        let role = match either("setup") {
            Some("actpass" | "active") => Role::Server,
            Some("passive") => Role::Client,
            _ => return Err(Malformed::Attribute("setup").into()),
        };
        Ok(Self {
            remote: Credentials::of_peer(ufrag, password)?,
            fingerprint,
            role,
            bundled,
            mixed_extensions: text.session.attribute("extmap-allow-mixed").is_some(),
            sections,
        })
    }

    /// What is taken, in the order of the offer.
    pub(super) fn media(&self) -> impl Iterator<Item = &Media> {
        self.sections.iter().filter_map(|section| section.media.as_ref())
    }
}

impl From<Malformed> for Refusal {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

/// The lines of an offer, before and within each `m=` section.
struct Text<'a> {
    session: Lines<'a>,
    sections: Vec<Lines<'a>>,
}

/// Lines that belong together.
#[derive(Default)]
pub(super) struct Lines<'a> {
    /// The value of `m=`.
    head: &'a str,
    /// Name and value of each `a=`.
    attributes: Vec<(&'a str, &'a str)>,
}

impl<'a> Text<'a> {
    /// RFC 8866 5.
    fn parse(sdp: &'a str) -> Result<Self, Malformed> {
        let mut text = Self { session: Lines::default(), sections: Vec::new() };
        for (number, line) in (1..).zip(sdp.lines()) {
            let (kind, value) = line.split_once('=').ok_or(Malformed::Line(number))?;
            if value.chars().any(char::is_control) {
                return Err(Malformed::Line(number));
            }
            match kind {
                "m" if text.sections.len() >= MAX_SECTIONS => return Err(Malformed::Sections),
                "m" => text.sections.push(Lines { head: value, attributes: Vec::new() }),
                "a" => {
                    let lines = text.sections.last_mut().unwrap_or(&mut text.session);
                    lines.attributes.push(value.split_once(':').unwrap_or((value, "")));
                }
                _ if kind.len() == 1 => {}
                _ => return Err(Malformed::Line(number)),
            }
        }
        Ok(text)
    }

    /// RFC 9725 4.4.1: all media go over one transport.
    fn check_bundle(&self, sections: &[Section]) -> Result<bool, Malformed> {
        let taken: Vec<_> = sections.iter().filter(|section| section.media.is_some()).collect();
        let holds = |group: &str| {
            let mids: Vec<&str> = group.split_ascii_whitespace().collect();
            mids.first() == Some(&"BUNDLE")
                && taken.iter().all(|section| section.mid.as_deref().is_some_and(|mid| mids.contains(&mid)))
        };
        let bundled = self.session.all("group").any(holds);
        if !bundled && taken.len() > 1 {
            return Err(Malformed::Attribute("group:BUNDLE"));
        }
        Ok(bundled)
    }
}

impl<'a> Lines<'a> {
    pub(super) fn attribute(&self, name: &str) -> Option<&'a str> {
        self.all(name).next()
    }

    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.attributes.iter().filter(move |(found, _)| *found == name).map(|(_, value)| *value)
    }

    fn has(&self, name: &str) -> bool {
        self.attribute(name).is_some()
    }

    /// `video`, `audio`, or what it is.
    pub(super) fn kind(&self) -> &'a str {
        self.head.split_ascii_whitespace().next().unwrap_or_default()
    }

    /// The formats, in order of preference.
    pub(super) fn formats(&self) -> impl Iterator<Item = &'a str> {
        self.head.split_ascii_whitespace().skip(3)
    }

    fn read(&self, session: &Lines<'_>, wanted: bool) -> Result<Section, Refusal> {
        let fields: Vec<&str> = self.head.split_ascii_whitespace().take(4).collect();
        let [kind, port, protocol, format] = fields.as_slice() else { return Err(Malformed::Attribute("m").into()) };
        // RFC 8866 6.7: what has no direction goes both ways.
        let sends =
            !self.has("recvonly") && !self.has("inactive") && !session.has("recvonly") && !session.has("inactive");
        // RFC 8829 5.2.1: a port of nought turns a section off, unless it is bundled only.
        let is_on = *port != "0" || self.has("bundle-only");
        let is_media = protocol.ends_with("/SAVPF") && matches!(*kind, "video" | "audio");
        let media = if wanted && sends && is_on && is_media {
            if !self.has("rtcp-mux") {
                return Err(Malformed::Attribute("rtcp-mux").into());
            }
            Some(media::choose(self).map_err(Refusal::NoCodec)?)
        } else {
            None
        };
        Ok(Section {
            kind: (*kind).to_owned(),
            protocol: (*protocol).to_owned(),
            format: (*format).to_owned(),
            mid: self.attribute("mid").map(str::to_owned),
            media,
        })
    }
}
