//! `node.meta`: who this disk is. Two slots in one file, both saying the same; a slot is written and synced
//! before the other is touched, so a crash spares one and rot of one is mended from the other.
//!
//! ```text
//! slot (at 0 and at 256 KiB):  0 magic "RMQn" 4 | format 4 | crc 4 | body bytes 4 | body, zeros up to 4 KiB blocks
//! body: sequence u64, has cluster u8, cluster u128, node i32, disk u128, dead replicas,
//!       has loss u8, loss: file u32, at u64, sequence u64, is missing u8
//! ```
//! The blocks between are never written: the file has holes.
//!
//! - Invariant: frames are written only once a meta is durable, so a disk with data and no readable meta is
//!   damaged, not empty.
//! - Invariant: no dead replica is forgotten while a checkpoint or the image may name it. There are as many as
//!   replicas on this disk at most, so far fewer than `DEAD_REPLICAS_MAX`.
//!
//! The format number is the whole directory's: a build that writes anything which an older one cannot read raises it
//! here, and a build refuses a directory of a format that it does not read, by name and without touching it. In
//! formats 1 to 3 commands and states named no kinds (docs/decisions/0015).

use super::codec::{Cursor, Sink};
use super::disk::Disk;
use super::disk::durable_write::{DurableWrite, Progress};
use super::disk::ticket::Job;
use super::journal::frame::BLOCK_BYTES;
use crate::event::DoneResult;
use crate::file::File;
use crate::ids::{ClusterId, DiskId, NodeId, ReplicaId, Ticket};
use crate::limits::DEAD_REPLICAS_MAX;
use bytes::Bytes;
use crc_fast::{CrcAlgorithm, Digest};
use std::fmt;
use std::ops::RangeInclusive;

/// Bytes that a slot may have: where the second begins.
pub(super) const SLOT_BYTES: usize = 256 << 10;
const MAGIC: [u8; 4] = *b"RMQn";
/// The formats of a whole data directory that this build reads; it writes the last.
pub(super) const FORMATS: RangeInclusive<u32> = 4..=4;

/// Who a data directory belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeMeta {
    /// Its cluster, once it has one.
    pub cluster: Option<ClusterId>,
    /// Its node.
    pub node: NodeId,
    /// The directory itself: drawn once.
    pub disk: DiskId,
    /// Replicas of which this disk has lost something: they never vote, lead or answer again.
    pub dead: Vec<ReplicaId>,
    /// What of the journal was lost, if anything ever was: then all replicas that were here are dead.
    pub loss: Option<JournalLoss>,
}

/// Where a journal stopped being what was synced to it. What the frames from there on said nobody can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalLoss {
    /// The journal's file.
    pub file: u32,
    /// The byte where the first frame begins that is not as it was written.
    pub at: u64,
    /// Its number.
    pub sequence: u64,
    /// The file is not there, or ends before that byte.
    pub is_missing: bool,
}

impl fmt::Display for JournalLoss {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let JournalLoss { file, at, sequence, is_missing } = *self;
        let file = File::Journal(file);
        if is_missing {
            write!(out, "{file} is missing, or ends before byte {at}, where frame {sequence} was to follow")
        } else {
            write!(out, "frame {sequence} at byte {at} of {file} was synced and cannot be read any more")
        }
    }
}

/// What a slot holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// Nothing readable.
    Bad,
    /// A directory in a format that this build does not read.
    Other(u32),
    /// A meta and its sequence.
    Good(u64, NodeMeta),
}

/// One slot, encoded.
pub(super) fn encode(sequence: u64, meta: &NodeMeta) -> Bytes {
    let mut body = Sink::default();
    body.u64(sequence);
    body.u8(u8::from(meta.cluster.is_some()));
    body.u128(meta.cluster.unwrap_or_default().0);
    body.i32(meta.node.0);
    body.u128(meta.disk.0);
    assert!(meta.dead.len() <= DEAD_REPLICAS_MAX, "a dead replica is remembered while something names it");
    body.replicas(&meta.dead);
    body.u8(u8::from(meta.loss.is_some()));
    meta.loss.iter().for_each(|loss| encode_loss(loss, &mut body));
    let body = body.into_bytes();
    let mut slot = Sink::default();
    slot.slice(&MAGIC);
    slot.u32(*FORMATS.end());
    slot.u32(crc(*FORMATS.end(), &body));
    slot.count(body.len());
    slot.slice(&body);
    let padding = slot.len().next_multiple_of(BLOCK_BYTES as usize) - slot.len();
    slot.slice(&[0; BLOCK_BYTES as usize][..padding]);
    assert!(slot.len() <= SLOT_BYTES, "DEAD_REPLICAS_MAX keeps a meta within its slot");
    slot.into_bytes()
}

fn encode_loss(loss: &JournalLoss, body: &mut Sink) {
    body.u32(loss.file);
    body.u64(loss.at);
    body.u64(loss.sequence);
    body.u8(u8::from(loss.is_missing));
}

