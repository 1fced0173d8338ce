//! A checkpoint being made, from the floor above's parts to the removal of what it made superfluous.
//!
//! ```text
//! gathering   replica after replica is taken, over as many turns as it needs: its record, and what of its state's
//!             pages is new; then its log is written up to where it ended when it was taken, and the record encoded
//! syncing     all segments written since their last sync
//! writing     the slot that is not in force, once all frames filled before the last was taken are synced
//! done        journal files are recycled, doomed segments and files of state removed
//! ```
//! Each record is as of the moment at which its replica was taken, and says so (`from`).
//!
//! - Invariant: the slot is written only when all it names is durable, and all frames of which a record holds items;
//!   nothing is recycled or removed before the slot is.
//! - Invariant: every replica that was here at the beginning is taken, or gone.
//! - Invariant: once its replica is taken, no log is written beyond its goal until the segments are synced: a record's
//!   segments end exactly where its applied state does, and no write is under way on what is synced.

use super::slot::{self, Record, Records, Stored};
use super::state_files::{NamedPage, Place};
use crate::compaction::Compacted;
use crate::entry::{Entry, Members};
use crate::event::DoneResult;
use crate::file::{File, SegmentName};
use crate::ids::PageId;
use crate::ids::{Index, Offset, ReplicaId, Term, Ticket};
use crate::mutant::{Mutant, is_planted};
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
    pub state: PartState,
    /// The entries above `applied`, appended ones, contiguous.
    pub entries: Vec<Entry>,
}

/// How a part brings its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartState {
    /// All of it.
    Whole(Bytes),
    /// What is no map: the pages of its maps follow, one after the other.
    Head(Bytes),
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
    round: Option<Box<Round>>,
    /// The bug that is planted, if one is.
    mutant: Option<Mutant>,
}

#[derive(Debug)]
struct Round {
    /// The first frame it does not cover.
    needed: u64,
    mark: u64,
    /// Given up before it began: they go once it is durable.
    doomed: Vec<SegmentName>,
    /// On their way since an earlier one. Their names may be used again meanwhile, and named by this one.
    unfinished: Vec<SegmentName>,
    /// Replicas that are still to be taken.
    untaken: BTreeSet<ReplicaId>,
    /// The one whose pages are being taken.
    open: Option<Record>,
    is_gathered: bool,
    /// All frames before this one must be durable: items of theirs are in a record.
    durable: u64,
    /// Pages that it names, by replica.
    kept: BTreeMap<ReplicaId, Vec<NamedPage>>,
    /// Replicas that start anew since it began: editions of pages that were taken before say nothing.
    anew: BTreeSet<ReplicaId>,
    /// Bytes of each file of state that it names.
    live: BTreeMap<u32, u64>,
    records: Records,
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
    /// Segments that were given up before it began: nobody names them any more.
    pub doomed: Vec<SegmentName>,
    /// Bytes of each file of state that it names.
    pub live: BTreeMap<u32, u64>,
    /// Pages that may be named again.
    pub kept: BTreeMap<ReplicaId, Vec<NamedPage>>,
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

    /// Begins one of `replicas` that covers all frames before `needed`. It gives up what is `doomed`, and tells the next
    /// start what is `unfinished` of what earlier ones gave up.
    pub fn begin(
        &mut self,
        (needed, mark): (u64, u64),
        doomed: Vec<SegmentName>,
        unfinished: Vec<SegmentName>,
        replicas: impl Iterator<Item = ReplicaId>,
    ) {
        assert!(self.round.is_none(), "one checkpoint is made at a time");
        self.round = Some(Box::new(Round {
            needed,
            mark,
            doomed,
            unfinished,
            untaken: replicas.collect(),
            open: None,
            is_gathered: false,
            durable: needed,
            kept: BTreeMap::new(),
            anew: BTreeSet::new(),
            live: BTreeMap::new(),
            records: Records::default(),
            waiting: BTreeMap::new(),
            stage: Stage::Gathering,
            bytes: 0,
            named: 0,
        }));
    }

    /// Whether parts are still to be taken.
    pub fn is_gathering(&self) -> bool {
        self.round.as_ref().is_some_and(|round| !round.is_gathered)
    }

