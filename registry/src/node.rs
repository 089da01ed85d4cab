use serde::{Deserialize, Serialize};

/// What a node says of itself with each renewal of its lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Where edges reach it: `http` or `https`, without a path.
    pub url: String,
    /// What it is there for.
    pub role: Role,
    /// When its process began, as Unix time in milliseconds: what tells it from another that calls itself the same.
    pub started: u64,
    /// How much it carries.
    #[serde(default)]
    pub load: Load,
}

/// What a node is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// It takes publishers.
    Origin,
    /// It is an edge that other edges are fed by.
    Relay,
    /// It serves viewers.
    Edge,
}

/// How much a node carries, and how much it takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// Channels that are live.
    pub channels: u64,
    /// Connections of viewers that are open.
    pub connections: u64,
    /// Connections that it lets be open.
    pub connections_limit: u64,
}
