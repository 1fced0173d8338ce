//! Removals of segments and indexes that no checkpoint names any more, a few at a time: each takes the disk's bulk lane
//! a sync of a directory, and a write that is asked for meanwhile, with the memory it holds, would wait for all of them.
//!
//! Here too goes what a crash has left: files that no record names, and ends of files beyond what one names. They may be
//! as many as there are partitions, so a start does not wait for them: the disk is served from while they go. Only who
//! writes to such a file is in their way, and cuts it first (`claim`).
//!
//! A crash before they are done leaves files that no record names; the next start removes those that the checkpoint in
//! force gives up, so every checkpoint made meanwhile names them again (`unfinished`).
//!
//! - Invariant: at most `REMOVALS_UNDER_WAY_MAX` are under way, and those that were claimed; none waits while fewer are.
//! - Invariant: nothing is written to a file of which something is left over.

use super::Disk;
use super::ticket::Job;
use crate::file::{File, SegmentName};
use crate::limits::REMOVALS_UNDER_WAY_MAX;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What a crash has left of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leftover {
    /// All of it is nobody's.
    Whole,
    /// What lies behind so many bytes is.
    Behind(u64),
}

/// The files that go.
#[derive(Debug, Default)]
pub struct Removals {
    waiting: VecDeque<File>,
    left: BTreeMap<File, Leftover>,
    under_way: BTreeSet<File>,
}

impl Removals {
    /// How many files go.
    #[cfg(feature = "simulation")]
    pub fn held(&self) -> usize {
        self.waiting.len() + self.left.len() + self.under_way.len()
    }

    /// What a crash has left is to go, once `begin` is called.
    pub fn of(left: BTreeMap<File, Leftover>) -> Removals {
        Removals { left, ..Removals::default() }
    }

    /// These go too.
    pub fn begin(&mut self, files: impl IntoIterator<Item = File>, disk: &mut Disk<'_>) {
        for file in files {
            self.left.remove(&file);
            self.waiting.push_back(file);
        }
        self.go_on(disk);
    }

    /// The file is written to next: what a crash has left of it goes before.
    pub fn claim(&mut self, file: File, disk: &mut Disk<'_>) {
        if let Some(left) = self.left.remove(&file) {
            // Not removed: the file is there again at once, and its name is durable already.
            let len = if let Leftover::Behind(len) = left { len } else { 0 };
            self.under_way.insert(file);
            disk.truncate(Job::Removed(file), file, len);
        }
    }

    /// One is gone.
    pub fn done(&mut self, file: File, disk: &mut Disk<'_>) {
        self.under_way.remove(&file);
        self.go_on(disk);
    }

    /// The segments of which something may be left.
    pub fn unfinished(&self) -> impl Iterator<Item = SegmentName> + '_ {
        let left = self.left.iter().filter(|(_, left)| **left == Leftover::Whole).map(|(file, _)| file);
        self.under_way.iter().chain(&self.waiting).chain(left).filter_map(|file| match file {
            File::Segment(name) | File::SegmentIndex(name) => Some(*name),
            File::NodeMeta | File::Checkpoint(_) | File::State(_) | File::Journal(_) => None,
        })
    }

    /// Whether none is left to be asked for but what a crash has left, which the next start would find again.
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
        while self.under_way.len() < REMOVALS_UNDER_WAY_MAX
            && let Some((file, left)) = self.left.pop_first()
        {
            self.under_way.insert(file);
            match left {
                Leftover::Whole => disk.remove(Job::Removed(file), file),
                Leftover::Behind(len) => disk.truncate(Job::Removed(file), file, len),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::Action;
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
    #[test]
    fn what_a_crash_has_left_goes_last_and_what_is_claimed_is_cut_at_once() {
        let left = (0..100).map(|number| {
            let left = if number % 2 == 0 { Leftover::Whole } else { Leftover::Behind(10) };
            (File::Journal(number), left)
        });
        let (mut removals, mut tickets, mut actions) =
            (Removals::of(left.collect()), Tickets::default(), Vec::new());
        removals.claim(File::Journal(50), &mut Disk::new(&mut tickets, &mut actions));
        removals.claim(File::Journal(51), &mut Disk::new(&mut tickets, &mut actions));
        removals.claim(File::Journal(200), &mut Disk::new(&mut tickets, &mut actions));
        let cuts: Vec<u64> = actions
            .iter()
            .filter_map(|action| match action {
                Action::Truncate { len, .. } => Some(*len),
                _ => None,
            })
            .collect();
        assert_eq!((cuts, actions.len()), (vec![0, 10], 2), "and nothing is done to what is not left over");
        removals.begin([File::Journal(7), File::Journal(300)], &mut Disk::new(&mut tickets, &mut actions));
        assert_eq!(actions.len(), REMOVALS_UNDER_WAY_MAX);
        assert!(removals.is_idle(), "a node that stops does not wait for the rest");
        for gone in [50, 51, 7, 300].into_iter().chain((0..50).chain(52..100).filter(|number| *number != 7)) {
            removals.done(File::Journal(gone), &mut Disk::new(&mut tickets, &mut actions));
        }
        assert_eq!(actions.len(), 101, "each goes once");
        assert!(removals.under_way.is_empty() && removals.left.is_empty());
    }
}