    /// Takes a part, as it is now: all its items so far are in frames before `from`. If its state comes in pages they
    /// follow, and [`Checkpointer::part_ends`].
    pub fn take(&mut self, part: Part, local: &Local, from: u64) {
        let Some(round) = &mut self.round else { return };
        assert!(round.open.is_none(), "one part is taken after the other");
        assert!(
            part.entries.iter().zip(1..).all(|(entry, place)| entry.index == Index(part.applied.0 + place)),
            "a part's entries follow its applied index"
        );
        round.untaken.remove(&part.replica);
        round.durable = round.durable.max(from);
        let mut entries = part.entries;
        let appended = local.last.0.saturating_sub(part.applied.0);
        entries.truncate(usize::try_from(appended).unwrap_or(usize::MAX));
        let (state, is_whole) = match part.state {
            PartState::Whole(bytes) => (Stored::Whole(bytes), true),
            PartState::Head(head) => (Stored::Pages { head, pages: Vec::new() }, false),
        };
        // All of it as of now, but where the segments end: what comes later is in frames that are replayed.
        round.open = Some(Record {
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
            compacted: Compacted::default(),
            from,
            state,
            entries,
        });
        if is_whole {
            self.part_ends(local);
        }
    }

    /// The next page of the part that is being taken, and where it lies.
    pub fn take_page(&mut self, id: PageId, place: Place) {
        let Some(round) = &mut self.round else { return };
        *round.live.entry(place.file).or_default() += u64::from(place.bytes);
        if let Some(Record { state: Stored::Pages { pages, .. }, .. }) = &mut round.open {
            pages.push(NamedPage { id, place });
        }
    }

    /// All pages of the part were taken: into the checkpoint if its log is written as far as it goes, else it waits for
    /// that.
    pub fn part_ends(&mut self, local: &Local) {
        let Some(round) = &mut self.round else { return };
        let Some(record) = round.open.take() else { return };
        if !record.state.pages().is_empty() {
            round.kept.insert(record.replica, record.state.pages().to_vec());
        }
        if local.log.written_end() >= record.end {
            round.encode(record, local, self.mutant);
        } else {
            round.waiting.insert(record.replica, record);
        }
    }

    /// So many bytes of pages were written for it.
    pub fn wrote(&mut self, bytes: u64) {
        self.round.iter_mut().for_each(|round| round.bytes += bytes);
    }

    /// All parts were taken.
    pub fn gathered(&mut self) {
        let Some(round) = &mut self.round else { return };
        assert!(round.untaken.is_empty(), "a checkpoint names every replica: others would be lost");
        assert!(round.open.is_none(), "the last part has ended");
        round.is_gathered = true;
    }

    /// How far the log of `replica` is to be written for the checkpoint.
    pub fn goal(&self, replica: ReplicaId) -> Option<Offset> {
        self.round.as_ref()?.waiting.get(&replica).map(|record| record.end)
    }

    /// Whether a log may not be written but for the checkpoint: it was taken, or all are.
    pub fn holds(&self, replica: ReplicaId) -> bool {
        self.round.as_ref().is_some_and(|round| match round.stage {
            Stage::Gathering => !round.untaken.contains(&replica),
            Stage::Syncing => true,
            Stage::Synced | Stage::Writing(_) => false,
        })
    }

