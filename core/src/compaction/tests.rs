//! The room's laws, over logs made by chance: in segments of any size, with few keys and little memory for them.

use super::{Cleaner, Closed, Compacted, KeyMap, Next, Span};
use crate::ids::Offset;
use crate::limits::COMPACTION_STEP_BYTES;
use crate::rng::Rng;
use bytes::{Bytes, BytesMut};
use rust_mq_proto::records::{Batch, BatchBuilder, Batches, Codec, Decompressor, Producer};
use std::collections::{BTreeMap, BTreeSet};

/// A record, as far as compaction knows it.
type Seen = (i64, Option<Vec<u8>>, Option<Vec<u8>>);

/// A log: its segments, each of batches.
#[derive(Clone, Debug, Default)]
struct Log {
    start: i64,
    segments: Vec<Vec<Bytes>>,
}

impl Log {
    fn end(&self) -> i64 {
        self.segments
            .last()
            .and_then(|segment| segment.last())
            .map_or(0, |batch| view(batch).last_offset() + 1)
    }

    fn closed(&self) -> Vec<Closed> {
        let span = |segment: &Vec<Bytes>| Closed {
            base: Offset(view(&segment[0]).base_offset()),
            next: Offset(view(&segment[segment.len() - 1]).last_offset() + 1),
            bytes: segment.iter().map(|batch| batch.len() as u64).sum(),
        };
        self.segments.iter().map(span).collect()
    }

    fn batches(&self) -> impl Iterator<Item = &Bytes> {
        self.segments.iter().flatten()
    }

    /// As storage reads: from the batch that holds `from`, about so many bytes.
    fn read(&self, from: Offset, below: Offset, bytes_max: usize) -> Bytes {
        assert!(from.0 >= self.start, "nothing is read below the log's start");
        let mut read = BytesMut::new();
        for batch in self.batches().filter(|batch| view(batch).last_offset() >= from.0) {
            let is_beyond = view(batch).last_offset() >= below.0;
            if is_beyond || (!read.is_empty() && read.len() + batch.len() > bytes_max) {
                break;
            }
            read.extend_from_slice(batch);
        }
        read.freeze()
    }

    fn records(&self) -> Vec<Seen> {
        let mut decompressor = Decompressor::new();
        let mut seen = Vec::new();
        let mut next = self.batches().next().map_or(0, |batch| view(batch).base_offset());
        for batch in self.batches().map(|batch| view(batch)) {
            assert_eq!(batch.base_offset(), next, "offsets are without a gap");
            assert_eq!(batch.check_crc(), Ok(()));
            next = batch.last_offset() + 1;
            for record in batch.records(&mut decompressor, 1 << 20).expect("it can be read") {
                let record = record.expect("it can be read");
                let owned = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
                seen.push((record.offset, owned(record.key), owned(record.value)));
            }
        }
        seen.retain(|(offset, ..)| *offset >= self.start);
        seen
    }

    fn replace(&mut self, span: Span, with: &[Bytes]) {
        let is_within = |segment: &Vec<Bytes>| {
            let base = view(&segment[0]).base_offset();
            (span.base.0..span.next.0).contains(&base)
        };
        let at = self.segments.iter().position(is_within).expect("the span is of this log");
        self.segments.retain(|segment| !is_within(segment));
        let whole = Bytes::from(with.concat());
        let batches = Batches::new(&whole).map(|batch| Bytes::copy_from_slice(batch.expect("whole").bytes()));
        self.segments.insert(at, batches.collect());
        let new = self.closed()[at];
        assert_eq!((new.base, new.next), (span.base, span.next), "the offsets are the span's");
    }
}

/// What whoever reads it all makes of it: the last value of each key.
fn values(records: &[Seen]) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut values = BTreeMap::new();
    for (_, key, value) in records.iter().cloned() {
        match (key, value) {
            (Some(key), Some(value)) => drop(values.insert(key, value)),
            (Some(key), None) => drop(values.remove(&key)),
            (None, _) => {}
        }
    }
    values
}

/// A log of which nothing goes but what lies below its start.
struct Whole {
    records: BTreeSet<Seen>,
    values: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Whole {
    fn of(written: &[Seen], start: i64) -> Whole {
        let kept: Vec<Seen> = written.iter().filter(|(offset, ..)| *offset >= start).cloned().collect();
        Whole { values: values(&kept), records: kept.into_iter().collect() }
    }
}

fn view(batch: &Bytes) -> Batch<'_> {
    Batch::parse(batch).expect("a batch")
}

