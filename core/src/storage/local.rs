//! What this node holds of one replica, besides what the journal and the floors above know: its log of
//! committed batches, its newest hard state, and how far its items are.
//!
//! Kept small: 10,000 idle partitions are 10,000 of these.

use super::log::Log;
use crate::entry::HardState;
use crate::ids::{Index, ReplicaId};
use std::collections::BTreeMap;

/// One replica.
#[derive(Debug)]
pub(super) struct Local {
    pub(super) log: Log,
    /// The newest, whether or not it is on the disk.
    pub(super) hard_state: HardState,
    /// The newest entry appended.
    pub(super) last: Index,
    /// The sequence of the newest frame with an item of it that must not be lost.
    pub(super) frame: u64,
}

/// All of them.
pub(super) type Locals = BTreeMap<ReplicaId, Local>;
