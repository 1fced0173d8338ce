//! What a machine has asked and is not answered yet, and the ways there: what the shell does with channels of HTTP/2, and a
//! node's gRPC side with lines to its core, over wires of the simulator.
//!
//! A question has a line for itself until it is answered, as a call has; a lane of the producer keeps one for as long as
//! it is open, on which requests follow each other and are answered in order. A line that was given up takes its
//! connection with it. A broken connection, or one that nobody takes within `CONNECT_MAX`, is the same error that the
//! shell would report: [`Error::Unreachable`], with whether the question had left.
//!
//! - Invariant: a line has one question at a time on each site, or belongs to one lane there.
//! - Invariant: what a lane is answered comes in the order in which it was sent.
//!
//! Not here: that all calls to a node share one connection and break together, and that a silent one is noticed by pings.
//! Here each breaks by itself, and a question waits for its own time to be up.

use super::errand::{Call, Errand, Reply};
use crate::claims::c09_lookups_are_exact::Stand;
use crate::claims::c20_never_panics;
use crate::claims::ledger::Shelf;
use crate::client::connection::{Connections, Manners};
use crate::client::produced::Part;
use crate::client::purpose::{Answered, Overheard, Purpose};
use crate::client::{Place, Street};
use crate::clock::{MILLI, Moment, SECOND};
use crate::network::Told;
use crate::node::{API_PORT, Node};
use crate::wire::WireId;
use bytes::Bytes;
use rust_mq_client::Error;
use rust_mq_client::machine::producer::lane::LaneId;
use rust_mq_client::machine::question::{self, Question, Ticket};
use rust_mq_proto::grpc::{ProduceRequest, ProduceResponse};
use rust_mq_proto::kafka::api::ResponseBody;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// How long a connection may take until it stands (`ClientSettings::connect_timeout`).
const CONNECT_MAX: u64 = 5 * SECOND;
/// How much longer than it was told the shell waits for an answer.
const GRACE: u64 = SECOND;
/// How long it takes to hear that there is no way.
const REFUSED: u64 = MILLI;
/// A lane's requests are given up by its machine, not here.
const NEVER: Moment = Moment(u64::MAX);
/// Numbers of requests that each line has before those of the next begin.
const NUMBERS_OF_A_LINE: i32 = 1 << 20;

/// What a machine is to be told.
#[derive(Debug)]
pub enum News {
    /// A question is answered.
    Answered {
        /// Which.
        ticket: Ticket,
        /// With what.
        answer: question::Answered,
    },
    /// A request on a lane is.
    Produced {
        /// Which lane.
        lane: LaneId,
        /// Which request.
        ticket: Ticket,
        /// With what.
        response: ProduceResponse,
    },
    /// A lane broke.
    Lost {
        /// Which.
        lane: LaneId,
        /// Why.
        error: Error,
    },
}

/// All that is on its way.
#[derive(Debug)]
pub struct Errands {
    place: Place,
    lines: Vec<Connections>,
    open: BTreeMap<u64, Open>,
    lanes: BTreeMap<LaneId, Way>,
    last: u64,
}

/// Something that is not answered.
#[derive(Debug)]
struct Open {
    ticket: Ticket,
    /// The lane that it is on; none is a question with a line of its own.
    lane: Option<LaneId>,
    errand: Errand,
    line: usize,
    site: usize,
    /// A connection that does not stand by then does not come about.
    connected_by: Moment,
    /// It is given up then.
    until: Moment,
    /// It never left.
    is_refused: bool,
    /// What came back, while one before it on its lane is not complete.
    reply: Option<Reply>,
}

/// Where a lane goes.
#[derive(Debug)]
struct Way {
    line: usize,
    site: usize,
    /// Its requests, in order.
    queue: VecDeque<u64>,
}

impl Errands {
    /// Nothing is asked.
    pub fn new(place: Place) -> Errands {
        Errands { place, lines: Vec::new(), open: BTreeMap::new(), lanes: BTreeMap::new(), last: 0 }
    }

