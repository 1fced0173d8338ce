//! One partition that is read: where reading is, what has come and waits, and how far the application has come.
//!
//! ```text
//! committed <= done <= position <= fetch_from
//!   kept by      dealt     handed     the offset that
//!   the group    with      out        is fetched next
//! ```
//!
//! - Invariant: only what was dealt with is committed: a record counts as that when the application asks for the next one,
//!   or commits itself.
//! - Invariant: what is handed out rises by offset, from where reading began or was sent.

use super::{Goal, Message};
use crate::machine::error::Error;
use crate::machine::moment::Moment;
use crate::machine::question::Ticket;
use bytes::Bytes;
use rust_mq_proto::records::{Batch, Batches, Codec, Decompressor};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// What the records of one batch may take without compression.
const PLAIN_BYTES_MAX: usize = 256 << 20;

/// Where reading is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// Where the group has come, which is not known yet.
    Committed,
    /// To be looked up.
    Sought(Goal),
    /// The offset that is handed out next.
    At(i64),
    /// Nowhere: nothing was committed and nothing said where to begin, until somebody seeks.
    Nowhere,
}

/// A partition.
#[derive(Debug)]
pub struct Reading {
    topic: Arc<str>,
    partition: i32,
    position: Position,
    fetch_from: i64,
    /// Where the partition ended when it was last fetched.
    end: i64,
    chunks: VecDeque<Chunk>,
    records: VecDeque<Message>,
    done: Option<i64>,
    handed: Option<i64>,
    committed: Option<i64>,
    /// The question about it that is not answered, whatever it is.
    pub asked: Option<Ticket>,
    pub is_paused: bool,
    pub held_until: Moment,
    failures: u32,
}

/// Batches as they came, and the offset behind them.
#[derive(Debug)]
struct Chunk {
    bytes: Bytes,
    next_offset: i64,
}

impl Reading {
    /// A partition of which it is not known where to begin.
    pub fn new(topic: &str, partition: i32, position: Position) -> Reading {
        let fetch_from = if let Position::At(offset) = position { offset } else { 0 };
        Reading {
            topic: topic.into(),
            partition,
            position,
            fetch_from,
            end: 0,
            chunks: VecDeque::new(),
            records: VecDeque::new(),
            done: None,
            handed: None,
            committed: None,
            asked: None,
            is_paused: false,
            held_until: Moment::default(),
            failures: 0,
        }
    }

    /// Where reading is.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Reading goes on there. What has come is dropped, and so is what is on its way.
    pub fn seek(&mut self, position: Position) {
        self.chunks.clear();
        self.records.clear();
        self.asked = None;
        self.handed = None;
        self.position = position;
        if let Position::At(offset) = position {
            self.fetch_from = offset;
        }
    }

    /// The application was sent there: that is how far it has come.
    pub fn sent_to(&mut self, offset: i64) {
        self.seek(Position::At(offset));
        self.done = Some(offset);
    }

    /// The group has come so far: that need not be committed again.
    pub fn found_committed(&mut self, offset: i64) {
        self.seek(Position::At(offset));
        self.committed = Some(offset);
    }

    /// The offset to fetch next, if something can be fetched.
    pub fn fetchable(&self, now: Moment, bytes_max: usize) -> Option<i64> {
        let is_at = matches!(self.position, Position::At(_));
        let has_room = self.bytes() < bytes_max / 2;
        let is_free = self.asked.is_none() && !self.is_paused && self.held_until <= now;
        (is_at && has_room && is_free).then_some(self.fetch_from)
    }

    /// Batches have come, for the offset that was asked for.
    pub fn fetched(&mut self, bytes: Bytes, next_offset: i64, end: i64) {
        self.failures = 0;
        self.end = end;
        if next_offset > self.fetch_from {
            self.fetch_from = next_offset;
            self.chunks.push_back(Chunk { bytes, next_offset });
        }
    }

    /// Whether it is known that a fetch would bring something.
    pub fn has_more(&self) -> bool {
        self.fetch_from < self.end
    }

