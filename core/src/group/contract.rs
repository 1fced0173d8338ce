//! The groups of a partition as a machine: what is asked goes to who decides it, and the state to where it is kept.

use super::command::Command;
use super::live::Live;
use super::request::{Reply, Request};
use super::soft::{Alarm, Soft};
use super::state::{Groups, State};
use super::{classic, consumer};
use super::{expiry, listing, offsets};
use crate::codec::{self, Broken, Kind, Reading, SECOND, Shape, Writing};
use crate::entry::Stamp;
use crate::ids::PageId;
use crate::level::Level;
use crate::limits::{GROUP_ALARMS, GROUPS_SEATED, OFFSETS_SWEPT_ON};
use crate::machine::{Built, Context, Decision, Machine, Undecodable, Waiter};
use crate::metadata::Metadata;
use crate::now::Mono;
use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;
use std::ops::Bound;

/// Its maps, among the state's pages.
const NAMES: u8 = 0;
const MEMBERS: u8 = 1;
const OFFSETS: u8 = 2;

/// The level at which all that is written here is written: no shape has a second version yet.
const LEVEL: Level = Level(2);

impl Machine for Groups {
    type Request = Request;
    type Reply = Reply;
    type Command = Command;
    type Soft = Soft;
    type Image = Metadata;

    fn elected(&self, soft: &mut Soft, context: &mut Context<'_, Metadata>) -> Built {
        let from = soft.seated.take();
        let from = from.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut looked_at = 0;
        for (id, group) in self.names_from(from) {
            if looked_at >= GROUPS_SEATED {
                return Built::Partly;
            }
            looked_at += 1;
            looked_at += match &group.state {
                State::Simple => 0,
                State::Classic(classic) => classic::reseat(self, soft, context.now.mono, id, group, classic),
                State::Consumer(_) => consumer::reseat(self, soft, context, id, group),
            };
            soft.seated = Some(id.clone());
        }
        soft.seated = None;
        soft.sweep.expires_at = context.now.mono + context.room.groups.offsets_check_interval();
        soft.alarms.set(context.now.mono + OFFSETS_SWEPT_ON, Alarm::Sweep);
        Built::Whole
    }

    fn decide(
        &self,
        soft: &mut Soft,
        context: &mut Context<'_, Metadata>,
        waiter: Waiter,
        request: Request,
    ) -> Decision<Command, Reply> {
        let told = |reply| Decision::confirmed(Vec::new(), waiter, reply);
        if let Some(group) = request.group() {
            self.seat(soft, context, group);
        }
        match request {
            Request::Join(join) if self.has_consumers(&join.group) => {
                consumer::join(self, soft, context, waiter, &join)
            }
            Request::Sync(sync) if self.has_consumers(&sync.who.group) => {
                consumer::sync(self, soft, context, waiter, &sync)
            }
            Request::Heartbeat(who) if self.has_consumers(&who.group) => {
                consumer::classic_heartbeat(self, soft, context, waiter, &who)
            }
            Request::Leave { group, members } if self.has_consumers(&group) => {
                consumer::leave(self, soft, context, waiter, &group, &members)
            }
            Request::Join(join) => classic::join(self, soft, context, waiter, *join),
            Request::Sync(sync) => classic::sync(self, soft, context, waiter, *sync),
            Request::Beat(beat) => consumer::heartbeat(self, soft, context, waiter, &beat),
            Request::DescribeConsumers { group } => told(consumer::describe(self, &group)),
            Request::Heartbeat(who) => classic::heartbeat(self, soft, context, waiter, &who),
            Request::Leave { group, members } => {
                classic::leave(self, soft, context, waiter, &group, &members)
            }
            Request::Commit { who, knows_groups, commits } => {
                offsets::commit(self, soft, context, waiter, &who, knows_groups, commits)
            }
            Request::Fetch { group, member, partitions } => {
                told(offsets::fetch(self, &group, member.as_ref(), partitions.as_deref()))
            }
            Request::DeleteOffsets { group, partitions } => {
                offsets::delete(self, soft, context, waiter, &group, &partitions)
            }
            Request::Delete { group } => listing::delete(self, soft, context, waiter, &group),
            Request::Describe { group } => listing::describe(self, soft, context, waiter, &group),
            Request::List => told(Reply::Listed(listing::list(self, soft))),
        }
    }

    fn next_deadline(&self, soft: &Soft) -> Option<Mono> {
        soft.alarms.next()
    }

    fn due(&self, soft: &mut Soft, context: &mut Context<'_, Metadata>) -> Decision<Command, Reply> {
        let now = context.now.mono;
        let mut by_group: BTreeMap<String, Vec<Alarm>> = BTreeMap::new();
        let mut rung = 0;
        while rung < GROUP_ALARMS
            && let Some(alarm) = soft.alarms.pop_due(now)
        {
            by_group.entry(alarm.group().to_owned()).or_default().push(alarm);
            rung += 1;
        }
        let mut due = Decision::default();
        let mut bytes = 0;
        for (group, alarms) in by_group {
            if bytes > context.room.commands_bytes_max / 4 {
                // What one group proposes is at most half of the room.
                alarms.into_iter().for_each(|alarm| soft.alarms.set(now, alarm));
                continue;
            }
            let (sweeps, alarms): (Vec<Alarm>, Vec<Alarm>) =
                alarms.into_iter().partition(|alarm| *alarm == Alarm::Sweep);
            let mut decision = match alarms.is_empty() {
                true => Decision::default(),
                false if self.is_of_consumers(&group) => consumer::rang(self, soft, context, &group, &alarms),
                false => {
                    self.seat(soft, context, &group);
                    classic::rang(self, soft, context, &group, &alarms)
                }
            };
            if !sweeps.is_empty() {
                decision.commands.extend(expiry::sweep(self, soft, context));
            }
            bytes +=
                decision.commands.iter().map(|command| codec::shape_bytes(command, LEVEL)).sum::<usize>();
            due.commands.append(&mut decision.commands);
            due.answers.append(&mut decision.answers);
        }
        // What is left is looked at in the next turn.
        soft.alarms.put_off(Mono(now.0 + 1));
        due
    }

