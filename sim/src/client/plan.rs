//! What a simulated client does, as data.

use crate::claims::c07_acked_is_there::Retention;
use rust_mq_core::limits::BATCH_BYTES_MAX_DEFAULT;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How long records are kept where a topic does not say (Kafka's default, and ours).
const RETENTION_MS: i64 = 604_800_000;

/// One client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientPlan {
    /// What it is for.
    pub role: Role,
    /// How many operations it starts while faults come.
    pub operations: u32,
    /// Mean wait between two of them, milliseconds.
    pub think_ms: u64,
    /// Opens each connection by asking for the versions. Their list grows with every API, and with it how long its
    /// answer is under way; so that not every run changes then, not every client asks.
    #[serde(default = "yes")]
    pub asks_versions: bool,
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
    /// Asks where logs begin and end, what is at a time, and where epochs ended.
    Watcher,
    /// Deletes records from the front of the logs that others use.
    Eraser,
    /// Deletes topics that others use, and makes them again.
    Remaker,
    /// Takes producer ids, more than one block of them.
    Hoarder,
    /// Writes much, and reads no answer.
    Glutton,
    /// Shares the topics of the plan with the others of its group, commits and reads back.
    Member {
        /// Which group.
        group: String,
        /// What it is called, if it is a static member.
        instance: Option<String>,
    },
    /// Shares the topics of the plan with the others of its consumer group (KIP-848).
    Sharer {
        /// Which group.
        group: String,
        /// Whether it subscribes by a pattern, too.
        has_pattern: bool,
    },
    /// Administers groups that nobody is in.
    Clerk,
    /// Writes, as the client crate's producer decides.
    Guest(GuestHabits),
    /// Reads, as the client crate's consumer decides.
    Reader(ReaderHabits),
}

/// How the client crate's producer is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestHabits {
    /// With a producer id and sequences.
    pub is_idempotent: bool,
    /// Whether a leader's word is enough, and not that of all replicas in sync.
    pub is_leader_enough: bool,
    /// How long a batch waits to be full, milliseconds.
    pub linger_ms: u64,
    /// When it is full.
    pub batch_bytes: usize,
    /// Bytes in a record at most.
    pub record_bytes_max: usize,
    /// Records that are handed over at a time, at most.
    pub burst: u64,
    /// How long a record is tried, milliseconds.
    pub delivery_ms: u64,
    /// How long a node may wait for its replicas, milliseconds.
    pub request_ms: u64,
    /// Who says which partition a record goes to.
    pub aim: Aim,
}

/// Who says which partition a record goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Aim {
    /// The record.
    Said,
    /// Its key.
    Keyed,
    /// Chance.
    Free,
}

/// How the client crate's consumer is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReaderHabits {
    /// With whom it shares the topics; none reads all by itself.
    pub group: Option<String>,
    /// What it is called, if it is a static member.
    pub instance: Option<String>,
    /// Where it begins if nobody says otherwise: at the first record, or behind the last.
    pub is_from_the_end: bool,
    /// How often it commits without being asked for, milliseconds; none is by hand.
    pub commit_every_ms: Option<u64>,
    /// How long its group waits for a silent member, milliseconds.
    pub session_ms: u64,
    /// How long its group waits for a member to join again, milliseconds.
    pub rebalance_ms: u64,
    /// How long a node waits for records, milliseconds.
    pub fetch_wait_ms: u64,
    /// How much may wait for it, bytes.
    pub prefetch_bytes: usize,
    /// How much of one partition is fetched at a time, bytes.
    pub partition_bytes: usize,
    /// Records that it takes at a time, at most.
    pub appetite: u64,
    /// It does something odd, in so many of a million times: reads on somewhere else, is away for long, dies.
    pub odd_ppm: u64,
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
    /// Batches of one request, each of another partition, at most.
    #[serde(default = "one")]
    pub spread: usize,
    /// Collects batches for so many requests at a time, and sends these one upon the other.
    #[serde(default = "one")]
    pub bursts: usize,
    /// How it stamps its records.
    #[serde(default)]
    pub stamps: Stamps,
    /// Makes a batch that must be refused, in so many of a million.
    #[serde(default)]
    pub spoils_ppm: u64,
    /// Fills a batch to the largest that its topic takes, in so many of a million.
    #[serde(default)]
    pub fills_ppm: u64,
    /// Begins a new epoch without need, in so many of a million.
    #[serde(default)]
    pub bumps_ppm: u64,
    /// Sends something of an epoch that it has left, as one does whose pause was taken for its end, in so many of a
    /// million.
    #[serde(default)]
    pub haunts_ppm: u64,
    /// Its first epoch.
    #[serde(default)]
    pub first_epoch: i16,
    /// The sequence that its first batch of each partition bears, before it was ever refused.
    #[serde(default)]
    pub first_sequence: i32,
}

