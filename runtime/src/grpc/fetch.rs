//! Reading records.
//!
//! A long poll asks the core for some seconds at a time: whoever hangs up is forgotten by then, and waits for nobody.
//!
//! Bound: what is made of an answer is in the pool from before it is made until its caller has taken it.

use super::call::Call;
use super::pool::Taken;
use super::records::send_to_leader;
use super::refusal;
use crate::limits::{
    GRPC_FETCH_BYTES_MAX, GRPC_FETCH_PARTITION_BYTES, GRPC_FIELDS_BYTES_MAX, GRPC_POLL_MAX, GRPC_SMALL_BYTES,
    GRPC_WAIT_MAX,
};
use bytes::Bytes;
use rust_mq_proto::grpc::{FetchRequest, FetchResponse, RecordFormat};
use rust_mq_proto::kafka::api::fetch;
use rust_mq_proto::kafka::{Chain, ErrorCode};
use rust_mq_proto::records::{self, Batches, Codec};
use rust_mq_proto::translation::fetch::{self as translation, Bounds, FETCH, RECORD_OVERHEAD_BYTES, Starts};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tonic::Status;

const BOUNDS: Bounds = Bounds {
    bytes_max: GRPC_FETCH_BYTES_MAX,
    partition_bytes: GRPC_FETCH_PARTITION_BYTES,
    fields_bytes_max: GRPC_FIELDS_BYTES_MAX,
};

/// Reads records.
pub(super) async fn fetch(call: Arc<Call>, request: FetchRequest) -> Result<FetchResponse, Status> {
    let format = format(request.format)?;
    let from = translation::starts(&request.partitions);
    let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0)).min(GRPC_WAIT_MAX);
    let mut asked = to_read(request)?;
    let until = Instant::now() + wait;
    let answer = loop {
        let left = until.duration_since(Instant::now());
        asked.max_wait_ms = call.wait_ms(left.min(GRPC_POLL_MAX));
        let asked_at = Instant::now();
        let answer = call.ask(FETCH, &asked).await?;
        translation::if_refused(&answer).map_err(refusal::status)?;
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

/// How records are wanted.
pub(super) fn format(number: i32) -> Result<RecordFormat, Status> {
    translation::format(number).map_err(refusal::misused)
}

/// The same in Kafka's words.
pub(super) fn to_read(request: FetchRequest) -> Result<fetch::FetchRequest, Status> {
    translation::to_read(request, &BOUNDS).map_err(refusal::misused)
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
    from: &Starts,
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
    let (mut found, weight) = translation::read(&answer, from, format, &BOUNDS);
    drop(answer);
    let taken = taken.map(|mut taken| {
        taken.shrink(if format == RecordFormat::Fields { weight } else { most });
        taken
    });
    for part in &mut found.partitions {
        send_to_leader(call, &part.topic, part.partition, &mut part.error).await;
    }
    Ok((found, taken))
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
