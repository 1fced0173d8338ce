//! Taking a client's batch, on the leader: everything is checked before anything is changed, the batch gets its
//! place written into its header, is proposed, and whoever sent it waits for the commit.
//!
//! Invariant: parked produces are in rising index order, and so are those that wait for more disks.
//!
//! `min.insync.replicas` means nothing where it asks for no more than the majority that every commit has. Where it does,
//! and only for acks=all, a produce whose entry is applied waits on until that many voters have it on their disks; what
//! readers see, and every other answer, does not wait. If too few replicas are in sync meanwhile, it is answered
//! NOT_ENOUGH_REPLICAS_AFTER_APPEND: the records are there. A batch that is here already waits in the same way.
//!
//! A refusal here is definite: the records were not proposed and never will appear.

use super::Partition;
use super::keys;
use super::producers::{ProducerBatch, ProducerEntry, Sequence};
use super::refusal::AppendRefusal;
use super::refused::Standing;
use super::timestamps::Allowed;
use crate::entry::EntryKind;
use crate::ids::{Index, Offset, ProducerId, Term};
use crate::limits::{BATCH_COPY_BELOW, BATCH_QUARTERS_MIN, DECOMPRESSED_BYTES_MAX};
use crate::machine::Waiter;
use crate::mutant::Mutant;
use crate::now::Now;
use bytes::{Bytes, BytesMut};
use rust_mq_proto::kafka::ErrorCode;
use rust_mq_proto::records::{
    self, Batch, BatchError, BatchMut, Decompressor, Limits, Producer, Summary, TimestampType,
};

/// Where a batch was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The offset of its first record.
    pub base: Offset,
    /// The leader's timestamp if that is what its records got, -1 otherwise.
    pub append_time: i64,
    /// The first offset of the log.
    pub log_start: Offset,
}

/// What became of a parked batch: in the log, or unknown because this replica stopped leading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Whose it is.
    pub waiter: Waiter,
    /// Which of the waiter's batches.
    pub part: u32,
    /// Where it is, or NOT_LEADER_OR_FOLLOWER, which promises nothing, or NOT_ENOUGH_REPLICAS_AFTER_APPEND, which
    /// promises less than was asked for.
    pub result: Result<Appended, ErrorCode>,
}

/// A batch that waits for its commit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parked {
    pub index: Index,
    /// The term it was proposed in. The index alone does not name an entry: another leader's may stand there.
    pub term: Term,
    /// Whether its sender wants `min.insync.replicas` disks to have it, which is more than a majority.
    pub wants_more_disks: bool,
    waiter: Option<(Waiter, u32)>,
    base: Offset,
    append_time: i64,
}

impl Parked {
    /// One that waits for an entry of this term, whoever's disks have it, and for no batch of its own.
    pub fn at(index: Index, term: Term, waiter: (Waiter, u32), base: Offset) -> Parked {
        Parked { index, term, wants_more_disks: false, waiter: Some(waiter), base, append_time: -1 }
    }

    pub fn done(self, log_start: Offset) -> Option<Settled> {
        let (waiter, part) = self.waiter?;
        let result = Ok(Appended { base: self.base, append_time: self.append_time, log_start });
        Some(Settled { waiter, part, result })
    }

    pub fn lost(self) -> Option<Settled> {
        self.unsure(ErrorCode::NotLeaderOrFollower)
    }

    pub fn unsure(self, code: ErrorCode) -> Option<Settled> {
        let (waiter, part) = self.waiter?;
        Some(Settled { waiter, part, result: Err(code) })
    }
}

/// Where a producer that the log does not know may begin, other than at sequence 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    /// Nowhere.
    AtZero,
    /// Here, if it comes again.
    Awaited,
    /// Here.
    Taken,
}

/// What the request around a batch says about it.
#[derive(Clone, Copy, Debug)]
pub struct Conditions {
    /// Whether the request's version knows zstd (Produce 7, KIP-110).
    pub is_zstd_known: bool,
    /// Whether the request names a transactional id.
    pub is_transactional: bool,
    /// Whether the sender wants every in-sync replica to have it (acks=all).
    pub wants_all: bool,
    /// Whether the disk takes records.
    pub is_space_left: bool,
    /// How many bytes of records without compression may be looked through.
    pub decompressed_bytes_max: usize,
    /// Size of the buffer that the batch lies in.
    pub buffer_bytes: usize,
    /// How many replicas are in sync; asked only of a partition that `counts_in_sync`.
    pub in_sync: usize,
}

