//! C13: in each generation of a group a partition has one owner; a commit is taken from the current generation only; and
//! what a group reads back is what it committed last, or something that may have been taken since.
//!
//! Every commit of a member has an offset of its own, so that what is read back names the commit that it is of; a reader's
//! says how far it has come, and what is read back is then any of those that say the same. Judged by what clients
//! were told and when they asked: a commit that is asked for after somebody was told of a newer generation, and taken, is
//! a breach; so is a read that gives a commit which was over before the last acknowledged one was asked for, one that was
//! refused, or nothing after something was acknowledged.
//!
//! Looked at: each answer to a JoinGroup, SyncGroup, OffsetCommit and OffsetFetch of the simulator's members.

use super::{Claim, Verdict};
use crate::clock::Moment;
use std::collections::BTreeMap;

/// A partition of a topic, as a group commits for it.
pub type Place = (String, [u8; 16], i32);

/// What members were told, and what they committed.
#[derive(Debug, Default)]
pub struct Groups {
    /// The newest generation of a group that anybody was told of.
    newest: BTreeMap<String, i32>,
    leaders: BTreeMap<(String, i32), String>,
    owners: BTreeMap<(String, i32, String), String>,
    commits: BTreeMap<Place, Vec<Commit>>,
    last: i64,
}

/// A commit.
#[derive(Debug)]
struct Commit {
    number: i64,
    offset: i64,
    asked: Moment,
    /// Since when it is known what came of it, and whether it was taken.
    settled: Option<(Moment, bool)>,
}

/// A commit that is on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// For what.
    pub place: Place,
    /// Which of all.
    pub number: i64,
    /// The offset.
    pub offset: i64,
    /// In which generation.
    pub generation: i32,
    /// The newest generation that anybody had been told of.
    pub newest: i32,
}

impl Groups {
    /// A member was told that it is in a generation.
    pub fn joined(&mut self, group: &str, generation: i32, leader: &str, verdict: &mut Verdict) {
        let known = self.leaders.entry((group.to_owned(), generation)).or_insert_with(|| leader.to_owned());
        verdict.hold(known == leader, Claim::C13, || {
            format!("generation {generation} of {group} is led by {known} and by {leader}")
        });
        let newest = self.newest.entry(group.to_owned()).or_default();
        *newest = generation.max(*newest);
    }

    /// A member was told what it gets.
    pub fn assigned(
        &mut self,
        (group, generation, member): (&str, i32, &str),
        what: &str,
        verdict: &mut Verdict,
    ) {
        let key = (group.to_owned(), generation, what.to_owned());
        let owner = self.owners.entry(key).or_insert_with(|| member.to_owned());
        verdict.hold(owner == member, Claim::C13, || {
            format!("{what} is {owner}'s and {member}'s in generation {generation} of {group}")
        });
    }

    /// A member is about to commit, at an offset that nobody has committed.
    pub fn commits(&mut self, place: Place, generation: i32, now: Moment) -> Sent {
        let offset = self.last + 1;
        self.commits_at(place, offset, generation, now)
    }

    /// A member is about to commit that offset.
    pub fn commits_at(&mut self, place: Place, offset: i64, generation: i32, now: Moment) -> Sent {
        self.last += 1;
        // Who is no member says -1, and may say it to a group that has none and never had.
        let newest = self.newest.get(&place.0).copied().unwrap_or(i32::MIN);
        let (number, settled) = (self.last, None);
        let commit = Commit { number, offset, asked: now, settled };
        self.commits.entry(place.clone()).or_default().push(commit);
        Sent { place, number, offset, generation, newest }
    }

    /// A commit was taken, or definitely not.
    pub fn settled(&mut self, sent: &Sent, is_taken: bool, now: Moment, verdict: &mut Verdict) {
        let is_current = sent.generation >= sent.newest;
        verdict.hold(is_current || !is_taken, Claim::C13, || {
            let Sent { place, generation, newest, .. } = sent;
            format!("{}: a commit of generation {generation} was taken in generation {newest}", place.0)
        });
        let commits = self.commits.entry(sent.place.clone()).or_default();
        if let Some(commit) = commits.iter_mut().find(|commit| commit.number == sent.number) {
            commit.settled = Some((now, is_taken));
        }
    }

