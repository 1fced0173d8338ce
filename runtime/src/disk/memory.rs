//! A disk in memory: the same actions, the same laws, nothing survives the process.
//!
//! It keeps the `Bytes` it is given: a record that a client sent, the journal's and the segment's copy of it
//! are one allocation. Parts below `SHARED_BYTES_MIN` are copied together instead: a part of its own costs
//! more than a small record, in memory and in time, and would keep the client's whole read alive (measured:
//! 930 bytes of memory a record of 100 bytes, against 430). Zeros take nothing, so a journal file of 64 MiB
//! costs nothing until it is used.
//!
//! Invariant: `ledger.used() <= capacity` after each write that was answered `Written`; above it the answer is `Full`.
//! Completions wait here until the core is entered again, never within the turn that caused them (law 2).

use super::sparse::{Ledger, SHARED_BYTES_MIN, SparseFile};
use crate::mailbox::Room;
use bytes::Bytes;
use rust_mq_core::action::Action;
use rust_mq_core::event::{DoneResult, Event, FileWork, Listed};
use rust_mq_core::file::File;
use rust_mq_core::ids::Ticket;
use std::collections::{BTreeMap, VecDeque};

/// Zeros shorter than this are kept as they came: finding out costs more than they do.
const ZEROS_WORTH_FINDING: usize = 256;

/// Small parts are copied together up to this: an overwrite that leaves a rest keeps no more than this alive.
const RUN_BYTES_MAX: usize = 64 << 10;

/// A disk that is memory.
#[derive(Debug)]
pub struct MemoryDisk {
    capacity: u64,
    ledger: Ledger,
    files: BTreeMap<File, SparseFile>,
    failed: BTreeMap<File, String>,
    done: VecDeque<Event>,
    /// The last part found to be all zeros. Held, so that the same memory need not be looked at again.
    zeros: Bytes,
}

impl MemoryDisk {
    /// An empty disk of `capacity` bytes.
    pub fn new(capacity: u64) -> MemoryDisk {
        MemoryDisk {
            capacity,
            ledger: Ledger::default(),
            files: BTreeMap::new(),
            failed: BTreeMap::new(),
            done: VecDeque::new(),
            zeros: Bytes::new(),
        }
    }

    /// Performs a file action at once; its `Done` waits for `take_done`.
    pub fn perform(&mut self, action: Action) {
        let (ticket, result) = match action {
            Action::Write { ticket, file, at, parts } => (ticket, self.write(file, at, parts)),
            Action::Sync { ticket, files } => (ticket, self.sync(&files)),
            Action::Read { ticket, file, at, len } => (ticket, self.read(file, at, len)),
            Action::Truncate { ticket, file, len } => (ticket, self.truncate(file, len)),
            Action::Remove { ticket, file } => (ticket, self.remove(file)),
            Action::List { ticket } => (ticket, self.list()),
            Action::Forget { file } => {
                self.failed.remove(&file);
                return;
            }
            other => unreachable!("not a file action: {other}"),
        };
        self.answer(ticket, result);
    }

    /// Moves what has ended into `into`; says whether there is more than the turn has room for.
    pub fn take_done(&mut self, into: &mut Vec<Event>, room: &mut Room) -> bool {
        room.fill(&mut self.done, into);
        self.has_done()
    }

    /// Whether a completion waits.
    pub fn has_done(&self) -> bool {
        !self.done.is_empty()
    }

    fn answer(&mut self, ticket: Ticket, result: DoneResult) {
        self.done.push_back(Event::Done { ticket, result });
    }

    fn write(&mut self, file: File, at: u64, parts: Vec<Bytes>) -> DoneResult {
        if let Some(result) = self.earlier_failure(file, FileWork::Writing) {
            return result;
        }
        let total: u64 = parts.iter().map(|part| part.len() as u64).sum();
        if at.checked_add(total).is_none_or(|end| end > i64::MAX as u64) {
            return self.fail(file, FileWork::Writing, "write beyond the largest file".into());
        }
        let mut contents = self.files.remove(&file).unwrap_or_default();
        let mut position = at;
        let mut is_full = false;
        for part in join_small(parts) {
            let end = position + part.len() as u64;
            // Room is made first, so that a full disk can still overwrite what it holds.
            contents.write_zeros(position, end, &mut self.ledger);
            if !self.is_zeros(&part) {
                contents.fill(position, part, &mut self.ledger);
                is_full = self.ledger.used() > self.capacity;
                if is_full {
                    contents.write_zeros(position, end, &mut self.ledger);
                    break;
                }
            }
            position = end;
        }
        self.files.insert(file, contents);
        if is_full { DoneResult::Full } else { DoneResult::Written { free_bytes: self.free_bytes() } }
    }

