//! States in pages: what a checkpoint writes of them, in which pieces, and what a crash or rot leaves.

use super::gather::Taken;
use super::model::{Machine, small};
use super::world::World;
use crate::config::StorageConfig;
use crate::file::File;
use crate::ids::ReplicaId;
use crate::limits::GATHERED_BYTES_MAX;
use crate::paged::Folded;

fn state_bytes(world: &World) -> usize {
    let files = world.disk.durable.iter().filter(|(file, _)| matches!(file, File::State(_)));
    files.map(|(_, bytes)| bytes.len()).sum()
}

/// The pages that a start finds of a replica.
fn recovered(world: &mut World, replica: ReplicaId) -> Machine {
    world.boot();
    world.run();
    let recovery = world.recovery.clone().expect("recovered");
    let found = recovery.replicas.into_iter().find(|found| found.replica == replica).expect("it is there");
    let Folded::Pages { pages, .. } = found.state else { panic!("its state is in pages") };
    let mut machine = Machine::default();
    for (id, bytes) in pages {
        assert_eq!(machine.push_page(id.edition, &bytes), Ok(()));
    }
    machine
}

/// A toy machine of so many keys of some 100 bytes each.
fn large(keys: u64) -> Machine {
    (0..keys).map(|key| (key, vec![key as u8; 96])).collect()
}

/// What the essay of pages promises, for a machine of so many keys.
fn changes_alone_are_written(keys: u64) -> (Taken, Taken, Taken) {
    let config = StorageConfig { state_file_bytes: 8 << 20, ..small() };
    let mut world = World::new(5, config);
    let replica = world.add();
    world.flush();
    world.run();
    let mut machine = large(keys);
    let first = world.checkpoint_of(&machine);
    assert!(first.written >= machine.bytes(), "all is new");
    assert!(first.turn_max <= GATHERED_BYTES_MAX as usize, "{} bytes in a turn", first.turn_max);

    let none = world.checkpoint_of(&machine);
    assert_eq!(none.written, 0, "nothing has changed");

    let tip = machine.clone();
    for number in 0..100 {
        machine.insert(number * keys / 100, vec![1; 90]);
    }
    assert_eq!(tip, large(keys), "the clone stays as it was");
    let few = world.checkpoint_of(&machine);
    assert!(few.written <= 2 << 20, "{} bytes for 100 changes", few.written);
    assert!(few.turn_max <= GATHERED_BYTES_MAX as usize, "{} bytes in a turn", few.turn_max);
    assert_eq!(recovered(&mut world, replica), machine);
    (first, none, few)
}

#[test]
fn a_checkpoint_writes_what_has_changed_in_pieces_of_a_turn() {
    changes_alone_are_written(30_000);
}

/// `cargo test -p rust-mq-core --lib -- --ignored a_million_keys`
#[test]
#[ignore = "it encodes 100 MB in a million keys: the same law with 30,000 keys runs always, above; by hand after a change of pages"]
fn a_million_keys_are_written_as_they_change() {
    let (first, none, few) = changes_alone_are_written(1_000_000);
    assert!(first.written > 100_000_000 && few.written > 1_000_000, "{first:?} {none:?} {few:?}");
}

#[test]
fn files_of_state_are_emptied_while_their_pages_change() {
    let config = StorageConfig { state_file_bytes: 1 << 20, ..small() };
    let mut world = World::new(6, config);
    let replica = world.add();
    world.flush();
    world.run();
    let mut machine = large(20_000);
    world.checkpoint_of(&machine);
    for round in 0..60 {
        for number in 0..40 {
            machine.insert((round * 331 + number * 499) % 20_000, vec![2; 96]);
        }
        world.checkpoint_of(&machine);
        let (bytes, live) = (state_bytes(&world), machine.bytes());
        assert!(bytes <= 4 * live, "round {round}: {bytes} bytes of files for {live} of state");
    }
    assert_eq!(recovered(&mut world, replica), machine);
    let names = world.disk.durable.keys().filter(|file| matches!(file, File::State(_))).count();
    assert!(names < 20, "{names} files");
}

#[test]
fn a_start_removes_what_no_checkpoint_names_and_no_more() {
    let mut world = World::new(7, small());
    let replica = world.add();
    world.flush();
    world.run();
    let mut machine = large(2_000);
    world.checkpoint_of(&machine);
    // The power goes while the next one is made: each time one answer of the disk later.
    for steps in 0..12 {
        let before = machine.clone();
        machine.insert(2, vec![steps as u8; 50]);
        world.toy = Some(machine.clone());
        world.checkpoint();
        for _ in 0..steps {
            world.step();
        }
        let mut rng = world.rng.clone();
        world.disk.crash(&mut rng);
        let found = recovered(&mut world, replica);
        assert!(found == machine || found == before, "after {steps} steps");
        machine = found;
        world.run();
        machine.insert(1, vec![steps as u8; 50 + steps]);
        world.checkpoint_of(&machine);
        assert_eq!(recovered(&mut world, replica), machine, "after {steps} steps");
    }
}

#[test]
fn a_rotten_page_takes_its_replica_and_no_other() {
    let mut world = World::new(8, small());
    let (rotten, sound) = (world.add(), world.add());
    world.flush();
    world.run();
    for replica in [rotten, sound] {
        world.append(replica, 1, &[700, 700, 700], true);
        world.flush();
        world.run();
        world.apply(replica, 3);
    }
    world.checkpoint();
    world.run();
    let image = world.disk.durable.get_mut(&File::State(0)).expect("it has pages");
    image[40] ^= 1;
    let mut rng = world.rng.clone();
    world.disk.crash(&mut rng);
    world.boot();
    world.run();
    let recovery = world.recovery.clone().expect("recovered");
    let dead: Vec<ReplicaId> = recovery.dead.iter().map(|(replica, _)| *replica).collect();
    let alive: Vec<ReplicaId> = recovery.replicas.iter().map(|found| found.replica).collect();
    assert_eq!((dead, alive), (vec![rotten], vec![sound]));
}
