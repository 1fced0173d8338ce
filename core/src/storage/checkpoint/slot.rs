//! The checkpoint's codec: all small state of a node in one of two slots, `checkpoint.a` and `checkpoint.b`,
//! written in turn, so that one whole checkpoint is on the disk at any moment.
//!
//! ```text
//!  0 magic "RMQc" 4 | version 4 | sequence 8 | body bytes 8 | body crc 4 | crc of the 28 bytes before 4
//! 32 body: chain (file u32, at u64, sequence u64, previous u32, salt u64)
//!          doomed segments: count, each topic 16, partition i32, base i64, generation u32
//!          replicas: count, each a record
//! record:  replica u64, topic 16, partition i32, hard state, members, applied u64, its term u64,
//!          log start i64, end i64, generation u32, segments,
//!          from u64, form u8: 0 whole, 1 pages, length u32 of state or head, state or head,
//!          of form 1 its pages: count, each table u8, edition u64, file u32, at u64, bytes u32, crc u32
//!          entries: count, each length u32 and an entry
//!          compacted: count, each replica u64, up to i64, tombstones before i64; in version 3 only
//! ```
//! Version 1, which is read still, had no `from` (it is 0) and no form: each state was whole. Version 3 is written where a
//! log is compacted: as long as none is, a build that knows no compaction can start from it.
//!
//! Invariant: the checkpoint with the highest sequence whose checksums match is the one in force. Frames
//! before its chain are covered by it; a doomed segment is one it no longer names, to be removed. A record is taken
//! while the node goes on, so that it may hold more: all that is in frames before its own `from`, which were durable
//! before the slot was written.
//!
//! Not here: when one is written and what follows (`checkpointer`).

use super::state_files::{NAME_BYTES, NamedPage};
use crate::compaction::Compacted;
use crate::entry::{Entry, HardState, Members};
use crate::file::SegmentName;
use crate::ids::{Index, Offset, ReplicaId, Term, TopicPartition};
use crate::storage::codec::{Cursor, ENTRY_FIELDS_BYTES, Sink, unpinned};
use crate::storage::journal::frame::Chain;
use crate::storage::segments::segment::{self, Segment};
use bytes::Bytes;
use crc_fast::{CrcAlgorithm, Digest, checksum};

/// Bytes before the body.
pub const HEADER_BYTES: usize = 32;
/// Bytes that each slot has on the disk from the start, so that a full disk does not stop small ones.
pub const RESERVED_BYTES: usize = 64 << 10;
const MAGIC: [u8; 4] = *b"RMQc";
const VERSION: u32 = 2;
/// Written where a log is compacted.
const VERSION_COMPACTED: u32 = 3;
/// The oldest version that is read.
const VERSION_MIN: u32 = 1;

/// One replica, as a checkpoint holds it and recovery rebuilds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub replica: ReplicaId,
    pub of: TopicPartition,
    pub hard_state: HardState,
    pub members: Members,
    pub applied: Index,
    pub applied_term: Term,
    pub log_start: Offset,
    pub end: Offset,
    pub generation: u32,
    pub segments: Vec<Segment>,
    /// How far they are compacted.
    pub compacted: Compacted,
    /// The first frame whose items it does not hold.
    pub from: u64,
    pub state: Stored,
    pub entries: Vec<Entry>,
}

/// A state as a checkpoint holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    /// All of it.
    Whole(Bytes),
    /// What is no map, and where the pages of its maps lie.
    Pages { head: Bytes, pages: Vec<NamedPage> },
}

impl Stored {
    /// Its pages, if it lies in any.
    pub fn pages(&self) -> &[NamedPage] {
        match self {
            Stored::Whole(_) => &[],
            Stored::Pages { pages, .. } => pages,
        }
    }

    fn encode(&self, sink: &mut Sink) {
        let (form, bytes) = match self {
            Stored::Whole(bytes) => (0, bytes),
            Stored::Pages { head, .. } => (1, head),
        };
        sink.u8(form);
        sink.count(bytes.len());
        sink.share(bytes);
        if let Stored::Pages { pages, .. } = self {
            sink.count(pages.len());
            pages.iter().for_each(|page| page.encode(sink));
        }
    }

