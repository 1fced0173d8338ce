//! Restore: a small snapshot, state and index, takes the place of a log that ends too far behind.
//!
//! It never came over the network as a Raft message. The floor above fetched what was missing, made it
//! durable, and only then tells raft-rs, as if its leader had sent a snapshot; the ready with `reset`
//! follows, and the leader hears of it when that is durable too.
//!
//! Invariant: commit <= reset index, members hold this replica and its leader.

use super::{Refused, Replica, start};
use crate::entry::{Members, Stamp};
use crate::ids::{Index, ReplicaId, Term};
use bytes::Bytes;
use raft::eraftpb::{self, MessageType};

/// What a small snapshot says of the log. The state that goes with it is the floor above's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotMeta {
    /// The last entry that the state includes.
    pub at: Stamp,
    /// As of that entry.
    pub members: Members,
}

/// What became of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restored {
    /// The next ready has it as `reset`.
    Reset,
    /// The log has this entry already; the entries up to it come as committed ones.
    NotNeeded,
}

impl Replica {
    /// A snapshot whose state is durable here takes the place of the log up to it. It came from
    /// `leader` of `term`.
    pub fn restore(
        &mut self,
        snapshot: SnapshotMeta,
        leader: ReplicaId,
        term: Term,
    ) -> Result<Restored, Refused> {
        let at = snapshot.at;
        let members = self.admit_snapshot(snapshot, leader, term)?;
        let message = eraftpb::Message {
            msg_type: MessageType::MsgSnapshot,
            from: leader.0,
            to: self.id().0,
            term: term.0,
            snapshot: Some(to_raft(at, &members)).into(),
            ..eraftpb::Message::default()
        };
        let stepped = self.node.step(message);
        self.pin_election_timeout();
        stepped.map_err(|_| Refused::Sender)?;
        let is_reset = self.node.snap().is_some_and(|pending| pending.get_metadata().index == at.index.0);
        Ok(if is_reset { Restored::Reset } else { Restored::NotNeeded })
    }

    fn admit_snapshot(
        &self,
        snapshot: SnapshotMeta,
        leader: ReplicaId,
        term: Term,
    ) -> Result<Members, Refused> {
        let members = start::sorted(snapshot.members).ok_or(Refused::Members)?;
        let me = self.id();
        if !members.voters.contains(&me) && !members.learners.contains(&me) {
            return Err(Refused::Members);
        }
        if leader == me || !members.voters.contains(&leader) {
            return Err(Refused::Sender);
        }
        let at = snapshot.at;
        if term < self.term() || term > Term::MAX || at.term > term || at.term == Term(0) {
            return Err(Refused::Term);
        }
        if term == self.term() && self.leader() != ReplicaId::NOBODY && self.leader() != leader {
            return Err(Refused::SecondLeader);
        }
        if at.index == Index(0) || at.index < self.commit() {
            return Err(Refused::Stale);
        }
        Ok(members)
    }
}

/// The snapshot in raft-rs's form. Its data is the wall time, which raft-rs has no place for.
fn to_raft(at: Stamp, members: &Members) -> eraftpb::Snapshot {
    let meta = eraftpb::SnapshotMetadata {
        index: at.index.0,
        term: at.term.0,
        conf_state: Some(start::conf_state(members)).into(),
        ..eraftpb::SnapshotMetadata::default()
    };
    eraftpb::Snapshot {
        data: Bytes::copy_from_slice(&at.wall.0.to_le_bytes()),
        metadata: Some(meta).into(),
        ..eraftpb::Snapshot::default()
    }
}
