//! C9: a reader never sees two values for one offset, nor an offset at or above the high watermark; offsets ascend, and
//! nothing is skipped. (Nothing is controlled, compacted or aborted yet.)
//!
//! Looked at: every answer to a Fetch, record by record, where it arrives: batches are whole, follow each other from
//! the position asked for, hold as many records as they say, and end below the high watermark that came with them;
//! each value is one that a producer of ours wrote, and the ledger knows no other for its offset. Who was asked as the
//! leader of an epoch gives no batch of a later one, and finds no reader of committed records on another way. All of an
//! answer is no more than was asked for, or one batch. After
//! ListOffsets by time the first record is not older than that; what else was looked up is `c09_lookups_are_exact`'s.

use super::ledger::{BatchId, Ledger, Shelf, Value};
use super::{Claim, Verdict, c07_acked_is_there};
use rust_mq_proto::kafka::Chain;
use rust_mq_proto::kafka::api::fetch::FetchResponse;
use rust_mq_proto::records::{Batches, Decompressor, TimestampType};

/// Bytes of a batch when decompressed, at most.
const PLAIN_BYTES_MAX: usize = 16 << 20;

/// What a Fetch answered for one partition.
#[derive(Debug)]
pub struct Page<'a> {
    /// Of which partition.
    pub shelf: Shelf,
    /// The position that was asked for.
    pub position: i64,
    /// What came with it.
    pub high_watermark: i64,
    /// Batches, back to back.
    pub bytes: &'a [u8],
    /// What the first record must not be older than.
    pub not_older_than: Option<i64>,
    /// The leader epoch that was told with the question.
    pub asked_epoch: Option<i32>,
}

/// The epoch of the last batch of a page.
pub fn last_epoch(bytes: &[u8]) -> Option<i32> {
    Batches::new(bytes).filter_map(Result::ok).last().map(|batch| batch.leader_epoch())
}

/// An answer holds no more than was asked for, but for a first batch that is larger than all of it.
pub fn is_no_more(answer: &FetchResponse, max_bytes: i32, site: usize, verdict: &mut Verdict) {
    let parts = || answer.responses.iter().flat_map(|topic| &topic.partitions);
    let bytes: usize = parts().filter_map(|part| part.records.as_ref()).map(Chain::len).sum();
    if bytes <= usize::try_from(max_bytes).unwrap_or(0) {
        return;
    }
    let chunks = parts().filter_map(|part| part.records.as_ref()).flat_map(Chain::parts);
    let batches: usize = chunks.map(|chunk| Batches::new(chunk).count()).sum();
    verdict.hold(batches == 1, Claim::C9, || {
        format!("site {site} answered a fetch of {max_bytes} bytes with {batches} batches, {bytes} bytes")
    });
}

/// A reader of committed records was told that it had left the log.
pub fn check_way(shelf: Shelf, position: i64, epoch: i32, diverging: i32, verdict: &mut Verdict) {
    verdict.hold(diverging < 0, Claim::C9, || {
        format!(
            "{shelf:?}: a reader at {position}, after epoch {epoch}, is said to diverge in epoch {diverging}"
        )
    });
}

/// A batch at `base` is known; `before` is the last one that starts below its end.
pub fn check_alone(
    shelf: Shelf,
    (batch, base): (BatchId, i64),
    before: Option<(BatchId, i64, u32)>,
    claim: Claim,
    verdict: &mut Verdict,
) {
    let Some((other, at, count)) = before else { return };
    verdict.hold(at + i64::from(count) <= base, claim, || {
        format!("{shelf:?}: batch {other} at {at} and batch {batch} at {base} hold the same offset")
    });
}

/// An end of a log was asked for; it has one.
pub fn check_end(topic: &str, partition: i32, timestamp: i64, verdict: &mut Verdict) {
    verdict.hold(timestamp >= 0, Claim::C9, || {
        format!("{topic}/{partition}: an end of the log was asked for, and is nowhere")
    });
}

/// A record was read that no producer of ours wrote.
pub fn nobodys(shelf: Shelf, offset: i64, verdict: &mut Verdict) {
    verdict.breach(Claim::C9, format!("{shelf:?} {offset}: bytes that nobody wrote"));
}

