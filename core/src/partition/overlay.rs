//! The leader's tip of a partition: the log end and the producers as they will be once everything proposed is
//! applied. Empty when nothing is in flight; dropped with leadership.
//!
//! - Invariant: log.end <= overlay.end, equal when nothing is in flight.
//! - Invariant: a producer is in the overlay only while a batch of its own is unapplied; otherwise the log's own
//!   entry speaks.

use super::producers::{ProducerBatch, ProducerEntry, Producers};
use crate::ids::{Index, Offset, ProducerId};
use crate::now::Wall;
use rust_mq_proto::records::Producer;
use std::collections::BTreeMap;

/// What is proposed on top of the log.
#[derive(Clone, Debug)]
pub(super) struct Overlay {
    /// The offset that the next record gets.
    pub end: Offset,
    producers: BTreeMap<ProducerId, (Index, ProducerEntry)>,
}

impl Overlay {
    /// Nothing in flight on a log that ends at `end`.
    pub fn empty(end: Offset) -> Overlay {
        Overlay { end, producers: BTreeMap::new() }
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
        slot.1.record(producer.epoch, batch, wall);
    }

    /// The batch at `index` is applied; the log ends at `end`.
    pub fn applied(&mut self, index: Index, end: Offset) {
        if !self.producers.is_empty() {
            self.producers.retain(|_, (newest, _)| *newest > index);
        }
        // A follower's overlay just follows; a leader's is at or ahead of what it proposed itself.
        self.end = self.end.max(end);
    }
}
