//! Compacting: leaders among this node's partitions look whether their logs are to be compacted further, and what was
//! decided of a log is carried out on the files here, one log at a time, slowly.
//!
//! ```text
//! look     each log that keeps the last record of each key: its leader proposes; whose files lack most is begun with
//! step     what the cleaner says comes next (`compaction`): a read, a piece of work, a write, a replacement
//! pause    as long as the rate wants it for what was looked through, so that others are served beside it
//! ```
//! A log whose newest segment has records below the target, or of which nothing came for longer than they may stay, gets
//! another: only closed segments are written anew.
//!
//! - Invariant: at most one log is in work, with keys for at most a part of the node's memory; one read or write of it is
//!   on the way.
//! - Invariant: files count as compacted so far only if their log has not begun anew meanwhile.
//! - Invariant: where no log is compacted nothing is waited for, drawn or held.
//!
//! Not here: how far a log is to be compacted (`partition/compaction`), what stays (`compaction`), files
//! (`storage/rewriting`).

use super::ports::Ports;
use crate::action::{Action, Notice};
use crate::compaction::{Cleaner, Closed, Compacted, KeyMap, Next, Unreadable};
use crate::file::File;
use crate::ids::{Offset, ReplicaId};
use crate::limits::{
    COMPACTION_BYTES_PER_SECOND, COMPACTION_KEYS_BYTES_MAX, COMPACTION_KEYS_SHARE, COMPACTION_LOOK,
    COMPACTION_STEP_BYTES,
};
use crate::now::{Mono, Now};
use crate::partition::Retained;
use crate::resident::Residents;
use crate::storage::{Chunk, Lookup, ReadFault, ReadId, Segment};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::time::Duration;

/// What is compacted, and how far that is.
pub(super) struct Compacting {
    keys_bytes_max: usize,
    /// Logs that are compacted.
    of: BTreeSet<ReplicaId>,
    /// Of those, the ones that have a batch which cannot be read.
    unreadable: BTreeSet<ReplicaId>,
    /// When the next look or step is.
    due: Mono,
    work: Option<Box<Work>>,
    is_stopped: bool,
}

/// A log in work.
struct Work {
    id: ReplicaId,
    /// Tells this log from one that begins anew.
    era: u32,
    cleaner: Cleaner,
    step: Step,
}

/// What it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Its time.
    Time,
    /// The disk, which reads.
    Read(ReadId),
    /// The disk, which writes.
    Write,
}

impl Compacting {
    /// On a node with so much memory.
    pub fn new(memory_limit: u64) -> Compacting {
        let keys_bytes_max = (memory_limit / COMPACTION_KEYS_SHARE).min(COMPACTION_KEYS_BYTES_MAX);
        Compacting {
            keys_bytes_max: usize::try_from(keys_bytes_max).unwrap_or(usize::MAX),
            of: BTreeSet::new(),
            unreadable: BTreeSet::new(),
            due: Mono::default(),
            work: None,
            is_stopped: false,
        }
    }

    /// How many logs are in work.
    #[cfg(feature = "simulation")]
    pub fn held(&self) -> usize {
        usize::from(self.work.is_some())
    }

    /// A partition runs here, or has other settings: whether its log is compacted.
    pub fn configured(&mut self, id: ReplicaId, is_compacted: bool) {
        if is_compacted {
            self.of.insert(id);
        } else {
            self.of.remove(&id);
        }
    }

    /// It runs here no more.
    pub fn over(&mut self, id: ReplicaId) {
        self.of.remove(&id);
        self.unreadable.remove(&id);
        self.work.take_if(|work| work.id == id);
    }

    /// The node is about to stop.
    pub fn stop(&mut self) {
        self.is_stopped = true;
    }

    /// When `woke` has something to do.
    pub fn next_deadline(&self) -> Option<Mono> {
        let waits = self.work.as_ref().is_some_and(|work| work.step != Step::Time);
        (!self.of.is_empty() && !self.is_stopped && !waits).then_some(self.due)
    }

