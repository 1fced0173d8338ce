//! A plan: batches of file work that recovery does one after the other, each begun when the one before is done.
//!
//! Invariant: while a plan runs nothing else writes. A batch that meets a full disk is done again as a whole;
//! everything in it may be done twice.

use super::Disk;
use super::ticket::Job;
use crate::event::DoneResult;
use crate::file::File;
use bytes::Bytes;
use std::collections::VecDeque;

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    Write { file: File, at: u64, parts: Vec<Bytes> },
    Sync { files: Vec<File> },
    Remove { file: File },
}

/// What is to be done still.
#[derive(Debug, Default)]
pub struct Plan {
    batches: VecDeque<Vec<Work>>,
    open: usize,
    is_full: bool,
}

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanProgress {
    Waiting,
    /// No space: `issue` tries again.
    Full,
    Finished,
    Failed(String),
}

impl Plan {
    /// Adds a batch.
    pub fn then(&mut self, batch: Vec<Work>) {
        if !batch.is_empty() {
            self.batches.push_back(batch);
        }
    }

    /// Asks for the next batch, or for the last one again.
    pub fn issue(&mut self, disk: &mut Disk<'_>) -> PlanProgress {
        assert!(self.open == 0, "a batch begins when the one before is done");
        let Some(batch) = self.batches.front() else { return PlanProgress::Finished };
        if std::mem::take(&mut self.is_full) {
            let files = batch.iter().filter_map(|work| match work {
                Work::Write { file, .. } => Some(*file),
                _ => None,
            });
            files.for_each(|file| disk.forget(file));
        }
        self.open = batch.len();
        for work in batch {
            match work.clone() {
                Work::Write { file, at, parts } => drop(disk.write(Job::Recovery, file, at, parts)),
                Work::Sync { files } => drop(disk.sync(Job::Recovery, files)),
                Work::Remove { file } => disk.remove(Job::Recovery, file),
            }
        }
        PlanProgress::Waiting
    }

    /// Bytes that the batch writes that is being done.
    pub fn bytes(&self) -> u64 {
        let written = self.batches.front().into_iter().flatten().map(|work| match work {
            Work::Write { parts, .. } => parts.iter().map(|part| part.len() as u64).sum(),
            _ => 0,
        });
        written.sum()
    }

    /// Whether it waits for space.
    pub fn is_stalled(&self) -> bool {
        self.is_full && self.open == 0
    }

    /// One piece of work is answered.
    pub fn done(&mut self, result: DoneResult, disk: &mut Disk<'_>) -> PlanProgress {
        self.open = self.open.saturating_sub(1);
        match result {
            DoneResult::Full => self.is_full = true,
            DoneResult::Failed { .. } if self.is_full => {}
            DoneResult::Failed { reason, .. } => return PlanProgress::Failed(reason),
            _ => {}
        }
        match (self.open, self.is_full) {
            (0, true) => PlanProgress::Full,
            (0, false) => {
                self.batches.pop_front();
                self.issue(disk)
            }
            _ => PlanProgress::Waiting,
        }
    }
}
