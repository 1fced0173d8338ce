//! What was written, what became of it, and where it was seen: the client's side of the promises.
//!
//! Every record carries the number of its batch and its place in it, so every value is unique and a duplicate is
//! a value at two offsets. A batch is `intended` before its first byte leaves; then it is acknowledged, refused
//! for ever, or stays unknown (Jepsen's ok, fail, unknown).
//!
//! What must hold of it is in the files of C7 to C10 and C14; `sightings` asks them.
//!
//! Invariants: a batch is at one place at most, but for what a guest's client sends again without sequences; an offset of a
//! partition holds one value for ever.

use crate::wire::WireId;
use bytes::{BufMut, BytesMut};
use rust_mq_core::ids::TopicId;
use rust_mq_core::rng::hash;
use rust_mq_proto::records::{BatchMut, Producer, TimestampType};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A partition of one incarnation of a topic.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shelf {
    /// The topic's id.
    pub topic: [u8; 16],
    /// The partition.
    pub partition: i32,
}

/// Names a batch for the whole run.
pub type BatchId = u64;

/// What is known about a batch's fate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It may be there.
    Unknown,
    /// It is there.
    Acked,
    /// It is not, and never will be.
    Refused,
}

/// Who wrote an idempotent batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Author {
    /// The producer id.
    pub producer: i64,
    /// Its epoch.
    pub epoch: i16,
}

/// One batch.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Where to.
    pub shelf: Shelf,
    /// Records in it.
    pub count: u32,
    /// Its author and base sequence, if it is idempotent.
    pub author: Option<(Author, i32)>,
    /// The CRC it was sent with.
    pub crc: u32,
    /// What is known.
    pub fate: Fate,
    /// Its base offset, once acknowledged or seen.
    pub place: Option<i64>,
    /// Its size as it was sent.
    pub bytes: u64,
    /// The time of each of its records as they were sent.
    pub stamps: Vec<i64>,
    /// The time that its leader gave it, once that is known.
    pub append_time: Option<i64>,
    /// Its bytes, as long as its leader may still write a time into them.
    pub body: Option<BytesMut>,
    /// The leader epoch that it bears in the log, once a reader has met it.
    pub epoch: Option<i32>,
    /// How it was sent.
    pub sent: Sent,
    /// Whether it is one record of a guest, whose client made a batch of several: they stand in the order of hand-over.
    pub is_signed: bool,
}

impl Batch {
    /// Whether it may be there twice: our own client sends again what is unsure, whoever it is for, and only where it has
    /// sequences a broker knows it again.
    pub fn may_repeat(&self) -> bool {
        self.is_signed && self.author.is_none()
    }
}

/// How a batch was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sent {
    /// Not yet.
    #[default]
    Never,
    /// Over that wire, and as the which of all that was ever sent.
    Once(WireId, u64),
    /// Several times.
    Again,
}

/// A record's value as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value {
    /// Of which batch.
    pub batch: BatchId,
    /// Which record of it.
    pub index: u32,
}

/// What was deleted of a shelf.
#[derive(Clone, Copy, Debug, Default)]
struct Deleted {
    asked: i64,
    said: i64,
}

/// All batches of a run.
#[derive(Debug, Default)]
pub struct Ledger {
    pub(super) batches: Vec<Batch>,
    pub(super) shelves: BTreeMap<Shelf, BTreeMap<i64, BatchId>>,
    /// Epoch and sequence of each producer's batches in a log, by offset.
    sent: BTreeMap<(Shelf, i64), BTreeMap<i64, (i16, i32)>>,
    /// What each producer's program handed over for a log, by offset.
    handed: BTreeMap<(Shelf, i64), BTreeMap<i64, BatchId>>,
    /// What each wire brought of a log, by offset.
    brought: BTreeMap<(Shelf, WireId), BTreeMap<i64, u64>>,
    sendings: u64,
    /// Below which offset a client has asked that all go, and what a broker has said the log begins at then.
    deleted: BTreeMap<Shelf, Deleted>,
    /// Topics whose leaders' clocks stamp the records.
    stamped: BTreeSet<[u8; 16]>,
    /// Acknowledged batches.
    pub acked: u64,
    /// Batches that were refused.
    pub refused: u64,
    /// Records seen by readers.
    pub read: u64,
}

impl Value {
    /// The record's bytes: its name, then filling that depends on it.
    pub fn encode(self, len: usize) -> BytesMut {
        let mut bytes = BytesMut::with_capacity(len.max(16));
        bytes.put_u64(self.batch);
        bytes.put_u32(self.index);
        bytes.put_u32(hash(&[self.batch, u64::from(self.index)]) as u32);
        let filling = (self.batch ^ u64::from(self.index)) as u8;
        bytes.resize(len.max(16), filling);
        bytes
    }

