//! One classic group, while a decision changes it: what is there, what leaves, who is answered. At its end the commands
//! say what of that is replicated.
//!
//! Invariant: whoever is taken out of his seat and waits is answered.
//! Invariant: within one decision a group is changed by one `Change`, for the tip shows what it leads to only afterwards.

use crate::group::command::Command;
use crate::group::generation::{Classic, Generation, Member};
use crate::group::live::{Live, Round, Seat};
use crate::group::request::{Joined, Phase, Refused, Reply};
use crate::group::soft::{Alarm, Alarms, Soft};
use crate::group::state::{Group, Groups, State};
use crate::limits::{GROUP_JOIN_AWAITED_MAX, GROUP_LOOKED_AT_AGAIN};
use crate::machine::{Answer, Context, Decision, Proof, Waiter};
use crate::metadata::Metadata;
use crate::now::{Mono, Now};
use rust_mq_proto::kafka::ErrorCode;
use std::time::Duration;

/// A group that is being changed.
pub struct Change<'a> {
    pub(super) groups: &'a Groups,
    pub(super) group: &'a str,
    /// What is replicated of it.
    pub known: Option<&'a Group>,
    /// What is not.
    pub live: &'a mut Live,
    alarms: &'a mut Alarms,
    pub(super) now: Now,
    pub(super) delay_ms: u64,
    /// Members, in the tip, that leave.
    left: Vec<String>,
    decision: Decision<Command, Reply>,
}

impl<'a> Change<'a> {
    /// Changes a group, and says what is to be replicated and answered.
    pub fn of(
        groups: &'a Groups,
        soft: &'a mut Soft,
        context: &Context<'_, Metadata>,
        group: &'a str,
        change: impl FnOnce(&mut Change<'_>),
    ) -> Decision<Command, Reply> {
        let Soft { live, alarms, .. } = soft;
        let mut made = Live::default();
        let is_made = !live.contains_key(group);
        let known = groups.group(group);
        let now = context.now;
        let delay_ms = context.room.groups.initial_rebalance_delay_ms.into();
        let here = live.get_mut(group).unwrap_or(&mut made);
        let decision = Decision::default();
        let mut changed =
            Change { groups, group, known, live: here, alarms, now, delay_ms, left: Vec::new(), decision };
        change(&mut changed);
        let decision = changed.finish();
        if is_made && !made.is_over() {
            live.insert(group.to_owned(), made);
        } else if live.get(group).is_some_and(Live::is_over) {
            live.remove(group);
        }
        decision
    }

    fn finish(mut self) -> Decision<Command, Reply> {
        if !self.left.is_empty() {
            // What the commands were to change is looked at again: a proposal may be dropped.
            self.look_at(self.now.mono + GROUP_LOOKED_AT_AGAIN);
            let members = std::mem::take(&mut self.left);
            let group = self.group.to_owned();
            self.decision.commands.insert(0, Command::MembersLeft { group, members });
        }
        self.decision
    }

    /// What is replicated of it.
    pub fn classic(&self) -> Option<&'a Classic> {
        match &self.known?.state {
            State::Classic(classic) => Some(classic),
            State::Simple | State::Consumer(_) => None,
        }
    }

    /// In which generation it is; 0 before the first.
    pub fn generation(&self) -> i32 {
        if let Some(State::Consumer(consumer)) = self.known.map(|known| &known.state) {
            return consumer.epoch;
        }
        self.classic().map_or(0, |classic| classic.generation)
    }

    /// Whether members are in it that do not speak the classic protocol.
    pub fn has_consumers(&self) -> bool {
        matches!(self.known.map(|known| &known.state), Some(State::Consumer(consumer)) if consumer.members > 0)
    }

    /// What it is doing.
    pub fn phase(&self) -> Phase {
        match self.classic() {
            _ if self.live.round.is_some() => Phase::PreparingRebalance,
            _ if self.has_consumers() => Phase::Stable,
            _ if self.live.seats.is_empty() => Phase::Empty,
            Some(classic) if classic.is_assigned => Phase::Stable,
            _ => Phase::CompletingRebalance,
        }
    }

