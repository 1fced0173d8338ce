//! The journal's files: a ring of fixed names that are zeroed ahead and written over again, because
//! overwriting costs a twentieth of growing a file (measured on ext4: fdatasync of a
//! grown file also writes its metadata).
//!
//! ```text
//! live files, oldest first               head            free: zeroed ahead, or from an earlier lap
//! [0002 frames 7..90][0000 frames 91..240][0003 frames 241.. | ]      [0001 ready][0004 zeroing...]
//! ```
//! The order of the files is that of the sequences of their first frames; numbers say nothing. A frame lies
//! within one file. The first file of a directory starts small, so that an idle node stays small.
//!
//! Invariants: a file is overwritten only when every frame in it is older than the newest durable checkpoint
//! needs. Zeros are written only to free files. At most one step of zeroing is under way.

use super::frame::Chain;
use crate::config::StorageConfig;
use crate::limits::{JOURNAL_FREE_FILES_MAX, JOURNAL_ZERO_STEP_BYTES};
use bytes::Bytes;
use std::collections::BTreeMap;

/// A file of the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct JournalFile {
    /// Bytes it has on the disk.
    bytes: u64,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Holds nothing needed.
    Free,
    /// Holds frames up to this sequence.
    Live { last: u64 },
    /// Is being removed.
    Removing,
}

/// What zeroing asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Zeroing {
    /// Zeros, at a place.
    Write { file: u32, at: u64, zeros: Bytes },
    /// The zeros shall last.
    Sync { file: u32 },
}

/// The files.
#[derive(Debug)]
pub struct Ring {
    files: BTreeMap<u32, JournalFile>,
    head: u32,
    head_at: u64,
    head_limit: u64,
    file_bytes: u64,
    zeroing: Option<u32>,
    zeros: Bytes,
}

impl Ring {
    /// The ring around `chain`. `files` are lengths, `live` the last sequence in each file that holds
    /// frames which are still needed.
    pub fn new(
        config: &StorageConfig,
        chain: &Chain,
        files: &BTreeMap<u32, u64>,
        live: &BTreeMap<u32, u64>,
    ) -> Ring {
        let state = |number: &u32| live.get(number).map_or(State::Free, |last| State::Live { last: *last });
        let mut files: BTreeMap<u32, JournalFile> = files
            .iter()
            .map(|(number, bytes)| (*number, JournalFile { bytes: *bytes, state: state(number) }))
            .collect();
        let head = files.entry(chain.file).or_insert(JournalFile { bytes: 0, state: State::Free });
        head.state = State::Live { last: chain.sequence.saturating_sub(1) };
        let is_first = chain.file == 0 && head.bytes <= config.first_journal_file_bytes;
        let head_limit = if is_first { config.first_journal_file_bytes } else { config.journal_file_bytes };
        Ring {
            files,
            head: chain.file,
            head_at: chain.at,
            head_limit,
            file_bytes: config.journal_file_bytes,
            zeroing: None,
            zeros: Bytes::from(vec![0; JOURNAL_ZERO_STEP_BYTES as usize]),
        }
    }

    /// Takes the place for a frame of `bytes`, the one with this sequence.
    pub fn take(&mut self, bytes: u64, sequence: u64) -> (u32, u64) {
        if self.head_at + bytes > self.head_limit {
            self.turn(bytes);
        }
        let at = self.head_at;
        self.head_at += bytes;
        let head = self.files.get_mut(&self.head).expect("the head is one of the files");
        head.state = State::Live { last: sequence };
        head.bytes = head.bytes.max(self.head_at);
        (self.head, at)
    }

    /// Where the frame after the last one may begin.
    pub fn head(&self) -> (u32, u64) {
        (self.head, self.head_at)
    }

