//! Cold reads: batches that are no longer in memory, out of their segments.
//!
//! A read finds its segment, looks into the segment's index (from memory, or the file first), and walks the
//! batches from there. Every batch given out has its structure, its CRC and its place checked: it begins at
//! the offset where the one before it ended. What fails is damage: it is said once a place, refused to every
//! reader, and can be mended with the same bytes from a peer, in place, since a log is the same everywhere
//! (`mend`).
//!
//! A batch that is only passed may be rotten and still lead to the next, so it stops nobody. But where the way
//! ends at nothing sensible, the first rotten batch passed is to blame: its length may have led astray, and what
//! lies where it led to must not be taken for the place of the next.
//!
//! Reads that would ask for much together wait for each other: what they bring is memory, and the disk reads few at a
//! time anyway.
//!
//! Invariants: nothing is read beyond what was `Written`; at most one request of a read is open; requests open are at
//! most `SEGMENT_READS_MIN`, or for at most `SEGMENT_READS_BYTES_MAX`, when one is added; a chunk holds
//! whole batches without a gap, at least one unless there is none, and more than `max_bytes` only if that one
//! is larger.

use super::place::{Found, Place, is_sound, next_batch};
use super::want::{Verdict, Want};
use crate::action::Notice;
use crate::event::DoneResult;
use crate::file::{File, SegmentName};
use crate::ids::{Offset, ReplicaId};
use crate::limits::{DAMAGES_MAX, SEGMENT_READS_BYTES_MAX, SEGMENT_READS_MIN};
use crate::storage::disk::Disk;
use crate::storage::disk::ticket::{Job, ReadId};
use crate::storage::local::Locals;
use crate::storage::segments::chunk::{Chunk, ChunkPlace};
use crate::storage::segments::index::{ENTRY_BYTES, IndexCache, SegmentIndex};
use crate::storage::segments::log::Log;
use crate::storage::segments::segment::Segment;
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};

/// Why a read gives nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadFault {
    /// Below the log's start or beyond its end.
    OutOfRange,
    /// The replica is not here, or started anew meanwhile.
    Gone,
    /// The disk does not give back what was written there.
    Damaged {
        /// First offset that cannot be read.
        from: Offset,
        /// The first after it that may be readable again.
        below: Offset,
    },
}

/// The answer to a request to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// Out of memory.
    Now(Chunk),
    /// An outcome with this id will bring it.
    Later(ReadId),
    /// Not at all.
    Refused(ReadFault),
}

#[derive(Clone, Copy, Debug)]
struct Cold {
    id: ReadId,
    replica: ReplicaId,
    want: Want,
    name: SegmentName,
    stage: Stage,
    /// Bytes that the request under way asks for.
    len: u32,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    /// The index file is being read.
    Index,
    /// Batches are.
    Batches(Position),
}

/// How far a walk through a segment's batches has come.
#[derive(Clone, Copy, Debug)]
struct Position {
    place: Place,
    /// Bytes asked for from there on.
    asked: u64,
    /// The first rotten batch that was passed.
    suspect: Option<Place>,
}

/// The reads under way, the indexes in memory, the damage known.
#[derive(Debug, Default)]
pub struct Reads {
    drawn: u64,
    open: BTreeMap<ReadId, Cold>,
    /// Those that have asked for nothing yet, oldest first.
    waiting: VecDeque<Cold>,
    /// Bytes that all open ones ask for.
    open_bytes: u64,
    pub indexes: IndexCache,
    /// Damaged places, by segment and offset.
    damages: BTreeMap<(SegmentName, Offset), Damage>,
}

/// Where damage lies in its segment.
#[derive(Clone, Copy, Debug)]
pub struct Damage {
    pub at: u64,
    /// Where the next batch begins that can be found, and its offset, if the index or the segment's end says so.
    pub end: Option<(u64, Offset)>,
}

/// How a read ended.
pub struct ReadEnd {
    pub read: ReadId,
    pub replica: ReplicaId,
    pub result: Result<Chunk, ReadFault>,
}

impl Reads {
    /// How many are under way or wait.
    #[cfg(feature = "simulation")]
    pub fn held(&self) -> usize {
        self.open.len() + self.waiting.len()
    }

    /// Looks for `want` in `segment` of `log`.
    pub fn begin(
        &mut self,
        replica: ReplicaId,
        log: &Log,
        segment: &Segment,
        want: Want,
        disk: &mut Disk<'_>,
    ) -> ReadId {
        self.drawn += 1;
        let id = ReadId(self.drawn);
        let cold = Cold { id, replica, want, name: segment.name(log.of), stage: Stage::Index, len: 0 };
        if self.waiting.is_empty() && self.has_room(want) {
            self.enter(cold, segment, disk);
        } else {
            self.waiting.push_back(cold);
        }
        id
    }

