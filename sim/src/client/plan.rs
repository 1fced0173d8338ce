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
    /// Creates the topics of the plan.
    Founder,
    /// Writes.
    Producer(ProducerHabits),
    /// Reads.
    Consumer(ConsumerHabits),
    /// Reads everything once all others are done.
    Auditor,
    /// Creates topics of its own, and deletes them.
    Admin,
    /// Asks for much and never reads.
    Mute,
    /// Sends damaged requests.
    Vandal,
    /// Asks where logs end.
    Watcher,
}

/// How a producer goes about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProducerHabits {
    /// With a producer id and sequences; it retries what is unsure.
    pub is_idempotent: bool,
    /// 0, 1 or -1.
    pub acks: i16,
    /// Batches of a partition that may be unanswered.
    pub in_flight: usize,
    /// Records in a batch at most.
    pub records_max: usize,
    /// Bytes in a record at most.
    pub record_bytes_max: usize,
    /// Keeps asking whom it took for the leader until told otherwise twice.
    pub is_stubborn: bool,
    /// Cuts a connection in the middle of a request, in so many of a million.
    pub dies_ppm: u64,
}

/// How a consumer goes about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsumerHabits {
    /// Where it begins.
    pub from: From,
    /// Fetch's `max_wait_ms`.
    pub max_wait_ms: i32,
    /// Fetch's `min_bytes`.
    pub min_bytes: i32,
    /// Fetch's `max_bytes`.
    pub max_bytes: i32,
    /// Waits so long before it reads what has arrived, milliseconds.
    pub slow_ms: u64,
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

/// A topic that clients use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicPlan {
    /// Its name.
    pub name: String,
    /// How many partitions.
    pub partitions: i32,
    /// How many replicas.
    pub replicas: i16,
}
