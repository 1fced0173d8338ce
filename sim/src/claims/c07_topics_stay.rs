//! C7, of topics: what a node has shown it does not deny later, in any life, unless its deletion was committed. A node
//! that comes back with an older image has to say "not yet".
//!
//! Looked at: after each turn that changed it, the node's image, and whether it would deny what that does not show; and
//! each answer to a CreateTopics as it leaves: what is said to be made has been shown.
//! That a deletion is committed is known from the first node that says so, or whose image loses a topic while it runs:
//! a node that has just started may apply in one turn that a topic was made and that it was deleted.

use super::{Claim, Verdict};
use rust_mq_core::ids::{Index, TopicId};
use rust_mq_core::node::Node;
use std::collections::{BTreeMap, BTreeSet};

/// What the sites have shown.
#[derive(Debug, Default)]
pub struct ShownTopics {
    sites: BTreeMap<usize, Shown>,
    deleted: BTreeSet<TopicId>,
}

#[derive(Debug, Default)]
struct Shown {
    /// The life, the image's last entry and whether it would deny, as they were looked at last.
    looked_at: (u32, Index, bool),
    image: BTreeSet<TopicId>,
    ever: BTreeSet<TopicId>,
}

impl ShownTopics {
    /// A node says that it has applied that topic's deletion.
    pub fn deleted(&mut self, topic: TopicId) {
        self.deleted.insert(topic);
    }

    /// A node says that a topic is made: its image has shown that, unless it is gone again.
    pub fn made(&self, site: usize, topic: TopicId, verdict: &mut Verdict) {
        let is_shown = self.sites.get(&site).is_some_and(|shown| shown.ever.contains(&topic));
        verdict.hold(is_shown || self.deleted.contains(&topic), Claim::C7, || {
            format!("n{} says that topic {topic} is made, and has not shown it", site + 1)
        });
    }

    /// A node's turn is over.
    pub fn turned(&mut self, site: usize, boot: u32, node: &Node, verdict: &mut Verdict) {
        let Some(host) = node.metadata() else { return };
        let looked_at = (boot, host.applied().index, node.may_deny());
        let shown = self.sites.entry(site).or_default();
        if shown.looked_at == looked_at {
            return;
        }
        let image: BTreeSet<TopicId> = host.committed().topics().map(|(id, _)| id).collect();
        if shown.looked_at.0 == boot {
            self.deleted.extend(shown.image.difference(&image));
        }
        shown.ever.extend(&image);
        let missing = shown.ever.difference(&image).find(|id| !self.deleted.contains(id));
        verdict.hold(missing.is_none() || !node.may_deny(), Claim::C7, || {
            let topic = missing.map(ToString::to_string).unwrap_or_default();
            format!("n{} has shown topic {topic}, and would deny it now", site + 1)
        });
        (shown.looked_at, shown.image) = (looked_at, image);
    }
}
