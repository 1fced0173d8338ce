//! Batches that must not get in, each with Kafka's code for it: one row, one way to be wrong.

use crate::made::{LIMITS, check, reseal, sample, with_payload};
use rust_mq_proto::records::{
    BatchBuilder, BatchError, Codec, Decompressor, Limits, Marker, MarkerKind, Producer, RecordFault,
    validate,
};

const CORRUPT_MESSAGE: i16 = 2;
const MESSAGE_TOO_LARGE: i16 = 10;
const UNSUPPORTED_COMPRESSION_TYPE: i16 = 76;
const INVALID_RECORD: i16 = 87;

/// The sample batch, bent by `bend`, its length and CRC put right again.
fn bent(bend: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
    let mut batch = sample(Codec::None);
    bend(&mut batch);
    reseal(&mut batch);
    batch
}

/// The sample batch with bytes overwritten at `at`.
fn with(at: usize, field: &[u8]) -> Vec<u8> {
    bent(|batch| batch[at..at + field.len()].copy_from_slice(field))
}

/// A batch with this one record.
fn with_record(record: &[u8]) -> Vec<u8> {
    with_payload(Codec::None, 1, record)
}

fn fault(index: i32, fault: RecordFault) -> Option<BatchError> {
    Some(BatchError::Record { index, fault })
}

fn assert_refused(rows: &[(&str, i16, Vec<u8>, Option<BatchError>)]) {
    for (name, code, bytes, expected) in rows {
        let error = check(bytes).err().unwrap_or_else(|| panic!("{name}: accepted"));
        assert_eq!(error.code(), *code, "{name}: {error}");
        if let Some(expected) = expected {
            assert_eq!(error, *expected, "{name}");
        }
    }
}

#[test]
fn structure() {
    let good = sample(Codec::None);
    let twice = [&good[..], &good[..]].concat();
    let tail = [&good[..], b"tail"].concat();
    let mut magic_1 = with(16, &[1]);
    magic_1.truncate(34);
    let length = |length: i32| {
        let mut batch = sample(Codec::None);
        batch[8..12].copy_from_slice(&length.to_be_bytes());
        batch
    };
    let mut wrong_crc = sample(Codec::None);
    wrong_crc[20] ^= 1;
    let last = good.len() - 1;
    assert_refused(&[
        ("no bytes", INVALID_RECORD, vec![], Some(BatchError::NoBatch)),
        ("two batches", INVALID_RECORD, twice, Some(BatchError::SecondBatch)),
        ("magic 0", INVALID_RECORD, with(16, &[0]), Some(BatchError::Magic { magic: 0 })),
        ("magic 1, short", INVALID_RECORD, magic_1, Some(BatchError::Magic { magic: 1 })),
        ("magic 3", INVALID_RECORD, with(16, &[3]), None),
        ("magic -1", INVALID_RECORD, with(16, &[255]), None),
        ("1 byte", CORRUPT_MESSAGE, vec![0], Some(BatchError::Cut { bytes: 1 })),
        ("60 bytes", CORRUPT_MESSAGE, good[..60].to_vec(), Some(BatchError::Cut { bytes: 60 })),
        ("one byte less", CORRUPT_MESSAGE, good[..last].to_vec(), Some(BatchError::Cut { bytes: last })),
        ("bytes behind it", CORRUPT_MESSAGE, tail, Some(BatchError::Trailing { bytes: 4 })),
        ("length 48", CORRUPT_MESSAGE, length(48), Some(BatchError::Length { length: 48 })),
        ("length 0", CORRUPT_MESSAGE, length(0), None),
        ("length -1", CORRUPT_MESSAGE, length(-1), None),
        ("length -2^31", CORRUPT_MESSAGE, length(i32::MIN), None),
        ("length 2^31-1", CORRUPT_MESSAGE, length(i32::MAX), None),
        ("CRC", CORRUPT_MESSAGE, wrong_crc, None),
    ]);
}

