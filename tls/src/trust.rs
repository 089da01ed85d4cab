use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::Error;
use crate::files::sections;

/// The client's side of TLS 1.2 and 1.3: whose certificates are believed. Clones share it.
#[derive(Clone)]
pub struct Trust(TlsConnector);

impl Trust {
    /// Believes what the system believes. `protocols` are what may be spoken, best first (RFC 7301).
    pub fn system(protocols: &[&[u8]]) -> Result<Self, Error> {
        let mut roots = RootCertStore::empty();
        for certificate in rustls_native_certs::load_native_certs().certs {
            // Some systems carry certificates that nothing can read.
            let _ = roots.add(certificate);
        }
        Self::of(roots, protocols)
    }

    /// Believes the certificates in a PEM file, and those that they have signed, alone.
    pub fn file(path: &Path, protocols: &[&[u8]]) -> Result<Self, Error> {
        let certificates = sections::<CertificateDer<'static>>(path)?;
        if certificates.is_empty() {
            return Err(Error::NoCertificate { path: path.into() });
        }
        let mut roots = RootCertStore::empty();
        for certificate in certificates {
            roots.add(certificate).map_err(Error::Setup)?;
        }
        Self::of(roots, protocols)
    }

    /// The handshake (RFC 8446 4), with who is at `host`: a name or an address. It has no deadline of its own.
    pub async fn connect<S: AsyncRead + AsyncWrite + Unpin>(&self, host: &str, stream: S) -> io::Result<TlsStream<S>> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        self.0.connect(name, stream).await
    }

    fn of(roots: RootCertStore, protocols: &[&[u8]]) -> Result<Self, Error> {
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(Error::Setup)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust").finish_non_exhaustive()
    }
}
