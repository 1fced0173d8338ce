//! Records to append, and their offsets, in gRPC's words and in Kafka's. Reading them is `fetch`.

use super::by_topic::by_topic;
use super::call::Call;
use super::refusal::{self, Asked};
use super::topics::wait;
use crate::clock::wall_ms;
use crate::limits::GRPC_DECISION_WAIT;
use bytes::{Bytes, BytesMut};
use rust_mq_proto::grpc::offset_query::At;
use rust_mq_proto::grpc::partition_records::Data;
use rust_mq_proto::grpc::{
    Acks, Compression, DeleteRecordsRequest, DeleteRecordsResponse, Error, FoundOffset,
    InitProducerIdRequest, InitProducerIdResponse, Isolation, ListOffsetsRequest, ListOffsetsResponse,
    Position, ProduceRequest, ProduceResponse, ProducedPartition, Producer, Records, TrimmedPartition,
};
use rust_mq_proto::kafka::ErrorCode;
use rust_mq_proto::kafka::api::{delete_records, init_producer_id, list_offsets, produce};
use rust_mq_proto::records::{self, BatchBuilder, Codec};
use std::sync::Arc;
use std::time::Duration;
use tonic::Status;

pub(super) const PRODUCE: i16 = 12;
const LIST_OFFSETS: i16 = 10;
const INIT_PRODUCER_ID: i16 = 5;
const DELETE_RECORDS: i16 = 2;

/// Appends records.
pub(super) async fn produce(call: Arc<Call>, request: ProduceRequest) -> Result<ProduceResponse, Status> {
    let acks = known(Acks::try_from(request.acks), "acks")?;
    let asked = to_append(&call, acks, request)?;
    if acks == Acks::None {
        call.tell(PRODUCE, &asked).await?;
        return Ok(ProduceResponse::default());
    }
    let answer = appended(&call, call.ask(PRODUCE, &asked).await?).await;
    refusal::if_alone(answer.partitions.iter().map(|part| part.error.as_ref()))?;
    Ok(answer)
}

/// The same in Kafka's words.
pub(super) fn to_append(
    call: &Call,
    acks: Acks,
    request: ProduceRequest,
) -> Result<produce::ProduceRequest, Status> {
    let mut parts = Vec::with_capacity(request.partitions.len());
    for part in request.partitions {
        let records = match part.data {
            Some(Data::Batch(batch)) => batch.try_into_mut().unwrap_or_else(|batch: Bytes| batch[..].into()),
            Some(Data::Records(records)) => batch(&records)?,
            None => return Err(Status::invalid_argument("neither `records` nor a `batch` to append")),
        };
        parts.push((
            part.topic,
            produce::PartitionProduceData { index: part.partition, records: Some(records) },
        ));
    }
    if parts.is_empty() {
        return Err(Status::invalid_argument("no partition to append to"));
    }
    let said = u64::try_from(request.timeout_ms).ok().filter(|said| *said > 0);
    let topics = by_topic(parts).into_iter();
    Ok(produce::ProduceRequest {
        transactional_id: None,
        acks: match acks {
            Acks::All => -1,
            Acks::Leader => 1,
            Acks::None => 0,
        },
        timeout_ms: call.wait_ms(said.map_or(GRPC_DECISION_WAIT, Duration::from_millis)),
        topic_data: topics
            .map(|(name, partition_data)| produce::TopicProduceData {
                name,
                partition_data,
                ..Default::default()
            })
            .collect(),
    })
}

/// What became of it.
pub(super) async fn appended(call: &Call, answer: produce::ProduceResponse) -> ProduceResponse {
    let mut partitions = Vec::new();
    for topic in answer.responses {
        for part in topic.partition_responses {
            let why = part.record_errors.iter().find_map(|error| error.batch_index_error_message.clone());
            let message = part.error_message.or(why);
            let mut error = refusal::error(Asked::Change, part.error_code, message);
            send_to_leader(call, &topic.name, part.index, &mut error).await;
            partitions.push(ProducedPartition {
                topic: topic.name.clone(),
                partition: part.index,
                base_offset: part.base_offset,
                log_append_time_ms: (part.log_append_time_ms >= 0).then_some(part.log_append_time_ms),
                log_start_offset: part.log_start_offset,
                error,
            });
        }
    }
    ProduceResponse { partitions }
}

