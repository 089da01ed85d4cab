use std::time::{Duration, Instant};

use touchline_media::TrackId;
use tracing::debug;

use super::depacketize::Form;
use super::keyframes::Keyframes;
use super::pictures::{Event, Pictures};
use super::reorder::{Next, Reorder};
use super::sound::Sound;
use super::{Codec, Counters, Description, Settings};

/// The most that a missing packet of sound is waited for: a viewer would sooner miss 20 ms than wait, and browsers do not send
/// sound again.
const SOUND_PATIENCE: Duration = Duration::from_millis(150);

/// One stream, from packets to access units.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) track: TrackId,
    pub(super) reorder: Reorder,
    media: Media,
}

#[derive(Debug)]
enum Media {
    Pictures(Box<Pictures>, Keyframes),
    Sound(Sound),
}

impl Stream {
    /// `None` for sound in more channels than Opus has.
    pub(super) fn new(description: &Description, track: TrackId, settings: &Settings) -> Option<Self> {
        let Description { codec, nack, pli, parameter_sets } = description;
        let pictures = |form| {
            let keyframes = Keyframes::new(settings.keyframe_interval, *pli);
            Media::Pictures(Box::new(Pictures::new(form, parameter_sets)), keyframes)
        };
        let (patience, media) = match *codec {
            Codec::H264 => (settings.patience, pictures(Form::H264)),
            Codec::H265 => (settings.patience, pictures(Form::H265)),
            Codec::Av1 => (settings.patience, pictures(Form::Av1)),
            Codec::Opus { channels } => {
                (settings.patience.min(SOUND_PATIENCE), Media::Sound(Sound::new(channels).ok()?))
            }
        };
        Some(Self { track, reorder: Reorder::new(patience, *nack), media })
    }

    pub(super) fn round_trip(&mut self, round_trip: Duration) {
        self.reorder.round_trip(round_trip);
        if let Media::Pictures(_, keyframes) = &mut self.media {
            keyframes.round_trip(round_trip);
        }
    }

    /// For [`super::clock`].
    pub(super) fn pre_skip(&self) -> i64 {
        match &self.media {
            Media::Pictures(..) => 0,
            Media::Sound(sound) => sound.pre_skip(),
        }
    }

    /// What has become whole by `now`.
    pub(super) fn advance(&mut self, now: Instant, counters: &mut Counters) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(next) = self.reorder.poll(now, counters) {
            match &mut self.media {
                Media::Pictures(pictures, keyframes) => {
                    let before = events.len();
                    let gap = next == Next::Gap;
                    match next {
                        Next::Packet(packet, received) => pictures.push(&packet, received, &mut events),
                        Next::Gap => pictures.lose(),
                    }
                    let mut new = events.iter().skip(before);
                    if new.clone().any(Event::is_keyframe)
                        && let Some(answer) = keyframes.came(now)
                    {
                        debug!("a keyframe has come {answer:?} after it was asked for");
                        counters.keyframe_answer = Some(answer);
                    }
                    // The first picture is a keyframe as a rule, and comes without being asked for.
                    if pictures.awaits_keyframe() && (gap || new.any(|event| matches!(event, Event::Dropped(_)))) {
                        keyframes.need(now);
                    }
                }
                Media::Sound(sound) => match next {
                    Next::Packet(packet, received) => sound.push(&packet, received, &mut events),
                    // Decoders conceal it.
                    Next::Gap => {}
                },
            }
        }
        events
    }

    /// What still waits, where nothing more comes.
    pub(super) fn finish(&mut self, now: Instant, counters: &mut Counters) -> Vec<Event> {
        self.reorder.wait_no_more();
        let mut events = self.advance(now, counters);
        if let Media::Pictures(pictures, _) = &mut self.media {
            pictures.finish(&mut events);
        }
        events
    }

    /// Whether a keyframe is to be asked for now.
    pub(super) fn asks_for_keyframe(&mut self, now: Instant) -> bool {
        match &mut self.media {
            Media::Pictures(_, keyframes) => keyframes.ask(now),
            Media::Sound(_) => false,
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let keyframe = match &self.media {
            Media::Pictures(_, keyframes) => keyframes.due(),
            Media::Sound(_) => None,
        };
        self.reorder.poll_timeout().into_iter().chain(keyframe).min()
    }
}
