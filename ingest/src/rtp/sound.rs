//! Opus (RFC 7587): a packet in each payload.

use std::time::Instant;

use touchline_media::{Error, Format, opus};

use super::pictures::{AccessUnit, Event};
use super::{Damage, Packet};

#[derive(Debug)]
pub(super) struct Sound {
    config: opus::Config,
    configured: bool,
}

impl Sound {
    pub(super) fn new(channels: u8) -> Result<Self, Error> {
        Ok(Self { config: opus::Config::new(channels)?, configured: false })
    }

    /// By how much the presentation time of a packet is earlier than its RTP timestamp: that is of what went into the encoder.
    pub(super) fn pre_skip(&self) -> i64 {
        self.config.pre_skip.into()
    }

    pub(super) fn push(&mut self, packet: &Packet, received: Instant, events: &mut Vec<Event>) {
        // Padding alone.
        if packet.payload.is_empty() {
            return;
        }
        if let Err(error) = self.config.check(&packet.payload) {
            return events.push(Event::Dropped(Damage::Sound(error)));
        }
        if !std::mem::replace(&mut self.configured, true) {
            events.push(Event::Configuration(Format::Opus(self.config.clone())));
        }
        let (timestamp, data) = (packet.timestamp, packet.payload.clone());
        events.push(Event::Unit(AccessUnit { timestamp, sync: true, data, began: received, received }));
    }
}
