//! What a disk does to bytes that it has: decay of a file that lies there, and writes that are said to have worked and
//! went astray.
//!
//! Not here: whether a run allows it (`world::atlas`).

use super::image::SECTOR;
use super::inode::Inode;
use super::{Disk, Job};
use crate::dice::Dice;
use crate::trouble::{Astray, Decay, FileKind};
use bytes::BytesMut;
use rust_mq_core::file::File;
use std::collections::BTreeSet;

/// The largest write that goes astray.
const ASTRAY_MAX: u64 = 256 << 10;
/// Where one of the newest bytes of a file is looked for, back from its last that is not zero.
const NEWEST_BYTES: u64 = 8 << 10;
/// What is read at a time where that is looked for.
const LOOK_BYTES: u64 = 64 << 10;

/// What somebody did to a disk's files.
#[derive(Clone, Debug, Default)]
pub(super) struct Tampered {
    /// Something of them was taken away.
    short: BTreeSet<File>,
    /// They had been removed, and are there again.
    came_back: BTreeSet<File>,
}

impl Disk {
    /// Whether a write over bytes that are durable already was asked for in a file that is meant, and is not performed yet.
    pub fn is_writing_over(&self, is_meant: impl Fn(File) -> bool) -> bool {
        self.works.values().any(|work| match &work.job {
            Job::Write { at, .. } => {
                let durable = self.files.get(&work.files[0]).map_or(0, |inode| inode.durable().len());
                is_meant(work.files[0]) && *at < durable
            }
            _ => false,
        })
    }

    /// What is where a write goes that shall go astray, if this is the one.
    pub(super) fn reads_before(&mut self, file: File, at: u64, len: u64) -> Option<(Astray, BytesMut)> {
        let (_, how) = self.armed.astray.filter(|(of, _)| *of == FileKind::of(file) && len <= ASTRAY_MAX)?;
        self.armed.astray = None;
        let mut before = self.files.get(&file).map_or_else(BytesMut::new, |inode| inode.read(at, len));
        before.resize(len as usize, 0);
        Some((how, before))
    }

