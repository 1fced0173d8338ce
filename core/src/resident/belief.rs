//! What of a peer's words may be believed. A peer was accepted, which says who it is and not that it is right: its
//! disk may rot, its memory flip a bit, its version be another. What it says either fits what this node knows, or
//! changes nothing.
//!
//! The one authority is Raft's: a replica that is the leader, as far as the replica here has heard by Raft itself,
//! says what is committed. Everything else is held against that and against the state here.
//!
//! - Invariant: a Raft message is the word of the replica that the image places on the sender's node.
//! - Invariant: an entry that is appended can be applied.
//! - Invariant: a snapshot that is installed can be read, agrees with what goes with it, and takes no record back.
//!
//! Not here: whether bytes are a message at all (`peer`), what raft-rs would trip over (`replica/guard`).

use super::{Resident, Residents};
use crate::host::Host;
use crate::ids::{NodeId, Offset, ReplicaId};
use crate::machine::{Machine, Undecodable};
use crate::metadata::Metadata;
use crate::mutant::{Mutant, is_planted};
use crate::partition::{LogState, Partition, Unfit};
use crate::peer::{CatchUp, Snapshot};
use rust_mq_proto::peer::raft::RaftMessage;

/// What is wrong with a peer's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Disbelief {
    /// Somebody else's words.
    #[error("a Raft message in the name of a replica that is elsewhere")]
    Sender,
    /// What would stop this node.
    #[error("an entry that cannot be applied: {0}")]
    Entry(#[from] Unfit),
    /// Bytes that are nothing here.
    #[error("what cannot be read here: {0}")]
    Unreadable(#[from] Undecodable),
    /// A state for somebody else.
    #[error("a snapshot for another replica")]
    Recipient,
    /// A state that is not the one that it is said to be.
    #[error("a snapshot of {0} to {1} whose state is of {2} to {3}")]
    Extent(Offset, Offset, Offset, Offset),
    /// Less than is known here.
    #[error("a snapshot that takes back what is committed")]
    TakesBack,
    /// Members that this replica does not have.
    #[error("a snapshot of another cluster, or of other members")]
    Members,
}

impl Disbelief {
    /// By which lines about it are counted.
    pub fn kind(&self) -> &'static str {
        match self {
            Disbelief::Sender => "sender",
            Disbelief::Entry(_) => "entry",
            Disbelief::Unreadable(_) => "unreadable",
            Disbelief::Recipient => "recipient",
            Disbelief::Extent(..) => "extent",
            Disbelief::TakesBack => "takes back",
            Disbelief::Members => "members",
        }
    }
}

impl Residents {
    /// Whether a message from a node may be stepped; otherwise what is wrong with it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check_message(&self, node: NodeId, message: &RaftMessage) -> Result<(), Disbelief> {
        let Some(resident) = self.get(ReplicaId(message.to)) else { return Ok(()) };
        if self.replica_on(resident.of(), node) != Some(ReplicaId(message.from)) {
            return Err(Disbelief::Sender);
        }
        match resident {
            Resident::Records(partition) => partition.check(message)?,
            Resident::Metadata(host) => host.check(&message.entries)?,
            Resident::Group(_, host) => host.check(&message.entries)?,
        }
        Ok(())
    }

    /// Whether a node may say that a replica here is behind: the replica follows that node's in this very term.
    pub fn is_told_by_its_leader(&self, node: NodeId, told: &CatchUp) -> bool {
        let leader = self.replica_on(told.partition, node);
        self.get(told.replica).is_some_and(|resident| {
            let replica = resident.replica();
            resident.of() == told.partition
                && told.log_start <= told.high_watermark
                && replica.term() == told.term
                && Some(replica.leader()) == leader
                && !replica.is_leader()
        })
    }

    /// Whether a snapshot for a replica here can take the place of its state.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check_snapshot(&self, id: ReplicaId, snapshot: &Snapshot) -> Result<(), Disbelief> {
        if snapshot.replica != id {
            return Err(Disbelief::Recipient);
        }
        match self.get(id) {
            Some(Resident::Records(partition)) => check_log(partition, snapshot),
            Some(Resident::Metadata(host)) => check_image(host, snapshot),
            Some(Resident::Group(_, host)) => {
                host.decode(&snapshot.state)?;
                check_machine(host, snapshot)
            }
            None => Err(Disbelief::Recipient),
        }
    }
}

fn check_log(partition: &Partition, snapshot: &Snapshot) -> Result<(), Disbelief> {
    let state = LogState::decode(&snapshot.state)?;
    let says = (snapshot.log_start, snapshot.segment_end);
    let is_believed = is_planted(partition.replica().settings().mutant, Mutant::SnapshotEndBelieved);
    // Its records may begin above where its state says; and below, where a batch begins of which a part is deleted.
    let is_its_own = state.end == says.1 && (Offset(0)..=state.end).contains(&says.0);
    if !is_its_own && !is_believed {
        return Err(Disbelief::Extent(says.0, says.1, state.start, state.end));
    }
    if state.end < partition.high_watermark() || snapshot.index < partition.applied().index {
        return Err(Disbelief::TakesBack);
    }
    if snapshot.members != *partition.replica().members() {
        return Err(Disbelief::Members);
    }
    Ok(())
}

fn check_image(host: &Host<Metadata>, snapshot: &Snapshot) -> Result<(), Disbelief> {
    let state = host.decode(&snapshot.state)?;
    let here = host.committed();
    // Members are fixed by the configuration.
    if state.cluster() != here.cluster() || !state.voters().eq(here.voters()) {
        return Err(Disbelief::Members);
    }
    check_machine(host, snapshot)
}

fn check_machine<M: Machine>(host: &Host<M>, snapshot: &Snapshot) -> Result<(), Disbelief> {
    if (snapshot.log_start, snapshot.segment_end) != (Offset(0), Offset(0)) {
        return Err(Disbelief::Extent(snapshot.log_start, snapshot.segment_end, Offset(0), Offset(0)));
    }
    if snapshot.members != *host.replica().members() {
        return Err(Disbelief::Members);
    }
    if snapshot.index < host.applied().index {
        return Err(Disbelief::TakesBack);
    }
    Ok(())
}
