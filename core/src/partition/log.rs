//! The committed copy of a partition: what its applied entries add up to. Any two replicas that applied the same
//! entries are equal, bit for bit (claim C6).
//!
//! Invariant: start <= end; neither falls.

use super::compactions::Compactions;
use super::epochs::Epochs;
use super::newest::Newest;
use super::producers::{ProducerBatch, Producers};
use super::{Applied, AppliedBatch};
use crate::codec::{self, Broken, FIRST, Kind, Reading, Shape, THIRD, Version, Writing};
use crate::compaction::Compacted;
use crate::entry::{Entry, EntryKind};
use crate::ids::PageId;
use crate::ids::{Index, Offset, Term};
use crate::level::{Level, Levels};
use crate::machine::Undecodable;
use crate::now::Wall;
use bytes::{Bytes, BytesMut};
use rust_mq_proto::records::{Batch, Producer, TimestampType};

/// The table of producers among the state's pages.
const PRODUCERS: u8 = 0;

/// What the applied entries add up to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogState {
    /// The first offset there is.
    pub start: Offset,
    /// The offset after the last: the high watermark.
    pub end: Offset,
    /// The term of the first entry; 0 before it. While it is the leader's own, no other leader ever took a batch.
    pub first_term: Term,
    /// Where leader epochs start.
    pub epochs: Epochs,
    /// Idempotent producers.
    pub producers: Producers,
    /// The time in the log: the last entry's wall clock.
    pub wall: Wall,
    /// The largest timestamp of the records there are.
    pub newest: Newest,
    /// How far it is to be compacted.
    pub compactions: Compactions,
}

/// A replicated change of a partition that is no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartitionCommand {
    /// Records below this offset are gone (retention).
    LogStart(Offset),
    /// So many producers are forgotten, those that are idle for longest: their leader's node remembers too many.
    ForgetProducers(u32),
    /// Of each key the last record stays, so far.
    Compacted(Compacted),
}

impl PartitionCommand {
    /// An entry's payload, as it is written at that level.
    pub fn encode(self, level: Level) -> Bytes {
        codec::encode(&self, level)
    }

    /// The level from which it may be proposed.
    pub fn since(&self) -> Level {
        codec::since(self)
    }

    /// From an entry's payload.
    ///
    /// # Errors
    /// Bytes that are no command that this build reads.
    pub fn decode(bytes: &[u8]) -> Result<PartitionCommand, Undecodable> {
        codec::decode(bytes, Levels::READABLE)
    }
}

const LOG_START: u8 = 32;
const FORGET_PRODUCERS: u8 = 33;
const COMPACTED: u8 = 34;

impl Shape for PartitionCommand {
    const WHAT: &'static str = "partition command";
    const KINDS: &'static [Kind] = &[
        Kind::first(LOG_START, "LogStart"),
        Kind::first(FORGET_PRODUCERS, "ForgetProducers"),
        Kind::new(COMPACTED, "Compacted", THIRD),
    ];

    fn kind(&self) -> u8 {
        match self {
            PartitionCommand::LogStart(_) => LOG_START,
            PartitionCommand::ForgetProducers(_) => FORGET_PRODUCERS,
            PartitionCommand::Compacted(_) => COMPACTED,
        }
    }

    fn write(&self, _version: u8, to: &mut Writing<'_>) {
        match self {
            PartitionCommand::LogStart(start) => to.put(start),
            PartitionCommand::ForgetProducers(count) => to.put(count),
            PartitionCommand::Compacted(Compacted { up_to, tombstones_before }) => {
                to.put(up_to);
                to.put(tombstones_before);
            }
        }
    }

    fn read(kind: u8, _version: u8, from: &mut Reading<'_>) -> Result<PartitionCommand, Broken> {
        Ok(match kind {
            LOG_START => PartitionCommand::LogStart(from.take()?),
            FORGET_PRODUCERS => PartitionCommand::ForgetProducers(from.take()?),
            COMPACTED => {
                let (up_to, tombstones_before) = (from.take()?, from.take()?);
                PartitionCommand::Compacted(Compacted { up_to, tombstones_before })
            }
            _ => return Err(Broken::Unread),
        })
    }
}

