//! A full disk: records are refused, nothing that was taken is lost, and it passes by itself.

use super::model::small;
use super::world::World;
use crate::action::HaltReason;
use crate::config::StorageConfig;
use crate::file::File;
use crate::ids::Offset;
use std::time::Duration;

#[test]
fn a_full_disk_refuses_records_and_recovers_by_itself() {
    let mut world = World::new(3, small());
    let replica = world.add();
    world.flush();
    world.run();
    world.disk.limit = Some(world.disk.used() + 20_000);
    let mut index = 0;
    while !world.is_full {
        assert!(world.storage.accepts_records());
        index += 1;
        world.append(replica, index, &[3000], index == 1);
        world.pass(Duration::from_millis(10));
        world.run();
        world.apply(replica, index);
        assert!(index < 1000, "it gets full");
    }
    assert!(!world.storage.accepts_records());
    assert!(world.disk.notes.contains(&"DiskFull".to_string()));
    world.append(replica, index + 1, &[0], true);
    for _ in 0..20 {
        world.pass(Duration::from_millis(500));
        world.run();
    }
    assert_eq!(world.disk.halted, None, "full is not failed");
    world.check_log(replica, 10_000);

    world.disk.limit = None;
    world.pass(Duration::from_secs(2));
    world.run();
    assert!(!world.is_full && world.storage.accepts_records());
    assert!(world.disk.notes.contains(&"SpaceAgain".to_string()));
    let model = &world.replicas[&replica];
    assert_eq!(model.acked, model.history.len() - 1, "everything that was taken is durable");
    world.append(replica, index + 2, &[3000], false);
    world.flush();
    world.run();
    let mut rng = world.rng.clone();
    world.disk.crash(&mut rng);
    world.boot();
    world.run();
    world.check_recovery();
}

#[test]
fn little_space_is_refused_before_there_is_none() {
    let config = StorageConfig { free_bytes_floor: 100_000, ..small() };
    let mut world = World::new(3, config);
    let replica = world.add();
    world.flush();
    world.run();
    world.disk.limit = Some(world.disk.used() + 90_000);
    world.append(replica, 1, &[100], true);
    world.flush();
    world.run();
    assert!(world.is_full && !world.storage.accepts_records());
    // The floor is what keeps hard states going.
    for index in 2..20 {
        world.append(replica, index, &[0], true);
        world.flush();
        world.run();
        assert_eq!(world.replicas[&replica].acked, index as usize);
    }
    world.disk.limit = Some(world.disk.used() + 160_000);
    world.pass(Duration::from_secs(2));
    world.run();
    assert!(!world.is_full);
}

#[test]
fn deleting_makes_space_where_no_checkpoint_could() {
    let mut world = World::new(8, small());
    let (old, new) = (world.add(), world.add());
    for index in 1..=20 {
        world.append(old, index, &[900], index == 1);
        world.flush();
        world.run();
        world.apply(old, index);
    }
    world.checkpoint();
    world.run();
    // Not a byte is left, and what waits to be written does not go anywhere.
    world.append(new, 1, &[3000], true);
    world.flush();
    world.run();
    world.apply(new, 1);
    world.disk.limit = Some(world.disk.used());
    world.checkpoint();
    world.run();
    assert!(world.is_full);
    let before = world.checkpoints;
    world.drop_replica(old);
    for _ in 0..5 {
        world.pass(Duration::from_secs(1));
        world.run();
    }
    assert!(!world.is_full, "the dropped replica's segments made space");
    assert_eq!(world.checkpoints, before);
    world.check_log(new, 10_000);
    world.checkpoint();
    world.run();
    assert_eq!(world.checkpoints, before + 1);
    let mut rng = world.rng.clone();
    world.disk.crash(&mut rng);
    world.boot();
    world.run();
    world.check_recovery();
    world.check_log(new, 10_000);
}

