//! The consumer: finds out which partitions are its own and where to begin, fetches ahead, hands records out one by one,
//! and keeps how far the application has come.
//!
//! ```text
//! membership -> which partitions      positions -> from where      fetching -> what comes      commits -> how far
//! (or assigned by hand)               (committed, or reset)         (ahead, bounded)            (by hand or by time)
//! ```
//!
//! [`Machine::take`] is told what happened, [`Machine::act`] says what is to be done, [`Machine::wake_at`] when to come
//! back; [`Machine::hand_out`] gives the next record.
//!
//! - Invariant: at most one question about a partition is unanswered; an answer to one from before a seek, or of a
//!   partition that was taken away, is dropped.
//! - Invariant: what has come and was not looked into has at most `prefetch_bytes`, and the last answer of each leader.
//! - Invariant: before a member says that it is ready for another sharing out, its partitions are taken from the
//!   application, and what it has dealt with is committed, if that is done by time.
//!
//! Not here: transactions' isolation, since the broker has none yet; the newer group protocol (KIP-848).

pub mod assignor;
mod commits;
mod fetching;
mod looking;
mod membership;
mod positions;
pub mod protocol;
mod reading;

#[cfg(test)]
mod tests;

use super::backoff::Pauses;
use super::chance::Chance;
use super::error::Error;
use super::lookup::Lookup;
use super::map::Map;
use super::moment::Moment;
use super::mutant::{Mutant, is_planted};
use super::question::{Answer, Answered, Question, Ticket, Tickets};
use assignor::Assignor;
use bytes::Bytes;
use commits::Commits;
use membership::Membership;
use reading::{Position, Reading};
use rust_mq_proto::records::Decompressor;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// How long an answer to what any node knows may take, before another one is asked.
const WITHIN: Duration = Duration::from_secs(10);

/// Errors that wait for the application; beyond, what is newer is not told: it will come again.
const ERRORS_MAX: usize = 100;

/// A partition, by its topic's name and its number.
pub type Place = (String, i32);

/// A record that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its topic.
    pub topic: Arc<str>,
    /// Its partition.
    pub partition: i32,
    /// Its offset there.
    pub offset: i64,
    /// Milliseconds since 1970-01-01 UTC; -1 if none was given.
    pub timestamp_ms: i64,
    /// Its key.
    pub key: Option<Bytes>,
    /// Its value; None is a tombstone.
    pub value: Option<Bytes>,
    /// Its headers, in order. Names that are no UTF-8 have replacement characters.
    pub headers: Vec<(String, Option<Bytes>)>,
}

/// Where to begin, or to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// At the first record that there is.
    Earliest,
    /// Behind the last.
    Latest,
    /// At the first record of that time or later, in milliseconds since 1970; behind the last if there is none.
    Time(i64),
    /// At that offset.
    Offset(i64),
}

/// How a consumer consumes.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The group, if there is one.
    pub group: Option<String>,
    /// A name of its own that outlives the member; empty for none.
    pub instance: String,
    /// How long the group waits for a silent member.
    pub session_timeout: Duration,
    /// How long the group waits for a member to join again.
    pub rebalance_timeout: Duration,
    /// How often a member says that it is there.
    pub heartbeat_every: Duration,
    /// How it can share out, the best first.
    pub assignors: Vec<Assignor>,
    /// How often what was dealt with is committed without being asked for.
    pub commits_every: Option<Duration>,
    /// Where to begin if nothing is committed, or what was read next is not there any more; None is an error.
    pub reset: Option<Goal>,
    /// How much may wait for the application.
    pub prefetch_bytes: usize,
    /// How much of one partition is fetched at a time.
    pub partition_bytes: usize,
    /// How long a node waits for records.
    pub fetch_wait: Duration,
    /// How long a call may take beside what it waits.
    pub call_timeout: Duration,
    /// How long a commit is tried.
    pub commit_timeout: Duration,
    /// After how long it is asked again who leads.
    pub metadata_age_max: Duration,
    /// Between attempts.
    pub pauses: Pauses,
    /// A bug, planted by a test.
    pub mutant: Option<Mutant>,
}

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// The application wants these topics, with its group. None ends that.
    Subscribe(Vec<String>),
    /// The application wants these partitions, whatever the group says.
    Assign(Vec<(Place, Option<Goal>)>),
    /// The application wants to read on somewhere else.
    Seek(Place, Goal),
    /// The application wants nothing of these for now.
    Pause(Vec<Place>),
    /// It does again.
    Resume(Vec<Place>),
    /// How far the application has come is to be kept: these offsets, or all that was handed out.
    Commit {
        /// What the outcome comes with.
        id: u64,
        /// Which.
        offsets: Option<Vec<(Place, i64)>>,
    },
    /// The application goes: what it dealt with is committed, and the group is left.
    Close,
    /// A question is answered.
    Answered {
        /// Which.
        ticket: Ticket,
        /// With what.
        answer: Answered,
    },
}