impl Partition {
    /// Takes one batch. `waiter` hears of it by `settle`; without one (acks=0) nobody does.
    ///
    /// # Errors
    /// A definite refusal: the batch will never appear.
    pub fn append(
        &mut self,
        now: Now,
        waiter: Option<(Waiter, u32)>,
        bytes: BytesMut,
        conditions: Conditions,
        decompressor: &mut Decompressor,
    ) -> Result<(), AppendRefusal> {
        let batch = Batch::parse(&bytes);
        let producer = batch.as_ref().ok().and_then(Batch::producer);
        let result = match self.examine(batch, conditions, decompressor) {
            Ok(summary) => self.take(now, waiter, bytes, &summary, conditions, decompressor),
            Err(refusal) => Err(refusal),
        };
        if let (Err(_), Some(producer)) = (&result, producer)
            && self.is_first_leader()
        {
            self.refused.note(ProducerId(producer.id), producer.base_sequence);
        }
        result
    }

    /// Looks through a batch as it came.
    fn examine(
        &self,
        batch: Result<Batch<'_>, BatchError>,
        conditions: Conditions,
        decompressor: &mut Decompressor,
    ) -> Result<Summary, AppendRefusal> {
        self.check_leading(conditions)?;
        let limits = Limits {
            batch_bytes_max: self.config.max_message_bytes,
            decompressed_bytes_max: conditions.decompressed_bytes_max,
            is_zstd_known: conditions.is_zstd_known,
            is_base_offset_free: false,
        };
        let batch = batch.map_err(|error| unfit(&error))?;
        let summary = records::check(&batch, &limits, decompressor).map_err(|error| unfit(&error))?;
        check_conditions(&summary, conditions)?;
        keys::check(&batch, &summary, &self.config, decompressor)?;
        Ok(summary)
    }

    fn take(
        &mut self,
        now: Now,
        waiter: Option<(Waiter, u32)>,
        mut bytes: BytesMut,
        summary: &Summary,
        conditions: Conditions,
        decompressor: &mut Decompressor,
    ) -> Result<(), AppendRefusal> {
        if let Err(refusal) = Allowed::at(now, &self.config).check(&mut bytes, summary, decompressor) {
            self.take_all_the_same(now, bytes, summary);
            return Err(refusal);
        }
        if let Some(producer) = &summary.producer {
            let start = self.start_of(producer);
            let entry = self.overlay.entry(ProducerId(producer.id), &self.log.producers);
            match ProducerEntry::judge(entry, producer, summary.count, start == Start::Taken) {
                Sequence::Next if self.is_taken_for_old(producer) => {
                    return Err(refuse(ErrorCode::DuplicateSequenceNumber, ""));
                }
                Sequence::Next => {}
                Sequence::Duplicate(batch)
                    if self.has(Mutant::OneBatchRemembered) && batch.index < self.applied.index => {}
                Sequence::Duplicate(batch) => {
                    self.park_duplicate(waiter, batch, conditions);
                    return Ok(());
                }
                Sequence::Refused(code) if self.is_let_in(producer, code) => {}
                Sequence::Refused(_) if entry.is_none() && start == Start::Awaited => {
                    let message = "this log does not know the producer: it may begin anywhere, but in order";
                    return Err(AppendRefusal::new(ErrorCode::NotLeaderOrFollower, message));
                }
                Sequence::Refused(code) => {
                    let message =
                        format!("sequence {} of {}", producer.base_sequence, ProducerId(producer.id));
                    return Err(AppendRefusal::new(code, message));
                }
            }
        }
        let base = self.overlay.end;
        let size = bytes.len() as u64;
        let append_time = self.stamp(now, &mut bytes, base, summary);
        let payload = shared(bytes, conditions.buffer_bytes);
        let Ok(index) = self.replica.propose(EntryKind::Batch, now.wall, payload) else {
            if self.has(Mutant::OffsetNotGivenBack) {
                self.overlay.end = Offset(base.0 + i64::from(summary.count));
            }
            return Err(refuse(ErrorCode::NotLeaderOrFollower, "the replica takes no proposals just now"));
        };
        self.traffic.produced_records += u64::from(summary.count.unsigned_abs());
        self.traffic.produced_bytes += size;
        let place = summary.producer.map(|producer| {
            let last = Producer::sequence_after(producer.base_sequence, summary.count - 1);
            let first = producer.base_sequence;
            (producer, ProducerBatch { first, last, base, append_time, index })
        });
        if let Some((producer, batch)) = place.filter(|_| self.has(Mutant::ProducersAtPropose)) {
            self.log.producers.applied(&producer, batch, self.replica.last_wall());
        }
        let end = Offset(base.0 + i64::from(summary.count));
        self.overlay.proposed(end, place, self.replica.last_wall(), &self.log.producers);
        let (term, wants_more_disks) = (self.replica.term(), self.wants_more_disks(conditions));
        let rises = |last: &Parked| last.term != term || last.index < index;
        assert!(self.parked.back().is_none_or(rises), "parked produces are in rising index order");
        self.parked.push_back(Parked { index, term, wants_more_disks, waiter, base, append_time });
        Ok(())
    }

