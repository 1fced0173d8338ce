//! Damage at rest: what is told apart, what is refused, what is left alone.

use super::disk::Disk;
use super::model::{NODE, meta, partition, small};
use super::world::World;
use crate::action::HaltReason;
use crate::config::StorageConfig;
use crate::file::{File, SegmentName};
use crate::ids::{Index, NodeId, Offset, ReplicaId};
use crate::limits::DOOMED_AGE_MAX;
use crate::rng::Rng;
use crate::storage::node_meta::SLOT_BYTES;
use crate::storage::{JournalLoss, MendRefused, NodeMeta, ReadFault, Storage};
use std::time::Duration;

/// A world whose replica 1 has entries 1 to 6 in six frames, all synced, sealed if `is_sealed`.
fn six_frames(is_sealed: bool) -> (World, ReplicaId) {
    let config = StorageConfig { first_journal_file_bytes: 64 << 10, ..small() };
    let mut world = World::new(1, config);
    let replica = world.add();
    for index in 1..=6 {
        world.append(replica, index, &[300], index == 1);
        world.flush();
        world.run();
    }
    if is_sealed {
        world.pass(Duration::from_millis(60));
        world.run();
    }
    (world, replica)
}

/// Where the frames lie: each in a block of its own, behind the seal of the first start.
fn frame_at(number: usize) -> usize {
    4096 * number
}

fn restart(mut world: World) -> World {
    let mut rng = Rng::stream(7, "crash");
    world.disk.crash(&mut rng);
    world.boot();
    world.run();
    world
}

fn flip(disk: &mut Disk, file: File, byte: usize) {
    disk.durable.get_mut(&file).expect("it is there")[byte] ^= 1;
}

#[test]
fn rot_before_a_later_frame_kills_the_replicas_and_says_so() {
    for frame in 1..=6 {
        for byte in [0, 9, 20, 39, 60, 300] {
            let (mut world, replica) = six_frames(true);
            flip(&mut world.disk, File::Journal(0), frame_at(frame) + byte);
            let before = world.disk.durable.clone();
            let mut world = restart(world);
            let recovery = world.recovery.clone().expect("the node starts");
            assert_eq!(recovery.replicas, vec![], "frame {frame} byte {byte}");
            // Frame 1 is the one that added the replica: then only the disk's new id tells.
            let dead: Vec<ReplicaId> = (frame > 1).then_some(replica).into_iter().collect();
            assert_eq!(recovery.dead.iter().map(|(replica, _)| *replica).collect::<Vec<_>>(), dead);
            let named = recovery.meta.expect("named");
            assert_eq!(named.dead, dead);
            assert_ne!(named.disk, meta().disk);
            // It is said exactly, also later, and nothing that could still tell something is written over.
            let (at, sequence) = (frame_at(frame) as u64, 1 + frame as u64);
            assert_eq!(named.loss, Some(JournalLoss { file: 0, at, sequence, is_missing: false }));
            let said = format!("frame {sequence} at byte {at} of journal/0000");
            assert!(world.disk.notes[0].contains(&said), "{:?}", world.disk.notes);
            let is_new = |file: &File| matches!(file, File::NodeMeta | File::Checkpoint(true));
            for (file, bytes) in before.iter().filter(|(file, _)| !is_new(file)) {
                assert!(world.disk.durable[file] == *bytes, "{file} is as it was");
            }

            // The next start knows it too, and a new replica can live here.
            world.replicas.clear();
            let newer = ReplicaId(50);
            world.add_as(newer, partition(1));
            world.append(newer, 1, &[100], true);
            world.flush();
            world.run();
            let mut world = restart(world);
            let recovery = world.recovery.clone().expect("the node starts");
            assert_eq!((recovery.dead, recovery.meta), (vec![], Some(named)));
            world.check_recovery();
            assert_eq!(world.replicas[&newer].now().last(), 1);
        }
    }
}

