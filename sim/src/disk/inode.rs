//! One file of a simulated disk: what its readers see, what would survive a loss of power, and what lies
//! between the two.
//!
//! Pristine bytes (`cached`, `durable`) and the fault overlay (`rot`) are apart, so that a check can ask what
//! the disk *was told*, and a reader gets what the disk *says*. A write that went astray is an overlay too: what
//! stands there instead. The overlay has two levels as the bytes have: writing over rot hides it from readers, and
//! only a sync takes it off the disk.
//!
//! Invariant: without unsynced changes and lost pages, `durable` equals `cached`, and `durable_rot` equals `rot`.

use super::image::{Image, sectors};
use crate::dice::Dice;
use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;
use std::ops::Range;

/// A file.
#[derive(Clone, Debug, Default)]
pub struct Inode {
    cached: Image,
    durable: Image,
    changes: Vec<Change>,
    /// Whether the directory entry is durable.
    named: bool,
    /// Flipped bits that readers see, by byte.
    rot: BTreeMap<u64, u8>,
    /// Those that a loss of power brings back.
    durable_rot: BTreeMap<u64, u8>,
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
        drop(self.rot.split_off(&len));
        self.changes.push(Change::Resize { len });
    }

    /// What readers get at `at..at + bytes.len()` from now on is `bytes`, whatever was written there.
    pub fn overlay(&mut self, at: u64, bytes: &[u8]) {
        let told = self.cached.read(at, bytes.len() as u64);
        for (place, (is, told)) in (at..).zip(bytes.iter().zip(told.iter())) {
            if is == told {
                self.rot.remove(&place);
            } else {
                self.rot.insert(place, is ^ told);
            }
        }
    }

    /// Whether readers get something else than what was written.
    pub fn is_rotten(&self) -> bool {
        !self.rot.is_empty() || !self.durable_rot.is_empty()
    }

    /// What readers get is what was written, from now on.
    pub fn bake(&mut self) {
        for (place, mask) in std::mem::take(&mut self.durable_rot) {
            let byte = self.durable.read(place, 1);
            if let Some(byte) = byte.first() {
                self.durable.write(place, &[byte ^ mask]);
            }
        }
        self.rot.clear();
        self.changes.clear();
        self.cached = self.durable.clone();
    }

    /// What is durable ends early.
    pub fn cut_off(&mut self, len: u64) {
        self.changes.clear();
        self.durable.resize(len);
        self.cached = self.durable.clone();
        drop(self.durable_rot.split_off(&len));
        self.rot.clone_from(&self.durable_rot);
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
        if self.durable_rot != self.rot {
            self.durable_rot.clone_from(&self.rot);
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
            *self.durable_rot.entry(at).or_default() ^= mask;
        }
        is_there
    }

    /// Takes all flipped bits back.
    pub fn heal(&mut self) {
        self.rot.clear();
        self.durable_rot.clear();
    }

    /// Nothing is there but what is durable. False if that is not even the name.
    pub fn revert(&mut self) -> bool {
        self.changes.clear();
        self.cached = self.durable.clone();
        self.rot.clone_from(&self.durable_rot);
        self.named
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
                    let kept = write_some(&mut image, order, &sectors(at, &parts), kept_ppm, dice, &mut toll);
                    if !self.durable_rot.is_empty() {
                        self.durable_rot.retain(|place, _| !kept.iter().any(|range| range.contains(place)));
                    }
                }
                Change::Resize { len } if dice.chance(kept_ppm) => image.resize(len),
                Change::Resize { .. } => {}
            }
        }
        // The length is kept apart from the data: it may have grown over sectors that were lost.
        if dice.chance(kept_ppm) {
            image.grow(self.cached.len());
        }
        drop(self.durable_rot.split_off(&image.len()));
        self.rot.clone_from(&self.durable_rot);
        self.cached = image.clone();
        self.durable = image;
        self.named = true;
        toll
    }
}

/// Returns what was kept whole.
fn write_some(
    image: &mut Image,
    order: u64,
    pieces: &[(u64, Bytes)],
    kept_ppm: u64,
    dice: &mut Dice,
    toll: &mut Toll,
) -> Vec<Range<u64>> {
    let mut kept = Vec::new();
    for (number, (at, piece)) in pieces.iter().enumerate() {
        if dice.chance(kept_ppm) {
            image.write(*at, piece);
            kept.push(*at..*at + piece.len() as u64);
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
    kept
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

    #[test]
    fn rot_that_was_written_over_comes_back_unless_that_was_synced() {
        let mut dice = Root(1).stream("crash", &[]);
        let mut inode = Inode::default();
        inode.write(1, 0, bytes(100, 7));
        inode.sync();
        inode.flip(3, 1);
        assert_eq!(inode.write(2, 0, bytes(100, 7)), 1);
        assert_eq!(inode.read(3, 1)[..], [7]);
        let mut unlucky = inode.clone();
        unlucky.crash(Loss::Sectors { kept_ppm: 0 }, &mut dice);
        assert_eq!(unlucky.read(3, 1)[..], [6]);
        inode.sync();
        inode.crash(Loss::Sectors { kept_ppm: 0 }, &mut dice);
        assert_eq!(inode.read(3, 1)[..], [7]);
    }

    #[test]
    fn a_write_that_went_astray_is_told_and_not_read() {
        let mut inode = Inode::default();
        inode.write(1, 0, bytes(10, 7));
        inode.sync();
        inode.write(2, 0, bytes(10, 8));
        inode.overlay(4, &[7; 6]);
        inode.sync();
        assert_eq!(inode.read(3, 3)[..], [8, 7, 7]);
        assert_eq!(inode.durable().read(3, 3)[..], [8, 8, 8]);
        inode.bake();
        assert_eq!(inode.durable().read(3, 3)[..], [8, 7, 7]);
        assert!(!inode.is_rotten());
    }
}
