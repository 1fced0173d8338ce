//! What is replicated of the groups of one partition: maps in pages, and how each command changes them.
//!
//! Invariant: `members` and `offsets` name only numbers of groups in `names`.
//! Invariant: a group's count of members is that of its entries in `members`.

use super::command::{Command, Commit};
use super::generation::{self, Classic, Generation};
use super::sharing::{self, Changed, Consumer};
use crate::entry::Stamp;
use crate::ids::TopicId;
use crate::now::Wall;
use crate::paged::Paged;
use std::collections::BTreeSet;
use std::ops::Bound;

/// A group, as its partition counts them: keys that hold it are shorter than with its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, bincode::Encode, bincode::Decode)]
pub struct GroupNumber(pub u64);

/// A member of a group, by the id that it was given.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, bincode::Encode, bincode::Decode)]
pub struct MemberKey {
    /// Whose member.
    pub group: GroupNumber,
    /// Which.
    pub id: String,
}

/// What an offset was committed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, bincode::Encode, bincode::Decode)]
pub struct OffsetKey {
    /// By which group.
    pub group: GroupNumber,
    /// Of which topic: one of the same name that is made anew has another id.
    pub topic: TopicId,
    /// Of which partition.
    pub partition: i32,
}

/// A committed offset.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Committed {
    /// The offset.
    pub offset: i64,
    /// The leader epoch of the last record read; -1 where none was said.
    pub epoch: i32,
    /// What the client said besides.
    pub metadata: Box<str>,
    /// When, by the log's clock.
    pub at: Wall,
    /// When it goes, if the client said so (OffsetCommit 2 to 4).
    pub expires: Option<Wall>,
}

/// A group.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Group {
    /// Under which its members and offsets stand.
    pub number: GroupNumber,
    /// Which kind of group it is, and what goes with that.
    pub state: State,
}

/// The kinds of groups.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub enum State {
    /// Offsets, and nothing else: nobody has ever joined.
    Simple,
    /// Its members choose among themselves who gets what.
    Classic(Box<Classic>),
    /// Its coordinator says who gets what.
    Consumer(Box<Consumer>),
}

/// A member, of whichever kind its group is.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub enum Member {
    /// Of a classic group.
    Classic(Box<generation::Member>),
    /// Of a consumer group.
    Consumer(Box<sharing::Member>),
}

/// All groups of a partition of `__consumer_offsets`: the machine's state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups {
    pub(super) names: Paged<String, Group>,
    pub(super) members: Paged<MemberKey, Member>,
    pub(super) offsets: Paged<OffsetKey, Committed>,
    pub(super) next_group: u64,
    /// How many replicas the metadata had ever placed when the last offset was committed: who has seen fewer does not
    /// know all topics that offsets are committed for.
    pub(super) seen: u64,
}

impl Groups {
    /// A group.
    pub fn group(&self, id: &str) -> Option<&Group> {
        self.names.get(id)
    }

    /// All groups, by id.
    pub fn groups(&self) -> impl Iterator<Item = (&String, &Group)> {
        self.names.iter()
    }

    /// The groups from that id on, by id.
    pub fn groups_from(&self, id: &str) -> impl Iterator<Item = (&String, &Group)> {
        self.names.from(id)
    }

