//! Records to append, and their offsets. Reading them is `fetch`.

use super::Misuse;
use super::by_topic::by_topic;
use super::error::{self, Asked};
use super::misuse::known;
use crate::grpc::offset_query::At;
use crate::grpc::partition_records::Data;
use crate::grpc::{
    Acks, Compression, DeleteRecordsRequest, DeleteRecordsResponse, Error, FoundOffset,
    InitProducerIdRequest, InitProducerIdResponse, Isolation, ListOffsetsRequest, ListOffsetsResponse,
    Position, ProduceRequest, ProduceResponse, ProducedPartition, Producer, Records, TrimmedPartition,
};
use crate::kafka::api::{delete_records, init_producer_id, list_offsets, produce};
use crate::records::{self, BatchBuilder, Codec};
use bytes::{Bytes, BytesMut};

/// The version of Produce that is spoken.
pub const PRODUCE: i16 = 12;
/// The version of ListOffsets that is spoken.
pub const LIST_OFFSETS: i16 = 10;
/// The version of InitProducerId that is spoken.
pub const INIT_PRODUCER_ID: i16 = 5;
/// The version of DeleteRecords that is spoken.
pub const DELETE_RECORDS: i16 = 2;

/// Kafka's times that are none.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;

/// Appends records, which may take `timeout_ms`. Those that say no time are of `now_ms`.
///
/// # Errors
/// It is nothing to append.
pub fn to_append(
    request: ProduceRequest,
    now_ms: i64,
    timeout_ms: i32,
) -> Result<produce::ProduceRequest, Misuse> {
    let acks = known(Acks::try_from(request.acks), "acks")?;
    let mut parts = Vec::with_capacity(request.partitions.len());
    for part in request.partitions {
        let records = match part.data {
            Some(Data::Batch(batch)) => batch.try_into_mut().unwrap_or_else(|batch: Bytes| batch[..].into()),
            Some(Data::Records(records)) => batch(&records, now_ms)?,
            None => return Err(Misuse::NoData),
        };
        parts.push((
            part.topic,
            produce::PartitionProduceData { index: part.partition, records: Some(records) },
        ));
    }
    if parts.is_empty() {
        return Err(Misuse::Empty("partition to append to"));
    }
    let topics = by_topic(parts).into_iter();
    Ok(produce::ProduceRequest {
        transactional_id: None,
        acks: match acks {
            Acks::All => -1,
            Acks::Leader => 1,
            Acks::None => 0,
        },
        timeout_ms,
        topic_data: topics
            .map(|(name, partition_data)| produce::TopicProduceData {
                name,
                partition_data,
                ..Default::default()
            })
            .collect(),
    })
}

/// Whether Kafka's protocol answers that; the call's answer is an empty one otherwise.
pub fn is_answered(asked: &produce::ProduceRequest) -> bool {
    asked.acks != 0
}

/// What became of records.
pub fn appended(answer: produce::ProduceResponse) -> ProduceResponse {
    let mut partitions = Vec::new();
    for topic in answer.responses {
        for part in topic.partition_responses {
            let why = part.record_errors.iter().find_map(|error| error.batch_index_error_message.clone());
            partitions.push(ProducedPartition {
                topic: topic.name.clone(),
                partition: part.index,
                base_offset: part.base_offset,
                log_append_time_ms: (part.log_append_time_ms >= 0).then_some(part.log_append_time_ms),
                log_start_offset: part.log_start_offset,
                error: error::error(Asked::Change, part.error_code, part.error_message.or(why)),
            });
        }
    }
    ProduceResponse { partitions }
}

/// Finds offsets, which may take `timeout_ms`.
///
/// # Errors
/// It asks for none, or for one that is none.
pub fn to_list(
    request: ListOffsetsRequest,
    timeout_ms: i32,
) -> Result<list_offsets::ListOffsetsRequest, Misuse> {
    let isolation = known(Isolation::try_from(request.isolation), "isolation")?;
    let mut queries = Vec::with_capacity(request.queries.len());
    for query in request.queries {
        let partition = list_offsets::ListOffsetsPartition {
            partition_index: query.partition,
            current_leader_epoch: -1,
            timestamp: timestamp(query.at)?,
        };
        queries.push((query.topic, partition));
    }
    if queries.is_empty() {
        return Err(Misuse::Empty("partition to look up"));
    }
    let topics = by_topic(queries).into_iter();
    Ok(list_offsets::ListOffsetsRequest {
        replica_id: -1,
        isolation_level: level(isolation),
        topics: topics
            .map(|(name, partitions)| list_offsets::ListOffsetsTopic { name, partitions })
            .collect(),
        timeout_ms,
    })
}

