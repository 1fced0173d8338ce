//! What a producer has to know: who leads its partitions, and who it is.

use super::topic::Topic;
use super::{Action, Machine, Settled};
use crate::machine::error::{Error, Remedy};
use crate::machine::moment::Moment;
use crate::machine::question::{Answer, Answered, Question, Ticket};
use rust_mq_proto::grpc::{self, GetTopicMetadataRequest, GetTopicMetadataResponse, InitProducerIdRequest};
use rust_mq_proto::records::Producer as Identity;
use std::time::Duration;

/// How long an answer to what any node knows may take, before another one is asked.
const WITHIN: Duration = Duration::from_secs(10);

impl Machine {
    /// Asks for what is not known.
    pub(super) fn look(&mut self, now: Moment, actions: &mut Vec<Action>) {
        let is_old = !self.topics.is_empty() && now.since(self.looked_at) >= self.settings.metadata_age_max;
        if is_old || !self.knows_its_way() {
            self.looking.want(now);
        }
        if self.looking.is_due(now) {
            let asked = self.whom_to_ask_about();
            let ticket = self.ask_anyone(asked.into(), actions);
            self.looking.asked(ticket);
        }
        if self.settings.is_idempotent && self.identity.is_none() && !self.busy.is_empty() {
            self.identifying.want(now);
        }
        if self.identifying.is_due(now) {
            let ticket = self.ask_anyone(InitProducerIdRequest {}.into(), actions);
            self.identifying.asked(ticket);
        }
    }

    /// Topics that nobody knows, which may be made by that; or all the others, which are not: somebody may have deleted one
    /// of them. In turn, if there are both.
    fn whom_to_ask_about(&mut self) -> GetTopicMetadataRequest {
        let is_new = |topic: &&Topic| topic.partitions.is_empty();
        let names = |topics: Vec<&Topic>| topics.iter().map(|topic| topic.name.clone()).collect::<Vec<_>>();
        let waits = |topic: &&Topic| is_new(topic) && !topic.waiting.is_empty();
        let new = names(self.topics.iter().filter(waits).collect());
        let known = names(self.topics.iter().filter(|topic| !is_new(topic)).collect());
        self.asks_new = !new.is_empty() && (known.is_empty() || !self.asks_new);
        let topics = if self.asks_new { new } else { known };
        let allow_auto_topic_creation = self.settings.makes_topics && self.asks_new;
        GetTopicMetadataRequest { topics, allow_auto_topic_creation }
    }

    /// An answer to one of these.
    pub(super) fn answered(&mut self, now: Moment, ticket: Ticket, answer: Answered) {
        let Some(address) = self.asked.remove(&ticket) else { return };
        match &answer {
            Err(Error::Unreachable { .. }) => self.map.failed(&address),
            _ => self.map.succeeded(&address),
        }
        if self.looking.is(ticket) {
            match answer {
                Ok(Answer::Topics(told)) => self.learn(now, &address, told),
                Ok(_) => self.looking.failed(now, &self.settings.pauses, &mut self.chance),
                Err(error) => {
                    self.map.knew_nothing(&address);
                    for topic in self.topics.iter_mut().filter(|topic| topic.partitions.is_empty()) {
                        topic.error = Some(error.clone());
                    }
                    self.looking.failed(now, &self.settings.pauses, &mut self.chance);
                }
            }
        } else if self.identifying.is(ticket) {
            match answer {
                Ok(Answer::Identity(given)) => {
                    // The service gives it as 32 bits, Kafka has 16.
                    let epoch = i16::try_from(given.producer_epoch).unwrap_or(0);
                    self.identity = Some(Identity { id: given.producer_id, epoch, base_sequence: 0 });
                    self.identifying.found();
                }
                Err(error) if error.remedy() == Remedy::Never => {
                    self.identifying.found();
                    self.fail_all(&error);
                }
                Ok(_) | Err(_) => {
                    self.map.knew_nothing(&address);
                    self.identifying.failed(now, &self.settings.pauses, &mut self.chance);
                }
            }
        }
    }

    fn learn(&mut self, now: Moment, address: &str, told: GetTopicMetadataResponse) {
        self.map.learn(&told);
        self.looked_at = now;
        for described in told.topics {
            if let Some(number) = self.numbers.get(&described.name).copied() {
                self.learn_topic(number, address, described);
            }
        }
        if self.knows_its_way() {
            self.looking.found();
            self.map.was_helped();
            self.asks_new = false;
        } else {
            self.map.knew_nothing(address);
            self.looking.failed(now, &self.settings.pauses, &mut self.chance);
        }
    }

    fn learn_topic(&mut self, number: usize, address: &str, described: grpc::Topic) {
        let topic = &mut self.topics[number];
        if let Err(error) = Error::refused(address, described.error) {
            topic.error = Some(error.clone());
            if error.remedy() == Remedy::Never {
                let records = topic.waiting.drain(..).map(|waiting| waiting.id).collect();
                self.told
                    .push(Action::Settle { place: None, settled: Settled { records, outcome: Err(error) } });
            }
            return;
        }
        topic.error = None;
        topic.widen(described.partitions.len());
        if !topic.partitions.is_empty() {
            for waiting in std::mem::take(&mut topic.waiting) {
                self.place(number, waiting);
            }
        }
    }

    /// Whether everything that waits knows where to go.
    fn knows_its_way(&self) -> bool {
        let is_known = |topic: &Topic| topic.waiting.is_empty() || !topic.partitions.is_empty();
        self.topics.iter().all(is_known) && self.busy.iter().all(|place| self.leader(*place).is_some())
    }

    fn ask_anyone(&mut self, question: Question, actions: &mut Vec<Action>) -> Ticket {
        let ticket = self.tickets.next();
        let address = self.map.anyone().to_owned();
        self.asked.insert(ticket, address.clone());
        actions.push(Action::Ask { ticket, address, question, within: WITHIN });
        ticket
    }

    fn fail_all(&mut self, error: &Error) {
        for place in self.busy.clone() {
            let mut settled = Vec::new();
            self.partition(place).fail_all(error, &mut settled);
            self.tell(place, settled);
        }
    }
}
