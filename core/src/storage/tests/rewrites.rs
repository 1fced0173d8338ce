//! Closed segments written anew, on a disk that crashes at any moment: what is read is the old or the new, never a part of
//! either, and the new for good once a checkpoint names it.

use super::crash::{live, recover};
use super::model::{Replica, small};
use super::world::World;
use crate::compaction::{Compacted, Span};
use crate::config::StorageConfig;
use crate::file::File;
use crate::ids::{Offset, ReplicaId};
use crate::storage::{Lookup, RewriteRefused};
use bytes::{Bytes, BytesMut};
use rust_mq_proto::records::{Batch, BatchBuilder, Batches, HEADER_BYTES};
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

/// A span on its way into a new file.
pub struct Rewriting {
    replica: ReplicaId,
    span: Span,
    pieces: VecDeque<Bytes>,
    /// Bases of the batches that go.
    goes: Vec<i64>,
    waits: bool,
    is_whole: bool,
}

/// What was taken out of a replica's log.
#[derive(Clone, Debug, Default)]
pub struct Rewritten {
    /// Bases of batches that may be gone.
    gone: BTreeSet<i64>,
    /// Of those that no crash brings back, once the checkpoint being made is durable.
    until_checkpoint: BTreeSet<i64>,
    for_good: BTreeSet<i64>,
    /// Gone since the start.
    now: BTreeSet<i64>,
}

impl Rewritten {
    pub fn checkpoint_begins(&mut self) {
        self.until_checkpoint = self.now.clone();
    }

    pub fn checkpointed(&mut self) {
        self.for_good.append(&mut self.until_checkpoint);
    }

    /// What no checkpoint was known to name may be gone or not.
    pub fn restarted(&mut self) {
        self.until_checkpoint.clear();
        self.now = self.for_good.clone();
    }

    pub fn is_gone_for_good(&self, base: i64) -> bool {
        self.for_good.contains(&base)
    }
}

impl Replica {
    /// A batch that is read in the place of others has no records, and those may be gone.
    pub fn check_hollow(&self, batch: &Batch<'_>, seed: u64) {
        let (base, last) = (batch.base_offset(), batch.last_offset());
        let may_be_gone = self.batches.range(base..=last).all(|(base, _)| self.rewritten.gone.contains(base));
        assert!(batch.count() == 0 && may_be_gone, "seed {seed}: {base} to {last} are neither old nor new");
    }
}

impl World {
    /// Begins to write some closed segments of a replica anew, with a part of their batches, if there are any.
    pub fn begin_rewriting(&mut self, replica: ReplicaId) {
        let closed = self.storage.closed(replica).to_vec();
        if self.rewriting.is_some() || closed.is_empty() {
            return;
        }
        let first = self.rng.below(closed.len() as u64) as usize;
        let last = (first + self.rng.below(3) as usize).min(closed.len() - 1);
        let is_one = closed[first..=last].windows(2).all(|pair| pair[0].next == pair[1].base);
        let span = Span { base: closed[first].base, next: closed[last].next };
        if is_one && let Some(rewriting) = self.plan(replica, span) {
            self.rewriting = Some(rewriting);
            self.rewrite_on();
        }
    }

    /// What is to be written of a span; nothing if it is gone meanwhile.
    fn plan(&mut self, replica: ReplicaId, span: Span) -> Option<Rewriting> {
        let mut at = self.storage.extent(replica)?.log_start.max(span.base).0;
        let below = self.replicas[&replica].batches.range(span.base.0..at).map(|(base, _)| *base).collect();
        let mut planned =
            Rewriting { replica, span, pieces: VecDeque::new(), goes: below, waits: false, is_whole: false };
        let mut hollow_from = span.base.0;
        let mut piece = BytesMut::new();
        let hollow = |from: i64, next: i64, piece: &mut BytesMut| {
            let hollow = BatchBuilder::hollow((from, next), 1, HEADER_BYTES);
            piece.extend_from_slice(&hollow.filter(|_| next > from).unwrap_or_default());
        };
        while at < span.next.0 {
            let chunk = self.read(replica, at, 600).ok()?;
            for batch in
                chunk.batches.iter().flat_map(|run| Batches::new(run)).map(|batch| batch.expect("whole"))
            {
                if batch.base_offset() >= span.next.0 {
                    break;
                }
                at = batch.last_offset() + 1;
                if batch.count() == 0 || self.rng.below(3) == 0 {
                    planned.goes.extend((batch.count() > 0).then_some(batch.base_offset()));
                    continue;
                }
                hollow(hollow_from, batch.base_offset(), &mut piece);
                piece.extend_from_slice(batch.bytes());
                hollow_from = at;
                if self.rng.below(2) == 0 {
                    planned.pieces.push_back(piece.split().freeze());
                }
            }
        }
        hollow(hollow_from, span.next.0, &mut piece);
        planned.pieces.extend((!piece.is_empty()).then(|| piece.freeze()));
        (at == span.next.0).then_some(planned)
    }

