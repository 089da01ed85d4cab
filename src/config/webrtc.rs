use std::net::IpAddr;

use touchline_ingest::Secret;

use super::{Listen, Section, Switch};

/// The port that WHIP encoders are sent to.
const PORT: u16 = 8189;

/// How WebRTC publishers are taken.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Webrtc {
    /// Where they send media. `None`: port 8189, on loopback unless publish keys are set.
    pub(crate) listen: Option<Switch>,
    /// Where they reach this machine, if that is not where it listens.
    pub(crate) announce: Vec<IpAddr>,
    /// What they are told to find a way through.
    pub(crate) ice_servers: Vec<IceServer>,
}

/// A server that helps a publisher out of its network.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct IceServer {
    /// As RFC 7064 and RFC 7065 write it. It needs no escaping in a header.
    pub(crate) url: String,
    /// Of a TURN server: the user and the password. They need no escaping but that of quotation marks and backslashes.
    pub(crate) login: Option<(String, Secret)>,
}

impl Webrtc {
    pub(super) fn read(&mut self, section: &mut Section<'_, '_>) {
        section.value("listen", |text| Switch::parse(text).map(Some), &mut self.listen);
        section.values("announce", announced, &mut self.announce);
        section.items("ice_servers", stun, turn, &mut self.ice_servers);
    }

    /// Where publishers send media, if they do; `keys`: publish keys are set.
    pub(super) fn switch(&self, keys: bool) -> Switch {
        let usual = if keys { Listen::everywhere(PORT) } else { Listen::loopback(PORT) };
        self.listen.clone().unwrap_or(Switch::At(usual))
    }
}

/// An address that publishers send to.
fn announced(text: &str) -> Result<IpAddr, String> {
    match text.parse::<IpAddr>() {
        Ok(ip) if !ip.is_unspecified() => Ok(ip),
        _ => Err(format!("\"{text}\" is not the IP address of a machine; write for example \"203.0.113.7\"")),
    }
}

/// What a TURN server needs.
const TURN: [&str; 3] = ["url", "username", "credential"];

fn turn(section: &mut Section<'_, '_>) -> Option<IceServer> {
    let (mut url, mut username, mut credential) = (None, None, None);
    section.value("url", turn_url, &mut url);
    section.value("username", |text| in_a_header(text).map(Some), &mut username);
    section.value("credential", |text| in_a_header(text).map(|text| Some(Secret::new(&text))), &mut credential);
    let (there, missing): (Vec<&str>, Vec<&str>) = TURN.into_iter().partition(|name| section.has(name));
    for name in missing {
        let place = there.first().copied().unwrap_or(name);
        section.mistake(place, format!("{name} is missing: a TURN server has {}", TURN.join(", ")));
    }
    Some(IceServer { url: url?, login: Some((username?, credential?)) })
}

/// `stun:HOST`, or `stuns:HOST` by TLS.
fn stun(text: &str) -> Result<IceServer, String> {
    if has_scheme(text, "turn") {
        return Err(format!(
            "a TURN server needs a login; write {{ url = \"{text}\", username = \"...\", credential = \"...\" }}"
        ));
    }
    if !has_scheme(text, "stun") {
        return Err(format!("\"{text}\" is not the URL of a STUN server; write for example \"stun:stun.example.net\""));
    }
    Ok(IceServer { url: text.to_owned(), login: None })
}

/// `turn:HOST:PORT?transport=udp` and the like.
fn turn_url(text: &str) -> Result<Option<String>, String> {
    if has_scheme(text, "turn") {
        return Ok(Some(text.to_owned()));
    }
    Err(format!(
        "\"{text}\" is not the URL of a TURN server; write for example \"turn:turn.example.net?transport=udp\""
    ))
}

/// Whether it is a URL of this scheme, or of that with an s, without what needs escaping in a header.
fn has_scheme(text: &str, scheme: &str) -> bool {
    let rest = text.strip_prefix(scheme).map(|rest| rest.strip_prefix('s').unwrap_or(rest));
    let host = rest.and_then(|rest| rest.strip_prefix(':')).unwrap_or_default();
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"<>\"\\".contains(&byte);
    !host.is_empty() && !host.starts_with('/') && host.bytes().all(plain)
}

