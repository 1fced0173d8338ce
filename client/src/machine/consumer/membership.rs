//! Membership in a group, by the classic protocol: join, share out if that falls to this member, sync, and say regularly
//! that one is there.
//!
//! ```text
//! Out -> Joining -> (Sharing) -> Syncing -> In -> Parting -> Out ...
//!                                            |       commits what was dealt with
//!                                            +-> Leaving -> Out
//! ```
//!
//! - Invariant: records are handed out only by a member that is `In`.
//! - Invariant: a member that was not heard for a session's length takes its partitions for lost: the group has given them
//!   to others.

use super::assignor::{Assignor, Member};
use super::reading::{Position, Reading};
use super::{Action, Machine, Place, Purpose, Settings, protocol};
use crate::machine::error::{Error, Remedy, code};
use crate::machine::moment::Moment;
use crate::machine::mutant::{Mutant, is_planted};
use crate::machine::question::{Answer, Answered, Question, Ticket};
use rust_mq_proto::grpc::{
    GroupProtocol, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, LeavingMember,
    MemberAssignment, SyncGroupRequest,
};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How much longer than the group may wait for its members we wait for the group.
const GRACE: Duration = Duration::from_secs(5);
/// How long leaving may take: whoever is not heard is given up by its session, too.
const LEAVING_MAX: Duration = Duration::from_secs(5);

/// The member.
#[derive(Debug, Default)]
pub struct Membership {
    subscribed: Vec<String>,
    /// What others of the group want, while this one shares out.
    wanted: BTreeSet<String>,
    stage: Stage,
    member_id: String,
    generation: i32,
    is_leader: bool,
    /// What ends this generation for this member.
    ending: Option<Ending>,
    heard_at: Moment,
    not_before: Moment,
    failures: u32,
}

/// Where a member is on its way.
#[derive(Debug, Default)]
enum Stage {
    #[default]
    Out,
    Joining(Ticket),
    /// It shares out, as soon as it knows how many partitions there are.
    Sharing(JoinGroupResponse),
    Syncing(Ticket),
    In {
        beat_at: Moment,
        beat: Option<Ticket>,
    },
    /// The application has been told, and what it has dealt with is being committed.
    Parting,
    Leaving(Ticket),
}

/// Why a generation is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// The group changes: what was its own still is, until it joins again.
    Changing,
    /// Others may have what was its own.
    Lost,
}

impl Membership {
    /// The application wants these topics.
    pub fn subscribe(&mut self, mut topics: Vec<String>) {
        topics.sort();
        topics.dedup();
        if topics != self.subscribed {
            self.subscribed = topics;
            self.ending.get_or_insert(Ending::Changing);
        }
    }

    /// The topics of which it has to know how many partitions they have.
    pub fn topics(&self) -> impl Iterator<Item = &String> {
        let others = self.wanted.iter().filter(|topic| !self.subscribed.contains(topic));
        self.subscribed.iter().chain(others)
    }

    /// Whether it waits to know how many partitions topics have.
    pub fn wants_widths(&self, widths: &BTreeMap<String, i32>) -> bool {
        let is_sharing = matches!(self.stage, Stage::Sharing(_));
        is_sharing && self.topics().any(|topic| !widths.contains_key(topic))
    }

    /// A topic has another number of partitions than before: who shares out does so anew.
    pub fn topic_changed(&mut self) {
        if self.is_leader && matches!(self.stage, Stage::In { .. }) {
            self.ending.get_or_insert(Ending::Changing);
        }
    }

    /// The group's word that this member's generation is over.
    pub fn is_over(&mut self, error: &Error) {
        if !matches!(self.stage, Stage::In { .. } | Stage::Parting) {
            return;
        }
        let is_changing = error.code() == Some(code::REBALANCE_IN_PROGRESS);
        if error.code() == Some(code::UNKNOWN_MEMBER_ID) {
            self.member_id.clear();
        }
        if !is_changing {
            self.ending = Some(Ending::Lost);
        }
        self.ending.get_or_insert(Ending::Changing);
    }

    /// In which generation, and as whom, a commit is made.
    pub fn credentials(&self) -> (Option<i32>, String) {
        match self.stage {
            Stage::In { .. } | Stage::Parting => (Some(self.generation), self.member_id.clone()),
            _ => (None, String::new()),
        }
    }