#[test]
fn header_fields() {
    let count = |count: i32| with(57, &count.to_be_bytes());
    let delta = |delta: i32| with(23, &delta.to_be_bytes());
    let both = |count: i32| {
        bent(|batch| {
            batch[57..61].copy_from_slice(&count.to_be_bytes());
            batch[23..27].copy_from_slice(&count.wrapping_sub(1).to_be_bytes());
        })
    };
    let codec = |codec: u8| with(21, &[0, codec]);
    let idempotent = |epoch: i16, base_sequence: i32| {
        let mut builder = BatchBuilder::new().producer(Producer { id: 7, epoch, base_sequence });
        builder.push(0, None, None, &[]);
        builder.build().to_vec()
    };
    let marker = Marker { kind: MarkerKind::Commit, coordinator_epoch: 1 };
    let marker = BatchBuilder::marker(7, 0, marker, 0).to_vec();
    assert_refused(&[
        ("base offset 1", INVALID_RECORD, with(0, &1i64.to_be_bytes()), None),
        ("base offset -1", INVALID_RECORD, with(0, &(-1i64).to_be_bytes()), None),
        ("count 0", INVALID_RECORD, both(0), Some(BatchError::Count { count: 0 })),
        ("count -1", INVALID_RECORD, both(-1), Some(BatchError::Count { count: -1 })),
        ("count -2^31", INVALID_RECORD, both(i32::MIN), None),
        ("count above the deltas", INVALID_RECORD, count(4), None),
        ("count below the deltas", INVALID_RECORD, count(2), None),
        ("last offset delta -1", INVALID_RECORD, delta(-1), None),
        ("last offset delta 2^31-1", INVALID_RECORD, delta(i32::MAX), None),
        ("more records counted than there are", INVALID_RECORD, both(4), fault(3, RecordFault::Length)),
        ("2^31-1 records counted", INVALID_RECORD, both(i32::MAX), fault(3, RecordFault::Length)),
        (
            "fewer records counted than there are",
            INVALID_RECORD,
            both(2),
            Some(BatchError::Unread { bytes: 11 }),
        ),
        ("control bit", INVALID_RECORD, codec(1 << 5), Some(BatchError::Control)),
        ("a broker's marker", INVALID_RECORD, marker, Some(BatchError::Control)),
        ("delete horizon", INVALID_RECORD, codec(1 << 6), Some(BatchError::DeleteHorizon)),
        ("transactional without producer", INVALID_RECORD, codec(1 << 4), Some(BatchError::NoProducer)),
        ("producer id without sequence", INVALID_RECORD, idempotent(0, -1), None),
        ("producer id without epoch", INVALID_RECORD, idempotent(-1, 0), None),
        ("codec 5", UNSUPPORTED_COMPRESSION_TYPE, codec(5), Some(BatchError::UnknownCodec { number: 5 })),
        ("codec 6", UNSUPPORTED_COMPRESSION_TYPE, codec(6), None),
        ("codec 7", UNSUPPORTED_COMPRESSION_TYPE, codec(7), None),
    ]);
}

