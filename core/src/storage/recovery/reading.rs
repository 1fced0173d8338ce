//! Reading: from a listing of files to what this disk remembers. Reads, and reads only: a directory that is
//! not ours to start from is left as it was found.
//!
//! ```text
//! List -> node.meta -> both slots' headers -> the newest whole checkpoint -> the walk through the journal -> pages
//!   no file at all, or only what a torn first start left     -> an empty disk
//!   the walk ends in a tail                                  -> records, brought up to date
//!   ... in rot, or the chain's file is missing               -> the same records, all of them dead
//!   another node's, a newer format's, damaged beyond reason  -> refused
//! ```
//! Invariant: node.meta is written only after the first checkpoint is durable, and frames with items only
//! after node.meta is; so what is missing beside what is there tells damage from an empty disk.
//!
//! Not here: what is written then (`resume`).

use super::pages::PageReads;
use super::replay::Replay;
use super::walk::{Ending, Step, Walk};
use crate::event::{DoneResult, Listed};
use crate::file::File;
use crate::ids::{NodeId, ReplicaId};
use crate::mutant::Mutant;
use crate::storage::checkpoint::slot::{Checkpoint, HEADER_BYTES, Header, Record};
use crate::storage::disk::Disk;
use crate::storage::disk::ticket::Job;
use crate::storage::node_meta::{self, NodeMeta, SLOT_BYTES, Slot};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};

/// Reading while it reads.
#[derive(Debug)]
pub struct Reading {
    node: NodeId,
    mutant: Option<Mutant>,
    stage: Stage,
    findings: Findings,
    /// Headers of the slots that have one.
    slots: Vec<(bool, Header)>,
    walk: Option<Walk>,
}

#[derive(Debug)]
enum Stage {
    Listing,
    Meta,
    /// These slots' headers are still to be read; the first is being.
    SlotHeaders(Vec<bool>),
    /// The first of these slots is being read, the others are worse.
    SlotBodies(Vec<bool>),
    Walking,
    /// Reading the pages of states.
    Pages(PageReads),
}

/// All that reading brought.
#[derive(Debug, Default)]
pub struct Findings {
    /// Files of ours, with their lengths.
    pub files: BTreeMap<File, u64>,
    /// Paths that are none of ours.
    pub unknown: Vec<String>,
    pub meta: Option<NodeMeta>,
    pub meta_sequence: u64,
    /// The slot of node.meta that said so, 0 or 1.
    pub meta_slot: u64,
    /// Whether node.meta holds anything at all: no crash leaves it so without a checkpoint.
    has_meta_bytes: bool,
    /// Whether both slots of node.meta say the same.
    pub is_meta_whole: bool,
    /// The checkpoint in force and its slot; its records are in `replay`.
    pub checkpoint: Option<(bool, Checkpoint)>,
    pub replay: Replay,
    /// How the journal was found; `None` on an empty disk.
    pub journal: Option<Journaled>,
    /// Files of state of which the checkpoint in force names pages.
    pub state_files: BTreeSet<u32>,
    /// The pages of each record's state, in their order.
    pub pages: BTreeMap<ReplicaId, Vec<Bytes>>,
    /// Replicas of whose states a page cannot be read, and where it lies.
    pub rotten: BTreeMap<ReplicaId, File>,
}

/// How the journal was found.
#[derive(Debug)]
pub struct Journaled {
    pub walk: Walk,
    pub ending: Ending,
}

/// What recovery says to an answer.
#[derive(Debug)]
pub enum Reached {
    /// It asked for more.
    Waiting,
    /// It has read all it needs.
    Read(Box<Findings>),
    /// This directory cannot be used.
    Refused(String),
    /// The disk failed.
    Failed(String),
}

impl Reading {
    pub fn start(node: NodeId, mutant: Option<Mutant>, disk: &mut Disk<'_>) -> Reading {
        disk.list(Job::Recovery);
        let replay = Replay { mutant, ..Replay::default() };
        let findings = Findings { replay, ..Findings::default() };
        Reading { node, mutant, stage: Stage::Listing, findings, slots: Vec::new(), walk: None }
    }

