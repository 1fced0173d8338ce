//! Rehearsals of a start: when, and on what of a disk. What must come of them is `claims::rehearsal`'s.

use super::World;

/// Of a million unsynced sectors, how many a rehearsed loss of power keeps: mostly none, which is the durable prefix.
const KEPT_PPM: [Option<u64>; 4] = [None, None, None, Some(500_000)];

impl World {
    /// Something became durable on that site's disk.
    pub(super) fn rehearse(&mut self, site: usize) {
        let every = self.plan.rehearse_every;
        let node = &self.nodes[site];
        if every == 0 || self.stages.disk_is_damaged(site) {
            return;
        }
        self.syncs += 1;
        if !self.syncs.is_multiple_of(every) {
            return;
        }
        let mut dice = self.root.key("rehearsal", &[site as u64]).throw(self.syncs);
        let kept_ppm = *dice.pick(&KEPT_PPM);
        let now = node.clock.now(self.schedule.now());
        self.claims.rehearse((site, now), &node.disk, kept_ppm, &node.config, &mut dice, &mut self.verdict);
        self.marks.hit("recovery.was_rehearsed");
    }
}
