//! A replica's committed batches on this node: the newest in memory (the tail), the others in segments.
//!
//! ```text
//!        segments: written                                  tail: in memory
//!  [base0 ........][base1 ........][base2 ....              ]
//!                                      [cached | being written | unwritten ]
//!  log_start                                    ^ written_end               ^ end
//! ```
//! Invariants: log_start <= end; the tail is contiguous and ends at `end`; written_end <= end, and everything
//! from written_end on is in the tail. One write is under way at most, and none while a sync is, so that a
//! full disk is told from a failed one. A segment ends where its topic says (`Roll`), or the node, if that is sooner.
//!
//! Closed are the segments that take no more batches. They alone are written anew (`rewrite`), and then one takes the
//! place of several.
//!
//! Not here: when to write and what to sync (`write_behind`), finding things on the disk (`read`).

use super::chunk::Chunk;
use super::index::IndexEntry;
use super::segment::Segment;
use crate::compaction::{Compacted, Span};
use crate::file::SegmentName;
use crate::ids::{Offset, TopicPartition};
use crate::limits::SEGMENT_WRITE_BYTES_MAX;
use bytes::Bytes;
use std::collections::VecDeque;

/// One applied record batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedBatch {
    /// Offset of its first record.
    pub base: Offset,
    /// Offset after its last record.
    pub next: Offset,
    /// Its highest timestamp.
    pub max_timestamp: i64,
    /// The batch, whole, as clients will read it.
    pub bytes: Bytes,
}

/// When a segment is ended, besides what the node's configuration says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roll {
    /// It would become longer than this. Bytes.
    pub bytes: u64,
    /// The next batch is that much newer than its first. Milliseconds, by the records' own time.
    pub age_ms: i64,
}

impl Default for Roll {
    fn default() -> Roll {
        Roll { bytes: u64::MAX, age_ms: i64::MAX }
    }
}

/// What a replica's data spans on this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// First offset that may be read.
    pub log_start: Offset,
    /// Offset after the last batch.
    pub end: Offset,
    /// Bytes of all batches kept.
    pub bytes: u64,
    /// Offset of the first batch in memory: what lies before it is on the disk alone.
    pub cold_end: Offset,
}

/// The batches of one replica.
#[derive(Debug)]
pub struct Log {
    pub of: TopicPartition,
    pub generation: u32,
    log_start: Offset,
    end: Offset,
    segments: Vec<Segment>,
    pub roll: Roll,
    /// The time of the first batch of the newest segment, from which its age counts; of one that recovery found, its
    /// newest time. None if it has none.
    newest_from: Option<i64>,
    tail: VecDeque<CommittedBatch>,
    /// How many of the tail, from its front, are written: a cache.
    cached: usize,
    unwritten_bytes: u64,
    writing: Option<Box<Writing>>,
    /// The write that was to begin a segment at `written_end` met a full disk: its files may be there, and no other
    /// segment takes its place.
    is_refused: bool,
    /// A sync of its segments is under way.
    pub is_syncing: bool,
    /// The newest segment takes no more.
    is_newest_closed: bool,
    /// How far the closed ones are compacted.
    pub compacted: Compacted,
    /// The newest generation that a file of it has had.
    newest_generation: u32,
}

/// A write to a segment, under way.
#[derive(Debug)]
struct Writing {
    batches: usize,
    bytes: u64,
    /// The segment as it will be, and from when its age counts.
    segment: Segment,
    from: Option<i64>,
    /// Whether it takes all that waited.
    is_all: bool,
}

/// What to write for a log.
#[derive(Debug, PartialEq, Eq)]
pub struct SegmentWrite {
    pub name: SegmentName,
    pub at: u64,
    pub parts: Vec<Bytes>,
    /// New entries of the index, the first of which has this number.
    pub index_from: u32,
    pub index: Vec<IndexEntry>,
}

impl Log {
    /// A log with the given segments, all of it written, ending at `end`.
    pub fn new(
        of: TopicPartition,
        generation: u32,
        log_start: Offset,
        end: Offset,
        segments: Vec<Segment>,
    ) -> Log {
        let newest_from = segments.last().and_then(|newest| time(newest.max_timestamp));
        let newest_generation = segments.iter().map(|segment| segment.generation).fold(generation, u32::max);
        Log {
            of,
            generation,
            log_start: log_start.min(end),
            end,
            segments,
            roll: Roll::default(),
            newest_from,
            tail: VecDeque::new(),
            cached: 0,
            unwritten_bytes: 0,
            writing: None,
            is_refused: false,
            is_syncing: false,
            is_newest_closed: false,
            compacted: Compacted::default(),
            newest_generation,
        }
    }

