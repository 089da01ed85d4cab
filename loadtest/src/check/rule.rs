//! What a rule is: its name, how binding it is, and where it is written.

use serde::Serialize;

/// One thing that the draft, or good practice, asks of a server.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Rule {
    /// The rule's name in reports: kebab-case, never changed once published.
    pub id: &'static str,
    /// How binding the rule is.
    pub level: Level,
    /// The section of draft-pantos-hls-rfc8216bis-22.
    pub section: &'static str,
    /// What holds where the rule is kept, in one sentence.
    pub title: &'static str,
    /// Why there is no verdict when the stream gave no occasion for one.
    #[serde(skip)]
    pub unseen: &'static str,
}

/// How binding a rule is, and so what breaking it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// A MUST of the draft: breaking it is a failure.
    Must,
    /// A SHOULD of the draft, or practice: breaking it is a warning.
    Should,
    /// Required by the Low-Latency Server Configuration Profile (Appendix B.1): breaking it is a failure.
    Profile,
}

impl Level {
    /// The word that reports use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Must => "must",
            Self::Should => "should",
            Self::Profile => "profile",
        }
    }
}

/// A MUST.
pub(crate) const fn must(id: &'static str, section: &'static str, title: &'static str) -> Rule {
    Rule { id, level: Level::Must, section, title, unseen: "the stream gave no occasion to see it" }
}

/// A SHOULD, or practice.
pub(crate) const fn should(id: &'static str, section: &'static str, title: &'static str) -> Rule {
    Rule { level: Level::Should, ..must(id, section, title) }
}

/// A requirement of the server profile.
pub(crate) const fn profile(id: &'static str, section: &'static str, title: &'static str) -> Rule {
    Rule { level: Level::Profile, ..must(id, section, title) }
}

impl Rule {
    /// The same rule, with the reason for having no verdict.
    pub(crate) const fn unseen(self, unseen: &'static str) -> Self {
        Self { unseen, ..self }
    }
}