/// Appends so many batches, in new segments of any size.
fn grow(log: &mut Log, rng: &mut Rng, batches: u64) {
    let epoch = rng.below(4) as i32;
    for number in 0..batches {
        let mut builder = BatchBuilder::new().codec(Codec::ALL[rng.below(5) as usize]);
        if rng.below(3) == 0 {
            builder = builder.producer(Producer { id: 5, epoch: 1, base_sequence: rng.below(90) as i32 });
        }
        for _ in 0..1 + rng.below(6) {
            let key = [b'a' + rng.below(12) as u8];
            let value = vec![rng.below(250) as u8; rng.below(30) as usize];
            let key = if rng.below(40) == 0 { None } else { Some(&key[..]) };
            let value = if rng.below(5) == 0 { None } else { Some(&value[..]) };
            builder.push(rng.below(1_000) as i64, key, value, &[("h", value)]);
        }
        let batch = builder.place(log.end(), epoch).build().freeze();
        match log.segments.last_mut().filter(|_| number > 0 && rng.below(4) > 0) {
            Some(segment) => segment.push(batch),
            None => log.segments.push(vec![batch]),
        }
    }
}

/// What is to be there of a log that was `written` when it is compacted so far.
fn expected(records: &[Seen], start: i64, done: Compacted) -> Vec<Seen> {
    let newest: BTreeMap<&Vec<u8>, i64> = records
        .iter()
        .filter(|(offset, ..)| *offset < done.up_to.0)
        .filter_map(|(offset, key, _)| Some((key.as_ref()?, *offset)))
        .collect();
    let stays = |(offset, key, value): &&Seen| {
        let is_last = key.as_ref().is_some_and(|key| newest.get(key) == Some(offset));
        let is_compacted = is_last && (value.is_some() || *offset >= done.tombstones_before.0);
        *offset >= start && (*offset >= done.up_to.0 || is_compacted)
    };
    records.iter().filter(stays).cloned().collect()
}

/// Drives a cleaner until it has nothing to do, for so many steps at most. How far the files are then. `whole` is the
/// log if nothing had been compacted.
fn drive(log: &mut Log, rng: &mut Rng, cleaner: &mut Cleaner, steps: u64, whole: &Whole) -> Compacted {
    let mut file: Vec<Bytes> = Vec::new();
    let mut before = None;
    for _ in 0..steps {
        let closed = log.closed();
        match cleaner.next(Offset(log.start), &closed).expect("the log can be read") {
            Next::Read { from, below } => cleaner.take(log.read(from, below, 1 + rng.below(600) as usize)),
            Next::Worked => {}
            Next::Write { batches, .. } => file.push(batches),
            Next::Replace(span) => {
                log.replace(span, &std::mem::take(&mut file));
                let records = log.records();
                assert_eq!(values(&records), whole.values, "whoever reads it finds the same values");
                assert!(records.iter().all(|record| whole.records.contains(record)), "nothing is invented");
            }
            Next::Reached(done) if before == Some(done) => return done,
            Next::Reached(done) => {
                assert!(done.covers(before.unwrap_or_default()), "it only goes forward");
                before = Some(done);
            }
        }
        if rng.below(150) == 0 {
            (file, _) = (Vec::new(), cleaner.begin_span_anew());
        }
    }
    cleaner.done()
}

#[test]
fn what_stays_is_a_function_of_the_log_whatever_steps_lead_to_it() {
    for seed in 0..80 {
        let mut rng = Rng::stream(seed, "compaction");
        let (mut log, mut written) = (Log::default(), Log::default());
        let (mut done, mut target) = (Compacted::default(), Compacted::default());
        for _ in 0..6 {
            let batches = rng.below(30);
            grow(&mut log, &mut rng, batches);
            let new =
                log.batches().filter(|batch| view(batch).base_offset() >= written.end()).cloned().collect();
            written.segments.push(new);
            written.segments.retain(|segment: &Vec<Bytes>| !segment.is_empty());
            if log.segments.is_empty() {
                continue;
            }
            // A compaction is decided; sometimes another one before the first is carried out.
            target.tombstones_before =
                if rng.below(2) == 0 { target.up_to } else { target.tombstones_before };
            let closed = log.closed();
            target.up_to = target.up_to.max(closed[rng.below(closed.len() as u64) as usize].next);
            if rng.below(4) == 0 {
                continue;
            }
            if rng.below(3) == 0 {
                let bases: Vec<i64> = log.batches().map(|batch| view(batch).base_offset()).collect();
                log.start = log.start.max(bases[rng.below(bases.len() as u64 / 3 + 1) as usize]);
                log.segments.retain(|segment| view(&segment[segment.len() - 1]).last_offset() >= log.start);
            }
            let records = written.records();
            let whole = Whole::of(&records, log.start);
            loop {
                let secrets = [[rng.next_u64(), 1], [rng.next_u64(), 2]];
                let keys = KeyMap::new(secrets, rng.below(3_000) as usize);
                let mut cleaner = Cleaner::new(done, target, rng.below(3_000), keys);
                // It is dropped now and then, as by a crash, and begun again from how far it was known to be.
                let steps = if rng.below(2) == 0 { rng.below(100) } else { u64::MAX };
                let reached = drive(&mut log, &mut rng, &mut cleaner, steps, &whole);
                done = reached;
                if steps == u64::MAX {
                    break;
                }
            }
            assert!(done.covers(target), "seed {seed}: all segments are closed: {done:?} {target:?}");
            assert_eq!(log.records(), expected(&records, log.start, done), "seed {seed}");
        }
        // Once more finds nothing to do, and leaves every file as it is.
        let before = log.segments.clone();
        let whole = Whole::of(&written.records(), log.start);
        let mut cleaner = Cleaner::new(Compacted::default(), done, 0, KeyMap::new([[1, 2], [3, 4]], 1 << 20));
        assert_eq!(drive(&mut log, &mut rng, &mut cleaner, u64::MAX, &whole), done, "seed {seed}");
        assert_eq!(log.segments, before, "seed {seed}: nothing is written anew that stays as it is");
    }
}

