//! Members that speak the classic protocol in a consumer group, while its clients are changed over one by one: they join,
//! sync and beat as in a classic group, and what they get is the coordinator's choice. A generation is a member's epoch.
//!
//! ```text
//! JoinGroup    says what it wants and has        told its epoch at once; nobody leads
//! SyncGroup    told what it has
//! Heartbeat    REBALANCE_IN_PROGRESS where it is to let go, or may take more: it joins anew
//! ```
//! Source: Apache Kafka 4.4, `GroupMetadataManager`, `classicGroupJoinToConsumerGroup` and its like.

use super::change::Change;
use super::embedded::{Subscription, known, written_assignment};
use crate::group::classic::CONSUMER;
use crate::group::command::Command;
use crate::group::request::{Join, Joined, Leaving, Refused, Reply, Sync, Synced, Who};
use crate::group::sharing::{About, Current, Member, Phase, Spoken};
use crate::group::soft::Soft;
use crate::group::state::Groups;
use crate::machine::{Context, Decision, Waiter};
use crate::metadata::Metadata;
use rust_mq_proto::kafka::ErrorCode;

/// Somebody joins.
pub fn join(
    groups: &Groups,
    soft: &mut Soft,
    context: &mut Context<'_, Metadata>,
    waiter: Waiter,
    join: &Join,
) -> Decision<Command, Reply> {
    let number = context.rng.next_u128();
    let bytes_max = context.room.commands_bytes_max / 2;
    let state_left = context.room.state_bytes_max.saturating_sub(groups.bytes());
    Change::of(groups, soft, context, &join.group, |change| {
        let joined = match change.settings.consumer_migration.is_any() {
            false => Err((ErrorCode::InconsistentGroupProtocol, join.member.clone())),
            true if join.about.bytes() * 2 > bytes_max.min(state_left) => {
                Err((ErrorCode::GroupMaxSizeReached, join.member.clone()))
            }
            true => change.joins(join, number),
        };
        let refused = |(code, member)| Refused { code, member };
        change.answer(waiter, Reply::Joined(joined.map(Box::new).map_err(refused)));
    })
}

/// Somebody wants to know what it gets.
pub fn sync(
    groups: &Groups,
    soft: &mut Soft,
    context: &mut Context<'_, Metadata>,
    waiter: Waiter,
    sync: &Sync,
) -> Decision<Command, Reply> {
    Change::of(groups, soft, context, &sync.who.group, |change| {
        let synced = change.syncs(sync);
        change.answer(waiter, Reply::Synced(synced.map(Box::new)));
    })
}

/// Somebody is there still.
pub fn classic_heartbeat(
    groups: &Groups,
    soft: &mut Soft,
    context: &mut Context<'_, Metadata>,
    waiter: Waiter,
    who: &Who,
) -> Decision<Command, Reply> {
    Change::of(groups, soft, context, &who.group, |change| {
        let code = change.is_there(who).err().unwrap_or(ErrorCode::None);
        change.answer(waiter, Reply::Done(code));
    })
}

/// Members are members no more.
pub fn leave(
    groups: &Groups,
    soft: &mut Soft,
    context: &mut Context<'_, Metadata>,
    waiter: Waiter,
    group: &str,
    members: &[Leaving],
) -> Decision<Command, Reply> {
    Change::of(groups, soft, context, group, |change| {
        let codes = members.iter().map(|leaving| change.leaves_classic(leaving));
        let codes: Vec<ErrorCode> = codes.collect();
        change.answer(waiter, Reply::Left(Ok(codes)));
    })
}

