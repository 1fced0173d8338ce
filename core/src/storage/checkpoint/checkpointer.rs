//! A checkpoint being made, from the floor above's parts to the removal of what it made superfluous.
//!
//! ```text
//! gathering   each log is written up to where it ended when the checkpoint began; then its record is encoded
//! syncing     all segments written since their last sync
//! writing     the slot that is not in force, once all frames filled before the beginning are synced
//! done        journal files are recycled, doomed segments removed
//! ```
//! Invariants: the slot is written only when all it names is durable; nothing is recycled or removed before
//! the slot is. While gathering and syncing no log is written beyond its goal, so that a record's segments end
//! exactly where its applied state does.

use super::slot::{self, Record};
use crate::entry::{Entry, Members};
use crate::event::DoneResult;
use crate::file::{File, SegmentName};
use crate::ids::{Index, Offset, ReplicaId, Term, Ticket};
use crate::mutant::{Mutant, is_planted};
use crate::storage::codec::Sink;
use crate::storage::disk::Disk;
use crate::storage::disk::durable_write::{DurableWrite, Progress};
use crate::storage::disk::ticket::Job;
use crate::storage::journal::frame::Chain;
use crate::storage::local::Local;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};

/// One replica's part of a checkpoint: its state as of its applied index, and what it has beyond.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Whose.
    pub replica: ReplicaId,
    /// The members as of `applied`.
    pub members: Members,
    /// The newest entry that `state` reflects, and whose batches were kept.
    pub applied: Index,
    /// Its term.
    pub applied_term: Term,
    /// The floor above's state, in its own codec.
    pub state: Bytes,
    /// The entries above `applied`, appended ones, contiguous.
    pub entries: Vec<Entry>,
}

/// Makes checkpoints, one at a time.
#[derive(Debug)]
pub struct Checkpointer {
    /// The slot in force and its sequence.
    slot: bool,
    sequence: u64,
    bytes: u64,
    /// The journal's length when the checkpoint in force began.
    mark: u64,
    round: Option<Round>,
    /// The bug that is planted, if one is.
    mutant: Option<Mutant>,
}

#[derive(Debug)]
struct Round {
    /// The first frame it does not cover.
    needed: u64,
    mark: u64,
    doomed: Vec<SegmentName>,
    records: Sink,
    count: usize,
    /// Records whose logs are still being written, without their segments.
    waiting: BTreeMap<ReplicaId, Record>,
    stage: Stage,
    bytes: u64,
    /// The journal file it names.
    named: u32,
}

#[derive(Debug)]
enum Stage {
    Gathering,
    Syncing,
    /// Waits for the frames that were filled before the beginning.
    Synced,
    Writing(DurableWrite),
}

/// A checkpoint that is durable, and what follows from it.
pub struct Made {
    /// Frames before this one are not needed any more.
    pub needed: u64,
    /// The file where the first of those goes, or that it follows on.
    pub named: u32,
    /// Segments nobody names any more.
    pub doomed: Vec<SegmentName>,
}

impl Checkpointer {
    /// With the checkpoint in force.
    pub fn new(slot: bool, sequence: u64, bytes: u64, mutant: Option<Mutant>) -> Checkpointer {
        Checkpointer { slot, sequence, bytes, mark: 0, round: None, mutant }
    }

    /// Whether the journal has grown enough since the checkpoint in force.
    pub fn is_due(&self, journal_bytes: u64, checkpoint_bytes: u64) -> bool {
        let grown = journal_bytes - self.mark;
        self.round.is_none() && grown >= checkpoint_bytes.max(self.bytes.saturating_mul(4))
    }

    /// Whether a quarter of that growth is there, for a node that needs the memory.
    pub fn frees(&self, journal_bytes: u64, checkpoint_bytes: u64) -> bool {
        self.round.is_none() && journal_bytes - self.mark >= checkpoint_bytes / 4
    }

    pub fn is_idle(&self) -> bool {
        self.round.is_none()
    }

    /// Begins one that covers all frames before `needed`.
    pub fn begin(&mut self, needed: u64, mark: u64, doomed: Vec<SegmentName>) {
        assert!(self.round.is_none(), "one checkpoint is made at a time");
        let (records, waiting) = (Sink::default(), BTreeMap::new());
        let stage = Stage::Gathering;
        self.round =
            Some(Round { needed, mark, doomed, records, count: 0, waiting, stage, bytes: 0, named: 0 });
    }

    /// Takes a part: into the checkpoint if its log is written as far as it goes, else it waits for that.
    pub fn take(&mut self, part: Part, local: &Local) {
        let Some(round) = &mut self.round else { return };
        assert!(
            part.entries.iter().zip(1..).all(|(entry, place)| entry.index == Index(part.applied.0 + place)),
            "a part's entries follow its applied index"
        );
        let mut entries = part.entries;
        let appended = local.last.0.saturating_sub(part.applied.0);
        entries.truncate(usize::try_from(appended).unwrap_or(usize::MAX));
        // All of it as of now, but where the segments end: what comes later is in frames that are replayed.
        let record = Record {
            replica: part.replica,
            of: local.log.of,
            hard_state: local.hard_state,
            members: part.members,
            applied: part.applied,
            applied_term: part.applied_term,
            log_start: local.log.log_start(),
            end: local.log.end(),
            generation: local.log.generation,
            segments: Vec::new(),
            state: part.state,
            entries,
        };
        if local.log.written_end() >= record.end {
            round.encode(record, local, self.mutant);
        } else {
            round.waiting.insert(part.replica, record);
        }
    }

