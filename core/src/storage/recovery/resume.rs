//! Resume: what is written between reading the disk and serving from it, so that the next recovery finds the
//! same again.
//!
//! - What was read is synced first: a process that was killed may have left it in the system's cache, and
//!   what we then say to peers rests on it. The last frame and the checkpoint are written once more before: if
//!   a sync of them failed while the process died, nobody was told, and the system takes its pages for clean
//!   although the disk never got them. Anything older was synced, and somebody saw it.
//! - Segments are cut to the end that checkpoint and resets name, files no longer named are removed: not here, for
//!   that takes as long as there are many; what is `left_over` goes while the disk is served from.
//! - A seal is the next frame, where the torn one lay if there was one: it follows the last whole frame, and
//!   what is left of the torn one behind it follows nothing.
//! - After rot: the dead, what was lost and a new disk id are written to node.meta, then a checkpoint without
//!   replicas and with a new salt, to which no frame of before can ever belong again. Its chain begins in a file of
//!   its own, and the slot that was in force stays: nothing that could tell more is written over.
//!
//! Invariant: nothing is removed but what the checkpoint in force has given up, or leftovers of a partition
//! that a replica here holds, or held until a frame that was replayed. What nobody knows stays, and is noted.

use super::announcement::{Files, Shortened};
use super::reading::{Findings, Journaled};
use super::walk::Ending;
use crate::action::Notice;
use crate::config::StorageConfig;
use crate::file::{File, SegmentName};
use crate::ids::{DiskId, ReplicaId, TopicPartition};
use crate::limits::LEFT_NOTES_MAX;
use crate::mutant::{Mutant, is_planted};
use crate::rng::Rng;
use crate::storage::checkpoint::slot::{self, Checkpoint, RESERVED_BYTES, Record, Records};
use crate::storage::checkpoint::state_files::StateFiles;
use crate::storage::disk::plan::{Plan, Work};
use crate::storage::disk::removals::Leftover;
use crate::storage::journal::frame::{BLOCK_BYTES, Chain};
use crate::storage::journal::frames::Journal;
use crate::storage::journal::ring::Ring;
use crate::storage::node_meta::{self, JournalLoss, NodeMeta, SLOT_BYTES};
use crate::storage::segments::segment::Segment;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};

/// A disk about to be served from.
#[derive(Debug)]
pub struct Resumed {
    pub plan: Plan,
    pub journal: Journal,
    pub meta: Option<NodeMeta>,
    pub meta_sequence: u64,
    /// The live replicas.
    pub records: BTreeMap<ReplicaId, Record>,
    /// The pages of their states, in order.
    pub pages: BTreeMap<ReplicaId, Vec<Bytes>>,
    pub state: StateFiles,
    /// The dead that this start has met.
    pub dead: Vec<(ReplicaId, TopicPartition)>,
    /// What lies in segments.
    pub segments: Files,
    /// Segments to be removed after the next checkpoint.
    pub doomed: Vec<SegmentName>,
    /// What is to be cut off, and removed, while the disk is served from.
    pub left_over: BTreeMap<File, Leftover>,
    pub generations: BTreeMap<TopicPartition, u32>,
    /// Segments of partitions that no replica here holds.
    pub left: BTreeMap<TopicPartition, Vec<SegmentName>>,
    pub slot: bool,
    pub sequence: u64,
    pub checkpoint_bytes: u64,
    /// Frames before this one are covered by it.
    pub covered: u64,
    /// Bytes of frames since the checkpoint.
    pub journal_bytes: u64,
    /// Segments that have lost their ends.
    pub shortened: Vec<Shortened>,
    pub notices: Vec<Notice>,
}

/// Plans what follows from `findings`.
pub fn resume(config: &StorageConfig, rng: &mut Rng, mut findings: Findings) -> Resumed {
    match (findings.journal.take(), findings.checkpoint.take()) {
        (Some(journaled), Some((slot, checkpoint))) => match journaled.ending {
            Ending::Tail => go_on(config, findings, slot, checkpoint, journaled),
            _ => bury(config, rng, findings, slot, checkpoint, journaled),
        },
        _ => found(config, rng, findings),
    }
}

