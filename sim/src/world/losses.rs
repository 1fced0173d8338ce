//! What disks lose that they had said they keep: decay, writes that went astray, disks that lie, are wiped or swapped.
//!
//! Such a loss comes to a disk while no process uses it; before it counts, the atlas is asked what it would cost
//! (`claims::atlas`). What it does not allow is undone, and has not happened.
//!
//! Rot of segments, and of journals that a later frame proves, is within the atlas by itself: nobody is asked.

use super::World;
use crate::claims::{Demands, frames, rehearsal};
use crate::clock::MILLI;
use crate::disk::Disk;
use crate::schedule::Happening;
use crate::trouble::{Decay, FileKind};
use rust_mq_core::file::File;

/// So many of the newest frames may rot: older ones are covered by a checkpoint, and nobody reads them.
const ROT_FRAMES: usize = 12;

impl World {
    /// Some bytes of durable segments change on their own: mostly of those that their logs have finished, as disks
    /// hold more of them, and nothing else will write there.
    pub(super) fn rot(&mut self, site: usize, number: usize) {
        if self.stages.is_swapped(site) {
            return;
        }
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
    pub(super) fn rot_journal(&mut self, site: usize, number: usize) {
        let disk = &mut self.nodes[site].disk;
        let frames = frames::in_force(disk);
        let mut dice = self.root.key("rot", &[]).throw(number as u64);
        let candidates = frames.len().saturating_sub(1);
        if candidates == 0 || self.claims.elections == 0 || self.stages.is_swapped(site) {
            return;
        }
        let nearest = candidates - 1 - dice.index(candidates.min(ROT_FRAMES));
        let (file, at, _) = &frames[nearest];
        if disk.flip(*file, at + dice.below(frames::HEADER), 1 << dice.below(8)) {
            self.stages.spoil(site);
            self.marks.hit("disk.rotted_in_the_journal");
        }
    }

    /// A file decays while the power is off.
    pub(super) fn decay(&mut self, site: usize, number: usize, of: FileKind, how: Decay) {
        self.take_down(site, Some(0), "fault.power_was_lost");
        if !self.may_lose(site) {
            return;
        }
        let mut candidate = self.nodes[site].disk.clone();
        let mut dice = self.root.key("decay", &[]).throw(number as u64);
        if !candidate.decay(of, how, &mut dice) {
            return;
        }
        if of.is_of_records() {
            self.stages.spoil(site);
            self.nodes[site].disk = candidate;
        } else {
            candidate.bake();
            if !self.loses(site, candidate) {
                return;
            }
        }
        self.marks.hit(match how {
            Decay::Flip | Decay::FlipNewest => "disk.decayed_by_a_bit",
            Decay::Blank => "disk.decayed_by_a_sector",
            Decay::CutOff => "disk.cut_a_file_off",
            Decay::Gone => "disk.lost_a_file",
        });
        self.marks.hit(match of {
            FileKind::Journal => "disk.decayed_in_a_journal",
            FileKind::Checkpoint => "disk.decayed_in_a_checkpoint",
            FileKind::NodeMeta => "disk.decayed_in_node_meta",
            FileKind::Segment => "disk.decayed_in_a_segment",
            FileKind::Index => "disk.decayed_in_an_index",
        });
    }

    /// A process has ended: what went astray of what its disk had promised counts from now on, or never was.
    pub(super) fn settle_astray(&mut self, site: usize) {
        if !self.nodes[site].disk.has_lost_promises() {
            return;
        }
        let mut candidate = self.nodes[site].disk.clone();
        candidate.bake();
        if !self.loses(site, candidate) {
            self.nodes[site].disk.spare_promises();
        }
    }

    /// From now on a disk lies, or is copied to be put back.
    pub(super) fn begin_rollback(&mut self, site: usize, number: usize) {
        if !self.stages.is_swapped(site) {
            self.copies.insert(number, self.nodes[site].disk.durable_alone());
        }
    }

    /// It has lied for long enough.
    pub(super) fn end_rollback(&mut self, site: usize, number: usize, of: Option<FileKind>) {
        let Some(copy) = self.copies.remove(&number) else { return };
        if self.end_process_losing(site, Some(0)) {
            self.marks.hit("fault.power_was_lost");
        }
        self.schedule.after(MILLI, Happening::Start { site });
        if !self.may_lose(site) {
            return;
        }
        let mut candidate = self.nodes[site].disk.clone();
        candidate.put_back(&copy, of);
        candidate.bake();
        if self.loses(site, candidate) {
            self.marks.hit(if of.is_some() { "disk.lost_writes_of_a_kind" } else { "disk.was_rolled_back" });
        }
    }

    /// An empty disk is put in.
    pub(super) fn wipe(&mut self, site: usize) {
        self.take_down(site, Some(0), "fault.power_was_lost");
        if self.may_lose(site) {
            self.stages.loses(site);
            self.nodes[site].disk.wipe();
            self.claims.is_wiped(site);
            self.marks.hit("disk.was_wiped");
        }
    }

    /// Two sites have each other's disks; again, and each has its own.
    pub(super) fn swap(&mut self, site: usize, with: usize) {
        let has_data = |site: usize| self.claims.has_promised(site);
        let is_swapped = self.stages.are_swapped(site, with);
        let is_free = !self.stages.is_swapped(site) && !self.stages.is_swapped(with);
        let may_be = is_free && self.copies.is_empty() && has_data(site) && has_data(with);
        if site == with || !is_swapped && !may_be {
            return;
        }
        self.end_process_losing(site, Some(0));
        self.end_process_losing(with, Some(0));
        let (low, high) = (site.min(with), site.max(with));
        let (left, right) = self.nodes.split_at_mut(high);
        left[low].disk.trade(&mut right[0].disk);
        self.stages.swap(site, with);
        self.marks.hit("disk.was_swapped");
        for site in [site, with] {
            self.schedule.after(MILLI, Happening::Start { site });
        }
    }

    /// Nothing is lost before there is a cluster: it takes all members to found one.
    fn may_lose(&self, site: usize) -> bool {
        self.claims.elections > 0 && !self.stages.is_swapped(site)
    }

    /// A disk shall be so from now on. Whether it may.
    fn loses(&mut self, site: usize, candidate: Disk) -> bool {
        let node = &self.nodes[site];
        let now = node.clock.now(self.schedule.now());
        let mut shadow = self.claims.shadow(site).clone();
        let seed = self.plan.seed;
        let started = rehearsal::start(now, &mut candidate.clone(), &node.config, seed, &mut shadow);
        if self.plan.demands == Demands::Safety && !self.claims.is_bearable(site, &started) {
            self.marks.hit("atlas.forbade_a_loss");
            self.trace.note(format_args!("n{}: the atlas forbids what its disk would lose", site + 1));
            return false;
        }
        self.trace.note(format_args!(
            "n{} has lost something: {:?}, {:?}",
            site + 1,
            started.ending,
            started.damaged
        ));
        self.stages.loses(site);
        self.claims.has_lost(site, &started, &candidate, &mut self.verdict);
        self.nodes[site].disk = candidate;
        self.marks.hit("atlas.allowed_a_loss");
        true
    }
}
