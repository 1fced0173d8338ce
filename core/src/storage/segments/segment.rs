//! A segment: one file of committed record batches, back to back in Kafka's own format (DumpLogSegments reads
//! it), and what is known about it without reading it.
//!
//! Invariants: a segment only grows, and only at its end, while it is its log's last one; bytes beyond
//! `bytes` are nobody's (a crash left them) and are cut at recovery. Its batches cover `base..next` without
//! a gap. A file's name is never used for other data: a log that starts anew takes a higher generation, and so does a
//! file that takes the place of others.

use crate::file::{File, SegmentName};
use crate::ids::{Offset, TopicPartition};
use crate::storage::codec::{Cursor, Sink};

use super::index::IndexEntry;

/// What is known of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Offset of its first record.
    pub base: Offset,
    /// Tells its file from one of the same base that was given up.
    pub generation: u32,
    /// Offset after its last record.
    pub next: Offset,
    /// Bytes written, and known to be.
    pub bytes: u64,
    /// Highest timestamp of its records.
    pub max_timestamp: i64,
    /// Entries in its index file.
    pub index_entries: u32,
    /// Where the batch of the newest index entry lies.
    pub indexed_at: u64,
}

impl Segment {
    /// A segment to be written from `base` on.
    pub fn starting(base: Offset, generation: u32) -> Segment {
        Segment {
            base,
            generation,
            next: base,
            bytes: 0,
            max_timestamp: i64::MIN,
            index_entries: 0,
            indexed_at: 0,
        }
    }

    /// It becomes longer by a batch of these offsets and so many bytes. The batch's entry of the index, if one is due.
    pub fn add(
        &mut self,
        (base, next): (Offset, Offset),
        bytes: u64,
        max_timestamp: i64,
        index_interval: u64,
    ) -> Option<IndexEntry> {
        let entry = IndexEntry { offset: base, position: self.bytes, latest_before: self.max_timestamp };
        let is_due = self.bytes - self.indexed_at >= index_interval.max(1);
        if is_due {
            self.indexed_at = self.bytes;
            self.index_entries += 1;
        }
        self.bytes += bytes;
        self.next = next;
        self.max_timestamp = self.max_timestamp.max(max_timestamp);
        is_due.then_some(entry)
    }

    /// Its name, in the log of `of`.
    pub fn name(&self, of: TopicPartition) -> SegmentName {
        SegmentName { of, base: self.base, generation: self.generation }
    }
}

/// Writes the segments of a log.
pub fn encode_all(segments: &[Segment], sink: &mut Sink) {
    sink.count(segments.len());
    for segment in segments {
        sink.i64(segment.base.0);
        sink.u32(segment.generation);
        sink.i64(segment.next.0);
        sink.u64(segment.bytes);
        sink.i64(segment.max_timestamp);
        sink.u32(segment.index_entries);
        sink.u64(segment.indexed_at);
    }
}

/// A log's segments up to `end`: rising, none empty.
pub fn decode_all(cursor: &mut Cursor, end: Offset) -> Option<Vec<Segment>> {
    let count = cursor.count(48)?;
    let segments: Vec<Segment> = (0..count)
        .map(|_| {
            Some(Segment {
                base: Offset(cursor.i64()?),
                generation: cursor.u32()?,
                next: Offset(cursor.i64()?),
                bytes: cursor.u64()?,
                max_timestamp: cursor.i64()?,
                index_entries: cursor.u32()?,
                indexed_at: cursor.u64()?,
            })
        })
        .collect::<Option<_>>()?;
    let is_sound = |segment: &Segment| {
        segment.base < segment.next && segment.bytes < 1 << 50 && segment.indexed_at <= segment.bytes
    };
    let rise = segments.windows(2).all(|pair| pair[0].next <= pair[1].base);
    let reach_end = segments.last().is_none_or(|last| last.next == end);
    (segments.iter().all(is_sound) && rise && reach_end).then_some(segments)
}

/// The two files of a segment.
pub fn files(name: SegmentName) -> [File; 2] {
    [File::Segment(name), File::SegmentIndex(name)]
}

/// The files of several segments.
pub fn files_of(names: &[SegmentName]) -> impl Iterator<Item = File> {
    names.iter().flat_map(|name| files(*name))
}