    /// Bytes that have come and were not looked into.
    pub fn bytes(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.bytes.len()).sum()
    }

    /// Whether there may be something to hand out.
    pub fn has_some(&self) -> bool {
        let has_none = self.records.is_empty() && self.chunks.is_empty();
        !self.is_paused && !has_none
    }

    /// Whether all records of a batch were handed out, and none of the next.
    pub fn is_between_batches(&self) -> bool {
        self.records.is_empty()
    }

    /// Whether more may be fetched: a batch was handed out, and nothing is on its way.
    pub fn is_hungry(&self) -> bool {
        self.records.is_empty() && self.asked.is_none()
    }

    /// The next record.
    ///
    /// # Errors
    /// Its batch cannot be read. Reading stands before it until somebody seeks.
    pub fn hand_out(&mut self, decompressor: &mut Decompressor) -> Result<Option<Message>, Error> {
        loop {
            if let Some(message) = self.records.pop_front() {
                self.position = Position::At(message.offset + 1);
                self.handed = Some(message.offset + 1);
                return Ok(Some(message));
            }
            let Some(chunk) = self.chunks.front_mut() else { return Ok(None) };
            let mut batches = Batches::new(&chunk.bytes);
            let Some(batch) = batches.next() else {
                // Control records and what compaction took out are passed over.
                let behind = chunk.next_offset;
                self.chunks.pop_front();
                self.pass_over(behind);
                continue;
            };
            let rest = chunk.bytes.slice_ref(batches.rest());
            let from = if let Position::At(offset) = self.position { offset } else { 0 };
            let (topic, partition) = (&self.topic, self.partition);
            let read = batch.map_err(|error| error.to_string()).and_then(|batch| {
                let is_before = batch.last_offset() < from;
                if batch.is_control() || is_before {
                    return Ok(VecDeque::new());
                }
                read(topic, partition, &batch, &chunk.bytes, decompressor, from)
            });
            match read {
                Ok(records) => {
                    chunk.bytes = rest;
                    self.records = records;
                }
                Err(why) => {
                    self.seek(Position::Nowhere);
                    let node = format!("{topic}/{partition}", topic = self.topic, partition = self.partition);
                    return Err(Error::Unreadable { node, why });
                }
            }
        }
    }

    /// What was handed out has been dealt with.
    pub fn deal_with(&mut self) {
        if let Some(handed) = self.handed.take() {
            self.done = Some(handed);
        }
    }

    /// The offset to commit, if it is another than what is committed.
    pub fn to_commit(&self) -> Option<i64> {
        self.done.filter(|done| Some(*done) != self.committed)
    }

    /// The offset that is fetched next.
    pub fn fetched_to(&self) -> i64 {
        self.fetch_from
    }

    /// That was committed.
    pub fn was_committed(&mut self, offset: i64) {
        self.committed = Some(offset);
    }

    /// Nothing is asked about it for so long, longer after each failure in a row.
    pub fn hold(&mut self, now: Moment, pause: impl FnOnce(u32) -> Duration) {
        self.failures += 1;
        self.held_until = now.after(pause(self.failures));
    }

    fn pass_over(&mut self, behind: i64) {
        if let Position::At(offset) = self.position
            && offset < behind
        {
            self.position = Position::At(behind);
            // Whoever has dealt with all before it has come so far.
            if self.handed.is_none() && self.done == Some(offset) {
                self.done = Some(behind);
            }
        }
    }
}

/// The records of a batch from an offset on. Without compression, they share its bytes.
fn read(
    topic: &Arc<str>,
    partition: i32,
    batch: &Batch<'_>,
    shared: &Bytes,
    decompressor: &mut Decompressor,
    from: i64,
) -> Result<VecDeque<Message>, String> {
    batch.check_crc().map_err(|error| error.to_string())?;
    let is_plain = batch.codec().map_err(|error| error.to_string())? == Codec::None;
    let own = |bytes: &[u8]| if is_plain { shared.slice_ref(bytes) } else { Bytes::copy_from_slice(bytes) };
    let mut messages = VecDeque::new();
    for record in batch.records(decompressor, PLAIN_BYTES_MAX).map_err(|error| error.to_string())? {
        let record = record.map_err(|error| error.to_string())?;
        if record.offset < from {
            continue;
        }
        let headers = record
            .headers
            .into_iter()
            .map(|header| (String::from_utf8_lossy(header.key).into_owned(), header.value.map(own)));
        messages.push_back(Message {
            topic: topic.clone(),
            partition,
            offset: record.offset,
            timestamp_ms: record.timestamp,
            key: record.key.map(own),
            value: record.value.map(own),
            headers: headers.collect(),
        });
    }
    Ok(messages)
}
