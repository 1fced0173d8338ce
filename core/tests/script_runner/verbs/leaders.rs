//! `leaders`: of each partition, who leads in which term, as the replicas themselves know.

use crate::script_runner::command::Command;
use crate::script_runner::world::World;
use rust_mq_core::ids::{NodeId, ReplicaId, TopicPartition};
use rust_mq_core::node::Node;
use rust_mq_core::replica::Replica;

/// One replica's knowledge.
pub struct View {
    /// The node it is on.
    pub node: i32,
    /// Its term.
    pub term: u64,
    /// Whether it leads and has applied an entry of its term.
    pub is_leading: bool,
    /// Who it thinks leads.
    pub leader: Option<i32>,
}

pub fn run(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&[])?;
    let mut lines = vec![format!("metadata: {}", line(&views(world, None)))];
    let mut partitions = Vec::new();
    for (_, node) in world.running() {
        for (_, topic) in node.image().into_iter().flat_map(|image| image.topics()) {
            let numbers = 0..i32::try_from(topic.partitions.len()).expect("a story has few partitions");
            partitions.extend(numbers.map(|number| (topic.name.clone(), number)));
        }
    }
    partitions.sort();
    partitions.dedup();
    for partition in partitions {
        let line = line(&views(world, Some(&partition)));
        lines.push(format!("{}-{}: {line}", partition.0, partition.1));
    }
    lines.into_iter().for_each(|line| world.say(line));
    Ok(())
}

/// What each running node knows of that partition; `None` is the metadata partition.
pub fn views(world: &World, partition: Option<&(String, i32)>) -> Vec<View> {
    world.running().filter_map(|(id, node)| view(id, node, partition)).collect()
}

fn view(id: i32, node: &Node, partition: Option<&(String, i32)>) -> Option<View> {
    let (replica, is_leading, leader) = match partition {
        None => {
            let host = node.metadata()?;
            (host.replica(), host.is_leading(), node.controller())
        }
        Some((topic, number)) => {
            let of = node.named(topic, *number).ok()?;
            let resident = node.residents().of(of)?;
            let replica = resident.replica();
            (replica, resident.is_leading(), node_of(node, of, replica))
        }
    };
    Some(View { node: id, term: replica.term().0, is_leading, leader: leader.map(|node| node.0) })
}

fn node_of(node: &Node, of: TopicPartition, replica: &Replica) -> Option<NodeId> {
    let leader: ReplicaId = replica.leader();
    node.image()?.assignment(of)?.node_of(leader)
}

fn line(views: &[View]) -> String {
    let part = |view: &View| match view.leader {
        Some(leader) if leader == view.node && view.is_leading => {
            format!("n{} leads in epoch {}", view.node, view.term)
        }
        Some(leader) if leader == view.node => format!("n{} begins epoch {}", view.node, view.term),
        Some(leader) => format!("n{} follows n{leader} in epoch {}", view.node, view.term),
        None => format!("n{} knows no leader in epoch {}", view.node, view.term),
    };
    views.iter().map(part).collect::<Vec<_>>().join(", ")
}
