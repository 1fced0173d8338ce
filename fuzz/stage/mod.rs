//! A driver in miniature, for the targets that run a whole node: one queue of disk actions performed in order
//! on files in memory, links that read everything, clocks that only a script moves.
//!
//! It keeps the driver's laws, so that what falls over is the core: every ticket is answered once and in a later
//! turn, a stream never exceeds its credit, a failed file fails until it is forgotten, only the last alarm counts.
//!
//! Not here: reordering, power loss, several nodes. The simulator does those, and better.

#![cfg_attr(
    fuzzing,
    allow(dead_code, reason = "each target uses a part of it; tests/tests/corpus.rs uses all")
)]

pub mod company;
pub mod script;

use bytes::{Bytes, BytesMut};
use rust_mq_core::action::{Action, Notice};
use rust_mq_core::broker::Broker;
use rust_mq_core::config::{Config, Member, StorageConfig};
use rust_mq_core::event::{CloseReason, DoneResult, Event, FileWork, LinkKind, Listed, Nonce, Question};
use rust_mq_core::file::File;
use rust_mq_core::ids::{LinkId, NodeId, Ticket};
use rust_mq_core::link::{Address, LaneKind};
use rust_mq_core::now::{Mono, Now, Wall};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// What lies on the disk.
pub type Files = BTreeMap<File, Vec<u8>>;

/// What is kept of a message to a peer is whole or nothing. Chosen: tests look at small ones.
const SAID_BYTES_MAX: u64 = 64 << 10;

/// How a disk action ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// As it was asked for.
    Done,
    /// Without space, if it is a write.
    Full,
    /// Not at all.
    Failed,
}

struct Link {
    credit: i64,
    is_peer: bool,
    /// What it was sent and nobody has taken yet, if anybody will.
    sent: Vec<Bytes>,
}

/// One node and all that drives it.
pub struct Stage {
    broker: Broker,
    now: Now,
    files: Files,
    broken: BTreeSet<File>,
    queue: VecDeque<Action>,
    answered: BTreeSet<Ticket>,
    links: BTreeMap<LinkId, Link>,
    next_link: u64,
    nonces: u8,
    /// What it said on peers' links, until somebody takes it.
    said: Vec<(LinkId, Bytes)>,
    wake_at: Option<Mono>,
    events: Vec<Event>,
    is_serving: bool,
    is_halted: bool,
    is_replica_dead: bool,
    is_read: bool,
}

/// The configuration of a node with `nodes` members, its sizes so small that rare states are common.
pub fn config(nodes: i32) -> Config {
    let member = |node| Member {
        node: NodeId(node),
        api: Address { host: "127.0.0.1".into(), port: 9092 },
        rpc: Address { host: "127.0.0.1".into(), port: 9093 },
    };
    Config {
        members: (1..=nodes).map(member).collect(),
        memory_limit: 32 << 20,
        budget_bytes: 8 << 20,
        storage: StorageConfig {
            journal_file_bytes: 64 << 10,
            first_journal_file_bytes: 16 << 10,
            frame_bytes_max: 16 << 10,
            checkpoint_bytes: 40 << 10,
            segment_write_bytes: 600,
            segment_write_age: Duration::from_millis(500),
            segment_bytes: 4 << 10,
            index_interval_bytes: 512,
            free_bytes_floor: 0,
            free_bytes_short: 0,
            tail_bytes_max: 1 << 10,
            window_kept_bytes_max: 4 << 10,
            scrub_bytes_per_second: 64 << 10,
            gathered_bytes: 1 << 10,
            state_file_bytes: 16 << 10,
            state_inline_bytes: 0,
        },
        ..Config::default()
    }
}

impl Stage {
    /// Starts a node over `files`.
    pub fn start(config: Config, files: Files) -> Stage {
        Stage {
            broker: Broker::new(config, 7),
            now: Now { mono: Mono(1), wall: Wall(1_700_000_000_000) },
            files,
            broken: BTreeSet::new(),
            queue: VecDeque::new(),
            answered: BTreeSet::new(),
            links: BTreeMap::new(),
            next_link: 0,
            nonces: 0,
            said: Vec::new(),
            wake_at: None,
            events: vec![Event::Started],
            is_serving: false,
            is_halted: false,
            is_replica_dead: false,
            is_read: false,
        }
    }

    /// From now on, what links are sent is kept for [`Stage::take_sent`].
    pub fn read_links(&mut self) {
        self.is_read = true;
    }

    /// What the `number`th link was sent since it was asked last.
    pub fn take_sent(&mut self, number: u8) -> Vec<u8> {
        let count = self.links.len().max(1);
        let link = self.links.values_mut().nth(usize::from(number) % count);
        link.map(|link| std::mem::take(&mut link.sent).concat()).unwrap_or_default()
    }

