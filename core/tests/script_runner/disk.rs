//! A node's disk in memory: what is in the cache, and what a power failure leaves. It does at once whatever it
//! is asked, unless it is stalled; it is never wrong.
//!
//! Invariant: after a crash a file is what it was at its last sync, and is there only if it ever had one.

use bytes::Bytes;
use rust_mq_core::action::Action;
use rust_mq_core::event::{DoneResult, Event, FileWork, Listed};
use rust_mq_core::file::File;
use rust_mq_core::ids::Ticket;
use std::collections::{BTreeMap, VecDeque};

/// Space on a disk that is not full.
const FREE_BYTES: u64 = 1 << 40;

/// A disk.
pub struct Disk {
    files: BTreeMap<File, Stored>,
    free_bytes: u64,
    /// What is asked of a stalled disk.
    waiting: VecDeque<Action>,
    /// How many more syncs it does; `None` is no end.
    syncs_left: Option<u32>,
    /// Reads wait, and nothing else.
    holds_reads: bool,
    /// Syncs fail: nobody knows what is durable.
    is_failing: bool,
    /// What was durable when that was last to be remembered.
    copied: BTreeMap<File, Vec<u8>>,
}

#[derive(Default)]
struct Stored {
    cached: Vec<u8>,
    durable: Option<Vec<u8>>,
    unsynced: Vec<Change>,
}

enum Change {
    Write(u64, Vec<Bytes>),
    Truncate(u64),
}

impl Default for Disk {
    fn default() -> Disk {
        Disk {
            files: BTreeMap::new(),
            free_bytes: FREE_BYTES,
            waiting: VecDeque::new(),
            syncs_left: None,
            holds_reads: false,
            is_failing: false,
            copied: BTreeMap::new(),
        }
    }
}

impl Disk {
    /// Does what is asked; the answers come with the next turn.
    pub fn perform(&mut self, action: Action, answers: &mut Vec<Event>) {
        let is_held = self.holds_reads && matches!(action, Action::Read { .. });
        if is_held || self.syncs_left == Some(0) {
            return self.waiting.push_back(action);
        }
        let (ticket, result) = match action {
            Action::Write { ticket, file, at, parts } => (ticket, self.write(file, at, parts)),
            Action::Sync { ticket, files } => (ticket, self.sync(&files)),
            Action::Read { ticket, file, at, len } => (ticket, self.read(file, at, len)),
            Action::Truncate { ticket, file, len } => (ticket, self.truncate(file, len)),
            Action::Remove { ticket, file } => (ticket, self.remove(file)),
            Action::List { ticket } => (ticket, self.list()),
            _ => return,
        };
        answers.push(done(ticket, result));
    }

    /// After that many more syncs nothing is done any more.
    pub fn stall(&mut self, after_syncs: u32) {
        self.syncs_left = Some(after_syncs);
    }

    /// No read is done any more.
    pub fn stall_reads(&mut self) {
        self.holds_reads = true;
    }

    /// Does what has waited, and goes on.
    pub fn resume(&mut self, answers: &mut Vec<Event>) {
        (self.syncs_left, self.holds_reads) = (None, false);
        for action in std::mem::take(&mut self.waiting) {
            self.perform(action, answers);
        }
    }

    /// How many reads a stalled disk was asked for.
    pub fn waiting_reads(&self) -> usize {
        self.waiting.iter().filter(|action| matches!(action, Action::Read { .. })).count()
    }

    /// The next syncs fail, until the power has failed too.
    pub fn fail(&mut self) {
        self.is_failing = true;
    }

    /// A bit of a byte changes by itself, on the disk and for every reader.
    pub fn flip(&mut self, file: File, at: usize) {
        let stored = self.files.get_mut(&file).expect("only a file that is there rots");
        let copies = [Some(&mut stored.cached), stored.durable.as_mut()].into_iter().flatten();
        copies.filter_map(|bytes| bytes.get_mut(at)).for_each(|byte| *byte ^= 1);
    }

    /// A file is gone by itself.
    pub fn lose(&mut self, file: File) {
        self.files.remove(&file);
    }

    /// Remembers what is durable.
    pub fn copy(&mut self) {
        let durable = self.files.iter().filter_map(|(file, stored)| Some((*file, stored.durable.clone()?)));
        self.copied = durable.collect();
    }