    /// The addresses of all sites.
    pub fn bootstrap(&self) -> Vec<String> {
        (0..self.place.sites).map(address).collect()
    }

    /// A question for the node at that address, and how long its answer may take.
    pub fn ask(
        &mut self,
        ticket: Ticket,
        address: &str,
        question: Question,
        within: Duration,
        street: &mut Street<'_>,
    ) {
        let site = self.site(address, street);
        let line = self.free_line(site);
        let within = u64::try_from(within.as_nanos()).unwrap_or(u64::MAX);
        let until = street.now().after(within.saturating_add(GRACE));
        let errand = Errand::new(Call::Question(question));
        self.begin(errand, (ticket, None), (line, site), until, Vec::new(), street);
    }

    /// A lane to the node at that address.
    pub fn open(&mut self, lane: LaneId, address: &str, street: &mut Street<'_>) {
        let site = self.site(address, street);
        let line = self.free_line(site);
        self.lanes.insert(lane, Way { line, site, queue: VecDeque::new() });
    }

    /// A request on a lane, with the batches that it brings. On a lane that broke nothing: that was told.
    pub fn send(
        &mut self,
        lane: LaneId,
        ticket: Ticket,
        request: ProduceRequest,
        parts: Vec<Part>,
        street: &mut Street<'_>,
    ) {
        let Some(way) = self.lanes.get(&lane) else { return };
        let way = (way.line, way.site);
        let errand = Errand::new(Call::Produce(request));
        let number = self.begin(errand, (ticket, Some(lane)), way, NEVER, parts, street);
        self.lanes.get_mut(&lane).into_iter().for_each(|way| way.queue.push_back(number));
    }

    /// Nobody wants to hear of a lane any more.
    pub fn shut(&mut self, lane: LaneId, street: &mut Street<'_>) {
        let Some(way) = self.lanes.remove(&lane) else { return };
        way.queue.iter().for_each(|number| drop(self.open.remove(number)));
        self.lines[way.line].hang_up_on(way.site, street);
    }

    /// Whether that wire is one of these.
    pub fn has(&self, wire: WireId) -> bool {
        self.lines.iter().any(|line| line.has(wire))
    }

    /// Something about a wire of these.
    pub fn told(&mut self, wire: WireId, what: Told, street: &mut Street<'_>) -> Vec<News> {
        let mut news = Vec::new();
        let Some(number) = self.lines.iter().position(|line| line.has(wire)) else { return news };
        let line = &mut self.lines[number];
        let site = line.site_of(wire);
        let answers =
            if what == Told::Ready { line.read(wire, street) } else { line.told(wire, what, street) };
        for answered in answers {
            self.hear(answered, street, &mut news);
        }
        // A lane breaks although nothing is unanswered on it.
        let is_gone = |way: &Way| {
            way.line == number && Some(way.site) == site && self.lines[number].stands(way.site).is_none()
        };
        let gone = self.lanes.iter().filter(|(_, way)| is_gone(way));
        let gone: Vec<LaneId> = gone.map(|(lane, _)| *lane).collect();
        gone.into_iter().for_each(|lane| self.lose(lane, true, street, &mut news));
        news
    }

    /// What has not come in time will not come.
    pub fn expire(&mut self, street: &mut Street<'_>) -> Vec<News> {
        let (mut news, now) = (Vec::new(), street.now());
        let is_late = |(_, open): &(&u64, &Open)| self.due(open) <= now;
        let late: Vec<u64> = self.open.iter().filter(is_late).map(|(number, _)| *number).collect();
        for number in late {
            let Some(open) = self.open.get(&number) else { continue };
            let (line, site, is_refused) = (open.line, open.site, open.is_refused);
            let was_sent = self.lines[line].stands(site) == Some(true) && !is_refused;
            if !is_refused {
                street.marks.hit("guest.gave_up_waiting");
                self.lines[line].hang_up_on(site, street);
            }
            self.fail(number, was_sent, street, &mut news);
        }
        news
    }

