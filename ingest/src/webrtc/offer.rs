//! What a publisher offers (RFC 8866, RFC 8829, RFC 9725 4.2), judged before anything is built for it.

/// The most bytes of an offer.
pub const MAX_OFFER: usize = 64 * 1024;

/// Why an offer or a fragment cannot be read or served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Too long.
    #[error("the SDP has {0} bytes, more than the {MAX_OFFER} that are taken")]
    Length(usize),
    /// Not lines of the form `x=value`.
    #[error("this is not SDP: line {0} is not of the form x=value")]
    Line(usize),
    /// Nothing to be received.
    #[error(
        "the offer has no audio or video that is to be sent to the server: it needs an m= section with a=sendonly or a=sendrecv"
    )]
    NoMedia,
    /// More than one section of a kind, or more sections than there are kinds.
    #[error("the offer has {0} m= sections, more than the {1} that are taken")]
    Sections(usize, usize),
    /// What a section has to have is missing or of no use.
    #[error("the offer has no usable a={0}")]
    Attribute(&'static str),
}

/// Nothing that is offered can be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "none of the codecs that are offered can be taken: {offered}. This server takes H.264, HEVC and AV1, and Opus: choose one in the encoder"
)]
pub struct NoCodec {
    /// The names of those that are.
    pub offered: String,
}

/// Reads an offer as the desk does.
pub fn judge(sdp: &str) -> Result<(), super::Refusal> {
    if sdp.len() > MAX_OFFER {
        return Err(super::Refusal::Malformed(Malformed::Length(sdp.len())));
    }
    Ok(())
}
