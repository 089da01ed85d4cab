//! What an operator can set, from `touchline.toml`, the environment and flags.

mod cluster;
mod desk;
mod keys;
mod ladder;
mod listen;
mod membership;
mod profile;
mod section;
mod srt;
mod steering;
mod tls;
mod viewers;
mod webrtc;

use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use touchline_edge as edge;
use touchline_ingest::Secret;
use touchline_packager as packager;

use crate::webhook;

pub(crate) use self::cluster::{Cluster, Edge, Introduction};
pub(crate) use self::desk::token;
pub(crate) use self::keys::{Admitted, Keys};
pub(crate) use self::ladder::Ladders;
pub(crate) use self::listen::{Listen, Switch};
pub(crate) use self::membership::Membership;
use self::profile::Profile;
use self::section::Section;
pub(crate) use self::srt::{Passphrases, Srt};
pub(crate) use self::tls::{Proof, Secured, Tls, Unclear};
pub(crate) use self::webrtc::{IceServer, Webrtc};

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Config {
    /// Where viewers connect.
    pub(crate) http: Listen,
    /// Where viewers connect by TLS.
    pub(crate) https: Tls,
    /// What viewers are granted.
    pub(crate) viewers: edge::Settings,
    /// Where RTMP publishers connect. `None`: port 1935, on loopback unless publish keys are set.
    pub(crate) rtmp: Option<Listen>,
    /// How SRT publishers are taken.
    pub(crate) srt: Srt,
    /// How WebRTC publishers are taken.
    pub(crate) webrtc: Webrtc,
    /// Where RTMP publishers connect by TLS.
    pub(crate) rtmps: Tls,
    /// Where operators connect.
    pub(crate) admin: Listen,
    /// What they say. `None`: they are on this machine.
    pub(crate) admin_token: Option<Secret>,
    /// The collector that traces go to, by OTLP and HTTP; `None`: there are none.
    pub(crate) telemetry: Option<hyper::Uri>,
    /// What the event desk depends on.
    pub(crate) desk: crate::desk::Settings,
    /// What nodes have in common that follow each other.
    pub(crate) cluster: Cluster,
    /// What an edge follows.
    pub(crate) edge: Edge,
    /// Durations of parts, segments and the window.
    pub(crate) hls: packager::Settings,
    /// Where segments far from the live edge are kept; `None`: in memory.
    pub(crate) spool: Option<PathBuf>,
    /// Which renditions are made.
    pub(crate) ladders: Ladders,
    /// How long a channel waits for its publisher to return.
    pub(crate) grace: Duration,
    /// Who may publish.
    pub(crate) keys: Keys,
    /// Whom to ask about those whose key is none of these.
    pub(crate) webhook: Option<webhook::Settings>,
    /// What happens to who publishes when another comes.
    pub(crate) takeover: Takeover,
    /// How this node finds the others.
    pub(crate) membership: Membership,
    /// How viewers are led to several pathways.
    pub(crate) steering: Option<touchline_edge::steering::Settings>,
}

/// What happens to who publishes into a channel when another comes who may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takeover {
    /// The other is refused.
    Refuse,
    /// The other takes its place.
    Replace,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            http: Listen::loopback(8080),
            https: Tls::default(),
            viewers: viewers::usual(),
            rtmp: None,
            srt: Srt::default(),
            webrtc: Webrtc::default(),
            rtmps: Tls::default(),
            admin: Listen::loopback(9090),
            admin_token: None,
            telemetry: None,
            desk: crate::desk::Settings::default(),
            cluster: Cluster::default(),
            edge: Edge::default(),
            hls: packager::Settings::default(),
            spool: None,
            ladders: Ladders::default(),
            grace: Duration::from_secs(30),
            keys: Keys::default(),
            webhook: None,
            takeover: Takeover::Refuse,
            membership: Membership::default(),
            steering: None,
        }
    }
}