    /// What a read asked for is there. Its end, unless it asked for more; and of those that waited, which now begin,
    /// the ends of those that have nothing to read any more.
    pub fn done(
        &mut self,
        id: ReadId,
        result: DoneResult,
        locals: &Locals,
        disk: &mut Disk<'_>,
    ) -> Vec<ReadEnd> {
        let mut ends = Vec::new();
        ends.extend(self.one_done(id, result, locals, disk));
        while self.waiting.front().is_some_and(|cold| self.has_room(cold.want))
            && let Some(cold) = self.waiting.pop_front()
        {
            match place(&cold, locals) {
                Ok((log, segment)) => {
                    self.enter(Cold { name: segment.name(log.of), ..cold }, &segment, disk);
                }
                Err(fault) => ends.push(ReadEnd { read: cold.id, replica: cold.replica, result: Err(fault) }),
            }
        }
        ends
    }

    fn one_done(
        &mut self,
        id: ReadId,
        result: DoneResult,
        locals: &Locals,
        disk: &mut Disk<'_>,
    ) -> Option<ReadEnd> {
        let cold = self.open.remove(&id)?;
        self.open_bytes -= u64::from(cold.len);
        let end = |result| Some(ReadEnd { read: id, replica: cold.replica, result });
        let (log, segment) = match place(&cold, locals) {
            Ok((log, segment)) if segment.name(log.of) == cold.name => (log, segment),
            // Another has taken its place meanwhile.
            Ok((log, segment)) => {
                self.enter(Cold { name: segment.name(log.of), ..cold }, &segment, disk);
                return None;
            }
            Err(fault) => return end(Err(fault)),
        };
        let bytes = match result {
            DoneResult::Bytes(bytes) => bytes,
            _ => {
                let file =
                    if matches!(cold.stage, Stage::Index) { File::SegmentIndex } else { File::Segment };
                disk.forget(file(cold.name));
                Bytes::new()
            }
        };
        let next = match cold.stage {
            Stage::Index => {
                self.indexes.insert(cold.name, SegmentIndex::decode(&bytes, segment.base));
                Next::Enter(segment.clone())
            }
            Stage::Batches(position) => self.walk(&cold, &segment, &bytes, position, log),
        };
        match next {
            Next::Damaged { place, below, end_at } => {
                self.note_damage(cold.name, place, (below, end_at), disk);
                end(Err(ReadFault::Damaged { from: place.expected, below }))
            }
            Next::End(result) => end(result),
            Next::Enter(segment) => {
                let cold = Cold { name: segment.name(log.of), ..cold };
                self.enter(cold, &segment, disk);
                None
            }
            Next::More(position) => {
                self.ask(cold, &segment, position, disk);
                None
            }
        }
    }

    /// Whether one more read may ask for its bytes.
    fn has_room(&self, want: Want) -> bool {
        self.open.len() < SEGMENT_READS_MIN || self.open_bytes + want.wished() <= SEGMENT_READS_BYTES_MAX
    }

    /// The damage at `from`, if there is one.
    pub fn damaged_at(&self, name: SegmentName, from: Offset) -> Option<Damage> {
        self.damages.get(&(name, from)).copied()
    }

    /// Somebody who knows more has found damage in a chunk: the batch that starts `after` so many of its bytes, and
    /// holds the offsets from `from` up to `below`.
    pub fn doubt(
        &mut self,
        chunk: ChunkPlace,
        after: u64,
        (from, below): (Offset, Offset),
        disk: &mut Disk<'_>,
    ) {
        let place = Place { at: chunk.at + after, expected: from };
        self.note_damage(chunk.name, place, (below, None), disk);
    }

    /// Where the batch of an indexed offset lies, as far as the index in memory says.
    pub fn indexed_at(&self, name: SegmentName, offset: Offset) -> Option<u64> {
        self.indexes.find(name).and_then(|index| index.position_of(offset))
    }

    /// Good bytes are there again.
    pub fn mended(&mut self, name: SegmentName, from: Offset) {
        self.damages.remove(&(name, from));
    }

    /// A segment is no more.
    pub fn forget(&mut self, name: SegmentName) {
        self.indexes.forget(name);
        let of_it = (name, Offset(i64::MIN))..=(name, Offset(i64::MAX));
        let gone: Vec<(SegmentName, Offset)> = self.damages.range(of_it).map(|(place, _)| *place).collect();
        gone.iter().for_each(|place| {
            self.damages.remove(place);
        });
    }

