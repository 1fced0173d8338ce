//! Topics and the cluster.

use super::call::Call;
use super::refusal;
use crate::limits::GRPC_DECISION_WAIT;
use rust_mq_proto::grpc::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreateTopicsRequest, CreateTopicsResponse,
    DeleteTopicsRequest, DeleteTopicsResponse, DescribeClusterRequest, DescribeClusterResponse, Error,
    GetTopicMetadataRequest, GetTopicMetadataResponse,
};
use rust_mq_proto::translation::error::{Missing, missing};
use rust_mq_proto::translation::topics::{
    self, CREATE_PARTITIONS, CREATE_TOPICS, DELETE_TOPICS, DESCRIBE_CLUSTER, METADATA,
};
use std::sync::Arc;
use std::time::Duration;
use tonic::Status;

/// Which topics there are.
pub(super) async fn get_metadata(
    call: Arc<Call>,
    request: GetTopicMetadataRequest,
) -> Result<GetTopicMetadataResponse, Status> {
    let asked = topics::to_metadata(request);
    let answer = call.ask(METADATA, &asked).await?;
    topics::known(&asked, answer).map_err(refusal::status)
}

/// Makes topics.
pub(super) async fn create(
    call: Arc<Call>,
    request: CreateTopicsRequest,
) -> Result<CreateTopicsResponse, Status> {
    let timeout_ms = wait(&call, request.timeout_ms);
    let asked = topics::to_create(request, timeout_ms).map_err(refusal::misused)?;
    let mut answer = topics::created(call.ask(CREATE_TOPICS, &asked).await?);
    for topic in &mut answer.topics {
        send_to_controller(&call, &mut topic.error).await;
    }
    refusal::if_alone(answer.topics.iter().map(|topic| topic.error.as_ref()))?;
    Ok(answer)
}

/// Makes topics wider.
pub(super) async fn create_partitions(
    call: Arc<Call>,
    request: CreatePartitionsRequest,
) -> Result<CreatePartitionsResponse, Status> {
    let timeout_ms = wait(&call, request.timeout_ms);
    let asked = topics::to_widen(request, timeout_ms);
    let mut answer = topics::widened(call.ask(CREATE_PARTITIONS, &asked).await?);
    for topic in &mut answer.topics {
        send_to_controller(&call, &mut topic.error).await;
    }
    refusal::if_alone(answer.topics.iter().map(|topic| topic.error.as_ref()))?;
    Ok(answer)
}

/// Deletes topics.
pub(super) async fn delete(
    call: Arc<Call>,
    request: DeleteTopicsRequest,
) -> Result<DeleteTopicsResponse, Status> {
    let timeout_ms = wait(&call, request.timeout_ms);
    let asked = topics::to_delete(request, timeout_ms).map_err(refusal::misused)?;
    let mut answer = topics::deleted(call.ask(DELETE_TOPICS, &asked).await?);
    for topic in &mut answer.topics {
        send_to_controller(&call, &mut topic.error).await;
    }
    refusal::if_alone(answer.topics.iter().map(|topic| topic.error.as_ref()))?;
    Ok(answer)
}

/// Which nodes there are.
pub(super) async fn describe_cluster(
    call: Arc<Call>,
    request: DescribeClusterRequest,
) -> Result<DescribeClusterResponse, Status> {
    let answer = call.ask(DESCRIBE_CLUSTER, &topics::to_describe(request)).await?;
    topics::described(answer).map_err(refusal::status)
}

/// Who is refused because this node is not the controller is told who is.
pub(super) async fn send_to_controller(call: &Call, error: &mut Option<Error>) {
    if let Some(error) = error
        && missing(error) == Some(Missing::Controller)
    {
        error.leader = call.controller().await;
    }
}

/// How long a decision is waited for.
pub(super) fn wait(call: &Call, said_ms: i32) -> i32 {
    let said = u64::try_from(said_ms).ok().filter(|said| *said > 0);
    call.wait_ms(said.map_or(GRPC_DECISION_WAIT, Duration::from_millis))
}
