//! The table of what is replicated on this node. A resident is found by its replica's id (peers, journal) or by its
//! topic and number (clients); both lead to the same place, in one look-up.
//!
//! B-trees and no hashes: they need no hasher to be fixed, and at 10,000 partitions a look-up costs about 60 ns of the
//! microseconds that a request takes. Who lives here lies in a box of its own, for it takes more than a kilobyte, and
//! half of a B-tree's places are empty.
//!
//! - Invariant: both maps name the same residents, and `image` the metadata's, while it is here.
//! - Invariant: `held` == the sum over all residents, as of when each was weighed last.

use super::{METADATA, Moment, Request, Resident, Told};
use crate::host::{Host, Replied};
use crate::ids::{Index, NodeId, PartitionId, ReplicaId, TopicId, TopicPartition};
use crate::level::{Level, Levels};
use crate::machine::{Machine, Waiter};
use crate::metadata::{Assignment, Metadata};
use crate::now::Now;
use crate::partition::{Partition, Weight};
use crate::replica::Replica;
use std::collections::BTreeMap;

/// What is replicated on this node.
#[derive(Default)]
pub struct Residents {
    seats: Vec<Option<Box<Seat>>>,
    /// Seats that nobody sits on.
    empty: Vec<usize>,
    by_replica: BTreeMap<ReplicaId, usize>,
    by_partition: BTreeMap<TopicPartition, usize>,
    /// The metadata's.
    image: Option<usize>,
    partition_count: usize,
    held: Weight,
}

struct Seat {
    resident: Resident,
    /// What it kept in memory when it was weighed last.
    weight: Weight,
}

/// Who comes and goes.
impl Residents {
    /// Takes a resident in.
    pub fn insert(&mut self, resident: Resident) {
        let (of, replica) = (resident.of(), resident.replica().id());
        let place = self.empty.pop().unwrap_or(self.seats.len());
        if place == self.seats.len() {
            self.seats.push(None);
        }
        if resident.image().is_some() {
            self.image = Some(place);
        }
        self.partition_count += usize::from(resident.records().is_some());
        let is_new = self.by_partition.insert(of, place).is_none();
        assert!(is_new, "a node holds one replica of a partition");
        let is_new = self.by_replica.insert(replica, place).is_none();
        assert!(is_new, "a replica's id is given once");
        self.seats[place] = Some(Box::new(Seat { resident, weight: Weight::default() }));
        self.weigh(replica);
    }

    /// Takes a resident out.
    pub fn remove(&mut self, replica: ReplicaId) -> Option<Resident> {
        let place = self.by_replica.remove(&replica)?;
        let Seat { resident, weight } = *self.seats[place].take()?;
        self.empty.push(place);
        self.by_partition.remove(&resident.of());
        self.image = self.image.filter(|image| *image != place);
        self.partition_count -= usize::from(resident.records().is_some());
        self.held = self.held - weight;
        Some(resident)
    }

    /// Weighs a resident to which something happened.
    pub fn weigh(&mut self, replica: ReplicaId) {
        let Some(place) = self.by_replica.get(&replica) else { return };
        let Some(seat) = &mut self.seats[*place] else { return };
        let after = seat.resident.weight();
        let before = std::mem::replace(&mut seat.weight, after);
        self.held = self.held - before + after;
    }

    /// What all keep in memory until the disk has it.
    pub fn held(&self) -> Weight {
        self.held
    }

    /// The same, counted anew.
    pub fn weighed_anew(&self) -> Weight {
        self.iter().fold(Weight::default(), |sum, (_, resident)| sum + resident.weight())
    }
}

/// Who is here.
impl Residents {
    /// By replica.
    pub fn get(&self, replica: ReplicaId) -> Option<&Resident> {
        self.at(*self.by_replica.get(&replica)?)
    }

    /// By replica, to be changed.
    pub fn get_mut(&mut self, replica: ReplicaId) -> Option<&mut Resident> {
        let place = *self.by_replica.get(&replica)?;
        self.seats[place].as_mut().map(|seat| &mut seat.resident)
    }

