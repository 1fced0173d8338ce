//! How far a consumer has read a partition, and what an answer does to that.
//!
//! A position is *known* in an epoch once a leader of that epoch gave it, or gave what lies below it: whoever leads in
//! that epoch or a later one has it in range, or has a log that starts above it.

use super::Street;
use super::purpose::Asked;
use crate::claims::c09_readers_see_one_log::{self, Page};
use crate::claims::ledger::Shelf;
use crate::claims::{Claim, c07_acked_is_there};
use crate::clock::{MILLI, Moment};
use bytes::BytesMut;
use rust_mq_proto::kafka::Chain;
use rust_mq_proto::kafka::api::fetch::PartitionData;

/// Times that an auditor may come to the end and miss something acknowledged.
const MISSES_MAX: u32 = 50;

/// How far a partition is read.
#[derive(Debug, Default)]
pub struct Reading {
    /// Of which incarnation of the topic.
    pub id: [u8; 16],
    /// What is to be read next.
    pub offset: Option<i64>,
    /// It was asked where to begin.
    pub is_asked: bool,
    /// Nothing is asked before then.
    pub hold_until: Moment,
    /// The furthest offset so far.
    furthest: i64,
    /// What the first record must not be older than.
    pub not_older_than: Option<i64>,
    /// In which epoch the position is known.
    pub known_in: Option<i32>,
    /// The epoch of the last batch that was read, if the position is behind it.
    pub last_epoch: Option<i32>,
    /// How often an auditor came to the end and missed something.
    misses: u32,
    /// Log start and high watermark, when an auditor has come to it.
    pub read_to_end: Option<(i64, i64)>,
}

impl Reading {
    /// A partition of that incarnation, not yet begun, or from an offset on.
    pub fn of(id: [u8; 16], offset: Option<i64>) -> Reading {
        Reading { id, offset, ..Reading::default() }
    }

    /// Whether it is further than ever.
    pub fn is_further(&mut self) -> bool {
        let offset = self.offset.unwrap_or(0);
        let is_further = offset > self.furthest;
        self.furthest = self.furthest.max(offset);
        is_further
    }

    /// It begins there, as a leader of that epoch said.
    pub fn begins(&mut self, offset: i64, epoch: Option<i32>) {
        self.offset = Some(offset);
        self.known_in = epoch;
        self.last_epoch = None;
    }

    /// Checks what was fetched and moves on behind it.
    pub fn advance(&mut self, shelf: Shelf, asked: &Asked, answer: &PartitionData, street: &mut Street<'_>) {
        let bytes = joined(answer.records.as_ref());
        let not_older_than = if bytes.is_empty() { None } else { self.not_older_than.take() };
        let page = Page {
            shelf,
            position: asked.offset,
            high_watermark: answer.high_watermark,
            bytes: &bytes,
            not_older_than,
            asked_epoch: asked.epoch,
        };
        if let (Some(epoch), Some(last)) = (self.is_known_by(asked), asked.last_epoch) {
            street.marks.hit("client.told_the_epoch_it_read_last");
            if epoch >= last {
                let diverging = answer.diverging_epoch.epoch;
                c09_readers_see_one_log::check_way(shelf, asked.offset, last, diverging, street.verdict);
            }
        }
        if page.bytes.is_empty() {
            return;
        }
        street.marks.hit("client.read_records_by_offset");
        if let Some(position) = c09_readers_see_one_log::read(page, street.ledger, street.verdict) {
            self.offset = Some(position);
            self.last_epoch = c09_readers_see_one_log::last_epoch(&bytes);
            self.known_in = asked.epoch.max(self.known_in);
        }
    }

    /// The position is not in the log: legal below its start, or of whom led before it was known.
    pub fn out_of_range(
        &mut self,
        shelf: Shelf,
        asked: &Asked,
        answer: &PartitionData,
        is_auditor: bool,
        street: &mut Street<'_>,
    ) {
        street.marks.hit("client.was_out_of_range");
        let is_known = is_auditor || self.is_known_by(asked).is_some();
        let start = answer.log_start_offset;
        c07_acked_is_there::check_range(shelf, asked.offset, start, is_known, street.verdict);
        self.hold_until = street.now().after(50 * MILLI);
        if start > asked.offset {
            street.marks.hit("client.was_overtaken_by_retention");
            *self = Reading {
                hold_until: self.hold_until,
                furthest: self.furthest,
                ..Reading::of(self.id, None)
            };
        }
    }

    /// The epoch of whom was asked, if the position was known in it or before.
    fn is_known_by(&self, asked: &Asked) -> Option<i32> {
        asked.epoch.filter(|epoch| self.known_in.is_some_and(|known| known <= *epoch))
    }

    /// The auditor has come to the high watermark: is all there that was acknowledged?
    pub fn audit_if_at_end(
        &mut self,
        shelf: Shelf,
        name: &str,
        answer: &PartitionData,
        street: &mut Street<'_>,
    ) {
        let position = self.offset.expect("fetched from somewhere");
        if position < answer.high_watermark {
            return;
        }
        let end = (answer.log_start_offset, answer.high_watermark);
        let missing = street
            .retention_of(name)
            .and_then(|retention| c07_acked_is_there::missing(street.ledger, shelf, end.0, end.1, retention));
        // A probe may have been acknowledged since this answer was made: then the next one has it.
        self.misses = if missing.is_some() { self.misses + 1 } else { 0 };
        if let Some(missing) = missing {
            let is_patient = self.misses <= MISSES_MAX;
            return street.verdict.hold(is_patient, Claim::C7, || missing);
        }
        self.read_to_end = Some(end);
        street.marks.hit("audit.read_a_partition");
        if end.0 > 0 {
            street.marks.hit("audit.read_a_partition_that_retention_cut");
        }
    }
}

fn joined(records: Option<&Chain>) -> BytesMut {
    let mut bytes = BytesMut::new();
    for part in records.into_iter().flat_map(Chain::parts) {
        bytes.extend_from_slice(part);
    }
    bytes
}
