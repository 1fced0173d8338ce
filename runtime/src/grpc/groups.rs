//! Groups, in gRPC's words and in Kafka's: memberships, and what is told of groups. How far they have come is `offsets`.

use super::call::Call;
use super::refusal::{self, Asked};
use bytes::Bytes;
use rust_mq_proto::grpc::{
    DeleteGroupRequest, DeleteGroupResponse, DescribeGroupRequest, DescribeGroupResponse, Error,
    FindCoordinatorRequest, FindCoordinatorResponse, GroupMember, HeartbeatRequest, HeartbeatResponse,
    JoinGroupRequest, JoinGroupResponse, JoinedMember, LeaveGroupRequest, LeaveGroupResponse, LeftMember,
    ListGroupsRequest, ListGroupsResponse, ListedGroup, Node, SyncGroupRequest, SyncGroupResponse,
    TopicPartitions,
};
use rust_mq_proto::kafka::ErrorCode;
use rust_mq_proto::kafka::api::{
    consumer_group_describe, delete_groups, describe_groups, find_coordinator, heartbeat, join_group,
    leave_group, list_groups, sync_group,
};
use std::sync::Arc;
use tonic::Status;

const FIND_COORDINATOR: i16 = 6;
const JOIN_GROUP: i16 = 9;
/// From 5 on the kind and the protocol must be said, and are compared.
const SYNC_GROUP: i16 = 5;
const SYNC_GROUP_UNSAID: i16 = 4;
const HEARTBEAT: i16 = 4;
const LEAVE_GROUP: i16 = 5;
const LIST_GROUPS: i16 = 5;
const DESCRIBE_GROUPS: i16 = 6;
const CONSUMER_GROUP_DESCRIBE: i16 = 1;
const DELETE_GROUPS: i16 = 3;

/// Kafka's `key_type` of groups.
const GROUP: i8 = 0;
/// What a member says that says nothing: Kafka's `session.timeout.ms` and `max.poll.interval.ms`.
const SESSION_TIMEOUT_MS: i32 = 45_000;
const REBALANCE_TIMEOUT_MS: i32 = 300_000;
const CONSUMER: &str = "consumer";

/// Who coordinates a group.
pub(super) async fn find_coordinator(
    call: Arc<Call>,
    request: FindCoordinatorRequest,
) -> Result<FindCoordinatorResponse, Status> {
    let found = coordinator(&call, request.group_id).await?;
    refusal::if_any(Asked::Read, found.error_code, found.error_message)?;
    let coordinator =
        Node { node_id: found.node_id, host: found.host, port: found.port, ..Default::default() };
    Ok(FindCoordinatorResponse { coordinator: Some(coordinator) })
}

/// Becomes a member. A new one is given its id first and joins with it (KIP-394), which is one call here.
pub(super) async fn join(call: Arc<Call>, request: JoinGroupRequest) -> Result<JoinGroupResponse, Status> {
    let group = request.group_id.clone();
    let mut asked = to_join(request);
    let mut answer = call.ask(JOIN_GROUP, &asked).await?;
    if answer.error_code == ErrorCode::MemberIdRequired.code() && asked.member_id.is_empty() {
        asked.member_id = answer.member_id;
        answer = call.ask(JOIN_GROUP, &asked).await?;
    }
    if_refused(&call, &group, answer.error_code, None).await?;
    let members = answer.members.into_iter();
    Ok(JoinGroupResponse {
        generation_id: answer.generation_id,
        protocol_type: answer.protocol_type.unwrap_or_default(),
        protocol_name: answer.protocol_name.unwrap_or_default(),
        leader_id: answer.leader,
        member_id: answer.member_id,
        skip_assignment: answer.skip_assignment,
        members: members
            .map(|member| JoinedMember {
                member_id: member.member_id,
                group_instance_id: member.group_instance_id.unwrap_or_default(),
                metadata: member.metadata,
            })
            .collect(),
    })
}

fn to_join(request: JoinGroupRequest) -> join_group::JoinGroupRequest {
    let or = |said: i32, otherwise: i32| if said == 0 { otherwise } else { said };
    let protocols = request.protocols.into_iter();
    join_group::JoinGroupRequest {
        group_id: request.group_id,
        session_timeout_ms: or(request.session_timeout_ms, SESSION_TIMEOUT_MS),
        rebalance_timeout_ms: or(request.rebalance_timeout_ms, REBALANCE_TIMEOUT_MS),
        member_id: request.member_id,
        group_instance_id: if_said(request.group_instance_id),
        protocol_type: if_said(request.protocol_type).unwrap_or_else(|| CONSUMER.into()),
        protocols: protocols
            .map(|protocol| join_group::JoinGroupRequestProtocol {
                name: protocol.name,
                metadata: protocol.metadata,
            })
            .collect(),
        reason: if_said(request.reason),
    }
}