    /// What a member says of itself.
    pub fn member(&self, id: &str) -> Option<&Member> {
        let draft = self.live.seats.get(id)?.draft.as_deref();
        draft.or_else(|| self.groups.classic_member(self.known?.number, id))
    }

    /// Whether this is a member.
    ///
    /// # Errors
    /// It is none, or another has taken its place.
    pub fn validate(&self, id: &str, instance: Option<&str>) -> Result<(), ErrorCode> {
        if let Some(instance) = instance {
            match self.live.instances.get(instance) {
                None => return Err(ErrorCode::UnknownMemberId),
                Some(known) if known != id => return Err(ErrorCode::FencedInstanceId),
                Some(_) => {}
            }
        }
        self.member(id).map(drop).ok_or(ErrorCode::UnknownMemberId)
    }

    /// Answers somebody.
    pub fn answer(&mut self, waiter: Waiter, reply: Reply, proof: Proof) {
        self.decision.answers.push(Answer { waiter, reply, proof });
    }

    /// Replicates something.
    pub fn command(&mut self, command: Command) {
        self.decision.commands.push(command);
    }

    /// A member was heard.
    pub fn heard(&mut self, id: &str) {
        let Some(ms) = self.member(id).map(|member| member.session_timeout_ms) else { return };
        self.session(id, Duration::from_millis(u64::try_from(ms).unwrap_or(0)));
    }

    /// A member may be silent for so long.
    pub fn session(&mut self, id: &str, patience: Duration) {
        let Some(seat) = self.live.seats.get_mut(id) else { return };
        seat.until = self.now.mono + patience;
        if seat.alarm <= self.now.mono || seat.until < seat.alarm {
            seat.alarm = seat.until;
            self.alarms.set(seat.alarm, Alarm::Member(self.group.to_owned(), id.to_owned()));
        }
    }

    /// Its alarm rang: whether it was silent for too long. If not, the alarm is set anew.
    pub fn is_silent(&mut self, id: &str) -> bool {
        let Some(seat) = self.live.seats.get_mut(id) else { return false };
        if seat.alarm > self.now.mono {
            // An earlier alarm than the one that counts.
            return false;
        }
        let is_waiting = !seat.is_new && (seat.join.is_some() || seat.sync.is_some());
        if seat.until <= self.now.mono && !is_waiting {
            return true;
        }
        let until = seat.until.max(self.now.mono + GROUP_LOOKED_AT_AGAIN);
        seat.alarm = until;
        self.alarms.set(until, Alarm::Member(self.group.to_owned(), id.to_owned()));
        false
    }

    /// Hands out an id, to be used within its session.
    pub fn expect(&mut self, id: &str, patience: Duration) {
        let until = self.now.mono + patience;
        self.live.pending.insert(id.to_owned(), until);
        self.alarms.set(until, Alarm::Pending(self.group.to_owned(), id.to_owned()));
    }

    /// To be looked at then.
    pub fn look_at(&mut self, at: Mono) {
        self.alarms.set(at, Alarm::Group(self.group.to_owned()));
    }

    /// Somebody joins who is no member yet.
    pub fn add(&mut self, id: &str, about: Member, waiter: Waiter) {
        self.live.pending.remove(id);
        self.live.joins += 1;
        let join = Some((self.live.joins, waiter));
        let seat = Seat { join, is_new: true, ..Seat::default() };
        self.live.seat(id, &about, seat);
        if let Some(seat) = self.live.seats.get_mut(id) {
            seat.draft = Some(Box::new(about));
        }
        self.session(id, GROUP_JOIN_AWAITED_MAX);
        if let Some(round) = &mut self.live.round {
            round.has_new = true;
        }
        self.rebalance();
    }

