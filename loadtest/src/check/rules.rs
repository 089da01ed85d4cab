//! The rules, a file per chapter. Each is a `const`, and most are a pure function over what was recorded.

mod directives;
mod hints;
mod http;
mod media;
mod parts;
mod text;
mod updates;

use super::rule::Rule;

/// Every rule, in the order of reports.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    [text::RULES, parts::RULES, updates::RULES, directives::RULES, hints::RULES, media::RULES, http::RULES]
        .into_iter()
        .flatten()
        .copied()
}