    /// What was read back by who asked then; -1 is nothing.
    pub fn read(&self, place: &Place, offset: i64, asked: Moment, verdict: &mut Verdict) {
        let none = Vec::new();
        let commits = self.commits.get(place).unwrap_or(&none);
        let is_taken = |commit: &&Commit| commit.settled.is_some_and(|(at, taken)| taken && at < asked);
        let last = commits.iter().filter(is_taken).max_by_key(|commit| commit.asked);
        let (group, _, partition) = place;
        if offset < 0 {
            return verdict.hold(last.is_none(), Claim::C13, || {
                format!("{group} has committed for partition {partition}, and reads nothing back")
            });
        }
        let of_it = || commits.iter().filter(|commit| commit.offset == offset);
        verdict.hold(of_it().next().is_some(), Claim::C13, || {
            format!("{group} reads {offset} for {partition}, which nobody committed")
        });
        let is_refused = |commit: &Commit| commit.settled.is_some_and(|(_, is_taken)| !is_taken);
        verdict.hold(!of_it().all(is_refused), Claim::C13, || {
            format!("{group} reads {offset} for {partition}, which was refused")
        });
        let is_over =
            |commit: &Commit| commit.settled.is_some_and(|(at, _)| last.is_some_and(|last| at < last.asked));
        verdict.hold(!of_it().all(|commit| is_refused(commit) || is_over(commit)), Claim::C13, || {
            format!(
                "{group} reads {offset} for {partition}, and {} was taken since",
                last.map_or(0, |one| one.offset)
            )
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        ("g".into(), [1; 16], 0)
    }

    #[test]
    fn a_late_commit_that_is_taken_is_a_breach() {
        let (mut groups, mut verdict) = (Groups::default(), Verdict::default());
        groups.joined("g", 1, "a", &mut verdict);
        let early = groups.commits(place(), 1, Moment(1));
        groups.joined("g", 2, "a", &mut verdict);
        groups.settled(&early, true, Moment(2), &mut verdict);
        assert!(!verdict.is_broken(), "it was asked for before");
        let late = groups.commits(place(), 1, Moment(3));
        groups.settled(&late, false, Moment(4), &mut verdict);
        assert!(!verdict.is_broken(), "it was refused");
        groups.settled(&late, true, Moment(4), &mut verdict);
        assert!(verdict.is_broken());
    }

    #[test]
    fn what_is_read_is_the_last_or_later() {
        let read = |offset: i64| {
            let (mut groups, mut verdict) = (Groups::default(), Verdict::default());
            for (at, is_taken) in [(1, Some(true)), (3, Some(true)), (5, Some(false)), (7, None)] {
                let sent = groups.commits(place(), 1, Moment(at));
                if let Some(is_taken) = is_taken {
                    groups.settled(&sent, is_taken, Moment(at + 1), &mut verdict);
                }
            }
            groups.read(&place(), offset, Moment(9), &mut verdict);
            !verdict.is_broken()
        };
        assert_eq!([-1, 1, 2, 3, 4, 5].map(read), [false, false, true, false, true, false]);
    }

    #[test]
    fn what_is_read_may_be_any_commit_that_says_so() {
        let (mut groups, mut verdict) = (Groups::default(), Verdict::default());
        for (at, offset, is_taken) in [(1, 70, true), (3, 80, true), (5, 70, true), (7, 90, false)] {
            let sent = groups.commits_at(place(), offset, 1, Moment(at));
            groups.settled(&sent, is_taken, Moment(at + 1), &mut verdict);
        }
        groups.read(&place(), 70, Moment(9), &mut verdict);
        assert!(!verdict.is_broken(), "it is the last that was taken, too");
        groups.read(&place(), 80, Moment(9), &mut verdict);
        assert!(verdict.is_broken());
    }

    #[test]
    fn a_generation_has_one_leader_and_a_partition_one_owner() {
        let (mut groups, mut verdict) = (Groups::default(), Verdict::default());
        groups.joined("g", 1, "a", &mut verdict);
        groups.assigned(("g", 1, "a"), "t/0", &mut verdict);
        groups.assigned(("g", 2, "b"), "t/0", &mut verdict);
        groups.assigned(("g", 1, "a"), "t/0", &mut verdict);
        assert!(!verdict.is_broken());
        groups.assigned(("g", 1, "b"), "t/0", &mut verdict);
        assert!(verdict.is_broken());
        let mut verdict = Verdict::default();
        groups.joined("g", 1, "b", &mut verdict);
        assert!(verdict.is_broken());
    }
}