    /// Looks, or does the next step, if it is time.
    pub fn woke(&mut self, now: Now, residents: &mut Residents, ports: &mut Ports) {
        if self.next_deadline().is_none_or(|due| due > now.mono) {
            return;
        }
        if self.work.is_some() {
            return self.step(now, residents, ports);
        }
        self.due = now.mono + COMPACTION_LOOK;
        if let Some(id) = self.look(now, residents, ports) {
            self.begin(now, id, residents, ports);
        }
    }

    /// A cold read ended; returns whether compacting had asked for it.
    pub fn read(
        &mut self,
        now: Now,
        read: ReadId,
        result: &Result<Chunk, ReadFault>,
        ports: &mut Ports,
    ) -> bool {
        let Some(work) = self.work.as_mut().filter(|work| work.step == Step::Read(read)) else {
            return false;
        };
        work.step = Step::Time;
        self.due = now.mono;
        match result {
            Ok(chunk) => self.take(now, chunk, ports),
            // It is being mended, or the log's start has passed it.
            Err(_) => self.begin_anew_later(now, ports),
        }
        true
    }

    /// The disk has written what it was given, or could not.
    pub fn rewritten(&mut self, now: Now, id: ReplicaId, is_done: bool, ports: &mut Ports) {
        let is_it = |work: &&mut Box<Work>| work.id == id && work.step == Step::Write;
        let Some(work) = self.work.as_mut().filter(is_it) else { return };
        work.step = Step::Time;
        self.due = now.mono;
        if !is_done {
            self.begin_anew_later(now, ports);
        }
    }

    /// Leaders propose what is due. The log whose files lack most of what was decided.
    fn look(&mut self, now: Now, residents: &mut Residents, ports: &mut Ports) -> Option<ReplicaId> {
        let mut most = None;
        for id in &self.of {
            let Some(partition) = residents.partition_mut(*id) else { continue };
            let closed: Vec<Retained> = ports.storage.closed(*id).iter().map(retained).collect();
            if partition.compact(now, &closed) {
                ports.touched.insert(*id);
            }
            let (target, done) = (partition.compacted(), ports.storage.compacted(*id));
            let end = closed.last().map_or(done.up_to, |last| last.next);
            let max_lag = partition.config().compaction.map_or(i64::MAX, |rules| rules.max_lag_ms);
            let is_late = ports.storage.segments(*id).last().is_some_and(|newest| {
                newest.next > end && now.wall.0.saturating_sub(newest.max_timestamp) > max_lag
            });
            if end < target.up_to || is_late {
                ports.storage.close_newest(*id);
            }
            let up_to = target.up_to.min(end);
            let now_possible = Compacted { up_to, tombstones_before: target.tombstones_before.min(up_to) };
            let lacks = target.up_to.0.saturating_sub(done.up_to.0);
            let is_wanted = !done.covers(now_possible) && !self.unreadable.contains(id);
            if is_wanted && most.is_none_or(|(_, other)| lacks > other) {
                most = Some((*id, lacks));
            }
        }
        most.map(|(id, _)| id)
    }

    fn begin(&mut self, now: Now, id: ReplicaId, residents: &Residents, ports: &mut Ports) {
        let (Some(partition), Some(era)) = (residents.partition(id), ports.storage.era(id)) else { return };
        let mut secret = || [ports.rng.next_u64(), ports.rng.next_u64()];
        let keys = KeyMap::new([secret(), secret()], self.keys_bytes_max);
        let (done, target) = (ports.storage.compacted(id), partition.compacted());
        let cleaner = Cleaner::new(done, target, partition.config().segment_bytes, keys);
        self.work = Some(Box::new(Work { id, era, cleaner, step: Step::Time }));
        self.due = now.mono;
    }

