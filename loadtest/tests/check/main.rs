//! The conformance judge, proven by fault injection: a correct origin passes, and every fault is found by the rule that it breaks.
#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(clippy::format_push_string, reason = "a playlist is read by people as it is written, line by line")]
#![expect(clippy::trivially_copy_pass_by_ref, reason = "names of boxes are byte string literals")]

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
mod watched;