/// An empty disk: reserves both slots and the first journal file.
fn found(config: &StorageConfig, rng: &mut Rng, findings: Findings) -> Resumed {
    let chain = Chain { file: 0, at: 0, sequence: 1, previous: 0, salt: rng.next_u64() };
    let first = config.first_journal_file_bytes.next_multiple_of(BLOCK_BYTES);
    let zeros = Bytes::from(vec![0; RESERVED_BYTES]);
    let mut left = first;
    let mut parts = Vec::new();
    while left > 0 {
        let len = left.min(RESERVED_BYTES as u64);
        parts.push(zeros.slice(..len as usize));
        left -= len;
    }
    let mut plan = Plan::default();
    let mut slot = slot::encode(1, &chain, &[], Records::default());
    let used: usize = slot.iter().map(Bytes::len).sum();
    slot.push(zeros.slice(used..));
    let work =
        [(File::Checkpoint(false), slot), (File::Checkpoint(true), vec![zeros]), (File::Journal(0), parts)];
    let files = work.iter().map(|(file, _)| *file).collect();
    plan.then(work.into_iter().map(|(file, parts)| Work::Write { file, at: 0, parts }).collect());
    plan.then(vec![Work::Sync { files }]);
    let ring = Ring::new(config, &chain, &BTreeMap::from([(0, first)]), &BTreeMap::new());
    let (left, notices) = left_in_place(&findings, &BTreeSet::new());
    let state = state_files(config, &findings, &BTreeMap::new());
    Resumed {
        plan,
        journal: Journal::new(ring, chain, config.frame_bytes_max, 0),
        meta: None,
        meta_sequence: findings.meta_sequence,
        records: BTreeMap::new(),
        pages: BTreeMap::new(),
        state,
        dead: Vec::new(),
        segments: segments_of(&findings),
        doomed: Vec::new(),
        left_over: BTreeMap::new(),
        generations: findings.replay.generations,
        left,
        slot: false,
        sequence: 1,
        checkpoint_bytes: used as u64,
        covered: chain.sequence,
        journal_bytes: 0,
        shortened: Vec::new(),
        notices,
    }
}

/// The ordinary start.
fn go_on(
    config: &StorageConfig,
    mut findings: Findings,
    slot: bool,
    checkpoint: Checkpoint,
    journaled: Journaled,
) -> Resumed {
    let mut walk = journaled.walk;
    let mut plan = Plan::default();
    let unfit = findings.replay.unfit.iter().chain(findings.rotten.keys()).copied();
    let meta = with_dead(&findings, unfit);
    let meta_sequence = write_meta(&mut plan, &findings, meta.as_ref());
    let all = std::mem::take(&mut findings.replay.records);
    let state = state_files(config, &findings, &all);
    let dead_ids: BTreeSet<ReplicaId> = meta.iter().flat_map(|meta| meta.dead.iter().copied()).collect();
    let (dead, records) = all.into_iter().partition::<BTreeMap<_, _>, _>(|(id, _)| dead_ids.contains(id));
    let dead = dead.into_iter().map(|(id, record)| (id, record.of)).collect();

    let mut read: Vec<File> = walk.live.keys().map(|number| File::Journal(*number)).collect();
    read.push(File::Checkpoint(slot));
    if meta.is_some() {
        read.push(File::NodeMeta);
    }
    let checkpoint_bytes = checkpoint.image.len() as u64;
    let checkpoint_again = Work::Write { file: File::Checkpoint(slot), at: 0, parts: vec![checkpoint.image] };
    let frame_again = walk.take_last_frame().map(|last| Work::Write {
        file: File::Journal(last.file),
        at: last.at,
        parts: last.into_parts(),
    });
    plan.then([checkpoint_again].into_iter().chain(frame_again).collect());
    plan.then(vec![Work::Sync { files: read }]);

    let given_up = std::mem::take(&mut findings.replay.given_up);
    let trim = trim_segments(&findings, &records, &checkpoint.doomed, &given_up);
    let gone = checkpoint.doomed.iter().chain(&given_up).map(|name| name.of);
    let gone = gone.chain(findings.replay.dropped.iter().copied());
    let known = records.values().map(|record| record.of).chain(gone).collect();
    let (left, mut notices) = left_in_place(&findings, &known);
    notices.extend(trim.notices);
    notices.extend(findings.rotten.iter().map(|(replica, file)| {
        let what = format!("a page of the state of {replica} cannot be read: it never runs again");
        Notice::Damaged { file: *file, what }
    }));
    plan.then(unnamed_state(&findings));

    let ring = Ring::new(config, &walk.chain, &journal_files(&findings), &walk.live);
    let segments = segments_of(&findings);
    Resumed {
        plan,
        journal: Journal::new(ring, walk.chain, config.frame_bytes_max, walk.bytes),
        meta,
        meta_sequence,
        records,
        pages: findings.pages,
        state,
        dead,
        segments,
        doomed: given_up,
        left_over: trim.left_over,
        generations: findings.replay.generations,
        left,
        slot,
        sequence: checkpoint.sequence,
        checkpoint_bytes,
        covered: checkpoint.chain.sequence,
        journal_bytes: walk.bytes,
        shortened: trim.shortened,
        notices,
    }
}