    /// An empty log of the same partition that goes on at `at`.
    pub fn anew(&self, generation: u32, at: Offset) -> Log {
        Log { roll: self.roll, ..Log::new(self.of, generation, at, at, Vec::new()) }
    }

    /// Takes the next batch. It can be read at once.
    pub fn keep(&mut self, batch: CommittedBatch) {
        assert!(batch.base == self.end, "committed batches are kept in order, without a gap");
        assert!(batch.next > batch.base, "a batch holds at least one offset");
        self.end = batch.next;
        self.unwritten_bytes += batch.bytes.len() as u64;
        self.tail.push_back(batch);
    }

    /// What to write next, of what lies below `goal`; notes that it is under way.
    pub fn next_write(
        &mut self,
        goal: Offset,
        segment_bytes: u64,
        index_interval: u64,
    ) -> Option<SegmentWrite> {
        if self.writing.is_some() || self.is_syncing {
            return None;
        }
        let first = self.tail.get(self.cached).filter(|batch| batch.next <= goal)?;
        let segment_bytes = segment_bytes.min(self.roll.bytes);
        let age_ms = self.roll.age_ms;
        let is_aged = |batch: &CommittedBatch, from: Option<i64>| {
            from.is_some_and(|from| batch.max_timestamp.saturating_sub(from) > age_ms)
        };
        let is_open = !self.is_refused && !self.is_newest_closed;
        let extends = self.segments.last().filter(|_| is_open).is_some_and(|last| {
            last.next == first.base && last.bytes + first.bytes.len() as u64 <= segment_bytes
        });
        let (mut segment, mut from) = match self.segments.last() {
            Some(last) if extends && !is_aged(first, self.newest_from) => (last.clone(), self.newest_from),
            _ => (Segment::starting(first.base, self.generation), None),
        };
        let (at, index_from) = (segment.bytes, segment.index_entries);
        let (mut parts, mut index) = (Vec::new(), Vec::new());
        for batch in self.tail.range(self.cached..) {
            let len = batch.bytes.len() as u64;
            let is_room = segment.bytes + len <= segment_bytes
                && segment.bytes - at + len <= SEGMENT_WRITE_BYTES_MAX
                && !is_aged(batch, from);
            if batch.next > goal || !(is_room || parts.is_empty()) {
                break;
            }
            index.extend(segment.add((batch.base, batch.next), len, batch.max_timestamp, index_interval));
            from = from.or(time(batch.max_timestamp));
            parts.push(batch.bytes.clone());
        }
        let name = segment.name(self.of);
        let is_all = self.cached + parts.len() == self.tail.len();
        let bytes = segment.bytes - at;
        self.writing = Some(Box::new(Writing { batches: parts.len(), bytes, segment, from, is_all }));
        Some(SegmentWrite { name, at, parts, index_from, index })
    }

    /// The write under way is done. The segment it made longer.
    pub fn written(&mut self) -> Option<&Segment> {
        let writing = *self.writing.take()?;
        self.is_refused = false;
        self.cached += writing.batches;
        self.unwritten_bytes -= writing.bytes;
        self.newest_from = writing.from;
        match self.segments.last_mut().filter(|last| last.base == writing.segment.base) {
            Some(last) => *last = writing.segment,
            None => {
                self.segments.push(writing.segment);
                self.is_newest_closed = false;
            }
        }
        self.segments.last()
    }

    /// The write under way met a full disk: it will be tried again.
    pub fn not_written(&mut self) -> Option<SegmentName> {
        let writing = self.writing.take()?;
        self.is_refused = writing.segment.base == self.written_end();
        Some(writing.segment.name(self.of))
    }

    /// Forgets the oldest batch of the tail if it is written. How many bytes that frees.
    pub fn evict(&mut self) -> u64 {
        if self.cached == 0 {
            return 0;
        }
        self.cached -= 1;
        let batch = self.tail.pop_front().expect("cached batches are in the tail");
        if self.tail.is_empty() {
            self.tail.shrink_to_fit();
        }
        batch.bytes.len() as u64
    }

