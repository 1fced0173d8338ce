//! Where replicas go: round robin over the members, starting where the partitions that exist already end, so
//! that many one-partition topics spread as well as one topic of many partitions. Kafka starts at a random
//! node instead; a count needs no chance.

use super::Placed;
use crate::ids::{NodeId, ReplicaId};

/// For each of `partitions` partitions the nodes of its `replication_factor` replicas, the preferred leader
/// first. `nodes` is not shorter than the replication factor.
pub fn spread(
    nodes: &[NodeId],
    start: u64,
    partitions: usize,
    replication_factor: usize,
) -> Vec<Vec<NodeId>> {
    assert!(replication_factor <= nodes.len(), "a node holds at most one replica of a partition");
    let first = usize::try_from(start % nodes.len().max(1) as u64).unwrap_or(0);
    (0..partitions)
        .map(|number| {
            (0..replication_factor).map(|rank| nodes[(first + number + rank) % nodes.len()]).collect()
        })
        .collect()
}

/// Gives each place a replica id of its own, from `next` on, and says which is free then.
pub fn number(placement: &[Vec<NodeId>], next: u64) -> (Vec<Vec<Placed>>, u64) {
    let mut next = next;
    let mut give = |node: NodeId| {
        next += 1;
        Placed { replica: ReplicaId(next - 1), node }
    };
    let placed = placement.iter().map(|nodes| nodes.iter().map(|node| give(*node)).collect()).collect();
    (placed, next)
}
