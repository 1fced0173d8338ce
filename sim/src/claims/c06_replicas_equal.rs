//! C6: replicas are equal up to what they have applied: the state of a partition (producers, epochs, log start) and
//! of the metadata machine is a function of the log. The first replica seen at an applied index writes its hash
//! down, all others compare, after restarts and catch-ups too. A leader's tip equals what is committed when
//! nothing is between them.

use super::shadow::Group;
use super::{Claim, Verdict};
use rust_mq_core::broker::Broker;
use rust_mq_core::ids::{Index, TopicPartition};
use std::collections::{BTreeMap, BTreeSet};

/// The hash of each state that was seen.
#[derive(Debug, Default)]
pub struct States(BTreeMap<(TopicPartition, Index), (usize, u64)>);

impl States {
    /// Compares all replicas of a node but those of partitions that are gone.
    pub fn compare(&mut self, site: usize, broker: &Broker, gone: &BTreeSet<Group>, verdict: &mut Verdict) {
        for (of, applied, hash) in broker.observe_states() {
            if gone.contains(&(of.topic.0, of.partition.0)) {
                continue;
            }
            let (first, expected) = *self.0.entry((of, applied)).or_insert((site, hash));
            verdict.hold(hash == expected, Claim::C6, || {
                format!("{of} at {applied}: n{} and n{} have different states", first + 1, site + 1)
            });
        }
        verdict.hold(broker.observe_tip() != Some(false), Claim::C6, || {
            format!("n{}: tip and committed metadata differ with nothing between them", site + 1)
        });
    }
}