    /// What it asked for is there.
    pub fn done(&mut self, result: DoneResult, disk: &mut Disk<'_>) -> Reached {
        match (result, &mut self.stage) {
            (DoneResult::Listed(files), Stage::Listing) => self.listed(files, disk),
            (DoneResult::Bytes(bytes), Stage::Meta) => self.meta_read(&bytes, disk),
            (DoneResult::Bytes(bytes), Stage::SlotHeaders(_)) => self.slot_header_read(&bytes, disk),
            (DoneResult::Bytes(bytes), Stage::SlotBodies(_)) => self.slot_read(&bytes, disk),
            (DoneResult::Bytes(bytes), Stage::Walking) => {
                if let Some(walk) = &mut self.walk {
                    walk.feed(bytes);
                }
                self.walk_on(disk)
            }
            (DoneResult::Bytes(bytes), Stage::Pages(pages)) => {
                pages.read(&bytes);
                self.read_pages(disk)
            }
            (other, _) => Reached::Failed(format!("recovery: {other}")),
        }
    }

    fn listed(&mut self, listed: Vec<Listed>, disk: &mut Disk<'_>) -> Reached {
        for Listed { path, len } in listed {
            match File::parse(&path) {
                Some(file) => {
                    if let File::Segment(name) | File::SegmentIndex(name) = file {
                        self.findings.replay.see(name.of, name.generation);
                    }
                    self.findings.files.insert(file, len);
                }
                None => self.findings.unknown.push(path),
            }
        }
        if self.len(File::NodeMeta) == 0 {
            return self.read_slot_headers(disk);
        }
        self.stage = Stage::Meta;
        read(disk, File::NodeMeta, 0, 2 * SLOT_BYTES as u32)
    }

    fn meta_read(&mut self, bytes: &Bytes, disk: &mut Disk<'_>) -> Reached {
        let slots = node_meta::slots(bytes);
        self.findings.is_meta_whole = slots[0] == slots[1];
        self.findings.has_meta_bytes = bytes.iter().any(|byte| *byte != 0);
        for (number, slot) in (0..).zip(slots) {
            match slot {
                Slot::Other(format) => {
                    let (oldest, newest) = (node_meta::FORMATS.start(), node_meta::FORMATS.end());
                    return Reached::Refused(format!(
                        "node.meta says that the data directory has format {format}; this build reads {oldest} to \
                         {newest}. Start the build that wrote it"
                    ));
                }
                Slot::Good(sequence, meta) if sequence > self.findings.meta_sequence => {
                    self.findings.meta_sequence = sequence;
                    self.findings.meta_slot = number;
                    self.findings.meta = Some(meta);
                }
                Slot::Good(..) | Slot::Bad => {}
            }
        }
        match &self.findings.meta {
            Some(meta) if meta.node != self.node => Reached::Refused(format!(
                "the data directory belongs to node {}, and this is node {}: give each node its own",
                meta.node.0, self.node.0
            )),
            _ => self.read_slot_headers(disk),
        }
    }

    fn read_slot_headers(&mut self, disk: &mut Disk<'_>) -> Reached {
        let slots = [false, true].into_iter().filter(|slot| self.len(File::Checkpoint(*slot)) > 0).collect();
        self.stage = Stage::SlotHeaders(slots);
        self.read_next_header(disk)
    }

    fn read_next_header(&mut self, disk: &mut Disk<'_>) -> Reached {
        let Stage::SlotHeaders(left) = &self.stage else { return Reached::Waiting };
        if let Some(slot) = left.first() {
            return read(disk, File::Checkpoint(*slot), 0, HEADER_BYTES as u32);
        }
        self.slots.sort_by_key(|(_, header)| std::cmp::Reverse(header.sequence));
        self.stage = Stage::SlotBodies(self.slots.iter().map(|(slot, _)| *slot).collect());
        self.read_next_slot(disk)
    }

    fn slot_header_read(&mut self, bytes: &Bytes, disk: &mut Disk<'_>) -> Reached {
        if let Stage::SlotHeaders(left) = &mut self.stage {
            let slot = left.remove(0);
            self.slots.extend(Header::parse(bytes).map(|header| (slot, header)));
        }
        self.read_next_header(disk)
    }

