//! Groups: which there are, who is in them, and how far they have come.

use super::{Admin, TopicPartition, assignment};
use crate::client::To;
use crate::machine::error::Error;
use rust_mq_proto::grpc;
use std::collections::BTreeMap;
use tokio::task::JoinSet;

/// All groups, as far as they could be asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Groups {
    /// Those that were told, by id.
    pub groups: Vec<GroupInList>,
    /// Nodes that did not answer, and why: groups that they coordinate are missing. A node that is dead coordinates none,
    /// once others have noticed.
    pub silent: Vec<(i32, Error)>,
}

/// A group in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupInList {
    /// Its id.
    pub id: String,
    /// Its state: `Stable`, `Empty` and so on.
    pub state: String,
    /// `classic` or `consumer`: who shares out, a member or the coordinator.
    pub kind: String,
    /// What kind of members it has: `consumer`, mostly.
    pub protocol_type: String,
    /// The node that coordinates it.
    pub coordinator: i32,
}

/// A group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its id.
    pub id: String,
    /// Its state: `Stable`, `PreparingRebalance`, `Empty` and so on.
    pub state: String,
    /// `classic` or `consumer`: who shares out, a member or the coordinator.
    pub kind: String,
    /// How it shares out: the chosen protocol, or the coordinator's assignor.
    pub assignor: String,
    /// Its members.
    pub members: Vec<Member>,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its id.
    pub id: String,
    /// Its own name for itself that outlives it, if it has one.
    pub instance_id: Option<String>,
    /// What its client calls itself.
    pub client_id: String,
    /// Where its client is.
    pub host: String,
    /// What it reads; none if the members agree on a form that only they know.
    pub assigned: Option<Vec<TopicPartition>>,
}

/// How far a group has come in one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The offset to go on with.
    pub offset: i64,
    /// The leader epoch that was committed with it, if one was.
    pub leader_epoch: Option<i32>,
    /// The note that was committed with it.
    pub metadata: String,
}

impl Admin {
    /// All groups by id: every node is asked for those that it coordinates, all nodes at once.
    ///
    /// # Errors
    /// Nobody told which nodes there are. A node that does not answer is in what comes back.
    pub async fn groups(&self) -> Result<Groups, Error> {
        let mut asked = JoinSet::new();
        for node in self.cluster().await?.nodes {
            let admin = self.clone();
            asked.spawn(async move { (node.node_id, admin.groups_of(node.node_id).await) });
        }
        let (mut groups, mut silent) = (BTreeMap::new(), BTreeMap::new());
        // A task that panicked has told nothing.
        while let Some(told) = asked.join_next().await {
            match told {
                Ok((_, Ok(told))) => groups.extend(told.into_iter().map(|group| (group.id.clone(), group))),
                Ok((node, Err(error))) => drop(silent.insert(node, error)),
                Err(_) => {}
            }
        }
        Ok(Groups { groups: groups.into_values().collect(), silent: silent.into_iter().collect() })
    }

    /// The groups that a node coordinates. A node that cannot be reached is not waited for.
    async fn groups_of(&self, node: i32) -> Result<Vec<GroupInList>, Error> {
        let mut patience = self.client.patience();
        let told = loop {
            let within = patience.left().min(self.client.settings().call_timeout);
            let asked = grpc::ListGroupsRequest::default();
            match self.client.ask_once(To::Node(node), asked, within).await {
                Ok(told) => break told,
                Err(error @ Error::Unreachable { .. }) => return Err(error),
                Err(error) => patience.wait(error).await?,
            }
        };
        let listed = |group: grpc::ListedGroup| GroupInList {
            id: group.group_id,
            state: group.state,
            kind: group.r#type,
            protocol_type: group.protocol_type,
            coordinator: node,
        };
        Ok(told.groups.into_iter().map(listed).collect())
    }

    /// One group.
    ///
    /// # Errors
    /// GROUP_ID_NOT_FOUND if there is none of that id.
    pub async fn group(&self, id: &str) -> Result<Group, Error> {
        let asked = grpc::DescribeGroupRequest { group_id: id.to_owned() };
        let told = self.ask(To::Coordinator(id), asked).await?;
        let is_classic = told.r#type == "classic";
        let members = told.members.into_iter().map(|told| member(told, is_classic));
        let mut members: Vec<Member> = members.collect();
        members.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(Group {
            id: told.group_id,
            state: told.state,
            kind: told.r#type,
            assignor: told.protocol,
            members,
        })
    }

