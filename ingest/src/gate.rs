use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Lets in as many connections as there is room for, in total and from each address.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    max_total: usize,
    max_per_address: usize,
    inside: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// What there is no more room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    Total,
    Address,
}

impl Full {
    /// The value of the `reason` label.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Total => "connections",
            Self::Address => "connections_per_address",
        }
    }
}

impl Gate {
    pub(crate) fn new(max_total: usize, max_per_address: usize) -> Self {
        Self { max_total, max_per_address, inside: Arc::default() }
    }

    /// A place for as long as the pass is kept.
    pub(crate) fn enter(&self, address: IpAddr) -> Result<Pass, Full> {
        let address = network(address);
        let mut inside = self.lock();
        self.check(&inside, address)?;
        *inside.entry(address).or_default() += 1;
        Ok(Pass { gate: self.clone(), address })
    }

    /// Whether there is a place, which others may take before it is entered.
    pub(crate) fn has_room(&self, address: IpAddr) -> Result<(), Full> {
        self.check(&self.lock(), network(address))
    }

    fn check(&self, inside: &HashMap<IpAddr, usize>, network: IpAddr) -> Result<(), Full> {
        if inside.values().sum::<usize>() >= self.max_total {
            return Err(Full::Total);
        }
        if inside.get(&network).is_some_and(|count| *count >= self.max_per_address) {
            return Err(Full::Address);
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        // No code that holds the lock can leave the counts half changed.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place inside the [`Gate`].
#[derive(Debug)]
pub(crate) struct Pass {
    gate: Gate,
    address: IpAddr,
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut inside = self.gate.lock();
        if let Some(count) = inside.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                inside.remove(&self.address);
            }
        }
    }
}

/// What counts as one address: a single IPv4 address, or the /64 of an IPv6 one, which is what a subscriber gets.
fn network(address: IpAddr) -> IpAddr {
    const PREFIX: u128 = u128::MAX << 64;
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & PREFIX).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enter(gate: &Gate, address: &str) -> Result<Pass, Full> {
        gate.enter(address.parse().unwrap())
    }

    #[test]
    fn there_is_room_for_so_many_in_total_and_from_each_address() {
        let gate = Gate::new(3, 2);
        let first = enter(&gate, "10.0.0.1").unwrap();
        let _second = enter(&gate, "10.0.0.1").unwrap();
        assert_eq!(enter(&gate, "10.0.0.1").unwrap_err(), Full::Address);
        assert_eq!(enter(&gate, "::ffff:10.0.0.1").unwrap_err(), Full::Address);
        let _third = enter(&gate, "10.0.0.2").unwrap();
        assert_eq!(enter(&gate, "10.0.0.3").unwrap_err(), Full::Total);
        assert_eq!(gate.has_room([10, 0, 0, 3].into()), Err(Full::Total));
        drop(first);
        assert_eq!(gate.has_room([10, 0, 0, 1].into()), Ok(()));
        assert!(enter(&gate, "10.0.0.1").is_ok());
    }

    #[test]
    fn an_ipv6_network_counts_as_one_address() {
        let gate = Gate::new(9, 1);
        let _pass = enter(&gate, "2001:db8::1").unwrap();
        assert_eq!(enter(&gate, "2001:db8::ffff:1").unwrap_err(), Full::Address);
        assert!(enter(&gate, "2001:db8:0:1::1").is_ok());
    }

    #[test]
    fn nothing_is_kept_of_who_has_left() {
        let gate = Gate::new(9, 9);
        drop(enter(&gate, "10.0.0.1"));
        assert!(gate.lock().is_empty());
    }
}
