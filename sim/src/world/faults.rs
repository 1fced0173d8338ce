//! Faults of the plan: how each begins, how it is mended, and the great healing of the core.
//!
//! A fault that finds nothing to break (a process that is down already) has no effect and no mark.

use super::World;
use super::moments::{MOMENT_STEP, Turnout};
use super::{secrets, strange_secrets};
use crate::clock::MILLI;
use crate::disk::Pace;
use crate::disk::inode::Loss;
use crate::network::Spot;
use crate::node::Process;
use crate::plan::Fault;
use crate::schedule::Happening;
use crate::trouble::{Moment, Trouble};
use crate::wire::Place;
use rust_mq_core::event::Question;

/// How often a seed is drawn for a process: by its boot.
const STOP: u64 = 1;

impl World {
    /// A process starts, unless something keeps it down or it runs.
    pub(super) fn start(&mut self, site: usize) {
        let node = &mut self.nodes[site];
        if node.process.is_some() || node.downs > 0 {
            return;
        }
        node.boot += 1;
        let boot = node.boot;
        node.config.levels = self.plan.sites[site].levels(boot - 1);
        let seed = self.root.key("boot", &[site as u64]).throw(u64::from(boot)).word();
        node.process = Some(Process::new(node.config.clone(), seed));
        if self.strange.contains(&site) {
            self.claims.strangers.starts(site, boot);
        }
        self.listening[site] = Some(Place::Site { site, boot });
        self.open_doors();
        self.trace.note(format_args!("n{} starts, life {boot}", site + 1));
        self.want_turn(site);
    }

    /// A process ends; its disk does what the page cache allows.
    pub(super) fn end_process(&mut self, site: usize, is_power_off: bool) {
        self.end_process_losing(site, if is_power_off { Some(0) } else { None });
    }

    pub(super) fn end_process_losing(&mut self, site: usize, kept_ppm: Option<u64>) -> bool {
        let node = &mut self.nodes[site];
        if node.process.take().is_none() {
            return false;
        }
        let boot = node.boot;
        self.listening[site] = None;
        let loss = kept_ppm.map_or(Loss::Nothing, |kept_ppm| Loss::Sectors { kept_ppm });
        let mut dice = self.root.key("crash", &[site as u64]).throw(u64::from(boot));
        let damage = node.disk.crash(loss, &mut dice);
        self.open_doors();
        let node = &mut self.nodes[site];
        if !self.stages.is_swapped(site) {
            for item in self.claims.crashed(site, &node.disk, &mut self.verdict) {
                self.trace.remark(|| format!("n{} durable by luck: {item:?}", site + 1));
            }
        }
        let marks = &mut self.marks;
        marks.add("disk.crash_undid_work", damage.undone as u64);
        marks.add("disk.crash_kept_later_lost_earlier", u64::from(damage.is_reordered));
        marks.add("disk.crash_tore_a_middle_sector", u64::from(damage.tore_middle));
        marks.add("disk.crash_lost_a_name", u64::from(damage.lost_name));
        self.network.end_process(&mut self.schedule, site, boot, kept_ppm.is_some(), marks);
        self.trace.note(format_args!("n{} ends, life {boot}: {damage:?}", site + 1));
        self.settle_astray(site);
        true
    }