impl Config {
    /// Reads a `touchline.toml`; on failure, every mistake in it.
    pub(crate) fn parse(text: &str) -> Result<Self, Vec<Mistake>> {
        let mut config = Self::default();
        let mut mistakes = Vec::new();
        let mut root = Section::root(text, &mut mistakes);
        root.table("http", |http| http.value("listen", Listen::parse, &mut config.http));
        root.table("https", |https| config.https.read(https));
        root.table("viewers", |viewers| viewers::read(&mut config.viewers, viewers));
        root.table("rtmp", |rtmp| rtmp.value("listen", |text| Listen::parse(text).map(Some), &mut config.rtmp));
        root.table("srt", |srt| config.srt.read(srt));
        root.table("webrtc", |webrtc| config.webrtc.read(webrtc));
        root.table("rtmps", |rtmps| config.rtmps.read(rtmps));
        root.table("admin", |admin| {
            admin.value("listen", Listen::parse, &mut config.admin);
            admin.value("token", |text| token(text).map(Some), &mut config.admin_token);
        });
        root.table("telemetry", |section| {
            section.value("otlp", |text| webhook::Settings::parse_url(text).map(Some), &mut config.telemetry);
        });
        root.table("desk", |section| desk::read_desk(&mut config.desk, section));
        root.table("hints", |section| desk::read_hints(&mut config.desk.hints, section));
        root.table("alerts", |section| desk::read_alerts(&mut config.desk, section));
        root.table("cluster", |cluster| {
            config.cluster.read(cluster);
            config.membership.read(cluster);
        });
        root.table("edge", |edge| config.edge.read(edge));
        root.table("hls", |hls| {
            let mut profile = Profile::Ultra;
            hls.value("profile", Profile::parse, &mut profile);
            config.hls.part = profile.part();
            hls.value("part", duration(PART), &mut config.hls.part);
            hls.value("segment", duration(SEGMENT), &mut config.hls.segment);
            hls.value("window", duration(WINDOW), &mut config.hls.window);
            hls.value("spool", |text| Ok(Some(text.into())), &mut config.spool);
            if config.hls.window > MAX_WINDOW_IN_MEMORY && config.spool.is_none() {
                hls.mistake("window", needs_spool(config.hls.window));
            }
        });
        root.table("ladder", |ladder| config.ladders.read(ladder));
        root.table("channels", |channels| channels.value("grace", duration(GRACE), &mut config.grace));
        root.table("publish", |publish| {
            publish.table("keys", |keys| config.keys.read(keys));
            publish.value("takeover", takeover, &mut config.takeover);
            config.webhook = read_webhook(publish);
        });
        root.table("steering", |section| config.steering = steering::read(section));
        root.finish();
        if config.hls.part * 4 > config.hls.segment {
            mistakes.push(Mistake::new(
                None,
                "hls.part",
                format!("{:?} is more than a quarter of hls.segment, {:?}", config.hls.part, config.hls.segment),
            ));
        }
        // What stands on a line that is not TOML means nothing.
        let broken: Vec<_> = mistakes.iter().filter(|m| m.setting.is_empty()).map(|m| m.line).collect();
        mistakes.retain(|mistake| mistake.setting.is_empty() || !broken.contains(&mistake.line));
        mistakes.sort_by_key(|mistake| mistake.line);
        if mistakes.is_empty() { Ok(config) } else { Err(mistakes) }
    }

    /// Where RTMP publishers connect, or why that would let anybody publish.
    pub(crate) fn rtmp_listen(&self) -> Result<Listen, OpenToAll> {
        match &self.rtmp {
            None if self.is_open() => Ok(Listen::loopback(1935)),
            None => Ok(Listen::everywhere(1935)),
            Some(listen) if self.is_open_to_all(listen) => {
                Err(OpenToAll { listen: listen.clone(), instead: "--rtmp 127.0.0.1:1935", note: "" })
            }
            Some(listen) => Ok(listen.clone()),
        }
    }

