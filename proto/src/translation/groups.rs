//! Groups: memberships, and what is told of groups. How far they have come is `offsets`.

use super::error::{self, Asked};
use super::{Misuse, if_said};
use crate::grpc::{
    DeleteGroupResponse, DescribeGroupResponse, Error, GroupMember, HeartbeatRequest, HeartbeatResponse,
    JoinGroupRequest, JoinGroupResponse, JoinedMember, LeaveGroupRequest, LeaveGroupResponse, LeftMember,
    ListGroupsRequest, ListGroupsResponse, ListedGroup, Node, SyncGroupRequest, SyncGroupResponse,
    TopicPartitions,
};
use crate::kafka::ErrorCode;
use crate::kafka::api::{
    consumer_group_describe, delete_groups, describe_groups, find_coordinator, heartbeat, join_group,
    leave_group, list_groups, sync_group,
};
use bytes::Bytes;

/// The version of FindCoordinator that is spoken.
pub const FIND_COORDINATOR: i16 = 6;
/// The version of JoinGroup that is spoken.
pub const JOIN_GROUP: i16 = 9;
/// The version of Heartbeat that is spoken.
pub const HEARTBEAT: i16 = 4;
/// The version of LeaveGroup that is spoken.
pub const LEAVE_GROUP: i16 = 5;
/// The version of ListGroups that is spoken.
pub const LIST_GROUPS: i16 = 5;
/// The version of DescribeGroups that is spoken.
pub const DESCRIBE_GROUPS: i16 = 6;
/// The version of ConsumerGroupDescribe that is spoken.
pub const CONSUMER_GROUP_DESCRIBE: i16 = 1;
/// The version of DeleteGroups that is spoken.
pub const DELETE_GROUPS: i16 = 3;

/// From this version of SyncGroup on the kind and the protocol must be said, and are compared.
const SYNC_GROUP: i16 = 5;
const SYNC_GROUP_UNSAID: i16 = 4;
/// Kafka's `key_type` of groups.
const GROUP: i8 = 0;
/// What a member says that says nothing: Kafka's `session.timeout.ms` and `max.poll.interval.ms`.
const SESSION_TIMEOUT_MS: i32 = 45_000;
const REBALANCE_TIMEOUT_MS: i32 = 300_000;
const CONSUMER: &str = "consumer";

/// Asks who coordinates a group.
pub fn to_find(group_id: String) -> find_coordinator::FindCoordinatorRequest {
    find_coordinator::FindCoordinatorRequest {
        key_type: GROUP,
        coordinator_keys: vec![group_id],
        ..Default::default()
    }
}

/// Where that is.
///
/// # Errors
/// It was refused.
pub fn found(coordinator: find_coordinator::Coordinator) -> Result<Node, Error> {
    error::if_any(Asked::Read, coordinator.error_code, coordinator.error_message)?;
    let find_coordinator::Coordinator { node_id, host, port, .. } = coordinator;
    Ok(Node { node_id, host, port, ..Default::default() })
}

