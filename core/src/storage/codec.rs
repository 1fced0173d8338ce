//! The fields that frames, checkpoints and node.meta share: [`Sink`] writes them, [`Cursor`] reads them.
//!
//! Everything is big endian, as Kafka's own formats are. A payload of some size is not copied: it becomes a
//! part of the vectored write, between two pieces of the sink's one buffer.
//!
//! Invariant: a `Cursor` takes memory for no length before it was compared with the bytes that remain; what
//! does not parse is `None`, never a panic.

use crate::entry::{Entry, EntryKind, HardState, Members};
use crate::ids::{Index, PartitionId, ReplicaId, Term, TopicId, TopicPartition};
use crate::now::Wall;
use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Payloads below this are copied into the buffer: a part costs about as much as copying a few hundred
/// bytes (an atomic count, a slot of the vector, an iovec in the driver). Source: chosen.
const COPY_BELOW_BYTES: usize = 256;

/// Collects a vectored write.
#[derive(Debug, Default)]
pub(super) struct Sink {
    buffer: BytesMut,
    parts: Vec<Bytes>,
    bytes: usize,
}

impl Sink {
    /// A sink that writes into `buffer`, which is empty and perhaps has room from earlier use.
    pub(super) fn reusing(buffer: BytesMut) -> Sink {
        assert!(buffer.is_empty(), "a reused buffer holds nothing");
        Sink { buffer, parts: Vec::new(), bytes: 0 }
    }

    /// How much was written.
    pub(super) fn len(&self) -> usize {
        self.bytes
    }

    /// The parts, and the buffer for the next sink.
    pub(super) fn finish(mut self) -> (Vec<Bytes>, BytesMut) {
        self.close_part();
        (self.parts, self.buffer)
    }

    /// All of it in one piece; for what is small.
    pub(super) fn into_bytes(self) -> Bytes {
        let (parts, _) = self.finish();
        Bytes::from(parts.concat())
    }

    pub(super) fn u8(&mut self, value: u8) {
        self.buffer.put_u8(value);
        self.bytes += 1;
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.buffer.put_u32(value);
        self.bytes += 4;
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.buffer.put_u64(value);
        self.bytes += 8;
    }

    pub(super) fn u128(&mut self, value: u128) {
        self.buffer.put_u128(value);
        self.bytes += 16;
    }

    pub(super) fn i32(&mut self, value: i32) {
        self.u32(value.cast_unsigned());
    }

    pub(super) fn i64(&mut self, value: i64) {
        self.u64(value.cast_unsigned());
    }

    pub(super) fn slice(&mut self, bytes: &[u8]) {
        self.buffer.put_slice(bytes);
        self.bytes += bytes.len();
    }

    /// How many of something follow.
    pub(super) fn count(&mut self, count: usize) {
        self.u32(u32::try_from(count).expect("no list of ours has 2^32 elements"));
    }

    /// The bytes without their length: copied if they are few, shared otherwise.
    pub(super) fn share(&mut self, payload: &Bytes) {
        if payload.len() < COPY_BELOW_BYTES {
            return self.slice(payload);
        }
        self.close_part();
        self.parts.push(payload.clone());
        self.bytes += payload.len();
    }

    pub(super) fn partition(&mut self, of: TopicPartition) {
        self.slice(&of.topic.0);
        self.i32(of.partition.0);
    }

    pub(super) fn hard_state(&mut self, state: HardState) {
        self.u64(state.term.0);
        self.u64(state.vote.0);
        self.u64(state.commit.0);
    }

    pub(super) fn replicas(&mut self, replicas: &[ReplicaId]) {
        self.count(replicas.len());
        replicas.iter().for_each(|replica| self.u64(replica.0));
    }

    pub(super) fn members(&mut self, members: &Members) {
        self.replicas(&members.voters);
        self.replicas(&members.learners);
    }

