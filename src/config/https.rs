use std::path::PathBuf;

use super::{Listen, Section};

/// What is set for viewers who connect by TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Https {
    /// Where they connect. `None`: nowhere.
    pub(crate) listen: Option<Listen>,
    /// The certificate chain.
    pub(crate) certificate: Option<PathBuf>,
    /// Its private key.
    pub(crate) key: Option<PathBuf>,
    /// A certificate is made at start.
    pub(crate) self_signed: bool,
}

/// By what the server proves who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Proof {
    /// A certificate chain and its key, as PEM files.
    Files(PathBuf, PathBuf),
    /// A certificate for development.
    SelfSigned,
}

impl Https {
    pub(super) fn read(&mut self, section: &mut Section<'_, '_>) {
        section.value("listen", |text| Listen::parse(text).map(Some), &mut self.listen);
        section.value("certificate", |text| Ok(Some(text.into())), &mut self.certificate);
        section.value("key", |text| Ok(Some(text.into())), &mut self.key);
        section.flag("self_signed", &mut self.self_signed);
    }

    /// Where to listen and by what proof, or `None` where there is no TLS; or what is missing or too much.
    pub(crate) fn resolve(&self) -> Result<Option<(Listen, Proof)>, Unclear> {
        let proof = match (&self.certificate, &self.key, self.self_signed) {
            (None, None, false) => None,
            (None, None, true) => Some(Proof::SelfSigned),
            (Some(certificate), Some(key), false) => Some(Proof::Files(certificate.clone(), key.clone())),
            (Some(_), None, false) => return Err(Unclear::NoKey),
            (None, Some(_), false) => return Err(Unclear::NoCertificate),
            (_, _, true) => return Err(Unclear::Both),
        };
        match (&self.listen, proof) {
            (None, None) => Ok(None),
            (Some(listen), Some(proof)) => Ok(Some((listen.clone(), proof))),
            (Some(listen), None) => Err(Unclear::NoProof(listen.clone())),
            (None, Some(_)) => Err(Unclear::Nowhere),
        }
    }
}

/// Why it is not clear what viewers by TLS are to get.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unclear {
    /// No certificate at all.
    #[error(
        "{0} is set for HTTPS and no certificate: give --certificate FILE and --key FILE, or --self-signed to try it out"
    )]
    NoProof(Listen),
    /// A certificate alone.
    #[error("a certificate is set without its private key: give --key FILE ([https] key) as well")]
    NoKey,
    /// A key alone.
    #[error("a private key is set without its certificate: give --certificate FILE ([https] certificate) as well")]
    NoCertificate,
    /// Files and a certificate made at start.
    #[error("--self-signed makes a certificate, and files of one are set too: leave out one of the two")]
    Both,
    /// A certificate that nobody would see.
    #[error("a certificate is set and no address for HTTPS: give --https ADDRESS, for example --https :8443")]
    Nowhere,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_and_one_proof_belong_together() {
        let listen = Listen::everywhere(8443);
        let resolve = |listening: bool, certificate: bool, key: bool, self_signed: bool| {
            let file = |set: bool, name: &str| set.then(|| PathBuf::from(name));
            Https {
                listen: listening.then(|| listen.clone()),
                certificate: file(certificate, "chain.pem"),
                key: file(key, "key.pem"),
                self_signed,
            }
            .resolve()
        };
        let files = Proof::Files("chain.pem".into(), "key.pem".into());
        assert_eq!(resolve(false, false, false, false), Ok(None));
        assert_eq!(resolve(true, true, true, false), Ok(Some((listen.clone(), files))));
        assert_eq!(resolve(true, false, false, true), Ok(Some((listen.clone(), Proof::SelfSigned))));
        assert_eq!(resolve(true, false, false, false), Err(Unclear::NoProof(listen.clone())));
        assert_eq!(resolve(true, true, false, false), Err(Unclear::NoKey));
        assert_eq!(resolve(true, false, true, false), Err(Unclear::NoCertificate));
        assert_eq!(resolve(true, true, true, true), Err(Unclear::Both));
        assert_eq!(resolve(true, false, true, true), Err(Unclear::Both));
        assert_eq!(resolve(false, false, false, true), Err(Unclear::Nowhere));
        assert_eq!(resolve(false, true, true, false), Err(Unclear::Nowhere));
    }
}