/// What is to be done.
#[derive(Debug, PartialEq)]
pub enum Action {
    /// Ask that node.
    Ask {
        /// What the answer comes with.
        ticket: Ticket,
        /// Where.
        address: String,
        /// What.
        question: Question,
        /// For how long to wait.
        within: Duration,
    },
    /// Tell the application what is its own from now on.
    Assigned(Vec<Place>),
    /// Tell it what is its own no longer: it may still commit.
    Revoked(Vec<Place>),
    /// Tell it what others may have already.
    Lost(Vec<Place>),
    /// Tell whoever committed.
    Committed {
        /// Which.
        id: u64,
        /// What came of it.
        outcome: Result<(), Error>,
    },
    /// All is done: the consumer can go.
    Closed,
}

/// What a question was for.
#[derive(Debug)]
enum Purpose {
    Topics,
    Coordinator,
    Member,
    Commit,
    /// Of which partitions.
    Committed(Vec<Place>),
    /// Of which partitions, and what is looked for in each.
    Sought(Vec<(Place, Goal)>),
    /// Of which partitions, from which offsets, and at most how many bytes.
    Fetch(Vec<(Place, i64)>, usize),
}

#[derive(Debug)]
struct Asked {
    address: String,
    purpose: Purpose,
}

/// The consumer.
#[derive(Debug)]
pub struct Machine {
    settings: Settings,
    map: Map,
    chance: Chance,
    tickets: Tickets,
    asked: BTreeMap<Ticket, Asked>,
    looking: Lookup,
    looked_at: Moment,
    /// How many partitions topics have.
    widths: BTreeMap<String, i32>,
    coordinating: Lookup,
    membership: Membership,
    commits: Commits,
    readings: BTreeMap<Place, Reading>,
    /// Whose turn it is to be handed out.
    turn: VecDeque<Place>,
    /// The last that was handed out.
    handed: Option<Place>,
    decompressor: Decompressor,
    errors: VecDeque<Error>,
    told: Vec<Action>,
    is_closing: bool,
    is_closed: bool,
    /// When the application was last given something, unless it waits right now.
    served_at: Option<Moment>,
}

impl Machine {
    /// A consumer that knows these addresses, and the dice of that seed.
    pub fn new(settings: Settings, bootstrap: Vec<String>, seed: u64) -> Machine {
        Machine {
            settings,
            map: Map::new(bootstrap),
            chance: Chance::new(seed),
            tickets: Tickets::default(),
            asked: BTreeMap::new(),
            looking: Lookup::default(),
            looked_at: Moment::default(),
            widths: BTreeMap::new(),
            coordinating: Lookup::default(),
            membership: Membership::default(),
            commits: Commits::default(),
            readings: BTreeMap::new(),
            turn: VecDeque::new(),
            handed: None,
            decompressor: Decompressor::new(),
            errors: VecDeque::new(),
            told: Vec::new(),
            is_closing: false,
            is_closed: false,
            served_at: Some(Moment::default()),
        }
    }

    /// Something happened.
    pub fn take(&mut self, now: Moment, event: Event) {
        match event {
            Event::Subscribe(topics) => self.membership.subscribe(topics),
            Event::Assign(places) => self.assign(places),
            Event::Seek(place, goal) => self.seek(&place, goal),
            Event::Pause(places) => self.pause(&places, true),
            Event::Resume(places) => self.pause(&places, false),
            Event::Commit { id, offsets } => self.commit(now, id, offsets),
            Event::Close => {
                self.deal_with();
                self.is_closing = true;
                // A member does so when it parts.
                if self.settings.commits_every.is_some() && self.membership.credentials().0.is_none() {
                    self.commit_done(now);
                }
            }
            Event::Answered { ticket, answer } => self.answered(now, ticket, answer),
        }
    }

    /// What is to be done now.
    pub fn act(&mut self, now: Moment, actions: &mut Vec<Action>) {
        // What was given since is told before it is taken away again.
        actions.append(&mut self.told);
        self.act_as_member(now, actions);
        self.act_on_commits(now, actions);
        self.find_positions(now, actions);
        self.fetch(now, actions);
        self.look(now, actions);
        actions.append(&mut self.told);
    }

    /// When to act again although nothing happens.
    pub fn wake_at(&self, now: Moment) -> Option<Moment> {
        let held = self.readings.values().map(|reading| reading.held_until);
        let lookups = [
            self.looking.deadline(),
            self.coordinating.deadline(),
            self.membership.deadline(&self.settings),
            self.commits.deadline(&self.settings),
        ];
        held.chain(lookups.into_iter().flatten()).filter(|moment| *moment > now).min()
    }

    /// The next record, or what stands in the way of one. What was handed out before counts as dealt with. None while
    /// nothing has come. A turn is due afterwards.
    ///
    /// # Errors
    /// What the application has to know: a partition that cannot be read, a group that it cannot be a member of.
    pub fn hand_out(&mut self, now: Moment) -> Result<Option<Message>, Error> {
        let handed = self.hand_out_next();
        self.served_at = if matches!(handed, Ok(None)) { None } else { Some(now) };
        handed
    }

