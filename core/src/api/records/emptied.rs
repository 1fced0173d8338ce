//! Batches without records, which compaction leaves where nothing stays, are not given to clients: kafkajs, kafka-go and
//! Sarama of before 2020 wait for ever for a record that is not in them. Only where nothing else is left up to the high
//! watermark is the last of them given, so that a reader's position comes to the end.
//!
//! Source: Kafka gives them (`MemoryRecords.filterTo` keeps one at the end only, and those of producers).

use crate::ids::Offset;
use bytes::Bytes;
use rust_mq_proto::records::Batches;

/// What is there for a client among batches that were read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// These.
    Batches(Vec<Bytes>),
    /// None, up to this offset.
    Nothing(Offset),
}

/// Of whole batches back to back those that have records; of a log whose records end at `watermark`.
pub(super) fn with_records(runs: Vec<Bytes>, watermark: Offset) -> Given {
    let mut given: Vec<Bytes> = Vec::new();
    let mut last: Option<(Offset, Bytes)> = None;
    for run in &runs {
        // Where the batches begin that are given, up to the next that is not.
        let (mut from, mut at) = (0, 0);
        for batch in Batches::new(run).map_while(Result::ok) {
            let until = at + batch.bytes().len();
            if batch.count() == 0 {
                given.extend((from < at).then(|| run.slice(from..at)));
                from = until;
                last = Some((Offset(batch.last_offset().saturating_add(1)), run.slice(at..until)));
            }
            at = until;
        }
        given.extend((from < at).then(|| run.slice(from..at)));
    }
    match last.filter(|_| given.is_empty()) {
        Some((next, _)) if next < watermark => Given::Nothing(next),
        Some((_, batch)) => Given::Batches(vec![batch]),
        None => Given::Batches(given),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rust_mq_proto::records::{BatchBuilder, HEADER_BYTES};

    fn batch(base: i64) -> Bytes {
        let mut builder = BatchBuilder::new();
        builder.push(0, Some(b"k"), Some(b"v"), &[]);
        builder.place(base, 1).build().freeze()
    }

    fn empty(from: i64, next: i64) -> Bytes {
        BatchBuilder::hollow((from, next), 1, HEADER_BYTES).expect("it fits").freeze()
    }

    fn run(batches: &[Bytes]) -> Bytes {
        Bytes::from(batches.concat())
    }

    #[test]
    fn batches_without_records_are_left_out_unless_nothing_else_is_there() {
        let end = Offset(100);
        let given = |runs: Vec<Bytes>, watermark| with_records(runs, watermark);
        let full = run(&[batch(0), batch(1)]);
        assert_eq!(given(vec![full.clone()], end), Given::Batches(vec![full.clone()]), "as they are");
        let mixed =
            run(&[empty(0, 5), batch(5), batch(6), empty(7, 8), empty(8, 9), batch(9), empty(10, 20)]);
        let left = vec![run(&[batch(5), batch(6)]), batch(9)];
        assert_eq!(given(vec![mixed, full.clone()], end), Given::Batches([left, vec![full]].concat()));
        let none = vec![run(&[empty(0, 5), empty(5, 9)]), empty(9, 90)];
        assert_eq!(given(none.clone(), end), Given::Nothing(Offset(90)));
        assert_eq!(given(none, Offset(90)), Given::Batches(vec![empty(9, 90)]), "a reader comes to the end");
        assert_eq!(given(Vec::new(), end), Given::Batches(Vec::new()));
    }
}