    /// The newest segment takes no more: what is written next begins another.
    pub fn close_newest(&mut self) {
        self.is_newest_closed = true;
    }

    /// The segments that take no more batches, oldest first.
    pub fn closed(&self) -> &[Segment] {
        let is_extended = self.writing.as_ref().zip(self.segments.last());
        let is_extended = is_extended.is_some_and(|(writing, last)| writing.segment.base == last.base);
        let open = usize::from(!self.is_newest_closed || is_extended).min(self.segments.len());
        &self.segments[..self.segments.len() - open]
    }

    /// Whether closed segments begin and end where the span does.
    pub fn has_closed(&self, span: Span) -> bool {
        let closed = self.closed();
        closed.iter().any(|segment| segment.base == span.base)
            && closed.iter().any(|segment| segment.next == span.next)
    }

    /// A generation for a file that is to take the place of others: no file of the log has had it.
    pub fn next_generation(&mut self) -> u32 {
        self.newest_generation = self.newest_generation.saturating_add(1);
        self.newest_generation
    }

    /// The newest generation that a file of it has had.
    pub fn newest_generation(&self) -> u32 {
        self.newest_generation
    }

    /// `segment` takes the place of those within its offsets, whose names these are; none if there are none any more, for
    /// the log's start has passed them.
    pub fn replace(&mut self, segment: Segment) -> Vec<SegmentName> {
        let first = self.segments.partition_point(|other| other.base < segment.base);
        let end = self.segments.partition_point(|other| other.next <= segment.next);
        if first >= end {
            return Vec::new();
        }
        let of = self.of;
        self.segments.splice(first..end, [segment]).map(|old| old.name(of)).collect()
    }

    /// Forgets the batches of the tail that are written and end at or below `next`: how many, and their bytes.
    pub fn evict_below(&mut self, next: Offset) -> (usize, u64) {
        let is_below = |batch: &&CommittedBatch| batch.next <= next;
        let count = self.tail.range(..self.cached).take_while(is_below).count();
        (count, (0..count).map(|_| self.evict()).sum())
    }

    /// Raises the log's start, to the beginning of the batch that `to` lies in, or of its segment where batches are not
    /// known: what is kept, and what others fetch, is whole batches. The segments that lie below it altogether, which the
    /// log has given up.
    pub fn advance_start(&mut self, to: Offset) -> Vec<SegmentName> {
        self.log_start = self.log_start.max(self.begins_at(to));
        // A segment that is being made longer stays until it is not.
        let mut below = self.segments.partition_point(|segment| segment.next <= self.log_start);
        if self.writing.is_some() && below == self.segments.len() {
            below = below.saturating_sub(1);
        }
        let of = self.of;
        self.segments.drain(..below).map(|segment| segment.name(of)).collect()
    }

    /// The last place at or below an offset where a batch is known to begin; the end, if it lies there or beyond.
    fn begins_at(&self, offset: Offset) -> Offset {
        if offset >= self.end {
            return self.end;
        }
        let after = self.tail.partition_point(|batch| batch.base <= offset);
        let in_memory = after.checked_sub(1).and_then(|at| self.tail.get(at)).map(|batch| batch.base);
        in_memory.or_else(|| self.segment_of(offset).map(|segment| segment.base)).unwrap_or(self.log_start)
    }

    pub fn log_start(&self) -> Offset {
        self.log_start
    }

    pub fn end(&self) -> Offset {
        self.end
    }

    /// Offset after the last batch that is written.
    pub fn written_end(&self) -> Offset {
        self.tail.get(self.cached).map_or(self.end, |batch| batch.base)
    }

    pub fn unwritten_bytes(&self) -> u64 {
        self.unwritten_bytes
    }

    /// What is not written yet, as a segment would show it; nothing if nothing waits.
    pub fn unwritten(&self) -> Option<Segment> {
        let newest = self.tail.range(self.cached..).map(|batch| batch.max_timestamp).max()?;
        Some(Segment {
            next: self.end,
            bytes: self.unwritten_bytes,
            max_timestamp: newest,
            ..Segment::starting(self.written_end(), self.generation)
        })
    }

