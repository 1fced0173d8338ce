//! JoinGroup: somebody wants to be in the next generation.
//!
//! A first join without an id is told one and comes again with it (KIP-394), so that a client which never hears the answer
//! leaves no member behind. A static member needs none: it is known by its instance, and who comes by the same name takes
//! its place (KIP-345); if nothing of what it says is new to the others, they are not disturbed.

use super::change::Change;
use crate::group::command::Command;
use crate::group::generation::Member;
use crate::group::live;
use crate::group::request::{Join, Joined, Phase, Refused, Reply};
use crate::group::soft::Soft;
use crate::group::state::{Groups, State};
use crate::limits::GROUPS_MAX;
use crate::machine::{Context, Decision, Proof, Waiter};
use crate::metadata::Metadata;
use rust_mq_proto::kafka::ErrorCode;
use std::time::Duration;

/// Answers a join, now or once the generation begins.
pub fn join(
    groups: &Groups,
    soft: &mut Soft,
    context: &mut Context<'_, Metadata>,
    waiter: Waiter,
    join: Join,
) -> Decision<Command, Reply> {
    let refuse = |code| {
        let refused = Refused { code, member: join.member.clone() };
        Decision::confirmed(Vec::new(), waiter, Reply::Joined(Err(refused)))
    };
    let is_first = join.member.is_empty();
    let is_there = groups.group(&join.group).is_some_and(|group| !matches!(group.state, State::Simple))
        || soft.live.contains_key(&join.group);
    if !is_there && !is_first {
        return refuse(ErrorCode::UnknownMemberId);
    }
    if !is_there && soft.live.len() >= GROUPS_MAX {
        return refuse(ErrorCode::GroupMaxSizeReached);
    }
    let (members_max, bytes_max) = (context.room.groups.members_max, context.room.commands_bytes_max / 2);
    let state_left = context.room.state_bytes_max.saturating_sub(groups.bytes());
    let number = context.rng.next_u128();
    let group = join.group.clone();
    Change::of(groups, soft, context, &group, |change| {
        if let Some(code) = change.refusal(&join, members_max, bytes_max.min(state_left)) {
            return change.refuse_join(waiter, &join.member, code);
        }
        if change.live.seats.is_empty() {
            change.live.protocol_type.clone_from(&join.protocol_type);
        }
        if is_first {
            let name = join.about.instance.as_ref().unwrap_or(&join.about.client_id);
            let id = format!("{name}-{}", uuid(number));
            change.first(&join, id, waiter);
        } else {
            change.again(join, waiter);
        }
    })
}