    /// What the group calls it.
    #[cfg(test)]
    pub fn id(&self) -> &str {
        &self.member_id
    }

    /// When there is something to do.
    pub fn deadline(&self, settings: &Settings) -> Option<Moment> {
        match &self.stage {
            Stage::Out if self.subscribed.is_empty() => None,
            Stage::Out => Some(self.not_before),
            Stage::In { beat_at, beat } => {
                let lost_at = self.heard_at.after(settings.session_timeout);
                Some(if beat.is_none() { lost_at.min(*beat_at) } else { lost_at })
            }
            _ => None,
        }
    }
}

impl Machine {
    /// Goes on with whatever the membership is at.
    pub(super) fn act_as_member(&mut self, now: Moment, actions: &mut Vec<Action>) {
        if self.settings.group.is_none() {
            return self.close_if_done(actions);
        }
        self.end_if_over(now, actions);
        if matches!(self.membership.stage, Stage::Out) {
            self.close_if_done(actions);
            if self.wants_in(now) && self.membership.not_before <= now {
                self.join(now, actions);
            }
        }
        if matches!(self.membership.stage, Stage::Sharing(_)) && !self.membership.wants_widths(&self.widths) {
            self.share_out(now, actions);
        }
        if let Stage::In { beat_at, beat: None } = self.membership.stage
            && beat_at <= now
        {
            self.beat(now, actions);
        }
    }

    /// Whether it is to be a member: somebody subscribed, and takes what comes.
    fn wants_in(&self, now: Moment) -> bool {
        let is_absent =
            self.served_at.is_some_and(|served| now.since(served) >= self.settings.rebalance_timeout);
        !self.membership.subscribed.is_empty() && !self.is_closing && !is_absent
    }

    /// Takes the partitions from the application, if this generation is over.
    fn end_if_over(&mut self, now: Moment, actions: &mut Vec<Action>) {
        if matches!(self.membership.stage, Stage::In { .. }) {
            if now.since(self.membership.heard_at) >= self.settings.session_timeout {
                self.membership.ending = Some(Ending::Lost);
            } else if !self.wants_in(now) {
                self.membership.ending.get_or_insert(Ending::Changing);
            }
            match self.membership.ending.take() {
                None => {}
                Some(Ending::Lost) => {
                    self.take_away(actions, Action::Lost);
                    self.membership.stage = Stage::Out;
                }
                Some(Ending::Changing) => {
                    // What was handed out and is not dealt with is read again by whoever gets the partition.
                    self.turn.clear();
                    actions.push(Action::Revoked(self.assignment()));
                    if self.settings.commits_every.is_some() {
                        self.commit_done(now);
                    }
                    self.membership.stage = Stage::Parting;
                }
            }
            return;
        }
        // A turn later: whoever was told may have committed.
        if matches!(self.membership.stage, Stage::Parting) {
            if self.membership.ending == Some(Ending::Lost) || self.commits.is_empty() {
                self.membership.ending = None;
                self.forget_readings();
                self.handed = None;
                self.membership.stage = Stage::Out;
                if !self.wants_in(now) {
                    self.leave(now, actions);
                }
            }
        } else if self.is_closing && !matches!(self.membership.stage, Stage::Out | Stage::Leaving(_)) {
            self.membership.stage = Stage::Out;
            self.leave(now, actions);
        }
    }

    /// Whatever is its own next, reading begins where the group has come.
    fn forget_readings(&mut self) {
        if !is_planted(self.settings.mutant, Mutant::PositionKept) {
            self.readings.clear();
        }
    }

    fn take_away(&mut self, actions: &mut Vec<Action>, told: impl FnOnce(Vec<Place>) -> Action) {
        actions.push(told(self.assignment()));
        self.forget_readings();
        self.turn.clear();
        self.handed = None;
    }