    fn decode(cursor: &mut Cursor, version: u32, source_bytes: usize) -> Option<Stored> {
        let form = if version >= 2 { cursor.u8()? } else { 0 };
        let bytes = usize::try_from(cursor.u32()?).ok()?;
        let bytes = unpinned(cursor.bytes(bytes)?, source_bytes);
        match form {
            0 => Some(Stored::Whole(bytes)),
            1 => {
                let count = cursor.count(NAME_BYTES)?;
                let pages = (0..count).map(|_| NamedPage::decode(cursor)).collect::<Option<_>>()?;
                Some(Stored::Pages { head: bytes, pages })
            }
            _ => None,
        }
    }
}

impl Record {
    /// A replica that was only just added.
    pub fn new(replica: ReplicaId, of: TopicPartition, generation: u32) -> Record {
        Record {
            replica,
            of,
            hard_state: HardState::default(),
            members: Members::default(),
            applied: Index(0),
            applied_term: Term(0),
            log_start: Offset(0),
            end: Offset(0),
            generation,
            segments: Vec::new(),
            compacted: Compacted::default(),
            from: 0,
            state: Stored::Whole(Bytes::new()),
            entries: Vec::new(),
        }
    }

    fn encode(&self, sink: &mut Sink) {
        sink.u64(self.replica.0);
        sink.partition(self.of);
        sink.hard_state(self.hard_state);
        sink.members(&self.members);
        sink.u64(self.applied.0);
        sink.u64(self.applied_term.0);
        sink.i64(self.log_start.0);
        sink.i64(self.end.0);
        sink.u32(self.generation);
        segment::encode_all(&self.segments, sink);
        sink.u64(self.from);
        self.state.encode(sink);
        sink.count(self.entries.len());
        for entry in &self.entries {
            sink.count(ENTRY_FIELDS_BYTES + entry.payload.len());
            sink.entry(entry);
        }
    }

    fn decode(cursor: &mut Cursor, version: u32, source_bytes: usize) -> Option<Record> {
        let (replica, of) = (ReplicaId(cursor.u64()?), cursor.partition()?);
        let (hard_state, members) = (cursor.hard_state()?, cursor.members()?);
        let (applied, applied_term) = (cursor.index()?, cursor.term()?);
        let (log_start, end) = (Offset(cursor.i64()?), Offset(cursor.i64()?));
        let (generation, segments) = (cursor.u32()?, segment::decode_all(cursor, end)?);
        let from = if version >= 2 { cursor.u64()? } else { 0 };
        let state = Stored::decode(cursor, version, source_bytes)?;
        let count = cursor.count(4 + ENTRY_FIELDS_BYTES)?;
        let mut entries = Vec::new();
        for _ in 0..count {
            let entry = cursor.framed()?.entry()?;
            entries.push(Entry { payload: unpinned(entry.payload, source_bytes), ..entry });
        }
        let record = Record {
            replica,
            of,
            hard_state,
            members,
            applied,
            applied_term,
            log_start,
            end,
            generation,
            segments,
            compacted: Compacted::default(),
            from,
            state,
            entries,
        };
        (Offset(0) <= log_start && log_start <= end).then_some(record)
    }
}

/// A slot's header: enough to tell which slot to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub sequence: u64,
    pub body_bytes: u64,
    version: u32,
    body_crc: u32,
}

impl Header {
    /// The header that `bytes` start with, if it is whole.
    pub fn parse(bytes: &Bytes) -> Option<Header> {
        let crc_expected = crc(bytes.get(..HEADER_BYTES - 4)?);
        let mut cursor = Cursor::new(bytes.clone());
        let is_ours = cursor.bytes(4)?[..] == MAGIC;
        let version = cursor.u32()?;
        let is_ours = is_ours && (VERSION_MIN..=VERSION_COMPACTED).contains(&version);
        let (sequence, body_bytes, body_crc) = (cursor.u64()?, cursor.u64()?, cursor.u32()?);
        let header = Header { sequence, body_bytes, version, body_crc };
        (is_ours && cursor.u32()? == crc_expected).then_some(header)
    }
}

/// A checkpoint read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    pub sequence: u64,
    pub chain: Chain,
    pub doomed: Vec<SegmentName>,
    pub records: Vec<Record>,
    /// Its bytes, as they are on the disk.
    pub image: Bytes,
}

