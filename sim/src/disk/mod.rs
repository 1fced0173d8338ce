//! A node's disk: the driver's file laws over pages in memory, with faults.
//!
//! `issue` takes a file action; the disk starts it when it is first in the queue of each of its files and tells
//! how long it will take (`started`); whoever keeps time calls `finish` then, and gets the completion. A crash
//! keeps any subset of what was outstanding that respects the order within each file.
//!
//! Laws kept (`ARCHITECTURE.md`, the laws of the door): 1. per file in order, across files in any; 2. one completion
//! a ticket, never within `issue`; 3. after a failure on a file everything queued on it fails, undone, until
//! `Forget`; 4. `Sync` covers the writes issued before it on its files, and their names. (`Full` is an answer, no
//! failure.)
//!
//! Not here: when things fail (`plan`), and whether the node may survive it (`claims`).

pub mod decay;
pub mod image;
pub mod inode;

use crate::clock::SECOND;
use crate::dice::{Dice, Key};
use crate::trouble::{Astray, FileKind};
use bytes::Bytes;
use decay::Tampered;
use image::Image;
use inode::{Inode, Loss, Toll};
use rust_mq_core::action::Action;
use rust_mq_core::event::{DoneResult, FileWork, Listed};
use rust_mq_core::file::File;
use rust_mq_core::ids::Ticket;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A disk with its queue of work. A clone is what the disk would be if things went on otherwise from here.
#[derive(Clone, Debug)]
pub struct Disk {
    files: BTreeMap<File, Inode>,
    queues: BTreeMap<File, VecDeque<u64>>,
    works: BTreeMap<u64, Work>,
    failed: BTreeSet<File>,
    started: Vec<Started>,
    synced: Vec<Synced>,
    works_made: u64,
    /// Rotten bytes that were written over since somebody asked.
    written_over: usize,
    /// What somebody did to its files.
    tampered: Tampered,
    /// What faults did since somebody asked.
    effects: Vec<&'static str>,
    capacity: u64,
    armed: Armed,
    pace: Pace,
    key: Key,
}

/// What a read takes at most that is stuck and not only slow.
const READ_MAX_NS: u64 = 30 * SECOND;

/// A work that began; call `finish(work)` after `takes_ns`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Started {
    /// Which.
    pub work: u64,
    /// How long it takes.
    pub takes_ns: u64,
}

/// A range that a sync made durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Synced {
    /// In which file.
    pub file: File,
    /// From.
    pub at: u64,
    /// How far.
    pub len: u64,
}

/// How fast the disk is.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Mean time of a write or a read, besides its bytes.
    pub touch_ns: u64,
    /// Mean time of a sync.
    pub sync_ns: u64,
    /// Time of a byte, in picoseconds.
    pub byte_ps: u64,
    /// How many times longer a read takes than a write.
    pub read_factor: u64,
}

/// Failures that wait for the next work of their kind.
#[derive(Clone, Copy, Debug, Default)]
pub struct Armed {
    /// Writes that shall fail.
    pub writes: u32,
    /// Syncs that shall fail, and drop their dirty pages.
    pub syncs: u32,
    /// Reads that shall fail.
    pub reads: u32,
    /// A write to a file of that kind that shall go astray.
    pub astray: Option<(FileKind, Astray)>,
}

/// What a crash did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Damage {
    /// A later write on one file lives on, an earlier one on another is lost.
    pub is_reordered: bool,
    /// A sector in the middle of a write was lost or torn.
    pub tore_middle: bool,
    /// A file's name was lost.
    pub lost_name: bool,
    /// Work that was outstanding and not done.
    pub undone: usize,
}

#[derive(Clone, Debug)]
struct Work {
    ticket: Option<Ticket>,
    files: Vec<File>,
    job: Job,
}

#[derive(Clone, Debug)]
enum Job {
    Write { at: u64, parts: Vec<Bytes> },
    Sync,
    Truncate { len: u64 },
    Remove,
    Forget,
    Read { file: File, at: u64, len: u32 },
    List,
}

