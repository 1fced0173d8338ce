//! C13, for consumer groups (KIP-848): a partition is with one member at a time. A member has what it was told, until it
//! says that it has it no more, comes anew, leaves, or may have been taken for dead.
//!
//! Judged by what clients said and were told. Whoever was heard, and answered as a member, less than half a session ago
//! cannot have been taken for dead: if another is told that it has the same partition, that is a breach. And whoever was
//! taken for dead is no member any more: if he has, as far as he knows, what another was told before he asked, and is
//! answered as a member, that is a breach. So is a commit that is taken at an epoch older than the one at which the member
//! was given the partition.
//!
//! Looked at: each answer to a ConsumerGroupHeartbeat, and to an OffsetCommit, of the simulator's members.

use super::{Claim, Verdict};
use crate::clock::Moment;
use std::collections::{BTreeMap, BTreeSet};

/// A partition of a topic, by the topic's id.
pub type Part = ([u8; 16], i32);

/// Who has what.
#[derive(Debug, Default)]
pub struct Holders {
    /// By group and member.
    members: BTreeMap<(String, String), Holder>,
    /// By group and partition: who was told last that he has it, and when.
    told: BTreeMap<(String, Part), (String, Moment)>,
}

/// What a member has.
#[derive(Debug, Default)]
struct Holder {
    has: BTreeSet<Part>,
    /// When it asked what was answered last as to a member.
    heard: Moment,
}

impl Holders {
    /// A member is about to say that it has these, and nothing else.
    pub fn says(&mut self, group: &str, member: &str, has: &BTreeSet<Part>) {
        if let Some(holder) = self.members.get_mut(&(group.to_owned(), member.to_owned())) {
            holder.has.retain(|part| has.contains(part));
        }
    }

    /// A member leaves, or was told that it is none.
    pub fn gone(&mut self, group: &str, member: &str) {
        self.members.remove(&(group.to_owned(), member.to_owned()));
    }

    /// A member that asked then, and was none anew, was answered as one.
    pub fn served(&self, group: &str, member: &str, asked: Moment, verdict: &mut Verdict) {
        let Some(holder) = self.members.get(&(group.to_owned(), member.to_owned())) else { return };
        for part in &holder.has {
            let Some((other, told)) = self.told.get(&(group.to_owned(), *part)) else { continue };
            verdict.hold(other == member || *told >= asked, Claim::C13, || {
                let partition = part.1;
                format!(
                    "{member} of {group} is served, and has partition {partition}, which {other} was told"
                )
            });
        }
    }

    /// A member that asked then was answered as one; and told, now, that it has these, if it was told what it has. What it
    /// had besides it has until it says otherwise.
    pub fn told(
        &mut self,
        (group, member): (&str, &str),
        (asked, now): (Moment, Moment),
        has: Option<&BTreeSet<Part>>,
        half_session: u64,
        verdict: &mut Verdict,
    ) {
        let key = (group.to_owned(), member.to_owned());
        // Who heard so late may have been taken for dead since.
        let is_fresh = now < asked.after(half_session);
        if let Some(has) = has.filter(|_| is_fresh) {
            let others = self.members.iter().filter(|((of, other), _)| of == group && other != member);
            for ((_, other), holder) in others {
                let is_alive = now < holder.heard.after(half_session);
                let twice = holder.has.intersection(has).next();
                if let Some((_, partition)) = twice.filter(|_| is_alive) {
                    let what = format!("partition {partition} is with {other} and {member} of {group}");
                    verdict.breach(Claim::C13, what);
                }
            }
            for part in has {
                self.told.insert((group.to_owned(), *part), (member.to_owned(), now));
            }
        }
        if !is_fresh {
            // Nor is it known who has that now: what was told before it is over.
            has.into_iter().flatten().for_each(|part| drop(self.told.remove(&(group.to_owned(), *part))));
        }
        let holder = self.members.entry(key).or_default();
        holder.heard = holder.heard.max(asked);
        holder.has.extend(has.into_iter().flatten());
    }

    /// What became of a commit at an epoch, of a partition that the member was given at another.
    pub fn committed(&self, group: &str, (said, given): (i32, i32), is_taken: bool, verdict: &mut Verdict) {
        verdict.hold(said >= given || !is_taken, Claim::C13, || {
            format!("{group}: a commit at epoch {said} was taken for a partition given at {given}")
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_with_two_that_are_alive_is_a_breach() {
        let part = ([1; 16], 0);
        let has = BTreeSet::from([part]);
        let broken = |let_go: bool, now: u64| {
            let (mut holders, mut verdict) = (Holders::default(), Verdict::default());
            holders.told(("k", "a"), (Moment(5), Moment(6)), Some(&has), 100, &mut verdict);
            if let_go {
                holders.says("k", "a", &BTreeSet::new());
            }
            holders.told(("k", "b"), (Moment(now), Moment(now)), Some(&has), 100, &mut verdict);
            verdict.is_broken()
        };
        assert_eq!([broken(false, 50), broken(true, 50), broken(false, 200)], [true, false, false]);
    }

    #[test]
    fn who_was_taken_for_dead_and_is_served_is_a_breach_while_he_has_what_another_was_told() {
        let has = BTreeSet::from([([1; 16], 0)]);
        let broken = |asked: u64, let_go: bool| {
            let (mut holders, mut verdict) = (Holders::default(), Verdict::default());
            holders.told(("k", "a"), (Moment(5), Moment(6)), Some(&has), 100, &mut verdict);
            holders.told(("k", "b"), (Moment(200), Moment(201)), Some(&has), 100, &mut verdict);
            if let_go {
                holders.says("k", "a", &BTreeSet::new());
            }
            holders.served("k", "b", Moment(300), &mut verdict);
            holders.served("k", "a", Moment(asked), &mut verdict);
            verdict.is_broken()
        };
        assert_eq!([broken(202, false), broken(200, false), broken(202, true)], [true, false, false]);
    }

    #[test]
    fn who_hears_late_that_a_partition_is_his_again_is_not_held_to_what_another_was_told_before() {
        let has = BTreeSet::from([([1; 16], 0)]);
        let (mut holders, mut verdict) = (Holders::default(), Verdict::default());
        holders.told(("k", "b"), (Moment(5), Moment(6)), Some(&has), 100, &mut verdict);
        holders.gone("k", "b");
        holders.told(("k", "a"), (Moment(10), Moment(200)), Some(&has), 100, &mut verdict);
        holders.served("k", "a", Moment(201), &mut verdict);
        assert!(!verdict.is_broken());
    }

    #[test]
    fn a_commit_at_an_older_epoch_than_it_was_given_at_is_a_breach_if_it_is_taken() {
        let broken = |said, is_taken| {
            let mut verdict = Verdict::default();
            Holders::default().committed("k", (said, 3), is_taken, &mut verdict);
            verdict.is_broken()
        };
        assert_eq!([broken(3, true), broken(2, false), broken(2, true)], [false, false, true]);
    }
}