    /// The next piece, or the end. Whether anything was asked for.
    pub fn rewrite_on(&mut self) -> bool {
        let Some(rewriting) = self.rewriting.as_mut().filter(|rewriting| !rewriting.waits) else {
            return false;
        };
        let (replica, span, mut actions) = (rewriting.replica, rewriting.span, Vec::new());
        let asked = match rewriting.pieces.pop_front() {
            Some(piece) => self.storage.rewrite(replica, span, piece, &mut actions),
            None => {
                rewriting.is_whole = true;
                self.storage.replace(replica, span, &mut actions)
            }
        };
        rewriting.waits = true;
        self.disk.queue(&mut actions);
        if asked.is_err() {
            self.rewriting = None;
        }
        asked.is_ok()
    }

    pub fn rewritten(&mut self, replica: ReplicaId, is_done: bool) {
        let Some(rewriting) = self.rewriting.as_mut().filter(|rewriting| rewriting.replica == replica) else {
            return;
        };
        rewriting.waits = false;
        if !is_done || rewriting.is_whole {
            let ended = self.rewriting.take().expect("looked at above");
            if let Some(model) = self.replicas.get_mut(&replica).filter(|_| is_done) {
                model.rewritten.gone.extend(&ended.goes);
                model.rewritten.now.extend(&ended.goes);
            }
        }
    }

    fn rewrite_all(&mut self, replica: ReplicaId) {
        self.begin_rewriting(replica);
        while self.rewriting.is_some() && self.step() {}
        assert!(self.rewriting.is_none(), "what is asked for is answered");
    }
}

/// A world with a replica whose log is in several closed segments, and a checkpoint that names them.
fn closed(seed: u64) -> (World, ReplicaId) {
    let mut world = World::new(seed, StorageConfig { segment_bytes: 1 << 10, ..small() });
    let replica = world.add();
    world.flush();
    world.run();
    for first in 0..8 {
        world.append(replica, first * 5 + 1, &[200, 90, 150, 40, 120], first == 0);
        world.flush();
        world.run();
        world.apply(replica, first * 5 + 5);
        world.flush();
        world.run();
    }
    world.checkpoint();
    world.run();
    assert!(world.storage.closed(replica).len() > 3, "{:?}", world.storage.segments(replica));
    (world, replica)
}

/// The files of segments are those that the log has, and no other.
fn check_files(world: &World, replica: ReplicaId) {
    let of = world.replicas[&replica].of;
    let named: BTreeSet<File> =
        world.storage.segments(replica).iter().map(|segment| File::Segment(segment.name(of))).collect();
    let there = world.disk.cache.keys().filter(|file| matches!(file, File::Segment(_))).copied();
    assert_eq!(there.collect::<BTreeSet<File>>(), named, "seed {}", world.seed);
}

#[test]
fn power_lost_at_any_step_leaves_the_old_or_the_new() {
    for seed in 0..12 {
        for steps in 0.. {
            let (mut world, replica) = closed(seed);
            world.begin_rewriting(replica);
            let mut done = 0;
            while done < steps && world.step() {
                done += 1;
                // A checkpoint begins now and then, also while the new file is on its way.
                if world.rng.below(6) == 0 {
                    world.checkpoint();
                }
            }
            if done == steps {
                let mut rng = world.rng.clone();
                if seed % 3 == 0 {
                    world.disk.kill(&mut rng)
                } else {
                    world.disk.crash(&mut rng)
                }
                world.rng = rng;
                recover(&mut world);
            }
            world.check_log(replica, 500);
            // It goes on as if nothing had been.
            world.rewrite_all(replica);
            world.check_log(replica, 500);
            assert!(world.checkpoint());
            world.run();
            world.check_log(replica, 1);
            check_files(&world, replica);
            if done < steps {
                break;
            }
        }
    }
}

