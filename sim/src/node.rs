//! A site: its clocks, its disk, and the process on it, which is the real `Broker` and its inbox.
//!
//! The inbox keeps what happened until the next turn, in the order of law 8: completions, the deadline, questions,
//! peers, then clients in turn. Link ids are given here (law 10: accepted even, dialled odd).
//!
//! Invariants: one `Done` per ticket; nothing about a link after its `Closed`; no event of an earlier life.

use crate::claims::{Claim, Verdict, c20_never_panics};
use crate::clock::{Clock, MICRO, MILLI, Moment};
use crate::dice::Dice;
use crate::disk::Disk;
use crate::network::{Network, Told};
use crate::schedule::Schedule;
use crate::wire::{Side, Taken, WireId, WireKind};
use rust_mq_core::broker::Broker;
use rust_mq_core::config::Config;
use rust_mq_core::event::{CloseReason, DoneResult, Event, LinkKind, Nonce, Question};
use rust_mq_core::ids::{LinkId, Ticket};
use rust_mq_core::link::{Address, LaneKind};
use rust_mq_core::watched::Metrics;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The shortest time between two dials of one lane: the core waits half of `limits::PEER_DIAL_WAIT_MIN` at least, and
/// clocks run wrong by a tenth.
const DIAL_GAP_MIN: u64 = 20 * MILLI;
/// Where clients reach a node.
pub const API_PORT: u16 = 9092;
/// Where peers reach a node.
pub const RPC_PORT: u16 = 9093;

/// A site.
pub struct Node {
    /// Its number.
    pub site: usize,
    /// How often its process was started.
    pub boot: u32,
    /// The process, while it runs.
    pub process: Option<Process>,
    /// Its clocks.
    pub clock: Clock,
    /// Its disk.
    pub disk: Disk,
    /// What its process is told.
    pub config: Config,
    /// How many faults pause it.
    pub pauses: u32,
    /// It has been paused, and has had no turn since.
    pub has_slept: bool,
    /// How many faults keep it down.
    pub downs: u32,
    /// Chances of its turns.
    pub dice: Dice,
}

/// A running process.
pub struct Process {
    /// The real thing.
    pub broker: Broker,
    /// What happened and was not told yet.
    pub inbox: Inbox,
    /// Its links.
    pub links: BTreeMap<LinkId, (WireId, Side, WireKind)>,
    ids: BTreeMap<(WireId, Side), LinkId>,
    accepted: u64,
    dialled: BTreeSet<LinkId>,
    tickets: BTreeSet<Ticket>,
    /// Which of its `WakeAt`s is the last.
    pub wakes_armed: u64,
    /// Whether a turn is due.
    pub is_turn_due: bool,
    /// It was asked to stop.
    pub is_stopping: bool,
    /// Events it was given.
    pub events: u64,
    /// When it last dialled a site, by lane.
    dialled_at: BTreeMap<(usize, LaneKind), Moment>,
    /// Turns in a row in which it did nothing but ask for the next.
    pub spins: u32,
    /// What it told those who watch last.
    pub told: Option<Metrics>,
}

/// What happened and was not told yet.
#[derive(Debug, Default)]
pub struct Inbox {
    is_started: bool,
    done: VecDeque<(Ticket, DoneResult)>,
    woke: bool,
    asked: VecDeque<(u64, Question)>,
    peers: VecDeque<News>,
    clients: VecDeque<News>,
}

/// Something about a link.
#[derive(Debug)]
struct News {
    link: LinkId,
    what: Told,
}

impl Node {
    /// The address of a node's listener.
    pub fn address(site: usize, port: u16) -> Address {
        Address { host: format!("n{}", site + 1), port }
    }

    /// The site that an address names.
    pub fn site_of(address: &Address, sites: usize) -> Option<usize> {
        let number: usize = address.host.strip_prefix('n')?.parse().ok()?;
        (address.port == RPC_PORT && (1..=sites).contains(&number)).then(|| number - 1)
    }

    /// Whether a process runs and gets turns.
    pub fn is_awake(&self) -> bool {
        self.process.is_some() && self.pauses == 0
    }
}

impl Process {
    /// A process at its start.
    pub fn new(config: Config, seed: u64) -> Process {
        Process {
            broker: Broker::new(config, seed),
            inbox: Inbox { is_started: true, ..Inbox::default() },
            links: BTreeMap::new(),
            ids: BTreeMap::new(),
            accepted: 0,
            dialled: BTreeSet::new(),
            tickets: BTreeSet::new(),
            wakes_armed: 0,
            is_turn_due: false,
            is_stopping: false,
            events: 0,
            dialled_at: BTreeMap::new(),
            spins: 0,
            told: None,
        }
    }

    /// A dialled link has a wire.
    pub fn dials(&mut self, link: LinkId, wire: WireId, kind: WireKind, verdict: &mut Verdict) {
        c20_never_panics::check_dial(link, self.dialled.insert(link), verdict);
        self.links.insert(link, (wire, Side::Dialler, kind));
        self.ids.insert((wire, Side::Dialler), link);
    }

    /// It dials a site: never so soon after the last time that a lost peer becomes a storm (C19).
    pub fn dials_again(&mut self, to: usize, lane: LaneKind, now: Moment, verdict: &mut Verdict) {
        let last = self.dialled_at.insert((to, lane), now);
        let gap = last.map_or(u64::MAX, |last| now.since(last));
        verdict.hold(gap >= DIAL_GAP_MIN, Claim::C19, || {
            format!("n{} is dialled again after {} us", to + 1, gap / MICRO)
        });
    }