fn decode_loss(body: &mut Cursor) -> Option<JournalLoss> {
    let (file, at, sequence) = (body.u32()?, body.u64()?, body.u64()?);
    Some(JournalLoss { file, at, sequence, is_missing: body.u8()? != 0 })
}

/// Both slots of a file.
pub(super) fn slots(bytes: &Bytes) -> [Slot; 2] {
    let slot = |at: usize| decode(bytes.slice(at.min(bytes.len())..));
    [slot(0), slot(SLOT_BYTES)]
}

/// The slot that `bytes` start with.
pub(super) fn decode(bytes: Bytes) -> Slot {
    parse(Cursor::new(bytes)).unwrap_or(Slot::Bad)
}

fn parse(mut cursor: Cursor) -> Option<Slot> {
    if cursor.bytes(4)?[..] != MAGIC {
        return None;
    }
    let format = cursor.u32()?;
    let expected = cursor.u32()?;
    let len = cursor.u32()?;
    let body = cursor.bytes(usize::try_from(len).ok()?)?;
    if crc(format, &body) != expected {
        return None;
    }
    if !FORMATS.contains(&format) {
        return Some(Slot::Other(format));
    }
    let mut body = Cursor::new(body);
    let sequence = body.u64()?;
    let has_cluster = body.u8()? != 0;
    let cluster = ClusterId(body.u128()?);
    let meta = NodeMeta {
        cluster: has_cluster.then_some(cluster),
        node: NodeId(body.i32()?),
        disk: DiskId(body.u128()?),
        dead: body.replicas()?,
        loss: if body.u8()? != 0 { Some(decode_loss(&mut body)?) } else { None },
    };
    Some(Slot::Good(sequence, meta))
}

/// The checksum of the format number and the body.
fn crc(format: u32, body: &[u8]) -> u32 {
    let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
    digest.update(&format.to_be_bytes());
    digest.update(body);
    u32::try_from(digest.finalize()).expect("a CRC32 has 32 bits")
}

/// The file while the node runs.
#[derive(Debug, Default)]
pub(super) struct MetaFile {
    sequence: u64,
    is_durable: bool,
    writing: Option<Writing>,
    waiting: Option<NodeMeta>,
    unanswered: usize,
}

#[derive(Debug)]
struct Writing {
    second: Option<Bytes>,
    write: DurableWrite,
    answers: usize,
}

impl MetaFile {
    /// The file as recovery found it.
    pub(super) fn found(sequence: u64, is_durable: bool) -> MetaFile {
        MetaFile { sequence, is_durable, ..MetaFile::default() }
    }

    /// Whether a meta is on the disk.
    pub(super) fn is_durable(&self) -> bool {
        self.is_durable
    }

    /// Whether nothing is being written.
    pub(super) fn is_idle(&self) -> bool {
        self.writing.is_none()
    }

    /// Writes `meta`, after what is being written now.
    pub(super) fn write(&mut self, meta: NodeMeta, disk: &mut Disk<'_>) {
        self.waiting = Some(meta);
        self.unanswered += 1;
        self.begin(disk);
    }

    /// One of its tickets is done. How many `write_meta` are answered now.
    pub(super) fn done(
        &mut self,
        ticket: Ticket,
        result: DoneResult,
        disk: &mut Disk<'_>,
    ) -> Result<usize, String> {
        let Some(writing) = &mut self.writing else { return Ok(0) };
        match writing.write.done(ticket, result) {
            Progress::Waiting | Progress::Full => return Ok(0),
            Progress::Failed(reason) => return Err(reason),
            Progress::Durable => {}
        }
        if let Some(second) = writing.second.take() {
            let parts = vec![second];
            writing.write = DurableWrite::new(Job::Meta, File::NodeMeta, SLOT_BYTES as u64, parts);
            writing.write.issue(disk);
            return Ok(0);
        }
        let answers = writing.answers;
        self.is_durable = true;
        self.writing = None;
        self.begin(disk);
        Ok(answers)
    }

    /// Tries again what the full disk refused.
    pub(super) fn retry(&mut self, disk: &mut Disk<'_>) {
        if let Some(writing) = self.writing.as_mut().filter(|writing| writing.write.is_stalled()) {
            writing.write.issue(disk);
        }
    }

    /// Whether it waits for space.
    pub(super) fn is_stalled(&self) -> bool {
        self.writing.as_ref().is_some_and(|writing| writing.write.is_stalled())
    }

    fn begin(&mut self, disk: &mut Disk<'_>) {
        if self.writing.is_some() {
            return;
        }
        let Some(meta) = self.waiting.take() else { return };
        self.sequence += 1;
        let slot = encode(self.sequence, &meta);
        let mut write = DurableWrite::new(Job::Meta, File::NodeMeta, 0, vec![slot.clone()]);
        write.issue(disk);
        let answers = std::mem::take(&mut self.unanswered);
        self.writing = Some(Writing { second: Some(slot), write, answers });
    }
}
