//! Offers of real encoders, and what becomes of others.

use proptest::prelude::*;

use crate::rtp::Codec;
use crate::webrtc::answer::{self, Ours};
use crate::webrtc::candidate::Reachable;
use crate::webrtc::ice::Credentials;
use crate::webrtc::offer::{MAX_OFFER, MAX_SECTIONS, Malformed, Proposal, judge};
use crate::webrtc::secure::Role;
use crate::webrtc::{NoCodec, Refusal};

use super::live::{PPS, SPS};

const CHROMIUM: &str = include_str!("../../../../fixtures/whip/chromium-156.sdp");
const FFMPEG: &str = include_str!("../../../../fixtures/whip/ffmpeg-9.sdp");
const AIORTC: &str = include_str!("../../../../fixtures/whip/aiortc-1.16.sdp");

fn answer(sdp: &str) -> String {
    let proposal = Proposal::parse(sdp).unwrap();
    let local = Credentials { ufrag: "ours".into(), password: "our password of 24 chars".into() };
    let reachable = Reachable { addresses: vec!["203.0.113.7:8189".parse().unwrap()], tcp: true };
    let ours = Ours { local: &local, fingerprint: "sha-256 00:11", reachable: &reachable, number: 7 };
    answer::write(&proposal, &ours).replace("\r\n", "\n")
}

#[test]
fn chromium_is_answered() {
    insta::assert_snapshot!(answer(CHROMIUM));
}

#[test]
fn ffmpeg_is_answered_as_the_passive_side_of_dtls() {
    assert_eq!(Proposal::parse(FFMPEG).unwrap().role, Role::Client);
    insta::assert_snapshot!(answer(FFMPEG));
}

#[test]
fn aiortc_is_answered() {
    insta::assert_snapshot!(answer(AIORTC));
}

