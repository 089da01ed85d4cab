//! A JPEG of the newest picture that is due to be an IDR.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use gstreamer as gst;
use gstreamer_app::AppSinkCallbacks;
use touchline_transcode::message::{Answer, Fault};
use touchline_transcode::plan;

use crate::chain::{self, Chain};
use crate::link::Answers;

/// The least time from one to the next.
const INTERVAL: Duration = Duration::from_secs(1);
const QUALITY: &str = "75";

/// Makes them, one at a time: a picture that comes while one is being made gets none.
pub(crate) struct Thumbnails {
    chain: Chain,
    busy: Arc<AtomicBool>,
    next: Duration,
}

impl Thumbnails {
    /// `None`, with a line for people, where the platform cannot: a channel does without.
    pub(crate) fn start(plan: &plan::Video, height: u32, answers: &Answers) -> Option<Self> {
        let busy = Arc::new(AtomicBool::new(false));
        match start(plan, height, answers, &busy) {
            Ok(chain) => Some(Self { chain, busy, next: Duration::ZERO }),
            Err(fault) => {
                eprintln!("there will be no thumbnails: {}", fault.reason);
                None
            }
        }
    }

    /// Says what the pictures are that follow.
    pub(crate) fn follow(&self, caps: &gst::Caps) {
        self.chain.source.set_caps(Some(caps));
    }

    /// Takes a picture, if it has the time.
    pub(crate) fn show(&mut self, buffer: &gst::Buffer, now: Duration) {
        if now >= self.next && !self.busy.swap(true, Relaxed) {
            self.next = now + INTERVAL;
            // Without an encoder that takes it there will be no more.
            let _ = self.chain.source.push_buffer(buffer.clone());
        }
    }
}

fn start(plan: &plan::Video, height: u32, answers: &Answers, busy: &Arc<AtomicBool>) -> Result<Chain, Fault> {
    // The full range of values, as JPEG wants them.
    let caps = gst::Caps::builder("video/x-raw")
        .field("format", "I420")
        .field("width", even(u64::from(plan.width) * u64::from(height) / u64::from(plan.height.max(1))))
        .field("height", even(height.into()))
        .field("pixel-aspect-ratio", gst::Fraction::new(1, 1))
        .field("colorimetry", "1:4:0:0")
        .build();
    let elements =
        [chain::make("videoscale")?, chain::make("videoconvert")?, chain::caps_filter(&caps)?, chain::make("jpegenc")?];
    let [scale, convert, _, jpeg] = &elements;
    chain::set(scale, "add-borders", "true");
    chain::set(convert, "n-threads", "1");
    chain::set(jpeg, "quality", QUALITY);
    let (to, busy) = (answers.clone(), busy.clone());
    let callbacks = AppSinkCallbacks::builder()
        .new_sample(move |sink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            if let Some(Ok(jpeg)) = sample.buffer().map(gst::BufferRef::map_readable) {
                to.send(&Answer::Thumbnail(Bytes::copy_from_slice(&jpeg)));
            }
            busy.store(false, Relaxed);
            Ok(gst::FlowSuccess::Ok)
        })
        .build();
    Chain::start(None, &elements, callbacks, answers)
}

fn even(pixels: u64) -> i32 {
    i32::try_from(pixels.next_multiple_of(2).max(2)).unwrap_or(i32::MAX)
}
