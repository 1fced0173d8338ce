//! A frame: one group commit in the journal, and the codec of its items.
//!
//! ```text
//!  0 magic "RMQj"     4 |
//!  4 version          2 |  1
//!  6 zero             2 |
//!  8 sequence         8 |  rises by one from frame to frame, across files and starts
//! 16 salt             8 |  drawn once per chain; a client that could guess it could forge a frame
//! 24 body bytes       4 |
//! 28 items            4 |
//! 32 previous         4 |  the CRC of the frame before: what does not follow, does not count
//! 36 crc              4 |  CRC32C of the 36 bytes above and the body
//! 40 items, then zeros up to a multiple of 4 KiB, so that no later write touches these sectors
//!
//! item: kind u8, replica u64, length u32 of the rest, then
//!   1 Entry           index u64, term u64, kind u8, wall i64, payload
//!   2 HardState       term u64, vote u64, commit u64
//!   3 Reset           index u64, term u64, hard state, members, log start i64, end i64, generation u32,
//!                     segments, state
//!   4 ReplicaAdded    topic 16, partition i32
//!   5 ReplicaDropped
//!   6 LogStart        log start i64; where the log is anew there: generation u32
//! ```
//! Invariants: a frame's bytes are at most what remains of its file; a frame without items (a seal) says
//! nothing but that the frame before it was synced.
//!
//! Not here: where frames lie (`ring`), when they are written (`journal`), how they are found again (`walk`).

use crate::entry::{Entry, HardState, Members};
use crate::ids::{Index, Offset, ReplicaId, Term, TopicPartition};
use crate::mutant::{Mutant, is_planted};
use crate::storage::codec::{Cursor, ENTRY_FIELDS_BYTES, Sink};
use crate::storage::segments::segment::{self, Segment};
use bytes::{BufMut, Bytes, BytesMut};
use crc_fast::{CrcAlgorithm, Digest};

/// What frames are aligned to.
pub const BLOCK_BYTES: u64 = 4096;
/// Bytes before the items.
pub const HEADER_BYTES: usize = 40;
/// Bytes of an item before its fields.
const ITEM_BYTES: usize = 13;
const MAGIC: [u8; 4] = *b"RMQj";
const VERSION: u16 = 1;
static PADDING: [u8; BLOCK_BYTES as usize] = [0; BLOCK_BYTES as usize];

/// Where the chain of frames goes on: what the next frame must say of itself to be it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    /// The file that holds the frame before, or will hold the first.
    pub file: u32,
    /// The byte after that frame.
    pub at: u64,
    pub sequence: u64,
    pub previous: u32,
    pub salt: u64,
}

impl Chain {
    /// Whether a whole frame with this header is the next one. The one place that tells a frame of now
    /// from one of an earlier lap of the ring.
    pub fn is_continued_by(&self, header: &Header, mutant: Option<Mutant>) -> bool {
        let is_next = header.sequence == self.sequence && header.previous == self.previous;
        header.salt == self.salt && (is_next || is_planted(mutant, Mutant::OldFrameReplayed))
    }

    /// Whether a whole frame with this header was written after the next one, and so proves that the next
    /// one was synced: only one frame is in flight at a time.
    pub fn is_outrun_by(&self, header: &Header) -> bool {
        header.salt == self.salt && header.sequence > self.sequence
    }

    /// The chain after the frame of `header` was found in `file` at `at`.
    pub fn after(&self, header: &Header, file: u32, at: u64) -> Chain {
        Chain {
            file,
            at: at.saturating_add(header.frame_bytes()),
            sequence: self.sequence.saturating_add(1),
            previous: header.crc,
            salt: self.salt,
        }
    }

    pub fn encode(&self, sink: &mut Sink) {
        sink.u32(self.file);
        sink.u64(self.at);
        sink.u64(self.sequence);
        sink.u32(self.previous);
        sink.u64(self.salt);
    }

    pub fn decode(cursor: &mut Cursor) -> Option<Chain> {
        Some(Chain {
            file: cursor.u32()?,
            at: cursor.u64()?,
            sequence: cursor.u64()?,
            previous: cursor.u32()?,
            salt: cursor.u64()?,
        })
        .filter(|chain| chain.at % BLOCK_BYTES == 0 && chain.at < 1 << 50)
    }
}

/// A frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub sequence: u64,
    pub salt: u64,
    pub body_bytes: u32,
    pub items: u32,
    pub previous: u32,
    pub crc: u32,
}

