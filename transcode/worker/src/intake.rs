//! Access units of one track on their way into a decoder.

use bytes::Bytes;
use gstreamer as gst;
use gstreamer_app::AppSrc;
use touchline_transcode::message::Input;

use crate::clock::Clock;

/// How much may wait for a decoder, as time of the source. After that it cannot keep up, and gets less to do.
pub(crate) const MAX_WAITING: gst::ClockTime = gst::ClockTime::from_seconds(2);

/// The way into one decoder.
pub(crate) struct Intake {
    source: AppSrc,
    clock: Clock,
    last: Option<i64>,
    /// Whether access units are left out until a sync sample comes.
    skipping: bool,
}

impl Intake {
    pub(crate) fn new(source: AppSrc, clock: Clock) -> Self {
        Self { source, clock, last: None, skipping: false }
    }

    /// Whether more waits for the decoder than it should.
    pub(crate) fn full(&self) -> bool {
        self.source.current_level_time() > MAX_WAITING
    }

    /// What is to go to the decoder, if this access unit does. It does not if the decoder is too far behind to come to
    /// it in time, nor if its time is unheard of: one that goes back would end all IDRs of x264enc, silently.
    pub(crate) fn admit(&mut self, input: &Input) -> Option<gst::Buffer> {
        let (pts, dts) = (self.clock.nanos(input.pts)?, self.clock.nanos(input.dts)?);
        if self.last.is_some_and(|last| input.dts <= last) {
            return None;
        }
        self.skipping = self.full() || (self.skipping && !input.sync);
        if self.skipping {
            return None;
        }
        self.last = Some(input.dts);
        Some(buffer(input, pts, dts))
    }

    /// Hands it to the decoder. A decoder that has failed takes nothing; that is told where it failed.
    pub(crate) fn push(&self, buffer: gst::Buffer) {
        let _ = self.source.push_buffer(buffer);
    }

    /// Nothing follows.
    pub(crate) fn end(&self) {
        let _ = self.source.end_of_stream();
    }
}

fn buffer(input: &Input, pts: gst::ClockTime, dts: gst::ClockTime) -> gst::Buffer {
    let mut buffer = gst::Buffer::from_slice(Data(input.data.clone()));
    if let Some(buffer) = buffer.get_mut() {
        buffer.set_pts(pts);
        buffer.set_dts(dts);
        if !input.sync {
            buffer.set_flags(gst::BufferFlags::DELTA_UNIT);
        }
    }
    buffer
}

/// Bytes that GStreamer reads where they are.
struct Data(Bytes);

impl AsRef<[u8]> for Data {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}
