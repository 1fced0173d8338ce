//! Batches on their way, and back: requests to leaders, their answers, and what is made of those that did not come.

use super::batch::Flight;
use super::lane::{Lane, LaneId, Request};
use super::partition::{Next, Partition};
use super::{Action, IN_FLIGHT_MAX, Machine, Place, REQUEST_BYTES_MAX, Settled, There};
use crate::machine::error::{Error, Remedy, code};
use crate::machine::moment::Moment;
use crate::machine::mutant::{Mutant, is_planted};
use crate::machine::question::Ticket;
use rust_mq_proto::grpc::partition_records::Data;
use rust_mq_proto::grpc::{Acks, PartitionRecords, ProduceRequest, ProduceResponse, ProducedPartition};
use std::collections::BTreeMap;
use std::time::Duration;

/// How much longer than the node may wait for its replicas we wait for the node.
const GRACE: Duration = Duration::from_secs(5);

impl Machine {
    /// Gives up what has been tried for long enough.
    pub(super) fn expire(&mut self, now: Moment) {
        let sealing = self.settings.sealing;
        for place in self.busy.clone() {
            let mut settled = Vec::new();
            self.partition(place).expire(now, &sealing, &mut settled);
            self.tell(place, settled);
        }
        for topic in &mut self.topics {
            let is_late = |since: Moment| since.after(sealing.delivery_timeout) <= now;
            let mut records = Vec::new();
            while let Some(waiting) = topic.waiting.pop_front_if(|waiting| is_late(waiting.stamp.0)) {
                records.push(waiting.id);
            }
            if !records.is_empty() {
                let what = format!("finding the partitions of {}", topic.name);
                let last = topic.error.clone().map(Box::new);
                let outcome = Err(Error::TimedOut { what, last, may_take_effect: false });
                self.told.push(Action::Settle { place: None, settled: Settled { records, outcome } });
            }
        }
    }

    /// Who has not answered in time is not there.
    pub(super) fn give_up_silent_lanes(&mut self, now: Moment, actions: &mut Vec<Action>) {
        let overdue = self.lanes.iter().filter(|(_, lane)| lane.is_overdue(now));
        let overdue: Vec<(String, LaneId)> =
            overdue.map(|(address, lane)| (address.clone(), lane.id)).collect();
        for (node, lane) in overdue {
            actions.push(Action::Shut { lane });
            let why = format!("no answer within {:?}", self.settings.request_timeout + GRACE);
            self.lost(now, lane, &Error::Unreachable { node, why, was_sent: true });
        }
    }

    /// Goes on after gaps.
    pub(super) fn mend(&mut self) {
        for place in self.busy.clone() {
            let mut settled = Vec::new();
            let sealing = self.settings.sealing;
            if self.partition(place).mend(&sealing, &mut settled) == Next::NewIdentity {
                self.identity = None;
            }
            self.tell(place, settled);
        }
    }

    /// Sends what can be sent.
    pub(super) fn send(&mut self, now: Moment, actions: &mut Vec<Action>) {
        if self.settings.is_idempotent && self.identity.is_none() {
            return;
        }
        let mut by_leader: BTreeMap<String, Vec<Place>> = BTreeMap::new();
        for place in &self.busy {
            if let Some(address) = self.leader(*place) {
                match by_leader.get_mut(address) {
                    Some(places) => places.push(*place),
                    None => drop(by_leader.insert(address.to_owned(), vec![*place])),
                }
            }
        }
        for (address, places) in by_leader {
            self.send_to(now, &address, &places, actions);
        }
    }

