use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{Certificate, Error, Metrics, Tls};

/// How often the files are looked at. Whoever renews certificates does so weeks before they expire.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// The most bytes a PEM file may have: chains are a few kilobytes.
const MAX_PEM: u64 = 1 << 20;

/// A certificate chain and its key in two PEM files, which somebody else renews.
#[derive(Debug)]
pub struct Files {
    certificate: PathBuf,
    key: PathBuf,
    /// What the files looked like just before they were last read.
    read: Option<[Look; 2]>,
}

/// What changes when a file is written or replaced: inode, size, and the times of its content and of its inode in
/// nanoseconds. `None` where there is no file.
type Look = Option<(u64, u64, i128, i128)>;

impl Files {
    /// Names the files; none is read yet.
    pub fn new(certificate: PathBuf, key: PathBuf) -> Self {
        Self { certificate, key, read: None }
    }

    /// Reads both files. The key has to belong to the certificate: a pair of which only one file has been replaced yet
    /// is an error.
    pub fn read(&mut self) -> Result<Certificate, Error> {
        self.read = Some(self.look());
        let chain = sections::<CertificateDer<'static>>(&self.certificate)?;
        if chain.is_empty() {
            return Err(Error::NoCertificate { path: self.certificate.clone() });
        }
        let key = sections::<PrivateKeyDer<'static>>(&self.key)?.into_iter().next();
        let key = key.ok_or_else(|| Error::NoKey { path: self.key.clone() })?;
        Certificate::new(chain, key).map_err(|reason| Error::Pair {
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            reason,
        })
    }

    /// Looks at the files every few seconds until `shutdown`, and shows what they hold each time they have changed. What
    /// cannot be used is logged once, and the certificate before it stays.
    pub async fn follow(mut self, tls: Tls, metrics: Metrics, shutdown: CancellationToken) {
        loop {
            tokio::select! {
                () = sleep(LOOK_EVERY) => {}
                () = shutdown.cancelled() => return,
            }
            let reading = spawn_blocking(move || {
                let changed = self.read_if_changed();
                (self, changed)
            });
            let Ok((files, changed)) = reading.await else { return };
            self = files;
            match changed {
                None => {}
                Some(Ok(certificate)) => {
                    tls.show(certificate);
                    metrics.reloaded.inc();
                    tracing::info!(certificate = %self.certificate.display(), "the new certificate is shown from now on");
                }
                Some(Err(error)) => {
                    metrics.refused.inc();
                    tracing::warn!("the certificate files have changed and the one before stays in use: {error}");
                }
            }
        }
    }

    fn read_if_changed(&mut self) -> Option<Result<Certificate, Error>> {
        (self.read != Some(self.look())).then(|| self.read())
    }

    fn look(&self) -> [Look; 2] {
        [look(&self.certificate), look(&self.key)]
    }
}

fn look(path: &Path) -> Look {
    let nanos = |seconds: i64, nanos: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
    let file = fs::metadata(path).ok()?;
    Some((file.ino(), file.size(), nanos(file.mtime(), file.mtime_nsec()), nanos(file.ctime(), file.ctime_nsec())))
}

/// The sections of one kind in a PEM file; those of other kinds are passed over.
pub(crate) fn sections<T: PemObject>(path: &Path) -> Result<Vec<T>, Error> {
    let unreadable = |reason| Error::Read { path: path.into(), reason };
    let len = fs::metadata(path).map_err(unreadable)?.len();
    if len > MAX_PEM {
        return Err(Error::TooLong { path: path.into(), len, limit: MAX_PEM });
    }
    let text = fs::read(path).map_err(unreadable)?;
    let broken = |error| Error::Pem { path: path.into(), reason: reason(&error) };
    T::pem_slice_iter(&text).collect::<Result<_, _>>().map_err(broken)
}

