//! Makes batches: for our own clients, for the simulator's and for control batches. The broker's data path
//! never does.
//!
//! The same calls give the same bytes. Invariant: what `build` returns passes [`super::validate`], unless it
//! is a control batch or its base offset was set.

use super::NO_TIMESTAMP;
use super::batch::{HEADER_BYTES, MAGIC, Producer, UNCOUNTED_BYTES, at, bit, checksum};
use super::codec::Codec;
use super::cursor::{put_varint, put_varlong};
use super::marker::Marker;
use bytes::BytesMut;

/// A batch in the making: first its properties, then its records in order.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    base_offset: i64,
    leader_epoch: i32,
    codec: Codec,
    bits: i16,
    producer: Option<Producer>,
    append_time: Option<i64>,
    base_timestamp: i64,
    max_timestamp: i64,
    count: i32,
    records: Vec<u8>,
    body: Vec<u8>,
}

impl BatchBuilder {
    /// A plain batch as a producer sends it: base offset 0, no leader epoch, no producer id.
    pub fn new() -> BatchBuilder {
        BatchBuilder {
            base_offset: 0,
            leader_epoch: -1,
            codec: Codec::None,
            bits: 0,
            producer: None,
            append_time: None,
            base_timestamp: NO_TIMESTAMP,
            max_timestamp: NO_TIMESTAMP,
            count: 0,
            records: Vec::new(),
            body: Vec::new(),
        }
    }

    /// The control batch that ends a transaction of this producer.
    pub fn marker(producer_id: i64, producer_epoch: i16, marker: Marker, timestamp: i64) -> BytesMut {
        let producer = Producer { id: producer_id, epoch: producer_epoch, base_sequence: -1 };
        let mut builder = BatchBuilder::new().producer(producer).transactional();
        builder.bits |= bit::CONTROL;
        builder.push(timestamp, Some(&marker.key()), Some(&marker.value()), &[]);
        builder.build()
    }

    /// A batch of so many bytes that holds the offsets from `from` up to `next` and no record, as compaction leaves one
    /// behind: in the place of batches that are deleted and cannot be read, so that what follows them can be. None if
    /// they are too few for a batch.
    pub fn hollow((from, next): (i64, i64), leader_epoch: i32, bytes: usize) -> Option<BytesMut> {
        let counted = i32::try_from(bytes.checked_sub(UNCOUNTED_BYTES)?).ok()?;
        let delta = next.checked_sub(from)?.checked_sub(1).and_then(|delta| i32::try_from(delta).ok())?;
        if bytes < HEADER_BYTES || delta < 0 {
            return None;
        }
        let builder = BatchBuilder::new().place(from, leader_epoch);
        let mut batch = BytesMut::zeroed(bytes);
        batch[..HEADER_BYTES].copy_from_slice(&builder.header(counted));
        batch[at::LAST_OFFSET_DELTA..at::LAST_OFFSET_DELTA + 4].copy_from_slice(&delta.to_be_bytes());
        let crc = checksum(&batch);
        batch[at::CRC..at::CRC + 4].copy_from_slice(&crc.to_be_bytes());
        Some(batch)
    }

    /// Compresses the records.
    pub fn codec(self, codec: Codec) -> BatchBuilder {
        BatchBuilder { codec, ..self }
    }

    /// Makes it an idempotent producer's.
    pub fn producer(self, producer: Producer) -> BatchBuilder {
        BatchBuilder { producer: Some(producer), ..self }
    }

    /// Makes it part of a transaction.
    pub fn transactional(self) -> BatchBuilder {
        BatchBuilder { bits: self.bits | bit::TRANSACTIONAL, ..self }
    }

    /// Places it, as a leader would.
    pub fn place(self, base_offset: i64, leader_epoch: i32) -> BatchBuilder {
        BatchBuilder { base_offset, leader_epoch, ..self }
    }