    /// The wire of a link. `None` for one that is closed; one that never was is a breach.
    pub fn wire_of(&self, link: LinkId, verdict: &mut Verdict) -> Option<(WireId, Side, WireKind)> {
        let found = self.links.get(&link).copied();
        let was_there =
            if link.0.is_multiple_of(2) { link.0 < 2 * self.accepted } else { self.dialled.contains(&link) };
        c20_never_panics::check_link(link, was_there, verdict);
        found
    }

    /// A ticket is given out.
    pub fn issues(&mut self, ticket: Ticket, verdict: &mut Verdict) {
        c20_never_panics::check_ticket(ticket, self.tickets.insert(ticket), verdict);
    }

    /// A file action ended.
    pub fn done(&mut self, ticket: Ticket, result: DoneResult) {
        self.tickets.remove(&ticket);
        self.inbox.done.push_back((ticket, result));
    }

    /// The deadline came.
    pub fn woke(&mut self) {
        self.inbox.woke = true;
    }

    /// The driver asks.
    pub fn asked(&mut self, question: u64, what: Question) {
        self.is_stopping |= what == Question::Stop;
        self.inbox.asked.push_back((question, what));
    }

    /// Something about one of its wires.
    pub fn told(&mut self, wire: WireId, side: Side, what: Told) {
        let link = match (what, side) {
            (Told::Opened(kind), Side::Accepter) => {
                let link = LinkId(2 * self.accepted);
                self.accepted += 1;
                self.links.insert(link, (wire, side, kind));
                self.ids.insert((wire, side), link);
                link
            }
            _ => match self.ids.get(&(wire, side)) {
                Some(link) => *link,
                None => return,
            },
        };
        let Some((_, _, kind)) = self.links.get(&link) else { return };
        match kind {
            WireKind::Kafka => self.inbox.clients.push_back(News { link, what }),
            WireKind::Peer(_) => self.inbox.peers.push_back(News { link, what }),
        }
    }

    /// Connections of clients.
    pub fn clients_links(&self) -> usize {
        self.links.values().filter(|(_, _, kind)| *kind == WireKind::Kafka).count()
    }

    /// Whether something waits for a turn.
    pub fn has_news(&self) -> bool {
        let inbox = &self.inbox;
        inbox.is_started
            || inbox.woke
            || !inbox.done.is_empty()
            || !inbox.asked.is_empty()
            || !inbox.peers.is_empty()
            || !inbox.clients.is_empty()
    }

    /// Moves up to `most` events into `events`, in the order of law 8.
    pub fn fill(
        &mut self,
        events: &mut Vec<Event>,
        most: usize,
        network: &mut Network,
        schedule: &mut Schedule,
        site: usize,
    ) {
        if std::mem::take(&mut self.inbox.is_started) {
            events.push(Event::Started);
        }
        while events.len() < most
            && let Some((ticket, result)) = self.inbox.done.pop_front()
        {
            events.push(Event::Done { ticket, result });
        }
        if events.len() < most && std::mem::take(&mut self.inbox.woke) {
            events.push(Event::Woke);
        }
        while events.len() < most
            && let Some((question, what)) = self.inbox.asked.pop_front()
        {
            events.push(Event::Asked { question, what });
        }
        while events.len() < most
            && let Some(news) = self.inbox.peers.pop_front().or_else(|| self.inbox.clients.pop_front())
        {
            events.extend(self.event_of(news, network, schedule, site));
        }
        self.events += events.len() as u64;
    }

    fn event_of(
        &mut self,
        news: News,
        network: &mut Network,
        schedule: &mut Schedule,
        site: usize,
    ) -> Option<Event> {
        let link = news.link;
        // Closed since the news came.
        let (wire, side, _) = *self.links.get(&link)?;
        match news.what {
            Told::Opened(kind) => Some(Event::Opened { link, kind: kind_of(kind, wire, side, site) }),
            Told::Sent(bytes) => Some(Event::Sent { link, bytes }),
            Told::Closed(why) => Some(self.closed(link, why)),
            Told::Ready => match network.take(schedule, wire, side)? {
                Taken::Bytes(bytes) => Some(Event::Received { link, bytes }),
                Taken::End(why) => Some(self.closed(link, why)),
            },
        }
    }

    fn closed(&mut self, link: LinkId, why: CloseReason) -> Event {
        if let Some((wire, side, _)) = self.links.remove(&link) {
            self.ids.remove(&(wire, side));
        }
        Event::Closed { link, why }
    }
}

fn kind_of(kind: WireKind, wire: WireId, side: Side, site: usize) -> LinkKind {
    match kind {
        WireKind::Peer(lane) => LinkKind::Peer { lane, nonce: nonce(wire, side) },
        WireKind::Kafka => LinkKind::Kafka {
            listener: 0,
            local: Node::address(site, API_PORT),
            remote: Address { host: "client".into(), port: (wire % 60_000) as u16 },
        },
    }
}

/// The end of a wire that was given that nonce.
pub fn end_of(nonce: &Nonce) -> (WireId, Side) {
    let wire = nonce.0.first_chunk::<8>().expect("a nonce has more bytes");
    (WireId::from_be_bytes(*wire), if nonce.0[8] == 0 { Side::Dialler } else { Side::Accepter })
}

/// Given once in a run; the simulator needs nobody to be unable to guess it.
fn nonce(wire: WireId, side: Side) -> Nonce {
    let mut nonce = Nonce::default();
    nonce.0[..8].copy_from_slice(&wire.to_be_bytes());
    nonce.0[8] = u8::from(side == Side::Accepter);
    nonce
}