#[test]
fn what_no_later_frame_proves_is_a_torn_tail() {
    let (mut world, replica) = six_frames(false);
    flip(&mut world.disk, File::Journal(0), frame_at(6) + 60);
    let world = restart(world);
    let recovery = world.recovery.expect("the node starts");
    assert_eq!(recovery.dead, vec![]);
    let entries: Vec<Index> = recovery.replicas[0].entries.iter().map(|entry| entry.index).collect();
    assert_eq!(entries, (1..=5).map(Index).collect::<Vec<_>>(), "{replica} without the last frame");
}

#[test]
fn a_frame_whose_sync_failed_unseen_is_written_again() {
    let (mut world, replica) = six_frames(false);
    world.append(replica, 7, &[300], false);
    world.flush();
    world.disk.fails_syncs = true;
    let mut rng = Rng::stream(7, "kill");
    while world.disk.step(&mut rng).is_some() {}
    world.disk.kill(&mut rng);
    world.boot();
    world.run();
    let last = |world: &World| {
        let recovery = world.recovery.clone().expect("the node starts");
        recovery.replicas[0].entries.last().map(|entry| entry.index)
    };
    assert_eq!(last(&world), Some(Index(7)), "the cache has it");
    let world = restart(world);
    assert_eq!(last(&world), Some(Index(7)), "and so has the disk, once it was promised");
}

#[test]
fn a_lost_journal_file_is_rot() {
    let (mut world, replica) = six_frames(true);
    world.checkpoint();
    world.run();
    world.disk.durable.remove(&File::Journal(0));
    let world = restart(world);
    let recovery = world.recovery.expect("the node starts");
    assert_eq!(recovery.dead, vec![(replica, partition(0))]);
    let loss = recovery.meta.and_then(|meta| meta.loss).expect("said");
    assert!(loss.to_string().contains("journal/0000 is missing"), "{loss}");
}

#[test]
fn one_slot_of_node_meta_is_enough_and_both_are_mended() {
    for slot in [0, SLOT_BYTES] {
        let (mut world, _) = six_frames(true);
        flip(&mut world.disk, File::NodeMeta, slot + 20);
        let mut world = restart(world);
        assert_eq!(world.recovery.clone().expect("the node starts").meta, Some(meta()));
        flip(&mut world.disk, File::NodeMeta, (SLOT_BYTES - slot) % (2 * SLOT_BYTES) + 20);
        let world = restart(world);
        assert_eq!(world.recovery.expect("the node starts").meta, Some(meta()));
    }
}

#[test]
fn no_dead_replica_is_forgotten_over_a_restart() {
    for count in [1, 400, 401, 510, 511, 20_000] {
        let dead: Vec<ReplicaId> = (1..=count).map(ReplicaId).collect();
        let mut world = World::new(1, small());
        let mut actions = Vec::new();
        let named = NodeMeta { dead, ..meta() };
        world.storage.write_meta(named.clone(), &mut actions);
        world.disk.queue(&mut actions);
        world.run();
        // Whichever slot rots, the other says the same.
        for slot in [0, SLOT_BYTES] {
            flip(&mut world.disk, File::NodeMeta, slot + 20);
            world = restart(world);
            assert_eq!(world.recovery.clone().expect("the node starts").meta, Some(named.clone()), "{count}");
        }
    }
}

#[test]
fn a_rotten_newest_checkpoint_is_never_mistaken_for_a_torn_one() {
    let (mut world, replica) = six_frames(true);
    world.checkpoint();
    world.run();
    // What came before is still in the journal: nothing is lost with the slot.
    let slot = File::Checkpoint(true);
    flip(&mut world.disk, slot, 50);
    let world = restart(world);
    let recovery = world.recovery.expect("the node starts");
    assert_eq!((recovery.dead.len(), recovery.replicas[0].entries.len()), (0, 6), "{replica}");
}