#[test]
fn nothing_stays_of_a_segment_that_met_a_full_disk_and_was_never_written() {
    let mut world = World::new(11, StorageConfig { index_interval_bytes: 1, ..small() });
    let replica = world.add();
    world.flush();
    world.run();
    for index in 1..=3 {
        world.append(replica, index, &[600], index == 1);
        world.flush();
        world.run();
    }
    world.disk.limit = Some(world.disk.used() + 100);
    world.apply(replica, 3);
    world.checkpoint();
    world.run();
    let files = |world: &World| -> Vec<File> {
        let is_ours = |file: &&File| matches!(file, File::Segment(_) | File::SegmentIndex(_));
        world.disk.cache.keys().filter(is_ours).copied().collect()
    };
    assert!(matches!(files(&world)[..], [File::SegmentIndex(_)]), "there was room for the index alone");
    // It starts anew elsewhere: what was refused is not tried again.
    world.disk.limit = None;
    world.reset(replica, 40, 50, &[0]);
    world.flush();
    world.run();
    world.pass(Duration::from_secs(2));
    world.run();
    world.checkpoint();
    world.run();
    assert_eq!(files(&world), []);
}

#[test]
fn a_log_settles_though_a_checkpoint_writes_it_meanwhile() {
    let mut world = World::new(10, small());
    let replica = world.add();
    world.flush();
    world.run();
    world.append(replica, 1, &[100], true);
    world.flush();
    world.run();
    world.apply(replica, 1);
    world.checkpoint();
    // Its turn comes while the checkpoint holds the logs; later there is nothing left to write.
    world.drain(replica);
    world.run();
    assert_eq!(world.checkpoints, 1);
    world.flush();
    world.run();
    let end = world.storage.extent(replica).map(|extent| extent.end);
    assert_eq!(world.replicas[&replica].drained, end);
}

#[test]
fn what_is_wanted_drained_meanwhile_is_drained_too() {
    let mut world = World::new(11, small());
    let replica = world.add();
    for index in 1..=2 {
        world.append(replica, index, &[100], index == 1);
        world.flush();
        world.run();
    }
    world.apply(replica, 1);
    world.drain(replica);
    // The segment is written, its sync is under way.
    assert!(world.step(), "a write waits");
    world.apply(replica, 2);
    world.drain(replica);
    world.run();
    world.reset(replica, 3, world.replicas[&replica].drained.expect("drained").0, &[]);
    assert_eq!(world.storage.extent(replica).map(|extent| extent.end), world.replicas[&replica].drained);
}

#[test]
fn a_checkpoint_goes_on_when_the_last_log_it_waits_for_is_dropped() {
    let mut world = World::new(12, small());
    let (kept, dropped) = (world.add(), world.add());
    for replica in [kept, dropped] {
        world.append(replica, 1, &[100], true);
        world.flush();
        world.run();
    }
    world.apply(dropped, 1);
    // The write that it waits for is under way, of a log that nobody has when it is done.
    assert!(world.checkpoint());
    world.drop_replica(dropped);
    world.flush();
    world.run();
    assert_eq!(world.checkpoints, 1);
    world.apply(kept, 1);
    world.drain(kept);
    world.run();
    assert!(world.replicas[&kept].drained.is_some(), "logs are written again");
}

#[test]
fn a_checkpoint_is_given_up_when_a_log_it_waits_for_skips_ahead() {
    let mut world = World::new(13, small());
    let replica = world.add();
    world.append(replica, 1, &[100], true);
    world.flush();
    world.run();
    world.apply(replica, 1);
    assert!(world.checkpoint());
    world.storage.skip_to(replica, Offset(1_000));
    world.flush();
    world.run();
    assert_eq!(world.checkpoints, 0);
    world.replicas.get_mut(&replica).expect("ours").dropped = Some(u64::MAX);
    world.storage.drop_replica(replica);
    assert!(world.checkpoint(), "another can begin");
    world.flush();
    world.run();
    assert_eq!(world.checkpoints, 1);
}

