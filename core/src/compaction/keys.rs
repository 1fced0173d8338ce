//! The newest offset of each key, in bounded memory.
//!
//! A key is known by a hash of 128 bits under a secret of its own, not by its bytes: two keys that share one would count
//! as one, and a record go that should stay. By chance that does not happen (10^8 keys: 1 in 10^22), and who does not
//! know the secret cannot make it happen.
//!
//! The table is in 256 pieces, by the first bits of the hash, each with open addressing and linear probing. A piece that
//! is three quarters full is doubled: so that what one key costs is bounded, and a small log takes little.
//!
//! Invariant: slots of all pieces <= `slots_max`, or as many as one piece has at first; of each, 4 len <= 3 slots.
//!
//! Source: Kafka's `SkimpyOffsetMap`, whose hash (MD5 without a secret) whoever chooses keys can meet.

use crate::ids::Offset;
use std::hash::{DefaultHasher, Hasher};

/// Pieces: one for each value of the hash's first byte.
const PIECES: usize = 256;
/// Slots that a piece begins with.
const SLOTS_AT_FIRST: usize = 8;
/// No record has this offset: the slot is free.
const FREE: i64 = -1;

/// There is no room for another key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// The newest offset of each key that was noted.
pub struct KeyMap {
    secrets: [[u64; 2]; 2],
    pieces: Vec<Piece>,
    slots: usize,
    slots_max: usize,
    len: usize,
}

#[derive(Default)]
struct Piece {
    slots: Vec<Slot>,
    len: usize,
}

#[derive(Clone, Copy)]
struct Slot {
    hash: [u64; 2],
    offset: i64,
}

impl KeyMap {
    /// An empty one that takes at most about `bytes_max`, and room for one key in any case. `secrets` are from a stream
    /// of chance of this node.
    pub fn new(secrets: [[u64; 2]; 2], bytes_max: usize) -> KeyMap {
        let slots_max = (bytes_max / size_of::<Slot>()).max(SLOTS_AT_FIRST);
        let mut pieces = Vec::new();
        pieces.resize_with(PIECES, Piece::default);
        KeyMap { secrets, pieces, slots: 0, slots_max, len: 0 }
    }

    /// `key` has a record at `offset`.
    ///
    /// # Errors
    /// The key is not known yet, and there is no room for it.
    pub fn note(&mut self, key: &[u8], offset: Offset) -> Result<(), Full> {
        let hash = self.hash(key);
        let piece = &mut self.pieces[piece_of(hash)];
        if let Some(slot) = piece.find(hash) {
            slot.offset = slot.offset.max(offset.0);
            return Ok(());
        }
        let before = piece.slots.len();
        if 4 * (piece.len + 1) > 3 * before {
            let after = (2 * before).max(SLOTS_AT_FIRST);
            if self.slots + after - before > self.slots_max {
                return Err(Full);
            }
            self.slots += after - before;
            piece.grow(after);
        }
        piece.put(Slot { hash, offset: offset.0 });
        piece.len += 1;
        self.len += 1;
        Ok(())
    }

    /// The newest offset that was noted for `key`.
    pub fn newest(&self, key: &[u8]) -> Option<Offset> {
        if self.len == 0 {
            return None;
        }
        let hash = self.hash(key);
        let piece = &self.pieces[piece_of(hash)];
        piece
            .probe(hash)
            .map(|at| piece.slots[at])
            .find(|slot| slot.hash == hash)
            .map(|slot| Offset(slot.offset))
    }

    /// Forgets all keys, and gives their memory back.
    pub fn clear(&mut self) {
        self.pieces.iter_mut().for_each(|piece| *piece = Piece::default());
        (self.slots, self.len) = (0, 0);
    }

    /// How many keys are known.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What it takes, in bytes.
    pub fn bytes(&self) -> usize {
        self.slots * size_of::<Slot>() + self.pieces.len() * size_of::<Piece>()
    }

    /// SipHash, whose state the secret has filled before the first byte of the key comes.
    fn hash(&self, key: &[u8]) -> [u64; 2] {
        self.secrets.map(|secret| {
            let mut hasher = DefaultHasher::new();
            secret.iter().for_each(|word| hasher.write_u64(*word));
            hasher.write(key);
            hasher.finish()
        })
    }
}

impl std::fmt::Debug for KeyMap {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("KeyMap").field("len", &self.len).field("slots", &self.slots).finish_non_exhaustive()
    }
}

impl Piece {
    /// Places of taken slots, from where `hash` belongs up to the first free one.
    fn probe(&self, hash: [u64; 2]) -> impl Iterator<Item = usize> + '_ {
        let len = self.slots.len();
        let first = if len == 0 { 0 } else { hash[1] as usize % len };
        (0..len).map(move |step| (first + step) % len).take_while(|at| self.slots[*at].offset != FREE)
    }

    fn find(&mut self, hash: [u64; 2]) -> Option<&mut Slot> {
        let at = self.probe(hash).find(|at| self.slots[*at].hash == hash)?;
        self.slots.get_mut(at)
    }

    /// Puts a slot into the first free place. There is one.
    fn put(&mut self, slot: Slot) {
        let len = self.slots.len();
        let first = slot.hash[1] as usize % len;
        let free = (0..len).map(|step| (first + step) % len).find(|at| self.slots[*at].offset == FREE);
        self.slots[free.expect("a quarter is free at least")] = slot;
    }

    fn grow(&mut self, len: usize) {
        let free = Slot { hash: [0; 2], offset: FREE };
        let before = std::mem::replace(&mut self.slots, vec![free; len]);
        before.into_iter().filter(|slot| slot.offset != FREE).for_each(|slot| self.put(slot));
    }
}

fn piece_of(hash: [u64; 2]) -> usize {
    (hash[0] >> 56) as usize
}