    /// A fault begins.
    pub(super) fn begin(&mut self, number: usize) {
        if self.stages.is_frozen() {
            // It waited for a moment that has not come.
            return;
        }
        let Fault { at_ms, lasts_ms, what } = self.plan.faults[number].clone();
        match self.turnout(&what, at_ms) {
            Turnout::Now => {}
            Turnout::Never => return,
            Turnout::Later => {
                return self.schedule.after(MOMENT_STEP, Happening::Fault { fault: number });
            }
        }
        self.trace.note(format_args!("fault {number}: {what:?} for {lasts_ms} ms"));
        self.in_force[number] = true;
        self.stages.saw(&what);
        match &what {
            Trouble::Kill { site } => self.take_down(*site, None, "fault.killed_a_process"),
            Trouble::PowerLoss { site, kept_ppm } | Trouble::PowerLossAtWrite { site, kept_ppm, .. } => {
                self.take_down(*site, Some(*kept_ppm), "fault.power_was_lost");
            }
            Trouble::KillAtSync { site } => self.kill_at_sync(*site),
            Trouble::Blackout { kept_ppm } => {
                for site in 0..self.plan.sites.len() {
                    self.take_down(site, Some(*kept_ppm), "fault.power_was_lost_everywhere");
                }
            }
            Trouble::Stop { site } => {
                if let Some(process) = &mut self.nodes[*site].process {
                    process.asked(STOP, Question::Stop);
                    self.marks.hit("fault.asked_to_stop");
                    self.want_turn(*site);
                }
            }
            Trouble::Pause { site } => {
                self.nodes[*site].pauses += 1;
                self.marks.hit("fault.paused_a_process");
            }
            Trouble::PauseAll => {
                self.nodes.iter_mut().for_each(|node| node.pauses += 1);
                self.marks.hit("fault.paused_everybody");
            }
            Trouble::Cut { .. }
            | Trouble::Isolate { .. }
            | Trouble::Halves { .. }
            | Trouble::Bridge { .. }
            | Trouble::Swallow { .. }
            | Trouble::Misroute { .. } => self.begin_on_network(&what),
            Trouble::Drift { .. } | Trouble::Jump { .. } => self.begin_on_clock(&what),
            Trouble::WriteFails { .. }
            | Trouble::SyncFails { .. }
            | Trouble::ReadFails { .. }
            | Trouble::Full { .. }
            | Trouble::Slow { .. }
            | Trouble::SlowReads { .. }
            | Trouble::Rot { .. }
            | Trouble::RotJournal { .. }
            | Trouble::Decay { .. }
            | Trouble::Astray { .. }
            | Trouble::Rollback { .. }
            | Trouble::Wipe { .. }
            | Trouble::Swap { .. } => self.begin_on_disk(&what, number),
            Trouble::Stranger { site } => self.be_a_stranger(*site, true),
            Trouble::Dark { site, when, kept_ppm } => self.go_dark(*site, *when, *kept_ppm),
            Trouble::Hangup { client } => {
                self.marks.hit("fault.hung_a_client_up");
                self.with_client(*client, |client, street| client.hang_up(street));
            }
        }
        self.schedule.after(lasts_ms * MILLI, Happening::Mended { fault: number });
    }

    /// What goes wrong between places.
    fn begin_on_network(&mut self, what: &Trouble) {
        match what {
            Trouble::Cut { .. }
            | Trouble::Isolate { .. }
            | Trouble::Halves { .. }
            | Trouble::Bridge { .. } => {
                for (from, to) in what.cuts(self.plan.sites.len(), self.clients.len()) {
                    self.network.cut(&mut self.schedule, from, to);
                }
                self.marks.hit(match what {
                    Trouble::Cut { .. } => "fault.cut_one_way",
                    Trouble::Isolate { .. } => "fault.isolated_a_site",
                    Trouble::Halves { .. } => "fault.cut_into_halves",
                    _ => "fault.cut_but_for_a_bridge",
                });
            }
            Trouble::Swallow { from, to } => {
                let is_any = self.network.swallow(&mut self.schedule, *from, *to);
                self.marks.add("fault.swallowed_a_stream", u64::from(is_any));
            }
            Trouble::Misroute { site, answers } => {
                self.answers[*site] = *answers;
                self.open_doors();
                self.marks.hit("fault.somebody_else_answered");
            }
            _ => {}
        }
    }

    /// A process ends, and starts with another secret, or with the right one again: where the cluster has one.
    fn be_a_stranger(&mut self, site: usize, is_strange: bool) {
        if self.nodes[site].config.secrets.is_empty() {
            return;
        }
        self.end_process(site, false);
        if is_strange {
            self.strange.insert(site);
            self.nodes[site].config.secrets = strange_secrets();
            self.marks.hit("fault.somebody_had_a_wrong_secret");
        } else {
            self.strange.remove(&site);
            self.nodes[site].config.secrets = secrets(&self.plan, site);
        }
        self.schedule.after(MILLI, Happening::Start { site });
    }