    fn lost(soft: Soft) -> Vec<Waiter> {
        soft.live.into_values().flat_map(Live::waiters).collect()
    }

    fn not_leader() -> Reply {
        Reply::NotCoordinator
    }

    fn apply(&mut self, at: Stamp, command: &Command) {
        self.change(at, command);
    }

    fn encode(&self, into: &mut BytesMut) {
        codec::encode_into(self, LEVEL, into);
    }

    fn decode(bytes: &[u8], reads: Level) -> Result<Groups, Undecodable> {
        codec::decode::<Groups>(bytes, reads)?.checked()
    }

    fn state_bytes(&self) -> usize {
        self.bytes()
    }

    fn head(&self) -> Bytes {
        let Groups { next_group, seen, .. } = *self;
        codec::encode(&Groups { next_group, seen, ..Groups::default() }, LEVEL)
    }

    fn page_ids(&self) -> Vec<PageId> {
        let of = |table: u8| move |edition| PageId { table, edition };
        let names = self.names.editions().map(of(NAMES));
        let members = self.members.editions().map(of(MEMBERS));
        names.chain(members).chain(self.offsets.editions().map(of(OFFSETS))).collect()
    }

    fn page(&self, number: usize) -> Option<Bytes> {
        let (names, members) = (self.names.editions().count(), self.members.editions().count());
        let page = if number < names {
            self.names.page(number)
        } else if number < names + members {
            self.members.page(number - names)
        } else {
            self.offsets.page(number - names - members)
        };
        page.map(|(_, bytes)| bytes)
    }

    fn unfold(head: &[u8], reads: Level) -> Result<Groups, Undecodable> {
        codec::decode(head, reads)
    }

    fn push_page(&mut self, id: PageId, bytes: &[u8]) -> Result<(), Undecodable> {
        let pushed = match id.table {
            NAMES => self.names.push_page(id.edition, bytes).map_err(|fault| fault.to_string()),
            MEMBERS => self.members.push_page(id.edition, bytes).map_err(|fault| fault.to_string()),
            OFFSETS => self.offsets.push_page(id.edition, bytes).map_err(|fault| fault.to_string()),
            table => Err(format!("there is no table {table}")),
        };
        pushed.map_err(|reason| Undecodable { what: "page of groups", reason })
    }

    fn checked(self) -> Result<Groups, Undecodable> {
        match self.fault() {
            Some(reason) => Err(Undecodable { what: Groups::WHAT, reason: reason.into() }),
            None => Ok(self),
        }
    }

    fn level(&self) -> Level {
        LEVEL
    }

    fn since(command: &Command) -> Level {
        codec::since(command)
    }

    fn encode_commands(commands: &[Command], level: Level) -> Bytes {
        codec::encode_all(commands, level)
    }

    fn decode_commands(bytes: &[u8], reads: Level) -> Result<Vec<Command>, Undecodable> {
        codec::decode_all(bytes, reads)
    }
}

impl Groups {
    /// Whether it is a consumer group.
    fn is_of_consumers(&self, group: &str) -> bool {
        matches!(self.group(group).map(|known| &known.state), Some(State::Consumer(_)))
    }

    /// The members of a group that has just become a classic one, or has stayed one after all, sit down.
    fn seat(&self, soft: &mut Soft, context: &Context<'_, Metadata>, group: &str) {
        let Some((known, State::Classic(classic))) = self.group(group).map(|known| (known, &known.state))
        else {
            return;
        };
        if soft.unseated.remove(group) {
            soft.consumers.remove(group);
            classic::reseat(self, soft, context.now.mono, group, known, classic);
        }
    }

    /// Whether it is a consumer group that has members.
    fn has_consumers(&self, group: &str) -> bool {
        let known = self.group(group).map(|known| &known.state);
        matches!(known, Some(State::Consumer(consumer)) if consumer.members > 0)
    }
}

impl Shape for Groups {
    const WHAT: &'static str = "groups' state";
    const KINDS: &'static [Kind] = &[Kind::new(4, "Groups", SECOND)];

    fn kind(&self) -> u8 {
        4
    }

    fn write(&self, _version: u8, to: &mut Writing<'_>) {
        let Groups { names, members, offsets, next_group, seen } = self;
        to.put(names);
        to.put(members);
        to.put(offsets);
        to.put(next_group);
        to.put(seen);
    }

    fn read(_kind: u8, _version: u8, from: &mut Reading<'_>) -> Result<Groups, Broken> {
        Ok(Groups {
            names: from.take()?,
            members: from.take()?,
            offsets: from.take()?,
            next_group: from.take()?,
            seen: from.take()?,
        })
    }
}
