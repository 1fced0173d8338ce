//! One write and the sync that makes it durable, tried again as a whole while the disk is full. Frames,
//! checkpoint slots and node.meta are written so.
//!
//! Invariants: nothing counts as durable but a write that was `Written` and a sync, issued after it, that was
//! `Synced`. A failed sync is never tried again: what the disk holds is then unknown (fsyncgate, 2018).
//! After `Full` the same bytes go to the same place, so nothing half-written can be taken for something else.

use super::Disk;
use super::ticket::Job;
use crate::event::DoneResult;
use crate::file::File;
use crate::ids::Ticket;
use bytes::Bytes;

/// A write and its sync.
#[derive(Debug)]
pub struct DurableWrite {
    job: Job,
    file: File,
    at: u64,
    parts: Vec<Bytes>,
    write: Option<Ticket>,
    sync: Option<Ticket>,
    is_full: bool,
    has_been_issued: bool,
}

/// How far a durable write is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// An answer is outstanding.
    Waiting,
    /// It is on the disk for good.
    Durable,
    /// The disk is full: nothing happened, `issue` tries again.
    Full,
    /// The disk failed.
    Failed(String),
}

impl DurableWrite {
    pub fn new(job: Job, file: File, at: u64, parts: Vec<Bytes>) -> DurableWrite {
        DurableWrite { job, file, at, parts, write: None, sync: None, is_full: false, has_been_issued: false }
    }

    /// Asks for the write and the sync, both at once: the driver keeps their order.
    pub fn issue(&mut self, disk: &mut Disk<'_>) {
        assert!(
            self.write.is_none() && self.sync.is_none(),
            "a durable write is issued when nothing of it is open"
        );
        if self.has_been_issued {
            disk.forget(self.file);
        }
        let write = disk.write(self.job.clone(), self.file, self.at, self.parts.clone());
        let sync = disk.sync(self.job.clone(), vec![self.file]);
        (self.write, self.sync) = (Some(write), Some(sync));
        (self.is_full, self.has_been_issued) = (false, true);
    }

    /// Whether it waits for space.
    pub fn is_stalled(&self) -> bool {
        self.is_full && self.write.is_none() && self.sync.is_none()
    }

    /// One of the two is answered.
    pub fn done(&mut self, ticket: Ticket, result: DoneResult) -> Progress {
        let is_write = self.write == Some(ticket);
        let is_sync = self.sync == Some(ticket);
        if is_write {
            self.write = None;
        }
        if is_sync {
            self.sync = None;
        }
        match result {
            DoneResult::Full if is_write => self.is_full = true,
            DoneResult::Written { .. } if is_write => {}
            DoneResult::Synced if is_sync => {}
            // The driver fails what was queued behind the refused write; that is no failure of the disk.
            DoneResult::Failed { .. } | DoneResult::Full if is_sync && self.is_full => {}
            DoneResult::Failed { reason, .. } if is_write || is_sync => {
                return Progress::Failed(reason);
            }
            other => return Progress::Failed(format!("{}: unexpected answer: {other}", self.file)),
        }
        match (self.write, self.sync, self.is_full) {
            (None, None, false) => Progress::Durable,
            (None, None, true) => Progress::Full,
            _ => Progress::Waiting,
        }
    }
}