    /// What goes wrong with a clock.
    fn begin_on_clock(&mut self, what: &Trouble) {
        match what {
            Trouble::Drift { site, ppm } => {
                self.nodes[*site].clock.drift(self.schedule.now(), *ppm);
                self.marks.hit("fault.changed_a_drift");
            }
            Trouble::Jump { site, by_ms } => {
                self.nodes[*site].clock.jump(*by_ms);
                let is_back = *by_ms < 0;
                self.marks.hit(if is_back {
                    "fault.moved_a_clock_back"
                } else {
                    "fault.moved_a_clock_forth"
                });
            }
            _ => {}
        }
    }

    /// What goes wrong with a disk.
    fn begin_on_disk(&mut self, what: &Trouble, number: usize) {
        match what {
            Trouble::WriteFails { site } => self.nodes[*site].disk.armed_mut().writes += 1,
            Trouble::SyncFails { site } => self.nodes[*site].disk.armed_mut().syncs += 1,
            Trouble::ReadFails { site } => self.nodes[*site].disk.armed_mut().reads += 1,
            Trouble::Full { site } => {
                let disk = &mut self.nodes[*site].disk;
                disk.set_capacity(disk.used());
                self.marks.hit("fault.filled_a_disk");
            }
            Trouble::Slow { site, factor } => {
                let disk = &mut self.nodes[*site].disk;
                let pace = disk.pace();
                let slow = Pace {
                    touch_ns: pace.touch_ns.saturating_mul(*factor).min(5_000 * MILLI),
                    sync_ns: pace.sync_ns.saturating_mul(*factor).min(30_000 * MILLI),
                    ..pace
                };
                disk.set_pace(slow);
                self.marks.hit("fault.slowed_a_disk");
            }
            Trouble::SlowReads { site, factor } => {
                let disk = &mut self.nodes[*site].disk;
                disk.set_pace(Pace { read_factor: *factor, ..disk.pace() });
                self.marks.hit("fault.slowed_reads");
            }
            Trouble::Rot { site } => self.rot(*site, number),
            Trouble::RotJournal { site } => {
                self.take_down(*site, Some(0), "fault.power_was_lost");
                self.rot_journal(*site, number);
            }
            Trouble::Decay { site, of, how } => self.decay(*site, number, *of, *how),
            Trouble::Astray { site, of, how } => {
                self.nodes[*site].disk.armed_mut().astray = Some((*of, *how));
            }
            Trouble::Rollback { site, .. } => self.begin_rollback(*site, number),
            Trouble::Wipe { site } => self.wipe(*site),
            Trouble::Swap { site, with } => self.swap(*site, *with),
            _ => {}
        }
    }

    /// A fault has lasted as long as the plan says.
    pub(super) fn mend(&mut self, number: usize) {
        if !self.in_force[number] || self.stages.is_frozen() {
            return;
        }
        self.undo(number);
    }