    /// Where SRT publishers connect, if they do, or why that would let anybody publish.
    pub(crate) fn srt_listen(&self) -> Result<Option<Listen>, OpenToAll> {
        match self.srt.switch(!self.is_open()) {
            Switch::At(listen) if self.is_open_to_all(&listen) => {
                let note = if self.srt.passphrases.is_empty() { "" } else { PASSPHRASES_ARE_NO_KEYS };
                Err(OpenToAll { listen, instead: "--srt 127.0.0.1:8890", note })
            }
            Switch::At(listen) => Ok(Some(listen)),
            Switch::Off => Ok(None),
        }
    }

    /// Where WebRTC publishers send media, if they do, or why that would let anybody publish.
    pub(crate) fn webrtc_listen(&self) -> Result<Option<Listen>, OpenToAll> {
        match self.webrtc.switch(!self.is_open()) {
            Switch::At(listen) if self.is_open_to_all(&listen) => {
                Err(OpenToAll { listen, instead: "--webrtc 127.0.0.1:8189", note: "" })
            }
            Switch::At(listen) => Ok(Some(listen)),
            Switch::Off => Ok(None),
        }
    }

    /// Where RTMP publishers connect by TLS, or why that would let anybody publish.
    pub(crate) fn rtmps_listen(&self) -> Result<Option<&Listen>, OpenToAll> {
        match &self.rtmps.listen {
            Some(listen) if self.is_open_to_all(listen) => {
                Err(OpenToAll { listen: listen.clone(), instead: "--rtmps 127.0.0.1:1936", note: "" })
            }
            listen => Ok(listen.as_ref()),
        }
    }

    /// What is to be listened on by TLS, for viewers and for publishers.
    pub(crate) fn secured(&self) -> Result<(Option<Secured>, Option<Secured>), Unclear> {
        tls::resolve(&self.https, &self.rtmps)
    }

    fn is_open_to_all(&self, listen: &Listen) -> bool {
        self.is_open() && !listen.is_loopback()
    }

    /// Whether everybody who can connect may publish.
    pub(crate) fn is_open(&self) -> bool {
        self.keys.is_empty() && self.webhook.is_none()
    }
}

const PART: RangeInclusive<Duration> = packager::Settings::MIN_PART..=Duration::from_secs(2);
const SEGMENT: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(10);
const WINDOW: RangeInclusive<Duration> = Duration::from_secs(6)..=Duration::from_hours(24);
/// How long a window may be that is kept in memory: a channel of 8 Mb/s then takes 120 MB.
const MAX_WINDOW_IN_MEMORY: Duration = Duration::from_mins(2);
const GRACE: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_hours(1);

const WEBHOOK_TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(10);
/// In bytes: what can be guessed signs nothing.
const MIN_WEBHOOK_SECRET: usize = 16;

fn read_webhook(publish: &mut Section<'_, '_>) -> Option<webhook::Settings> {
    let (mut url, mut secret, mut timeout) = (None, None, Duration::from_secs(3));
    publish.value("webhook", |text| webhook::Settings::parse_url(text).map(Some), &mut url);
    publish.value("webhook_secret", webhook_secret, &mut secret);
    publish.value("webhook_timeout", duration(WEBHOOK_TIMEOUT), &mut timeout);
    if url.is_some() && secret.is_none() {
        publish.mistake("webhook", "needs webhook_secret, by which the service knows that the question is ours");
    }
    Some(webhook::Settings { url: url?, secret: secret?, timeout })
}

fn webhook_secret(text: &str) -> Result<Option<Secret>, String> {
    if text.len() >= MIN_WEBHOOK_SECRET {
        Ok(Some(Secret::new(text)))
    } else {
        Err(format!("is shorter than {MIN_WEBHOOK_SECRET} bytes; `openssl rand -hex 32` makes a good one"))
    }
}

