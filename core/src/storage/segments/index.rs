//! A segment's sparse index: every 16 KiB or so, where a batch lies, and how late the batches before it are.
//!
//! ```text
//! entry n at 32 n:  0 offset i64 | 8 position u64 | 16 latest timestamp before it i64 | 24 zero 4 | 28 crc 4
//! ```
//! The entry for position 0 is implied. Index files are never synced: an entry that does not carry its own
//! CRC, or does not rise, ends the index there, and whoever looks something up walks the rest of the segment.
//! So nothing read here is believed further than "start walking there", and the walk checks where it starts.
//!
//! Invariant: in memory, offsets and positions rise strictly, timestamps never fall.

use crate::file::SegmentName;
use crate::ids::Offset;
use crate::limits::INDEX_ENTRIES_CACHED_MAX;
use bytes::{BufMut, Bytes, BytesMut};
use crc_fast::{CrcAlgorithm, checksum};
use std::collections::BTreeMap;

use crate::storage::codec::Cursor;

/// Bytes of an entry in the file.
pub const ENTRY_BYTES: usize = 32;

/// One entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexEntry {
    pub offset: Offset,
    pub position: u64,
    /// The latest timestamp of all batches of the segment before `position`.
    pub latest_before: i64,
}

impl IndexEntry {
    pub fn encode(&self, bytes: &mut BytesMut) {
        let start = bytes.len();
        bytes.put_i64(self.offset.0);
        bytes.put_u64(self.position);
        bytes.put_i64(self.latest_before);
        bytes.put_u32(0);
        let crc = checksum(CrcAlgorithm::Crc32Iscsi, &bytes[start..]);
        bytes.put_u32(u32::try_from(crc).expect("a CRC32 has 32 bits"));
    }

    fn decode(bytes: Bytes) -> Option<IndexEntry> {
        let crc = checksum(CrcAlgorithm::Crc32Iscsi, bytes.get(..ENTRY_BYTES - 4)?);
        let mut cursor = Cursor::new(bytes);
        let entry = IndexEntry {
            offset: Offset(cursor.i64()?),
            position: cursor.u64()?,
            latest_before: cursor.i64()?,
        };
        cursor.u32()?;
        (u64::from(cursor.u32()?) == crc).then_some(entry)
    }
}

/// One segment's index in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SegmentIndex(Vec<IndexEntry>);

impl SegmentIndex {
    /// The believable entries of a file, of a segment that starts at `base`.
    pub fn decode(bytes: &Bytes, base: Offset) -> SegmentIndex {
        let mut entries: Vec<IndexEntry> = Vec::new();
        let mut before = IndexEntry { offset: base, position: 0, latest_before: i64::MIN };
        for at in (0..bytes.len() / ENTRY_BYTES).map(|number| number * ENTRY_BYTES) {
            let Some(entry) = IndexEntry::decode(bytes.slice(at..at + ENTRY_BYTES)) else { break };
            let rises = entry.offset > before.offset
                && entry.position > before.position
                && entry.latest_before >= before.latest_before;
            if !rises {
                break;
            }
            entries.push(entry);
            before = entry;
        }
        SegmentIndex(entries)
    }

    /// Where to start walking for `offset`: a batch's position and its offset.
    pub fn find_offset(&self, base: Offset, offset: Offset) -> (u64, Offset) {
        Self::start(base, self.0[..self.0.partition_point(|entry| entry.offset <= offset)].last())
    }

    /// Where to start walking for the first batch that reaches `timestamp`.
    pub fn find_time(&self, base: Offset, timestamp: i64) -> (u64, Offset) {
        Self::start(base, self.0[..self.0.partition_point(|entry| entry.latest_before < timestamp)].last())
    }

    /// Where the batch of that offset lies, if it has an entry.
    pub fn position_of(&self, offset: Offset) -> Option<u64> {
        let found = self.0.binary_search_by_key(&offset, |entry| entry.offset).ok()?;
        Some(self.0[found].position)
    }

    /// The first indexed offset after `offset`: how far damage at `offset` may reach.
    pub fn after(&self, offset: Offset) -> Option<Offset> {
        self.0.get(self.0.partition_point(|entry| entry.offset <= offset)).map(|entry| entry.offset)
    }

    fn start(base: Offset, entry: Option<&IndexEntry>) -> (u64, Offset) {
        entry.map_or((0, base), |entry| (entry.position, entry.offset))
    }
}

/// The indexes in memory: of segments that were read cold lately.
#[derive(Debug, Default)]
pub struct IndexCache {
    /// Each with its place in `order`.
    indexes: BTreeMap<SegmentName, (u64, SegmentIndex)>,
    order: BTreeMap<u64, SegmentName>,
    loaded: u64,
    entries: usize,
}

impl IndexCache {
    pub fn find(&self, name: SegmentName) -> Option<&SegmentIndex> {
        self.indexes.get(&name).map(|(_, index)| index)
    }

    pub fn insert(&mut self, name: SegmentName, index: SegmentIndex) {
        self.forget(name);
        self.entries += index.0.len();
        self.loaded += 1;
        self.indexes.insert(name, (self.loaded, index));
        self.order.insert(self.loaded, name);
        while self.entries > INDEX_ENTRIES_CACHED_MAX && self.order.len() > 1 {
            let (_, oldest) = self.order.first_key_value().expect("longer than one");
            self.forget(*oldest);
        }
    }

    /// New entries of a segment that may be cached.
    pub fn extend(&mut self, name: SegmentName, entries: &[IndexEntry]) {
        if let Some((_, index)) = self.indexes.get_mut(&name) {
            let last = index.0.last().map_or(0, |entry| entry.position);
            let new = entries.iter().filter(|entry| entry.position > last);
            let count = index.0.len();
            index.0.extend(new);
            self.entries += index.0.len() - count;
        }
    }

    pub fn forget(&mut self, name: SegmentName) {
        if let Some((place, index)) = self.indexes.remove(&name) {
            self.entries -= index.0.len();
            self.order.remove(&place);
        }
    }
}
