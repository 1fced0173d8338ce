//! Members between two rebalances: they are heard, leave, or are silent for too long. And all of them when this
//! coordinator has taken over: each has a session that begins anew.

use super::change::Change;
use crate::group::command::Command;
use crate::group::generation::Classic;
use crate::group::live::{Live, Round, Seat};
use crate::group::request::{Leaving, Phase, Reply, Who};
use crate::group::soft::{Alarm, Soft};
use crate::group::state::{Group, Groups};
use crate::machine::{Context, Decision, Proof, Waiter};
use crate::metadata::Metadata;
use crate::now::Mono;
use rust_mq_proto::kafka::ErrorCode;
use std::time::Duration;

/// A member is there still.
pub fn heartbeat(
    groups: &Groups,
    soft: &mut Soft,
    context: &Context<'_, Metadata>,
    waiter: Waiter,
    who: &Who,
) -> Decision<Command, Reply> {
    Change::of(groups, soft, context, &who.group, |change| {
        let code = change.beat(who).err().unwrap_or(ErrorCode::None);
        change.answer(waiter, Reply::Done(code), Proof::Confirmed);
    })
}

/// Members are members no more.
pub fn leave(
    groups: &Groups,
    soft: &mut Soft,
    context: &Context<'_, Metadata>,
    waiter: Waiter,
    group: &str,
    members: &[Leaving],
) -> Decision<Command, Reply> {
    Change::of(groups, soft, context, group, |change| {
        let codes: Vec<ErrorCode> = members.iter().map(|leaving| change.leaves(leaving)).collect();
        if codes.contains(&ErrorCode::None) {
            change.fewer();
        }
        change.answer(waiter, Reply::Left(Ok(codes)), Proof::Confirmed);
    })
}

/// Alarms of one group rang.
pub fn rang(
    groups: &Groups,
    soft: &mut Soft,
    context: &Context<'_, Metadata>,
    group: &str,
    alarms: &[Alarm],
) -> Decision<Command, Reply> {
    Change::of(groups, soft, context, group, |change| {
        let mut are_fewer = false;
        for alarm in alarms {
            match alarm {
                Alarm::Member(_, id) if change.is_silent(id) => {
                    change.leave(id, ErrorCode::UnknownMemberId);
                    are_fewer = true;
                }
                Alarm::Pending(_, id) => are_fewer |= change.is_forgotten(id),
                Alarm::Member(..) | Alarm::Group(_) | Alarm::Sweep => {}
            }
        }
        if are_fewer {
            change.fewer();
        }
        if alarms.iter().any(|alarm| matches!(alarm, Alarm::Group(_))) {
            change.look();
        }
    })
}

/// After an election: a group's members sit down.
pub fn reseat(
    groups: &Groups,
    soft: &mut Soft,
    now: Mono,
    id: &str,
    group: &Group,
    classic: &Classic,
) -> usize {
    let mut live = Live { protocol_type: classic.protocol_type.clone(), ..Live::default() };
    let mut patience = Duration::default();
    for (member, about) in groups.classic_members(group.number) {
        let ms = |ms: i32| Duration::from_millis(u64::try_from(ms).unwrap_or(0));
        patience = patience.max(ms(about.rebalance_timeout_ms));
        let until = now + ms(about.session_timeout_ms);
        let is_to_sync = !classic.is_assigned;
        live.seat(member, about, Seat { until, alarm: until, is_to_sync, ..Seat::default() });
        soft.alarms.set(until, Alarm::Member(id.to_owned(), member.to_owned()));
    }
    if classic.has_lost {
        // The rebalance that was due ended with the coordinator that had begun it.
        live.round = Some(Round { until: now + patience, ..Round::default() });
        soft.alarms.set(now + patience, Alarm::Group(id.to_owned()));
    } else if !classic.is_assigned {
        live.sync_until = Some(now + patience);
        soft.alarms.set(now + patience, Alarm::Group(id.to_owned()));
    }
    let count = live.seats.len();
    if count > 0 {
        soft.live.insert(id.to_owned(), live);
    }
    count
}

impl Change<'_> {
    fn beat(&mut self, who: &Who) -> Result<(), ErrorCode> {
        self.validate(&who.member, who.instance.as_deref())?;
        if who.generation != self.generation() {
            return Err(ErrorCode::IllegalGeneration);
        }
        match self.phase() {
            Phase::Empty => Err(ErrorCode::UnknownMemberId),
            Phase::PreparingRebalance => {
                self.heard(&who.member);
                Err(ErrorCode::RebalanceInProgress)
            }
            Phase::CompletingRebalance | Phase::Stable => {
                self.heard(&who.member);
                Ok(())
            }
        }
    }

    fn leaves(&mut self, leaving: &Leaving) -> ErrorCode {
        let instance = leaving.instance.as_deref();
        if instance.is_none() && self.live.pending.remove(&leaving.member).is_some() {
            return ErrorCode::None;
        }
        let known = instance.and_then(|instance| self.live.instances.get(instance));
        let id = match known {
            // An administrator knows no more than the instance.
            Some(known) if leaving.member.is_empty() => known.clone(),
            _ => leaving.member.clone(),
        };
        if let Err(code) = self.validate(&id, instance) {
            return code;
        }
        self.leave(&id, ErrorCode::UnknownMemberId);
        ErrorCode::None
    }

    fn is_forgotten(&mut self, id: &str) -> bool {
        let is_over = self.live.pending.get(id).is_some_and(|until| *until <= self.now.mono);
        is_over && self.live.pending.remove(id).is_some()
    }

    /// Members, or who was about to be one, are gone.
    fn fewer(&mut self) {
        match self.phase() {
            Phase::PreparingRebalance => self.complete_if_all_have_joined(),
            Phase::Empty if self.classic().is_none_or(|classic| classic.members == 0) => {}
            Phase::Empty => self.begin_empty(),
            Phase::CompletingRebalance | Phase::Stable if self.has_left() => self.rebalance(),
            Phase::CompletingRebalance | Phase::Stable => {}
        }
    }
}
