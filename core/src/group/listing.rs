//! Groups as administrators see them: listed, described, deleted.

use super::classic::{CONSUMER, Change};
use super::command::Command;
use super::request::{Described, Description, Listed, Phase, Reply};
use super::soft::Soft;
use super::state::{Groups, State};
use crate::machine::{Context, Decision, Proof, Waiter};
use crate::metadata::Metadata;
use rust_mq_proto::kafka::ErrorCode;

/// All groups of this partition.
pub fn list(groups: &Groups, soft: &Soft) -> Vec<Listed> {
    let known = groups.groups().map(|(id, group)| {
        let live = soft.live.get(id);
        let is_joining = live.is_some_and(|live| live.round.is_some());
        let (state, protocol_type) = match &group.state {
            _ if is_joining => {
                (Phase::PreparingRebalance.name(), live.map_or("", |live| &live.protocol_type))
            }
            State::Simple => (Phase::Empty.name(), ""),
            State::Classic(classic) if classic.members == 0 => (Phase::Empty.name(), &*classic.protocol_type),
            State::Classic(classic) if classic.has_lost => {
                (Phase::PreparingRebalance.name(), &*classic.protocol_type)
            }
            State::Classic(classic) if classic.is_assigned => (Phase::Stable.name(), &*classic.protocol_type),
            State::Classic(classic) => (Phase::CompletingRebalance.name(), &*classic.protocol_type),
            State::Consumer(consumer) => (groups.consumer_state(group.number, consumer), CONSUMER),
        };
        let is_of_consumers = matches!(group.state, State::Consumer(_)) && !is_joining;
        Listed { group: id.clone(), protocol_type: protocol_type.to_owned(), state, is_of_consumers }
    });
    let new = soft.live.iter().filter(|(id, live)| live.round.is_some() && groups.group(id).is_none());
    let new = new.map(|(id, live)| Listed {
        group: id.clone(),
        protocol_type: live.protocol_type.clone(),
        state: Phase::PreparingRebalance.name(),
        is_of_consumers: false,
    });
    known.chain(new).collect()
}

/// All about a group.
pub fn describe(
    groups: &Groups,
    soft: &mut Soft,
    context: &Context<'_, Metadata>,
    waiter: Waiter,
    group: &str,
) -> Decision<Command, Reply> {
    Change::of(groups, soft, context, group, |change| {
        // One of consumers is asked for with ConsumerGroupDescribe.
        let is_of_consumers =
            matches!(change.known, Some(known) if matches!(known.state, State::Consumer(_)));
        let is_known = !is_of_consumers && (change.known.is_some() || !change.live.seats.is_empty());
        let described = is_known.then(|| Box::new(change.described()));
        change.answer(waiter, Reply::Described(described), Proof::Confirmed);
    })
}

/// Deletes a group that nobody is in.
pub fn delete(
    groups: &Groups,
    soft: &mut Soft,
    context: &Context<'_, Metadata>,
    waiter: Waiter,
    group: &str,
) -> Decision<Command, Reply> {
    Change::of(groups, soft, context, group, |change| {
        let code = match change.phase() {
            Phase::Empty if change.known.is_some() => {
                change.command(Command::GroupRemoved { group: group.to_owned() });
                ErrorCode::None
            }
            Phase::Empty => ErrorCode::GroupIdNotFound,
            _ => ErrorCode::NonEmptyGroup,
        };
        change.answer(waiter, Reply::Done(code), Proof::Confirmed);
    })
}

impl Change<'_> {
    fn described(&self) -> Description {
        let phase = self.phase();
        let protocol = match (phase, self.classic()) {
            (Phase::Stable | Phase::CompletingRebalance, Some(classic)) => classic.protocol.clone(),
            _ => None,
        };
        let protocol = protocol.unwrap_or_default();
        let members = self.live.seats.keys().filter_map(|id| {
            let member = self.member(id)?;
            let is_stable = phase == Phase::Stable;
            Some(Described {
                member: id.clone(),
                instance: member.instance.clone(),
                client_id: member.client_id.clone(),
                client_host: member.client_host.clone(),
                metadata: if is_stable { member.subscription(&protocol).to_vec() } else { Vec::new() },
                assignment: if is_stable { member.assignment.clone() } else { Vec::new() },
            })
        });
        let members = members.collect();
        let known = self.classic().map(|classic| classic.protocol_type.clone());
        let live = &self.live.protocol_type;
        let protocol_type = if live.is_empty() { known.unwrap_or_default() } else { live.clone() };
        Description { phase, protocol_type, protocol, members }
    }
}
