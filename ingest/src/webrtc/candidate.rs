//! Candidates (RFC 8839 5.1, RFC 6544) and fragments of SDP that carry them (RFC 8840).

use std::fmt::Write as _;
use std::net::SocketAddr;

use super::ice::Credentials;
use super::offer::Malformed;

/// Of our first candidate: a host's, of the only component (RFC 8445 5.1.2.1).
pub(super) const HOST_PRIORITY: u32 = (126 << 24) | (65_535 << 8) | 255;
/// RFC 6544 4.2: by TCP only if by UDP there is no way. The direction is passive.
const TCP_PRIORITY: u32 = (90 << 24) | (4 << 21) | (8_191 << 8) | 255;
/// The most bytes of a fragment.
const MAX_FRAGMENT: usize = 16 * 1024;

/// Where we are to be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reachable {
    /// With our port.
    pub(super) addresses: Vec<SocketAddr>,
    /// Whether by TCP too.
    pub(super) tcp: bool,
}

impl Reachable {
    /// The lines of our candidates and that there are no others.
    pub(super) fn lines(&self) -> String {
        let mut lines = String::new();
        for (index, address) in (0_u32..).zip(&self.addresses) {
            let (foundation, ip, port) = (index * 2 + 1, address.ip(), address.port());
            let (udp, tcp) = (HOST_PRIORITY - (index << 8), TCP_PRIORITY - (index << 8));
            let _ = write!(lines, "a=candidate:{foundation} 1 udp {udp} {ip} {port} typ host\r\n");
            if self.tcp {
                let foundation = foundation + 1;
                let _ = write!(lines, "a=candidate:{foundation} 1 tcp {tcp} {ip} {port} typ host tcptype passive\r\n");
            }
        }
        lines.push_str("a=end-of-candidates\r\n");
        lines
    }

    /// Our part of a new ICE session (RFC 8840 4.4, RFC 9725 4.3.3). `section` are the lines of that which candidates belong to.
    pub(super) fn fragment(&self, local: &Credentials, section: &str) -> String {
        let Credentials { ufrag, password } = local;
        format!("a=ice-lite\r\n{section}a=ice-ufrag:{ufrag}\r\na=ice-pwd:{password}\r\n{}", self.lines())
    }
}

/// Reads a fragment as [`Desk::patch`](super::Desk::patch) does, and says what would be wrong with it.
pub fn judge(fragment: &str) -> Result<(), Malformed> {
    Fragment::parse(fragment).map(drop)
}

/// What a publisher tells of its side later than in its offer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Fragment {
    /// Of the ICE session that it is about.
    pub(super) remote: Option<Credentials>,
}

impl Fragment {
    /// Reads a fragment. The candidates in it are checked and forgotten: an ICE-lite agent calls nobody.
    pub(super) fn parse(text: &str) -> Result<Self, Malformed> {
        if text.len() > MAX_FRAGMENT {
            return Err(Malformed::Fragment(text.len(), MAX_FRAGMENT));
        }
        let (mut ufrag, mut password) = (None, None);
        for (number, line) in (1..).zip(text.lines()) {
            let Some((_, value)) = line.split_once('=').filter(|(kind, _)| kind.len() == 1) else {
                return Err(Malformed::Line(number));
            };
            match value.split_once(':') {
                Some(("ice-ufrag", value)) if ufrag.is_none() => ufrag = Some(value),
                Some(("ice-pwd", value)) if password.is_none() => password = Some(value),
                Some(("candidate", value)) if !is_candidate(value) => return Err(Malformed::Attribute("candidate")),
                _ => {}
            }
        }
        let remote = match (ufrag, password) {
            (None, None) => None,
            (Some(ufrag), Some(password)) => Some(Credentials::of_peer(ufrag, password)?),
            (Some(_), None) => return Err(Malformed::Attribute("ice-pwd")),
            (None, Some(_)) => return Err(Malformed::Attribute("ice-ufrag")),
        };
        Ok(Self { remote })
    }
}

/// RFC 8839 5.1: `foundation component transport priority address port "typ" type ...`
fn is_candidate(value: &str) -> bool {
    let fields: Vec<&str> = value.split_ascii_whitespace().take(8).collect();
    let [foundation, component, _, priority, _, port, "typ", _] = fields.as_slice() else { return false };
    foundation.len() <= 32
        && component.parse::<u16>().is_ok()
        && priority.parse::<u32>().is_ok()
        && port.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHROMIUM: &str = "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n\
        a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw network-id 1\r\n\
        a=end-of-candidates\r\n";

    #[test]
    fn a_fragment_names_its_ice_session() {
        let fragment = Fragment::parse(CHROMIUM).unwrap();
        assert_eq!(fragment.remote.unwrap().ufrag, "EsAw");
        assert_eq!(Fragment::parse("a=end-of-candidates\n"), Ok(Fragment::default()));
    }

    #[test]
    fn a_fragment_that_cannot_be_read_is_refused() {
        let cases = [
            (CHROMIUM.replace("61764", "port"), Malformed::Attribute("candidate")),
            (CHROMIUM.replace("ice-pwd", "ice-word"), Malformed::Attribute("ice-pwd")),
            (CHROMIUM.replace("ice-ufrag", "ice-frag"), Malformed::Attribute("ice-ufrag")),
            (CHROMIUM.replace(":EsAw", ":Es"), Malformed::Attribute("ice-ufrag")),
            ("{}".into(), Malformed::Line(1)),
            ("a=x\r\n".repeat(9_999), Malformed::Fragment(49_995, MAX_FRAGMENT)),
        ];
        for (text, why) in cases {
            assert_eq!(Fragment::parse(&text), Err(why));
        }
    }

    #[test]
    fn our_candidates_are_ordered_and_told_to_be_all() {
        let addresses = vec!["203.0.113.7:8189".parse().unwrap(), "[2001:db8::7]:8189".parse().unwrap()];
        insta::assert_snapshot!(Reachable { addresses, tcp: true }.lines(), @r"
        a=candidate:1 1 udp 2130706431 203.0.113.7 8189 typ host
        a=candidate:2 1 tcp 1520435199 203.0.113.7 8189 typ host tcptype passive
        a=candidate:3 1 udp 2130706175 2001:db8::7 8189 typ host
        a=candidate:4 1 tcp 1520434943 2001:db8::7 8189 typ host tcptype passive
        a=end-of-candidates
        ");
    }
}