#[test]
fn a_failed_sync_ends_the_node_and_is_never_tried_again() {
    let mut world = World::new(4, small());
    let replica = world.add();
    world.append(replica, 1, &[100], true);
    world.disk.fails_syncs = true;
    world.flush();
    world.run();
    assert!(
        matches!(&world.disk.halted, Some(HaltReason::DiskFailed { reason }) if reason.contains("journal/0000"))
    );
    assert_eq!(world.replicas[&replica].acked, 0);
    let asked = world.disk.log.len();
    world.disk.fails_syncs = false;
    world.pass(Duration::from_secs(10));
    world.run();
    assert_eq!(world.disk.log.len(), asked, "nothing is asked of a failed disk");
}

#[test]
fn a_clean_stop_leaves_nothing_to_replay() {
    let mut world = World::new(5, small());
    let replica = world.add();
    for index in 1..=20 {
        world.append(replica, index, &[200], index == 1);
        world.flush();
        world.run();
        world.apply(replica, index);
    }
    assert!(!world.storage.is_clean());
    world.checkpoint();
    world.run();
    assert!(world.storage.is_clean());
    let mut rng = world.rng.clone();
    world.disk.crash(&mut rng);
    world.boot();
    world.run();
    let recovery = world.recovery.clone().expect("started");
    assert_eq!((recovery.journal_bytes, recovery.replicas[0].entries.len()), (0, 0));
    world.check_recovery();
    world.check_log(replica, 500);
}

#[test]
fn what_is_given_up_goes_on_a_quiet_node_too() {
    let mut world = World::new(9, small());
    let replica = world.add();
    world.append(replica, 1, &[900], true);
    world.flush();
    world.run();
    world.apply(replica, 1);
    world.checkpoint();
    world.run();
    let files = world.disk.cache.len();
    world.drop_replica(replica);
    world.flush();
    world.run();
    assert!(!world.storage.checkpoint_is_due());
    while let Some(at) = world.storage.next_deadline() {
        world.pass(at.since(world.now));
        world.run();
    }
    assert!(world.storage.checkpoint_is_due());
    world.checkpoint();
    world.run();
    assert_eq!(world.disk.cache.len(), files - 1, "the segment is gone");
    assert!(!world.storage.checkpoint_is_due());
}

#[test]
fn nothing_is_kept_of_replicas_that_are_gone() {
    let mut world = World::new(14, StorageConfig { tail_bytes_max: 1 << 30, ..small() });
    let kept = world.add();
    world.append(kept, 1, &[300], true);
    for round in 0..30 {
        let replica = world.add();
        world.append(replica, 1, &[300; 4], true);
        world.flush();
        world.run();
        world.apply(replica, 4);
        world.apply(kept, 1);
        world.checkpoint();
        world.run();
        world.drop_replica(replica);
        world.flush();
        world.run();
        world.checkpoint();
        world.run();
        let (evictions, generations) = world.storage.remembered_of_the_gone();
        assert!(
            evictions <= 2 && generations == 0,
            "round {round}: {evictions} evictions, {generations} generations"
        );
    }
}

#[test]
fn an_idle_node_asks_for_nothing() {
    let mut world = World::new(6, small());
    for _ in 0..50 {
        world.add();
    }
    world.flush();
    world.run();
    for _ in 0..10 {
        world.pass(Duration::from_millis(100));
        world.run();
    }
    let asked = world.disk.log.len();
    assert_eq!(world.storage.next_deadline(), None);
    world.pass(Duration::from_secs(3600));
    world.run();
    assert_eq!(world.disk.log.len(), asked);
}

#[test]
fn an_idle_replica_takes_little_memory() {
    // 10,000 partitions idle at 8 KiB each in all rooms: here a thirtieth of that, and nothing on the heap.
    assert!(size_of::<crate::storage::local::Local>() <= 256);
}
