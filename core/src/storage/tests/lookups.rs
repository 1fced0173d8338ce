//! Looking batches up by offset and time, whatever has become of segments and their indexes.

use super::damage::cold;
use super::model::small;
use crate::file::File;
use crate::ids::Offset;
use crate::storage::ReadFault;

#[test]
fn lookups_agree_with_the_log_whatever_the_index_holds() {
    let damages: [fn(&mut Vec<u8>); 4] = [
        |_| {},
        Vec::clear,
        |bytes| bytes.iter_mut().for_each(|byte| *byte = !*byte),
        |bytes| bytes.truncate(bytes.len() / 2 + 5),
    ];
    for (number, damage) in damages.into_iter().enumerate() {
        let (mut world, replica) = cold(small());
        for (file, bytes) in &mut world.disk.cache {
            if matches!(file, File::SegmentIndex(_)) {
                damage(bytes);
            }
        }
        let batches = world.replicas[&replica].batches.clone();
        let end = world.storage.extent(replica).expect("here").end.0;
        for offset in 0..end {
            let chunk = world.read(replica, offset, 1).expect("whole");
            let (base, batch) = batches.range(..=offset).next_back().expect("from 0 on");
            assert_eq!(
                &chunk.batches[0], batch,
                "damage {number}: offset {offset} is in the batch at {base}"
            );
        }
        for timestamp in (900..1000 + end * 10 + 50).step_by(7) {
            let mut actions = Vec::new();
            let found = world.storage.find_time(replica, Offset(0), timestamp, &mut actions);
            world.disk.queue(&mut actions);
            let chunk = world.await_read(found).expect("whole");
            let expected = batches.values().find(|bytes| max_timestamp(bytes) >= timestamp);
            assert_eq!(chunk.batches.first(), expected, "damage {number}: timestamp {timestamp}");
        }
    }
}

#[test]
fn a_batch_whose_time_has_rotted_is_not_passed_over() {
    let (mut world, replica) = cold(small());
    let segment = world.storage.segments(replica)[1].clone();
    let file = File::Segment(segment.name(world.replicas[&replica].of));
    let timestamp = max_timestamp(&world.replicas[&replica].batches[&segment.base.0]);
    // The greatest timestamp of the segment's first batch.
    world.disk.cache.get_mut(&file).expect("there")[35..43].fill(0);
    let mut actions = Vec::new();
    let found = world.storage.find_time(replica, Offset(0), timestamp, &mut actions);
    world.disk.queue(&mut actions);
    assert!(matches!(world.await_read(found), Err(ReadFault::Damaged { from, .. }) if from == segment.base));
}

fn max_timestamp(batch: &[u8]) -> i64 {
    rust_mq_proto::records::Batch::parse(batch).expect("ours").max_timestamp()
}