    /// What its faults did since the last call, as marks.
    pub fn take_effects(&mut self) -> Vec<&'static str> {
        std::mem::take(&mut self.effects)
    }

    /// Flips bits of one durable byte of a file; false if there is no such byte.
    pub fn flip(&mut self, file: File, at: u64, mask: u8) -> bool {
        self.files.get_mut(&file).is_some_and(|inode| inode.flip(at, mask))
    }

    /// Everything is gone, as on a new disk.
    pub fn wipe(&mut self) {
        self.forget_work();
        self.files.clear();
    }

    /// Something of a file of that kind is lost that was durable. Precondition: no process uses the disk. False if there
    /// is no such file.
    pub fn decay(&mut self, of: FileKind, how: Decay, dice: &mut Dice) -> bool {
        let is_one = |(file, inode): &(&File, &mut Inode)| FileKind::of(**file) == of && !inode.is_empty();
        let mut files: Vec<(&File, &mut Inode)> = self.files.iter_mut().filter(is_one).collect();
        if files.is_empty() {
            return false;
        }
        let place = dice.index(files.len());
        let file = *files[place].0;
        let inode = &mut *files[place].1;
        let len = inode.len();
        match how {
            Decay::Flip => drop(inode.flip(dice.below(len), 1 << dice.below(8))),
            Decay::FlipNewest => {
                let Some(last) = last_byte(inode) else { return false };
                let at = last.saturating_sub(dice.below(NEWEST_BYTES));
                inode.flip(at, 1 << dice.below(8));
            }
            Decay::Blank => {
                let at = dice.below(len) / SECTOR * SECTOR;
                let zeros = [0; SECTOR as usize];
                inode.overlay(at, &zeros[..(len - at).min(SECTOR) as usize]);
                inode.sync();
            }
            Decay::CutOff => {
                inode.cut_off(dice.below(len));
                self.tampered.short.insert(file);
            }
            Decay::Gone => {
                self.files.remove(&file);
                self.tampered.short.insert(file);
            }
        }
        true
    }

    /// What is left when power fails and no luck comes with it: what is durable, and nothing else.
    pub fn durable_alone(&self) -> Disk {
        let mut disk = self.clone();
        disk.forget_work();
        disk.files.retain(|_, inode| inode.revert());
        disk
    }

    /// Each has what the other had. Precondition: no process uses either. What is wrong with a site's way to its disk
    /// stays with the site.
    pub fn trade(&mut self, other: &mut Disk) {
        std::mem::swap(&mut self.files, &mut other.files);
        std::mem::swap(&mut self.tampered, &mut other.tampered);
    }

    /// Whether work on a file of that kind was asked for, and is not performed yet.
    pub fn is_asked_for(&self, kind: FileKind) -> bool {
        self.queues.keys().any(|file| FileKind::of(*file) == kind)
    }

    /// Whether somebody took something of that file away.
    pub fn is_short(&self, file: File) -> bool {
        self.tampered.short.contains(&file)
    }

    /// Whether the process had removed that file and somebody put it back.
    pub fn came_back(&self, file: File) -> bool {
        self.tampered.came_back.contains(&file)
    }

    /// Whether readers get something else than what was written, of what is no records.
    pub fn has_lost_promises(&self) -> bool {
        let is_one =
            |(file, inode): (&File, &Inode)| !FileKind::of(*file).is_of_records() && inode.is_rotten();
        self.files.iter().any(is_one)
    }

    /// What readers get of what is no records is what was written, from now on.
    pub fn bake(&mut self) {
        let of_promises = self.files.iter_mut().filter(|(file, _)| !FileKind::of(**file).is_of_records());
        of_promises.for_each(|(_, inode)| inode.bake());
    }

    /// What was written of what is no records is what readers get, from now on.
    pub fn spare_promises(&mut self) {
        let of_promises = self.files.iter_mut().filter(|(file, _)| !FileKind::of(**file).is_of_records());
        of_promises.for_each(|(_, inode)| inode.heal());
    }

    /// The files of that kind, or all, are as they are in `earlier`. Precondition: no process uses either.
    pub fn put_back(&mut self, earlier: &Disk, of: Option<FileKind>) {
        let is_meant = |file: &File| of.is_none_or(|of| FileKind::of(*file) == of);
        let back = earlier.files.iter().filter(|(file, _)| is_meant(file));
        let names = || back.clone().map(|(file, _)| *file);
        self.tampered.came_back.extend(names().filter(|file| !self.files.contains_key(file)));
        self.tampered.short.extend(self.files.keys().filter(|file| is_meant(file)));
        self.tampered.short.extend(names());
        self.files.retain(|file, _| !is_meant(file));
        self.files.extend(back.map(|(file, inode)| (*file, inode.clone())));
    }
}

/// The last byte that is not zero.
fn last_byte(inode: &Inode) -> Option<u64> {
    let mut end = inode.len();
    while end > 0 {
        let at = end.saturating_sub(LOOK_BYTES);
        if let Some(place) = inode.read(at, end - at).iter().rposition(|byte| *byte != 0) {
            return Some(at + place as u64);
        }
        end = at;
    }
    None
}

/// A write was told to `inode`, and is not what its readers get. `before` is what was there. Returns the mark.
pub(super) fn go_astray(
    inode: &mut Inode,
    at: u64,
    len: u64,
    how: Astray,
    before: &BytesMut,
) -> &'static str {
    match how {
        Astray::Lost => {
            inode.overlay(at, before);
            "disk.lost_a_write"
        }
        Astray::Short => {
            let half = len / 2;
            inode.overlay(at + half, &before[half as usize..]);
            "disk.cut_a_write_short"
        }
        Astray::Elsewhere => {
            let told = inode.read(at, len);
            // The nearest place of the file that has room for it; if there is none, it is lost.
            if at >= len {
                inode.overlay(at - len, &told);
            } else if at + 2 * len <= inode.len() {
                inode.overlay(at + len, &told);
            }
            inode.overlay(at, before);
            "disk.misdirected_a_write"
        }
    }
}
