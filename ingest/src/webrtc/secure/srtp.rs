use std::collections::HashSet;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use rtc_crypto::RTCCryptoProvider;
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc_dtls::state::State;
use rtc_shared::error::Error as RtcError;
use rtc_srtp::config::{Config as Keys, LABEL_EXTRACTOR_DTLS_SRTP, SessionKeys};
use rtc_srtp::context::Context;
use rtc_srtp::option::{srtcp_replay_protection, srtp_replay_protection};
use rtc_srtp::protection_profile::ProtectionProfile;

use super::Broken;

/// How many packets behind the newest one may come. A sender without a stream for it sends again what was lost under its own
/// number: a second later, of the packets of a large keyframe.
const REPLAY_WINDOW: usize = 2_048;
/// The most sources of one publisher, over all.
const MAX_SOURCES: usize = 32;
/// How many packets of unknown sources are tried with one set of states.
const MAX_STRANGERS: usize = 64;

/// How media is protected, in order of preference: what is cheapest first (RFC 7714, RFC 5764 4.1.2).
pub(super) const PROFILES: [(SrtpProtectionProfile, ProtectionProfile); 4] = [
    (SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm, ProtectionProfile::AeadAes128Gcm),
    (SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm, ProtectionProfile::AeadAes256Gcm),
    (SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80, ProtectionProfile::Aes128CmHmacSha1_80),
    (SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_32, ProtectionProfile::Aes128CmHmacSha1_32),
];

/// The keys of both directions.
pub(super) struct Srtp {
    keys: Keys,
    provider: Arc<dyn RTCCryptoProvider>,
    inbound: Context,
    outbound: Context,
    /// Those whose packets were authentic.
    sources: HashSet<u32>,
    /// A context keeps a state of every source that it is shown, before it knows whether the packet is authentic. Packets of
    /// those that are not known are tried with this one, which is made anew from time to time.
    strangers: Context,
    tried: usize,
}

impl Srtp {
    /// RFC 5764 4.2.
    pub(super) fn new(state: &State, provider: &Arc<dyn RTCCryptoProvider>) -> Result<Self, Broken> {
        let agreed = state.srtp_protection_profile();
        let (_, profile) = PROFILES.into_iter().find(|(known, _)| *known == agreed).ok_or(Broken::NoProfile)?;
        let setup = |error: RtcError| Broken::Setup(error.to_string());
        let mut keys = Keys { profile, ..Keys::default() };
        let material =
            state.export_keying_material(LABEL_EXTRACTOR_DTLS_SRTP, &[], keys.keying_material_len()).map_err(setup)?;
        keys.set_session_keys_from_keying_material(material.as_ref(), state.is_client()).map_err(setup)?;
        let SessionKeys { local_master_key, local_master_salt, .. } = &keys.keys;
        let outbound = Context::new(local_master_key, local_master_salt, profile, None, None, provider.crypto());
        Ok(Self {
            inbound: inbound(&keys, &**provider).map_err(setup)?,
            outbound: outbound.map_err(setup)?,
            sources: HashSet::new(),
            strangers: inbound(&keys, &**provider).map_err(setup)?,
            tried: 0,
            keys,
            provider: Arc::clone(provider),
        })
    }

    /// What is in a packet of this source, if it is authentic and new.
    pub(super) fn open(
        &mut self,
        source: u32,
        decrypt: impl Fn(&mut Context) -> Result<BytesMut, RtcError>,
    ) -> Option<Bytes> {
        if !self.sources.contains(&source) {
            if self.sources.len() >= MAX_SOURCES {
                return None;
            }
            self.tried += 1;
            if self.tried.is_multiple_of(MAX_STRANGERS) {
                self.strangers = inbound(&self.keys, &*self.provider).ok()?;
            }
            decrypt(&mut self.strangers).ok()?;
            self.sources.insert(source);
        }
        decrypt(&mut self.inbound).ok().map(BytesMut::freeze)
    }

    /// A packet of RTCP as it goes out.
    pub(super) fn seal_rtcp(&mut self, packet: &[u8]) -> Option<Bytes> {
        self.outbound.encrypt_rtcp(packet).ok().map(BytesMut::freeze)
    }
}

/// A context that opens what the publisher sends.
fn inbound(keys: &Keys, provider: &dyn RTCCryptoProvider) -> Result<Context, RtcError> {
    let SessionKeys { remote_master_key, remote_master_salt, .. } = &keys.keys;
    let media = Some(srtp_replay_protection(REPLAY_WINDOW));
    let control = Some(srtcp_replay_protection(REPLAY_WINDOW));
    Context::new(remote_master_key, remote_master_salt, keys.profile, media, control, provider.crypto())
}
