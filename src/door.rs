//! What a publisher is told at the door, by protocols that ask before there is a connection.

use touchline_ingest::{Rejection, Roster, srt};

use crate::config::{Keys, Passphrases, Takeover};

/// Who may come in by SRT now, and with which passphrase. What only the channel knows, it says once they are connected.
///
/// With `asked_later`, who has no key that fits is let in to be asked for at a webhook.
pub(crate) fn srt(
    keys: Keys,
    asked_later: bool,
    takeover: Takeover,
    passphrases: Passphrases,
    roster: Roster,
) -> srt::Door {
    Box::new(move |channel, secret, _| {
        if !asked_later && keys.admit(channel, secret).is_none() {
            return Err(Rejection::Unauthorised);
        }
        if takeover == Takeover::Refuse && roster.has(channel) {
            return Err(Rejection::Busy);
        }
        Ok(passphrases.of(channel))
    })
}

#[cfg(test)]
mod tests {
    use touchline_ingest::Secret;
    use touchline_ingest::srt::Passphrase;

    use super::*;
    use crate::config::Config;

    #[test]
    fn a_key_is_asked_for_before_a_passphrase() {
        let text = "[publish.keys]\nmain = \"one\"\n\"*\" = \"any\"\n[srt.passphrases]\nmain = \"correct horse\"";
        let Config { keys, takeover, srt: settings, .. } = Config::parse(text).unwrap();
        let door = srt(keys, false, takeover, settings.passphrases, Roster::default());
        let peer = ([127, 0, 0, 1], 1).into();
        let ask =
            |channel: &str, key: Option<&str>| door(&channel.parse().unwrap(), key.map(Secret::new).as_ref(), peer);
        assert_eq!(ask("main", None), Err(Rejection::Unauthorised));
        assert_eq!(ask("other", Some("one")), Err(Rejection::Unauthorised));
        assert_eq!(ask("main", Some("one")), Ok(Passphrase::new("correct horse").ok()));
        assert_eq!(ask("other", Some("any")), Ok(None));
    }
}
