use std::collections::BTreeMap;
use std::fmt;

use touchline_ingest::Secret;
use touchline_media::ChannelName;

use super::Section;

/// Who may publish: keys by channel, `*` for every channel. Empty: everybody.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Keys(BTreeMap<Scope, Vec<Secret>>);

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
            keys.add(channel.trim(), secret.trim())?;
        }
        Ok(keys)
    }

    /// Nobody needs a key.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether somebody with this secret may publish to the channel.
    pub(crate) fn admit(&self, channel: &ChannelName, secret: Option<&Secret>) -> bool {
        if self.is_empty() {
            return true;
        }
        let scopes = [Scope::Channel(channel.clone()), Scope::Every];
        let keys = scopes.iter().filter_map(|scope| self.0.get(scope)).flatten();
        // Every key is compared, so that the time tells nothing of which one it was.
        secret.is_some_and(|secret| keys.filter(|key| *key == secret).count() > 0)
    }

    pub(super) fn read(&mut self, section: &mut Section<'_, '_>) {
        for channel in section.names() {
            let mut secrets = Vec::new();
            section.values(&channel, |text| Ok(text.to_owned()), &mut secrets);
            for secret in secrets {
                if let Err(why) = self.add(&channel, &secret) {
                    section.mistake(&channel, why);
                }
            }
        }
    }

    fn add(&mut self, channel: &str, secret: &str) -> Result<(), String> {
        let scope = match channel {
            "*" => Scope::Every,
            name => Scope::Channel(name.parse().map_err(|e| format!("\"{name}\" is no channel name: {e}"))?),
        };
        if secret.is_empty() {
            return Err(format!("the key of {channel} is empty"));
        }
        self.0.entry(scope).or_default().push(Secret::new(secret));
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
            keys.admit(&channel.parse().unwrap(), secret.map(Secret::new).as_ref())
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
        assert!(Keys::default().admit(&"main".parse().unwrap(), None));
    }

    #[test]
    fn mistakes_are_named_and_secrets_are_not_shown() {
        assert!(Keys::parse("main").unwrap_err().contains("CHANNEL=SECRET"));
        assert!(Keys::parse("a/b=x").unwrap_err().contains("\"a/b\" is no channel name"));
        assert_eq!(Keys::parse("main=").unwrap_err(), "the key of main is empty");
        assert_eq!(format!("{:?}", Keys::parse("main=hush").unwrap()), "Keys(1 scopes)");
    }
}
