//! Removals of segments and indexes that no checkpoint names any more, a few at a time: each takes the disk's bulk lane
//! a sync of a directory, and a write that is asked for meanwhile, with the memory it holds, would wait for all of them.
//!
//! A crash before they are done leaves files that no record names; the next start removes those that the checkpoint in
//! force gives up, so every checkpoint made meanwhile names them again (`unfinished`).
//!
//! Invariant: at most `REMOVALS_UNDER_WAY_MAX` are under way, and none waits while fewer are.

use super::Disk;
use super::ticket::Job;
use crate::file::{File, SegmentName};
use crate::limits::REMOVALS_UNDER_WAY_MAX;
use std::collections::{BTreeSet, VecDeque};

/// The files that go.
#[derive(Debug, Default)]
pub struct Removals {
    waiting: VecDeque<File>,
    under_way: BTreeSet<File>,
}

impl Removals {
    /// These go too.
    pub fn begin(&mut self, files: impl IntoIterator<Item = File>, disk: &mut Disk<'_>) {
        self.waiting.extend(files);
        self.go_on(disk);
    }

    /// One is gone.
    pub fn done(&mut self, file: File, disk: &mut Disk<'_>) {
        self.under_way.remove(&file);
        self.go_on(disk);
    }

    /// The segments of which something may be left.
    pub fn unfinished(&self) -> impl Iterator<Item = SegmentName> + '_ {
        self.under_way.iter().chain(&self.waiting).filter_map(|file| match file {
            File::Segment(name) | File::SegmentIndex(name) => Some(*name),
            File::NodeMeta | File::Checkpoint(_) | File::State(_) | File::Journal(_) => None,
        })
    }

    /// Whether none is left to be asked for.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    fn go_on(&mut self, disk: &mut Disk<'_>) {
        while self.under_way.len() < REMOVALS_UNDER_WAY_MAX
            && let Some(file) = self.waiting.pop_front()
        {
            self.under_way.insert(file);
            disk.remove(Job::Removed(file), file);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::disk::ticket::Tickets;

    #[test]
    fn few_are_under_way_and_all_go() {
        let (mut removals, mut tickets, mut actions) = (Removals::default(), Tickets::default(), Vec::new());
        removals.begin((0..100).map(File::Journal), &mut Disk::new(&mut tickets, &mut actions));
        for gone in 0..100 {
            assert_eq!(actions.len(), (gone + REMOVALS_UNDER_WAY_MAX).min(100));
            removals.done(File::Journal(gone as u32), &mut Disk::new(&mut tickets, &mut actions));
        }
        assert!(removals.is_idle());
        removals.begin([File::Journal(7)], &mut Disk::new(&mut tickets, &mut actions));
        assert_eq!(actions.len(), 101, "the next goes at once");
    }
}
