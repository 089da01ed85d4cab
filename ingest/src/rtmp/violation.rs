/// What a peer did that the protocol or a limit of this server excludes.
///
/// The place (peer and byte offset) is added by [`crate::Error::Rtmp`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// C0 asks for something else than plain RTMP.
    #[error("the first byte is {0}, not 3: this is not plain RTMP (RTMPE and HTTP are not served on this port)")]
    Version(u8),
    /// A record of TLS where C0 should be.
    #[error(
        "the peer speaks TLS and this port is for plain RTMP: use the port for RTMPS (--rtmps), or write rtmp:// in the encoder"
    )]
    Tls,
    /// More chunk streams than are tracked.
    #[error("more than {limit} chunk streams")]
    ChunkStreams {
        /// [`super::chunk::MAX_STREAMS`]
        limit: usize,
    },
    /// A chunk of format 2 or 3 on a chunk stream that has not told a length yet.
    #[error("a chunk of format {format} is the first on chunk stream {id}: there is no header to take over")]
    NoHeader {
        /// The chunk stream.
        id: u32,
        /// The format of the chunk, 2 or 3.
        format: u8,
    },
    /// A header with another length or type in the middle of a message.
    #[error("another message begins on chunk stream {id} before the last one is complete")]
    Overlap {
        /// The chunk stream.
        id: u32,
    },
    /// A message is announced that is longer than its type may be.
    #[error("a message of type {kind} announces {length} bytes, more than the {limit} that are taken here")]
    MessageLength {
        /// Message type id.
        kind: u8,
        /// Announced length in bytes.
        length: usize,
        /// [`super::chunk::MAX_MEDIA`] once the publish is accepted, for audio and video; else [`super::chunk::MAX_COMMAND`].
        limit: usize,
    },
    /// Too many bytes of incomplete messages.
    #[error("incomplete messages take more than {limit} bytes")]
    Partial {
        /// [`super::chunk::MAX_PARTIAL`]
        limit: usize,
    },
    /// A chunk size outside of 1 to 0x7fffffff.
    #[error("chunk size {0} is outside of 1 to 2147483647")]
    ChunkSize(u32),
    /// A message that is too short for its type.
    #[error("a message of type {kind} with {length} bytes is cut short")]
    CutShort {
        /// Message type id.
        kind: u8,
        /// Its length in bytes.
        length: usize,
    },
    /// AMF0 nested too deeply.
    #[error("AMF0 nested deeper than {limit}")]
    AmfDepth {
        /// [`super::amf0::MAX_DEPTH`]
        limit: usize,
    },
    /// Too many AMF0 values in a message.
    #[error("more than {limit} AMF0 values in a message")]
    AmfItems {
        /// [`super::amf0::MAX_ITEMS`]
        limit: usize,
    },
    /// More bytes of AMF0 than are looked at.
    #[error("{length} bytes of AMF0, more than {limit}")]
    AmfLength {
        /// Bytes there are.
        length: usize,
        /// [`super::amf0::MAX_LEN`]
        limit: usize,
    },
    /// AMF0 that ends within a value.
    #[error("AMF0 ends within a value")]
    AmfTruncated,
    /// A type of AMF0 value that is not taken, for example a reference.
    #[error("AMF0 marker {0:#04x} is not taken (references, AMF3 and movie clips are not)")]
    AmfMarker(u8),
    /// A command in AMF3.
    #[error("an AMF3 command: use object encoding 0 (AMF0)")]
    Amf3,
    /// Several audio and video messages in one.
    #[error("an aggregate message: send audio and video as messages of their own")]
    Aggregate,
    /// A command without a name (`a command`), or without what it is about.
    #[error("{0} lacks its arguments")]
    Arguments(&'static str),
    /// A command that does not belong here.
    #[error("{command} before connect")]
    BeforeConnect {
        /// Name of the command.
        command: &'static str,
    },
    /// Too much sent ahead of the answer to `publish`.
    #[error("more than {limit} bytes sent ahead of the answer to publish")]
    Held {
        /// [`super::session::MAX_HELD`]
        limit: usize,
    },
}
