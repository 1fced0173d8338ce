//! SyncGroup: who gets what. The members' leader says it, for all; the others wait for that.

use super::change::Change;
use crate::group::command::Command;
use crate::group::request::{Phase, Reply, Sync, Synced};
use crate::group::soft::Soft;
use crate::group::state::Groups;
use crate::machine::{Context, Decision, Proof, Waiter};
use crate::metadata::Metadata;
use rust_mq_proto::kafka::ErrorCode;
use std::collections::BTreeMap;

/// Answers a sync, now or once the leader has said who gets what.
pub fn sync(
    groups: &Groups,
    soft: &mut Soft,
    context: &Context<'_, Metadata>,
    waiter: Waiter,
    sync: Sync,
) -> Decision<Command, Reply> {
    let bytes_max = context.room.commands_bytes_max / 2;
    let state_left = context.room.state_bytes_max.saturating_sub(groups.bytes());
    let group = sync.who.group.clone();
    Change::of(groups, soft, context, &group, |change| {
        let bytes: usize = sync.assignments.iter().map(|(id, bytes)| id.len() + bytes.len()).sum();
        let said = change.check(&sync).and_then(|()| match bytes > bytes_max.min(state_left) {
            true => Err(ErrorCode::MessageTooLarge),
            false => Ok(()),
        });
        match said {
            Ok(()) => change.sync(sync, waiter),
            Err(code) => change.answer(waiter, Reply::Synced(Err(code)), Proof::Confirmed),
        }
    })
}

impl Change<'_> {
    fn check(&self, sync: &Sync) -> Result<(), ErrorCode> {
        let who = &sync.who;
        self.validate(&who.member, who.instance.as_deref())?;
        let classic = self.classic().ok_or(ErrorCode::UnknownMemberId)?;
        if who.generation != classic.generation {
            return Err(ErrorCode::IllegalGeneration);
        }
        let differs = |said: &Option<String>, is: &str| said.as_ref().is_some_and(|said| said != is);
        let protocol = classic.protocol.as_deref().unwrap_or_default();
        if differs(&sync.protocol_type, &classic.protocol_type) || differs(&sync.protocol, protocol) {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        match self.phase() {
            Phase::Empty => Err(ErrorCode::UnknownMemberId),
            Phase::PreparingRebalance => Err(ErrorCode::RebalanceInProgress),
            Phase::CompletingRebalance | Phase::Stable => Ok(()),
        }
    }

    fn sync(&mut self, sync: Sync, waiter: Waiter) {
        let id = sync.who.member;
        self.heard(&id);
        let Some(seat) = self.live.seats.get_mut(&id) else { return };
        seat.is_to_sync = false;
        if let Some(earlier) = seat.sync.replace(waiter) {
            // It asks again on another connection, and waits there.
            self.answer(earlier, Reply::Synced(Err(ErrorCode::RebalanceInProgress)), Proof::Applied);
        }
        let is_leader = self.classic().is_some_and(|classic| classic.leader.as_ref() == Some(&id));
        if self.phase() == Phase::Stable {
            let assignment = self.member(&id).map(|member| member.assignment.clone()).unwrap_or_default();
            self.live.seats.entry(id).and_modify(|seat| seat.sync = None);
            return self.tell(waiter, assignment, Proof::Confirmed);
        }
        if is_leader {
            self.assign(sync.assignments);
        }
    }

    fn assign(&mut self, assignments: Vec<(String, Vec<u8>)>) {
        let known: BTreeMap<String, Vec<u8>> =
            assignments.into_iter().filter(|(id, _)| self.live.seats.contains_key(id)).collect();
        for (id, waiter) in self.take_syncs() {
            self.heard(&id);
            self.tell(waiter, known.get(&id).cloned().unwrap_or_default(), Proof::Applied);
        }
        // Who is not named gets nothing, also if it had something before.
        let all = self.live.seats.keys().map(|id| (id.clone(), known.get(id).cloned().unwrap_or_default()));
        let assignments = all.collect();
        let (group, generation) = (self.group.to_owned(), self.generation());
        self.command(Command::Assigned { group, generation, assignments });
    }

    fn tell(&mut self, waiter: Waiter, assignment: Vec<u8>, proof: Proof) {
        let Some(classic) = self.classic() else { return };
        let protocol_type = classic.protocol_type.clone();
        let protocol = classic.protocol.clone().unwrap_or_default();
        let synced = Synced { protocol_type, protocol, assignment };
        self.answer(waiter, Reply::Synced(Ok(Box::new(synced))), proof);
    }
}