/// A plain one that does nothing odd: one small batch after the other.
impl Default for ProducerHabits {
    fn default() -> ProducerHabits {
        ProducerHabits {
            is_idempotent: false,
            acks: -1,
            in_flight: 1,
            records_max: 1,
            record_bytes_max: 16,
            is_stubborn: false,
            dies_ppm: 0,
            spread: 1,
            bursts: 1,
            stamps: Stamps::Now,
            spoils_ppm: 0,
            fills_ppm: 0,
            bumps_ppm: 0,
            haunts_ppm: 0,
            first_epoch: 0,
            first_sequence: 0,
        }
    }
}

/// How a producer stamps its records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stamps {
    /// With the time.
    #[default]
    Now,
    /// With a time so far away, milliseconds; back is negative.
    Away {
        /// By how much.
        by_ms: i64,
    },
    /// With any time around now, to and fro, as far away as that at most, milliseconds.
    Around {
        /// How far.
        within_ms: i64,
    },
    /// With none.
    Never,
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
    /// Tells which leader epoch it knows, and which it read last, as today's clients do.
    #[serde(default)]
    pub knows_epochs: bool,
    /// Fetch's `isolation_level` 1.
    #[serde(default)]
    pub is_committed_only: bool,
    /// Draws each field that it need not fill with care, in so many of a million requests.
    #[serde(default)]
    pub odd_ppm: u64,
    /// Reads in fetch sessions (KIP-227), as Java's client does, and ends one in so many of a million fetches.
    #[serde(default)]
    pub session_ends_ppm: Option<u64>,
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
    /// What is set on it.
    #[serde(default)]
    pub configs: BTreeMap<String, String>,
    /// Whether it is deleted and made again while others use it.
    #[serde(default)]
    pub is_remade: bool,
}

impl TopicPlan {
    /// A setting that is a number, or what holds without it.
    pub fn number(&self, setting: &str, default: i64) -> i64 {
        self.configs.get(setting).and_then(|text| text.parse().ok()).unwrap_or(default)
    }

    /// The largest batch that it takes, bytes.
    pub fn batch_bytes_max(&self) -> usize {
        usize::try_from(self.number("max.message.bytes", BATCH_BYTES_MAX_DEFAULT as i64)).unwrap_or(0)
    }

    /// What retention may take of it by that time.
    pub fn retention(&self, now: i64) -> Retention {
        let ms = self.number("retention.ms", RETENTION_MS);
        Retention { ms, bytes: self.number("retention.bytes", -1), now }
    }

    /// Replicas that must hold a batch.
    pub fn min_in_sync(&self) -> usize {
        usize::try_from(self.number("min.insync.replicas", 1)).unwrap_or(1)
    }

    /// Whether the leader's clock stamps its records.
    pub fn is_stamped_by_leaders(&self) -> bool {
        self.configs.get("message.timestamp.type").is_some_and(|whose| whose == "LogAppendTime")
    }
}

fn yes() -> bool {
    true
}

fn one() -> usize {
    1
}
