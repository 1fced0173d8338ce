//! What is remembered of idempotent producers (KIP-98): for each the last five batches, by which a repeated
//! batch is known and a missing one noticed.
//!
//! A function of the log. Expiry goes by the entries' own wall time, so every replica forgets the same producer
//! at the same entry; a sweep runs at most once in a sixtieth of the expiration, not at every batch.
//!
//! Of a producer that has expired the newest batch is remembered still: it may go on where it was, and does not
//! learn that it had expired (decision 0006).
//!
//! - Invariant: at most `limits::PRODUCER_BATCHES` batches a producer, their sequences contiguous.
//! - Invariant: at most `limits::PRODUCERS_PER_PARTITION_MAX` producers; beyond, the longest idle tenth goes. After a
//!   sweep at most `limits::PRODUCERS_EXPIRED_MAX` of them have expired. What a node remembers for all its partitions
//!   is bounded above, by a command of the log (`node/behind.rs`).

use crate::ids::{Edition, Index, Offset, ProducerId};
use crate::limits::{
    PRODUCER_BATCHES, PRODUCER_EXPIRATION, PRODUCERS_EXPIRED_MAX, PRODUCERS_PER_PARTITION_MAX,
};
use crate::now::Wall;
use crate::paged::{PageFault, Paged};
use rust_mq_proto::kafka::ErrorCode;
use rust_mq_proto::records::Producer;
use std::collections::VecDeque;

/// All producers of a partition.
#[derive(Clone, Debug, Default, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Producers {
    by_id: Paged<ProducerId, ProducerEntry>,
    swept: Wall,
    /// Whether one was ever forgotten: an unknown producer may be one whose batches are in the log.
    has_forgotten: bool,
}

/// One producer.
#[derive(Clone, Debug, Default, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct ProducerEntry {
    epoch: i16,
    batches: VecDeque<ProducerBatch>,
    last_seen: Wall,
}

/// One batch of a producer, where it is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct ProducerBatch {
    /// Sequence of its first record.
    pub first: i32,
    /// Sequence of its last record.
    pub last: i32,
    /// Its base offset.
    pub base: Offset,
    /// Its timestamp, if the leader's clock gave it; -1 otherwise.
    pub append_time: i64,
    /// The entry that holds it.
    pub index: Index,
}

/// What people are told of a producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// Its epoch.
    pub epoch: i16,
    /// The sequence of its last record; -1 if none is known.
    pub last_sequence: i32,
    /// When the log met it last.
    pub last_seen: Wall,
}

/// What the log says of a batch that a producer sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sequence {
    /// It is the next one.
    Next,
    /// It is here already: this one.
    Duplicate(ProducerBatch),
    /// It is neither.
    Refused(ErrorCode),
}

impl ProducerEntry {
    /// Judges the batch of `count` records that `producer` sends (ProducerAppendInfo in Kafka). An unknown producer
    /// begins at 0, or anywhere where `is_any_start_taken`.
    pub fn judge(
        entry: Option<&ProducerEntry>,
        producer: &Producer,
        count: i32,
        is_any_start_taken: bool,
    ) -> Sequence {
        let first = producer.base_sequence;
        let Some(entry) = entry else {
            // Kafka takes any sequence from a producer it has forgotten. After a failover that would let a
            // pipelined second batch in before its first; refused, clients send them again in order (decision 0006).
            return if first == 0 || is_any_start_taken {
                Sequence::Next
            } else {
                Sequence::Refused(ErrorCode::OutOfOrderSequenceNumber)
            };
        };
        if producer.epoch < entry.epoch {
            return Sequence::Refused(ErrorCode::InvalidProducerEpoch);
        }
        if producer.epoch > entry.epoch {
            return if first == 0 {
                Sequence::Next
            } else {
                Sequence::Refused(ErrorCode::OutOfOrderSequenceNumber)
            };
        }
        let last = Producer::sequence_after(first, count - 1);
        if let Some(batch) = entry.batches.iter().find(|batch| batch.first == first && batch.last == last) {
            return Sequence::Duplicate(*batch);
        }
        match entry.batches.back() {
            Some(newest) if Producer::sequence_after(newest.last, 1) == first => Sequence::Next,
            None if first == 0 => Sequence::Next,
            // Older than what is remembered: it was taken once, but where is forgotten. Kafka 4.4
            // says OUT_OF_ORDER_SEQUENCE_NUMBER here; this code tells clients that the batch is in the log, and they go on.
            Some(_) if is_before(entry, first) => Sequence::Refused(ErrorCode::DuplicateSequenceNumber),
            _ => Sequence::Refused(ErrorCode::OutOfOrderSequenceNumber),
        }
    }

    /// Whether that sequence is a smaller number than the newest batch's.
    pub fn is_above(&self, sequence: i32) -> bool {
        self.batches.back().is_some_and(|newest| newest.last > sequence)
    }

