//! How a member walks from what it has to what it is to have, one heartbeat at a time.
//!
//! ```text
//!            has what it is not to have                  has let go                 nothing is held by others
//! stable ------------------------------> unrevoked -------------------> unreleased -------------------------> stable
//!    |                                    (epoch as it was)      |        (the target's epoch)                   ^
//!    |  nothing to let go, some held by others                   |                                               |
//!    +-----------------------------------------------------------+-----------------------------------------------+
//! ```
//! A member's epoch rises to the target's when it has let go of all that it is not to have. What is given to it is
//! marked with that epoch: a commit that says an older one is taken if it is at least that (KIP-848, *offset commit*).
//!
//! - Invariant: a partition is given only if no other member has it, or is still letting go of it.
//! - Invariant: a member's epoch <= the target's; it is the target's as soon as nothing is to be let go.
//! - Invariant: `assigned` and `revoking` have no partition in common.
//!
//! Sources: KIP-848, *Reconciliation of the group*; Apache Kafka 4.4, `CurrentAssignmentBuilder`.

use super::partitions::{Given, Partitions};
use crate::ids::TopicId;

/// How far a member is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub enum Phase {
    /// It has all that it is to have.
    #[default]
    Stable,
    /// It has to let go first.
    Unrevoked,
    /// Others have to let go first.
    Unreleased,
}

/// What a member has.
#[derive(Clone, Debug, Default, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Current {
    /// Its epoch; 0 before it was told one, [`Current::AWAY`] for a static member that will be back.
    pub epoch: i32,
    /// The one before: the answer that told the newer may have been lost.
    pub previous_epoch: i32,
    /// How far it is.
    pub phase: Phase,
    /// What it may read.
    pub assigned: Given,
    /// What it was told to let go.
    pub revoking: Given,
}

/// What a member is to have.
#[derive(Clone, Copy, Debug)]
pub struct Goal<'a> {
    /// The epoch of the target.
    pub epoch: i32,
    /// The member's part of it.
    pub target: &'a Partitions,
}

/// What a member says with a heartbeat.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// What it has, if it says so.
    pub owned: Option<&'a Partitions>,
    /// Whether it subscribes to something else than before.
    pub is_subscription_new: bool,
}

impl Current {
    /// The epoch of a static member that has left and will be back.
    pub const AWAY: i32 = -2;

    /// Whether nothing is left to do for it.
    pub fn is_reconciled(&self, epoch: i32) -> bool {
        self.phase == Phase::Stable && self.epoch == epoch
    }

    /// The next step. `is_subscribed` tells of topics whether the member wants them, `is_taken` of partitions whether
    /// any member has them or lets go of them.
    pub fn next(
        &self,
        goal: Goal<'_>,
        said: Said<'_>,
        is_subscribed: impl Fn(TopicId) -> bool,
        is_taken: impl Fn(TopicId, i32) -> bool,
    ) -> Current {
        let is_at_goal = self.phase == Phase::Stable && self.epoch == goal.epoch;
        let is_holding = self.phase == Phase::Unrevoked && holds(&self.revoking, said.owned);
        if !is_at_goal && !is_holding {
            return self.towards(goal, said.owned, is_subscribed, is_taken);
        }
        if said.is_subscription_new { self.without_unwanted(said.owned, is_subscribed) } else { self.clone() }
    }

    /// Drops at once what it does not subscribe to any more: no new target is needed for that.
    fn without_unwanted(
        &self,
        owned: Option<&Partitions>,
        is_subscribed: impl Fn(TopicId) -> bool,
    ) -> Current {
        let (assigned, unwanted): (Vec<_>, Vec<_>) =
            self.assigned.iter().partition(|(topic, ..)| is_subscribed(*topic));
        if unwanted.is_empty() {
            return self.clone();
        }
        let revoking: Given = self.revoking.iter().chain(unwanted).collect();
        let (phase, revoking) = match holds(&revoking, owned) {
            true => (Phase::Unrevoked, revoking),
            false => (self.phase, self.revoking.clone()),
        };
        let assigned = assigned.into_iter().collect();
        Current { previous_epoch: self.epoch, phase, assigned, revoking, epoch: self.epoch }
    }