    fn check_leading(&self, conditions: Conditions) -> Result<(), AppendRefusal> {
        if !self.is_leading() {
            return Err(refuse(ErrorCode::NotLeaderOrFollower, ""));
        }
        if !conditions.is_space_left {
            return Err(refuse(
                ErrorCode::KafkaStorageError,
                "the node has no space for records; it takes them again once there is",
            ));
        }
        if self.wants_more_disks(conditions) && conditions.in_sync < self.config.min_insync_replicas {
            let message = format!(
                "{} replicas are in sync, min.insync.replicas is {}",
                conditions.in_sync, self.config.min_insync_replicas
            );
            return Err(AppendRefusal::new(ErrorCode::NotEnoughReplicas, message));
        }
        Ok(())
    }

    /// Whether `min.insync.replicas` asks for more than the majority that every commit has.
    pub fn counts_in_sync(&self) -> bool {
        self.config.min_insync_replicas > self.replica.members().voters.len() / 2 + 1
    }

    fn wants_more_disks(&self, conditions: Conditions) -> bool {
        conditions.wants_all && self.counts_in_sync()
    }

    /// Whether `settle` has something to say although nothing new is applied.
    pub fn has_answer(&self) -> bool {
        self.parked.front().is_some_and(|parked| parked.index <= self.applied.index)
    }

    /// Whether an unknown producer may begin at that sequence, although it is not 0: what came before it is nowhere, so
    /// nothing can be doubled. That is known only under the log's first leader, if it has forgotten no producer. Nor is
    /// anything overtaken if the batch comes again: one before it, under way or refused elsewhere, comes with it
    /// (decision 0006).
    fn start_of(&self, producer: &Producer) -> Start {
        if !self.is_first_leader() || self.log.producers.has_forgotten() {
            return Start::AtZero;
        }
        match self.refused.standing(ProducerId(producer.id), producer.base_sequence) {
            Standing::Lowest => Start::Taken,
            Standing::Unheard => Start::Awaited,
            Standing::Behind => Start::AtZero,
        }
    }

    /// Whether no other leader ever took a batch of this log: it would have had an entry of its own term first.
    fn is_first_leader(&self) -> bool {
        self.is_leading() && self.log.first_term == self.replica.term()
    }

    /// Bugs that can be planted: a producer that nobody knows may begin anywhere, each may leave a gap, or come back to
    /// an epoch that it has left.
    fn is_let_in(&self, producer: &Producer, code: ErrorCode) -> bool {
        let is_unknown = || self.overlay.entry(ProducerId(producer.id), &self.log.producers).is_none();
        match code {
            ErrorCode::InvalidProducerEpoch => self.has(Mutant::OldEpochTaken),
            ErrorCode::OutOfOrderSequenceNumber if self.has(Mutant::GapTaken) => true,
            _ => self.has(Mutant::UnknownProducerAnywhere) && is_unknown(),
        }
    }

    /// Another one: after the largest sequence the smallest looks like one of long ago.
    fn is_taken_for_old(&self, producer: &Producer) -> bool {
        let entry = || self.overlay.entry(ProducerId(producer.id), &self.log.producers);
        self.has(Mutant::SequenceDoesNotWrap)
            && entry().is_some_and(|entry| entry.is_above(producer.base_sequence))
    }

    /// Another one: what is refused enters the log.
    fn take_all_the_same(&mut self, now: Now, mut bytes: BytesMut, summary: &Summary) {
        if self.has(Mutant::RefusedAllTheSame) && !summary.is_transactional {
            let base = self.overlay.end;
            self.stamp(now, &mut bytes, base, summary);
            if self.replica.propose(EntryKind::Batch, now.wall, bytes.freeze()).is_ok() {
                let end = Offset(base.0 + i64::from(summary.count));
                self.overlay.proposed(end, None, self.replica.last_wall(), &self.log.producers);
            }
        }
    }

