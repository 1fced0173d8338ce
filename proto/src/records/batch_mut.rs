//! The fields that the broker writes into a client's batch, in the request's own buffer.
//!
//! Base offset and leader epoch lie outside the CRC: appending costs two stores. The timestamp fields lie
//! inside, so writing them writes the CRC too; that is sound only for a batch whose CRC was found right
//! before, else damage would be sealed in.

use super::batch::{Batch, Producer, TimestampType, at, bit, checksum};
use super::error::BatchError;

/// One batch, to be written to.
#[derive(Debug)]
pub struct BatchMut<'a> {
    bytes: &'a mut [u8],
}

impl<'a> BatchMut<'a> {
    /// The batch that `bytes` are, exactly; refuses what [`Batch::parse`] refuses.
    pub fn parse(bytes: &'a mut [u8]) -> Result<BatchMut<'a>, BatchError> {
        Batch::parse(bytes)?;
        Ok(BatchMut { bytes })
    }

    /// Writes where in the log it stands and under which leader it got there.
    pub fn set_place(&mut self, base_offset: i64, leader_epoch: i32) {
        self.put(at::BASE_OFFSET, &base_offset.to_be_bytes());
        self.put(at::LEADER_EPOCH, &leader_epoch.to_be_bytes());
    }

    /// Writes whose clock the timestamps are and the newest of them, and the CRC that follows from it.
    ///
    /// With `LogAppendTime` this is the timestamp of every record. The CRC must have been right before.
    pub fn set_max_timestamp(&mut self, timestamp_type: TimestampType, max_timestamp: i64) {
        let [high, low] = [self.bytes[at::ATTRIBUTES], self.bytes[at::ATTRIBUTES + 1]];
        let others = i16::from_be_bytes([high, low]) & !bit::LOG_APPEND_TIME;
        let attributes = match timestamp_type {
            TimestampType::CreateTime => others,
            TimestampType::LogAppendTime => others | bit::LOG_APPEND_TIME,
        };
        self.put(at::ATTRIBUTES, &attributes.to_be_bytes());
        self.put(at::MAX_TIMESTAMP, &max_timestamp.to_be_bytes());
        let crc = checksum(self.bytes);
        self.put(at::CRC, &crc.to_be_bytes());
    }

    /// Writes who produced it, and the CRC that follows from it: a producer's own batch, which it sends under a new epoch.
    ///
    /// The CRC must have been right before.
    pub fn set_producer(&mut self, producer: Producer) {
        self.put(at::PRODUCER_ID, &producer.id.to_be_bytes());
        self.put(at::PRODUCER_EPOCH, &producer.epoch.to_be_bytes());
        self.put(at::BASE_SEQUENCE, &producer.base_sequence.to_be_bytes());
        let crc = checksum(self.bytes);
        self.put(at::CRC, &crc.to_be_bytes());
    }

    fn put(&mut self, at: usize, field: &[u8]) {
        self.bytes[at..at + field.len()].copy_from_slice(field);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::BatchBuilder;

    #[test]
    fn a_new_producer_is_sealed_in() {
        let producer = |epoch, base_sequence| Producer { id: 7, epoch, base_sequence };
        let made = |producer| {
            let mut batch = BatchBuilder::new().producer(producer);
            batch.push(1, None, Some(b"v"), &[]);
            batch.build()
        };
        let mut batch = made(producer(0, 41));
        BatchMut::parse(&mut batch).expect("a batch").set_producer(producer(1, 0));
        assert_eq!(batch, made(producer(1, 0)));
    }
}
