//! What a node tells those who watch it: gathered when it is asked for, from what its rooms count as they go.
//!
//! Nothing here changes anything, or is asked of another node. So a coordinator knows how far a group lags only where it
//! has a replica of the partition itself; in a cluster that is no larger than the replication factor that is everywhere.

use super::Node;
use super::founding::Stage;
use crate::connection::PURPOSES;
use crate::group::{Group, Groups, OffsetKey, State};
use crate::ids::{PartitionId, ReplicaId, TopicId, TopicPartition};
use crate::metadata::is_of_machine;
use crate::mutant::Mutant;
use crate::partition::Partition;
use crate::resident::Resident;
use crate::watched::{
    BudgetMetrics, CommitMetrics, DiskMetrics, GroupMetrics, GroupPlace, LedMetrics, MemberMetrics,
    NodeMetrics, PartitionMetrics, Piece, Unready,
};

/// The node as a whole.
impl Node {
    /// Why it is not to be asked for anything, or not for everything.
    pub fn unready(&self) -> Vec<Unready> {
        let stage = self.membership.stage();
        let starting = self.unstarted.count() as u64;
        let has_recovered = !matches!(stage, Stage::Recovering | Stage::Identifying);
        let is_full = has_recovered && !self.takes_records();
        let reasons = [
            (!has_recovered, Unready::Recovering),
            (matches!(stage, Stage::Alone | Stage::Joining(_)), Unready::NoMember),
            (self.membership.is_outside(), Unready::TurnedAway),
            (stage == Stage::Member && self.controller().is_none(), Unready::NoController),
            (stage == Stage::Member && !self.service.has_said_serving(), Unready::NotServing),
            (starting > 0, Unready::Starting { replicas: starting }),
            (is_full, Unready::DiskFull),
            (!is_full && self.handing_over.is_node_reluctant(), Unready::DiskSlow),
            (self.is_stopping(), Unready::Stopping),
        ];
        reasons.into_iter().filter(|(is_so, _)| *is_so).map(|(_, reason)| reason).collect()
    }

    /// What it has counted, but for requests.
    pub fn counted(&self) -> NodeMetrics {
        let topics = self.image().into_iter().flat_map(|image| image.topics());
        let sizes = topics.filter(|(id, _)| !is_of_machine(*id)).map(|(_, topic)| topic.partitions.len());
        let (topics, partitions) = sizes.fold((0, 0), |(topics, all), size| (topics + 1, all + size as u64));
        let members = self.config.members.iter().map(|member| MemberMetrics {
            node: member.node,
            address: member.api.clone(),
            is_up: self.is_alive(member.node),
        });
        NodeMetrics {
            cluster: self.cluster(),
            level: self.level(),
            is_serving: self.is_serving(),
            controller: self.controller(),
            members: members.collect(),
            topics,
            partitions,
            replicas: self.residents.partition_count() as u64,
            starting: self.unstarted.count() as u64,
            clients: self.connections.counted(),
            budget: self.counted_budget(),
            requests: Vec::new(),
            raft: self.raft,
            disk: DiskMetrics {
                is_troubled: self.handing_over.is_node_reluctant(),
                ..self.ports.storage.counted()
            },
        }
    }

    fn counted_budget(&self) -> BudgetMetrics {
        let (starved, refused) = self.connections.starved();
        BudgetMetrics {
            capacity_bytes: self.budget.capacity_bytes(),
            used_bytes: PURPOSES.map(|purpose| self.budget.used(purpose)),
            starved,
            refused,
        }
    }
}

/// Its replicas.
impl Node {
    /// So many of them at most, and after which to go on.
    pub fn count_partitions(
        &self,
        after: Option<ReplicaId>,
        most: usize,
    ) -> Piece<PartitionMetrics, ReplicaId> {
        let first = after.map_or(ReplicaId(0), |last| ReplicaId(last.0.saturating_add(1)));
        let mut left = self.residents.partitions_from(first);
        let taken: Vec<(ReplicaId, &Partition)> = left.by_ref().take(most).collect();
        let next = taken.last().map(|(last, _)| *last).filter(|_| left.next().is_some());
        Piece { told: taken.into_iter().map(|(id, partition)| self.count_one(id, partition)).collect(), next }
    }

