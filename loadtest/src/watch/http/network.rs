//! How servers are reached.

use std::cell::RefCell;
use std::fmt::{self, Display};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::{TcpSocket, lookup_host};
use tokio::time::timeout;

use super::stream::Stream;
use crate::Error;
use crate::check::tls::{self, MaybeTls};
use crate::watch::link::Site;
use crate::watch::tally::Trouble;

/// How long a connection may take to come about.
const PATIENCE: Duration = Duration::from_secs(5);
/// Connections for which one address of this machine has ports, with some to spare.
const PORTS: u64 = 20_000;

/// Addresses of this machine that connections come from, in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sources {
    first: u32,
    many: u32,
}

impl Sources {
    /// The address for the connection of this number.
    fn address(self, connection: u64) -> Ipv4Addr {
        let nth = connection / PORTS % u64::from(self.many.max(1));
        Ipv4Addr::from(self.first.saturating_add(u32::try_from(nth).unwrap_or(0)))
    }
}

impl FromStr for Sources {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parsed = text.split_once('/').and_then(|(address, bits)| {
            let (address, bits): (Ipv4Addr, u32) = (address.parse().ok()?, bits.parse().ok()?);
            let many = 1_u32.checked_shl(32_u32.checked_sub(bits)?)?;
            let first = u32::from(address) & !(many - 1);
            // The first and the last address of a network are no hosts.
            (many > 2).then(|| Self { first: first + 1, many: many - 2 })
        });
        parsed.ok_or_else(|| Error::Argument {
            what: "range of addresses",
            value: text.to_owned(),
            expected: "ADDRESS/BITS of IPv4, like 127.0.0.0/8",
        })
    }
}

impl Display for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} and {} more", Ipv4Addr::from(self.first), self.many - 1)
    }
}

/// The network, for the viewers of one thread.
pub(crate) struct Network {
    sources: Option<Sources>,
    /// Servers elsewhere may be asked.
    elsewhere: bool,
    tls: tls::Connector,
    addresses: RefCell<Vec<(Arc<Site>, SocketAddr)>>,
    /// Connections that all threads have opened.
    opened: Arc<AtomicU64>,
}

impl Network {
    pub(crate) fn new(sources: Option<Sources>, elsewhere: bool, tls: tls::Connector) -> Self {
        Self { sources, elsewhere, tls, addresses: RefCell::default(), opened: Arc::default() }
    }

    /// The same network for another thread.
    pub(crate) fn shared(&self) -> Self {
        let (tls, opened) = (self.tls.clone(), Arc::clone(&self.opened));
        Self { opened, ..Self::new(self.sources, self.elsewhere, tls) }
    }

    /// Opens a connection.
    pub(super) async fn connect(&self, site: &Arc<Site>) -> Result<Stream, Trouble> {
        timeout(PATIENCE, self.open(site)).await.unwrap_or(Err(Trouble::Late))
    }

    async fn open(&self, site: &Arc<Site>) -> Result<Stream, Trouble> {
        let address = self.address(site).await?;
        let stream = self.dial(address).await.map_err(|_| Trouble::Connect)?;
        if !site.https {
            return Ok(Stream::Plain(stream));
        }
        match self.tls.connect(&site.host, stream).await {
            Ok(MaybeTls::Tls(stream)) => Ok(Stream::Tls(stream)),
            Ok(MaybeTls::Plain(stream)) => Ok(Stream::Plain(stream)),
            Err(_) => Err(Trouble::Connect),
        }
    }

    async fn dial(&self, address: SocketAddr) -> io::Result<tokio::net::TcpStream> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_nodelay(true)?;
        let number = self.opened.fetch_add(1, Ordering::Relaxed);
        if let Some(sources) = self.sources.filter(|_| address.is_ipv4()) {
            socket.bind(SocketAddr::from((sources.address(number), 0)))?;
        }
        socket.connect(address).await
    }

    async fn address(&self, site: &Arc<Site>) -> Result<SocketAddr, Trouble> {
        let known = self.addresses.borrow().iter().find(|(known, _)| known == site).map(|(_, address)| *address);
        if let Some(known) = known {
            return Ok(known);
        }
        let address = resolve(site).await.map_err(|_| Trouble::Connect)?;
        if !self.elsewhere && !address.ip().is_loopback() {
            return Err(Trouble::Elsewhere);
        }
        self.addresses.borrow_mut().push((Arc::clone(site), address));
        Ok(address)
    }
}

/// The address of a server: of several, the first of IPv4, as this machine has more addresses of that to come from.
pub(crate) async fn resolve(site: &Site) -> io::Result<SocketAddr> {
    if let Ok(address) = site.host.parse::<IpAddr>() {
        return Ok((address, site.port).into());
    }
    let mut found: Vec<_> = lookup_host((site.host.as_str(), site.port)).await?.collect();
    found.sort_by_key(SocketAddr::is_ipv6);
    found.first().copied().ok_or_else(|| io::ErrorKind::NotFound.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_come_from_one_address_after_the_other() {
        let sources: Sources = "127.0.0.0/8".parse().unwrap();
        let from = [0, PORTS - 1, PORTS, 3 * PORTS].map(|number| sources.address(number).to_string());
        assert_eq!(from, ["127.0.0.1", "127.0.0.1", "127.0.0.2", "127.0.0.4"]);
        let few: Sources = "127.0.0.4/30".parse().unwrap();
        assert_eq!(
            [0, PORTS, 2 * PORTS].map(|number| few.address(number).to_string()),
            ["127.0.0.5", "127.0.0.6", "127.0.0.5"]
        );
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in ["", "127.0.0.1", "127.0.0.0/33", "127.0.0.0/32", "::/8"] {
            assert!(text.parse::<Sources>().is_err(), "{text}");
        }
    }
}