    /// Sends to one node what can be sent there, in requests with one batch a partition.
    fn send_to(&mut self, now: Moment, address: &str, places: &[Place], actions: &mut Vec<Action>) {
        let mut first = 0;
        loop {
            let lane = self.lanes.get(address);
            if lane.is_some_and(|lane| lane.flying.len() >= IN_FLIGHT_MAX) {
                return;
            }
            let lane = lane.map(|lane| lane.id);
            let (mut chosen, mut bytes) = (Vec::new(), 0);
            // Whoever was left out of a full request comes first in the next one.
            for place in places.iter().cycle().skip(first).take(places.len()) {
                let sealing = &self.settings.sealing;
                let Some(size) = self.partition_at(*place).sendable(now, lane, sealing) else { continue };
                if !chosen.is_empty() && bytes + size > REQUEST_BYTES_MAX {
                    first = places.iter().position(|other| other == place).unwrap_or(0);
                    break;
                }
                bytes += size;
                chosen.push(*place);
            }
            if chosen.is_empty() {
                return;
            }
            let lane = lane.unwrap_or_else(|| self.open(address, actions));
            self.request(now, address, lane, chosen, actions);
        }
    }

    fn open(&mut self, address: &str, actions: &mut Vec<Action>) -> LaneId {
        self.lanes_opened += 1;
        let lane = LaneId(self.lanes_opened);
        self.lanes.insert(address.to_owned(), Lane::new(lane));
        actions.push(Action::Open { lane, address: address.to_owned() });
        lane
    }