    /// The next step of zeroing, if one is called for: there shall be a whole free file before it is needed.
    pub fn zero(&mut self) -> Option<Zeroing> {
        let is_early = self.head_at < self.head_limit / 4;
        if self.zeroing.is_some() || is_early || self.has_spare() {
            return None;
        }
        let file = self.free_file().unwrap_or_else(|| self.add());
        self.zeroing = Some(file);
        let at = self.files[&file].bytes;
        let len = JOURNAL_ZERO_STEP_BYTES.min(self.file_bytes - at);
        let zeros = self.zeros.slice(..len as usize);
        Some(Zeroing::Write { file, at, zeros })
    }

    /// Something small and harmless to write, to learn whether the disk has space again.
    pub fn probe(&mut self) -> Option<Zeroing> {
        if self.zeroing.is_some() {
            return None;
        }
        let file = self.free_file().unwrap_or_else(|| self.add());
        self.zeroing = Some(file);
        let at = self.files[&file].bytes.min(self.file_bytes - super::frame::BLOCK_BYTES);
        Some(Zeroing::Write { file, at, zeros: self.zeros.slice(..super::frame::BLOCK_BYTES as usize) })
    }

    /// Zeros were written to `file` up to `end`: they are synced at once, since a sync of a whole file of
    /// them would hold up the frames behind it.
    pub fn zeroed(&mut self, file: u32, end: u64) -> Zeroing {
        if let Some(state) = self.files.get_mut(&file) {
            state.bytes = state.bytes.max(end);
        }
        Zeroing::Sync { file }
    }

    /// The step is over: its zeros are synced, or there was no space for them.
    pub fn step_ended(&mut self) {
        self.zeroing = None;
    }

    /// Frees the files whose frames are all older than `needed`. Gives the superfluous ones, to be removed.
    /// `named`, where the checkpoint says that its chain begins, stays: its being there is what tells a
    /// journal that ended from one that was lost.
    pub fn recycle(&mut self, needed: u64, named: u32) -> Vec<u32> {
        for (number, file) in &mut self.files {
            let is_kept = *number == self.head || *number == named;
            if matches!(file.state, State::Live { last } if last < needed && !is_kept) {
                file.state = State::Free;
            }
        }
        let free = self
            .files
            .iter()
            .filter(|(number, file)| file.state == State::Free && self.zeroing != Some(**number));
        let superfluous: Vec<u32> = free.map(|(number, _)| *number).skip(JOURNAL_FREE_FILES_MAX).collect();
        for number in &superfluous {
            self.files.entry(*number).and_modify(|file| file.state = State::Removing);
        }
        superfluous
    }

    /// A superfluous file is gone.
    pub fn removed(&mut self, number: u32) {
        self.files.remove(&number);
    }

    fn has_spare(&self) -> bool {
        self.files.values().any(|file| file.state == State::Free && file.bytes >= self.file_bytes)
    }

    /// Moves the head to the free file that is furthest zeroed, or to a new one. Not to one that is being
    /// zeroed: should those zeros meet a full disk, the frame queued behind them would fail with them.
    fn turn(&mut self, bytes: u64) {
        let furthest = self
            .files
            .iter()
            .filter(|(number, file)| file.state == State::Free && self.zeroing != Some(**number))
            .max_by_key(|(number, file)| (file.bytes.min(self.file_bytes), std::cmp::Reverse(**number)))
            .map(|(number, _)| *number);
        let file = furthest.unwrap_or_else(|| self.add());
        (self.head, self.head_at, self.head_limit) = (file, 0, self.file_bytes.max(bytes));
    }

    fn free_file(&self) -> Option<u32> {
        let not_whole = |file: &JournalFile| file.state == State::Free && file.bytes < self.file_bytes;
        let partial = self.files.iter().find(|(_, file)| not_whole(file));
        partial
            .or_else(|| self.files.iter().find(|(_, file)| file.state == State::Free))
            .map(|(number, _)| *number)
    }

    fn add(&mut self) -> u32 {
        let number = (0..).find(|number| !self.files.contains_key(number)).expect("files are few");
        self.files.insert(number, JournalFile { bytes: 0, state: State::Free });
        number
    }
}
