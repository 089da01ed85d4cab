use std::path::PathBuf;

use super::{Listen, Section};

/// What is set for those who connect by TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tls {
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

/// Where to listen, and by what proof.
pub(crate) type Secured = (Listen, Proof);

/// What is to be listened on by TLS for viewers and for RTMP publishers, who are shown what viewers are unless there is something of
/// their own for them; or what is missing or too much.
pub(crate) fn resolve(https: &Tls, rtmps: &Tls) -> Result<(Option<Secured>, Option<Secured>), Unclear> {
    let (theirs, shared) = (rtmps.proof(&RTMPS)?, https.proof(&HTTPS)?);
    if rtmps.listen.is_none() && theirs.is_some() {
        return Err(Unclear::Nowhere(&RTMPS));
    }
    let shows_shared = rtmps.listen.is_some() && theirs.is_none();
    if https.listen.is_none() && shared.is_some() && !shows_shared {
        return Err(Unclear::Nowhere(&HTTPS));
    }
    let rtmps = rtmps.secured(theirs.or_else(|| shared.clone()), &RTMPS)?;
    Ok((https.secured(shared, &HTTPS)?, rtmps))
}

impl Tls {
    pub(super) fn read(&mut self, section: &mut Section<'_, '_>) {
        section.value("listen", |text| Listen::parse(text).map(Some), &mut self.listen);
        section.value("certificate", |text| Ok(Some(text.into())), &mut self.certificate);
        section.value("key", |text| Ok(Some(text.into())), &mut self.key);
        section.flag("self_signed", &mut self.self_signed);
    }

    fn proof(&self, service: &'static Service) -> Result<Option<Proof>, Unclear> {
        match (&self.certificate, &self.key, self.self_signed) {
            (None, None, false) => Ok(None),
            (None, None, true) => Ok(Some(Proof::SelfSigned)),
            (Some(certificate), Some(key), false) => Ok(Some(Proof::Files(certificate.clone(), key.clone()))),
            (Some(_), None, false) => Err(Unclear::NoKey(service)),
            (None, Some(_), false) => Err(Unclear::NoCertificate(service)),
            (_, _, true) => Err(Unclear::Both(service)),
        }
    }

    fn secured(&self, proof: Option<Proof>, service: &'static Service) -> Result<Option<Secured>, Unclear> {
        let Some(listen) = self.listen.clone() else { return Ok(None) };
        proof.map(|proof| Some((listen.clone(), proof))).ok_or(Unclear::NoProof(service, listen))
    }
}

/// What a listener by TLS is for, and how it is set, in messages.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Service {
    name: &'static str,
    listen: &'static str,
    certificate: &'static str,
    key: &'static str,
    self_signed: &'static str,
}

static HTTPS: Service = Service {
    name: "HTTPS",
    listen: "--https :8443",
    certificate: "--certificate FILE ([https] certificate)",
    key: "--key FILE ([https] key)",
    self_signed: "--self-signed",
};

static RTMPS: Service = Service {
    name: "RTMPS",
    listen: "--rtmps :1936",
    certificate: "[rtmps] certificate",
    key: "[rtmps] key",
    self_signed: "[rtmps] self_signed",
};

/// Why it is not clear what those who connect by TLS are to get.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unclear {
    /// No certificate at all.
    #[error(
        "{1} is set for {name} and no certificate: give --certificate FILE and --key FILE, or --self-signed to try it out",
        name = .0.name
    )]
    NoProof(&'static Service, Listen),
    /// A certificate alone.
    #[error("a certificate is set without its private key: give {} as well", .0.key)]
    NoKey(&'static Service),
    /// A key alone.
    #[error("a private key is set without its certificate: give {} as well", .0.certificate)]
    NoCertificate(&'static Service),
    /// Files and a certificate made at start.
    #[error("{} makes a certificate, and files of one are set too: leave out one of the two", .0.self_signed)]
    Both(&'static Service),
    /// A certificate that nobody would see.
    #[error("a certificate is set and no address for {}: give an address, for example {}", .0.name, .0.listen)]
    Nowhere(&'static Service),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tls(listen: Option<&Listen>, certificate: bool, key: bool, self_signed: bool) -> Tls {
        let file = |set: bool, name: &str| set.then(|| PathBuf::from(name));
        Tls {
            listen: listen.cloned(),
            certificate: file(certificate, "chain.pem"),
            key: file(key, "key.pem"),
            self_signed,
        }
    }

    #[test]
    fn an_address_and_one_proof_belong_together() {
        let listen = Listen::everywhere(8443);
        let resolve = |listening: bool, certificate: bool, key: bool, self_signed: bool| {
            let https = tls(listening.then_some(&listen), certificate, key, self_signed);
            resolve(&https, &Tls::default()).map(|(https, _)| https)
        };
        let files = Proof::Files("chain.pem".into(), "key.pem".into());
        assert_eq!(resolve(false, false, false, false), Ok(None));
        assert_eq!(resolve(true, true, true, false), Ok(Some((listen.clone(), files))));
        assert_eq!(resolve(true, false, false, true), Ok(Some((listen.clone(), Proof::SelfSigned))));
        assert_eq!(resolve(true, false, false, false), Err(Unclear::NoProof(&HTTPS, listen.clone())));
        assert_eq!(resolve(true, true, false, false), Err(Unclear::NoKey(&HTTPS)));
        assert_eq!(resolve(true, false, true, false), Err(Unclear::NoCertificate(&HTTPS)));
        assert_eq!(resolve(true, true, true, true), Err(Unclear::Both(&HTTPS)));
        assert_eq!(resolve(true, false, true, true), Err(Unclear::Both(&HTTPS)));
        assert_eq!(resolve(false, false, false, true), Err(Unclear::Nowhere(&HTTPS)));
        assert_eq!(resolve(false, true, true, false), Err(Unclear::Nowhere(&HTTPS)));
    }

    #[test]
    fn publishers_are_shown_what_viewers_are_unless_there_is_something_of_their_own() {
        let (https, rtmps) = (Listen::everywhere(8443), Listen::everywhere(1936));
        let files = Proof::Files("chain.pem".into(), "key.pem".into());
        let none = Tls::default();
        let listening = tls(Some(&rtmps), false, false, false);
        let both = resolve(&tls(Some(&https), true, true, false), &listening);
        assert_eq!(both, Ok((Some((https.clone(), files.clone())), Some((rtmps.clone(), files.clone())))));
        let alone = resolve(&tls(None, true, true, false), &listening);
        assert_eq!(alone, Ok((None, Some((rtmps.clone(), files.clone())))));
        let own = resolve(&tls(Some(&https), true, true, false), &tls(Some(&rtmps), false, false, true));
        assert_eq!(own, Ok((Some((https, files)), Some((rtmps.clone(), Proof::SelfSigned)))));
        assert_eq!(resolve(&none, &listening), Err(Unclear::NoProof(&RTMPS, rtmps.clone())));
        assert_eq!(resolve(&none, &tls(None, true, true, false)), Err(Unclear::Nowhere(&RTMPS)));
        let half = resolve(&none, &tls(Some(&rtmps), true, false, false)).unwrap_err();
        assert_eq!(half.to_string(), "a certificate is set without its private key: give [rtmps] key as well");
        let unused = resolve(&tls(None, true, true, false), &tls(Some(&rtmps), false, false, true));
        assert_eq!(unused, Err(Unclear::Nowhere(&HTTPS)));
    }
}
