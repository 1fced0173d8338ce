//! One sync may make durable both what a replica accepted in one term and what a leader of a later term put in its place.
//! Only then does the acceptance leave, and its index is above the log. The leader of the earlier term, who may still
//! lead it as far as it knows, counts it. Tried with every set of voters that accept, every candidate of the later term
//! and every electorate: whatever commits in the earlier term was in the log of who was elected in the later one.

use super::{Ready, fresh, kinds, settle};
use crate::entry::EntryKind;
use crate::ids::{Index, Term};
use crate::now::Wall;
use crate::replica::{ReadyNumber, Replica};
use bytes::Bytes;
use rust_mq_proto::peer::raft::{RaftKind, RaftMessage};

const VOTERS: u64 = 5;
const ROOM: usize = 16 << 20;
/// What the leader of the earlier term proposes lies behind its no-op.
const PROPOSED: Index = Index(3);

/// Five voters, some of whose disks have not answered yet.
struct Five {
    replicas: Vec<Replica>,
    unsynced: Vec<Option<ReadyNumber>>,
    /// What was said to those who were not among the talkers.
    unheard: Vec<RaftMessage>,
}

impl Five {
    /// The first leads, its no-op is everywhere.
    fn led_by_the_first() -> Five {
        let replicas = (1..=VOTERS).map(|id| fresh(id, VOTERS)).collect();
        let mut five = Five { replicas, unsynced: vec![None; VOTERS as usize], unheard: Vec::new() };
        assert!(five.of(1).campaign(), "nothing is unsynced");
        five.talk(&[1, 2, 3, 4, 5]);
        assert!(five.of(1).is_leader(), "everybody hears it");
        five
    }

    fn of(&mut self, id: u64) -> &mut Replica {
        &mut self.replicas[id as usize - 1]
    }

    /// These say and hear all there is among them.
    fn talk(&mut self, among: &[u64]) {
        loop {
            let said: Vec<RaftMessage> = among.iter().flat_map(|id| settle(self.of(*id))).collect();
            if said.is_empty() {
                return;
            }
            let (heard, unheard): (Vec<_>, Vec<_>) =
                said.into_iter().partition(|message| among.contains(&message.to));
            self.unheard.extend(unheard);
            heard.into_iter().for_each(|message| self.hear(message));
        }
    }

    fn hear(&mut self, message: RaftMessage) {
        // Refused is what is stale by now.
        let _ = self.of(message.to).step(message);
    }

    /// It takes in what it has heard, and its disk does not answer yet. Returns what may be said before that.
    fn take_in(&mut self, id: u64) -> Vec<RaftMessage> {
        let mut said = Vec::new();
        while let Some(Ready { number, must_persist, messages, .. }) = self.of(id).take_ready(ROOM) {
            said.extend(messages);
            if must_persist {
                self.unsynced[id as usize - 1] = Some(number);
            }
        }
        said
    }

    /// One sync for everything that waits.
    fn sync(&mut self, id: u64) -> Vec<RaftMessage> {
        let number = self.unsynced[id as usize - 1].take();
        number.map_or(Vec::new(), |number| self.of(id).persisted(number))
    }
}

/// What is left of one attempt.
struct Outcome {
    is_elected: bool,
    /// Some acceptance of the earlier term was above the log when it left.
    was_late: bool,
}

fn attempt(accepting: &[u64], candidate: u64, electorate: &[u64]) -> Outcome {
    let mut five = Five::led_by_the_first();
    let first_term = five.of(1).term();
    for payload in [&b"one"[..], b"two"] {
        five.of(1).propose(EntryKind::Batch, Wall(0), Bytes::from_static(payload)).expect("it leads");
    }
    for message in settle(five.of(1)) {
        if accepting.contains(&message.to) {
            five.hear(message);
        }
    }
    // Whoever accepts has not synced: no acceptance leaves.
    for id in accepting {
        let said = five.take_in(*id);
        assert!(!kinds(&said).contains(&RaftKind::AppendResponse), "an acceptance of what is not durable");
    }
    five.unheard.clear();
    let is_elected = elect(&mut five, candidate, electorate);
    let log_of_elected = five.of(candidate).last_index();
    let mut late = Vec::new();
    for id in accepting.iter().filter(|id| **id != candidate) {
        let unheard = std::mem::take(&mut five.unheard);
        let is_for_it = |message: &RaftMessage| message.to == *id && message.kind() == RaftKind::Append;
        let (for_it, others) = unheard.into_iter().partition(is_for_it);
        five.unheard = others;
        if is_elected {
            Vec::into_iter(for_it).for_each(|append| five.hear(append));
            five.take_in(*id);
        }
        let last = five.of(*id).last_index();
        for message in five.sync(*id) {
            let is_of_first = message.kind() == RaftKind::AppendResponse && Term(message.term) == first_term;
            if is_of_first && !message.reject {
                late.push(Index(message.index) > last);
                five.hear(message);
            }
        }
    }
    settle(five.of(1));
    let committed = five.of(1).commit();
    let is_first_leading = five.of(1).term() == first_term;
    if is_elected && is_first_leading && committed >= Index(2) {
        assert!(
            log_of_elected >= PROPOSED,
            "accepted by {accepting:?}, {candidate} elected by {electorate:?}"
        );
    }
    Outcome { is_elected, was_late: late.contains(&true) }
}

/// The candidate asks these, whose disks then sync whatever they owe: a vote leaves no earlier.
fn elect(five: &mut Five, candidate: u64, electorate: &[u64]) -> bool {
    for id in electorate {
        five.of(*id).leader_lost();
        // What was accepted becomes durable before the vote: those acceptances are lost on the way.
        five.sync(*id);
    }
    five.of(candidate).leader_lost();
    five.sync(candidate);
    settle(five.of(candidate));
    five.of(candidate).campaign();
    let mut among = electorate.to_vec();
    among.push(candidate);
    among.sort_unstable();
    among.dedup();
    five.talk(&among);
    five.of(candidate).is_leader()
}

/// The subsets of the voters but the first.
fn subsets() -> impl Iterator<Item = Vec<u64>> {
    (0..1 << (VOTERS - 1)).map(|bits: u64| (2..=VOTERS).filter(|id| bits >> (id - 2) & 1 == 1).collect())
}

#[test]
fn a_late_acceptance_commits_nothing_that_a_later_leader_replaces() {
    let (mut elected, mut late) = (0, 0);
    for accepting in subsets() {
        for electorate in subsets() {
            for candidate in 2..=VOTERS {
                let outcome = attempt(&accepting, candidate, &electorate);
                elected += u64::from(outcome.is_elected);
                late += u64::from(outcome.is_elected && outcome.was_late);
            }
        }
    }
    assert!(elected > 100 && late > 20, "{elected} were elected, {late} acceptances were late");
}
