//! A second reader of the journal's frames, independent of the core's own: the layout is taken from the essay of
//! `core/src/storage/journal/frame.rs`, and a check that shared its code would share its mistakes.
//!
//! Reads from what is durable for certain; anything that does not parse is no frame.

use crate::disk::Disk;
use crate::disk::image::Image;
use bytes::{Buf, Bytes};
use crc_fast::{CrcAlgorithm, Digest, checksum};
use rust_mq_core::file::File;
use rust_mq_core::rng::hash;
use std::fmt;

/// Bytes before a frame's items.
pub const HEADER: u64 = 40;
/// What frames are aligned to.
const BLOCK: u64 = 4096;
/// Bytes before a checkpoint's body.
const SLOT_HEADER: u64 = 32;
/// Bytes that the checksum covers before the body.
const CHECKED: usize = 36;

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its place in the chain.
    pub sequence: u64,
    /// The chain's own.
    pub salt: u64,
    /// Its checksum.
    pub crc: u32,
    /// What it says.
    pub items: Vec<Item>,
}

/// An entry's own content, for the replay.
#[derive(Clone, PartialEq, Eq)]
pub struct Said {
    /// What the payload is.
    pub kind: u8,
    /// The proposing leader's wall clock.
    pub wall: i64,
    /// The payload.
    pub payload: Bytes,
}

/// A replicated state in the core's own bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct State(pub Bytes);

/// What a frame says about one replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// An entry stands at an index; what stood from there on is gone.
    Entry {
        /// Whose.
        replica: u64,
        /// Where.
        index: u64,
        /// Of which term.
        term: u64,
        /// Of all its bytes.
        hash: u64,
        /// Base offset and CRC, if it is a record batch.
        batch: Option<(i64, u32)>,
        /// What it says.
        said: Said,
    },
    /// Term, vote and commit.
    HardState {
        /// Whose.
        replica: u64,
        /// The term.
        term: u64,
        /// Whom it voted for, 0 for nobody.
        vote: u64,
        /// What it knows committed.
        commit: u64,
    },
    /// Everything is as of an index.
    Reset {
        /// Whose.
        replica: u64,
        /// As of which.
        index: u64,
        /// Its term.
        term: u64,
        /// The hard state: term, vote, commit.
        hard_state: (u64, u64, u64),
        /// The replicated state, as the core encoded it.
        state: State,
    },
    /// A replica is here from now on.
    Added {
        /// Which.
        replica: u64,
        /// The topic's id.
        topic: [u8; 16],
        /// The partition.
        partition: i32,
    },
    /// It is gone.
    Dropped {
        /// Which.
        replica: u64,
    },
    /// Its log begins somewhere else: what lies below is given up.
    LogStart {
        /// Which.
        replica: u64,
        /// There.
        offset: i64,
    },
}

impl Item {
    /// Whose it is.
    pub fn replica(&self) -> u64 {
        match *self {
            Item::Entry { replica, .. }
            | Item::HardState { replica, .. }
            | Item::Reset { replica, .. }
            | Item::Added { replica, .. }
            | Item::Dropped { replica }
            | Item::LogStart { replica, .. } => replica,
        }
    }
}

/// The frame at `at`, if a whole one is there.
pub fn read(image: &Image, at: u64) -> Option<Frame> {
    let head = image.read(at, HEADER).freeze();
    if head.len() < HEADER as usize || &head[..4] != b"RMQj" {
        return None;
    }
    let mut fields = head.slice(8..);
    let (sequence, salt) = (fields.get_u64(), fields.get_u64());
    let (body_bytes, count) = (fields.get_u32(), fields.get_u32());
    let (_previous, crc) = (fields.get_u32(), fields.get_u32());
    if u64::from(body_bytes) + HEADER + at > image.len() {
        return None;
    }
    let whole = image.read(at, HEADER + u64::from(body_bytes));
    let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
    digest.update(&whole[..CHECKED]);
    digest.update(&whole[HEADER as usize..]);
    if digest.finalize() != u64::from(crc) {
        return None;
    }
    let mut body = whole.freeze().slice(HEADER as usize..);
    let items = (0..count).map(|_| item(&mut body)).collect::<Option<Vec<Item>>>()?;
    Some(Frame { sequence, salt, crc, items })
}

/// All whole frames of a disk that would survive a loss of power, by rising sequence, with their places.
pub fn all(disk: &Disk) -> Vec<(File, u64, Frame)> {
    let journals = disk.durable_files().filter(|(file, _)| matches!(file, File::Journal(_)));
    let mut found: Vec<(File, u64, Frame)> = Vec::new();
    for (file, image) in journals {
        // The last block may be there in part: of a frame the first sectors are enough, the rest is blank (seed 31000603).
        let places = (0..image.len().div_ceil(BLOCK)).map(|block| block * BLOCK);
        found.extend(places.filter_map(|at| Some((file, at, read(image, at)?))));
    }
    found.sort_by_key(|(_, _, frame)| frame.sequence);
    found
}

