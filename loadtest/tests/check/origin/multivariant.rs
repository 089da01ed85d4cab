//! The multivariant playlist: RFC 8216bis 4.4.6.

use super::{Fault, Origin, Rendition};

/// Bits per second of the sound, boxes included.
const AUDIO_PEAK: u64 = 36_000;

impl Origin {
    /// The multivariant playlist's text.
    pub(crate) fn multivariant(&self) -> String {
        let mut text = String::from("#EXTM3U\n#EXT-X-INDEPENDENT-SEGMENTS\n");
        let video = self.shape.renditions.iter().filter(|rendition| **rendition != Rendition::Audio);
        let sound = self.shape.renditions.contains(&Rendition::Audio);
        let with_video = self.shape.renditions.len() > usize::from(sound);
        if sound && with_video {
            text += &self.sound("Main", true);
            if self.wrong(Fault::NameTwice) {
                text += &self.sound("Main", false);
            }
            if self.wrong(Fault::DefaultTwice) {
                text += &self.sound("Other", true);
            }
        }
        for rendition in video {
            text += &self.variant(*rendition, sound);
        }
        if !with_video {
            text += &format!("#EXT-X-STREAM-INF:BANDWIDTH={AUDIO_PEAK},CODECS=\"mp4a.40.2\"\naudio/index.m3u8\n");
        }
        text
    }

    fn sound(&self, name: &str, default: bool) -> String {
        let default = if default { "DEFAULT=YES,AUTOSELECT=YES" } else { "AUTOSELECT=YES" };
        let channels = if self.wrong(Fault::NoChannels) { "" } else { ",CHANNELS=\"2\"" };
        format!(
            "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"sound\",NAME=\"{name}\",LANGUAGE=\"en\",{default}{channels},URI=\"audio/{}\"\n",
            self.index()
        )
    }

    fn variant(&self, rendition: Rendition, sound: bool) -> String {
        let (peak, resolution) = match rendition {
            Rendition::High if self.wrong(Fault::WrongResolution) => (96_000, "1920x1080"),
            Rendition::High => (96_000, "1280x720"),
            _ => (44_000, "640x360"),
        };
        let peak = if self.wrong(Fault::BandwidthTooLow) || !sound { peak } else { peak + AUDIO_PEAK };
        let rate = if self.wrong(Fault::WrongFrameRate) { "50.000" } else { "25.000" };
        let mut codecs = if self.wrong(Fault::CodecsWrongLevel) { "avc1.64001E" } else { "avc1.64001F" }.to_owned();
        if sound && !self.wrong(Fault::CodecsLackSound) {
            codecs += ",mp4a.40.2";
        }
        let mut attributes = Vec::new();
        if !self.wrong(Fault::NoBandwidth) {
            attributes.push(format!("BANDWIDTH={peak}"));
        }
        if !self.wrong(Fault::NoCodecs) {
            attributes.push(format!("CODECS=\"{codecs}\""));
        }
        attributes.push(format!("RESOLUTION={resolution},FRAME-RATE={rate}"));
        if sound {
            let group = if self.wrong(Fault::NoSuchGroup) { "audio" } else { "sound" };
            attributes.push(format!("AUDIO=\"{group}\""));
        }
        format!("#EXT-X-STREAM-INF:{}\n{}/{}\n", attributes.join(","), rendition.name(), self.index())
    }
}
