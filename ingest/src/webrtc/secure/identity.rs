use std::fmt;
use std::sync::Arc;

use ring::digest;
use rtc_crypto::RTCCryptoProvider;
use rtc_dtls::crypto::Certificate;

use super::Broken;

/// Who we are: a certificate made at start, which publishers know by its fingerprint in the answer.
#[derive(Clone)]
pub(in crate::webrtc) struct Identity {
    pub(super) certificate: Certificate,
    pub(super) provider: Arc<dyn RTCCryptoProvider>,
    fingerprint: String,
}

impl Identity {
    pub(in crate::webrtc) fn generate() -> Result<Self, Broken> {
        let provider = rtc_crypto::default_provider().map_err(|error| Broken::Setup(error.to_string()))?;
        let certificate = Certificate::generate_self_signed(vec!["touchline".to_owned()], provider.crypto())
            .map_err(|error| Broken::Setup(error.to_string()))?;
        let der = certificate.certificate.first().map(AsRef::as_ref).unwrap_or_default();
        let fingerprint = Fingerprint::of(&digest::SHA256, der).to_string();
        Ok(Self { certificate, provider, fingerprint })
    }

    /// The value of `a=fingerprint`.
    pub(in crate::webrtc) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("fingerprint", &self.fingerprint).finish_non_exhaustive()
    }
}

/// What a certificate is known by (RFC 8122 5).
#[derive(Clone, PartialEq, Eq)]
pub(in crate::webrtc) struct Fingerprint {
    algorithm: &'static digest::Algorithm,
    digest: Vec<u8>,
}

impl Fingerprint {
    fn of(algorithm: &'static digest::Algorithm, der: &[u8]) -> Self {
        Self { algorithm, digest: digest::digest(algorithm, der).as_ref().to_vec() }
    }

    /// Reads the value of `a=fingerprint`. MD5 and SHA-1 prove nothing any more.
    pub(in crate::webrtc) fn parse(value: &str) -> Option<Self> {
        let (name, digits) = value.trim().split_once(' ')?;
        let algorithm = ALGORITHMS.iter().find(|(known, _)| name.eq_ignore_ascii_case(known))?.1;
        let byte = |pair: &str| if pair.len() == 2 { u8::from_str_radix(pair, 16).ok() } else { None };
        let digest = digits.trim().split(':').map(byte).collect::<Option<Vec<u8>>>()?;
        (digest.len() == algorithm.output_len()).then_some(Self { algorithm, digest })
    }

    pub(super) fn matches(&self, der: &[u8]) -> bool {
        *self == Self::of(self.algorithm, der)
    }
}

const ALGORITHMS: [(&str, &digest::Algorithm); 3] =
    [("sha-256", &digest::SHA256), ("sha-384", &digest::SHA384), ("sha-512", &digest::SHA512)];

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = ALGORITHMS.iter().find(|(_, algorithm)| *algorithm == self.algorithm).map_or("", |(name, _)| name);
        let digits: Vec<String> = self.digest.iter().map(|byte| format!("{byte:02X}")).collect();
        write!(f, "{name} {}", digits.join(":"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_read_and_compared() {
        let value = Fingerprint::of(&digest::SHA256, b"certificate").to_string();
        let fingerprint = Fingerprint::parse(&value.to_ascii_lowercase()).unwrap();
        assert!(fingerprint.matches(b"certificate") && !fingerprint.matches(b"Certificate"));
        for bad in ["sha-1 00:11", "sha-256 00:11", "sha-256", &value[..value.len() - 1], &value.replace(':', "")] {
            assert_eq!(Fingerprint::parse(bad), None, "{bad}");
        }
    }
}
