//! What the server says.

use super::amf0::{self, Value};
use super::chunk::{self, REPLY_SIZE, kind};

/// Bytes that the client may send before it expects an acknowledgement, as most servers have it.
pub(super) const WINDOW: u32 = 2_500_000;

/// What enhanced tags may carry (Enhanced RTMP v2, "Enhancing `NetConnection` connect Command").
const VIDEO_FOUR_CCS: [&str; 3] = ["avc1", "hvc1", "av01"];
const AUDIO_FOUR_CCS: [&str; 2] = ["mp4a", "Opus"];
/// `FourCcInfoMask.CanForward`
const CAN_FORWARD: f64 = 4.0;
/// `CapsExMask.Multitrack` and `CapsExMask.ModEx`: several tracks are taken, and modifiers parsed, if only to be skipped.
const CAPS_EX: f64 = 6.0;

/// Answers to `connect` (7.2.1.1): window, bandwidth and chunk size, then the result.
pub(super) fn connected(out: &mut Vec<u8>, transaction: f64) {
    const DYNAMIC: u8 = 2;
    control(out, kind::WINDOW_ACK_SIZE, &WINDOW.to_be_bytes());
    let [a, b, c, d] = WINDOW.to_be_bytes();
    control(out, kind::SET_PEER_BANDWIDTH, &[a, b, c, d, DYNAMIC]);
    control(out, kind::SET_CHUNK_SIZE, &REPLY_SIZE.to_be_bytes());
    let properties = object(&[
        ("fmsVer", "FMS/3,0,1,123".into()),
        ("capabilities", Value::Number(31.0)),
        ("fourCcList", Value::Array(VIDEO_FOUR_CCS.into_iter().chain(AUDIO_FOUR_CCS).map(Value::from).collect())),
        ("videoFourCcInfoMap", forwarded(&VIDEO_FOUR_CCS)),
        ("audioFourCcInfoMap", forwarded(&AUDIO_FOUR_CCS)),
        ("capsEx", Value::Number(CAPS_EX)),
    ]);
    let information = object(&[
        ("level", "status".into()),
        ("code", "NetConnection.Connect.Success".into()),
        ("description", "Connection succeeded.".into()),
        ("objectEncoding", Value::Number(0.0)),
    ]);
    command(out, 0, &["_result".into(), Value::Number(transaction), properties, information]);
}

/// The result of a command.
pub(super) fn result(out: &mut Vec<u8>, transaction: f64, value: Value) {
    command(out, 0, &["_result".into(), Value::Number(transaction), Value::Null, value]);
}

/// The answer to a command that is not known.
pub(super) fn unknown(out: &mut Vec<u8>, transaction: f64) {
    let information = information("error", "NetConnection.Call.Failed", "There is no such command.");
    command(out, 0, &["_error".into(), Value::Number(transaction), Value::Null, information]);
}

/// A status of a stream (7.2.2): `level` is `status` or `error`.
pub(super) fn status(out: &mut Vec<u8>, stream: u32, level: &str, code: &str, description: &str) {
    command(out, stream, &["onStatus".into(), Value::Number(0.0), Value::Null, information(level, code, description)]);
}

/// `onFCPublish` or `onFCUnpublish`, as Flash Media Server sends them.
pub(super) fn on_fc(out: &mut Vec<u8>, name: &str, code: &str) {
    command(out, 0, &[name.into(), Value::Number(0.0), Value::Null, information("status", code, "")]);
}

/// The stream is there (7.1.7).
pub(super) fn stream_begin(out: &mut Vec<u8>, stream: u32) {
    let [a, b, c, d] = stream.to_be_bytes();
    control(out, kind::USER_CONTROL, &[0, 0, a, b, c, d]);
}

/// The answer to a ping request (7.1.7).
pub(super) fn ping_response(out: &mut Vec<u8>, timestamp: u32) {
    let [a, b, c, d] = timestamp.to_be_bytes();
    control(out, kind::USER_CONTROL, &[0, 7, a, b, c, d]);
}

/// All bytes received so far, modulo 2^32 (5.4.3).
pub(super) fn acknowledgement(out: &mut Vec<u8>, total: u64) {
    let [_, _, _, _, low @ ..] = total.to_be_bytes();
    control(out, kind::ACKNOWLEDGEMENT, &low);
}

fn information(level: &str, code: &str, description: &str) -> Value {
    object(&[("level", level.into()), ("code", code.into()), ("description", description.into())])
}

fn forwarded(four_ccs: &[&str]) -> Value {
    Value::Object(four_ccs.iter().map(|four_cc| ((*four_cc).to_owned(), Value::Number(CAN_FORWARD))).collect())
}

fn object(properties: &[(&str, Value)]) -> Value {
    Value::Object(properties.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
}

/// 5.4: protocol control messages go on chunk stream 2, message stream 0.
fn control(out: &mut Vec<u8>, kind: u8, payload: &[u8]) {
    chunk::write(out, 2, kind, 0, payload);
}

/// Commands go on chunk stream 3, or 5 for those of a stream, as servers have it.
fn command(out: &mut Vec<u8>, stream: u32, values: &[Value]) {
    let id = if stream == 0 { 3 } else { 5 };
    chunk::write(out, id, kind::COMMAND_AMF0, stream, &amf0::encode(values));
}