    /// Takes a batch in.
    pub fn record(&mut self, epoch: i16, batch: ProducerBatch, wall: Wall) {
        if epoch != self.epoch {
            self.batches.clear();
            self.epoch = epoch;
        }
        if self.batches.len() == PRODUCER_BATCHES {
            self.batches.pop_front();
        }
        self.batches.push_back(batch);
        assert!(self.batches.len() <= PRODUCER_BATCHES, "the oldest went");
        self.last_seen = wall;
    }

    /// Remembers nothing but its newest batch.
    fn keep_newest(&mut self) {
        if self.batches.len() > 1 {
            self.batches.drain(..self.batches.len() - 1);
            self.batches.shrink_to_fit();
        }
    }
}

/// Whether `first` lies before everything remembered, going back at most a quarter of the sequence space.
fn is_before(entry: &ProducerEntry, first: i32) -> bool {
    let Some(oldest) = entry.batches.front() else { return false };
    let behind = (i64::from(oldest.first) - i64::from(first)).rem_euclid(1 << 31);
    entry.batches.len() == PRODUCER_BATCHES && behind > 0 && behind < 1 << 29
}

impl Producers {
    /// Whether this can be what is remembered: bytes of another node may say anything.
    pub fn is_sound(&self) -> bool {
        let is_bounded = |entry: &ProducerEntry| entry.batches.len() <= PRODUCER_BATCHES;
        self.by_id.len() <= PRODUCERS_PER_PARTITION_MAX && self.by_id.values().all(is_bounded)
    }

    /// All but the entries.
    pub fn without_entries(&self) -> Producers {
        Producers { by_id: Paged::default(), ..*self }
    }

    /// The entries.
    pub fn entries(&self) -> &Paged<ProducerId, ProducerEntry> {
        &self.by_id
    }

    /// Adds a page of entries behind those that are there.
    ///
    /// # Errors
    /// It is none, or it does not belong there.
    pub fn push_page(&mut self, edition: Edition, bytes: &[u8]) -> Result<(), PageFault> {
        self.by_id.push_page(edition, bytes)
    }

    /// What is remembered of that producer.
    pub fn entry(&self, id: ProducerId) -> Option<&ProducerEntry> {
        self.by_id.get(&id)
    }