    /// Gives all records the log's time, as a leader would.
    pub fn append_time(self, timestamp: i64) -> BatchBuilder {
        BatchBuilder { append_time: Some(timestamp), bits: self.bits | bit::LOG_APPEND_TIME, ..self }
    }

    /// Appends a record. Timestamps of one batch must lie within an i64 of the first.
    pub fn push(
        &mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(&str, Option<&[u8]>)],
    ) {
        if self.count == 0 {
            self.base_timestamp = timestamp;
            self.max_timestamp = timestamp;
        }
        self.max_timestamp = self.max_timestamp.max(timestamp);
        let delta = timestamp.checked_sub(self.base_timestamp);
        self.body.clear();
        self.body.push(0);
        put_varlong(&mut self.body, delta.expect("timestamps of one batch lie within an i64 of the first"));
        put_varint(&mut self.body, self.count);
        put_nullable(&mut self.body, key);
        put_nullable(&mut self.body, value);
        put_varint(&mut self.body, length(headers.len()));
        for (key, value) in headers {
            put_nullable(&mut self.body, Some(key.as_bytes()));
            put_nullable(&mut self.body, *value);
        }
        put_varint(&mut self.records, length(self.body.len()));
        self.records.extend_from_slice(&self.body);
        self.count += 1;
    }

    /// Bytes of the records so far, without compression.
    pub fn plain_bytes(&self) -> usize {
        self.records.len()
    }

    /// The batch; it needs a record.
    pub fn build(self) -> BytesMut {
        assert!(self.count > 0, "a batch has at least one record");
        let payload = self.codec.compress(&self.records);
        let whole = HEADER_BYTES + payload.len();
        let mut batch = BytesMut::with_capacity(whole);
        batch.extend_from_slice(&self.header(length(whole - UNCOUNTED_BYTES)));
        batch.extend_from_slice(&payload);
        let crc = checksum(&batch);
        batch[at::CRC..at::CRC + 4].copy_from_slice(&crc.to_be_bytes());
        batch
    }

    fn header(&self, batch_length: i32) -> [u8; HEADER_BYTES] {
        let producer = self.producer.unwrap_or(Producer { id: -1, epoch: -1, base_sequence: -1 });
        let attributes = i16::from(self.codec.number()) | self.bits;
        let max_timestamp = self.append_time.unwrap_or(self.max_timestamp);
        let mut header = [0; HEADER_BYTES];
        let mut put = |at: usize, field: &[u8]| header[at..at + field.len()].copy_from_slice(field);
        put(at::BASE_OFFSET, &self.base_offset.to_be_bytes());
        put(at::LENGTH, &batch_length.to_be_bytes());
        put(at::LEADER_EPOCH, &self.leader_epoch.to_be_bytes());
        put(at::MAGIC, &[MAGIC]);
        put(at::ATTRIBUTES, &attributes.to_be_bytes());
        put(at::LAST_OFFSET_DELTA, &(self.count - 1).to_be_bytes());
        put(at::BASE_TIMESTAMP, &self.base_timestamp.to_be_bytes());
        put(at::MAX_TIMESTAMP, &max_timestamp.to_be_bytes());
        put(at::PRODUCER_ID, &producer.id.to_be_bytes());
        put(at::PRODUCER_EPOCH, &producer.epoch.to_be_bytes());
        put(at::BASE_SEQUENCE, &producer.base_sequence.to_be_bytes());
        put(at::COUNT, &self.count.to_be_bytes());
        header
    }
}

impl Default for BatchBuilder {
    fn default() -> BatchBuilder {
        BatchBuilder::new()
    }
}

fn put_nullable(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        None => put_varint(out, -1),
        Some(bytes) => {
            put_varint(out, length(bytes.len()));
            out.extend_from_slice(bytes);
        }
    }
}

fn length(bytes: usize) -> i32 {
    i32::try_from(bytes).expect("a batch is shorter than 2 GiB")
}
