//! Which ladder a channel gets.

use std::time::Duration;

use touchline_media::MediaTime;

use crate::Notice;
use crate::cost::{Budget, Costs, Millicores, Reservation, affordable};
use crate::plan::{Audio, AudioRung, Codec, Encoder, Keys, Plan, Video, VideoRung};
use crate::rendition::{Made, Rendition};
use crate::rung::{self, Bitrate, Ladder, MAX_AUDIO_RUNGS, MAX_RUNGS, Profile, Rung, USUAL_AUDIO};
use crate::source::Source;

/// The number of the rendition that takes the place of the source; the others count from 0.
const TOP_STREAM: u8 = 15;
/// The renditions of sound are numbered from here.
const FIRST_AUDIO_STREAM: u8 = 16;
/// In pixels.
const THUMBNAIL_HEIGHT: u32 = 180;
/// What is decoded where nothing was measured: more than any codec takes.
const UNMEASURED: Costs = Costs { encode_ns_per_pixel: 15.0, scale_ns_per_pixel: 6.0, decode_ns_per_pixel: 6.0 };

/// What an operator has set for a channel's ladder.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Its rungs.
    pub profile: Profile,
    /// Whether the source is passed through as the top rendition.
    pub passthrough: Passthrough,
    /// The only encoder to use; `None`: the best that works.
    pub encoder: Option<Encoder>,
    /// How far apart IDRs are where the source does not say, and what a source is advised to keep to.
    pub keyframe_interval: Duration,
    /// How far apart the keyframes of a source may be that is passed through.
    pub keyframe_limit: Duration,
}

impl Settings {
    /// What the pictures of the ladder are to be.
    fn codec(&self) -> Codec {
        match (&self.profile, self.encoder) {
            (_, Some(encoder)) => encoder.codec(),
            (Profile::Own(ladder), None) if ladder.hevc => Codec::H265,
            _ => Codec::H264,
        }
    }
}

/// Whether a source is passed through as the top rendition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passthrough {
    /// Unless its keyframes are too far apart.
    Auto,
    /// Whatever its keyframes are.
    Always,
    /// Never: it is encoded anew.
    Never,
}

/// What this machine can do.
#[derive(Debug, Clone)]
pub struct Abilities {
    /// The encoders that work and what they cost, the most wanted first.
    pub encoders: Vec<(Encoder, Costs)>,
    /// Whether all have been tried.
    pub complete: bool,
    /// What the machine can carry.
    pub budget: Budget,
}

impl Abilities {
    /// What an encoder costs.
    fn costs(&self, encoder: Encoder) -> Costs {
        self.encoders.iter().find(|(known, _)| *known == encoder).map_or(UNMEASURED, |(_, costs)| *costs)
    }

    /// Whether a ladder can be chosen: an encoder for it is known, or there will be none, or none is wanted.
    pub(crate) fn suffice(&self, settings: &Settings) -> bool {
        self.complete || settings.profile == Profile::Off || self.best(settings, settings.codec(), &[]).is_some()
    }

    /// The most wanted encoder that has not failed.
    fn best(&self, settings: &Settings, codec: Codec, failed: &[Encoder]) -> Option<Encoder> {
        let may = |encoder: &Encoder| match settings.encoder {
            Some(only) => *encoder == only,
            None => encoder.codec() == codec,
        };
        let known = self.encoders.iter().map(|(encoder, _)| *encoder);
        known.filter(|encoder| !failed.contains(encoder)).find(may)
    }
}

/// A channel's ladder.
#[derive(Debug)]
pub(crate) struct Choice {
    /// Pictures, highest first, then sound.
    pub(crate) renditions: Vec<Rendition>,
    /// Whether the pictures of the source are no rendition themselves.
    pub(crate) replaces_source: bool,
    /// Whether sound is made even where no pictures are.
    needs_sound: bool,
    /// What makes the pictures.
    pub(crate) encoder: Option<Encoder>,
    /// What has failed.
    failed: Vec<Encoder>,
    /// What it takes of the machine, while it lasts.
    reservation: Option<Reservation>,
}

impl Choice {
    /// The ladder for a source, and what to tell of it.
    pub(crate) fn make(settings: &Settings, abilities: &Abilities, source: &Source) -> (Self, Vec<Notice>) {
        let none = Self {
            renditions: Vec::new(),
            replaces_source: false,
            needs_sound: source.needs_sound(),
            encoder: None,
            failed: Vec::new(),
            reservation: None,
        };
        let pictures = source.pictures();
        let ladder = pictures.and_then(|pictures| Some((pictures, settings.profile.ladder(&pictures)?)));
        let (mut choice, mut notices) = match ladder {
            Some((pictures, ladder)) => none.with_pictures(settings, abilities, &pictures, &ladder),
            None => (none, Vec::new()),
        };
        let rates = choice.sound(settings, source);
        let sound = (FIRST_AUDIO_STREAM..).zip(&rates);
        choice.renditions.extend(sound.map(|(stream, &bitrate)| Rendition::new(stream, Made::Audio { bitrate })));
        if choice.needs_sound {
            notices.push(Notice::Sound { rates });
        }
        (choice, notices)
    }

