//! One file of the memory disk: the `Bytes` it was given, by offset, with holes that read as zeros.
//!
//! Invariants: parts do not overlap and none is empty; each ends at or below `len`;
//! `charge == sum of (part length + PART_OVERHEAD_BYTES)`.

use crate::limits::PART_OVERHEAD_BYTES;
use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;

/// A file in memory.
#[derive(Debug, Default)]
pub(super) struct SparseFile {
    len: u64,
    charge: u64,
    parts: BTreeMap<u64, Bytes>,
}

impl SparseFile {
    /// Length in bytes.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// What it takes of the disk.
    pub(super) fn charge(&self) -> u64 {
        self.charge
    }

    /// Puts `part` where `write_zeros` has just made room.
    pub(super) fn fill(&mut self, at: u64, part: Bytes) {
        assert!(at + part.len() as u64 <= self.len, "a part lies within the zeros made for it");
        self.insert(at, part);
    }

    /// Makes `at..end` zeros, which take no memory; what was there is let go.
    pub(super) fn write_zeros(&mut self, at: u64, end: u64) {
        self.clear(at, end);
        self.len = self.len.max(end);
    }

    /// Cuts the file, or extends it with zeros.
    pub(super) fn truncate(&mut self, len: u64) {
        self.clear(len, u64::MAX);
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

    fn clear(&mut self, start: u64, end: u64) {
        let reaching = self.parts.range(..start).next_back();
        if let Some((&begin, part)) = reaching
            && begin + part.len() as u64 > start
        {
            let part = self.remove(begin);
            self.insert(begin, remnant(&part, 0, start - begin));
            if begin + part.len() as u64 > end {
                self.insert(end, remnant(&part, end - begin, part.len() as u64));
            }
        }
        while let Some((&begin, _)) = self.parts.range(start..end).next() {
            let part = self.remove(begin);
            if begin + part.len() as u64 > end {
                self.insert(end, remnant(&part, end - begin, part.len() as u64));
            }
        }
    }

    fn insert(&mut self, at: u64, part: Bytes) {
        if !part.is_empty() {
            self.charge += part.len() as u64 + PART_OVERHEAD_BYTES;
            self.parts.insert(at, part);
        }
    }

    fn remove(&mut self, at: u64) -> Bytes {
        let part = self.parts.remove(&at).expect("the caller has just found it");
        self.charge -= part.len() as u64 + PART_OVERHEAD_BYTES;
        part
    }
}

/// What an overwrite left of a part. A small rest is copied, because a slice would keep all of it alive.
fn remnant(part: &Bytes, from: u64, to: u64) -> Bytes {
    let slice = part.slice(from as usize..to as usize);
    if slice.len() < part.len() / 4 { Bytes::copy_from_slice(&slice) } else { slice }
}
