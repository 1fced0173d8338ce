//! C6, of settings: every replica that runs goes by the settings that its node's image shows, and so replicas whose nodes
//! have applied the same go by the same.
//!
//! Looked at: after each turn that moved a node's image, and now and then, all partitions of that node.

use super::{Claim, Verdict};
use rust_mq_core::ids::Index;
use rust_mq_core::node::Node;
use std::collections::BTreeMap;

/// By site, the life and the image's last entry as they were looked at last.
#[derive(Debug, Default)]
pub struct SettingsInForce(BTreeMap<usize, (u32, Index)>);

impl SettingsInForce {
    /// A node's turn is over. `is_due`: it is to be looked at, moved or not.
    pub fn turned(&mut self, site: usize, boot: u32, node: &Node, is_due: bool, verdict: &mut Verdict) {
        let Some(host) = node.metadata() else { return };
        let now = (boot, host.applied().index);
        if !is_due && self.0.get(&site) == Some(&now) {
            return;
        }
        self.0.insert(site, now);
        let image = host.committed();
        for (_, partition) in node.residents().partitions() {
            let of = partition.of();
            let Some(topic) = image.topic(of.topic) else { continue };
            let shown = image.topic_config(topic, node.config().node);
            verdict.hold(shown == *partition.config(), Claim::C6, || {
                format!("n{}: {of} goes by {:?}, its image shows {shown:?}", site + 1, partition.config())
            });
        }
    }
}