    /// An entry's fields before its payload; the payload's length is the caller's to write.
    pub(super) fn entry(&mut self, entry: &Entry) {
        self.u64(entry.index.0);
        self.u64(entry.term.0);
        self.u8(entry.kind as u8);
        self.i64(entry.wall.0);
        self.share(&entry.payload);
    }

    fn close_part(&mut self) {
        if !self.buffer.is_empty() {
            self.parts.push(self.buffer.split().freeze());
        }
    }
}

/// Bytes of an entry besides its payload.
pub(super) const ENTRY_FIELDS_BYTES: usize = 25;

/// Reads what a [`Sink`] wrote, or anything else.
#[derive(Clone, Debug)]
pub(super) struct Cursor(Bytes);

impl Cursor {
    pub(super) fn new(bytes: Bytes) -> Cursor {
        Cursor(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.0.try_get_u8().ok()
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.0.try_get_u16().ok()
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.0.try_get_u32().ok()
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.0.try_get_u64().ok()
    }

    pub(super) fn u128(&mut self) -> Option<u128> {
        self.0.try_get_u128().ok()
    }

    pub(super) fn i32(&mut self) -> Option<i32> {
        self.0.try_get_i32().ok()
    }

    pub(super) fn i64(&mut self) -> Option<i64> {
        self.0.try_get_i64().ok()
    }

    /// The next `len` bytes, shared.
    pub(super) fn bytes(&mut self, len: usize) -> Option<Bytes> {
        (len <= self.0.len()).then(|| self.0.split_to(len))
    }

    /// The next bytes as a cursor of their own, behind their u32 length.
    pub(super) fn framed(&mut self) -> Option<Cursor> {
        let len = self.u32()?;
        self.bytes(usize::try_from(len).ok()?).map(Cursor)
    }

    /// All that is left.
    pub(super) fn rest(&mut self) -> Bytes {
        self.0.split_off(0)
    }

    /// A list's length, when that many elements of at least `each` bytes can be there.
    pub(super) fn count(&mut self, each: usize) -> Option<usize> {
        let count = usize::try_from(self.u32()?).ok()?;
        (count <= self.0.len() / each).then_some(count)
    }

    /// A term within its bound.
    pub(super) fn term(&mut self) -> Option<Term> {
        self.u64().map(Term).filter(|term| *term <= Term::MAX)
    }

    /// An index that leaves room to count on.
    pub(super) fn index(&mut self) -> Option<Index> {
        self.u64().filter(|index| *index < 1 << 62).map(Index)
    }

    pub(super) fn partition(&mut self) -> Option<TopicPartition> {
        let topic = TopicId(self.u128()?.to_be_bytes());
        Some(TopicPartition { topic, partition: PartitionId(self.i32()?) })
    }

    pub(super) fn hard_state(&mut self) -> Option<HardState> {
        Some(HardState { term: self.term()?, vote: ReplicaId(self.u64()?), commit: self.index()? })
    }

    pub(super) fn replicas(&mut self) -> Option<Vec<ReplicaId>> {
        let count = self.count(8)?;
        (0..count).map(|_| self.u64().map(ReplicaId)).collect()
    }

    pub(super) fn members(&mut self) -> Option<Members> {
        Some(Members { voters: self.replicas()?, learners: self.replicas()? })
    }

    /// An entry whose payload is all that is left.
    pub(super) fn entry(&mut self) -> Option<Entry> {
        Some(Entry {
            index: self.index()?,
            term: self.term()?,
            kind: EntryKind::parse(self.u8()?)?,
            wall: Wall(self.i64()?),
            payload: self.rest(),
        })
    }
}

/// `bytes` in memory of their own if they are a small slice of something large, which they would pin.
pub(super) fn unpinned(bytes: Bytes, source_bytes: usize) -> Bytes {
    if bytes.len() < source_bytes / 4 { Bytes::copy_from_slice(&bytes) } else { bytes }
}
