//! The guard: what raft-rs would panic on, or be misled by, is refused before it is stepped.
//!
//! raft-rs's `step` trusts its peers: a heartbeat whose commit is beyond the log, an append with a gap, a
//! term of 2^64-1 stop the process, and with it all other partitions. The first needs no attacker: a voter whose
//! disk was rolled back receives it. Other messages are taken without protest though they mislead: of a
//! stranger, for another replica, of a second leader in one term.
//!
//! Invariant: 1 <= term <= Term::MAX and every index <= Index::MAX in what is admitted.
//! Invariant: term <= own term + `limits::TERM_LEAP_MAX`: no message uses up the terms that there are.
//! Invariant: entry terms rise from log_term and are <= term.
//! Invariant: heartbeat commit <= last index.
//! Invariant: unsynced weight after an append <= uncommitted_bytes_max.
//!
//! A refused message is one that was lost: Raft sends again what matters. Only what shows that this disk has lost a
//! promise ends the replica (`Refused::LostTail`), and nothing refused the process. Not here: which node a replica lives on, whether
//! the message came from there, and whether its entries could be applied (`resident/belief`).
//! Sources: raft-rs 0.7's raft.rs, raft_log.rs; etcd issues 10166, 13509, 16220; tikv issue 4045.

use super::{Replica, wire};
use crate::entry::EntryKind;
use crate::ids::{Index, ReplicaId, Term};
use crate::limits::TERM_LEAP_MAX;
use crate::mutant::{Mutant, is_planted};
use rust_mq_proto::peer::raft::{RaftKind, RaftMessage};

/// Why a message was not stepped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum Refused {
    /// It is for another replica.
    #[error("not for this replica")]
    Recipient,
    /// Its sender may not say this: no member, no voter, or this replica itself.
    #[error("the sender may not say this")]
    Sender,
    /// A kind that this version does not know.
    #[error("an unknown kind")]
    Kind,
    /// A term of 0, above [`Term::MAX`] or far beyond the own one, or one that contradicts another in the message.
    #[error("an impossible term")]
    Term,
    /// An index that no log reaches.
    #[error("an impossible index")]
    Index,
    /// An entry of a kind that may not be appended, or without the payload that its kind has.
    #[error("an impossible entry")]
    Entry,
    /// The leader knows us to hold entries that we do not have: this replica's disk lost what it had promised
    /// to keep. It must not vote any more; the floor above retires it.
    #[error("entries that were durable here are lost")]
    LostTail,
    /// The leader's log contradicts what is committed here. One of the two lost durable entries.
    #[error("the log contradicts what is committed")]
    Diverged,
    /// There is another leader in this term already.
    #[error("a second leader in one term")]
    SecondLeader,
    /// Too many bytes wait for the disk; Raft sends it again.
    #[error("too much waits for the disk")]
    Full,
    /// It is of the past, or was honoured already.
    #[error("stale")]
    Stale,
    /// The members are no configuration of a partition, or this replica is not one of them.
    #[error("impossible members")]
    Members,
}

impl Replica {
    /// Bugs that can be planted, in what is asked of a replica or answered to it about votes.
    pub(super) fn bend(&mut self, mut message: RaftMessage) -> RaftMessage {
        let is_planted = |mutant| is_planted(self.settings.mutant, mutant);
        let is_answer = matches!(message.kind(), RaftKind::VoteResponse | RaftKind::PreVoteResponse);
        message.reject &= !(is_answer && is_planted(Mutant::RefusedVoteCounts));
        let is_again = message.kind() == RaftKind::Vote && message.term == self.term().0;
        if is_again && is_planted(Mutant::VotesTwice) {
            self.node.raft.vote = ReplicaId::NOBODY.0;
        }
        message
    }

    /// Judges a message from the network.
    pub(super) fn admit(&self, message: &RaftMessage) -> Result<(), Refused> {
        self.admit_envelope(message)?;
        match message.kind() {
            RaftKind::Append => self.admit_append(message),
            RaftKind::Heartbeat => self.admit_heartbeat(message),
            RaftKind::Vote | RaftKind::PreVote => self.admit_candidate(message),
            RaftKind::TimeoutNow => self.admit_timeout_now(message),
            RaftKind::TransferWanted => self.admit_transfer_wanted(message),
            RaftKind::AppendResponse => self.admit_append_response(message),
            RaftKind::VoteResponse | RaftKind::PreVoteResponse | RaftKind::HeartbeatResponse => {
                self.admit_member(message)
            }
            RaftKind::Unknown => Err(Refused::Kind),
        }
    }

