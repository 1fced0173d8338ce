//! What time brings to a node: ticks of Raft, retention, and the deadlines of the rooms below.

use super::handing_over::hand_over_all;
use super::registering::NOBODY;
use super::{Node, behind};
use crate::action::Action;
use crate::ids::ReplicaId;
use crate::now::{Mono, Now, earliest};

impl Node {
    /// The deadline has come.
    pub fn woke(&mut self, now: Now, actions: &mut Vec<Action>) {
        let mut outcomes = Vec::new();
        self.ports.storage.woke(now.mono, actions, &mut outcomes);
        self.disk_outcomes(now, outcomes, actions);
        self.connections.woke(now.mono, &mut self.budget, actions);
        self.peers_woke(now);
        let (residents, ports) = (&mut self.residents, &mut self.ports);
        self.elections.woke(now, residents, ports);
        self.mendings.woke(now, residents, ports);
        self.scrubbing.woke(now, residents, ports);
        self.alarms.woke(now, residents, ports);
        self.asking.answered(residents, ports);
        self.asking.ask_again(now, residents, ports);
        self.look_at_registry(now);
        if self.ticks.take_due(now) {
            self.tick(now);
        }
        self.retention.woke(now, &mut self.residents, &mut self.ports);
        self.compacting.woke(now, &mut self.residents, &mut self.ports);
    }

    /// The earliest moment at which `woke` has something to do.
    pub fn next_deadline(&self) -> Option<Mono> {
        earliest([
            self.ports.storage.next_deadline(),
            (!self.ports.outcomes.is_empty()).then_some(Mono::default()),
            self.connections.next_deadline(&self.budget),
            self.ports.peers.next_deadline(),
            self.ticks.next_deadline(),
            self.elections.next_deadline(),
            self.mendings.next_deadline(),
            self.scrubbing.next_deadline(&self.residents),
            self.alarms.next_deadline(),
            self.asking.next_deadline(),
            self.registering.next_deadline(),
            self.retention.next_deadline(&self.residents),
            self.compacting.next_deadline(),
        ])
    }

    /// When peers want to be woken.
    #[cfg(feature = "simulation")]
    pub fn peers_deadline(&self) -> Option<Mono> {
        self.ports.peers.next_deadline()
    }

    /// Asks for what the registry should say of this node, and does not.
    fn look_at_registry(&mut self, now: Now) {
        let image = self.residents.image().filter(|_| self.is_serving() && !self.is_stopping());
        for request in self.registering.due(now, image, &self.config) {
            self.asking.ask(now, NOBODY, request.into(), &mut self.residents, &mut self.ports);
        }
    }

    fn tick(&mut self, now: Now) {
        let (residents, ports) = (&mut self.residents, &mut self.ports);
        self.handing_over.watch_disk(ports);
        let mut unheard: Vec<ReplicaId> = Vec::new();
        residents.for_each(|id, resident| {
            let replica = resident.replica_mut();
            if replica.members().voters.len() > 1 {
                replica.set_reluctant(self.handing_over.is_reluctant(id));
                replica.tick();
                if replica.has_ready() {
                    ports.touched.insert(id);
                }
                if replica.wants_to_lead() {
                    unheard.push(id);
                }
            }
        });
        self.ask_for_leadership(unheard);
        self.catch_ups.tick(now, &mut self.residents, &mut self.ports);
        self.handing_over.tick(&mut self.residents, &mut self.ports);
        if self.ticks.take_followers_due(now) {
            self.look_at_followers(now);
            let members = self.config.members.iter().map(|member| member.node);
            self.gone.look(members, &self.ports, now.mono);
        }
    }

    /// Replicas whose leader some voters do not hear: it is asked to give way where this node is heard better.
    fn ask_for_leadership(&mut self, unheard: Vec<ReplicaId>) {
        for id in unheard {
            if self.company().is_heard_better(id, id)
                && let Some(replica) = self.residents.replica_mut(id)
            {
                replica.ask_for_leadership();
                self.ports.touch(id);
            }
        }
    }

    /// Leaders look how far their followers are.
    fn look_at_followers(&mut self, now: Now) {
        self.residents.for_each_partition(|_, partition| partition.look_at_followers(now.mono));
        let led = self.residents.partitions().filter(|(_, partition)| partition.replica().is_leader());
        for id in led.map(|(id, _)| id).collect::<Vec<_>>() {
            self.tell_who_lags(id);
        }
        self.acknowledged.look_again(&mut self.ports);
    }

    /// Where space is short, records that may go do so before others are refused: they are looked for at once.
    pub fn hurry_retention(&mut self, now: Now) {
        self.retention.hurry(now, &mut self.residents, &mut self.ports);
    }

    /// Starts a checkpoint if one is due, and goes on with the one that is being gathered.
    pub fn checkpoint_if_due(&mut self, now: Now, actions: &mut Vec<Action>) {
        let storage = &self.ports.storage;
        let is_far_behind = behind::is_far(&self.residents, &self.budget);
        let is_due = storage.checkpoint_is_due() || is_far_behind && storage.checkpoint_frees();
        if is_due && self.image().is_some() && !self.service.is_halting() {
            self.begin_checkpoint(now, actions);
        }
        self.checkpoints.gather(now, &self.residents, &self.unclaimed, &mut self.ports, actions);
    }

    fn begin_checkpoint(&mut self, now: Now, actions: &mut Vec<Action>) {
        self.checkpoints.begin(now, &self.residents, &self.unclaimed, &mut self.ports, actions);
    }

    /// The process was asked to stop: no more records are taken, and what is on the way is finished; then others
    /// are to lead, and the disk is to be left clean.
    pub fn stop(&mut self) {
        self.service.stop();
        self.scrubbing.stop();
        self.compacting.stop();
    }

    /// Hands what this node leads to others, as far as one is there that keeps up. Returns whether it leads
    /// nothing any more that it could hand over.
    pub fn hand_over(&mut self) -> bool {
        hand_over_all(&mut self.residents, &mut self.ports)
    }

    /// One step of leaving the disk so that the next start has nothing to replay. Returns whether it is so.
    /// What only waits, as for room on a full disk, is not helped by another checkpoint.
    pub fn close(&mut self, now: Now, actions: &mut Vec<Action>) -> bool {
        if self.ports.storage.is_clean() || self.image().is_none() {
            return true;
        }
        if !self.ports.storage.is_covered() {
            self.begin_checkpoint(now, actions);
        }
        false
    }
}
