//! A program that reads with the client crate's consumer, as a member of a group or by itself: takes records one by one,
//! commits by time or by hand, and now and then does what programs do: reads on somewhere else, is away for longer than its
//! group waits, dies and is started anew.
//!
//! What it is handed goes to the ledger as what any consumer reads does (C9), and is held against where its reading was to
//! go on (C13, `c13_handed_out`). What its machine asks and is answered as a member is held against what others of the
//! group were told (`c13_commits_are_current`).
//!
//! In the end it reads to where each of its partitions ended when faults froze, commits, and leaves.

use super::errands::{Errands, News};
use super::now;
use super::overhearing::{self, Asked};
use crate::claims::c09_readers_see_one_log;
use crate::claims::c13_handed_out::{HandedOut, Place, check_passed};
use crate::claims::ledger::{Shelf, Value};
use crate::claims::{Claim, c07_acked_is_there, c17_everything_completes};
use crate::client::Street;
use crate::client::map::Map;
use crate::client::member::OFFSETS;
use crate::client::plan::{ReaderHabits, TopicPlan};
use crate::clock::{MILLI, Moment as When};
use crate::dice::Dice;
use rust_mq_client::machine::backoff::Pauses;
use rust_mq_client::machine::consumer::assignor::Assignor;
use rust_mq_client::machine::consumer::{Action, Event, Machine, Message, Settings};
use rust_mq_client::machine::moment::Moment;
use rust_mq_client::machine::mutant::Mutant;
use rust_mq_client::machine::question::{Answer, Question, Ticket};
use rust_mq_client::{Error, Goal};
use std::collections::BTreeMap;
use std::time::Duration;

/// Turns of its machine one upon the other: what it is told may lead on, but not for ever.
const TURNS_MAX: u32 = 100;

/// A reader.
#[derive(Debug)]
pub struct Reader {
    pub(super) machine: Machine,
    pub(super) habits: ReaderHabits,
    pub(super) topics: Vec<TopicPlan>,
    bootstrap: Vec<String>,
    seed: u64,
    mutant: Option<Mutant>,
    lives: u64,
    /// Questions that are not answered.
    asked: BTreeMap<Ticket, Asked>,
    last_ticket: Ticket,
    /// Of each partition the last question from before it was given, or before the program was sent elsewhere in it.
    since: BTreeMap<Place, Ticket>,
    ids: BTreeMap<String, [u8; 16]>,
    pub(super) handed: HandedOut,
    /// Whether it knows what is its own.
    pub(super) has_assignment: bool,
    away_until: When,
    next_commit: u64,
    pub(super) is_calm: bool,
    pub(super) end: End,
    /// Where each partition ended when faults froze.
    pub(super) ends: BTreeMap<Place, i64>,
    pub(super) steps: u64,
    pub(super) last_error: String,
}

/// How far it is with its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It reads.
    Reading,
    /// It has read all, and commits.
    Committing(u64),
    /// It closes.
    Closing,
    /// It is gone.
    Gone,
}

impl Reader {
    /// One that reads those topics.
    pub fn new(
        habits: ReaderHabits,
        topics: Vec<TopicPlan>,
        (bootstrap, seed): (Vec<String>, u64),
        mutant: Option<Mutant>,
    ) -> Reader {
        let settings = settings(&habits, mutant);
        Reader {
            machine: Machine::new(settings, bootstrap.clone(), seed),
            topics,
            habits,
            bootstrap,
            seed,
            mutant,
            lives: 0,
            asked: BTreeMap::new(),
            last_ticket: Ticket(0),
            since: BTreeMap::new(),
            ids: BTreeMap::new(),
            handed: HandedOut::default(),
            has_assignment: false,
            away_until: When(0),
            next_commit: 0,
            is_calm: false,
            end: End::Reading,
            ends: BTreeMap::new(),
            steps: 0,
            last_error: String::from("none"),
        }
    }

    /// The topics that it knows of.
    pub fn topics(&self) -> &[TopicPlan] {
        &self.topics
    }

    /// It reads to the end, and goes.
    pub fn calm(&mut self) {
        self.is_calm = true;
        self.away_until = When(0);
    }

    /// Steps that brought it nearer to its end.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Does what is due.
    pub fn act(&mut self, map: &Map, dice: &mut Dice, errands: &mut Errands, street: &mut Street<'_>) {
        if self.lives == 0 {
            self.begin(street);
        }
        if street.now() < self.away_until || self.end == End::Gone {
            return;
        }
        if self.is_calm {
            return self.come_to_the_end(map, street);
        }
        if dice.chance(self.habits.odd_ppm) && self.does_something_odd(dice, errands, street) {
            return;
        }
        for _ in 0..dice.between(1, self.habits.appetite.max(1)) {
            if !self.take_one(street) {
                break;
            }
        }
        if self.habits.commit_every_ms.is_none() && self.habits.group.is_some() && dice.below(10) == 0 {
            self.commit(street);
        }
    }

