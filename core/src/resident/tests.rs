//! The table: both names lead to the same residents, and what they weigh is counted.

use super::{Kind, Means, Resident, Residents, unborn};
use crate::config::GroupSettings;
use crate::entry::{EntryKind, Members};
use crate::ids::{NodeId, PartitionId, ReplicaId, TopicId, TopicPartition};
use crate::level::Levels;
use crate::machine::Room;
use crate::now::Wall;
use crate::replica::Settings;
use crate::settings::{Layers, NOTHING, TopicConfig};
use bytes::Bytes;

fn of(topic: u8, number: i32) -> TopicPartition {
    TopicPartition { topic: TopicId([topic; 16]), partition: PartitionId(number) }
}

fn records(replica: u64, topic: u8, number: i32) -> Resident {
    let room = Room {
        node: NodeId(1),
        commands_bytes_max: 1 << 20,
        partitions_max: 9,
        state_bytes_max: 1 << 20,
        groups: GroupSettings::DEFAULT,
    };
    let members = Members { voters: vec![ReplicaId(replica)], learners: Vec::new() };
    let known = unborn(ReplicaId(replica), of(topic, number), members);
    let settings = Settings::new(NodeId(1), 1, 1);
    Resident::start(
        Kind::Records(TopicConfig::read(&Layers::own(&NOTHING))),
        Means { seed: 1, room, reads: Levels::BUILD.newest, level: Levels::BUILD.newest },
        settings,
        known,
    )
    .expect("nothing to contradict")
}

#[test]
fn both_names_lead_to_the_same_resident_and_seats_are_used_again() {
    let mut table = Residents::default();
    for (replica, topic, number) in [(30, 1, 0), (10, 1, 1), (20, 2, 0)] {
        table.insert(records(replica, topic, number));
    }
    assert_eq!(table.iter().map(|(id, _)| id.0).collect::<Vec<_>>(), [10, 20, 30], "by replica");
    assert_eq!(table.of_topic(TopicId([1; 16])).collect::<Vec<_>>(), [ReplicaId(30), ReplicaId(10)]);
    assert_eq!(table.partitions_from(ReplicaId(11)).map(|(id, _)| id.0).collect::<Vec<_>>(), [20, 30]);
    assert!(table.remove(ReplicaId(10)).is_some() && table.remove(ReplicaId(10)).is_none());
    assert!(table.get(ReplicaId(10)).is_none() && table.of(of(1, 1)).is_none());
    table.insert(records(40, 3, 0));
    assert_eq!(table.replica_of(of(3, 0)), Some(ReplicaId(40)));
    assert_eq!((table.partition_count(), table.replica_of(of(2, 0))), (3, Some(ReplicaId(20))));
    assert!(table.image().is_none() && table.controller().is_none());
}

#[test]
#[should_panic(expected = "a node holds one replica of a partition")]
fn two_replicas_of_a_partition_cannot_live_here() {
    let mut table = Residents::default();
    table.insert(records(1, 1, 0));
    table.insert(records(2, 1, 0));
}

#[test]
fn what_all_weigh_is_the_sum_and_goes_with_them() {
    let mut table = Residents::default();
    table.insert(records(1, 1, 0));
    table.insert(records(2, 2, 0));
    let leader = table.replica_mut(ReplicaId(1)).expect("it was added");
    leader.campaign();
    while let Some(ready) = leader.take_ready(1 << 20) {
        if ready.must_persist {
            leader.persisted(ready.number);
        }
        if let Some(last) = ready.committed.last() {
            leader.applied(last.index);
        }
    }
    leader.propose(EntryKind::Batch, Wall(0), Bytes::from_static(&[7; 500])).expect("it leads");
    let before = table.held();
    table.weigh(ReplicaId(1));
    assert!(table.held().entries_bytes >= before.entries_bytes + 500);
    assert_eq!(table.held(), table.weighed_anew());
    table.remove(ReplicaId(1));
    assert_eq!(table.held(), table.weighed_anew());
}
