//! C6, tip == committed: where nothing is in flight, what a leader decides on is what is committed: the metadata
//! machine's two copies are equal, and a partition's overlay adds nothing to its log. A replica that does not lead has
//! no tip of its own at all, from the ready on that tells the floor above so (which takes no batches before that
//! either: it asks the replica).
//!
//! Looked at: each replica after each turn in which anything about it moved. "Nothing in flight" is that the newest
//! entry is applied; then an offset that was given to a dropped proposal, or a producer that was remembered for one,
//! is seen at once, long before a reader could find the hole.

use super::{Claim, Verdict};
use rust_mq_core::broker::Broker;
use rust_mq_core::broker::observe::Observation;

/// A replica stands so after a turn.
pub fn check(site: usize, broker: &Broker, now: &Observation, verdict: &mut Verdict) {
    if now.is_leader && now.applied < now.last {
        return;
    }
    verdict.hold(now.is_overlay_empty || !now.is_role_told, Claim::C6, || {
        format!("n{}: nothing is in flight of {}, and its tip is not its log: {now:?}", site + 1, now.of)
    });
    if now.is_machine && now.is_leader {
        verdict.hold(broker.observe_tip() != Some(false) || !now.is_role_told, Claim::C6, || {
            format!("n{}: tip and committed metadata differ with nothing between them", site + 1)
        });
    }
}
