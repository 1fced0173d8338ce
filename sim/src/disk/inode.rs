//! One file of a simulated disk: what its readers see, what would survive a loss of power, and what lies
//! between the two.
//!
//! Pristine bytes (`cached`, `durable`) and the fault overlay (`rot`) are apart, so that a check can ask what
//! the disk *was told*, and a reader gets what the disk *says*.
//!
//! Invariant: without unsynced changes and lost pages, `durable` equals `cached`.

use super::image::{Image, sectors};
use crate::dice::Dice;
use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;

/// A file.
#[derive(Clone, Debug, Default)]
pub struct Inode {
    cached: Image,
    durable: Image,
    changes: Vec<Change>,
    /// Whether the directory entry is durable.
    named: bool,
    /// Flipped bits of durable sectors, by byte.
    rot: BTreeMap<u64, u8>,
}

/// A change that is performed and not synced. `order` counts all changes of the disk.
#[derive(Clone, Debug)]
enum Change {
    Write { order: u64, at: u64, parts: Vec<Bytes> },
    Resize { len: u64 },
}

/// How a crash treats what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Only the process died: the page cache lives on.
    Nothing,
    /// The power failed: each unsynced sector is kept, in so many of a million cases, or lost or torn.
    Sectors {
        /// Of a million.
        kept_ppm: u64,
    },
}

/// What a crash did to one file.
#[derive(Clone, Copy, Debug, Default)]
pub struct Toll {
    /// The newest change of which something was kept.
    pub kept_newest: Option<u64>,
    /// The oldest change of which something was lost.
    pub lost_oldest: Option<u64>,
    /// A sector that is neither first nor last of its write was torn or lost.
    pub tore_middle: bool,
    /// The file's name is gone.
    pub lost_name: bool,
}

impl Inode {
    /// What readers see: length.
    pub fn len(&self) -> u64 {
        self.cached.len()
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.cached.is_empty()
    }

    /// What readers see: bytes, rot included.
    pub fn read(&self, at: u64, len: u64) -> BytesMut {
        let mut bytes = self.cached.read(at, len);
        let end = at + bytes.len() as u64;
        for (place, mask) in self.rot.range(at..end) {
            bytes[(place - at) as usize] ^= mask;
        }
        bytes
    }

    /// What readers would see, rot excluded.
    pub fn written(&self) -> &Image {
        &self.cached
    }

    /// What would survive a loss of power for certain, rot excluded.
    pub fn durable(&self) -> &Image {
        &self.durable
    }

    /// Performs a write. How many rotten bytes it wrote over.
    pub fn write(&mut self, order: u64, at: u64, parts: Vec<Bytes>) -> usize {
        let mut end = at;
        for part in &parts {
            self.cached.write(end, part);
            end += part.len() as u64;
        }
        let rotten = self.rot.len();
        if rotten > 0 {
            self.rot.retain(|place, _| !(at..end).contains(place));
        }
        self.changes.push(Change::Write { order, at, parts });
        rotten - self.rot.len()
    }

    /// Performs a truncation.
    pub fn resize(&mut self, len: u64) {
        self.cached.resize(len);
        self.rot.split_off(&len);
        self.changes.push(Change::Resize { len });
    }

    /// Performs a sync, and names the ranges that became durable by it.
    pub fn sync(&mut self) -> Vec<(u64, u64)> {
        let changes = std::mem::take(&mut self.changes);
        let mut ranges = Vec::with_capacity(changes.len());
        let is_plain = changes.iter().all(|change| matches!(change, Change::Write { .. }));
        for change in &changes {
            if let Change::Write { at, parts, .. } = change {
                let len = parts.iter().map(|part| part.len() as u64).sum();
                if is_plain {
                    self.durable.share(&self.cached, *at, len);
                }
                ranges.push((*at, len));
            }
        }
        if !is_plain {
            self.durable = self.cached.clone();
        }
        self.named = true;
        ranges
    }

    /// A sync that fails: the pages are marked clean although the disk never got them.
    pub fn drop_dirty(&mut self) {
        self.changes.clear();
    }

