//! The names of the files a node has, and the lane each belongs to. What is in them is `storage/`'s.
//!
//! The layout, relative to the data directory:
//! ```text
//! node.meta
//! journal/0007
//! checkpoint.a  checkpoint.b
//! state/0007
//! data/TOPIC-ID/PARTITION/BASE-GENERATION.log   .index
//! ```
//! Invariant: `File::parse(file.path()) == Some(file)`.

use crate::ids::{Offset, PartitionId, TopicId, TopicPartition};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A file of the data directory. The driver makes the directories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum File {
    /// Who this disk is.
    NodeMeta,
    /// One file of the journal's ring.
    Journal(u32),
    /// Slot `a` (false) or `b` (true) of the checkpoint.
    Checkpoint(bool),
    /// Pages of replicas' states, one behind the other.
    State(u32),
    /// Committed batches of one partition, from `base` on.
    Segment(SegmentName),
    /// The sparse index of the segment of the same name.
    SegmentIndex(SegmentName),
}

/// What names a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SegmentName {
    /// Whose data it holds.
    pub of: TopicPartition,
    /// The offset it starts at.
    pub base: Offset,
    /// Rises when a segment is written anew (compaction, refetch).
    pub generation: u32,
}

/// Which of the driver's lanes carries a file's writes (law 9); reads have a lane of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Lane {
    /// The journal and node.meta: latency matters.
    Journal,
    /// Segments, indexes, checkpoint, state: throughput matters.
    Bulk,
}

impl File {
    /// The lane its writes go by.
    pub fn lane(self) -> Lane {
        match self {
            File::NodeMeta | File::Journal(_) => Lane::Journal,
            File::Checkpoint(_) | File::State(_) | File::Segment(_) | File::SegmentIndex(_) => Lane::Bulk,
        }
    }

    /// The path relative to the data directory, with `/` between its parts.
    pub fn path(self) -> String {
        self.to_string()
    }

    /// The file of that relative path; `None` for what is not ours.
    pub fn parse(path: &str) -> Option<File> {
        let file = match path.split('/').collect::<Vec<_>>()[..] {
            ["node.meta"] => File::NodeMeta,
            ["checkpoint.a"] => File::Checkpoint(false),
            ["checkpoint.b"] => File::Checkpoint(true),
            ["state", number] => File::State(number.parse().ok()?),
            ["journal", number] => File::Journal(number.parse().ok()?),
            ["data", topic, partition, name] => {
                let (stem, kind) = name.split_once('.')?;
                let (base, generation) = stem.split_once('-')?;
                let segment = SegmentName {
                    of: TopicPartition {
                        topic: TopicId::parse(topic)?,
                        partition: PartitionId(partition.parse().ok()?),
                    },
                    base: Offset(base.parse().ok()?),
                    generation: generation.parse().ok()?,
                };
                match kind {
                    "log" => File::Segment(segment),
                    "index" => File::SegmentIndex(segment),
                    _ => return None,
                }
            }
            _ => return None,
        };
        // A name that only looks like one of ours ("journal/7", "00-0.log") is not ours.
        (file.path() == path).then_some(file)
    }
}

impl fmt::Display for File {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (segment, kind) = match self {
            File::NodeMeta => return out.write_str("node.meta"),
            File::Journal(number) => return write!(out, "journal/{number:04}"),
            File::State(number) => return write!(out, "state/{number:04}"),
            File::Checkpoint(false) => return out.write_str("checkpoint.a"),
            File::Checkpoint(true) => return out.write_str("checkpoint.b"),
            File::Segment(segment) => (segment, "log"),
            File::SegmentIndex(segment) => (segment, "index"),
        };
        // Twenty digits for the base, as in Kafka's own file names.
        write!(
            out,
            "data/{}/{}/{:020}-{}.{kind}",
            segment.of.topic, segment.of.partition.0, segment.base.0, segment.generation
        )
    }
}