/// Reads a page record by record. Returns the position behind it, unless a claim broke.
pub fn read(mut page: Page<'_>, ledger: &mut Ledger, verdict: &mut Verdict) -> Option<i64> {
    let shelf = page.shelf;
    let mut decompressor = Decompressor::new();
    for batch in &mut Batches::new(page.bytes) {
        let batch = match batch {
            Ok(batch) => batch,
            Err(error) => {
                verdict.breach(Claim::C9, format!("{shelf:?}: a broken batch: {error}"));
                return None;
            }
        };
        let (base, last) = (batch.base_offset(), batch.last_offset());
        c07_acked_is_there::check_bytes(shelf, base, batch.check_crc().is_ok(), verdict);
        verdict.hold(base <= page.position && page.position <= last, Claim::C9, || {
            format!("{shelf:?}: after {} comes a batch of {base} to {last}", page.position)
        });
        verdict.hold(last < page.high_watermark, Claim::C9, || {
            format!("{shelf:?}: {last} was served above the high watermark {}", page.high_watermark)
        });
        let epoch = batch.leader_epoch();
        verdict.hold(page.asked_epoch.is_none_or(|asked| epoch <= asked), Claim::C9, || {
            format!(
                "{shelf:?}: who was asked as leader of {:?} served {base} of epoch {epoch}",
                page.asked_epoch
            )
        });
        let append_time = match batch.timestamp_type() {
            TimestampType::LogAppendTime => Some(batch.max_timestamp()),
            TimestampType::CreateTime => None,
        };
        let mut next = base;
        match batch.records(&mut decompressor, PLAIN_BYTES_MAX) {
            Ok(records) => {
                for record in records {
                    let Ok(record) = record else {
                        verdict.breach(Claim::C9, format!("{shelf:?} {next}: a broken record"));
                        return None;
                    };
                    let value = record.value.and_then(Value::decode);
                    // What bears its leader's word of the batch: its first record, or each that was handed over by itself.
                    if let Some(value) = value.filter(|value| value.index == 0) {
                        ledger.met(value.batch, epoch, append_time);
                    }
                    let seen = (record.offset, record.timestamp, value);
                    page.take(seen, &mut next, ledger, verdict);
                }
            }
            Err(error) => verdict.breach(Claim::C9, format!("{shelf:?} {base}: unreadable: {error}")),
        }
        verdict.hold(next == last + 1, Claim::C9, || {
            format!("{shelf:?}: a batch of {base} to {last} has records to {next} only")
        });
        page.position = last + 1;
    }
    (!verdict.is_broken()).then_some(page.position)
}

impl Page<'_> {
    /// The next record of a batch.
    fn take(
        &mut self,
        (offset, timestamp, value): (i64, i64, Option<Value>),
        next: &mut i64,
        ledger: &mut Ledger,
        verdict: &mut Verdict,
    ) {
        let shelf = self.shelf;
        verdict
            .hold(offset == *next, Claim::C9, || format!("{shelf:?}: {next} is missing, {offset} is there"));
        *next = offset + 1;
        if offset < self.position {
            return;
        }
        if let Some(floor) = self.not_older_than.take() {
            verdict.hold(timestamp >= floor, Claim::C9, || {
                format!("{shelf:?} {offset}: of {timestamp}, asked for {floor}")
            });
        }
        match value {
            Some(value) => {
                c07_acked_is_there::check_time(shelf, offset, timestamp, ledger.time_of(value), verdict);
                ledger.see(shelf, offset, value, verdict);
            }
            None => nobodys(shelf, offset, verdict),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rust_mq_proto::records::BatchBuilder;

    fn breach_at(position: i64, high_watermark: i64, is_known: bool, floor: Option<i64>) -> bool {
        let shelf = Shelf { topic: [1; 16], partition: 0 };
        let (mut ledger, mut verdict) = (Ledger::default(), Verdict::default());
        let batch = ledger.intend(shelf, 1, None);
        let value = Value { batch: if is_known { batch } else { 9 }, index: 0 }.encode(20);
        let mut builder = BatchBuilder::new();
        builder.push(1_000, None, Some(&value), &[]);
        let bytes = builder.build();
        ledger.built(batch, &bytes, vec![1_000]);
        let page =
            Page { shelf, position, high_watermark, bytes: &bytes, not_older_than: floor, asked_epoch: None };
        let behind = read(page, &mut ledger, &mut verdict);
        assert_eq!(behind.is_none(), verdict.is_broken());
        verdict.is_broken()
    }

    #[test]
    fn what_a_reader_must_not_see_is_a_breach() {
        assert!(!breach_at(0, 1, true, Some(1_000)));
        assert!(breach_at(1, 2, true, None), "the batch lies before the position");
        assert!(breach_at(0, 0, true, None), "it ends above the high watermark");
        assert!(breach_at(0, 1, false, None), "nobody wrote the value");
        assert!(breach_at(0, 1, true, Some(1_001)), "it is older than asked for");
    }
}
