//! What the APIs ask of a node: where a partition is, whether it can be served here, and the few things that are
//! done to it. Every answer is from this node's image and the leader table; nothing here waits.

use super::Node;
use super::cold_reads::Sought;
use crate::error_code::ErrorCode;
use crate::host::Replied;
use crate::ids::{Index, NodeId, Offset, PartitionId, ReplicaId, Term, TopicId, TopicPartition};
use crate::limits::CONTROLLER_AWAITED_MAX;
use crate::machine::Waiter;
use crate::metadata::{Reply, Request};
use crate::mutant::{Mutant, is_planted};
use crate::now::{Mono, Now};
use crate::partition::{AppendRefusal, Conditions, Partition};
use crate::peer::CallId;
use crate::resident::Resident;
use crate::storage::{Chunk, Lookup, ReadFault, ReadId, Storage};
use bytes::BytesMut;

/// A request that no controller was there for.
pub(super) struct Unasked {
    pub until: Mono,
    waiter: Waiter,
    request: Request,
}

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
    pub fn is_settling(&self, of: TopicPartition) -> bool {
        let partition = self.residents.partition_at(of);
        partition.is_some_and(|partition| partition.replica().is_leader() && !partition.is_leading())
    }

    /// Who leads a partition, and since which term: the newer of what this node's replica and the table know. A
    /// replica that has stepped down knows no leader, and the table may still name this node: then nobody is
    /// known, or clients would be sent back here again and again.
    pub fn leader_of(&self, of: TopicPartition) -> Option<(Term, NodeId)> {
        let told = self.peers.leader_of(of);
        let Some(resident) = self.residents.of(of) else { return told };
        let replica = resident.replica();
        let own = self.residents.node_of(of, replica.leader()).map(|node| (replica.term(), node));
        let newest = [told, own].into_iter().flatten().max_by_key(|(term, _)| *term);
        newest.filter(|(_, node)| *node != self.config.node || replica.is_leader())
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
        let partition = self.residents.partition_at(of).filter(|partition| partition.is_leading())?;
        let nodes = partition.in_sync().filter_map(|replica| self.residents.node_of(of, replica));
        Some(nodes.filter(|node| self.is_alive(*node)).collect())
    }

    /// Whether a node's replica is in sync, as far as one knows that does not lead the partition: the leader tells who
    /// is not.
    pub fn may_be_in_sync(&self, of: TopicPartition, node: NodeId) -> bool {
        self.is_alive(node) && !self.peers.lagging(of).contains(&node)
    }

    /// Whether a node is there, as far as this one knows.
    pub fn is_alive(&self, node: NodeId) -> bool {
        node == self.config.node || self.peers.is_up(node)
    }

    /// Whether the disk takes records.
    pub fn takes_records(&self) -> bool {
        self.storage.accepts_records()
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
        let not_here = || AppendRefusal::new(ErrorCode::NotLeaderOrFollower, "");
        let id = self.residents.replica_of(of).filter(|_| !self.is_stopping).ok_or_else(not_here)?;
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
            partition.settle(&mut self.news.settled);
            if partition.awaits_disks() {
                self.awaiting_disks.insert(id);
            }
        }
        self.touch(id);
        Ok(())
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
        self.shared(id, sought, |node| {
            node.storage.read(id, from, watermark, max_bytes, &mut node.disk_actions)
        })
    }

    /// Reads committed batches from `from` on, for a peer.
    pub(super) fn read_for_peer(&mut self, of: TopicPartition, from: Offset, max_bytes: usize) -> Lookup {
        let Some((id, partition)) = self.residents.placed(of) else {
            return Lookup::Refused(ReadFault::OutOfRange);
        };
        self.storage.read(id, from, partition.high_watermark(), max_bytes, &mut self.disk_actions)
    }

    /// Looks for the first batch, from `from` or the log start on, that has a record of that time or later; an empty
    /// chunk if there is none.
    pub fn find_time(&mut self, of: TopicPartition, from: Offset, timestamp: i64) -> Lookup {
        let Some((id, partition)) = self.residents.placed(of) else {
            return Lookup::Refused(ReadFault::Gone);
        };
        let from = from.max(partition.log_start());
        let sought = Sought::Time { from, timestamp };
        self.shared(
            id,
            |_| sought,
            |node| node.storage.find_time(id, from, timestamp, &mut node.disk_actions),
        )
    }

    fn shared(
        &mut self,
        id: ReplicaId,
        sought: impl Fn(&Storage) -> Sought,
        begin: impl FnOnce(&mut Node) -> Lookup,
    ) -> Lookup {
        if !self.cold_reads.is_empty()
            && let Some(read) = self.cold_reads.find(id, sought(&self.storage))
        {
            return Lookup::Later(read);
        }
        let lookup = begin(self);
        if let Lookup::Later(read) = lookup {
            self.cold_reads.began(read, id, sought(&self.storage));
        }
        lookup
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
            Some(id) => self.read_index(id, waiter),
            None => self.news.confirmed.push((waiter, false)),
        }
    }

    pub(super) fn read_done(&mut self, now: Now, read: ReadId, result: Result<Chunk, ReadFault>) {
        self.cold_reads.ended(read);
        let is_ours = self.answer_catch_up_read(read, &result)
            || self.looked_through(now, read, &result)
            || self.scrubbed(now, read, &result);
        if !is_ours {
            self.news.read.push((read, result));
        }
    }

    /// Asks the metadata machine, on whichever node leads it. The answer comes in the news once this node's own
    /// image shows what it speaks of. Where nobody leads, as just after a start, the request waits a bounded time
    /// for someone to; then it is "not controller".
    /// Too much at once is refused here, wherever the leader is.
    pub fn ask(&mut self, now: Now, waiter: Waiter, request: Request) {
        if let Some(refusal) = request.excess() {
            self.news.replied.push((waiter, Reply::Refused(refusal)));
            return;
        }
        let unasked = Unasked { until: now.mono + CONTROLLER_AWAITED_MAX, waiter, request };
        if let Some(unasked) = self.ask_controller(now, unasked) {
            self.unasked.push_back(unasked);
        }
    }

    /// Asks what waits for a controller, if there is one now, and gives up what has waited too long.
    pub(super) fn ask_again(&mut self, now: Now) {
        while let Some(unasked) = self.unasked.pop_front() {
            let Some(unasked) = self.ask_controller(now, unasked) else { continue };
            if unasked.until > now.mono {
                // Where this one cannot be asked, the later ones cannot either.
                self.unasked.push_front(unasked);
                return;
            }
            self.news.replied.push((unasked.waiter, Reply::NotController));
        }
    }

    /// Gives the request back if nobody can be asked.
    fn ask_controller(&mut self, now: Now, unasked: Unasked) -> Option<Unasked> {
        let Some(leader) = self.controller() else { return Some(unasked) };
        if leader == self.config.node {
            let Some(host) = self.residents.metadata().filter(|host| host.is_leading()) else {
                return Some(unasked);
            };
            let id = host.replica().id();
            let Unasked { waiter, request, .. } = unasked;
            self.with(id, |resident, told| resident.request(now, waiter, request, told));
            self.touch(id);
            return None;
        }
        match self.peers.forward(leader, unasked.request.encode(), now.mono) {
            Some(call) => {
                self.forwarded.insert(call, unasked.waiter);
                None
            }
            None => Some(unasked),
        }
    }

    /// Another node's answer to a forwarded request; `None` if it was lost.
    pub(super) fn forwarded(&mut self, id: CallId, answer: Option<(Index, &[u8])>) {
        let Some(waiter) = self.forwarded.remove(&id) else { return };
        let (index, reply) = match answer {
            Some((index, bytes)) => (index, Reply::decode(bytes).unwrap_or(Reply::NotController)),
            None => (Index(0), Reply::NotController),
        };
        self.answered.push(Replied { waiter, reply, index });
        self.take_answers();
    }

    /// Lets the answers go whose subject this node's image shows by now.
    pub(super) fn release_image_waiters(&mut self) {
        let applied = self.metadata().map_or(Index(0), |host| host.applied().index);
        while let Some(first) = self.awaiting_image.first_entry()
            && (first.key().0 <= applied || is_planted(self.config.mutant, Mutant::AnsweredBeforeShown))
        {
            let ((index, waiter), reply) = first.remove_entry();
            if !self.answer_peer(waiter, index, &reply) {
                self.news.replied.push((waiter, reply));
            }
        }
    }
}
