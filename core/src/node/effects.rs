//! What committed metadata commands do to this node: replicas start and stop. Only what is applied has effects;
//! a leader's tip has none.
//!
//! Invariant: a replica starts from what the disk knows of it, if it knows it, and from nothing only if the disk
//! never held it: its first frame is a `ReplicaAdded` that precedes all it ever promised.

use super::deleted_ahead::DeletedAhead;
use super::unstarted::Open;
use super::{Node, settings};
use crate::action::{Action, HaltReason, Notice};
use crate::ids::{ReplicaId, TopicId, TopicPartition};
use crate::metadata::{Metadata, partition_of};
use crate::now::Now;
use crate::resident::{Effect, Kind, METADATA, Means, Unfolding, Unstartable, unborn};
use crate::settings::Holder;
use crate::storage::{CommittedBatch, RecoveredReplica};
use std::collections::BTreeSet;

impl Node {
    pub(super) fn carry_out(&mut self, now: Now, id: ReplicaId, effect: Effect, actions: &mut Vec<Action>) {
        match effect {
            Effect::Kept(batch) => self.keep(id, batch),
            Effect::LogStarts(start) => self.ports.storage.advance_log_start(id, start),
            Effect::TopicCreated { id, name, partitions } => {
                self.start_topic(now, id, actions);
                actions.push(Action::Note(Notice::TopicCreated { name, partitions }));
            }
            Effect::TopicWidened { id, name, partitions } => {
                self.start_topic(now, id, actions);
                actions.push(Action::Note(Notice::TopicWidened { name, partitions }));
            }
            Effect::TopicDeleted { id, name, replicas } => {
                self.identity.forget(&replicas);
                self.stop_topic(id, name, actions);
                self.ports.storage.topic_gone(id);
            }
            Effect::ImageAt(index) => {
                for topic in self.deleted_ahead.passed(index) {
                    self.start_topic(now, topic, actions);
                }
            }
            Effect::Configured(of) => self.configured(now, &of),
            Effect::LevelRaised(to) => {
                actions.push(Action::Note(Notice::LevelRaised { to }));
                self.level_is(now, actions);
            }
            Effect::ImageReplaced(before) => self.image_replaced(now, &before, actions),
        }
    }

    /// Hands a committed batch to storage, unless a catch-up has brought it before its entry was applied. A catch-up
    /// brings what is committed; if the batch begins within that and ends beyond it, other records were committed then,
    /// and disks have lost them since (`sim/plans/seed-810016.json`).
    fn keep(&mut self, id: ReplicaId, batch: CommittedBatch) {
        let end = self.ports.kept_end(id);
        if batch.next <= end {
            return;
        }
        if batch.base < end {
            return self
                .retire(id, "keeps records that were committed, and others are committed in their place");
        }
        self.ports.storage.keep(id, batch);
    }

    /// Starts this node's replicas of a topic that the image shows, as many of them as this turn may.
    pub(super) fn start_topic(&mut self, now: Now, id: TopicId, actions: &mut Vec<Action>) {
        if self.deleted_ahead.holds(id) {
            return;
        }
        let Some(topic) = self.residents.image().and_then(|image| image.topic(id)) else { return };
        for (number, assignment) in topic.partitions.iter().enumerate() {
            let of = partition_of(id, number);
            if let Some(id) = assignment.on(self.config.node)
                && self.residents.of(of).is_none()
            {
                self.unstarted.add(of, id);
            }
        }
        self.go_on_starting(now, actions);
    }

    /// Goes on with what is to start, as far as this turn may.
    pub fn go_on_starting(&mut self, now: Now, actions: &mut Vec<Action>) {
        while !self.unstarted.is_empty() && !self.service.is_halting() {
            match self.unstarted.read() {
                Ok(Some(open)) => self.begin(now, *open, actions),
                Ok(None) if self.unstarted.is_reading() => return,
                Ok(None) => match self.unstarted.next() {
                    Some(of) => self.start_partition(of, actions),
                    None => return,
                },
                Err((of, fault)) => self.undecodable(of, &fault, actions),
            }
        }
    }

    /// Begins with one that was to start, if the image shows it still.
    fn start_partition(&mut self, of: TopicPartition, actions: &mut Vec<Action>) {
        let Some(image) = self.residents.image() else { return };
        let Some(topic) = image.topic(of.topic) else { return };
        let number = usize::try_from(of.partition.0).unwrap_or(usize::MAX);
        let Some(assignment) = topic.partitions.get(number) else { return };
        let Some(id) = assignment.on(self.config.node) else { return };
        if self.deleted_ahead.holds(of.topic) || self.residents.of(of).is_some() || self.identity.is_dead(id)
        {
            return;
        }
        let kind = Kind::of_topic(image, of.topic, topic, self.config.node);
        let members = assignment.members_at_start(id);
        let known = match self.unclaimed.read(id) {
            // A replica that was only added, and has seen no checkpoint: it begins as it did.
            Some(known) if known.members.voters.is_empty() => RecoveredReplica { members, ..known },
            Some(known) => known,
            None => {
                self.ports.storage.add_replica(id, of);
                unborn(id, of, members)
            }
        };
        self.open(kind, known, actions);
    }

    /// Begins with what the disk has of a resident.
    pub(super) fn open(&mut self, kind: Kind, known: RecoveredReplica, actions: &mut Vec<Action>) {
        let of = known.of;
        let settings = settings::of_replica(&self.config, self.seed, of);
        let means = Means {
            seed: self.seed,
            room: settings::room(&self.config, &settings),
            reads: self.config.levels.newest,
            level: self.residents.level(),
        };
        match Unfolding::begin(kind, means, known) {
            Ok(state) => self.unstarted.opened(Open { of, kind, state }),
            Err(fault) => self.undecodable(of, &fault, actions),
        }
    }