#[test]
fn lives_with_segments_written_anew_lose_nothing() {
    let mut gone = 0;
    for seed in 30_000..30_250 {
        let mut world = World::new(seed, StorageConfig { segment_bytes: 1 << 10, ..small() });
        world.rewrites = true;
        let world = live(world, 300);
        gone += world.replicas.values().map(|model| model.rewritten.for_good.len()).sum::<usize>();
    }
    assert!(gone > 80, "{gone} batches were taken out for good of the logs that are there at the end");
}

#[test]
fn a_read_under_way_goes_on_in_what_took_the_place() {
    let (mut world, replica) = closed(3);
    let (mut actions, first) = (Vec::new(), world.storage.segments(replica)[0].base);
    while world.storage.extent(replica).expect("here").cold_end == first {
        world.pass(Duration::from_secs(1));
    }
    world.rewrite_all(replica);
    world.begin_rewriting(replica);
    let found = world.storage.read(replica, first, Offset(i64::MAX), 100, &mut actions);
    assert!(matches!(found, Lookup::Later(_)), "{found:?}");
    // The disk takes its time with the read: what it reads is no longer the log's when it comes.
    while world.rewriting.is_some() && world.step() {}
    world.disk.queue(&mut actions);
    let chunk = world.await_read(found).expect("what took the place is read");
    let batch =
        Batch::parse(&chunk.batches[0]).ok().or(Batches::new(&chunk.batches[0]).next().and_then(Result::ok));
    assert_eq!(batch.map(|batch| batch.base_offset()), Some(first.0));
}

#[test]
fn on_a_disk_without_space_nothing_is_written_anew_and_nothing_is_lost() {
    let (mut world, replica) = closed(4);
    world.disk.limit = Some(world.disk.used() + 100);
    world.rewrite_all(replica);
    world.check_log(replica, 500);
    check_files(&world, replica);
    world.disk.limit = None;
    world.rewrite_all(replica);
    world.check_log(replica, 500);
    // Until a checkpoint says so, what was replaced stays, whatever the disk's space: it may be that there is none for
    // the checkpoint.
    world.disk.limit = Some(world.disk.used() + 2_000);
    for index in 41.. {
        if world.is_full {
            break;
        }
        world.append(replica, index, &[900], false);
        world.flush();
        world.run();
        world.apply(replica, index);
    }
    for _ in 0..10 {
        world.pass(Duration::from_secs(1));
        world.run();
    }
    let there = world.disk.cache.keys().filter(|file| matches!(file, File::Segment(_))).count();
    assert!(there > world.storage.segments(replica).len(), "{there} files");
    let mut rng = world.rng.clone();
    world.disk.crash(&mut rng);
    recover(&mut world);
}

#[test]
fn how_far_a_log_is_compacted_is_remembered_with_the_segments_and_goes_with_them() {
    let (mut world, replica) = closed(5);
    let compacted = Compacted { up_to: Offset(9), tombstones_before: Offset(4) };
    world.storage.set_compacted(replica, compacted);
    let restart = |world: &mut World| {
        let mut rng = world.rng.clone();
        world.disk.crash(&mut rng);
        recover(world);
        world.storage.compacted(replica)
    };
    assert_eq!(restart(&mut world), Compacted::default(), "no checkpoint says so yet");
    world.storage.set_compacted(replica, compacted);
    assert!(world.checkpoint());
    world.run();
    assert_eq!(restart(&mut world), compacted);
    let end = world.storage.end(replica).expect("here");
    world.storage.skip_to(replica, Offset(end.0 + 10));
    assert_eq!(world.storage.compacted(replica), Compacted::default(), "the log is another");
    let span = Span { base: Offset(0), next: Offset(10) };
    let mut actions = Vec::new();
    let refused = world.storage.rewrite(replica, span, Bytes::new(), &mut actions);
    assert_eq!(refused, Err(RewriteRefused::Gone));
}
