//! What a crash leaves of segments goes while the disk is served from: a start is as long as what it must read, and not
//! as what there is to be cleared away.

use super::model::{meta, partition, small};
use super::world::World;
use crate::config::StorageConfig;
use crate::file::File;
use crate::ids::{ReplicaId, TopicId};
use crate::storage::NodeMeta;
use std::time::Duration;

/// As many replicas, with one batch each in a segment that no checkpoint names.
fn written(replicas: u64) -> World {
    // Frames that hold them all, and no checkpoint for the sake of the journal.
    let config = StorageConfig {
        journal_file_bytes: 4 << 20,
        first_journal_file_bytes: 1 << 20,
        frame_bytes_max: 1 << 20,
        checkpoint_bytes: 64 << 20,
        ..small()
    };
    let mut world = World::new(1, config);
    let all: Vec<ReplicaId> = (0..replicas).map(|_| world.add()).collect();
    for replica in &all {
        world.append(*replica, 1, &[100], true);
    }
    world.flush();
    world.run();
    for replica in &all {
        world.apply(*replica, 1);
    }
    world.flush();
    world.pass(Duration::from_secs(1));
    world.run();
    assert_eq!(segments(&world), replicas, "each is written, and no checkpoint names them");
    world
}

/// The same on a killed node.
fn killed(replicas: u64) -> World {
    let mut world = written(replicas);
    let mut rng = world.rng.clone();
    world.disk.kill(&mut rng);
    world
}

fn checkpoint(world: &mut World) {
    world.checkpoint();
    world.flush();
    world.run();
}

fn segments(world: &World) -> u64 {
    world.disk.cache.keys().filter(|file| matches!(file, File::Segment(_))).count() as u64
}

#[test]
fn a_start_does_not_wait_until_what_a_crash_has_left_is_removed() {
    let mut world = killed(300);
    world.disk.removes_nothing = true;
    world.boot();
    world.run();
    world.check_recovery();
    assert_eq!(segments(&world), 300, "and nothing is gone yet");
    world.disk.removes_nothing = false;
    world.run();
    assert_eq!(segments(&world), 0, "now all of it is");
    let all: Vec<ReplicaId> = world.replicas.keys().copied().collect();
    for replica in &all {
        // What the journal had is applied anew, and can be read.
        world.apply(*replica, 1);
        world.check_log(*replica, 1);
    }
}

#[test]
fn what_a_dead_replica_had_goes_with_its_topic() {
    let mut world = written(3);
    checkpoint(&mut world);
    let dead = std::mem::take(&mut world.replicas).into_keys().collect();
    let mut actions = Vec::new();
    world.storage.write_meta(NodeMeta { dead, ..meta() }, &mut actions);
    world.disk.queue(&mut actions);
    world.run();
    for _ in 0..2 {
        let mut rng = world.rng.clone();
        world.disk.crash(&mut rng);
        world.boot();
        world.run();
        checkpoint(&mut world);
        assert_eq!(segments(&world), 3, "nobody drops the dead, and they stay where they are");
    }
    world.storage.topic_gone(TopicId([6; 16]));
    world.storage.topic_gone(TopicId([8; 16]));
    checkpoint(&mut world);
    assert_eq!(segments(&world), 3, "another topic's end is none of theirs");
    world.storage.topic_gone(partition(0).topic);
    checkpoint(&mut world);
    assert_eq!(segments(&world), 0);
}

#[test]
fn a_segment_is_written_anew_where_a_crash_has_left_one() {
    let mut world = killed(50);
    world.disk.removes_nothing = true;
    world.boot();
    world.run();
    world.check_recovery();
    let all: Vec<ReplicaId> = world.replicas.keys().copied().collect();
    for replica in &all {
        world.append(*replica, 2, &[30], false);
    }
    world.flush();
    world.run();
    for replica in &all {
        world.apply(*replica, 2);
    }
    // Each log is written where its leftover lies, before that was cleared away.
    world.pass(Duration::from_secs(1));
    world.disk.removes_nothing = false;
    world.run();
    checkpoint(&mut world);
    assert_eq!(world.checkpoints, 1);
    let mut rng = world.rng.clone();
    world.disk.crash(&mut rng);
    world.boot();
    world.run();
    world.check_recovery();
    for replica in &all {
        world.check_log(*replica, 1);
    }
    assert_eq!(segments(&world), 50);
}
