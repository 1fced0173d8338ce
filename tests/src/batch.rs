//! Record batches (magic 2) written field by field, so that each can lie. What is not set is right.
//!
//! Source: Kafka's message format, "Record Batch"; CRC32C covers everything from the attributes on.

use bytes::{BufMut, Bytes, BytesMut};

/// A batch to be. Public fields are written as they are.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Producers send 0.
    pub base_offset: i64,
    /// Added to the right length.
    pub length_lie: i32,
    /// 2 is the only one that is alive.
    pub magic: i8,
    /// Added to the right checksum.
    pub checksum_lie: u32,
    /// Codec in bits 0-2, timestamp type 3, transactional 4, control 5.
    pub attributes: i16,
    /// Offset of the last record, relative to the base.
    pub last_offset_delta: i32,
    /// Milliseconds since 1970.
    pub first_timestamp: i64,
    /// The newest record's.
    pub max_timestamp: i64,
    /// -1 is none.
    pub producer_id: i64,
    /// -1 is none.
    pub producer_epoch: i16,
    /// -1 is none.
    pub base_sequence: i32,
    /// Records that the header claims.
    pub count: i32,
    /// What stands where the records do.
    pub records: Bytes,
}

impl Batch {
    /// A good batch of these values, from no idempotent producer.
    pub fn of(values: &[&[u8]]) -> Batch {
        let now =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("it is after 1970");
        let now = i64::try_from(now.as_millis()).expect("the year is below 292 million");
        let records: Vec<(i64, &[u8])> = values.iter().map(|value| (now, *value)).collect();
        Batch::stamped(&records)
    }

    /// A good batch of records with these timestamps.
    pub fn at(timestamps: &[i64]) -> Batch {
        let records: Vec<(i64, &[u8])> = timestamps.iter().map(|time| (*time, &b"x"[..])).collect();
        Batch::stamped(&records)
    }

    /// A good batch of records, each with its timestamp.
    fn stamped(from: &[(i64, &[u8])]) -> Batch {
        let count = i32::try_from(from.len()).expect("a test's batch is small");
        let first_timestamp = from.first().expect("a batch has a record").0;
        let mut records = BytesMut::new();
        for (delta, (timestamp, value)) in (0..).zip(from) {
            put_record(&mut records, timestamp - first_timestamp, delta, value);
        }
        Batch {
            base_offset: 0,
            length_lie: 0,
            magic: 2,
            checksum_lie: 0,
            attributes: 0,
            last_offset_delta: count - 1,
            first_timestamp,
            max_timestamp: from.iter().map(|(timestamp, _)| *timestamp).max().expect("a batch has a record"),
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            count,
            records: records.freeze(),
        }
    }

    /// The same batch, from this producer.
    pub fn from_producer(mut self, id: i64, epoch: i16, sequence: i32) -> Batch {
        (self.producer_id, self.producer_epoch, self.base_sequence) = (id, epoch, sequence);
        self
    }

    /// Its bytes.
    pub fn bytes(&self) -> Bytes {
        let mut covered = BytesMut::new();
        covered.put_i16(self.attributes);
        covered.put_i32(self.last_offset_delta);
        covered.put_i64(self.first_timestamp);
        covered.put_i64(self.max_timestamp);
        covered.put_i64(self.producer_id);
        covered.put_i16(self.producer_epoch);
        covered.put_i32(self.base_sequence);
        covered.put_i32(self.count);
        covered.put_slice(&self.records);
        let checksum = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, &covered);
        let checksum = u32::try_from(checksum).expect("CRC32C has 32 bits");
        let length = i32::try_from(covered.len() + 9).expect("a test's batch is small");
        let mut bytes = BytesMut::new();
        bytes.put_i64(self.base_offset);
        bytes.put_i32(length + self.length_lie);
        bytes.put_i32(-1); // leader epoch: the broker's to write
        bytes.put_i8(self.magic);
        bytes.put_u32(checksum.wrapping_add(self.checksum_lie));
        bytes.put_slice(&covered);
        bytes.freeze()
    }
}

/// One record without key and headers.
fn put_record(into: &mut BytesMut, timestamp_delta: i64, delta: i64, value: &[u8]) {
    let mut body = BytesMut::new();
    body.put_i8(0); // attributes
    put_varint(&mut body, timestamp_delta);
    put_varint(&mut body, delta);
    put_varint(&mut body, -1); // no key
    put_varint(&mut body, i64::try_from(value.len()).expect("a test's record is small"));
    body.put_slice(value);
    put_varint(&mut body, 0); // no headers
    put_varint(into, i64::try_from(body.len()).expect("a test's record is small"));
    into.put_slice(&body);
}

/// A zigzag varint, as records use it.
pub fn put_varint(into: &mut BytesMut, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while rest > 0x7f {
        into.put_u8(u8::try_from(rest & 0x7f).expect("seven bits fit") | 0x80);
        rest >>= 7;
    }
    into.put_u8(u8::try_from(rest).expect("seven bits fit"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::records::RecordBatchDecoder;

    #[test]
    fn a_good_batch_is_good_to_an_independent_decoder() {
        let mut bytes = Batch::of(&[b"one", b"two"]).bytes();
        let set = RecordBatchDecoder::decode(&mut bytes).expect("the batch is sound");
        let values: Vec<_> = set.records.into_iter().filter_map(|record| record.value).collect();
        assert_eq!(values, ["one", "two"]);
    }
}
