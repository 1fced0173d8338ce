//! The driver contract suite: what the core relies on in any disk, whoever drives it. The real disk, the memory
//! disk and the simulated one pass the same claims, or a run in the simulator proves nothing about production.
//!
//! Laws 1 to 5 and 9 of the door. Order between files is free, so no claim is about it. Where the door is
//! silent, this suite fixes the answer:
//!
//! - a truncation of a file that is not there fails, and sticks until `Forget`, as any failure but `Full`;
//! - a `Read` of a file that is not there fails and does not stick: reads have a lane of their own;
//! - a `Sync` of a file that is not there is `Synced`; a `Remove` of one is `Removed`;
//! - a "truncation" beyond the end extends with zeros; a write of no bytes makes the file.

use bytes::Bytes;
use rust_mq_core::action::Action;
use rust_mq_core::event::{DoneResult, Event, Listed};
use rust_mq_core::file::{File, SegmentName};
use rust_mq_core::ids::{Offset, PartitionId, Ticket, TopicId, TopicPartition};

/// A disk as the suite sees it.
pub trait DiskUnderTest {
    /// Performs one turn's file actions, none of whose `Done`s may be out before it returns.
    fn perform(&mut self, actions: Vec<Action>);

    /// All `Done`s that are due, once none is outstanding any more, in the order they came.
    fn settle(&mut self) -> Vec<Event>;

    /// The same disk after the process was killed and started again: what was synced must be there.
    /// `None` where nothing survives a process.
    fn restart(self: Box<Self>) -> Option<Box<dyn DiskUnderTest>>;
}

/// Makes an empty disk; with a capacity in bytes if one is asked for, or `None` where that cannot be had.
pub type MakeDisk<'a> = dyn FnMut(Option<u64>) -> Option<Box<dyn DiskUnderTest>> + 'a;

/// A claim: its name and its check, which panics where it does not hold.
pub type Claim = (&'static str, fn(&mut MakeDisk<'_>));

/// Every claim.
pub const CLAIMS: &[Claim] = &[
    ("every ticket is answered once", every_ticket_is_answered_once),
    ("a file's writes happen in order", writes_of_a_file_happen_in_order),
    ("parts are written one after the other", parts_are_written_one_after_the_other),
    ("a read sees what was done", a_read_sees_what_was_done),
    ("a read ends at the file's end", a_read_ends_at_the_end),
    ("beyond the end lie zeros", beyond_the_end_lie_zeros),
    ("zeros overwrite", zeros_overwrite),
    ("an overwrite keeps what is around it", an_overwrite_keeps_what_is_around_it),
    ("large writes keep what is around them", large_writes_keep_what_is_around_them),
    ("a truncated file forgets its tail", a_truncated_file_forgets_its_tail),
    ("a truncation can extend", a_truncation_can_extend),
    ("a removed file is not listed", a_removed_file_is_not_listed),
    ("a removed file can be made again", a_removed_file_can_be_made_again),
    ("a missing file can be removed and synced", a_missing_file_can_be_removed_and_synced),
    ("a missing file cannot be read, which does not stick", a_missing_file_cannot_be_read),
    ("a failure sticks until Forget", a_failure_sticks_until_forget),
    ("a failure does not touch other files", a_failure_does_not_touch_other_files),
    ("Forget keeps the bytes", forget_keeps_the_bytes),
    ("a listing is sorted and whole", a_listing_is_sorted_and_whole),
    ("files of both lanes sync together", files_of_both_lanes_sync_together),
    ("a journal file can be zeroed and used at once", a_journal_file_can_be_zeroed_and_used_at_once),
    ("what was synced survives a restart, and its name", what_was_synced_survives),
    ("a full disk says so and recovers", a_full_disk_says_so_and_recovers),
    ("zeros take no memory", zeros_take_no_memory),
];

/// Runs all claims on disks of one kind; the first that fails panics under its name.
pub fn check_all(make: &mut MakeDisk<'_>) {
    for (name, claim) in CLAIMS {
        println!("{name}");
        claim(make);
    }
}

