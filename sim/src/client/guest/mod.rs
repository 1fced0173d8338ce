//! Guests: programs that use our own client crate. What decides in it is a pure machine (`rust_mq_client::machine`); here a
//! guest stands where the tokio shell stands elsewhere, so that retries, sequences, time-outs and rebalances of the client
//! run under every fault that the simulator has, and what the client promises is held against the claims.
//!
//! ```text
//! writer / reader --take--> machine --act--> questions -> errands -> errand (Kafka's words) -> connection -> a node
//!   the program             decides                       ways, time                                          answers
//! ```
//!
//! A guest is woken by its client's pace (the program does something), by its wires, and by the time at which its machine or
//! an errand wants to be woken. After each the machine has a turn.
//!
//! - `errands`, `errand`: what is asked, and how it travels.
//! - `writer`, `reader`: the two programs, and what they tell the ledger; `overhearing`: what a reader's questions say of its
//!   group; `reader_end`: how it ends.
//!
//! Invariant: a guest draws from streams of its own; a plan without guests runs as if there were none.
//!
//! Not here: acks=0, of which nobody hears anything; the making of topics, whose settings the claims must know; streams
//! of records (`Subscribe`), which the client does not use.

mod errand;
mod errands;
mod overhearing;
mod reader;
mod reader_end;
mod writer;

use super::chance::Chance;
use super::map::Map;
use super::member;
use super::plan::{GuestHabits, ReaderHabits, TopicPlan};
use super::purpose::Overheard;
use super::{Place, Street, WAKE};
use crate::claims::c09_lookups_are_exact::Stand;
use crate::claims::ledger::Shelf;
use crate::clock::Moment;
use crate::network::Told;
use crate::schedule::Happening;
use crate::wire::WireId;
use bytes::Bytes;
use errands::{Errands, News};
use reader::Reader;
use rust_mq_client::machine::{self, mutant::Mutant};
use rust_mq_proto::kafka::api::ApiKey;
use std::time::Duration;
use writer::Writer;

/// A guest.
#[derive(Debug)]
pub struct Guest {
    client: usize,
    errands: Errands,
    program: Program,
    /// When it will be woken.
    armed: Option<Moment>,
}

/// What it does.
#[derive(Debug)]
enum Program {
    Writer(Box<Writer>),
    Reader(Box<Reader>),
}

impl Guest {
    /// One that writes.
    pub fn writer(
        place: Place,
        habits: GuestHabits,
        topics: Vec<TopicPlan>,
        operations: u32,
        mutant: Option<Mutant>,
    ) -> Guest {
        let errands = Errands::new(place);
        let known = (errands.bootstrap(), seed(place));
        let program = Program::Writer(Box::new(Writer::new(habits, topics, operations, known, mutant)));
        Guest { client: place.number, errands, program, armed: None }
    }

    /// One that reads.
    pub fn reader(
        place: Place,
        habits: ReaderHabits,
        topics: Vec<TopicPlan>,
        mutant: Option<Mutant>,
    ) -> Guest {
        let errands = Errands::new(place);
        let known = (errands.bootstrap(), seed(place));
        let topics = topics.into_iter().chain(habits.group.is_some().then(member::offsets)).collect();
        let program = Program::Reader(Box::new(Reader::new(habits, topics, known, mutant)));
        Guest { client: place.number, errands, program, armed: None }
    }

    /// The topics it uses.
    pub fn topics(&self) -> &[TopicPlan] {
        match &self.program {
            Program::Writer(writer) => writer.topics(),
            Program::Reader(reader) => reader.topics(),
        }
    }

    /// Faults are over.
    pub fn calm(&mut self) {
        match &mut self.program {
            Program::Writer(writer) => writer.calm(),
            Program::Reader(reader) => reader.calm(),
        }
    }

    /// What is open.
    pub fn open_work(&self, map: &Map) -> Option<String> {
        match &self.program {
            Program::Writer(writer) => writer.open_work(map),
            Program::Reader(reader) => reader.open_work(map),
        }
    }

    /// How far it is.
    pub fn done(&self) -> u64 {
        match &self.program {
            Program::Writer(writer) => writer.delivered(),
            Program::Reader(reader) => reader.steps(),
        }
    }

    /// The program does something.
    pub fn act(&mut self, map: &Map, chance: &mut Chance, street: &mut Street<'_>) {
        match &mut self.program {
            Program::Writer(writer) => writer.act(map, chance.of(ApiKey::Produce), street),
            Program::Reader(reader) => {
                reader.act(map, chance.of(ApiKey::Fetch), &mut self.errands, street);
            }
        }
        self.turn(street);
    }

    /// Whether that wire is one of its own.
    pub fn has(&self, wire: WireId) -> bool {
        self.errands.has(wire)
    }

    /// Something about a wire of its own.
    pub fn told(&mut self, wire: WireId, what: Told, street: &mut Street<'_>) {
        let news = self.errands.told(wire, what, street);
        self.hear(news, street);
    }

    /// It is time.
    pub fn wake(&mut self, street: &mut Street<'_>) {
        if self.armed.is_some_and(|at| at <= street.now()) {
            self.armed = None;
        }
        let news = self.errands.expire(street);
        self.hear(news, street);
    }

    /// What a broker promises in the bytes that leave now.
    pub fn overhear(
        &mut self,
        wire: WireId,
        parts: &[Bytes],
        stand: impl Fn(Shelf) -> Option<Stand>,
    ) -> Overheard {
        self.errands.overhear(wire, parts, stand)
    }

    /// All its connections break.
    pub fn hang_up(&mut self, street: &mut Street<'_>) {
        self.errands.hang_up(street);
    }

    fn hear(&mut self, news: Vec<News>, street: &mut Street<'_>) {
        for one in news {
            match &mut self.program {
                Program::Writer(writer) => writer.hear(one, street),
                Program::Reader(reader) => reader.hear(one, street),
            }
        }
        self.turn(street);
    }

    /// The machine has a turn, and says when it wants the next.
    fn turn(&mut self, street: &mut Street<'_>) {
        let wanted = match &mut self.program {
            Program::Writer(writer) => writer.turn(&mut self.errands, street),
            Program::Reader(reader) => reader.turn(&mut self.errands, street),
        };
        let wanted = wanted.map(|at| {
            let since = at.since(machine::moment::Moment::default());
            Moment(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
        });
        let Some(at) = wanted.into_iter().chain(self.errands.wake_at()).min() else { return };
        if self.armed.is_none_or(|armed| at < armed) {
            self.armed = Some(at);
            let wait = at.since(street.now());
            street.schedule.after(wait, Happening::Client { client: self.client, timer: WAKE });
        }
    }
}

/// A moment as the machines are told it.
fn now(at: Moment) -> machine::moment::Moment {
    machine::moment::Moment::at(Duration::from_nanos(at.0))
}

/// The seed of its machine.
fn seed(place: Place) -> u64 {
    place.root.stream("guest's machine", &[place.number as u64]).word()
}
