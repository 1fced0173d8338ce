//! From where a partition is read: how far its group has come, or what was asked for, or what the settings say.

use super::reading::Position;
use super::{Action, Goal, Machine, Place, Purpose, WITHIN};
use crate::machine::error::{Error, Remedy};
use crate::machine::moment::Moment;
use crate::machine::question::{Answer, Answered, Ticket};
use rust_mq_proto::grpc::offset_query::At;
use rust_mq_proto::grpc::{
    CommittedOffset, FetchOffsetRequest, FoundOffset, ListOffsetsRequest, OffsetQuery, TopicPartition,
};
use std::collections::BTreeMap;

impl Machine {
    /// Asks for what is not known.
    pub(super) fn find_positions(&mut self, now: Moment, actions: &mut Vec<Action>) {
        let mut unknown = Vec::new();
        let mut sought: BTreeMap<String, Vec<(Place, Goal)>> = BTreeMap::new();
        for (place, reading) in &self.readings {
            if reading.asked.is_some() || reading.held_until > now {
                continue;
            }
            match reading.position() {
                Position::Committed => unknown.push(place.clone()),
                Position::Sought(goal) => {
                    if let Some(leader) = self.map.leader(&place.0, place.1) {
                        sought.entry(leader.to_owned()).or_default().push((place.clone(), goal));
                    }
                }
                Position::At(_) | Position::Nowhere => {}
            }
        }
        if !unknown.is_empty()
            && let Some(coordinator) = self.coordinator(now)
        {
            let partitions = unknown
                .iter()
                .map(|(topic, partition)| TopicPartition { topic: topic.clone(), partition: *partition });
            let group_id = self.settings.group.clone().unwrap_or_default();
            let asked =
                FetchOffsetRequest { group_id, partitions: partitions.collect(), require_stable: true };
            let purpose = Purpose::Committed(unknown.clone());
            let ticket = self.ask(&coordinator, asked.into(), WITHIN, purpose, actions);
            self.asked_about(&unknown, ticket);
        }
        for (leader, places) in sought {
            let queries = places.iter().map(|((topic, partition), goal)| OffsetQuery {
                topic: topic.clone(),
                partition: *partition,
                at: at(*goal),
            });
            let asked = ListOffsetsRequest { queries: queries.collect(), ..Default::default() };
            let only: Vec<Place> = places.iter().map(|(place, _)| place.clone()).collect();
            let ticket = self.ask(&leader, asked.into(), WITHIN, Purpose::Sought(places), actions);
            self.asked_about(&only, ticket);
        }
    }

    fn asked_about(&mut self, places: &[Place], ticket: Ticket) {
        for place in places {
            if let Some(reading) = self.readings.get_mut(place) {
                reading.asked = Some(ticket);
            }
        }
    }

    /// How far the group has come is answered.
    pub(super) fn committed_answered(
        &mut self,
        now: Moment,
        ticket: Ticket,
        address: &str,
        places: &[Place],
        answer: Answered,
    ) {
        let (offsets, error) = match answer {
            Ok(Answer::Committed(told)) => (told.offsets, not_all(address)),
            Ok(_) => (Vec::new(), not_all(address)),
            Err(refused) => (Vec::new(), refused),
        };
        let named = offsets.into_iter().map(|one| ((one.topic.clone(), one.partition), one));
        let mut found: BTreeMap<Place, CommittedOffset> = named.collect();
        for place in places {
            let reset = self.settings.reset;
            let Some(reading) = self.readings.get_mut(place).filter(|reading| reading.asked == Some(ticket))
            else {
                continue;
            };
            reading.asked = None;
            let outcome = match found.remove(place) {
                Some(one) => Error::refused(address, one.error.clone()).map(|()| one.offset),
                None => Err(error.clone()),
            };
            match (outcome, reset) {
                (Ok(offset), _) if offset >= 0 => reading.found_committed(offset),
                (Ok(_), Some(goal)) => reading.seek(Position::Sought(goal)),
                (Ok(_), None) => {
                    reading.seek(Position::Nowhere);
                    let why = format!("nothing is committed of {}/{}: say where to begin", place.0, place.1);
                    self.report(Error::unusable(why));
                }
                (Err(error), _) => {
                    self.follow_coordinator(&error);
                    self.position_failed(now, place, error);
                }
            }
        }
    }

    /// Offsets that were looked up.
    pub(super) fn sought_answered(
        &mut self,
        now: Moment,
        ticket: Ticket,
        address: &str,
        places: &[(Place, Goal)],
        answer: Answered,
    ) {
        let (offsets, error) = match answer {
            Ok(Answer::Offsets(told)) => (told.offsets, not_all(address)),
            Ok(_) => (Vec::new(), not_all(address)),
            Err(refused) => (Vec::new(), refused),
        };
        let named = offsets.into_iter().map(|one| ((one.topic.clone(), one.partition), one));
        let mut found: BTreeMap<Place, FoundOffset> = named.collect();
        for (place, goal) in places {
            let Some(reading) = self.readings.get_mut(place).filter(|reading| reading.asked == Some(ticket))
            else {
                continue;
            };
            reading.asked = None;
            let outcome = match found.remove(place) {
                Some(one) => Error::refused(address, one.error.clone()).map(|()| one.offset),
                None => Err(error.clone()),
            };
            match outcome {
                Ok(offset) if offset >= 0 => reading.seek(Position::At(offset)),
                // Nothing is as new as that.
                Ok(_) if *goal != Goal::Latest => reading.seek(Position::Sought(Goal::Latest)),
                Ok(_) => self.hold(now, place),
                Err(error) => {
                    self.follow_leader(place, &error);
                    self.position_failed(now, place, error);
                }
            }
        }
    }

    fn position_failed(&mut self, now: Moment, place: &Place, error: Error) {
        self.hold(now, place);
        if error.remedy() == Remedy::Never {
            self.report(error);
        }
    }
}

/// How the service calls a goal.
fn at(goal: Goal) -> Option<At> {
    use rust_mq_proto::grpc::Position as Place;
    match goal {
        Goal::Earliest => Some(At::Position(Place::Earliest as i32)),
        Goal::Latest => Some(At::Position(Place::Latest as i32)),
        Goal::Time(at) => Some(At::TimestampMs(at.max(0))),
        // An offset needs no looking up, and never comes here.
        Goal::Offset(_) => None,
    }
}

/// What is said of a partition that was asked about, and of which an answer says nothing.
fn not_all(address: &str) -> Error {
    Error::Unreadable { node: address.to_owned(), why: "not all was answered".into() }
}
