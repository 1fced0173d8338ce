//! What the APIs ask of a node: where a partition is, whether it can be served here, and the few things that are
//! done to it. Every answer is from this node's image and the leader table; nothing here waits.

use super::Node;
use super::cold_reads::Sought;
use crate::compaction::Compacted;
use crate::ids::{NodeId, Offset, PartitionId, ReplicaId, Term, TopicId, TopicPartition};
use crate::machine::Waiter;
use crate::mutant::{Mutant, is_planted};
use crate::now::Now;
use crate::partition::{AppendRefusal, Conditions, Partition};
use crate::resident::{Request, Resident};
use crate::storage::{Lookup, ReadFault, Storage};
use bytes::BytesMut;
use rust_mq_proto::kafka::{Chain, ErrorCode};

impl Node {
    /// The partition of a topic's name.
    pub fn named(&self, topic: &str, partition: i32) -> Result<TopicPartition, ErrorCode> {
        let id = self.image().and_then(|image| image.topic_id(topic));
        self.existing(id.ok_or_else(|| self.denial(ErrorCode::UnknownTopicOrPartition))?, partition)
    }

    /// The partition of a topic's id.
    pub fn identified(&self, topic: TopicId, partition: i32) -> Result<TopicPartition, ErrorCode> {
        match self.image().and_then(|image| image.topic(topic)) {
            Some(_) => self.existing(topic, partition),
            None => Err(self.denial(ErrorCode::UnknownTopicId)),
        }
    }

    fn existing(&self, topic: TopicId, partition: i32) -> Result<TopicPartition, ErrorCode> {
        if usize::try_from(partition).is_ok_and(|number| number < self.partition_count(topic)) {
            Ok(TopicPartition { topic, partition: PartitionId(partition) })
        } else {
            Err(self.denial(ErrorCode::UnknownTopicOrPartition))
        }
    }

    /// A client asks for a partition: if it has not started yet, it is next.
    pub fn wanted(&mut self, of: TopicPartition) {
        self.unstarted.hurry(of);
    }

    /// The same of all of a topic.
    pub fn topic_wanted(&mut self, topic: &str) {
        if self.unstarted.has_more()
            && let Some(id) = self.image().and_then(|image| image.topic_id(topic))
        {
            self.topic_id_wanted(id);
        }
    }

    /// The same, by its id.
    pub fn topic_id_wanted(&mut self, topic: TopicId) {
        self.unstarted.hurry_topic(topic);
    }

    /// This node's replica of a partition.
    pub fn partition(&self, of: TopicPartition) -> Option<&Partition> {
        self.residents.partition_at(of)
    }

    /// The partition, if this node serves it and the client's idea of its epoch is right.
    pub fn serving(
        &self,
        of: Result<TopicPartition, ErrorCode>,
        epoch: i32,
    ) -> Result<(ReplicaId, &Partition), ErrorCode> {
        let of = of?;
        let Some(partition) = self.residents.partition_at(of) else {
            // It may be that a request found the topic, and waits for it still when it is deleted.
            return Err(self
                .existing(of.topic, of.partition.0)
                .err()
                .unwrap_or(ErrorCode::NotLeaderOrFollower));
        };
        match partition.check_epoch(epoch) {
            ErrorCode::None if partition.is_leading() || self.serves_all_the_same(partition) => {
                Ok((partition.replica().id(), partition))
            }
            ErrorCode::None => Err(ErrorCode::NotLeaderOrFollower),
            error => Err(error),
        }
    }

    /// Bugs that can be planted: who may not serve readers does.
    fn serves_all_the_same(&self, partition: &Partition) -> bool {
        let is_early = self.is_planted(Mutant::ReadsBeforeOwnTerm) && partition.replica().is_leader();
        is_early || self.is_planted(Mutant::FollowerServes)
    }

    /// Whether this node leads the partition and has not applied an entry of its term yet: what others have
    /// committed may not be visible here for a moment.
    pub fn is_taking_over(&self, of: TopicPartition) -> bool {
        let partition = self.residents.partition_at(of);
        partition.is_some_and(|partition| partition.replica().is_leader() && !partition.is_leading())
    }

