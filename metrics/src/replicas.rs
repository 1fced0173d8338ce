//! What is kept of the replicas of a node: the partitions that it leads one by one, up to a bound, and sums.

use crate::{OTHERS, PARTITIONS_MAX, TOPICS_MAX};
use rust_mq_core::ids::NodeId;
use rust_mq_core::watched::{LedMetrics, PartitionMetrics, Traffic};
use std::collections::BTreeMap;

/// All replicas of a node.
#[derive(Debug, Default)]
pub struct Replicas {
    /// Partitions that it leads.
    pub(crate) led: u64,
    /// Partitions without a leader that is there.
    pub leaderless: u64,
    /// Those that it leads with fewer in sync than there are.
    pub(crate) under_replicated: u64,
    /// Those that it leads, as far as they are told one by one.
    pub(crate) told: Vec<Led>,
    /// The others.
    pub(crate) others: Option<Sum>,
    /// By topic, as far as topics are told one by one.
    pub(crate) topics: BTreeMap<String, Topic>,
}

/// A partition that this node leads.
#[derive(Debug)]
pub(crate) struct Led {
    pub topic: String,
    pub partition: i32,
    pub leader: Option<NodeId>,
    pub as_led: LedMetrics,
}

/// Several partitions together.
#[derive(Debug, Default)]
pub(crate) struct Sum {
    pub current_offset: i64,
    pub oldest_offset: i64,
    pub replicas: u64,
    pub in_sync: u64,
    pub under_replicated: u64,
}

/// A topic, as far as this node has it.
#[derive(Debug, Default)]
pub(crate) struct Topic {
    /// How many partitions it has, if this node leads the first of them.
    pub partitions: Option<u64>,
    pub bytes: u64,
    pub traffic: Traffic,
}

impl Replicas {
    /// Takes one in.
    pub fn add(&mut self, replica: PartitionMetrics) {
        self.leaderless += u64::from(replica.leader.is_none());
        let PartitionMetrics { topic, partition, leader, led, bytes, traffic, .. } = replica;
        let siblings = led.filter(|_| partition.0 == 0).map(|led| u64::from(led.siblings));
        self.topic(&topic).add(siblings, bytes, &traffic);
        if let Some(as_led) = led {
            self.led += 1;
            self.under_replicated += u64::from(is_under_replicated(&as_led));
            if self.told.len() < PARTITIONS_MAX {
                self.told.push(Led { topic, partition: partition.0, leader, as_led });
            } else {
                self.others.get_or_insert_default().add(&as_led);
            }
        }
    }

    fn topic(&mut self, name: &str) -> &mut Topic {
        let is_told = self.topics.contains_key(name) || self.topics.len() < TOPICS_MAX;
        self.topics.entry(if is_told { name } else { OTHERS }.to_owned()).or_default()
    }
}

impl Topic {
    fn add(&mut self, partitions: Option<u64>, bytes: u64, traffic: &Traffic) {
        self.partitions = match (self.partitions, partitions) {
            (Some(one), Some(other)) => Some(one + other),
            (one, other) => one.or(other),
        };
        self.bytes += bytes;
        self.traffic.produced_records += traffic.produced_records;
        self.traffic.produced_bytes += traffic.produced_bytes;
        self.traffic.fetched_records += traffic.fetched_records;
        self.traffic.fetched_bytes += traffic.fetched_bytes;
    }
}

impl Sum {
    fn add(&mut self, led: &LedMetrics) {
        self.current_offset += led.high_watermark;
        self.oldest_offset += led.log_start;
        self.replicas += u64::from(led.replicas);
        self.in_sync += u64::from(led.in_sync);
        self.under_replicated += u64::from(is_under_replicated(led));
    }
}

/// Whether fewer are in sync than there are.
pub(crate) fn is_under_replicated(led: &LedMetrics) -> bool {
    led.in_sync < led.replicas
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use rust_mq_core::ids::{PartitionId, Term};

    pub fn replica(topic: &str, partition: i32, is_led: bool) -> PartitionMetrics {
        let led = LedMetrics {
            siblings: 3,
            log_start: 2,
            high_watermark: 10,
            replicas: 3,
            in_sync: 2,
            is_preferred: true,
        };
        PartitionMetrics {
            topic: topic.to_owned(),
            partition: PartitionId(partition),
            leader: is_led.then_some(NodeId(1)),
            term: Term(4),
            led: is_led.then_some(led),
            bytes: 100,
            traffic: Traffic { produced_records: 1, produced_bytes: 2, fetched_records: 3, fetched_bytes: 4 },
        }
    }

    #[test]
    fn what_is_beyond_a_bound_is_told_together_and_nothing_is_lost() {
        let mut replicas = Replicas::default();
        let count = PARTITIONS_MAX + 7;
        for number in 0..count {
            replicas.add(replica(&format!("t-{}", number / 2), (number % 2) as i32, true));
        }
        replicas.add(replica("t-0", 2, false));
        assert_eq!(replicas.led, count as u64);
        assert_eq!((replicas.leaderless, replicas.under_replicated), (1, count as u64));
        assert_eq!(replicas.told.len(), PARTITIONS_MAX);
        let others = replicas.others.expect("there are others");
        assert_eq!((others.current_offset, others.oldest_offset, others.under_replicated), (70, 14, 7));
        assert_eq!(replicas.topics.len(), TOPICS_MAX + 1);
        let bytes: u64 = replicas.topics.values().map(|topic| topic.bytes).sum();
        assert_eq!(bytes, 100 * (count as u64 + 1));
        let first = &replicas.topics["t-0"];
        assert_eq!((first.partitions, first.bytes), (Some(3), 300), "a topic that is told stays so");
    }
}
