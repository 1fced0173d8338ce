//! Appending records, and their offsets. Reading them is `fetch`.

use super::call::Call;
use super::refusal;
use super::topics::wait;
use crate::clock::wall_ms;
use crate::limits::GRPC_DECISION_WAIT;
use rust_mq_proto::grpc::{
    DeleteRecordsRequest, DeleteRecordsResponse, Error, InitProducerIdRequest, InitProducerIdResponse,
    ListOffsetsRequest, ListOffsetsResponse, ProduceRequest, ProduceResponse,
};
use rust_mq_proto::kafka::api::produce;
use rust_mq_proto::translation::error::{Missing, missing};
use rust_mq_proto::translation::records::{
    self, DELETE_RECORDS, INIT_PRODUCER_ID, LIST_OFFSETS, PRODUCE, is_answered,
};
use std::sync::Arc;
use tonic::Status;

/// Appends records.
pub(super) async fn produce(call: Arc<Call>, request: ProduceRequest) -> Result<ProduceResponse, Status> {
    let asked = to_append(&call, request)?;
    if !is_answered(&asked) {
        call.tell(PRODUCE, &asked).await?;
        return Ok(ProduceResponse::default());
    }
    let answer = appended(&call, call.ask(PRODUCE, &asked).await?).await;
    refusal::if_alone(answer.partitions.iter().map(|part| part.error.as_ref()))?;
    Ok(answer)
}

/// The same in Kafka's words.
pub(super) fn to_append(call: &Call, request: ProduceRequest) -> Result<produce::ProduceRequest, Status> {
    let timeout_ms = wait(call, request.timeout_ms);
    records::to_append(request, wall_ms(), timeout_ms).map_err(refusal::misused)
}

/// What became of it.
pub(super) async fn appended(call: &Call, answer: produce::ProduceResponse) -> ProduceResponse {
    let mut answer = records::appended(answer);
    for part in &mut answer.partitions {
        send_to_leader(call, &part.topic, part.partition, &mut part.error).await;
    }
    answer
}

/// Finds offsets.
pub(super) async fn list_offsets(
    call: Arc<Call>,
    request: ListOffsetsRequest,
) -> Result<ListOffsetsResponse, Status> {
    let timeout_ms = call.wait_ms(GRPC_DECISION_WAIT);
    let asked = records::to_list(request, timeout_ms).map_err(refusal::misused)?;
    let mut answer = records::listed(call.ask(LIST_OFFSETS, &asked).await?);
    for found in &mut answer.offsets {
        send_to_leader(&call, &found.topic, found.partition, &mut found.error).await;
    }
    refusal::if_alone(answer.offsets.iter().map(|found| found.error.as_ref()))?;
    Ok(answer)
}

/// Makes an idempotent producer.
pub(super) async fn init_producer_id(
    call: Arc<Call>,
    request: InitProducerIdRequest,
) -> Result<InitProducerIdResponse, Status> {
    let answer = call.ask(INIT_PRODUCER_ID, &records::to_identify(request)).await?;
    records::identified(answer).map_err(refusal::status)
}

/// Lets logs begin later.
pub(super) async fn delete(
    call: Arc<Call>,
    request: DeleteRecordsRequest,
) -> Result<DeleteRecordsResponse, Status> {
    let timeout_ms = wait(&call, request.timeout_ms);
    let asked = records::to_trim(request, timeout_ms).map_err(refusal::misused)?;
    let mut answer = records::trimmed(call.ask(DELETE_RECORDS, &asked).await?);
    for part in &mut answer.partitions {
        send_to_leader(&call, &part.topic, part.partition, &mut part.error).await;
    }
    refusal::if_alone(answer.partitions.iter().map(|part| part.error.as_ref()))?;
    Ok(answer)
}

/// Who is refused because this node does not lead the partition is told who does.
pub(super) async fn send_to_leader(call: &Call, topic: &str, partition: i32, error: &mut Option<Error>) {
    if let Some(error) = error
        && missing(error) == Some(Missing::Leader)
    {
        error.leader = call.leader_of(topic, partition).await;
    }
}