    /// A member joins anew, and perhaps says something else of itself.
    pub fn update(&mut self, id: &str, about: Member, waiter: Waiter) {
        let Some(before) = self.member(id).cloned() else { return };
        self.live.count(&before, false);
        self.live.count(&about, true);
        let is_known = Member { assignment: before.assignment.clone(), ..about.clone() } == before;
        self.live.joins += 1;
        let join = (self.live.joins, waiter);
        let Some(seat) = self.live.seats.get_mut(id) else { return };
        if !is_known {
            seat.draft = Some(Box::new(Member { assignment: before.assignment, ..about }));
        }
        match seat.join.replace(join) {
            // It asks again on another connection, and waits there.
            Some((_, earlier)) => self.refuse_join(earlier, id, ErrorCode::RebalanceInProgress),
            None => self.live.waiting += 1,
        }
        self.heard(id);
        self.rebalance();
    }

    /// A member leaves, or is no more.
    pub fn leave(&mut self, id: &str, code: ErrorCode) {
        let Some(about) = self.member(id).cloned() else { return };
        self.unseat(id, &about, code);
        self.gone(id);
    }

    /// Another has come by the name of a static member, which has its place from now on.
    pub fn fence(&mut self, id: &str, about: &Member) {
        self.unseat(id, about, ErrorCode::FencedInstanceId);
    }

    /// A member that is replicated is to be no more.
    pub fn gone(&mut self, id: &str) {
        if self.known.is_some_and(|known| self.groups.classic_member(known.number, id).is_some()) {
            self.left.push(id.to_owned());
        }
    }

    /// Whether a member is no more.
    pub fn has_left(&self) -> bool {
        !self.left.is_empty()
    }

    /// What a member says of itself is replicated by this decision.
    pub fn replicated(&mut self, id: &str) {
        if let Some(seat) = self.live.seats.get_mut(id) {
            seat.draft = None;
        }
        self.look_at(self.now.mono + GROUP_LOOKED_AT_AGAIN);
    }

    fn unseat(&mut self, id: &str, about: &Member, code: ErrorCode) {
        let Some(seat) = self.live.unseat(id, about) else { return };
        if let Some((_, waiter)) = seat.join {
            self.refuse_join(waiter, id, code);
        }
        if let Some(waiter) = seat.sync {
            self.answer(waiter, Reply::Synced(Err(code)), Proof::Applied);
        }
    }

    /// Members have come or gone: a rebalance begins, or is perhaps complete.
    pub fn rebalance(&mut self) {
        match self.phase() {
            Phase::PreparingRebalance => self.complete_if_all_have_joined(),
            _ => self.prepare(),
        }
    }

    fn prepare(&mut self) {
        for (id, waiter) in self.take_syncs() {
            self.heard(&id);
            self.answer(waiter, Reply::Synced(Err(ErrorCode::RebalanceInProgress)), Proof::Applied);
        }
        self.live.sync_until = None;
        let timeout_ms = self.rebalance_timeout_ms();
        // Whoever comes first to a group waits for others that are started with it.
        let is_first = self.live.seats.values().all(|seat| seat.is_new);
        let delay_ms = if is_first { self.delay_ms } else { timeout_ms };
        let until = self.now.mono + Duration::from_millis(delay_ms);
        let more_ms = is_first.then(|| timeout_ms.saturating_sub(delay_ms));
        self.live.round = Some(Round { until, more_ms, has_new: false });
        if is_first && delay_ms == 0 {
            return self.complete();
        }
        self.look_at(until);
        if !is_first {
            self.complete_if_all_have_joined();
        }
    }

    pub(super) fn take_syncs(&mut self) -> Vec<(String, Waiter)> {
        let seats = self.live.seats.iter_mut();
        seats.filter_map(|(id, seat)| Some((id.clone(), seat.sync.take()?))).collect()
    }

    fn rebalance_timeout_ms(&self) -> u64 {
        let timeouts = self.live.seats.keys().filter_map(|id| Some(self.member(id)?.rebalance_timeout_ms));
        timeouts.max().and_then(|ms| u64::try_from(ms).ok()).unwrap_or(0)
    }

