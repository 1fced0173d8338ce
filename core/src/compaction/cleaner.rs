//! The cleaner: carries a compaction out, as a machine that is asked what comes next and says one thing at a time.
//!
//! ```text
//! next  ->  Read        whoever drives it reads, and hands what was read to `take`
//!           Worked      a piece of work was done; the next waits for its time
//!           Write       batches for the file that is to take the place of a span's segments; in order
//!           Replace     that was all of them: the file may take the place
//!           Reached     the files are so far now; unless that is all, the next pass begins
//! ```
//! A span is the segments that are written as one. If it is a single one it is looked through first, and written only
//! from the moment that something of it goes: most of a log often stays as it is.
//!
//! It remembers nothing that the files do not tell but `done`; so the work may be dropped at any moment, and begun again.
//!
//! Invariant: one call looks through `limits::COMPACTION_STEP_BYTES` at most, or one batch.

use super::Compacted;
use super::keys::{Full, KeyMap};
use super::pruning::Pruned;
use crate::ids::Offset;
use crate::limits::{COMPACTION_STEP_BYTES, DECOMPRESSED_BYTES_MAX};
use bytes::Bytes;
use rust_mq_proto::records::{Batch, BatchError, Batches, Decompressor, Record, Records, Remains, remains};

/// A segment that takes no more batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    /// Its first offset.
    pub base: Offset,
    /// The offset after its last.
    pub next: Offset,
    /// Its length.
    pub bytes: u64,
}

/// Segments next to each other that are written as one: the offsets that they cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first.
    pub base: Offset,
    /// The one after the last.
    pub next: Offset,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Batches are to be read: from the one that holds `from` on, and none beyond `below`.
    Read {
        /// The offset to begin with.
        from: Offset,
        /// Where a segment ends.
        below: Offset,
    },
    /// A piece of work was done.
    Worked,
    /// These batches follow what was written of the span before.
    Write {
        /// The span.
        span: Span,
        /// Whole batches, back to back.
        batches: Bytes,
    },
    /// Everything of the span is written.
    Replace(Span),
    /// The closed segments are compacted so far. If that is not the target, more follows: at once where it has risen,
    /// else when more segments are closed.
    Reached(Compacted),
}

/// A batch that cannot be read to its end. The log cannot be compacted while it has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the batch at {offset} cannot be read: {error}")]
pub struct Unreadable {
    /// Where it begins.
    pub offset: Offset,
    /// What is wrong with it.
    pub error: BatchError,
}

/// Compacts one log.
#[derive(Debug)]
pub struct Cleaner {
    done: Compacted,
    target: Compacted,
    /// Segments are joined up to that length.
    span_bytes_max: u64,
    keys: KeyMap,
    decompressor: Decompressor,
    /// What was read and not looked through yet.
    unread: Bytes,
    looked_bytes: u64,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// The keys of the records from `done.up_to` on are noted; those below `at` are.
    Noting { at: Offset, is_full: bool },
    /// Records below `until` go of which the keys know a later one, span by span; those that end at or below `at` are
    /// through.
    Pruning { until: Offset, at: Offset, work: Option<Work> },
}

/// A span in work.
#[derive(Debug)]
struct Work {
    span: Span,
    /// Where the next batch begins.
    at: Offset,
    /// What is to be written; nothing as long as all of it stays.
    pruned: Option<Pruned>,
}

impl Cleaner {
    /// For a log whose files are compacted as far as `done`, to be compacted as far as `target`.
    pub fn new(done: Compacted, target: Compacted, span_bytes_max: u64, keys: KeyMap) -> Cleaner {
        assert!(target.tombstones_before <= target.up_to, "a tombstone goes with what it overtook");
        Cleaner {
            done,
            target,
            span_bytes_max,
            keys,
            decompressor: Decompressor::new(),
            unread: Bytes::new(),
            looked_bytes: 0,
            stage: Stage::Noting { at: done.up_to, is_full: false },
        }
    }

    /// How far the files are.
    pub fn done(&self) -> Compacted {
        self.done
    }

    /// Bytes that it has looked through, stored and decompressed together: what work that was.
    pub fn looked_bytes(&self) -> u64 {
        self.looked_bytes
    }

    /// What it takes in memory for keys, in bytes.
    pub fn keys_bytes(&self) -> usize {
        self.keys.bytes()
    }

    /// What comes next, for a log that begins at `log_start` and has these closed segments, ascending.
    ///
    /// # Errors
    /// A batch that cannot be read.
    pub fn next(&mut self, log_start: Offset, segments: &[Closed]) -> Result<Next, Unreadable> {
        if !self.unread.is_empty() {
            return self.work();
        }
        match self.stage {
            Stage::Noting { at, is_full } => Ok(self.note_on(at.max(log_start), is_full, segments)),
            Stage::Pruning { .. } => Ok(self.prune_on(log_start, segments)),
        }
    }