impl Header {
    /// The header that `bytes` start with, if they look like one. Whether the frame is whole only
    /// [`Header::matches`] tells.
    pub fn parse(bytes: &Bytes) -> Option<Header> {
        let mut cursor = Cursor::new(bytes.clone());
        let is_ours = cursor.bytes(4)?[..] == MAGIC && cursor.u16()? == VERSION && cursor.u16()? == 0;
        let header = Header {
            sequence: cursor.u64()?,
            salt: cursor.u64()?,
            body_bytes: cursor.u32()?,
            items: cursor.u32()?,
            previous: cursor.u32()?,
            crc: cursor.u32()?,
        };
        is_ours.then_some(header)
    }

    /// Whether `frame`, header and body without padding, is what was written.
    pub fn matches(&self, frame: &Bytes) -> bool {
        frame.len() == self.content_bytes()
            && crc(&frame[..HEADER_BYTES - 4], [&frame[HEADER_BYTES..]]) == self.crc
    }

    /// Bytes of header and body.
    pub fn content_bytes(&self) -> usize {
        HEADER_BYTES + self.body_bytes as usize
    }

    /// Bytes in the file.
    pub fn frame_bytes(&self) -> u64 {
        (self.content_bytes() as u64).next_multiple_of(BLOCK_BYTES)
    }

    fn encode(&self) -> BytesMut {
        let mut bytes = BytesMut::with_capacity(HEADER_BYTES);
        bytes.put_slice(&MAGIC);
        bytes.put_u16(VERSION);
        bytes.put_u16(0);
        bytes.put_u64(self.sequence);
        bytes.put_u64(self.salt);
        bytes.put_u32(self.body_bytes);
        bytes.put_u32(self.items);
        bytes.put_u32(self.previous);
        bytes
    }
}

/// The frame's checksum: of its header before the checksum, and of all its body.
fn crc<'a>(header: &[u8], body: impl IntoIterator<Item = &'a [u8]>) -> u32 {
    let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
    digest.update(header);
    body.into_iter().for_each(|part| digest.update(part));
    u32::try_from(digest.finalize()).expect("a CRC32 has 32 bits")
}

/// A frame being filled.
#[derive(Debug)]
pub struct Filling {
    sink: Sink,
    items: u32,
    /// Whom to tell once it is synced.
    pub persisted: Vec<(ReplicaId, u64)>,
}

/// A frame ready to be written.
pub struct Closed {
    pub parts: Vec<Bytes>,
    pub header: Header,
    pub persisted: Vec<(ReplicaId, u64)>,
    /// The buffer, for the next frame.
    pub buffer: BytesMut,
}

impl Filling {
    pub fn reusing(buffer: BytesMut) -> Filling {
        Filling { sink: Sink::reusing(buffer), items: 0, persisted: Vec::new() }
    }

    /// Bytes that the frame would have now, before padding.
    pub fn bytes(&self) -> usize {
        HEADER_BYTES + self.sink.len()
    }

    pub fn has_items(&self) -> bool {
        self.items > 0
    }

    pub fn entry(&mut self, replica: ReplicaId, entry: &Entry) {
        self.item(1, replica, ENTRY_FIELDS_BYTES + entry.payload.len());
        self.sink.entry(entry);
    }

    pub fn hard_state(&mut self, replica: ReplicaId, state: HardState) {
        self.item(2, replica, 24);
        self.sink.hard_state(state);
    }

    pub fn reset(&mut self, replica: ReplicaId, reset: &StoredReset) {
        let mut fields = Sink::default();
        reset.encode_fields(&mut fields);
        let fields = fields.into_bytes();
        self.item(3, replica, fields.len() + reset.state.len());
        self.sink.slice(&fields);
        self.sink.share(&reset.state);
    }

    pub fn replica_added(&mut self, replica: ReplicaId, of: TopicPartition) {
        self.item(4, replica, 20);
        self.sink.partition(of);
    }

    pub fn replica_dropped(&mut self, replica: ReplicaId) {
        self.item(5, replica, 0);
    }

    pub fn log_start(&mut self, replica: ReplicaId, start: LogStart) {
        self.item(6, replica, if start.anew.is_some() { 12 } else { 8 });
        self.sink.i64(start.offset.0);
        start.anew.iter().for_each(|generation| self.sink.u32(*generation));
    }

    /// The frame as the next one of `chain`.
    pub fn close(self, chain: &Chain) -> Closed {
        let body_bytes = u32::try_from(self.sink.len()).expect("a frame is bounded far below 4 GiB");
        let mut header = Header {
            sequence: chain.sequence,
            salt: chain.salt,
            body_bytes,
            items: self.items,
            previous: chain.previous,
            crc: 0,
        };
        let mut head = header.encode();
        let (body, buffer) = self.sink.finish();
        header.crc = crc(&head, body.iter().map(|part| &part[..]));
        head.put_u32(header.crc);
        let padding = header.frame_bytes() - header.content_bytes() as u64;
        let mut parts = Vec::with_capacity(body.len() + 2);
        parts.push(head.freeze());
        parts.extend(body);
        if padding > 0 {
            parts.push(Bytes::from_static(&PADDING[..padding as usize]));
        }
        Closed { parts, header, persisted: self.persisted, buffer }
    }

