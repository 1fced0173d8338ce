//! Reading records, in gRPC's words and in Kafka's.
//!
//! A long poll asks the core for some seconds at a time: whoever hangs up is forgotten by then, and waits for nobody.
//!
//! Bound: records as fields take at most `GRPC_FIELDS_BYTES_MAX` of an answer, whatever they decompress to; the next fetch
//! goes on where this one stopped, within a batch if need be.

use super::by_topic::by_topic;
use super::call::Call;
use super::pool::Taken;
use super::records::{known, level, send_to_leader};
use super::refusal::{self, Asked};
use crate::limits::{
    GRPC_FETCH_BYTES_MAX, GRPC_FETCH_PARTITION_BYTES, GRPC_FIELDS_BYTES_MAX, GRPC_POLL_MAX, GRPC_SMALL_BYTES,
    GRPC_WAIT_MAX,
};
use bytes::Bytes;
use rust_mq_proto::grpc::{
    AbortedTransaction, FetchPartition, FetchRequest, FetchResponse, FetchedPartition, Header, Isolation,
    Record, RecordFormat,
};
use rust_mq_proto::kafka::api::fetch;
use rust_mq_proto::kafka::{Chain, ErrorCode};
use rust_mq_proto::records::{self, Batches, Codec, Decompressor};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tonic::Status;

pub(super) const FETCH: i16 = 12;
/// What a record takes in memory beside its key, value and headers, and a header beside its own, at most.
const RECORD_OVERHEAD_BYTES: usize = 128;

/// Where each partition was asked from.
pub(super) type From = BTreeMap<(String, i32), i64>;

/// Reads records.
pub(super) async fn fetch(call: Arc<Call>, request: FetchRequest) -> Result<FetchResponse, Status> {
    let format = known(RecordFormat::try_from(request.format), "format")?;
    let from = from(&request.partitions);
    let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0)).min(GRPC_WAIT_MAX);
    let mut asked = to_read(request)?;
    let until = Instant::now() + wait;
    let answer = loop {
        let left = until.duration_since(Instant::now());
        asked.max_wait_ms = call.wait_ms(left.min(GRPC_POLL_MAX));
        let asked_at = Instant::now();
        let answer = call.ask(FETCH, &asked).await?;
        refusal::if_any(Asked::Read, answer.error_code, None)?;
        // Who is answered before its time with less than enough is asked to go: the node stops.
        let wanted = Duration::from_millis(u64::try_from(asked.max_wait_ms).unwrap_or(0));
        let is_early = asked_at.elapsed() < wanted / 2;
        if left <= GRPC_POLL_MAX || is_early || is_enough(&answer, asked.min_bytes) {
            break answer;
        }
    };
    let (answer, taken) = read(&call, answer, &from, format, false).await?;
    call.leaves(taken);
    refusal::if_alone(answer.partitions.iter().map(|part| part.error.as_ref()))?;
    Ok(answer)
}

/// Where these are asked from.
pub(super) fn from(partitions: &[FetchPartition]) -> From {
    partitions.iter().map(|part| ((part.topic.clone(), part.partition), part.offset)).collect()
}

/// The same in Kafka's words.
pub(super) fn to_read(request: FetchRequest) -> Result<fetch::FetchRequest, Status> {
    let isolation = known(Isolation::try_from(request.isolation), "isolation")?;
    if request.partitions.is_empty() {
        return Err(Status::invalid_argument("no partition to read"));
    }
    let most = |said: i32, otherwise: i32| if said > 0 { said.min(GRPC_FETCH_BYTES_MAX) } else { otherwise };
    let parts = request.partitions.into_iter().map(|part| {
        let wanted = fetch::FetchPartition {
            partition: part.partition,
            current_leader_epoch: part.leader_epoch.unwrap_or(-1),
            fetch_offset: part.offset,
            partition_max_bytes: most(part.max_bytes, GRPC_FETCH_PARTITION_BYTES),
            ..Default::default()
        };
        (part.topic, wanted)
    });
    let topics = by_topic(parts.collect()).into_iter();
    Ok(fetch::FetchRequest {
        min_bytes: request.min_bytes.max(1),
        max_bytes: most(request.max_bytes, GRPC_FETCH_BYTES_MAX),
        isolation_level: level(isolation),
        session_epoch: -1,
        topics: topics
            .map(|(topic, partitions)| fetch::FetchTopic { topic, partitions, ..Default::default() })
            .collect(),
        ..Default::default()
    })
}