    /// Starts looking in `segment`: in its index if that is in memory or there is none, else reads it.
    fn enter(&mut self, cold: Cold, segment: &Segment, disk: &mut Disk<'_>) {
        let none = SegmentIndex::default();
        let index = match self.indexes.find(cold.name) {
            None if segment.index_entries > 0 => {
                let len = segment.index_entries.saturating_mul(ENTRY_BYTES as u32);
                let file = File::SegmentIndex(cold.name);
                disk.read(Job::Read(cold.id), file, 0, len);
                self.open_bytes += u64::from(len);
                self.open.insert(cold.id, Cold { stage: Stage::Index, len, ..cold });
                return;
            }
            found => found.unwrap_or(&none),
        };
        let (at, expected) = match cold.want {
            Want::Offset { from, .. } => index.find_offset(segment.base, from),
            Want::Time { timestamp, .. } => index.find_time(segment.base, timestamp),
        };
        let position = Position { place: Place { at, expected }, asked: 0, suspect: None };
        self.ask(cold, segment, position, disk);
    }

    /// Reads batches from a position on, at least as many bytes as it asks for.
    fn ask(&mut self, cold: Cold, segment: &Segment, position: Position, disk: &mut Disk<'_>) {
        let at = position.place.at;
        let asked = cold.want.wished().max(position.asked).min(segment.bytes.saturating_sub(at));
        let len = u32::try_from(asked).unwrap_or(u32::MAX);
        let file = File::Segment(cold.name);
        disk.read(Job::Read(cold.id), file, at, len);
        let stage = Stage::Batches(Position { asked: u64::from(len), ..position });
        self.open_bytes += u64::from(len);
        self.open.insert(cold.id, Cold { stage, len, ..cold });
    }

    /// Walks the batches in `bytes`, which were read at a position.
    fn walk(&self, cold: &Cold, segment: &Segment, bytes: &Bytes, position: Position, log: &Log) -> Next {
        let Position { mut place, asked, mut suspect } = position;
        let mut taken: Option<(usize, usize)> = None;
        let start = place.at;
        let needed = loop {
            if place.at >= segment.bytes {
                break 0;
            }
            let left = bytes.slice((place.at - start) as usize..);
            match next_batch(&left, place, segment) {
                Found::Whole { len, next, max_timestamp } => {
                    let from = (place.at - start) as usize;
                    match cold.want.judge(next, max_timestamp, taken.map_or(0, |(from, to)| to - from), len) {
                        Verdict::Skip if suspect.is_none() && !is_sound(&left[..len]) => {
                            suspect = Some(place)
                        }
                        Verdict::Skip => {}
                        Verdict::Stop => return end(cold.name, start, bytes, taken),
                        // The time of one that is too old may be what has rotted (seed 87002176).
                        Verdict::Take | Verdict::TakeLast | Verdict::TooOld if !is_sound(&left[..len]) => {
                            return self.damage(cold, segment, place, (start, bytes), taken);
                        }
                        Verdict::TooOld => {}
                        Verdict::Take => taken = Some((taken.map_or(from, |(first, _)| first), from + len)),
                        Verdict::TakeLast => return end(cold.name, start, bytes, Some((from, from + len))),
                    }
                    place = Place { at: place.at + len as u64, expected: next };
                }
                Found::Short(needed)
                    if (bytes.len() as u64) < asked || needed as u64 > segment.bytes - place.at =>
                {
                    // The file ends before what was written to it does.
                    return self.damage(cold, segment, suspect.unwrap_or(place), (start, bytes), taken);
                }
                Found::Short(needed) => break needed as u64,
                Found::Broken => {
                    return self.damage(cold, segment, suspect.unwrap_or(place), (start, bytes), taken);
                }
            }
        };
        if taken.is_some() {
            return end(cold.name, start, bytes, taken);
        }
        if place.at < segment.bytes {
            return Next::More(Position { place, asked: needed, suspect });
        }
        // This segment has nothing of what is wanted; later ones may.
        let later = match cold.want {
            Want::Offset { .. } => log.segment_of(place.expected),
            Want::Time { timestamp, .. } => log.segment_reaching(segment.next, timestamp),
        };
        match (later, cold.want) {
            (Some(later), _) => Next::Enter(later.clone()),
            (None, Want::Offset { below, max_bytes, .. }) => {
                let max_bytes = usize::try_from(max_bytes).unwrap_or(usize::MAX);
                Next::End(log.read_tail(place.expected, below, max_bytes).ok_or(ReadFault::Gone))
            }
            (None, Want::Time { from, timestamp }) => Next::End(Ok(log.find_tail(from, timestamp))),
        }
    }

    /// What was taken before the damage, or the damage.
    fn damage(
        &self,
        cold: &Cold,
        segment: &Segment,
        place: Place,
        (start, bytes): (u64, &Bytes),
        taken: Option<(usize, usize)>,
    ) -> Next {
        if taken.is_some() {
            return end(cold.name, start, bytes, taken);
        }
        let indexed = self.indexes.find(cold.name).and_then(|index| {
            let below = index.after(place.expected)?;
            Some((below, index.position_of(below)))
        });
        let (below, end_at) = indexed.unwrap_or((segment.next, Some(segment.bytes)));
        Next::Damaged { place, below, end_at }
    }

