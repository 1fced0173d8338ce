//! How each replica stood: its role, its term, whom it followed, and how far its log had come.

use super::strip::{Notable, Strip};
use rust_mq_core::broker::observe::Observation;
use rust_mq_core::ids::{ReplicaId, TopicPartition};
use std::collections::BTreeMap;

/// Stretches that are kept.
const NEWEST: usize = 20_000;

/// All replicas.
#[derive(Debug)]
pub struct Replicas {
    partitions: Vec<TopicPartition>,
    numbers: BTreeMap<TopicPartition, usize>,
    /// Of each replica, where it is and of which partition.
    homes: BTreeMap<ReplicaId, (usize, usize)>,
    /// For each site, by partition.
    standing: Vec<BTreeMap<usize, Stretch>>,
    over: Strip<Stretch>,
}

/// A stretch of time in which a replica's role, term and leader stayed as they were.
#[derive(Clone, Copy, Debug)]
pub struct Stretch {
    /// Where.
    pub site: usize,
    /// The partition's number on the film.
    pub partition: usize,
    /// Since when.
    pub from_us: u64,
    /// To when, if it is over.
    pub to_us: Option<u64>,
    /// The replica's id.
    pub replica: u64,
    /// The role.
    pub role: Role,
    /// The term.
    pub term: u64,
    /// The site of the leader it knew.
    pub leader: Option<usize>,
    /// The newest entry, at its end.
    pub last: u64,
    /// The newest entry that it took for durable, at its end.
    pub durable: u64,
    /// What it knew committed, at its end.
    pub commit: u64,
    /// The high watermark, at its end.
    pub high_watermark: i64,
}

/// What a replica is in its term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It leads.
    Leader,
    /// It follows whom it knows.
    Follower,
    /// It knows no leader, and has voted for itself.
    Candidate,
    /// It knows no leader.
    Waiting,
}

impl Notable for Stretch {
    fn is_notable(&self) -> bool {
        false
    }
}

impl Replicas {
    /// Of so many sites.
    pub fn new(sites: usize) -> Replicas {
        Replicas {
            partitions: Vec::new(),
            numbers: BTreeMap::new(),
            homes: BTreeMap::new(),
            standing: vec![BTreeMap::new(); sites],
            over: Strip::new(NEWEST, 0),
        }
    }

    /// How a site's replicas stand now.
    pub fn look(&mut self, at_us: u64, site: usize, seen: &[Observation]) {
        for one in seen {
            let partition = self.number_of(one.of);
            self.homes.insert(one.replica, (site, partition));
            let now = self.stretch(at_us, site, partition, one);
            let standing = &mut self.standing[site];
            match standing.get_mut(&partition) {
                Some(before) if before.is_as(&now) => *before = Stretch { from_us: before.from_us, ..now },
                before => {
                    let over = before.map(|before| Stretch { to_us: Some(at_us), ..*before });
                    over.into_iter().for_each(|over| self.over.push(over));
                    standing.insert(partition, now);
                }
            }
        }
        let numbers = &self.numbers;
        let is_gone = |partition: &usize| !seen.iter().any(|one| numbers.get(&one.of) == Some(partition));
        let gone = self.standing[site].extract_if(.., |partition, _| is_gone(partition));
        for (_, stretch) in gone {
            self.over.push(Stretch { to_us: Some(at_us), ..stretch });
        }
    }

    /// A site's process ended.
    pub fn ended(&mut self, at_us: u64, site: usize) {
        for (_, stretch) in std::mem::take(&mut self.standing[site]) {
            self.over.push(Stretch { to_us: Some(at_us), ..stretch });
        }
    }

    /// The partition of a replica that was seen, with its number.
    pub fn partition_of(&self, replica: ReplicaId) -> Option<(usize, TopicPartition)> {
        self.homes.get(&replica).map(|(_, partition)| (*partition, self.partitions[*partition]))
    }

    /// The number of the partition whose replica the words name, as `replica 11` or `r11`.
    pub fn partition_in(&self, words: &str) -> Option<usize> {
        let mut before = "";
        words.split(|letter: char| !letter.is_alphanumeric()).find_map(|word| {
            let is_said = std::mem::replace(&mut before, word) == "replica";
            let digits = if is_said { Some(word) } else { word.strip_prefix('r') };
            let replica = digits?.parse().ok()?;
            self.partition_of(ReplicaId(replica)).map(|(number, _)| number)
        })
    }

    /// All partitions, in the order of their numbers.
    pub fn partitions(&self) -> &[TopicPartition] {
        &self.partitions
    }

    /// All stretches that are kept, the newest first.
    pub fn stretches(&self) -> impl Iterator<Item = &Stretch> {
        self.standing.iter().flat_map(BTreeMap::values).chain(self.over.newest())
    }

    /// How many are not.
    pub fn left_out(&self) -> u64 {
        self.over.left_out()
    }

    fn number_of(&mut self, of: TopicPartition) -> usize {
        *self.numbers.entry(of).or_insert_with(|| {
            self.partitions.push(of);
            self.partitions.len() - 1
        })
    }

    fn stretch(&self, at_us: u64, site: usize, partition: usize, one: &Observation) -> Stretch {
        let role = match (one.is_leader, one.leader == ReplicaId::NOBODY) {
            (true, _) => Role::Leader,
            (false, false) => Role::Follower,
            (false, true) if one.vote == one.replica => Role::Candidate,
            (false, true) => Role::Waiting,
        };
        Stretch {
            site,
            partition,
            from_us: at_us,
            to_us: None,
            replica: one.replica.0,
            role,
            term: one.term.0,
            leader: self.homes.get(&one.leader).map(|(site, _)| *site),
            last: one.last.0,
            durable: one.durable.0,
            commit: one.commit.0,
            high_watermark: one.high_watermark.0,
        }
    }
}

impl Stretch {
    fn is_as(&self, other: &Stretch) -> bool {
        let key = |one: &Stretch| (one.replica, one.role, one.term, one.leader);
        key(self) == key(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rust_mq_core::ids::{PartitionId, TopicId};

    #[test]
    fn a_replica_in_words_has_its_partition() {
        let mut replicas = Replicas::new(1);
        for (id, partition) in [(11, 0), (12, 1)] {
            let of = TopicPartition { topic: TopicId([1; 16]), partition: PartitionId(partition) };
            let number = replicas.number_of(of);
            replicas.homes.insert(ReplicaId(id), (0, number));
        }
        let find = |words| replicas.partition_in(words);
        assert_eq!(find("n1 replica 11 accepts up to 12"), Some(0));
        assert_eq!(find("n3 starts r12 of t0/2 with an entry i11"), Some(1));
        assert_eq!(find("replica 13 of 12 nodes"), None);
    }
}
