//! C6 for records: replicas hold the same bytes.
//!
//! Looked at: what was written to segments, by write-behind, a catch-up or a mending, batch by batch as the disk was told
//! it, before anything rotted: of a replica when it has mended something, and of all in the end. A batch without records,
//! all of it below the log's start, stands for some that could be read on one disk only, and are deleted.

use super::frames::hash_bytes;
use super::{Claim, Verdict};
use crate::disk::Disk;
use rust_mq_core::broker::Broker;
use rust_mq_core::file::{File, SegmentName};
use rust_mq_core::ids::{Offset, TopicPartition};
use rust_mq_core::storage::Segment;
use rust_mq_proto::records::Batches;
use std::collections::BTreeMap;

/// The hash of each batch that was written to a segment, and who was seen with it first.
#[derive(Debug, Default)]
pub struct Segments(BTreeMap<(TopicPartition, Offset), (usize, u64)>);

impl Segments {
    /// Compares everything a node has in segments.
    pub fn compare(&mut self, site: usize, broker: &Broker, disk: &Disk, verdict: &mut Verdict) {
        let node = broker.node();
        for (replica, partition) in node.residents().partitions() {
            for segment in node.storage().segments(replica) {
                self.compare_one(site, (partition.of(), partition.log_start()), segment, disk, verdict);
            }
        }
    }

    fn compare_one(
        &mut self,
        site: usize,
        (of, log_start): (TopicPartition, Offset),
        segment: &Segment,
        disk: &Disk,
        verdict: &mut Verdict,
    ) {
        let name = SegmentName { of, base: segment.base, generation: segment.generation };
        let bytes = disk
            .written(File::Segment(name))
            .map_or_else(Default::default, |image| image.read(0, segment.bytes));
        if disk.is_short(File::Segment(name)) {
            // Somebody cut it, or took it away: what is not there was not written otherwise.
            return;
        }
        let mut next = segment.base;
        for batch in Batches::new(&bytes).map_while(Result::ok) {
            if batch.base_offset() != next.0 || batch.check_crc().is_err() {
                break;
            }
            let after = Offset(batch.last_offset() + 1);
            if after <= log_start && batch.count() == 0 {
                next = after;
                continue;
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
            next = after;
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