impl Change<'_> {
    /// Why this one may not join, if so.
    fn refusal(&self, join: &Join, members_max: usize, bytes_max: usize) -> Option<ErrorCode> {
        let live::Live { seats, waiting, .. } = &*self.live;
        let seat = seats.get(&join.member);
        let is_accepted = match self.phase() {
            Phase::Empty => true,
            Phase::PreparingRebalance => {
                seat.is_some_and(|seat| seat.join.is_some()) || *waiting < members_max
            }
            _ => seat.is_some() || seats.len() < members_max,
        };
        if !is_accepted || self.live.bytes + join.about.bytes() > bytes_max {
            return Some(ErrorCode::GroupMaxSizeReached);
        }
        let speaks = if seats.is_empty() {
            !join.protocol_type.is_empty() && !join.about.protocols.is_empty()
        } else {
            join.protocol_type == self.live.protocol_type && self.live.supports(&join.about.protocols)
        };
        (!speaks).then_some(ErrorCode::InconsistentGroupProtocol)
    }

    /// Somebody without an id.
    fn first(&mut self, join: &Join, id: String, waiter: Waiter) {
        let about = join.about.clone();
        let known = about.instance.as_ref().and_then(|instance| self.live.instances.get(instance)).cloned();
        match known {
            Some(old) => self.come_again(join, &old, id, waiter),
            None if about.instance.is_none() && join.comes_twice => {
                let patience = u64::try_from(about.session_timeout_ms).unwrap_or(0);
                self.expect(&id, Duration::from_millis(patience));
                self.refuse_join(waiter, &id, ErrorCode::MemberIdRequired);
            }
            None => self.add(&id, about, waiter),
        }
    }

    /// Somebody with an id.
    fn again(&mut self, join: Join, waiter: Waiter) {
        let Join { member: id, about, .. } = join;
        if self.live.pending.contains_key(&id) && about.instance.is_none() {
            return self.add(&id, about, waiter);
        }
        if let Err(code) = self.validate(&id, about.instance.as_deref()) {
            return self.refuse_join(waiter, &id, code);
        }
        let is_leader = self.classic().is_some_and(|classic| classic.leader.as_ref() == Some(&id));
        let says_the_same = self.member(&id).is_some_and(|member| member.protocols == about.protocols);
        match self.phase() {
            Phase::CompletingRebalance if says_the_same => self.tell_again(&id, is_leader, waiter),
            Phase::Stable if says_the_same && !is_leader => self.tell_again(&id, false, waiter),
            Phase::Empty => self.refuse_join(waiter, &id, ErrorCode::UnknownMemberId),
            _ => self.update(&id, about, waiter),
        }
    }

    /// Nothing has changed since it was told.
    fn tell_again(&mut self, id: &str, is_leader: bool, waiter: Waiter) {
        self.heard(id);
        let Some(joined) = self.joined(id) else {
            return self.refuse_join(waiter, id, ErrorCode::UnknownMemberId);
        };
        let members = if is_leader { self.members(&joined.protocol) } else { Vec::new() };
        self.answer(waiter, Reply::Joined(Ok(Box::new(Joined { members, ..joined }))), Proof::Confirmed);
    }

    /// The present generation, as a member is told of it.
    fn joined(&self, id: &str) -> Option<Joined> {
        let classic = self.classic()?;
        Some(Joined {
            member: id.to_owned(),
            generation: classic.generation,
            protocol_type: classic.protocol_type.clone(),
            protocol: classic.protocol.clone().unwrap_or_default(),
            leader: classic.leader.clone().unwrap_or_default(),
            skip_assignment: false,
            members: Vec::new(),
        })
    }

    /// A static member whose instance is known.
    fn come_again(&mut self, join: &Join, old: &str, id: String, waiter: Waiter) {
        let Some(before) = self.member(old).cloned() else {
            return self.refuse_join(waiter, &join.member, ErrorCode::UnknownMemberId);
        };
        let Some(classic) = self.classic().filter(|_| self.phase() == Phase::Stable) else {
            self.leave(old, ErrorCode::FencedInstanceId);
            return self.add(&id, join.about.clone(), waiter);
        };
        let about = Member { assignment: before.assignment.clone(), ..join.about.clone() };
        self.fence(old, &before);
        let draft = Some(Box::new(about.clone()));
        self.live.seat(&id, &about, live::Seat { draft, ..live::Seat::default() });
        // Another choice of protocol would be news to all.
        if Some(self.choose()) != classic.protocol {
            self.live.unseat(&id, &about);
            self.gone(old);
            return self.add(&id, join.about.clone(), waiter);
        }
        self.heard(&id);
        let was_leader = classic.leader.as_deref() == Some(old);
        let skips = join.may_skip_assignment && was_leader;
        if let Some(joined) = self.joined(&id) {
            let members = if skips { self.members(&joined.protocol) } else { Vec::new() };
            // Who does not know that nothing is to be assigned is not told that it leads, and assigns nothing.
            let leader = if skips { id.clone() } else { joined.leader.clone() };
            let joined = Joined { leader, skip_assignment: skips, members, ..joined };
            self.answer(waiter, Reply::Joined(Ok(Box::new(joined))), Proof::Applied);
        }
        self.replicated(&id);
        let (group, old) = (self.group.to_owned(), old.to_owned());
        self.command(Command::MemberReplaced { group, old, new: id, member: about });
    }
}

/// 128 bits of chance, as people write them.
fn uuid(number: u128) -> String {
    // Version 4, variant 1 (RFC 9562).
    let number = number & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{number:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