    /// When something is given up although nothing happens.
    pub fn wake_at(&self) -> Option<Moment> {
        self.open.values().map(|open| self.due(open)).filter(|due| *due < NEVER).min()
    }

    /// What a broker promises in the bytes that leave now.
    pub fn overhear(
        &mut self,
        wire: WireId,
        parts: &[Bytes],
        stand: impl Fn(Shelf) -> Option<Stand>,
    ) -> Overheard {
        let line = self.lines.iter_mut().find(|line| line.has(wire));
        line.map_or_else(Overheard::default, |line| line.overhear(wire, parts, stand))
    }

    /// All connections break.
    pub fn hang_up(&mut self, street: &mut Street<'_>) {
        self.lines.iter_mut().for_each(|line| line.hang_up(street));
    }

    /// Forgets all that it asked, as a process that dies does.
    pub fn die(&mut self, street: &mut Street<'_>) {
        for site in 0..self.place.sites {
            self.lines.iter_mut().for_each(|line| line.hang_up_on(site, street));
        }
        self.open.clear();
        self.lanes.clear();
    }

    /// When what is open is given up.
    fn due(&self, open: &Open) -> Moment {
        let is_up = self.lines[open.line].stands(open.site) == Some(true);
        if is_up && !open.is_refused { open.until } else { open.until.min(open.connected_by) }
    }

    fn begin(
        &mut self,
        errand: Errand,
        (ticket, lane): (Ticket, Option<LaneId>),
        (line, site): (usize, usize),
        until: Moment,
        parts: Vec<Part>,
        street: &mut Street<'_>,
    ) -> u64 {
        self.last += 1;
        let connected_by = street.now().after(CONNECT_MAX);
        let (is_refused, reply) = (false, None);
        let open = Open { ticket, lane, errand, line, site, connected_by, until, is_refused, reply };
        self.open.insert(self.last, open);
        self.go_on(self.last, parts, street);
        self.last
    }

    /// Asks what an errand asks next.
    fn go_on(&mut self, number: u64, parts: Vec<Part>, street: &mut Street<'_>) {
        let Some(open) = self.open.get_mut(&number) else { return };
        let purpose = Purpose::Guest { errand: number, parts };
        let way = (&mut self.lines[open.line], open.site);
        match open.errand.ask(way, purpose, street) {
            Ok(true) => {}
            Ok(false) => {
                open.is_refused = true;
                open.connected_by = street.now().after(REFUSED);
            }
            Err(misuse) => {
                let words = format!("a machine asks what makes no sense: {misuse}: {:?}", open.errand.call());
                c20_never_panics::strange_answer(words, street.verdict);
            }
        }
    }

    fn hear(&mut self, answered: Answered, street: &mut Street<'_>, news: &mut Vec<News>) {
        let Purpose::Guest { errand: number, .. } = answered.purpose else { return };
        match answered.body {
            Some(body) => self.heard(number, body, street, news),
            None => self.fail(number, answered.was_sent, street, news),
        }
    }

    fn heard(&mut self, number: u64, body: ResponseBody, street: &mut Street<'_>, news: &mut Vec<News>) {
        let Some(open) = self.open.get_mut(&number) else { return };
        match open.errand.hear(body) {
            Some(reply) => {
                *street.completed += 1;
                open.reply = Some(reply);
                self.tell(number, news);
            }
            None => {
                street.marks.hit("guest.asked_once_more_for_one_call");
                if open.lane.is_some() {
                    // The lane's own line goes on meanwhile.
                    let site = open.site;
                    let line = self.free_line(site);
                    let open = self.open.get_mut(&number).expect("just found");
                    (open.line, open.connected_by) = (line, street.now().after(CONNECT_MAX));
                }
                self.go_on(number, Vec::new(), street);
            }
        }
    }

