//! The secure connection: DTLS makes the keys (RFC 5764), SRTP uses them (RFC 3711). All that is named `rtc` in the server is
//! named here.

mod identity;
mod srtp;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use rtc_crypto::RTCCryptoProvider;
use rtc_dtls::cipher_suite::CipherSuiteId;
use rtc_dtls::config::{ClientAuthType, ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig};
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_shared::TransportProtocol;
use rtc_shared::error::Error as RtcError;

pub(super) use self::identity::{Fingerprint, Identity};
use self::srtp::{PROFILES, Srtp};
use super::packet;

/// What both sides call the other: ICE knows where it is (RFC 8842 leaves DTLS unaware of paths).
const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);
/// The most datagrams of a handshake. What is out of order is kept meanwhile.
const MAX_HANDSHAKE_DATAGRAMS: usize = 256;
/// The bytes of the head of a DTLS record (RFC 6347 4.1).
const RECORD_HEADER: usize = 13;

/// Who begins the handshake (RFC 8842 5.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// We do: the publisher has said that it is passive.
    Client,
    /// The publisher does.
    Server,
}

/// Why there is no secure connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Something of ours.
    #[error("the secure connection could not be set up: {0}")]
    Setup(String),
    /// The handshake did not go on.
    #[error("the DTLS handshake failed: {0}")]
    Handshake(String),
    /// There were more datagrams to the handshake than any takes.
    #[error("the DTLS handshake did not end within {MAX_HANDSHAKE_DATAGRAMS} datagrams")]
    Endless,
    /// The publisher has agreed to no way to protect media that we know.
    #[error("the publisher agrees to no SRTP protection profile that this server knows")]
    NoProfile,
}

/// What a DTLS datagram has brought about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    None,
    /// The handshake is done: media may come.
    Connected,
    /// The publisher has closed the connection.
    Closed,
}

/// A connection to one publisher.
pub(super) struct Channel {
    endpoint: Endpoint,
    /// Until the handshake has begun, if we begin it.
    client: Option<Arc<HandshakeConfig>>,
    provider: Arc<dyn RTCCryptoProvider>,
    datagrams: usize,
    srtp: Option<Srtp>,
}

impl Channel {
    /// A connection to who proves to be `peer`.
    pub(super) fn new(identity: &Identity, role: Role, peer: Fingerprint) -> Result<Self, Broken> {
        let verify = move |chain: &[Vec<u8>], _: &[_]| match chain.first() {
            Some(certificate) if peer.matches(certificate) => Ok(()),
            Some(_) => Err(RtcError::ErrNoMatchingCertificateFingerprint),
            None => Err(RtcError::ErrNonCertificate),
        };
        let mut config = ConfigBuilder::default()
            .with_crypto_provider(Arc::clone(&identity.provider))
            .with_certificates(vec![identity.certificate.clone()])
            .with_srtp_protection_profiles(PROFILES.map(|(negotiated, _)| negotiated).to_vec())
            .with_client_auth(ClientAuthType::RequireAnyClientCert)
            // RFC 8827 6.5: certificates are self-signed, and known by the fingerprint that HTTP brought.
            .with_insecure_skip_verify(true)
            .with_server_name("localhost".to_owned())
            .with_verify_peer_certificate(Some(Arc::new(verify)))
            .with_extended_master_secret(ExtendedMasterSecretType::Require);
        if role == Role::Server {
            // Our certificate is ECDSA: a suite for RSA would fail later.
            config = config.with_cipher_suites(SERVER_SUITES.to_vec());
        }
        let config = config.build(role == Role::Client, None).map_err(|error| Broken::Setup(error.to_string()))?;
        let config = Arc::new(config);
        let (server, client) = match role {
            Role::Server => (Some(config), None),
            Role::Client => (None, Some(config)),
        };
        let endpoint = Endpoint::new(PEER, TransportProtocol::UDP, server);
        Ok(Self { endpoint, client, provider: Arc::clone(&identity.provider), datagrams: 0, srtp: None })
    }

    /// There is a way to the publisher: the handshake begins if it is for us to begin it.
    pub(super) fn start(&mut self, now: Instant) -> Result<(), Broken> {
        let Some(config) = self.client.take() else { return Ok(()) };
        self.endpoint.connect(now, PEER, config, None).map_err(|error| Broken::Handshake(error.to_string()))
    }

