//! Where resources are.

use std::fmt::{self, Display};
use std::sync::Arc;

use url::Url;

/// Servers that the playlists of one stream may lead to.
const MAX_SITES: usize = 16;

/// A server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Site {
    pub(crate) https: bool,
    /// Without the brackets of an IPv6 address.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Display for Site {
    /// The authority, as a Host header has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            return write!(f, "[{}]:{}", self.host, self.port);
        }
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// A resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) site: Arc<Site>,
    /// Path and query, as they are sent.
    pub(crate) path: Arc<str>,
}

/// The servers that are known, each once.
#[derive(Debug, Default)]
pub(crate) struct Sites(Vec<Arc<Site>>);

impl Sites {
    /// The resource at `url`; `None` when it is not reached by HTTP, or there are too many servers.
    pub(crate) fn link(&mut self, url: &Url) -> Option<Link> {
        let https = match url.scheme() {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
        let site = Site { https, host, port: url.port_or_known_default()? };
        let path = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
        Some(Link { site: self.known(site)?, path: path.into() })
    }

    fn known(&mut self, site: Site) -> Option<Arc<Site>> {
        if let Some(known) = self.0.iter().find(|known| ***known == site) {
            return Some(Arc::clone(known));
        }
        let site = Arc::new(site);
        (self.0.len() < MAX_SITES).then(|| self.0.push(Arc::clone(&site)))?;
        Some(site)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_to_one_server_share_it_and_keep_their_query() {
        let mut sites = Sites::default();
        let mut link = |url: &str| sites.link(&url.parse().unwrap());
        let (one, two) = (link("http://[::1]:8080/a.m3u8?token=1").unwrap(), link("http://[::1]:8080/b.m4s").unwrap());
        assert!(Arc::ptr_eq(&one.site, &two.site));
        assert_eq!((one.site.to_string().as_str(), &*one.path), ("[::1]:8080", "/a.m3u8?token=1"));
        assert_eq!(link("ftp://127.0.0.1/a"), None);
    }

    #[test]
    fn a_playlist_cannot_lead_to_any_number_of_servers() {
        let mut sites = Sites::default();
        let links = (1..40).map(|port| sites.link(&format!("http://127.0.0.1:{port}/").parse().unwrap()));
        assert_eq!(links.flatten().count(), MAX_SITES);
    }
}