    /// Whether it holds any.
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
        round.anew.insert(replica);
        if is_gone {
            round.untaken.remove(&replica);
        }
        let is_open = round.open.take_if(|record| record.replica == replica).is_some();
        if (round.waiting.remove(&replica).is_some() || is_open) && !is_gone {
            self.round = None;
        }
    }

    /// A replica's pages have other editions from now on.
    pub fn forget_pages(&mut self, replica: ReplicaId) {
        self.round.iter_mut().for_each(|round| {
            round.anew.insert(replica);
        });
    }

    /// Gives up a checkpoint that cannot go on, because a log of these cannot be written: the disk is full.
    pub fn give_up_stalled(&mut self, stalled: &BTreeSet<ReplicaId>, is_state_stalled: bool) {
        let is_stuck = |round: &Round| {
            let is_before = matches!(round.stage, Stage::Gathering);
            is_before && is_state_stalled || round.waiting.keys().any(|replica| stalled.contains(replica))
        };
        if self.round.as_deref().is_some_and(is_stuck) {
            self.round = None;
        }
    }

    /// Whether all logs are written now: then the caller syncs the segments and says [`Checkpointer::synced`].
    pub fn begins_to_sync(&mut self) -> bool {
        let Some(round) = &mut self.round else { return false };
        let begins = matches!(round.stage, Stage::Gathering) && round.is_gathered && round.waiting.is_empty();
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

    /// The first frame that is not covered, and the one before which all must be durable for `write`.
    pub fn needed(&self) -> Option<(u64, u64)> {
        self.round.as_ref().map(|round| (round.needed, round.durable))
    }

    /// Writes the slot if all it names is durable. `chain` is where the first frame goes that is not covered. Of what was
    /// given up since it began, `doomed_since`, the next start is told too: no record may name it any more, and the frame
    /// that says so says not of which partition it is. It stays until the next checkpoint: a record may name it still.
    pub fn write(
        &mut self,
        chain: Chain,
        doomed_since: impl Iterator<Item = SegmentName>,
        disk: &mut Disk<'_>,
    ) {
        let (slot, sequence) = (self.next_slot(), self.sequence.saturating_add(1));
        let Some(round) = self.round.as_mut().filter(|round| matches!(round.stage, Stage::Synced)) else {
            return;
        };
        let records = std::mem::take(&mut round.records);
        let before = round.doomed.iter().chain(&round.unfinished).copied();
        let doomed: BTreeSet<SegmentName> = before.chain(doomed_since).collect();
        let doomed: Vec<SegmentName> = doomed.into_iter().collect();
        let parts = slot::encode(sequence, &chain, &doomed, records);
        round.named = chain.file;
        round.bytes += parts.iter().map(|part| part.len() as u64).sum::<u64>();
        let mut write = DurableWrite::new(Job::Slot, File::Checkpoint(slot), 0, parts);
        write.issue(disk);
        round.stage = Stage::Writing(write);
    }

    /// One of the slot's tickets is answered.
    pub fn done(&mut self, ticket: Ticket, result: DoneResult) -> Result<Option<Made>, String> {
        let Some(Stage::Writing(write)) = self.round.as_mut().map(|round| &mut round.stage) else {
            return Ok(None);
        };
        match write.done(ticket, result) {
            Progress::Waiting | Progress::Full => Ok(None),
            Progress::Failed(reason) => Err(reason),
            Progress::Durable => {
                let round = self.round.take().expect("looked at above");
                (self.slot, self.sequence) = (self.next_slot(), self.sequence.saturating_add(1));
                (self.bytes, self.mark) = (round.bytes, round.mark);
                let Round { needed, named, doomed, live, mut kept, anew, .. } = *round;
                kept.retain(|replica, _| !anew.contains(replica));
                Ok(Some(Made { needed, named, doomed, live, kept }))
            }
        }
    }

    /// The slot that is not in force.
    fn next_slot(&self) -> bool {
        self.slot == is_planted(self.mutant, Mutant::CheckpointOverwritten)
    }

    /// Tries again what the full disk refused.
    pub fn retry(&mut self, disk: &mut Disk<'_>) {
        if let Some(Stage::Writing(write)) = self.round.as_mut().map(|round| &mut round.stage)
            && write.is_stalled()
        {
            write.issue(disk);
        }
    }

    /// Whether its slot waits for space.
    pub fn is_stalled(&self) -> bool {
        self.round.as_ref().is_some_and(|round| match &round.stage {
            Stage::Writing(write) => write.is_stalled(),
            _ => false,
        })
    }
}

impl Round {
    fn encode(&mut self, mut record: Record, local: &Local, mutant: Option<Mutant>) {
        assert!(
            local.log.written_end() == record.end,
            "a record's segments end where its applied state does"
        );
        (record.segments, record.compacted) = (local.log.segments().to_vec(), local.log.compacted);
        // The start may have risen meanwhile, and taken segments along.
        let is_kept = !is_planted(mutant, Mutant::LogStartNotKept);
        record.log_start = if is_kept { local.log.log_start().min(record.end) } else { Offset(0) };
        self.records.add(&record);
    }
}
