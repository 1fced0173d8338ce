//! One file of the memory disk: the `Bytes` it was given, by offset, with holes that read as zeros.
//!
//! Invariants: parts do not overlap and none is empty; each ends at or below `len`; the ledger's `used` is
//! `PART_OVERHEAD_BYTES` for each part of all files, and the length of each distinct one.

use crate::limits::PART_OVERHEAD_BYTES;
use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;

/// Parts at least this long are looked up in the ledger; shorter ones are charged each time.
pub(super) const SHARED_BYTES_MIN: usize = 1 << 10;

/// What all files of a disk take. A batch lies in the journal and in its segment as the same memory, and is
/// charged once.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    used: u64,
    /// How often the memory of that address and length is a part. It cannot be reused while it is.
    shared: BTreeMap<(usize, usize), u32>,
}

impl Ledger {
    /// What is charged.
    pub(super) fn used(&self) -> u64 {
        self.used
    }

    fn add(&mut self, part: &Bytes) {
        self.used += PART_OVERHEAD_BYTES;
        let count = match part.len() {
            len if len < SHARED_BYTES_MIN => 0,
            len => {
                let count = self.shared.entry((part.as_ptr() as usize, len)).or_default();
                *count += 1;
                *count - 1
            }
        };
        self.used += if count == 0 { part.len() as u64 } else { 0 };
    }

    fn remove(&mut self, part: &Bytes) {
        self.used -= PART_OVERHEAD_BYTES;
        let key = (part.as_ptr() as usize, part.len());
        if let Some(count) = self.shared.get_mut(&key) {
            *count -= 1;
            if *count > 0 {
                return;
            }
            self.shared.remove(&key);
        }
        self.used -= part.len() as u64;
    }
}

/// A file in memory.
#[derive(Debug, Default)]
pub(super) struct SparseFile {
    len: u64,
    parts: BTreeMap<u64, Bytes>,
}

impl SparseFile {
    /// Length in bytes.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Puts `part` where `write_zeros` has just made room.
    pub(super) fn fill(&mut self, at: u64, part: Bytes, ledger: &mut Ledger) {
        assert!(at + part.len() as u64 <= self.len, "a part lies within the zeros made for it");
        self.insert(at, part, ledger);
    }

    /// Makes `at..end` zeros, which take no memory; what was there is let go.
    pub(super) fn write_zeros(&mut self, at: u64, end: u64, ledger: &mut Ledger) {
        self.clear(at, end, ledger);
        self.len = self.len.max(end);
    }

    /// Cuts the file, or extends it with zeros.
    pub(super) fn truncate(&mut self, len: u64, ledger: &mut Ledger) {
        self.clear(len, u64::MAX, ledger);
        self.len = len;
    }

    /// At most `len` bytes from `at` on: the very `Bytes` that were written where one part covers them.
    pub(super) fn read(&self, at: u64, len: u32) -> Bytes {
        let end = at.saturating_add(u64::from(len)).min(self.len);
        if at >= end {
            return Bytes::new();
        }
        let before = self.parts.range(..=at).next_back();
        if let Some((&begin, part)) = before
            && end <= begin + part.len() as u64
        {
            return part.slice((at - begin) as usize..(end - begin) as usize);
        }
        let mut copy = BytesMut::zeroed((end - at) as usize);
        let first = before.map_or(at, |(&begin, _)| begin);
        for (&begin, part) in self.parts.range(first..end) {
            let (from, to) = (begin.max(at), (begin + part.len() as u64).min(end));
            if from < to {
                copy[(from - at) as usize..(to - at) as usize]
                    .copy_from_slice(&part[(from - begin) as usize..(to - begin) as usize]);
            }
        }
        copy.freeze()
    }

    fn clear(&mut self, start: u64, end: u64, ledger: &mut Ledger) {
        let reaching = self.parts.range(..start).next_back();
        if let Some((&begin, part)) = reaching
            && begin + part.len() as u64 > start
        {
            let part = self.remove(begin, ledger);
            self.insert(begin, remnant(&part, 0, start - begin), ledger);
            if begin + part.len() as u64 > end {
                self.insert(end, remnant(&part, end - begin, part.len() as u64), ledger);
            }
        }
        while let Some((&begin, _)) = self.parts.range(start..end).next() {
            let part = self.remove(begin, ledger);
            if begin + part.len() as u64 > end {
                self.insert(end, remnant(&part, end - begin, part.len() as u64), ledger);
            }
        }
    }

    fn insert(&mut self, at: u64, part: Bytes, ledger: &mut Ledger) {
        if !part.is_empty() {
            ledger.add(&part);
            self.parts.insert(at, part);
        }
    }

    fn remove(&mut self, at: u64, ledger: &mut Ledger) -> Bytes {
        let part = self.parts.remove(&at).expect("the caller has just found it");
        ledger.remove(&part);
        part
    }
}

/// What an overwrite left of a part. A small rest is copied, because a slice would keep all of it alive.
fn remnant(part: &Bytes, from: u64, to: u64) -> Bytes {
    let slice = part.slice(from as usize..to as usize);
    if slice.len() < part.len() / 4 { Bytes::copy_from_slice(&slice) } else { slice }
}
