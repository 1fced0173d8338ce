//! What the memory disk charges. That it keeps the contract is tested by the suite in `tests`.

use bytes::Bytes;
use rust_mq::disk::MemoryDisk;
use rust_mq::mailbox::Room;
use rust_mq_core::action::Action;
use rust_mq_core::event::{DoneResult, Event};
use rust_mq_core::file::File;
use rust_mq_core::ids::Ticket;

const CAPACITY: u64 = 1 << 20;

/// Writes, and says what is free then.
fn write(disk: &mut MemoryDisk, file: File, at: u64, parts: Vec<Bytes>) -> u64 {
    disk.perform(Action::Write { ticket: Ticket(1), file, at, parts });
    let mut events = Vec::new();
    disk.take_done(&mut events, &mut Room::of_a_turn());
    match &events[..] {
        [Event::Done { result: DoneResult::Written { free_bytes }, .. }] => *free_bytes,
        other => panic!("not written: {other:?}"),
    }
}

#[test]
fn the_same_memory_in_two_files_is_charged_once_and_freed_with_the_last() {
    let mut disk = MemoryDisk::new(CAPACITY);
    let batch = Bytes::from(vec![7; 100_000]);
    let one = write(&mut disk, File::Journal(0), 0, vec![batch.clone()]);
    let two = write(&mut disk, File::Checkpoint(true), 500, vec![batch.clone()]);
    assert!(one - two < 1000, "{one} and {two}");
    let zeros = vec![Bytes::from(vec![0; 200_000])];
    let overwritten = write(&mut disk, File::Journal(0), 0, zeros.clone());
    assert!(overwritten < CAPACITY - 100_000, "the other still holds it");
    assert_eq!(write(&mut disk, File::Checkpoint(true), 0, zeros), CAPACITY);
}

#[test]
fn a_ring_that_comes_round_frees_what_it_held() {
    let mut disk = MemoryDisk::new(CAPACITY);
    for round in 0..100 {
        let parts =
            vec![Bytes::from(vec![round; 40]), Bytes::from(vec![round; 4056]), Bytes::from(vec![round; 90])];
        write(&mut disk, File::Journal(0), u64::from(round % 4) * 4096, parts);
    }
    let free = write(&mut disk, File::Journal(0), 0, Vec::new());
    assert!(free > CAPACITY - 5 * 5000, "{free} bytes are free");
}

#[test]
fn tiny_parts_fill_the_disk_before_their_overhead_fills_the_machine() {
    let mut disk = MemoryDisk::new(CAPACITY);
    let free = write(&mut disk, File::Journal(0), 0, vec![Bytes::from_static(b"x"); 10_000]);
    assert!(free > CAPACITY - 20_000, "neighbours are joined");
    let free =
        (0..1000).map(|at| write(&mut disk, File::Journal(1), at * 9, vec![Bytes::from_static(b"x")])).last();
    assert!(free.is_some_and(|free| free < CAPACITY - 100_000), "single ones are charged for their slot");
}