/// What can stand between quotation marks in a header.
fn in_a_header(text: &str) -> Result<String, String> {
    if !text.is_empty() && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        Ok(text.to_owned())
    } else {
        Err("must be ASCII text that can be printed, as it goes into a header".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Keys};

    #[test]
    fn ice_servers_are_urls_or_urls_with_a_login() {
        let text = r#"
            [webrtc]
            listen = "off"
            announce = ["203.0.113.7", "2001:db8::7"]
            ice_servers = [
                "stun:stun.example.net",
                { url = "turns:turn.example.net:443?transport=tcp", username = "touchline", credential = "hush" },
            ]
        "#;
        insta::assert_compact_debug_snapshot!(Config::parse(text).unwrap().webrtc, @r#"Webrtc { listen: Some(Off), announce: [203.0.113.7, 2001:db8::7], ice_servers: [IceServer { url: "stun:stun.example.net", login: None }, IceServer { url: "turns:turn.example.net:443?transport=tcp", login: Some(("touchline", [redacted])) }] }"#);
        assert_eq!(Config::parse("[webrtc]\nice_servers = \"stun:a\"").unwrap().webrtc.ice_servers.len(), 1);
    }

    #[test]
    fn every_mistake_is_told() {
        let text = r#"[webrtc]
listen = "8189"
announce = ["studio.example", "0.0.0.0"]
ice_servers = [
  "stun:",
  "stun:a>; rel=x",
  "turn:turn.example.net",
  { url = "stun:stun.example.net", username = "ü" },
  7,
]
"#;
        let mistakes: Vec<String> = Config::parse(text).unwrap_err().iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(mistakes.join("\n"), @r#"
        line 2: webrtc.listen: "8189" is not an address to listen on; write for example "127.0.0.1:8080" or ":8080", or "off"
        line 3: webrtc.announce: "studio.example" is not the IP address of a machine; write for example "203.0.113.7"
        line 3: webrtc.announce: "0.0.0.0" is not the IP address of a machine; write for example "203.0.113.7"
        line 5: webrtc.ice_servers: "stun:" is not the URL of a STUN server; write for example "stun:stun.example.net"
        line 6: webrtc.ice_servers: "stun:a>; rel=x" is not the URL of a STUN server; write for example "stun:stun.example.net"
        line 7: webrtc.ice_servers: a TURN server needs a login; write { url = "turn:turn.example.net", username = "...", credential = "..." }
        line 8: webrtc.ice_servers.url: "stun:stun.example.net" is not the URL of a TURN server; write for example "turn:turn.example.net?transport=udp"
        line 8: webrtc.ice_servers.username: must be ASCII text that can be printed, as it goes into a header
        line 8: webrtc.ice_servers.url: credential is missing: a TURN server has url, username, credential
        line 9: webrtc.ice_servers: must be text in quotes
        "#);
    }

    #[test]
    fn publishing_is_open_on_loopback_only() {
        let mut config = Config::default();
        assert_eq!(config.webrtc_listen().unwrap(), Some(Listen::loopback(8189)));
        config.webrtc.listen = Some(Switch::At(Listen::everywhere(1)));
        let refused = config.webrtc_listen().unwrap_err().to_string();
        assert!(refused.ends_with("or listen on loopback with --webrtc 127.0.0.1:8189"), "{refused}");
        config.keys = Keys::parse("main=secret").unwrap();
        assert_eq!(config.webrtc_listen().unwrap(), Some(Listen::everywhere(1)));
        config.webrtc.listen = None;
        assert_eq!(config.webrtc_listen().unwrap(), Some(Listen::everywhere(8189)));
        config.webrtc.listen = Some(Switch::Off);
        assert_eq!(config.webrtc_listen().unwrap(), None);
    }
}