    fn request(
        &mut self,
        now: Moment,
        address: &str,
        lane: LaneId,
        places: Vec<Place>,
        actions: &mut Vec<Action>,
    ) {
        let ticket = self.tickets.next();
        let identity = self.identity.filter(|_| self.settings.is_idempotent);
        let sealing = self.settings.sealing;
        let mut partitions = Vec::with_capacity(places.len());
        for place in &places {
            if let Some(batch) = self.partition(*place).send(Flight { ticket, lane }, identity, &sealing) {
                let (topic, partition) = self.name(*place);
                partitions.push(PartitionRecords { topic, partition, data: Some(Data::Batch(batch)) });
            }
        }
        let timeout = self.settings.request_timeout;
        let request = ProduceRequest {
            acks: self.settings.acks as i32,
            timeout_ms: i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX),
            partitions,
        };
        let until = now.after(timeout + GRACE);
        if let Some(own) = self.lanes.get_mut(address) {
            own.flying.push_back(Request { ticket, places, until });
        }
        actions.push(Action::Send { lane, ticket, request });
    }

    /// A request is answered.
    pub(super) fn produced(&mut self, now: Moment, lane: LaneId, ticket: Ticket, response: ProduceResponse) {
        let own = self.lanes.iter_mut().find(|(_, own)| own.id == lane);
        let Some((address, request)) =
            own.and_then(|(address, own)| Some((address.clone(), own.take(ticket)?)))
        else {
            return;
        };
        self.map.succeeded(&address);
        let mut answers: BTreeMap<(String, i32), ProducedPartition> = BTreeMap::new();
        for part in response.partitions {
            answers.insert((part.topic.clone(), part.partition), part);
        }
        if is_planted(self.settings.sealing.mutant, Mutant::AckOfAnother) {
            let keys: Vec<(String, i32)> = answers.keys().rev().cloned().collect();
            answers = keys.into_iter().zip(answers.into_values()).collect();
        }
        for place in request.places {
            let outcome = match answers.remove(&self.name(place)) {
                Some(part) => outcome(&address, part),
                // Whoever wants no answer gets an empty one.
                None if self.settings.acks == Acks::None => {
                    Ok(There { base_offset: None, append_time_ms: None })
                }
                None => Err(Error::Unreadable {
                    node: address.clone(),
                    why: "an answer to a produce says nothing of one of its partitions".into(),
                }),
            };
            self.came_back(now, place, ticket, outcome);
        }
    }

    /// A lane broke: what was unanswered on it may have arrived or not.
    pub(super) fn lost(&mut self, now: Moment, lane: LaneId, error: &Error) {
        let address = self.lanes.iter().find(|(_, own)| own.id == lane).map(|(address, _)| address.clone());
        let Some((address, lane)) =
            address.and_then(|address| self.lanes.remove(&address).map(|lane| (address, lane)))
        else {
            return;
        };
        if matches!(error, Error::Unreachable { .. }) {
            self.map.failed(&address);
        }
        let mut error = error.clone();
        if let Error::Unreachable { was_sent, .. } = &mut error
            && is_planted(self.settings.sealing.mutant, Mutant::LostTakenForRefused)
        {
            *was_sent = false;
        }
        for (number, request) in lane.flying.into_iter().enumerate() {
            // A stream ends at the first message that makes no sense; those behind it only had no luck.
            let error = if number > 0 && error.remedy() == Remedy::Never {
                Error::Unreachable { node: address.clone(), why: error.to_string(), was_sent: true }
            } else {
                error.clone()
            };
            for place in request.places {
                self.came_back(now, place, request.ticket, Err(error.clone()));
            }
        }
    }

    /// One batch is back.
    fn came_back(&mut self, now: Moment, place: Place, ticket: Ticket, outcome: Result<There, Error>) {
        let (topic, number) = self.name(place);
        let outcome = outcome.map_err(|error| {
            let is_elsewhere =
                error.remedy() == Remedy::Elsewhere || error.code() == Some(code::UNKNOWN_TOPIC_OR_PARTITION);
            match error.leader() {
                Some(leader) if is_elsewhere => self.map.follow(&topic, number, leader),
                None if is_elsewhere => self.map.doubt(&topic, number),
                _ => {}
            }
            // Without an answer and without sequences, once more could be twice: who wants none takes that for lost.
            if self.settings.acks == Acks::None && error.may_take_effect() {
                let what = format!("delivering to {topic}/{number}");
                return Error::Unsure { what, last: Some(Box::new(error)) };
            }
            error
        });
        let (mut settled, is_idempotent) = (Vec::new(), self.settings.is_idempotent);
        let next = self.partition(place).answered(ticket, outcome, is_idempotent, &mut settled);
        if next == Next::NewIdentity {
            self.identity = None;
        }
        if next != Next::On {
            let (pauses, mut chance) = (self.settings.pauses, self.chance.clone());
            self.partition(place).hold(now, |failures| pauses.after(failures, &mut chance));
            self.chance = chance;
        }
        self.tell(place, settled);
    }

    /// Who leads a partition.
    pub(super) fn leader(&self, (topic, partition): Place) -> Option<&str> {
        self.map.leader(&self.topics[topic].name, i32::try_from(partition).unwrap_or(i32::MAX))
    }

    pub(super) fn partition(&mut self, (topic, partition): Place) -> &mut Partition {
        &mut self.topics[topic].partitions[partition]
    }

    pub(super) fn tell(&mut self, place: Place, settled: Vec<Settled>) {
        for settled in settled {
            self.told.push(Action::Settle { place: Some(self.name(place)), settled });
        }
    }

    fn partition_at(&self, (topic, partition): Place) -> &Partition {
        &self.topics[topic].partitions[partition]
    }

    fn name(&self, (topic, partition): Place) -> (String, i32) {
        (self.topics[topic].name.clone(), i32::try_from(partition).unwrap_or(i32::MAX))
    }
}

/// What a node says of one batch.
fn outcome(address: &str, part: ProducedPartition) -> Result<There, Error> {
    match Error::refused(address, part.error) {
        Ok(()) => Ok(There {
            base_offset: Some(part.base_offset).filter(|offset| *offset >= 0),
            append_time_ms: part.log_append_time_ms,
        }),
        // It came in at an attempt before, so long ago that the broker does not know where.
        Err(error) if error.code() == Some(code::DUPLICATE_SEQUENCE_NUMBER) => {
            Ok(There { base_offset: None, append_time_ms: None })
        }
        Err(error) => Err(error),
    }
}
