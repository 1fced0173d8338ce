//! A rewrite: closed segments next to each other (a span) on their way into one file, beside them and of a generation of
//! its own.
//!
//! ```text
//! written piece by piece -> all of it synced -> takes the place of the span's segments in memory
//!                                               -> the next checkpoint names it, and gives those up
//! ```
//! Until a durable checkpoint names it the span's segments stay: after a crash either they or the file are the log, and
//! the other is what a crash has left.
//!
//! Invariant: one write is under way at most, and no sync while one is, so that a full disk is told from a failed one.

use super::index::IndexEntry;
use super::log::SegmentWrite;
use super::segment::Segment;
use crate::compaction::Span;
use crate::file::SegmentName;
use crate::ids::{Offset, TopicPartition};
use bytes::Bytes;
use rust_mq_proto::records::Batches;

/// One of them.
#[derive(Debug)]
pub struct Rewrite {
    of: TopicPartition,
    span: Span,
    /// As it is written.
    segment: Segment,
    /// Its index, which is written when it has taken the place: until then nobody looks for anything in it.
    index: Vec<IndexEntry>,
    step: Step,
}

#[derive(Debug)]
enum Step {
    Idle,
    /// It will be this when the write is done.
    Writing(Segment),
    Syncing,
}

impl Rewrite {
    /// Of a span of the log of `of`, into a file of this generation. Nothing is written yet.
    pub fn new(of: TopicPartition, span: Span, generation: u32) -> Rewrite {
        let segment = Segment::starting(span.base, generation);
        Rewrite { of, span, segment, index: Vec::new(), step: Step::Idle }
    }

    pub fn name(&self) -> SegmentName {
        self.segment.name(self.of)
    }

    pub fn span(&self) -> Span {
        self.span
    }

    /// Whether nothing of it is under way.
    pub fn is_idle(&self) -> bool {
        matches!(self.step, Step::Idle)
    }

    /// How to write whole batches that follow those before; notes that it is under way.
    pub fn next_write(&mut self, batches: Bytes, index_interval: u64) -> SegmentWrite {
        assert!(matches!(self.step, Step::Idle), "one thing is done after the other");
        let mut segment = self.segment.clone();
        let at = segment.bytes;
        for batch in Batches::new(&batches) {
            let batch = batch.expect("what is written anew are whole batches");
            let (base, next) = (Offset(batch.base_offset()), Offset(batch.last_offset() + 1));
            assert!(base == segment.next && next > base, "batches are written without a gap");
            let len = batch.bytes().len() as u64;
            self.index.extend(segment.add((base, next), len, batch.max_timestamp(), index_interval));
        }
        assert!(segment.bytes - at == batches.len() as u64, "what is written anew are whole batches");
        assert!(segment.next <= self.span.next, "and they end where the span does");
        self.step = Step::Writing(segment);
        SegmentWrite { name: self.name(), at, parts: vec![batches], index_from: 0, index: Vec::new() }
    }

    /// The write is done.
    pub fn written(&mut self) {
        if let Step::Writing(segment) = std::mem::replace(&mut self.step, Step::Idle) {
            self.segment = segment;
        }
    }

    /// All is written, and is synced from now on.
    pub fn begins_to_sync(&mut self) {
        let is_whole = matches!(self.step, Step::Idle) && self.segment.next == self.span.next;
        assert!(is_whole, "a file takes the place of all of the span");
        self.step = Step::Syncing;
    }

    /// It is synced: the segment, and its index.
    pub fn synced(self) -> (Segment, Vec<IndexEntry>) {
        assert!(matches!(self.step, Step::Syncing), "what takes the place of others is durable");
        (self.segment, self.index)
    }
}
