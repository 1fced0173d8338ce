//! Partitions that the image places here and that have not started yet. They may be thousands, and their states large, so
//! that they start over as many turns as that needs: whom somebody asks for first, the others in order.
//!
//! ```text
//! the image places it here -> waits -> its state is decoded, page by page -> it runs, and may stand for election
//!                               ^ asked for by a client, or by a peer: it is next
//! ```
//! - Invariant: state decoded in a turn <= `gathered_bytes`, or it is one page, or one state that is in one piece.
//! - Invariant: while any waits, each turn gets on with one.
//!
//! Not here: how one starts (`effects`), which the disk knows and nobody places here (`unclaimed`).

use crate::ids::{PartitionId, ReplicaId, TopicId, TopicPartition};
use crate::limits::STARTED_REPLICA_BYTES;
use crate::resident::{Kind, Unfolding, Unstartable};
use std::collections::{BTreeMap, VecDeque};

/// Who waits, and what a turn may still decode.
pub(super) struct Unstarted {
    bytes_max: u64,
    /// What this turn has decoded.
    spent: u64,
    waiting: BTreeMap<TopicPartition, ReplicaId>,
    by_replica: BTreeMap<ReplicaId, TopicPartition>,
    /// In which order they start. May name some that have.
    order: VecDeque<TopicPartition>,
    /// Whose state is being read.
    open: Option<Box<Open>>,
}

/// One whose state is being read.
pub(super) struct Open {
    pub of: TopicPartition,
    pub kind: Kind,
    pub state: Unfolding,
}

impl Unstarted {
    /// How many there are.
    #[cfg(feature = "simulation")]
    pub fn held(&self) -> usize {
        self.waiting.len() + self.by_replica.len() + self.order.len() + usize::from(self.open.is_some())
    }

    /// Nobody waits; a turn decodes so much.
    pub fn new(bytes_max: u64) -> Unstarted {
        let (waiting, by_replica, order) = Default::default();
        Unstarted { bytes_max, spent: 0, waiting, by_replica, order, open: None }
    }

    /// A turn begins.
    pub fn turn_begins(&mut self) {
        self.spent = 0;
    }

    /// It is to start, when its turn comes.
    pub fn add(&mut self, of: TopicPartition, replica: ReplicaId) {
        if self.open.as_ref().is_none_or(|open| open.of != of) && self.waiting.insert(of, replica).is_none() {
            self.by_replica.insert(replica, of);
            self.order.push_back(of);
        }
    }

    /// A topic is gone: none of it starts any more.
    pub fn forget(&mut self, topic: TopicId) {
        let of_it = |of: &TopicPartition| of.topic == topic;
        for (_, replica) in self.waiting.extract_if(.., |of, _| of_it(of)) {
            self.by_replica.remove(&replica);
        }
        self.order.retain(|of| !of_it(of));
        self.open = self.open.take().filter(|open| !of_it(&open.of));
    }

    /// Somebody asks for it: if it waits, it is next.
    pub fn hurry(&mut self, of: TopicPartition) {
        if !self.waiting.is_empty() && self.waiting.contains_key(&of) && self.order.front() != Some(&of) {
            self.order.push_front(of);
        }
    }

    /// Somebody asks for all of a topic.
    pub fn hurry_topic(&mut self, topic: TopicId) {
        if self.waiting.is_empty() || self.order.front().is_some_and(|first| first.topic == topic) {
            return;
        }
        let at = |number| TopicPartition { topic, partition: PartitionId(number) };
        let waiting = self.waiting.range(at(0)..=at(i32::MAX)).rev();
        waiting.for_each(|(of, _)| self.order.push_front(*of));
    }

    /// A peer asks for it, by its replica here. Whether it waits.
    pub fn hurry_replica(&mut self, replica: ReplicaId) -> bool {
        let Some(of) = self.by_replica.get(&replica).copied() else { return false };
        self.hurry(of);
        true
    }

