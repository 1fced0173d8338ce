//! What a change of settings does to the replicas that run here: the one place.
//!
//! A running partition has what its topic's settings mean on this node, and its log ends segments by it. Whatever else
//! goes by settings reads them from the image when it needs them.
//!
//! Invariant: between two turns each partition has the settings that this node's image shows.

use super::Node;
use crate::compaction::Compacted;
use crate::ids::{ReplicaId, TopicId};
use crate::mutant::Mutant;
use crate::now::Now;
use crate::resident::Resident;
use crate::settings::{Holder, Layers, NOTHING, Settings, TopicConfig, TopicDefaults};
use crate::storage::Roll;

impl Node {
    /// The image shows other settings of somebody.
    pub(super) fn configured(&mut self, now: Now, of: &Holder) {
        let Some(image) = self.image() else { return };
        let topics: Vec<TopicId> = match of {
            Holder::Topic(id) => vec![*id],
            Holder::Node(node) if *node != self.config.node => Vec::new(),
            Holder::Node(_) | Holder::Cluster => image.topics().map(|(id, _)| id).collect(),
            Holder::Group(_) => Vec::new(),
        };
        let mut is_changed = false;
        for id in topics {
            let Some(image) = self.image() else { return };
            let Some(topic) = image.topic(id) else { continue };
            let config = image.topic_config(topic, self.config.node);
            let replicas: Vec<ReplicaId> = self.residents.of_topic(id).collect();
            for replica in replicas {
                is_changed |= self.configure(replica, config);
            }
        }
        if is_changed {
            // What may go by the new settings goes now, and not when it is looked for the next time.
            self.retention.soon(now.mono);
        }
    }

    /// A partition that runs here has these settings. Whether they are others than it had.
    pub(super) fn configure(&mut self, id: ReplicaId, config: TopicConfig) -> bool {
        let Some(partition) = self.residents.get_mut(id).and_then(Resident::records_mut) else {
            return false;
        };
        let is_changed = *partition.config() != config;
        if is_changed
            && !partition.replica().is_leader()
            && self.ports.is_planted(Mutant::SettingsOnLeaderOnly)
        {
            return false;
        }
        partition.configure(config);
        // What was decided is carried out, whatever the policy says now.
        let is_compacted = config.compaction.is_some() || partition.compacted() != Compacted::default();
        let max_lag_ms = config.compaction.map_or(i64::MAX, |rules| rules.max_lag_ms);
        let roll = Roll { bytes: config.segment_bytes, age_ms: config.segment_ms.min(max_lag_ms) };
        self.ports.storage.set_roll(id, roll);
        self.compacting.configured(id, is_compacted);
        is_changed
    }

    /// What decides on this node about the settings of somebody who has these of his own.
    pub fn layers<'a>(&'a self, own: &'a Settings) -> Layers<'a> {
        let fixed = &self.fixed;
        match self.image() {
            Some(image) => image.layers(own, self.config.node, fixed),
            None => Layers { own, node: &NOTHING, cluster: &NOTHING, fixed },
        }
    }

    /// What is made of a topic when a request does not say, and whether it is made when a client only asks for it.
    pub fn topic_defaults(&self) -> TopicDefaults {
        self.layers(&NOTHING).creation()
    }
}