    /// Holds what was remembered, and nothing else.
    pub fn roll_back(&mut self) {
        let stored =
            |bytes: Vec<u8>| Stored { cached: bytes.clone(), durable: Some(bytes), unsynced: Vec::new() };
        self.files = self.copied.iter().map(|(file, bytes)| (*file, stored(bytes.clone()))).collect();
    }

    /// No file can grow from now on, or all can.
    pub fn fill(&mut self, is_full: bool) {
        self.free_bytes = if is_full { 0 } else { FREE_BYTES };
    }

    /// The power fails: what is not synced is gone.
    pub fn crash(&mut self) {
        self.killed();
        self.is_failing = false;
        self.files.retain(|_, stored| {
            stored.unsynced.clear();
            stored.cached = stored.durable.clone().unwrap_or_default();
            stored.durable.is_some()
        });
    }

    /// The process is killed: the system still has what it was given.
    pub fn killed(&mut self) {
        self.waiting.clear();
        (self.syncs_left, self.holds_reads) = (None, false);
    }

    /// All files with what is in the cache.
    pub fn files(&self) -> impl Iterator<Item = (File, &[u8])> {
        self.files.iter().map(|(file, stored)| (*file, &stored.cached[..]))
    }

    fn write(&mut self, file: File, at: u64, parts: Vec<Bytes>) -> DoneResult {
        let stored = self.files.entry(file).or_default();
        let end = at + parts.iter().map(|part| part.len() as u64).sum::<u64>();
        let grows = end.saturating_sub(stored.cached.len() as u64);
        if grows > self.free_bytes {
            return DoneResult::Full;
        }
        self.free_bytes -= grows;
        put(&mut stored.cached, at, &parts);
        stored.unsynced.push(Change::Write(at, parts));
        DoneResult::Written { free_bytes: self.free_bytes }
    }

    fn sync(&mut self, files: &[File]) -> DoneResult {
        self.syncs_left = self.syncs_left.map(|left| left - 1);
        if self.is_failing {
            return DoneResult::Failed { at: FileWork::Syncing, reason: "input/output error".into() };
        }
        for file in files {
            let Some(stored) = self.files.get_mut(file) else { continue };
            let durable = stored.durable.get_or_insert_default();
            for change in stored.unsynced.drain(..) {
                match change {
                    Change::Write(at, parts) => put(durable, at, &parts),
                    Change::Truncate(len) => durable.resize(place(len), 0),
                }
            }
        }
        DoneResult::Synced
    }

    fn read(&self, file: File, at: u64, len: u32) -> DoneResult {
        let Some(stored) = self.files.get(&file) else {
            return DoneResult::Failed { at: FileWork::Reading, reason: "no such file".into() };
        };
        let end = stored.cached.len();
        let from = place(at).min(end);
        let to = (from + place(u64::from(len))).min(end);
        DoneResult::Bytes(Bytes::copy_from_slice(&stored.cached[from..to]))
    }

    fn truncate(&mut self, file: File, len: u64) -> DoneResult {
        let Some(stored) = self.files.get_mut(&file) else {
            return DoneResult::Failed { at: FileWork::Truncating, reason: "no such file".into() };
        };
        stored.cached.resize(place(len), 0);
        stored.unsynced.push(Change::Truncate(len));
        DoneResult::Truncated
    }

    fn remove(&mut self, file: File) -> DoneResult {
        self.files.remove(&file);
        DoneResult::Removed
    }

    fn list(&self) -> DoneResult {
        let listed =
            |(file, stored): (&File, &Stored)| Listed { path: file.path(), len: stored.cached.len() as u64 };
        let mut files: Vec<Listed> = self.files.iter().map(listed).collect();
        files.sort_by(|one, other| one.path.cmp(&other.path));
        DoneResult::Listed(files)
    }
}

fn done(ticket: Ticket, result: DoneResult) -> Event {
    Event::Done { ticket, result }
}

fn place(at: u64) -> usize {
    usize::try_from(at).expect("a story's files are small")
}

fn put(into: &mut Vec<u8>, at: u64, parts: &[Bytes]) {
    let mut at = place(at);
    for part in parts {
        if into.len() < at + part.len() {
            into.resize(at + part.len(), 0);
        }
        into[at..at + part.len()].copy_from_slice(part);
        at += part.len();
    }
}
