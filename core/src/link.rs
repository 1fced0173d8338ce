//! What a link leads to: an address, and between nodes one of two lanes. Both halves of the door speak of links.
//!
//! Not here: what is spoken on a link, and why it ended (`event`).

use serde::{Deserialize, Serialize};
use std::fmt;

/// A host and a port.
#[derive(
    Clone,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    bincode::Encode,
    bincode::Decode,
)]
pub struct Address {
    /// Name or literal address.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// The two lanes between a pair of nodes: a copy on `Bulk` never delays a vote on `Raft`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum LaneKind {
    /// Raft's own messages, hellos, leader tables.
    Raft,
    /// Catch-up, forwarded requests, snapshots.
    Bulk,
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(out, "[{}]:{}", self.host, self.port)
        } else {
            write!(out, "{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for LaneKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            LaneKind::Raft => "raft",
            LaneKind::Bulk => "bulk",
        })
    }
}
