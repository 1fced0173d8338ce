//! A disk that is a directory: hands the core's file actions to the lanes' threads and brings their answers.
//!
//! | lane | carries |
//! | --- | --- |
//! | journal | frames and node.meta: small, synced at once, latency matters |
//! | bulk | segments, indexes, checkpoints, and the zeroing of journal files: throughput matters |
//! | readers | reads and listings, `READ_THREADS` of them |
//!
//! A journal file that is being zeroed stays on the bulk lane until nothing of it is outstanding there, so
//! its order holds (law 1) and no commit waits behind 64 MiB of zeros (law 9).
//!
//! One message per lane and turn. The channels have no bound of their own: the core's is one frame in flight
//! and what it lets its segments be behind.

use super::directory::{DirectoryError, lock};
use super::lane::{run_reader, run_writer};
use super::memory::all_zero;
use super::open_files::OpenFiles;
use crate::limits::READ_THREADS;
use crate::mailbox::{Mailbox, Room, Wake};
use bytes::Bytes;
use rust_mq_core::action::Action;
use rust_mq_core::event::{DoneResult, Event};
use rust_mq_core::file::{File, Lane};
use rust_mq_core::ids::Ticket;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// A write of zeros at least this long goes by the bulk lane.
const ZEROING_BYTES: usize = 64 << 10;

/// A disk that is a directory, with its threads.
#[derive(Debug)]
pub struct RealDisk {
    journal: WriteLane,
    bulk: WriteLane,
    readers: Option<Sender<Action>>,
    done: Arc<Mailbox>,
    /// Journal files with tickets outstanding on the bulk lane.
    zeroing: Vec<(Ticket, File)>,
    /// A `Sync` of files of both lanes: the answer of the lane that ended first.
    halves: BTreeMap<Ticket, Option<DoneResult>>,
    threads: Vec<JoinHandle<()>>,
    /// Held locked as long as the disk lives.
    _lock: std::fs::File,
}

#[derive(Debug)]
struct WriteLane {
    batch: Vec<Action>,
    /// Gone only while the disk is being closed.
    work: Option<Sender<Vec<Action>>>,
}

impl RealDisk {
    /// Makes the directory if it is not there, locks it, and starts the lanes. `wake` is called when answers
    /// are there to take; at most `segments_open` segments and indexes are kept open.
    pub fn open(path: &Path, wake: Wake, segments_open: usize) -> Result<RealDisk, DirectoryError> {
        let lock = lock(path)?;
        let unusable = |error| DirectoryError::Unusable { path: path.to_path_buf(), error };
        let files = Arc::new(OpenFiles::new(path.to_path_buf(), segments_open));
        let done = Arc::new(Mailbox::new(wake));
        let mut threads = Vec::new();
        let mut start = |name: &str, run: Box<dyn FnOnce() + Send>| -> Result<(), DirectoryError> {
            let thread = std::thread::Builder::new().name(name.into()).spawn(run).map_err(unusable)?;
            threads.push(thread);
            Ok(())
        };
        let mut writer = |name: &str| -> Result<WriteLane, DirectoryError> {
            let (work, orders) = channel();
            let (files, done) = (Arc::clone(&files), Arc::clone(&done));
            start(name, Box::new(move || run_writer(&files, &orders, &done)))?;
            Ok(WriteLane { batch: Vec::new(), work: Some(work) })
        };
        let journal = writer("journal")?;
        let bulk = writer("bulk")?;
        let (readers, orders) = channel();
        let orders = Arc::new(Mutex::new(orders));
        for _ in 0..READ_THREADS {
            let (files, orders, done) = (Arc::clone(&files), Arc::clone(&orders), Arc::clone(&done));
            start("reader", Box::new(move || run_reader(&files, &orders, &done)))?;
        }
        Ok(RealDisk {
            journal,
            bulk,
            readers: Some(readers),
            done,
            zeroing: Vec::new(),
            halves: BTreeMap::new(),
            threads,
            _lock: lock,
        })
    }