/// What was shared out.
pub(super) async fn sync(call: Arc<Call>, request: SyncGroupRequest) -> Result<SyncGroupResponse, Status> {
    let group = request.group_id.clone();
    let assignments = request.assignments.into_iter();
    let asked = sync_group::SyncGroupRequest {
        group_id: request.group_id,
        generation_id: request.generation_id,
        member_id: request.member_id,
        group_instance_id: if_said(request.group_instance_id),
        protocol_type: if_said(request.protocol_type),
        protocol_name: if_said(request.protocol_name),
        assignments: assignments
            .map(|assigned| sync_group::SyncGroupRequestAssignment {
                member_id: assigned.member_id,
                assignment: assigned.assignment,
            })
            .collect(),
    };
    let is_said = asked.protocol_type.is_some() && asked.protocol_name.is_some();
    let version = if is_said { SYNC_GROUP } else { SYNC_GROUP_UNSAID };
    let answer = call.ask(version, &asked).await?;
    if_refused(&call, &group, answer.error_code, None).await?;
    Ok(SyncGroupResponse {
        protocol_type: answer.protocol_type.unwrap_or_default(),
        protocol_name: answer.protocol_name.unwrap_or_default(),
        assignment: answer.assignment,
    })
}

/// A member is there.
pub(super) async fn heartbeat(
    call: Arc<Call>,
    request: HeartbeatRequest,
) -> Result<HeartbeatResponse, Status> {
    let group = request.group_id.clone();
    let asked = heartbeat::HeartbeatRequest {
        group_id: request.group_id,
        generation_id: request.generation_id,
        member_id: request.member_id,
        group_instance_id: if_said(request.group_instance_id),
    };
    let answer = call.ask(HEARTBEAT, &asked).await?;
    if_refused(&call, &group, answer.error_code, None).await?;
    Ok(HeartbeatResponse {})
}

/// Members go.
pub(super) async fn leave(call: Arc<Call>, request: LeaveGroupRequest) -> Result<LeaveGroupResponse, Status> {
    let group = request.group_id.clone();
    if request.members.is_empty() {
        return Err(Status::invalid_argument("no member to leave"));
    }
    let members = request.members.into_iter();
    let asked = leave_group::LeaveGroupRequest {
        group_id: request.group_id,
        members: members
            .map(|member| leave_group::MemberIdentity {
                member_id: member.member_id,
                group_instance_id: if_said(member.group_instance_id),
                reason: if_said(member.reason),
            })
            .collect(),
        ..Default::default()
    };
    let answer = call.ask(LEAVE_GROUP, &asked).await?;
    if_refused(&call, &group, answer.error_code, None).await?;
    let members = answer.members.into_iter();
    let members: Vec<LeftMember> = members
        .map(|member| LeftMember {
            member_id: member.member_id,
            group_instance_id: member.group_instance_id.unwrap_or_default(),
            error: refusal::error(Asked::Change, member.error_code, None),
        })
        .collect();
    refusal::if_alone(members.iter().map(|member| member.error.as_ref()))?;
    Ok(LeaveGroupResponse { members })
}

/// Which groups this node coordinates.
pub(super) async fn list(call: Arc<Call>, request: ListGroupsRequest) -> Result<ListGroupsResponse, Status> {
    let asked = list_groups::ListGroupsRequest { states_filter: request.states, types_filter: request.types };
    let answer = call.ask(LIST_GROUPS, &asked).await?;
    refusal::if_any(Asked::Read, answer.error_code, None)?;
    let groups = answer.groups.into_iter();
    Ok(ListGroupsResponse {
        groups: groups
            .map(|group| ListedGroup {
                group_id: group.group_id,
                protocol_type: group.protocol_type,
                state: group.group_state,
                r#type: group.group_type,
            })
            .collect(),
    })
}