    /// What [`Next::Read`] asked for: whole batches, the first of which holds the offset asked for. What of it is not
    /// wanted any more is passed over.
    pub fn take(&mut self, batches: Bytes) {
        self.unread = batches;
    }

    /// What was asked for cannot be read, or written: the span is begun anew, unless its segments are gone by then. What
    /// was written of it is of no use.
    pub fn begin_span_anew(&mut self) {
        self.unread = Bytes::new();
        if let Stage::Pruning { work, .. } = &mut self.stage {
            *work = None;
        }
    }

    fn note_on(&mut self, at: Offset, is_full: bool, segments: &[Closed]) -> Next {
        let end = segments.last().map_or(at, |last| last.next);
        let limit = self.target.up_to.min(end);
        if at < limit && !is_full {
            return Next::Read { from: at, below: end };
        }
        // Behind the log's start there is nothing to overtake.
        let until = if is_full { at } else { limit };
        let until = until.max(self.done.up_to).min(self.target.up_to);
        let next = Compacted { up_to: until, tombstones_before: self.target.tombstones_before.min(until) };
        if self.done.covers(next) {
            return Next::Reached(self.done);
        }
        self.stage = Stage::Pruning { until, at: Offset(0), work: None };
        Next::Worked
    }

    fn prune_on(&mut self, log_start: Offset, segments: &[Closed]) -> Next {
        let Stage::Pruning { until, at, work } = &mut self.stage else { return Next::Worked };
        let Some(Work { span, at: reached, pruned }) = work else {
            let Some((span, is_joined)) = next_span(segments, (*at, *until), self.span_bytes_max) else {
                return self.pass_is_over();
            };
            let pruned = is_joined.then(|| Pruned::from(span.base));
            *work = Some(Work { span, at: span.base, pruned });
            return Next::Worked;
        };
        let (span, from) = (*span, log_start.max(*reached));
        if from < span.next {
            return match pruned
                .as_mut()
                .filter(|pruned| pruned.ready_bytes() as u64 >= COMPACTION_STEP_BYTES / 2)
            {
                Some(pruned) => Next::Write { span, batches: pruned.take() },
                None => Next::Read { from, below: span.next },
            };
        }
        let is_whole = *reached >= span.next;
        match pruned {
            Some(pruned) if is_whole => {
                pruned.close();
                if pruned.ready_bytes() > 0 {
                    return Next::Write { span, batches: pruned.take() };
                }
                (*at, *work) = (span.next, None);
                Next::Replace(span)
            }
            // Nothing of it goes, or the log's start has passed it.
            _ => {
                (*at, *work) = (span.next, None);
                Next::Worked
            }
        }
    }

    fn pass_is_over(&mut self) -> Next {
        let Stage::Pruning { until, .. } = self.stage else { return Next::Worked };
        self.done.up_to = until;
        let tombstones = self.target.tombstones_before.min(until);
        self.done.tombstones_before = self.done.tombstones_before.max(tombstones);
        self.keys.clear();
        self.stage = Stage::Noting { at: until, is_full: false };
        Next::Reached(self.done)
    }

    /// Looks through a bounded part of what was read.
    fn work(&mut self) -> Result<Next, Unreadable> {
        let unread = std::mem::take(&mut self.unread);
        let mut batches = Batches::new(&unread);
        let enough = self.looked_bytes + COMPACTION_STEP_BYTES;
        while self.looked_bytes < enough
            && let Some(batch) = batches.next()
        {
            let at = self.at();
            let batch = batch.map_err(|error| Unreadable { offset: at, error })?;
            let before = self.decompressor.plain_bytes();
            let looks_on = self.look_at(&batch);
            self.looked_bytes += batch.bytes().len() as u64 + self.decompressor.plain_bytes() - before;
            let offset = Offset(batch.base_offset());
            if !looks_on.map_err(|error| Unreadable { offset, error })? {
                return Ok(Next::Worked);
            }
        }
        let rest = batches.rest().len();
        self.unread = unread.slice(unread.len() - rest..);
        Ok(Next::Worked)
    }

    /// Where the next batch begins, or what it holds.
    fn at(&self) -> Offset {
        match &self.stage {
            Stage::Noting { at, .. } => *at,
            Stage::Pruning { at, work, .. } => work.as_ref().map_or(*at, |work| work.at),
        }
    }

