use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use touchline_media::ChannelName;
use touchline_packager as packager;
use touchline_transcode::plan::{Codec, Encoder};
use touchline_transcode::rung::{Bitrate, Ladder, MAX_AUDIO_RUNGS, MAX_RUNGS, Profile, Rung};
use touchline_transcode::{Passthrough, Settings};

use super::Section;

/// Which ladder each channel gets.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ladders {
    /// The ladder of channels that have none of their own: a profile, or the name of one.
    pub(crate) default: String,
    channels: BTreeMap<ChannelName, String>,
    /// The operator's own, by name.
    profiles: BTreeMap<String, Ladder>,
    passthrough: Passthrough,
    encoder: Option<Encoder>,
    /// The worker program. `None`: beside this program, or on the search path.
    pub(crate) worker: Option<PathBuf>,
}

impl Default for Ladders {
    fn default() -> Self {
        Self {
            default: "auto".into(),
            channels: BTreeMap::new(),
            profiles: BTreeMap::new(),
            passthrough: Passthrough::Auto,
            encoder: None,
            worker: None,
        }
    }
}

impl Ladders {
    pub(super) fn read(&mut self, section: &mut Section<'_, '_>) {
        section.table("profiles", |profiles| {
            for name in profiles.names() {
                let mut ladder =
                    Ladder { video: Vec::new(), audio: vec![Bitrate(128_000), Bitrate(64_000)], hevc: false };
                profiles.table(&name, |profile| read_profile(profile, &mut ladder));
                if name.parse::<Profile>().is_ok() {
                    profiles.mistake(&name, "is the name of a ladder that there is already");
                }
                self.profiles.insert(name, ladder);
            }
        });
        let known = |text: &str| self.find(text).map(|_| text.to_owned());
        let mut default = self.default.clone();
        section.value("profile", known, &mut default);
        let mut channels = BTreeMap::new();
        section.table("channels", |table| {
            for name in table.names() {
                let mut profile = String::new();
                table.value(&name, known, &mut profile);
                match name.parse::<ChannelName>() {
                    Ok(channel) => drop(channels.insert(channel, profile)),
                    Err(why) => table.mistake(&name, why.to_string()),
                }
            }
        });
        (self.default, self.channels) = (default, channels);
        section.value("passthrough", passthrough, &mut self.passthrough);
        section.value("encoder", encoder, &mut self.encoder);
        section.value("worker", |text| Ok(Some(text.into())), &mut self.worker);
    }

    /// The profile with this name, or why there is none.
    pub(crate) fn find(&self, name: &str) -> Result<Profile, String> {
        let own = || self.profiles.get(name).map(|ladder| Ok(Profile::Own(ladder.clone())));
        name.parse().or_else(|why: String| own().unwrap_or(Err(why)))
    }

    /// What is set for a channel.
    pub(crate) fn of(&self, channel: &ChannelName, hls: &packager::Settings) -> Arc<Settings> {
        let profile = self.find(self.channels.get(channel).unwrap_or(&self.default)).unwrap_or(Profile::Off);
        Arc::new(Settings {
            profile,
            passthrough: self.passthrough,
            encoder: self.encoder,
            keyframe_interval: hls.segment,
            keyframe_limit: hls.segment + TOLERANCE.min(hls.segment / 10),
        })
    }

    /// Whether any channel has a ladder.
    pub(crate) fn any(&self) -> bool {
        let mut names = self.channels.values().chain([&self.default]);
        names.any(|name| self.find(name).is_ok_and(|profile| profile != Profile::Off))
    }

    /// What ladders are encoded in; nothing where there are none.
    pub(crate) fn codecs(&self) -> Vec<Codec> {
        if !self.any() {
            return Vec::new();
        }
        let hevc =
            self.profiles.values().any(|ladder| ladder.hevc) || self.encoder.map(Encoder::codec) == Some(Codec::H265);
        if hevc { vec![Codec::H264, Codec::H265] } else { vec![Codec::H264] }
    }
}

/// How much later than due a keyframe may come, for a source that counts its frames otherwise.
const TOLERANCE: Duration = Duration::from_millis(250);