    fn admit_envelope(&self, message: &RaftMessage) -> Result<(), Refused> {
        if message.to != self.id().0 {
            return Err(Refused::Recipient);
        }
        if message.from == self.id().0 || message.from == ReplicaId::NOBODY.0 {
            return Err(Refused::Sender);
        }
        let terms = [message.log_term, message.commit_term];
        let highest = Term::MAX.0.min(self.term().0.saturating_add(TERM_LEAP_MAX));
        if message.term == 0 || message.term > highest || terms.iter().any(|term| *term > message.term) {
            return Err(Refused::Term);
        }
        let indexes = [message.index, message.commit, message.reject_hint];
        if indexes.iter().any(|index| *index > Index::MAX.0) {
            return Err(Refused::Index);
        }
        if !message.entries.is_empty() && message.kind() != RaftKind::Append {
            return Err(Refused::Entry);
        }
        Ok(())
    }

    fn admit_append(&self, message: &RaftMessage) -> Result<(), Refused> {
        self.admit_leader(message)?;
        // raft-rs takes term 0 for "not in my log", so (index, 0) would match beyond its end: a gap.
        if (message.index == 0) != (message.log_term == 0) {
            return Err(Refused::Term);
        }
        let mut term = message.log_term;
        for entry in &message.entries {
            if entry.term == 0 || entry.term < term || entry.term > message.term {
                return Err(Refused::Term);
            }
            term = entry.term;
            let may_append = match u8::try_from(entry.kind).ok().and_then(EntryKind::parse) {
                Some(EntryKind::NoOp) => entry.payload.is_empty(),
                Some(EntryKind::Batch | EntryKind::Commands) => !entry.payload.is_empty(),
                // Members are fixed by the configuration.
                Some(EntryKind::Members) | None => false,
            };
            if !may_append {
                return Err(Refused::Entry);
            }
        }
        if message.term >= self.term().0 && self.contradicts_committed(message) {
            return Err(Refused::Diverged);
        }
        if self.unsynced_bytes() + wire::weight(message) > self.settings().uncommitted_bytes_max {
            return Err(Refused::Full);
        }
        Ok(())
    }

    fn admit_heartbeat(&self, message: &RaftMessage) -> Result<(), Refused> {
        self.admit_leader(message)?;
        if message.commit > self.last_index().0 {
            return Err(Refused::LostTail);
        }
        Ok(())
    }

    fn admit_candidate(&self, message: &RaftMessage) -> Result<(), Refused> {
        self.admit_voter(message)?;
        // A candidate's log ends in an earlier term than the one it asks for.
        if message.log_term >= message.term || (message.index == 0) != (message.log_term == 0) {
            return Err(Refused::Term);
        }
        Ok(())
    }

    fn admit_timeout_now(&self, message: &RaftMessage) -> Result<(), Refused> {
        self.admit_leader(message)?;
        // It breaks the lease and needs no pre-vote: only from the leader that we follow, and never while
        // entries are unsynced (raft-rs asserts that all are when it wins), nor on a slow disk, which could not give
        // its own vote. A duplicate finds a higher term.
        let is_current = message.term == self.term().0 && message.from == self.leader().0;
        if !is_current || !self.may_campaign() || self.is_reluctant {
            return Err(Refused::Stale);
        }
        Ok(())
    }

    fn admit_transfer_wanted(&self, message: &RaftMessage) -> Result<(), Refused> {
        self.admit_voter(message)?;
        // Only of who follows this leader: anybody else has not its log.
        if message.term != self.term().0 || !self.is_leader() {
            return Err(Refused::Stale);
        }
        Ok(())
    }

    fn admit_append_response(&self, message: &RaftMessage) -> Result<(), Refused> {
        self.admit_member(message)?;
        let is_current = message.term == self.term().0 && self.is_leader();
        if is_current && !message.reject && message.index > self.last_index().0 {
            return Err(Refused::Index);
        }
        Ok(())
    }

    /// The sender can be the leader of its term.
    fn admit_leader(&self, message: &RaftMessage) -> Result<(), Refused> {
        self.admit_voter(message)?;
        let leader = self.leader();
        let is_second = leader != ReplicaId::NOBODY && leader.0 != message.from;
        if message.term == self.term().0 && is_second {
            return Err(Refused::SecondLeader);
        }
        Ok(())
    }

    /// The sender may stand for election. A replica without members learns them from its leader.
    fn admit_voter(&self, message: &RaftMessage) -> Result<(), Refused> {
        let voters = &self.members().voters;
        let may = voters.is_empty() || voters.contains(&ReplicaId(message.from));
        if may { Ok(()) } else { Err(Refused::Sender) }
    }

    /// The sender receives our appends, or votes.
    fn admit_member(&self, message: &RaftMessage) -> Result<(), Refused> {
        let from = ReplicaId(message.from);
        let may = self.members().voters.contains(&from) || self.members().learners.contains(&from);
        if may { Ok(()) } else { Err(Refused::Sender) }
    }

    /// Whether an append says of a committed entry that is still here that it has another term.
    fn contradicts_committed(&self, message: &RaftMessage) -> bool {
        let commit = self.commit().0;
        let terms = std::iter::once(message.log_term).chain(message.entries.iter().map(|entry| entry.term));
        (message.index..=commit)
            .zip(terms)
            .any(|(index, term)| self.term_at(Index(index)).is_some_and(|known| known.0 != term))
    }
}
