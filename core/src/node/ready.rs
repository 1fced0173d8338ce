//! The end of a turn: each touched replica makes one ready, and what is in it is carried to where it belongs.
//!
//! Invariant: a ready goes whole into one journal frame; where the frame has no room, the replica stays touched
//! and nothing of it is taken.

use super::serving::tell_who_is_behind;
use super::{Node, behind};
use crate::action::{Action, HaltReason, Notice};
use crate::entry::Entry;
use crate::ids::{Index, ReplicaId};
use crate::machine::Undecodable;
use crate::mutant::Mutant;
use crate::now::Now;
use crate::replica::{ReadContext, Ready, ReadyNumber, Replica, Role};
use crate::storage::Durable;
use rust_mq_proto::peer::raft::RaftMessage;

impl Node {
    /// Lets every touched replica make its ready.
    pub fn make_ready(&mut self, now: Now, actions: &mut Vec<Action>) {
        let touched = self.ports.touched.take();
        for id in touched.iter().copied() {
            let room = self.ports.storage.room();
            let Some(replica) = self.residents.replica_mut(id) else { continue };
            if let Some(ready) = replica.take_ready(room)
                && let Err(error) = self.carry(now, id, ready, actions)
            {
                return self.halt(HaltReason::Undecodable { reason: format!("{id}: {error}") }, actions);
            }
            // Something is left where there was no room, or where applying has made more to say.
            let Some(resident) = self.residents.get(id) else { continue };
            if resident.replica().has_ready() {
                self.ports.touch(id);
            }
            self.alarms.set(id, resident.next_deadline());
            self.residents.weigh(id);
        }
        self.acknowledged.settle(&touched, &mut self.residents, &mut self.ports);
        let kept_bytes_max = behind::kept_bytes_max(&self.residents, &self.budget, &self.config.storage);
        if !self.is_planted(Mutant::KeptForNobody) {
            self.checkpoints.followed(&touched, kept_bytes_max, &mut self.residents);
        }
        self.ports.touched.reuse(touched);
        self.look_at_image();
        self.behind.bound_producers(now, &mut self.residents, &mut self.ports);
        self.asking.ask_again(now, &mut self.residents, &mut self.ports);
    }

    /// Whether a checkpoint or a start could go on at once, or a touched replica make a ready. One whose ready the next
    /// frame has no room for waits for the disk, whose answer is an event: turning until then would only burn the
    /// processor.
    pub fn can_go_on(&self) -> bool {
        let has_room = |replica: &Replica| replica.ready_bytes() <= self.ports.storage.room();
        let mut touched = self.ports.touched.iter().filter_map(|id| self.residents.replica(id));
        self.unstarted.has_more()
            || self.ports.storage.can_gather()
            || touched.any(|replica| replica.has_ready() && has_room(replica))
    }

    fn carry(
        &mut self,
        now: Now,
        id: ReplicaId,
        mut ready: Ready,
        actions: &mut Vec<Action>,
    ) -> Result<(), Undecodable> {
        self.say(id, std::mem::take(&mut ready.messages));
        if let Some(reset) = ready.reset.take() {
            let mut effects = Vec::new();
            let (residents, ports) = (&mut self.residents, &mut self.ports);
            self.catch_ups.journal(id, &ready, &reset, &mut effects, residents, ports)?;
            self.mendings.over(id, residents, ports);
            self.asking.answered(residents, ports);
            effects.into_iter().for_each(|effect| self.carry_out(now, id, effect, actions));
        } else if ready.must_persist {
            self.journal(id, &ready);
            self.look_for_truncation(now, id, &ready, actions);
        }
        for entry in &ready.committed {
            self.apply(now, id, entry, actions)?;
        }
        if let Some(last) = ready.committed.last()
            && let Some(replica) = self.residents.replica_mut(id)
        {
            replica.applied(last.index);
        }
        if !ready.reads.is_empty() {
            self.heard(id, &ready.reads);
        }
        if let Some(role) = ready.role {
            self.role_changed(id, role, actions);
        }
        if !ready.committed.is_empty() || ready.role.is_some() {
            self.settle(now, id);
        }
        self.reading.applied(id, &self.residents, &mut self.ports.news);
        tell_who_is_behind(id, &mut self.residents, &mut self.ports);
        Ok(())
    }

