use std::fmt;
use std::time::Duration;

use crate::cost::Millicores;
use crate::faults::Remedy;
use crate::plan::Encoder;
use crate::rung::{Bitrate, Rung};

/// Something that the operator should know; its `Display` says what and what to do.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Notice {
    /// There is no encoder for the ladder.
    NoEncoder,
    /// A ladder has been chosen.
    Chosen {
        /// What is encoded.
        rungs: Vec<Rung>,
        /// By what; `None` where nothing is encoded.
        encoder: Option<Encoder>,
        /// What that takes.
        cost: Millicores,
        /// Whether the source itself is the top rendition.
        passthrough: bool,
    },
    /// What is made of sound that not every player knows.
    Sound {
        /// The renditions.
        rates: Vec<Bitrate>,
    },
    /// The machine cannot carry all rungs that the profile has for the source.
    LeftOut {
        /// What is not made.
        rungs: Vec<Rung>,
        /// What the whole ladder would take.
        cost: Millicores,
        /// What was left.
        left: Millicores,
    },
    /// The operator's profile is more than the machine can carry by its own account.
    Daring {
        /// What the ladder takes.
        cost: Millicores,
        /// What was left.
        left: Millicores,
    },
    /// The source's keyframes are too far apart: it is encoded anew as the top rendition too.
    LongKeyframeInterval {
        /// How long it has gone without.
        seen: Duration,
        /// The interval to set.
        advised: Duration,
        /// Whether it is encoded anew; else it is passed through as it is.
        encoded: bool,
    },
    /// A worker has died.
    Died {
        /// How.
        why: String,
        /// What is done.
        remedy: Remedy,
    },
    /// Another encoder takes over.
    OtherEncoder {
        /// The one that kept failing.
        from: Encoder,
        /// The one that takes over.
        to: Encoder,
    },
    /// A rung is given up.
    GivenUp {
        /// The rung.
        rung: String,
    },
    /// A rung rests because the machine is overloaded, or is back.
    Overload {
        /// The rung.
        rung: String,
        /// Whether it is made again.
        back: bool,
    },
    /// Rungs that did not come in time to be among the channel's renditions.
    Late {
        /// Their names.
        rungs: Vec<String>,
    },
    /// After a death, the rungs go on.
    Recovered {
        /// From the last access unit of before to the first one after, as received.
        after: Duration,
    },
}

impl Notice {
    /// Whether the operator may have to do something.
    pub fn is_trouble(&self) -> bool {
        let good = matches!(self, Self::Chosen { .. } | Self::Sound { .. } | Self::Recovered { .. });
        !good && !matches!(self, Self::Overload { back: true, .. })
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chosen { rungs, encoder: Some(encoder), cost, passthrough } => {
                let source = if *passthrough { "the source as it is, " } else { "" };
                write!(f, "ladder: {source}{} by {encoder}, about {cost} of processor", list(rungs))
            }
            Self::NoEncoder => f.write_str(
                "no encoder for the ladder works here, so the source is passed through as it is: see `touchline encoders`",
            ),
            Self::Chosen { .. } => f.write_str("no ladder for this source: nothing smaller would be worth making"),
            Self::Sound { rates } => {
                let rates: Vec<String> = rates.iter().map(ToString::to_string).collect();
                write!(f, "the sound is Opus, which not every player knows: it is made in AAC too, at {}", rates.join(" and "))
            }
            Self::LeftOut { rungs, cost, left } => write!(
                f,
                "the machine cannot carry {} ({cost} of processor for the whole ladder, {left} free): left out. Move channels to \
                 another machine, or choose rungs in [ladder.profiles]",
                list(rungs)
            ),
            Self::Daring { cost, left } => write!(
                f,
                "the ladder takes about {cost} of processor and {left} is free: expect shed pictures, then rungs that rest. \
                 Choose fewer or smaller rungs, or ladder = \"auto\""
            ),
            Self::LongKeyframeInterval { seen, advised, encoded } => {
                let done = if *encoded {
                    "it is encoded anew as the top rendition, which costs quality and processor time"
                } else {
                    "it is passed through, and players can only join and switch at those"
                };
                write!(
                    f,
                    "the source has sent no keyframe for {:.1} s: {done}. Set a keyframe interval of {} s in the encoder",
                    seen.as_secs_f64(),
                    advised.as_secs_f64()
                )
            }
            Self::Died { why, remedy: Remedy::Replace } => {
                write!(f, "the transcoding worker has died ({why}): another takes over where it was")
            }
            Self::Died { why, remedy: Remedy::Demote } => {
                write!(f, "the transcoding worker has died ({why}), once too often")
            }
            Self::OtherEncoder { from, to } => write!(
                f,
                "{from} keeps failing: {to} takes over at the next keyframe. See `touchline encoders` for what works here"
            ),
            Self::GivenUp { rung } => {
                write!(f, "transcoding keeps failing: {rung} is given up until the publisher comes anew")
            }
            Self::Overload { rung, back: false } => write!(
                f,
                "the machine is overloaded: {rung} rests from this keyframe on, and viewers of it have to switch. Take load \
                 off the machine, or choose a smaller ladder"
            ),
            Self::Overload { rung, back: true } => write!(f, "{rung} is back after a rest"),
            Self::Late { rungs } => write!(
                f,
                "{} did not start in time and will be missing until the publisher comes anew. Is the machine overloaded?",
                rungs.join(", ")
            ),
            Self::Recovered { after } => {
                write!(f, "the rungs go on {} ms after the last picture before", after.as_millis())
            }
        }
    }
}

fn list(rungs: &[Rung]) -> String {
    rungs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Millicores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02} cores", self.0 / 1_000, self.0 % 1_000 / 10)
    }
}