    fn join(&mut self, now: Moment, actions: &mut Vec<Action>) {
        let Some(coordinator) = self.coordinator(now) else { return };
        self.membership.ending = None;
        let metadata = protocol::subscription(&self.membership.subscribed);
        let protocols = self.settings.assignors.iter().map(|assignor| GroupProtocol {
            name: assignor.name().into(),
            metadata: metadata.clone().into(),
        });
        let asked = JoinGroupRequest {
            group_id: self.group(),
            session_timeout_ms: milliseconds(self.settings.session_timeout),
            rebalance_timeout_ms: milliseconds(self.settings.rebalance_timeout),
            member_id: self.membership.member_id.clone(),
            group_instance_id: self.settings.instance.clone(),
            protocol_type: "consumer".into(),
            protocols: protocols.collect(),
            reason: String::new(),
        };
        let within = self.settings.rebalance_timeout + GRACE;
        self.membership.stage =
            Stage::Joining(self.ask_as_member(&coordinator, asked.into(), within, actions));
    }

    /// Sends what each member gets, which this one says.
    fn share_out(&mut self, now: Moment, actions: &mut Vec<Action>) {
        let Some(coordinator) = self.coordinator(now) else { return };
        let Stage::Sharing(joined) = std::mem::take(&mut self.membership.stage) else { return };
        let members = joined.members.iter().map(|member| Member {
            id: member.member_id.clone(),
            instance: member.group_instance_id.clone(),
            topics: protocol::topics_of(&member.metadata).unwrap_or_default(),
        });
        let members: Vec<Member> = members.collect();
        let wanted: BTreeSet<&String> = members.iter().flat_map(|member| &member.topics).collect();
        let widths: BTreeMap<String, i32> = self
            .widths
            .iter()
            .filter(|(topic, _)| wanted.contains(topic))
            .map(|(t, w)| (t.clone(), *w))
            .collect();
        let assignor = Assignor::of_name(&joined.protocol_name).unwrap_or(Assignor::Range);
        let given = assignor.share_out(&members, &widths);
        let assignments = given.into_iter().map(|(member_id, places)| MemberAssignment {
            member_id,
            assignment: protocol::assignment(&places).into(),
        });
        self.sync(&coordinator, &joined, assignments.collect(), actions);
    }

    fn sync(
        &mut self,
        coordinator: &str,
        joined: &JoinGroupResponse,
        assignments: Vec<MemberAssignment>,
        actions: &mut Vec<Action>,
    ) {
        let asked = SyncGroupRequest {
            group_id: self.group(),
            generation_id: joined.generation_id,
            member_id: joined.member_id.clone(),
            group_instance_id: self.settings.instance.clone(),
            protocol_type: joined.protocol_type.clone(),
            protocol_name: joined.protocol_name.clone(),
            assignments,
        };
        let within = self.settings.rebalance_timeout + GRACE;
        self.membership.stage =
            Stage::Syncing(self.ask_as_member(coordinator, asked.into(), within, actions));
    }

    fn beat(&mut self, now: Moment, actions: &mut Vec<Action>) {
        let Some(coordinator) = self.coordinator(now) else { return };
        let asked = HeartbeatRequest {
            group_id: self.group(),
            generation_id: self.membership.generation,
            member_id: self.membership.member_id.clone(),
            group_instance_id: self.settings.instance.clone(),
        };
        let within = self.settings.session_timeout / 3;
        let ticket = self.ask_as_member(&coordinator, asked.into(), within, actions);
        if let Stage::In { beat, .. } = &mut self.membership.stage {
            *beat = Some(ticket);
        }
    }

    /// Leaves, unless it is one whose place is kept for it.
    fn leave(&mut self, now: Moment, actions: &mut Vec<Action>) {
        if self.membership.member_id.is_empty() || !self.settings.instance.is_empty() {
            return;
        }
        let Some(coordinator) = self.coordinator(now) else { return };
        let member_id = std::mem::take(&mut self.membership.member_id);
        let members = vec![LeavingMember { member_id, reason: "it goes".into(), ..Default::default() }];
        let asked = LeaveGroupRequest { group_id: self.group(), members };
        let ticket = self.ask_as_member(&coordinator, asked.into(), LEAVING_MAX, actions);
        self.membership.stage = Stage::Leaving(ticket);
    }

    /// Says that all is done, once it is.
    fn close_if_done(&mut self, actions: &mut Vec<Action>) {
        if self.is_closing && !self.is_closed && self.commits.is_empty() {
            self.is_closed = true;
            actions.push(Action::Closed);
        }
    }

