//! Samples become CMAF parts, segments and playlists of Low-Latency HLS (RFC 8216bis).
//!
//! Pure: no I/O and no clock, and the same samples give the same bytes. A [`Packager`] turns the samples of a channel
//! into [`Event`]s; a [`Window`] turns the events of a rendition into what viewers fetch.

mod bitrate;
mod cut;
mod decode_clock;
mod error;
mod event;
mod fragment;
mod history;
mod init;
mod input;
mod lane;
mod lanes;
mod multivariant;
mod name;
mod notice;
mod packager;
mod playlist;
mod presentation;
mod seconds;
mod segment;
mod segmenter;
mod settings;
mod snapshot;
mod target;
mod waiting;
mod window;

pub use bitrate::{Meter, Rates};
pub use error::Error;
pub use event::{Event, Init, Part, SegmentEnd, SegmentStart};
pub use multivariant::multivariant;
pub use name::{Epoch, Item, Name, NameError};
pub use notice::Notice;
pub use packager::{Packager, WallClock};
pub use playlist::{MediaPlaylist, Report, Skip};
pub use presentation::{Coding, Media, Presentation, Rendition, RenditionId};
pub use seconds::Seconds;
pub use segment::{Body, Segment, Whole};
pub use settings::Settings;
pub use snapshot::Snapshot;
pub use window::{Found, Offload, Resource, Retained, Window};
