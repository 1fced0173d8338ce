//! A decision about one consumer group: the group and those of its members that change, as they will be, and the one
//! command that says so.
//!
//! Invariant: `roll` counts the members as they will be.

use crate::config::GroupSettings;
use crate::group::command::Command;
use crate::group::live;
use crate::group::request::Reply;
use crate::group::sharing::{About, Changed, Consumer, Live, Member, MemberChanged, Roll};
use crate::group::soft::{Alarm, Alarms, Soft};
use crate::group::state::{GroupNumber, Groups, State};
use crate::limits::GROUP_LOOKED_AT_AGAIN;
use crate::machine::{Answer, Context, Decision, Proof, Waiter};
use crate::metadata::Metadata;
use crate::mutant::{Mutant, is_planted};
use crate::now::Now;
use crate::settings::{Holder, NOTHING};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A decision being made.
pub struct Change<'a> {
    pub groups: &'a Groups,
    pub group: &'a str,
    pub number: Option<GroupNumber>,
    pub image: &'a Metadata,
    pub now: Now,
    pub timing: Timing,
    pub live: &'a mut Live,
    pub alarms: &'a mut Alarms,
    /// The group as it was, and as it will be.
    pub before: Consumer,
    pub consumer: Consumer,
    /// Members that change, as they will be.
    pub members: BTreeMap<String, Member>,
    pub left: BTreeSet<String>,
    pub commands_bytes_max: usize,
    /// Classic groups that have members, or are about to.
    pub classics: &'a mut BTreeMap<String, live::Live>,
    unseated: &'a mut BTreeSet<String>,
    pub settings: GroupSettings,
    mutant: Option<Mutant>,
    answers: Vec<Answer<Reply>>,
    mark: u64,
}

/// How a group's times are set.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// How long a member may be silent.
    pub session: Duration,
    /// How often it is to be heard.
    pub heartbeat_ms: i32,
    /// Between one assignment and the next.
    pub assignment: Duration,
}

impl Timing {
    /// As they are set.
    fn of(settings: &GroupSettings) -> Timing {
        let ms = |ms: i32| Duration::from_millis(u64::try_from(ms).unwrap_or(0));
        Timing {
            session: ms(settings.consumer_session_timeout_ms),
            heartbeat_ms: settings.consumer_heartbeat_interval_ms,
            assignment: ms(settings.consumer_assignment_interval_ms),
        }
    }
}

impl<'a> Change<'a> {
    /// Changes a group, and says what is to be replicated and answered.
    pub fn of<'image: 'a>(
        groups: &'a Groups,
        soft: &'a mut Soft,
        context: &mut Context<'image, Metadata>,
        group: &'a str,
        change: impl FnOnce(&mut Change<'_>),
    ) -> Decision<Command, Reply> {
        let Soft { consumers, alarms, live: classics, unseated, .. } = soft;
        let known = groups.group(group);
        let before = match known.map(|known| &known.state) {
            Some(State::Consumer(consumer)) => (**consumer).clone(),
            // Nobody is in it: epochs go on from there.
            Some(State::Classic(classic)) => Consumer {
                epoch: classic.generation,
                assignment_epoch: classic.generation,
                ..Consumer::default()
            },
            _ => Consumer::default(),
        };
        let number = known.map(|known| known.number);
        let own = context.image.settings(&Holder::Group(group.to_owned()));
        let layers = context.image.layers(own, context.room.node, &NOTHING);
        let settings = context.room.groups.set(&layers);
        let mut live = consumers.remove(group).unwrap_or_default();
        if live.mark != Some(before.mark) {
            let members = number.into_iter().flat_map(|number| groups.consumer_members(number));
            live.roll = Roll::of(members);
            live.mark = Some(before.mark);
            live.work = None;
        }
        let mut changed = Change {
            groups,
            group,
            number,
            image: context.image,
            now: context.now,
            timing: Timing::of(&settings),
            live: &mut live,
            alarms,
            consumer: before.clone(),
            before,
            members: BTreeMap::new(),
            left: BTreeSet::new(),
            commands_bytes_max: context.room.commands_bytes_max,
            classics,
            unseated,
            settings,
            mutant: context.mutant,
            answers: Vec::new(),
            mark: context.rng.next_u64(),
        };
        change(&mut changed);
        let decision = changed.finish();
        if live.is_over() {
            soft.unseated.remove(group);
        } else {
            consumers.insert(group.to_owned(), live);
        }
        decision
    }

    fn finish(mut self) -> Decision<Command, Reply> {
        let answers = std::mem::take(&mut self.answers);
        if let Some(command) = self.downgrade() {
            // Its members sit down as those of a classic group, and join anew; were it dropped, all is counted anew.
            self.live.mark = None;
            self.unseat();
            return Decision { commands: vec![command], answers };
        }
        let members = self.members.iter().filter_map(|(id, member)| {
            let known = self.known_member(id);
            let is_new = known.is_none_or(|known| known.about != member.about);
            let about = is_new.then(|| member.about.clone());
            let current = known.is_none_or(|known| known.current != member.current);
            let target = known.is_none_or(|known| known.target != member.target);
            let current = current.then(|| member.current.clone());
            let target = target.then(|| member.target.clone());
            let is_changed = about.is_some() || current.is_some() || target.is_some();
            is_changed.then(|| (id.clone(), MemberChanged { about, current, target }))
        });
        let members: Vec<(String, MemberChanged)> = members.collect();
        let left: Vec<String> = self.left.iter().cloned().collect();
        let Consumer { epoch, assignment_epoch, topics, .. } = self.consumer;
        if members.is_empty() && left.is_empty() && self.consumer == self.before {
            return Decision { commands: Vec::new(), answers };
        }
        let seen = self.image.replicas_placed();
        let changed = Changed { mark: self.mark, seen, epoch, assignment_epoch, topics, members, left };
        // The roll is of the group as it will be. If the proposal is dropped the mark is another: it is counted anew.
        self.live.mark = Some(self.mark);
        self.look_at(self.now.mono + GROUP_LOOKED_AT_AGAIN);
        let command = Command::ConsumerChanged { group: self.group.to_owned(), changed };
        Decision { commands: vec![command], answers }
    }

    /// No member has a seat as that of a classic group. If the tip shows that it is one, they sit down.
    pub fn unseat(&mut self) {
        self.unseated.insert(self.group.to_owned());
        self.alarms.set(self.now.mono, Alarm::Group(self.group.to_owned()));
    }

    /// Whether a bug is planted.
    pub fn is_planted(&self, mutant: Mutant) -> bool {
        is_planted(self.mutant, mutant)
    }

    /// Answers somebody.
    pub fn answer(&mut self, waiter: Waiter, reply: Reply) {
        self.answers.push(Answer { waiter, reply, proof: Proof::Confirmed });
    }

    /// Whether this node has yet to learn of topics that the group's members were told of.
    pub fn is_image_behind(&self) -> bool {
        self.image.replicas_placed() < self.groups.seen
    }

    /// Nothing is changed after all.
    pub fn undo(&mut self) {
        self.consumer = self.before.clone();
        self.members.clear();
        self.left.clear();
        self.live.mark = None;
    }

    /// A member as it was before.
    pub fn known_member(&self, id: &str) -> Option<&'a Member> {
        self.groups.consumer_member(self.number?, id)
    }

