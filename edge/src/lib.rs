//! Parts and playlists are served to viewers.
//!
//! A [`Hub`] holds the channels. Each has one [`channel::Writer`], which applies packager events, and any number of
//! viewers, whose requests [`respond`] answers, at once or when what they ask for comes to exist. [`serve`] is the socket
//! shell around it. A playlist is rendered once per change and compressed at most once; every viewer gets a clone.

mod accept;
mod admission;
mod annex;
pub mod audience;
mod body;
pub mod channel;
mod connection;
mod cores;
mod directives;
mod error;
mod hold;
mod http1;
mod hub;
mod listener;
mod listing;
mod metrics;
mod page;
mod progress;
mod range;
mod recent;
mod refusal;
pub mod replication;
mod request;
mod response;
mod server;
mod service;
mod settings;
mod socket;
pub mod spool;
pub mod steering;
mod text;
mod thumbnail;
mod version;

pub use annex::{Annex, Site};
pub use body::Body;
pub use hub::Hub;
pub use listener::{BACKLOG, PROTOCOLS, listen};
pub use listing::Listing;
pub use metrics::{Kind, Metrics, RequestLabels};
pub use page::embedded;
pub use recent::Recent;
pub use server::serve;
pub use service::respond;
pub use settings::Settings;
