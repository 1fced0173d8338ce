//! Offsets: committed, read back, deleted. Who commits is a member in the group's own generation, or no member of a group
//! without members (an administrator, or a consumer that assigns itself).

use super::classic::Change;
use super::command::{Command, Commit};
use super::request::{Phase, Reply, Who};
use super::soft::Soft;
use super::state::{Groups, OffsetKey, State};
use crate::codec;
use crate::ids::TopicId;
use crate::limits::GROUPS_MAX;
use crate::machine::{Context, Decision, Proof, Waiter};
use crate::metadata::Metadata;
use crate::mutant::{Mutant, is_planted};
use rust_mq_proto::kafka::ErrorCode;

/// What an offset takes of the state besides what its command says: its key, and when it was committed.
const OFFSET_BYTES: usize = 48;
/// What a group takes besides its name.
const GROUP_BYTES: usize = 32;

/// Commits offsets.
pub fn commit(
    groups: &Groups,
    soft: &mut Soft,
    context: &Context<'_, Metadata>,
    waiter: Waiter,
    who: &Who,
    knows_groups: bool,
    commits: Vec<Commit>,
) -> Decision<Command, Reply> {
    let (level, room) = (context.level, context.room);
    let is_blind = is_planted(context.mutant, Mutant::CommitOfAnyGeneration);
    Change::of(groups, soft, context, &who.group, |change| {
        let command = Command::OffsetsCommitted {
            group: who.group.clone(),
            seen: context.image.replicas_placed(),
            commits,
        };
        let said = match &command {
            Command::OffsetsCommitted { commits, .. } => {
                groups.consumers_may_commit(who, knows_groups, commits)
            }
            _ => None,
        };
        let allowed = match said {
            Some(allowed) if !is_blind => allowed,
            Some(_) => Ok(()),
            None => change.may_commit(who, knows_groups, is_blind),
        };
        let fits = |change: &Change<'_>| {
            let bytes = codec::shape_bytes(&command, level);
            let Command::OffsetsCommitted { commits, .. } = &command else { return Ok(()) };
            let kept = bytes + commits.len() * OFFSET_BYTES + GROUP_BYTES;
            if change.known.is_none() && groups.names.len() >= GROUPS_MAX {
                return Err(ErrorCode::GroupMaxSizeReached);
            }
            let has_room = bytes <= room.commands_bytes_max && groups.bytes() + kept <= room.state_bytes_max;
            if has_room { Ok(()) } else { Err(ErrorCode::InvalidCommitOffsetSize) }
        };
        if let Err(code) = allowed.and_then(|()| fits(change)) {
            return change.answer(waiter, Reply::Done(code), Proof::Confirmed);
        }
        if matches!(change.phase(), Phase::Stable | Phase::PreparingRebalance) {
            change.heard(&who.member);
        }
        change.command(command);
        change.answer(waiter, Reply::Done(ErrorCode::None), Proof::Confirmed);
    })
}

/// What was committed.
pub fn fetch(
    groups: &Groups,
    group: &str,
    member: Option<&(String, i32)>,
    partitions: Option<&[(TopicId, i32)]>,
) -> Reply {
    let Some(known) = groups.group(group) else { return Reply::Offsets(Ok(Vec::new())) };
    let number = known.number;
    if let (State::Consumer(_), Some((member, epoch))) = (&known.state, member) {
        match groups.consumer_member(number, member) {
            Some(member) if member.current.epoch == *epoch => {}
            Some(member) if member.about.classic.is_some() => {
                return Reply::Offsets(Err(ErrorCode::IllegalGeneration));
            }
            Some(_) => return Reply::Offsets(Err(ErrorCode::StaleMemberEpoch)),
            None => return Reply::Offsets(Err(ErrorCode::UnknownMemberId)),
        }
    }
    let offsets = match partitions {
        None => {
            let all = groups.offsets_of(number);
            all.map(|(key, committed)| (key.topic, key.partition, committed.clone())).collect()
        }
        Some(partitions) => {
            let found = partitions.iter().filter_map(|(topic, partition)| {
                let key = OffsetKey { group: number, topic: *topic, partition: *partition };
                Some((*topic, *partition, groups.offset(key)?.clone()))
            });
            found.collect()
        }
    };
    Reply::Offsets(Ok(offsets))
}

