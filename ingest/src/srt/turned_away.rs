//! Callers that libsrt turns away after they have been let in: their encoders are told, and our log has to be as well.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;
use tracing::warn;

use super::StreamId;
use crate::Metrics;

/// An address is told of once within it: encoders try again and again.
const TOLD_EVERY: Duration = Duration::from_mins(1);
/// The most addresses that are told of within that time.
const MAX_TOLD: usize = 64;

/// Whose attempts have been told of, and when.
#[derive(Debug, Default)]
pub(super) struct TurnedAway {
    told: HashMap<IpAddr, Instant>,
}

impl TurnedAway {
    /// Counts those who were turned away, and tells the log of each address once a minute.
    pub(super) fn tell(&mut self, callers: &[touchline_srt::TurnedAway], now: Instant, metrics: &Metrics) {
        for caller in callers {
            metrics.refused("passphrase");
            if self.is_new(caller.peer.ip(), now) {
                // The stream ID may hold a key.
                let channel = StreamId::parse(&caller.stream_id).map(|target| target.channel.to_string());
                let channel = channel.unwrap_or_default();
                warn!(peer = %caller.peer, %channel, "SRT caller refused: {}", words(caller.passphrase));
            }
        }
    }

    fn is_new(&mut self, address: IpAddr, now: Instant) -> bool {
        self.told.retain(|_, told| now < *told + TOLD_EVERY);
        let room = self.told.len() < MAX_TOLD;
        room && !self.told.contains_key(&address) && self.told.insert(address, now).is_none()
    }
}

/// What is in the way of a caller that has to have a passphrase, or may have none.
fn words(passphrase: bool) -> &'static str {
    if passphrase {
        "it has no passphrase, or not the one of this channel in [srt.passphrases]: set that in the encoder"
    } else {
        "it encrypts, and this channel has no passphrase: leave it out in the encoder, or set it in [srt.passphrases] too"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_of_once_a_minute_and_not_too_many_are() {
        let (mut turned_away, begun) = (TurnedAway::default(), Instant::now());
        let tells = |turned_away: &mut TurnedAway, host: u8, seconds: u64| {
            let now = begun + Duration::from_secs(seconds);
            turned_away.is_new([192, 0, 2, host].into(), now)
        };
        assert_eq!([0, 1, 59, 60, 61].map(|at| tells(&mut turned_away, 1, at)), [true, false, false, true, false]);
        let told = (2..=250).filter(|host| tells(&mut turned_away, *host, 62)).count();
        assert_eq!(told, MAX_TOLD - 1);
    }
}
