//! What waits at the desk, and how each kind of it ends when nothing comes of it.
//!
//! A request waits for a commit, for news of its partitions, for the disk, for a majority's word, for a machine's
//! decision, for leaders, or for this node itself to be open. What it waits for brings its end (the desk's `settle`);
//! besides, each has two ends of its own, told here side by side: its time is up, or the node stops and will not learn
//! any more what becomes of it.
//!
//! | waits | its time is up | the node stops |
//! | --- | --- | --- |
//! | Produce | REQUEST_TIMED_OUT: it may still be committed | NOT_LEADER_OR_FOLLOWER |
//! | Fetch | what there is | what there is |
//! | Fetch that reads from the disk | what came; the rest is refused: KAFKA_STORAGE_ERROR | the same |
//! | ListOffsets | REQUEST_TIMED_OUT | NOT_LEADER_OR_FOLLOWER |
//! | CreateTopics, DeleteTopics | REQUEST_TIMED_OUT: it may still be done | NOT_CONTROLLER |
//! | Metadata that makes topics | LEADER_NOT_AVAILABLE | LEADER_NOT_AVAILABLE |
//! | InitProducerId | COORDINATOR_LOAD_IN_PROGRESS | COORDINATOR_LOAD_IN_PROGRESS |
//! | for leaders of new topics | the answer, without leaders | the answer, without leaders |
//! | for this node to be open | the link is closed | the link is closed |

use super::desk::Desk;
use super::origin::Origin;
use super::{
    create_topics, delete_topics, early, fetch, init_producer_id, leaders, list_offsets, metadata, produce,
};
use crate::error_code::ErrorCode;
use crate::limits::DECISION_AWAITED_MAX;
use crate::machine::Waiter;
use crate::node::Node;
use crate::now::Now;
use std::time::Duration;

/// A request that waits, or a part of one.
pub(super) enum Waiting {
    Produce(produce::Pending),
    Fetch(Box<fetch::Pending>),
    ListOffsets(list_offsets::Pending),
    OffsetPart(list_offsets::Part),
    CreateTopics(create_topics::Pending),
    DeleteTopics(delete_topics::Pending),
    AutoCreate(metadata::Pending),
    ProducerId(Origin),
    /// This node's wish for more producer ids: nobody's request.
    ProducerIds,
    Leaders(Box<leaders::Awaiting>),
    Early(Box<early::Held>),
}

/// Why a request ends that nothing has come of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Vain {
    /// Its time is up.
    TooLate,
    /// The node stops.
    GivenUp,
}

impl Vain {
    /// What is said of a decision that nobody has told.
    pub fn undecided(self) -> ErrorCode {
        match self {
            Vain::TooLate => ErrorCode::RequestTimedOut,
            Vain::GivenUp => ErrorCode::NotController,
        }
    }
}

/// How long a client that says so waits for a decision.
pub(super) fn decision_patience(timeout_ms: i32) -> Duration {
    Duration::from_millis(u64::try_from(timeout_ms).unwrap_or(0)).min(DECISION_AWAITED_MAX)
}

impl Waiting {
    /// Ends it; it has left the table.
    pub fn end(self, desk: &mut Desk, node: &mut Node, now: Now, waiter: Waiter, vain: Vain) {
        match self {
            Waiting::Produce(pending) => produce::in_vain(desk, node, pending, vain),
            Waiting::Fetch(pending) => fetch::in_vain(desk, node, now, waiter, pending, vain),
            Waiting::ListOffsets(pending) => list_offsets::in_vain(desk, node, pending, vain),
            // Its request ends, and that is enough.
            Waiting::OffsetPart(_) => {}
            Waiting::CreateTopics(pending) => create_topics::in_vain(desk, node, pending, vain),
            Waiting::DeleteTopics(pending) => delete_topics::in_vain(desk, node, pending, vain),
            Waiting::AutoCreate(pending) => metadata::in_vain(desk, node, pending),
            Waiting::ProducerId(origin) => init_producer_id::in_vain(desk, node, origin),
            Waiting::ProducerIds => init_producer_id::not_told(desk),
            Waiting::Leaders(awaiting) => awaiting.end(desk, node),
            Waiting::Early(held) => held.end(desk, node, now),
        }
    }
}