/// Those of [`all`] that are of the chain in force. A journal that came back from before its disk was emptied holds
/// frames of another, with higher sequences (seed 90011220), and so do files from before a chain was begun anew.
pub fn in_force(disk: &Disk) -> Vec<(File, u64, Frame)> {
    let mut found = all(disk);
    if let Some(salt) = salt_in_force(disk) {
        found.retain(|(_, _, frame)| frame.salt == salt);
    }
    found
}

/// The salt of the chain that the newest whole checkpoint names; the layout is from the essay of
/// `core/src/storage/checkpoint/slot.rs`.
fn salt_in_force(disk: &Disk) -> Option<u64> {
    let slots = [File::Checkpoint(false), File::Checkpoint(true)];
    let named = slots.into_iter().filter_map(|slot| chain_of_slot(disk.durable(slot)?));
    named.max_by_key(|(sequence, _)| *sequence).map(|(_, salt)| salt)
}

/// A whole checkpoint's sequence, and its chain's salt.
fn chain_of_slot(image: &Image) -> Option<(u64, u64)> {
    let mut head = image.read(0, SLOT_HEADER).freeze();
    let crc_of_head = checksum(CrcAlgorithm::Crc32Iscsi, head.get(..SLOT_HEADER as usize - 4)?);
    if &head[..4] != b"RMQc" {
        return None;
    }
    head.advance(8);
    let (sequence, body_bytes) = (head.try_get_u64().ok()?, head.try_get_u64().ok()?);
    let (crc_of_body, crc) = (head.try_get_u32().ok()?, head.try_get_u32().ok()?);
    if crc_of_head != u64::from(crc) || body_bytes > image.len() {
        return None;
    }
    let mut body = image.read(SLOT_HEADER, body_bytes).freeze();
    if checksum(CrcAlgorithm::Crc32Iscsi, &body) != u64::from(crc_of_body) {
        return None;
    }
    // file, at, sequence and previous come before it.
    body.try_get_u32().ok()?;
    body.try_get_u64().ok()?;
    body.try_get_u64().ok()?;
    body.try_get_u32().ok()?;
    Some((sequence, body.try_get_u64().ok()?))
}

fn item(body: &mut Bytes) -> Option<Item> {
    let kind = body.try_get_u8().ok()?;
    let replica = body.try_get_u64().ok()?;
    let length = body.try_get_u32().ok()? as usize;
    if length > body.len() {
        return None;
    }
    let mut fields = body.split_to(length);
    Some(match kind {
        1 => {
            let all = hash_bytes(&fields);
            let (index, term) = (fields.try_get_u64().ok()?, fields.try_get_u64().ok()?);
            let entry_kind = fields.try_get_u8().ok()?;
            let wall = fields.try_get_i64().ok()?;
            let said = Said { kind: entry_kind, wall, payload: fields.clone() };
            let batch = (entry_kind == 1 && fields.len() >= 21).then(|| {
                let crc = u32::from_be_bytes([fields[17], fields[18], fields[19], fields[20]]);
                (fields.get_i64(), crc)
            });
            Item::Entry { replica, index, term, hash: all, batch, said }
        }
        2 => {
            let (term, vote, commit) =
                (fields.try_get_u64().ok()?, fields.try_get_u64().ok()?, fields.try_get_u64().ok()?);
            Item::HardState { replica, term, vote, commit }
        }
        3 => {
            let (index, term) = (fields.try_get_u64().ok()?, fields.try_get_u64().ok()?);
            let hard_state =
                (fields.try_get_u64().ok()?, fields.try_get_u64().ok()?, fields.try_get_u64().ok()?);
            let state = state_of(&mut fields)?;
            Item::Reset { replica, index, term, hard_state, state }
        }
        4 => Item::Added {
            replica,
            topic: fields.try_get_u128().ok()?.to_be_bytes(),
            partition: fields.try_get_i32().ok()?,
        },
        5 => Item::Dropped { replica },
        6 => Item::LogStart { replica, offset: fields.try_get_i64().ok()? },
        _ => return None,
    })
}

/// What a reset's fields end with: behind voters, learners, log start, end, generation and segments.
fn state_of(fields: &mut Bytes) -> Option<State> {
    const SEGMENT_BYTES: usize = 48;
    for _ in 0..2 {
        let replicas = fields.try_get_u32().ok()? as usize;
        skip(fields, replicas.checked_mul(8)?)?;
    }
    skip(fields, 8 + 8 + 4)?;
    let segments = fields.try_get_u32().ok()? as usize;
    skip(fields, segments.checked_mul(SEGMENT_BYTES)?)?;
    Some(State(fields.clone()))
}

fn skip(fields: &mut Bytes, count: usize) -> Option<()> {
    (count <= fields.len()).then(|| fields.advance(count))
}

/// A hash of bytes that are to be compared with others.
pub(super) fn hash_bytes(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let start = hash(&[bytes.len() as u64, u64::from_le_bytes(last)]);
    words.iter().fold(start, |state, word| {
        (state.rotate_left(5) ^ u64::from_le_bytes(*word)).wrapping_mul(0x517c_c1b7_2722_0a95)
    })
}

impl fmt::Debug for Said {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "kind {} of {} bytes at {}", self.kind, self.payload.len(), self.wall)
    }
}

impl fmt::Debug for State {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} bytes", self.0.len())
    }
}
