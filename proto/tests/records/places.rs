//! What the broker writes into a batch, how batches are cut, and where a time is found.

use crate::made::{check, read, sample};
use rust_mq_proto::records::{
    Batch, BatchBuilder, BatchError, BatchMut, Batches, Codec, Decompressor, Marker, MarkerKind, Producer,
    TimestampType, find_timestamp,
};

fn find(bytes: &[u8], target: i64, from: i64) -> Option<(i64, i64)> {
    let batch = Batch::parse(bytes).expect("ours");
    find_timestamp(&batch, target, from, &mut Decompressor::new(), 1 << 20).expect("readable")
}

#[test]
fn placing_a_batch_leaves_its_crc_right() {
    let mut bytes = sample(Codec::Lz4);
    BatchMut::parse(&mut bytes).expect("ours").set_place(42, 7);
    let batch = Batch::parse(&bytes).expect("still one");
    assert_eq!((batch.base_offset(), batch.last_offset(), batch.leader_epoch()), (42, 44, 7));
    assert_eq!(batch.check_crc(), Ok(()));
    let offsets: Vec<_> = read(&bytes).expect("readable").iter().map(|record| record.offset).collect();
    assert_eq!(offsets, [42, 43, 44]);
}

#[test]
fn log_append_time_is_every_records_time() {
    for codec in Codec::ALL {
        let mut bytes = sample(codec);
        let mut batch = BatchMut::parse(&mut bytes).expect("ours");
        batch.set_max_timestamp(TimestampType::LogAppendTime, 5_000);
        let batch = Batch::parse(&bytes).expect("still one");
        assert_eq!(batch.check_crc(), Ok(()));
        assert_eq!(batch.codec(), Ok(codec));
        assert_eq!(batch.timestamp_type(), TimestampType::LogAppendTime);
        assert!(read(&bytes).expect("readable").iter().all(|record| record.timestamp == 5_000));
    }
}

#[test]
fn a_mended_max_timestamp_is_true() {
    let mut bytes = sample(Codec::Gzip);
    BatchMut::parse(&mut bytes).expect("ours").set_max_timestamp(TimestampType::CreateTime, -1);
    let summary = check(&bytes).expect("legal");
    assert!(!summary.is_max_timestamp_true);
    let mut batch = BatchMut::parse(&mut bytes).expect("ours");
    batch.set_max_timestamp(TimestampType::CreateTime, summary.max_timestamp);
    assert_eq!(bytes, sample(Codec::Gzip));
}

#[test]
fn batches_are_cut_and_the_partial_one_is_left() {
    let (first, second) = (sample(Codec::None), sample(Codec::Zstd));
    let both = [&first[..], &second[..]].concat();
    for end in 0..=both.len() {
        let mut batches = Batches::new(&both[..end]);
        let whole: Vec<_> = batches.by_ref().map(|batch| batch.expect("ours").bytes()).collect();
        let expected = usize::from(end >= first.len()) + usize::from(end == both.len());
        assert_eq!(whole.len(), expected, "cut at {end}");
        assert_eq!(whole.concat(), both[..end - batches.rest().len()], "cut at {end}");
    }
}

#[test]
fn cutting_ends_at_what_is_no_batch() {
    let good = sample(Codec::None);
    let bytes = [&good[..], &[0; 100]].concat();
    let mut batches = Batches::new(&bytes);
    assert!(batches.next().expect("the first").is_ok());
    assert_eq!(batches.next().expect("the second"), Err(BatchError::Magic { magic: 0 }));
    assert_eq!(batches.next(), None);
    assert_eq!(batches.rest().len(), 100);
}

#[test]
fn a_time_is_found_at_the_first_record_that_is_not_older() {
    // Timestamps 1000, 1007, 1003.
    for codec in Codec::ALL {
        let mut bytes = sample(codec);
        BatchMut::parse(&mut bytes).expect("ours").set_place(10, 1);
        assert_eq!(find(&bytes, 0, 0), Some((10, 1_000)));
        assert_eq!(find(&bytes, 1_000, 0), Some((10, 1_000)));
        assert_eq!(find(&bytes, 1_001, 0), Some((11, 1_007)));
        assert_eq!(find(&bytes, 1_007, 0), Some((11, 1_007)));
        assert_eq!(find(&bytes, 1_008, 0), None);
        // The log starts within the batch.
        assert_eq!(find(&bytes, 0, 12), Some((12, 1_003)));
        assert_eq!(find(&bytes, 1_004, 12), None);
        assert_eq!(find(&bytes, 0, 13), None);
    }
}

#[test]
fn a_time_is_found_under_log_append_time() {
    let mut builder = BatchBuilder::new().place(10, 1).append_time(500);
    builder.push(9_000, None, None, &[]);
    builder.push(9_001, None, None, &[]);
    let bytes = builder.build();
    assert_eq!(find(&bytes, 500, 0), Some((10, 500)));
    assert_eq!(find(&bytes, 500, 11), Some((11, 500)));
    assert_eq!(find(&bytes, 501, 0), None);
}

#[test]
fn a_marker_says_how_the_transaction_ended() {
    for kind in [MarkerKind::Abort, MarkerKind::Commit] {
        let marker = Marker { kind, coordinator_epoch: 9 };
        let bytes = BatchBuilder::marker(77, 3, marker, 1_234);
        let batch = Batch::parse(&bytes).expect("ours");
        assert!(batch.is_control() && batch.is_transactional() && batch.check_crc().is_ok());
        assert_eq!(batch.producer(), Some(Producer { id: 77, epoch: 3, base_sequence: -1 }));
        let mut decompressor = Decompressor::new();
        let mut records = batch.records(&mut decompressor, 1 << 20).expect("readable");
        let record = records.next().expect("one record").expect("readable");
        assert_eq!(Marker::parse(&record), Some(marker));
        assert!(records.next().is_none());
    }
}

#[test]
fn sequences_start_again_after_the_last() {
    assert_eq!(Producer::sequence_after(0, 4), 4);
    assert_eq!(Producer::sequence_after(i32::MAX, 1), 0);
    assert_eq!(Producer::sequence_after(i32::MAX - 1, 4), 2);
}
