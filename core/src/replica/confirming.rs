//! Reads that a leader may only answer once a majority has confirmed that it leads still (ReadIndex, section 6.4 of
//! Ongaro's thesis), and it has applied what was committed when it asked. One question is on its way at a time: whoever
//! comes meanwhile shares the next, for a majority that was asked before somebody came says nothing about his moment.
//!
//! - Invariant: at most one question of a replica is in flight, and nobody is answered by one that was asked before he
//!   came.
//! - Invariant: who asks is given back exactly once: confirmed, or lost.
//!
//! Not here: what is read then, and who hears of it (`host`, `node/reading`).

use super::{ReadContext, Replica};
use crate::ids::Index;
use crate::limits;

/// The reads of one replica. `T` is who waits, and for what.
#[derive(Debug)]
pub struct Confirming<T> {
    asked: Option<(ReadContext, Vec<T>)>,
    /// They share the next question.
    next: Vec<T>,
    /// A majority has confirmed these, once that is applied.
    confirmed: Vec<(Index, T)>,
}

impl<T> Default for Confirming<T> {
    fn default() -> Self {
        Confirming { asked: None, next: Vec::new(), confirmed: Vec::new() }
    }
}

impl<T> Confirming<T> {
    /// How many want to read.
    #[cfg(feature = "simulation")]
    pub fn len(&self) -> usize {
        self.asked.iter().map(|(_, who)| who.len()).sum::<usize>() + self.next.len() + self.confirmed.len()
    }

    /// Somebody wants to read. Gives back whom `replica` cannot ask for, since it does not lead.
    pub fn ask(&mut self, who: T, replica: &mut Replica) -> Vec<T> {
        self.next.push(who);
        self.go_on(replica)
    }

    /// What a ready of `replica` says of questions. Gives back whom it cannot ask for.
    pub fn heard(&mut self, reads: &[(ReadContext, Index)], replica: &mut Replica) -> Vec<T> {
        let Some((context, _)) = self.asked else { return Vec::new() };
        let Some((_, index)) = reads.iter().find(|(read, _)| *read == context) else { return Vec::new() };
        let (_, who) = self.asked.take().expect("it was just looked at");
        self.confirmed.extend(who.into_iter().map(|who| (*index, who)));
        self.go_on(replica)
    }

    /// Who is confirmed, everything up to `applied` being applied.
    pub fn take_confirmed(&mut self, applied: Index) -> Vec<T> {
        if self.confirmed.is_empty() {
            return Vec::new();
        }
        self.confirmed.extract_if(.., |(index, _)| *index <= applied).map(|(_, who)| who).collect()
    }

    /// The replica leads no more, or is gone: nobody is confirmed.
    pub fn lose(&mut self) -> Vec<T> {
        let confirmed = std::mem::take(&mut self.confirmed).into_iter().map(|(_, who)| who);
        let asked = self.asked.take().map(|(_, who)| who).unwrap_or_default();
        confirmed.chain(asked).chain(std::mem::take(&mut self.next)).collect()
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.asked.is_none() && self.next.is_empty() && self.confirmed.is_empty()
    }

    /// Asks for those who wait, unless a question is on its way.
    fn go_on(&mut self, replica: &mut Replica) -> Vec<T> {
        if self.asked.is_some() || self.next.is_empty() {
            return Vec::new();
        }
        let who = std::mem::take(&mut self.next);
        let Some(context) = replica.next_read() else { return who };
        self.asked = Some((context, who));
        Vec::new()
    }
}

impl Replica {
    /// Asks for a linearizable read: a later ready gives `context` with the index that must be applied first.
    /// Returns false if it cannot be asked: not the leader, nothing committed in its term yet, or too many. A
    /// change of role loses it.
    pub fn read_index(&mut self, context: ReadContext) -> bool {
        let raft = &self.node.raft;
        let may_ask = self.is_leader()
            && raft.commit_to_current_term()
            && raft.pending_read_count() < limits::READS_PENDING_MAX;
        if may_ask {
            self.node.read_index(context.0.to_le_bytes().to_vec());
            self.pin_election_timeout();
        }
        may_ask
    }

    /// As `read_index`, with a context that this replica has never had: an answer to an earlier question that comes late
    /// would confirm what was asked after it.
    fn next_read(&mut self) -> Option<ReadContext> {
        self.contexts += 1;
        let context = ReadContext(self.contexts);
        self.read_index(context).then_some(context)
    }
}
