//! Channels carried from node to node: an edge is a [`crate::Hub`] whose channels are written by a replica in place of a
//! packager.
//!
//! ```text
//! Writer::apply -> Log -> origin (GET /replicate/v1/CHANNEL) ~~HTTP/2~~> link -> replica -> Writer::apply_as
//! ```
//!
//! What one call of [`crate::channel::Writer::apply`] brings on the origin is one batch on the wire and one call on the edge, so
//! that every version of every playlist has the same bytes on all nodes. With the end of each segment travels a proof of it.

mod assembly;
mod directory;
mod failover;
mod fleet;
mod link;
pub(crate) mod log;
mod metrics;
mod origin;
mod outlet;
pub(crate) mod proof;
mod pull;
mod replica;
pub mod wire;

pub use self::directory::Directory;
pub(crate) use self::fleet::Upstream;
pub use self::fleet::{Fleet, Readiness, Settings};
pub(crate) use self::log::Log;
pub use self::log::{Clock, Mark};
pub use self::metrics::Metrics;
pub use self::origin::{Address, Origin, PROTOCOLS};
pub(crate) use self::outlet::audience_path;
pub use self::outlet::{Access, annex};