    /// Who leads a partition, and since which term: the newer of what this node's replica and the table know. A
    /// replica that has stepped down knows no leader, and the table may still name this node: then nobody is
    /// known, or clients would be sent back here again and again. Nor is anybody while the one that is known is gone.
    pub fn leader_of(&self, of: TopicPartition) -> Option<(Term, NodeId)> {
        let told = self.ports.peers.leader_of(of);
        let own = self.residents.of(of).and_then(|resident| {
            let replica = resident.replica();
            self.residents.node_of(of, replica.leader()).map(|node| (replica.term(), node))
        });
        let newest = [told, own].into_iter().flatten().max_by_key(|(term, _)| *term);
        newest.filter(|(_, node)| match *node == self.config.node {
            true => self.residents.of(of).is_none_or(|resident| resident.replica().is_leader()),
            false => !self.is_gone(*node),
        })
    }

    /// How many partitions a topic has; a topic that is gone has none.
    pub fn partition_count(&self, topic: TopicId) -> usize {
        self.image().and_then(|image| image.topic(topic)).map_or(0, |topic| topic.partitions.len())
    }

    /// The first of a topic's partitions, from `first` on, that has no leader; their count if all have one.
    pub fn led_from(&self, topic: TopicId, first: usize) -> usize {
        let count = self.partition_count(topic);
        let has_leader = |number: &usize| {
            let of = crate::metadata::partition_of(topic, *number);
            match self.leader_of(of) {
                // Here, it must be ready to take records too.
                Some((_, node)) if node == self.config.node => {
                    self.residents.of(of).is_some_and(Resident::is_leading)
                }
                leader => leader.is_some(),
            }
        };
        (first..count).find(|number| !has_leader(number)).unwrap_or(count)
    }

    /// The nodes whose replicas are in sync, where this node leads the partition. One that is not there is not,
    /// however short its lag was when it went.
    pub fn in_sync_nodes(&self, of: TopicPartition) -> Option<Vec<NodeId>> {
        self.company().in_sync(of)
    }

    /// Whether a node's replica is in sync, as far as one knows that does not lead the partition: the leader tells who
    /// is not.
    pub fn may_be_in_sync(&self, of: TopicPartition, node: NodeId) -> bool {
        self.is_alive(node) && !self.ports.peers.lagging(of).contains(&node)
    }

    /// Whether a node is there, as far as this one knows.
    pub fn is_alive(&self, node: NodeId) -> bool {
        node == self.config.node || self.ports.peers.is_up(node)
    }

    /// Whether nobody has heard a node for so long that clients are not told of it.
    pub fn is_gone(&self, node: NodeId) -> bool {
        self.gone.is_gone(node, &self.ports)
    }

    /// Whether the disk takes records.
    pub fn takes_records(&self) -> bool {
        self.ports.storage.accepts_records()
    }

    /// Takes a client's batch.
    ///
    /// # Errors
    /// A definite refusal.
    pub fn append(
        &mut self,
        now: Now,
        of: TopicPartition,
        waiter: Option<(Waiter, u32)>,
        records: BytesMut,
        conditions: Conditions,
    ) -> Result<(), AppendRefusal> {
        self.wanted(of);
        let not_here = || AppendRefusal::new(ErrorCode::NotLeaderOrFollower, "");
        let id = self.residents.replica_of(of).filter(|_| !self.is_stopping()).ok_or_else(not_here)?;
        let counts =
            conditions.wants_all && self.residents.partition(id).is_some_and(Partition::counts_in_sync);
        let in_sync = if counts { self.in_sync_nodes(of).map_or(0, |nodes| nodes.len()) } else { 0 };
        let partition = self.residents.partition_mut(id).ok_or_else(not_here)?;
        partition.append(
            now,
            waiter,
            records,
            Conditions { in_sync, ..conditions },
            &mut self.decompressor,
        )?;
        // A batch that was here already is answered now: no commit will come to remind of it (seed 4).
        if partition.has_answer() && !is_planted(self.config.mutant, Mutant::DuplicateNotAnswered) {
            partition.settle(&mut self.ports.news.settled);
            self.acknowledged.look_at(id, partition);
        }
        self.ports.touch(id);
        Ok(())
    }

    /// Lets a partition's log begin at `below` at the earliest; -1 is its high watermark. Where it begins, if it does
    /// already; otherwise `waiter` hears of it in the news.
    ///
    /// # Errors
    /// A definite refusal, or NOT_LEADER_OR_FOLLOWER.
    pub fn delete_records(
        &mut self,
        now: Now,
        of: TopicPartition,
        waiter: (Waiter, u32),
        below: i64,
    ) -> Result<Option<Offset>, ErrorCode> {
        let id = self.residents.replica_of(of).filter(|_| !self.is_stopping());
        let id = id.ok_or(ErrorCode::NotLeaderOrFollower)?;
        let partition = self.residents.partition_mut(id).ok_or(ErrorCode::NotLeaderOrFollower)?;
        let start = partition.delete_records(now, waiter, below)?;
        self.ports.touch(id);
        Ok(start)
    }

