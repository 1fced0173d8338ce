//! Answers about groups and offsets as lines of text.

use super::answer::{TopicNames, error, topic_name};
use super::answer_consumers;
use super::embedded;
use rust_mq_proto::kafka::api::ResponseBody;
use rust_mq_proto::kafka::api::delete_groups::DeleteGroupsResponse;
use rust_mq_proto::kafka::api::describe_groups::{DescribeGroupsResponse, DescribedGroup};
use rust_mq_proto::kafka::api::find_coordinator::FindCoordinatorResponse;
use rust_mq_proto::kafka::api::join_group::JoinGroupResponse;
use rust_mq_proto::kafka::api::leave_group::LeaveGroupResponse;
use rust_mq_proto::kafka::api::list_groups::ListGroupsResponse;
use rust_mq_proto::kafka::api::offset_commit::OffsetCommitResponse;
use rust_mq_proto::kafka::api::offset_delete::OffsetDeleteResponse;
use rust_mq_proto::kafka::api::offset_fetch::OffsetFetchResponse;
use rust_mq_proto::kafka::api::sync_group::SyncGroupResponse;

/// An answer as lines; none if it is about something else.
pub fn lines(body: &ResponseBody, names: &TopicNames) -> Option<Vec<String>> {
    Some(match body {
        ResponseBody::FindCoordinator(body) => coordinators(body),
        ResponseBody::JoinGroup(body) => joined(body),
        ResponseBody::SyncGroup(body) => vec![synced(body)],
        ResponseBody::Heartbeat(body) => vec![error(body.error_code)],
        ResponseBody::LeaveGroup(body) => left(body),
        ResponseBody::OffsetCommit(body) => committed(body, names),
        ResponseBody::OffsetFetch(body) => offsets(body, names),
        ResponseBody::OffsetDelete(body) => forgotten(body),
        ResponseBody::ListGroups(body) => listed(body),
        ResponseBody::DescribeGroups(body) => body_of_groups(body),
        ResponseBody::DeleteGroups(body) => deleted(body),
        ResponseBody::ConsumerGroupHeartbeat(body) => answer_consumers::beaten(body, names),
        ResponseBody::ConsumerGroupDescribe(body) => answer_consumers::described(body),
        _ => return None,
    })
}

fn coordinators(body: &FindCoordinatorResponse) -> Vec<String> {
    if body.coordinators.is_empty() {
        return vec![if body.error_code == 0 {
            format!("n{}", body.node_id)
        } else {
            error(body.error_code)
        }];
    }
    let line = |one: &rust_mq_proto::kafka::api::find_coordinator::Coordinator| {
        let what = if one.error_code == 0 { format!("n{}", one.node_id) } else { error(one.error_code) };
        format!("{}: {what}", one.key)
    };
    body.coordinators.iter().map(line).collect()
}

fn joined(body: &JoinGroupResponse) -> Vec<String> {
    if body.error_code != 0 {
        let id = if body.member_id.is_empty() { String::new() } else { format!(", as {}", body.member_id) };
        return vec![format!("{}{id}", error(body.error_code))];
    }
    let protocol = body.protocol_name.as_deref().unwrap_or("?");
    let (generation, member) = (body.generation_id, &body.member_id);
    let leader = if body.leader.is_empty() { "nobody" } else { &body.leader };
    let skips = if body.skip_assignment { ", which has nothing to assign" } else { "" };
    let mut lines =
        vec![format!("{member} is in generation {generation} by {protocol}, led by {leader}{skips}")];
    for member in &body.members {
        let instance = member.group_instance_id.as_ref().map_or(String::new(), |one| format!(" ({one})"));
        lines.push(format!("with {}{instance}: {}", member.member_id, subscription(&member.metadata)));
    }
    lines
}

/// The topics of a consumer's subscription.
fn subscription(metadata: &[u8]) -> String {
    let mut rest = metadata.get(6..).unwrap_or_default();
    let mut topics = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let Some((name, after)) = after.split_at_checked(usize::from(u16::from_be_bytes(*length))) else {
            break;
        };
        topics.push(String::from_utf8_lossy(name).into_owned());
        rest = after;
    }
    if topics.is_empty() { "no topics".into() } else { topics.join(" ") }
}

fn synced(body: &SyncGroupResponse) -> String {
    if body.error_code != 0 {
        return error(body.error_code);
    }
    let assignment = embedded::spelled(&body.assignment);
    if assignment.is_empty() { "gets nothing".into() } else { format!("gets {assignment}") }
}