    fn sync(&self, files: &[File]) -> DoneResult {
        files
            .iter()
            .find_map(|file| self.earlier_failure(*file, FileWork::Syncing))
            .unwrap_or(DoneResult::Synced)
    }

    fn read(&self, file: File, at: u64, len: u32) -> DoneResult {
        match self.files.get(&file) {
            Some(contents) => DoneResult::Bytes(contents.read(at, len)),
            None => DoneResult::Failed { at: FileWork::Reading, reason: format!("{file}: no such file") },
        }
    }

    fn truncate(&mut self, file: File, len: u64) -> DoneResult {
        if let Some(result) = self.earlier_failure(file, FileWork::Truncating) {
            return result;
        }
        let Some(contents) = self.files.get_mut(&file) else {
            return self.fail(file, FileWork::Truncating, format!("{file}: no such file"));
        };
        contents.truncate(len, &mut self.ledger);
        DoneResult::Truncated
    }

    fn remove(&mut self, file: File) -> DoneResult {
        if let Some(result) = self.earlier_failure(file, FileWork::Removing) {
            return result;
        }
        if let Some(mut contents) = self.files.remove(&file) {
            contents.truncate(0, &mut self.ledger);
        }
        DoneResult::Removed
    }

    fn list(&self) -> DoneResult {
        let mut files: Vec<Listed> = self
            .files
            .iter()
            .map(|(file, contents)| Listed { path: file.path(), len: contents.len() })
            .collect();
        files.sort_by(|one, other| one.path.cmp(&other.path));
        DoneResult::Listed(files)
    }

    fn free_bytes(&self) -> u64 {
        self.capacity.saturating_sub(self.ledger.used())
    }

    fn earlier_failure(&self, file: File, at: FileWork) -> Option<DoneResult> {
        self.failed.get(&file).map(|reason| DoneResult::Failed { at, reason: reason.clone() })
    }

    fn fail(&mut self, file: File, at: FileWork, reason: String) -> DoneResult {
        self.failed.insert(file, reason.clone());
        DoneResult::Failed { at, reason }
    }

    fn is_zeros(&mut self, part: &Bytes) -> bool {
        if part.len() < ZEROS_WORTH_FINDING {
            return false;
        }
        let known = self.zeros.as_ptr_range();
        let asked = part.as_ptr_range();
        if known.start <= asked.start && asked.end <= known.end {
            return true;
        }
        let is_zeros = all_zero(part);
        if is_zeros && part.len() >= self.zeros.len() {
            self.zeros = part.clone();
        }
        is_zeros
    }
}

/// The same bytes, with small neighbours copied together.
fn join_small(parts: Vec<Bytes>) -> Vec<Bytes> {
    let mut joined = Vec::new();
    let mut parts = parts.into_iter().peekable();
    while let Some(first) = parts.next() {
        let is_small = |part: &Bytes| part.len() < SHARED_BYTES_MIN;
        if !is_small(&first) || !parts.peek().is_some_and(is_small) {
            joined.push(first);
            continue;
        }
        let mut run = Vec::with_capacity(2 * SHARED_BYTES_MIN);
        run.extend_from_slice(&first);
        while let Some(next) = parts.next_if(|part| is_small(part) && run.len() < RUN_BYTES_MAX) {
            run.extend_from_slice(&next);
        }
        run.shrink_to_fit();
        joined.push(Bytes::from(run));
    }
    joined
}

/// Whether all bytes are zero. Ends at the first kilobyte that is not, so real data costs nothing.
pub(super) fn all_zero(bytes: &[u8]) -> bool {
    bytes.chunks(1024).all(|chunk| chunk.iter().fold(0, |seen, byte| seen | byte) == 0)
}