    /// The state of a resident is whole: it runs from here on.
    fn begin(&mut self, now: Now, Open { of, kind, state }: Open, actions: &mut Vec<Action>) {
        let resident = match state.finish(settings::of_replica(&self.config, self.seed, of)) {
            Ok(resident) => resident,
            Err(fault) => return self.undecodable(of, &fault, actions),
        };
        let id = resident.replica().id();
        self.residents.insert(resident);
        self.ticks.started();
        self.unclaimed.claim(id);
        match kind {
            Kind::Metadata => return self.metadata_starts(now, id, actions),
            Kind::Group => {}
            Kind::Records(config) => {
                // What was set while its state was read acts, too.
                let set =
                    |image: &Metadata| Some(image.topic_config(image.topic(of.topic)?, self.config.node));
                let config = self.residents.image().and_then(set).unwrap_or(config);
                self.configure(id, config);
                self.mendings.started(now, id, &mut self.residents, &mut self.ports);
            }
        }
        // The first that is there is to lead; the others' turns come after it, should it fail.
        let assignment = self.residents.image().and_then(|image| image.assignment(of));
        let rank = assignment.and_then(|assignment| {
            let mut live = assignment.target().iter().filter(|placed| self.ports.is_alive(placed.node));
            live.position(|placed| placed.replica == id)
        });
        self.elections.started(now, id, rank.unwrap_or(0), &mut self.residents, &mut self.ports);
    }

    /// What the disk has of a resident cannot be read: the process ends.
    fn undecodable(&mut self, of: TopicPartition, fault: &Unstartable, actions: &mut Vec<Action>) {
        self.halt(HaltReason::Undecodable { reason: format!("{of}: {fault}") }, actions);
    }

    /// A snapshot took the place of the image: no command says what has changed, so what runs here is compared
    /// with what is placed here.
    fn image_replaced(&mut self, now: Now, before: &Metadata, actions: &mut Vec<Action>) {
        self.deleted_ahead = DeletedAhead::default();
        let Some(image) = self.image() else { return };
        let placed: BTreeSet<TopicId> = image.topics().map(|(id, _)| id).collect();
        let running = self.residents.partitions().map(|(_, partition)| partition.of().topic);
        let known: BTreeSet<TopicId> = running.chain(self.unclaimed.topics()).collect();
        for topic in known.difference(&placed) {
            // The dead are not forgotten: no entry says after a crash that the topic is gone.
            self.stop_topic(*topic, before.name_of(*topic), actions);
        }
        for (topic, _) in before.topics().filter(|(topic, _)| !placed.contains(topic)) {
            self.ports.storage.topic_gone(topic);
        }
        for topic in placed {
            self.start_topic(now, topic, actions);
        }
        self.configured(now, &Holder::Cluster);
        self.level_is(now, actions);
        self.asking.answered(&self.residents, &mut self.ports);
    }

    /// The image shows the cluster's feature level: what this node writes is of it from here on, and who does not read
    /// it is no peer. If this build does not, it was started where a newer one has been, and goes no further.
    pub(super) fn level_is(&mut self, now: Now, actions: &mut Vec<Action>) {
        let (level, levels) = (self.residents.level(), self.config.levels);
        if !levels.contains(level) {
            let reason = format!(
                "{METADATA}: feature level {level}; this build reads levels {levels}, start a newer one"
            );
            return self.halt(HaltReason::Undecodable { reason }, actions);
        }
        self.residents.for_each_partition(|_, partition| partition.level_raised(level));
        self.ports.peers.level_raised(level, now.mono);
    }

    fn stop_topic(&mut self, id: TopicId, name: String, actions: &mut Vec<Action>) {
        let gone: Vec<ReplicaId> = self.residents.of_topic(id).collect();
        for replica in gone {
            if let Some(mut resident) = self.residents.remove(replica) {
                resident.abandon(&mut self.ports.told());
            }
            self.ports.touched.remove(replica);
            self.ports.storage.drop_replica(replica);
            self.left(replica);
        }
        self.unstarted.forget(id);
        for replica in self.unclaimed.forget(id) {
            self.ports.storage.drop_replica(replica);
        }
        self.ports.peers.forget_leaders(id);
        actions.push(Action::Note(Notice::TopicDeleted { name, topic: id }));
    }

    /// A disk has lost what it had promised: a leader knows of entries here that are not here, or what was committed
    /// here is not what is committed now. This replica must never vote nor acknowledge again; its files stay where they
    /// are. Where it takes the image with it, the node ends once its disk knows why: before that, its next start would
    /// vote.
    pub(super) fn retire(&mut self, id: ReplicaId, what: &str) {
        let Some(mut resident) = self.residents.remove(id) else { return };
        let reason = format!("{}: {id} {what}", resident.of());
        self.ports.actions.push(Action::Note(Notice::ReplicaDead { reason: reason.clone() }));
        self.identity.bury(id);
        if self.image().is_none() {
            self.identity.end(HaltReason::Undecodable { reason });
        } else {
            resident.abandon(&mut self.ports.told());
            self.left(id);
            // Checkpoints go on naming what it had.
            self.ports.storage.forget_pages(id);
            self.unclaimed.add([resident.remains()]);
        }
        self.identity.write(&mut self.ports);
    }
}