    /// Whether the process has ended.
    pub fn is_halted(&self) -> bool {
        self.is_halted
    }

    /// Whether a replica was retired, because its leader knows of entries here that are not here.
    pub fn is_replica_dead(&self) -> bool {
        self.is_replica_dead
    }

    /// What lies on the disk now.
    pub fn into_files(self) -> Files {
        self.files
    }

    /// Whether the node says that it serves.
    pub fn is_serving(&mut self) -> bool {
        self.events.push(Event::Asked { question: 1, what: Question::Health });
        self.turn();
        self.is_serving
    }

    /// A client connects.
    pub fn open_client(&mut self) {
        let address = Address { host: "127.0.0.1".into(), port: 1 };
        let kind = LinkKind::Kafka { listener: 0, local: address.clone(), remote: address };
        self.open(kind);
    }

    /// A peer, or someone who found its port, connects.
    pub fn open_peer(&mut self, lane: LaneKind) -> LinkId {
        let nonce = self.draw();
        self.open(LinkKind::Peer { lane, nonce })
    }

    /// A whole message arrives from a peer. Returns whether its link is there, and has credit.
    pub fn deliver(&mut self, link: LinkId, message: &[u8]) -> bool {
        let Some(known) = self.links.get_mut(&link).filter(|known| known.credit > 0) else { return false };
        known.credit -= message.len() as i64;
        self.events.push(Event::Received { link, bytes: BytesMut::from(message) });
        true
    }

    /// What was said on peers' links since the last call.
    pub fn take_said(&mut self) -> Vec<(LinkId, Bytes)> {
        std::mem::take(&mut self.said)
    }

    /// Bytes arrive on the `number`th link, as many as it has credit for. Returns how many did.
    pub fn receive(&mut self, number: u8, bytes: &[u8]) -> usize {
        let count = self.links.len().max(1);
        let Some((id, link)) = self.links.iter_mut().nth(usize::from(number) % count) else { return 0 };
        let credit = usize::try_from(link.credit).unwrap_or(0);
        let taken = if link.is_peer && credit > 0 { bytes.len() } else { bytes.len().min(credit) };
        if taken > 0 {
            link.credit -= taken as i64;
            self.events.push(Event::Received { link: *id, bytes: BytesMut::from(&bytes[..taken]) });
        }
        taken
    }

    /// How many links there are.
    pub fn links(&self) -> usize {
        self.links.len()
    }

    /// The `number`th link breaks.
    pub fn cut(&mut self, number: u8) {
        let count = self.links.len().max(1);
        if let Some(link) = self.links.keys().nth(usize::from(number) % count).copied() {
            self.close(link, CloseReason::Remote);
        }
    }

    /// Time goes on, and the wall clock by something else.
    pub fn pass(&mut self, mono: Duration, wall_ms: i64) {
        self.now.mono = self.now.mono + mono;
        self.now.wall = Wall(self.now.wall.0.saturating_add(wall_ms));
    }

    /// The driver was told to stop.
    pub fn stop(&mut self) {
        self.events.push(Event::Asked { question: 2, what: Question::Stop });
    }

    /// The next disk action ends.
    pub fn disk(&mut self, fate: Fate) {
        if let Some(action) = self.queue.pop_front() {
            self.perform(action, fate);
        }
    }

    /// One turn of the core.
    pub fn turn(&mut self) {
        if self.wake_at.is_some_and(|at| at <= self.now.mono) {
            self.wake_at = None;
            self.events.push(Event::Woke);
        }
        let mut events = std::mem::take(&mut self.events);
        let mut actions = Vec::new();
        self.broker.handle(self.now, &mut events, &mut actions);
        for action in actions {
            assert!(!self.is_halted, "{action} after the end");
            self.take(action);
        }
    }

    /// Turns with a willing disk until nothing is left to do now, or `turns` of them. Returns whether it came
    /// to rest.
    pub fn settle(&mut self, turns: usize) -> bool {
        for _ in 0..turns {
            self.turn();
            let is_due = self.wake_at.is_some_and(|at| at <= self.now.mono);
            if self.is_halted || (self.events.is_empty() && self.queue.is_empty() && !is_due) {
                return true;
            }
            while !self.queue.is_empty() {
                self.disk(Fate::Done);
            }
        }
        false
    }

    fn draw(&mut self) -> Nonce {
        self.nonces = self.nonces.wrapping_add(1);
        Nonce([self.nonces; 32])
    }

    fn open(&mut self, kind: LinkKind) -> LinkId {
        let link = LinkId(self.next_link);
        self.next_link += 2;
        self.connect(link, kind);
        link
    }

