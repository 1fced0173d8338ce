//! A segment: one file of committed record batches, back to back in Kafka's own format (DumpLogSegments reads
//! it), and what is known about it without reading it.
//!
//! Invariants: a segment only grows, and only at its end, while it is its log's last one; bytes beyond
//! `bytes` are nobody's (a crash left them) and are cut at recovery. Its batches cover `base..next` without
//! a gap. A file's name is never used for other data: a log that starts anew takes a higher generation.

use crate::file::{File, SegmentName};
use crate::ids::{Offset, TopicPartition};

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

/// Segments handed to a sync, each with the length that the sync will have made durable.
pub type Synced = Vec<(SegmentName, u64)>;

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

    /// Its name, in the log of `of`.
    pub fn name(&self, of: TopicPartition) -> SegmentName {
        SegmentName { of, base: self.base, generation: self.generation }
    }
}

/// The two files of a segment.
pub fn files(name: SegmentName) -> [File; 2] {
    [File::Segment(name), File::SegmentIndex(name)]
}
