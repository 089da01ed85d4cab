//! The conformance judge, proven by fault injection: a correct origin passes, and every fault is found by the rule that it breaks.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod clean;
mod coverage;
mod directives;
mod hints;
mod http;
mod media;
mod origin;
mod parts;
mod proof;
mod reports;
mod text;
mod updates;
