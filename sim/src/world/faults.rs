//! Faults of the plan: how each begins, how it is mended, and the great healing of the core.
//!
//! A fault that finds nothing to break (a process that is down already) has no effect and no mark.

use super::World;
use crate::claims::frames;
use crate::clock::MILLI;
use crate::disk::Pace;
use crate::disk::image::PAGE;
use crate::disk::inode::Loss;
use crate::network::Spot;
use crate::node::Process;
use crate::plan::{Fault, Trouble};
use crate::schedule::Happening;
use crate::wire::Place;
use rust_mq_core::event::Question;
use rust_mq_core::file::File;

/// So many of the newest frames may rot: older ones are covered by a checkpoint, and nobody reads them.
const ROT_FRAMES: usize = 12;
/// How long a loss of power waits for the write that it shall tear, milliseconds.
const MOMENT_WAIT_MS: u64 = 2_000;
/// How often it looks.
const MOMENT_STEP: u64 = MILLI / 4;
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
        let seed = self.root.key("boot", &[site as u64]).throw(u64::from(boot)).word();
        node.process = Some(Process::new(node.config.clone(), seed));
        self.listening[site] = Some(Place::Site { site, boot });
        self.trace.note(format_args!("n{} starts, life {boot}", site + 1));
        self.want_turn(site);
    }

    /// A process ends; its disk does what the page cache allows.
    pub(super) fn end_process(&mut self, site: usize, is_power_off: bool) {
        self.end_process_losing(site, if is_power_off { Some(0) } else { None });
    }

    fn end_process_losing(&mut self, site: usize, kept_ppm: Option<u64>) -> bool {
        let node = &mut self.nodes[site];
        if node.process.take().is_none() {
            return false;
        }
        let boot = node.boot;
        self.listening[site] = None;
        let loss = kept_ppm.map_or(Loss::Nothing, |kept_ppm| Loss::Sectors { kept_ppm });
        let mut dice = self.root.key("crash", &[site as u64]).throw(u64::from(boot));
        let damage = node.disk.crash(loss, &mut dice);
        for item in self.claims.crashed(site, &node.disk, &mut self.verdict) {
            self.trace.remark(|| format!("n{} durable by luck: {item:?}", site + 1));
        }
        let marks = &mut self.marks;
        marks.add("disk.crash_undid_work", damage.undone as u64);
        marks.add("disk.crash_kept_later_lost_earlier", u64::from(damage.is_reordered));
        marks.add("disk.crash_tore_a_middle_sector", u64::from(damage.tore_middle));
        marks.add("disk.crash_lost_a_name", u64::from(damage.lost_name));
        self.network.end_process(&mut self.schedule, site, boot, kept_ppm.is_some(), marks);
        self.trace.note(format_args!("n{} ends, life {boot}: {damage:?}", site + 1));
        true
    }

    /// A fault begins.
    pub(super) fn begin(&mut self, number: usize) {
        let Fault { at_ms, lasts_ms, what } = self.plan.faults[number].clone();
        if !self.is_moment(&what, at_ms) {
            if !self.stages.is_frozen() {
                self.schedule.after(MOMENT_STEP, Happening::Fault { fault: number });
            }
            return;
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
                for site in 0..self.plan.sites {
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
            Trouble::Cut { .. }
            | Trouble::Isolate { .. }
            | Trouble::Halves { .. }
            | Trouble::Bridge { .. } => {
                for (from, to) in what.cuts(self.plan.sites, self.clients.len()) {
                    self.network.cut(&mut self.schedule, from, to);
                }
            }
            Trouble::Drift { site, ppm } => {
                self.nodes[*site].clock.drift(self.schedule.now(), *ppm);
                self.marks.hit("fault.changed_a_drift");
            }
            Trouble::Jump { site, by_ms } => {
                self.nodes[*site].clock.jump(*by_ms);
                self.marks.hit("fault.moved_a_wall_clock");
            }
            Trouble::WriteFails { .. }
            | Trouble::SyncFails { .. }
            | Trouble::ReadFails { .. }
            | Trouble::Full { .. }
            | Trouble::Slow { .. }
            | Trouble::Rot { .. }
            | Trouble::RotJournal { .. } => self.begin_on_disk(&what, number),
            Trouble::Hangup { client } => {
                self.marks.hit("fault.hung_a_client_up");
                self.with_client(*client, |client, street| client.hang_up(street));
            }
        }
        self.schedule.after(lasts_ms * MILLI, Happening::Mended { fault: number });
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
                    byte_ps: pace.byte_ps,
                };
                disk.set_pace(slow);
                self.marks.hit("fault.slowed_a_disk");
            }
            Trouble::Rot { site } => self.rot(*site, number),
            Trouble::RotJournal { site } => {
                self.take_down(*site, Some(0), "fault.power_was_lost");
                self.rot_journal(*site, number);
            }
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
        let is_founded = self.claims.elections > 0 || self.plan.sites == 1;
        let core = if is_founded { self.plan.core.clone() } else { (0..self.plan.sites).collect() };
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
                // the future.
                Trouble::Blackout { .. } | Trouble::Jump { .. } => self.undo(number),
                _ if !is_outside => self.undo(number),
                _ => {
                    broken.extend(what.site());
                    self.marks.hit("fault.stays_for_ever");
                }
            }
        }
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

    /// Whether a fault that waits for a moment has it: what shall be torn is being written, a checkpoint, or a frame,
    /// at first only a large one; or a sync is under way. After a while any moment will do.
    fn is_moment(&self, what: &Trouble, at_ms: u64) -> bool {
        let waited_ms = (self.schedule.now().0 / MILLI).saturating_sub(at_ms);
        let bytes_min = if waited_ms < MOMENT_WAIT_MS / 2 { 2 * PAGE } else { PAGE };
        let has_come = match what {
            Trouble::PowerLossAtWrite { site, is_checkpoint, .. } => {
                self.nodes[*site].disk.is_writing(|file, bytes| match file {
                    File::Checkpoint(_) => *is_checkpoint,
                    File::Journal(_) => !is_checkpoint && bytes >= bytes_min as u64,
                    _ => false,
                })
            }
            Trouble::KillAtSync { site } => self.nodes[*site].disk.is_syncing(),
            _ => true,
        };
        has_come || waited_ms >= MOMENT_WAIT_MS
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

    fn take_down(&mut self, site: usize, kept_ppm: Option<u64>, mark: &'static str) {
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
            | Trouble::RotJournal { site } => self.bring_up(*site),
            Trouble::Blackout { .. } => (0..self.plan.sites).for_each(|site| self.bring_up(site)),
            Trouble::Pause { site } => {
                self.nodes[*site].pauses -= 1;
                self.want_turn(*site);
            }
            Trouble::Cut { .. }
            | Trouble::Isolate { .. }
            | Trouble::Halves { .. }
            | Trouble::Bridge { .. } => {
                for (from, to) in what.cuts(self.plan.sites, self.clients.len()) {
                    self.network.mend(&mut self.schedule, from, to);
                }
            }
            Trouble::Drift { site, .. } => {
                let drift = self.plan.machines[*site].drift_ppm;
                self.nodes[*site].clock.drift(self.schedule.now(), drift);
            }
            Trouble::Full { site } => {
                let capacity = self.plan.machines[*site].capacity;
                self.nodes[*site].disk.set_capacity(capacity);
            }
            Trouble::Slow { site, .. } => {
                let machine = &self.plan.machines[*site];
                let pace =
                    Pace { touch_ns: machine.touch_ns, sync_ns: machine.sync_ns, byte_ps: machine.byte_ps };
                self.nodes[*site].disk.set_pace(pace);
            }
            Trouble::Jump { site, by_ms } => self.nodes[*site].clock.jump(-by_ms),
            Trouble::Stop { .. }
            | Trouble::WriteFails { .. }
            | Trouble::SyncFails { .. }
            | Trouble::ReadFails { .. }
            | Trouble::Rot { .. }
            | Trouble::Hangup { .. } => {}
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
        for (from, to) in what.cuts(self.plan.sites, self.clients.len()) {
            if is_of_a_client || is_sound(from) && is_sound(to) {
                self.network.mend(&mut self.schedule, from, to);
            } else {
                self.marks.hit("fault.stays_for_ever");
            }
        }
    }

    /// Some bytes of durable segments change on their own: mostly of those that their logs have finished, as disks
    /// hold more of them, and nothing else will write there.
    fn rot(&mut self, site: usize, number: usize) {
        let disk = &mut self.nodes[site].disk;
        let segments: Vec<(File, u64)> = disk
            .durable_files()
            .filter(|(file, image)| matches!(file, File::Segment(_)) && !image.is_empty())
            .map(|(file, image)| (file, image.len()))
            .collect();
        let mut dice = self.root.key("rot", &[]).throw(number as u64);
        let finished = |(file, _): &&(File, u64)| {
            let File::Segment(one) = file else { return false };
            let is_later = |(other, _): &(File, u64)| {
                matches!(other, File::Segment(other)
                if other.of == one.of && other.base > one.base)
            };
            segments.iter().any(is_later)
        };
        let sealed: Vec<(File, u64)> = segments.iter().filter(finished).copied().collect();
        let among = if sealed.is_empty() || dice.below(4) == 0 { &segments } else { &sealed };
        if among.is_empty() {
            return;
        }
        if !sealed.is_empty() {
            self.marks.hit("disk.had_sealed_segments_to_rot");
        }
        for _ in 0..dice.between(1, 6) {
            let (file, len) = *dice.pick(among);
            let mask = 1 << dice.below(8);
            if disk.flip(file, dice.below(len), mask) {
                self.marks.hit("disk.rotted");
            }
        }
    }

    /// A durable frame of the journal becomes unreadable, with another whole one after it, so that a recovery can
    /// tell rot from a torn write. Not before there is a cluster: it takes all members to found one.
    fn rot_journal(&mut self, site: usize, number: usize) {
        let disk = &mut self.nodes[site].disk;
        let frames = frames::all(disk);
        let mut dice = self.root.key("rot", &[]).throw(number as u64);
        let candidates = frames.len().saturating_sub(1);
        if candidates == 0 || self.claims.elections == 0 {
            return;
        }
        let nearest = candidates - 1 - dice.index(candidates.min(ROT_FRAMES));
        let (file, at, _) = &frames[nearest];
        if disk.flip(*file, at + dice.below(frames::HEADER), 1 << dice.below(8)) {
            self.stages.spoil(site);
            self.marks.hit("disk.rotted_in_the_journal");
        }
    }
}
