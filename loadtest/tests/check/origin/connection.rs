//! Connections: pipes in memory, with TLS and HTTP/2 where the client comes to the port of https.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use hyper::http::uri::Authority;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use touchline_loadtest::check::dial::Dial;

use super::{Fault, Origin};

/// Bytes under way on a connection.
const PIPE: usize = 64 * 1024;
const HTTPS: u16 = 443;

impl Dial for Origin {
    type Stream = DuplexStream;

    async fn dial(&self, authority: &Authority) -> io::Result<DuplexStream> {
        let (near, far) = tokio::io::duplex(PIPE);
        let origin = self.clone();
        let secure = authority.port_u16() == Some(HTTPS);
        // A connection that a client leaves ends with an error, which is the client's business.
        tokio::spawn(async move { if secure { origin.serve_tls(far).await } else { origin.serve(far).await } });
        Ok(near)
    }
}

impl Origin {
    /// Answers whatever comes over a connection.
    pub(crate) async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let service = service_fn(async |request| Ok::<_, Infallible>(self.answer(&request).await));
        let _left = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    }

    /// Appendix B.1: HTTP/2, agreed on by ALPN.
    async fn serve_tls(self, stream: DuplexStream) {
        let identity = rcgen::generate_simple_self_signed(["origin.test".to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(identity.signing_key.serialize_der().into());
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![identity.cert.into()], key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        if self.wrong(Fault::NoHttp2) {
            config.alpn_protocols.remove(0);
        }
        let Ok(stream) = TlsAcceptor::from(Arc::new(config)).accept(stream).await else { return };
        let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let service = service_fn(move |request| {
            let origin = self.clone();
            async move { Ok::<_, Infallible>(origin.answer(&request).await) }
        });
        let stream = TokioIo::new(stream);
        let _left = if h2 {
            http2::Builder::new(TokioExecutor::new()).serve_connection(stream, service).await
        } else {
            http1::Builder::new().serve_connection(stream, service).await
        };
    }
}
