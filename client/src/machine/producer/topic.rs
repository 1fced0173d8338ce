//! A topic that is produced to: its partitions, the records that wait until these are known, and where records without a
//! key go.

use super::RecordId;
use super::partition::Partition;
use super::partitioner;
use crate::machine::chance::Chance;
use crate::machine::error::Error;
use crate::machine::map::Map;
use crate::machine::moment::Moment;
use crate::machine::record::Record;
use std::collections::VecDeque;

/// A topic.
#[derive(Debug)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Its partitions by number; none while they are not known.
    pub partitions: Vec<Partition>,
    /// What waits for them.
    pub waiting: VecDeque<Waiting>,
    /// Why they are not known, as a node said.
    pub error: Option<Error>,
    sticky: Option<usize>,
}

/// A record that has no partition yet.
#[derive(Debug)]
pub struct Waiting {
    /// Its number.
    pub id: RecordId,
    /// The record.
    pub record: Record,
    /// When it was handed over, and what it says of the time.
    pub stamp: (Moment, i64),
}

impl Topic {
    /// A topic of which nothing is known.
    pub fn new(name: &str) -> Topic {
        Topic {
            name: name.to_owned(),
            partitions: Vec::new(),
            waiting: VecDeque::new(),
            error: None,
            sticky: None,
        }
    }

    /// It has so many partitions. There are never fewer than before.
    pub fn widen(&mut self, partitions: usize) {
        for number in self.partitions.len()..partitions {
            self.partitions.push(Partition::new(format!("{}/{number}", self.name)));
        }
    }

    /// Where a record goes.
    ///
    /// Precondition: the partitions are known.
    ///
    /// # Errors
    /// It names a partition that there is not.
    pub fn place(
        &mut self,
        record: &Record,
        map: &Map,
        chance: &mut Chance,
        has_room: impl Fn(&Partition) -> bool,
    ) -> Result<usize, Error> {
        let count = self.partitions.len();
        if let Some(said) = record.partition {
            let said_number = usize::try_from(said).ok().filter(|number| *number < count);
            return said_number.ok_or_else(|| {
                Error::unusable(format!("{} has {count} partitions: there is no {said}", self.name))
            });
        }
        if let Some(key) = &record.key {
            return Ok(partitioner::of_key(key, count));
        }
        let current = self.sticky.filter(|number| *number < count);
        if let Some(current) = current
            && has_room(&self.partitions[current])
        {
            return Ok(current);
        }
        let queued = self.partitions.iter().enumerate();
        let queued = queued.map(|(number, partition)| {
            map.leader(&self.name, i32::try_from(number).unwrap_or(i32::MAX)).map(|_| partition.len())
        });
        let queued: Vec<Option<usize>> = queued.collect();
        let chosen = partitioner::another(current, &queued, chance);
        self.sticky = Some(chosen);
        Ok(chosen)
    }
}
