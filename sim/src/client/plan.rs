//! What a simulated client does, as data.

use serde::{Deserialize, Serialize};

/// One client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientPlan {
    /// What it is for.
    pub role: Role,
    /// How many operations it starts while faults come.
    pub operations: u32,
    /// Mean wait between two of them, milliseconds.
    pub think_ms: u64,
}

/// What a client is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// Writes.
    Producer {
        /// With a producer id and sequences; it retries what is unsure.
        is_idempotent: bool,
        /// 0, 1 or -1.
        acks: i16,
        /// Requests that may be unanswered on one connection.
        in_flight: usize,
        /// Records in a batch at most.
        records_max: usize,
        /// Bytes in a record at most.
        record_bytes_max: usize,
        /// Keeps asking whom it took for the leader until told otherwise twice.
        is_stubborn: bool,
        /// Cuts a connection in the middle of a request, in so many of a million.
        dies_ppm: u64,
    },
    /// Reads.
    Consumer {
        /// Where it begins.
        from: From,
        /// Fetch's `max_wait_ms`.
        max_wait_ms: i32,
        /// Fetch's `min_bytes`.
        min_bytes: i32,
        /// Fetch's `max_bytes`.
        max_bytes: i32,
        /// Waits so long before it reads what has arrived, milliseconds.
        slow_ms: u64,
    },
    /// Creates topics of its own, writes to none, deletes them.
    Admin,
    /// Asks for much and never reads.
    Mute,
    /// Sends damaged requests.
    Vandal,
}

/// Where a consumer begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum From {
    /// At the log's start.
    Earliest,
    /// At the high watermark.
    Latest,
    /// At a time, asked for by ListOffsets, so many milliseconds before now.
    Time {
        /// How long ago.
        ago_ms: u64,
    },
}