    /// Reads committed batches from `from` on, for a client: one cold read serves all who ask for the same.
    pub fn read(&mut self, of: TopicPartition, from: Offset, max_bytes: usize) -> Lookup {
        let Some((id, partition)) = self.residents.placed(of) else {
            return Lookup::Refused(ReadFault::OutOfRange);
        };
        let watermark = partition.high_watermark();
        // What is committed meanwhile lies behind what this read can bring.
        let below =
            |storage: &Storage| storage.segment_end(id, from).map_or(watermark, |end| end.min(watermark));
        let sought = |storage: &Storage| Sought::Batches { from, below: below(storage), max_bytes };
        self.cold_reads.share(id, &mut self.ports, sought, |ports| {
            ports.storage.read(id, from, watermark, max_bytes, &mut ports.actions)
        })
    }

    /// The largest timestamp of a partition's records, if any has one. The log's state knows it as long as no record is
    /// taken out of the log; then its segments do.
    pub fn newest_timestamp(&self, of: TopicPartition) -> Option<i64> {
        let (id, partition) = self.residents.placed(of)?;
        if partition.compacted() == Compacted::default() {
            return partition.log().newest.timestamp();
        }
        let unwritten = self.ports.storage.unwritten(id);
        let all = self.ports.storage.segments(id).iter().chain(&unwritten);
        all.map(|segment| segment.max_timestamp).max().filter(|timestamp| *timestamp >= 0)
    }

    /// Looks for the first batch, from `from` or the log start on, that has a record of that time or later; an empty
    /// chunk if there is none.
    pub fn find_time(&mut self, of: TopicPartition, from: Offset, timestamp: i64) -> Lookup {
        let Some((id, partition)) = self.residents.placed(of) else {
            return Lookup::Refused(ReadFault::Gone);
        };
        let from = from.max(partition.log_start());
        let sought = Sought::Time { from, timestamp };
        self.cold_reads.share(
            id,
            &mut self.ports,
            |_| sought,
            |ports| ports.storage.find_time(id, from, timestamp, &mut ports.actions),
        )
    }

    /// These records of a partition are given to a client.
    pub fn gave(&mut self, of: TopicPartition, records: &Chain) {
        if let Some(partition) = self.residents.partition_at_mut(of) {
            partition.gave(records);
        }
    }

    /// Whether there is a record for a reader who is there, by whom it takes to lead in that epoch.
    #[cfg(feature = "simulation")]
    pub fn has_come(&self, of: Result<TopicPartition, ErrorCode>, epoch: i32, offset: Offset) -> bool {
        self.serving(of, epoch).is_ok_and(|(_, partition)| {
            let is_there = offset >= partition.log_start() && offset < partition.high_watermark();
            is_there && !self.is_being_mended(partition.of(), offset)
        })
    }

    /// Wakes `waiter` when the partition has news.
    pub fn watch(&mut self, of: TopicPartition, waiter: Waiter) {
        if let Some(partition) = self.residents.partition_at_mut(of) {
            partition.watch(waiter);
        }
    }

    /// `waiter` is answered: the partition keeps nothing of it.
    pub fn unwatch(&mut self, of: TopicPartition, waiter: Waiter) {
        if let Some(partition) = self.residents.partition_at_mut(of) {
            partition.unwatch(waiter);
        }
    }

    /// Confirms with a majority that this node leads the partition; `waiter` hears of it in the news.
    pub fn confirm(&mut self, of: TopicPartition, waiter: Waiter) {
        match self.residents.replica_of(of) {
            Some(id) => self.reading.ask(id, waiter, &mut self.residents, &mut self.ports),
            None => self.ports.news.confirmed.push((waiter, false)),
        }
    }

    /// Whether that offset cannot be read now, and good bytes are on their way.
    pub fn is_being_mended(&self, of: TopicPartition, offset: Offset) -> bool {
        self.residents.replica_of(of).is_some_and(|id| self.mendings.is_being_mended(id, offset))
    }

    /// Asks a machine, on whichever node leads it; `waiter` hears of it in the news.
    pub fn ask(&mut self, now: Now, waiter: Waiter, request: impl Into<Request>) {
        self.asking.ask(now, waiter, request.into(), &mut self.residents, &mut self.ports);
    }
}
