//! Who leads what: soft knowledge, told from node to node, never a command.
//!
//! What a node learns from one peer it tells the others once, so that a change reaches everyone who can be
//! reached, by whatever path.
//!
//! Invariant: a partition's (term, leader) is replaced by a higher term alone; so all nodes that have heard of
//! the same changes, in any order, agree.

use super::hello::{id_bytes, read_id};
use crate::ids::{NodeId, PartitionId, Term, TopicId, TopicPartition};
use crate::limits::{LEADERS_PER_MESSAGE, PARTITIONS_MAX};
use rust_mq_proto::peer::message::{Alive, Leader};
use std::collections::{BTreeMap, BTreeSet};

/// The table.
#[derive(Debug, Default)]
pub(super) struct Leaders {
    known: BTreeMap<TopicPartition, (Term, NodeId)>,
    /// Told to nobody yet.
    news: BTreeSet<TopicPartition>,
}

impl Leaders {
    /// A leader of this node's own knowledge.
    pub fn learn(&mut self, partition: TopicPartition, term: Term, node: NodeId) {
        let known = self.known.entry(partition).or_insert((Term(0), node));
        if known.0 < term {
            *known = (term, node);
            self.news.insert(partition);
        }
    }

    /// A leader that a peer told. At `PARTITIONS_MAX` entries nothing new is learnt from others: they may tell
    /// of partitions that are long gone.
    pub fn hear(&mut self, leader: &Leader, members: &[NodeId]) -> Result<(), &'static str> {
        let topic = read_id(&leader.topic).ok_or("a leader of a topic id that is none")?;
        let partition =
            TopicPartition { topic: TopicId(topic.to_be_bytes()), partition: PartitionId(leader.partition) };
        if leader.partition < 0 || leader.term > Term::MAX.0 || !members.contains(&NodeId(leader.node)) {
            return Err("a leader that cannot be");
        }
        if self.known.len() < PARTITIONS_MAX || self.known.contains_key(&partition) {
            self.learn(partition, Term(leader.term), NodeId(leader.node));
        }
        Ok(())
    }

    /// Who leads, since which term.
    pub fn of(&self, partition: TopicPartition) -> Option<(Term, NodeId)> {
        self.known.get(&partition).copied()
    }

    /// A topic is no more.
    pub fn forget(&mut self, topic: TopicId) {
        let at = |partition| TopicPartition { topic, partition: PartitionId(partition) };
        let gone: Vec<TopicPartition> = self.known.range(at(0)..=at(i32::MAX)).map(|(of, _)| *of).collect();
        for of in gone {
            self.known.remove(&of);
            self.news.remove(&of);
        }
    }

    /// What nobody was told yet, in messages of a bounded size; it counts as told from now on.
    pub fn take_news(&mut self) -> Vec<Alive> {
        let news = std::mem::take(&mut self.news);
        messages(news.iter().filter_map(|partition| Some((partition, self.known.get(partition)?))))
    }

    /// Everything, in messages of a bounded size: at least one.
    pub fn whole(&self) -> Vec<Alive> {
        let mut all = messages(self.known.iter());
        if all.is_empty() {
            all.push(Alive::default());
        }
        all
    }
}

fn messages<'a>(entries: impl Iterator<Item = (&'a TopicPartition, &'a (Term, NodeId))>) -> Vec<Alive> {
    let leaders: Vec<Leader> = entries
        .map(|(partition, (term, node))| Leader {
            topic: id_bytes(u128::from_be_bytes(partition.topic.0)),
            partition: partition.partition.0,
            term: term.0,
            node: node.0,
        })
        .collect();
    leaders.chunks(LEADERS_PER_MESSAGE).map(|chunk| Alive { leaders: chunk.to_vec() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(number: i32) -> TopicPartition {
        TopicPartition { topic: TopicId([7; 16]), partition: PartitionId(number) }
    }

    #[test]
    fn the_higher_term_wins_in_any_order() {
        let mut leaders = Leaders::default();
        let told = [(3, 1), (2, 2), (5, 3), (5, 1), (4, 2)];
        told.iter().for_each(|(term, node)| leaders.learn(partition(0), Term(*term), NodeId(*node)));
        assert_eq!(leaders.of(partition(0)), Some((Term(5), NodeId(3))));
        assert_eq!(leaders.take_news()[0].leaders.len(), 1, "told once");
        leaders.learn(partition(0), Term(5), NodeId(3));
        assert!(leaders.take_news().is_empty());
    }

    #[test]
    fn what_cannot_be_is_an_error_and_changes_nothing() {
        let good = Leader { topic: id_bytes(1), partition: 0, term: 1, node: 1 };
        let bad = [
            Leader { topic: id_bytes(1).slice(1..), ..good.clone() },
            Leader { partition: -1, ..good.clone() },
            Leader { term: Term::MAX.0 + 1, ..good.clone() },
            Leader { node: 4, ..good.clone() },
        ];
        let mut leaders = Leaders::default();
        for leader in bad {
            assert!(leaders.hear(&leader, &[NodeId(1)]).is_err());
        }
        assert!(leaders.known.is_empty());
        assert_eq!(leaders.hear(&good, &[NodeId(1)]), Ok(()));
    }

    #[test]
    fn a_large_table_takes_several_messages_and_gossip_cannot_grow_it_for_ever() {
        let mut leaders = Leaders::default();
        for number in 0..i32::try_from(PARTITIONS_MAX).expect("small") + 10 {
            let leader = Leader { topic: id_bytes(1), partition: number, term: 1, node: 1 };
            leaders.hear(&leader, &[NodeId(1)]).expect("good");
        }
        let whole = leaders.whole();
        assert!(whole.len() > 1 && whole.iter().all(|alive| alive.leaders.len() <= LEADERS_PER_MESSAGE));
        assert_eq!(whole.iter().map(|alive| alive.leaders.len()).sum::<usize>(), PARTITIONS_MAX);
        leaders.forget(TopicId(1_u128.to_be_bytes()));
        assert!(leaders.known.is_empty() && leaders.news.is_empty());
    }
}