    /// What came of what it asked.
    pub fn hear(&mut self, news: News, street: &mut Street<'_>) {
        let News::Answered { ticket, answer } = news else { return };
        if let Some(asked) = self.asked.remove(&ticket) {
            self.overhear(ticket, asked, &answer, street);
        }
        self.machine.take(now(street.now()), Event::Answered { ticket, answer });
    }

    /// Does what the machine says. Returns when to come back although nothing happens.
    pub fn turn(&mut self, errands: &mut Errands, street: &mut Street<'_>) -> Option<Moment> {
        if self.end == End::Gone || self.lives == 0 {
            return None;
        }
        let mut actions = Vec::new();
        for _ in 0..TURNS_MAX {
            self.machine.act(now(street.now()), &mut actions);
            if actions.is_empty() {
                return self.machine.wake_at(now(street.now()));
            }
            // What it is given is told behind what is asked about that.
            let (told, asked): (Vec<Action>, Vec<Action>) =
                actions.drain(..).partition(|action| !matches!(action, Action::Ask { .. }));
            told.into_iter().for_each(|action| self.told(action, street));
            for action in asked {
                if let Action::Ask { ticket, address, question, within } = action {
                    self.ask(ticket, &question, street);
                    errands.ask(ticket, &address, question, within, street);
                }
            }
            if self.end == End::Gone {
                return None;
            }
        }
        c17_everything_completes::restless("a consumer of the client crate", street.verdict);
        None
    }

    /// It is started, for the first time or anew.
    fn begin(&mut self, street: &mut Street<'_>) {
        self.lives += 1;
        let own = self.topics.iter().filter(|topic| topic.name != OFFSETS);
        let event = if self.habits.group.is_some() {
            Event::Subscribe(own.map(|topic| topic.name.clone()).collect())
        } else {
            let places =
                own.flat_map(|topic| (0..topic.partitions).map(|partition| (topic.name.clone(), partition)));
            let places: Vec<Place> = places.collect();
            self.handed.assigned(&places);
            self.has_assignment = true;
            Event::Assign(places.into_iter().map(|place| (place, None)).collect())
        };
        self.machine.take(now(street.now()), event);
    }

    /// Whether it did something that takes its time.
    fn does_something_odd(
        &mut self,
        dice: &mut Dice,
        errands: &mut Errands,
        street: &mut Street<'_>,
    ) -> bool {
        match dice.below(4) {
            0 => {
                street.marks.hit("guest.was_away_for_long");
                let most = self.habits.rebalance_ms.max(self.habits.session_ms) + 2_000;
                self.away_until = street.now().after(dice.between(500, most) * MILLI);
                true
            }
            1 => {
                street.marks.hit("guest.died_as_a_reader");
                errands.die(street);
                self.asked.clear();
                self.handed.taken_away();
                self.has_assignment = false;
                let settings = settings(&self.habits, self.mutant);
                self.machine = Machine::new(settings, self.bootstrap.clone(), self.seed ^ self.lives);
                (self.last_ticket, self.since) = (Ticket(0), BTreeMap::new());
                self.handed.dies();
                self.begin(street);
                true
            }
            _ => {
                let places = self.machine.assignment();
                if places.is_empty() {
                    return false;
                }
                street.marks.hit("guest.read_on_somewhere_else");
                let place = dice.pick(&places).clone();
                let at = self.machine.position(&place).map(|at| dice.below(at.unsigned_abs() + 1) as i64);
                let goal = at.filter(|_| dice.coin()).map_or(Goal::Earliest, Goal::Offset);
                let offset = if let Goal::Offset(offset) = goal { Some(offset) } else { None };
                self.handed.is_sent(&place, offset);
                self.since.insert(place.clone(), self.last_ticket);
                self.machine.take(now(street.now()), Event::Seek(place, goal));
                false
            }
        }
    }

    /// Takes the next record. False if there is none.
    pub(super) fn take_one(&mut self, street: &mut Street<'_>) -> bool {
        self.handed.comes_back();
        match self.machine.hand_out(now(street.now())) {
            Ok(Some(message)) => {
                self.takes(&message, street);
                true
            }
            Ok(None) => false,
            Err(error) => {
                street.marks.hit("guest.was_told_of_an_error_as_a_reader");
                self.last_error = error.to_string();
                false
            }
        }
    }