impl Change<'_> {
    fn joins(&mut self, join: &Join, number: u128) -> Result<Joined, (ErrorCode, String)> {
        let is_first = join.member.is_empty();
        let about = &join.about;
        let id = match (&about.instance, is_first) {
            (_, false) => join.member.clone(),
            (Some(name), true) => format!("{name}-{number:032x}"),
            (None, true) => format!("{}-{number:032x}", about.client_id),
        };
        let refuse = |code| Err((code, join.member.clone()));
        let holder =
            about.instance.as_ref().and_then(|instance| self.live.roll.instances.get(instance)).cloned();
        let is_known = holder.is_some() || self.member(&id).is_some();
        if !is_known && self.live.roll.members >= self.settings.consumer_members_max {
            return refuse(ErrorCode::GroupMaxSizeReached);
        }
        let subscription = about.protocols.first().and_then(|(_, said)| Subscription::read(said));
        let Some(subscription) = subscription.filter(|_| join.protocol_type == CONSUMER && self.speaks(join))
        else {
            return refuse(ErrorCode::InconsistentGroupProtocol);
        };
        if is_first && about.instance.is_none() && join.comes_twice {
            return Err((ErrorCode::MemberIdRequired, id));
        }
        let before = match holder {
            Some(holder) if holder == id => self.member(&id).cloned().unwrap_or_default(),
            // Whoever comes by the name of a static member has its place.
            Some(holder) if is_first => self.in_place_of(&holder),
            Some(_) => return refuse(ErrorCode::FencedInstanceId),
            None if about.instance.is_some() && !is_first => return refuse(ErrorCode::UnknownMemberId),
            None => self.member(&id).cloned().unwrap_or_default(),
        };
        let about = spoken_about(join, &subscription);
        let is_new = !is_known || before.about.names != about.names || !before.about.pattern.is_empty();
        self.put(&id, Member { about, ..before });
        if is_new {
            self.bump();
        }
        self.look();
        let member = self.member(&id).cloned().unwrap_or_default();
        let owned = known(&subscription.owned, self.image);
        let current = self.reconciled(&member, Some(&owned), is_new);
        let generation = current.epoch;
        self.put(&id, Member { current, ..member });
        self.heard(&id);
        let protocol = join.about.protocols.first().map(|(name, _)| name.clone()).unwrap_or_default();
        let protocol_type = CONSUMER.to_owned();
        Ok(Joined { member: id, generation, protocol_type, protocol, ..Joined::default() })
    }

    /// Whether there is a protocol that all who speak so know, and this one.
    fn speaks(&self, join: &Join) -> bool {
        let mut others = self
            .all()
            .filter(|(id, _)| *id != join.member)
            .filter_map(|(_, member)| member.about.classic.as_ref());
        let mut shared: Vec<&String> = join.about.protocols.iter().map(|(name, _)| name).collect();
        others.all(|spoken| {
            shared.retain(|name| spoken.protocols.iter().any(|(known, _)| known == *name));
            !shared.is_empty()
        })
    }

    /// A member that speaks the classic protocol and says who it is.
    fn spoken_by(&self, who: &Who) -> Result<&Member, ErrorCode> {
        if let Some(instance) = &who.instance {
            match self.live.roll.instances.get(instance) {
                None => return Err(ErrorCode::UnknownMemberId),
                Some(holder) if *holder != who.member => return Err(ErrorCode::FencedInstanceId),
                Some(_) => {}
            }
        }
        let member = self.member(&who.member).filter(|member| member.about.classic.is_some());
        let member = member.ok_or(ErrorCode::UnknownMemberId)?;
        if member.current.epoch == who.generation { Ok(member) } else { Err(ErrorCode::IllegalGeneration) }
    }

    fn syncs(&mut self, sync: &Sync) -> Result<Synced, ErrorCode> {
        let member = self.spoken_by(&sync.who)?;
        let spoken = member.about.classic.as_ref().and_then(|spoken| spoken.protocols.first());
        let (protocol, said) = spoken.ok_or(ErrorCode::InconsistentGroupProtocol)?;
        let differs = |told: &Option<String>, is: &str| told.as_deref().is_some_and(|told| told != is);
        if differs(&sync.protocol_type, CONSUMER) || differs(&sync.protocol, protocol) {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        let current = &member.current;
        if self.consumer.assignment_epoch > current.epoch && current.phase != Phase::Unrevoked {
            return Err(ErrorCode::RebalanceInProgress);
        }
        let assignment = written_assignment(&current.assigned.partitions(), self.image, said);
        let synced = Synced { protocol_type: CONSUMER.into(), protocol: protocol.clone(), assignment };
        self.heard(&sync.who.member);
        Ok(synced)
    }

    fn is_there(&mut self, who: &Who) -> Result<(), ErrorCode> {
        self.spoken_by(who)?;
        self.look();
        self.heard(&who.member);
        let member = self.spoken_by(who)?;
        let current = &member.current;
        let is_to_join = current.epoch < self.consumer.assignment_epoch
            || current.phase == Phase::Unrevoked
            || current.phase == Phase::Unreleased && !self.is_waiting(member);
        if is_to_join { Err(ErrorCode::RebalanceInProgress) } else { Ok(()) }
    }

    /// Whether something that a member is to have is with another still.
    pub fn is_waiting(&self, member: &Member) -> bool {
        let Current { assigned, .. } = &member.current;
        let mut missing =
            member.target.iter().filter(|(topic, partition)| !assigned.contains(*topic, *partition));
        missing.any(|(topic, partition)| self.live.roll.is_held(topic, partition))
    }

    fn leaves_classic(&mut self, leaving: &Leaving) -> ErrorCode {
        let id = match &leaving.instance {
            None => leaving.member.clone(),
            Some(instance) => match self.live.roll.instances.get(instance) {
                None => return ErrorCode::UnknownMemberId,
                Some(holder) if !leaving.member.is_empty() && *holder != leaving.member => {
                    return ErrorCode::FencedInstanceId;
                }
                Some(holder) => holder.clone(),
            },
        };
        if self.member(&id).is_none() {
            return ErrorCode::UnknownMemberId;
        }
        self.leave(&id);
        ErrorCode::None
    }
}

/// What is kept of what a member says in the classic protocol.
pub fn spoken_about(join: &Join, subscription: &Subscription) -> About {
    let about = &join.about;
    let mut names = subscription.topics.clone();
    names.sort_unstable();
    names.dedup();
    About {
        instance: about.instance.clone(),
        rack: subscription.rack.clone(),
        client_id: about.client_id.clone(),
        client_host: about.client_host.clone(),
        rebalance_timeout_ms: about.rebalance_timeout_ms,
        names,
        pattern: String::new(),
        assignor: None,
        classic: Some(Spoken {
            session_timeout_ms: about.session_timeout_ms,
            protocols: about.protocols.clone(),
        }),
    }
}