    /// The groups from there on, by id.
    pub(super) fn names_from<'a>(
        &'a self,
        from: Bound<&'a str>,
    ) -> impl Iterator<Item = (&'a String, &'a Group)> {
        let (id, is_excluded) = match from {
            Bound::Excluded(id) => (id, true),
            Bound::Included(id) => (id, false),
            Bound::Unbounded => ("", false),
        };
        self.names.from(id).filter(move |(known, _)| !is_excluded || known.as_str() != id)
    }

    /// What a group has committed, by topic and partition.
    pub fn offsets_of(&self, group: GroupNumber) -> impl Iterator<Item = (OffsetKey, &Committed)> {
        self.offsets_from(OffsetKey { group, topic: TopicId::ZERO, partition: i32::MIN })
    }

    /// What a group has committed, from there on.
    pub fn offsets_from(&self, first: OffsetKey) -> impl Iterator<Item = (OffsetKey, &Committed)> {
        let from = self.offsets.from(&first).map(|(key, committed)| (*key, committed));
        from.take_while(move |(key, _)| key.group == first.group)
    }

    /// What a group has committed for a partition.
    pub fn offset(&self, key: OffsetKey) -> Option<&Committed> {
        self.offsets.get(&key)
    }

    /// A group's members, by id.
    pub fn members_of(&self, group: GroupNumber) -> impl Iterator<Item = (&str, &Member)> {
        let first = MemberKey { group, id: String::new() };
        let from = self.members.from(&first);
        from.take_while(move |(key, _)| key.group == group).map(|(key, member)| (key.id.as_str(), member))
    }

    /// A classic group's members, by id.
    pub fn classic_members(&self, group: GroupNumber) -> impl Iterator<Item = (&str, &generation::Member)> {
        self.members_of(group).filter_map(|(id, member)| match member {
            Member::Classic(member) => Some((id, &**member)),
            Member::Consumer(_) => None,
        })
    }

    /// A consumer group's members, by id.
    pub fn consumer_members(&self, group: GroupNumber) -> impl Iterator<Item = (&str, &sharing::Member)> {
        self.members_of(group).filter_map(|(id, member)| match member {
            Member::Consumer(member) => Some((id, &**member)),
            Member::Classic(_) => None,
        })
    }

    /// A member of a consumer group.
    pub fn consumer_member(&self, group: GroupNumber, id: &str) -> Option<&sharing::Member> {
        match self.members.get(&MemberKey { group, id: id.into() })? {
            Member::Consumer(member) => Some(member),
            Member::Classic(_) => None,
        }
    }

    /// A member of a classic group.
    pub fn classic_member(&self, group: GroupNumber, id: &str) -> Option<&generation::Member> {
        match self.members.get(&MemberKey { group, id: id.into() })? {
            Member::Classic(member) => Some(member),
            Member::Consumer(_) => None,
        }
    }

    /// Bytes of the state, encoded, but for a few numbers: counted as it changes.
    pub fn bytes(&self) -> usize {
        self.names.bytes() + self.members.bytes() + self.offsets.bytes()
    }

    /// What is wrong with a state that was read, if anything is.
    pub(super) fn fault(&self) -> Option<&'static str> {
        let numbers: BTreeSet<GroupNumber> = self.names.values().map(|group| group.number).collect();
        if numbers.len() != self.names.len() || numbers.last().is_some_and(|last| last.0 >= self.next_group) {
            return Some("its groups' numbers cannot be");
        }
        if !self.offsets.keys().all(|key| numbers.contains(&key.group)) {
            return Some("it has offsets of no group");
        }
        if !self.members.keys().all(|key| numbers.contains(&key.group)) {
            return Some("it has members of no group");
        }
        let is_counted = |group: &Group| match &group.state {
            State::Simple => self.members_of(group.number).next().is_none(),
            State::Classic(classic) => {
                self.classic_members(group.number).count() == classic.members as usize
                    && self.members_of(group.number).count() == classic.members as usize
                    && classic.generation >= 0
            }
            State::Consumer(consumer) => {
                self.consumer_members(group.number).count() == consumer.members as usize
                    && self.members_of(group.number).count() == consumer.members as usize
                    && consumer.assignment_epoch <= consumer.epoch
            }
        };
        (!self.names.values().all(is_counted)).then_some("it counts its members wrong")
    }

    /// Changes the state as a command says. One that does not fit changes nothing.
    pub(super) fn change(&mut self, at: Stamp, command: &Command) {
        match command {
            Command::OffsetsCommitted { group, seen, commits } => self.commit(at, group, *seen, commits),
            Command::OffsetsRemoved { group, partitions } => {
                let Some(number) = self.number_of(group) else { return };
                for (topic, partition) in partitions {
                    self.offsets.remove(&OffsetKey { group: number, topic: *topic, partition: *partition });
                }
            }
            Command::GroupRemoved { group } => self.remove(group),
            Command::GenerationBegan { group, generation, joined, left } => {
                self.begin(at, group, generation, joined, left);
            }
            Command::Assigned { group, generation, assignments } => {
                self.assign(group, *generation, assignments);
            }
            Command::MembersLeft { group, members } => {
                let Some(number) = self.number_of(group) else { return };
                let gone = members.iter().filter(|id| self.take_member(number, id)).count();
                self.change_classic(group, |classic| classic.members_left(members, gone));
            }
            Command::MemberReplaced { group, old, new, member } => self.replace(group, old, new, member),
            Command::ConsumerChanged { group, changed } => self.change_consumer(at, group, changed),
        }
    }

    fn number_of(&self, group: &str) -> Option<GroupNumber> {
        self.group(group).map(|group| group.number)
    }

    fn change_classic(&mut self, group: &str, change: impl FnOnce(&mut Classic)) {
        let Some(known) = self.names.get(group) else { return };
        let mut known = known.clone();
        if let State::Classic(classic) = &mut known.state {
            change(classic);
            self.names.insert(group.to_owned(), known);
        }
    }

    /// The group of that id, which is made if there is none.
    fn make(&mut self, group: &str) -> GroupNumber {
        if let Some(number) = self.number_of(group) {
            return number;
        }
        let number = GroupNumber(self.next_group);
        self.next_group += 1;
        self.names.insert(group.to_owned(), Group { number, state: State::Simple });
        number
    }

    fn commit(&mut self, at: Stamp, group: &str, seen: u64, commits: &[Commit]) {
        let group = self.make(group);
        self.seen = self.seen.max(seen);
        for commit in commits {
            let Commit { topic, partition, offset, epoch, metadata, retention_ms } = commit;
            let key = OffsetKey { group, topic: *topic, partition: *partition };
            let expires = retention_ms.map(|ms| Wall(at.wall.0.saturating_add(ms)));
            let metadata = metadata.as_str().into();
            let committed = Committed { offset: *offset, epoch: *epoch, metadata, at: at.wall, expires };
            self.offsets.insert(key, committed);
        }
    }

    fn remove(&mut self, group: &str) {
        let Some(Group { number, .. }) = self.names.remove(group) else { return };
        let offsets: Vec<OffsetKey> = self.offsets_of(number).map(|(key, _)| key).collect();
        for key in offsets {
            self.offsets.remove(&key);
        }
        let members: Vec<String> = self.members_of(number).map(|(id, _)| id.to_owned()).collect();
        for id in members {
            self.take_member(number, &id);
        }
    }

    /// Takes a member out; whether it was one.
    fn take_member(&mut self, group: GroupNumber, id: &str) -> bool {
        self.members.remove(&MemberKey { group, id: id.into() }).is_some()
    }

    /// Puts a member in; whether it is a new one.
    fn put_member(&mut self, group: GroupNumber, id: &str, member: &generation::Member) -> bool {
        let member = Member::Classic(Box::new(member.clone()));
        self.members.insert(MemberKey { group, id: id.to_owned() }, member).is_none()
    }

    fn begin(
        &mut self,
        at: Stamp,
        group: &str,
        generation: &Generation,
        joined: &[(String, generation::Member)],
        left: &[String],
    ) {
        let (last, members) = match self.group(group).map(|known| &known.state) {
            Some(State::Classic(classic)) => (classic.generation, classic.members as usize),
            // Members that speak the classic protocol are left, at the group's epoch.
            Some(State::Consumer(consumer)) if consumer.members > 0 => {
                (consumer.epoch - 1, consumer.members as usize)
            }
            Some(State::Consumer(consumer)) => (consumer.epoch, 0),
            Some(State::Simple) | None => (0, 0),
        };
        if generation.number <= last {
            return;
        }
        let number = self.make(group);
        let gone = left.iter().filter(|id| self.take_member(number, id)).count();
        let new = joined.iter().filter(|(id, member)| self.put_member(number, id, member)).count();
        let members =
            u32::try_from(members + new - gone).expect("a group has at most GROUP_MEMBERS_MAX members");
        let state = State::Classic(Box::new(Classic::begun(at, generation.clone(), members)));
        self.names.insert(group.to_owned(), Group { number, state });
    }

    fn assign(&mut self, group: &str, generation: i32, assignments: &[(String, Vec<u8>)]) {
        let Some(number) = self.number_of(group) else { return };
        let Some(Group { state: State::Classic(classic), .. }) = self.group(group) else { return };
        if classic.generation != generation {
            return;
        }
        for (id, assignment) in assignments {
            let Some(member) = self.classic_member(number, id) else { continue };
            let member = generation::Member { assignment: assignment.clone(), ..member.clone() };
            self.put_member(number, id, &member);
        }
        self.change_classic(group, |classic| classic.is_assigned = true);
    }

    /// A consumer group becomes another; one that nobody is in becomes one.
    fn change_consumer(&mut self, at: Stamp, group: &str, changed: &Changed) {
        let before = match self.group(group).map(|known| &known.state) {
            Some(State::Consumer(consumer)) => (**consumer).clone(),
            Some(State::Classic(classic)) => {
                Consumer { epoch: classic.generation, members: classic.members, ..Consumer::default() }
            }
            Some(State::Simple) | None => Consumer::default(),
        };
        let is_sound = changed.epoch >= before.epoch
            && changed.assignment_epoch >= before.assignment_epoch
            && changed.assignment_epoch <= changed.epoch;
        if !is_sound {
            return;
        }
        self.seen = self.seen.max(changed.seen);
        let number = self.make(group);
        let gone = changed.left.iter().filter(|id| self.take_member(number, id)).count();
        let mut new = 0;
        for (id, change) in &changed.members {
            let member = self.consumer_member(number, id).cloned().unwrap_or_default().changed(change);
            let key = MemberKey { group: number, id: id.to_owned() };
            new += usize::from(self.members.insert(key, Member::Consumer(Box::new(member))).is_none());
        }
        // What a classic group had that is not told of is over with it.
        let forgotten: Vec<String> = self.classic_members(number).map(|(id, _)| id.to_owned()).collect();
        let gone = gone + forgotten.iter().filter(|id| self.take_member(number, id)).count();
        let members = before.members as usize + new - gone;
        let members = u32::try_from(members).expect("a group has at most GROUP_MEMBERS_MAX members");
        let state = State::Consumer(Box::new(before.changed(at, changed, members)));
        self.names.insert(group.to_owned(), Group { number, state });
    }

    fn replace(&mut self, group: &str, old: &str, new: &str, member: &generation::Member) {
        let Some(number) = self.number_of(group) else { return };
        if self.classic_member(number, old).is_none() {
            return;
        }
        self.take_member(number, old);
        self.put_member(number, new, member);
        self.change_classic(group, |classic| classic.member_replaced(old, new));
    }
}
