//! Mending where nobody has all of what cannot be read.

use super::damage::cold;
use super::model::small;
use crate::config::StorageConfig;
use crate::file::File;
use crate::ids::Offset;
use crate::storage::{MendRefused, ReadFault};
use bytes::Bytes;

#[test]
fn damage_that_begins_in_what_is_deleted_is_mended_from_the_start_of_the_log_on() {
    let (mut world, replica) = cold(StorageConfig { index_interval_bytes: 1 << 20, ..small() });
    let segment = world.storage.segments(replica)[1].clone();
    let file = File::Segment(segment.name(world.replicas[&replica].of));
    // The first batch says no longer how long it is: where the others lie only the index knows.
    world.disk.cache.get_mut(&file).expect("there")[8] ^= 0x40;
    let Err(ReadFault::Damaged { from, below }) = world.read(replica, segment.base.0, 1) else {
        panic!("it cannot be read");
    };
    let known: Vec<(i64, Bytes)> = world.replicas[&replica]
        .batches
        .range(from.0..below.0)
        .map(|(base, batch)| (*base, Bytes::from(batch.to_vec())))
        .collect();
    assert!(known.len() > 2, "{} batches", known.len());
    let good = |batches: &[(i64, Bytes)]| {
        Bytes::from(batches.iter().flat_map(|(_, batch)| batch.to_vec()).collect::<Vec<u8>>())
    };
    let mut actions = Vec::new();
    let early = world.storage.mend(replica, (from, from), good(&known[1..]), &mut actions);
    assert_eq!(early, Err(MendRefused::Unfit), "the first one is not deleted");

    let start = Offset(known[1].0);
    let short = good(&known[1..known.len() - 1]);
    assert_eq!(
        world.storage.mend(replica, (from, start), short, &mut actions),
        Err(MendRefused::Unfit),
        "it ends nowhere"
    );
    assert_eq!(world.storage.mend(replica, (from, start), good(&known[1..]), &mut actions), Ok(()));
    world.disk.queue(&mut actions);
    world.run();
    for (base, batch) in &known[1..] {
        let chunk = world.read(replica, *base, 1).expect("it is there again");
        assert!(chunk.batches[0].starts_with(batch), "batch {base}");
    }
}
