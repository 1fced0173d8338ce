//! Which groups this node coordinates: those whose partition of `__consumer_offsets` it leads.

use super::Node;
use crate::group;
use crate::ids::{PartitionId, Term, TopicId, TopicPartition};
use crate::replica::Replica;
use crate::resident::Resident;
use rust_mq_proto::kafka::ErrorCode;

impl Node {
    /// Where this node coordinates a group with members.
    ///
    /// # Errors
    /// Another does, or nobody knows who yet; or the group has no name, which only one without members may.
    pub fn coordinates_members(&self, group: &str) -> Result<PartitionId, ErrorCode> {
        if group.is_empty() { Err(ErrorCode::InvalidGroupId) } else { self.coordinates(group) }
    }

    /// Where this node coordinates a group.
    ///
    /// # Errors
    /// Another does, or nobody knows who yet.
    pub fn coordinates(&self, group: &str) -> Result<PartitionId, ErrorCode> {
        let count = self.partition_count(TopicId::CONSUMER_OFFSETS);
        if count == 0 || self.is_stopping() {
            return Err(ErrorCode::NotCoordinator);
        }
        let of = group::partition_of(group, count);
        match self.residents.of(of) {
            Some(resident) if resident.is_leading() => Ok(of.partition),
            Some(resident) if resident.replica().is_leader() => Err(ErrorCode::CoordinatorLoadInProgress),
            _ => Err(ErrorCode::NotCoordinator),
        }
    }

    /// All partitions of groups that this node leads.
    ///
    /// # Errors
    /// It does not know all of them yet.
    pub fn coordinated(&self) -> Result<Vec<PartitionId>, ErrorCode> {
        let mut coordinated = Vec::new();
        for id in self.residents.of_topic(TopicId::CONSUMER_OFFSETS) {
            let Some(resident) = self.residents.get(id).filter(|one| one.replica().is_leader()) else {
                continue;
            };
            if !resident.is_leading() {
                return Err(ErrorCode::CoordinatorLoadInProgress);
            }
            coordinated.push(resident.of().partition);
        }
        Ok(coordinated)
    }

    /// A partition whose entries are commands, as who reads records sees it: it is empty, and this node leads it since
    /// that term. `None` for what has records.
    pub fn empty(&self, of: TopicPartition, epoch: i32) -> Option<Result<Term, ErrorCode>> {
        if of.topic != TopicId::CONSUMER_OFFSETS {
            return None;
        }
        let replica = self.residents.of(of).filter(|one| one.is_leading()).map(Resident::replica);
        let term =
            replica.map_or(Err(ErrorCode::NotLeaderOrFollower), |replica: &Replica| Ok(replica.term()));
        Some(term.and_then(|term| match epoch {
            -1 => Ok(term),
            asked if asked < term.epoch() => Err(ErrorCode::FencedLeaderEpoch),
            asked if asked > term.epoch() => Err(ErrorCode::UnknownLeaderEpoch),
            _ => Ok(term),
        }))
    }
}