/// From the third level on it may be compacted.
const STATES: [Version; 2] = [FIRST[0], Version { number: 2, since: THIRD[0].since }];

impl Shape for LogState {
    const WHAT: &'static str = "partition state";
    const KINDS: &'static [Kind] = &[Kind::new(3, "LogState", &STATES)];

    fn kind(&self) -> u8 {
        3
    }

    fn write(&self, version: u8, to: &mut Writing<'_>) {
        let LogState { start, end, first_term, epochs, producers, wall, newest, compactions } = self;
        to.put(start);
        to.put(end);
        to.put(first_term);
        to.put(epochs);
        to.put(producers);
        to.put(wall);
        to.put(newest);
        if version >= 2 {
            to.put(compactions);
        }
    }

    fn read(_kind: u8, version: u8, from: &mut Reading<'_>) -> Result<LogState, Broken> {
        Ok(LogState {
            start: from.take()?,
            end: from.take()?,
            first_term: from.take()?,
            epochs: from.take()?,
            producers: from.take()?,
            wall: from.take()?,
            newest: from.take()?,
            compactions: if version >= 2 { from.take()? } else { Compactions::default() },
        })
    }
}

impl Default for LogState {
    fn default() -> LogState {
        LogState {
            start: Offset(0),
            end: Offset(0),
            first_term: Term(0),
            epochs: Epochs::default(),
            producers: Producers::default(),
            wall: Wall(0),
            newest: Newest::default(),
            compactions: Compactions::default(),
        }
    }
}

impl LogState {
    /// Takes a committed entry in.
    pub fn apply(&mut self, entry: &Entry) -> Result<Applied, Undecodable> {
        if entry.index == Index(0).next() {
            self.first_term = entry.term;
        }
        self.epochs.applied(entry.term, self.end);
        self.wall = entry.wall;
        match entry.kind {
            EntryKind::Batch => self.apply_batch(entry),
            EntryKind::Commands => Ok(self.apply_command(PartitionCommand::decode(&entry.payload)?)),
            EntryKind::NoOp | EntryKind::Members => Ok(Applied::default()),
        }
    }

    fn apply_command(&mut self, command: PartitionCommand) -> Applied {
        match command {
            PartitionCommand::LogStart(start) => {
                self.start = self.start.max(start.min(self.end));
                self.epochs.forget_below(self.start);
                self.newest.forget_below(self.start);
                assert!(self.start <= self.end, "a log starts at its end at the latest");
                Applied { batch: None, log_start: Some(self.start) }
            }
            PartitionCommand::ForgetProducers(count) => {
                self.producers.evict_idle(usize::try_from(count).unwrap_or(usize::MAX));
                Applied::default()
            }
            PartitionCommand::Compacted(next) => {
                self.compactions.applied(next, self.end, self.wall);
                Applied::default()
            }
        }
    }

    fn apply_batch(&mut self, entry: &Entry) -> Result<Applied, Undecodable> {
        let undecodable = |reason: String| Undecodable { what: "record batch", reason };
        let batch = Batch::parse(&entry.payload).map_err(|error| undecodable(error.to_string()))?;
        let base = Offset(batch.base_offset());
        if base != self.end || batch.last_offset() < base.0 {
            return Err(undecodable(format!("it starts at {base}, the log ends at {}", self.end)));
        }
        let next = Offset(batch.last_offset() + 1);
        if let Some(producer) = batch.producer() {
            let append_time = match batch.timestamp_type() {
                TimestampType::LogAppendTime => batch.max_timestamp(),
                TimestampType::CreateTime => -1,
            };
            let last = Producer::sequence_after(producer.base_sequence, batch.last_offset_delta());
            let place =
                ProducerBatch { first: producer.base_sequence, last, base, append_time, index: entry.index };
            self.producers.applied(&producer, place, entry.wall);
        }
        assert!(next > self.end, "a batch has records, and the log end never falls");
        self.end = next;
        self.newest.applied(batch.max_timestamp(), next);
        let batch = AppliedBatch { base, next, max_timestamp: batch.max_timestamp() };
        Ok(Applied { batch: Some(batch), log_start: None })
    }

