//! A heartbeat: somebody comes, is there, says what it has or wants, and is told what it may read.

use super::change::Change;
use crate::codec;
use crate::group::command::Command;
use crate::group::request::{Beat, Beaten, Refusal, Reply};
use crate::group::sharing::{About, Current, Given, Goal, Member, Partitions, Pattern, Said};
use crate::group::soft::Soft;
use crate::group::state::{Groups, State};
use crate::limits::GROUPS_MAX;
use crate::machine::{Context, Decision, Waiter};
use crate::metadata::Metadata;
use crate::mutant::Mutant;
use rust_mq_proto::kafka::ErrorCode;

/// The epoch with which somebody joins.
const JOIN: i32 = 0;
/// The epoch with which somebody leaves.
pub(super) const LEAVE: i32 = -1;

/// Somebody is there.
pub fn heartbeat(
    groups: &Groups,
    soft: &mut Soft,
    context: &mut Context<'_, Metadata>,
    waiter: Waiter,
    beat: &Beat,
) -> Decision<Command, Reply> {
    let (room, level) = (context.room, context.level);
    let named;
    let beat = if beat.member.is_empty() {
        // Clients of version 0 do not name themselves.
        named = Beat { member: format!("{:032x}", context.rng.next_u128()), ..beat.clone() };
        &named
    } else {
        beat
    };
    let decision = Change::of(groups, soft, context, &beat.group, |change| {
        let is_image_behind = beat.epoch == JOIN && change.is_image_behind();
        let beaten = match beat.epoch {
            // It would be told that the topics it wants are not there.
            _ if is_image_behind => Err(refusal(ErrorCode::CoordinatorLoadInProgress, String::new())),
            LEAVE | Current::AWAY => change.leaves(beat),
            _ => change.beat(beat),
        };
        if beaten.is_err() {
            change.undo();
        }
        change.answer(waiter, Reply::Beaten(beaten.map(Box::new)));
    });
    let bytes: usize = decision.commands.iter().map(|command| codec::shape_bytes(command, level)).sum();
    let is_new = groups.group(&beat.group).is_none();
    let fits = bytes <= room.commands_bytes_max && groups.bytes() + bytes <= room.state_bytes_max;
    let has_place = !is_new || groups.names.len() < GROUPS_MAX;
    if decision.commands.is_empty() || beat.epoch < JOIN || fits && has_place {
        return decision;
    }
    // What was counted for it does not come to be.
    if let Some(live) = soft.consumers.get_mut(&beat.group) {
        live.mark = None;
    }
    let refusal = Refusal {
        code: ErrorCode::GroupMaxSizeReached,
        why: "this coordinator has no room for what its groups would be then".into(),
    };
    Decision::confirmed(Vec::new(), waiter, Reply::Beaten(Err(refusal)))
}