#[test]
fn what_is_not_taken_keeps_its_place() {
    let extra = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:2\r\n";
    let again =
        CHROMIUM.replace("BUNDLE 0 1", "BUNDLE 0 1 2 3") + extra + "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:3\r\n";
    let answer = answer(&again);
    let tail = answer.split_once("m=application").unwrap().1;
    insta::assert_snapshot!(format!("m=application{tail}"), @r"
    m=application 0 UDP/DTLS/SCTP webrtc-datachannel
    c=IN IP4 0.0.0.0
    a=inactive
    a=mid:2
    m=video 0 UDP/TLS/RTP/SAVPF 96
    c=IN IP4 0.0.0.0
    a=inactive
    a=mid:3
    ");
    assert!(answer.contains("a=group:BUNDLE 0 1\n"));
}

#[test]
fn h264_is_liked_better_than_hevc_and_that_better_than_av1() {
    let video = |sdp: &str| Proposal::parse(sdp).unwrap().media().next().unwrap().codec;
    assert_eq!(video(CHROMIUM), Codec::H264);
    let without = CHROMIUM.replace("H264/90000", "VP8/90000");
    assert_eq!(video(&without), Codec::Av1);
    // Listed after AV1.
    assert_eq!(video(&without.replacen("VP9/90000", "H265/90000", 1)), Codec::H265);
    let modes = CHROMIUM.replace("packetization-mode=1", "packetization-mode=0");
    assert_eq!(video(&modes), Codec::H264);
}

#[test]
fn parameter_sets_that_an_offer_tells_of_are_taken_and_not_repeated() {
    let parameters = "profile-level-id=42001f";
    let avc = "sprop-parameter-sets=Z2QADazZQUGfnwEQAAADABAAAAMDwPFCmWA=,aO+Pyw==";
    let told = CHROMIUM.replace(parameters, &format!("{avc}; {parameters}"));
    assert_eq!(answer(&told), answer(CHROMIUM));
    let sets = |sdp: &str| Proposal::parse(sdp).unwrap().media().next().unwrap().parameter_sets.clone();
    assert_eq!(sets(&told), [SPS, PPS]);
    assert_eq!(sets(&told.replace("==", "")), [SPS], "what is no base64 is passed over");
    let hevc = CHROMIUM.replace("H264/90000", "VP8/90000").replacen("VP9/90000", "H265/90000", 1);
    let hevc = hevc.replace("profile-id=0", "sprop-pps=RAE=;sprop-sps=QgE=,QgE=;sprop-vps=QAE=;level-id=93");
    assert_eq!(sets(&hevc), [b"\x40\x01", b"\x42\x01", b"\x42\x01", b"\x44\x01"]);
    assert!(answer(&hevc).contains("\na=fmtp:98 level-id=93\n"), "{}", answer(&hevc));
}

#[test]
fn sound_alone_and_pictures_alone_are_taken() {
    let (pictures, sound) = (CHROMIUM.split("m=audio").next().unwrap(), FFMPEG.split("m=video").next().unwrap());
    assert_eq!(Proposal::parse(pictures).unwrap().media().count(), 1);
    let codecs: Vec<_> = Proposal::parse(sound).unwrap().media().map(|media| media.codec).collect();
    assert_eq!(codecs, [Codec::Opus { channels: 2 }]);
}

#[test]
fn offers_that_cannot_be_served_are_refused_in_words() {
    let many = CHROMIUM.to_owned() + &"m=video 0 UDP/TLS/RTP/SAVPF 96\r\n".repeat(MAX_SECTIONS);
    let cases = [
        (String::new(), Malformed::NoMedia),
        ("{\"sdp\": 1}".into(), Malformed::Line(1)),
        (CHROMIUM.replace("sendonly", "recvonly"), Malformed::NoMedia),
        (CHROMIUM.replace("a=group:BUNDLE 0 1\r\n", ""), Malformed::Attribute("group:BUNDLE")),
        (CHROMIUM.replace("a=rtcp-mux\r\n", ""), Malformed::Attribute("rtcp-mux")),
        (CHROMIUM.replace("a=ice-ufrag", "a=x"), Malformed::Attribute("ice-ufrag")),
        (CHROMIUM.replace("a=ice-pwd", "a=x"), Malformed::Attribute("ice-pwd")),
        (CHROMIUM.replace("sha-256", "sha-1"), Malformed::Attribute("fingerprint")),
        (CHROMIUM.replace("a=setup:actpass", "a=setup:holdconn"), Malformed::Attribute("setup")),
        (CHROMIUM.replace("a=mid:0", "a=mid:\u{7}"), Malformed::Line(16)),
        (many, Malformed::Sections),
        ("a=x\r\n".repeat(MAX_OFFER), Malformed::Length(MAX_OFFER * 5)),
    ];
    for (sdp, why) in cases {
        assert_eq!(judge(&sdp), Err(Refusal::Malformed(why)));
    }
}

#[test]
fn an_offer_of_other_codecs_is_told_which_are_taken() {
    let offered = CHROMIUM.replace("H264/90000", "VP8/90000").replace("AV1/90000", "VP9/90000");
    let Err(Refusal::NoCodec(why)) = judge(&offered) else { panic!("nothing can be taken") };
    insta::assert_snapshot!(
        why,
        @"no video codec that is offered can be taken: offered are VP8, VP9, taken H264, H265 and AV1. Choose one of these in the encoder"
    );
    let surround = CHROMIUM.replace("opus/48000/2", "multiopus/48000/6");
    assert!(matches!(judge(&surround), Err(Refusal::NoCodec(NoCodec { kind: "audio", .. }))));
}

proptest! {
    #[test]
    fn no_offer_panics(sdp in "(([a-z]=)?[ -~]{0,40}\r?\n){0,20}") {
        let _ = judge(&sdp);
    }

    #[test]
    fn no_change_of_a_real_offer_panics(at in 0..CHROMIUM.len(), length in 0..400_usize, with in "[ -~\r\n]{0,12}") {
        let end = (at + length).min(CHROMIUM.len());
        let changed = format!("{}{with}{}", &CHROMIUM[..at], &CHROMIUM[end..]);
        if let Ok(proposal) = Proposal::parse(&changed) {
            prop_assert!(proposal.media().count() > 0);
            let _ = answer(&changed);
        }
    }
}