#[test]
fn a_step_looks_through_little_however_well_it_was_compressed() {
    let mut log = Log::default();
    for number in 0..60 {
        let mut builder = BatchBuilder::new().codec(Codec::Zstd);
        for _ in 0..10 {
            builder.push(0, Some(b"k"), Some(&[0; 10_000]), &[]);
        }
        log.segments.push(vec![builder.place(number * 10, 1).build().freeze()]);
    }
    let target = Compacted { up_to: Offset(log.end()), tombstones_before: Offset(0) };
    let mut cleaner = Cleaner::new(Compacted::default(), target, 1 << 30, KeyMap::new([[0; 2]; 2], 1 << 16));
    let (mut file, mut steps) = (Vec::new(), 0);
    loop {
        let before = cleaner.looked_bytes();
        match cleaner.next(Offset(0), &log.closed()).expect("readable") {
            Next::Read { from, below } => cleaner.take(log.read(from, below, 512 << 10)),
            Next::Worked => {}
            Next::Write { batches, .. } => file.push(batches),
            Next::Replace(span) => log.replace(span, &std::mem::take(&mut file)),
            Next::Reached(done) if done.covers(target) => break,
            Next::Reached(_) => {}
        }
        let looked = cleaner.looked_bytes() - before;
        assert!(looked < COMPACTION_STEP_BYTES + 110_000, "{looked} bytes in a step");
        steps += u64::from(looked > 0);
    }
    assert!(steps >= 20, "{steps} steps for 12 MB");
    assert_eq!(
        (log.segments.len(), log.records().len()),
        (1, 1),
        "all are one segment, with the last record"
    );
    assert_eq!(log.batches().count(), 2, "and one batch in the place of all that went");
}

#[test]
fn keys_take_bounded_memory_and_the_newest_offset_counts() {
    let mut keys = KeyMap::new([[1, 2], [3, 4]], 64 << 10);
    let noted = (0..).take_while(|n: &u64| keys.note(&n.to_be_bytes(), Offset(*n as i64)).is_ok()).count();
    assert!((700..2_800).contains(&noted) && keys.len() == noted, "{noted} keys");
    assert!(keys.bytes() <= (64 << 10) + 256 * 40, "{} bytes", keys.bytes());
    assert_eq!(keys.note(&5u64.to_be_bytes(), Offset(9_000)), Ok(()), "one that is known needs no room");
    assert_eq!(keys.newest(&5u64.to_be_bytes()), Some(Offset(9_000)));
    assert_eq!(keys.note(&5u64.to_be_bytes(), Offset(7)), Ok(()));
    assert_eq!(keys.newest(&5u64.to_be_bytes()), Some(Offset(9_000)));
    assert!((6..noted as u64).all(|n| keys.newest(&n.to_be_bytes()) == Some(Offset(n as i64))));
    assert_eq!(keys.newest(b"another"), None);
    keys.clear();
    assert_eq!((keys.len(), keys.newest(&6u64.to_be_bytes())), (0, None));
    assert_eq!(
        KeyMap::new([[0; 2]; 2], 0).note(b"k", Offset(1)),
        Ok(()),
        "there is room for one in any case"
    );
}

#[test]
fn a_batch_that_cannot_be_read_is_named() {
    let mut builder = BatchBuilder::new().codec(Codec::Snappy);
    builder.push(0, Some(b"k"), Some(&[7; 100]), &[]);
    let mut broken = builder.place(3, 0).build();
    broken[61..].fill(0xff);
    let mut cleaner = Cleaner::new(
        Compacted::default(),
        Compacted { up_to: Offset(4), tombstones_before: Offset(0) },
        1,
        KeyMap::new([[0; 2]; 2], 0),
    );
    let closed = [Closed { base: Offset(3), next: Offset(4), bytes: broken.len() as u64 }];
    assert!(matches!(cleaner.next(Offset(3), &closed), Ok(Next::Read { .. })));
    cleaner.take(broken.freeze());
    let refused = cleaner.next(Offset(3), &closed).expect_err("it does not decompress");
    assert_eq!(refused.offset, Offset(3));
}
