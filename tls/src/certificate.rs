use std::sync::Arc;

use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::sign::CertifiedKey;

use crate::Error;

/// A certificate chain and the key that belongs to its first certificate.
#[derive(Debug, Clone)]
pub struct Certificate(Arc<CertifiedKey>);

impl Certificate {
    /// A certificate for development that nobody has signed: browsers warn of it. `names` are host names and addresses.
    pub fn self_signed(names: Vec<String>) -> Result<Self, Error> {
        let made = rcgen::generate_simple_self_signed(names)?;
        let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        Self::new(vec![made.cert.der().clone()], key).map_err(Error::Setup)
    }

    /// Fails where the key is not usable, or is not that of the first certificate.
    pub(super) fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Self, rustls::Error> {
        CertifiedKey::from_der(chain, key, &ring::default_provider()).map(|key| Self(Arc::new(key)))
    }

    pub(super) fn into_key(self) -> Arc<CertifiedKey> {
        self.0
    }
}
