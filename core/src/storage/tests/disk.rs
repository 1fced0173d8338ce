//! A disk for tests, by the driver's laws, that can crash: of what was queued some of each file is done, in
//! order; unsynced writes are then kept sector by sector as a coin falls; names never synced are lost or not.

use crate::action::{Action, HaltReason};
use crate::event::{DoneResult, FileWork, Listed};
use crate::file::File;
use crate::ids::Ticket;
use crate::rng::Rng;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

const SECTOR: usize = 512;

#[derive(Clone, Debug)]
enum Change {
    Write(usize, Vec<u8>),
    Cut(usize),
}

#[derive(Clone, Debug)]
enum Queued {
    Act(Action),
    /// A sync of several files, which waits until it is first on each.
    Join(Ticket),
}

#[derive(Clone, Debug, Default)]
pub struct Disk {
    /// What a power loss leaves.
    pub durable: BTreeMap<File, Vec<u8>>,
    /// What a reader sees.
    pub cache: BTreeMap<File, Vec<u8>>,
    changes: BTreeMap<File, Vec<Change>>,
    queues: BTreeMap<File, VecDeque<Queued>>,
    joins: BTreeMap<Ticket, Vec<File>>,
    others: VecDeque<Action>,
    broken: BTreeSet<File>,
    /// Files of others, which a listing shows.
    pub strangers: Vec<(String, u64)>,
    /// Bytes all files may take together.
    pub limit: Option<u64>,
    pub fails_syncs: bool,
    /// Whether nothing is removed or cut for now, nor anything done that is queued behind that.
    pub removes_nothing: bool,
    pub halted: Option<HaltReason>,
    pub notes: Vec<String>,
    /// Everything that was asked for, a line each.
    pub log: Vec<String>,
}

impl Disk {
    /// Takes actions in.
    pub fn queue(&mut self, actions: &mut Vec<Action>) {
        for action in actions.drain(..) {
            self.log.push(action.to_string());
            match action {
                Action::Write { file, .. } | Action::Truncate { file, .. } | Action::Remove { file, .. } => {
                    self.queues.entry(file).or_default().push_back(Queued::Act(action));
                }
                Action::Sync { ticket, files } => {
                    for file in &files {
                        self.queues.entry(*file).or_default().push_back(Queued::Join(ticket));
                    }
                    self.joins.insert(ticket, files);
                }
                Action::Read { .. } | Action::List { .. } => self.others.push_back(action),
                Action::Forget { file } => {
                    self.broken.remove(&file);
                }
                Action::Halt(reason) => self.halted = Some(reason),
                Action::Note(notice) => self.notes.push(format!("{notice:?}")),
                other => panic!("not for a disk: {other}"),
            }
        }
    }

    pub fn used(&self) -> u64 {
        self.cache.values().map(|bytes| bytes.len() as u64).sum()
    }

    /// Does one thing that may be done now.
    pub fn step(&mut self, rng: &mut Rng) -> Option<(Ticket, DoneResult)> {
        let runnable: Vec<File> = self
            .queues
            .iter()
            .filter(|(_, queue)| match queue.front() {
                Some(Queued::Act(Action::Remove { .. } | Action::Truncate { .. })) => !self.removes_nothing,
                Some(Queued::Act(_)) => true,
                Some(Queued::Join(ticket)) => self.joins[ticket].iter().all(
                    |file| matches!(self.queues[file].front(), Some(Queued::Join(first)) if first == ticket),
                ),
                None => false,
            })
            .map(|(file, _)| *file)
            .collect();
        let count = runnable.len() as u64 + self.others.len() as u64;
        if count == 0 {
            return None;
        }
        let chosen = rng.below(count) as usize;
        match runnable.get(chosen) {
            None => self.others.remove(chosen - runnable.len()).map(|action| self.look(action)),
            Some(file) => match self.queues.get_mut(file)?.front()?.clone() {
                Queued::Act(action) => {
                    self.queues.get_mut(file)?.pop_front();
                    Some(self.change(*file, action))
                }
                Queued::Join(ticket) => Some(self.sync(ticket)),
            },
        }
    }

    /// Power is lost. What is still queued is done in part, unanswered.
    pub fn crash(&mut self, rng: &mut Rng) {
        let queued: usize = self.queues.values().map(VecDeque::len).sum();
        for _ in 0..rng.below(queued as u64 + 1) {
            self.step(rng);
        }
        let names: BTreeSet<File> = self.durable.keys().chain(self.changes.keys()).copied().collect();
        for file in names {
            let mut image = self.durable.get(&file).cloned();
            if image.is_none() && rng.below(2) == 0 {
                continue;
            }
            let bytes = image.get_or_insert_default();
            let keeps_all = rng.below(4) == 0;
            for change in self.changes.remove(&file).unwrap_or_default() {
                match change {
                    Change::Cut(len) if keeps_all || rng.below(2) == 0 => bytes.truncate(len),
                    Change::Cut(_) => {}
                    Change::Write(at, new) => {
                        for (number, sector) in new.chunks(SECTOR).enumerate() {
                            if keeps_all || rng.below(3) > 0 {
                                put(bytes, at + number * SECTOR, sector);
                            }
                        }
                    }
                }
            }
            self.durable.extend(image.map(|bytes| (file, bytes)));
        }
        self.restart();
    }

