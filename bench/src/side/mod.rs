//! The two sides of a comparison, as processes: our release binary and Apache Kafka, each alone or as three nodes,
//! on empty folders, with the durability that both are to promise.
//!
//! `kit` holds what must be fetched or built before anything starts (`artifacts`: Kafka; `flush_delay`: the slow
//! disk); `kafka` and `ours` say how a node is configured and started; `process` is one running node, `cluster`
//! all nodes of one side.
//!
//! Invariant: what is fetched lies in the user's cache folder, never in the checkout.

pub mod artifacts;
pub mod cluster;
pub mod flush_delay;
mod kafka;
pub mod kit;
mod ours;
pub mod process;

pub use kafka::JVM_FLAGS;

use serde::{Deserialize, Serialize};

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Subject {
    /// Rust-MQ.
    Ours,
    /// Apache Kafka.
    Kafka,
}

impl Subject {
    /// As tables print it.
    pub fn name(self) -> &'static str {
        match self {
            Subject::Ours => "Rust-MQ",
            Subject::Kafka => "Kafka",
        }
    }
}

/// What an acknowledgement promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Durability {
    /// Gone with the process: ours in memory, Kafka on a memory file system.
    Memory,
    /// Kafka as shipped acknowledges from the page cache. Ours has no such mode, and flushes: the unfair row.
    Shipped,
    /// Flushed before the acknowledgement: Kafka with `log.flush.interval.messages=1`.
    Flushed,
}

/// How a side is set up.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Setup {
    /// How many processes: 1 or 3. With three, every topic has three replicas.
    pub nodes: u16,
    /// What an acknowledgement promises.
    pub durability: Durability,
    /// By how much a flush is slowed, microseconds; 0: as the disk is.
    pub flush_delay_us: u64,
}
