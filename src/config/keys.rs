use std::collections::BTreeMap;
use std::fmt;

use touchline_ingest::Secret;
use touchline_media::ChannelName;

use super::Section;

/// Who may publish: keys by channel, `*` for every channel. Empty: everybody.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Keys(BTreeMap<Scope, Vec<Key>>);

/// A key that somebody holds.
#[derive(Clone, PartialEq, Eq)]
struct Key {
    /// Who it was given to, for the log. Empty: it has no name.
    name: String,
    secret: Secret,
}

/// Somebody may publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admitted<'a> {
    /// Without a key: there are none.
    Open,
    /// By the key with this name, which may be empty.
    By(&'a str),
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Scope {
    Every,
    Channel(ChannelName),
}

impl Keys {
    /// `main=SECRET,cam2=OTHER,*=ANY`, as the environment variable has it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut keys = Self::default();
        for pair in text.split(',').filter(|pair| !pair.trim().is_empty()) {
            let (channel, secret) = pair
                .split_once('=')
                .ok_or("publish keys are written CHANNEL=SECRET, several separated by commas; * is every channel")?;
            keys.add(channel.trim(), "", secret.trim())?;
        }
        Ok(keys)
    }

    /// Nobody needs a key.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What they are called, by channel; `*` is every channel.
    pub(crate) fn names(&self) -> Vec<(String, String)> {
        let channel = |scope: &Scope| match scope {
            Scope::Every => "*".to_owned(),
            Scope::Channel(channel) => channel.to_string(),
        };
        let keys = self.0.iter().flat_map(|(scope, keys)| keys.iter().map(move |key| (scope, key)));
        keys.map(|(scope, key)| (channel(scope), key.name.clone())).collect()
    }

    /// Whether somebody with this secret may publish to the channel, and by which key.
    pub(crate) fn admit(&self, channel: &ChannelName, secret: Option<&Secret>) -> Option<Admitted<'_>> {
        if self.is_empty() {
            return Some(Admitted::Open);
        }
        let scopes = [Scope::Channel(channel.clone()), Scope::Every];
        let keys = scopes.iter().filter_map(|scope| self.0.get(scope)).flatten();
        // Every key is compared, so that the time tells nothing of which one it was.
        let fitting = keys.fold(
            None,
            |found: Option<&Key>, key| {
                if Some(&key.secret) == secret { found.or(Some(key)) } else { found }
            },
        );
        fitting.map(|key| Admitted::By(&key.name))
    }

    pub(super) fn read(&mut self, section: &mut Section<'_, '_>) {
        for channel in section.names() {
            let mut keys = Vec::new();
            if section.is_table(&channel) {
                section.table(&channel, |named| {
                    for name in named.names() {
                        let mut secret = String::new();
                        named.value(&name, |text| Ok(text.to_owned()), &mut secret);
                        keys.push((name, secret));
                    }
                });
            } else {
                let mut secrets = Vec::new();
                section.values(&channel, |text| Ok(text.to_owned()), &mut secrets);
                keys.extend(secrets.into_iter().map(|secret| (String::new(), secret)));
            }
            for (name, secret) in keys {
                if let Err(why) = self.add(&channel, &name, &secret) {
                    section.mistake(&channel, why);
                }
            }
        }
    }

    fn add(&mut self, channel: &str, name: &str, secret: &str) -> Result<(), String> {
        let scope = match channel {
            "*" => Scope::Every,
            channel => Scope::Channel(channel.parse().map_err(|e| format!("\"{channel}\" is no channel name: {e}"))?),
        };
        if secret.is_empty() {
            let name = if name.is_empty() { String::new() } else { format!(" \"{name}\"") };
            return Err(format!("the key{name} of {channel} is empty"));
        }
        self.0.entry(scope).or_default().push(Key { name: name.to_owned(), secret: Secret::new(secret) });
        Ok(())
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({} scopes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_opens_its_channel_only() {
        let keys = Keys::parse("main=one, cam2=two,*=any").unwrap();
        let admit = |channel: &str, secret: Option<&str>| {
            keys.admit(&channel.parse().unwrap(), secret.map(Secret::new).as_ref()).is_some()
        };
        assert!(admit("main", Some("one")));
        assert!(admit("main", Some("any")));
        assert!(admit("other", Some("any")));
        assert!(!admit("main", Some("two")));
        assert!(!admit("other", Some("one")));
        assert!(!admit("main", Some("on")));
        assert!(!admit("main", None));
    }

    #[test]
    fn without_keys_everybody_may_publish() {
        assert_eq!(Keys::default().admit(&"main".parse().unwrap(), None), Some(Admitted::Open));
    }

    #[test]
    fn mistakes_are_named_and_secrets_are_not_shown() {
        assert!(Keys::parse("main").unwrap_err().contains("CHANNEL=SECRET"));
        assert!(Keys::parse("a/b=x").unwrap_err().contains("\"a/b\" is no channel name"));
        assert_eq!(Keys::parse("main=").unwrap_err(), "the key of main is empty");
        assert_eq!(format!("{:?}", Keys::parse("main=hush").unwrap()), "Keys(1 scopes)");
    }
}