fn refusal(world: &World) -> String {
    match &world.disk.halted {
        Some(HaltReason::CannotStart { reason }) => reason.clone(),
        other => panic!("not refused: {other:?}"),
    }
}

fn has_written(world: &World) -> bool {
    world
        .disk
        .log
        .iter()
        .any(|line| !(line.starts_with("list") || line.starts_with("read") || line.starts_with("halt")))
}

#[test]
fn a_directory_that_is_not_ours_to_use_is_left_untouched() {
    type Damage = fn(&mut Disk);
    let damages: [(&str, Damage); 4] = [
        ("both checkpoint slots", |disk| {
            flip(disk, File::Checkpoint(false), 3);
            flip(disk, File::Checkpoint(true), 3);
        }),
        ("node.meta is damaged", |disk| {
            disk.durable.remove(&File::NodeMeta);
        }),
        ("neither node.meta nor a checkpoint", |disk| {
            let name = SegmentName { of: partition(1), base: Offset(0), generation: 0 };
            disk.durable.clear();
            disk.durable.insert(File::Segment(name), vec![1, 2, 3]);
        }),
        ("neither node.meta nor a checkpoint", |disk| {
            disk.durable.clear();
            disk.durable.insert(File::NodeMeta, vec![7; 2 * SLOT_BYTES]);
        }),
    ];
    for (expected, damage) in damages {
        let (mut world, _) = six_frames(true);
        damage(&mut world.disk);
        let world = restart(world);
        assert!(refusal(&world).contains(expected), "{}", refusal(&world));
        assert!(!has_written(&world), "{:?}", world.disk.log);
    }
    let (mut world, _) = six_frames(true);
    world.disk.crash(&mut Rng::stream(1, "crash"));
    let mut other = World::on(3, small(), world.disk);
    other.storage = Storage::new(&small(), NodeId(NODE.0 + 1), Rng::stream(3, "storage"), None);
    let mut actions = Vec::new();
    other.storage.start(&mut actions);
    other.disk.queue(&mut actions);
    other.run();
    assert!(refusal(&other).contains("belongs to node 1, and this is node 2"));
    assert!(!has_written(&other));
}

#[test]
fn files_that_nobody_knows_stay_where_they_are() {
    let (mut world, _) = six_frames(true);
    let stray = File::Segment(SegmentName { of: partition(77), base: Offset(3), generation: 0 });
    world.disk.durable.insert(stray, vec![1, 2, 3]);
    world.disk.strangers.push(("notes.txt".into(), 5));
    let mut world = restart(world);
    assert!(world.disk.notes.iter().any(|note| note.contains("notes.txt")));
    assert!(world.disk.notes.iter().any(|note| note.contains(&stray.path())));
    world.check_recovery();
    world.checkpoint();
    world.run();
    assert!(world.disk.cache.contains_key(&stray), "no checkpoint decided that it goes");

    // A replica of that partition comes to live here: then it is a leftover, and takes no name from it.
    world.add_as(ReplicaId(60), partition(77));
    world.append(ReplicaId(60), 1, &[100], true);
    world.flush();
    world.run();
    world.apply(ReplicaId(60), 1);
    world.checkpoint();
    world.run();
    assert!(!world.disk.cache.contains_key(&stray));
    assert!(world.storage.segments(ReplicaId(60))[0].generation > 0);
}