    fn count_one(&self, id: ReplicaId, partition: &Partition) -> PartitionMetrics {
        let of = partition.of();
        let assignment = self.image().and_then(|image| image.assignment(of));
        let replicas = assignment.map_or(0, |assignment| assignment.target().len());
        let preferred = assignment.and_then(|assignment| assignment.target().first());
        let led = partition.is_leading().then(|| LedMetrics {
            siblings: self.partition_count(of.topic) as u32,
            log_start: partition.log_start().0,
            high_watermark: if self.is_planted(Mutant::ProposedIsTold) {
                partition.log_end().0
            } else {
                partition.high_watermark().0
            },
            replicas: replicas as u32,
            in_sync: self.in_sync_nodes(of).map_or(0, |nodes| nodes.len() as u32),
            is_preferred: preferred.is_some_and(|placed| placed.node == self.config.node),
        });
        let leader = self.leader_of(of).filter(|(_, node)| self.is_alive(*node));
        PartitionMetrics {
            topic: self.name_of(of.topic),
            partition: of.partition,
            leader: leader.map(|(_, node)| node),
            term: partition.replica().term(),
            led,
            bytes: self.ports.storage.extent(id).map_or(0, |extent| extent.bytes),
            traffic: partition.traffic(),
        }
    }

    fn name_of(&self, topic: TopicId) -> String {
        self.image().map_or_else(|| topic.to_string(), |image| image.name_of(topic))
    }
}

/// The groups that it coordinates.
impl Node {
    /// As many as make so many with their commits, at least one of them, and after which to go on.
    pub fn count_groups(&self, after: Option<GroupPlace>, most: usize) -> Piece<GroupMetrics, GroupPlace> {
        let mut told = Vec::new();
        let mut left = most;
        let first = after.as_ref().map_or(PartitionId(0), |place| place.partition);
        for id in self.residents.of_topic(TopicId::CONSUMER_OFFSETS) {
            let Some(Resident::Group(partition, host)) = self.residents.get(id) else { continue };
            if *partition < first || !host.is_leading() {
                continue;
            }
            let begun = after.as_ref().filter(|place| place.partition == *partition);
            for (id, group) in host.committed().groups_from(begun.map_or("", |place| &place.group)) {
                let begun = begun.filter(|place| place.group == *id);
                if begun.is_some_and(|place| place.commit.is_none()) {
                    continue;
                }
                let from = begun.and_then(|place| place.commit);
                let (counted, last) = self.count_group(host.committed(), id, group, from, left);
                left = left.saturating_sub(1 + counted.commits.len());
                told.push(counted);
                if left == 0 || last.is_some() {
                    let next = GroupPlace { partition: *partition, group: id.clone(), commit: last };
                    return Piece { told, next: Some(next) };
                }
            }
        }
        Piece { told, next: None }
    }

    /// A group with at most so many of its commits, and the last of these if there are more.
    fn count_group(
        &self,
        groups: &Groups,
        id: &str,
        group: &Group,
        after: Option<(TopicId, i32)>,
        most: usize,
    ) -> (GroupMetrics, Option<(TopicId, i32)>) {
        let (topic, partition) = after.unwrap_or((TopicId::ZERO, i32::MIN));
        let first = OffsetKey { group: group.number, topic, partition };
        let mut left = groups.offsets_from(first).filter(|(key, _)| after.is_none() || *key != first);
        let taken: Vec<_> = left.by_ref().take(most.max(1)).collect();
        let last = taken.last().map(|(key, _)| (key.topic, key.partition)).filter(|_| left.next().is_some());
        let commits = taken.into_iter().filter_map(|(key, committed)| {
            let of = TopicPartition { topic: key.topic, partition: PartitionId(key.partition) };
            let topic = self.image()?.topic(key.topic)?.name.clone();
            let end = self.residents.partition_at(of).map(|partition| partition.high_watermark().0);
            Some(CommitMetrics { topic, partition: of.partition, offset: committed.offset, end })
        });
        let members = match &group.state {
            State::Simple => 0,
            State::Classic(classic) => classic.members,
            State::Consumer(consumer) => consumer.members,
        };
        (GroupMetrics { id: id.to_owned(), members, commits: commits.collect() }, last)
    }
}