    /// The value of those bytes, if a producer of ours wrote them.
    pub fn decode(bytes: &[u8]) -> Option<Value> {
        let (batch, rest) = bytes.split_first_chunk::<8>()?;
        let (index, rest) = rest.split_first_chunk::<4>()?;
        let (check, filling) = rest.split_first_chunk::<4>()?;
        let value = Value { batch: u64::from_be_bytes(*batch), index: u32::from_be_bytes(*index) };
        let is_ours = u32::from_be_bytes(*check) == hash(&[value.batch, u64::from(value.index)]) as u32
            && filling.iter().all(|byte| *byte == (value.batch ^ u64::from(value.index)) as u8);
        is_ours.then_some(value)
    }
}

impl fmt::Debug for Shelf {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", TopicId(self.topic), self.partition)
    }
}

impl Ledger {
    /// A batch will be sent.
    pub fn intend(&mut self, shelf: Shelf, count: u32, author: Option<(Author, i32)>) -> BatchId {
        self.batches.push(Batch {
            shelf,
            count,
            author,
            crc: 0,
            fate: Fate::Unknown,
            place: None,
            bytes: 0,
            stamps: Vec::new(),
            append_time: None,
            body: None,
            epoch: None,
            sent: Sent::Never,
            is_signed: false,
        });
        self.batches.len() as u64 - 1
    }

    /// The batch's bytes are made.
    pub fn built(&mut self, batch: BatchId, bytes: &[u8], stamps: Vec<i64>) {
        let entry = &mut self.batches[batch as usize];
        entry.bytes = bytes.len() as u64;
        entry.stamps = stamps;
        if self.stamped.contains(&entry.shelf.topic) {
            entry.body = Some(BytesMut::from(bytes));
        }
        entry.crc = crc_of(bytes).unwrap_or_default();
    }

    /// Records that were handed over one by one leave in one batch, each with its time; they are batches of one record here.
    /// What the whole one weighs is the first's.
    pub fn signed(
        &mut self,
        records: &[(BatchId, i64)],
        shelf: Shelf,
        author: Option<(Author, i32)>,
        bytes: &[u8],
    ) {
        for ((batch, stamp), index) in records.iter().zip(0..) {
            let entry = &mut self.batches[*batch as usize];
            let own = author.map(|(author, first)| (author, Producer::sequence_after(first, index)));
            let is_same = entry.is_signed && entry.author == own;
            if is_same || entry.place.is_some() {
                continue;
            }
            (entry.shelf, entry.author, entry.is_signed) = (shelf, own, true);
            if index == 0 {
                self.built(*batch, bytes, vec![*stamp]);
            } else {
                entry.stamps = vec![*stamp];
            }
        }
    }

    /// That topic's records bear the time at which their leader took them.
    pub fn stamped_by_leaders(&mut self, topic: [u8; 16]) {
        self.stamped.insert(topic);
    }

    /// The leader that took the batch gave it that time, and with it another checksum.
    pub fn stamped(&mut self, batch: BatchId, append_time: i64) {
        let entry = &mut self.batches[batch as usize];
        entry.append_time = Some(append_time);
        let body = if entry.may_repeat() { entry.body.clone() } else { entry.body.take() };
        if let Some(mut body) = body
            && let Ok(mut batch) = BatchMut::parse(&mut body)
        {
            batch.set_max_timestamp(TimestampType::LogAppendTime, append_time);
            entry.crc = crc_of(&body).unwrap_or(entry.crc);
        }
    }

    /// A reader met a batch with what its leader wrote into it.
    pub fn met(&mut self, batch: BatchId, epoch: i32, append_time: Option<i64>) {
        if let Some(entry) = self.batches.get_mut(batch as usize).filter(|entry| !entry.may_repeat()) {
            entry.epoch = Some(epoch);
            entry.append_time = entry.append_time.or(append_time);
        }
    }

    /// The time of a record in the log, if it is known.
    pub fn time_of(&self, value: Value) -> Option<i64> {
        let batch = self.batches.get(value.batch as usize)?;
        if self.stamped.contains(&batch.shelf.topic) {
            return batch.append_time.filter(|_| !batch.may_repeat());
        }
        batch.stamps.get(value.index as usize).copied()
    }