fn read_profile(profile: &mut Section<'_, '_>, ladder: &mut Ladder) {
    profile.values("rungs", str::parse::<Rung>, &mut ladder.video);
    let mut audio = Vec::new();
    profile.values("audio", str::parse::<Bitrate>, &mut audio);
    if !audio.is_empty() {
        ladder.audio = audio;
    }
    profile.value("codec", codec, &mut ladder.hevc);
    if ladder.video.len() > MAX_RUNGS {
        profile.mistake("rungs", format!("there are at most {MAX_RUNGS}"));
    }
    if ladder.audio.len() > MAX_AUDIO_RUNGS {
        profile.mistake("audio", format!("there are at most {MAX_AUDIO_RUNGS}"));
    }
    if !ladder.video.is_sorted_by(|above, below| above.height > below.height && above.bitrate > below.bitrate) {
        profile.mistake(
            "rungs",
            "must be written from the highest to the lowest, each with fewer bits than the one above",
        );
    }
}

fn passthrough(text: &str) -> Result<Passthrough, String> {
    match text {
        "auto" => Ok(Passthrough::Auto),
        "always" => Ok(Passthrough::Always),
        "never" => Ok(Passthrough::Never),
        _ => Err(format!("\"{text}\" is not one of auto, always and never")),
    }
}

fn encoder(text: &str) -> Result<Option<Encoder>, String> {
    let known = || {
        let names: Vec<&str> = Encoder::H264.into_iter().chain(Encoder::HEVC).map(Encoder::element).collect();
        format!("\"{text}\" is not an encoder; there are auto, {}", names.join(", "))
    };
    if text == "auto" { Ok(None) } else { Encoder::find(text).map(Some).ok_or_else(known) }
}

/// Whether it is HEVC.
fn codec(text: &str) -> Result<bool, String> {
    match text {
        "h264" => Ok(false),
        "hevc" => Ok(true),
        _ => Err(format!("\"{text}\" is not one of h264 and hevc")),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    use super::*;

    fn ladders(text: &str) -> Ladders {
        Config::parse(text).unwrap().ladders
    }

    #[test]
    fn each_channel_gets_its_ladder_or_the_default() {
        let text = r#"
            [ladder]
            profile = "pitch"
            passthrough = "never"
            encoder = "openh264enc"
            worker = "/opt/touchline-transcode"
            [ladder.channels]
            press = "off"
            final = "sport"
            [ladder.profiles.pitch]
            rungs = ["720p 3M", "360p 700k"]
            audio = "96k"
            codec = "hevc"
        "#;
        let ladders = ladders(text);
        let settings = |channel: &str| ladders.of(&channel.parse().unwrap(), &packager::Settings::default());
        assert_eq!(settings("press").profile, Profile::Off);
        assert_eq!(settings("final").profile, Profile::Sport);
        let pitch = settings("any");
        let video = vec!["720p 3000k".parse().unwrap(), "360p 700k".parse().unwrap()];
        assert_eq!(pitch.profile, Profile::Own(Ladder { video, audio: vec![Bitrate(96_000)], hevc: true }));
        assert_eq!((pitch.passthrough, pitch.encoder), (Passthrough::Never, Some(Encoder::OpenH264)));
        assert_eq!(pitch.keyframe_limit, Duration::from_millis(2_200));
        assert_eq!(ladders.codecs(), [Codec::H264, Codec::H265]);
    }

    #[test]
    fn without_a_word_every_channel_gets_auto() {
        let ladders = ladders("");
        let settings = ladders.of(&"main".parse().unwrap(), &packager::Settings::default());
        assert_eq!(settings.profile, Profile::Auto);
        assert_eq!(ladders.codecs(), [Codec::H264]);
        assert!(ladders.any());
        let off = self::ladders("[ladder]\nprofile = \"off\"");
        assert!(!off.any() && off.codecs().is_empty());
    }

    #[test]
    fn mistakes_say_what_there_is() {
        let text = r#"[ladder]
profile = "pich"
encoder = "x264"
[ladder.channels]
main = "of"
[ladder.profiles.auto]
rungs = ["360p 700k", "720p"]
"#;
        let mistakes: Vec<String> = Config::parse(text).unwrap_err().iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(mistakes.join("\n"), @r#"
        line 2: ladder.profile: "pich" is not a ladder; there are auto, sport, off and those in [ladder.profiles]
        line 3: ladder.encoder: "x264" is not an encoder; there are auto, nvh264enc, qsvh264enc, vah264enc, v4l2h264enc, x264enc, openh264enc, x265enc
        line 5: ladder.channels.main: "of" is not a ladder; there are auto, sport, off and those in [ladder.profiles]
        line 6: ladder.profiles.auto: is the name of a ladder that there is already
        line 7: ladder.profiles.auto.rungs: "720p" is not a rung; write its height and bitrate, for example "720p 3000k"
        "#);
    }
}
