//! The leader's tip of a partition: the log end and the producers as they will be once everything proposed is
//! applied. Empty when nothing is in flight; dropped with leadership.
//!
//! - Invariant: log.end <= overlay.end, equal when nothing is in flight.
//! - Invariant: a producer is in the overlay only while a batch of its own is unapplied; otherwise the log's own
//!   entry speaks. What an applied entry costs here does not depend on how many others are in flight.

use super::producers::{ProducerBatch, ProducerEntry, Producers};
use crate::ids::{Index, Offset, ProducerId};
use crate::now::Wall;
use rust_mq_proto::records::Producer;
use std::collections::{BTreeMap, VecDeque};

/// What is proposed on top of the log.
#[derive(Clone, Debug)]
pub(super) struct Overlay {
    /// The offset that the next record gets.
    pub end: Offset,
    producers: BTreeMap<ProducerId, (Index, ProducerEntry)>,
    /// Whose batch each unapplied entry is, in the order proposed.
    unapplied: VecDeque<(Index, ProducerId)>,
}

impl Overlay {
    /// Nothing in flight on a log that ends at `end`.
    pub fn empty(end: Offset) -> Overlay {
        Overlay { end, producers: BTreeMap::new(), unapplied: VecDeque::new() }
    }

    /// Whether nothing is in flight on a log that ends at `end`.
    pub fn is_empty_on(&self, end: Offset) -> bool {
        self.end == end && self.producers.is_empty()
    }

    /// What is known of that producer, in flight or applied.
    pub fn entry<'a>(&'a self, id: ProducerId, applied: &'a Producers) -> Option<&'a ProducerEntry> {
        self.producers.get(&id).map(|(_, entry)| entry).or_else(|| applied.entry(id))
    }

    /// A batch was proposed; the log will end at `end` after it.
    pub fn proposed(
        &mut self,
        end: Offset,
        batch: Option<(Producer, ProducerBatch)>,
        wall: Wall,
        applied: &Producers,
    ) {
        self.end = end;
        let Some((producer, batch)) = batch else { return };
        let id = ProducerId(producer.id);
        let slot = self
            .producers
            .entry(id)
            .or_insert_with(|| (batch.index, applied.entry(id).cloned().unwrap_or_default()));
        slot.0 = batch.index;
        self.unapplied.push_back((batch.index, id));
        slot.1.record(producer.epoch, batch, wall);
    }

    /// The batch at `index` is applied; the log ends at `end`.
    pub fn applied(&mut self, index: Index, end: Offset) {
        while let Some((_, id)) = self.unapplied.pop_front_if(|(proposed, _)| *proposed <= index) {
            if self.producers.get(&id).is_some_and(|(newest, _)| *newest <= index) {
                self.producers.remove(&id);
            }
        }
        // A follower's overlay just follows; a leader's is at or ahead of what it proposed itself.
        self.end = self.end.max(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_producer_is_here_while_a_batch_of_its_own_is_unapplied(
            steps in prop::collection::vec((0..6i64, any::<bool>()), 1..80),
        ) {
            let (applied, mut overlay) = (Producers::default(), Overlay::empty(Offset(0)));
            let mut unapplied: VecDeque<(u64, i64)> = VecDeque::new();
            for (index, (id, is_applied)) in (1..).zip(steps) {
                let producer = Producer { id, epoch: 0, base_sequence: 0 };
                let batch = ProducerBatch {
                    first: 0,
                    last: 0,
                    base: Offset(0),
                    append_time: -1,
                    index: Index(index),
                };
                overlay.proposed(Offset(0), Some((producer, batch)), Wall(0), &applied);
                unapplied.push_back((index, id));
                if is_applied && let Some((index, _)) = unapplied.pop_front() {
                    overlay.applied(Index(index), Offset(0));
                }
                for id in 0..6 {
                    let is_here = overlay.entry(ProducerId(id), &applied).is_some();
                    prop_assert_eq!(is_here, unapplied.iter().any(|(_, owner)| *owner == id));
                }
            }
        }
    }
}
