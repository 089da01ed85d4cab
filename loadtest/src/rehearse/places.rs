//! Ports that nobody knows before: `{NAME.PORT}` in a scenario is a free one, the same wherever it stands.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};

/// How often a port is drawn that has to be free for TCP and for UDP.
const MAX_DRAWS: usize = 100;

/// Ports by the names that stand for them.
#[derive(Clone, Debug, Default)]
pub(super) struct Places(BTreeMap<String, u16>);

impl Places {
    /// Puts ports in the place of names.
    pub(super) fn fill(&mut self, text: &str) -> io::Result<String> {
        let mut filled = String::with_capacity(text.len());
        for piece in pieces(text).unwrap_or_default() {
            match piece {
                Piece::Text(text) => filled.push_str(text),
                Piece::Place(name) => filled.push_str(&self.port(name)?.to_string()),
            }
        }
        Ok(filled)
    }

    fn port(&mut self, name: &str) -> io::Result<u16> {
        if let Some(port) = self.0.get(name) {
            return Ok(*port);
        }
        let port = (0..MAX_DRAWS).find_map(|_| free().ok().filter(|port| self.0.values().all(|other| other != port)));
        let port = port.ok_or_else(|| io::Error::other("no port is free for TCP and UDP"))?;
        self.0.insert(name.to_owned(), port);
        Ok(port)
    }
}

/// A port that is free for TCP and UDP, at least at this moment.
fn free() -> io::Result<u16> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    UdpSocket::bind((Ipv4Addr::LOCALHOST, port))?;
    Ok(port)
}

/// Whether what stands in braces names a port, or what is wrong with it.
pub(super) fn check(text: &str) -> Result<(), String> {
    pieces(text).map(|_| ())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece<'a> {
    Text(&'a str),
    Place(&'a str),
}

fn pieces(text: &str) -> Result<Vec<Piece<'_>>, String> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, more)) = after.split_once('}') else {
            return Err(format!("a brace is not closed in {text:?}"));
        };
        let named = name.split_once('.').is_some_and(|(process, port)| !process.is_empty() && !port.is_empty());
        if !named {
            return Err(format!("{{{name}}} does not name a port: write {{NAME.PORT}}, like {{origin.http}}"));
        }
        pieces.extend([Piece::Text(before), Piece::Place(name)]);
        rest = more;
    }
    pieces.push(Piece::Text(rest));
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_same_port_wherever_it_stands() {
        let mut places = Places::default();
        let [first, again, other] = ["{a.http}", "x{a.http}y", "{a.rtmp}"].map(|text| places.fill(text).unwrap());
        assert_eq!(again, format!("x{first}y"));
        assert_ne!(first, other);
        assert!(first.parse::<u16>().unwrap() > 0);
    }

    #[test]
    fn what_names_no_port_is_told() {
        for text in ["{a}", "{.http}", "{a.http", "{}"] {
            assert!(check(text).is_err(), "{text}");
        }
        assert_eq!(check("no braces"), Ok(()));
    }
}