    /// Queues a file action until `end_turn`.
    pub fn perform(&mut self, action: Action) {
        match action {
            Action::Sync { ticket, files } => self.sync(ticket, files),
            Action::Write { ticket, file, .. }
            | Action::Truncate { ticket, file, .. }
            | Action::Remove { ticket, file } => {
                let lane = match &action {
                    Action::Write { parts, .. } if is_zeroing(parts) => Lane::Bulk,
                    _ => self.lane_of(file),
                };
                if lane == Lane::Bulk && file.lane() == Lane::Journal {
                    self.zeroing.push((ticket, file));
                }
                self.lane(lane).batch.push(action);
            }
            Action::Forget { file } => {
                let lane = self.lane_of(file);
                self.lane(lane).batch.push(action);
            }
            Action::Read { .. } | Action::List { .. } => {
                let readers = self.readers.as_ref().expect("there while the disk lives");
                readers.send(action).expect("the readers end after their channel");
            }
            other => unreachable!("not a file action: {other}"),
        }
    }

    /// Hands each lane what the turn had for it.
    pub fn end_turn(&mut self) {
        for lane in [&mut self.journal, &mut self.bulk] {
            if !lane.batch.is_empty() {
                let work = lane.work.as_ref().expect("there while the disk lives");
                work.send(std::mem::take(&mut lane.batch)).expect("a lane ends after its channel");
            }
        }
    }

    /// Moves what has ended into `into`; says whether there is more than the turn has room for.
    pub fn take_done(&mut self, into: &mut Vec<Event>, room: &mut Room) -> bool {
        let first_new = into.len();
        let has_more = self.done.take(into, room);
        if self.zeroing.is_empty() && self.halves.is_empty() {
            return has_more;
        }
        let answers = into.split_off(first_new);
        into.extend(answers.into_iter().filter_map(|event| self.settle(event)));
        has_more
    }

    /// Files of both lanes in one `Sync` are two of them, answered by the second to end.
    fn sync(&mut self, ticket: Ticket, files: Vec<File>) {
        let (journal, bulk): (Vec<File>, Vec<File>) =
            files.into_iter().partition(|file| self.lane_of(*file) == Lane::Journal);
        self.zeroing
            .extend(bulk.iter().filter(|file| file.lane() == Lane::Journal).map(|file| (ticket, *file)));
        let is_for_bulk = !bulk.is_empty();
        if is_for_bulk && !journal.is_empty() {
            self.halves.insert(ticket, None);
        }
        if is_for_bulk {
            self.bulk.batch.push(Action::Sync { ticket, files: bulk });
        }
        if !is_for_bulk || !journal.is_empty() {
            self.journal.batch.push(Action::Sync { ticket, files: journal });
        }
    }

    fn settle(&mut self, event: Event) -> Option<Event> {
        let Event::Done { ticket, result } = event else { return Some(event) };
        self.zeroing.retain(|(outstanding, _)| *outstanding != ticket);
        let result = match self.halves.remove(&ticket) {
            None => result,
            Some(None) => {
                self.halves.insert(ticket, Some(result));
                return None;
            }
            Some(Some(first @ DoneResult::Failed { .. })) => first,
            Some(Some(_)) => result,
        };
        Some(Event::Done { ticket, result })
    }

    fn lane_of(&self, file: File) -> Lane {
        let is_zeroing = self.zeroing.iter().any(|(_, outstanding)| *outstanding == file);
        if is_zeroing { Lane::Bulk } else { file.lane() }
    }

    fn lane(&mut self, lane: Lane) -> &mut WriteLane {
        match lane {
            Lane::Journal => &mut self.journal,
            Lane::Bulk => &mut self.bulk,
        }
    }
}

impl RealDisk {
    /// What it was given is not waited for: it may never end.
    pub fn abandon(&mut self) {
        self.threads.clear();
    }
}

impl Drop for RealDisk {
    /// Ends the lanes after what they were given, so that the lock outlives the last write.
    fn drop(&mut self) {
        self.journal.work = None;
        self.bulk.work = None;
        self.readers = None;
        for thread in self.threads.drain(..) {
            // A lane that panicked has stopped the process already; see `start`.
            let _ = thread.join();
        }
    }
}

fn is_zeroing(parts: &[Bytes]) -> bool {
    parts.iter().map(Bytes::len).sum::<usize>() >= ZEROING_BYTES && parts.iter().all(|part| all_zero(part))
}