    /// Takes a datagram of DTLS. What fails before there is a connection may have been forged, and need not be the end. Once there
    /// is one nothing fails any more.
    pub(super) fn handle(&mut self, datagram: &[u8], now: Instant) -> Result<Progress, Broken> {
        if self.client.is_some() {
            // Nobody has been asked anything yet.
            return Ok(Progress::None);
        }
        let datagram = if self.is_connected() {
            // Anybody can write records of epoch 0. Those of a publisher that repeats its last flight end with one of epoch 1.
            without_epoch_zero(datagram)
        } else {
            self.datagrams += 1;
            if self.datagrams > MAX_HANDSHAKE_DATAGRAMS {
                return Err(Broken::Endless);
            }
            BytesMut::from(datagram)
        };
        if datagram.is_empty() {
            return Ok(Progress::None);
        }
        let events = match self.endpoint.read(now, PEER, None, datagram) {
            Ok(events) => events,
            Err(_) if self.is_connected() => return Ok(Progress::None),
            Err(error) => return Err(Broken::Handshake(error.to_string())),
        };
        let mut progress = Progress::None;
        for event in events {
            match event {
                EndpointEvent::HandshakeComplete => {
                    let state = self.endpoint.get_connection_state(PEER).ok_or(Broken::NoProfile)?;
                    self.srtp = Some(Srtp::new(state, &self.provider)?);
                    progress = Progress::Connected;
                }
                EndpointEvent::PeerClosed => progress = Progress::Closed,
                // There are no data channels: nothing was agreed upon that would come this way.
                _ => {}
            }
        }
        Ok(progress)
    }

    /// Sends again what was not answered.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Result<(), Broken> {
        if self.poll_timeout().is_none_or(|due| due > now) {
            return Ok(());
        }
        self.endpoint.handle_timeout(PEER, now).map_err(|error| Broken::Handshake(error.to_string()))
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.endpoint.poll_timeout(&PEER)
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Bytes> {
        self.endpoint.poll_transmit().map(|transmit| transmit.message.freeze())
    }

    /// Tells the publisher that this is the end.
    pub(super) fn close(&mut self, now: Instant) {
        // There is nothing to be done about an end that cannot be told.
        drop(self.endpoint.close(now));
    }

    pub(super) fn is_connected(&self) -> bool {
        self.srtp.is_some()
    }

    /// What is in a packet of RTP, if the publisher has sent it and it is new.
    pub(super) fn open_rtp(&mut self, packet: &[u8]) -> Option<Bytes> {
        let ssrc = packet::ssrc_of_rtp(packet)?;
        self.srtp.as_mut()?.open(ssrc, |context| context.decrypt_rtp(packet))
    }

    /// What is in a packet of RTCP, if the publisher has sent it and it is new.
    pub(super) fn open_rtcp(&mut self, packet: &[u8]) -> Option<Bytes> {
        let ssrc = packet::ssrc_of_rtcp(packet)?;
        self.srtp.as_mut()?.open(ssrc, |context| context.decrypt_rtcp(packet))
    }

    /// A packet of RTCP as it goes out.
    pub(super) fn seal_rtcp(&mut self, packet: &[u8]) -> Option<Bytes> {
        self.srtp.as_mut()?.seal_rtcp(packet)
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("connected", &self.is_connected()).finish_non_exhaustive()
    }
}

/// The suites for a server with an ECDSA certificate.
const SERVER_SUITES: [CipherSuiteId; 3] = [
    CipherSuiteId::Tls_Ecdhe_Ecdsa_With_Aes_128_Gcm_Sha256,
    CipherSuiteId::Tls_Ecdhe_Ecdsa_With_ChaCha20_Poly1305_Sha256,
    CipherSuiteId::Tls_Ecdhe_Ecdsa_With_Aes_256_Cbc_Sha,
];

/// The records of a datagram that are not of epoch 0 (RFC 6347 4.1).
fn without_epoch_zero(mut datagram: &[u8]) -> BytesMut {
    let mut kept = BytesMut::new();
    while let Some(&[_, _, _, e0, e1, _, _, _, _, _, _, l0, l1]) = datagram.first_chunk::<RECORD_HEADER>() {
        let length = RECORD_HEADER + usize::from(u16::from_be_bytes([l0, l1]));
        let Some((record, rest)) = datagram.split_at_checked(length) else { break };
        if [e0, e1] != [0, 0] {
            kept.extend_from_slice(record);
        }
        datagram = rest;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_epoch_zero_are_cut_out_of_a_datagram() {
        let record = |epoch: u8, body: &[u8]| {
            let mut record = vec![22, 254, 253, 0, epoch, 0, 0, 0, 0, 0, 9, 0];
            record.push(u8::try_from(body.len()).unwrap());
            record.extend(body);
            record
        };
        let kept = [record(1, b"finished"), record(1, b"")].concat();
        let datagram = [record(0, b"certificate"), record(1, b"finished"), record(0, b""), record(1, b"")].concat();
        assert_eq!(without_epoch_zero(&datagram), kept);
        assert_eq!(without_epoch_zero(&datagram[..datagram.len() - 1]), record(1, b"finished"));
    }
}
