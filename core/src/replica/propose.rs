//! Proposals: how an entry of ours enters the leader's log.
//!
//! A follower never proposes: raft-rs would forward it, and offsets are assigned by who proposes. The index
//! that a proposal returns is exact, so the floor above may write offset and epoch by it.
//!
//! Invariant: entry k + 1's wall time >= entry k's along a leader's log.
//! Invariant: weight of what no ready has taken <= uncommitted_bytes_max, so that a ready fits a journal
//! frame.

use super::{Replica, log_entry};
use crate::entry::EntryKind;
use crate::ids::Index;
use crate::now::Wall;
use bytes::Bytes;
use raft::eraftpb::{self, MessageType};

/// Why a proposal did not enter the log. It never will: whoever assigned an offset takes it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Dropped {
    /// This replica does not lead.
    #[error("not the leader")]
    NotLeader,
    /// Leadership is being handed over; done or given up within an election timeout.
    #[error("leadership is being transferred")]
    Transferring,
    /// Too much is proposed and not yet durable or committed.
    #[error("too much is uncommitted")]
    Full,
    /// More than can ever be proposed.
    #[error("too large")]
    TooLarge,
    /// A kind that is not proposed, or without the payload that its kind has.
    #[error("an impossible entry")]
    Entry,
}

impl Replica {
    /// Appends an entry to the leader's log. The index is exact. `wall` is raised to the last entry's.
    pub fn propose(&mut self, kind: EntryKind, wall: Wall, payload: Bytes) -> Result<Index, Dropped> {
        if !self.is_leader() {
            return Err(Dropped::NotLeader);
        }
        let may_propose = match kind {
            EntryKind::NoOp => payload.is_empty(),
            EntryKind::Batch | EntryKind::Commands => !payload.is_empty(),
            EntryKind::Members => false,
        };
        if !may_propose {
            return Err(Dropped::Entry);
        }
        if self.node.raft.lead_transferee.is_some() {
            return Err(Dropped::Transferring);
        }
        let weight = log_entry::weight(&payload);
        if weight > self.settings.uncommitted_bytes_max {
            return Err(Dropped::TooLarge);
        }
        if self.unstable_bytes() + weight > self.settings.uncommitted_bytes_max {
            return Err(Dropped::Full);
        }
        let index = self.last_index().next();
        let entry = log_entry::to_raft(index, self.term(), self.next_context(kind, wall), payload);
        let mut message = eraftpb::Message {
            msg_type: MessageType::MsgPropose,
            from: self.id().0,
            ..eraftpb::Message::default()
        };
        message.set_entries(vec![entry].into());
        let stepped = self.node.step(message);
        self.pin_election_timeout();
        if stepped.is_err() {
            return Err(Dropped::Full);
        }
        assert_eq!(self.last_index(), index, "one proposal is one entry");
        Ok(index)
    }

    /// The wall time of the log's last entry.
    pub fn last_wall(&self) -> Wall {
        let parsed = self.last_context().and_then(|context| log_entry::parse_context(context));
        parsed.map_or(self.window().below().wall, |(_, wall)| wall)
    }

    /// The context of the next entry: its time does not fall. Entries of one kind and millisecond share one.
    fn next_context(&self, kind: EntryKind, wall: Wall) -> Bytes {
        let wall = wall.max(self.last_wall());
        match self.last_context() {
            Some(context) if log_entry::parse_context(context) == Some((kind, wall)) => context.clone(),
            _ => log_entry::context(kind, wall),
        }
    }

    /// The context of the newest entry that has one; raft-rs's own entry has none yet.
    fn last_context(&self) -> Option<&Bytes> {
        let unstable = &self.node.raft.raft_log.unstable.entries;
        let last = unstable.iter().rev().map(|entry| &entry.context).find(|context| !context.is_empty());
        last.or_else(|| self.window().last_context())
    }
}