    /// Flips bits of one durable byte. False if there is none.
    pub fn flip(&mut self, at: u64, mask: u8) -> bool {
        let is_there = at < self.durable.len() && mask != 0;
        if is_there {
            *self.rot.entry(at).or_default() ^= mask;
        }
        is_there
    }

    /// Takes all flipped bits back.
    pub fn heal(&mut self) {
        self.rot.clear();
    }

    /// The node dies. The file is what comes back, or gone (`Toll::lost_name`).
    pub fn crash(&mut self, loss: Loss, dice: &mut Dice) -> Toll {
        let Loss::Sectors { kept_ppm } = loss else {
            return Toll::default();
        };
        let mut toll = Toll { lost_name: !self.named && !dice.chance(kept_ppm), ..Toll::default() };
        let mut image = self.durable.clone();
        for change in std::mem::take(&mut self.changes) {
            match change {
                Change::Write { order, at, parts } => {
                    write_some(&mut image, order, &sectors(at, &parts), kept_ppm, dice, &mut toll);
                }
                Change::Resize { len } if dice.chance(kept_ppm) => image.resize(len),
                Change::Resize { .. } => {}
            }
        }
        // The length is kept apart from the data: it may have grown over sectors that were lost.
        if dice.chance(kept_ppm) {
            image.grow(self.cached.len());
        }
        self.rot.split_off(&image.len());
        self.cached = image.clone();
        self.durable = image;
        self.named = true;
        toll
    }
}

fn write_some(
    image: &mut Image,
    order: u64,
    pieces: &[(u64, Bytes)],
    kept_ppm: u64,
    dice: &mut Dice,
    toll: &mut Toll,
) {
    for (number, (at, piece)) in pieces.iter().enumerate() {
        if dice.chance(kept_ppm) {
            image.write(*at, piece);
            toll.kept_newest = toll.kept_newest.max(Some(order));
            continue;
        }
        let is_middle = number > 0 && number + 1 < pieces.len();
        toll.tore_middle |= is_middle;
        toll.lost_oldest = Some(toll.lost_oldest.map_or(order, |oldest| oldest.min(order)));
        // One lost sector in four is torn: its first bytes are new, the others old.
        if dice.below(4) == 0 {
            image.write(*at, &piece[..dice.index(piece.len() + 1)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dice::Root;

    fn bytes(len: usize, value: u8) -> Vec<Bytes> {
        vec![Bytes::from(vec![value; len])]
    }

    #[test]
    fn synced_bytes_survive_every_crash() {
        for seed in 0..200 {
            let mut dice = Root(seed).stream("crash", &[]);
            let mut inode = Inode::default();
            inode.write(1, 0, bytes(5000, 1));
            inode.sync();
            inode.write(2, 5000, bytes(3000, 2));
            let toll = inode.crash(Loss::Sectors { kept_ppm: 500_000 }, &mut dice);
            assert!(!toll.lost_name, "a synced name was lost");
            assert_eq!(inode.read(0, 5000)[..], [1; 5000]);
            assert!(inode.read(5000, 3000).iter().all(|byte| [0, 2].contains(byte)));
        }
    }

    #[test]
    fn a_failed_sync_loses_what_readers_still_see() {
        let mut inode = Inode::default();
        inode.sync();
        inode.write(1, 0, bytes(100, 7));
        inode.drop_dirty();
        inode.sync();
        assert_eq!(inode.read(0, 100)[..], [7; 100]);
        assert_eq!(inode.durable().len(), 0);
    }

    #[test]
    fn rot_is_an_overlay() {
        let mut inode = Inode::default();
        inode.write(1, 0, bytes(100, 7));
        assert!(!inode.flip(3, 1), "only durable bytes rot");
        inode.sync();
        assert!(inode.flip(3, 1));
        assert_eq!(inode.read(2, 3)[..], [7, 6, 7]);
        assert_eq!(inode.durable().read(2, 3)[..], [7, 7, 7]);
        inode.heal();
        assert_eq!(inode.read(2, 3)[..], [7, 7, 7]);
    }
}