    /// A member as it will be.
    pub fn member(&self, id: &str) -> Option<&Member> {
        match self.members.get(id) {
            Some(member) => Some(member),
            None if self.left.contains(id) => None,
            None => self.known_member(id),
        }
    }

    /// A member comes, or is another from now on.
    pub fn put(&mut self, id: &str, member: Member) {
        if let Some(before) = self.member(id).cloned() {
            if before == member {
                return;
            }
            self.live.roll.remove(id, &before);
        }
        self.live.roll.add(id, &member);
        self.left.remove(id);
        self.members.insert(id.to_owned(), member);
    }

    /// A member is one no more.
    pub fn drop_member(&mut self, id: &str) {
        let Some(member) = self.member(id).cloned() else { return };
        self.live.roll.remove(id, &member);
        self.members.remove(id);
        if self.known_member(id).is_some() {
            self.left.insert(id.to_owned());
        }
    }

    /// A member goes; the group's epoch rises, once for all who go.
    pub fn leave(&mut self, id: &str) {
        self.drop_member(id);
        if !self.is_planted(Mutant::EpochNotBumped) {
            self.bump();
        }
        if self.live.roll.members == 0 {
            self.consumer.assignment_epoch = self.consumer.epoch;
        }
        self.look_at(self.now.mono);
    }

    /// Who is to have what may be another now.
    pub fn bump(&mut self) {
        if self.consumer.epoch == self.before.epoch {
            self.consumer.epoch += 1;
        }
    }

    /// Whether a group of so many may become a classic one.
    pub fn may_downgrade(&self, members: usize) -> bool {
        self.settings.consumer_migration.is_down() && members <= self.settings.members_max
    }

    /// All members as they will be.
    pub fn all(&self) -> impl Iterator<Item = (&str, &Member)> {
        let known = self.number.into_iter().flat_map(|number| self.groups.consumer_members(number));
        let known = known.filter(|(id, _)| !self.left.contains(*id) && !self.members.contains_key(*id));
        known.chain(self.members.iter().map(|(id, member)| (id.as_str(), member)))
    }

    /// The topics that somebody subscribes to, as far as they are there.
    pub fn topics_of(&self, about: &About) -> BTreeSet<crate::ids::TopicId> {
        let found = self.live.matching.found(&about.pattern).into_iter().flatten();
        about.names.iter().chain(found).filter_map(|name| self.image.topic_id(name)).collect()
    }
}

impl About {
    /// How long it may take to let go of something.
    pub fn rebalance_timeout(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.rebalance_timeout_ms).unwrap_or(0))
    }
}
