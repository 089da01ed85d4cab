//! Who is counted, against who is there: 10,000 viewers who come and go on three edges, told apart by their session ids or by facts of
//! their connections; what the count is off by, and what it takes.
//!
//! `cargo bench -p touchline-benches --bench audience`. Time is simulated: five requests a second of each viewer, as a low-latency player
//! makes them with parts of 200 ms.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use touchline_audience::{Census, Cmcd, Key, Limits, Protocol, Sighting, Tally, merge};
use touchline_benches::process;

const EDGES: usize = 3;
const VIEWERS: usize = 10_000;
/// How long a viewer stays, on average, and how often it goes to another edge, in seconds.
const STAY: f64 = 600.0;
const MOVES: f64 = 1_800.0;
/// How often it loads its page anew, and comes back at once.
const RELOADS: f64 = 900.0;
/// Robots and previews that look at a playlist once, in a second.
const PASSING: usize = 20;
const PART: Duration = Duration::from_millis(200);
const SECONDS: u32 = 180;
/// Seconds that are not judged: all come at once.
const SETTLING: u32 = 20;

/// How viewers can be told apart.
#[derive(Clone, Copy, PartialEq)]
enum Facts {
    /// By a session id that their players send.
    Sessions,
    /// By address and player; every fifth shares both with others of his household.
    Connections,
    /// The same, and 2,000 have one address and one player.
    OneAddress,
}

struct Viewer {
    address: IpAddr,
    session: String,
    edge: usize,
    leaves: f64,
    moves: f64,
    reloads: f64,
    /// When it came.
    since: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("{VIEWERS} viewers on {EDGES} edges, {SECONDS} s; they stay {STAY:.0} s on average");
    println!("{:<44} {:>8} {:>8} {:>8} {:>14} {:>14}", "", "mean", "95 %", "worst", "ns a request", "CPU a viewer");
    for (name, facts) in [
        ("with session ids (CMCD)", Facts::Sessions),
        ("by address and player, 20 % in households", Facts::Connections),
        ("the same, 2,000 behind one address", Facts::OneAddress),
    ] {
        compare(name, facts)?;
    }
    for viewers in [10_000, 100_000, 1_000_000] {
        remember(viewers)?;
    }
    Ok(())
}

fn compare(name: &str, facts: Facts) -> Result<(), Box<dyn Error>> {
    let mut chance = Chance(7);
    let censuses: Vec<Census> =
        (0..EDGES as u64).map(|edge| Census::new(Key::new([7; 16]), edge, Limits::default())).collect();
    let places: Vec<_> = censuses.iter().map(|census| census.place("main", Some("720p"))).collect();
    let mut born = 0;
    let mut viewers: Vec<Viewer> = (0..VIEWERS).map(|_| come(&mut chance, &mut born, 0.0, facts)).collect();
    let (mut off, mut requests, mut used) = (Vec::new(), 0_u64, 0.0);
    for second in 0..SECONDS {
        for fifth in 0..5_u32 {
            let now = Duration::from_secs(second.into()) + PART * fifth;
            let position = Some(u64::from(second * 5 + fifth));
            let begun = process::usage(std::process::id())?.total;
            for viewer in &viewers {
                see(&censuses, &places, viewer, facts, now, position);
            }
            used += process::usage(std::process::id())?.total - begun;
            requests += viewers.len() as u64;
        }
        let now = Duration::from_secs(second.into()) + PART * 4;
        for number in 0..PASSING {
            let robot = Ipv4Addr::from(0xc000_0000 + u32::try_from(chance.below(1 << 24) + number)?);
            let census = censuses.get(number % EDGES).ok_or("an edge")?;
            let visitor = census.visitor(robot.into(), b"preview", None);
            let place = *places.get(number % EDGES).ok_or("a place")?;
            census.sighted(
                now,
                Sighting { visitor, place, protocol: Protocol::Http1, position: Some(1 << 40), said: None },
            );
        }
        let at = f64::from(second + 1);
        let tallies: Vec<Tally> =
            censuses.iter().flat_map(|census| census.look(now, now.saturating_sub(Duration::from_secs(1)))).collect();
        let counted = merge(&tallies).viewers;
        // Who came within the last second is none yet.
        let there = viewers.iter().filter(|viewer| at - viewer.since >= 1.0).count();
        if second >= SETTLING {
            off.push(counted / f64::from(u32::try_from(there)?) - 1.0);
        }
        for viewer in &mut viewers {
            if viewer.leaves <= at {
                *viewer = come(&mut chance, &mut born, at, facts);
            } else if viewer.moves <= at {
                viewer.edge = (viewer.edge + 1) % EDGES;
                viewer.moves = at + chance.after(MOVES);
            } else if viewer.reloads <= at {
                // It asks again for what it has had.
                see(&censuses, &places, viewer, facts, now, Some(u64::from(second * 5 + 4)));
                viewer.reloads = at + chance.after(RELOADS);
            }
        }
    }
    let mean = off.iter().sum::<f64>() / f64::from(u32::try_from(off.len())?);
    let mut off: Vec<f64> = off.into_iter().map(f64::abs).collect();
    off.sort_by(f64::total_cmp);
    let at = |share: usize| off.get((off.len() - 1) * share / 100).copied().unwrap_or_default();
    #[expect(clippy::cast_precision_loss, reason = "some requests")]
    let each = used / requests as f64;
    println!(
        "{name:<44} {:>+7.2}% {:>7.2}% {:>7.2}% {:>14.0} {:>9.2} us/s",
        100.0 * mean,
        100.0 * at(95),
        100.0 * at(100),
        each * 1e9,
        5.0 * each * 1e6
    );
    Ok(())
}