    /// Looks at the next batch. Whether what was read behind it is wanted too.
    fn look_at(&mut self, batch: &Batch<'_>) -> Result<bool, BatchError> {
        let next = Offset(batch.last_offset().saturating_add(1));
        match &mut self.stage {
            Stage::Noting { at, is_full } => {
                let range = (*at, self.target.up_to);
                let records = batch.records(&mut self.decompressor, DECOMPRESSED_BYTES_MAX)?;
                let unnoted = note(records, range, &mut self.keys)?;
                (*at, *is_full) = (unnoted.unwrap_or(next.min(range.1)), unnoted.is_some());
                Ok(!*is_full && *at < range.1)
            }
            Stage::Pruning { until, work, .. } => {
                let Some(work) = work else { return Ok(false) };
                let overtaken = Overtaken {
                    keys: &self.keys,
                    until: *until,
                    tombstones_before: self.target.tombstones_before,
                };
                let base = Offset(batch.base_offset());
                assert!(base >= work.span.base && next > work.at, "what is read follows what was read");
                let left = overtaken.remains(batch, &mut self.decompressor)?;
                Ok(work.prune(batch, (base, next), left))
            }
        }
    }
}

impl Work {
    /// The next batch of the span, and what is left of it. Whether what follows is wanted: not if the span turns out to
    /// be one that has to be written, and what lies before the batch was passed.
    fn prune(&mut self, batch: &Batch<'_>, (base, next): (Offset, Offset), left: Remains) -> bool {
        if self.pruned.is_none() {
            // An empty batch that follows another one is not worth it.
            let is_same = left == Remains::All || batch.count() == 0;
            if is_same {
                self.at = next;
                return true;
            }
            let is_first = self.at == self.span.base;
            self.pruned = Some(Pruned::from(self.span.base));
            if !is_first {
                self.at = self.span.base;
                return false;
            }
        }
        let Some(pruned) = &mut self.pruned else { return false };
        // Below the log's start nothing is read, and nobody asks for it.
        while pruned.next() < base {
            let step = base.0.min(pruned.next().0 + i64::from(i32::MAX));
            pruned.gone(Offset(step), batch.leader_epoch());
        }
        match left {
            Remains::All if batch.count() > 0 => pruned.stays(next, batch.bytes()),
            Remains::Some(left) => pruned.stays(next, &left),
            Remains::All | Remains::Nothing => pruned.gone(next, batch.leader_epoch()),
        }
        self.at = next;
        true
    }
}

/// Which records go.
struct Overtaken<'a> {
    keys: &'a KeyMap,
    until: Offset,
    tombstones_before: Offset,
}

impl Overtaken<'_> {
    fn remains(&self, batch: &Batch<'_>, decompressor: &mut Decompressor) -> Result<Remains, BatchError> {
        // A marker of a transaction is for who reads the transaction's records; those stay as they are until there are
        // transactions.
        if batch.is_control() || batch.base_offset() >= self.until.0 {
            return Ok(Remains::All);
        }
        remains(batch, decompressor, DECOMPRESSED_BYTES_MAX, |record| self.stays(record))
    }

    fn stays(&self, record: &Record<'_>) -> bool {
        if record.offset >= self.until.0 {
            return true;
        }
        let Some(key) = record.key else { return false };
        let is_last = self.keys.newest(key).is_none_or(|newest| newest.0 <= record.offset);
        is_last && (record.value.is_some() || record.offset >= self.tombstones_before.0)
    }
}

/// Notes the keys of the records from one offset up to the other. The first that there was no room for.
fn note(
    records: Records<'_>,
    (from, limit): (Offset, Offset),
    keys: &mut KeyMap,
) -> Result<Option<Offset>, BatchError> {
    for record in records {
        let record = record?;
        if record.offset < from.0 || record.offset >= limit.0 {
            continue;
        }
        let offset = Offset(record.offset);
        if let Some(key) = record.key
            && keys.note(key, offset) == Err(Full)
        {
            return Ok(Some(offset));
        }
    }
    Ok(None)
}

/// The segments that are written next as one, and whether they are several: the first that begins at or above one
/// offset and below the other, and those that follow it as long as they are small together.
fn next_span(segments: &[Closed], (at, until): (Offset, Offset), bytes_max: u64) -> Option<(Span, bool)> {
    let first = segments.partition_point(|segment| segment.base < at);
    let mut following = segments[first..].iter().take_while(|segment| segment.base < until);
    let Closed { base, mut next, mut bytes } = *following.next()?;
    let mut is_joined = false;
    for segment in following {
        bytes += segment.bytes;
        if segment.base != next || bytes > bytes_max {
            break;
        }
        (next, is_joined) = (segment.next, true);
    }
    Some((Span { base, next }, is_joined))
}
