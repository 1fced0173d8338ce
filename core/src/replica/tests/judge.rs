//! The laws of Raft, told event by event; each is one method. A breach panics with the seed in the test's name.

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
    /// One leader a term.
    pub fn role(&mut self, of: ReplicaId, role: Role) {
        if role.leader != ReplicaId::NOBODY {
            let first = *self.leaders.entry(role.term).or_insert(role.leader);
            assert_eq!(first, role.leader, "two leaders in {}", role.term);
        }
        assert_eq!(role.is_leader, role.leader == of);
    }

    /// Log matching: an index and a term name one entry.
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
    pub fn said(&self, disk: &Disk, message: &RaftMessage) {
        let (term, durable) = (Term(message.term), disk.hard_state);
        let voted_for = |id| term < durable.term || (term == durable.term && durable.vote == ReplicaId(id));
        match message.kind() {
            RaftKind::PreVote | RaftKind::PreVoteResponse => return,
            RaftKind::Vote => assert!(voted_for(message.from), "a candidacy that is not durable"),
            RaftKind::VoteResponse if !message.reject => {
                assert!(voted_for(message.to), "a vote that is not durable");
            }
            RaftKind::AppendResponse if !message.reject => {
                assert!(Index(message.index) <= disk.last(), "an acknowledgement of what is not durable");
            }
            _ => {}
        }
        assert!(term <= durable.term, "a word of a term that is not durable: {message:?}");
    }
}
