//! Which renditions a ladder has: profiles, and what they come to for a source.

use std::fmt;
use std::str::FromStr;

use touchline_media::FrameRate;

/// The most renditions of pictures in a ladder.
pub const MAX_RUNGS: usize = 8;
/// The most renditions of sound in a ladder.
pub const MAX_AUDIO_RUNGS: usize = 2;

/// One rendition to be encoded. Written as `720p 3000k`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rung {
    /// In pixels, even.
    pub height: u32,
    /// Bits per second of the pictures.
    pub bitrate: Bitrate,
}

/// Bits per second. Written as `3000k`, `3M` or `800000`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bitrate(pub u32);

/// A ladder as an operator describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Profile {
    /// No ladder: what the publisher sends is what viewers get.
    Off,
    /// Up to three rungs of [`Profile::Sport`] below the source, as far as the machine can carry them.
    Auto,
    /// All rungs that live sport is made in, below the source, whatever the machine says.
    Sport,
    /// These rungs where they are below the source, whatever the machine says.
    Own(Ladder),
}

/// What sound is made in where no ladder says otherwise.
pub const USUAL_AUDIO: [Bitrate; 2] = [Bitrate(128_000), Bitrate(64_000)];

/// The rungs of a profile, highest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ladder {
    /// Of pictures.
    pub video: Vec<Rung>,
    /// Of sound. The first is the source's own where that is AAC.
    pub audio: Vec<Bitrate>,
    /// Whether the pictures are HEVC instead of H.264.
    pub hevc: bool,
}

/// The pictures that a ladder is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Where it keeps a constant grid.
    pub frame_rate: Option<FrameRate>,
}

impl Source {
    /// Pictures a second; a source without a grid is taken for 30.
    pub fn rate(&self) -> f64 {
        self.frame_rate.map_or(30.0, FrameRate::as_f64)
    }

    /// The width of this picture at another height: even, and of the same shape.
    pub fn width_at(&self, height: u32) -> u32 {
        let (width, height) = (u64::from(self.width) * u64::from(height), u64::from(self.height).max(1));
        let half = (width + height) / (2 * height);
        u32::try_from(half * 2).unwrap_or(u32::MAX).max(2)
    }
}

impl Ladder {
    /// What live sport is made in: the rungs for a source of this frame rate.
    pub fn sport(source: &Source) -> Self {
        // Above 30 a source is taken for 50 or 60.
        let fast = source.rate() > 31.0;
        let rung = |height, kilobits: u32| Rung { height, bitrate: Bitrate(kilobits * 1_000) };
        let (full_hd, hd) = if fast { (7_500, 4_500) } else { (5_500, 3_000) };
        let low = [rung(540, 2_000), rung(480, 1_300), rung(360, 800), rung(240, 400)];
        let video = [rung(1_080, full_hd), rung(720, hd)].into_iter().chain(low).collect();
        Self { video, audio: USUAL_AUDIO.to_vec(), hevc: false }
    }

    /// The rungs below a source that is passed through: smaller by enough to matter.
    pub fn below(&self, source: &Source) -> Vec<Rung> {
        self.video.iter().copied().filter(|rung| rung.height * 10 <= source.height * 9).collect()
    }

    /// The rendition of a source's own size, up to 1080 lines, that takes the place of the source: at the bitrate of the
    /// rung nearest to it, of this ladder or of [`Ladder::sport`].
    pub fn top(&self, source: &Source) -> Rung {
        let height = source.height.min(MOST_LINES) & !1;
        let usual = Self::sport(source).video;
        let nearest = self.video.iter().chain(&usual).min_by_key(|rung| rung.height.abs_diff(height));
        Rung { height, bitrate: nearest.map_or(Bitrate(3_000_000), |rung| rung.bitrate) }
    }
}

/// The most lines that a source is encoded at in its own place.
const MOST_LINES: u32 = 1_080;

impl Profile {
    /// The rungs for a source; of those [`Ladder::below`] it are made.
    pub fn ladder(&self, source: &Source) -> Option<Ladder> {
        match self {
            Self::Off => None,
            Self::Auto => Some(Ladder { video: spread(&Ladder::sport(source), source), ..Ladder::sport(source) }),
            Self::Sport => Some(Ladder::sport(source)),
            Self::Own(ladder) => Some(ladder.clone()),
        }
    }
}

/// The rungs that `auto` takes: three below the source that are far enough apart to matter. The lowest is what a weak phone
/// lives on.
fn spread(ladder: &Ladder, source: &Source) -> Vec<Rung> {
    let below: Vec<Rung> = ladder.below(source).into_iter().filter(|rung| rung.height != 540).collect();
    let highest = below.iter().take(2);
    let lowest = below.get(2..).unwrap_or_default().last();
    highest.chain(lowest).copied().collect()
}