fn timestamp(at: Option<At>) -> Result<i64, Misuse> {
    match at {
        None => Ok(LATEST),
        Some(At::Position(position)) => match known(Position::try_from(position), "position")? {
            Position::Latest => Ok(LATEST),
            Position::Earliest => Ok(EARLIEST),
            Position::MaxTimestamp => Ok(MAX_TIMESTAMP),
        },
        Some(At::TimestampMs(at)) if at >= 0 => Ok(at),
        Some(At::TimestampMs(_)) => Err(Misuse::TimeBefore1970),
    }
}

/// Which offsets were found.
pub fn listed(answer: list_offsets::ListOffsetsResponse) -> ListOffsetsResponse {
    let mut offsets = Vec::new();
    for topic in answer.topics {
        offsets.extend(topic.partitions.into_iter().map(|part| FoundOffset {
            topic: topic.name.clone(),
            partition: part.partition_index,
            offset: part.offset,
            timestamp_ms: part.timestamp,
            leader_epoch: part.leader_epoch,
            error: error::error(Asked::Read, part.error_code, None),
        }));
    }
    ListOffsetsResponse { offsets }
}

/// Makes an idempotent producer.
pub fn to_identify(_: InitProducerIdRequest) -> init_producer_id::InitProducerIdRequest {
    init_producer_id::InitProducerIdRequest { transactional_id: None, ..Default::default() }
}

/// Who it is.
///
/// # Errors
/// It was refused.
pub fn identified(answer: init_producer_id::InitProducerIdResponse) -> Result<InitProducerIdResponse, Error> {
    error::if_any(Asked::Change, answer.error_code, None)?;
    Ok(InitProducerIdResponse {
        producer_id: answer.producer_id,
        producer_epoch: i32::from(answer.producer_epoch),
    })
}

/// Lets logs begin later, which may take `timeout_ms`.
///
/// # Errors
/// It names none.
pub fn to_trim(
    request: DeleteRecordsRequest,
    timeout_ms: i32,
) -> Result<delete_records::DeleteRecordsRequest, Misuse> {
    if request.partitions.is_empty() {
        return Err(Misuse::Empty("partition to trim"));
    }
    let partitions = request.partitions.into_iter().map(|part| {
        let trimmed = delete_records::DeleteRecordsPartition {
            partition_index: part.partition,
            offset: part.before_offset,
        };
        (part.topic, trimmed)
    });
    let topics = by_topic(partitions.collect()).into_iter();
    Ok(delete_records::DeleteRecordsRequest {
        topics: topics
            .map(|(name, partitions)| delete_records::DeleteRecordsTopic { name, partitions })
            .collect(),
        timeout_ms,
    })
}

/// Where they begin.
pub fn trimmed(answer: delete_records::DeleteRecordsResponse) -> DeleteRecordsResponse {
    let mut partitions = Vec::new();
    for topic in answer.topics {
        partitions.extend(topic.partitions.into_iter().map(|part| TrimmedPartition {
            topic: topic.name.clone(),
            partition: part.partition_index,
            log_start_offset: part.low_watermark,
            error: error::error(Asked::Change, part.error_code, None),
        }));
    }
    DeleteRecordsResponse { partitions }
}

/// Kafka's isolation level.
pub(super) fn level(isolation: Isolation) -> i8 {
    match isolation {
        Isolation::ReadUncommitted => 0,
        Isolation::ReadCommitted => 1,
    }
}

