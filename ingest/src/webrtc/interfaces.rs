//! By which addresses others may reach this machine.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::{AddressFamily, SockaddrLike as _, SockaddrStorage};
use tracing::warn;

/// The most addresses that are announced: publishers check each of them, by UDP and by TCP.
pub(super) const MAX_ANNOUNCED: usize = 16;

/// The addresses of the network interfaces that are up.
pub(super) fn addresses() -> io::Result<Vec<IpAddr>> {
    let up = |flags: InterfaceFlags| flags.contains(InterfaceFlags::IFF_UP | InterfaceFlags::IFF_RUNNING);
    let interfaces = getifaddrs().map_err(io::Error::from)?;
    Ok(interfaces.filter(|interface| up(interface.flags)).filter_map(|interface| ip(&interface.address?)).collect())
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    match address.family()? {
        AddressFamily::Inet => address.as_sockaddr_in().map(|address| address.ip().into()),
        AddressFamily::Inet6 => address.as_sockaddr_in6().map(|address| address.ip().into()),
        _ => None,
    }
}

/// Those by which publishers are told to come to `bound`, which is any address: first `preferred`, which lead out into the
/// world, then the others, and the loopback address for browsers on this machine.
pub(super) fn announced(bound: SocketAddr, preferred: &[IpAddr], all: &[IpAddr]) -> Vec<IpAddr> {
    let mut addresses: Vec<IpAddr> = Vec::new();
    for ip in preferred.iter().chain(all).filter(|ip| is_usable(**ip) && (bound.is_ipv6() || ip.is_ipv4())) {
        if !addresses.contains(ip) {
            addresses.push(*ip);
        }
    }
    let most = MAX_ANNOUNCED - 1;
    if let Some(left_out) = addresses.get(most..).filter(|left_out| !left_out.is_empty()) {
        warn!(
            "this machine has {} addresses, and WebRTC publishers are told of {most}, not of {left_out:?}: name those that are \
             wanted in [webrtc] announce",
            addresses.len()
        );
        addresses.truncate(most);
    }
    addresses.push(Ipv4Addr::LOCALHOST.into());
    addresses
}

/// Whether somebody elsewhere can call it. Link-local addresses of IPv6 mean nothing without the name of an interface, and
/// those of IPv4 say that there is no network (RFC 8445 5.1.1.1, RFC 3927).
fn is_usable(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !(ip.is_loopback() || ip.is_link_local() || ip.is_unspecified()),
        IpAddr::V6(ip) => !(ip.is_loopback() || ip.is_unicast_link_local() || ip.is_unspecified()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY4: &str = "0.0.0.0:8189";

    fn told(bound: &str, preferred: &[&str], all: &[&str]) -> String {
        let parsed = |ips: &[&str]| -> Vec<IpAddr> { ips.iter().map(|ip| ip.parse().unwrap()).collect() };
        let told = announced(bound.parse().unwrap(), &parsed(preferred), &parsed(all));
        told.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn every_address_that_can_be_called_is_told_of_once_and_the_way_out_first() {
        let all = ["127.0.0.1", "10.1.0.2", "192.0.2.7", "169.254.3.4", "::1", "fe80::7", "2001:db8::7", "192.0.2.7"];
        assert_eq!(told(ANY4, &["192.0.2.7"], &all), "192.0.2.7 10.1.0.2 127.0.0.1");
        assert_eq!(told("[::]:8189", &["192.0.2.7", "2001:db8::7"], &all), "192.0.2.7 2001:db8::7 10.1.0.2 127.0.0.1");
        assert_eq!(told(ANY4, &[], &["127.0.0.1"]), "127.0.0.1", "without a network there is this machine");
    }

    #[test]
    fn no_more_than_may_be_are_told_of() {
        let many: Vec<String> = (1..=40).map(|n| format!("10.0.0.{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let told = told(ANY4, &["10.0.0.40"], &many);
        assert_eq!(told.split(' ').count(), MAX_ANNOUNCED);
        assert!(told.starts_with("10.0.0.40 10.0.0.1 ") && told.ends_with(" 127.0.0.1"), "{told}");
    }

    #[test]
    fn this_machine_has_a_loopback_interface() {
        assert!(addresses().unwrap().contains(&Ipv4Addr::LOCALHOST.into()));
    }
}
