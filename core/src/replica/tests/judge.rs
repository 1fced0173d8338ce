//! The laws of Raft, told event by event; each is one method. A breach panics with the seed in the test's
//! name.

use super::cluster::Disk;
use crate::entry::Entry;
use crate::ids::{Index, ReplicaId, Term};
use crate::replica::Role;
use rust_mq_proto::peer::raft::{RaftKind, RaftMessage};
use std::collections::BTreeMap;

/// What has been seen so far.
#[derive(Default)]
pub(super) struct Judge {
    leaders: BTreeMap<Term, ReplicaId>,
    entries: BTreeMap<(Index, Term), Entry>,
    /// The entry of index k + 1 at k.
    pub committed: Vec<Entry>,
}

impl Judge {
    /// One leader a term. A leader counts from when its term is durable: before, it is silent, and a crash
    /// makes it forgotten.
    pub fn role(&mut self, of: ReplicaId, role: Role, disk: &Disk) {
        assert_eq!(role.is_leader, role.leader == of);
        if role.leader != ReplicaId::NOBODY && role.term <= disk.hard_state.term {
            self.leads(role.term, role.leader);
        }
    }

    fn leads(&mut self, term: Term, leader: ReplicaId) {
        let first = *self.leaders.entry(term).or_insert(leader);
        assert_eq!(first, leader, "two leaders in {term}");
    }

    /// Log matching: an index and a term name one durable entry.
    pub fn journaled(&mut self, entry: &Entry) {
        let first = self.entries.entry((entry.index, entry.term)).or_insert_with(|| entry.clone());
        assert_eq!(first, entry, "one index and term, two entries");
    }

    /// What is committed never changes, and its wall time never falls.
    pub fn committed(&mut self, entry: &Entry) {
        let at = usize::try_from(entry.index.0 - 1).expect("small");
        assert!(at <= self.committed.len(), "a committed entry was skipped");
        match self.committed.get(at) {
            Some(first) => assert_eq!(first, entry, "a committed entry changed"),
            None => {
                let before = self.committed.last();
                assert!(before.is_none_or(|before| before.wall <= entry.wall), "the time in the log fell");
                self.committed.push(entry.clone());
            }
        }
    }

    /// What a message promises is on its sender's disk when it leaves.
    pub fn said(&mut self, disk: &Disk, message: &RaftMessage) {
        let (term, durable) = (Term(message.term), disk.hard_state);
        let voted_for = |id| term < durable.term || (term == durable.term && durable.vote == ReplicaId(id));
        match message.kind() {
            RaftKind::PreVote | RaftKind::PreVoteResponse => return,
            RaftKind::Vote => assert!(voted_for(message.from), "a candidacy that is not durable"),
            RaftKind::VoteResponse if !message.reject => {
                assert!(voted_for(message.to), "a vote that is not durable");
            }
            RaftKind::AppendResponse if !message.reject => {
                let was_durable = Index(message.index) <= disk.last_in(term);
                assert!(was_durable, "an acknowledgement of what was not durable in its term");
            }
            RaftKind::Append | RaftKind::Heartbeat => self.leads(term, ReplicaId(message.from)),
            _ => {}
        }
        assert!(term <= durable.term, "a word of a term that is not durable: {message:?}");
    }
}
