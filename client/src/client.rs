//! A client of the cluster: finds who is to be asked, asks, follows whoever moved, and tries again what is temporary.
//!
//! This is the way of single questions, an administrator's. Producers and consumers decide in their machines, by the same
//! picture of the cluster (`machine/map.rs`) and the same pauses.

use crate::call::Call;
use crate::connections::Connections;
use crate::machine::backoff::Pauses;
use crate::machine::chance::Chance;
use crate::machine::error::{Error, Remedy, code};
use crate::machine::map::Map;
use crate::settings::ClientSettings;
use rust_mq_proto::grpc::{FindCoordinatorRequest, GetTopicMetadataRequest, GetTopicMetadataResponse};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Whom a question is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To<'a> {
    /// Whoever answers.
    Anyone,
    /// The node of that id.
    Node(i32),
    /// The node that creates and deletes topics.
    Controller,
    /// The node that leads that partition of that topic.
    Leader(&'a str, i32),
    /// The node that coordinates that group.
    Coordinator(&'a str),
}

/// A client of a cluster. A clone shares its connections and what is known.
#[derive(Clone, Debug)]
pub struct Client {
    settings: Arc<ClientSettings>,
    connections: Connections,
    map: Arc<Mutex<Map>>,
}

/// How often and how long something is tried again.
#[derive(Debug)]
pub struct Patience {
    until: Instant,
    pauses: Pauses,
    chance: Chance,
    failures: u32,
    may_take_effect: bool,
}

impl Client {
    /// A client of the cluster to which these addresses belong: `host:port,host:port`. It connects when it is first asked.
    ///
    /// # Errors
    /// [`Error::Unusable`] if that is no list of addresses.
    pub fn new(bootstrap: &str) -> Result<Client, Error> {
        Client::with(ClientSettings::new(bootstrap)?)
    }

    /// A client with settings of its own.
    ///
    /// # Errors
    /// [`Error::Unusable`] if they make no sense.
    pub fn with(settings: ClientSettings) -> Result<Client, Error> {
        let connections = Connections::new(&settings)?;
        let map = Map::new(settings.bootstrap.clone());
        Ok(Client { settings: Arc::new(settings), connections, map: Arc::new(Mutex::new(map)) })
    }

    /// What it goes by.
    pub fn settings(&self) -> &ClientSettings {
        &self.settings
    }

    /// Its channels, for questions to one address and no other.
    pub fn connections(&self) -> &Connections {
        &self.connections
    }

    /// Asks whoever is to be asked, until it is answered, it is refused for good, or the client's deadline is over.
    /// Whoever does not lead or coordinate any more names another, who is followed.
    ///
    /// A change that may have taken effect is tried again, too: see [`Client::ask_once`] for one that must not be.
    ///
    /// # Errors
    /// The refusal, or [`Error::TimedOut`] with what went wrong at last.
    pub async fn ask<C: Call>(&self, to: To<'_>, asked: C) -> Result<C::Answer, Error> {
        let mut patience = self.patience();
        loop {
            match self.ask_once(to, asked.clone(), patience.left().min(self.settings.call_timeout)).await {
                Ok(answer) => return Ok(answer),
                Err(error) => patience.wait(error).await?,
            }
        }
    }

    /// Asks whoever is to be asked, once, and waits so long for the answer. What its error says of who leads is
    /// remembered for the next question.
    ///
    /// # Errors
    /// What the node said, or the network, or [`Error::Unreachable`] while nobody is known who could be asked.
    pub async fn ask_once<C: Call>(
        &self,
        to: To<'_>,
        asked: C,
        within: Duration,
    ) -> Result<C::Answer, Error> {
        let address = self.find(to).await?;
        let answer = self.connections.ask(&address, asked, within).await;
        self.heard(to, &address, answer.as_ref().err());
        answer
    }

    /// A question that any node answers: which topics there are, and who leads their partitions. No name is all topics.
    /// What is answered is remembered.
    ///
    /// # Errors
    /// As [`Client::ask`]. A topic that cannot be described carries its own error.
    pub async fn topics(&self, names: &[&str]) -> Result<GetTopicMetadataResponse, Error> {
        let topics = names.iter().map(|name| (*name).to_owned()).collect();
        let asked = GetTopicMetadataRequest { topics, allow_auto_topic_creation: false };
        let told = self.ask(To::Anyone, asked).await?;
        self.map().learn(&told);
        Ok(told)
    }

    /// Remembers what one item of an answer was refused with: whom the next question about it is for. For answers that
    /// carry an error for each item.
    pub fn learn(&self, to: To<'_>, error: &Error) {
        self.heard(to, error.node().unwrap_or_default(), Some(error));
    }

    /// The address of whom a question is for: as it is known, or else asked for, once.
    ///
    /// # Errors
    /// Nobody answers, or nobody is known who could be asked.
    pub async fn address(&self, to: To<'_>) -> Result<String, Error> {
        self.find(to).await
    }

    /// What a node tells of topics is remembered.
    pub(crate) fn learn_topics(&self, told: &GetTopicMetadataResponse) {
        self.map().learn(told);
    }

    /// The address of the node that leads a partition, as far as it is known.
    pub(crate) fn leader(&self, topic: &str, partition: i32) -> Option<String> {
        self.known(To::Leader(topic, partition))
    }

    /// Asks the node at that address, once.
    pub(crate) async fn ask_address<C: Call>(
        &self,
        address: &str,
        asked: C,
        within: Duration,
    ) -> Result<C::Answer, Error> {
        let answer = self.connections.ask(address, asked, within).await;
        self.heard(To::Anyone, address, answer.as_ref().err());
        answer
    }

    /// The patience for something of several questions: until the client's deadline from now.
    pub fn patience(&self) -> Patience {
        self.patience_for(self.settings.deadline)
    }

    /// A patience of that length.
    pub fn patience_for(&self, deadline: Duration) -> Patience {
        Patience {
            until: Instant::now() + deadline,
            pauses: self.settings.pauses,
            chance: Chance::new(seed()),
            failures: 0,
            may_take_effect: false,
        }
    }

    /// Where a question goes, asked for if it is not known.
    async fn find(&self, to: To<'_>) -> Result<String, Error> {
        if let Some(known) = self.known(to) {
            return Ok(known);
        }
        let anyone = self.map().anyone().to_owned();
        let found = self.find_by(to, &anyone).await;
        match &found {
            Ok(_) => self.map().was_helped(),
            Err(_) => self.map().knew_nothing(&anyone),
        }
        found
    }

    /// The same, asked of that node.
    async fn find_by(&self, to: To<'_>, anyone: &str) -> Result<String, Error> {
        let within = self.settings.call_timeout;
        match to {
            To::Coordinator(group) => {
                let asked = FindCoordinatorRequest { group_id: group.to_owned() };
                let found = self.connections.ask(anyone, asked, within).await;
                self.heard(To::Anyone, anyone, found.as_ref().err());
                if let Some(coordinator) = found?.coordinator {
                    self.map().learn_coordinator(group, &coordinator);
                }
            }
            To::Anyone | To::Node(_) | To::Controller | To::Leader(..) => {
                let mut asked = GetTopicMetadataRequest::default();
                if let To::Leader(topic, _) = to {
                    asked.topics.push(topic.to_owned());
                }
                let told = self.connections.ask(anyone, asked, within).await;
                self.heard(To::Anyone, anyone, told.as_ref().err());
                let told = told?;
                self.map().learn(&told);
                let refused = told.topics.into_iter().find_map(|topic| topic.error);
                if matches!(to, To::Leader(..)) {
                    Error::refused(anyone, refused)?;
                }
            }
        }
        self.known(to).ok_or_else(|| match to {
            To::Node(id) => Error::unusable(format!("there is no node {id}")),
            To::Leader(topic, partition) => {
                nobody(anyone.to_owned(), format!("nobody leads {topic}/{partition} for now"))
            }
            To::Controller => nobody(anyone.to_owned(), "nobody makes and deletes topics for now".into()),
            To::Coordinator(group) => {
                nobody(anyone.to_owned(), format!("nobody coordinates {group} for now"))
            }
            To::Anyone => nobody(anyone.to_owned(), "no node is known".into()),
        })
    }

    fn known(&self, to: To<'_>) -> Option<String> {
        let map = self.map();
        let known = match to {
            To::Anyone => Some(map.anyone()),
            To::Node(id) => map.node(id),
            To::Controller => map.controller(),
            To::Leader(topic, partition) => map.leader(topic, partition),
            To::Coordinator(group) => map.coordinator(group),
        };
        known.map(str::to_owned)
    }

    /// What an answer says about who is where.
    fn heard(&self, to: To<'_>, address: &str, error: Option<&Error>) {
        let mut map = self.map();
        match error {
            Some(Error::Unreachable { .. }) => return map.failed(address),
            Some(Error::Refused { .. }) => {}
            _ => return map.succeeded(address),
        }
        map.succeeded(address);
        let Some(error) = error.filter(|error| is_of_place(error)) else { return };
        match (to, error.leader()) {
            (To::Leader(topic, partition), Some(leader)) => map.follow(topic, partition, leader),
            (To::Leader(topic, partition), None) => map.doubt(topic, partition),
            (To::Coordinator(group), Some(node)) => map.learn_coordinator(group, node),
            (To::Coordinator(group), None) => map.doubt_coordinator(group),
            (To::Controller, _) => map.doubt_controller(),
            (To::Anyone | To::Node(_), _) => {}
        }
    }

    fn map(&self) -> MutexGuard<'_, Map> {
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Patience {
    /// How much of it is left.
    pub fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    /// Pauses after an error that may pass.
    ///
    /// # Errors
    /// That error, if it will not pass; [`Error::TimedOut`] with it, if the patience is at its end.
    pub async fn wait(&mut self, error: Error) -> Result<(), Error> {
        self.may_take_effect |= error.may_take_effect();
        if error.remedy() == Remedy::Never {
            return Err(error);
        }
        self.failures += 1;
        let pause = self.pauses.after(self.failures, &mut self.chance);
        if self.left() <= pause {
            return Err(Error::TimedOut {
                what: "asking the cluster".into(),
                last: Some(Box::new(error)),
                may_take_effect: self.may_take_effect,
            });
        }
        sleep(pause).await;
        Ok(())
    }
}

/// Whether an error says that somebody else is to be asked.
fn is_of_place(error: &Error) -> bool {
    error.remedy() == Remedy::Elsewhere || error.code() == Some(code::UNKNOWN_TOPIC_OR_PARTITION)
}

fn nobody(node: String, why: String) -> Error {
    Error::Unreachable { node, why, was_sent: false }
}

/// A seed that no other client has, most likely.
pub(crate) fn seed() -> u64 {
    RandomState::new().hash_one("rust-mq-client")
}
