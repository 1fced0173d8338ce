//! What an assignor is asked and answers: who could have what, and had so far; and who is to have what.

use super::partitions::Partitions;
use crate::ids::TopicId;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A member to whom partitions may be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its id.
    pub id: String,
    /// What it is called by whoever runs it, if it is a static member: it sorts by that.
    pub instance: Option<String>,
    /// The topics that it subscribes to, each once, in order; those of one subscription share it.
    pub topics: Arc<[TopicId]>,
    /// What it was to have so far.
    pub had: Partitions,
}

/// What each is to have, by member.
pub type Targets = BTreeMap<String, Partitions>;