fn see(
    censuses: &[Census],
    places: &[touchline_audience::Place],
    viewer: &Viewer,
    facts: Facts,
    now: Duration,
    position: Option<u64>,
) {
    let (Some(census), Some(place)) = (censuses.get(viewer.edge), places.get(viewer.edge)) else { return };
    let said = Cmcd { session: (facts == Facts::Sessions).then(|| viewer.session.clone()), ..Cmcd::default() };
    let visitor = census.visitor(viewer.address, b"Mozilla/5.0", said.session.as_deref());
    census.sighted(now, Sighting { visitor, place: *place, protocol: Protocol::Http2, position, said: Some(&said) });
}

fn come(chance: &mut Chance, born: &mut u32, now: f64, facts: Facts) -> Viewer {
    *born += 1;
    let number = *born;
    // Four of a household have one address.
    let shared = if number.is_multiple_of(5) { number / 20 * 20 } else { number };
    let one = facts == Facts::OneAddress && number % 5 == 1;
    let address = if one { Ipv4Addr::new(203, 0, 113, 1) } else { Ipv4Addr::from(0x0a00_0000 + shared) };
    Viewer {
        address: address.into(),
        session: format!("6e2fb550-c457-11e9-bb97-{number:012}"),
        edge: chance.below(EDGES),
        leaves: now + chance.after(STAY),
        moves: now + chance.after(MOVES),
        reloads: now + chance.after(RELOADS),
        since: now,
    }
}

/// What so many take who are there at once.
fn remember(viewers: u32) -> Result<(), Box<dyn Error>> {
    let before = resident_bytes()?;
    let census = Census::new(Key::new([7; 16]), 1, Limits::default());
    let place = census.place("main", Some("720p"));
    for at in [0, 2] {
        for number in 0..viewers {
            let visitor =
                census.visitor(Ipv4Addr::from(0x0a00_0000 + number).into(), b"Mozilla/5.0", Some(&number.to_string()));
            let sighting = Sighting { visitor, place, protocol: Protocol::Http2, position: None, said: None };
            census.sighted(Duration::from_secs(at), sighting);
        }
    }
    let tallies = census.look(Duration::from_secs(3), Duration::from_secs(2));
    let counted = merge(&tallies);
    let bytes = resident_bytes()?.saturating_sub(before);
    println!(
        "{viewers:>9} at once: counted {:.0} ({:+.2} %, standard error {:.2} %), {:.1} MB, {:.0} bytes each",
        counted.viewers,
        100.0 * (counted.viewers / f64::from(viewers) - 1.0),
        100.0 * counted.standard_error,
        f64::from(u32::try_from(bytes)?) / 1e6,
        f64::from(u32::try_from(bytes)?) / f64::from(viewers)
    );
    Ok(())
}

fn resident_bytes() -> Result<u64, Box<dyn Error>> {
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    Ok(statm.split(' ').nth(1).ok_or("statm has no resident pages")?.parse::<u64>()? * 4_096)
}

/// The same numbers each time (splitmix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap_or(0)
    }

    /// A time that is distributed exponentially.
    fn after(&mut self, mean: f64) -> f64 {
        let even = (f64::from(u32::try_from(self.next() >> 32).unwrap_or(0)) + 0.5) / f64::from(u32::MAX);
        -mean * even.min(1.0).ln()
    }
}
