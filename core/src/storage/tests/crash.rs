//! The room's promise, on a disk that crashes at any moment: whatever was acknowledged is recovered, nothing
//! else appears, and recovering twice gives the same.

use super::model::{Replica, small};
use super::world::World;
use crate::config::StorageConfig;
use crate::ids::ReplicaId;
use std::time::Duration;

/// One thing that may happen.
fn happen(world: &mut World) {
    let live: Vec<ReplicaId> = world
        .replicas
        .iter()
        .filter(|(_, model)| model.dropped.is_none())
        .map(|(replica, _)| *replica)
        .collect();
    let choice = world.rng.below(100);
    if live.is_empty() || (choice < 3 && live.len() < 6) {
        world.add();
        return world.flush();
    }
    let replica = live[world.rng.below(live.len() as u64) as usize];
    if world.rewrites && world.rng.below(8) == 0 {
        return world.begin_rewriting(replica);
    }
    let model = world.replicas[&replica].clone();
    let last = model.now().last();
    match choice {
        0..45 if world.storage.room() > 0 => {
            let committed = model.committed();
            let first = committed + 1 + world.rng.below(last - committed + 1);
            let count = world.rng.below(4);
            let size_max = if world.storage.accepts_records() { 900 } else { 1 };
            let sizes: Vec<usize> = (0..count).map(|_| world.rng.below(size_max) as usize).collect();
            let has_new_term = first <= last || world.rng.below(5) == 0;
            let first = if sizes.is_empty() { last + 1 } else { first };
            world.append(replica, first, &sizes, has_new_term);
            if world.rng.below(2) == 0 {
                world.flush();
            }
        }
        45..65 => {
            let index = model.applied + world.rng.below(4);
            world.apply(replica, index);
            world.flush();
        }
        65..72 if !world.seed.is_multiple_of(3) || choice == 65 => {
            world.checkpoint();
            world.flush();
        }
        72..76 => {
            let end = model.now().offset_at(model.applied);
            let to = model.log_start + world.rng.below((end - model.log_start) as u64 + 1) as i64;
            world.advance_log_start(replica, to);
        }
        76..78 => {
            world.drop_replica(replica);
            world.flush();
        }
        78..80 => world.drain(replica),
        80..83 if model.acked + 1 == model.history.len() && world.storage.accepts_records() => {
            reset(world, replica, &model);
            world.flush();
        }
        83..86 => world.check_log(replica, 700),
        86..95 => {
            let wait = world.rng.below(300);
            world.pass(Duration::from_millis(wait));
        }
        95 => world.disk.limit = Some(world.disk.used() + world.rng.below(30_000)),
        96 => world.disk.limit = None,
        _ => {
            for _ in 0..world.rng.below(20) {
                world.step();
            }
        }
    }
}

/// A snapshot is installed.
fn reset(world: &mut World, replica: ReplicaId, model: &Replica) {
    let end = model.now().offset_at(model.applied);
    let is_drained = model.drained.is_some_and(|drained| drained.0 == end);
    // A snapshot never lies behind what was once committed, even if a crash took that back here.
    let is_newest = model.applied >= model.committed;
    let further = end.max(model.highest_end) + 5 + world.rng.below(5) as i64;
    let segment_end = if is_drained && is_newest { end } else { further };
    // Not below what was committed; but entries above it may be there that it makes void.
    let index =
        model.committed() + 1 + world.rng.below(model.now().last().saturating_sub(model.committed()) + 3);
    let sizes: Vec<usize> = (0..world.rng.below(4)).map(|_| world.rng.below(3_000) as usize).collect();
    world.reset(replica, index, segment_end, &sizes);
}

pub fn life(seed: u64, steps: u64) -> World {
    // A third of the lives turn the ring often, and make few checkpoints.
    let config = match seed % 3 {
        0 => StorageConfig { journal_file_bytes: 32 << 10, first_journal_file_bytes: 8 << 10, ..small() },
        _ => small(),
    };
    live(World::new(seed, config), steps)
}

pub fn live(mut world: World, steps: u64) -> World {
    let seed = world.seed;
    for _ in 0..steps {
        happen(&mut world);
        for _ in 0..world.rng.below(4) {
            world.step();
        }
        assert_eq!(world.disk.halted, None, "seed {seed}");
        match world.rng.below(60) {
            0 => crash(&mut world),
            1 => {
                let mut rng = world.rng.clone();
                world.disk.kill(&mut rng);
                world.rng = rng;
                recover(&mut world);
            }
            _ => {}
        }
    }
    crash(&mut world);
    world
}

fn crash(world: &mut World) {
    let mut rng = world.rng.clone();
    world.disk.crash(&mut rng);
    world.rng = rng;
    recover(world);
}

pub fn recover(world: &mut World) {
    let is_short = world.rng.below(2) == 0;
    world.disk.limit = world.disk.limit.filter(|_| is_short);
    world.boot();
    // Recovery is interrupted at any moment, and must not mind.
    while world.rng.below(3) == 0 {
        for _ in 0..world.rng.below(12) {
            world.step();
        }
        let mut rng = world.rng.clone();
        world.disk.crash(&mut rng);
        world.rng = rng;
        world.boot();
    }
    world.run();
    if world.recovery.is_none() {
        world.disk.limit = None;
        world.pass(Duration::from_secs(2));
        world.run();
    }
    world.check_recovery();
    let replicas: Vec<ReplicaId> = world.replicas.keys().copied().collect();
    for replica in replicas {
        world.check_log(replica, 1);
    }
    let first = world.recovery.clone();
    let mut again = World::on(world.seed, world.config.clone(), world.disk.clone());
    again.disk.limit = None;
    again.starts = world.starts + 500;
    again.boot();
    again.run();
    let (first, second) = (first.expect("recovered"), again.recovery.expect("recovered"));
    assert_eq!(first.replicas, second.replicas, "seed {}: recovery of a recovery", world.seed);
    assert_eq!(first.meta, second.meta);
}

#[test]
fn what_was_acknowledged_is_recovered_and_nothing_else_appears() {
    let (mut checkpoints, mut starts) = (0, 0);
    for seed in 10000..14000 {
        let world = life(seed, 300);
        checkpoints += world.checkpoints;
        starts += world.starts;
    }
    assert!(checkpoints > 200 && starts > 300, "{checkpoints} checkpoints, {starts} starts");
}

#[test]
fn every_durable_prefix_of_the_journal_can_be_recovered() {
    let (mut prefixes, mut checkpoints) = (0, 0);
    for seed in 0..150 {
        // Frames that hold little: what one turn has to say often takes several.
        let config = StorageConfig { frame_bytes_max: 3 << 10, ..small() };
        let mut world = World::new(seed, config);
        world.watches_prefixes = true;
        let world = live(world, 300);
        prefixes += world.prefixes;
        checkpoints += world.checkpoints;
    }
    assert!(prefixes > 10_000 && checkpoints > 100, "{prefixes} prefixes, {checkpoints} checkpoints");
}
