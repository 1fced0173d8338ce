//! The world of a story: nodes, wires, clients and one clock, stepped.
//!
//! A *round* delivers what can arrive, then every node with news makes one turn, by rising id. The world is
//! *settled* when a round has nothing to do; only then may time pass, to the next moment a node wants to be woken.
//!
//! Invariant: what a node does in a round arrives in the next one at the earliest, whoever's turn came first.

use super::answer::TopicNames;
use super::clients::{Clients, Seen};
use super::process::{Process, clocks};
use super::wires::Wires;
use rust_mq_core::action::{Action, Answer, HaltReason, Notice};
use rust_mq_core::event::{CloseReason, Event};
use rust_mq_core::ids::LinkId;
use rust_mq_core::node::Node;
use rust_mq_core::now::{Mono, Now, Wall};
use rust_mq_proto::kafka::api::RequestBody;
use std::collections::BTreeMap;
use std::time::Duration;

/// Rounds without time passing. At the edge: the world never comes to rest, which is a bug of the core.
const ROUNDS_MAX: usize = 50_000;

/// A story's world.
#[derive(Default)]
pub struct World {
    /// Since the story's start.
    pub now: Duration,
    /// By id.
    pub nodes: BTreeMap<i32, Process>,
    /// Between nodes.
    pub wires: Wires,
    /// Outside.
    pub clients: Clients,
    /// What came of the command that runs, line by line.
    pub said: Vec<String>,
    current: i32,
}

impl World {
    /// A node that the story has.
    pub fn node(&mut self, id: i32) -> Result<&mut Process, String> {
        self.nodes.get_mut(&id).ok_or_else(|| format!("there is no node {id}"))
    }

    /// The insides of every node that runs.
    pub fn running(&self) -> impl Iterator<Item = (i32, &Node)> {
        self.nodes.iter().filter_map(|(id, process)| Some((*id, process.broker.as_ref()?.node())))
    }

    /// Prints a line.
    pub fn say(&mut self, line: impl Into<String>) {
        self.said.push(line.into());
    }

    /// Starts a node's process, without letting anything happen yet.
    pub fn start(&mut self, id: i32) -> Result<(), String> {
        let process = self.node(id)?;
        if process.broker.is_some() {
            return Err(format!("node {id} runs already"));
        }
        process.start();
        Ok(())
    }

    /// A node's process is gone, and its links with it.
    pub fn end(&mut self, id: i32) -> Result<(), String> {
        let process = self.node(id)?;
        if process.broker.is_none() {
            return Err(format!("node {id} does not run"));
        }
        process.end();
        self.wires.process_ended(id);
        let seen = self.clients.process_ended(id);
        self.print(seen);
        Ok(())
    }

    /// A client's connection to a node: the one of that name, or a new one.
    pub fn connection(&mut self, node: i32, name: Option<String>) -> Result<LinkId, String> {
        if let Some(link) = name.as_ref().and_then(|name| self.clients.find(node, name)) {
            return Ok(link);
        }
        let process = self.node(node)?;
        if process.broker.is_none() {
            return Err(format!("node {node} does not run"));
        }
        let link = process.accept();
        let opened = self.clients.connect(node, link, name);
        self.node(node)?.inbox.push(opened);
        Ok(link)
    }

    /// Sends a request and lets happen what can. Prints the answer, or that it waits.
    pub fn ask(
        &mut self,
        (node, client): (i32, Option<String>),
        version: i16,
        body: &RequestBody,
        is_answered: bool,
        text: &str,
    ) -> Result<(), String> {
        let link = self.connection(node, client)?;
        self.current = self.clients.ask((node, link), version, body, is_answered, text);
        self.settle();
        if self.clients.waits(self.current) {
            self.say("waits");
        }
        self.current = 0;
        Ok(())
    }

    /// The id of the member that is told of by that name; nobody's is empty.
    pub fn member(&self, name: Option<String>) -> String {
        name.map_or_else(String::new, |name| self.clients.member(&name))
    }

