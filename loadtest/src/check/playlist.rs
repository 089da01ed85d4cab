//! Playlists as this judge reads them: strictly, and remembering the line of everything.

mod attributes;
mod lines;
mod media;
mod multivariant;
mod second;

pub(crate) use media::{ByteRange, Control, Hint, Map, Media, Part, Report, Segment};
pub(crate) use multivariant::{Alternative, Multivariant, Variant};
pub(crate) use second::disagreements;

/// Something wrong with the text, and the rule that it breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// What it breaks.
    pub(crate) kind: FaultKind,
    /// The line, from 1.
    pub(crate) line: usize,
    /// What is wrong, for people.
    pub(crate) what: String,
}

/// Which rule a fault of the text breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// Lines, characters, values of tags (4.1).
    Text,
    /// An attribute list (4.2).
    Attributes,
    /// A tag that stands more than once (4.4.2).
    Repeated,
}
