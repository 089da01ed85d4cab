//! The sockets that a node listens on.

use std::net::SocketAddr;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use touchline_edge as edge;
use touchline_tls as tls;

use crate::config::{Listen, Proof, Secured};

/// A listener by TLS, and what it shows those who come.
pub(crate) struct TlsListener {
    pub(crate) listener: TcpListener,
    tls: tls::Tls,
    pub(crate) proof: Proof,
    /// What is to be followed. `None`: the certificate was made at start, or another listener follows its files.
    files: Option<tls::Files>,
}

impl TlsListener {
    /// Shows what `other` shows, where the proof is the same: files are followed once.
    pub(crate) fn open(
        (listen, proof): Secured,
        protocols: &[&[u8]],
        other: Option<&Self>,
        who: &str,
        flag: &str,
    ) -> anyhow::Result<Self> {
        let (tls, files) = match (&proof, other.filter(|other| other.proof == proof)) {
            (_, Some(other)) => (other.tls.speaking(protocols)?, None),
            (Proof::SelfSigned, None) => (tls::Tls::new(tls::Certificate::self_signed(own_names())?, protocols)?, None),
            (Proof::Files(certificate, key), None) => {
                let mut files = tls::Files::new(certificate.clone(), key.clone());
                (tls::Tls::new(files.read()?, protocols)?, Some(files))
            }
        };
        Ok(Self { listener: bind(&listen, who, flag)?, tls, proof, files })
    }

    /// The listener, and what shows the certificate that its files hold until `closing`.
    pub(crate) fn follow(
        self,
        metrics: &tls::Metrics,
        tasks: &TaskTracker,
        closing: &CancellationToken,
    ) -> (TcpListener, tls::Tls) {
        if let Some(files) = self.files {
            tasks.spawn(files.follow(self.tls.clone(), metrics.clone(), closing.clone()));
        }
        (self.listener, self.tls)
    }
}

pub(crate) fn bind(listen: &Listen, who: &str, flag: &str) -> anyhow::Result<TcpListener> {
    let mut failure = None;
    for address in listen.candidates() {
        match edge::listen(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => failure = Some(error),
        }
    }
    let failure = failure.unwrap_or_else(|| std::io::ErrorKind::AddrNotAvailable.into());
    Err(failure).with_context(|| format!("cannot listen for {who} on {listen}; choose another address with {flag}"))
}

/// What this machine may be called by a browser on it, or next to it.
fn own_names() -> Vec<String> {
    let mut names = ["localhost", "127.0.0.1", "::1"].map(String::from).to_vec();
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim();
    if !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte)) {
        names.push(host.to_owned());
    }
    names
}

/// An address that a person on this machine can open.
pub(crate) fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() { SocketAddr::from(([127, 0, 0, 1], address.port())) } else { address }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_pair_of_files_for_viewers_and_publishers_is_followed_once() {
        let folder = tempfile::tempdir().unwrap();
        let [certificate, key, other] = ["chain.pem", "key.pem", "other.pem"].map(|name| folder.path().join(name));
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        for (path, text) in
            [(&certificate, made.cert.pem()), (&key, made.signing_key.serialize_pem()), (&other, made.cert.pem())]
        {
            std::fs::write(path, text).unwrap();
        }
        let listen = || Listen::parse("127.0.0.1:0").unwrap();
        let followed = |certificate: &std::path::Path, shown: Option<&TlsListener>| {
            let proof = Proof::Files(certificate.into(), key.clone());
            TlsListener::open((listen(), proof), &[], shown, "somebody", "--flag").unwrap()
        };
        let viewers = followed(&certificate, None);
        assert!(viewers.files.is_some());
        assert!(followed(&certificate, Some(&viewers)).files.is_none());
        assert!(followed(&other, Some(&viewers)).files.is_some(), "files of its own");
    }
}
