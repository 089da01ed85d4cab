//! Media over RTP (RFC 3550): packets of one session in, access units into an [`Intake`](crate::Intake).
//!
//! Without sockets, encryption and clocks: packets come decrypted, with the time at which they arrived, and what is to be
//! asked of the sender is polled. What becomes of a packet, in the order of the files:
//!
//! - `reorder` puts the packets of a stream in order, asks for those that are missing, and gives them up in time;
//! - `depacketize` takes NAL units, OBUs and packets of Opus out of payloads (RFC 6184, RFC 7798, AV1 RTP, RFC 7587);
//! - `pictures` and `sound` make access units of them, and leave out what cannot be decoded;
//! - `keyframes` says when a keyframe has to be asked for;
//! - `clock` puts pictures and sound on one timeline.
//!
//! # One timeline
//!
//! Pictures keep their own RTP clock, and sound is placed relative to them. A picture's place is seen to the tick: a cadence
//! that is slewed is no regular frame rate any more, and all that is cut downstream is cut at pictures. Sound has no such
//! cadence to lose: 100 ppm are a tick in ten packets. Where its packets belong follows from the sender reports of both
//! streams, which tell the same wall clock; until there are any, from arrival.

mod clock;
mod damage;
mod depacketize;
mod keyframes;
mod pictures;
mod publication;
mod reorder;
mod sound;
mod stream;

use std::time::Duration;

use bytes::Bytes;

use self::damage::Damage;
pub use self::publication::Publication;

/// What is in the packets of one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// RFC 6184, `packetization-mode` 0 or 1.
    H264,
    /// RFC 7798, in order of decoding.
    H265,
    /// The RTP payload format for AV1 1.0.
    Av1,
    /// RFC 7587.
    Opus {
        /// What the sender says that it sends: 1 or 2.
        channels: u8,
    },
}

impl Codec {
    fn is_sound(self) -> bool {
        matches!(self, Self::Opus { .. })
    }
}

/// A stream as its sender describes it before it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// What is in its packets.
    pub codec: Codec,
    /// Whether packets can be asked for. If not, those that are missing are waited for all the same: they may be late.
    pub nack: bool,
    /// Whether keyframes can be asked for.
    pub pli: bool,
    /// NAL units of parameter sets, which hold until others come in the stream itself (RFC 6184 8.1, RFC 7798 7.1).
    pub parameter_sets: Vec<Vec<u8>>,
}

/// A stream of which everything can be asked, and which brings its parameter sets itself.
impl From<Codec> for Description {
    fn from(codec: Codec) -> Self {
        Self { codec, nack: true, pli: true, parameter_sets: Vec::new() }
    }
}

/// A packet (RFC 3550 5.1) with its padding and header extensions off. One that came by retransmission (RFC 4588) is as
/// it was at first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// As sent, of 16 bits.
    pub sequence: u16,
    /// Ticks of the stream's clock: 90 kHz for pictures, 48 kHz for sound.
    pub timestamp: u32,
    /// For pictures: this is the last packet of the access unit.
    pub marker: bool,
    /// What is behind the header. Empty: the packet was padding alone.
    pub payload: Bytes,
}

/// What a sender says of its clocks (RFC 3550 6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderReport {
    /// The sender's wall clock: seconds since 1900 in 32 bits, and a fraction in 32.
    pub ntp: u64,
    /// The same instant by the clock of the stream.
    pub timestamp: u32,
}

/// What is to be asked of the sender. Streams are counted as [`Publication::new`] was given them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Feedback {
    /// Packets to be sent again (RFC 4585 6.2.1).
    Nack {
        /// The stream.
        stream: usize,
        /// Their sequence numbers, in order.
        sequences: Vec<u16>,
    },
    /// A keyframe (RFC 4585 6.3.1: a picture loss indication).
    Keyframe {
        /// The stream.
        stream: usize,
    },
}

/// How a publication is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// A keyframe is asked for so long after the one before, less the time that it takes to come.
    pub keyframe_interval: Duration,
    /// So long a missing packet of pictures is waited for: it is the delay that a viewer has to allow for.
    pub patience: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { keyframe_interval: Duration::from_secs(2), patience: Duration::from_millis(500) }
    }
}

/// What a publication has met with since it began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets, all that came.
    pub packets: u64,
    /// Packets that came again, or after they had been given up.
    pub duplicates: u64,
    /// Packets that were given up.
    pub lost: u64,
    /// Packets that came after they had been asked for.
    pub recovered: u64,
    /// Packets asked for, as often as they were.
    pub nacked: u64,
    /// How often a sender went on at other sequence numbers.
    pub restarts: u64,
    /// Access units that were handed on.
    pub units: u64,
    /// Access units that were dropped: damaged, or of no use after one that was.
    pub dropped_units: u64,
    /// Keyframes asked for.
    pub keyframe_requests: u64,
    /// Keyframes that came.
    pub keyframes: u64,
    /// From asking for a keyframe to having the whole of it, the last time. A sender that takes no requests makes it look long.
    pub keyframe_answer: Option<Duration>,
    /// Sender reports that were believed.
    pub reports: u64,
    /// Sender reports that contradict when things arrive.
    pub ignored_reports: u64,
}

#[cfg(test)]
mod tests;