impl FromStr for Profile {
    type Err = String;

    /// `off`, `auto` or `sport`.
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self::Off),
            "auto" => Ok(Self::Auto),
            "sport" => Ok(Self::Sport),
            _ => Err(format!("\"{text}\" is not a ladder; there are auto, sport, off and those in [ladder.profiles]")),
        }
    }
}

impl FromStr for Rung {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("\"{text}\" is not a rung; write its height and bitrate, for example \"720p 3000k\"");
        let (height, bitrate) = text.trim().split_once([' ', '@']).ok_or_else(bad)?;
        let height: u32 = height.strip_suffix('p').and_then(|digits| digits.parse().ok()).ok_or_else(bad)?;
        if !(90..=2_160).contains(&height) || height % 2 == 1 {
            return Err(format!("\"{text}\": the height has to be even, from 90 to 2160"));
        }
        Ok(Self { height, bitrate: bitrate.trim().parse()? })
    }
}

impl FromStr for Bitrate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (digits, unit) = match text.strip_suffix(['k', 'K']) {
            Some(digits) => (digits, 1_000),
            None => text.strip_suffix(['m', 'M']).map_or((text, 1), |digits| (digits, 1_000_000)),
        };
        match digits.parse::<u32>().ok().and_then(|number| number.checked_mul(unit)) {
            Some(bits @ 16_000..=100_000_000) => Ok(Self(bits)),
            _ => Err(format!(
                "\"{text}\" is not a bitrate from 16k to 100M bits per second; write for example \"3000k\""
            )),
        }
    }
}

impl fmt::Display for Bitrate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} kb/s", self.0 / 1_000)
    }
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}p {}", self.height, self.bitrate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(width: u32, height: u32, rate: f64) -> Source {
        Source { width, height, frame_rate: FrameRate::from_f64(rate) }
    }

    /// What a profile comes to below a source that is passed through.
    fn below(profile: &Profile, source: &Source) -> String {
        let rungs = profile.ladder(source).unwrap().below(source);
        rungs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn no_rung_is_larger_than_its_source() {
        let hd = source(1_280, 720, 30.0);
        assert_eq!(below(&Profile::Auto, &source(1_920, 1_080, 50.0)), "720p 4500 kb/s, 480p 1300 kb/s, 240p 400 kb/s");
        assert_eq!(below(&Profile::Auto, &hd), "480p 1300 kb/s, 360p 800 kb/s, 240p 400 kb/s");
        assert_eq!(below(&Profile::Sport, &hd), "540p 2000 kb/s, 480p 1300 kb/s, 360p 800 kb/s, 240p 400 kb/s");
        assert_eq!(below(&Profile::Auto, &source(854, 480, 30.0)), "360p 800 kb/s, 240p 400 kb/s");
        assert_eq!(below(&Profile::Auto, &source(320, 240, 30.0)), "");
    }

    #[test]
    fn a_source_that_cannot_be_passed_through_is_made_anew_at_its_size() {
        let top = |source: &Source| Profile::Auto.ladder(source).unwrap().top(source).to_string();
        assert_eq!(top(&source(1_920, 1_080, 60.0)), "1080p 7500 kb/s");
        assert_eq!(top(&source(1_280, 720, 30.0)), "720p 3000 kb/s");
        assert_eq!(top(&source(1_000, 601, 30.0)), "600p 2000 kb/s");
        assert_eq!(top(&source(3_840, 2_160, 30.0)), "1080p 5500 kb/s");
    }

    #[test]
    fn a_rung_has_the_shape_of_its_source() {
        assert_eq!(source(1_280, 720, 30.0).width_at(480), 854);
        assert_eq!(source(1_920, 1_080, 30.0).width_at(360), 640);
        assert_eq!(source(1_080, 1_920, 30.0).width_at(480), 270);
    }

    #[test]
    fn rungs_are_written_by_height_and_bitrate() {
        assert_eq!("720p 3M".parse(), Ok(Rung { height: 720, bitrate: Bitrate(3_000_000) }));
        assert_eq!("480p@1300k".parse(), Ok(Rung { height: 480, bitrate: Bitrate(1_300_000) }));
        let refused = |text: &str| text.parse::<Rung>().unwrap_err();
        assert_eq!(refused("720"), "\"720\" is not a rung; write its height and bitrate, for example \"720p 3000k\"");
        assert_eq!(refused("721p 3000k"), "\"721p 3000k\": the height has to be even, from 90 to 2160");
        assert_eq!(
            refused("720p fast"),
            "\"fast\" is not a bitrate from 16k to 100M bits per second; write for example \"3000k\""
        );
    }
}
