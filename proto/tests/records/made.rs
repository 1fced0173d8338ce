//! Batches for the tests beside this file, and the ways to bend them.

use proptest::prelude::*;
use rust_mq_proto::records::{
    Batch, BatchBuilder, BatchError, Codec, Decompressor, Limits, Producer, Summary, validate,
};

/// Generous: only what a test is about shall refuse.
pub const LIMITS: Limits = Limits {
    batch_bytes_max: 1 << 20,
    decompressed_bytes_max: 1 << 22,
    is_zstd_known: true,
    is_base_offset_free: false,
};

/// A record that owns its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    pub offset: i64,
    pub timestamp: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

/// What a batch is made of.
#[derive(Clone, Debug)]
pub struct Recipe {
    pub codec: Codec,
    pub producer: Option<Producer>,
    pub is_transactional: bool,
    pub records: Vec<Made>,
}

impl Recipe {
    pub fn build(&self) -> Vec<u8> {
        let mut builder = BatchBuilder::new().codec(self.codec);
        if let Some(producer) = self.producer {
            builder = builder.producer(producer);
        }
        if self.is_transactional {
            builder = builder.transactional();
        }
        for record in &self.records {
            let headers: Vec<_> =
                record.headers.iter().map(|(key, value)| (&key[..], value.as_deref())).collect();
            builder.push(record.timestamp, record.key.as_deref(), record.value.as_deref(), &headers);
        }
        builder.build().to_vec()
    }
}

/// Three records: with key and headers, without key, a tombstone.
pub fn sample(codec: Codec) -> Vec<u8> {
    let mut builder = BatchBuilder::new().codec(codec);
    builder.push(1_000, Some(b"key"), Some(b"value"), &[("h", Some(b"1")), ("h", None)]);
    builder.push(1_007, None, Some(&[b'x'; 100]), &[]);
    builder.push(1_003, Some(b"gone"), None, &[]);
    builder.build().to_vec()
}

pub fn check(bytes: &[u8]) -> Result<Summary, BatchError> {
    validate(bytes, &LIMITS, &mut Decompressor::new())
}

/// Puts length and CRC right again after a test bent something else.
pub fn reseal(batch: &mut [u8]) {
    let length = i32::try_from(batch.len() - 12).expect("test batches are small");
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    let crc = crc_fast::crc32_iscsi(&batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
}

/// A batch of `count` records whose payload is `payload`, as it stands there.
pub fn with_payload(codec: Codec, count: i32, payload: &[u8]) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    builder.push(0, None, None, &[]);
    let mut batch = builder.build().to_vec();
    batch.truncate(61);
    batch.extend_from_slice(payload);
    batch[22] = codec.number();
    batch[23..27].copy_from_slice(&(count - 1).to_be_bytes());
    batch[57..61].copy_from_slice(&count.to_be_bytes());
    reseal(&mut batch);
    batch
}

/// The records of a batch, read with the iterator.
pub fn read(bytes: &[u8]) -> Result<Vec<Made>, BatchError> {
    let mut decompressor = Decompressor::new();
    let records = Batch::parse(bytes)?.records(&mut decompressor, LIMITS.decompressed_bytes_max)?;
    let owned = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
    records
        .map(|record| {
            let record = record?;
            let headers = record
                .headers
                .map(|header| (String::from_utf8_lossy(header.key).into_owned(), owned(header.value)));
            Ok(Made {
                offset: record.offset,
                timestamp: record.timestamp,
                key: owned(record.key),
                value: owned(record.value),
                headers: headers.collect(),
            })
        })
        .collect()
}

/// Any batch a producer may send.
pub fn any_recipe() -> impl Strategy<Value = Recipe> {
    let producer = (0..i64::MAX, 0..i16::MAX, 0..i32::MAX);
    let producer = producer.prop_map(|(id, epoch, base_sequence)| Producer { id, epoch, base_sequence });
    let codec = proptest::sample::select(&Codec::ALL[..]);
    let records = prop::collection::vec(any_record(), 1..20);
    (codec, prop::option::of(producer), any::<bool>(), records).prop_map(
        |(codec, producer, is_transactional, mut records)| {
            for (offset, record) in records.iter_mut().enumerate() {
                record.offset = offset as i64;
            }
            Recipe { codec, producer, is_transactional: is_transactional && producer.is_some(), records }
        },
    )
}

fn any_record() -> impl Strategy<Value = Made> {
    let bytes = || prop::option::of(prop::collection::vec(any::<u8>(), 0..300));
    let time = prop_oneof![-1..5_000_000_000_000i64, (i64::MIN / 4)..(i64::MAX / 4)];
    let headers = prop::collection::vec(("[a-c]{0,3}|\\PC{0,5}", bytes()), 0..4);
    (time, bytes(), bytes(), headers).prop_map(|(timestamp, key, value, headers)| Made {
        offset: 0,
        timestamp,
        key,
        value,
        headers,
    })
}