/// Rot in the journal: which votes and entries were in the frames that cannot be read any more nobody can
/// say, so no replica that was here may go on as if it remembered.
fn bury(
    config: &StorageConfig,
    rng: &mut Rng,
    findings: Findings,
    slot: bool,
    checkpoint: Checkpoint,
    journaled: Journaled,
) -> Resumed {
    let walk = journaled.walk;
    let (later, is_missing) = match journaled.ending {
        Ending::Rot { later } => (later, false),
        _ => (walk.chain.sequence, true),
    };
    let Chain { file, at, sequence, .. } = walk.chain;
    let loss = JournalLoss { file, at, sequence, is_missing };
    let mut plan = Plan::default();
    let mut meta = with_dead(&findings, findings.replay.records.keys().copied());
    let dead = findings.replay.records.values().map(|record| (record.replica, record.of)).collect();
    // A replica may have been added in a frame that cannot be read: unknown here, alive to the others. They
    // are bound to the disk's id, so a new one makes all of them void, as if the disk had been wiped.
    if let Some(meta) = &mut meta {
        let new = DiskId(rng.next_u128());
        let is_kept = is_planted(findings.replay.mutant, Mutant::DiskIdKept);
        (meta.disk, meta.loss) = (if is_kept { meta.disk } else { new }, Some(loss));
    }
    let meta_sequence = write_meta(&mut plan, &findings, meta.as_ref());
    let files = journal_files(&findings);
    let file =
        (0..).find(|number| *number != loss.file && !files.contains_key(number)).expect("files are few");
    let salt = rng.next_u64();
    let chain = Chain { file, at: 0, sequence: later.saturating_add(1), previous: walk.chain.previous, salt };
    let sequence = checkpoint.sequence.saturating_add(1);
    let parts = slot::encode(sequence, &chain, &[], Records::default());
    let used: usize = parts.iter().map(Bytes::len).sum();
    plan.then(vec![Work::Write { file: File::Checkpoint(!slot), at: 0, parts }]);
    plan.then(vec![Work::Sync { files: vec![File::Checkpoint(!slot)] }]);

    let what = format!(
        "{loss}: what the replicas of this node have promised since is not known, and none of them may run any \
         more. The frames before it, the checkpoint and all segments stay as they are"
    );
    let mut notices = vec![Notice::Damaged { file: File::Journal(loss.file), what }];
    let (left, unknown) = left_in_place(&findings, &BTreeSet::new());
    notices.extend(unknown);
    let ring = Ring::new(config, &chain, &files, &BTreeMap::new());
    let state = state_files(config, &findings, &BTreeMap::new());
    Resumed {
        plan,
        journal: Journal::new(ring, chain, config.frame_bytes_max, 0),
        meta,
        meta_sequence,
        records: BTreeMap::new(),
        pages: BTreeMap::new(),
        state,
        dead,
        segments: segments_of(&findings),
        doomed: Vec::new(),
        left_over: BTreeMap::new(),
        generations: findings.replay.generations,
        left,
        slot: !slot,
        sequence,
        checkpoint_bytes: used as u64,
        covered: chain.sequence,
        journal_bytes: walk.bytes,
        shortened: Vec::new(),
        notices,
    }
}

/// The files of state that are there, and what of them is named.
fn state_files(
    config: &StorageConfig,
    findings: &Findings,
    records: &BTreeMap<ReplicaId, Record>,
) -> StateFiles {
    let listed = findings.files.iter().filter_map(|(file, len)| match file {
        File::State(number) => Some((*number, *len)),
        _ => None,
    });
    let named = findings.state_files.clone();
    let kept = records.iter().map(|(replica, record)| (*replica, record.state.pages().to_vec())).collect();
    StateFiles::found(config.state_file_bytes, listed.collect(), named, kept)
}

/// Files of state of which the checkpoint in force names nothing: the one that was to name them was never made.
fn unnamed_state(findings: &Findings) -> Vec<Work> {
    let unnamed = findings
        .files
        .keys()
        .filter(|file| matches!(file, File::State(number) if !findings.state_files.contains(number)));
    unnamed.map(|file| Work::Remove { file: *file }).collect()
}

/// The meta with more dead.
fn with_dead(findings: &Findings, dying: impl Iterator<Item = ReplicaId>) -> Option<NodeMeta> {
    let mut meta = findings.meta.clone()?;
    let known: BTreeSet<ReplicaId> = meta.dead.iter().copied().collect();
    meta.dead.extend(dying.filter(|replica| !known.contains(replica)));
    Some(meta)
}