    /// The id that a topic has, or had last; zero if there never was one.
    pub fn topic_id(&self, name: &str) -> [u8; 16] {
        self.topic_names().iter().find(|(_, known)| *known == name).map_or([0; 16], |(id, _)| *id)
    }

    /// Lets everything happen that can without time passing.
    pub fn settle(&mut self) {
        for _ in 0..ROUNDS_MAX {
            if !self.round() {
                return;
            }
        }
        panic!("the world never comes to rest, {:?} after its start", self.now);
    }

    /// Lets time pass, and everything happen meanwhile.
    pub fn pass(&mut self, wait: Duration) {
        self.pass_until(wait, |_| false);
    }

    /// Lets time pass until something is so, or for `most`. Returns how long that took, if it is.
    pub fn pass_until(&mut self, most: Duration, is_so: impl Fn(&World) -> bool) -> Option<Duration> {
        let (start, end) = (self.now, self.now + most);
        loop {
            self.settle();
            if is_so(self) {
                return Some(self.now - start);
            }
            if self.now == end {
                return None;
            }
            let wakes = self.nodes.values().filter_map(|process| process.wake_at);
            let next = wakes.map(since_start).min().unwrap_or(end);
            self.now = next.clamp(self.now, end);
        }
    }

    fn round(&mut self) -> bool {
        let mut told = Vec::new();
        for (node, link) in self.clients.take_done() {
            told.push((node, Event::Closed { link, why: CloseReason::Remote }));
        }
        self.wires.deliver(&mut told);
        self.clients.pump(&mut told);
        for (node, event) in told {
            if let Some(process) = self.nodes.get_mut(&node).filter(|process| process.broker.is_some()) {
                process.inbox.push(event);
            }
        }
        let now = clocks(self.now);
        let turns: Vec<(i32, Vec<Event>)> =
            self.nodes.iter_mut().map(|(id, process)| (*id, process.take_events(now))).collect();
        let ahead = |process: &Process| Now { wall: Wall(now.wall.0 + process.wall_ahead_ms), ..now };
        let clocks: BTreeMap<i32, Now> =
            self.nodes.iter().map(|(id, process)| (*id, ahead(process))).collect();
        let mut is_busy = false;
        for (id, mut events) in turns {
            let broker = self.nodes.get_mut(&id).and_then(|process| process.broker.as_mut());
            let Some(broker) = broker.filter(|_| !events.is_empty()) else { continue };
            is_busy = true;
            let mut actions = Vec::new();
            broker.handle(clocks[&id], &mut events, &mut actions);
            actions.into_iter().for_each(|action| self.perform(id, action));
        }
        is_busy
    }

    fn perform(&mut self, id: i32, action: Action) {
        match action {
            Action::Dial { link, address, lane } => self.dial(id, link, i32::from(address.port), lane),
            Action::Send { link, parts } if self.wires.owns(id, link) => self.wires.send(id, link, &parts),
            Action::Send { link, parts } => {
                let bytes = parts.iter().map(|part| part.len() as u64).sum();
                self.tell(id, Event::Sent { link, bytes });
                let names = self.topic_names();
                let seen = self.clients.receive(id, link, &parts, &names);
                self.print(seen);
            }
            Action::Allow { link, bytes } if self.wires.owns(id, link) => self.wires.allow(id, link, bytes),
            Action::Allow { link, bytes } => self.clients.allow(id, link, bytes),
            Action::Close { link } | Action::Abort { link } => self.close(id, link),
            Action::WakeAt { mono } => {
                self.nodes.get_mut(&id).expect("it has just made a turn").wake_at = Some(mono);
            }
            Action::Tell { answer: Answer::Health { is_serving }, .. } => {
                self.say(format!("n{id} {}", if is_serving { "serves" } else { "does not serve" }));
            }
            Action::Note(notice) => self.note(id, &notice),
            Action::Halt(reason) => self.halted(id, &reason),
            file => {
                let process = self.nodes.get_mut(&id).expect("it has just made a turn");
                process.disk.perform(file, &mut process.inbox);
            }
        }
    }