    /// A member has joined, or one less is waited for.
    pub fn complete_if_all_have_joined(&mut self) {
        // A group that was empty waits its time out.
        let is_first = self.live.round.as_ref().is_some_and(|round| round.more_ms.is_some());
        let has_everybody = self.live.waiting == self.live.seats.len() && self.live.pending.is_empty();
        if has_everybody && !is_first || self.live.seats.is_empty() && self.live.pending.is_empty() {
            self.complete();
        }
    }

    /// Its alarm rang: a rebalance may have waited long enough, or a generation for its members to sync.
    pub fn look(&mut self) {
        let now = self.now.mono;
        if let Some(round) = &mut self.live.round {
            if round.until > now {
                return;
            }
            if let Some(more_ms) = round.more_ms.filter(|more_ms| *more_ms > 0)
                && std::mem::take(&mut round.has_new)
            {
                let wait_ms = self.delay_ms.min(more_ms);
                round.more_ms = Some(more_ms - wait_ms);
                round.until = now + Duration::from_millis(wait_ms);
                let until = round.until;
                return self.look_at(until);
            }
            return self.complete();
        }
        self.reconcile();
        if self.live.seats.is_empty() && self.classic().is_some_and(|classic| classic.protocol.is_some()) {
            return self.begin_empty();
        }
        if self.live.sync_until.is_some_and(|until| until <= now) {
            self.live.sync_until = None;
            let late = self.live.seats.iter().filter(|(_, seat)| seat.is_to_sync && seat.sync.is_none());
            let late: Vec<String> = late.map(|(id, _)| id.clone()).collect();
            late.iter().for_each(|id| self.leave(id, ErrorCode::UnknownMemberId));
            if !late.is_empty() {
                self.rebalance();
            }
        }
    }

    /// What was proposed may have been dropped: the tip shows what came of it.
    fn reconcile(&mut self) {
        let number = self.known.map(|known| known.number);
        let is_there =
            |id: &str| number.is_some_and(|number| self.groups.classic_member(number, id).is_some());
        let lost = self.live.seats.iter().filter(|(id, seat)| seat.draft.is_none() && !is_there(id));
        let lost: Vec<String> = lost.map(|(id, _)| id.clone()).collect();
        if !lost.is_empty() {
            // They were told that this is no coordinator, and come again.
            let there = self.live.seats.keys().filter_map(|id| Some((id.clone(), self.member(id)?.clone())));
            let there: Vec<(String, Member)> = there.collect();
            self.live.recount(&there);
        }
        let Some(number) = number else { return };
        let seats = &self.live.seats;
        let members = self.groups.classic_members(number).map(|(id, _)| id);
        let gone: Vec<String> = members.filter(|id| !seats.contains_key(*id)).map(str::to_owned).collect();
        self.left.extend(gone);
    }

    /// Everybody who comes has come: the next generation begins.
    fn complete(&mut self) {
        let seats = self.live.seats.iter().filter(|(_, seat)| seat.join.is_none());
        let absent: Vec<String> = seats.map(|(id, _)| id.clone()).collect();
        let is_static = |id: &String| self.member(id).is_some_and(|member| member.instance.is_some());
        let late: Vec<String> = absent.into_iter().filter(|id| !is_static(id)).collect();
        late.iter().for_each(|id| self.leave(id, ErrorCode::UnknownMemberId));
        if self.live.seats.is_empty() {
            return self.begin_empty();
        }
        if self.live.waiting == 0 {
            // Static members that have not come: one of them may, or its session ends.
            let until = self.now.mono + Duration::from_millis(self.rebalance_timeout_ms());
            self.live.round = Some(Round { until, ..Round::default() });
            return self.look_at(until);
        }
        self.begin();
    }

    /// Nobody is there any more: an empty generation begins.
    pub fn begin_empty(&mut self) {
        self.live.round = None;
        self.live.sync_until = None;
        self.look_at(self.now.mono + GROUP_LOOKED_AT_AGAIN);
        let Some(classic) = self.classic() else { return };
        let generation = Generation {
            number: classic.generation + 1,
            protocol_type: classic.protocol_type.clone(),
            protocol: None,
            leader: None,
        };
        let left = std::mem::take(&mut self.left);
        let group = self.group.to_owned();
        self.command(Command::GenerationBegan { group, generation, joined: Vec::new(), left });
    }