    fn item(&mut self, kind: u8, replica: ReplicaId, len: usize) {
        self.items += 1;
        self.sink.u8(kind);
        self.sink.u64(replica.0);
        self.sink.count(len);
    }
}

/// What an append takes in a frame, bytes.
pub fn append_bytes(entries: &[Entry]) -> usize {
    let hard_state = ITEM_BYTES + 24;
    entries.iter().fold(hard_state, |sum, entry| sum + ITEM_BYTES + ENTRY_FIELDS_BYTES + entry.payload.len())
}

/// One item of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    Entry(ReplicaId, Entry),
    HardState(ReplicaId, HardState),
    Reset(ReplicaId, Box<StoredReset>),
    ReplicaAdded(ReplicaId, TopicPartition),
    ReplicaDropped(ReplicaId),
    LogStart(ReplicaId, LogStart),
}

/// Where a log begins: what lies below is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogStart {
    pub offset: Offset,
    /// All that was there before is given up: the log is of this generation now, and empty.
    pub anew: Option<u32>,
}

impl Item {
    /// Whose it is.
    pub fn replica(&self) -> ReplicaId {
        match self {
            Item::Entry(replica, _)
            | Item::HardState(replica, _)
            | Item::Reset(replica, _)
            | Item::ReplicaAdded(replica, _)
            | Item::ReplicaDropped(replica)
            | Item::LogStart(replica, _) => *replica,
        }
    }
}

/// A reset as it lies on the disk: what the floor above said, and where the data below it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredReset {
    pub index: Index,
    pub term: Term,
    pub hard_state: HardState,
    pub members: Members,
    pub log_start: Offset,
    pub end: Offset,
    pub generation: u32,
    pub segments: Vec<Segment>,
    pub state: Bytes,
}

impl StoredReset {
    fn encode_fields(&self, sink: &mut Sink) {
        sink.u64(self.index.0);
        sink.u64(self.term.0);
        sink.hard_state(self.hard_state);
        sink.members(&self.members);
        sink.i64(self.log_start.0);
        sink.i64(self.end.0);
        sink.u32(self.generation);
        segment::encode_all(&self.segments, sink);
    }

    fn decode(cursor: &mut Cursor) -> Option<StoredReset> {
        let (index, term) = (cursor.index()?, cursor.term()?);
        let (hard_state, members) = (cursor.hard_state()?, cursor.members()?);
        let (log_start, end) = (Offset(cursor.i64()?), Offset(cursor.i64()?));
        let (generation, segments) = (cursor.u32()?, segment::decode_all(cursor, end)?);
        let state = cursor.rest();
        Some(StoredReset { index, term, hard_state, members, log_start, end, generation, segments, state })
            .filter(|reset| Offset(0) <= reset.log_start && reset.log_start <= reset.end)
    }
}

/// The items of a whole frame; `None` if they are not ours, which a matching checksum leaves only to a
/// newer version of this program.
pub fn items(header: &Header, frame: &Bytes) -> Option<Vec<Item>> {
    let mut cursor = Cursor::new(frame.slice(HEADER_BYTES..));
    let mut items = Vec::new();
    for _ in 0..header.items {
        items.push(item(&mut cursor)?);
    }
    cursor.is_empty().then_some(items)
}

fn log_start(fields: &mut Cursor) -> Option<LogStart> {
    let offset = Offset(fields.i64()?);
    let anew = if fields.is_empty() { None } else { Some(fields.u32()?) };
    Some(LogStart { offset, anew }).filter(|start| start.offset >= Offset(0))
}

fn item(cursor: &mut Cursor) -> Option<Item> {
    let kind = cursor.u8()?;
    let replica = ReplicaId(cursor.u64()?);
    let mut fields = cursor.framed()?;
    let item = match kind {
        1 => Item::Entry(replica, fields.entry()?),
        2 => Item::HardState(replica, fields.hard_state()?),
        3 => Item::Reset(replica, Box::new(StoredReset::decode(&mut fields)?)),
        4 => Item::ReplicaAdded(replica, fields.partition()?),
        5 => Item::ReplicaDropped(replica),
        6 => Item::LogStart(replica, log_start(&mut fields)?),
        _ => return None,
    };
    fields.is_empty().then_some(item)
}
