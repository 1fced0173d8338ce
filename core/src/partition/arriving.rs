//! What a leader sends is looked through before it is appended. An entry that could not be applied would have to stop
//! the node once it is committed: it is refused while refusing it still helps.
//!
//! Invariant: a batch is whole, sound, and begins where the log will end when everything before it is applied.
//!
//! Not here: terms, indexes and who may send them (`replica/guard`).

use super::{Partition, PartitionCommand};
use crate::entry::EntryKind;
use crate::ids::{Index, Offset, Term};
use crate::machine::Undecodable;
use rust_mq_proto::peer::raft::{RaftEntry, RaftMessage};
use rust_mq_proto::records::Batch;

/// Why an entry cannot stand in a partition's log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Its payload is no record batch, or a damaged one.
    #[error("an entry that holds no sound record batch")]
    Batch,
    /// It does not begin where the log ends.
    #[error("a batch that does not begin where the log ends")]
    Place,
    /// Its payload is no command that this build reads.
    #[error(transparent)]
    Command(#[from] Undecodable),
}

impl Partition {
    /// Whether the entries of an append could be applied.
    pub fn check(&self, message: &RaftMessage) -> Result<(), Unfit> {
        let before = (Index(message.index), Term(message.log_term));
        // Where the log does not agree up to there nothing is appended, and where a batch had to begin is not known.
        let mut end = (before.0 >= self.replica.commit() && self.replica.has_entry(before.0, before.1))
            .then(|| self.end_after(before.0));
        for entry in &message.entries {
            match u8::try_from(entry.kind).ok().and_then(EntryKind::parse) {
                Some(EntryKind::Batch) => {
                    let next = check_batch(entry, end)?;
                    end = end.map(|_| next);
                }
                Some(EntryKind::Commands) => {
                    PartitionCommand::decode(&entry.payload)?;
                }
                // The guard judges the other kinds.
                _ => {}
            }
        }
        Ok(())
    }

    /// Where the log will end when everything up to `index`, which is here, is applied.
    fn end_after(&self, index: Index) -> Offset {
        let newest = self.replica.newest_batch(index).and_then(|payload| Batch::parse(payload).ok());
        newest.map_or(self.log.end, |batch| Offset(batch.last_offset().saturating_add(1)))
    }
}

/// Where the log ends after a batch that has to begin at `end`, if that is known.
fn check_batch(entry: &RaftEntry, end: Option<Offset>) -> Result<Offset, Unfit> {
    let batch = Batch::parse(&entry.payload).map_err(|_| Unfit::Batch)?;
    let (base, last) = (batch.base_offset(), batch.last_offset());
    if base < 0 || last < base || last >= Offset::MAX.0 || batch.check_crc().is_err() {
        return Err(Unfit::Batch);
    }
    if end.is_some_and(|end| end.0 != base) {
        return Err(Unfit::Place);
    }
    Ok(Offset(last + 1))
}
