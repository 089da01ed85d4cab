use chrono::{DateTime, SecondsFormat};
use serde::{Deserialize, Serialize};
use touchline_packager::{Epoch, Media};

use crate::channel::Channel;
use crate::request;

/// A channel in the list of those that are live: one entry of `/channels.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Listing {
    /// Its name.
    pub name: String,
    /// When it opened: RFC 3339, UTC.
    pub since: String,
    /// Width of its first video rendition in pixels.
    pub width: Option<u32>,
    /// Height of its first video rendition in pixels.
    pub height: Option<u32>,
    /// Frames per second of its first video rendition, to three decimals, where the source keeps a constant grid.
    pub frame_rate: Option<f64>,
    /// The RFC 6381 strings of all renditions, each once.
    pub codecs: Vec<String>,
    /// The path of its thumbnail, once there is one.
    pub thumbnail: Option<String>,
}

impl Listing {
    pub(crate) fn of(channel: &Channel) -> Self {
        let codings = channel.codings();
        let mut codecs: Vec<String> = Vec::with_capacity(codings.len());
        for coding in &codings {
            if !codecs.contains(&coding.codec) {
                codecs.push(coding.codec.clone());
            }
        }
        let video = codings.iter().find_map(|coding| match coding.media {
            Media::Video { width, height, frame_rate } => Some((width, height, frame_rate)),
            Media::Audio { .. } => None,
        });
        Self {
            name: channel.name().to_string(),
            since: rfc3339(channel.presentation().epoch),
            width: video.map(|(width, ..)| width),
            height: video.map(|(_, height, _)| height),
            frame_rate: video.and_then(|(.., rate)| rate).map(|rate| (rate.as_f64() * 1_000.0).round() / 1_000.0),
            codecs,
            thumbnail: channel.thumbnail().is_ok().then(|| request::thumbnail(channel.name())),
        }
    }
}

fn rfc3339(epoch: Epoch) -> String {
    let millis = i64::try_from(epoch.0).unwrap_or(i64::MAX);
    DateTime::from_timestamp_millis(millis).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Secs, true)
}