    /// The coordinator has answered.
    pub(super) fn member_answered(&mut self, now: Moment, ticket: Ticket, answer: Answered) {
        let is_its = match &self.membership.stage {
            Stage::Joining(own) | Stage::Syncing(own) | Stage::Leaving(own) => *own == ticket,
            Stage::In { beat, .. } => *beat == Some(ticket),
            Stage::Out | Stage::Sharing(_) | Stage::Parting => false,
        };
        if !is_its {
            return;
        }
        if let Err(error) = &answer {
            self.follow_coordinator(error);
        }
        if matches!(self.membership.stage, Stage::Leaving(_)) {
            self.membership.stage = Stage::Out;
            return;
        }
        match answer {
            Ok(answer) => self.member_heard(now, answer),
            Err(error) => self.member_refused(now, error),
        }
    }

    fn member_heard(&mut self, now: Moment, answer: Answer) {
        self.membership.heard_at = now;
        self.membership.failures = 0;
        match answer {
            Answer::Join(joined) => {
                self.membership.member_id.clone_from(&joined.member_id);
                self.membership.generation = joined.generation_id;
                self.membership.is_leader = joined.leader_id == joined.member_id;
                let members = if joined.skip_assignment { Vec::new() } else { joined.members.clone() };
                let wanted = members.iter().filter_map(|member| protocol::topics_of(&member.metadata));
                self.membership.wanted = wanted.flatten().collect();
                self.membership.stage = Stage::Sharing(JoinGroupResponse { members, ..joined });
            }
            Answer::Sync(shared) => match protocol::places_of(&shared.assignment) {
                Some(places) => self.begin(now, places),
                None => {
                    let why = "what was shared out is no assignment".into();
                    self.report(Error::Unreadable { node: self.group(), why });
                    self.back_out(now);
                }
            },
            _ => {
                let beat_at = now.after(self.settings.heartbeat_every);
                self.membership.stage = Stage::In { beat_at, beat: None };
            }
        }
    }

    fn begin(&mut self, now: Moment, places: Vec<Place>) {
        self.forget_readings();
        for (topic, partition) in &places {
            let fresh = || Reading::new(topic, *partition, Position::Committed);
            self.readings.entry((topic.clone(), *partition)).or_insert_with(fresh);
        }
        self.turn = self.readings.keys().cloned().collect();
        let beat_at = now.after(self.settings.heartbeat_every);
        self.membership.stage = Stage::In { beat_at, beat: None };
        self.told.push(Action::Assigned(places));
    }

    fn member_refused(&mut self, now: Moment, error: Error) {
        let is_in = matches!(self.membership.stage, Stage::In { .. });
        match error.code() {
            Some(code::REBALANCE_IN_PROGRESS | code::UNKNOWN_MEMBER_ID | code::ILLEGAL_GENERATION)
                if is_in =>
            {
                self.membership.is_over(&error);
            }
            // Its generation was over before it was in: that is no error, and the next one is joined.
            Some(code::ILLEGAL_GENERATION) => self.back_out(now),
            Some(code::UNKNOWN_MEMBER_ID) => {
                self.membership.member_id.clear();
                self.back_out(now);
            }
            _ if error.remedy() == Remedy::Never => {
                self.report(error);
                if is_in {
                    self.membership.ending = Some(Ending::Lost);
                } else {
                    self.back_out(now);
                }
                // It is tried again, seldom: an operator may mend it.
                self.membership.not_before = now.after(self.settings.heartbeat_every);
            }
            _ if is_in => {
                let pause = self.settings.pauses.after(1, &mut self.chance);
                self.membership.stage = Stage::In { beat_at: now.after(pause), beat: None };
            }
            _ => self.back_out(now),
        }
    }

    /// Tries again from the start, after a pause.
    fn back_out(&mut self, now: Moment) {
        self.membership.failures += 1;
        let pause = self.settings.pauses.after(self.membership.failures, &mut self.chance);
        self.membership.not_before = now.after(pause);
        self.membership.stage = Stage::Out;
    }

    fn group(&self) -> String {
        self.settings.group.clone().unwrap_or_default()
    }

    fn ask_as_member(
        &mut self,
        coordinator: &str,
        question: Question,
        within: Duration,
        actions: &mut Vec<Action>,
    ) -> Ticket {
        self.ask(coordinator, question, within, Purpose::Member, actions)
    }
}

fn milliseconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}
