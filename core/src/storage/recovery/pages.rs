//! The pages of states that the records name, read back and held against their checksums.
//!
//! Pages that lie next to each other are read together, as much as one turn may take in.
//!
//! Invariant: what is asked for lies within the file as it was listed; a page that is not there whole is rotten.

use crate::file::File;
use crate::ids::ReplicaId;
use crate::limits::STATE_READ_BYTES_MAX;
use crate::storage::checkpoint::slot::Record;
use crate::storage::checkpoint::state_files::Place;
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};

/// A page that is wanted: whose, and which of its state's.
type Wanted = (Place, ReplicaId, usize);

/// Reading them.
#[derive(Debug, Default)]
pub struct PageReads {
    left: VecDeque<Wanted>,
    /// What is being read.
    asked: Vec<Wanted>,
    at: u64,
    found: BTreeMap<ReplicaId, Vec<Bytes>>,
    rotten: BTreeMap<ReplicaId, File>,
}

impl PageReads {
    /// Those of all these records.
    pub fn of<'a>(records: impl Iterator<Item = &'a Record>) -> PageReads {
        let mut reads = PageReads::default();
        let mut left = Vec::new();
        for record in records {
            let pages = record.state.pages();
            reads.found.insert(record.replica, vec![Bytes::new(); pages.len()]);
            left.extend(pages.iter().enumerate().map(|(number, page)| (page.place, record.replica, number)));
        }
        left.sort_unstable();
        reads.left = left.into();
        reads
    }

    /// The next piece to read, of files with these lengths.
    pub fn next(&mut self, len_of: impl Fn(File) -> u64) -> Option<(File, u64, u32)> {
        while let Some((first, replica, number)) = self.left.pop_front() {
            let file = File::State(first.file);
            if first.end() > len_of(file) {
                self.rotten.insert(replica, file);
                continue;
            }
            self.asked = vec![(first, replica, number)];
            let mut end = first.end();
            while let Some((next, ..)) = self.left.front()
                && (next.file, next.end() <= len_of(file)) == (first.file, true)
                && next.at <= end.next_multiple_of(4096)
                && next.end() - first.at <= STATE_READ_BYTES_MAX
            {
                end = end.max(next.end());
                self.asked.extend(self.left.pop_front());
            }
            self.at = first.at;
            return Some((file, first.at, u32::try_from(end - first.at).ok()?));
        }
        None
    }

    /// What was asked for is there, as far as it is.
    pub fn read(&mut self, bytes: &Bytes) {
        for (place, replica, number) in std::mem::take(&mut self.asked) {
            let from = usize::try_from(place.at - self.at).unwrap_or(usize::MAX);
            let to = from.saturating_add(place.bytes as usize);
            let page = if to <= bytes.len() { bytes.slice(from..to) } else { Bytes::new() };
            match self.found.get_mut(&replica).and_then(|pages| pages.get_mut(number)) {
                Some(found) if place.is_of(&page) => *found = page,
                _ => {
                    self.rotten.insert(replica, File::State(place.file));
                }
            }
        }
    }

    /// The pages of each replica in their order, and replicas of which one is rotten, with its file.
    pub fn finish(self) -> (BTreeMap<ReplicaId, Vec<Bytes>>, BTreeMap<ReplicaId, File>) {
        (self.found, self.rotten)
    }
}
