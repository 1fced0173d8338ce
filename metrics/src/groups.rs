//! What is kept of the groups that a node coordinates: their commits one by one, up to a bound, and sums.

use crate::{COMMITS_MAX, GROUPS_MAX, OTHERS};
use rust_mq_core::watched::{CommitMetrics, GroupMetrics};
use std::collections::BTreeMap;

/// All groups of a node.
#[derive(Debug, Default)]
pub struct Shares {
    /// How many there are.
    pub(crate) count: u64,
    /// Members by group, as far as groups are told one by one.
    pub(crate) members: BTreeMap<String, u64>,
    /// By group and topic, as far as groups are told one by one.
    pub(crate) sums: BTreeMap<(String, String), Committed>,
    /// By group, topic and partition, as far as commits are told one by one.
    pub(crate) commits: Vec<(String, CommitMetrics)>,
    /// The group that was taken in last, of which more may follow.
    last: Option<String>,
}

/// What a group has committed for a topic.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Committed {
    pub offset: i64,
    /// As far as it is known.
    pub lag: Option<i64>,
}

impl Shares {
    /// Takes a group in, or more of the last one's commits.
    pub fn add(&mut self, group: GroupMetrics) {
        let GroupMetrics { id, members, commits } = group;
        let is_told = self.members.contains_key(&id) || self.members.len() < GROUPS_MAX;
        let known_as = if is_told { id.as_str() } else { OTHERS };
        if self.last.as_ref() != Some(&id) {
            self.count += 1;
            *self.members.entry(known_as.to_owned()).or_default() += u64::from(members);
        }
        for commit in commits {
            self.sum(known_as, &commit);
            if is_told && self.commits.len() < COMMITS_MAX {
                self.commits.push((id.clone(), commit));
            }
        }
        self.last = Some(id);
    }

    fn sum(&mut self, group: &str, commit: &CommitMetrics) {
        let key = (group.to_owned(), commit.topic.clone());
        let is_told = group != OTHERS && (self.sums.contains_key(&key) || self.sums.len() < COMMITS_MAX);
        let key = if is_told { key } else { (OTHERS.to_owned(), OTHERS.to_owned()) };
        let sum = self.sums.entry(key).or_default();
        sum.offset += commit.offset;
        if let Some(lag) = lag(commit) {
            *sum.lag.get_or_insert_default() += lag;
        }
    }
}

/// What lies between a commit and the end, where that is known.
pub(crate) fn lag(commit: &CommitMetrics) -> Option<i64> {
    // A replica may be told of a commit before it is told that the records are committed.
    commit.end.map(|end| (end - commit.offset).max(0))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use rust_mq_core::ids::PartitionId;

    pub fn group(id: &str, topic: &str, partitions: std::ops::Range<i32>) -> GroupMetrics {
        let commit = |partition| CommitMetrics {
            topic: topic.to_owned(),
            partition: PartitionId(partition),
            offset: 4,
            end: (partition < 100_000).then_some(10),
        };
        GroupMetrics { id: id.to_owned(), members: 2, commits: partitions.map(commit).collect() }
    }

    #[test]
    fn a_group_in_several_pieces_is_one() {
        let mut shares = Shares::default();
        shares.add(group("g", "t", 0..3));
        shares.add(group("g", "t", 3..5));
        shares.add(group("h", "t", 100_000..100_001));
        assert_eq!((shares.count, shares.members["g"]), (2, 2));
        let sum = shares.sums[&("g".to_owned(), "t".to_owned())];
        assert_eq!((sum.offset, sum.lag), (20, Some(30)));
        assert_eq!(shares.sums[&("h".to_owned(), "t".to_owned())].lag, None, "nobody here knows its end");
    }

    #[test]
    fn groups_and_commits_beyond_a_bound_are_told_together() {
        let mut shares = Shares::default();
        for number in 0..GROUPS_MAX + 3 {
            shares.add(group(&format!("g-{number}"), "t", 0..1));
        }
        assert_eq!(shares.count, GROUPS_MAX as u64 + 3);
        assert_eq!(shares.members.len(), GROUPS_MAX + 1);
        assert_eq!(shares.members[OTHERS], 6);
        assert_eq!(shares.sums[&(OTHERS.to_owned(), OTHERS.to_owned())].lag, Some(18));
        shares.add(group("g-0", "u", 0..COMMITS_MAX as i32 + 5));
        assert_eq!(shares.commits.len(), COMMITS_MAX);
        assert_eq!(shares.sums[&("g-0".to_owned(), "u".to_owned())].offset, 4 * (COMMITS_MAX as i64 + 5));
    }
}