    /// The core is healed; all other faults stay as they are for ever.
    pub(super) fn heal(&mut self) {
        self.trace.note(format_args!("faults freeze; the core {:?} is healed", self.plan.core));
        self.stages.freeze(self.schedule.now(), self.bounds());
        self.network.calm_down();
        // A cluster is founded by all its members: one that is not yet cannot do without some of them.
        let is_founded = self.claims.elections > 0 || self.plan.sites.len() == 1;
        let core = if is_founded { self.plan.core.clone() } else { (0..self.plan.sites.len()).collect() };
        let mut broken: Vec<usize> = Vec::new();
        for number in 0..self.plan.faults.len() {
            if !self.in_force[number] {
                continue;
            }
            let what = self.plan.faults[number].what.clone();
            let is_outside = what.site().is_some_and(|site| !core.contains(&site));
            match what {
                Trouble::Cut { .. }
                | Trouble::Isolate { .. }
                | Trouble::Halves { .. }
                | Trouble::Bridge { .. } => {
                    self.mend_cuts_within(&what, &core);
                    broken.extend(what.site().filter(|_| is_outside));
                    self.in_force[number] = false;
                }
                // A wrong wall clock breaks no node: it goes on leading, and rightly refuses what seems to come from
                // the future. Nor does a door that leads elsewhere; and two with each other's disks are no minority. Who
                // has come with a wrong secret has it for as long as nobody looks.
                Trouble::Blackout { .. }
                | Trouble::Jump { .. }
                | Trouble::Misroute { .. }
                | Trouble::Stranger { .. }
                | Trouble::Swap { .. } => self.undo(number),
                Trouble::Rollback { .. } => drop(self.copies.remove(&number)),
                _ if !is_outside => self.undo(number),
                _ => {
                    broken.extend(what.site());
                    self.marks.hit("fault.stays_for_ever");
                }
            }
        }
        // A node whose disk has lost something may be refused for ever, or have replicas that are dead.
        broken.extend(
            (0..self.plan.sites.len()).filter(|site| self.stages.has_lost(*site) && !core.contains(site)),
        );
        for site in &core {
            self.nodes[*site].disk.heal();
            self.start_disk_works(*site);
            self.schedule.after(MILLI, Happening::Start { site: *site });
        }
        for client in 0..self.clients.len() {
            self.clients[client].calm(&core, &broken);
        }
        self.schedule.after(MILLI, Happening::Look);
    }

    /// What the failing sync left in the page cache is read by the next life, and is not on the disk.
    fn kill_at_sync(&mut self, site: usize) {
        self.nodes[site].disk.armed_mut().syncs += 1;
        self.take_down(site, None, "fault.killed_a_process");
        let armed = self.nodes[site].disk.armed_mut();
        if armed.syncs == 0 {
            self.marks.hit("fault.killed_while_a_sync_failed");
        }
        armed.syncs = armed.syncs.saturating_sub(1);
    }

    fn go_dark(&mut self, site: Option<usize>, when: Moment, kept_ppm: u64) {
        let sites = site.map_or(0..self.plan.sites.len(), |site| site..site + 1);
        sites.for_each(|site| self.take_down(site, Some(kept_ppm), "fault.power_was_lost"));
        self.marks.hit(match when {
            Moment::Checkpoint => "fault.power_was_lost_in_a_checkpoint",
            Moment::Frame => "fault.power_was_lost_in_a_frame",
            Moment::Mend => "fault.power_was_lost_in_a_mending",
            Moment::CaughtUp => "fault.power_was_lost_after_a_snapshot",
            Moment::Recovery => "fault.power_was_lost_in_a_recovery",
        });
    }

    pub(super) fn take_down(&mut self, site: usize, kept_ppm: Option<u64>, mark: &'static str) {
        self.nodes[site].downs += 1;
        if self.end_process_losing(site, kept_ppm) {
            self.marks.hit(mark);
        }
    }