    /// All of them, as people are told.
    pub fn remembered(&self) -> impl Iterator<Item = (ProducerId, Remembered)> + '_ {
        self.by_id.iter().map(|(id, entry)| {
            let last_sequence = entry.batches.back().map_or(-1, |batch| batch.last);
            (*id, Remembered { epoch: entry.epoch, last_sequence, last_seen: entry.last_seen })
        })
    }

    /// Whether a producer may be unknown although batches of it are in the log.
    pub fn has_forgotten(&self) -> bool {
        self.has_forgotten
    }

    /// How many are remembered.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// A committed batch of `producer`.
    pub fn applied(&mut self, producer: &Producer, batch: ProducerBatch, wall: Wall) {
        self.by_id.change(ProducerId(producer.id), |entry| entry.record(producer.epoch, batch, wall));
        self.sweep(wall);
        if self.by_id.len() > PRODUCERS_PER_PARTITION_MAX {
            self.evict_idle(PRODUCERS_PER_PARTITION_MAX / 10);
        }
        assert!(self.by_id.len() <= PRODUCERS_PER_PARTITION_MAX, "the longest idle went");
    }

    fn sweep(&mut self, wall: Wall) {
        let expiration = i64::try_from(PRODUCER_EXPIRATION.as_millis()).unwrap_or(i64::MAX);
        if wall.0.saturating_sub(self.swept.0) >= expiration / 60 {
            self.swept = wall;
            let is_expired = |entry: &ProducerEntry| wall.0.saturating_sub(entry.last_seen.0) >= expiration;
            let expired = self.by_id.values().filter(|entry| is_expired(entry)).count();
            let has_more = |entry: &ProducerEntry| is_expired(entry) && entry.batches.len() > 1;
            self.by_id.change_each(has_more, ProducerEntry::keep_newest);
            self.evict_idle(expired - PRODUCERS_EXPIRED_MAX.min(expired));
        }
    }

    /// Forgets so many of the longest idle.
    pub fn evict_idle(&mut self, count: usize) {
        if count == 0 {
            return;
        }
        let seen = |entry: &ProducerEntry| entry.batches.back().map_or(Index(0), |batch| batch.index);
        let mut by_age: Vec<(Index, ProducerId)> =
            self.by_id.iter().map(|(id, entry)| (seen(entry), *id)).collect();
        by_age.sort_unstable();
        self.has_forgotten = true;
        for (_, id) in by_age.iter().take(count) {
            self.by_id.remove(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(first: i32, count: i32) -> ProducerBatch {
        let last = Producer::sequence_after(first, count - 1);
        ProducerBatch { first, last, base: Offset(i64::from(first)), append_time: -1, index: Index(1) }
    }

    fn sent(epoch: i16, base_sequence: i32) -> Producer {
        Producer { id: 7, epoch, base_sequence }
    }

    #[test]
    fn sequences_are_judged_as_kafka_does() {
        let mut entry = ProducerEntry::default();
        for first in [0, 2, 4, 6, 8, 10] {
            entry.record(3, batch(first, 2), Wall(0));
        }
        let judge =
            |epoch, first, count| ProducerEntry::judge(Some(&entry), &sent(epoch, first), count, false);
        assert_eq!(judge(3, 12, 1), Sequence::Next);
        assert_eq!(judge(3, 10, 2), Sequence::Duplicate(batch(10, 2)));
        assert_eq!(judge(3, 2, 2), Sequence::Duplicate(batch(2, 2)), "five batches are remembered");
        assert_eq!(judge(3, 0, 2), Sequence::Refused(ErrorCode::DuplicateSequenceNumber));
        assert_eq!(judge(3, 13, 1), Sequence::Refused(ErrorCode::OutOfOrderSequenceNumber));
        assert_eq!(judge(3, 10, 1), Sequence::Refused(ErrorCode::OutOfOrderSequenceNumber));
        assert_eq!(judge(2, 12, 1), Sequence::Refused(ErrorCode::InvalidProducerEpoch));
        assert_eq!(judge(4, 12, 1), Sequence::Refused(ErrorCode::OutOfOrderSequenceNumber));
        assert_eq!(judge(4, 0, 1), Sequence::Next);
    }

    #[test]
    fn a_forgotten_producer_starts_at_zero_again() {
        assert_eq!(ProducerEntry::judge(None, &sent(0, 0), 1, false), Sequence::Next);
        let refused = Sequence::Refused(ErrorCode::OutOfOrderSequenceNumber);
        assert_eq!(ProducerEntry::judge(None, &sent(0, 1), 1, false), refused);
    }

    #[test]
    fn sequences_wrap_to_zero_after_the_last_positive_number() {
        let mut entry = ProducerEntry::default();
        entry.record(0, batch(i32::MAX - 1, 2), Wall(0));
        assert_eq!(ProducerEntry::judge(Some(&entry), &sent(0, 0), 1, false), Sequence::Next);
        entry.record(0, batch(0, 1), Wall(0));
        assert_eq!(
            ProducerEntry::judge(Some(&entry), &sent(0, i32::MAX - 1), 2, false),
            Sequence::Duplicate(batch(i32::MAX - 1, 2))
        );
    }

    #[test]
    fn an_expired_producer_may_go_on_where_it_was() {
        let mut producers = Producers::default();
        producers.applied(&sent(0, 0), batch(0, 1), Wall(0));
        producers.applied(&sent(0, 1), batch(1, 1), Wall(0));
        let batches = |producers: &Producers| producers.entry(ProducerId(7)).map(|entry| entry.batches.len());
        let other = Producer { id: 8, epoch: 0, base_sequence: 0 };
        producers.applied(&other, batch(0, 1), Wall(23 * 3_600_000));
        assert_eq!(batches(&producers), Some(2));
        let later = Producer { id: 8, epoch: 0, base_sequence: 1 };
        producers.applied(&later, batch(1, 1), Wall(25 * 3_600_000));
        assert_eq!(batches(&producers), Some(1), "by the time in the log");
        let entry = producers.entry(ProducerId(7));
        assert_eq!(ProducerEntry::judge(entry, &sent(0, 2), 1, false), Sequence::Next);
        assert_eq!(ProducerEntry::judge(entry, &sent(0, 1), 1, false), Sequence::Duplicate(batch(1, 1)));
        let refused = Sequence::Refused(ErrorCode::OutOfOrderSequenceNumber);
        assert_eq!(ProducerEntry::judge(entry, &sent(0, 3), 1, false), refused);
    }

    #[test]
    fn of_many_expired_producers_the_longest_idle_are_forgotten() {
        let mut producers = Producers::default();
        let many = PRODUCERS_EXPIRED_MAX as i64 + 10;
        let at = |number: i64| ProducerBatch { index: Index(1 + number as u64), ..batch(0, 1) };
        for id in 0..many {
            producers.applied(&Producer { id, epoch: 0, base_sequence: 0 }, at(id), Wall(0));
        }
        let late = Producer { id: many, epoch: 0, base_sequence: 0 };
        producers.applied(&late, at(many), Wall(25 * 3_600_000));
        assert_eq!(producers.len(), PRODUCERS_EXPIRED_MAX + 1);
        assert!(producers.entry(ProducerId(9)).is_none() && producers.entry(ProducerId(10)).is_some());
        assert!(producers.has_forgotten(), "whoever is unknown now may have been known");
    }
}
