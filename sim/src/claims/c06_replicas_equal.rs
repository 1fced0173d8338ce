//! C6: replicas are equal up to what they have applied: the state of a partition (producers, epochs, log start) and
//! of the metadata machine is a function of the log. The first replica seen at an applied index writes its hash
//! down, all others compare, after restarts and catch-ups too. A leader's tip equals what is committed when
//! nothing is between them.
//!
//! So are their records, byte by byte: what was written to segments, by write-behind, a catch-up or a mending, is
//! compared batch by batch as the disk was told it, before anything rotted. This looks at a replica when it has mended
//! something, and at all in the end.

use super::frames::hash_bytes;
use super::shadow::Group;
use super::{Claim, Verdict};
use crate::disk::Disk;
use rust_mq_core::broker::Broker;
use rust_mq_core::file::{File, SegmentName};
use rust_mq_core::ids::{Index, Offset, TopicPartition};
use rust_mq_core::storage::Segment;
use rust_mq_proto::records::Batches;
use std::collections::{BTreeMap, BTreeSet};

/// The hash of each state that was seen.
#[derive(Debug, Default)]
pub struct States(BTreeMap<(TopicPartition, Index), (usize, u64)>);

impl States {
    /// Compares all replicas of a node but those of partitions that are gone.
    pub fn compare(&mut self, site: usize, broker: &Broker, gone: &BTreeSet<Group>, verdict: &mut Verdict) {
        for (of, applied, hash) in broker.observe_states() {
            if gone.contains(&(of.topic.0, of.partition.0)) {
                continue;
            }
            let (first, expected) = *self.0.entry((of, applied)).or_insert((site, hash));
            verdict.hold(hash == expected, Claim::C6, || {
                format!("{of} at {applied}: n{} and n{} have different states", first + 1, site + 1)
            });
        }
        verdict.hold(broker.observe_tip() != Some(false), Claim::C6, || {
            format!("n{}: tip and committed metadata differ with nothing between them", site + 1)
        });
    }
}

/// The hash of each batch that was written to a segment, and who was seen with it first.
#[derive(Debug, Default)]
pub struct Segments(BTreeMap<(TopicPartition, Offset), (usize, u64)>);

impl Segments {
    /// Compares everything a node has in segments.
    pub fn compare(&mut self, site: usize, broker: &Broker, disk: &Disk, verdict: &mut Verdict) {
        let node = broker.node();
        for (replica, partition) in node.partitions.iter() {
            for segment in node.storage.segments(replica) {
                self.compare_one(site, partition.of(), segment, disk, verdict);
            }
        }
    }

    fn compare_one(
        &mut self,
        site: usize,
        of: TopicPartition,
        segment: &Segment,
        disk: &Disk,
        verdict: &mut Verdict,
    ) {
        let name = SegmentName { of, base: segment.base, generation: segment.generation };
        let bytes = disk
            .written(File::Segment(name))
            .map_or_else(Default::default, |image| image.read(0, segment.bytes));
        let mut next = segment.base;
        for batch in Batches::new(&bytes).map_while(Result::ok) {
            if batch.base_offset() != next.0 || batch.check_crc().is_err() {
                break;
            }
            let found = hash_bytes(batch.bytes());
            let (first, expected) = *self.0.entry((of, next)).or_insert((site, found));
            verdict.hold(found == expected, Claim::C6, || {
                format!(
                    "{of} at offset {next}: n{} and n{} have written different bytes",
                    first + 1,
                    site + 1
                )
            });
            next = Offset(batch.last_offset() + 1);
        }
        verdict.hold(next == segment.next, Claim::C6, || {
            format!(
                "n{} {of}: {} ends at offset {next}, not at {}",
                site + 1,
                File::Segment(name),
                segment.next
            )
        });
    }
}
