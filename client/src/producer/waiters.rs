//! Who waits for which record. Records are numbered as they are handed over, and most are settled in that order.
//!
//! Invariant: the first of the queue waits, so that `first` is the number below which all is settled.

use super::Placed;
use crate::machine::error::Error;
use crate::machine::producer::{RecordId, Settled};
use std::collections::VecDeque;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// Who waits for a record, and the room that it takes meanwhile.
#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) sender: oneshot::Sender<Result<Placed, Error>>,
    pub(super) _room: OwnedSemaphorePermit,
}

/// All who wait.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    first: RecordId,
    queue: VecDeque<Option<Waiter>>,
}

impl Waiters {
    /// One more: the number of its record.
    pub(super) fn push(&mut self, waiter: Waiter) -> RecordId {
        self.queue.push_back(Some(waiter));
        self.next() - 1
    }

    /// The number of the next record.
    pub(super) fn next(&self) -> RecordId {
        self.first + self.queue.len() as u64
    }

    /// Tells those who wait for these. Returns the number below which all is settled.
    pub(super) fn settle(&mut self, place: Option<(String, i32)>, settled: Settled) -> RecordId {
        let partition = place.map_or(-1, |(_, partition)| partition);
        for (number, id) in settled.records.into_iter().enumerate() {
            let at = id.checked_sub(self.first).and_then(|at| usize::try_from(at).ok());
            let Some(waiter) = at.and_then(|at| self.queue.get_mut(at)?.take()) else { continue };
            let placed = settled.outcome.clone().map(|there| Placed {
                partition,
                offset: there.base_offset.map(|base| base + number as i64),
                append_time_ms: there.append_time_ms,
            });
            // Who has dropped its delivery does not want to know.
            let _ = waiter.sender.send(placed);
        }
        while let Some(None) = self.queue.front() {
            self.queue.pop_front();
            self.first += 1;
        }
        self.first
    }

    /// Nobody will be told any more. Returns how many were not.
    pub(super) fn close(&mut self) -> usize {
        let lost = self.queue.iter().flatten().count();
        self.first = self.next();
        self.queue.clear();
        lost
    }
}
