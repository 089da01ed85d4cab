//! What a viewer asks for and gets: the words between the model of a viewer and its connections.

use std::fmt::{self, Display};
use std::sync::Arc;

use super::ladder::Ladder;
use super::link::Link;
use super::moment::Moment;
use super::playlist::Playlist;
use super::tally::Trouble;
use crate::check::playlist::ByteRange;

/// A request of one viewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(pub(crate) u64);

/// What a viewer wants.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Request {
    pub(crate) ticket: Ticket,
    pub(crate) what: What,
    pub(crate) link: Link,
    pub(crate) range: Option<ByteRange>,
}

/// What it is for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum What {
    /// The stream's own URL.
    Ladder,
    /// The playlist of a rendition.
    Playlist(usize, Directives),
    /// Media, of which only the size matters.
    Media,
}

/// Delivery directives (RFC 8216bis 6.2.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Directives {
    /// `_HLS_msn`, and with it `_HLS_part`.
    pub(crate) awaited: Option<(u64, Option<u64>)>,
    /// `_HLS_skip`: `YES`, or `v2` where it is true.
    pub(crate) skip: Option<bool>,
}

impl Display for Directives {
    /// The query, in the order of names, as players and caches have it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        if let Some((msn, part)) = self.awaited {
            write!(f, "_HLS_msn={msn}")?;
            if let Some(part) = part {
                write!(f, "&_HLS_part={part}")?;
            }
            separator = "&";
        }
        match self.skip {
            Some(v2) => write!(f, "{separator}_HLS_skip={}", if v2 { "v2" } else { "YES" }),
            None => Ok(()),
        }
    }
}

/// What came of a request.
pub(crate) type Outcome = Result<Answer, Trouble>;

/// What was asked for.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Ladder(Arc<Ladder>),
    Playlist(Arc<Playlist>),
    /// Media, of so many bytes, the first of which came at `began`.
    Media {
        bytes: u64,
        began: Moment,
    },
}

/// What a viewer does next.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    /// Asks for something.
    Ask(Request),
    /// Is no longer interested in something.
    Abandon(Ticket),
    /// Goes away, with all connections.
    Leave,
    /// Waits until then, unless something comes before.
    Wait(Moment),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_a_query() {
        for (awaited, skip, query) in [
            (None, None, ""),
            (None, Some(false), "_HLS_skip=YES"),
            (Some((7, None)), None, "_HLS_msn=7"),
            (Some((7, Some(2))), Some(true), "_HLS_msn=7&_HLS_part=2&_HLS_skip=v2"),
        ] {
            assert_eq!(Directives { awaited, skip }.to_string(), query);
        }
    }
}