#[test]
fn what_a_dropped_replica_wrote_since_the_checkpoint_goes_with_the_next_start() {
    let (mut world, _) = six_frames(true);
    let (replica, of) = (ReplicaId(60), partition(60));
    world.add_as(replica, of);
    for index in 1..=20 {
        world.append(replica, index, &[300], index == 1);
        world.flush();
        world.run();
        world.apply(replica, index);
        world.run();
    }
    let has_files =
        |disk: &Disk| disk.cache.keys().any(|file| matches!(file, File::Segment(name) if name.of == of));
    assert!(has_files(&world.disk), "written to its segment, which no checkpoint names");
    world.drop_replica(replica);
    world.flush();
    world.run();
    assert!(has_files(&world.disk), "until the next checkpoint");
    // The system may write them before anybody syncs them.
    let files =
        world.disk.cache.iter().filter(|(file, _)| matches!(file, File::Segment(name) if name.of == of));
    let files: Vec<(File, Vec<u8>)> = files.map(|(file, bytes)| (*file, bytes.clone())).collect();
    world.disk.durable.extend(files);
    let mut world = restart(world);
    world.run();
    assert!(!has_files(&world.disk), "replayed: it was dropped");
}

#[test]
fn what_is_still_being_removed_at_the_next_checkpoint_goes_with_the_next_start() {
    let (mut world, _) = six_frames(true);
    let (replica, of) = (ReplicaId(60), partition(60));
    world.add_as(replica, of);
    for index in 1..=100 {
        world.append(replica, index, &[300], index == 1);
        world.flush();
        world.run();
        world.apply(replica, index);
    }
    world.checkpoint();
    world.run();
    world.drop_replica(replica);
    world.flush();
    world.run();
    for _ in 0..2 {
        assert!(world.checkpoint());
        let made = world.checkpoints;
        while world.checkpoints == made {
            assert!(world.step(), "a checkpoint comes to its end");
        }
    }
    let has_files =
        |disk: &Disk| disk.cache.keys().any(|file| matches!(file, File::Segment(name) if name.of == of));
    assert!(has_files(&world.disk), "few are removed at a time");
    let mut world = restart(world);
    world.run();
    assert!(!has_files(&world.disk), "a checkpoint gave them up, and they were not gone at the next");
}

#[test]
fn what_the_start_passes_in_memory_goes_when_it_is_written() {
    let config = StorageConfig {
        segment_write_bytes: 1 << 20,
        tail_bytes_max: 1 << 20,
        checkpoint_bytes: 1 << 20,
        ..small()
    };
    let mut world = World::new(2, config);
    let replica = world.add();
    for index in 1..=30 {
        world.append(replica, index, &[500], index == 1);
        world.flush();
        world.run();
        world.apply(replica, index);
    }
    assert!(world.storage.segments(replica).is_empty(), "all are in memory yet");
    let end = world.replicas[&replica].highest_end;
    world.advance_log_start(replica, end - 1);
    world.pass(Duration::from_secs(1));
    world.run();
    world.pass(DOOMED_AGE_MAX);
    assert!(world.storage.checkpoint_is_due(), "files wait to be removed, and nothing else calls for one");
    world.checkpoint();
    world.run();
    let left = world.disk.cache.keys().filter(|file| matches!(file, File::Segment(_))).count();
    assert!(left <= 1, "{left} segments are left");
}

/// A world with one replica whose 60 batches are all in segments and none in memory.
pub(super) fn cold(config: StorageConfig) -> (World, ReplicaId) {
    let mut world = World::new(2, StorageConfig { tail_bytes_max: 0, ..config });
    let replica = world.add();
    for index in 1..=60 {
        world.append(replica, index, &[100 + (index as usize * 37) % 300], index == 1);
        world.flush();
        world.run();
        world.apply(replica, index);
    }
    world.checkpoint();
    world.run();
    assert!(world.storage.segments(replica).len() > 2, "several segments");
    (world, replica)
}

#[test]
fn segments_are_the_batches_back_to_back() {
    let (world, replica) = cold(small());
    let mut bytes: Vec<u8> = Vec::new();
    for segment in world.storage.segments(replica) {
        bytes.extend(&world.disk.durable[&File::Segment(segment.name(world.replicas[&replica].of))]);
    }
    assert!(bytes == world.replicas[&replica].batches.values().flatten().copied().collect::<Vec<u8>>());
}

