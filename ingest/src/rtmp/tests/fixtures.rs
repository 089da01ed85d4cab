//! Recorded sessions of real clients, held against what an independent reading found in them.

use std::path::PathBuf;

use serde_json::{Value, json};
use touchline_media::{Format, Kind};

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

pub(super) fn expected() -> serde_json::Map<String, Value> {
    serde_json::from_slice(&read("expected.json")).unwrap()
}

/// The recorded clients that send what is taken, one by one.
pub(super) fn playable() -> Vec<String> {
    expected().into_iter().filter(|(_, expected)| is_playable(expected)).map(|(name, _)| name).collect()
}

fn is_playable(expected: &Value) -> bool {
    let is = |track: &Value, codec| track.is_null() || track["codec"] == codec && track["tracks"] == 1;
    is(&expected["video"], "h264") && is(&expected["audio"], "aac")
}

#[derive(Default)]
struct Track {
    format: Option<Format>,
    sequence_headers: usize,
    units: Vec<Unit>,
    dropped: Vec<String>,
}

impl Track {
    fn add(&mut self, demuxer: &mut Demuxer, media: &Media) -> Result<(), Unsupported> {
        self.sequence_headers += usize::from(media.payload.get(1) == Some(&0));
        match demuxer.read(media)? {
            Tag::Configuration(_, format) => {
                self.format.get_or_insert(format);
            }
            Tag::Unit(unit) => self.units.push(unit),
            Tag::Nothing => {}
            Tag::Dropped(damage) => self.dropped.push(damage.to_string()),
        }
        Ok(())
    }

    fn summary(&self) -> Value {
        let (Some(first), Some(last)) = (self.units.first(), self.units.last()) else { return Value::Null };
        let mut summary = match self.format.as_ref().unwrap() {
            Format::Avc(config) => json!({
                "codec": "h264", "width": config.width, "height": config.height,
                "sync_frames": self.units.iter().filter(|unit| unit.sync).count(),
                "bframes": self.units.iter().any(|unit| unit.offset != first.offset),
                "frames_at_first_dts": self.units.iter().take_while(|unit| unit.dts == first.dts).count(),
                "first_pts_ms": first.dts + first.offset,
            }),
            Format::Aac(config) => json!({ "codec": "aac", "rate": config.sample_rate, "channels": config.channels }),
            other => panic!("{other:?}"),
        };
        summary["tracks"] = 1.into();
        summary["frames"] = self.units.len().into();
        summary["sequence_headers"] = self.sequence_headers.into();
        summary["first_dts_ms"] = first.dts.into();
        summary["last_dts_ms"] = last.dts.into();
        summary
    }
}

/// What the server makes of a recording, in the terms of `expected.json`.
fn replay(name: &str) -> Result<Value, Unsupported> {
    let seen = Seen::of_whole(&read(name));
    assert_eq!(seen.error, None, "{name}");
    let (mut demuxer, mut video, mut audio) = (Demuxer::default(), Track::default(), Track::default());
    for media in seen.media() {
        let track = if media.kind == Kind::Video { &mut video } else { &mut audio };
        track.add(&mut demuxer, media)?;
    }
    let Some(Output::Publish(request)) = seen.outputs.first() else { panic!("{name} does not publish") };
    let ending = if seen.outputs.last() == Some(&Output::Unpublish) { "unpublish" } else { "killed" };
    let dropped = [&video.dropped[..], &audio.dropped].concat();
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
        _ => json!([]),
    };
    expected
}

#[test]
fn recorded_clients_give_the_frames_that_they_sent() {
    let names = playable();
    assert!(names.len() >= 15, "{names:?}");
    for name in names {
        assert_eq!(replay(&name).unwrap(), comparable(&name, expected()[&name].clone()), "{name}");
    }
}

#[test]
fn recorded_clients_of_other_codecs_are_refused_in_words() {
    let refused: Vec<String> = expected()
        .into_iter()
        .filter(|(_, expected)| !is_playable(expected))
        .map(|(name, _)| format!("{name}: {}", replay(&name).unwrap_err()))
        .collect();
    assert_eq!(
        refused,
        [
            "ffmpeg-9-enhanced-av1-opus.rtmp: AV1 over enhanced RTMP is not supported yet: set the encoder to H.264",
            "ffmpeg-9-enhanced-hevc-aac.rtmp: HEVC over enhanced RTMP is not supported yet: set the encoder to H.264",
            "ffmpeg-9-enhanced-multitrack.rtmp: a second track of video over enhanced RTMP is not supported yet: \
             set the encoder to H.264",
        ]
    );
}

#[test]
fn a_recording_that_ends_anywhere_is_no_error() {
    let session = read("ffmpeg-5.1-aac-only.rtmp");
    for end in (0..session.len()).step_by(97) {
        assert_eq!(Seen::of_whole(&session[..end]).error, None, "{end}");
    }
}
