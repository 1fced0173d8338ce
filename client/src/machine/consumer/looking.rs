//! What a consumer has to know of the cluster: who leads its partitions, how many there are, and who coordinates its group.

use super::{Action, Machine, Place, Purpose, WITHIN};
use crate::machine::error::{Error, Remedy, code};
use crate::machine::moment::Moment;
use crate::machine::question::{Answer, Answered};
use rust_mq_proto::grpc::{FindCoordinatorRequest, GetTopicMetadataRequest, GetTopicMetadataResponse};
use std::collections::BTreeSet;

impl Machine {
    /// Asks who leads, and who coordinates, if that is not known.
    pub(super) fn look(&mut self, now: Moment, actions: &mut Vec<Action>) {
        let topics: BTreeSet<String> =
            self.readings.keys().map(|(topic, _)| topic).chain(self.membership.topics()).cloned().collect();
        let is_old = now.since(self.looked_at) >= self.settings.metadata_age_max;
        let is_lost = self.readings.keys().any(|(topic, number)| self.map.leader(topic, *number).is_none());
        if !topics.is_empty() && (is_old || is_lost || self.membership.wants_widths(&self.widths)) {
            self.looking.want(now);
        }
        if self.looking.is_due(now) {
            let asked = GetTopicMetadataRequest {
                topics: topics.into_iter().collect(),
                allow_auto_topic_creation: false,
            };
            let anyone = self.map.anyone().to_owned();
            let ticket = self.ask(&anyone, asked.into(), WITHIN, Purpose::Topics, actions);
            self.looking.asked(ticket);
        }
        if self.coordinating.is_due(now) {
            let group_id = self.settings.group.clone().unwrap_or_default();
            let anyone = self.map.anyone().to_owned();
            let asked = FindCoordinatorRequest { group_id };
            let ticket = self.ask(&anyone, asked.into(), WITHIN, Purpose::Coordinator, actions);
            self.coordinating.asked(ticket);
        }
    }

    pub(super) fn learn(&mut self, now: Moment, address: &str, told: GetTopicMetadataResponse) {
        self.map.learn(&told);
        self.looked_at = now;
        for topic in told.topics {
            match Error::refused(address, topic.error) {
                Ok(()) => {
                    let width = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
                    if self.widths.insert(topic.name.clone(), width).is_some_and(|before| before != width) {
                        self.membership.topic_changed();
                    }
                }
                Err(error) => {
                    self.widths.entry(topic.name).or_insert(0);
                    // One that is not there may come.
                    if error.remedy() == Remedy::Never {
                        self.report(error);
                    }
                }
            }
        }
        let is_lost = self.readings.keys().any(|(topic, number)| self.map.leader(topic, *number).is_none());
        let is_there = |topic: &String| self.widths.get(topic).is_some_and(|width| *width > 0);
        if is_lost || !self.membership.topics().all(is_there) {
            self.map.knew_nothing(address);
            self.looking.failed(now, &self.settings.pauses, &mut self.chance);
        } else {
            self.map.was_helped();
            self.looking.found();
        }
    }

    /// The coordinator's address; looked for if it is not known.
    pub(super) fn coordinator(&mut self, now: Moment) -> Option<String> {
        let group = self.settings.group.as_deref()?;
        let known = self.map.coordinator(group).map(str::to_owned);
        if known.is_none() {
            self.coordinating.want(now);
        }
        known
    }

    pub(super) fn coordinator_found(&mut self, now: Moment, address: &str, answer: Answered) {
        let group = self.settings.group.clone().unwrap_or_default();
        if let Ok(Answer::Coordinator(found)) = &answer
            && let Some(node) = &found.coordinator
        {
            self.map.learn_coordinator(&group, node);
            self.map.was_helped();
            return self.coordinating.found();
        }
        self.map.knew_nothing(address);
        self.coordinating.failed(now, &self.settings.pauses, &mut self.chance);
        if let Err(error) = answer
            && error.remedy() == Remedy::Never
        {
            self.report(error);
        }
    }

    /// What a coordinator's refusal says of where it is.
    pub(super) fn follow_coordinator(&mut self, error: &Error) {
        let group = self.settings.group.clone().unwrap_or_default();
        match error.leader() {
            Some(node) if error.code() == Some(code::NOT_COORDINATOR) => {
                self.map.learn_coordinator(&group, node)
            }
            _ if error.remedy() == Remedy::Elsewhere => self.map.doubt_coordinator(&group),
            _ => {}
        }
    }

    /// What a refusal about a partition says of its leader.
    pub(super) fn follow_leader(&mut self, (topic, partition): &Place, error: &Error) {
        let is_elsewhere =
            error.remedy() == Remedy::Elsewhere || error.code() == Some(code::UNKNOWN_TOPIC_OR_PARTITION);
        match error.leader() {
            Some(leader) if is_elsewhere => self.map.follow(topic, *partition, leader),
            None if is_elsewhere => self.map.doubt(topic, *partition),
            _ => {}
        }
    }
}