/// The suite's hands: numbers tickets and keeps the answers.
struct Bench {
    disk: Box<dyn DiskUnderTest>,
    tickets: u64,
}

impl Bench {
    fn new(make: &mut MakeDisk<'_>) -> Bench {
        Bench { disk: make(None).expect("an ordinary disk can always be had"), tickets: 0 }
    }

    fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }

    /// Performs one turn and returns the answers by rising ticket.
    fn turn(&mut self, actions: Vec<Action>) -> Vec<DoneResult> {
        let mut asked: Vec<Ticket> = actions.iter().filter_map(ticket_of).collect();
        self.disk.perform(actions);
        let mut answers: Vec<(Ticket, DoneResult)> = self
            .disk
            .settle()
            .into_iter()
            .map(|event| match event {
                Event::Done { ticket, result } => (ticket, result),
                other => panic!("a disk sends nothing but Done: {other}"),
            })
            .collect();
        answers.sort_by_key(|(ticket, _)| *ticket);
        asked.sort();
        let answered: Vec<Ticket> = answers.iter().map(|(ticket, _)| *ticket).collect();
        assert_eq!(answered, asked, "exactly one Done per ticket");
        answers.into_iter().map(|(_, result)| result).collect()
    }

    fn write(&mut self, file: File, at: u64, bytes: &'static [u8]) -> Action {
        Action::Write { ticket: self.ticket(), file, at, parts: vec![Bytes::from_static(bytes)] }
    }

    fn sync(&mut self, files: &[File]) -> Action {
        Action::Sync { ticket: self.ticket(), files: files.to_vec() }
    }

    fn truncate(&mut self, file: File, len: u64) -> Action {
        Action::Truncate { ticket: self.ticket(), file, len }
    }

    fn remove(&mut self, file: File) -> Action {
        Action::Remove { ticket: self.ticket(), file }
    }

    fn read(&mut self, file: File, at: u64, len: u32) -> DoneResult {
        let action = Action::Read { ticket: self.ticket(), file, at, len };
        self.turn(vec![action]).pop().expect("one action, one answer")
    }

    fn list(&mut self) -> Vec<Listed> {
        let action = Action::List { ticket: self.ticket() };
        match self.turn(vec![action]).pop() {
            Some(DoneResult::Listed(files)) => files,
            other => panic!("not a listing: {other:?}"),
        }
    }

    fn put(&mut self, file: File, at: u64, bytes: &'static [u8]) {
        let write = self.write(file, at, bytes);
        let answers = self.turn(vec![write]);
        assert!(matches!(answers[..], [DoneResult::Written { .. }]), "{answers:?}");
    }
}

fn ticket_of(action: &Action) -> Option<Ticket> {
    match action {
        Action::Write { ticket, .. }
        | Action::Sync { ticket, .. }
        | Action::Read { ticket, .. }
        | Action::Truncate { ticket, .. }
        | Action::Remove { ticket, .. }
        | Action::List { ticket } => Some(*ticket),
        _ => None,
    }
}

fn segment(number: i64) -> File {
    let of = TopicPartition { topic: TopicId([7; 16]), partition: PartitionId(0) };
    File::Segment(SegmentName { of, base: Offset(number), generation: 0 })
}

fn bytes(text: &'static [u8]) -> DoneResult {
    DoneResult::Bytes(Bytes::from_static(text))
}

fn is_failed(result: &DoneResult) -> bool {
    matches!(result, DoneResult::Failed { .. })
}

fn every_ticket_is_answered_once(make: &mut MakeDisk<'_>) {
    let mut bench = Bench::new(make);
    let mut actions = Vec::new();
    for number in 0..50 {
        for file in [File::Journal(number), segment(i64::from(number)), File::Checkpoint(number % 2 == 0)] {
            actions.push(bench.write(file, 0, b"x"));
            actions.push(bench.sync(&[file]));
        }
    }
    let answers = bench.turn(actions);
    assert!(answers.iter().all(|answer| matches!(answer, DoneResult::Written { .. } | DoneResult::Synced)));
}