    /// How far the log of `replica` is to be written for the checkpoint.
    pub fn goal(&self, replica: ReplicaId) -> Option<Offset> {
        self.round.as_ref()?.waiting.get(&replica).map(|record| record.end)
    }

    /// The replicas whose logs are still to be written.
    pub fn waiting(&self) -> Vec<ReplicaId> {
        self.round.iter().flat_map(|round| round.waiting.keys().copied()).collect()
    }

    /// Whether logs may not be written but for the checkpoint.
    pub fn holds_logs(&self) -> bool {
        self.round.as_ref().is_some_and(|round| matches!(round.stage, Stage::Gathering | Stage::Syncing))
    }

    /// Whether its segments are being synced.
    pub fn is_syncing(&self) -> bool {
        self.round.as_ref().is_some_and(|round| matches!(round.stage, Stage::Syncing))
    }

    /// A log was written: its part follows if that was all.
    pub fn written(&mut self, replica: ReplicaId, local: &Local) {
        let Some(round) = &mut self.round else { return };
        if round.waiting.get(&replica).is_some_and(|record| local.log.written_end() >= record.end)
            && let Some(record) = round.waiting.remove(&replica)
        {
            round.encode(record, local, self.mutant);
        }
    }

    /// A replica is gone, or starts anew: what the journal says of that comes after this checkpoint, so the
    /// part may be left out of it only if the replica is gone. Whether the checkpoint had to be given up.
    pub fn forget(&mut self, replica: ReplicaId, is_gone: bool) {
        let Some(round) = &mut self.round else { return };
        if round.waiting.remove(&replica).is_some() && !is_gone {
            self.round = None;
        }
    }

    /// Gives up a checkpoint that cannot go on, because a log of these cannot be written: the disk is full.
    pub fn give_up_stalled(&mut self, stalled: &BTreeSet<ReplicaId>) {
        let is_stuck = |round: &Round| round.waiting.keys().any(|replica| stalled.contains(replica));
        if self.round.as_ref().is_some_and(is_stuck) {
            self.round = None;
        }
    }

    /// Whether all logs are written now: then the caller syncs the segments and says [`Checkpointer::synced`].
    pub fn begins_to_sync(&mut self) -> bool {
        let Some(round) = &mut self.round else { return false };
        let begins = matches!(round.stage, Stage::Gathering) && round.waiting.is_empty();
        if begins {
            round.stage = Stage::Syncing;
        }
        begins
    }

    /// The segments are synced.
    pub fn synced(&mut self) {
        if let Some(round) = self.round.as_mut().filter(|round| matches!(round.stage, Stage::Syncing)) {
            round.stage = Stage::Synced;
        }
    }

    /// The frame that `write` waits for: the first that is not covered.
    pub fn needed(&self) -> Option<u64> {
        self.round.as_ref().map(|round| round.needed)
    }

    /// Writes the slot if all it names is durable. `chain` is where the first frame goes that is not covered.
    pub fn write(&mut self, chain: Chain, disk: &mut Disk<'_>) {
        let (slot, sequence) = (self.next_slot(), self.sequence.saturating_add(1));
        let Some(round) = self.round.as_mut().filter(|round| matches!(round.stage, Stage::Synced)) else {
            return;
        };
        let records = std::mem::take(&mut round.records);
        let parts = slot::encode(sequence, &chain, &round.doomed, round.count, records);
        round.named = chain.file;
        round.bytes = parts.iter().map(|part| part.len() as u64).sum();
        let mut write = DurableWrite::new(Job::Slot, File::Checkpoint(slot), 0, parts);
        write.issue(disk);
        round.stage = Stage::Writing(write);
    }

    /// One of the slot's tickets is answered.
    pub fn done(&mut self, ticket: Ticket, result: DoneResult) -> Result<Option<Made>, String> {
        let Some(Round { stage: Stage::Writing(write), .. }) = &mut self.round else { return Ok(None) };
        match write.done(ticket, result) {
            Progress::Waiting | Progress::Full => Ok(None),
            Progress::Failed(reason) => Err(reason),
            Progress::Durable => {
                let round = self.round.take().expect("looked at above");
                (self.slot, self.sequence) = (self.next_slot(), self.sequence.saturating_add(1));
                (self.bytes, self.mark) = (round.bytes, round.mark);
                Ok(Some(Made { needed: round.needed, named: round.named, doomed: round.doomed }))
            }
        }
    }

    /// The slot that is not in force.
    fn next_slot(&self) -> bool {
        self.slot == is_planted(self.mutant, Mutant::CheckpointOverwritten)
    }

    /// Tries again what the full disk refused.
    pub fn retry(&mut self, disk: &mut Disk<'_>) {
        if let Some(Round { stage: Stage::Writing(write), .. }) = &mut self.round
            && write.is_stalled()
        {
            write.issue(disk);
        }
    }

    /// Whether its slot waits for space.
    pub fn is_stalled(&self) -> bool {
        matches!(&self.round, Some(Round { stage: Stage::Writing(write), .. }) if write.is_stalled())
    }
}

impl Round {
    fn encode(&mut self, mut record: Record, local: &Local, mutant: Option<Mutant>) {
        assert!(
            local.log.written_end() == record.end,
            "a record's segments end where its applied state does"
        );
        record.segments = local.log.segments().to_vec();
        // The start may have risen meanwhile, and taken segments along.
        let is_kept = !is_planted(mutant, Mutant::LogStartNotKept);
        record.log_start = if is_kept { local.log.log_start().min(record.end) } else { Offset(0) };
        record.encode(&mut self.records);
        self.count += 1;
    }
}
