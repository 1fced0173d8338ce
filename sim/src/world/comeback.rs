//! The comeback: once the core has shown that it gets on alone (C18), the sites outside of it are mended too, but
//! those whose disks hold what cannot be used. What was excused while most of its replicas were broken is audited then:
//! an acknowledgment holds for it as for all else.

use super::World;
use crate::clock::MILLI;
use crate::schedule::Happening;

impl World {
    /// Mends what stays broken outside the core. False if there is nothing, or it has been done.
    pub(super) fn bring_back(&mut self) -> bool {
        let is_sound = |site: &usize| self.plan.core.contains(site) || !self.stages.disk_is_spoilt(*site);
        let sound: Vec<usize> = (0..self.plan.sites.len()).filter(is_sound).collect();
        if sound.len() == self.plan.core.len() {
            return false;
        }
        for number in 0..self.plan.faults.len() {
            let is_of = |site: usize| sound.contains(&site) && !self.plan.core.contains(&site);
            let what = &self.plan.faults[number].what;
            if self.in_force[number] && what.site().is_some_and(is_of) {
                self.undo(number);
            }
        }
        self.network.mend_all(&mut self.schedule);
        for site in &sound {
            self.nodes[*site].disk.heal();
            self.start_disk_works(*site);
            self.schedule.after(MILLI, Happening::Start { site: *site });
        }
        let broken: Vec<usize> = (0..self.plan.sites.len()).filter(|site| !sound.contains(site)).collect();
        self.trace.note(format_args!("the rest comes back: sound are {sound:?}"));
        self.marks.hit("audit.brought_back_the_rest");
        self.plan.core = sound;
        self.clients.iter_mut().for_each(|client| client.calm(&self.plan.core, &broken));
        true
    }
}