fn segments_of(findings: &Findings) -> Files {
    let segments = findings.files.iter().filter(|(file, _)| matches!(file, File::Segment(_)));
    segments.fold(Files::default(), |sum, (_, len)| Files { count: sum.count + 1, bytes: sum.bytes + len })
}

/// Writes node.meta where it says something new, or where only one slot of it can be read.
fn write_meta(plan: &mut Plan, findings: &Findings, meta: Option<&NodeMeta>) -> u64 {
    let Some(meta) = meta else { return findings.meta_sequence };
    if findings.meta.as_ref() == Some(meta) && findings.is_meta_whole {
        return findings.meta_sequence;
    }
    let sequence = findings.meta_sequence.saturating_add(1);
    let slot = node_meta::encode(sequence, meta);
    // Last the slot that can be read: until then it is all there is.
    for number in [1 - findings.meta_slot, findings.meta_slot] {
        let at = number * SLOT_BYTES as u64;
        plan.then(vec![Work::Write { file: File::NodeMeta, at, parts: vec![slot.clone()] }]);
        plan.then(vec![Work::Sync { files: vec![File::NodeMeta] }]);
    }
    sequence
}

fn journal_files(findings: &Findings) -> BTreeMap<u32, u64> {
    let files = findings.files.iter().filter_map(|(file, len)| match file {
        File::Journal(number) => Some((*number, *len)),
        _ => None,
    });
    files.collect()
}

#[derive(Default)]
struct Trim {
    left_over: BTreeMap<File, Leftover>,
    shortened: Vec<Shortened>,
    notices: Vec<Notice>,
}

/// Segments are to be cut to the ends they are known to have, and what was given up or is left over is to go.
fn trim_segments(
    findings: &Findings,
    records: &BTreeMap<ReplicaId, Record>,
    doomed: &[SegmentName],
    given_up: &[SegmentName],
) -> Trim {
    let mut trim = Trim::default();
    let (doomed, given_up): (BTreeSet<&SegmentName>, BTreeSet<&SegmentName>) =
        (doomed.iter().collect(), given_up.iter().collect());
    let mut named: BTreeMap<SegmentName, (ReplicaId, &Segment)> = BTreeMap::new();
    for (replica, record) in records {
        named.extend(record.segments.iter().map(|segment| (segment.name(record.of), (*replica, segment))));
    }
    let of_ours: BTreeSet<TopicPartition> = records.values().map(|record| record.of).collect();
    for (name, (replica, segment)) in &named {
        let (file, bytes) = (File::Segment(*name), segment.bytes);
        let len = findings.files.get(&file).copied().unwrap_or(0);
        if len > bytes {
            trim.left_over.insert(file, Leftover::Behind(bytes));
        }
        if len < bytes {
            let what = format!("{bytes} bytes were synced and {len} are there: reads beyond will be refused");
            trim.notices.push(Notice::Damaged { file, what });
            trim.shortened.push(Shortened { replica: *replica, from: segment.base, below: segment.next });
        }
    }
    for file in findings.files.keys() {
        let (File::Segment(name) | File::SegmentIndex(name)) = file else { continue };
        // What the replayed frames gave up goes after the next checkpoint: the one in force still names it.
        let is_known = of_ours.contains(&name.of) || findings.replay.dropped.contains(&name.of);
        let is_left_over = is_known && !given_up.contains(name);
        if !named.contains_key(name) && (is_left_over || doomed.contains(name)) {
            trim.left_over.insert(*file, Leftover::Whole);
        }
    }
    trim
}

/// What nobody knows: the segments of partitions that no replica here holds, and files that are none of ours.
/// One file of each is noted.
fn left_in_place(findings: &Findings, known: &BTreeSet<TopicPartition>) -> (Left, Vec<Notice>) {
    let mut left = Left::new();
    for file in findings.files.keys() {
        if let File::Segment(name) | File::SegmentIndex(name) = file
            && !known.contains(&name.of)
        {
            let names = left.entry(name.of).or_default();
            if !names.contains(name) {
                names.push(*name);
            }
        }
    }
    let paths = left.values().flat_map(|names| names.first()).map(|name| File::Segment(*name).path());
    let paths = paths.chain(findings.unknown.iter().cloned());
    let notices = paths.take(LEFT_NOTES_MAX).map(|path| Notice::LeftInPlace { path }).collect();
    (left, notices)
}

type Left = BTreeMap<TopicPartition, Vec<SegmentName>>;
