//! Who leads what: soft knowledge, told from node to node, never a command.
//!
//! What a node learns from one peer it tells the others once, so that a change reaches everyone who can be
//! reached, by whatever path.
//!
//! A leader also tells which replicas are not in sync with it, to every node that it reaches, again whenever that
//! changes. What others say of that is not believed: it may be older.
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
    /// Nodes whose replicas the leader in `known` has called out of sync; none for most partitions.
    lagging: BTreeMap<TopicPartition, Vec<NodeId>>,
    /// Told to nobody yet.
    news: BTreeSet<TopicPartition>,
}

impl Leaders {
    /// A leader of this node's own knowledge.
    pub fn learn(&mut self, partition: TopicPartition, term: Term, node: NodeId) {
        let known = self.known.entry(partition).or_insert((Term(0), node));
        if known.0 < term {
            *known = (term, node);
            self.lagging.remove(&partition);
            self.news.insert(partition);
        }
    }

    /// Which replicas are not in sync, as their leader `node` knows. Returns whether that is new.
    pub fn learn_lagging(
        &mut self,
        partition: TopicPartition,
        term: Term,
        node: NodeId,
        lagging: Vec<NodeId>,
    ) -> bool {
        if self.known.get(&partition) != Some(&(term, node)) || self.lagging(partition) == lagging {
            return false;
        }
        match lagging.is_empty() {
            true => self.lagging.remove(&partition),
            false => self.lagging.insert(partition, lagging),
        };
        true
    }

    /// To be told to everybody once more.
    pub fn tell_again(&mut self, partition: TopicPartition) {
        self.news.insert(partition);
    }

    /// The nodes whose replicas are not in sync, as far as their leader has told.
    pub fn lagging(&self, partition: TopicPartition) -> &[NodeId] {
        self.lagging.get(&partition).map_or(&[], Vec::as_slice)
    }

    /// A leader that a peer told. At `PARTITIONS_MAX` entries nothing new is learnt from others: they may tell
    /// of partitions that are long gone.
    pub fn hear(&mut self, leader: &Leader, from: NodeId, members: &[NodeId]) -> Result<(), &'static str> {
        let topic = read_id(&leader.topic).ok_or("a leader of a topic id that is none")?;
        let partition =
            TopicPartition { topic: TopicId(topic.to_be_bytes()), partition: PartitionId(leader.partition) };
        if leader.partition < 0 || leader.term > Term::MAX.0 || !members.contains(&NodeId(leader.node)) {
            return Err("a leader that cannot be");
        }
        let lagging: Vec<NodeId> = leader.lagging.iter().map(|node| NodeId(*node)).collect();
        if lagging.len() > members.len() || lagging.iter().any(|node| !members.contains(node)) {
            return Err("replicas out of sync on nodes that are none");
        }
        if self.known.len() < PARTITIONS_MAX || self.known.contains_key(&partition) {
            self.learn(partition, Term(leader.term), NodeId(leader.node));
        }
        if leader.node == from.0 {
            self.learn_lagging(partition, Term(leader.term), from, lagging);
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
            self.lagging.remove(&of);
            self.news.remove(&of);
        }
    }

    /// What nobody was told yet, in messages of a bounded size; it counts as told from now on.
    pub fn take_news(&mut self) -> Vec<Alive> {
        if self.news.is_empty() {
            return Vec::new();
        }
        let news = std::mem::take(&mut self.news);
        self.messages(news.iter().filter_map(|partition| Some((partition, self.known.get(partition)?))))
    }

    /// Everything, in messages of a bounded size: at least one.
    pub fn whole(&self) -> Vec<Alive> {
        let mut all = self.messages(self.known.iter());
        if all.is_empty() {
            all.push(Alive::default());
        }
        all
    }

    fn messages<'a>(
        &self,
        entries: impl Iterator<Item = (&'a TopicPartition, &'a (Term, NodeId))>,
    ) -> Vec<Alive> {
        let leaders: Vec<Leader> = entries
            .map(|(partition, (term, node))| Leader {
                topic: id_bytes(u128::from_be_bytes(partition.topic.0)),
                partition: partition.partition.0,
                term: term.0,
                node: node.0,
                lagging: self.lagging(*partition).iter().map(|node| node.0).collect(),
            })
            .collect();
        let message = |chunk: &[Leader]| Alive { leaders: chunk.to_vec(), ..Alive::default() };
        leaders.chunks(LEADERS_PER_MESSAGE).map(message).collect()
    }
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
    fn who_lags_is_believed_of_the_leader_alone_and_until_the_next() {
        let members = [NodeId(1), NodeId(2), NodeId(3)];
        let topic = id_bytes(u128::from_be_bytes([7; 16]));
        let said = |node, term, lagging: &[i32]| Leader {
            topic: topic.clone(),
            partition: 0,
            term,
            node,
            lagging: lagging.to_vec(),
        };
        let mut leaders = Leaders::default();
        leaders.hear(&said(1, 1, &[3]), NodeId(2), &members).expect("good");
        assert!(leaders.lagging(partition(0)).is_empty(), "told by another");
        leaders.hear(&said(1, 1, &[3]), NodeId(1), &members).expect("good");
        leaders.hear(&said(1, 1, &[]), NodeId(2), &members).expect("good");
        assert_eq!(leaders.lagging(partition(0)), [NodeId(3)], "told by the leader");
        leaders.hear(&said(2, 2, &[]), NodeId(3), &members).expect("good");
        assert!(leaders.lagging(partition(0)).is_empty(), "another leads");
        leaders.hear(&said(1, 1, &[3]), NodeId(1), &members).expect("good");
        assert!(leaders.lagging(partition(0)).is_empty(), "it leads no more");
    }

    #[test]
    fn what_cannot_be_is_an_error_and_changes_nothing() {
        let good = Leader { topic: id_bytes(1), partition: 0, term: 1, node: 1, lagging: Vec::new() };
        let bad = [
            Leader { topic: id_bytes(1).slice(1..), ..good.clone() },
            Leader { partition: -1, ..good.clone() },
            Leader { term: Term::MAX.0 + 1, ..good.clone() },
            Leader { node: 4, ..good.clone() },
            Leader { lagging: vec![4], ..good.clone() },
            Leader { lagging: vec![1, 1], ..good.clone() },
        ];
        let mut leaders = Leaders::default();
        for leader in bad {
            assert!(leaders.hear(&leader, NodeId(1), &[NodeId(1)]).is_err());
        }
        assert!(leaders.known.is_empty());
        assert_eq!(leaders.hear(&good, NodeId(1), &[NodeId(1)]), Ok(()));
    }

    #[test]
    fn a_large_table_takes_several_messages_and_gossip_cannot_grow_it_for_ever() {
        let mut leaders = Leaders::default();
        for number in 0..i32::try_from(PARTITIONS_MAX).expect("small") + 10 {
            let leader =
                Leader { topic: id_bytes(1), partition: number, term: 1, node: 1, lagging: Vec::new() };
            leaders.hear(&leader, NodeId(1), &[NodeId(1)]).expect("good");
        }
        let whole = leaders.whole();
        assert!(whole.len() > 1 && whole.iter().all(|alive| alive.leaders.len() <= LEADERS_PER_MESSAGE));
        assert_eq!(whole.iter().map(|alive| alive.leaders.len()).sum::<usize>(), PARTITIONS_MAX);
        leaders.forget(TopicId(1_u128.to_be_bytes()));
        assert!(leaders.known.is_empty() && leaders.news.is_empty());
    }
}