fn left(body: &LeaveGroupResponse) -> Vec<String> {
    if body.error_code != 0 || body.members.is_empty() {
        return vec![error(body.error_code)];
    }
    let line = |one: &rust_mq_proto::kafka::api::leave_group::MemberResponse| {
        let instance = one.group_instance_id.as_ref().map_or(String::new(), |name| format!(" ({name})"));
        format!("{}{instance}: {}", one.member_id, error(one.error_code))
    };
    body.members.iter().map(line).collect()
}

fn committed(body: &OffsetCommitResponse, names: &TopicNames) -> Vec<String> {
    let mut lines = Vec::new();
    for topic in &body.topics {
        let name = topic_name(&topic.name, &topic.topic_id, names);
        for part in &topic.partitions {
            lines.push(format!("{name}-{}: {}", part.partition_index, error(part.error_code)));
        }
    }
    lines
}

fn offsets(body: &OffsetFetchResponse, names: &TopicNames) -> Vec<String> {
    let mut lines = Vec::new();
    let place = |offset: i64, epoch: i32, said: &Option<String>, code: i16| match (code, offset) {
        (0, ..0) => "nothing committed".to_owned(),
        (0, _) => {
            let epoch = if epoch < 0 { String::new() } else { format!(" (epoch {epoch})") };
            let said = said.as_ref().filter(|said| !said.is_empty());
            format!("{offset}{epoch}{}", said.map_or(String::new(), |said| format!(" \"{said}\"")))
        }
        (code, _) => error(code),
    };
    for group in &body.groups {
        let id = &group.group_id;
        if group.error_code != 0 {
            lines.push(format!("{id}: {}", error(group.error_code)));
        }
        for topic in &group.topics {
            let name = topic_name(&topic.name, &topic.topic_id, names);
            for part in &topic.partitions {
                let (offset, epoch) = (part.committed_offset, part.committed_leader_epoch);
                let what = place(offset, epoch, &part.metadata, part.error_code);
                lines.push(format!("{id}: {name}-{}: {what}", part.partition_index));
            }
        }
    }
    for topic in &body.topics {
        for part in &topic.partitions {
            let (offset, epoch) = (part.committed_offset, part.committed_leader_epoch);
            let what = place(offset, epoch, &part.metadata, part.error_code);
            lines.push(format!("{}-{}: {what}", topic.name, part.partition_index));
        }
    }
    if lines.is_empty() {
        lines.push(if body.error_code == 0 { "nothing".into() } else { error(body.error_code) });
    }
    lines
}

fn forgotten(body: &OffsetDeleteResponse) -> Vec<String> {
    if body.error_code != 0 {
        return vec![error(body.error_code)];
    }
    let mut lines = Vec::new();
    for topic in &body.topics {
        for part in &topic.partitions {
            lines.push(format!("{}-{}: {}", topic.name, part.partition_index, error(part.error_code)));
        }
    }
    lines
}

fn listed(body: &ListGroupsResponse) -> Vec<String> {
    if body.error_code != 0 {
        return vec![error(body.error_code)];
    }
    let line = |one: &rust_mq_proto::kafka::api::list_groups::ListedGroup| {
        let kind = if one.protocol_type.is_empty() { "nobody's" } else { &one.protocol_type };
        format!("{}: {}, {} ({})", one.group_id, one.group_state, kind, one.group_type)
    };
    let lines: Vec<String> = body.groups.iter().map(line).collect();
    if lines.is_empty() { vec!["no groups".into()] } else { lines }
}

fn body_of_groups(body: &DescribeGroupsResponse) -> Vec<String> {
    body.groups.iter().flat_map(described).collect()
}

fn described(group: &DescribedGroup) -> Vec<String> {
    let DescribedGroup { group_id: id, group_state: state, protocol_type, protocol_data, .. } = group;
    if group.error_code != 0 {
        return vec![format!("{id}: {} {state}", error(group.error_code))];
    }
    let mut lines = vec![format!("{id}: {state} \"{protocol_type}\" \"{protocol_data}\"")];
    for member in &group.members {
        let instance = member.group_instance_id.as_ref().map_or(String::new(), |one| format!(" ({one})"));
        let (client, host) = (&member.client_id, &member.client_host);
        let assignment = embedded::spelled(&member.member_assignment);
        let topics = subscription(&member.member_metadata);
        lines.push(format!("{}{instance} of {client} at {host}: {topics} -> {assignment}", member.member_id));
    }
    lines
}

fn deleted(body: &DeleteGroupsResponse) -> Vec<String> {
    body.results.iter().map(|one| format!("{}: {}", one.group_id, error(one.error_code))).collect()
}