    /// A leader may cut off what the journal had above the image.
    fn look_for_truncation(&mut self, now: Now, id: ReplicaId, ready: &Ready, actions: &mut Vec<Action>) {
        let Some(first) = ready.entries.first().filter(|first| self.deleted_ahead.reaches(first.index))
        else {
            return;
        };
        let Some(resident) = self.residents.get(id).filter(|resident| resident.image().is_some()) else {
            return;
        };
        let applied = resident.applied().index;
        for topic in self.deleted_ahead.truncated(first.index, applied) {
            self.start_topic(now, topic, actions);
        }
    }

    fn journal(&mut self, id: ReplicaId, ready: &Ready) {
        let is_lost = self.is_planted(Mutant::HardStateLost) && !ready.entries.is_empty();
        let hard_state = ready.hard_state.filter(|_| !is_lost);
        let durable = self.ports.storage.append(id, ready.number.0, hard_state, &ready.entries);
        if durable == Durable::Already || self.is_planted(Mutant::DurableWhenHandedOver) {
            self.persisted(id, ready.number);
        }
    }

    /// A frame with readies of this replica up to `number` is durable.
    pub(super) fn persisted(&mut self, id: ReplicaId, number: ReadyNumber) {
        let is_rash = self.is_planted(Mutant::DurableWhenHandedOver);
        let Some(replica) = self.residents.replica_mut(id) else { return };
        if is_rash && replica.has_persisted(number) {
            return;
        }
        let messages = replica.persisted(number);
        self.say(id, messages);
        self.ports.touch(id);
    }

    /// Messages of a replica to the others of its partition.
    fn say(&mut self, id: ReplicaId, messages: Vec<RaftMessage>) {
        if messages.is_empty() {
            return;
        }
        let Some(of) = self.residents.partition_of(id) else { return };
        for message in messages {
            if let Some(node) = self.residents.node_of(of, ReplicaId(message.to)) {
                self.ports.peers.send_raft(node, message);
            }
        }
    }

    fn apply(
        &mut self,
        now: Now,
        id: ReplicaId,
        entry: &Entry,
        actions: &mut Vec<Action>,
    ) -> Result<(), Undecodable> {
        let Some(resident) = self.residents.get_mut(id) else { return Ok(()) };
        let mut effects = std::mem::take(&mut self.effects);
        let applied = resident.apply(entry, &mut effects);
        for effect in effects.drain(..) {
            self.carry_out(now, id, effect, actions);
        }
        self.effects = effects;
        applied
    }

    /// Answers what is true now that entries are applied, or a role has changed.
    fn settle(&mut self, now: Now, id: ReplicaId) {
        self.residents.settle(now, id, &mut self.ports.told());
        if let Some(partition) = self.residents.partition(id) {
            self.acknowledged.look_at(id, partition);
        }
        self.asking.answered(&self.residents, &mut self.ports);
    }

    /// A majority has confirmed that this replica leads.
    fn heard(&mut self, id: ReplicaId, reads: &[(ReadContext, Index)]) {
        let Some(resident) = self.residents.get_mut(id) else { return };
        resident.heard(reads, &mut self.ports.told());
        self.reading.heard(id, reads, resident.replica_mut(), &mut self.ports.news);
        self.asking.answered(&self.residents, &mut self.ports);
    }

    fn role_changed(&mut self, id: ReplicaId, role: Role, actions: &mut Vec<Action>) {
        let Some(resident) = self.residents.get(id) else { return };
        let (of, is_image) = (resident.of(), resident.image().is_some());
        self.ports.news.is_leader_changed = true;
        self.raft.leader_changes += 1;
        self.raft.elections_won += u64::from(role.is_leader);
        // Also where it leads again, in another term: what was asked in the one before is forgotten below.
        self.reading.lost(id, &mut self.ports.news);
        if let Some(leader) = self.residents.node_of(of, role.leader) {
            self.ports.peers.learn_leader(of, role.term, leader);
        }
        if role.is_leader && is_image {
            actions.push(Action::Note(Notice::Controller { term: role.term.0 }));
        }
    }
}
