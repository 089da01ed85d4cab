//! Which pathways which viewers prefer.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{Pathway, PathwayId};

/// How finely viewers are dealt out. With 1,024 buckets a share is met to about a hundredth.
pub(super) const BUCKETS: u16 = 1_024;

/// The pathways in the order in which a bucket prefers them, those drained left out.
///
/// By weighted rendezvous hashing: each pathway draws a number for the bucket, and the lowest wins. How the others do has no
/// part in that, so that when one is drained or weighs less only those who were on it move, and to the others by their weights.
pub(super) fn order<'a>(pathways: &'a [Pathway], drained: &BTreeSet<PathwayId>, bucket: u16) -> Vec<&'a PathwayId> {
    let mut order: Vec<&Pathway> = pathways.iter().filter(|pathway| !drained.contains(&pathway.id)).collect();
    order.sort_by(|a, b| draw(a, bucket).total_cmp(&draw(b, bucket)));
    order.into_iter().map(|pathway| &pathway.id).collect()
}

/// The bucket of an address.
pub(super) fn bucket(address: IpAddr) -> u16 {
    let hash = match address.to_canonical() {
        IpAddr::V4(ip) => hash(&ip.octets(), 0),
        IpAddr::V6(ip) => hash(&ip.octets(), 0),
    };
    u16::try_from(hash % u64::from(BUCKETS)).unwrap_or(0)
}

/// An exponential variate whose rate is the weight; of weight 0, later than any other.
fn draw(pathway: &Pathway, bucket: u16) -> f64 {
    let hash = hash(pathway.id.as_str().as_bytes(), bucket.into());
    let bytes = hash.to_be_bytes();
    let [a, b, c, d, ..] = bytes;
    let unit = (f64::from(u32::from_be_bytes([a, b, c, d])) + 0.5) / 2_f64.powi(32);
    -unit.ln() / f64::from(pathway.weight)
}

/// FNV-1a, and the finaliser of `SplitMix64`, which makes every bit depend on every other. The same on every node and for ever.
fn hash(bytes: &[u8], seed: u64) -> u64 {
    let fnv = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    let mut hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15), fnv);
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn pathways(weights: &[(&str, u32)]) -> Vec<Pathway> {
        let pathway = |&(id, weight): &(&str, u32)| Pathway { id: id.parse().unwrap(), base: "/".into(), weight };
        weights.iter().map(pathway).collect()
    }

    fn drained(ids: &[&str]) -> BTreeSet<PathwayId> {
        ids.iter().map(|id| id.parse().unwrap()).collect()
    }

    /// The pathway that each bucket prefers.
    fn first<'a>(pathways: &'a [Pathway], gone: &[&str]) -> Vec<&'a str> {
        (0..BUCKETS).map(|bucket| order(pathways, &drained(gone), bucket)[0].as_str()).collect()
    }

    /// In per cent of all buckets.
    fn share(first: &[&str], id: &str) -> f64 {
        let count = u16::try_from(first.iter().filter(|first| **first == id).count()).unwrap();
        f64::from(count) * 100.0 / f64::from(BUCKETS)
    }

    #[test]
    fn shares_are_those_of_the_weights() {
        for (weights, expected) in [
            (vec![("cdn-a", 3), ("cdn-b", 1)], vec![75.0, 25.0]),
            (vec![("a", 1), ("b", 1)], vec![50.0, 50.0]),
            (vec![("eu", 50), ("us", 30), ("asia", 20), ("spare", 0)], vec![50.0, 30.0, 20.0, 0.0]),
        ] {
            let pathways = pathways(&weights);
            let first = first(&pathways, &[]);
            for ((id, _), expected) in weights.iter().zip(expected) {
                let share = share(&first, id);
                assert!((share - expected).abs() < 4.0, "{id}: {share} of {expected}");
            }
        }
    }

    #[test]
    fn when_a_pathway_is_drained_only_those_on_it_move_and_by_the_weights_of_the_others() {
        let pathways = pathways(&[("a", 2), ("b", 1), ("c", 1)]);
        let (before, after) = (first(&pathways, &[]), first(&pathways, &["a"]));
        assert!(before.iter().zip(&after).all(|(before, after)| *before == "a" || before == after));
        assert!((share(&after, "b") - 50.0).abs() < 4.0);
        assert!(share(&after, "a") < f64::EPSILON);
    }

    #[test]
    fn the_order_has_every_pathway_that_is_not_drained_and_those_without_weight_last() {
        let pathways = pathways(&[("spare", 0), ("a", 1), ("b", 5)]);
        for bucket in 0..BUCKETS {
            let order = order(&pathways, &drained(&[]), bucket);
            assert_eq!((order.len(), order[2].as_str()), (3, "spare"));
        }
    }

    #[test]
    fn addresses_are_spread_over_the_buckets() {
        let mut filled = [0_u32; BUCKETS as usize];
        for host in 0..=u16::MAX {
            let [high, low] = host.to_be_bytes();
            filled[usize::from(bucket(Ipv4Addr::new(198, 51, high, low).into()))] += 1;
        }
        // 64 on average; a random deal has none below half or above twice that.
        assert!(filled.iter().all(|viewers| (32..128).contains(viewers)));
    }
}
