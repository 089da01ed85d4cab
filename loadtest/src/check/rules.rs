//! The rules, a file per chapter. Each is a `const`; most are a pure function over what was recorded, and the rest are judged where they
//! are probed.

pub(crate) mod directives;
pub(crate) mod hints;
pub(crate) mod http;
pub(crate) mod media;
mod multivariant;
mod parts;
pub(crate) mod text;
mod updates;

use super::evidence::Evidence;
use super::ledger::Ledger;
use super::rule::Rule;

/// Every rule, in the order of reports.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    let chapters = [
        text::RULES,
        parts::RULES,
        updates::RULES,
        directives::RULES,
        hints::RULES,
        media::RULES,
        multivariant::RULES,
        http::RULES,
    ];
    chapters.into_iter().flatten().copied()
}

/// Judges what was recorded.
pub(super) fn judge(evidence: &Evidence, ledger: &mut Ledger) {
    text::judge(evidence, ledger);
    parts::judge(evidence, ledger);
    updates::judge(evidence, ledger);
    directives::judge(evidence, ledger);
    hints::judge(evidence, ledger);
    media::judge(evidence, ledger);
    multivariant::judge(evidence, ledger);
    http::judge(evidence, ledger);
}