    /// Batches of the tail that are a cache.
    pub fn cached(&self) -> usize {
        self.cached
    }

    /// Their bytes.
    pub fn cached_bytes(&self) -> u64 {
        self.tail.range(..self.cached).map(|batch| batch.bytes.len() as u64).sum()
    }

    pub fn is_writing(&self) -> bool {
        self.writing.is_some()
    }

    /// Whether the write under way takes all that waited when it began: a segment may end before.
    pub fn writes_all(&self) -> bool {
        self.writing.as_ref().is_some_and(|writing| writing.is_all)
    }

    /// The segment being written.
    pub fn writing(&self) -> Option<SegmentName> {
        self.writing.as_ref().map(|writing| writing.segment.name(self.of))
    }

    /// Bytes of the write under way.
    pub fn writing_bytes(&self) -> u64 {
        self.writing.as_ref().map_or(0, |writing| writing.bytes)
    }

    /// Offset of the first batch in memory.
    pub fn tail_start(&self) -> Offset {
        self.tail.front().map_or(self.end, |batch| batch.base)
    }

    /// All its segments, the one being written too, and what a refused write may have left of one.
    pub fn names(&self) -> Vec<SegmentName> {
        let mut names: Vec<_> = self.segments.iter().map(|segment| segment.name(self.of)).collect();
        let refused = Segment::starting(self.written_end(), self.generation).name(self.of);
        names.extend(self.writing().or(self.is_refused.then_some(refused)));
        names.dedup();
        names
    }

    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    pub fn extent(&self) -> Extent {
        let written: u64 = self.segments.iter().map(|segment| segment.bytes).sum();
        let bytes = written + self.unwritten_bytes;
        Extent { log_start: self.log_start, end: self.end, bytes, cold_end: self.tail_start() }
    }

    /// The segment of that name, if the log has it still.
    pub fn segment_named(&self, name: SegmentName) -> Option<&Segment> {
        let at = self.segments.binary_search_by_key(&name.base, |segment| segment.base).ok()?;
        self.segments.get(at).filter(|segment| segment.name(self.of) == name)
    }

    /// The segment that holds `offset`.
    pub fn segment_of(&self, offset: Offset) -> Option<&Segment> {
        let after = self.segments.partition_point(|segment| segment.base <= offset);
        self.segments[..after].last().filter(|segment| offset < segment.next)
    }

    /// The first segment from `offset` on that has a record at or after `timestamp`, if what is asked may
    /// be there at all.
    pub fn segment_reaching(&self, offset: Offset, timestamp: i64) -> Option<&Segment> {
        let first = self.segments.partition_point(|segment| segment.next <= offset);
        self.segments[first..].iter().find(|segment| segment.max_timestamp >= timestamp)
    }

    /// Batches from `from` on out of memory; `None` if the first is not there.
    pub fn read_tail(&self, from: Offset, below: Offset, max_bytes: usize) -> Option<Chunk> {
        if from >= self.end {
            return Some(Chunk::default());
        }
        let first = self.tail.partition_point(|batch| batch.next <= from);
        let holds = self.tail.get(first).is_some_and(|batch| batch.base <= from);
        if !holds {
            return None;
        }
        let mut bytes = 0;
        // One batch at least, however large it is.
        let fits = |batch: &&CommittedBatch| {
            let is_first = bytes == 0;
            bytes += batch.bytes.len();
            batch.next <= below && (bytes <= max_bytes || is_first)
        };
        let count = self.tail.range(first..).take_while(fits).count();
        let batches = self.tail.range(first..first + count).map(|batch| batch.bytes.clone()).collect();
        Some(Chunk { batches, place: None })
    }

    /// The first batch in memory, from `from` on, with a record at or after `timestamp`.
    pub fn find_tail(&self, from: Offset, timestamp: i64) -> Chunk {
        let first = self.tail.partition_point(|batch| batch.next <= from);
        let found = self.tail.range(first..).find(|batch| batch.max_timestamp >= timestamp);
        Chunk { batches: found.map(|batch| batch.bytes.clone()).into_iter().collect(), place: None }
    }
}

/// A batch's time, if its records have one: -1 says that they do not.
fn time(max_timestamp: i64) -> Option<i64> {
    (max_timestamp >= 0).then_some(max_timestamp)
}