    fn connect(&mut self, link: LinkId, kind: LinkKind) {
        let is_peer = matches!(kind, LinkKind::Peer { .. });
        self.links.insert(link, Link { credit: 0, is_peer, sent: Vec::new() });
        self.events.push(Event::Opened { link, kind });
    }

    fn close(&mut self, link: LinkId, why: CloseReason) {
        if self.links.remove(&link).is_some() {
            self.events.push(Event::Closed { link, why });
        }
    }

    fn take(&mut self, action: Action) {
        match action {
            Action::Dial { link, lane, .. } => {
                let nonce = self.draw();
                self.connect(link, LinkKind::Peer { lane, nonce });
            }
            Action::Send { link, parts } => {
                if let Some(to) = self.links.get_mut(&link) {
                    let bytes = parts.iter().map(|part| part.len() as u64).sum();
                    to.sent.extend(parts.iter().filter(|_| self.is_read).cloned());
                    self.events.push(Event::Sent { link, bytes });
                    if to.is_peer && bytes <= SAID_BYTES_MAX {
                        self.said.push((link, parts.concat().into()));
                    }
                }
            }
            Action::Allow { link, bytes } => {
                if let Some(link) = self.links.get_mut(&link) {
                    link.credit = link.credit.saturating_add_unsigned(bytes);
                }
            }
            Action::Close { link } | Action::Abort { link } => self.close(link, CloseReason::Asked),
            Action::WakeAt { mono } => self.wake_at = Some(mono),
            Action::Tell { answer: rust_mq_core::action::Answer::Health { is_serving }, .. } => {
                self.is_serving = is_serving;
            }
            Action::Note(notice) => {
                self.is_replica_dead |= matches!(notice, Notice::ReplicaDead { .. });
                drop(format!("{notice:?}"));
            }
            Action::Halt(_) => self.is_halted = true,
            Action::Forget { file } => drop(self.broken.remove(&file)),
            disk => self.queue.push_back(disk),
        }
    }

    fn perform(&mut self, action: Action, fate: Fate) {
        let (ticket, files, at) = match &action {
            Action::Write { ticket, file, .. } => (*ticket, vec![*file], FileWork::Writing),
            Action::Read { ticket, file, .. } => (*ticket, vec![*file], FileWork::Reading),
            Action::Truncate { ticket, file, .. } => (*ticket, vec![*file], FileWork::Truncating),
            Action::Remove { ticket, file } => (*ticket, vec![*file], FileWork::Removing),
            Action::Sync { ticket, files } => (*ticket, files.clone(), FileWork::Syncing),
            Action::List { ticket } => (*ticket, Vec::new(), FileWork::Listing),
            other => panic!("{other} is not for a disk"),
        };
        assert!(self.answered.insert(ticket), "{ticket} was used twice");
        let is_broken = files.iter().any(|file| self.broken.contains(file));
        let result = if fate == Fate::Failed || is_broken {
            self.broken.extend(files);
            DoneResult::Failed { at, reason: "as the script says".into() }
        } else if fate == Fate::Full && matches!(action, Action::Write { .. }) {
            self.broken.extend(files);
            DoneResult::Full
        } else {
            self.change(action)
        };
        self.events.push(Event::Done { ticket, result });
    }

    fn change(&mut self, action: Action) -> DoneResult {
        match action {
            Action::Write { file, at, parts, .. } => {
                let (at, bytes) = (at as usize, parts.concat());
                let content = self.files.entry(file).or_default();
                content.resize(content.len().max(at + bytes.len()), 0);
                content[at..at + bytes.len()].copy_from_slice(&bytes);
                DoneResult::Written { free_bytes: 1 << 30 }
            }
            Action::Read { file, at, len, .. } => match self.files.get(&file) {
                Some(content) => {
                    let start = (at as usize).min(content.len());
                    let end = start.saturating_add(len as usize).min(content.len());
                    DoneResult::Bytes(Bytes::copy_from_slice(&content[start..end]))
                }
                None => DoneResult::Failed { at: FileWork::Reading, reason: "no such file".into() },
            },
            Action::Truncate { file, len, .. } => match self.files.get_mut(&file) {
                Some(content) => {
                    content.resize(len as usize, 0);
                    DoneResult::Truncated
                }
                None => DoneResult::Failed { at: FileWork::Truncating, reason: "no such file".into() },
            },
            Action::Remove { file, .. } => {
                self.files.remove(&file);
                DoneResult::Removed
            }
            Action::List { .. } => {
                let listed = self.files.iter().map(|(file, content)| (file.path(), content.len() as u64));
                let mut listed: Vec<Listed> = listed.map(|(path, len)| Listed { path, len }).collect();
                listed.sort_by(|one, other| one.path.cmp(&other.path));
                DoneResult::Listed(listed)
            }
            _ => DoneResult::Synced,
        }
    }
}
