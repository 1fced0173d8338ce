//! C6, replay == live: a fresh state with the committed log replayed into it is the state that nodes have, at every
//! restart, at every election, and whenever what they have applied moves.
//!
//! Looked at: the content of entries as the *durable journals* tell it, taken in once some journal says that they are
//! committed, in the order of the log. So what is compared with a node that recovered from checkpoint, segments and
//! journal, or that caught up by a snapshot, went by none of these. The states that resets carry (founding and
//! snapshots) are compared as well, before anybody serves from them.
//!
//! Invariant: a replay has taken in every entry up to its index, each once. Where a journal lost entries to a reset
//! before it knew them committed, the replay waits for another journal's.

use super::c06_replicas_equal::{States, Whose};
use super::c08_begins_at_zero::Beginnings;
use super::frames::{Said, State};
use super::shadow::{Group, partition_of};
use super::{Claim, Verdict};
use crate::marks::Marks;
use rust_mq_core::entry::{Entry, EntryKind};
use rust_mq_core::ids::{Index, Term, TopicPartition};
use rust_mq_core::now::Wall;
use rust_mq_core::resident::replayed::{Replayed, hash_of_state};
use std::collections::BTreeMap;

/// One for each partition, the metadata's too.
#[derive(Debug, Default)]
pub struct Replays(BTreeMap<TopicPartition, Replay>);

#[derive(Debug)]
struct Replay {
    state: Replayed,
    applied: Index,
    waiting: BTreeMap<u64, Entry>,
    /// Where producers begin in it.
    beginnings: Beginnings,
}

impl Replays {
    /// A replica of it was added somewhere: a log begins with nothing, unless a reset says otherwise.
    pub fn added(&mut self, group: Group) {
        self.at(partition_of(group));
    }

    /// A replica is reset to a state.
    pub fn reset(
        &mut self,
        site: usize,
        (group, index): (Group, u64),
        state: &State,
        states: &mut States,
        marks: &mut Marks,
        verdict: &mut Verdict,
    ) {
        let of = partition_of(group);
        let replay = self.at(of);
        if replay.applied == Index(0) && replay.waiting.is_empty() {
            match Replayed::decode(of, &state.0) {
                Ok(state) => (replay.state, replay.applied) = (state, Index(index)),
                Err(reason) => verdict.breach(Claim::C6, format!("{of}: a reset nobody can read: {reason}")),
            }
        }
        let hash = hash_of_state(&state.0);
        if states.compare(Whose::Site(site), of, Index(index), hash, verdict) {
            marks.hit("replay.met_a_snapshot");
        }
    }

    /// A journal's entry is committed.
    pub fn committed(
        &mut self,
        group: Group,
        (index, term): (u64, u64),
        said: Said,
        states: &mut States,
        marks: &mut Marks,
        verdict: &mut Verdict,
    ) {
        let of = partition_of(group);
        let replay = self.at(of);
        if index <= replay.applied.0 {
            return;
        }
        let Some(kind) = EntryKind::parse(said.kind) else {
            return verdict.breach(Claim::C6, format!("{of} {index}: an entry of kind {}", said.kind));
        };
        let (wall, payload) = (Wall(said.wall), said.payload);
        replay.waiting.insert(index, Entry { index: Index(index), term: Term(term), kind, wall, payload });
        while let Some(entry) = replay.waiting.remove(&replay.applied.next().0) {
            if let Err(reason) = replay.state.apply(&entry) {
                return verdict.breach(Claim::C6, format!("{of} {}: not replayable: {reason}", entry.index));
            }
            replay.applied = entry.index;
            replay.beginnings.takes(of, &entry, verdict);
            marks.add("replay.met_a_live_state", u64::from(states.holds(of, entry.index)));
            states.compare(Whose::Replay, of, entry.index, replay.state.hash(entry.wall), verdict);
        }
    }

    fn at(&mut self, of: TopicPartition) -> &mut Replay {
        self.0.entry(of).or_insert_with(|| Replay {
            state: Replayed::empty(of),
            applied: Index(0),
            waiting: BTreeMap::new(),
            beginnings: Beginnings::default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    const GROUP: Group = ([3; 16], 0);

    fn replay(live: Option<u64>, entries: &[(u64, u8)]) -> bool {
        let (mut replays, mut states) = (Replays::default(), States::default());
        let (mut marks, mut verdict) = (Marks::default(), Verdict::default());
        if let Some(hash) = live {
            states.compare(Whose::Site(0), partition_of(GROUP), Index(2), hash, &mut verdict);
        }
        for (index, kind) in entries {
            let said = Said { kind: *kind, wall: 5, payload: Bytes::new() };
            replays.committed(GROUP, (*index, 1), said, &mut states, &mut marks, &mut verdict);
        }
        verdict.is_broken()
    }

    #[test]
    fn a_live_state_that_the_log_does_not_make_is_a_breach() {
        assert!(!replay(None, &[(1, 0), (2, 0)]));
        assert!(replay(Some(7), &[(1, 0), (2, 0)]));
    }

    #[test]
    fn entries_wait_for_those_before_them() {
        assert!(!replay(Some(7), &[(2, 0)]));
        assert!(replay(Some(7), &[(2, 0), (1, 0)]));
    }

    #[test]
    fn an_entry_that_cannot_stand_there_is_a_breach() {
        assert!(replay(None, &[(1, 1)]));
    }
}
