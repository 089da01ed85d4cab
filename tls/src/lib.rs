//! The server's side of TLS, for every protocol that has it: the certificate that is shown, and how it is replaced while
//! connections come in. And the client's side, for what nodes ask of each other.

mod certificate;
mod files;
mod listener;
mod metrics;
mod trust;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, ServerConfig};

pub use self::certificate::Certificate;
pub use self::files::Files;
pub use self::listener::Listener;
pub use self::metrics::Metrics;
pub use self::trust::Trust;
/// A connection after the handshake.
pub use tokio_rustls::server::TlsStream as Stream;

/// The server's side of TLS 1.2 and 1.3. Clones show the same certificate.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    shown: Arc<Shown>,
}

impl Tls {
    /// Shows a certificate, until [`Tls::show`] is called with another. `protocols` are what may be spoken, best first
    /// (RFC 7301); none: there is no question.
    pub fn new(certificate: Certificate, protocols: &[&[u8]]) -> Result<Self, Error> {
        Self::showing(Arc::new(Shown(RwLock::new(certificate.into_key()))), protocols)
    }

    /// Shows what this one shows, now and after each [`Tls::show`] of either, to those who speak other protocols.
    pub fn speaking(&self, protocols: &[&[u8]]) -> Result<Self, Error> {
        Self::showing(Arc::clone(&self.shown), protocols)
    }

    fn showing(shown: Arc<Shown>, protocols: &[&[u8]]) -> Result<Self, Error> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(Error::Setup)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&shown) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        // Tickets keep nothing here for the peers who may come back.
        config.ticketer = ring::Ticketer::new().map_err(Error::Setup)?;
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), shown })
    }

    /// Shows another certificate to who connects from now on.
    pub fn show(&self, certificate: Certificate) {
        *self.shown.0.write().unwrap_or_else(PoisonError::into_inner) = certificate.into_key();
    }

    /// The handshake (RFC 8446 4). It has no deadline of its own.
    pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> io::Result<Stream<S>> {
        self.acceptor.accept(stream).await
    }
}

/// Whether a handshake failed because the peer speaks something else than TLS.
pub fn is_foreign(error: &io::Error) -> bool {
    let reason = error.get_ref().and_then(|error| error.downcast_ref());
    matches!(reason, Some(rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType)))
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

/// The certificate of the moment.
#[derive(Debug)]
struct Shown(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// Why a certificate cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read.
    #[error("{path} cannot be read: {reason}; it must exist and be readable by the user that the server runs as", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
    /// A file is longer than any certificate chain.
    #[error("{path} has {len} bytes, more than the {limit} that a PEM file may have; is it the right file?", path = path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Its size.
        len: u64,
        /// The most that is read.
        limit: u64,
    },
    /// A file is no PEM, or is cut off.
    #[error("{path} is not a whole PEM file: {reason}", path = path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no certificate in the file of certificates.
    #[error("{path} holds no certificate: it should have the server's, then the intermediate ones, as \"BEGIN CERTIFICATE\" blocks", path = path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// There is no key in the file of the key.
    #[error("{path} holds no private key that can be used: it should have one without a password, as a \"BEGIN PRIVATE KEY\" block", path = path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// The key or the certificate is not usable, or they do not belong together.
    #[error("the certificate in {certificate} and the key in {key} cannot be used together: {reason}", certificate = certificate.display(), key = key.display())]
    Pair {
        /// The file of certificates.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// What does not fit.
        reason: rustls::Error,
    },
    /// A self-signed certificate could not be made.
    #[error("no self-signed certificate can be made: {0}")]
    SelfSigned(#[from] rcgen::Error),
    /// TLS itself could not be set up.
    #[error("TLS cannot be set up: {0}")]
    Setup(rustls::Error),
}