impl Checkpoint {
    /// The checkpoint in a slot's bytes, if it is whole.
    pub fn decode(bytes: &Bytes) -> Option<Checkpoint> {
        let header = Header::parse(bytes)?;
        let body_bytes = usize::try_from(header.body_bytes).ok()?;
        let end = HEADER_BYTES.checked_add(body_bytes).filter(|end| *end <= bytes.len())?;
        let body = bytes.slice(HEADER_BYTES..end);
        if crc(&body) != header.body_crc {
            return None;
        }
        let mut cursor = Cursor::new(body);
        let chain = Chain::decode(&mut cursor)?;
        let doomed = (0..cursor.count(32)?).map(|_| segment_name(&mut cursor)).collect::<Option<_>>()?;
        let mut records = (0..cursor.count(100)?)
            .map(|_| Record::decode(&mut cursor, header.version, bytes.len()))
            .collect::<Option<Vec<_>>>()?;
        if header.version >= VERSION_COMPACTED {
            decode_compacted(&mut cursor, &mut records)?;
        }
        Some(Checkpoint { sequence: header.sequence, chain, doomed, records, image: bytes.slice(..end) })
    }
}

fn segment_name(cursor: &mut Cursor) -> Option<SegmentName> {
    Some(SegmentName { of: cursor.partition()?, base: Offset(cursor.i64()?), generation: cursor.u32()? })
}

/// How far logs are compacted, into their records.
fn decode_compacted(cursor: &mut Cursor, records: &mut [Record]) -> Option<()> {
    for _ in 0..cursor.count(24)? {
        let replica = ReplicaId(cursor.u64()?);
        let compacted = Compacted { up_to: Offset(cursor.i64()?), tombstones_before: Offset(cursor.i64()?) };
        let record = records.iter_mut().find(|record| record.replica == replica)?;
        let is_sound = Offset(0) <= compacted.tombstones_before
            && compacted.tombstones_before <= compacted.up_to
            && compacted.up_to <= record.end;
        record.compacted = Some(compacted).filter(|_| is_sound)?;
    }
    Some(())
}

/// Records on their way into a slot.
#[derive(Debug, Default)]
pub struct Records {
    sink: Sink,
    count: usize,
    compacted: Vec<(ReplicaId, Compacted)>,
}

impl Records {
    pub fn add(&mut self, record: &Record) {
        record.encode(&mut self.sink);
        self.count += 1;
        if record.compacted != Compacted::default() {
            self.compacted.push((record.replica, record.compacted));
        }
    }

    /// All of them, behind their number; and the version that can say it.
    fn finish(mut self) -> (Sink, usize, u32) {
        if self.compacted.is_empty() {
            return (self.sink, self.count, VERSION);
        }
        self.sink.count(self.compacted.len());
        for (replica, compacted) in &self.compacted {
            self.sink.u64(replica.0);
            self.sink.i64(compacted.up_to.0);
            self.sink.i64(compacted.tombstones_before.0);
        }
        (self.sink, self.count, VERSION_COMPACTED)
    }
}

/// A slot's parts.
pub fn encode(sequence: u64, chain: &Chain, doomed: &[SegmentName], records: Records) -> Vec<Bytes> {
    let (records, count, version) = records.finish();
    let mut prefix = Sink::default();
    chain.encode(&mut prefix);
    prefix.count(doomed.len());
    for name in doomed {
        prefix.partition(name.of);
        prefix.i64(name.base.0);
        prefix.u32(name.generation);
    }
    prefix.count(count);
    let body_bytes = (prefix.len() + records.len()) as u64;
    let (mut body, _) = prefix.finish();
    body.extend(records.finish().0);
    let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
    body.iter().for_each(|part| digest.update(part));

    let mut header = Sink::default();
    header.slice(&MAGIC);
    header.u32(version);
    header.u64(sequence);
    header.u64(body_bytes);
    header.u32(u32::try_from(digest.finalize()).expect("a CRC32 has 32 bits"));
    let mut bytes = Sink::default();
    let header = header.into_bytes();
    bytes.slice(&header);
    bytes.u32(crc(&header));
    let mut parts = vec![bytes.into_bytes()];
    parts.extend(body);
    parts
}

fn crc(bytes: &[u8]) -> u32 {
    u32::try_from(checksum(CrcAlgorithm::Crc32Iscsi, bytes)).expect("a CRC32 has 32 bits")
}