/// Finds offsets.
pub(super) async fn list_offsets(
    call: Arc<Call>,
    request: ListOffsetsRequest,
) -> Result<ListOffsetsResponse, Status> {
    let isolation = known(Isolation::try_from(request.isolation), "isolation")?;
    let mut queries = Vec::with_capacity(request.queries.len());
    for query in request.queries {
        let timestamp = match query.at {
            None => LATEST,
            Some(At::Position(position)) => match known(Position::try_from(position), "position")? {
                Position::Latest => LATEST,
                Position::Earliest => EARLIEST,
                Position::MaxTimestamp => MAX_TIMESTAMP,
            },
            Some(At::TimestampMs(at)) if at >= 0 => at,
            Some(At::TimestampMs(_)) => {
                return Err(Status::invalid_argument("a time before 1970: use a position"));
            }
        };
        let partition = list_offsets::ListOffsetsPartition {
            partition_index: query.partition,
            current_leader_epoch: -1,
            timestamp,
        };
        queries.push((query.topic, partition));
    }
    if queries.is_empty() {
        return Err(Status::invalid_argument("no partition to look up"));
    }
    let topics = by_topic(queries).into_iter();
    let asked = list_offsets::ListOffsetsRequest {
        replica_id: -1,
        isolation_level: level(isolation),
        topics: topics
            .map(|(name, partitions)| list_offsets::ListOffsetsTopic { name, partitions })
            .collect(),
        timeout_ms: call.wait_ms(GRPC_DECISION_WAIT),
    };
    let answer = call.ask(LIST_OFFSETS, &asked).await?;
    let mut offsets = Vec::new();
    for topic in answer.topics {
        for part in topic.partitions {
            let mut error = refusal::error(Asked::Read, part.error_code, None);
            send_to_leader(&call, &topic.name, part.partition_index, &mut error).await;
            offsets.push(FoundOffset {
                topic: topic.name.clone(),
                partition: part.partition_index,
                offset: part.offset,
                timestamp_ms: part.timestamp,
                leader_epoch: part.leader_epoch,
                error,
            });
        }
    }
    refusal::if_alone(offsets.iter().map(|found| found.error.as_ref()))?;
    Ok(ListOffsetsResponse { offsets })
}

/// Kafka's times that are none.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;

/// Makes an idempotent producer.
pub(super) async fn init_producer_id(
    call: Arc<Call>,
    _: InitProducerIdRequest,
) -> Result<InitProducerIdResponse, Status> {
    let asked = init_producer_id::InitProducerIdRequest { transactional_id: None, ..Default::default() };
    let answer = call.ask(INIT_PRODUCER_ID, &asked).await?;
    refusal::if_any(Asked::Change, answer.error_code, None)?;
    Ok(InitProducerIdResponse {
        producer_id: answer.producer_id,
        producer_epoch: i32::from(answer.producer_epoch),
    })
}

/// Lets logs begin later.
pub(super) async fn delete(
    call: Arc<Call>,
    request: DeleteRecordsRequest,
) -> Result<DeleteRecordsResponse, Status> {
    if request.partitions.is_empty() {
        return Err(Status::invalid_argument("no partition to trim"));
    }
    let partitions = request.partitions.into_iter().map(|part| {
        let trimmed = delete_records::DeleteRecordsPartition {
            partition_index: part.partition,
            offset: part.before_offset,
        };
        (part.topic, trimmed)
    });
    let topics = by_topic(partitions.collect()).into_iter();
    let asked = delete_records::DeleteRecordsRequest {
        topics: topics
            .map(|(name, partitions)| delete_records::DeleteRecordsTopic { name, partitions })
            .collect(),
        timeout_ms: wait(&call, request.timeout_ms),
    };
    let answer = call.ask(DELETE_RECORDS, &asked).await?;
    let mut partitions = Vec::new();
    for topic in answer.topics {
        for part in topic.partitions {
            let mut error = refusal::error(Asked::Change, part.error_code, None);
            send_to_leader(&call, &topic.name, part.partition_index, &mut error).await;
            partitions.push(TrimmedPartition {
                topic: topic.name.clone(),
                partition: part.partition_index,
                log_start_offset: part.low_watermark,
                error,
            });
        }
    }
    refusal::if_alone(partitions.iter().map(|part| part.error.as_ref()))?;
    Ok(DeleteRecordsResponse { partitions })
}

/// Kafka's isolation level.
pub(super) fn level(isolation: Isolation) -> i8 {
    match isolation {
        Isolation::ReadUncommitted => 0,
        Isolation::ReadCommitted => 1,
    }
}

/// A number of an enum that this build knows.
pub(super) fn known<T>(number: Result<T, prost::UnknownEnumValue>, what: &str) -> Result<T, Status> {
    number.map_err(|unknown| Status::invalid_argument(format!("{what}: {unknown}")))
}

/// Who is refused because this node does not lead the partition is told who does.
pub(super) async fn send_to_leader(call: &Call, topic: &str, partition: i32, error: &mut Option<Error>) {
    if let Some(error) = error
        && error.code == i32::from(ErrorCode::NotLeaderOrFollower.code())
    {
        error.leader = call.leader_of(topic, partition).await;
    }
}

/// One batch of these records.
fn batch(said: &Records) -> Result<BytesMut, Status> {
    if said.records.is_empty() {
        return Err(Status::invalid_argument("no record to append"));
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
        let epoch = i16::try_from(producer_epoch);
        let epoch = epoch.map_err(|_| Status::invalid_argument("a producer's epoch is at most 32767"))?;
        batch = batch.producer(records::Producer { id: producer_id, epoch, base_sequence });
    }
    let now = wall_ms();
    for record in &said.records {
        let timestamp = match record.timestamp_ms {
            0 => now,
            // Of one batch they must not be further apart than an i64.
            said if said > 0 => said,
            _ => return Err(Status::invalid_argument("a record from before 1970")),
        };
        let headers: Vec<(&str, Option<&[u8]>)> =
            record.headers.iter().map(|header| (header.key.as_str(), header.value.as_deref())).collect();
        batch.push(timestamp, record.key.as_deref(), record.value.as_deref(), &headers);
    }
    Ok(batch.build())
}
