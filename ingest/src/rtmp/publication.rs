use std::collections::BTreeSet;
use std::time::Instant;

use touchline_media::timeline::Clock;
use touchline_media::{FrameRate, Kind, feed};
use tracing::{info, warn};

use super::Media;
use super::flv::{Damage, Demuxer, Tag, Unsupported};
use super::message::Metadata;
use crate::health::{Publisher, Seat};
use crate::{Intake, Metrics, Roster};

/// What a publisher sends, from being accepted to leaving.
pub(super) struct Publication {
    demuxer: Demuxer,
    intake: Intake,
    declared_rate: Option<FrameRate>,
    /// What has been logged: each kind of damage, and the encoder's name, once.
    told: BTreeSet<&'static str>,
    _seat: Seat,
}

impl Publication {
    pub(super) fn new(writer: feed::Writer, who: Publisher, roster: &Roster) -> Self {
        let intake = Intake::new(writer);
        let seat = roster.enter(who, intake.health(), Instant::now());
        Self { demuxer: Demuxer::default(), intake, declared_rate: None, told: BTreeSet::new(), _seat: seat }
    }

    pub(super) fn on_metadata(&mut self, metadata: Metadata) {
        // Some encoders repeat their metadata all the time.
        if let Some(encoder) = metadata.encoder
            && self.told.insert("encoder")
        {
            info!("the encoder is {encoder}");
        }
        self.declared_rate = metadata.frame_rate;
        self.intake.expect(metadata.video, metadata.audio);
    }

    pub(super) fn on_media(&mut self, media: &Media, metrics: &Metrics) -> Result<(), Unsupported> {
        for tag in self.demuxer.read(media)? {
            self.on_tag(tag, media.kind, metrics);
        }
        if self.demuxer.has_open_groups() && self.told.insert("open_groups") {
            warn!(
                "groups of pictures are open: who starts at a keyframe or changes renditions there misses the pictures that \
                 are shown before it; set the encoder to closed ones (x265: open-gop=0)"
            );
        }
        for notice in self.intake.notices() {
            info!("{notice}");
        }
        Ok(())
    }

    fn on_tag(&mut self, tag: Tag, kind: Kind, metrics: &Metrics) {
        let kind = match kind {
            Kind::Video => "video",
            Kind::Audio => "audio",
        };
        match tag {
            Tag::Configuration(track, format) => {
                let rate = self.declared_rate.filter(|_| format.kind() == Kind::Video);
                self.intake.configure(track, Clock::RTMP, format, rate);
            }
            Tag::Unit(unit) => {
                metrics.received(kind);
                self.intake.push(unit);
            }
            Tag::Dropped(damage) => {
                metrics.dropped(damage.label(), 1);
                if matches!(damage, Damage::AudioCodec(_)) && !self.demuxer.has_sound() {
                    // Nobody has to wait for it.
                    self.intake.expect(true, false);
                }
                if self.told.insert(damage.label()) {
                    warn!("drops {kind}: {damage}");
                }
            }
        }
    }

    /// Whether another publisher has taken its place.
    pub(super) fn is_evicted(&self) -> bool {
        self.intake.is_evicted()
    }

    /// What the connection has come to.
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    pub(super) fn link(&self, messages: u64, buffered: usize) {
        self.intake.health().link([("messages", messages as f64), ("buffered_bytes", buffered as f64)]);
    }

    pub(super) fn finish(self) {
        for notice in self.intake.finish() {
            info!("{notice}");
        }
    }
}
