use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Tells the URIs of a presentation from those of every other one of the same channel: Unix time of its opening in
/// milliseconds, and above these [`Epoch::TIME_BITS`] the number of the node that opened it; written in base 36.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Epoch(pub u64);

/// A number that tells a node from others: two of them may get the same feed, and open it in the same millisecond.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Node(u32);

impl Node {
    /// Takes as much of a random number as an [`Epoch`] has room for: 20 bits.
    pub fn new(random: u32) -> Self {
        Self(random & ((1 << (u64::BITS - Epoch::TIME_BITS)) - 1))
    }
}

impl Epoch {
    /// For the milliseconds: until the year 2527.
    pub const TIME_BITS: u32 = 44;

    /// Of a presentation that a node opens at this Unix time.
    pub fn new(node: Node, opened: Duration) -> Self {
        let millis = u64::try_from(opened.as_millis()).unwrap_or(u64::MAX) & Self::TIME;
        Self((u64::from(node.0) << Self::TIME_BITS) | millis)
    }

    /// Unix time of the opening.
    pub fn opened(self) -> Duration {
        Duration::from_millis(self.0 & Self::TIME)
    }

    const TIME: u64 = (1 << Self::TIME_BITS) - 1;
}

/// The file name of something that a viewer fetches; relative to its media playlist, never used twice.
///
/// `init0-mgx2k9a7.mp4`, `seg889017734-mgx2k9a7.m4s`, `part17-mgx2k9a7.m4s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Name {
    /// The presentation that it belongs to.
    pub epoch: Epoch,
    /// What it names.
    pub item: Item,
}

/// What a [`Name`] names, within its rendition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Item {
    /// An init section, by its number.
    Init(u32),
    /// A segment, by its Media Sequence Number in its presentation.
    Segment(u64),
    /// So many parts that a segment begins with, where the rest was never had: it is another file than the whole segment.
    Cut {
        /// The segment's Media Sequence Number in its presentation.
        msn: u64,
        /// How many.
        parts: u32,
    },
    /// A part, by its running number: so the preload hint names the next part even when that turns out to begin a segment.
    Part(u64),
}

/// The text is no file name of a presentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the name of an init section, a segment or a part")]
pub struct NameError;

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let epoch = self.epoch;
        match self.item {
            Item::Init(number) => write!(f, "init{number}-{epoch}.mp4"),
            Item::Segment(msn) => write!(f, "seg{msn}-{epoch}.m4s"),
            Item::Cut { msn, parts } => write!(f, "seg{msn}.{parts}-{epoch}.m4s"),
            Item::Part(number) => write!(f, "part{number}-{epoch}.m4s"),
        }
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text).ok_or(NameError)
    }
}

impl Name {
    fn parse(text: &str) -> Option<Self> {
        let (stem, extension) = text.rsplit_once('.')?;
        let (item, epoch) = stem.split_once('-')?;
        let epoch = Epoch(canonical(epoch, 36)?);
        let item = match extension {
            "mp4" => Item::Init(canonical(item.strip_prefix("init")?, 10)?.try_into().ok()?),
            "m4s" => match item.strip_prefix("seg") {
                Some(segment) => match segment.split_once('.') {
                    Some((msn, parts)) => {
                        Item::Cut { msn: canonical(msn, 10)?, parts: canonical(parts, 10)?.try_into().ok()? }
                    }
                    None => Item::Segment(canonical(segment, 10)?),
                },
                None => Item::Part(canonical(item.strip_prefix("part")?, 10)?),
            },
            _ => return None,
        };
        Some(Self { epoch, item })
    }
}

/// A number in the one way that it is written here: one thing has one URL, so caches hold it once.
fn canonical(digits: &str, radix: u32) -> Option<u64> {
    let plain = digits.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase());
    let padded = digits.len() > 1 && digits.starts_with('0');
    if plain && !padded { u64::from_str_radix(digits, radix).ok() } else { None }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // u64::MAX has 13 digits in base 36.
        let mut text = String::with_capacity(13);
        let mut rest = self.0;
        loop {
            text.extend(u32::try_from(rest % 36).ok().and_then(|digit| char::from_digit(digit, 36)));
            rest /= 36;
            if rest == 0 {
                break;
            }
        }
        text.chars().rev().try_for_each(|digit| fmt::Write::write_char(f, digit))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_name_has_one_spelling() {
        let good = [
            "seg889017734.3-mgx2k9a7.m4s",
            "init0-1.mp4",
            "seg889017734-mgx2k9a7.m4s",
            "part0-0.m4s",
            "part18446744073709551615-3w5e11264sgsf.m4s",
        ];
        for text in good {
            assert_eq!(text.parse::<Name>().unwrap().to_string(), text);
        }
        let bad = [
            "",
            "part",
            "part1",
            "part1-.m4s",
            "part-a.m4s",
            "part01-a.m4s",
            "part+1-a.m4s",
            "part1-A.m4s",
            "part1-0a.m4s",
            "part1-a.mp4",
            "init1-a.m4s",
            "init4294967296-a.mp4",
            "part18446744073709551616-a.m4s",
            "seg1-a.m4s?x",
            "é1-a.m4s",
            "part1-a-b.m4s",
            "partf-a.m4s",
            "seg1.-a.m4s",
            "seg1.02-a.m4s",
            "seg1.4294967296-a.m4s",
            "part1.2-a.m4s",
        ];
        for text in bad {
            assert_eq!(text.parse::<Name>(), Err(NameError), "{text}");
        }
    }

    #[test]
    fn nodes_that_open_in_the_same_millisecond_have_other_epochs() {
        let opened = Duration::from_hours(489_956);
        let epochs = [0, 1, (1 << 20) - 1].map(|number| Epoch::new(Node::new(number), opened));
        assert_eq!(epochs[0], Epoch(1_763_841_600_000));
        assert!(epochs[0] != epochs[1] && epochs[1] != epochs[2] && epochs[2] != epochs[0]);
        for epoch in epochs {
            assert_eq!(epoch.opened(), opened);
        }
    }

    proptest! {
        #[test]
        fn names_survive_the_way_through_a_url(epoch: u64, number: u64, msn: u64, init: u32) {
            let cut = Item::Cut { msn, parts: init };
            for item in [Item::Part(number), Item::Segment(msn), cut, Item::Init(init)] {
                let name = Name { epoch: Epoch(epoch), item };
                prop_assert_eq!(name.to_string().parse(), Ok(name));
            }
        }

        #[test]
        fn any_text_is_parsed_without_panic_and_only_to_itself(text in "(init|seg|part)?[0-9a-z.+-]{0,24}(\\.m4s|\\.mp4)?") {
            if let Ok(name) = text.parse::<Name>() {
                prop_assert_eq!(name.to_string(), text);
            }
        }
    }
}
