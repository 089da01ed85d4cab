//! When and with what a playlist is asked for.

use std::time::Duration;

use crate::watch::exchange::{Directives, Ticket};
use crate::watch::moment::Moment;
use crate::watch::playlist::Playlist;

/// How long an answer may take (`maxTimeToFirstByteMs` of playlists and fragments).
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// Before what failed is tried again: the first pause, and the longest (those of Touchline's watch page).
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What becomes of the playlist.
#[derive(Clone, Debug)]
pub(super) enum Reload {
    At(Moment, Directives),
    Asked(Asked, Directives),
    /// The programme is over.
    Never,
}

/// A request under way, and until when.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Asked(pub(super) Ticket, pub(super) Moment);

/// Whether a playlist has more in it than the one before, or begins anew.
pub(super) fn is_news(before: &Playlist, playlist: &Playlist) -> bool {
    let first = before.segments.first().map(|segment| segment.msn);
    playlist.next_part() > before.next_part() || playlist.last_msn() < first || playlist.ended != before.ended
}

/// When and with what to ask for the next playlist.
pub(super) fn after(playlist: &Playlist, news: bool, now: Moment) -> Reload {
    let skip = playlist.skip.map(|skip| skip.dates);
    if !news {
        // RFC 8216bis 6.3.4.
        return Reload::At(now + playlist.target / 2, Directives { awaited: None, skip });
    }
    if !playlist.blocks {
        let last = playlist.segments.last().map_or(playlist.target, |segment| segment.duration);
        return Reload::At(now + last.min(playlist.target), Directives { awaited: None, skip });
    }
    let (msn, part) = playlist.next_part();
    let part = (!playlist.part_target.is_zero()).then_some(part);
    Reload::At(now, Directives { awaited: Some((msn, part)), skip })
}

/// How long to wait after so many failures in a row.
pub(super) fn pause(failures: u32) -> Duration {
    (FIRST_PAUSE * 2_u32.saturating_pow(failures.saturating_sub(1).min(8))).min(LONGEST_PAUSE)
}
