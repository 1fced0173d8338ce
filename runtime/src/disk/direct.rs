//! Large writes that go around the page cache, from a lane's own aligned memory to the device.
//!
//! ```text
//!            at                                              at + len
//! parts      |....|........ | ....... [blocks] ..... | .......|...|
//!            by the cache   copied, then written directly     by the cache
//! ```
//! A frame and a segment are written once and rarely read soon after: the newest batches are kept in memory for
//! consumers. The page cache would take and clear memory for each of them, keep a block's head for each 4 KiB,
//! and push out what others have there (measured: twice the processor time of a segment's write, five times it
//! where the memory is new to a virtual machine). What is read back later enters the cache then.
//!
//! Both ways on one file agree: the kernel drops what it has of a block that is written directly. A file system
//! that refuses direct writes is written through the cache.
//!
//! Invariant: a direct write's place, length and memory are multiples of `BLOCK_BYTES`.

use crate::limits::DIRECT_MEMORY_BYTES;
use bytes::Bytes;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// What direct writes are aligned to: a multiple of every usual device's block.
const BLOCK_BYTES: usize = 4 << 10;

/// One lane's memory for direct writes, taken with the first of them.
#[derive(Debug, Default)]
pub(super) struct Direct {
    memory: Vec<u8>,
}

/// What of a write is left.
struct Rest<'a> {
    parts: &'a [Bytes],
    /// Bytes of the first part that are done.
    done: usize,
}

impl Direct {
    /// Writes `parts` at `at`: whole blocks to `direct`, what is left at both ends to `cached`.
    pub(super) fn write(
        &mut self,
        cached: &File,
        direct: &File,
        mut at: u64,
        parts: &[Bytes],
    ) -> io::Result<()> {
        let mut left: usize = parts.iter().map(Bytes::len).sum();
        let mut rest = Rest { parts, done: 0 };
        let memory = self.aligned();
        while left > 0 {
            let is_aligned = at.is_multiple_of(BLOCK_BYTES as u64);
            let to_next = BLOCK_BYTES - (at % BLOCK_BYTES as u64) as usize;
            let (file, len) = match (is_aligned, left / BLOCK_BYTES * BLOCK_BYTES) {
                (true, blocks) if blocks > 0 => (direct, blocks.min(memory.len())),
                _ => (cached, to_next.min(left)),
            };
            rest.copy_to(&mut memory[..len]);
            file.write_all_at(&memory[..len], at)?;
            at += len as u64;
            left -= len;
        }
        Ok(())
    }

    fn aligned(&mut self) -> &mut [u8] {
        if self.memory.is_empty() {
            self.memory = vec![0; DIRECT_MEMORY_BYTES + BLOCK_BYTES];
        }
        let start = self.memory.as_ptr().align_offset(BLOCK_BYTES);
        &mut self.memory[start..start + DIRECT_MEMORY_BYTES]
    }
}

impl Rest<'_> {
    fn copy_to(&mut self, mut into: &mut [u8]) {
        while let Some(part) = self.parts.first()
            && !into.is_empty()
        {
            let count = into.len().min(part.len() - self.done);
            let (here, later) = into.split_at_mut(count);
            here.copy_from_slice(&part[self.done..self.done + count]);
            into = later;
            self.done += count;
            if self.done == part.len() {
                (self.parts, self.done) = (&self.parts[1..], 0);
            }
        }
    }
}