fn reason(error: &pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { .. } => "a block has no END line, so that the file seems cut off".into(),
        pem::Error::IllegalSectionStart { .. } => "a BEGIN line is malformed".into(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
    use tempfile::TempDir;
    use tokio::io::duplex;
    use tokio::time::advance;
    use tokio_rustls::TlsConnector;
    use tokio_rustls::rustls::{ClientConfig, RootCertStore};

    use super::*;

    fn pair() -> CertifiedKey<KeyPair> {
        generate_simple_self_signed(["localhost".to_owned()]).unwrap()
    }

    /// Two files, and who follows them.
    struct Followed {
        dir: TempDir,
        tls: Tls,
        metrics: Metrics,
    }

    impl Followed {
        async fn start(pair: &CertifiedKey<KeyPair>) -> Self {
            let dir = TempDir::new().unwrap();
            let mut files = Files::new(dir.path().join("chain.pem"), dir.path().join("key.pem"));
            fs::write(&files.certificate, pair.cert.pem()).unwrap();
            fs::write(&files.key, pair.signing_key.serialize_pem()).unwrap();
            let tls = Tls::new(files.read().unwrap(), &[]).unwrap();
            let metrics = Metrics::default();
            tokio::spawn(files.follow(tls.clone(), metrics.clone(), CancellationToken::new()));
            tokio::task::yield_now().await;
            Self { dir, tls, metrics }
        }

        fn write(&self, name: &str, text: &str) {
            // Renamed into place, as those who renew certificates do it.
            fs::write(self.dir.path().join("new"), text).unwrap();
            fs::rename(self.dir.path().join("new"), self.dir.path().join(name)).unwrap();
        }

        /// Lets the files be looked at once more; counts of those taken and refused so far.
        async fn looked(&self) -> (u64, u64) {
            advance(LOOK_EVERY).await;
            // The next look can only be waited for once this one is over.
            sleep(LOOK_EVERY / 2).await;
            (self.metrics.reloaded.get(), self.metrics.refused.get())
        }

        /// Whether a viewer who trusts this certificate alone gets through the handshake.
        async fn shows(&self, pair: &CertifiedKey<KeyPair>) -> bool {
            shows(&self.tls, pair).await
        }
    }

    async fn shows(tls: &Tls, pair: &CertifiedKey<KeyPair>) -> bool {
        let mut roots = RootCertStore::empty();
        roots.add(pair.cert.der().clone()).unwrap();
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let (near, far) = duplex(16 * 1_024);
        let connect = TlsConnector::from(Arc::new(config)).connect("localhost".try_into().unwrap(), far);
        tokio::join!(tls.accept(near), connect).1.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewed_pair_is_shown_to_who_connects_from_then_on() {
        let (old, new) = (pair(), pair());
        let files = Followed::start(&old).await;
        assert_eq!(files.looked().await, (0, 0), "what has not changed is not read again");
        files.write("chain.pem", &new.cert.pem());
        files.write("key.pem", &new.signing_key.serialize_pem());
        assert!(files.shows(&old).await && !files.shows(&new).await);
        assert_eq!(files.looked().await, (1, 0));
        assert!(files.shows(&new).await && !files.shows(&old).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewed_pair_is_shown_to_those_who_speak_other_protocols_too() {
        let (old, new) = (pair(), pair());
        let files = Followed::start(&old).await;
        let other = files.tls.speaking(&[b"other"]).unwrap();
        assert!(shows(&other, &old).await);
        files.write("chain.pem", &new.cert.pem());
        files.write("key.pem", &new.signing_key.serialize_pem());
        assert_eq!(files.looked().await, (1, 0));
        assert!(shows(&other, &new).await && !shows(&other, &old).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pair_of_which_one_file_is_renewed_yet_is_not_shown() {
        let (old, new) = (pair(), pair());
        let files = Followed::start(&old).await;
        files.write("chain.pem", &new.cert.pem());
        assert_eq!(files.looked().await, (0, 1));
        assert!(files.shows(&old).await);
        assert_eq!(files.looked().await, (0, 1), "it is refused once, not at every look");
        files.write("key.pem", &new.signing_key.serialize_pem());
        assert_eq!(files.looked().await, (1, 1));
        assert!(files.shows(&new).await);
    }

    #[tokio::test(start_paused = true)]
    async fn files_that_go_missing_leave_the_certificate_in_use() {
        let old = pair();
        let files = Followed::start(&old).await;
        fs::remove_file(files.dir.path().join("key.pem")).unwrap();
        assert_eq!(files.looked().await, (0, 1));
        assert!(files.shows(&old).await);
    }

    #[test]
    fn a_file_that_cannot_be_used_is_named_with_what_to_do() {
        let dir = TempDir::new().unwrap();
        let (a, b) = (pair(), pair());
        let (cert, key) = (a.cert.pem(), a.signing_key.serialize_pem());
        let cut = cert.get(..cert.len() / 2).unwrap();
        let error = |chain: Option<&str>, key: Option<&str>| {
            for (name, text) in [("chain.pem", chain), ("key.pem", key)] {
                let path = dir.path().join(name);
                let _ = fs::remove_file(&path);
                if let Some(text) = text {
                    fs::write(path, text).unwrap();
                }
            }
            let mut files = Files::new(dir.path().join("chain.pem"), dir.path().join("key.pem"));
            files.read().unwrap_err().to_string().replace(dir.path().to_str().unwrap(), "DIR")
        };
        let other = b.signing_key.serialize_pem();
        let errors = [
            error(None, Some(&key)),
            error(Some(&cert), None),
            error(Some(&key), Some(&key)),
            error(Some(&cert), Some(&cert)),
            error(Some(cut), Some(&key)),
            error(Some(&cert), Some(&other)),
            error(Some(&"x".repeat(2 << 20)), Some(&key)),
        ];
        insta::assert_snapshot!(errors.join("\n"));
    }
}