    /// By partition.
    pub fn of(&self, of: TopicPartition) -> Option<&Resident> {
        self.at(*self.by_partition.get(&of)?)
    }

    /// By partition, to be changed.
    pub fn of_mut(&mut self, of: TopicPartition) -> Option<&mut Resident> {
        let place = *self.by_partition.get(&of)?;
        self.seats[place].as_mut().map(|seat| &mut seat.resident)
    }

    /// A resident's replica.
    pub fn replica(&self, replica: ReplicaId) -> Option<&Replica> {
        self.get(replica).map(Resident::replica)
    }

    /// A resident's replica, to be changed.
    pub fn replica_mut(&mut self, replica: ReplicaId) -> Option<&mut Replica> {
        self.get_mut(replica).map(Resident::replica_mut)
    }

    /// Which partition a replica of this node is of.
    pub fn partition_of(&self, replica: ReplicaId) -> Option<TopicPartition> {
        self.get(replica).map(Resident::of)
    }

    /// The replica that this node holds of `of`.
    pub fn replica_of(&self, of: TopicPartition) -> Option<ReplicaId> {
        self.of(of).map(|resident| resident.replica().id())
    }

    /// The replicas that this node holds of a topic.
    pub fn of_topic(&self, topic: TopicId) -> impl Iterator<Item = ReplicaId> + '_ {
        let at = |partition| TopicPartition { topic, partition: PartitionId(partition) };
        let places = self.by_partition.range(at(0)..=at(i32::MAX)).map(|(_, place)| *place);
        places.filter_map(|place| Some(self.at(place)?.replica().id()))
    }

    /// All, by replica.
    pub fn iter(&self) -> impl Iterator<Item = (ReplicaId, &Resident)> {
        self.by_replica.iter().filter_map(|(id, place)| Some((*id, self.at(*place)?)))
    }

    /// Does something with each, by replica.
    pub fn for_each(&mut self, mut what: impl FnMut(ReplicaId, &mut Resident)) {
        for (id, place) in &self.by_replica {
            if let Some(seat) = &mut self.seats[*place] {
                what(*id, &mut seat.resident);
            }
        }
    }

    fn at(&self, place: usize) -> Option<&Resident> {
        self.seats[place].as_ref().map(|seat| &seat.resident)
    }
}

/// What needs the image beside a resident.
impl Residents {
    /// Asks a machine. Returns the replica that was asked, if it is here; a request that it is not there for is answered
    /// as by who does not lead.
    pub fn request(
        &mut self,
        now: Now,
        waiter: Waiter,
        request: Request,
        told: &mut Told<'_>,
    ) -> Option<ReplicaId> {
        let Some(place) = self.by_partition.get(&request.of()).copied() else {
            told.replied.push(Replied { waiter, reply: request.not_leader(), index: Index(0) });
            return None;
        };
        self.visit(now, place, |resident, moment| {
            resident.request(moment, waiter, request, told);
            resident.replica().id()
        })
    }

    /// After a round of `apply`, or a change of role: tells what is true now.
    pub fn settle(&mut self, now: Now, replica: ReplicaId, told: &mut Told<'_>) {
        if let Some(place) = self.by_replica.get(&replica).copied() {
            self.visit(now, place, |resident, moment| resident.settle(moment, told));
        }
    }

    /// Lets a machine see what time has brought.
    pub fn due(&mut self, now: Now, replica: ReplicaId, told: &mut Told<'_>) {
        if let Some(place) = self.by_replica.get(&replica).copied() {
            self.visit(now, place, |resident, moment| resident.due(moment, told));
        }
    }

    fn visit<T>(
        &mut self,
        now: Now,
        place: usize,
        what: impl FnOnce(&mut Resident, Moment<'_>) -> T,
    ) -> Option<T> {
        let Some(image) = self.image.filter(|image| *image != place) else {
            let seat = self.seats.get_mut(place)?.as_mut()?;
            return Some(what(&mut seat.resident, Moment { now, image: None }));
        };
        let [seat, image] = self.seats.get_disjoint_mut([place, image]).ok()?;
        let image = image.as_ref().and_then(|seat| seat.resident.image());
        Some(what(&mut seat.as_mut()?.resident, Moment { now, image }))
    }
}

/// User data.
impl Residents {
    /// By replica.
    pub fn partition(&self, replica: ReplicaId) -> Option<&Partition> {
        self.get(replica)?.records()
    }