    /// Chooses the pictures of a ladder.
    fn with_pictures(
        self,
        settings: &Settings,
        abilities: &Abilities,
        pictures: &rung::Source,
        ladder: &Ladder,
    ) -> (Self, Vec<Notice>) {
        let Some(encoder) = abilities.best(settings, settings.codec(), &[]) else {
            return (self, vec![Notice::NoEncoder]);
        };
        let costs = abilities.costs(encoder);
        let top = (settings.passthrough == Passthrough::Never).then(|| ladder.top(pictures));
        let below = ladder.below(pictures).into_iter().take(MAX_RUNGS - 1);
        let wanted: Vec<Rung> = top.into_iter().chain(below).collect();

        let (cost, left) = (costs.of(pictures, &wanted), abilities.budget.left());
        let mut notices = Vec::new();
        let mut rungs = wanted.clone();
        if cost > left && settings.profile == Profile::Auto {
            rungs = affordable(&costs, pictures, &wanted, left);
            let gone = wanted.len() - rungs.len();
            notices.push(Notice::LeftOut { rungs: wanted.get(..gone).unwrap_or_default().to_vec(), cost, left });
        } else if cost > left {
            notices.push(Notice::Daring { cost, left });
        }
        // Where the top does not fit, the source as it is is better than none.
        let replaces_source = top.is_some_and(|top| rungs.first() == Some(&top));
        let cost = costs.of(pictures, &rungs);
        let used = (!rungs.is_empty()).then_some(encoder);
        notices.push(Notice::Chosen { rungs: rungs.clone(), encoder: used, cost, passthrough: !replaces_source });
        let reservation = (!rungs.is_empty()).then(|| abilities.budget.insist(cost));
        // The top that replaces the source may come and go: the numbers of the others do not depend on it.
        let streams = replaces_source.then_some(TOP_STREAM).into_iter().chain(0..);
        let renditions = streams.zip(&rungs);
        let renditions =
            renditions.map(|(stream, &rung)| Rendition::new(stream, made(rung, pictures, encoder.codec()))).collect();
        (Self { renditions, replaces_source, encoder: used, reservation, ..self }, notices)
    }

    /// What is made of the sound, beside the pictures that have been chosen.
    fn sound(&self, settings: &Settings, source: &Source) -> Vec<Bitrate> {
        let ladder = source.pictures().and_then(|pictures| settings.profile.ladder(&pictures));
        let rates = ladder.map_or(USUAL_AUDIO.to_vec(), |ladder| ladder.audio);
        let rates = rates.into_iter().take(MAX_AUDIO_RUNGS);
        // Sound for rungs that are not there is no use.
        let all = !self.renditions.is_empty() || source.pictures().is_none();
        match &source.audio {
            Some(_) if self.needs_sound => rates.take(if all { MAX_AUDIO_RUNGS } else { 1 }).collect(),
            // The first is the source's own.
            Some(_) if !self.renditions.is_empty() => rates.skip(1).collect(),
            _ => Vec::new(),
        }
    }

    /// Makes a rendition of the source's size in place of the source, as the top one, if the machine can carry it.
    pub(crate) fn replace_source(&mut self, settings: &Settings, abilities: &Abilities, source: &Source) -> bool {
        let (Some(pictures), Some(encoder)) = (source.pictures(), self.encoder) else { return false };
        let Some(ladder) = settings.profile.ladder(&pictures) else { return false };
        let top = ladder.top(&pictures);
        let rungs = self.at_work().filter_map(|rendition| match rendition.made {
            Made::Video { rung, .. } => Some(rung),
            Made::Audio { .. } => None,
        });
        let rungs: Vec<Rung> = std::iter::once(top).chain(rungs).collect();
        let cost = abilities.costs(encoder).of(&pictures, &rungs);
        let before = self.reservation.take();
        let fits = before.as_ref().map_or(Millicores(0), Reservation::cost).0 + abilities.budget.left().0 >= cost.0;
        if !fits && settings.profile == Profile::Auto {
            self.reservation = before;
            return false;
        }
        drop(before);
        self.reservation = Some(abilities.budget.insist(cost));
        self.renditions.insert(0, Rendition::new(TOP_STREAM, made(top, &pictures, encoder.codec())));
        self.replaces_source = true;
        true
    }