    fn read_next_slot(&mut self, disk: &mut Disk<'_>) -> Reached {
        let Stage::SlotBodies(left) = &self.stage else { return Reached::Waiting };
        let Some(slot) = left.first().copied() else { return self.without_checkpoint() };
        let body_bytes =
            self.slots.iter().find(|(other, _)| *other == slot).map_or(0, |(_, header)| header.body_bytes);
        let len = body_bytes.saturating_add(HEADER_BYTES as u64).min(self.len(File::Checkpoint(slot)));
        read(disk, File::Checkpoint(slot), 0, u32::try_from(len).unwrap_or(u32::MAX))
    }

    fn slot_read(&mut self, bytes: &Bytes, disk: &mut Disk<'_>) -> Reached {
        let Stage::SlotBodies(left) = &mut self.stage else { return Reached::Waiting };
        let slot = left.remove(0);
        let Some(mut checkpoint) = Checkpoint::decode(bytes) else { return self.read_next_slot(disk) };
        checkpoint.doomed.iter().for_each(|name| self.findings.replay.see(name.of, name.generation));
        let records = std::mem::take(&mut checkpoint.records);
        let named = records.iter().flat_map(|record| record.state.pages());
        self.findings.state_files = named.map(|page| page.place.file).collect();
        records.into_iter().for_each(|record| self.findings.replay.take(record));
        let lens = self.findings.files.iter().filter_map(|(file, len)| match file {
            File::Journal(number) => Some((*number, *len)),
            _ => None,
        });
        self.walk = Some(Walk::new(checkpoint.chain, lens.collect(), self.mutant));
        self.findings.checkpoint = Some((slot, checkpoint));
        self.stage = Stage::Walking;
        self.walk_on(disk)
    }

    fn without_checkpoint(&mut self) -> Reached {
        if self.findings.meta.is_some() {
            return Reached::Refused(
                "both checkpoint slots are damaged: this node's data cannot be used; give it an empty \
                 directory and let it be replaced"
                    .into(),
            );
        }
        let has_data = self.findings.files.keys().any(|file| matches!(file, File::Segment(_)));
        if has_data || self.findings.has_meta_bytes {
            return Reached::Refused(
                "there is data, but neither node.meta nor a checkpoint can be read: nothing was touched"
                    .into(),
            );
        }
        Reached::Read(Box::new(std::mem::take(&mut self.findings)))
    }

    fn walk_on(&mut self, disk: &mut Disk<'_>) -> Reached {
        let Some(walk) = &mut self.walk else { return Reached::Waiting };
        let ending = match walk.step(&mut self.findings.replay) {
            Step::Read { file, at, len } => return read(disk, File::Journal(file), at, len),
            Step::End(ending) => ending,
        };
        self.findings.replay.finish();
        if ending == Ending::Newer {
            return Reached::Refused(
                "the journal holds items that this version does not know; start the newer one".into(),
            );
        }
        let has_data = !self.findings.replay.records.is_empty() || ending != Ending::Tail;
        if self.findings.meta.is_none() && has_data {
            return Reached::Refused("node.meta is damaged: nothing was touched".into());
        }
        self.findings.journal = self.walk.take().map(|walk| Journaled { walk, ending });
        // After a loss in the journal no replica runs again: what they were does not matter.
        let is_wanted = |_: &&Record| ending == Ending::Tail;
        self.stage = Stage::Pages(PageReads::of(self.findings.replay.records.values().filter(is_wanted)));
        self.read_pages(disk)
    }

    fn read_pages(&mut self, disk: &mut Disk<'_>) -> Reached {
        let Stage::Pages(pages) = &mut self.stage else { return Reached::Waiting };
        let files = &self.findings.files;
        if let Some((file, at, len)) = pages.next(|file| files.get(&file).copied().unwrap_or(0)) {
            return read(disk, file, at, len);
        }
        let mut findings = std::mem::take(&mut self.findings);
        (findings.pages, findings.rotten) = std::mem::take(pages).finish();
        Reached::Read(Box::new(findings))
    }

    fn len(&self, file: File) -> u64 {
        self.findings.files.get(&file).copied().unwrap_or(0)
    }
}

/// Asks for these bytes.
fn read(disk: &mut Disk<'_>, file: File, at: u64, len: u32) -> Reached {
    disk.read(Job::Recovery, file, at, len);
    Reached::Waiting
}