    /// Says a damage once, and remembers where it lies for mending.
    fn note_damage(
        &mut self,
        name: SegmentName,
        place: Place,
        (below, end_at): (Offset, Option<u64>),
        disk: &mut Disk<'_>,
    ) {
        if self.damages.contains_key(&(name, place.expected)) {
            return;
        }
        if self.damages.len() >= DAMAGES_MAX {
            self.damages.pop_first();
        }
        let damage = Damage { at: place.at, end: end_at.map(|at| (at, below)) };
        self.damages.insert((name, place.expected), damage);
        let what = format!("offsets {} to {} cannot be read and are refused", place.expected.0, below.0 - 1);
        disk.note(Notice::Damaged { file: File::Segment(name), what });
    }
}

enum Next {
    End(Result<Chunk, ReadFault>),
    Damaged { place: Place, below: Offset, end_at: Option<u64> },
    Enter(Segment),
    More(Position),
}

/// The log and the segment that a read is of, or the one that has taken its place.
fn place<'a>(cold: &Cold, locals: &'a Locals) -> Result<(&'a Log, Segment), ReadFault> {
    let log = locals.get(&cold.replica).map(|local| &local.log).ok_or(ReadFault::Gone)?;
    let in_its_place =
        || log.segment_of(cold.name.base).filter(|other| other.generation > cold.name.generation);
    // If neither is there, the log's start passed it, or a reset did.
    let found = log.segment_named(cold.name).or_else(in_its_place);
    Ok((log, found.cloned().ok_or(ReadFault::OutOfRange)?))
}

/// What was taken of `bytes`, which were read at `start`: copied if it is less than half, so that nobody keeps the rest
/// with it.
fn end(name: SegmentName, start: u64, bytes: &Bytes, taken: Option<(usize, usize)>) -> Next {
    let place = taken.map(|(from, _)| ChunkPlace { name, at: start + from as u64 });
    let slice = |(from, to): (usize, usize)| match to - from {
        len if len < bytes.len() / 2 => Bytes::copy_from_slice(&bytes[from..to]),
        _ => bytes.slice(from..to),
    };
    let batches = taken.map(slice).into_iter().collect();
    Next::End(Ok(Chunk { batches, place }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::Action;
    use crate::entry::HardState;
    use crate::ids::{Index, PartitionId, TopicId, TopicPartition};
    use crate::limits::SEGMENT_READ_BYTES_MIN;
    use crate::storage::disk::ticket::Tickets;
    use crate::storage::local::Local;

    #[test]
    fn reads_that_ask_for_much_wait_for_each_other() {
        let of = TopicPartition { topic: TopicId([7; 16]), partition: PartitionId(0) };
        let segment = Segment { next: Offset(100), bytes: 1 << 30, ..Segment::starting(Offset(0), 0) };
        let log = || Log::new(of, 0, Offset(0), Offset(100), vec![segment.clone()]);
        let replica = ReplicaId(1);
        let local = Local { log: log(), hard_state: HardState::default(), last: Index(0), frame: 0 };
        let locals = Locals::from([(replica, local)]);
        let (mut reads, mut tickets) = (Reads::default(), Tickets::default());
        let mut actions = Vec::new();
        let begin = |reads: &mut Reads, tickets: &mut Tickets, max_bytes, actions: &mut Vec<Action>| {
            let want = Want::Offset { from: Offset(0), below: Offset(100), max_bytes };
            reads.begin(replica, &log(), &segment, want, &mut Disk::new(tickets, actions))
        };
        let ids: Vec<ReadId> =
            (0..40).map(|_| begin(&mut reads, &mut tickets, 8 << 20, &mut actions)).collect();
        assert_eq!(actions.len(), SEGMENT_READS_MIN, "two of the largest");
        for (done, id) in ids.iter().enumerate() {
            let begun = actions.iter().filter(|action| matches!(action, Action::Read { .. })).count();
            assert_eq!(begun, ids.len().min(done + SEGMENT_READS_MIN), "in the order they came");
            let failed = DoneResult::Failed { at: crate::event::FileWork::Reading, reason: "lost".into() };
            assert_eq!(reads.done(*id, failed, &locals, &mut Disk::new(&mut tickets, &mut actions)).len(), 1);
        }
        assert_eq!((reads.open_bytes, reads.open.len(), reads.waiting.len()), (0, 0, 0));
        actions.clear();
        let small = SEGMENT_READS_BYTES_MAX / SEGMENT_READ_BYTES_MIN;
        for _ in 0..small + 10 {
            begin(&mut reads, &mut tickets, 0, &mut actions);
        }
        assert_eq!(actions.len() as u64, small, "many small ones");
    }
}