    fn step(&mut self, now: Now, residents: &Residents, ports: &mut Ports) {
        let Some(work) = &mut self.work else { return };
        let id = work.id;
        let log_start = ports.storage.extent(id).map(|extent| extent.log_start);
        let is_same = residents.partition(id).is_some() && ports.storage.era(id) == Some(work.era);
        let Some(log_start) = log_start.filter(|_| is_same) else {
            self.work = None;
            return;
        };
        let closed: Vec<Closed> = ports.storage.closed(id).iter().map(closed).collect();
        let before = work.cleaner.looked_bytes();
        match work.cleaner.next(log_start, &closed) {
            Ok(Next::Worked) => {
                let looked = (work.cleaner.looked_bytes() - before).max(1);
                let nanos = looked.saturating_mul(1_000_000_000) / COMPACTION_BYTES_PER_SECOND;
                self.due = now.mono + Duration::from_nanos(nanos);
            }
            Ok(Next::Read { from, below }) => self.ask(now, (from, below), ports),
            Ok(Next::Write { span, batches }) => {
                match ports.storage.rewrite(id, span, batches, &mut ports.actions) {
                    Ok(()) => work.step = Step::Write,
                    Err(_) => self.begin_anew_later(now, ports),
                }
            }
            Ok(Next::Replace(span)) => match ports.storage.replace(id, span, &mut ports.actions) {
                Ok(()) => work.step = Step::Write,
                Err(_) => self.begin_anew_later(now, ports),
            },
            Ok(Next::Reached(done)) => self.reached(done, ports),
            Err(unreadable) => self.cannot_go_on(unreadable, ports),
        }
    }

    fn ask(&mut self, now: Now, (from, below): (Offset, Offset), ports: &mut Ports) {
        let Some(work) = &mut self.work else { return };
        let max_bytes = usize::try_from(COMPACTION_STEP_BYTES).unwrap_or(usize::MAX);
        match ports.storage.read(work.id, from, below, max_bytes, &mut ports.actions) {
            Lookup::Later(read) => work.step = Step::Read(read),
            Lookup::Now(chunk) => self.take(now, &chunk, ports),
            Lookup::Refused(_) => self.begin_anew_later(now, ports),
        }
    }

    fn take(&mut self, now: Now, chunk: &Chunk, ports: &mut Ports) {
        let batches = match &chunk.batches[..] {
            [] => return self.begin_anew_later(now, ports),
            [run] => run.clone(),
            runs => Bytes::from(runs.concat()),
        };
        if let Some(work) = &mut self.work {
            work.cleaner.take(batches);
        }
    }

    /// The closed segments are compacted so far: the work is over if that is all, or all that can be done now.
    fn reached(&mut self, done: Compacted, ports: &mut Ports) {
        let Some(id) = self.work.as_ref().map(|work| work.id) else { return };
        if done == ports.storage.compacted(id) {
            self.work = None;
        } else {
            ports.storage.set_compacted(id, done);
        }
    }

    /// What was begun of a span is given up, and tried again after a while.
    fn begin_anew_later(&mut self, now: Now, ports: &mut Ports) {
        if let Some(work) = &mut self.work {
            work.cleaner.begin_span_anew();
            ports.storage.give_up_rewrite(work.id, &mut ports.actions);
            self.due = now.mono + COMPACTION_LOOK;
        }
    }

    fn cannot_go_on(&mut self, unreadable: Unreadable, ports: &mut Ports) {
        let Some(work) = self.work.take() else { return };
        self.unreadable.insert(work.id);
        ports.storage.give_up_rewrite(work.id, &mut ports.actions);
        if let Some(file) = ports.storage.file_of(work.id, unreadable.offset) {
            let what = format!("its log is not compacted: {unreadable}");
            ports.actions.push(Action::Note(Notice::Damaged { file: File::Segment(file), what }));
        }
    }
}

fn retained(segment: &Segment) -> Retained {
    Retained { next: segment.next, bytes: segment.bytes, max_timestamp: segment.max_timestamp }
}

fn closed(segment: &Segment) -> Closed {
    Closed { base: segment.base, next: segment.next, bytes: segment.bytes }
}
