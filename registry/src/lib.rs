//! Which node of a cluster has which channel.
//!
//! Nodes hold a lease, and claim the channels that are live on them. One claim of a channel is the first, under a *fencing
//! epoch* that only rises: a node that was away cannot take a channel back with what it knew before. Readers look channels
//! up in a [`Snapshot`] on their own machine, whatever has become of the store behind it: media never waits on it.
//!
//! `Member` decides what a node writes when, without I/O and without a clock. [`Registry`] is the handle that a process
//! holds, [`Task`] the shell around the member: by a [`Store`] in memory, or by NATS JetStream.

mod book;
mod change;
mod id;
mod key;
mod member;
mod memory;
mod metrics;
mod nats;
mod node;
mod notice;
mod record;
mod registry;
mod snapshot;
mod state;
mod store;
mod task;

pub use id::{Id, IdError};
pub use memory::Memory;
pub use metrics::Metrics;
pub use nats::{Nats, Server};
pub use node::{Load, Node, Role};
pub use registry::{Announcement, Registry, Settings, Stance};
pub use snapshot::{Origin, Origins, Snapshot, Standing};
pub use store::Store;
pub use task::Task;
