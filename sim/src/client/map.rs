//! A client's picture of the cluster: topic ids, partitions, and who leads what, as real clients keep it: an
//! older leader epoch never replaces a newer one. A stubborn client believes a change of leaders only when it
//! has met it twice.

use super::Street;
use super::plan::TopicPlan;
use crate::clock::{MILLI, Moment, SECOND};
use rust_mq_proto::kafka::api::metadata::MetadataResponse;
use std::collections::BTreeMap;

/// The picture.
#[derive(Debug)]
pub struct Map {
    topics: BTreeMap<String, Topic>,
    sites: usize,
    is_stubborn: bool,
    is_stale: bool,
    asked_at: Option<Moment>,
    /// Sites that are sound for good; known in the calm only.
    core: Option<Vec<usize>>,
    /// Sites that a fault holds for ever; known in the calm only.
    broken: Vec<usize>,
    plans: Vec<TopicPlan>,
}

/// A topic.
#[derive(Clone, Debug, Default)]
pub struct Topic {
    /// Its id.
    pub id: [u8; 16],
    /// Its partitions.
    pub partitions: BTreeMap<i32, Leader>,
}

/// Who leads a partition.
#[derive(Clone, Debug, Default)]
pub struct Leader {
    /// On which site.
    pub site: Option<usize>,
    /// In which epoch.
    pub epoch: i32,
    doubts: u32,
    /// Where its replicas are.
    replicas: Vec<usize>,
}

impl Map {
    /// An empty map of a cluster of so many sites.
    pub fn new(sites: usize, is_stubborn: bool, plans: Vec<TopicPlan>) -> Map {
        Map {
            plans,
            topics: BTreeMap::new(),
            sites,
            is_stubborn,
            is_stale: true,
            asked_at: None,
            core: None,
            broken: Vec::new(),
        }
    }

    /// A map of nothing, for what is told to nobody.
    pub fn nowhere() -> Map {
        Map::new(0, false, Vec::new())
    }

    /// Who leads a partition, if that is known.
    pub fn leader(&self, name: &str, partition: i32) -> Option<&Leader> {
        self.topics.get(name)?.partitions.get(&partition)
    }

    /// A topic, if it is known.
    pub fn topic(&self, name: &str) -> Option<&Topic> {
        self.topics.get(name)
    }

    /// The name of a topic id.
    pub fn name_of(&self, id: [u8; 16]) -> Option<&str> {
        self.topics.iter().find(|(_, topic)| topic.id == id).map(|(name, _)| name.as_str())
    }

    /// Whether it should be asked for again.
    pub fn is_wanted(&self, now: Moment) -> bool {
        let pause = if self.is_stale { 100 * MILLI } else { 5 * SECOND };
        self.asked_at.is_none_or(|at| now.since(at) >= pause)
    }

    /// It is being asked for.
    pub fn asked(&mut self, now: Moment) {
        self.asked_at = Some(now);
        self.is_stale = false;
    }

    /// It was wrong about a partition, or about everything.
    pub fn doubt(&mut self, name: &str, partition: i32) {
        self.is_stale = true;
        if let Some(topic) = self.topics.get_mut(name)
            && let Some(leader) = topic.partitions.get_mut(&partition)
        {
            leader.doubts += 1;
        }
    }

    /// Whether a partition cannot be expected to work: most of its replicas are broken for ever.
    pub fn is_excused(&self, name: &str, partition: i32) -> bool {
        let Some(core) = &self.core else { return false };
        let Some(leader) = self.topics.get(name).and_then(|topic| topic.partitions.get(&partition)) else {
            return false;
        };
        let sound = leader.replicas.iter().filter(|site| core.contains(site)).count();
        !leader.replicas.is_empty() && sound * 2 <= leader.replicas.len()
    }

    /// Whether writing to it cannot be expected to work: besides, fewer of its replicas are sound for good than the
    /// topic wants in sync.
    pub fn is_write_excused(&self, name: &str, partition: i32) -> bool {
        let Some(core) = &self.core else { return false };
        let sound = self
            .leader(name, partition)
            .map_or(0, |leader| leader.replicas.iter().filter(|site| core.contains(site)).count());
        let least = self.plans.iter().find(|plan| plan.name == name).map_or(1, TopicPlan::min_in_sync);
        self.is_excused(name, partition) || sound < least
    }

    /// Whether a site can be expected to answer.
    pub fn may_answer(&self, site: usize) -> bool {
        !self.broken.contains(&site)
    }

    /// Stubbornness ends; the sites of the core are sound from now on, some others broken.
    pub fn calm(&mut self, core: &[usize], broken: &[usize]) {
        self.core = Some(core.to_vec());
        self.broken = broken.to_vec();
        self.is_stubborn = false;
        self.is_stale = true;
    }

    /// A Metadata response came.
    pub fn learn(&mut self, response: &MetadataResponse, version: i16, street: &mut Street<'_>) {
        let is_by_id = version >= 10;
        for answer in &response.topics {
            let Some(name) = answer.name.as_ref().filter(|_| answer.error_code == 0) else {
                self.is_stale = true;
                continue;
            };
            let plan = self.plans.iter().find(|plan| plan.name == *name);
            // Before version 10 an answer names no ids, and others must have met the topic's.
            let is_told = is_by_id || plan.is_some_and(|plan| plan.is_remade);
            let id = if is_told { Some(answer.topic_id) } else { street.ids.newest(name) };
            let Some(id) = id.filter(|id| *id != [0; 16] && !street.ids.is_dead(*id)) else {
                self.is_stale = true;
                continue;
            };
            street.ids.served(name, id, street.verdict);
            if plan.is_some_and(TopicPlan::is_stamped_by_leaders) {
                street.ledger.stamped_by_leaders(id);
            }
            let topic = self.topics.entry(name.clone()).or_default();
            if topic.id != id {
                *topic = Topic { id, partitions: BTreeMap::new() };
            }
            for partition in &answer.partitions {
                let leader = topic.partitions.entry(partition.partition_index).or_default();
                let site = usize::try_from(partition.leader_id - 1).ok().filter(|site| *site < self.sites);
                self.is_stale |= site.is_none();
                // Before version 7 no epoch is told: the last word counts.
                let is_newer = version < 7 || partition.leader_epoch >= leader.epoch;
                let is_believed = !self.is_stubborn || leader.site.is_none() || leader.doubts >= 2;
                if is_newer && !is_believed && leader.site != site {
                    street.marks.hit("client.stuck_to_an_old_leader");
                }
                leader.replicas = partition
                    .replica_nodes
                    .iter()
                    .filter_map(|node| usize::try_from(node - 1).ok())
                    .collect();
                if is_newer && is_believed {
                    leader.site = site;
                    leader.epoch = partition.leader_epoch;
                    leader.doubts = 0;
                }
            }
        }
    }
}
