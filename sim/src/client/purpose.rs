//! Why something was asked, with what is known of the question when the answer comes, and what became of it.

use super::produced::Part;
use crate::claims::c09_lookups_are_exact::{Question, Stand};
use crate::claims::c13_commits_are_current::Sent;
use crate::claims::ledger::{BatchId, Shelf};
use crate::clock::Moment;
use rust_mq_proto::kafka::api::ResponseBody;

/// Why something was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The opening of a connection.
    Versions,
    /// The client's map.
    Map,
    /// Topics to create.
    Create(Vec<String>),
    /// A topic to delete.
    Delete(String),
    /// Settings to change.
    Tuning,
    /// A producer id.
    Identity,
    /// Batches of a producer's lanes.
    Produce {
        /// Which, in the order of the request.
        parts: Vec<Part>,
    },
    /// Where to begin.
    Beginnings(Vec<Beginning>),
    /// Records to delete.
    Erase(Vec<Erasure>),
    /// What a watcher wants to know.
    Lookups(Vec<Ask>),
    /// Records.
    Fetch {
        /// From which site.
        site: usize,
        /// What.
        from: Vec<Asked>,
        /// How much of it at most, a first batch aside.
        max_bytes: i32,
    },
    /// Which node coordinates a group.
    Coordinator,
    /// Something of a group.
    Group,
    /// Offsets that a group commits.
    Commit(Vec<Sent>),
    /// What a group has committed, as of when, for which partitions of which topics.
    Committed(Moment, Vec<(String, [u8; 16], i32)>),
    /// Something that a machine of the client crate asks, by its guest's number of it, and what it is to append.
    Guest {
        /// Which.
        errand: u64,
        /// Batches, in the order of the request.
        parts: Vec<Part>,
    },
    /// Whatever comes.
    Nothing,
}

/// A partition whose records are to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// Of the topic.
    pub topic: String,
    /// Of the ledger.
    pub shelf: Shelf,
    /// Below which offset.
    pub offset: i64,
}

/// A partition that a consumer asks where to begin in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beginning {
    /// Of the topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// What was asked for.
    pub timestamp: i64,
    /// The leader epoch that was told with it.
    pub epoch: Option<i32>,
}

/// A partition that a consumer fetches from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Of the topic.
    pub id: [u8; 16],
    /// The partition.
    pub partition: i32,
    /// From where on.
    pub offset: i64,
    /// The leader epoch that was told with it.
    pub epoch: Option<i32>,
    /// The epoch of what was read last, if that was told.
    pub last_epoch: Option<i32>,
}

/// Something that a watcher looks up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Of which partition.
    pub shelf: Shelf,
    /// The topic's name.
    pub topic: String,
    /// What.
    pub question: Question,
    /// The leader epoch that was told with it; -1 is none.
    pub epoch: i32,
    /// How whom it went to stood as it left.
    pub asked: Stand,
    /// How it stood when its answer left.
    pub said: Option<Stand>,
}

/// A batch that an answer acknowledges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    /// Which.
    pub batch: BatchId,
    /// Where it is.
    pub base_offset: i64,
    /// The time that its leader gave it, or -1.
    pub append_time: i64,
    /// Whether it is acknowledged for all replicas in sync.
    pub wants_all: bool,
}

/// What a broker says in bytes that leave now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overheard {
    /// Batches that are acknowledged.
    pub promises: Vec<Promise>,
    /// Ids of topics that were made.
    pub made: Vec<[u8; 16]>,
}

/// What became of a request.
#[derive(Debug)]
pub struct Answered {
    /// Why it was sent.
    pub purpose: Purpose,
    /// The answer; without one the connection died.
    pub body: Option<ResponseBody>,
    /// Whether any byte of it had left.
    pub was_sent: bool,
}
