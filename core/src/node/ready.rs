//! The end of a turn: each touched replica makes one ready, and what is in it is carried to where it belongs.
//!
//! Invariant: a ready goes whole into one journal frame; where the frame has no room, the replica stays touched
//! and nothing of it is taken.

use super::Node;
use crate::action::{Action, HaltReason, Notice};
use crate::entry::Entry;
use crate::ids::{Index, Offset, ReplicaId};
use crate::machine::{Undecodable, Waiter};
use crate::mutant::{Mutant, is_planted};
use crate::now::Now;
use crate::partition::Partition;
use crate::replica::{ReadContext, Ready, ReadyNumber, Replica, Role};
use crate::storage::{CommittedBatch, Durable};
use std::collections::BTreeSet;

impl Node {
    /// Lets every touched replica make its ready.
    pub fn make_ready(&mut self, now: Now, actions: &mut Vec<Action>) {
        let touched = std::mem::take(&mut self.touched);
        for id in touched.iter().copied() {
            let room = self.storage.room();
            let Some(replica) = self.residents.replica_mut(id) else { continue };
            let ready = replica.take_ready(room);
            // Something is left where there was no room, or where applying has made more to say.
            let Some(ready) = ready else {
                if replica.has_ready() {
                    self.touched.insert(id);
                }
                self.residents.weigh(id);
                continue;
            };
            if let Err(error) = self.carry(now, id, ready, actions) {
                return self.halt(HaltReason::Undecodable { reason: format!("{id}: {error}") }, actions);
            }
            if self.residents.replica(id).is_some_and(Replica::has_ready) {
                self.touched.insert(id);
            }
            self.residents.weigh(id);
        }
        self.settle_on_disks(&touched);
        self.look_at_image();
        self.bound_producers(now);
        self.ask_again(now);
    }

