//! The answer to an offer (RFC 8829 5.3, RFC 9725 4.2): we receive what can be taken, and turn down the rest.

use std::fmt::Write as _;

use super::candidate::Reachable;
use super::ice::Credentials;
use super::media::{Media, TRANSPORT_SEQUENCE};
use super::offer::{Proposal, Section};
use super::secure::Role;

/// What of ours is in an answer.
pub(super) struct Ours<'a> {
    pub(super) local: &'a Credentials,
    /// The value of `a=fingerprint`.
    pub(super) fingerprint: &'a str,
    pub(super) reachable: &'a Reachable,
    /// Names the session among all (RFC 8866 5.2).
    pub(super) number: u64,
}

/// The answer to `proposal`.
pub(super) fn write(proposal: &Proposal, ours: &Ours<'_>) -> String {
    let mut sdp = format!("v=0\r\no=- {} 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n", ours.number);
    let taken = || proposal.sections.iter().filter(|section| section.media.is_some());
    if proposal.bundled {
        let mids: Vec<&str> = taken().filter_map(|section| section.mid.as_deref()).collect();
        let _ = write!(sdp, "a=group:BUNDLE {}\r\n", mids.join(" "));
    }
    if proposal.mixed_extensions {
        sdp.push_str("a=extmap-allow-mixed\r\n");
    }
    // RFC 8839 5.3.
    sdp.push_str("a=ice-lite\r\n");
    let mut candidates = Some(ours.reachable.lines());
    for section in &proposal.sections {
        let Some(media) = &section.media else {
            write_refused(&mut sdp, section);
            continue;
        };
        sdp.push_str(&head(section, media));
        write_transport(&mut sdp, proposal.role, ours);
        write_media(&mut sdp, media);
        // RFC 9143 7.1.3: those of the first section are those of all.
        sdp.push_str(&candidates.take().unwrap_or_default());
    }
    sdp
}

/// The section that candidates belong to, for fragments (RFC 8840 4.4).
pub(super) fn first_section(proposal: &Proposal) -> String {
    let first = proposal.sections.iter().find_map(|section| Some((section, section.media.as_ref()?)));
    first.map(|(section, media)| format!("{}{}", line(section, media), mid(section))).unwrap_or_default()
}

fn line(section: &Section, media: &Media) -> String {
    let rtx = media.rtx.map(|rtx| format!(" {rtx}")).unwrap_or_default();
    format!("m={} 9 {} {}{rtx}\r\n", section.kind, section.protocol, media.payload_type)
}

fn mid(section: &Section) -> String {
    section.mid.as_ref().map(|mid| format!("a=mid:{mid}\r\n")).unwrap_or_default()
}

fn head(section: &Section, media: &Media) -> String {
    format!("{}c=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n{}", line(section, media), mid(section))
}

/// RFC 3264 6: a section that is turned down keeps its place.
fn write_refused(sdp: &mut String, section: &Section) {
    let Section { kind, protocol, format, .. } = section;
    let mid = mid(section);
    let _ = write!(sdp, "m={kind} 0 {protocol} {format}\r\nc=IN IP4 0.0.0.0\r\na=inactive\r\n{mid}");
}

fn write_transport(sdp: &mut String, role: Role, ours: &Ours<'_>) {
    let Credentials { ufrag, password } = ours.local;
    let setup = match role {
        Role::Client => "active",
        Role::Server => "passive",
    };
    let fingerprint = ours.fingerprint;
    let _ = write!(
        sdp,
        "a=ice-ufrag:{ufrag}\r\na=ice-pwd:{password}\r\na=fingerprint:{fingerprint}\r\na=setup:{setup}\r\na=recvonly\r\na=rtcp-mux\r\n"
    );
}

fn write_media(sdp: &mut String, media: &Media) {
    let payload_type = media.payload_type;
    if media.reduced_rtcp {
        sdp.push_str("a=rtcp-rsize\r\n");
    }
    if let Some(id) = media.transport_sequence {
        let _ = write!(sdp, "a=extmap:{id} {TRANSPORT_SEQUENCE}\r\n");
    }
    let _ = write!(sdp, "a=rtpmap:{payload_type} {}\r\n", media.rtpmap);
    if let Some(fmtp) = &media.fmtp {
        let _ = write!(sdp, "a=fmtp:{payload_type} {fmtp}\r\n");
    }
    for (wanted, what) in
        [(media.transport_sequence.is_some(), "transport-cc"), (media.nack, "nack"), (media.pli, "nack pli")]
    {
        if wanted {
            let _ = write!(sdp, "a=rtcp-fb:{payload_type} {what}\r\n");
        }
    }
    if let Some(rtx) = media.rtx {
        let _ = write!(sdp, "a=rtpmap:{rtx} rtx/{}\r\na=fmtp:{rtx} apt={payload_type}\r\n", media.clock_rate());
    }
}
