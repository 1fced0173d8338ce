//! Rehearsals of a start: when, and on what of a disk. What must come of them is `claims::rehearsal`'s.
//!
//! In some runs at every so many syncs; and in all, a few times for each kind, at the moments of which a crash seldom
//! comes upon one: a replica was reset, or dropped; a file was removed. There only what is durable counts: whether what
//! was done rests on something that was not yet.

use super::World;
use crate::claims::frames::Item;
use crate::claims::shadow::Shadow;
use crate::claims::{c19_all_is_bounded, rehearsal};
use rust_mq_core::event::DoneResult;

/// Of a million unsynced sectors, how many a rehearsed loss of power keeps: mostly none, which is the durable prefix.
const KEPT_PPM: [Option<u64>; 4] = [None, None, None, Some(500_000)];
/// Rehearsals of each notable kind in a run.
const OF_A_KIND: u64 = 6;

/// Moments at which every run rehearses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notable {
    /// A replica starts anew, by a snapshot.
    Reset,
    /// A replica is gone.
    Dropped,
    /// A file is gone.
    Removed,
}

impl Notable {
    /// Among what became durable.
    pub(super) fn among(items: &[Item]) -> Option<Notable> {
        let is_reset = items.iter().any(|item| matches!(item, Item::Reset { .. }));
        let is_dropped = items.iter().any(|item| matches!(item, Item::Dropped { .. }));
        match (is_reset, is_dropped) {
            (true, _) => Some(Notable::Reset),
            (_, true) => Some(Notable::Dropped),
            _ => None,
        }
    }

    /// In what came of a work.
    pub(super) fn within(result: &DoneResult) -> Option<Notable> {
        matches!(result, DoneResult::Removed).then_some(Notable::Removed)
    }
}

impl World {
    /// Something became durable on that site's disk.
    pub(super) fn rehearse(&mut self, site: usize) {
        let every = self.plan.rehearse_every;
        if every == 0 {
            return;
        }
        self.syncs += 1;
        if self.syncs.is_multiple_of(every) {
            self.rehearse_now(site, &KEPT_PPM, self.syncs);
        }
    }

    /// Something notable happened to that site's disk.
    pub(super) fn rehearse_notable(&mut self, site: usize, what: Notable) {
        let seen = &mut self.notable[what as usize];
        if *seen < OF_A_KIND && !self.stages.disk_is_damaged(site) {
            *seen += 1;
            let number = u64::MAX - *seen * 8 - what as u64;
            self.rehearse_now(site, &[None], number);
            self.marks.hit(match what {
                Notable::Reset => "recovery.was_rehearsed_after_a_reset",
                Notable::Dropped => "recovery.was_rehearsed_after_a_replica_was_dropped",
                Notable::Removed => "recovery.was_rehearsed_after_a_file_was_removed",
            });
        }
    }

    /// At rest: what a node holds for its data, a fresh one on the same disk holds too.
    pub(super) fn compare_with_fresh_starts(&mut self) {
        for site in self.plan.core.clone() {
            let node = &self.nodes[site];
            let Some(process) = &node.process else { continue };
            let now = node.clock.now(self.schedule.now());
            let mut shadow = Shadow::default();
            let seed = self.root.key("fresh", &[site as u64]).throw(0).word();
            let started =
                rehearsal::start(now, &mut node.disk.durable_alone(), &node.config, seed, &mut shadow);
            let needs = process.broker.observe_needs();
            let compared = c19_all_is_bounded::check_needs(site, &needs, &started.needs, &mut self.verdict);
            if compared > 0 {
                self.marks.hit("bounds.compared_with_a_fresh_start");
            }
        }
    }

    fn rehearse_now(&mut self, site: usize, kept_ppm: &[Option<u64>], number: u64) {
        let node = &self.nodes[site];
        if self.stages.disk_is_damaged(site) {
            return;
        }
        let mut dice = self.root.key("rehearsal", &[site as u64]).throw(number);
        let kept_ppm = *dice.pick(kept_ppm);
        let now = node.clock.now(self.schedule.now());
        self.claims.rehearse((site, now), &node.disk, kept_ppm, &node.config, &mut dice, &mut self.verdict);
        self.marks.hit("recovery.was_rehearsed");
    }
}
