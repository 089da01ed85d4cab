use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// An address to listen on: `127.0.0.1:8080`, `[::1]:8080`, or `:8080` for every address of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listen {
    /// `None`: every address.
    ip: Option<IpAddr>,
    port: u16,
}

/// An address, or nothing at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Switch {
    /// Nobody connects.
    Off,
    /// Where they connect.
    At(Listen),
}

impl Listen {
    /// On 127.0.0.1; port 0 is any free one.
    pub(crate) fn loopback(port: u16) -> Self {
        Self { ip: Some(Ipv4Addr::LOCALHOST.into()), port }
    }

    /// On every address.
    pub(crate) fn everywhere(port: u16) -> Self {
        Self { ip: None, port }
    }

    /// As [`FromStr`], with the reason as text.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let everywhere = text.strip_prefix(':').map(|port| port.parse().map(Self::everywhere).ok());
        let given =
            || text.parse().ok().map(|address: SocketAddr| Self { ip: Some(address.ip()), port: address.port() });
        everywhere.unwrap_or_else(given).ok_or_else(|| {
            format!("\"{text}\" is not an address to listen on; write for example \"127.0.0.1:8080\" or \":8080\"")
        })
    }

    /// Only this machine can connect.
    pub(crate) fn is_loopback(&self) -> bool {
        self.ip.is_some_and(|ip| ip.is_loopback())
    }

    /// The addresses to try, best first: both IP versions at once where the machine has IPv6.
    pub(crate) fn candidates(&self) -> Vec<SocketAddr> {
        let every: [IpAddr; 2] = [Ipv6Addr::UNSPECIFIED.into(), Ipv4Addr::UNSPECIFIED.into()];
        let ips = self.ip.map_or(every.to_vec(), |ip| vec![ip]);
        ips.into_iter().map(|ip| SocketAddr::new(ip, self.port)).collect()
    }
}

impl Switch {
    /// As [`FromStr`], with the reason as text.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self::Off),
            _ => Listen::parse(text).map(Self::At).map_err(|why| format!("{why}, or \"off\"")),
        }
    }
}

impl FromStr for Switch {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text)
    }
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text)
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ip {
            Some(ip) => SocketAddr::new(ip, self.port).fmt(f),
            None => write!(f, ":{}", self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_as_they_are_written() {
        for text in ["127.0.0.1:8080", "[::1]:0", ":1935", "0.0.0.0:80"] {
            assert_eq!(text.parse::<Listen>().unwrap().to_string(), text);
        }
        for text in ["", ":", "8080", "localhost", "localhost:80", ":99999", "1.2.3:4"] {
            assert!(text.parse::<Listen>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_loopback_addresses_are_loopback() {
        for (text, loopback) in [("127.0.0.9:1", true), ("[::1]:1", true), (":1", false), ("0.0.0.0:1", false)] {
            assert_eq!(text.parse::<Listen>().unwrap().is_loopback(), loopback, "{text}");
        }
    }
}
