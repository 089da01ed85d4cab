use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use hyper::Uri;
use touchline_registry::{self as registry, Id, Nats, Server};

use super::{Section, duration};

/// How a node finds the others.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Membership {
    /// What this node is called. `None`: as its machine is.
    pub(crate) node: Option<Id>,
    /// Where edges reach it, without a slash at the end. `None`: there are no others.
    pub(crate) advertise: Option<String>,
    /// NATS servers that hold the registry. Empty: it is in memory, and there are no others.
    pub(crate) nats: Vec<Server>,
    /// What these are to be shown: a file as `nsc` writes it.
    pub(crate) nats_credentials: Option<PathBuf>,
    /// The bucket that is ours.
    pub(crate) bucket: String,
    /// The directory that the last good answer is kept in.
    pub(crate) state: Option<PathBuf>,
    /// How long a node is taken to live without a word from it.
    pub(crate) lease: Duration,
}

impl Default for Membership {
    fn default() -> Self {
        Self {
            node: None,
            advertise: None,
            nats: Vec::new(),
            nats_credentials: None,
            bucket: "touchline".into(),
            state: None,
            lease: registry::Settings::LEASE,
        }
    }
}

const LEASE: RangeInclusive<Duration> = Duration::from_millis(500)..=Duration::from_mins(5);

impl Membership {
    pub(super) fn read(&mut self, section: &mut Section<'_, '_>) {
        section.value("node", node, &mut self.node);
        section.value("advertise", |text| base(text).map(Some), &mut self.advertise);
        section.values("nats", str::parse, &mut self.nats);
        section.value("nats_credentials", |text| Ok(Some(text.into())), &mut self.nats_credentials);
        section.value("bucket", bucket, &mut self.bucket);
        section.value("state", |text| Ok(Some(text.into())), &mut self.state);
        section.value("lease", duration(LEASE), &mut self.lease);
        if section.has("nats") && !section.has("advertise") {
            section.mistake("nats", "needs advertise, the URL by which edges reach this node");
        }
        for name in ["nats_credentials", "bucket", "state"] {
            if section.has(name) && !section.has("nats") {
                section.mistake(name, "is for a registry by NATS: say where with nats = [\"nats://HOST:4222\"]");
            }
        }
    }

    /// Where the registry is.
    pub(crate) fn store(&self) -> registry::Store {
        if self.nats.is_empty() {
            return registry::Store::Memory(registry::Memory::default());
        }
        registry::Store::Nats(Nats::new(self.nats.clone(), self.nats_credentials.clone(), self.bucket.clone()))
    }
}

fn node(text: &str) -> Result<Option<Id>, String> {
    text.parse().map(Some).map_err(|why| format!("\"{text}\" cannot be the name of a node: {why}"))
}

fn bucket(text: &str) -> Result<String, String> {
    if Nats::is_bucket(text) {
        Ok(text.to_owned())
    } else {
        Err(format!("\"{text}\" cannot be the name of a bucket: it has A-Z a-z 0-9 _ - and nothing else"))
    }
}

/// The URL of a server, without a path: `http://HOST:PORT`.
fn base(text: &str) -> Result<String, String> {
    let server = |uri: &Uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.host().is_some()
            && uri.path() == "/"
            && uri.query().is_none()
    };
    let uri: Option<Uri> = text.parse().ok().filter(server);
    uri.map(|_| text.trim_end_matches('/').to_owned())
        .ok_or_else(|| format!("\"{text}\" is not the URL of a server; write for example \"http://10.0.0.5:8080\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn mistakes(text: &str) -> String {
        let mistakes: Vec<String> = Config::parse(text).unwrap_err().iter().map(ToString::to_string).collect();
        mistakes.join("\n")
    }

    #[test]
    fn every_setting_can_be_set() {
        let text = r#"
            [cluster]
            node = "origin-a"
            advertise = "http://10.0.0.5:8080/"
            nats = ["nats://10.0.0.9:4222", "tls://touchline:hush@10.0.0.10"]
            nats_credentials = "/etc/touchline/nats.creds"
            bucket = "live-eu"
            state = "/var/lib/touchline/cluster"
            lease = "5s"
        "#;
        let cluster = Config::parse(text).unwrap().membership;
        assert_eq!(cluster.node, Some("origin-a".parse().unwrap()));
        assert_eq!(cluster.advertise.as_deref(), Some("http://10.0.0.5:8080"));
        let servers: Vec<String> = cluster.nats.iter().map(ToString::to_string).collect();
        assert_eq!(servers, ["nats://10.0.0.9:4222", "tls://10.0.0.10:4222"]);
        assert_eq!((cluster.bucket.as_str(), cluster.lease), ("live-eu", Duration::from_secs(5)));
    }

    #[test]
    fn every_mistake_is_told() {
        let text = r#"[cluster]
node = "origin a"
advertise = "10.0.0.5:8080"
nats = ["10.0.0.9"]
bucket = "live.eu"
lease = "1ms"
"#;
        insta::assert_snapshot!(mistakes(text), @r#"
        line 2: cluster.node: "origin a" cannot be the name of a node: it has to be 1 to 64 of A-Z a-z 0-9 _ - . and not to start with a dot
        line 3: cluster.advertise: "10.0.0.5:8080" is not the URL of a server; write for example "http://10.0.0.5:8080"
        line 4: cluster.nats: "10.0.0.9" is not the address of a NATS server; write for example "nats://10.0.0.9:4222"
        line 5: cluster.bucket: "live.eu" cannot be the name of a bucket: it has A-Z a-z 0-9 _ - and nothing else
        line 6: cluster.lease: 1ms is out of range: from 500ms to 300s
        "#);
        insta::assert_snapshot!(mistakes("[cluster]\nnats = \"nats://10.0.0.9\""), @"line 2: cluster.nats: needs advertise, the URL by which edges reach this node");
        insta::assert_snapshot!(mistakes("[cluster]\nstate = \"/tmp\""), @r#"line 2: cluster.state: is for a registry by NATS: say where with nats = ["nats://HOST:4222"]"#);
    }
}