impl Disk {
    /// An empty disk.
    pub fn new(capacity: u64, pace: Pace, key: Key) -> Disk {
        Disk {
            files: BTreeMap::new(),
            queues: BTreeMap::new(),
            works: BTreeMap::new(),
            failed: BTreeSet::new(),
            started: Vec::new(),
            synced: Vec::new(),
            works_made: 0,
            written_over: 0,
            tampered: Tampered::default(),
            effects: Vec::new(),
            capacity,
            armed: Armed::default(),
            pace,
            key,
        }
    }

    /// Takes a file action in. Any other action is a bug of the caller.
    pub fn issue(&mut self, action: Action) {
        let (ticket, files, job) = match action {
            Action::Write { ticket, file, at, parts } => (Some(ticket), vec![file], Job::Write { at, parts }),
            Action::Sync { ticket, mut files } => {
                files.sort_unstable();
                files.dedup();
                (Some(ticket), files, Job::Sync)
            }
            Action::Truncate { ticket, file, len } => (Some(ticket), vec![file], Job::Truncate { len }),
            Action::Remove { ticket, file } => (Some(ticket), vec![file], Job::Remove),
            Action::Forget { file } => (None, vec![file], Job::Forget),
            Action::Read { ticket, file, at, len } => (Some(ticket), vec![], Job::Read { file, at, len }),
            Action::List { ticket } => (Some(ticket), vec![], Job::List),
            other => panic!("{other} is no work for a disk"),
        };
        self.works_made += 1;
        let number = self.works_made;
        for file in &files {
            self.queues.entry(*file).or_default().push_back(number);
        }
        self.works.insert(number, Work { ticket, files, job });
        self.start_if_first(number);
    }

    /// Works that began since the last call.
    pub fn take_started(&mut self) -> Vec<Started> {
        std::mem::take(&mut self.started)
    }

    /// Ranges that became durable since the last call.
    pub fn take_synced(&mut self) -> Vec<Synced> {
        std::mem::take(&mut self.synced)
    }

    /// How many rotten bytes were written over since the last call.
    pub fn take_written_over(&mut self) -> usize {
        std::mem::take(&mut self.written_over)
    }

    /// Performs a work that began. `None` if a crash undid it, or if nobody waits for it.
    pub fn finish(&mut self, number: u64) -> Option<(Ticket, DoneResult)> {
        let Work { ticket, files, job } = self.works.remove(&number)?;
        let result = self.perform(number, &files, job);
        self.leave_queues(number, &files);
        ticket.map(|ticket| (ticket, result))
    }

    /// Failures to come.
    pub fn armed_mut(&mut self) -> &mut Armed {
        &mut self.armed
    }

    /// Sets how fast it is from now on.
    pub fn set_pace(&mut self, pace: Pace) {
        self.pace = pace;
    }

    /// How fast it is.
    pub fn pace(&self) -> Pace {
        self.pace
    }

    /// Sets how many bytes it holds from now on.
    pub fn set_capacity(&mut self, capacity: u64) {
        self.capacity = capacity;
    }

    /// Bytes taken by files.
    pub fn used(&self) -> u64 {
        self.files.values().map(Inode::len).sum()
    }

    /// Works that are not finished.
    pub fn outstanding(&self) -> usize {
        self.works.len()
    }

    /// Whether a write of that file and length was asked for, and is not performed yet.
    pub fn is_writing(&self, is_meant: impl Fn(File, u64) -> bool) -> bool {
        self.works.values().any(|work| match &work.job {
            Job::Write { parts, .. } => {
                is_meant(work.files[0], parts.iter().map(|part| part.len() as u64).sum())
            }
            _ => false,
        })
    }

    /// Whether a sync is under way.
    pub fn is_syncing(&self) -> bool {
        let is_sync = |work: &Work| matches!(work.job, Job::Sync);
        self.works.iter().any(|(number, work)| is_sync(work) && self.is_first(*number))
    }