    /// The state without its pages.
    pub fn head(&self, level: Level) -> Bytes {
        codec::encode(&LogState { producers: self.producers.without_entries(), ..self.clone() }, level)
    }

    /// Its pages, in order.
    pub fn page_ids(&self) -> Vec<PageId> {
        self.producers.entries().editions().map(|edition| PageId { table: PRODUCERS, edition }).collect()
    }

    /// A page's bytes.
    pub fn page(&self, number: usize) -> Option<Bytes> {
        self.producers.entries().page(number).map(|(_, bytes)| bytes)
    }

    /// What `head` gave: the state, for its pages to be pushed.
    ///
    /// # Errors
    /// It is of no state that this build can read.
    pub fn unfold(head: &[u8]) -> Result<LogState, Undecodable> {
        codec::decode(head, Levels::READABLE)
    }

    /// The next of its pages.
    ///
    /// # Errors
    /// It is none that this build can read, or not the next.
    pub fn push_page(&mut self, id: PageId, bytes: &[u8]) -> Result<(), Undecodable> {
        let pushed = match id.table {
            PRODUCERS => self.producers.push_page(id.edition, bytes).map_err(|fault| fault.to_string()),
            table => Err(format!("there is no table {table}")),
        };
        pushed.map_err(|reason| Undecodable { what: "page of a partition's state", reason })
    }

    /// A state in one piece, as the disk has it: nothing of a replica that has none.
    ///
    /// # Errors
    /// Bytes that are no state that this build reads.
    pub fn decode_whole(bytes: &[u8]) -> Result<LogState, Undecodable> {
        if bytes.is_empty() { Ok(LogState::default()) } else { LogState::decode(bytes) }
    }

    /// Appends the state to `into`, as it is written at that level.
    pub fn encode(&self, level: Level, into: &mut BytesMut) {
        codec::encode_into(self, level, into);
    }

    /// The state that `encode` wrote.
    ///
    /// # Errors
    /// Bytes that are no state that this build reads.
    pub fn decode(bytes: &[u8]) -> Result<LogState, Undecodable> {
        codec::decode::<LogState>(bytes, Levels::READABLE)?.checked()
    }

    /// The state, if it can be one: once all its pages are there.
    ///
    /// # Errors
    /// It contradicts itself.
    pub fn checked(self) -> Result<LogState, Undecodable> {
        let state = self;
        let undecodable = |reason: String| Err(Undecodable { what: LogState::WHAT, reason });
        if state.start > state.end || state.start.0 < 0 || state.end > Offset::MAX {
            return undecodable(format!("it starts at {} and ends at {}", state.start, state.end));
        }
        if !state.epochs.is_sound(state.end) || !state.producers.is_sound() {
            return undecodable("its epochs or producers cannot be".into());
        }
        if !state.compactions.is_sound(state.end) {
            return undecodable("it cannot be compacted so far".into());
        }
        if !state.newest.is_sound(state.start, state.end) {
            return undecodable("its newest timestamps cannot be".into());
        }
        Ok(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{Index, ProducerId};

    #[test]
    fn the_longest_idle_producers_are_forgotten_at_a_command() {
        let mut log = LogState::default();
        for id in 0..10 {
            let batch = ProducerBatch {
                first: 0,
                last: 0,
                base: Offset(id),
                append_time: -1,
                index: Index(id as u64),
            };
            log.producers.applied(&Producer { id, epoch: 0, base_sequence: 0 }, batch, Wall(0));
        }
        let command =
            PartitionCommand::decode(&PartitionCommand::ForgetProducers(4).encode(Levels::BUILD.newest));
        assert_eq!(log.apply_command(command.expect("what was encoded")), Applied::default());
        assert_eq!(log.producers.len(), 6);
        assert!(log.producers.entry(ProducerId(3)).is_none() && log.producers.entry(ProducerId(4)).is_some());
    }
}