    fn towards(
        &self,
        goal: Goal<'_>,
        owned: Option<&Partitions>,
        is_subscribed: impl Fn(TopicId) -> bool,
        is_taken: impl Fn(TopicId, i32) -> bool,
    ) -> Current {
        let is_wanted = |topic, partition| goal.target.contains(topic, partition) && is_subscribed(topic);
        let (kept, revoking): (Vec<_>, Vec<_>) =
            self.assigned.iter().partition(|(topic, partition, _)| is_wanted(*topic, *partition));
        let mut assigned: Given = kept.into_iter().collect();
        let revoking: Given = revoking.into_iter().collect();
        let previous_epoch = self.epoch;
        if holds(&revoking, owned) {
            return Current {
                epoch: self.epoch,
                previous_epoch,
                phase: Phase::Unrevoked,
                assigned,
                revoking,
            };
        }
        let mut phase = Phase::Stable;
        for (topic, partition) in goal.target.iter() {
            if assigned.contains(topic, partition) || !is_subscribed(topic) {
                continue;
            }
            // It has just let go of it itself: nobody else could have taken it since.
            let is_own = self.revoking.contains(topic, partition);
            if is_taken(topic, partition) && !is_own {
                phase = Phase::Unreleased;
            } else {
                assigned.insert(topic, partition, goal.epoch);
            }
        }
        Current { epoch: goal.epoch, previous_epoch, phase, assigned, revoking: Given::default() }
    }
}

/// Whether a member may still read some of it. One that does not say what it has is taken to.
fn holds(revoking: &Given, owned: Option<&Partitions>) -> bool {
    match owned {
        None => !revoking.is_empty(),
        Some(owned) => owned.iter().any(|(topic, partition)| revoking.contains(topic, partition)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: TopicId = TopicId([7; 16]);

    fn partitions(numbers: &[i32]) -> Partitions {
        numbers.iter().map(|number| (T, *number)).collect()
    }

    fn given(numbers: &[i32], epoch: i32) -> Given {
        numbers.iter().map(|number| (T, *number, epoch)).collect()
    }

    fn step(current: &Current, epoch: i32, target: &[i32], owned: Option<&[i32]>, taken: &[i32]) -> Current {
        let (target, owned) = (partitions(target), owned.map(partitions));
        let said = Said { owned: owned.as_ref(), is_subscription_new: false };
        let goal = Goal { epoch, target: &target };
        current.next(goal, said, |_| true, |_, partition| taken.contains(&partition))
    }

    #[test]
    fn who_joins_an_empty_group_gets_all_at_once() {
        let current = step(&Current::default(), 1, &[0, 1], Some(&[]), &[]);
        assert_eq!((current.epoch, current.phase), (1, Phase::Stable));
        assert_eq!(current.assigned, given(&[0, 1], 1));
    }

    #[test]
    fn a_partition_is_given_only_when_its_old_owner_has_let_go() {
        let old = Current { epoch: 1, assigned: given(&[0, 1], 1), ..Current::default() };
        let new = step(&Current::default(), 2, &[1], Some(&[]), &[0, 1]);
        assert_eq!((new.epoch, new.phase), (2, Phase::Unreleased));
        assert!(new.assigned.is_empty());

        let old = step(&old, 2, &[0], None, &[0, 1]);
        assert_eq!((old.epoch, old.phase), (1, Phase::Unrevoked), "its epoch waits until it has let go");
        assert_eq!((&old.assigned, &old.revoking), (&given(&[0], 1), &given(&[1], 1)));
        assert_eq!(step(&old, 2, &[0], None, &[0, 1]), old, "it does not say what it has");
        assert_eq!(step(&old, 2, &[0], Some(&[0, 1]), &[0, 1]), old);
        assert_eq!(step(&new, 2, &[1], None, &[0, 1]).phase, Phase::Unreleased);

        let old = step(&old, 2, &[0], Some(&[0]), &[0, 1]);
        assert_eq!((old.epoch, old.phase, &old.assigned), (2, Phase::Stable, &given(&[0], 1)));
        let new = step(&new, 2, &[1], None, &[0]);
        assert_eq!((new.epoch, new.phase, &new.assigned), (2, Phase::Stable, &given(&[1], 2)));
    }

    #[test]
    fn what_comes_back_before_it_was_let_go_is_given_again() {
        let current = Current { epoch: 1, assigned: given(&[0, 1], 1), ..Current::default() };
        let letting_go = step(&current, 2, &[0], None, &[0, 1]);
        let back = step(&letting_go, 3, &[0, 1], Some(&[0]), &[0, 1]);
        assert_eq!((back.epoch, back.phase), (3, Phase::Stable));
        assert_eq!((back.assigned.epoch_of(T, 0), back.assigned.epoch_of(T, 1)), (Some(1), Some(3)));
    }

    #[test]
    fn what_is_no_longer_subscribed_to_is_let_go_before_there_is_a_new_target() {
        let current = Current { epoch: 1, assigned: given(&[0], 1), ..Current::default() };
        let target = partitions(&[0]);
        let goal = Goal { epoch: 1, target: &target };
        let said = Said { owned: None, is_subscription_new: true };
        let next = current.next(goal, said, |_| false, |_, _| true);
        assert_eq!(
            (next.phase, next.assigned.is_empty(), &next.revoking),
            (Phase::Unrevoked, true, &given(&[0], 1))
        );
    }
}