/// Whether nobody waits any longer for that.
fn is_enough(answer: &fetch::FetchResponse, min_bytes: i32) -> bool {
    let parts = answer.responses.iter().flat_map(|topic| &topic.partitions);
    let bytes = parts.clone().map(|part| part.records.as_ref().map_or(0, Chain::len)).sum::<usize>();
    bytes >= usize::try_from(min_bytes).unwrap_or(0)
        || parts.into_iter().any(|part| part.error_code != ErrorCode::None.code())
}

/// What was read, and the room that it takes until its caller has it. Batches of a lone answer are still charged to the
/// core's budget and take none (`is_streamed`).
pub(super) async fn read(
    call: &Call,
    answer: fetch::FetchResponse,
    from: &From,
    format: RecordFormat,
    is_streamed: bool,
) -> Result<(FetchResponse, Option<Taken>), Status> {
    // Room for the most that it can be first: whoever waits holds what came, and not what becomes of it.
    let most = weight_max(&answer, format, is_streamed);
    let taken = match most {
        0..=GRPC_SMALL_BYTES => None,
        _ => match call.pool().try_take(most) {
            Some(taken) => Some(taken),
            None => Some(call.pool().clone().take(most).await?),
        },
    };
    let (mut partitions, weight) = translated(&answer, from, format);
    drop(answer);
    let taken = taken.map(|mut taken| {
        taken.shrink(if format == RecordFormat::Fields { weight } else { most });
        taken
    });
    for part in &mut partitions {
        send_to_leader(call, &part.topic, part.partition, &mut part.error).await;
    }
    Ok((FetchResponse { partitions }, taken))
}

/// The most that an answer can take.
fn weight_max(answer: &fetch::FetchResponse, format: RecordFormat, is_streamed: bool) -> usize {
    let parts = answer.responses.iter().flat_map(|topic| &topic.partitions);
    let records = parts.filter_map(|part| part.records.as_ref());
    match format {
        RecordFormat::Batches if is_streamed => records.map(Chain::len).sum(),
        RecordFormat::Batches => 0,
        RecordFormat::Fields => {
            let weight = |bytes: &Bytes| {
                let batches = Batches::new(bytes).filter_map(Result::ok);
                let of = |batch: records::Batch<'_>| match batch.codec() {
                    // Of a record there are seven bytes at least, and of a header two.
                    Ok(Codec::None) => batch.payload().len().saturating_mul(RECORD_OVERHEAD_BYTES / 2),
                    _ => GRPC_FIELDS_BYTES_MAX,
                };
                batches.map(of).fold(0, usize::saturating_add)
            };
            let all = records.flat_map(Chain::parts).map(weight).fold(0, usize::saturating_add);
            all.min(GRPC_FIELDS_BYTES_MAX)
        }
    }
}

fn translated(
    answer: &fetch::FetchResponse,
    from: &From,
    format: RecordFormat,
) -> (Vec<FetchedPartition>, usize) {
    let mut fields = Fields::default();
    let mut partitions = Vec::new();
    for topic in &answer.responses {
        for part in &topic.partitions {
            let offset = from.get(&(topic.topic.clone(), part.partition_index)).copied().unwrap_or_default();
            let mut found = FetchedPartition {
                topic: topic.topic.clone(),
                partition: part.partition_index,
                high_watermark: part.high_watermark,
                last_stable_offset: part.last_stable_offset,
                log_start_offset: part.log_start_offset,
                next_offset: offset,
                error: refusal::error(Asked::Read, part.error_code, None),
                ..Default::default()
            };
            let batches = contiguous(part.records.as_ref());
            match format {
                RecordFormat::Fields => {
                    let read = fields.read(&batches, offset);
                    (found.records, found.next_offset) = (read.records, read.next_offset);
                    if let Some((code, why)) = read.fault {
                        found.error = refusal::error(Asked::Read, code.code(), Some(why));
                    }
                }
                RecordFormat::Batches => {
                    (found.next_offset, found.batches) = (behind(&batches, offset), batches);
                    let aborted = part.aborted_transactions.iter().flatten();
                    found.aborted_transactions = aborted
                        .map(|aborted| AbortedTransaction {
                            producer_id: aborted.producer_id,
                            first_offset: aborted.first_offset,
                        })
                        .collect();
                }
            }
            partitions.push(found);
        }
    }
    (partitions, fields.bytes)
}