fn takeover(text: &str) -> Result<Takeover, String> {
    match text {
        "refuse" => Ok(Takeover::Refuse),
        "replace" => Ok(Takeover::Replace),
        _ => Err(format!("\"{text}\" is not one of refuse and replace")),
    }
}

fn needs_spool(window: Duration) -> String {
    format!(
        "{} needs hls.spool, a directory for the segments: a window of more than {} does not fit in memory",
        humantime::format_duration(window),
        humantime::format_duration(MAX_WINDOW_IN_MEMORY),
    )
}

fn duration(range: RangeInclusive<Duration>) -> impl Fn(&str) -> Result<Duration, String> {
    move |text| {
        let duration = humantime::parse_duration(text)
            .map_err(|_| format!("\"{text}\" is not a duration; write for example \"200ms\", \"2s\" or \"1m 30s\""))?;
        if range.contains(&duration) {
            Ok(duration)
        } else {
            Err(format!("{duration:?} is out of range: from {:?} to {:?}", range.start(), range.end()))
        }
    }
}

/// A mistake in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mistake {
    line: Option<usize>,
    setting: String,
    message: String,
}

impl Mistake {
    fn new(line: Option<usize>, setting: impl Into<String>, message: impl Into<String>) -> Self {
        Self { line, setting: setting.into(), message: message.into() }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if !self.setting.is_empty() {
            write!(f, "{}: ", self.setting)?;
        }
        f.write_str(&self.message)
    }
}

/// Publishing would be open to everybody who can reach the listener.
#[derive(Debug, thiserror::Error)]
#[error(
    "refusing to listen for publishers on {listen} without publish keys: anybody who reaches it could publish. \
     Set keys with TOUCHLINE_PUBLISH_KEYS=main=SECRET or in touchline.toml ([publish.keys], main = \"SECRET\"), \
     or listen on loopback with {instead}{note}"
)]
pub(crate) struct OpenToAll {
    listen: Listen,
    /// The flag that would do.
    instead: &'static str,
    note: &'static str,
}

