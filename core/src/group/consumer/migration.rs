//! A classic group becomes a consumer group when the first member comes that speaks KIP-848's protocol, and a classic one
//! again when the last of those goes and others are left (`group.consumer.migration.policy`).
//!
//! ```text
//! up     each member keeps what it was assigned, at its generation; who waits in a join or sync is told to join anew
//! down   each member keeps what it has; they join anew, and choose among themselves again
//! ```
//! Source: KIP-848, *Migrating*; Apache Kafka 4.4, `convertToConsumerGroup`, `convertToClassicGroup`.

use super::change::Change;
use super::embedded::{Subscription, known, read_assignment, written_assignment};
use super::heartbeat::refusal;
use super::mixed::spoken_about;
use crate::group::classic::CONSUMER;
use crate::group::command::Command;
use crate::group::generation::{Classic, Generation, Member as ClassicMember};
use crate::group::request::{Join, Refusal, Refused, Reply};
use crate::group::sharing::{About, Current, Member};
use crate::group::state::State;
use rust_mq_proto::kafka::ErrorCode;

impl Change<'_> {
    /// Whoever waits in a classic group that is one no more, or never came to be, joins anew.
    pub fn dismiss(&mut self) {
        let Some(live) = self.classics.remove(self.group) else { return };
        self.unseat();
        for (member, seat) in live.seats {
            if let Some((_, waiter)) = seat.join {
                let code = ErrorCode::RebalanceInProgress;
                self.answer(waiter, Reply::Joined(Err(Refused { code, member })));
            }
            if let Some(waiter) = seat.sync {
                self.answer(waiter, Reply::Synced(Err(ErrorCode::RebalanceInProgress)));
            }
        }
    }

    /// A classic group becomes a consumer group, members and all.
    pub fn upgrade(&mut self, classic: &Classic) -> Result<(), Refusal> {
        let id = self.group;
        let refuse = |why: &str| {
            let why = format!("Cannot upgrade classic group {id} to consumer group because {why}.");
            Err(refusal(ErrorCode::GroupIdNotFound, why))
        };
        if !self.settings.consumer_migration.is_up() {
            return refuse("online upgrade is disabled");
        }
        if classic.members as usize > self.settings.consumer_members_max {
            return refuse("the group size exceeds the consumer group maximum size");
        }
        let Some(protocol) = classic.protocol.as_deref().filter(|_| classic.protocol_type == CONSUMER) else {
            return refuse("the group does not use the consumer embedded protocol");
        };
        let mut members = Vec::new();
        for (member, about) in self.number.into_iter().flat_map(|number| self.groups.classic_members(number))
        {
            let said = Subscription::read(about.subscription(protocol));
            let (Some(said), Some((assigned, has_more))) = (said, read_assignment(&about.assignment)) else {
                return refuse("the embedded consumer protocol is malformed");
            };
            if has_more {
                return refuse("an unsupported custom assignor is in use");
            }
            members.push((member.to_owned(), converted(about, &said), known(&assigned, self.image)));
        }
        let epoch = classic.generation;
        for (member, about, target) in members {
            let assigned = target.iter().map(|(topic, partition)| (topic, partition, epoch)).collect();
            let current = Current { epoch, previous_epoch: epoch, assigned, ..Current::default() };
            self.put(&member, Member { about, current, target });
            self.heard(&member);
        }
        Ok(())
    }

    /// The command that makes it a classic group again, if only members are left that speak that protocol.
    pub fn downgrade(&mut self) -> Option<Command> {
        let roll = &self.live.roll;
        let is_for_all = roll.members > 0 && roll.classic == roll.members;
        let was_mixed =
            matches!(self.groups.group(self.group).map(|known| &known.state), Some(State::Consumer(_)));
        if !is_for_all || !was_mixed || self.left.is_empty() || !self.may_downgrade(roll.members) {
            return None;
        }
        let joined: Vec<(String, ClassicMember)> =
            self.all().filter_map(|(id, member)| Some((id.to_owned(), self.classic_of(member)?))).collect();
        let is_shared = |name: &str| {
            joined.iter().all(|(_, member)| member.protocols.iter().any(|(known, _)| known == name))
        };
        let mut names = joined.first()?.1.protocols.iter().map(|(name, _)| name);
        let protocol = names.find(|name| is_shared(name)).cloned();
        let generation = Generation {
            // As Kafka: those who have walked to it are told to join anew, and not that they are of another.
            number: self.before.epoch,
            protocol_type: CONSUMER.into(),
            protocol,
            leader: None,
        };
        let left = self.left.iter().cloned().collect();
        Some(Command::GenerationBegan { group: self.group.to_owned(), generation, joined, left })
    }

    fn classic_of(&self, member: &Member) -> Option<ClassicMember> {
        let spoken = member.about.classic.as_ref()?;
        let said = spoken.protocols.first().map_or(&[][..], |(_, said)| said);
        Some(ClassicMember {
            instance: member.about.instance.clone(),
            client_id: member.about.client_id.clone(),
            client_host: member.about.client_host.clone(),
            rebalance_timeout_ms: member.about.rebalance_timeout_ms,
            session_timeout_ms: spoken.session_timeout_ms,
            protocols: spoken.protocols.clone(),
            assignment: written_assignment(&member.current.assigned.partitions(), self.image, said),
        })
    }
}

fn converted(about: &ClassicMember, said: &Subscription) -> About {
    spoken_about(&Join { about: about.clone(), ..Join::default() }, said)
}