impl Change<'_> {
    fn beat(&mut self, beat: &Beat) -> Result<Beaten, Refusal> {
        self.admit(beat)?;
        let (mut before, is_new) = self.seat_of(beat)?;
        let about = self.about(beat, &before.about);
        if about.pattern != before.about.pattern && !about.pattern.is_empty() {
            let why = |why| {
                format!("SubscribedTopicRegex `{}` is not a valid regular expression: {why}.", about.pattern)
            };
            Pattern::parse(&about.pattern)
                .map_err(|no| refusal(ErrorCode::InvalidRegularExpression, why(no)))?;
        }
        let id = beat.member.as_str();
        let has_other_topics = about.names != before.about.names || about.pattern != before.about.pattern;
        let assignor = self.live.roll.assignor();
        before.about = about;
        self.put(id, before.clone());
        if is_new || has_other_topics || self.live.roll.assignor() != assignor {
            self.bump();
        }
        self.look();
        let member = self.member(id).cloned().unwrap_or(before);
        let current = self.reconciled(&member, beat.owned.as_ref(), has_other_topics);
        let is_told = beat.epoch == JOIN || beat.is_full || !current.assigned.is_alike(&self.told(id));
        let beaten = Beaten {
            member: id.to_owned(),
            epoch: current.epoch,
            heartbeat_ms: self.timing.heartbeat_ms,
            assigned: is_told.then(|| match self.is_planted(Mutant::TargetForCurrent) {
                true => member.target.clone(),
                false => current.assigned.partitions(),
            }),
        };
        self.put(id, Member { current, ..member });
        self.heard(id);
        Ok(beaten)
    }

    /// What the member was told last.
    fn told(&self, id: &str) -> Given {
        self.known_member(id).map(|member| member.current.assigned.clone()).unwrap_or_default()
    }

    /// Whether somebody may take part in the group at all.
    fn admit(&mut self, beat: &Beat) -> Result<(), Refusal> {
        let is_joining = beat.epoch == JOIN;
        match self.groups.group(&beat.group).map(|known| &known.state) {
            Some(State::Consumer(_)) => {}
            Some(State::Classic(classic)) if classic.members > 0 && is_joining => {
                self.upgrade(classic)?;
            }
            Some(State::Classic(classic)) if classic.members > 0 => {
                let why = format!("Group {} is not a consumer group.", beat.group);
                return Err(refusal(ErrorCode::GroupIdNotFound, why));
            }
            _ if is_joining => {}
            // GROUP_ID_NOT_FOUND ends a client for good; so it joins anew.
            _ => return Err(unknown_member(beat)),
        }
        if is_joining {
            self.dismiss();
        }
        let members_max = self.settings.consumer_members_max;
        let is_known = self.member(&beat.member).is_some()
            || beat.instance.as_ref().is_some_and(|instance| self.live.roll.instances.contains_key(instance));
        if !is_known && self.live.roll.members >= members_max {
            let why =
                format!("The consumer group has reached its maximum capacity of {members_max} members.");
            return Err(refusal(ErrorCode::GroupMaxSizeReached, why));
        }
        Ok(())
    }

    /// The member that a heartbeat is from, which may be a new one, or take the place of a static one that is away.
    /// Says besides whether it is one more.
    fn seat_of(&mut self, beat: &Beat) -> Result<(Member, bool), Refusal> {
        let is_joining = beat.epoch == JOIN;
        let Some(instance) = &beat.instance else {
            return match self.member(&beat.member) {
                Some(member) => {
                    check_epoch(beat, &member.current)?;
                    Ok((member.clone(), false))
                }
                None if is_joining => Ok((Member::default(), true)),
                None => Err(unknown_member(beat)),
            };
        };
        let Some(holder) = self.live.roll.instances.get(instance).cloned() else {
            return match self.member(&beat.member) {
                // It says now what it is called.
                Some(member) if is_joining => Ok((member.clone(), false)),
                None if is_joining => Ok((Member::default(), true)),
                _ => Err(refusal(ErrorCode::UnknownMemberId, format!("Instance id {instance} is unknown."))),
            };
        };
        let member = self.member(&holder).cloned().unwrap_or_default();
        if holder == beat.member {
            check_epoch(beat, &member.current)?;
            return Ok((member, false));
        }
        if !is_joining {
            let id = &beat.member;
            let why =
                format!("Static member {id} with instance id {instance} was fenced by member {holder}.");
            return Err(refusal(ErrorCode::FencedInstanceId, why));
        }
        if member.current.epoch != Current::AWAY && member.about.classic.is_none() {
            let id = &beat.member;
            let why = format!(
                "Static member {id} with instance id {instance} cannot join the group because the instance id is owned by \
                 {holder} member."
            );
            return Err(refusal(ErrorCode::UnreleasedInstanceId, why));
        }
        Ok((self.in_place_of(&holder), false))
    }

    /// A new member that has the place of a static one: what that was to have, and what it had. For the group nothing has
    /// changed.
    pub fn in_place_of(&mut self, holder: &str) -> Member {
        let member = self.member(holder).cloned().unwrap_or_default();
        self.drop_member(holder);
        let current = Current { epoch: JOIN, previous_epoch: JOIN, ..member.current };
        Member { current, ..member }
    }

    fn about(&self, beat: &Beat, before: &About) -> About {
        let names = beat.names.clone().map(|mut names| {
            names.sort_unstable();
            names.dedup();
            names
        });
        About {
            instance: beat.instance.clone().or_else(|| before.instance.clone()),
            rack: beat.rack.clone().or_else(|| before.rack.clone()),
            client_id: beat.client_id.clone(),
            client_host: beat.client_host.clone(),
            rebalance_timeout_ms: beat.rebalance_timeout_ms.unwrap_or(before.rebalance_timeout_ms),
            names: names.unwrap_or_else(|| before.names.clone()),
            pattern: beat.pattern.clone().unwrap_or_else(|| before.pattern.clone()),
            assignor: beat.assignor.clone().or_else(|| before.assignor.clone()),
            classic: None,
        }
    }

    /// What a member has after this.
    pub fn reconciled(
        &self,
        member: &Member,
        owned: Option<&Partitions>,
        is_subscription_new: bool,
    ) -> Current {
        let epoch = self.consumer.assignment_epoch;
        if !is_subscription_new && member.current.is_reconciled(epoch) || self.is_image_behind() {
            return member.current.clone();
        }
        let pattern = &member.about.pattern;
        let is_unknown = !pattern.is_empty() && self.live.matching.found(pattern).is_none();
        if is_unknown && member.current.epoch != JOIN {
            // It would let go of what it is to have, once that is known again.
            return member.current.clone();
        }
        let topics = self.topics_of(&member.about);
        let goal = Goal { epoch, target: &member.target };
        let said = Said { owned, is_subscription_new };
        let is_blind = self.is_planted(Mutant::PartitionGivenTwice);
        let is_taken = |topic, partition| !is_blind && self.live.roll.is_held(topic, partition);
        member.current.next(goal, said, |topic| topics.contains(&topic), is_taken)
    }
}

/// Whether a member may say this epoch: its own, or the one before if the answer that told it the newer was lost, which is
/// so where it has nothing but what it was given.
fn check_epoch(beat: &Beat, current: &Current) -> Result<(), Refusal> {
    let (said, known) = (beat.epoch, current.epoch);
    let is_lost_answer = said == current.previous_epoch
        && beat.owned.as_ref().is_some_and(|owned| {
            owned.iter().all(|(topic, number)| current.assigned.contains(topic, number))
        });
    if said == JOIN || said == known || said < known && is_lost_answer {
        return Ok(());
    }
    let which = if said > known { "greater" } else { "smaller" };
    let why = format!(
        "The consumer group member has a {which} member epoch ({said}) than the one known by the group coordinator \
         ({known}). The member must abandon all its partitions and rejoin."
    );
    Err(refusal(ErrorCode::FencedMemberEpoch, why))
}

fn unknown_member(beat: &Beat) -> Refusal {
    refusal(
        ErrorCode::UnknownMemberId,
        format!("Member {} is not a member of group {}.", beat.member, beat.group),
    )
}

pub(super) fn refusal(code: ErrorCode, why: String) -> Refusal {
    Refusal { code, why }
}
