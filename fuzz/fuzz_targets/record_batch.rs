//! A produced batch: any bytes, and the same bytes with length, magic and CRC put right, as the CRC hides
//! everything behind it from chance.
//!
//! Laws: a batch that is accepted can be read to its end, holds as many records as it says, has its newest
//! timestamp where it says, and still is all that after the broker has placed it.
//! What is decompressed is never more than the cap.

#![cfg_attr(fuzzing, no_main)]

use rust_mq_proto::records::{
    Batch, BatchMut, Batches, Decompressor, Limits, Marker, Summary, TimestampType, find_timestamp, validate,
};

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| run(bytes));

const LIMITS: Limits = Limits {
    batch_bytes_max: 1 << 20,
    decompressed_bytes_max: 1 << 20,
    is_zstd_known: true,
    is_base_offset_free: true,
};

/// Reads `bytes` in every way a batch is read.
pub fn run(bytes: &[u8]) {
    let mut decompressor = Decompressor::new();
    read(bytes, &mut decompressor);
    read(&mended(bytes), &mut decompressor);
}

fn read(bytes: &[u8], decompressor: &mut Decompressor) {
    for batch in Batches::new(bytes).flatten() {
        read_batch(&batch, decompressor);
    }
    if let Ok(summary) = validate(bytes, &LIMITS, decompressor) {
        check_accepted(bytes, &summary, decompressor);
    }
}

/// What recovery and a consumer do with a batch, whether it was ever accepted or not.
fn read_batch(batch: &Batch<'_>, decompressor: &mut Decompressor) {
    let _ = (batch.check_crc(), batch.last_offset(), format!("{batch:?}"));
    let _ = find_timestamp(batch, 0, 1, decompressor, LIMITS.decompressed_bytes_max);
    let Ok(records) = batch.records(decompressor, LIMITS.decompressed_bytes_max) else { return };
    for record in records.flatten() {
        let _ = (Marker::parse(&record), record.headers.count());
    }
}

fn check_accepted(bytes: &[u8], summary: &Summary, decompressor: &mut Decompressor) {
    let max = LIMITS.decompressed_bytes_max;
    assert!(summary.count > 0 && summary.min_timestamp <= summary.max_timestamp.max(-1), "{summary:?}");
    assert!(summary.plain_bytes <= max, "more was decompressed than the cap: {summary:?}");
    let mut copy = bytes.to_vec();
    let mut placed = BatchMut::parse(&mut copy).expect("what is accepted is a batch");
    placed.set_max_timestamp(TimestampType::CreateTime, summary.max_timestamp);
    placed.set_place(1_000, 7);
    let batch = Batch::parse(&copy).expect("what is placed is a batch");
    batch.check_crc().expect("what is placed has a right CRC");
    let records = batch.records(decompressor, max).expect("what is accepted can be decompressed");
    let offsets: Vec<i64> = records.map(|record| record.expect("and read to its end").offset).collect();
    let last = 1_000 + i64::from(summary.count);
    assert!(offsets.iter().copied().eq(1_000..last), "offsets of an accepted batch: {offsets:?}");
    let newest = find_timestamp(&batch, summary.max_timestamp, 0, decompressor, max);
    let (offset, timestamp) = newest.expect("it can be read").expect("the newest timestamp is some record's");
    assert!((1_000..last).contains(&offset) && timestamp == summary.max_timestamp, "{offset} {timestamp}");
}

/// `bytes` with length, magic and CRC of a batch.
fn mended(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if let Some(length) = bytes.len().checked_sub(12).filter(|length| *length >= 49) {
        let length = i32::try_from(length).expect("a fuzzer's inputs are small");
        bytes[8..12].copy_from_slice(&length.to_be_bytes());
        bytes[16] = 2;
        let batch = Batch::parse(&bytes).expect("length and magic are right");
        let (timestamp_type, max_timestamp) = (batch.timestamp_type(), batch.max_timestamp());
        let mut batch = BatchMut::parse(&mut bytes).expect("it was one just now");
        // Written as it was: what changes is the CRC.
        batch.set_max_timestamp(timestamp_type, max_timestamp);
    }
    bytes
}