fn writes_of_a_file_happen_in_order(make: &mut MakeDisk<'_>) {
    let mut bench = Bench::new(make);
    let texts: [&'static [u8]; 4] = [b"aaaa", b"bbb", b"cc", b"d"];
    let mut actions: Vec<Action> = Vec::new();
    for text in texts.iter().cycle().take(101) {
        actions.push(bench.write(File::Journal(0), 0, text));
    }
    let cut = bench.truncate(File::Journal(0), 2);
    let last = bench.write(File::Journal(0), 2, b"zz");
    actions.extend([cut, last]);
    bench.turn(actions);
    // The hundred and first write is "aaaa".
    assert_eq!(bench.read(File::Journal(0), 0, 10), bytes(b"aazz"));
}

fn parts_are_written_one_after_the_other(make: &mut MakeDisk<'_>) {
    let mut bench = Bench::new(make);
    let parts: Vec<Bytes> = (0..3000_u32).map(|number| Bytes::from(number.to_be_bytes().to_vec())).collect();
    let whole: Vec<u8> = parts.concat();
    let ticket = bench.ticket();
    bench.turn(vec![Action::Write { ticket, file: segment(0), at: 5, parts }]);
    assert_eq!(bench.read(segment(0), 5, 12_000), DoneResult::Bytes(Bytes::from(whole)));
    let ticket = bench.ticket();
    let none = vec![Bytes::new(), Bytes::new()];
    let answers = bench.turn(vec![Action::Write { ticket, file: segment(1), at: 0, parts: none }]);
    assert!(matches!(answers[..], [DoneResult::Written { .. }]), "a write of nothing makes the file");
    assert_eq!(bench.list().len(), 2);
}

fn a_read_sees_what_was_done(make: &mut MakeDisk<'_>) {
    let mut bench = Bench::new(make);
    bench.put(File::NodeMeta, 0, b"hello");
    bench.put(File::NodeMeta, 5, b" world");
    assert_eq!(bench.read(File::NodeMeta, 0, 100), bytes(b"hello world"));
    assert_eq!(bench.read(File::NodeMeta, 3, 4), bytes(b"lo w"));
}

fn a_read_ends_at_the_end(make: &mut MakeDisk<'_>) {
    let mut bench = Bench::new(make);
    bench.put(segment(0), 0, b"abc");
    assert_eq!(bench.read(segment(0), 2, u32::MAX), bytes(b"c"));
    assert_eq!(bench.read(segment(0), 3, 1), bytes(b""));
    assert_eq!(bench.read(segment(0), u64::MAX, 1), bytes(b""));
}

fn beyond_the_end_lie_zeros(make: &mut MakeDisk<'_>) {
    let mut bench = Bench::new(make);
    bench.put(segment(0), 0, b"a");
    bench.put(segment(0), 4, b"e");
    assert_eq!(bench.read(segment(0), 0, 10), bytes(b"a\0\0\0e"));
}

fn zeros_overwrite(make: &mut MakeDisk<'_>) {
    let mut bench = Bench::new(make);
    bench.put(File::Journal(0), 0, &[1; 10_000]);
    bench.put(File::Journal(0), 1, &[0; 9_000]);
    let DoneResult::Bytes(read) = bench.read(File::Journal(0), 0, 10_000) else { panic!("a read of bytes") };
    assert_eq!((read[0], read[9_001], read.len()), (1, 1, 10_000));
    assert!(read[1..9_001].iter().all(|byte| *byte == 0), "zeros replace what was there");
}

fn an_overwrite_keeps_what_is_around_it(make: &mut MakeDisk<'_>) {
    let mut bench = Bench::new(make);
    bench.put(segment(0), 0, b"0123456789");
    bench.put(segment(0), 10, b"abcdefghij");
    bench.put(segment(0), 3, b"XX");
    bench.put(segment(0), 8, b"YYYY");
    assert_eq!(bench.read(segment(0), 0, 20), bytes(b"012XX567YYYYcdefghij"));
}

/// A driver may write what is large by another way than what is small; both are one file.
fn large_writes_keep_what_is_around_them(make: &mut MakeDisk<'_>) {
    const LEN: usize = 3 << 20;
    let text =
        |seed: usize, len: usize| -> Vec<u8> { (0..len).map(|at| (at * 31 / 7 + seed) as u8).collect() };
    for file in [segment(0), File::Journal(0)] {
        let mut bench = Bench::new(make);
        let mut expected = vec![0; LEN];
        // Places and lengths on and off every boundary, forwards, then over what is there.
        for (seed, (at, len)) in [
            (0, 4095),
            (4095, 2),
            (4097, 700_000),
            (704_097, 10),
            (704_107, 1 << 20),
            (1_752_683, LEN - 1_752_683),
            (8192, 300_000),
            (5, 262_144),
            (4096, 262_144),
        ]
        .into_iter()
        .enumerate()
        {
            let written = text(seed, len);
            expected[at..at + len].copy_from_slice(&written);
            let parts = written.chunks(len / 3 + 1).map(Bytes::copy_from_slice).collect();
            let ticket = bench.ticket();
            let write = Action::Write { ticket, file, at: at as u64, parts };
            let sync = bench.sync(&[file]);
            bench.turn(vec![write, sync]);
            // Read through whatever cache there is, so that a later write finds it filled.
            let read = bench.read(file, at as u64, len as u32);
            assert!(read == DoneResult::Bytes(written.into()), "{file}: {len} bytes at {at} are read back");
        }
        let read = bench.read(file, 0, LEN as u32);
        assert!(read == DoneResult::Bytes(expected.into()), "{file}: nothing around a write has changed");
    }
}

fn a_truncated_file_forgets_its_tail(make: &mut MakeDisk<'_>) {
    let mut bench = Bench::new(make);
    bench.put(segment(0), 0, b"0123456789");
    let actions = vec![bench.truncate(segment(0), 4), bench.write(segment(0), 6, b"Z")];
    assert_eq!(bench.turn(actions)[0], DoneResult::Truncated);
    assert_eq!(bench.read(segment(0), 0, 20), bytes(b"0123\0\0Z"));
}

fn a_truncation_can_extend(make: &mut MakeDisk<'_>) {
    let mut bench = Bench::new(make);
    bench.put(segment(0), 0, b"ab");
    let longer = bench.truncate(segment(0), 4);
    assert_eq!(bench.turn(vec![longer]), [DoneResult::Truncated]);
    assert_eq!(bench.read(segment(0), 0, 20), bytes(b"ab\0\0"));
}

fn a_removed_file_is_not_listed(make: &mut MakeDisk<'_>) {
    let mut bench = Bench::new(make);
    bench.put(segment(0), 0, b"ab");
    bench.put(segment(1), 0, b"cd");
    let remove = bench.remove(segment(0));
    assert_eq!(bench.turn(vec![remove]), [DoneResult::Removed]);
    assert_eq!(bench.list(), [Listed { path: segment(1).path(), len: 2 }]);
    assert!(is_failed(&bench.read(segment(0), 0, 1)));
}

fn a_removed_file_can_be_made_again(make: &mut MakeDisk<'_>) {
    let mut bench = Bench::new(make);
    bench.put(segment(0), 0, b"long ago");
    let actions =
        vec![bench.remove(segment(0)), bench.write(segment(0), 0, b"now"), bench.sync(&[segment(0)])];
    let answers = bench.turn(actions);
    assert_eq!(answers[2], DoneResult::Synced);
    assert_eq!(bench.read(segment(0), 0, 20), bytes(b"now"));
}

fn a_missing_file_can_be_removed_and_synced(make: &mut MakeDisk<'_>) {
    let mut bench = Bench::new(make);
    let actions = vec![bench.remove(segment(0)), bench.sync(&[segment(0), File::Journal(3)])];
    assert_eq!(bench.turn(actions), [DoneResult::Removed, DoneResult::Synced]);
    assert_eq!(bench.list(), []);
}

fn a_missing_file_cannot_be_read(make: &mut MakeDisk<'_>) {
    let mut bench = Bench::new(make);
    assert!(is_failed(&bench.read(segment(0), 0, 1)));
    bench.put(segment(0), 0, b"x");
    assert_eq!(bench.read(segment(0), 0, 1), bytes(b"x"));
}

fn a_failure_sticks_until_forget(make: &mut MakeDisk<'_>) {
    for file in [segment(0), File::Journal(1)] {
        let mut bench = Bench::new(make);
        let actions = vec![
            bench.truncate(file, 0),
            bench.write(file, 0, b"x"),
            bench.sync(&[file]),
            bench.remove(file),
            bench.truncate(file, 0),
        ];
        let answers = bench.turn(actions);
        assert!(answers.iter().all(is_failed), "all that is queued behind the failure fails: {answers:?}");
        assert_eq!(bench.list(), [], "and is not done");
        let late = bench.write(file, 0, b"x");
        assert!(is_failed(&bench.turn(vec![late])[0]), "in later turns too");
        let actions = vec![Action::Forget { file }, bench.write(file, 0, b"y"), bench.sync(&[file])];
        assert_eq!(bench.turn(actions)[1], DoneResult::Synced);
        assert_eq!(bench.read(file, 0, 9), bytes(b"y"));
    }
}

fn a_failure_does_not_touch_other_files(make: &mut MakeDisk<'_>) {
    let mut bench = Bench::new(make);
    let actions = vec![
        bench.truncate(segment(0), 0),
        bench.write(segment(1), 0, b"x"),
        bench.sync(&[segment(1)]),
        bench.sync(&[segment(1), segment(0)]),
    ];
    let answers = bench.turn(actions);
    assert_eq!(answers[2], DoneResult::Synced);
    assert!(is_failed(&answers[3]), "a sync fails with any of its files");
}

fn forget_keeps_the_bytes(make: &mut MakeDisk<'_>) {
    let mut bench = Bench::new(make);
    bench.put(segment(0), 0, b"kept");
    bench.turn(vec![Action::Forget { file: segment(0) }, Action::Forget { file: segment(9) }]);
    assert_eq!(bench.read(segment(0), 0, 9), bytes(b"kept"));
}

fn a_listing_is_sorted_and_whole(make: &mut MakeDisk<'_>) {
    let mut bench = Bench::new(make);
    let files = [segment(3), File::Journal(12), File::NodeMeta, segment(1), File::Checkpoint(true)];
    let writes = files.iter().map(|file| bench.write(*file, 3, b"x")).collect();
    bench.turn(writes);
    let mut paths: Vec<String> = files.iter().map(|file| file.path()).collect();
    paths.sort();
    let listed = bench.list();
    assert_eq!(listed.iter().map(|file| file.path.clone()).collect::<Vec<_>>(), paths);
    assert!(listed.iter().all(|file| file.len == 4 && File::parse(&file.path).is_some()));
}

fn files_of_both_lanes_sync_together(make: &mut MakeDisk<'_>) {
    let mut bench = Bench::new(make);
    let actions = vec![
        bench.write(segment(0), 0, b"x"),
        bench.write(File::Journal(0), 0, b"x"),
        bench.sync(&[segment(0), File::Journal(0)]),
        bench.truncate(File::Journal(9), 0),
        bench.sync(&[segment(0), File::Journal(9)]),
        bench.sync(&[]),
    ];
    let answers = bench.turn(actions);
    assert_eq!(answers[2], DoneResult::Synced);
    assert!(is_failed(&answers[4]));
    assert_eq!(answers[5], DoneResult::Synced);
}

fn a_journal_file_can_be_zeroed_and_used_at_once(make: &mut MakeDisk<'_>) {
    let mut bench = Bench::new(make);
    let zeros = Bytes::from_static(&[0; 64 << 10]);
    let file = File::Journal(4);
    let mut actions = Vec::new();
    for chunk in 0..16 {
        let ticket = bench.ticket();
        let parts = vec![zeros.clone(), zeros.clone()];
        actions.push(Action::Write { ticket, file, at: chunk * (128 << 10), parts });
    }
    actions.push(bench.write(file, 0, b"frame"));
    actions.push(bench.sync(&[file, File::Journal(5)]));
    bench.turn(actions);
    assert_eq!(bench.read(file, 0, 7), bytes(b"frame\0\0"));
    assert_eq!(bench.list(), [Listed { path: file.path(), len: 2 << 20 }]);
}

fn what_was_synced_survives(make: &mut MakeDisk<'_>) {
    let mut bench = Bench::new(make);
    let actions = vec![
        bench.write(segment(0), 0, b"durable"),
        bench.write(File::Journal(0), 0, b"too"),
        bench.sync(&[segment(0), File::Journal(0)]),
        bench.write(segment(1), 0, b"gone"),
        bench.remove(segment(1)),
    ];
    bench.turn(actions);
    let tickets = bench.tickets;
    let Some(disk) = bench.disk.restart() else { return };
    let mut bench = Bench { disk, tickets };
    assert_eq!(bench.read(segment(0), 0, 99), bytes(b"durable"));
    assert_eq!(bench.read(File::Journal(0), 0, 99), bytes(b"too"));
    assert_eq!(bench.list().len(), 2);
}

fn a_full_disk_says_so_and_recovers(make: &mut MakeDisk<'_>) {
    const CAPACITY: u64 = 1 << 20;
    const BLOCK: usize = 64 << 10;
    let Some(disk) = make(Some(CAPACITY)) else { return };
    let mut bench = Bench { disk, tickets: 0 };
    // Memory of its own for each: a disk may see that two parts are the same.
    let block = |bench: &mut Bench, number| {
        let ticket = bench.ticket();
        let parts = vec![Bytes::from(vec![7; BLOCK])];
        bench.turn(vec![Action::Write { ticket, file: segment(number), at: 0, parts }])
    };
    let mut written = 0;
    let mut free_before = u64::MAX;
    loop {
        match &block(&mut bench, written)[..] {
            [DoneResult::Written { free_bytes }] => {
                assert!(*free_bytes < free_before, "free bytes fall");
                free_before = *free_bytes;
                written += 1;
            }
            [DoneResult::Full] => break,
            other => panic!("neither written nor full: {other:?}"),
        }
        assert!(written as u64 * BLOCK as u64 <= CAPACITY, "more than the capacity was written");
    }
    assert!(written >= 8, "full after {written} blocks of {CAPACITY} bytes");
    assert_eq!(bench.read(segment(0), 0, 2), bytes(&[7, 7]), "reads go on");
    let is_written = |answers: Vec<DoneResult>| matches!(answers[..], [DoneResult::Written { .. }]);
    assert!(is_written(block(&mut bench, 0)), "what is there can be overwritten");
    let remove = vec![bench.remove(segment(written)), bench.remove(segment(1)), bench.remove(segment(2))];
    assert!(bench.turn(remove).iter().all(|answer| *answer == DoneResult::Removed), "removal goes on");
    assert!(is_written(block(&mut bench, written)), "Full does not stick");
    let sync = bench.sync(&[segment(written)]);
    assert_eq!(bench.turn(vec![sync]), [DoneResult::Synced]);
}

fn zeros_take_no_memory(make: &mut MakeDisk<'_>) {
    let Some(disk) = make(Some(1 << 20)) else { return };
    let mut bench = Bench { disk, tickets: 0 };
    let zeros = Bytes::from_static(&[0; 64 << 10]);
    let ticket = bench.ticket();
    let parts = vec![zeros; 1024];
    let write = Action::Write { ticket, file: File::Journal(0), at: 0, parts };
    assert!(matches!(bench.turn(vec![write])[..], [DoneResult::Written { .. }]), "64 MiB of zeros on 1 MiB");
    assert_eq!(bench.list()[0].len, 64 << 20);
}