    /// What is complete is told: of a lane, in the order of its requests.
    fn tell(&mut self, number: u64, news: &mut Vec<News>) {
        let Some(open) = self.open.get(&number) else { return };
        let Some(lane) = open.lane else {
            let Some(Open { ticket, site, reply: Some(reply), .. }) = self.open.remove(&number) else {
                return;
            };
            let Reply::Answer(answer) = reply else { return };
            let node = address(site);
            let answer = answer.map_err(|refusal| Error::Refused { node, refusal: Box::new(refusal) });
            return news.push(News::Answered { ticket, answer });
        };
        let Some(way) = self.lanes.get_mut(&lane) else { return };
        while let Some(first) = way.queue.front()
            && self.open.get(first).is_some_and(|open| open.reply.is_some())
        {
            if let Some(Open { ticket, reply: Some(Reply::Produced(response)), .. }) = self.open.remove(first)
            {
                news.push(News::Produced { lane, ticket, response });
            }
            way.queue.pop_front();
        }
    }

    /// Its connection broke, or never stood.
    fn fail(&mut self, number: u64, was_sent: bool, street: &mut Street<'_>, news: &mut Vec<News>) {
        let Some(open) = self.open.get_mut(&number) else { return };
        match open.lane {
            None => {
                let Some(open) = self.open.remove(&number) else { return };
                let answer = Err(unreachable(open.site, was_sent));
                news.push(News::Answered { ticket: open.ticket, answer });
            }
            Some(_) if open.errand.is_answered() => {
                // Who is right will not be known; what became of the batches is.
                open.reply = open.errand.give_up_seeking();
                self.tell(number, news);
            }
            Some(lane) => self.lose(lane, was_sent, street, news),
        }
    }

    /// A lane ends with one request that cannot go: it had been sent if anything on it may have been, and what still
    /// waits for its line will not be.
    fn lose(&mut self, lane: LaneId, was_sent: bool, street: &mut Street<'_>, news: &mut Vec<News>) {
        let Some(way) = self.lanes.remove(&lane) else { return };
        let was_sent = was_sent || self.lines[way.line].stands(way.site) == Some(true);
        self.lines[way.line].hang_up_on(way.site, street);
        way.queue.iter().for_each(|number| drop(self.open.remove(number)));
        news.push(News::Lost { lane, error: unreachable(way.site, was_sent) });
    }

    /// A line that has nothing to do with that site now.
    fn free_line(&mut self, site: usize) -> usize {
        let is_free = |number: &usize| {
            let is_its = |line: usize, at: usize| line == *number && at == site;
            let has_lane = self.lanes.values().any(|way| is_its(way.line, way.site));
            let has_question = self.open.values().any(|open| is_its(open.line, open.site));
            self.lines[*number].is_idle(site) && !has_lane && !has_question
        };
        if let Some(number) = (0..self.lines.len()).find(is_free) {
            return number;
        }
        let numbered_from = NUMBERS_OF_A_LINE * (1 + self.lines.len() as i32);
        let manners = Manners { reads: true, asks_versions: false, is_newest: false, numbered_from };
        self.lines.push(Connections::new(self.place.number, self.place.sites, self.place.root, manners));
        self.lines.len() - 1
    }

    /// The site of an address that a node told, or the first ones that the machine knew.
    fn site(&self, address: &str, street: &mut Street<'_>) -> usize {
        let site = (0..self.place.sites).find(|site| self::address(*site) == address);
        site.unwrap_or_else(|| {
            let words = format!("a machine asks `{address}`, where nobody is");
            c20_never_panics::strange_answer(words, street.verdict);
            0
        })
    }
}

/// Where the node of a site is reached.
fn address(site: usize) -> String {
    let address = Node::address(site, API_PORT);
    format!("{}:{}", address.host, address.port)
}

fn unreachable(site: usize, was_sent: bool) -> Error {
    Error::Unreachable { node: address(site), why: "its connection broke".into(), was_sent }
}
