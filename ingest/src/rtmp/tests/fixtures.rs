//! Recorded sessions of real clients, held against what an independent reading found in them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::{Value, json};
use touchline_media::{Format, Kind, TrackId};

use super::super::flv::{Demuxer, Tag, Unsupported};
use super::super::{Media, Output};
use super::Seen;
use crate::intake::Unit;

fn path(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "fixtures", name].iter().collect()
}

pub(super) fn read(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).unwrap()
}

/// The recorded clients, and what they send.
pub(super) fn served() -> impl Iterator<Item = (String, Value)> {
    let expected: serde_json::Map<String, Value> = serde_json::from_slice(&read("expected.json")).unwrap();
    expected.into_iter()
}

/// The tracks of pictures, or of sound.
#[derive(Default)]
struct Tracks {
    /// Of the first one.
    format: Option<Format>,
    /// Of the first one.
    sequence_headers: usize,
    units: BTreeMap<TrackId, Vec<Unit>>,
    dropped: BTreeSet<String>,
}

impl Tracks {
    fn add(&mut self, demuxer: &mut Demuxer, media: &Media) -> Result<(), Unsupported> {
        self.sequence_headers += usize::from(is_sequence_header(media));
        for tag in demuxer.read(media)? {
            match tag {
                Tag::Configuration(_, format) => {
                    self.format.get_or_insert(format);
                }
                Tag::Unit(unit) => self.units.entry(unit.track).or_default().push(unit),
                Tag::Dropped(damage) => {
                    self.dropped.insert(damage.to_string());
                }
            }
        }
        Ok(())
    }

    fn summary(&self) -> Value {
        let Some(units) = self.units.values().next() else { return Value::Null };
        let (Some(first), Some(last)) = (units.first(), units.last()) else { return Value::Null };
        let alike = self.units.values().all(|others| others.len() == units.len());
        assert!(alike, "every track of a client has as many frames");
        let format = self.format.as_ref().unwrap();
        let codec = match format {
            Format::Avc(_) => "h264",
            Format::Hevc(_) => "hevc",
            Format::Av1(_) => "av1",
            Format::Opus(_) => "opus",
            _ => "aac",
        };
        let mut summary = match (format, format.picture_size()) {
            (_, Some((width, height))) => json!({
                "width": width, "height": height,
                "sync_frames": units.iter().filter(|unit| unit.sync).count(),
                "bframes": units.iter().any(|unit| unit.offset != first.offset),
                "frames_at_first_dts": units.iter().take_while(|unit| unit.dts == first.dts).count(),
                "first_pts_ms": first.dts + first.offset,
            }),
            (Format::Aac(config), _) => json!({ "rate": config.sample_rate, "channels": config.channels }),
            (Format::Opus(config), _) => json!({ "rate": 48_000, "channels": config.channels }),
            other => panic!("{other:?}"),
        };
        summary["codec"] = codec.into();
        summary["tracks"] = self.units.len().into();
        summary["frames"] = units.len().into();
        summary["sequence_headers"] = self.sequence_headers.into();
        summary["first_dts_ms"] = first.dts.into();
        summary["last_dts_ms"] = last.dts.into();
        summary
    }
}

/// Of the first track.
fn is_sequence_header(media: &Media) -> bool {
    match (media.kind, &media.payload[..]) {
        (Kind::Video, [first @ 0x80..=0xff, ..]) | (Kind::Audio, [first @ 0x90..=0x9f, ..]) => {
            matches!(first & 0x0f, 0)
        }
        (_, [_, packet_type, ..]) => *packet_type == 0,
        _ => false,
    }
}

/// What the server makes of a recording, in the terms of `expected.json`.
fn replay(name: &str) -> Result<Value, Unsupported> {
    let seen = Seen::of_whole(&read(name));
    assert_eq!(seen.error, None, "{name}");
    let (mut demuxer, mut video, mut audio) = (Demuxer::default(), Tracks::default(), Tracks::default());
    for media in seen.media() {
        let track = if media.kind == Kind::Video { &mut video } else { &mut audio };
        track.add(&mut demuxer, media)?;
    }
    let Some(Output::Publish(request)) = seen.outputs.first() else { panic!("{name} does not publish") };
    let ending = if seen.outputs.last() == Some(&Output::Unpublish) { "unpublish" } else { "killed" };
    let dropped: Vec<&String> = video.dropped.iter().chain(&audio.dropped).collect();
    Ok(json!({
        "app": request.app, "stream_key": request.stream.0, "ending": ending, "dropped": dropped,
        "video": video.summary(), "audio": audio.summary(),
    }))
}

/// Leaves out what cannot be told from single units, and expects nothing to be dropped but what is known to be of no use.
fn comparable(name: &str, mut expected: Value) -> Value {
    if let Some(video) = expected["video"].as_object_mut() {
        video.retain(|name, _| name != "frame_rate" && name != "gop");
    }
    let kept = ["app", "stream_key", "ending", "video", "audio"];
    expected.as_object_mut().unwrap().retain(|name, _| kept.contains(&name.as_str()));
    expected["dropped"] = match name {
        // Its first sequence header is empty; the real one comes with the first frame.
        "ffmpeg-5.1-copied-from-mpegts.rtmp" => json!(["AudioSpecificConfig is cut short: 0 bytes"]),
        "ffmpeg-9-enhanced-av1-opus.rtmp" => json!(["AV1CodecConfigurationRecord is cut short: 0 bytes"]),
        _ => json!([]),
    };
    expected
}

#[test]
fn recorded_clients_give_the_frames_that_they_sent() {
    for (name, expected) in served() {
        assert_eq!(replay(&name).unwrap(), comparable(&name, expected), "{name}");
    }
}

#[test]
fn a_recording_that_ends_anywhere_is_no_error() {
    let session = read("ffmpeg-5.1-aac-only.rtmp");
    for end in (0..session.len()).step_by(97) {
        assert_eq!(Seen::of_whole(&session[..end]).error, None, "{end}");
    }
}
