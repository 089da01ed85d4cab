use std::time::Duration;

/// What one edge grants its viewers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Threads that serve connections, each with a runtime of its own; 0: the runtime that [`crate::serve`] is called in.
    pub cores: usize,
    /// Requests held at once per channel; one more is answered 503.
    pub held_per_channel: usize,
    /// Requests held at once in all.
    pub held: usize,
    /// Connections open at once on all listeners together; one more is told when to come again. New viewers are turned away
    /// from 95 % on.
    pub connections: usize,
    /// Requests at once on one HTTP/2 connection; one more is refused by the protocol.
    pub streams: u32,
    /// How late the server may be, smoothed over a second, before new viewers are turned away.
    pub lag: Duration,
    /// How long a TLS handshake may take.
    pub handshake_timeout: Duration,
    /// How long a connection may go without a complete request head, idle time between requests included.
    pub head_timeout: Duration,
    /// How long a viewer may take for what is written at a time, about a part; on HTTP/2, for 16 KiB of any answer.
    pub write_timeout: Duration,
    /// How long a shutdown waits for the last responses to be taken.
    pub drain: Duration,
}

impl Settings {
    /// Held requests per channel: playlist and part of video and audio, of each of 5,000 viewers.
    pub const HELD_PER_CHANNEL: usize = 20_000;
    /// Held requests in all: four of each connection.
    pub const HELD: usize = 4 * Self::CONNECTIONS;
    /// Open connections.
    pub const CONNECTIONS: usize = 50_000;
    /// Requests at once: a player has four, a cache in front of us many.
    pub const STREAMS: u32 = 256;
    /// Lag: a part of the shortest profile, which players have the time of three parts to fetch.
    pub const LAG: Duration = Duration::from_millis(200);
    /// A TLS handshake: two round trips of the slowest viewer, and the wait for a core when all join at once.
    pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
    /// A request head, idle time included: longer than any player pauses between two reloads.
    pub const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
    /// A part: a viewer who takes longer is seconds behind the next one.
    pub const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
    /// Shutdown.
    pub const DRAIN: Duration = Duration::from_secs(5);
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            cores: 0,
            held_per_channel: Self::HELD_PER_CHANNEL,
            held: Self::HELD,
            connections: Self::CONNECTIONS,
            streams: Self::STREAMS,
            lag: Self::LAG,
            handshake_timeout: Self::HANDSHAKE_TIMEOUT,
            head_timeout: Self::HEAD_TIMEOUT,
            write_timeout: Self::WRITE_TIMEOUT,
            drain: Self::DRAIN,
        }
    }
}
