//! `watch 1`: what a node tells those who watch it: what it leads, what went through it, which groups it coordinates; and
//! why it is not ready, if it is not. Asked for piece by piece, in pieces of each size: all say the same.

use crate::script_runner::command::Command;
use crate::script_runner::world::World;
use rust_mq_core::node::Node;
use rust_mq_core::watched::{GroupMetrics, PartitionMetrics};

pub fn run(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&[])?;
    let asked: i32 = command.number(0)?;
    let mut told = None;
    for (_, node) in world.running().filter(|(id, _)| *id == asked) {
        told = Some(lines(node));
    }
    let told = told.ok_or_else(|| format!("n{asked} does not run"))?;
    told.into_iter().for_each(|line| world.say(line));
    Ok(())
}

fn lines(node: &Node) -> Vec<String> {
    let (mut partitions, groups) = (partitions(node, 512), groups(node, 512));
    for most in 1..4 {
        assert_eq!(partitions, self::partitions(node, most), "in pieces of {most}");
        assert_eq!(groups, self::groups(node, most), "in pieces of {most}");
    }
    partitions.sort_by(|one, other| (&one.topic, one.partition.0).cmp(&(&other.topic, other.partition.0)));
    let counted = node.counted();
    let (up, all) = (counted.members.iter().filter(|member| member.is_up).count(), counted.members.len());
    let head = format!("{} of {all} nodes, {} topics, unready {:?}", up, counted.topics, node.unready());
    let partition = |told: PartitionMetrics| {
        let PartitionMetrics { topic, partition, leader, led, traffic, .. } = told;
        let led = led.map_or_else(
            || format!("led by {}", leader.map_or("nobody".into(), |node| node.to_string())),
            |led| {
                let (start, end) = (led.log_start, led.high_watermark);
                format!("leads {start}..{end}, {} of {} in sync", led.in_sync, led.replicas)
            },
        );
        let (taken, given) = (traffic.produced_records, traffic.fetched_records);
        format!("{topic}-{}: {led}; {taken} records taken, {given} given", partition.0)
    };
    let group = |told: GroupMetrics| {
        let commits = told.commits.iter().map(|commit| {
            let lag = commit.end.map_or("?".into(), |end| (end - commit.offset).to_string());
            format!(" {}-{} at {} lags {lag}", commit.topic, commit.partition.0, commit.offset)
        });
        format!("group {} of {}:{}", told.id, told.members, commits.collect::<String>())
    };
    let partitions = partitions.into_iter().map(partition);
    std::iter::once(head).chain(partitions).chain(groups.into_iter().map(group)).collect()
}

fn partitions(node: &Node, most: usize) -> Vec<PartitionMetrics> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let piece = node.count_partitions(after, most);
        assert!(piece.told.len() <= most, "a piece is bounded");
        all.extend(piece.told);
        after = piece.next;
        if after.is_none() {
            return all;
        }
    }
}

/// A group that came in several pieces is put together.
fn groups(node: &Node, most: usize) -> Vec<GroupMetrics> {
    let mut all: Vec<GroupMetrics> = Vec::new();
    let mut after = None;
    loop {
        let piece = node.count_groups(after, most);
        let looked_at: usize = piece.told.iter().map(|group| 1 + group.commits.len()).sum();
        assert!(looked_at <= most + 1, "a piece is bounded");
        for group in piece.told {
            match all.last_mut().filter(|last| last.id == group.id) {
                Some(last) => last.commits.extend(group.commits),
                None => all.push(group),
            }
        }
        after = piece.next;
        if after.is_none() {
            return all;
        }
    }
}