/// The batches as one run of bytes, which they are when they come whole from a message.
fn contiguous(records: Option<&Chain>) -> Bytes {
    match records.map(Chain::parts).unwrap_or_default() {
        [] => Bytes::new(),
        [whole] => whole.clone(),
        parts => parts.concat().into(),
    }
}

/// The offset behind all these batches.
fn behind(batches: &[u8], offset: i64) -> i64 {
    let last = Batches::new(batches).filter_map(Result::ok).last();
    last.map_or(offset, |batch| offset.max(batch.last_offset().saturating_add(1)))
}

/// Turns batches into records, as many as one answer may hold.
#[derive(Debug, Default)]
pub(super) struct Fields {
    decompressor: Decompressor,
    bytes: usize,
}

/// What became of one partition's batches.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) records: Vec<Record>,
    pub(super) next_offset: i64,
    /// Why the next record cannot be given.
    pub(super) fault: Option<(ErrorCode, String)>,
}

impl Fields {
    /// The records from `offset` on.
    pub(super) fn read(&mut self, batches: &[u8], offset: i64) -> Read {
        let mut read = Read { next_offset: offset, ..Read::default() };
        for batch in Batches::new(batches) {
            let is_whole = match batch {
                Ok(batch) => self.read_batch(&batch, offset, &mut read),
                Err(error) => Err((ErrorCode::CorruptMessage, error.to_string())),
            };
            match is_whole {
                Ok(true) => {}
                Ok(false) => break,
                // What was read before it is given first.
                Err(_) if !read.records.is_empty() => break,
                Err(fault) => {
                    read.fault = Some(fault);
                    break;
                }
            }
        }
        read
    }

    /// Says whether all of it was read.
    fn read_batch(
        &mut self,
        batch: &records::Batch<'_>,
        offset: i64,
        read: &mut Read,
    ) -> Result<bool, (ErrorCode, String)> {
        let behind = batch.last_offset().saturating_add(1);
        if !batch.is_control() {
            let records = batch.records(&mut self.decompressor, GRPC_FIELDS_BYTES_MAX);
            let too_large = |error: records::BatchError| (ErrorCode::MessageTooLarge, too_large(&error));
            for record in records.map_err(too_large)? {
                let record = record.map_err(|fault| (ErrorCode::CorruptMessage, fault.to_string()))?;
                if record.offset < offset {
                    continue;
                }
                let bytes = weight(&record);
                if self.bytes + bytes > GRPC_FIELDS_BYTES_MAX {
                    let is_alone = self.bytes == 0;
                    let why = "one record is larger than an answer may be: read it in batches";
                    return if is_alone { Err((ErrorCode::MessageTooLarge, why.into())) } else { Ok(false) };
                }
                self.bytes += bytes;
                read.next_offset = record.offset.saturating_add(1);
                read.records.push(in_fields(&record));
            }
        }
        read.next_offset = read.next_offset.max(behind);
        Ok(true)
    }
}

fn too_large(error: &records::BatchError) -> String {
    format!("{error}: read it in batches")
}

fn weight(record: &records::Record<'_>) -> usize {
    let headers = record.headers.into_iter();
    let headers =
        headers.map(|header| RECORD_OVERHEAD_BYTES + header.key.len() + header.value.map_or(0, <[u8]>::len));
    let own = record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
    RECORD_OVERHEAD_BYTES + own + headers.sum::<usize>()
}

fn in_fields(record: &records::Record<'_>) -> Record {
    let headers = record.headers.into_iter();
    Record {
        offset: record.offset,
        timestamp_ms: record.timestamp,
        key: record.key.map(Bytes::copy_from_slice),
        value: record.value.map(Bytes::copy_from_slice),
        headers: headers
            .map(|header| Header {
                key: String::from_utf8_lossy(header.key).into_owned(),
                value: header.value.map(Bytes::copy_from_slice),
            })
            .collect(),
    }
}
