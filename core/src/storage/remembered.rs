//! What a recovery would find on a disk, without touching it: for the room's own tests and for the simulator, which ask
//! it at every durable prefix of a journal. Compiled only for them.
//!
//! One frame is in flight at a time, so the durable prefixes of a journal are what is durable after each of its syncs.
//!
//! - Invariant, of every durable prefix on a sound disk: the journal ends in a tail, no replica is unfit, and of each
//!   applied <= commit <= last.
//!
//! Not here: what is written then (`resume`), and which frames make a prefix (who asks knows).

use super::RecoveredReplica;
#[cfg(test)]
use super::Storage;
use super::checkpoint::slot::Record;
use super::disk::Disk;
use super::disk::ticket::Tickets;
use super::recovery::announcement::recovered;
use super::recovery::reading::{Reached, Reading};
use super::recovery::walk::Ending;
use crate::action::Action;
use crate::event::{DoneResult, Listed};
use crate::file::File;
use crate::ids::{Index, NodeId, ReplicaId};
use bytes::Bytes;

/// What a disk remembers, as a recovery would read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// The replicas, by id; without those that node.meta calls dead.
    pub replicas: Vec<RecoveredReplica>,
    /// Those of them that could not run any more: what the journal says of them does not fit together.
    pub unfit: Vec<ReplicaId>,
    /// Whether a synced frame, or the journal, is missing.
    pub is_rotten: bool,
}

impl Remembered {
    /// What breaks the law of durable prefixes, if anything does.
    pub fn breach(&self) -> Option<String> {
        if self.is_rotten {
            return Some("a synced frame cannot be found".into());
        }
        if let Some(replica) = self.unfit.first() {
            return Some(format!("{replica} could never run again"));
        }
        self.replicas.iter().find_map(|known| {
            let last = known.entries.last().map_or(known.applied, |entry| entry.index);
            let is_within = known.applied <= known.hard_state.commit && known.hard_state.commit <= last;
            let commit = known.hard_state.commit;
            (!is_within)
                .then(|| format!("{}: {} <= {commit} <= {last} does not hold", known.replica, known.applied))
        })
    }

    /// The last entry of a replica, if the disk knows it.
    pub fn last(&self, replica: ReplicaId) -> Option<Index> {
        let known = self.replicas.iter().find(|known| known.replica == replica)?;
        Some(known.entries.last().map_or(known.applied, |entry| entry.index))
    }
}

#[cfg(test)]
impl Storage {
    /// How many places in the order of evictions and how many generations are remembered.
    pub(super) fn remembered_of_the_gone(&mut self) -> (usize, usize) {
        self.running().map_or((0, 0), |running| (running.behind.evictions(), running.generations.len()))
    }
}

/// Why a node could not be started from a disk.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unstartable {
    /// A recovery asks for lists and reads, and for nothing else.
    #[error("recovery asked for {0}")]
    Asked(String),
    /// The directory is not one to start from.
    #[error("{0}")]
    Refused(String),
    /// A read failed, which this disk's do not.
    #[error("{0}")]
    Failed(String),
}

/// Reads a disk as recovery does. `read` gives a file's bytes from a place on, fewer than asked for only at its end;
/// `None` where there is no such file.
///
/// # Errors
/// The directory cannot be started from, and why.
pub fn remember(
    node: NodeId,
    files: Vec<Listed>,
    mut read: impl FnMut(File, u64, u32) -> Option<Bytes>,
) -> Result<Remembered, Unstartable> {
    let (mut tickets, mut actions) = (Tickets::default(), Vec::new());
    let mut recovery = Reading::start(node, None, &mut Disk::new(&mut tickets, &mut actions));
    let mut files = Some(files);
    loop {
        let result = match actions.pop() {
            Some(Action::List { .. }) => DoneResult::Listed(files.take().unwrap_or_default()),
            Some(Action::Read { file, at, len, .. }) => {
                DoneResult::Bytes(read(file, at, len).unwrap_or_default())
            }
            other => return Err(Unstartable::Asked(format!("{other:?}"))),
        };
        match recovery.done(result, &mut Disk::new(&mut tickets, &mut actions)) {
            Reached::Waiting => {}
            Reached::Refused(reason) => return Err(Unstartable::Refused(reason)),
            Reached::Failed(reason) => return Err(Unstartable::Failed(reason)),
            Reached::Read(mut findings) => {
                let dead = findings.meta.map(|meta| meta.dead).unwrap_or_default();
                let is_rotten = findings.journal.is_some_and(|journal| journal.ending != Ending::Tail);
                let rotten = &findings.rotten;
                let is_whole = |record: &Record| {
                    !dead.contains(&record.replica) && (is_rotten || !rotten.contains_key(&record.replica))
                };
                let replicas = std::mem::take(&mut findings.replay.records)
                    .into_values()
                    .filter(is_whole)
                    .map(|record| {
                        let pages = findings.pages.remove(&record.replica);
                        recovered(record, pages.unwrap_or_default())
                    })
                    .collect();
                let unfit = findings.replay.unfit.iter().chain(findings.rotten.keys()).copied();
                let unfit = unfit.filter(|replica| !dead.contains(replica)).collect();
                return Ok(Remembered { replicas, unfit, is_rotten });
            }
        }
    }
}