    /// Deletes a group without members, with its offsets.
    ///
    /// # Errors
    /// GROUP_ID_NOT_FOUND; NON_EMPTY_GROUP if it has members.
    pub async fn delete_group(&self, id: &str) -> Result<(), Error> {
        let asked = grpc::DeleteGroupRequest { group_id: id.to_owned() };
        self.ask(To::Coordinator(id), asked).await.map(drop)
    }

    /// How far a group has come, in all partitions of which something is committed. A group that is not there has come
    /// nowhere.
    ///
    /// # Errors
    /// Its coordinator did not answer.
    pub async fn committed(&self, id: &str) -> Result<BTreeMap<TopicPartition, Committed>, Error> {
        let asked = grpc::FetchOffsetRequest { group_id: id.to_owned(), ..Default::default() };
        let told = self.ask(To::Coordinator(id), asked).await?;
        let mut committed = BTreeMap::new();
        for offset in told.offsets {
            Error::refused("the coordinator", offset.error)?;
            if offset.offset >= 0 {
                let told = Committed {
                    offset: offset.offset,
                    leader_epoch: (offset.leader_epoch >= 0).then_some(offset.leader_epoch),
                    metadata: offset.metadata,
                };
                committed.insert(TopicPartition::new(offset.topic, offset.partition), told);
            }
        }
        Ok(committed)
    }

    /// Says how far a group has come. It must have no members: those would not notice.
    ///
    /// # Errors
    /// UNKNOWN_MEMBER_ID if it has members; the first partition's that was refused. Those before it may be committed.
    pub async fn commit(&self, id: &str, offsets: &BTreeMap<TopicPartition, i64>) -> Result<(), Error> {
        if offsets.is_empty() {
            return Ok(());
        }
        let offsets = offsets.iter().map(|(of, offset)| grpc::OffsetToCommit {
            topic: of.topic.clone(),
            partition: of.partition,
            offset: *offset,
            ..Default::default()
        });
        let asked = grpc::CommitOffsetRequest {
            group_id: id.to_owned(),
            offsets: offsets.collect(),
            ..Default::default()
        };
        let told = self.ask(To::Coordinator(id), asked).await?;
        told.partitions.into_iter().try_for_each(|part| Error::refused("the coordinator", part.error))
    }

    /// Forgets how far a group has come in those partitions.
    ///
    /// # Errors
    /// GROUP_ID_NOT_FOUND; GROUP_SUBSCRIBED_TO_TOPIC where it has members that read it.
    pub async fn forget_committed(&self, id: &str, partitions: &[TopicPartition]) -> Result<(), Error> {
        let partitions = partitions.iter();
        let partitions = partitions
            .map(|of| grpc::TopicPartition { topic: of.topic.clone(), partition: of.partition })
            .collect();
        let asked = grpc::DeleteOffsetRequest { group_id: id.to_owned(), partitions };
        let told = self.ask(To::Coordinator(id), asked).await?;
        told.partitions.into_iter().try_for_each(|part| Error::refused("the coordinator", part.error))
    }
}

fn member(told: grpc::GroupMember, is_classic: bool) -> Member {
    let assigned = match is_classic {
        true => assignment::partitions(&told.assignment),
        false => {
            let of = |topic: grpc::TopicPartitions| {
                let name = topic.topic;
                topic
                    .partitions
                    .into_iter()
                    .map(move |partition| TopicPartition::new(name.clone(), partition))
            };
            Some(told.assigned.into_iter().flat_map(of).collect())
        }
    };
    Member {
        id: told.member_id,
        instance_id: Some(told.group_instance_id).filter(|id| !id.is_empty()),
        client_id: told.client_id,
        host: told.client_host,
        assigned,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_member_reads_is_told_of_both_types() {
        let parts = grpc::TopicPartitions { topic: "t".into(), partitions: vec![1, 2] };
        let told = grpc::GroupMember { assigned: vec![parts], ..Default::default() };
        let expected = vec![TopicPartition::new("t", 1), TopicPartition::new("t", 2)];
        assert_eq!(member(told, false).assigned, Some(expected));
        let own = grpc::GroupMember { assignment: "a form of its own".into(), ..Default::default() };
        assert_eq!(member(own, true).assigned, None);
    }
}
