//! Nodes that speak TLS, and know each other.

use std::path::{Path, PathBuf};

use rcgen::generate_simple_self_signed;
use tempfile::TempDir;
use touchline_edge::PROTOCOLS;
use touchline_tls::{Files, Tls};

use super::*;

/// An origin that shows a certificate for `localhost`.
struct Secured {
    node: Node,
    stage: Stage,
    certificate: PathBuf,
    _dir: TempDir,
}

impl Secured {
    fn start() -> Self {
        let (stage, dir) = (Stage::live(), tempfile::tempdir().unwrap());
        let pair = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (certificate, key) = (dir.path().join("chain.pem"), dir.path().join("key.pem"));
        std::fs::write(&certificate, pair.cert.pem()).unwrap();
        std::fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
        let tls = Tls::new(Files::new(certificate.clone(), key).read().unwrap(), &PROTOCOLS).unwrap();
        let outlet = replication::annex(stage.hub.clone(), Access::Secret(Secret::new(SECRET)));
        let node =
            Node::listening(stage.hub.clone(), stage.metrics.clone(), outlet, |socket| Listener::secured(socket, tls));
        Self { node, stage, certificate, _dir: dir }
    }

    /// An edge of it that believes the certificates in a file.
    fn edge(&self, authority: &Path, host: &str, secret: &str) -> Node {
        let trust = Trust::file(authority, &replication::PROTOCOLS).unwrap();
        let address = Address::parse(&format!("https://{host}:{}", self.node.address.port())).unwrap();
        Node::following(vec![Origin::new(address, Some(Secret::new(secret)), &trust)], |settings| settings)
    }
}

#[tokio::test]
async fn an_edge_follows_who_shows_a_certificate_that_it_believes() {
    let mut origin = Secured::start();
    let edge = origin.edge(&origin.certificate, "localhost", SECRET);
    edge.catch_up(&origin.node).await;
    origin.stage.parts(3);
    origin.stage.end_segment();
    edge.catch_up(&origin.node).await;
    assert_eq!(origin.stage.metrics.replication.followers.get(), 1);
    assert!(origin.stage.metrics.tls_handshakes.get() >= 2, "for questions, and for the channel");
}

#[tokio::test]
async fn who_shows_another_certificate_is_not_followed_and_who_has_another_secret_gets_nothing() {
    let (origin, other) = (Secured::start(), Secured::start());
    let cases = [
        (&other.certificate, "localhost", SECRET),
        (&origin.certificate, "127.0.0.1", SECRET),
        (&origin.certificate, "localhost", "another secret than that"),
    ];
    for (authority, host, secret) in cases {
        let seen = origin.edge(authority, host, secret).get(LISTS[0]).await;
        assert_eq!(seen.status, StatusCode::SERVICE_UNAVAILABLE, "{host} {secret}: {}", seen.text());
    }
    assert_eq!(origin.stage.metrics.replication.followers.get(), 0);
    assert!(origin.stage.metrics.replication.refused.get() > 0);
}