const PASSPHRASES_ARE_NO_KEYS: &str = ". A passphrase encrypts, but is no key: whoever it was given to could publish into \
                                       every channel that has it";

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(text: &str) -> Vec<String> {
        Config::parse(text).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_empty_file_gives_the_defaults() {
        assert_eq!(Config::parse("").unwrap(), Config::default());
    }

    #[test]
    fn every_setting_can_be_set() {
        let text = r#"
            [http]
            listen = ":8080"
            [https]
            listen = ":8443"
            certificate = "/etc/ssl/live.pem"
            key = "/etc/ssl/live.key"
            self_signed = false
            [viewers]
            connections = 200_000
            held = 800_000
            held_per_channel = 400_000
            threads = 12
            lag = "300ms"
            [rtmp]
            listen = "127.0.0.1:0"
            [rtmps]
            listen = ":1936"
            [admin]
            listen = "[::1]:9090"
            [cluster]
            secret = "fedcba9876543210"
            authority = "/etc/ssl/cluster.pem"
            [edge]
            origins = ["https://a.example.org:8443", "http://[::1]:8080"]
            channels = "main"
            idle = "5m"
            [hls]
            part = "333ms"
            segment = "4s"
            window = "6h"
            spool = "/var/lib/touchline"
            [channels]
            grace = "5s"
            [publish]
            takeover = "replace"
            webhook = "https://example.org/may-publish"
            webhook_secret = "0123456789abcdef"
            webhook_timeout = "1s"
            [publish.keys]
            main = { studio = "one", truck = "four" }
            cam2 = ["two", "three"]
            "*" = "any"
        "#;
        let config = Config::parse(text).unwrap();
        assert_eq!(config.http, Listen::everywhere(8080));
        let files = Proof::Files("/etc/ssl/live.pem".into(), "/etc/ssl/live.key".into());
        let (https, rtmps) = config.secured().unwrap();
        assert_eq!(https, Some((Listen::everywhere(8443), files.clone())));
        assert_eq!(rtmps, Some((Listen::everywhere(1936), files)));
        let viewers = config.viewers;
        assert_eq!((viewers.connections, viewers.held, viewers.held_per_channel), (200_000, 800_000, 400_000));
        assert_eq!((viewers.cores, viewers.lag), (12, Duration::from_millis(300)));
        assert_eq!(config.rtmp, Some(Listen::loopback(0)));
        assert_eq!(config.admin.to_string(), "[::1]:9090");
        assert_eq!(config.hls.part, Duration::from_millis(333));
        assert_eq!(config.hls.window, Duration::from_hours(6));
        assert_eq!(config.spool, Some("/var/lib/touchline".into()));
        assert_eq!(config.cluster.secret, Some(Secret::new("fedcba9876543210")));
        assert_eq!(config.cluster.authority, Some("/etc/ssl/cluster.pem".into()));
        let origins: Vec<String> = config.edge.origins.iter().map(ToString::to_string).collect();
        assert_eq!(origins, ["https://a.example.org:8443", "http://[::1]:8080"]);
        assert_eq!((config.edge.channels.len(), config.edge.idle), (1, Duration::from_mins(5)));
        assert_eq!(config.grace, Duration::from_secs(5));
        assert_eq!(config.takeover, Takeover::Replace);
        let webhook = config.webhook.unwrap();
        assert_eq!((webhook.url.host(), webhook.timeout), (Some("example.org"), Duration::from_secs(1)));
        let admit = |channel: &str, secret| config.keys.admit(&channel.parse().unwrap(), Some(&Secret::new(secret)));
        assert_eq!(admit("cam2", "three"), Some(Admitted::By("")));
        assert_eq!(admit("main", "four"), Some(Admitted::By("truck")));
    }

    #[test]
    fn every_mistake_is_told_in_one_pass() {
        let text = r#"
[http]
listen = "nowhere"
lisen = ":80"
[hls]
part = 200
segment = "60s"
[https]
self_signed = "yes"
[chanels]
grace = "1s"
[publish]
keys = { "a b" = "x", main = "" }
[viewers]
connections = "many"
threads = 0
"#;
        insta::assert_snapshot!(mistakes(text).join("\n"), @r#"
        line 3: http.listen: "nowhere" is not an address to listen on; write for example "127.0.0.1:8080" or ":8080"
        line 4: http.lisen: is not a setting; here there are: listen
        line 6: hls.part: must be text in quotes
        line 7: hls.segment: 60s is out of range: from 1s to 10s
        line 9: https.self_signed: must be true or false, without quotes
        line 10: chanels: is not a setting; here there are: admin, alerts, channels, cluster, desk, edge, hints, hls, http, https, ladder, publish, rtmp, rtmps, srt, steering, telemetry, viewers, webrtc
        line 13: publish.keys.a b: "a b" is no channel name: a channel name is 1 to 64 of A-Z a-z 0-9 _ - . and does not start with a dot
        line 13: publish.keys.main: the key of main is empty
        line 15: viewers.connections: must be a whole number from 1 to 1000000
        line 16: viewers.threads: must be a whole number from 1 to 256
        "#);
    }

    #[test]
    fn a_webhook_needs_a_secret_that_cannot_be_guessed() {
        assert_eq!(
            mistakes("[publish]\nwebhook = \"example.org\"\nwebhook_secret = \"short\""),
            [
                "line 2: publish.webhook: \"example.org\" is not a URL to ask; write for example \
                 \"https://example.org/may-publish\"",
                "line 3: publish.webhook_secret: is shorter than 16 bytes; `openssl rand -hex 32` makes a good one",
            ]
        );
        assert_eq!(
            mistakes("[publish]\nwebhook = \"http://127.0.0.1:9000\""),
            ["line 2: publish.webhook: needs webhook_secret, by which the service knows that the question is ours"]
        );
    }

    #[test]
    fn what_is_not_toml_is_told_with_its_line() {
        let text = "[http]\nlisten = \n[rtmp]\nlisten = \"x\"\n";
        insta::assert_snapshot!(mistakes(text).join("\n"), @r#"
        line 2: string values must be quoted, expected literal string
        line 4: rtmp.listen: "x" is not an address to listen on; write for example "127.0.0.1:8080" or ":8080"
        "#);
    }

    #[test]
    fn parts_must_be_short_against_segments() {
        assert_eq!(
            mistakes("[hls]\npart = \"500ms\"\nsegment = \"1s\""),
            ["hls.part: 500ms is more than a quarter of hls.segment, 1s"]
        );
    }

    #[test]
    fn a_profile_sets_the_parts_unless_they_are_set() {
        let part = |text: &str| Config::parse(&format!("[hls]\n{text}")).unwrap().hls.part.as_millis();
        let cases = [
            ("", 200),
            ("profile = \"ultra\"", 200),
            ("profile = \"balanced\"", 333),
            ("profile = \"scale\"", 500),
            ("part = \"250ms\"\nprofile = \"scale\"", 250),
        ];
        for (text, expected) in cases {
            assert_eq!(part(text), expected, "{text}");
        }
        assert_eq!(
            mistakes("[hls]\nprofile = \"fast\"\nsegment = \"500ms\""),
            [
                "line 2: hls.profile: \"fast\" is not a profile; there are ultra, balanced and scale",
                "line 3: hls.segment: 500ms is out of range: from 1s to 10s",
            ]
        );
    }

    #[test]
    fn a_part_that_the_profile_gives_must_be_short_against_segments_too() {
        assert_eq!(
            mistakes("[hls]\nprofile = \"scale\"\nsegment = \"1s\""),
            ["hls.part: 500ms is more than a quarter of hls.segment, 1s"]
        );
    }

    #[test]
    fn a_window_that_does_not_fit_in_memory_needs_a_directory() {
        assert_eq!(
            mistakes("[hls]\nwindow = \"6h\"\nprofile = \"fast\""),
            [
                "line 2: hls.window: 6h needs hls.spool, a directory for the segments: a window of more than 2m does not fit in memory",
                "line 3: hls.profile: \"fast\" is not a profile; there are ultra, balanced and scale",
            ]
        );
        assert!(Config::parse("[hls]\nwindow = \"2m\"").is_ok());
        assert!(Config::parse("[hls]\nwindow = \"24h\"\nspool = \"/var/lib/touchline\"").is_ok());
    }

    #[test]
    fn publishing_is_open_on_loopback_only() {
        let mut config = Config::default();
        assert_eq!(config.rtmp_listen().unwrap(), Listen::loopback(1935));
        config.rtmp = Some(Listen::everywhere(1935));
        insta::assert_snapshot!(config.rtmp_listen().unwrap_err(), @r#"refusing to listen for publishers on :1935 without publish keys: anybody who reaches it could publish. Set keys with TOUCHLINE_PUBLISH_KEYS=main=SECRET or in touchline.toml ([publish.keys], main = "SECRET"), or listen on loopback with --rtmp 127.0.0.1:1935"#);
        config.keys = Keys::parse("main=secret").unwrap();
        assert_eq!(config.rtmp_listen().unwrap(), Listen::everywhere(1935));
        config.rtmp = None;
        assert_eq!(config.rtmp_listen().unwrap(), Listen::everywhere(1935));
        // TLS hides what is said from others, and lets everybody in all the same.
        config.rtmps.listen = Some(Listen::everywhere(1936));
        assert!(config.rtmps_listen().is_ok());
        config.keys = Keys::default();
        let refused = config.rtmps_listen().unwrap_err().to_string();
        assert!(refused.ends_with("or listen on loopback with --rtmps 127.0.0.1:1936"), "{refused}");
    }
}