    /// The files there are, with what would survive a loss of power.
    pub fn durable_files(&self) -> impl Iterator<Item = (File, &Image)> + '_ {
        self.files.iter().map(|(file, inode)| (*file, inode.durable()))
    }

    /// The names of the files there are.
    pub fn names(&self) -> impl Iterator<Item = File> + '_ {
        self.files.keys().copied()
    }

    /// What a file was told, synced or not, rot excluded.
    pub fn written(&self, file: File) -> Option<&Image> {
        self.files.get(&file).map(Inode::written)
    }

    /// What of a file would survive a loss of power, rot excluded.
    pub fn durable(&self, file: File) -> Option<&Image> {
        self.files.get(&file).map(Inode::durable)
    }

    /// Ends all faults: what failed before may be used again, flipped bits are back, and what it was at while it
    /// stalled goes on at the pace it has now.
    pub fn heal(&mut self) {
        self.armed = Armed::default();
        self.files.values_mut().for_each(Inode::heal);
        self.go_on();
    }

    /// What it is at goes on at the pace it has now.
    pub fn go_on(&mut self) {
        let under_way: Vec<u64> = self.works.keys().copied().filter(|work| self.is_first(*work)).collect();
        let again = under_way.into_iter().map(|work| Started { work, takes_ns: self.time_of(work) });
        self.started = again.collect();
    }

    /// The node dies: any subset of what is outstanding is done, then what was not synced is lost or kept.
    pub fn crash(&mut self, loss: Loss, dice: &mut Dice) -> Damage {
        self.finish_some(dice);
        let undone = self.works.len();
        self.forget_work();
        let mut damage = Damage { undone, ..Damage::default() };
        let tolls: Vec<(File, Toll)> =
            self.files.iter_mut().map(|(file, inode)| (*file, inode.crash(loss, dice))).collect();
        for (file, toll) in &tolls {
            if toll.lost_name {
                self.files.remove(file);
            }
            damage.lost_name |= toll.lost_name;
            damage.tore_middle |= toll.tore_middle;
            damage.is_reordered |= toll.lost_oldest.is_some_and(|lost| {
                tolls.iter().any(|(other, toll)| other != file && toll.kept_newest > Some(lost))
            });
        }
        damage
    }

    /// Performs outstanding work file by file in order, each time with an even chance to stop there.
    fn finish_some(&mut self, dice: &mut Dice) {
        let mut frozen = BTreeSet::new();
        loop {
            let ready: Vec<u64> = self
                .works
                .keys()
                .copied()
                .filter(|work| self.is_first(*work) && !frozen.contains(work))
                .collect();
            if ready.is_empty() {
                return;
            }
            for work in ready {
                if dice.coin() {
                    self.finish(work);
                } else {
                    frozen.insert(work);
                }
            }
        }
    }

    fn forget_work(&mut self) {
        self.queues.clear();
        self.works.clear();
        self.failed.clear();
        self.started.clear();
        self.synced.clear();
    }

    fn is_first(&self, work: u64) -> bool {
        let files = &self.works[&work].files;
        files.iter().all(|file| self.queues[file].front() == Some(&work))
    }

    fn start_if_first(&mut self, work: u64) {
        if !self.is_first(work) {
            return;
        }
        if matches!(self.works[&work].job, Job::Forget) {
            self.finish(work);
            return;
        }
        let takes_ns = self.time_of(work);
        self.started.push(Started { work, takes_ns });
    }

    fn time_of(&self, work: u64) -> u64 {
        let mut dice = self.key.throw(work);
        let transfer = |bytes: u64| bytes * self.pace.byte_ps / 1000;
        let touch = self.pace.touch_ns / 2;
        match &self.works[&work].job {
            Job::Write { parts, .. } => {
                touch
                    + dice.exponential(touch)
                    + transfer(parts.iter().map(|part| part.len() as u64).sum::<u64>())
            }
            Job::Read { len, .. } => {
                let once = touch + dice.exponential(touch) + transfer(u64::from(*len));
                once.saturating_mul(self.pace.read_factor).min(READ_MAX_NS.max(once))
            }
            Job::Sync => self.pace.sync_ns / 2 + dice.exponential(self.pace.sync_ns / 2),
            Job::Truncate { .. } | Job::Remove | Job::List | Job::Forget => touch + dice.exponential(touch),
        }
    }

    fn leave_queues(&mut self, work: u64, files: &[File]) {
        let mut heads = BTreeSet::new();
        for file in files {
            let Some(queue) = self.queues.get_mut(file) else { continue };
            let left = queue.pop_front();
            assert_eq!(left, Some(work), "work on a file is finished in order");
            match queue.front() {
                Some(head) => drop(heads.insert(*head)),
                None => drop(self.queues.remove(file)),
            }
        }
        heads.into_iter().for_each(|head| self.start_if_first(head));
    }

    fn perform(&mut self, number: u64, files: &[File], job: Job) -> DoneResult {
        if files.iter().any(|file| self.failed.contains(file)) && !matches!(job, Job::Forget) {
            return failed(work_of(&job), "an earlier failure on the file");
        }
        match job {
            Job::Write { at, parts } => self.write(number, files[0], at, parts),
            Job::Sync => self.sync(files),
            Job::Truncate { len } => {
                let Some(inode) = self.files.get_mut(&files[0]) else {
                    self.failed.insert(files[0]);
                    return failed(FileWork::Truncating, "no such file");
                };
                inode.resize(len);
                DoneResult::Truncated
            }
            Job::Remove => {
                self.files.remove(&files[0]);
                DoneResult::Removed
            }
            Job::Forget => {
                self.failed.remove(&files[0]);
                DoneResult::Removed
            }
            Job::Read { file, at, len } => self.read(file, at, len),
            Job::List => self.list(),
        }
    }

    fn write(&mut self, number: u64, file: File, at: u64, mut parts: Vec<Bytes>) -> DoneResult {
        if self.armed.writes > 0 {
            self.armed.writes -= 1;
            self.effects.push("disk.failed_a_write");
            self.failed.insert(file);
            return failed(FileWork::Writing, "EIO while writing");
        }
        let len: u64 = parts.iter().map(|part| part.len() as u64).sum();
        let has = self.files.get(&file).map_or(0, Inode::len);
        let used_after = self.used() + (at + len).saturating_sub(has);
        let is_full = used_after > self.capacity;
        if is_full {
            // What fits below the limit is written: nothing is to be believed about that range.
            parts.truncate(1);
            if let Some(part) = parts.first_mut() {
                part.truncate(part.len() / 2);
            }
        }
        if !is_full || at < has {
            let before = self.reads_before(file, at, len);
            let inode = self.files.entry(file).or_default();
            self.written_over += inode.write(number, at, parts);
            if let Some((how, before)) = before {
                self.effects.push(decay::go_astray(inode, at, len, how, &before));
            }
        }
        if is_full {
            return DoneResult::Full;
        }
        DoneResult::Written { free_bytes: self.capacity - used_after }
    }

    fn sync(&mut self, files: &[File]) -> DoneResult {
        if self.armed.syncs > 0 {
            self.armed.syncs -= 1;
            self.effects.push("disk.failed_a_sync");
            for file in files {
                self.failed.insert(*file);
                if let Some(inode) = self.files.get_mut(file) {
                    inode.drop_dirty();
                }
            }
            return failed(FileWork::Syncing, "EIO while syncing; its dirty pages are dropped");
        }
        for file in files {
            if let Some(inode) = self.files.get_mut(file) {
                let ranges = inode.sync();
                self.synced.extend(ranges.into_iter().map(|(at, len)| Synced { file: *file, at, len }));
            }
        }
        DoneResult::Synced
    }

    fn list(&self) -> DoneResult {
        let mut files: Vec<Listed> =
            self.files.iter().map(|(file, inode)| Listed { path: file.path(), len: inode.len() }).collect();
        // The door wants them by path, which is not the order of `File`.
        files.sort_unstable_by(|one, other| one.path.cmp(&other.path));
        DoneResult::Listed(files)
    }

    fn read(&mut self, file: File, at: u64, len: u32) -> DoneResult {
        if self.armed.reads > 0 {
            self.armed.reads -= 1;
            self.effects.push("disk.failed_a_read");
            return failed(FileWork::Reading, "EIO while reading");
        }
        match self.files.get(&file) {
            Some(inode) => DoneResult::Bytes(inode.read(at, u64::from(len)).freeze()),
            None => failed(FileWork::Reading, "no such file"),
        }
    }
}

fn work_of(job: &Job) -> FileWork {
    match job {
        Job::Write { .. } | Job::Forget => FileWork::Writing,
        Job::Sync => FileWork::Syncing,
        Job::Truncate { .. } => FileWork::Truncating,
        Job::Remove => FileWork::Removing,
        Job::Read { .. } => FileWork::Reading,
        Job::List => FileWork::Listing,
    }
}

fn failed(at: FileWork, reason: &str) -> DoneResult {
    DoneResult::Failed { at, reason: reason.to_owned() }
}
