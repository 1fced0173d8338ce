//! What is said of peers that are turned away, or not believed: once at once, and then seldom, for each kind of reason
//! and each peer by itself. One that is refused a thousand times hides nobody else's reason.
//!
//! Invariant: at most one line of a kind about a peer in `limits::REFUSAL_REPEAT`; strangers count as one peer.

use crate::ids::NodeId;
use crate::limits::REFUSAL_REPEAT;
use crate::now::Mono;
use std::collections::BTreeMap;

/// When each was last said.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    said: BTreeMap<(&'static str, Option<NodeId>), Mono>,
}

impl Refusals {
    /// Whether a line of that kind about that member, or about strangers, may be said; then it counts as said.
    pub fn may_say(&mut self, kind: &'static str, node: Option<NodeId>, now: Mono) -> bool {
        let last = self.said.get(&(kind, node));
        let may = last.is_none_or(|last| now.since(*last) >= REFUSAL_REPEAT);
        if may {
            self.said.insert((kind, node), now);
        }
        may
    }

    /// A peer was accepted: should it be refused again, that is news.
    pub fn forget(&mut self, node: NodeId) {
        self.said.retain(|(_, about), _| *about != Some(node));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_and_peer_has_a_line_of_its_own() {
        let mut refusals = Refusals::default();
        let (one, two) = (Some(NodeId(1)), Some(NodeId(2)));
        let start = Mono(5);
        for (kind, node) in [("a", one), ("a", two), ("b", one), ("a", None)] {
            assert!(refusals.may_say(kind, node, start));
            assert!(!refusals.may_say(kind, node, start + REFUSAL_REPEAT / 2));
        }
        refusals.forget(NodeId(1));
        assert!(refusals.may_say("a", one, start));
        assert!(!refusals.may_say("a", two, start));
        assert!(refusals.may_say("a", two, start + REFUSAL_REPEAT));
    }
}
