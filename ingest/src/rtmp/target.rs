use touchline_media::ChannelName;

use super::Refusal;
use crate::Secret;

/// Where a client wants to publish: `rtmp://HOST/live`, stream key `CHANNEL` or `CHANNEL?key=SECRET`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The channel.
    pub channel: ChannelName,
    /// The secret that goes with it.
    pub key: Option<Secret>,
}

impl Target {
    /// Reads the `app` of `connect` and the stream name of `publish`.
    ///
    /// The secret is taken as it stands, without percent-decoding, up to the next `&`.
    pub fn parse(app: &str, stream_name: &str) -> Result<Self, Refusal> {
        // Encoders leave a slash that people type at the end of the address.
        if app.trim_end_matches('/') != "live" {
            return Err(Refusal::App);
        }
        let (channel, query) = stream_name.split_once('?').unwrap_or((stream_name, ""));
        let key = query.split('&').find_map(|pair| pair.strip_prefix("key=")).filter(|key| !key.is_empty());
        Ok(Self { channel: channel.parse()?, key: key.map(Secret::new) })
    }
}

#[cfg(test)]
mod tests {
    use touchline_media::ChannelNameError;

    use super::*;

    #[test]
    fn a_stream_key_is_a_channel_and_perhaps_a_secret() {
        for (stream_name, key) in [
            ("main", None),
            ("main?key=s3cret", Some("s3cret")),
            ("main?x=1&key=a=b%20", Some("a=b%20")),
            ("main?key=", None),
            ("main?", None),
        ] {
            for app in ["live", "live/"] {
                let target = Target::parse(app, stream_name).unwrap();
                assert_eq!(target, Target { channel: "main".parse().unwrap(), key: key.map(Secret::new) });
            }
        }
    }

    #[test]
    fn other_addresses_are_refused_in_words_that_hold_no_secret() {
        for app in ["", "Live", "live/main", "live?key=s3cret", "/live"] {
            assert_eq!(Target::parse(app, "main"), Err(Refusal::App), "{app}");
        }
        for name in ["", "a/b", ".x", "main/s3cret", "a b", "?key=s3cret"] {
            let refusal = Target::parse("live", name).unwrap_err();
            assert_eq!(refusal, Refusal::StreamKey(ChannelNameError), "{name}");
            assert!(!refusal.to_string().contains("s3cret"));
        }
    }
}