    /// Whether a touched replica could make a ready at once. One whose ready the next frame has no room for waits
    /// for the disk, whose answer is an event: turning until then would only burn the processor.
    pub fn can_go_on(&self) -> bool {
        let has_room = |replica: &Replica| replica.ready_bytes() <= self.storage.room();
        let mut touched = self.touched.iter().filter_map(|id| self.residents.replica(*id));
        touched.any(|replica| replica.has_ready() && has_room(replica))
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
            self.journal_reset(id, &ready, &reset, &mut effects)?;
            effects.into_iter().for_each(|effect| self.carry_out(now, id, effect, actions));
        } else if ready.must_persist {
            self.journal(id, &ready);
            self.look_for_cut(now, id, &ready, actions);
        }
        for entry in &ready.committed {
            self.apply(now, id, entry, actions)?;
        }
        if let Some(last) = ready.committed.last()
            && let Some(replica) = self.residents.replica_mut(id)
        {
            replica.applied(last.index);
        }
        self.note_reads(id, &ready.reads);
        if let Some(role) = ready.role {
            self.role_changed(id, role, actions);
        }
        self.settle(id, !ready.committed.is_empty() || ready.role.is_some());
        self.wake_readers(id);
        self.tell_who_is_behind(id);
        Ok(())
    }

    /// A leader may cut off what the journal of the metadata partition had above the image.
    fn look_for_cut(&mut self, now: Now, id: ReplicaId, ready: &Ready, actions: &mut Vec<Action>) {
        let Some(first) = ready.entries.first() else { return };
        let Some(resident) = self.residents.get(id).filter(|resident| resident.image().is_some()) else {
            return;
        };
        let applied = resident.applied().index;
        for topic in self.deleted_ahead.cut(first.index, applied) {
            self.start_topic(now, topic, actions);
        }
    }

    pub(super) fn journal(&mut self, id: ReplicaId, ready: &Ready) {
        let is_lost = is_planted(self.config.mutant, Mutant::HardStateLost) && !ready.entries.is_empty();
        let hard_state = ready.hard_state.filter(|_| !is_lost);
        let durable = self.storage.append(id, ready.number.0, hard_state, &ready.entries);
        let is_rash = is_planted(self.config.mutant, Mutant::DurableWhenHandedOver);
        if durable == Durable::Already || is_rash {
            self.persisted(id, ready.number.0);
        }
    }

    /// A frame with readies of this replica up to `number` is durable.
    pub(super) fn persisted(&mut self, id: ReplicaId, number: u64) {
        let is_rash = is_planted(self.config.mutant, Mutant::DurableWhenHandedOver);
        let Some(replica) = self.residents.replica_mut(id) else { return };
        if is_rash && replica.has_persisted(ReadyNumber(number)) {
            return;
        }
        let messages = replica.persisted(ReadyNumber(number));
        self.say(id, messages);
        self.touch(id);
    }

    fn apply(
        &mut self,
        now: Now,
        id: ReplicaId,
        entry: &Entry,
        actions: &mut Vec<Action>,
    ) -> Result<(), Undecodable> {
        let mut effects = std::mem::take(&mut self.effects);
        let applied = self.residents.get_mut(id).map(|resident| resident.apply(entry, &mut effects));
        for effect in effects.drain(..) {
            self.carry_out(now, id, effect, actions);
        }
        self.effects = effects;
        applied.unwrap_or(Ok(()))
    }

    /// Hands a committed batch to storage, unless a catch-up has brought it before its entry was applied. A catch-up
    /// brings what is committed; if the batch begins within that and ends beyond it, other records were committed then,
    /// and disks have lost them since (`sim/plans/seed-810016.json`).
    pub(super) fn keep(&mut self, id: ReplicaId, batch: CommittedBatch) {
        let end = self.kept_end(id);
        if batch.next <= end {
            return;
        }
        if batch.base < end {
            return self
                .retire(id, "keeps records that were committed, and others are committed in their place");
        }
        self.storage.keep(id, batch);
    }

    /// Where what storage keeps of a replica ends: ahead of what is applied while it catches up.
    pub(super) fn kept_end(&self, id: ReplicaId) -> Offset {
        self.storage.end(id).unwrap_or(Offset(0))
    }

    /// Answers what is true now that entries are applied, or a role has changed.
    fn settle(&mut self, id: ReplicaId, has_news: bool) {
        if !has_news {
            return;
        }
        let awaits_disks = self.with(id, |resident, told| {
            resident.settle(told);
            resident.records().is_some_and(Partition::awaits_disks)
        });
        if awaits_disks == Some(true) {
            self.awaiting_disks.insert(id);
        }
    }

    /// Answers produces that wait for more disks than a majority's, as far as these have them. What a follower
    /// acknowledges beyond a commit makes no ready, but touches the replica.
    fn settle_on_disks(&mut self, touched: &BTreeSet<ReplicaId>) {
        if self.awaiting_disks.is_empty() {
            return;
        }
        let touched: Vec<ReplicaId> = self.awaiting_disks.intersection(touched).copied().collect();
        for id in touched {
            let of = self.residents.partition(id).map(Partition::of);
            let in_sync = of.and_then(|of| self.in_sync_nodes(of)).map_or(0, |nodes| nodes.len());
            let partition = self.residents.partition_mut(id);
            let still_waits = partition.is_some_and(|partition| {
                partition.settle_on_disks(in_sync, &mut self.news.settled);
                partition.awaits_disks()
            });
            if !still_waits {
                self.awaiting_disks.remove(&id);
            }
        }
    }

    fn role_changed(&mut self, id: ReplicaId, role: Role, actions: &mut Vec<Action>) {
        let Some(of) = self.residents.partition_of(id) else { return };
        self.news.is_leader_changed = true;
        if !role.is_leader {
            self.reads_lost(id);
        }
        if let Some(leader) = self.residents.node_of(of, role.leader) {
            self.peers.learn_leader(of, role.term, leader);
        }
        let is_image = self.residents.get(id).is_some_and(|resident| resident.image().is_some());
        if role.is_leader && is_image {
            actions.push(Action::Note(Notice::Controller { term: role.term.0 }));
        }
    }

    /// A linearizable read of this replica: `waiter` hears of it in the news.
    pub(super) fn read_index(&mut self, id: ReplicaId, waiter: Waiter) {
        self.next_context += 1;
        let context = self.next_context;
        let is_asked =
            self.residents.replica_mut(id).is_some_and(|replica| replica.read_index(ReadContext(context)));
        if is_asked {
            self.reads.entry(id).or_default().insert(ReadContext(context), waiter);
            self.touch(id);
        } else {
            self.news.confirmed.push((waiter, false));
        }
    }

    fn note_reads(&mut self, id: ReplicaId, reads: &[(ReadContext, Index)]) {
        let Some(asked) = self.reads.get_mut(&id).filter(|_| !reads.is_empty()) else { return };
        for (context, index) in reads {
            if let Some(waiter) = asked.remove(context) {
                self.awaiting_applied.insert((id, *index, waiter));
            }
        }
        if asked.is_empty() {
            self.reads.remove(&id);
        }
    }

    fn wake_readers(&mut self, id: ReplicaId) {
        if self.awaiting_applied.is_empty() {
            return;
        }
        let Some(applied) = self.residents.get(id).map(|resident| resident.applied().index) else {
            return;
        };
        self.confirm_up_to(id, applied, true);
    }

    /// This replica leads no more, or is gone: what was read of it is not confirmed.
    pub(super) fn reads_lost(&mut self, id: ReplicaId) {
        let asked = self.reads.remove(&id).unwrap_or_default();
        self.news.confirmed.extend(asked.into_values().map(|waiter| (waiter, false)));
        self.confirm_up_to(id, Index(u64::MAX), false);
    }

    fn confirm_up_to(&mut self, id: ReplicaId, applied: Index, is_leading: bool) {
        let all = (id, Index(0), Waiter(0))..=(id, applied, Waiter(u64::MAX));
        let done: Vec<_> = self.awaiting_applied.range(all).copied().collect();
        for waiting in done {
            self.awaiting_applied.remove(&waiting);
            self.news.confirmed.push((waiting.2, is_leading));
        }
    }
}