    /// Writes the batch's place into its header; outside the CRC, so nothing is computed anew unless the
    /// timestamps change.
    fn stamp(&self, now: Now, bytes: &mut BytesMut, base: Offset, summary: &Summary) -> i64 {
        let mut batch = BatchMut::parse(bytes).expect("validate has just parsed it");
        batch.set_place(base.0, self.replica.term().epoch());
        if self.config.timestamp_type == TimestampType::LogAppendTime {
            if !self.has(Mutant::AppendTimeNotWritten) {
                batch.set_max_timestamp(TimestampType::LogAppendTime, now.wall.0);
            }
            return now.wall.0;
        }
        // What a producer claims of the log's own timestamps is taken out again, as Kafka does.
        if !summary.is_max_timestamp_true || summary.timestamp_type == TimestampType::LogAppendTime {
            batch.set_max_timestamp(TimestampType::CreateTime, summary.max_timestamp);
        }
        -1
    }

    /// A batch that is here already: its sender hears of the first one, once that is committed.
    fn park_duplicate(
        &mut self,
        waiter: Option<(Waiter, u32)>,
        batch: ProducerBatch,
        conditions: Conditions,
    ) {
        let base = if self.has(Mutant::DuplicateElsewhere) { self.overlay.end } else { batch.base };
        let append_time = batch.append_time;
        let (term, wants_more_disks) = (self.replica.term(), self.wants_more_disks(conditions));
        let parked = Parked { index: batch.index, term, wants_more_disks, waiter, base, append_time };
        let at = self.parked.partition_point(|other| other.index <= parked.index);
        self.parked.insert(at, parked);
    }
}

fn check_conditions(summary: &Summary, conditions: Conditions) -> Result<(), AppendRefusal> {
    if summary.is_transactional != conditions.is_transactional {
        let code = if summary.is_transactional {
            ErrorCode::TransactionalIdAuthorizationFailed
        } else {
            ErrorCode::InvalidRecord
        };
        return Err(refuse(code, "a batch is transactional exactly if its request names a transactional id"));
    }
    if summary.is_transactional {
        // No transaction is ever open here; Kafka's answer for a batch outside one.
        return Err(refuse(ErrorCode::InvalidTxnState, "transactions are not served"));
    }
    Ok(())
}

/// The batch as the log keeps it. One that is small, by itself or in its buffer, is copied: its slice would keep all
/// of the buffer in memory for as long as the log holds it.
fn shared(bytes: BytesMut, buffer_bytes: usize) -> Bytes {
    let least = BATCH_COPY_BELOW.max(buffer_bytes / 4 * BATCH_QUARTERS_MIN);
    if bytes.len() < least { Bytes::copy_from_slice(&bytes) } else { bytes.freeze() }
}

fn refuse(code: ErrorCode, message: &str) -> AppendRefusal {
    AppendRefusal::new(code, message)
}

fn unfit(error: &BatchError) -> AppendRefusal {
    if let BatchError::Bomb { max } = error
        && *max < DECOMPRESSED_BYTES_MAX
    {
        // Not the batch is too large: those before it have used up what one request may have decompressed.
        let words = "the batches of one request are too much to decompress at once; send this one again";
        return refuse(ErrorCode::KafkaStorageError, words);
    }
    let code = match error.code() {
        2 => ErrorCode::CorruptMessage,
        10 => ErrorCode::MessageTooLarge,
        76 => ErrorCode::UnsupportedCompressionType,
        _ => ErrorCode::InvalidRecord,
    };
    AppendRefusal::new(code, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_keeps_no_buffer_that_is_much_larger() {
        for (batch, buffer, is_copied) in [
            (BATCH_COPY_BELOW - 1, BATCH_COPY_BELOW, true),
            (17 << 10, 16 << 20, true),
            (8 << 20, 16 << 20, true),
            ((12 << 20) - 1, 16 << 20, true),
            (12 << 20, 16 << 20, false),
            (1 << 20, 1 << 20, false),
        ] {
            let bytes = BytesMut::zeroed(batch);
            let place = bytes.as_ptr();
            assert_eq!(shared(bytes, buffer).as_ptr() != place, is_copied, "{batch} of {buffer}");
        }
    }
}
