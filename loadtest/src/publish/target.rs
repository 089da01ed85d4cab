//! Where is published: URLs, and which machines they may name.

use std::fmt::{self, Display};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use serde::Serialize;
use url::Url;

use crate::Error;

/// Stands for a publisher's number in names.
const NUMBER: &str = "{number}";
/// Publishers that call from one address of their own each.
const PER_OCTET: usize = 250;

/// How a publisher speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// RTMP, by `rml_rtmp`.
    Rtmp,
    /// MPEG-TS by SRT, by `srt-protocol`, which is `srt-tokio` without its sockets.
    Srt,
    /// WebRTC, by `rtc`.
    Whip,
}

/// A server to publish into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// What the scheme says.
    pub protocol: Protocol,
    /// Whether what goes by TCP goes by TLS.
    pub tls: bool,
    /// As in the URL.
    pub host: String,
    /// As in the URL, or the scheme's own.
    pub port: u16,
    /// What comes behind the port, without a slash at its end.
    pub path: String,
}

impl FromStr for Target {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refused = || Error::Argument {
            what: "server to publish into",
            value: text.to_owned(),
            expected: "rtmp://HOST[:PORT]/live, srt://HOST:PORT or http://HOST:PORT/whip, without the channel and its key: see --channels and --key",
        };
        let url = Url::parse(text).map_err(|_| refused())?;
        let (protocol, tls, port) = match url.scheme() {
            "rtmp" => (Protocol::Rtmp, false, Some(1935)),
            "rtmps" => (Protocol::Rtmp, true, Some(443)),
            "srt" => (Protocol::Srt, false, None),
            "http" => (Protocol::Whip, false, Some(80)),
            "https" => (Protocol::Whip, true, Some(443)),
            _ => return Err(refused()),
        };
        let path = url.path().trim_end_matches('/').to_owned();
        let plain =
            url.query().is_none() && url.username().is_empty() && (path.is_empty() || protocol != Protocol::Srt);
        match (url.host_str(), url.port().or(port)) {
            (Some(host), Some(port)) if plain => Ok(Self { protocol, tls, host: host.to_owned(), port, path }),
            _ => Err(refused()),
        }
    }
}

impl Target {
    /// Where it is. Fails for a machine that is not this one, unless the person has said that it is their own.
    pub(super) async fn resolve(&self, own: bool) -> Result<SocketAddr, Error> {
        let host = self.host.trim_matches(['[', ']']);
        let found = tokio::net::lookup_host((host, self.port)).await;
        let addresses: Vec<SocketAddr> =
            found.map_err(|source| Error::Unresolved { host: self.host.clone(), source })?.collect();
        if let Some(address) = addresses.iter().find(|address| !address.ip().is_loopback() && !own) {
            return Err(Error::Stranger(address.to_string()));
        }
        let first = addresses.iter().find(|address| address.is_ipv4()).or(addresses.first()).copied();
        first.ok_or_else(|| Error::Unresolved {
            host: self.host.clone(),
            source: std::io::Error::other("it has no address"),
        })
    }
}

impl Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match (self.protocol, self.tls) {
            (Protocol::Rtmp, false) => "rtmp",
            (Protocol::Rtmp, true) => "rtmps",
            (Protocol::Srt, _) => "srt",
            (Protocol::Whip, false) => "http",
            (Protocol::Whip, true) => "https",
        };
        write!(f, "{scheme}://{}:{}{}", self.host, self.port, self.path)
    }
}

/// The address that a publisher calls `server` from. Encoders have an address of their own each, and servers limit what one address may
/// have: where the server is on the loopback of IPv4, which is a whole network, publishers do too.
pub(super) fn source(server: SocketAddr, number: usize) -> SocketAddr {
    let octet = |n: usize| u8::try_from(n % PER_OCTET).unwrap_or(0);
    let ip = match server.ip() {
        IpAddr::V4(ip) if ip.is_loopback() => {
            Ipv4Addr::new(127, 0, octet(number / PER_OCTET), 1 + octet(number)).into()
        }
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(ip) if ip.is_loopback() => IpAddr::V6(ip),
        IpAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    SocketAddr::new(ip, 0)
}

/// A name with a publisher's number in it, from one on.
pub(super) fn numbered(pattern: &str, number: usize) -> String {
    pattern.replace(NUMBER, &(number + 1).to_string())
}

/// Whether each publisher gets a name of its own.
pub(super) fn is_numbered(pattern: &str) -> bool {
    pattern.contains(NUMBER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_decides_the_protocol() {
        for (typed, protocol, shown) in [
            ("rtmp://127.0.0.1/live", Protocol::Rtmp, "rtmp://127.0.0.1:1935/live"),
            ("rtmps://localhost:1936/live/", Protocol::Rtmp, "rtmps://localhost:1936/live"),
            ("srt://[::1]:8890", Protocol::Srt, "srt://[::1]:8890"),
            ("http://127.0.0.1:8080/whip", Protocol::Whip, "http://127.0.0.1:8080/whip"),
        ] {
            let target: Target = typed.parse().unwrap();
            assert_eq!((target.protocol, target.to_string().as_str()), (protocol, shown));
        }
        for typed in [
            "",
            "127.0.0.1:1935",
            "ftp://127.0.0.1/live",
            "srt://127.0.0.1",
            "rtmp://127.0.0.1/live?key=s",
            "srt://127.0.0.1:1/a",
        ] {
            typed.parse::<Target>().unwrap_err();
        }
    }

    #[tokio::test]
    async fn other_machines_are_refused_unless_they_are_the_persons_own() {
        let target: Target = "rtmp://192.0.2.1/live".parse().unwrap();
        let error = target.resolve(false).await.unwrap_err();
        insta::assert_snapshot!(error, @"192.0.2.1:1935 is not on this machine, and a crowd looks to others like an attack: if the server is yours, or its owner has agreed, say so with --i-own-this-server");
        assert_eq!(target.resolve(true).await.unwrap(), SocketAddr::from(([192, 0, 2, 1], 1935)));
        let local: Target = "srt://localhost:8890".parse().unwrap();
        assert!(local.resolve(false).await.unwrap().ip().is_loopback());
    }

    #[test]
    fn publishers_on_this_machine_have_an_address_each() {
        let server = SocketAddr::from(([127, 0, 0, 1], 1935));
        let addresses: std::collections::BTreeSet<_> = (0..10_000).map(|number| source(server, number)).collect();
        assert_eq!(addresses.len(), 10_000);
        assert!(addresses.iter().all(|address| address.ip().is_loopback()));
        assert_eq!(source(SocketAddr::from(([192, 0, 2, 1], 1935)), 7), SocketAddr::from(([0, 0, 0, 0], 0)));
    }

    #[test]
    fn names_are_numbered_from_one() {
        assert_eq!(numbered("cam{number}", 0), "cam1");
        assert!(is_numbered("{number}-{number}") && !is_numbered("main"));
    }
}