/// Becomes a member.
pub fn to_join(request: JoinGroupRequest) -> join_group::JoinGroupRequest {
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

/// Whether a new member was given its id, with which `asked` is to be asked again (KIP-394): one call is both.
pub fn joins_again(asked: &mut join_group::JoinGroupRequest, answer: &join_group::JoinGroupResponse) -> bool {
    let is_named = answer.error_code == ErrorCode::MemberIdRequired.code() && asked.member_id.is_empty();
    if is_named {
        asked.member_id.clone_from(&answer.member_id);
    }
    is_named
}

/// The generation that it is a member of.
///
/// # Errors
/// It was refused.
pub fn joined(answer: join_group::JoinGroupResponse) -> Result<JoinGroupResponse, Error> {
    error::if_any(Asked::Change, answer.error_code, None)?;
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

/// Asks what was shared out, and says it if it is the leader: in which version of SyncGroup, and what.
pub fn to_sync(request: SyncGroupRequest) -> (i16, sync_group::SyncGroupRequest) {
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
    (if is_said { SYNC_GROUP } else { SYNC_GROUP_UNSAID }, asked)
}

/// What was shared out.
///
/// # Errors
/// It was refused.
pub fn synced(answer: sync_group::SyncGroupResponse) -> Result<SyncGroupResponse, Error> {
    error::if_any(Asked::Change, answer.error_code, None)?;
    Ok(SyncGroupResponse {
        protocol_type: answer.protocol_type.unwrap_or_default(),
        protocol_name: answer.protocol_name.unwrap_or_default(),
        assignment: answer.assignment,
    })
}

/// Says that a member is there.
pub fn to_beat(request: HeartbeatRequest) -> heartbeat::HeartbeatRequest {
    heartbeat::HeartbeatRequest {
        group_id: request.group_id,
        generation_id: request.generation_id,
        member_id: request.member_id,
        group_instance_id: if_said(request.group_instance_id),
    }
}

/// It was heard.
///
/// # Errors
/// It was refused.
pub fn beaten(answer: heartbeat::HeartbeatResponse) -> Result<HeartbeatResponse, Error> {
    error::if_any(Asked::Change, answer.error_code, None)?;
    Ok(HeartbeatResponse {})
}

/// Says that members go.
///
/// # Errors
/// It names none.
pub fn to_leave(request: LeaveGroupRequest) -> Result<leave_group::LeaveGroupRequest, Misuse> {
    if request.members.is_empty() {
        return Err(Misuse::Empty("member to leave"));
    }
    let members = request.members.into_iter();
    Ok(leave_group::LeaveGroupRequest {
        group_id: request.group_id,
        members: members
            .map(|member| leave_group::MemberIdentity {
                member_id: member.member_id,
                group_instance_id: if_said(member.group_instance_id),
                reason: if_said(member.reason),
            })
            .collect(),
        ..Default::default()
    })
}

/// Who has gone.
///
/// # Errors
/// It was refused, or the one member was.
pub fn left(answer: leave_group::LeaveGroupResponse) -> Result<LeaveGroupResponse, Error> {
    error::if_any(Asked::Change, answer.error_code, None)?;
    let members = answer.members.into_iter();
    let members: Vec<LeftMember> = members
        .map(|member| LeftMember {
            member_id: member.member_id,
            group_instance_id: member.group_instance_id.unwrap_or_default(),
            error: error::error(Asked::Change, member.error_code, None),
        })
        .collect();
    error::if_alone(members.iter().map(|member| member.error.as_ref()))?;
    Ok(LeaveGroupResponse { members })
}

/// Asks which groups a node coordinates.
pub fn to_list(request: ListGroupsRequest) -> list_groups::ListGroupsRequest {
    list_groups::ListGroupsRequest { states_filter: request.states, types_filter: request.types }
}

/// Which ones.
///
/// # Errors
/// It was refused.
pub fn listed(answer: list_groups::ListGroupsResponse) -> Result<ListGroupsResponse, Error> {
    error::if_any(Asked::Read, answer.error_code, None)?;
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

/// Asks for all about a classic group. Kafka has an API for each type of group, and the call is about either: what is
/// none of this type (`GROUP_ID_NOT_FOUND`) is asked for as `to_describe_consumer` does.
pub fn to_describe(group_id: String) -> describe_groups::DescribeGroupsRequest {
    describe_groups::DescribeGroupsRequest { groups: vec![group_id], ..Default::default() }
}

/// Asks for all about a group of the new protocol (KIP-848).
pub fn to_describe_consumer(group_id: String) -> consumer_group_describe::ConsumerGroupDescribeRequest {
    consumer_group_describe::ConsumerGroupDescribeRequest { group_ids: vec![group_id], ..Default::default() }
}

/// All about a classic group.
///
/// # Errors
/// It was refused.
pub fn classic(group: describe_groups::DescribedGroup) -> Result<DescribeGroupResponse, Error> {
    error::if_any(Asked::Change, group.error_code, group.error_message)?;
    let members = group.members.into_iter();
    Ok(DescribeGroupResponse {
        group_id: group.group_id,
        state: group.group_state,
        r#type: "classic".into(),
        protocol_type: group.protocol_type,
        protocol: group.protocol_data,
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
    })
}

/// All about a group of the new protocol.
///
/// # Errors
/// It was refused.
pub fn consumer(group: consumer_group_describe::DescribedGroup) -> Result<DescribeGroupResponse, Error> {
    error::if_any(Asked::Change, group.error_code, group.error_message)?;
    let members = group.members.into_iter();
    Ok(DescribeGroupResponse {
        group_id: group.group_id,
        state: group.group_state,
        r#type: CONSUMER.into(),
        protocol_type: CONSUMER.into(),
        protocol: group.assignor_name,
        epoch: Some(group.group_epoch),
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
    })
}

fn assigned(assignment: consumer_group_describe::Assignment) -> Vec<TopicPartitions> {
    let topics = assignment.topic_partitions.into_iter();
    topics.map(|topic| TopicPartitions { topic: topic.topic_name, partitions: topic.partitions }).collect()
}

/// Deletes a group.
pub fn to_delete(group_id: String) -> delete_groups::DeleteGroupsRequest {
    delete_groups::DeleteGroupsRequest { groups_names: vec![group_id] }
}

/// It is gone.
///
/// # Errors
/// It was refused.
pub fn deleted(group: delete_groups::DeletableGroupResult) -> Result<DeleteGroupResponse, Error> {
    error::if_any(Asked::Change, group.error_code, group.error_message)?;
    Ok(DeleteGroupResponse {})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_member_joins_again_with_the_id_that_it_was_given_and_only_then() {
        let mut asked = to_join(JoinGroupRequest { group_id: "g".into(), ..Default::default() });
        assert_eq!((asked.session_timeout_ms, asked.protocol_type.as_str()), (SESSION_TIMEOUT_MS, CONSUMER));
        let named = join_group::JoinGroupResponse {
            error_code: ErrorCode::MemberIdRequired.code(),
            member_id: "m-1".into(),
            ..Default::default()
        };
        assert!(joins_again(&mut asked, &named));
        assert_eq!(asked.member_id, "m-1");
        assert!(!joins_again(&mut asked, &named));
        assert_eq!(joined(named).expect_err("it has an id").name, "MEMBER_ID_REQUIRED");
    }

    #[test]
    fn a_kind_and_a_protocol_are_compared_if_both_are_said() {
        let said = |kind: &str, name: &str| SyncGroupRequest {
            protocol_type: kind.into(),
            protocol_name: name.into(),
            ..Default::default()
        };
        assert_eq!(to_sync(said(CONSUMER, "range")).0, SYNC_GROUP);
        let (version, asked) = to_sync(said(CONSUMER, ""));
        assert_eq!((version, asked.protocol_name), (SYNC_GROUP_UNSAID, None));
    }

    #[test]
    fn one_member_that_is_none_fails_the_call() {
        let gone = |error_code| leave_group::MemberResponse { error_code, ..Default::default() };
        let of = |members| left(leave_group::LeaveGroupResponse { members, ..Default::default() });
        assert_eq!(of(vec![gone(25)]).expect_err("it was alone").name, "UNKNOWN_MEMBER_ID");
        assert_eq!(of(vec![gone(25), gone(0)]).expect("one has gone").members[1].error, None);
        assert_eq!(to_leave(LeaveGroupRequest::default()).err(), Some(Misuse::Empty("member to leave")));
    }
}