    /// The renditions that are made.
    pub(crate) fn at_work(&self) -> impl Iterator<Item = &Rendition> {
        self.renditions.iter().filter(|rendition| !rendition.given_up)
    }

    /// Whether the decoder configurations of all renditions have been seen.
    pub(crate) fn is_known(&self) -> bool {
        self.at_work().all(|rendition| rendition.format().is_some())
    }

    /// The rendition with this number.
    pub(crate) fn find(&mut self, stream: u8) -> Option<&mut Rendition> {
        self.renditions.iter_mut().find(|rendition| rendition.stream == stream)
    }

    /// A new publisher, a new chance.
    pub(crate) fn renew(&mut self) {
        self.failed.clear();
        for rendition in &mut self.renditions {
            // What players have not been told of stays out: the renditions of a channel are fixed.
            rendition.given_up &= rendition.format().is_none();
        }
    }

    /// What a worker has to do, from where the renditions are; `None` where there is nothing.
    ///
    /// `grid` is the PTS of an IDR that others follow at the distance that is set, once there has been one.
    pub(crate) fn plan(&self, source: &Source, settings: &Settings, grid: Option<i64>) -> Option<Plan> {
        let (video, audio) = (self.video_plan(source, settings, grid), self.audio_plan(source));
        (video.is_some() || audio.is_some()).then_some(Plan { video, audio })
    }

    fn video_plan(&self, source: &Source, settings: &Settings, grid: Option<i64>) -> Option<Video> {
        let (encoder, track, pictures) = (self.encoder?, source.video.as_ref()?, source.pictures()?);
        let keys = if self.replaces_source {
            let every = MediaTime::from_duration(settings.keyframe_interval, track.timescale).ticks();
            Keys::Every { ticks: u32::try_from(every).unwrap_or(u32::MAX), from: grid }
        } else {
            Keys::Source
        };
        let rungs = self.at_work().filter_map(|&Rendition { stream, made, newest: after, .. }| match made {
            Made::Video { rung, width, .. } => {
                let (height, bitrate) = (rung.height, rung.bitrate.0);
                Some(VideoRung { stream, encoder, width, height, bitrate, after })
            }
            Made::Audio { .. } => None,
        });
        let video = Video {
            source: Source::planned(track)?,
            width: pictures.width,
            height: pictures.height,
            frame_ticks: track.frame_ticks,
            keys,
            rungs: rungs.collect(),
            thumbnail: Some(THUMBNAIL_HEIGHT),
        };
        (!video.rungs.is_empty()).then_some(video)
    }

    fn audio_plan(&self, source: &Source) -> Option<Audio> {
        let track = source.audio.as_ref()?;
        let rungs = self.at_work().filter_map(|&Rendition { stream, made, newest: after, .. }| match made {
            Made::Audio { bitrate } => Some(AudioRung { stream, bitrate: bitrate.0, after }),
            Made::Video { .. } => None,
        });
        let (channels, rungs) = (Source::channels(track), rungs.collect());
        let audio = Audio { source: Source::planned(track)?, channels, rungs };
        (!audio.rungs.is_empty()).then_some(audio)
    }

    /// Another encoder, or where there is none a smaller ladder. Returns what to tell of it.
    pub(crate) fn demote(&mut self, settings: &Settings, abilities: &Abilities) -> Notice {
        let pictures = self.at_work().any(Rendition::is_video);
        if let Some(from) = self.encoder.filter(|_| pictures) {
            self.failed.push(from);
            if let Some(to) = abilities.best(settings, from.codec(), &self.failed) {
                self.encoder = Some(to);
                return Notice::OtherEncoder { from, to };
            }
        }
        let top = self.renditions.iter_mut().find(|rendition| !rendition.given_up);
        let Some(top) = top else { return Notice::GivenUp { rung: "the ladder".into() } };
        let rung = top.name();
        top.given_up = true;
        if std::mem::take(&mut self.replaces_source) {
            // The source takes its place again.
            self.renditions.remove(0);
        }
        if self.at_work().all(|rendition| !rendition.is_video()) {
            self.renditions.iter_mut().for_each(|rendition| rendition.given_up |= !self.needs_sound);
            self.reservation = None;
        }
        Notice::GivenUp { rung }
    }

    /// Gives up the renditions that have not come in time to be known. Returns their names.
    pub(crate) fn give_up_unknown(&mut self) -> Vec<String> {
        let unknown =
            self.renditions.iter_mut().filter(|rendition| !rendition.given_up && rendition.format().is_none());
        unknown
            .map(|rendition| {
                rendition.given_up = true;
                rendition.name()
            })
            .collect()
    }
}

fn made(rung: Rung, pictures: &rung::Source, codec: Codec) -> Made {
    Made::Video { rung, width: pictures.width_at(rung.height), codec }
}