    /// The batches of a shelf whose places are known and that hold any offset of `from..to`, by rising offset.
    pub fn placed(&self, shelf: Shelf, from: i64, to: i64) -> impl Iterator<Item = (i64, BatchId)> + '_ {
        let offsets = self.shelves.get(&shelf);
        let first = offsets.and_then(|offsets| offsets.range(..from.max(0)).next_back());
        let reaches = |(base, batch): &(&i64, &BatchId)| {
            **base + i64::from(self.batches[**batch as usize].count) > from
        };
        let rest = offsets.filter(|_| from.max(0) < to).map(|offsets| offsets.range(from.max(0)..to));
        first
            .filter(|_| from < to)
            .filter(reaches)
            .into_iter()
            .chain(rest.into_iter().flatten())
            .map(|(base, batch)| (*base, *batch))
    }

    /// What is known about a batch.
    pub fn batch(&self, batch: BatchId) -> &Batch {
        &self.batches[batch as usize]
    }

    /// The record at an offset, if it is known.
    pub fn at(&self, shelf: Shelf, offset: i64) -> Option<Value> {
        let (base, batch) = self.placed(shelf, offset, offset + 1).next()?;
        Some(Value { batch, index: u32::try_from(offset - base).ok()? })
    }

    /// The offset after the newest record of that shelf that was acknowledged or seen.
    pub fn known_end(&self, shelf: Shelf) -> i64 {
        let newest = self.shelves.get(&shelf).and_then(|offsets| offsets.last_key_value());
        newest.map_or(0, |(base, batch)| base + i64::from(self.batches[*batch as usize].count))
    }

    /// An author's batch of that base sequence is at `base`. Returns what the same producer sent before and after it in
    /// that log.
    pub(super) fn note_sent(
        &mut self,
        (shelf, base): (Shelf, i64),
        author: Author,
        sequence: i32,
    ) -> [Option<(i16, i32)>; 2] {
        let sent = self.sent.entry((shelf, author.producer)).or_default();
        let before = sent.range(..base).next_back().map(|(_, sent)| *sent);
        let after = sent.range(base..).next().map(|(_, sent)| *sent);
        sent.insert(base, (author.epoch, sequence));
        [before, after]
    }

    /// What that producer's program handed over is at `base`. Returns what it had handed over that lies before and after in
    /// that log.
    pub(super) fn note_handed(
        &mut self,
        (shelf, base): (Shelf, i64),
        producer: i64,
        batch: BatchId,
    ) -> [Option<BatchId>; 2] {
        let handed = self.handed.entry((shelf, producer)).or_default();
        let before = handed.range(..base).next_back().map(|(_, batch)| *batch);
        let after = handed.range(base..).next().map(|(_, batch)| *batch);
        handed.insert(base, batch);
        [before, after]
    }

    /// A batch leaves over that wire.
    pub fn leaves(&mut self, batch: BatchId, wire: WireId) {
        self.sendings += 1;
        let sent = &mut self.batches[batch as usize].sent;
        *sent = if *sent == Sent::Never { Sent::Once(wire, self.sendings) } else { Sent::Again };
    }

    /// What a wire brought is at `base`. Returns what it had brought that lies before and after in that log.
    pub(super) fn note_brought(
        &mut self,
        (shelf, base): (Shelf, i64),
        (wire, number): (WireId, u64),
    ) -> [Option<u64>; 2] {
        let brought = self.brought.entry((shelf, wire)).or_default();
        let before = brought.range(..base).next_back().map(|(_, number)| *number);
        let after = brought.range(base..).next().map(|(_, number)| *number);
        brought.insert(base, number);
        [before, after]
    }

    /// A client asks that what lies below an offset goes: it may be gone from now on.
    pub fn may_delete(&mut self, shelf: Shelf, below: i64) {
        let deleted = self.deleted.entry(shelf).or_default();
        deleted.asked = deleted.asked.max(below);
    }

    /// A client was told that what lies below an offset is gone.
    pub fn deleted(&mut self, shelf: Shelf, below: i64) {
        let deleted = self.deleted.entry(shelf).or_default();
        deleted.said = deleted.said.max(below);
    }

    /// Whether a client may have deleted what begins there, or somewhere.
    pub fn may_be_deleted(&self, shelf: Shelf, base: Option<i64>) -> bool {
        self.deleted.get(&shelf).is_some_and(|deleted| deleted.asked > base.unwrap_or(0))
    }

    /// Below which offset all is said to be gone.
    pub fn deleted_below(&self, shelf: Shelf) -> i64 {
        self.deleted.get(&shelf).map_or(0, |deleted| deleted.said)
    }

    /// How many batches were intended.
    pub fn len(&self) -> usize {
        self.batches.len()
    }

    /// Whether nothing was ever written.
    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// All batches of a shelf, in the order in which they were intended.
    pub fn of(&self, shelf: Shelf) -> impl Iterator<Item = (BatchId, &Batch)> {
        (0..).zip(&self.batches).filter(move |(_, batch)| batch.shelf == shelf)
    }
}

/// The checksum in a batch's header.
fn crc_of(batch: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(*batch.get(17..21)?.first_chunk::<4>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_survives_its_bytes() {
        let value = Value { batch: 77, index: 3 };
        assert_eq!(Value::decode(&value.encode(40)), Some(value));
        let mut damaged = value.encode(40);
        damaged[39] ^= 1;
        assert_eq!(Value::decode(&damaged), None);
    }
}