    /// By replica, to be changed.
    pub fn partition_mut(&mut self, replica: ReplicaId) -> Option<&mut Partition> {
        self.get_mut(replica)?.records_mut()
    }

    /// By partition.
    pub fn partition_at(&self, of: TopicPartition) -> Option<&Partition> {
        self.of(of)?.records()
    }

    /// By partition, with its replica.
    pub fn placed(&self, of: TopicPartition) -> Option<(ReplicaId, &Partition)> {
        let partition = self.partition_at(of)?;
        Some((partition.replica().id(), partition))
    }

    /// By partition, to be changed.
    pub fn partition_at_mut(&mut self, of: TopicPartition) -> Option<&mut Partition> {
        self.of_mut(of)?.records_mut()
    }

    /// All, by replica.
    pub fn partitions(&self) -> impl Iterator<Item = (ReplicaId, &Partition)> {
        self.iter().filter_map(|(id, resident)| Some((id, resident.records()?)))
    }

    /// Those from a replica on, in order.
    pub fn partitions_from(&self, replica: ReplicaId) -> impl Iterator<Item = (ReplicaId, &Partition)> {
        let places = self.by_replica.range(replica..);
        places.filter_map(|(id, place)| Some((*id, self.at(*place)?.records()?)))
    }

    /// Does something with each, by replica.
    pub fn for_each_partition(&mut self, mut what: impl FnMut(ReplicaId, &mut Partition)) {
        self.for_each(|id, resident| {
            if let Some(partition) = resident.records_mut() {
                what(id, partition);
            }
        });
    }

    /// How many there are.
    pub fn partition_count(&self) -> usize {
        self.partition_count
    }
}

/// The image, and what it says of where replicas are.
impl Residents {
    /// The metadata machine on its replica, while it is here.
    pub fn metadata(&self) -> Option<&Host<Metadata>> {
        match self.at(self.image?)? {
            Resident::Metadata(host) => Some(host),
            Resident::Records(_) | Resident::Group(..) => None,
        }
    }

    /// The applied metadata.
    pub fn image(&self) -> Option<&Metadata> {
        self.metadata().map(Host::committed)
    }

    /// The cluster's feature level, as the image shows it; before there is one, the oldest that this build reads.
    pub fn level(&self) -> Level {
        self.image().map_or(Levels::BUILD.oldest, Machine::level)
    }

    /// Where the image says that the replicas of a partition are.
    pub fn members(&self, of: TopicPartition) -> impl Iterator<Item = (NodeId, ReplicaId)> + '_ {
        let own = self.image().filter(|_| of == METADATA).into_iter().flat_map(Metadata::voters);
        let assignment = self.image().and_then(|image| image.assignment(of)).into_iter();
        own.chain(assignment.flat_map(Assignment::target).map(|placed| (placed.node, placed.replica)))
    }

    /// The node that a replica of a partition is on.
    pub fn node_of(&self, of: TopicPartition, replica: ReplicaId) -> Option<NodeId> {
        self.members(of).find(|(_, member)| *member == replica).map(|(node, _)| node)
    }

    /// The replica of a partition that is on a node.
    pub fn replica_on(&self, of: TopicPartition, node: NodeId) -> Option<ReplicaId> {
        self.members(of).find(|(other, _)| *other == node).map(|(_, member)| member)
    }

    /// The node that leads the metadata partition, as far as the replica here knows.
    pub fn controller(&self) -> Option<NodeId> {
        let host = self.metadata()?;
        self.node_of(METADATA, host.replica().leader())
    }

    /// This node's replicas whose partition has a member on `node`, with that member.
    pub fn with(&self, node: NodeId) -> Vec<(ReplicaId, ReplicaId)> {
        let members = self.iter().map(|(id, resident)| (id, self.replica_on(resident.of(), node)));
        members.filter_map(|(id, member)| Some((id, member?))).collect()
    }
}