    fn hand_out_next(&mut self) -> Result<Option<Message>, Error> {
        self.deal_with();
        if let Some(error) = self.errors.pop_front() {
            return Err(error);
        }
        for _ in 0..self.turn.len() {
            let Some(place) = self.turn.front() else { break };
            if let Some(reading) = self.readings.get_mut(place)
                && reading.has_some()
                && let Some(message) = reading.hand_out(&mut self.decompressor)?
            {
                self.handed = Some(place.clone());
                if is_planted(self.settings.mutant, Mutant::CommitInHand) {
                    reading.deal_with();
                }
                // A batch of each in turn: who has much does not hold up the others.
                if reading.is_between_batches() {
                    self.turn.rotate_left(1);
                }
                return Ok(Some(message));
            }
            self.turn.rotate_left(1);
        }
        Ok(None)
    }

    /// The partitions that are its own.
    pub fn assignment(&self) -> Vec<Place> {
        self.readings.keys().cloned().collect()
    }

    /// The offset that is handed out next of a partition, if that is known.
    pub fn position(&self, place: &Place) -> Option<i64> {
        match self.readings.get(place)?.position() {
            Position::At(offset) => Some(offset),
            Position::Committed | Position::Sought(_) | Position::Nowhere => None,
        }
    }

    /// Whether a turn is due after a record was handed out: there is room for more.
    pub fn wants_a_turn(&self) -> bool {
        self.handed.as_ref().and_then(|place| self.readings.get(place)).is_some_and(Reading::is_hungry)
    }

    fn assign(&mut self, places: Vec<(Place, Option<Goal>)>) {
        self.membership.subscribe(Vec::new());
        self.readings.clear();
        for ((topic, partition), goal) in places {
            let position = match goal {
                Some(Goal::Offset(offset)) => Position::At(offset),
                Some(goal) => Position::Sought(goal),
                None => self.first_position(),
            };
            let reading = Reading::new(&topic, partition, position);
            self.readings.insert((topic, partition), reading);
        }
        self.turn = self.readings.keys().cloned().collect();
    }

    /// Where reading begins when nobody says.
    fn first_position(&self) -> Position {
        match (&self.settings.group, self.settings.reset) {
            (Some(_), _) => Position::Committed,
            (None, Some(goal)) => Position::Sought(goal),
            (None, None) => Position::Nowhere,
        }
    }

    fn seek(&mut self, place: &Place, goal: Goal) {
        if let Some(reading) = self.readings.get_mut(place) {
            match goal {
                Goal::Offset(offset) => reading.sent_to(offset),
                goal => reading.seek(Position::Sought(goal)),
            }
        }
    }

    fn pause(&mut self, places: &[Place], is_paused: bool) {
        for place in places {
            if let Some(reading) = self.readings.get_mut(place) {
                reading.is_paused = is_paused;
            }
        }
    }

    /// What was handed out last has been dealt with: the application is back.
    fn deal_with(&mut self) {
        if let Some(reading) = self.handed.take().and_then(|place| self.readings.get_mut(&place)) {
            reading.deal_with();
        }
    }

    fn answered(&mut self, now: Moment, ticket: Ticket, answer: Answered) {
        let Some(Asked { address, purpose }) = self.asked.remove(&ticket) else { return };
        match &answer {
            Err(Error::Unreachable { .. }) => self.map.failed(&address),
            _ => self.map.succeeded(&address),
        }
        match purpose {
            Purpose::Topics => match answer {
                Ok(Answer::Topics(told)) => self.learn(now, &address, told),
                _ => {
                    self.map.knew_nothing(&address);
                    self.looking.failed(now, &self.settings.pauses, &mut self.chance);
                }
            },
            Purpose::Coordinator => self.coordinator_found(now, &address, answer),
            Purpose::Member => self.member_answered(now, ticket, answer),
            Purpose::Commit => self.commit_answered(now, ticket, &address, answer),
            Purpose::Committed(places) => self.committed_answered(now, ticket, &address, &places, answer),
            Purpose::Sought(places) => self.sought_answered(now, ticket, &address, &places, answer),
            Purpose::Fetch(places, _) => self.fetch_answered(now, ticket, &address, &places, answer),
        }
    }

    /// Nothing is asked about a partition for a while.
    fn hold(&mut self, now: Moment, place: &Place) {
        if let Some(reading) = self.readings.get_mut(place) {
            let (pauses, chance) = (self.settings.pauses, &mut self.chance);
            reading.hold(now, |failures| pauses.after(failures, chance));
        }
    }

    /// Tells the application, unless that same error waits for it already.
    fn report(&mut self, error: Error) {
        if !self.errors.contains(&error) && self.errors.len() < ERRORS_MAX {
            self.errors.push_back(error);
        }
    }

    fn ask(
        &mut self,
        address: &str,
        question: Question,
        within: Duration,
        purpose: Purpose,
        actions: &mut Vec<Action>,
    ) -> Ticket {
        let ticket = self.tickets.next();
        self.asked.insert(ticket, Asked { address: address.to_owned(), purpose });
        actions.push(Action::Ask { ticket, address: address.to_owned(), question, within });
        ticket
    }
}