#[test]
fn records() {
    // length, attributes, timestamp delta, offset delta, key, value, headers; all small numbers doubled.
    let good = [12, 0, 0, 0, 1, 1, 0];
    assert_eq!(check(&with_record(&good)).map(|summary| summary.count), Ok(1));
    let two = |second: [u8; 7]| with_payload(Codec::None, 2, &[&good[..], &second[..]].concat());
    let overlong = [0x80; 11];
    let row = |name, bytes: &[u8], wrong| (name, INVALID_RECORD, with_record(bytes), fault(0, wrong));
    assert_refused(&[
        row("no record", &[], RecordFault::Length),
        row("length -1", &[1, 0, 0, 0, 1, 1, 0], RecordFault::Length),
        row("length beyond the batch", &[14, 0, 0, 0, 1, 1, 0], RecordFault::Length),
        row("length of six bytes", &overlong, RecordFault::Length),
        row("length of more than 32 bits", &[0xff, 0xff, 0xff, 0xff, 0x10, 0], RecordFault::Length),
        row("length 0", &[0], RecordFault::Delta),
        row("length without deltas", &[2, 0], RecordFault::Delta),
        row("timestamp delta of eleven bytes", &[&[24, 0][..], &overlong[..]].concat(), RecordFault::Delta),
        row("key length -2", &[12, 0, 0, 0, 3, 1, 0], RecordFault::Key),
        row("key beyond the record", &[12, 0, 0, 0, 6, 1, 0], RecordFault::Key),
        row("value length -2", &[12, 0, 0, 0, 1, 3, 0], RecordFault::Value),
        row("value beyond the record", &[12, 0, 0, 0, 1, 4, 0], RecordFault::Value),
        row("no header count", &[10, 0, 0, 0, 1, 1], RecordFault::HeaderCount),
        row("header count -1", &[12, 0, 0, 0, 1, 1, 1], RecordFault::HeaderCount),
        row("header count beyond the record", &[12, 0, 0, 0, 1, 1, 2], RecordFault::HeaderCount),
        row("2^31-1 headers", &[20, 0, 0, 0, 1, 1, 0xfe, 0xff, 0xff, 0xff, 0x0f], RecordFault::HeaderCount),
        row("null header key", &[16, 0, 0, 0, 1, 1, 2, 1, 1], RecordFault::HeaderKey),
        row("header key beyond the record", &[16, 0, 0, 0, 1, 1, 2, 8, 1], RecordFault::HeaderKey),
        row("header value length -2", &[16, 0, 0, 0, 1, 1, 2, 0, 3], RecordFault::HeaderValue),
        row("header value beyond the record", &[16, 0, 0, 0, 1, 1, 2, 0, 2], RecordFault::HeaderValue),
        row("bytes behind the headers", &[14, 0, 0, 0, 1, 1, 0, 0], RecordFault::Unread),
        row("offset delta 1 first", &[12, 0, 0, 2, 1, 1, 0], RecordFault::OffsetDelta),
        ("offset delta twice", INVALID_RECORD, two(good), fault(1, RecordFault::OffsetDelta)),
        (
            "offset delta skipped",
            INVALID_RECORD,
            two([12, 0, 0, 4, 1, 1, 0]),
            fault(1, RecordFault::OffsetDelta),
        ),
        ("bytes behind the last", INVALID_RECORD, with_record(&[12, 0, 0, 0, 1, 1, 0, 0]), None),
    ]);
}

#[test]
fn timestamp_beyond_64_bits() {
    let mut batch = with_record(&[12, 0, 2, 0, 1, 1, 0]);
    batch[27..35].copy_from_slice(&i64::MAX.to_be_bytes());
    reseal(&mut batch);
    assert_eq!(check(&batch).err(), fault(0, RecordFault::Timestamp));
}

#[test]
fn larger_than_the_topic_allows_is_said_before_anything_inside() {
    let mut batch = sample(Codec::Zstd);
    let last = batch.len() - 1;
    batch[last] ^= 1;
    let limits = Limits { batch_bytes_max: last, ..LIMITS };
    let error = validate(&batch, &limits, &mut Decompressor::new()).expect_err("too large");
    assert_eq!(
        (error.code(), error),
        (MESSAGE_TOO_LARGE, BatchError::TooLarge { bytes: last + 1, max: last })
    );
}

#[test]
fn zstd_before_produce_7() {
    let limits = Limits { is_zstd_known: false, ..LIMITS };
    let error = validate(&sample(Codec::Zstd), &limits, &mut Decompressor::new()).expect_err("too early");
    assert_eq!((error.code(), error), (UNSUPPORTED_COMPRESSION_TYPE, BatchError::ZstdTooEarly));
    assert!(validate(&sample(Codec::Lz4), &limits, &mut Decompressor::new()).is_ok());
}

#[test]
fn base_offset_may_be_free() {
    let limits = Limits { is_base_offset_free: true, ..LIMITS };
    assert!(validate(&with(0, &9i64.to_be_bytes()), &limits, &mut Decompressor::new()).is_ok());
}

#[test]
fn duplicate_headers_are_legal_and_a_record_may_use_any_attribute() {
    let record = [24, 9, 0, 0, 1, 1, 4, 2, b'h', 1, 2, b'h', 1];
    assert!(check(&with_record(&record)).is_ok());
}

#[test]
fn a_lie_about_the_max_timestamp_is_told_to_the_caller() {
    let summary = check(&with(35, &(-1i64).to_be_bytes())).expect("Sarama before 1.45.1 sends this");
    assert_eq!((summary.max_timestamp, summary.is_max_timestamp_true), (1_007, false));
}
