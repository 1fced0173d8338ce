//! Groups: memberships, and what is told of groups. How far they have come is `offsets`.

use super::call::Call;
use super::refusal;
use rust_mq_proto::grpc::{
    DeleteGroupRequest, DeleteGroupResponse, DescribeGroupRequest, DescribeGroupResponse, Error,
    FindCoordinatorRequest, FindCoordinatorResponse, HeartbeatRequest, HeartbeatResponse, JoinGroupRequest,
    JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse, ListGroupsRequest, ListGroupsResponse,
    SyncGroupRequest, SyncGroupResponse,
};
use rust_mq_proto::kafka::ErrorCode;
use rust_mq_proto::kafka::api::find_coordinator::Coordinator;
use rust_mq_proto::translation::error::{Missing, missing};
use rust_mq_proto::translation::groups::{
    self, CONSUMER_GROUP_DESCRIBE, DELETE_GROUPS, DESCRIBE_GROUPS, FIND_COORDINATOR, HEARTBEAT, JOIN_GROUP,
    LEAVE_GROUP, LIST_GROUPS,
};
use std::sync::Arc;
use tonic::Status;

/// Who coordinates a group.
pub(super) async fn find_coordinator(
    call: Arc<Call>,
    request: FindCoordinatorRequest,
) -> Result<FindCoordinatorResponse, Status> {
    let found = groups::found(coordinator(&call, request.group_id).await?);
    let node = found.map_err(refusal::status)?;
    Ok(FindCoordinatorResponse { coordinator: Some(node) })
}

/// Becomes a member. A new one is given its id first and joins with it (KIP-394), which is one call here.
pub(super) async fn join(call: Arc<Call>, request: JoinGroupRequest) -> Result<JoinGroupResponse, Status> {
    let mut asked = groups::to_join(request);
    let mut answer = call.ask(JOIN_GROUP, &asked).await?;
    if groups::joins_again(&mut asked, &answer) {
        answer = call.ask(JOIN_GROUP, &asked).await?;
    }
    if_refused(&call, &asked.group_id, groups::joined(answer)).await
}

/// What was shared out.
pub(super) async fn sync(call: Arc<Call>, request: SyncGroupRequest) -> Result<SyncGroupResponse, Status> {
    let (version, asked) = groups::to_sync(request);
    let answer = call.ask(version, &asked).await?;
    if_refused(&call, &asked.group_id, groups::synced(answer)).await
}

/// A member is there.
pub(super) async fn heartbeat(
    call: Arc<Call>,
    request: HeartbeatRequest,
) -> Result<HeartbeatResponse, Status> {
    let asked = groups::to_beat(request);
    let answer = call.ask(HEARTBEAT, &asked).await?;
    if_refused(&call, &asked.group_id, groups::beaten(answer)).await
}

/// Members go.
pub(super) async fn leave(call: Arc<Call>, request: LeaveGroupRequest) -> Result<LeaveGroupResponse, Status> {
    let asked = groups::to_leave(request).map_err(refusal::misused)?;
    let answer = call.ask(LEAVE_GROUP, &asked).await?;
    if_refused(&call, &asked.group_id, groups::left(answer)).await
}

/// Which groups this node coordinates.
pub(super) async fn list(call: Arc<Call>, request: ListGroupsRequest) -> Result<ListGroupsResponse, Status> {
    let answer = call.ask(LIST_GROUPS, &groups::to_list(request)).await?;
    groups::listed(answer).map_err(refusal::status)
}

/// All about a group, of either type: Kafka has an API for each.
pub(super) async fn describe(
    call: Arc<Call>,
    request: DescribeGroupRequest,
) -> Result<DescribeGroupResponse, Status> {
    let group = request.group_id;
    let asked = groups::to_describe(group.clone());
    let found = only(call.ask(DESCRIBE_GROUPS, &asked).await?.groups)?;
    if found.error_code != ErrorCode::GroupIdNotFound.code() {
        return if_refused(&call, &group, groups::classic(found)).await;
    }
    let asked = groups::to_describe_consumer(group.clone());
    let found = only(call.ask(CONSUMER_GROUP_DESCRIBE, &asked).await?.groups)?;
    if_refused(&call, &group, groups::consumer(found)).await
}

/// Deletes a group.
pub(super) async fn delete(
    call: Arc<Call>,
    request: DeleteGroupRequest,
) -> Result<DeleteGroupResponse, Status> {
    let group = request.group_id;
    let asked = groups::to_delete(group.clone());
    let gone = only(call.ask(DELETE_GROUPS, &asked).await?.results)?;
    if_refused(&call, &group, groups::deleted(gone)).await
}

/// Fails a call about a group; whoever asked the wrong node is told which one is right.
pub(super) async fn if_refused<T>(call: &Call, group: &str, answer: Result<T, Error>) -> Result<T, Status> {
    match answer {
        Ok(answer) => Ok(answer),
        Err(mut error) => {
            send_to_coordinator(call, group, &mut error).await;
            Err(refusal::status(error))
        }
    }
}

/// Who is refused because this node does not coordinate the group is told who does. In a cluster that has had no group
/// yet, asking for that makes the place for them.
pub(super) async fn send_to_coordinator(call: &Call, group: &str, error: &mut Error) {
    if missing(error) == Some(Missing::Coordinator)
        && let Ok(found) = coordinator(call, group.to_owned()).await
        && let Ok(node) = groups::found(found)
    {
        error.leader = Some(node);
    }
}

async fn coordinator(call: &Call, group: String) -> Result<Coordinator, Status> {
    only(call.ask(FIND_COORDINATOR, &groups::to_find(group)).await?.coordinators)
}

/// The answer to one question.
fn only<T>(mut answers: Vec<T>) -> Result<T, Status> {
    answers.pop().ok_or_else(|| Status::internal("the broker has not answered what it was asked"))
}