    /// Who starts now, if this turn may start another.
    pub fn next(&mut self) -> Option<TopicPartition> {
        if self.spent > 0 && self.spent + STARTED_REPLICA_BYTES > self.bytes_max {
            return None;
        }
        while let Some(of) = self.order.pop_front() {
            if let Some(replica) = self.waiting.remove(&of) {
                self.by_replica.remove(&replica);
                self.spent += STARTED_REPLICA_BYTES;
                return Some(of);
            }
        }
        None
    }

    /// The state of one is being read.
    pub fn opened(&mut self, open: Open) {
        assert!(self.open.is_none(), "one begins when the one before has started");
        self.open = Some(Box::new(open));
    }

    /// Whether nothing is to start.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty() && self.open.is_none()
    }

    /// Whether the state of one is being read.
    pub fn is_reading(&self) -> bool {
        self.open.is_some()
    }

    /// Decodes as much of its state as this turn may: gives it once it is whole.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(&mut self) -> Result<Option<Box<Open>>, (TopicPartition, Unstartable)> {
        let Some(mut open) = self.open.take() else { return Ok(None) };
        self.spent += open.state.take_decoded();
        while let Some(bytes) = open.state.next_bytes() {
            // Each turn gets on with one.
            if self.spent > 0 && self.spent + bytes > self.bytes_max {
                self.open = Some(open);
                return Ok(None);
            }
            open.state.take_page().map_err(|fault| (open.of, fault))?;
            self.spent += open.state.take_decoded();
        }
        Ok(Some(open))
    }

    /// Whether any waits, or is being read.
    pub fn has_more(&self) -> bool {
        self.open.is_some() || !self.waiting.is_empty()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.waiting.len() + usize::from(self.open.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::GroupSettings;
    use crate::entry::{HardState, Members};
    use crate::ids::{Index, NodeId, Offset, Term};
    use crate::level::Levels;
    use crate::limits::{GATHERED_BYTES_MAX, PRODUCERS_PER_PARTITION_MAX};
    use crate::machine::Room;
    use crate::now::Wall;
    use crate::paged::Folded;
    use crate::partition::{LogState, ProducerBatch};
    use crate::replica::Settings;
    use crate::resident::{Means, unborn};
    use crate::settings::{Layers, NOTHING, TopicConfig};
    use crate::storage::RecoveredReplica;
    use rust_mq_proto::records::Producer;

    fn partition(number: i32) -> TopicPartition {
        TopicPartition { topic: TopicId([7; 16]), partition: PartitionId(number) }
    }

    #[test]
    fn a_turn_starts_so_many_and_first_whom_somebody_asks_for() {
        let mut unstarted = Unstarted::new(100 * STARTED_REPLICA_BYTES);
        (0..1000).for_each(|number| unstarted.add(partition(number), ReplicaId(number as u64)));
        unstarted.turn_begins();
        assert_eq!(std::iter::from_fn(|| unstarted.next()).count(), 100);
        // One that waits, one that has started, one that nobody knows.
        [5, 5000].iter().for_each(|number| unstarted.hurry(partition(*number)));
        assert!(unstarted.hurry_replica(ReplicaId(900)) && !unstarted.hurry_replica(ReplicaId(5)));
        assert_eq!(unstarted.next(), None, "not in this turn");
        unstarted.turn_begins();
        assert_eq!(unstarted.next(), Some(partition(900)));
        assert_eq!(unstarted.next(), Some(partition(100)));
        let other = |number| TopicPartition { topic: TopicId([9; 16]), ..partition(number) };
        (0..3).for_each(|number| unstarted.add(other(number), ReplicaId(2000 + number as u64)));
        unstarted.hurry_topic(other(0).topic);
        let next: Vec<_> = std::iter::from_fn(|| unstarted.next()).take(4).collect();
        assert_eq!(next, [other(0), other(1), other(2), partition(101)]);
        let mut turns = 1;
        while unstarted.has_more() {
            unstarted.turn_begins();
            assert!(std::iter::from_fn(|| unstarted.next()).count() <= 100);
            turns += 1;
        }
        assert!(turns >= 10 && unstarted.order.is_empty() && unstarted.by_replica.is_empty());
    }

    #[test]
    fn one_that_is_larger_than_a_turn_gets_on_all_the_same() {
        let mut unstarted = Unstarted::new(1);
        unstarted.add(partition(1), ReplicaId(1));
        unstarted.add(partition(2), ReplicaId(2));
        unstarted.turn_begins();
        assert_eq!((unstarted.next(), unstarted.next()), (Some(partition(1)), None));
        unstarted.turn_begins();
        assert_eq!((unstarted.next(), unstarted.next()), (Some(partition(2)), None));
    }

    /// What the disk has of a partition to which so many producers have written.
    fn of_producers(count: i64) -> (RecoveredReplica, LogState) {
        let mut log = LogState::default();
        for number in 0..count * 5 {
            let producer = Producer { id: (1 << 40) | (number % count), epoch: 300, base_sequence: 0 };
            let (base, index) = (Offset((1 << 40) | number), Index(1 << 40));
            let batch = ProducerBatch { first: 1 << 20, last: 1 << 20, base, append_time: 1 << 40, index };
            log.producers.applied(&producer, batch, Wall(1 << 40));
        }
        log.end = Offset(1 << 41);
        let page = |(place, id)| (id, log.page(place).expect("it was counted"));
        let pages = log.page_ids().into_iter().enumerate().map(page).collect();
        let state = Folded::Pages { head: log.head(Levels::BUILD.newest), pages };
        let (replica, applied) = (ReplicaId(5), Index(1 << 40));
        let known = unborn(replica, partition(1), Members { voters: vec![replica], learners: Vec::new() });
        let hard_state = HardState { term: Term(1), vote: ReplicaId::NOBODY, commit: applied };
        (RecoveredReplica { state, applied, applied_term: Term(1), hard_state, ..known }, log)
    }

    #[test]
    fn a_state_of_ten_thousand_producers_is_decoded_over_turns() {
        let (known, log) = of_producers(PRODUCERS_PER_PARTITION_MAX as i64);
        let bytes = log.producers.entries().bytes() as u64;
        let room = Room {
            node: NodeId(1),
            commands_bytes_max: 1 << 20,
            partitions_max: 10,
            state_bytes_max: 1 << 20,
            groups: GroupSettings::DEFAULT,
        };
        let means = Means { seed: 1, room, reads: Levels::BUILD.newest, level: Levels::BUILD.newest };
        let kind = Kind::Records(TopicConfig::read(&Layers::own(&NOTHING)));
        let state = Unfolding::begin(kind, means, known).expect("what was written can be read");
        let mut unstarted = Unstarted::new(GATHERED_BYTES_MAX);
        unstarted.opened(Open { of: partition(1), kind, state });
        let (mut turns, mut most) = (0, 0);
        let open = loop {
            unstarted.turn_begins();
            let open = unstarted.read().expect("what was written can be read");
            (turns, most) = (turns + 1, most.max(unstarted.spent));
            if let Some(open) = open {
                break open;
            }
            assert!(unstarted.is_reading() && unstarted.next().is_none(), "one at a time");
        };
        assert!(most <= GATHERED_BYTES_MAX && bytes > 2 * GATHERED_BYTES_MAX, "{most} of {bytes} bytes");
        assert_eq!(turns, bytes.div_ceil(GATHERED_BYTES_MAX), "and no turn does less than it may");
        let resident = open.state.finish(Settings::new(NodeId(1), 1, 7)).expect("nothing contradicts it");
        assert_eq!(resident.records().map(|partition| partition.told()), Some(log));
    }
}