/// One batch of these records.
fn batch(said: &Records, now_ms: i64) -> Result<BytesMut, Misuse> {
    if said.records.is_empty() {
        return Err(Misuse::Empty("record to append"));
    }
    let codec = match known(Compression::try_from(said.compression), "compression")? {
        Compression::None => Codec::None,
        Compression::Gzip => Codec::Gzip,
        Compression::Snappy => Codec::Snappy,
        Compression::Lz4 => Codec::Lz4,
        Compression::Zstd => Codec::Zstd,
    };
    let mut batch = BatchBuilder::new().codec(codec);
    if let Some(Producer { producer_id, producer_epoch, base_sequence }) = said.producer {
        let epoch = i16::try_from(producer_epoch).map_err(|_| Misuse::TooLarge("a producer's epoch"))?;
        batch = batch.producer(records::Producer { id: producer_id, epoch, base_sequence });
    }
    for record in &said.records {
        let timestamp = match record.timestamp_ms {
            0 => now_ms,
            // Of one batch they must not be further apart than an i64.
            said if said > 0 => said,
            _ => return Err(Misuse::RecordBefore1970),
        };
        let headers: Vec<(&str, Option<&[u8]>)> =
            record.headers.iter().map(|header| (header.key.as_str(), header.value.as_deref())).collect();
        batch.push(timestamp, record.key.as_deref(), record.value.as_deref(), &headers);
    }
    Ok(batch.build())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grpc::{OffsetQuery, PartitionRecords, Record};
    use crate::records::{Batches, Decompressor};

    fn to_one(data: Option<Data>) -> ProduceRequest {
        let partitions = vec![PartitionRecords { topic: "t".into(), partition: 3, data }];
        ProduceRequest { partitions, ..Default::default() }
    }

    #[test]
    fn a_batch_goes_as_it_came_and_records_become_one() {
        let whole = Bytes::from(vec![7; 100]);
        let at = whole.as_ptr();
        let asked = to_append(to_one(Some(Data::Batch(whole))), 5, 9).expect("something to append");
        let part = &asked.topic_data[0].partition_data[0];
        let records = part.records.as_ref().expect("its batch");
        assert_eq!((part.index, records.as_ptr(), asked.acks, asked.timeout_ms), (3, at, -1, 9));

        let timed = Record { timestamp_ms: 4, value: Some("b".into()), ..Default::default() };
        let data = Records { records: vec![Record::default(), timed], ..Default::default() };
        let asked = to_append(to_one(Some(Data::Records(data))), 5, 9).expect("something to append");
        let made = asked.topic_data[0].partition_data[0].records.as_ref().expect("its batch");
        let batch = Batches::new(made).next().expect("one").expect("whole");
        let mut decompressor = Decompressor::default();
        let read = batch.records(&mut decompressor, 100).expect("not compressed");
        let times: Vec<i64> = read.map(|record| record.expect("whole").timestamp).collect();
        assert_eq!(times, [5, 4]);
    }

    #[test]
    fn what_is_nothing_to_append_is_told_so() {
        assert_eq!(to_append(to_one(None), 5, 9).err(), Some(Misuse::NoData));
        let none = to_append(ProduceRequest::default(), 5, 9).err();
        assert_eq!(none, Some(Misuse::Empty("partition to append to")));
        let none = to_append(to_one(Some(Data::Records(Records::default()))), 5, 9).err();
        assert_eq!(none, Some(Misuse::Empty("record to append")));
        let record = Record { timestamp_ms: -1, ..Default::default() };
        let old = Records { records: vec![record.clone()], ..Default::default() };
        assert_eq!(to_append(to_one(Some(Data::Records(old))), 5, 9).err(), Some(Misuse::RecordBefore1970));
        let producer = Producer { producer_epoch: 40_000, ..Default::default() };
        let of = Records { records: vec![record], producer: Some(producer), ..Default::default() };
        let late = to_append(to_one(Some(Data::Records(of))), 5, 9).err();
        assert_eq!(late, Some(Misuse::TooLarge("a producer's epoch")));
    }

    #[test]
    fn positions_are_kafkas_times_below_zero() {
        let at = |at| {
            let queries = vec![OffsetQuery { topic: "t".into(), partition: 0, at }];
            let asked = to_list(ListOffsetsRequest { queries, ..Default::default() }, 9)?;
            Ok::<_, Misuse>(asked.topics[0].partitions[0].timestamp)
        };
        assert_eq!(at(None), Ok(LATEST));
        assert_eq!(at(Some(At::Position(Position::Earliest as i32))), Ok(EARLIEST));
        assert_eq!(at(Some(At::TimestampMs(0))), Ok(0));
        assert_eq!(at(Some(At::TimestampMs(-2))), Err(Misuse::TimeBefore1970));
    }

    #[test]
    fn who_wants_no_acknowledgement_is_not_answered() {
        let mut request = to_one(Some(Data::Batch(Bytes::from_static(b"x"))));
        assert!(is_answered(&to_append(request.clone(), 5, 9).expect("all")));
        request.acks = Acks::None as i32;
        assert!(!is_answered(&to_append(request, 5, 9).expect("none")));
    }
}