#[test]
fn a_flipped_bit_is_refused_said_once_and_mended() {
    let (mut world, replica) = cold(small());
    let segment = world.storage.segments(replica)[1].clone();
    let file = File::Segment(segment.name(world.replicas[&replica].of));
    world.disk.cache.get_mut(&file).expect("there")[900] ^= 4;
    let mut refused = Vec::new();
    let end = world.storage.extent(replica).expect("here").end.0;
    for offset in 0..end {
        match world.read(replica, offset, 1) {
            Ok(chunk) => assert!(!chunk.batches.is_empty()),
            Err(ReadFault::Damaged { from, below }) => {
                assert!(from.0 <= offset && offset < below.0 && below.0 <= segment.next.0);
                refused.push((from, below));
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!(!refused.is_empty() && refused.iter().all(|range| *range == refused[0]), "{refused:?}");
    let notes = world.disk.notes.iter().filter(|note| note.contains("Damaged")).count();
    assert_eq!(notes, 1, "{:?}", world.disk.notes);

    let (from, below) = refused[0];
    let good: Vec<u8> = world.replicas[&replica]
        .batches
        .range(from.0..below.0)
        .flat_map(|(_, batch)| batch.to_vec())
        .collect();
    let mut actions = Vec::new();
    let wrong = good[..good.len() - 1].to_vec().into();
    assert_eq!(world.storage.mend(replica, (from, from), wrong, &mut actions), Err(MendRefused::Unfit));
    assert_eq!(world.storage.mend(replica, (from, from), good.clone().into(), &mut actions), Ok(()));
    assert_eq!(world.storage.mend(replica, (from, from), good.into(), &mut actions), Err(MendRefused::Busy));
    world.disk.queue(&mut actions);
    world.run();
    world.check_log(replica, 500);
}

#[test]
fn a_segment_cut_short_is_refused_only_where_it_is_cut() {
    let (mut world, replica) = cold(small());
    let segment = world.storage.segments(replica)[0].clone();
    let file = File::Segment(segment.name(world.replicas[&replica].of));
    world.disk.durable.get_mut(&file).expect("there").truncate(700);
    let mut world = restart(world);
    assert!(world.disk.notes.iter().any(|note| note.contains("were synced and 700 are there")));
    assert!(world.read(replica, 0, 1).is_ok());
    let last = segment.next.0 - 1;
    assert!(matches!(world.read(replica, last, 1), Err(ReadFault::Damaged { .. })));
    assert!(world.read(replica, segment.next.0, 1).is_ok());
}

#[test]
fn whatever_lies_on_the_disk_nothing_panics() {
    let mut rng = Rng::stream(5, "garbage");
    for seed in 0..400 {
        let (mut world, _) = if seed % 2 == 0 { cold(small()) } else { six_frames(seed % 3 == 0) };
        world.disk.crash(&mut rng);
        let files: Vec<File> = world.disk.durable.keys().copied().collect();
        for file in files {
            let bytes = world.disk.durable.get_mut(&file).expect("there");
            match rng.below(6) {
                0 => bytes.truncate(rng.below(bytes.len() as u64 + 1) as usize),
                1 => bytes.iter_mut().take(8192).for_each(|byte| *byte = rng.next_u64() as u8),
                2 if !bytes.is_empty() => {
                    for _ in 0..1 + rng.below(5) {
                        let at = rng.below((bytes.len() as u64).min(20_000)) as usize;
                        bytes[at] = rng.next_u64() as u8;
                    }
                }
                _ => {}
            }
        }
        world.disk.cache = world.disk.durable.clone();
        world.boot();
        world.run();
        assert!(world.recovery.is_some() || world.disk.halted.is_some(), "seed {seed}: it starts or refuses");
        for replica in world.recovery.clone().unwrap_or_default().replicas {
            for offset in replica.log_start.0..replica.log_end_of_segments.0 {
                let _ = world.read(replica.replica, offset, 300);
            }
        }
    }
}