    fn takes(&mut self, message: &Message, street: &mut Street<'_>) {
        self.steps += 1;
        *street.completed += 1;
        street.marks.hit("guest.was_handed_a_record");
        let place = (message.topic.to_string(), message.partition);
        // Before anything else: whatever is known of the topic, this was handed out (seeds 1106 and 1132).
        let passed = self.handed.takes(&place, message.offset, street.verdict);
        let Some(topic) = self.ids.get(&place.0).copied() else {
            let words = format!("{} is read, and no node has told of it", place.0);
            return street.verdict.breach(Claim::C14, words);
        };
        let shelf = Shelf { topic, partition: place.1 };
        if let Some(from) = passed.filter(|_| !self.habits.is_from_the_end) {
            street.marks.hit("guest.was_overtaken_by_retention");
            let retention = street.retention_of(&place.0);
            check_passed(street.ledger, shelf, (from, message.offset), retention, street.verdict);
        }
        match message.value.as_deref().and_then(Value::decode) {
            Some(value) => {
                let time = street.ledger.time_of(value);
                c07_acked_is_there::check_time(
                    shelf,
                    message.offset,
                    message.timestamp_ms,
                    time,
                    street.verdict,
                );
                street.ledger.see(shelf, message.offset, value, street.verdict);
            }
            None => c09_readers_see_one_log::nobodys(shelf, message.offset, street.verdict),
        }
    }

    /// Commits all that it was handed.
    pub(super) fn commit(&mut self, street: &mut Street<'_>) -> u64 {
        self.handed.comes_back();
        self.next_commit += 1;
        let id = self.next_commit;
        self.machine.take(now(street.now()), Event::Commit { id, offsets: None });
        id
    }

    /// What the machine tells its program.
    fn told(&mut self, action: Action, street: &mut Street<'_>) {
        match action {
            Action::Ask { .. } => {}
            Action::Assigned(places) => {
                street.marks.hit("guest.was_assigned");
                self.steps += 1;
                self.handed.assigned(&places);
                self.has_assignment = true;
                self.since = places.into_iter().map(|place| (place, self.last_ticket)).collect();
            }
            Action::Revoked(_) => {
                street.marks.hit("guest.was_revoked");
                self.stops_reading();
            }
            Action::Lost(_) => {
                street.marks.hit("guest.lost_its_partitions");
                self.stops_reading();
            }
            Action::Committed { id, outcome } => self.committed(id, outcome, street),
            Action::Closed => {
                street.marks.hit("guest.closed_as_a_reader");
                self.end = End::Gone;
            }
        }
    }

    fn stops_reading(&mut self) {
        self.handed.taken_away();
        self.has_assignment = false;
        if let End::Committing(_) = self.end {
            self.end = End::Reading;
        }
    }

    /// A question leaves.
    fn ask(&mut self, ticket: Ticket, question: &Question, street: &mut Street<'_>) {
        self.last_ticket = self.last_ticket.max(ticket);
        if let Question::Commit(asked) = question {
            for one in &asked.offsets {
                self.handed.commits(&(one.topic.clone(), one.partition), one.offset, street.verdict);
            }
        }
        self.asked.insert(ticket, overhearing::asked(question, &self.ids, street));
    }

    /// A question is answered: what that says of topics, of the group, and of where to begin.
    fn overhear(
        &mut self,
        ticket: Ticket,
        asked: Asked,
        answer: &Result<Answer, Error>,
        street: &mut Street<'_>,
    ) {
        if let Ok(Answer::Topics(told)) = answer {
            self.ids.extend(overhearing::ids(told, street));
        }
        if answer.is_ok()
            && !matches!(answer, Ok(Answer::Topics(_) | Answer::Fetch(_) | Answer::Coordinator(_)))
        {
            self.steps += 1;
        }
        overhearing::answered(&asked, answer, street);
        let is_new = |place: &Place| self.since.get(place).is_none_or(|since| *since < ticket);
        match answer {
            Ok(Answer::Committed(told)) => {
                for one in told.offsets.iter().filter(|one| one.error.is_none() && one.offset >= 0) {
                    let place = (one.topic.clone(), one.partition);
                    if is_new(&place) {
                        self.handed.group_is_at(&place, one.offset);
                    }
                }
            }
            Ok(Answer::Offsets(told)) => {
                for one in told.offsets.iter().filter(|one| one.error.is_none() && one.offset >= 0) {
                    let place = (one.topic.clone(), one.partition);
                    if is_new(&place) {
                        self.handed.may_begin(&place, one.offset);
                    }
                }
            }
            _ => {}
        }
    }
}

fn settings(habits: &ReaderHabits, mutant: Option<Mutant>) -> Settings {
    let ms = Duration::from_millis;
    Settings {
        group: habits.group.clone(),
        instance: habits.instance.clone().unwrap_or_default(),
        session_timeout: ms(habits.session_ms),
        rebalance_timeout: ms(habits.rebalance_ms),
        heartbeat_every: ms(habits.session_ms / 6),
        assignors: vec![Assignor::Range, Assignor::RoundRobin],
        commits_every: habits.commit_every_ms.map(ms).filter(|_| habits.group.is_some()),
        reset: Some(if habits.is_from_the_end { Goal::Latest } else { Goal::Earliest }),
        prefetch_bytes: habits.prefetch_bytes,
        partition_bytes: habits.partition_bytes,
        fetch_wait: ms(habits.fetch_wait_ms),
        call_timeout: Duration::from_secs(10),
        commit_timeout: Duration::from_secs(15),
        metadata_age_max: Duration::from_secs(20),
        pauses: Pauses::default(),
        mutant,
    }
}
