use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use touchline_ingest::srt::{self, Passphrase, Source};
use touchline_media::ChannelName;

use super::{Listen, Section, Switch, duration};

/// The port that SRT encoders expect.
const PORT: u16 = 8890;
const LATENCY: RangeInclusive<Duration> = Duration::from_millis(20)..=srt::MAX_LATENCY;

/// How SRT publishers are taken.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Srt {
    /// Where they connect. `None`: port 8890, on loopback unless publish keys are set.
    pub(crate) listen: Option<Switch>,
    /// The least time for what is lost to come again.
    pub(crate) latency: Duration,
    /// What they have to encrypt with.
    pub(crate) passphrases: Passphrases,
    /// What is fetched, by the channel that it goes into.
    pub(crate) sources: BTreeMap<ChannelName, Source>,
}

/// Passphrases by channel; `None`: of every other channel.
#[derive(Clone, Default, PartialEq)]
pub(crate) struct Passphrases(BTreeMap<Option<ChannelName>, Passphrase>);

impl Default for Srt {
    fn default() -> Self {
        let latency = srt::Settings::default().latency;
        Self { listen: None, latency, passphrases: Passphrases::default(), sources: BTreeMap::new() }
    }
}

impl Srt {
    pub(super) fn read(&mut self, section: &mut Section<'_, '_>) {
        section.value("listen", |text| Switch::parse(text).map(Some), &mut self.listen);
        section.value("latency", duration(LATENCY), &mut self.latency);
        section.table("passphrases", |passphrases| self.passphrases.read(passphrases));
        section.table("pull", |pull| {
            for name in pull.names() {
                let mut source = None;
                pull.value(&name, |text| Source::parse(text).map(Some), &mut source);
                if let Some(channel) = channel_of(pull, &name) {
                    self.sources.extend(source.map(|source| (channel, source)));
                }
            }
        });
    }

    /// Where publishers connect, if they do; `keys`: publish keys are set.
    pub(super) fn switch(&self, keys: bool) -> Switch {
        let usual = if keys { Listen::everywhere(PORT) } else { Listen::loopback(PORT) };
        self.listen.clone().unwrap_or(Switch::At(usual))
    }
}

impl Passphrases {
    /// What a publisher into the channel has to encrypt with; `None`: it does not encrypt.
    pub(crate) fn of(&self, channel: &ChannelName) -> Option<Passphrase> {
        self.0.get(&Some(channel.clone())).or_else(|| self.0.get(&None)).cloned()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn read(&mut self, section: &mut Section<'_, '_>) {
        for name in section.names() {
            let mut passphrase = None;
            section.value(
                &name,
                |text| Passphrase::new(text).map(Some).map_err(|why| why.to_string()),
                &mut passphrase,
            );
            let channel = match name.as_str() {
                "*" => None,
                name => match channel_of(section, name) {
                    Some(channel) => Some(channel),
                    None => continue,
                },
            };
            self.0.extend(passphrase.map(|passphrase| (channel, passphrase)));
        }
    }
}

impl fmt::Debug for Passphrases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Passphrases({})", self.0.len())
    }
}

/// The channel that a setting is named after; if there can be none, that is noted.
fn channel_of(section: &mut Section<'_, '_>, name: &str) -> Option<ChannelName> {
    let channel: Result<ChannelName, _> = name.parse();
    channel.map_err(|why| section.mistake(name, format!("\"{name}\" is no channel name: {why}"))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Keys};

    fn mistakes(text: &str) -> String {
        let list: Vec<String> = Config::parse(text).unwrap_err().iter().map(ToString::to_string).collect();
        list.join("\n")
    }

    #[test]
    fn a_channel_has_its_own_passphrase_or_that_of_all_others() {
        let config = Config::parse("[srt.passphrases]\nmain = \"correct horse\"\n\"*\" = \"battery staple\"").unwrap();
        let of = |channel: &str| config.srt.passphrases.of(&channel.parse().unwrap());
        assert_eq!(of("main"), Passphrase::new("correct horse").ok());
        assert_eq!(of("other"), Passphrase::new("battery staple").ok());
        assert_eq!(Passphrases::default().of(&"main".parse().unwrap()), None);
    }

    #[test]
    fn a_source_belongs_to_a_channel() {
        let config = Config::parse("[srt.pull]\nmain = \"srt://studio.example:9000?streamid=s3cret\"").unwrap();
        assert_eq!(format!("{:?}", config.srt.sources), "{main: srt://studio.example:9000}");
    }

    #[test]
    fn mistakes_are_told_and_passphrases_are_not_shown() {
        let text = "[srt]\nlisten = \"on\"\nlatency = \"1m\"\n[srt.passphrases]\nmain = \"hush\"\n\"a b\" = \"0123456789\"\n[srt.pull]\nmain = \"srt://studio\"";
        insta::assert_snapshot!(mistakes(text), @r#"
        line 2: srt.listen: "on" is not an address to listen on; write for example "127.0.0.1:8080" or ":8080", or "off"
        line 3: srt.latency: 60s is out of range: from 20ms to 8s
        line 5: srt.passphrases.main: a passphrase has 10 to 79 characters, and this one has 4
        line 6: srt.passphrases.a b: "a b" is no channel name: a channel name is 1 to 64 of A-Z a-z 0-9 _ - . and does not start with a dot
        line 8: srt.pull.main: it has no port; write for example srt://studio.example:8890?streamid=request:main&latency=200
        "#);
    }

    #[test]
    fn publishing_is_open_on_loopback_only_whatever_the_passphrases() {
        let mut config = Config::default();
        assert_eq!(config.srt_listen().unwrap(), Some(Listen::loopback(8890)));
        config.srt.listen = Some(Switch::At(Listen::everywhere(1)));
        insta::assert_snapshot!(config.srt_listen().unwrap_err(), @r#"refusing to listen for publishers on :1 without publish keys: anybody who reaches it could publish. Set keys with TOUCHLINE_PUBLISH_KEYS=main=SECRET or in touchline.toml ([publish.keys], main = "SECRET"), or listen on loopback with --srt 127.0.0.1:8890"#);
        let parsed = Config::parse("[srt]\nlisten = \":1\"\n[srt.passphrases]\nmain = \"correct horse\"").unwrap();
        assert!(parsed.srt_listen().unwrap_err().to_string().ends_with(
            "A passphrase encrypts, but is no key: whoever it was given to could publish into every channel that has it"
        ));
        config.keys = Keys::parse("main=secret").unwrap();
        assert_eq!(config.srt_listen().unwrap(), Some(Listen::everywhere(1)));
        config.srt.listen = None;
        assert_eq!(config.srt_listen().unwrap(), Some(Listen::everywhere(8890)));
        config.srt.listen = Some(Switch::Off);
        assert_eq!(config.srt_listen().unwrap(), None);
    }
}
