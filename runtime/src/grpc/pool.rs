//! Memory that calls take beside the core's budget: messages that are not whole yet, and records that were turned into
//! fields. One pool for all; who takes from it waits in line, and not for ever.
//!
//! Whoever holds some of it and moves no more (sends half a message and nothing else, or takes nothing of its answer)
//! is waited for as long as nobody else needs it. While somebody does, the connection that has not moved for longest goes,
//! once that is `GRPC_STUCK_MAX`. Who holds some and waits for more is not stuck: if all do, those who have waited for
//! `GRPC_POOL_WAIT` give up, and theirs back.
//!
//! A message of up to `GRPC_SMALL_BYTES` takes nothing: half messages of others keep nobody from asking for metadata or
//! records. There are at most `GRPC_LINES_MAX` of those.
//!
//! Invariant: what is taken <= the pool.

use crate::limits::{GRPC_POOL_WAIT, GRPC_STUCK_LOOK, GRPC_STUCK_MAX};
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tonic::Status;

/// What the pool is counted in, bytes.
const UNIT: usize = 1 << 10;

/// The pool.
#[derive(Clone, Debug)]
pub(super) struct Pool {
    units: Arc<Semaphore>,
    capacity: u32,
    holders: Arc<Mutex<Holders>>,
}

/// Who holds some of it.
#[derive(Debug, Default)]
struct Holders {
    last: u64,
    /// Each that does not wait for more, with when it last moved, and what ends its connection.
    moved: BTreeMap<u64, (Instant, Arc<Notify>)>,
}

/// Taken memory; given back with its end.
#[derive(Debug, Default)]
pub(super) struct Taken(Option<OwnedSemaphorePermit>);

/// Memory that somebody holds who may be stuck.
#[derive(Debug)]
pub(super) struct Held {
    taken: Taken,
    holder: u64,
    end: Arc<Notify>,
    holders: Arc<Mutex<Holders>>,
}

impl Pool {
    /// A pool of so many bytes.
    pub(super) fn new(bytes: usize) -> Pool {
        let capacity = u32::try_from(bytes / UNIT).unwrap_or(u32::MAX);
        Pool { units: Arc::new(Semaphore::new(capacity as usize)), capacity, holders: Arc::default() }
    }

    /// So many bytes, if they are there. More than there are in all is all.
    pub(super) fn try_take(&self, bytes: usize) -> Option<Taken> {
        let permit = Arc::clone(&self.units).try_acquire_many_owned(self.units_of(bytes));
        permit.ok().map(|permit| Taken(Some(permit)))
    }

    /// The same, waited for.
    pub(super) async fn take(self, bytes: usize) -> Result<Taken, Status> {
        let until = Instant::now() + GRPC_POOL_WAIT;
        let units = self.units_of(bytes);
        let mut acquiring = pin!(Arc::clone(&self.units).acquire_many_owned(units));
        loop {
            tokio::select! {
                permit = &mut acquiring => return permit.map(|permit| Taken(Some(permit))).map_err(|_| no_room()),
                () = tokio::time::sleep(GRPC_STUCK_LOOK) => {}
            }
            let now = Instant::now();
            if now >= until {
                return Err(no_room());
            }
            self.end_whoever_is_stuck(now);
        }
    }

    /// What was taken is held for somebody on a connection that `end` ends.
    pub(super) fn hold(&self, taken: Taken, end: Arc<Notify>) -> Held {
        let mut holders = lock(&self.holders);
        holders.last += 1;
        let holder = holders.last;
        holders.moved.insert(holder, (Instant::now(), Arc::clone(&end)));
        Held { taken, holder, end, holders: Arc::clone(&self.holders) }
    }

    fn end_whoever_is_stuck(&self, now: Instant) {
        let mut holders = lock(&self.holders);
        let longest = holders.moved.iter().min_by_key(|(_, (moved, _))| *moved);
        let stuck = longest.filter(|(_, (moved, _))| now.duration_since(*moved) >= GRPC_STUCK_MAX);
        if let Some(holder) = stuck.map(|(holder, _)| *holder)
            && let Some((_, end)) = holders.moved.remove(&holder)
        {
            end.notify_one();
        }
    }

    fn units_of(&self, bytes: usize) -> u32 {
        u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).min(self.capacity)
    }
}

impl Taken {
    /// Gives back what is beyond so many bytes.
    pub(super) fn shrink(&mut self, bytes: usize) {
        if let Some(permit) = &mut self.0 {
            let more = permit.num_permits().saturating_sub(bytes.div_ceil(UNIT));
            drop(permit.split(more));
        }
    }

    fn add(&mut self, mut other: Taken) {
        match (&mut self.0, other.0.take()) {
            (Some(own), Some(more)) => own.merge(more),
            (own @ None, more) => *own = more,
            (Some(_), None) => {}
        }
    }
}

impl Held {
    /// More of the same: it moves.
    pub(super) fn add(&mut self, taken: Taken) {
        self.taken.add(taken);
        lock(&self.holders).moved.insert(self.holder, (Instant::now(), Arc::clone(&self.end)));
    }

    /// It waits for more.
    pub(super) fn waits(&self) {
        lock(&self.holders).moved.remove(&self.holder);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        lock(&self.holders).moved.remove(&self.holder);
    }
}

fn no_room() -> Status {
    Status::resource_exhausted("the broker has no room for this now: try again")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_missing_until_it_is_given_back() {
        let pool = Pool::new(10 << 10);
        let mut taken = pool.try_take(6 << 10).expect("there are ten");
        assert!(pool.try_take(5 << 10).is_none(), "four are left");
        taken.add(pool.try_take(1).expect("a byte takes a unit"));
        assert!(pool.try_take(4 << 10).is_none());
        taken.shrink(2 << 10);
        assert!(pool.try_take(8 << 10).is_some(), "it keeps two");
        drop(taken);
        assert!(pool.try_take(1 << 30).is_some(), "more than there is in all is all");
    }

    #[test]
    fn who_is_stuck_goes_when_somebody_waits_and_who_moves_stays() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        runtime.expect("a runtime can be made").block_on(async {
            let pool = Pool::new(10 << 10);
            let (stuck, moving) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
            let first = pool.hold(pool.try_take(5 << 10).expect("there are ten"), Arc::clone(&stuck));
            let mut second = pool.hold(pool.try_take(4 << 10).expect("five are left"), Arc::clone(&moving));
            let moves = async {
                loop {
                    tokio::time::sleep(GRPC_STUCK_LOOK / 2).await;
                    second.add(Taken::default());
                }
            };
            let ends = async {
                stuck.notified().await;
                drop(first);
                std::future::pending::<()>().await;
            };
            tokio::select! {
                taken = pool.clone().take(5 << 10) => assert!(taken.is_ok()),
                () = moves => {}
                () = moving.notified() => panic!("it moves"),
                () = ends => {}
            }
        });
    }
}
