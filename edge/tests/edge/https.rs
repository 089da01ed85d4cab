//! The server behind TLS, on real sockets.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use hyper::client::conn::{http1, http2};
use hyper::{StatusCode, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::{ClientConfig, ProtocolVersion, RootCertStore, version};
use touchline_edge::{PROTOCOLS, Settings};
use touchline_tls as tls;

use crate::sockets::{PATIENCE, Server, get, get2, text, until};

const PLAYLIST: &str = "/live/main/video/index.m3u8";

struct Secured {
    server: Server,
    pair: CertifiedKey<KeyPair>,
}

impl Secured {
    fn start(settings: Settings) -> Self {
        let pair = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let (chain, key) = (dir.path().join("chain.pem"), dir.path().join("key.pem"));
        fs::write(&chain, pair.cert.pem()).unwrap();
        fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
        let tls = tls::Tls::new(tls::Files::new(chain, key).read().unwrap(), &PROTOCOLS).unwrap();
        Self { server: Server::start_with(settings, |socket| tls::Listener::secured(socket, tls)), pair }
    }

    async fn connect(&self, protocols: &[&str]) -> std::io::Result<TlsStream<TcpStream>> {
        self.connect_by(ClientConfig::builder(), protocols).await
    }

    async fn connect_by(
        &self,
        builder: tokio_rustls::rustls::ConfigBuilder<ClientConfig, tokio_rustls::rustls::WantsVerifier>,
        protocols: &[&str],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.pair.cert.der().clone()).unwrap();
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        let connector = TlsConnector::from(Arc::new(config));
        connector.connect("localhost".try_into().unwrap(), self.server.connect().await).await
    }
}

#[tokio::test]
async fn http2_is_chosen_by_alpn() {
    let secured = Secured::start(Settings::default());
    let stream = secured.connect(&["http/1.1", "h2"]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    assert_eq!(stream.get_ref().1.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let response = sender.send_request(get2(PLAYLIST)).await.unwrap();
    assert_eq!((response.status(), response.version()), (StatusCode::OK, Version::HTTP_2));
    assert_eq!(text(response).await, secured.server.stage.get(PLAYLIST).await.text());
    assert_eq!(secured.server.stage.metrics.tls_handshakes.get(), 1);
}

#[tokio::test]
async fn http1_is_for_who_knows_no_other_and_tls_1_2_too() {
    let secured = Secured::start(Settings::default());
    for protocols in [&["http/1.1"][..], &[]] {
        let builder = ClientConfig::builder_with_protocol_versions(&[&version::TLS12]);
        let stream = secured.connect_by(builder, protocols).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let response = sender.send_request(get(PLAYLIST)).await.unwrap();
        assert_eq!((response.status(), response.version()), (StatusCode::OK, Version::HTTP_11));
        assert_eq!(text(response).await, secured.server.stage.get(PLAYLIST).await.text());
    }
}

#[tokio::test]
async fn who_speaks_another_protocol_is_refused_in_the_handshake() {
    let secured = Secured::start(Settings::default());
    assert!(secured.connect(&["spdy/3"]).await.is_err());
    let mut plain = secured.server.connect().await;
    plain.write_all(b"GET / HTTP/1.1\r\nHost: edge.test\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    until(|| secured.server.stage.metrics.tls_handshakes_failed.get() == 2).await;
    until(|| secured.server.stage.metrics.connections.get() == 0).await;
}

#[tokio::test]
async fn a_handshake_that_does_not_come_ends_the_connection() {
    let secured = Secured::start(Settings { handshake_timeout: Duration::from_millis(50), ..Settings::default() });
    for opening in [&b""[..], b"\x16\x03\x01\x02\x00"] {
        let mut stream = secured.server.connect().await;
        stream.write_all(opening).await.unwrap();
        let closed = tokio::time::timeout(PATIENCE, stream.read(&mut [0; 1])).await.expect("the server hangs up");
        assert!(matches!(closed, Ok(0) | Err(_)), "{closed:?}");
    }
    assert_eq!(secured.server.stage.metrics.tls_handshakes_failed.get(), 2);
}

#[tokio::test]
async fn an_open_handshake_takes_a_place_and_does_not_delay_the_shutdown() {
    let secured = Secured::start(Settings { connections: 1, ..Settings::default() });
    let _silent = secured.server.connect().await;
    until(|| secured.server.stage.metrics.connections.get() == 1).await;
    assert!(secured.connect(&[]).await.is_err());
    assert_eq!(secured.server.stage.metrics.connections_refused.get(), 1);
    secured.server.shutdown.cancel();
    secured.server.task.await.unwrap();
    assert_eq!(secured.server.stage.metrics.connections.get(), 0);
}

#[tokio::test]
async fn a_certificate_for_development_names_this_machine() {
    let certificate = tls::Certificate::self_signed(vec!["localhost".into(), "127.0.0.1".into(), "::1".into()]);
    assert!(tls::Tls::new(certificate.unwrap(), &PROTOCOLS).is_ok());
    let refused = tls::Certificate::self_signed(vec!["bücher".into()]).unwrap_err();
    assert!(refused.to_string().starts_with("no self-signed certificate can be made"), "{refused}");
}