    pub(super) fn undo(&mut self, number: usize) {
        self.in_force[number] = false;
        let what = self.plan.faults[number].what.clone();
        self.trace.note(format_args!("mended {number}: {what:?}"));
        match &what {
            Trouble::Kill { site }
            | Trouble::PowerLoss { site, .. }
            | Trouble::PowerLossAtWrite { site, .. }
            | Trouble::KillAtSync { site }
            | Trouble::RotJournal { site }
            | Trouble::Decay { site, .. }
            | Trouble::Wipe { site }
            | Trouble::Dark { site: Some(site), .. } => self.bring_up(*site),
            Trouble::Blackout { .. } | Trouble::Dark { site: None, .. } => {
                (0..self.plan.sites.len()).for_each(|site| self.bring_up(site));
            }
            Trouble::Pause { site } => self.wake_up(*site),
            Trouble::PauseAll => (0..self.plan.sites.len()).for_each(|site| self.wake_up(site)),
            Trouble::Rollback { site, of } => self.end_rollback(*site, number, *of),
            Trouble::Swap { site, with } => {
                if self.stages.are_swapped(*site, *with) {
                    self.swap(*site, *with);
                }
            }
            Trouble::Misroute { site, .. } => {
                self.answers[*site] = *site;
                self.open_doors();
                self.network.end_strays(&mut self.schedule);
            }
            Trouble::Cut { .. }
            | Trouble::Isolate { .. }
            | Trouble::Halves { .. }
            | Trouble::Bridge { .. } => {
                for (from, to) in what.cuts(self.plan.sites.len(), self.clients.len()) {
                    self.network.mend(&mut self.schedule, from, to);
                }
            }
            Trouble::Drift { site, .. } => {
                let drift = self.plan.sites[*site].drift_ppm;
                self.nodes[*site].clock.drift(self.schedule.now(), drift);
            }
            Trouble::SlowReads { .. } | Trouble::Full { .. } | Trouble::Slow { .. } => {
                self.undo_on_disk(&what)
            }
            Trouble::Stranger { site } => self.be_a_stranger(*site, false),
            Trouble::Jump { site, by_ms } => self.nodes[*site].clock.jump(-by_ms),
            Trouble::Stop { .. }
            | Trouble::WriteFails { .. }
            | Trouble::SyncFails { .. }
            | Trouble::ReadFails { .. }
            | Trouble::Rot { .. }
            | Trouble::Astray { .. }
            | Trouble::Swallow { .. }
            | Trouble::Hangup { .. } => {}
        }
    }

    /// A disk is as it was.
    fn undo_on_disk(&mut self, what: &Trouble) {
        match what {
            Trouble::SlowReads { site, .. } => {
                let disk = &mut self.nodes[*site].disk;
                disk.set_pace(Pace { read_factor: 1, ..disk.pace() });
                disk.go_on();
                self.start_disk_works(*site);
            }
            Trouble::Full { site } => {
                let capacity = self.plan.sites[*site].capacity;
                self.nodes[*site].disk.set_capacity(capacity);
            }
            Trouble::Slow { site, .. } => {
                let own = &self.plan.sites[*site];
                let pace = Pace {
                    touch_ns: own.touch_ns,
                    sync_ns: own.sync_ns,
                    byte_ps: own.byte_ps,
                    read_factor: 1,
                };
                self.nodes[*site].disk.set_pace(pace);
            }
            _ => {}
        }
    }

    /// A process goes on: all that came meanwhile is there at once.
    fn wake_up(&mut self, site: usize) {
        let node = &mut self.nodes[site];
        node.pauses -= 1;
        node.has_slept = node.pauses == 0;
        self.want_turn(site);
    }

    /// Who answers where has changed.
    pub(super) fn open_doors(&mut self) {
        for (door, answers) in self.doors.iter_mut().zip(&self.answers) {
            *door = self.listening[*answers];
        }
    }

    fn bring_up(&mut self, site: usize) {
        let node = &mut self.nodes[site];
        node.downs -= 1;
        if node.downs == 0 {
            self.schedule.after(MILLI, Happening::Start { site });
        }
    }

    /// Cuts between sound places are mended; what cuts an outsider off stays.
    fn mend_cuts_within(&mut self, what: &Trouble, core: &[usize]) {
        let is_sound = |spot: Spot| match spot {
            Spot::Site(site) => core.contains(&site),
            Spot::Client(_) => true,
        };
        // An outsider that its peers can hear may lead; a client cut off from it for ever could not be served.
        let is_of_a_client = matches!(
            what,
            Trouble::Cut { from: Spot::Client(_), .. } | Trouble::Cut { to: Spot::Client(_), .. }
        );
        for (from, to) in what.cuts(self.plan.sites.len(), self.clients.len()) {
            if is_of_a_client || is_sound(from) && is_sound(to) {
                self.network.mend(&mut self.schedule, from, to);
            } else {
                self.marks.hit("fault.stays_for_ever");
            }
        }
    }
}