/// All about a group, of either type: Kafka has an API for each.
pub(super) async fn describe(
    call: Arc<Call>,
    request: DescribeGroupRequest,
) -> Result<DescribeGroupResponse, Status> {
    let group = request.group_id;
    let asked = describe_groups::DescribeGroupsRequest { groups: vec![group.clone()], ..Default::default() };
    let found = only(call.ask(DESCRIBE_GROUPS, &asked).await?.groups)?;
    if found.error_code != ErrorCode::GroupIdNotFound.code() {
        if_refused(&call, &group, found.error_code, found.error_message.clone()).await?;
        return Ok(classic(found));
    }
    let asked = consumer_group_describe::ConsumerGroupDescribeRequest {
        group_ids: vec![group.clone()],
        ..Default::default()
    };
    let found = only(call.ask(CONSUMER_GROUP_DESCRIBE, &asked).await?.groups)?;
    if_refused(&call, &group, found.error_code, found.error_message.clone()).await?;
    Ok(consumer(found))
}

fn classic(found: describe_groups::DescribedGroup) -> DescribeGroupResponse {
    let members = found.members.into_iter();
    DescribeGroupResponse {
        group_id: found.group_id,
        state: found.group_state,
        r#type: "classic".into(),
        protocol_type: found.protocol_type,
        protocol: found.protocol_data,
        epoch: None,
        members: members
            .map(|member| GroupMember {
                member_id: member.member_id,
                group_instance_id: member.group_instance_id.unwrap_or_default(),
                client_id: member.client_id,
                client_host: member.client_host,
                metadata: member.member_metadata,
                assignment: member.member_assignment,
                ..Default::default()
            })
            .collect(),
    }
}

fn consumer(found: consumer_group_describe::DescribedGroup) -> DescribeGroupResponse {
    let members = found.members.into_iter();
    DescribeGroupResponse {
        group_id: found.group_id,
        state: found.group_state,
        r#type: CONSUMER.into(),
        protocol_type: CONSUMER.into(),
        protocol: found.assignor_name,
        epoch: Some(found.group_epoch),
        members: members
            .map(|member| GroupMember {
                member_id: member.member_id,
                group_instance_id: member.instance_id.unwrap_or_default(),
                client_id: member.client_id,
                client_host: member.client_host,
                metadata: Bytes::new(),
                assignment: Bytes::new(),
                subscribed_topics: member.subscribed_topic_names,
                assigned: assigned(member.assignment),
                epoch: Some(member.member_epoch),
            })
            .collect(),
    }
}

fn assigned(assignment: consumer_group_describe::Assignment) -> Vec<TopicPartitions> {
    let topics = assignment.topic_partitions.into_iter();
    topics.map(|topic| TopicPartitions { topic: topic.topic_name, partitions: topic.partitions }).collect()
}

/// Deletes a group.
pub(super) async fn delete(
    call: Arc<Call>,
    request: DeleteGroupRequest,
) -> Result<DeleteGroupResponse, Status> {
    let group = request.group_id;
    let asked = delete_groups::DeleteGroupsRequest { groups_names: vec![group.clone()] };
    let gone = only(call.ask(DELETE_GROUPS, &asked).await?.results)?;
    if_refused(&call, &group, gone.error_code, gone.error_message).await?;
    Ok(DeleteGroupResponse {})
}

/// Fails a call about a group; whoever asked the wrong node is told which one is right.
pub(super) async fn if_refused(
    call: &Call,
    group: &str,
    number: i16,
    message: Option<String>,
) -> Result<(), Status> {
    let mut error = refusal::error(Asked::Change, number, message);
    send_to_coordinator(call, group, &mut error).await;
    error.map_or(Ok(()), |error| Err(refusal::status(&error)))
}

/// Who is refused because this node does not coordinate the group is told who does. In a cluster that has had no group
/// yet, asking for that makes the place for them.
pub(super) async fn send_to_coordinator(call: &Call, group: &str, error: &mut Option<Error>) {
    let Some(error) = error else { return };
    let wrong = [ErrorCode::NotCoordinator, ErrorCode::CoordinatorNotAvailable];
    if wrong.iter().any(|code| i32::from(code.code()) == error.code)
        && let Ok(found) = coordinator(call, group.to_owned()).await
        && found.error_code == ErrorCode::None.code()
    {
        error.leader =
            Some(Node { node_id: found.node_id, host: found.host, port: found.port, ..Default::default() });
    }
}

async fn coordinator(call: &Call, group: String) -> Result<find_coordinator::Coordinator, Status> {
    let asked = find_coordinator::FindCoordinatorRequest {
        key_type: GROUP,
        coordinator_keys: vec![group],
        ..Default::default()
    };
    only(call.ask(FIND_COORDINATOR, &asked).await?.coordinators)
}

/// The answer to one question.
fn only<T>(mut answers: Vec<T>) -> Result<T, Status> {
    answers.pop().ok_or_else(|| Status::internal("the broker has not answered what it was asked"))
}

/// Text that was said.
pub(super) fn if_said(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}
