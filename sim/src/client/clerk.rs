//! Clerks: administer groups that nobody is in. They commit for them, list and describe them, delete offsets and groups.

use super::Street;
use super::chance::Chance;
use super::connection::Connections;
use super::plan::TopicPlan;
use super::purpose::{Answered, Purpose};
use super::ration::Ration;
use rust_mq_proto::kafka::api::delete_groups::DeleteGroupsRequest;
use rust_mq_proto::kafka::api::describe_groups::DescribeGroupsRequest;
use rust_mq_proto::kafka::api::list_groups::ListGroupsRequest;
use rust_mq_proto::kafka::api::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use rust_mq_proto::kafka::api::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use rust_mq_proto::kafka::api::{ApiKey, ResponseBody};

/// A clerk.
#[derive(Debug)]
pub struct Clerk {
    number: usize,
    topics: Vec<TopicPlan>,
    left: Ration,
}

impl Clerk {
    /// One with groups of its own.
    pub fn new(number: usize, topics: Vec<TopicPlan>, operations: u32) -> Clerk {
        Clerk { number, topics, left: Ration::of(operations) }
    }

    /// Stops.
    pub fn calm(&mut self) {
        self.left.end();
    }

    /// Does something to one of its groups, at any node: who does not coordinate it says so.
    pub fn act(&mut self, connections: &mut Connections, chance: &mut Chance, street: &mut Street<'_>) {
        let Some(topic) = self.topics.first().filter(|_| self.left.take()) else { return };
        let site = connections.anyone(&mut chance.whom);
        let dice = chance.of(ApiKey::ListGroups);
        let group = format!("clerk{}-{}", self.number, dice.below(3));
        match dice.below(6) {
            0 => {
                let filter = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
                let request = ListGroupsRequest {
                    states_filter: if dice.coin() { filter(&["empty", "Stable"]) } else { Vec::new() },
                    types_filter: if dice.coin() { filter(&["classic"]) } else { Vec::new() },
                };
                connections.request(site, &request, Purpose::Group, street);
            }
            1 => {
                let request =
                    DescribeGroupsRequest { groups: vec![group], include_authorized_operations: dice.coin() };
                connections.request(site, &request, Purpose::Group, street);
            }
            2 => {
                let partitions = vec![OffsetDeleteRequestPartition { partition_index: 0 }];
                let topics = vec![OffsetDeleteRequestTopic { name: topic.name.clone(), partitions }];
                let request = OffsetDeleteRequest { group_id: group, topics };
                connections.request(site, &request, Purpose::Group, street);
            }
            3 => {
                let request = DeleteGroupsRequest { groups_names: vec![group] };
                connections.request(site, &request, Purpose::Group, street);
            }
            _ => {
                let partition = OffsetCommitRequestPartition {
                    partition_index: 0,
                    committed_offset: dice.below(1_000) as i64,
                    committed_leader_epoch: -1,
                    committed_metadata: Some("a clerk".into()),
                };
                let topic_id = street.ids.newest(&topic.name).unwrap_or_default();
                let name = topic.name.clone();
                let request = OffsetCommitRequest {
                    group_id: group,
                    generation_id_or_member_epoch: -1,
                    member_id: String::new(),
                    group_instance_id: None,
                    retention_time_ms: if dice.below(4) == 0 { 10_000 } else { -1 },
                    topics: vec![OffsetCommitRequestTopic { name, topic_id, partitions: vec![partition] }],
                };
                connections.request(site, &request, Purpose::Group, street);
            }
        }
    }

    /// An answer, or the loss of one.
    pub fn settle(&mut self, answered: &Answered, street: &mut Street<'_>) {
        let mark = match &answered.body {
            Some(ResponseBody::DeleteGroups(body)) if body.results.iter().any(|one| one.error_code == 0) => {
                "client.deleted_a_group"
            }
            Some(ResponseBody::OffsetCommit(_)) => "client.committed_for_nobody",
            _ => return,
        };
        street.marks.hit(mark);
        *street.completed += 1;
    }
}