    /// The process is killed, the machine is not: what was written stays, synced or not.
    pub fn kill(&mut self, rng: &mut Rng) {
        let queued: usize = self.queues.values().map(VecDeque::len).sum();
        for _ in 0..rng.below(queued as u64 + 1) {
            self.step(rng);
        }
        let (changes, cache) = (std::mem::take(&mut self.changes), std::mem::take(&mut self.cache));
        self.restart();
        (self.changes, self.cache) = (changes, cache);
    }

    fn restart(&mut self) {
        let keep = Disk {
            durable: std::mem::take(&mut self.durable),
            strangers: std::mem::take(&mut self.strangers),
            limit: self.limit,
            ..Disk::default()
        };
        *self = keep;
        self.cache = self.durable.clone();
    }

    fn change(&mut self, file: File, action: Action) -> (Ticket, DoneResult) {
        if self.broken.contains(&file) {
            let (ticket, at) = match action {
                Action::Write { ticket, .. } => (ticket, FileWork::Writing),
                Action::Truncate { ticket, .. } => (ticket, FileWork::Truncating),
                Action::Remove { ticket, .. } => (ticket, FileWork::Removing),
                other => panic!("not a change: {other}"),
            };
            return (ticket, DoneResult::Failed { at, reason: "queued behind a failure".into() });
        }
        match action {
            Action::Write { ticket, at, parts, .. } => {
                let new = parts.concat();
                let at = at as usize;
                let len = self.cache.get(&file).map_or(0, Vec::len);
                let grows = (at + new.len()).saturating_sub(len) as u64;
                if self.limit.is_some_and(|limit| grows > 0 && self.used() + grows > limit) {
                    self.broken.insert(file);
                    // Half of it may have come to lie there.
                    let half = new[..new.len() / 2].to_vec();
                    let fits = at + half.len() <= len;
                    if fits {
                        put(self.cache.entry(file).or_default(), at, &half);
                        self.changes.entry(file).or_default().push(Change::Write(at, half));
                    }
                    return (ticket, DoneResult::Full);
                }
                put(self.cache.entry(file).or_default(), at, &new);
                self.changes.entry(file).or_default().push(Change::Write(at, new));
                let free_bytes = self.limit.map_or(1 << 40, |limit| limit.saturating_sub(self.used()));
                (ticket, DoneResult::Written { free_bytes })
            }
            Action::Truncate { ticket, len, .. } => {
                self.cache.entry(file).or_default().truncate(len as usize);
                self.changes.entry(file).or_default().push(Change::Cut(len as usize));
                (ticket, DoneResult::Truncated)
            }
            Action::Remove { ticket, .. } => {
                self.cache.remove(&file);
                self.durable.remove(&file);
                self.changes.remove(&file);
                (ticket, DoneResult::Removed)
            }
            other => panic!("not a change: {other}"),
        }
    }

    fn sync(&mut self, ticket: Ticket) -> (Ticket, DoneResult) {
        let files = self.joins.remove(&ticket).expect("a sync is joined once");
        for file in &files {
            self.queues.get_mut(file).expect("it waited there").pop_front();
        }
        if self.fails_syncs || files.iter().any(|file| self.broken.contains(file)) {
            let reason = format!("{}: no sync", files.first().expect("a sync is of a file"));
            // The system takes what it could not write for clean all the same.
            files.iter().for_each(|file| drop(self.changes.remove(file)));
            return (ticket, DoneResult::Failed { at: FileWork::Syncing, reason });
        }
        for file in files {
            let image = self.durable.entry(file).or_default();
            for change in self.changes.remove(&file).unwrap_or_default() {
                match change {
                    Change::Write(at, new) => put(image, at, &new),
                    Change::Cut(len) => image.truncate(len),
                }
            }
        }
        (ticket, DoneResult::Synced)
    }

    fn look(&mut self, action: Action) -> (Ticket, DoneResult) {
        match action {
            Action::List { ticket } => {
                let ours = self.cache.iter().map(|(file, bytes)| (file.path(), bytes.len() as u64));
                let mut listed: Vec<Listed> = ours
                    .chain(self.strangers.iter().cloned())
                    .map(|(path, len)| Listed { path, len })
                    .collect();
                listed.sort_by(|one, other| one.path.cmp(&other.path));
                (ticket, DoneResult::Listed(listed))
            }
            Action::Read { ticket, file, at, len } => match self.cache.get(&file) {
                None => {
                    let reason = format!("{file}: not found");
                    (ticket, DoneResult::Failed { at: FileWork::Reading, reason })
                }
                Some(bytes) => {
                    let from = bytes.len().min(at as usize);
                    let to = bytes.len().min(from + len as usize);
                    (ticket, DoneResult::Bytes(Bytes::copy_from_slice(&bytes[from..to])))
                }
            },
            other => panic!("not a look: {other}"),
        }
    }
}

fn put(bytes: &mut Vec<u8>, at: usize, new: &[u8]) {
    if bytes.len() < at + new.len() {
        bytes.resize(at + new.len(), 0);
    }
    bytes[at..at + new.len()].copy_from_slice(new);
}
