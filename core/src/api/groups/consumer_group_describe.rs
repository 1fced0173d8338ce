//! ConsumerGroupDescribe: all about consumer groups, as their coordinator sees them, confirmed by a majority. A group of
//! the classic protocol is none: whoever asks for it so asks again with DescribeGroups.

use super::{Several, ask_parts};
use crate::api::desk::Desk;
use crate::api::operations;
use crate::api::origin::Origin;
use crate::group::{ConsumerDescription, ConsumerMember, Partitions, Reply, Request};
use crate::node::Node;
use crate::now::Now;
use rust_mq_proto::kafka::ErrorCode;
use rust_mq_proto::kafka::api::consumer_group_describe::{
    Assignment, ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, DescribedGroup, Member,
    TopicPartitions,
};

/// Which protocol a member speaks: the classic one, or KIP-848's.
const CLASSIC: i8 = 0;
const CONSUMER: i8 = 1;

/// What is wanted.
pub(in crate::api) struct Wanted {
    groups: Vec<String>,
    with_operations: bool,
}

pub(super) fn handle(
    desk: &mut Desk,
    node: &mut Node,
    now: Now,
    origin: Origin,
    request: ConsumerGroupDescribeRequest,
) {
    let parts = request.group_ids.iter().map(|group| {
        let at = node.coordinates_members(group).map_err(Reply::Done)?;
        Ok((at, Request::DescribeConsumers { group: group.clone() }))
    });
    let parts = parts.collect();
    let wanted = Wanted { groups: request.group_ids, with_operations: request.include_authorized_operations };
    ask_parts(desk, node, now, origin, Several::DescribeConsumers(wanted), parts);
}

pub(super) fn answer(desk: &mut Desk, node: &mut Node, origin: Origin, wanted: Wanted, replies: Vec<Reply>) {
    let authorized_operations = operations::of_group(wanted.with_operations);
    let groups = wanted.groups.into_iter().zip(replies).map(|(group_id, reply)| {
        let (code, error_message) = match reply {
            Reply::ConsumersDescribed(Some(description)) => {
                return DescribedGroup { authorized_operations, ..described(node, group_id, *description) };
            }
            Reply::ConsumersDescribed(None) => {
                let why = format!("Group {group_id} is not a consumer group.");
                (ErrorCode::GroupIdNotFound, Some(why))
            }
            Reply::Done(code) => (code, None),
            _ => (ErrorCode::NotCoordinator, None),
        };
        DescribedGroup { error_code: code.code(), error_message, group_id, ..Default::default() }
    });
    let response = ConsumerGroupDescribeResponse { groups: groups.collect(), ..Default::default() };
    desk.answer(node, origin, &response);
}

fn described(node: &Node, group_id: String, description: ConsumerDescription) -> DescribedGroup {
    let members = description.members.into_iter().map(|(id, member)| told(node, id, member));
    DescribedGroup {
        group_id,
        group_state: description.state.into(),
        group_epoch: description.epoch,
        assignment_epoch: description.assignment_epoch,
        assignor_name: description.assignor.name().into(),
        members: members.collect(),
        ..Default::default()
    }
}

fn told(node: &Node, member_id: String, member: ConsumerMember) -> Member {
    let ConsumerMember { about, current, target } = member;
    let is_classic = about.classic.is_some();
    Member {
        member_id,
        instance_id: about.instance,
        rack_id: about.rack,
        member_epoch: current.epoch,
        client_id: about.client_id,
        client_host: about.client_host,
        subscribed_topic_names: about.names,
        subscribed_topic_regex: Some(about.pattern).filter(|pattern| !pattern.is_empty()),
        assignment: assignment(node, &current.assigned.partitions()),
        target_assignment: assignment(node, &target),
        member_type: if is_classic { CLASSIC } else { CONSUMER },
    }
}

/// Partitions with their topics' names; of a topic that is gone nothing is told.
fn assignment(node: &Node, partitions: &Partitions) -> Assignment {
    let topics = partitions.topics().filter_map(|(id, partitions)| {
        let topic = node.image()?.topic(id)?;
        let partitions = partitions.iter().copied().collect();
        Some(TopicPartitions { topic_id: id.0, topic_name: topic.name.clone(), partitions })
    });
    Assignment { topic_partitions: topics.collect() }
}