    fn dial(&mut self, from: i32, link: LinkId, to: i32, lane: rust_mq_core::link::LaneKind) {
        let is_cut = self.wires.is_cut(from, to, lane);
        let target = self.nodes.get_mut(&to).filter(|process| process.broker.is_some() && !is_cut);
        let mut told = Vec::new();
        match target.map(Process::accept) {
            Some(accepted) => self.wires.connect((from, link), (to, accepted), lane, &mut told),
            None => told.push((from, Event::Closed { link, why: CloseReason::Failed })),
        }
        told.into_iter().for_each(|(node, event)| self.tell(node, event));
    }

    fn close(&mut self, id: i32, link: LinkId) {
        if self.wires.owns(id, link) {
            let mut told = Vec::new();
            self.wires.close(id, link, &mut told);
            told.into_iter().for_each(|(node, event)| self.tell(node, event));
        } else {
            let seen = self.clients.closed(id, link);
            self.print(seen);
            self.tell(id, Event::Closed { link, why: CloseReason::Asked });
        }
    }

    fn tell(&mut self, node: i32, event: Event) {
        self.nodes.get_mut(&node).expect("only nodes of the story are told").inbox.push(event);
    }

    fn note(&mut self, id: i32, notice: &Notice) {
        let what = match notice {
            Notice::Serving { partitions, .. } => format!("serves with {partitions} partition(s)"),
            Notice::Controller { .. } => "is the controller now".into(),
            Notice::CaughtUp { partition, from } => {
                let names = self.topic_names();
                let topic = names.get(&partition.topic.0).map_or("metadata", String::as_str);
                format!("takes a snapshot of {topic}-{} from {from}", partition.partition.0)
            }
            Notice::Mended { partition, offset, from } => {
                let names = self.topic_names();
                let topic = names.get(&partition.topic.0).map_or("?", String::as_str);
                format!(
                    "mends {topic}-{} from offset {} on, with bytes of {from}",
                    partition.partition.0, offset.0
                )
            }
            Notice::TopicDeleted { name, .. } => format!("drops {name}"),
            Notice::DiskFull => "says: the disk is full".into(),
            Notice::NoRoomToStart { bytes } => {
                format!("says: no room for the {bytes} bytes that a start writes")
            }
            Notice::ReplicaDead { reason } => format!("says: {reason}"),
            Notice::SpaceAgain => "says: there is space again".into(),
            Notice::DiskSlow => "says: the disk is slow".into(),
            Notice::DiskSound => "says: the disk keeps up again".into(),
            Notice::Rejected { reason, .. } => format!("rejects a link: {reason}"),
            Notice::PeerRefused { reason } => format!("refuses a peer: {reason}"),
            Notice::TurnedAway { by, reason } => format!("is turned away by {by}: {reason}"),
            Notice::LeftInPlace { path } => format!("leaves {path} in place"),
            Notice::Damaged { file, what } => format!("finds {file} damaged: {what}"),
            _ => return,
        };
        self.say(format!("n{id} {what}"));
    }

    fn halted(&mut self, id: i32, reason: &HaltReason) {
        self.say(match reason {
            HaltReason::Stopped => format!("n{id} stopped"),
            reason => format!("n{id} halts: {reason:?}"),
        });
        let process = self.nodes.get_mut(&id).expect("it has just made a turn");
        process.disk.killed();
        self.end(id).expect("it ran until now");
    }

    fn print(&mut self, seen: Vec<Seen>) {
        for Seen { id, text, lines } in seen {
            let is_late = id != self.current && id != 0;
            let prefix = if is_late { format!("({text}) ") } else { String::new() };
            lines.iter().for_each(|line| self.say(format!("{prefix}{line}")));
        }
    }

    fn topic_names(&self) -> TopicNames {
        let topics = self.running().filter_map(|(_, node)| node.image()).flat_map(|image| image.topics());
        topics.map(|(id, topic)| (id.0, topic.name.clone())).collect()
    }
}

fn since_start(at: Mono) -> Duration {
    at.since(clocks(Duration::ZERO).mono)
}