/// Forgets what was committed for partitions that nobody in the group reads.
pub fn delete(
    groups: &Groups,
    soft: &mut Soft,
    context: &Context<'_, Metadata>,
    waiter: Waiter,
    group: &str,
    partitions: &[(String, TopicId, i32)],
) -> Decision<Command, Reply> {
    Change::of(groups, soft, context, group, |change| {
        let Some(known) = change.known else {
            let refused = Reply::OffsetsDeleted(Err(ErrorCode::GroupIdNotFound));
            return change.answer(waiter, refused, Proof::Confirmed);
        };
        let is_empty = change.phase() == Phase::Empty;
        let subscribed = if is_empty { None } else { groups.subscribed(known) };
        if !is_empty && !change.is_of_consumers() {
            let refused = Reply::OffsetsDeleted(Err(ErrorCode::NonEmptyGroup));
            return change.answer(waiter, refused, Proof::Confirmed);
        }
        let is_read = |topic: &str| {
            !is_empty && subscribed.as_ref().is_none_or(|subscribed| subscribed.contains(topic))
        };
        let mut gone = Vec::new();
        let mut codes = Vec::with_capacity(partitions.len());
        for (name, topic, partition) in partitions {
            if is_read(name) {
                codes.push(ErrorCode::GroupSubscribedToTopic);
                continue;
            }
            codes.push(ErrorCode::None);
            let key = OffsetKey { group: known.number, topic: *topic, partition: *partition };
            if groups.offset(key).is_some() {
                gone.push((*topic, *partition));
            }
        }
        if !gone.is_empty() {
            change.command(Command::OffsetsRemoved { group: group.to_owned(), partitions: gone });
        }
        change.answer(waiter, Reply::OffsetsDeleted(Ok(codes)), Proof::Confirmed);
    })
}

impl Change<'_> {
    fn may_commit(&self, who: &Who, knows_groups: bool, is_blind: bool) -> Result<(), ErrorCode> {
        let is_known = self.known.is_some() || !self.live.seats.is_empty();
        if !is_known {
            return match who.generation < 0 {
                true => Ok(()),
                false if knows_groups => Err(ErrorCode::GroupIdNotFound),
                false => Err(ErrorCode::IllegalGeneration),
            };
        }
        let phase = self.phase();
        if who.generation < 0 && phase == Phase::Empty {
            return Ok(());
        }
        if who.generation < 0 && who.member.is_empty() && who.instance.is_none() {
            // Who says nothing of himself would commit over the members' heads.
            return Err(ErrorCode::UnknownMemberId);
        }
        self.validate(&who.member, who.instance.as_deref())?;
        if who.generation != self.generation() && !is_blind {
            return Err(ErrorCode::IllegalGeneration);
        }
        match phase {
            // What the members read now is being decided.
            Phase::CompletingRebalance => Err(ErrorCode::RebalanceInProgress),
            _ => Ok(()),
        }
    }

    /// Whether its members say which topics they read.
    pub fn is_of_consumers(&self) -> bool {
        if self.known.is_some_and(|known| matches!(known.state, State::Consumer(_))) {
            return true;
        }
        self.live.protocol_type == super::classic::CONSUMER
    }
}

impl Groups {
    /// Whether a group has no members, as far as is replicated.
    pub(super) fn is_empty_of_members(state: &State) -> bool {
        match state {
            State::Simple => true,
            State::Classic(classic) => classic.members == 0,
            State::Consumer(consumer) => consumer.members == 0,
        }
    }
}