    fn begin(&mut self) {
        self.live.round = None;
        let leader = self.leader();
        let protocol = self.choose();
        let protocol_type = self.live.protocol_type.clone();
        let number = self.generation() + 1;
        let members = self.members(&protocol);
        let until = self.now.mono + Duration::from_millis(self.rebalance_timeout_ms());
        let joining = self.live.seats.iter_mut().map(|(id, seat)| {
            (seat.is_new, seat.is_to_sync) = (false, true);
            (id.clone(), seat.join.take())
        });
        let joining: Vec<(String, Option<(u64, Waiter)>)> = joining.collect();
        self.live.waiting = 0;
        for (id, join) in joining {
            self.heard(&id);
            let Some((_, waiter)) = join else { continue };
            let joined = Joined {
                generation: number,
                protocol_type: protocol_type.clone(),
                protocol: protocol.clone(),
                leader: leader.clone(),
                skip_assignment: false,
                members: if id == leader { members.clone() } else { Vec::new() },
                member: id,
            };
            self.answer(waiter, Reply::Joined(Ok(Box::new(joined))), Proof::Applied);
        }
        let drafts = self.live.seats.iter_mut();
        let joined = drafts.filter_map(|(id, seat)| Some((id.clone(), *seat.draft.take()?))).collect();
        let left = std::mem::take(&mut self.left);
        let generation = Generation { number, protocol_type, protocol: Some(protocol), leader: Some(leader) };
        self.command(Command::GenerationBegan { group: self.group.to_owned(), generation, joined, left });
        self.live.sync_until = Some(until);
        self.look_at(self.now.mono + GROUP_LOOKED_AT_AGAIN);
        self.look_at(until);
    }

    /// All members, as their leader is told.
    pub(super) fn members(&self, protocol: &str) -> Vec<(String, Option<String>, Vec<u8>)> {
        let members = self.live.seats.keys().filter_map(|id| {
            let member = self.member(id)?;
            Some((id.clone(), member.instance.clone(), member.subscription(protocol).to_vec()))
        });
        members.collect()
    }

    /// Who leads stays so if he has joined; else it is who has waited longest.
    fn leader(&self) -> String {
        let has_joined = |id: &&String| self.live.seats.get(*id).is_some_and(|seat| seat.join.is_some());
        if let Some(leader) = self.classic().and_then(|classic| classic.leader.as_ref()).filter(has_joined) {
            return leader.clone();
        }
        let waiting = self.live.seats.iter().filter_map(|(id, seat)| Some((seat.join?.0, id)));
        waiting.min().map(|(_, id)| id.clone()).unwrap_or_default()
    }

    /// The protocol that most members like best of those that all know.
    pub(super) fn choose(&self) -> String {
        let all = self.live.seats.len();
        let is_known = |name: &str| self.live.supported.get(name).is_some_and(|count| *count == all);
        let mut votes: Vec<(&str, usize)> = Vec::new();
        for id in self.live.seats.keys() {
            let mut names = self.member(id).into_iter().flat_map(|member| &member.protocols);
            let Some((liked, _)) = names.find(|(name, _)| is_known(name)) else { continue };
            match votes.iter_mut().find(|(name, _)| name == liked) {
                Some((_, count)) => *count += 1,
                None => votes.push((liked, 1)),
            }
        }
        // Of equals the first that was named.
        let most = votes.iter().map(|(_, count)| *count).max().unwrap_or(0);
        votes
            .into_iter()
            .find(|(_, count)| *count == most)
            .map(|(name, _)| name.to_owned())
            .unwrap_or_default()
    }

    /// No member now.
    pub fn refuse_join(&mut self, waiter: Waiter, id: &str, code: ErrorCode) {
        let refused = Refused { code, member: id.to_owned() };
        self.answer(waiter, Reply::Joined(Err(refused)), Proof::Applied);
    }
}
