//! Messages between nodes, each from the turn that sent it to the turn that was given it, or to its loss.
//!
//! A wire is known by the nonce of its links, and a message by its bytes: what is received is looked for among what
//! flies there, and what was sent before it and did not come is lost. What flies to an end that is gone is lost too.
//! A message is doubled if its receiver has had all that it carries before: entries, votes and questions count;
//! signs of life, answers, and what is said on every new link are alike by nature.

use super::cut;
use super::replicas::Replicas;
use super::strip::{Notable, Strip};
use crate::node::end_of;
use crate::wire::{Side, WireId};
use bytes::Bytes;
use rust_mq_core::event::LinkKind;
use rust_mq_core::ids::{LinkId, ReplicaId};
use rust_mq_core::rng::hash;
use rust_mq_proto::peer::codec::parse;
use rust_mq_proto::peer::message::{PROTOCOL_NEWEST, PeerBody};
use rust_mq_proto::peer::raft::{RaftKind, RaftMessage};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::{self, Write};

/// Messages that are kept whole, but for signs of life.
const NEWEST: usize = 6_000;
/// Signs of life that are kept: they come in any number, and seldom matter.
const SIGNS: usize = 1_200;
/// Lost, late and doubled ones, and votes, that are kept besides.
const OLDER: usize = 3_000;
/// Bytes of what a message says, after which no more of its pack is read out.
const WORDS_MAX: usize = 200;
/// The same of a sign of life.
const SIGN_WORDS_MAX: usize = 80;
/// Bytes of it in all, long names of topics included.
const BYTES_MAX: usize = 400;
/// Partitions that a message names; one of more is shown for each.
const PARTITIONS_MAX: usize = 8;
/// What a node has received, so far back.
const SEEN_MAX: usize = 100_000;

/// All messages.
#[derive(Debug)]
pub struct Messages {
    links: BTreeMap<(usize, LinkId), (WireId, Side)>,
    dialled: BTreeMap<(usize, LinkId), usize>,
    wires: BTreeMap<WireId, Wire>,
    over: Over,
    seen: BTreeSet<(usize, u64)>,
    seen_in_order: VecDeque<(usize, u64)>,
}

/// What came, or was lost.
#[derive(Debug)]
struct Over {
    signs: Strip<Message>,
    others: Strip<Message>,
}

/// A wire between two nodes.
#[derive(Debug, Default)]
struct Wire {
    sites: [Option<usize>; 2],
    is_gone: [bool; 2],
    /// By the end to which it flies.
    flying: [VecDeque<Message>; 2],
}

/// One message.
#[derive(Clone, Debug)]
pub struct Message {
    /// By whom.
    pub from: usize,
    /// To whom; not known while the other end has not been heard of.
    pub to: Option<usize>,
    /// When it was sent.
    pub sent_us: u64,
    /// When it came, or was lost.
    pub ended_us: Option<u64>,
    /// What became of it.
    pub fate: Fate,
    /// Whether its receiver had all of it before.
    pub is_doubled: bool,
    /// What kind it is of.
    pub weight: Weight,
    /// What it says.
    pub words: String,
    /// Which partitions it is about; none if it is about the node, or about many.
    pub partitions: Vec<usize>,
    /// Its bytes.
    bytes: u64,
    /// What it carries, for finding out that it has come before.
    carries: Vec<u64>,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is under way.
    Flying,
    /// It came.
    Came,
    /// It did not.
    Lost,
}

/// How much a message means to who looks for a bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// That its sender lives.
    Sign,
    /// That something came.
    Answer,
    /// Something new.
    Content,
    /// Who leads.
    Vote,
}

impl Notable for Message {
    fn is_notable(&self) -> bool {
        self.weight == Weight::Vote
            || self.weight > Weight::Answer && self.fate == Fate::Lost
            || self.is_doubled
    }
}

impl Default for Messages {
    fn default() -> Messages {
        Messages {
            links: BTreeMap::new(),
            dialled: BTreeMap::new(),
            wires: BTreeMap::new(),
            over: Over { signs: Strip::new(SIGNS, 0), others: Strip::new(NEWEST, OLDER) },
            seen: BTreeSet::new(),
            seen_in_order: VecDeque::new(),
        }
    }
}

impl Messages {
    /// A node dials another.
    pub fn dials(&mut self, site: usize, link: LinkId, to: usize) {
        self.dialled.insert((site, link), to);
    }

    /// A node has a link.
    pub fn opened(&mut self, site: usize, link: LinkId, kind: &LinkKind) {
        let LinkKind::Peer { nonce, .. } = kind else { return };
        let (wire, side) = end_of(nonce);
        self.links.insert((site, link), (wire, side));
        let sites = &mut self.wires.entry(wire).or_default().sites;
        sites[side.index()] = Some(site);
        let other = &mut sites[side.other().index()];
        *other = other.or(self.dialled.remove(&(site, link)));
    }

    /// A node sends on a link.
    pub fn sent(&mut self, at_us: u64, site: usize, link: LinkId, parts: &[Bytes], replicas: &Replicas) {
        let Some((id, side)) = self.links.get(&(site, link)) else { return };
        let Some(wire) = self.wires.get_mut(id) else { return };
        let bytes = Bytes::from(parts.concat());
        if bytes.is_empty() {
            return;
        }
        let towards = side.other().index();
        let mut message = read(&bytes, site, replicas);
        message.sent_us = at_us;
        message.to = wire.sites[towards];
        if wire.is_gone[towards] {
            lose(message, at_us, &mut self.over);
        } else {
            wire.flying[towards].push_back(message);
        }
    }

    /// A node is given what came on a link.
    pub fn received(&mut self, at_us: u64, site: usize, link: LinkId, bytes: &[u8]) {
        let Some((id, side)) = self.links.get(&(site, link)) else { return };
        let Some(wire) = self.wires.get_mut(id) else { return };
        let flying = &mut wire.flying[side.index()];
        let digest = digest(bytes);
        let Some(place) = flying.iter().position(|message| message.bytes == digest) else { return };
        for lost in flying.drain(..place) {
            lose(lost, at_us, &mut self.over);
        }
        let mut message = flying.pop_front().expect("it was found there");
        message.to = Some(site);
        message.ended_us = Some(at_us);
        message.fate = Fate::Came;
        let carries = std::mem::take(&mut message.carries);
        message.is_doubled =
            !carries.is_empty() && carries.iter().all(|one| self.seen.contains(&(site, *one)));
        for one in carries {
            if self.seen.insert((site, one)) {
                self.seen_in_order.push_back((site, one));
            }
        }
        while self.seen_in_order.len() > SEEN_MAX {
            let oldest = self.seen_in_order.pop_front().expect("there are more than none");
            self.seen.remove(&oldest);
        }
        self.over.push(message);
    }

    /// A node's link is gone.
    pub fn closed(&mut self, at_us: u64, site: usize, link: LinkId) {
        self.dialled.remove(&(site, link));
        let Some((id, side)) = self.links.remove(&(site, link)) else { return };
        let Some(wire) = self.wires.get_mut(&id) else { return };
        wire.is_gone[side.index()] = true;
        let is_over = wire.is_gone == [true, true];
        for end in [side.index(), side.other().index()].into_iter().take(if is_over { 2 } else { 1 }) {
            let to = wire.sites[end];
            for mut message in std::mem::take(&mut wire.flying[end]) {
                message.to = message.to.or(to);
                lose(message, at_us, &mut self.over);
            }
        }
        if is_over {
            self.wires.remove(&id);
        }
    }

    /// A node's process ended, and its links with it.
    pub fn ended(&mut self, at_us: u64, site: usize) {
        let all = (site, LinkId(0))..=(site, LinkId(u64::MAX));
        let links: Vec<LinkId> = self.links.range(all).map(|((_, link), _)| *link).collect();
        links.into_iter().for_each(|link| self.closed(at_us, site, link));
    }

    /// What is under way, and the newest, newest first, but for signs of life.
    pub fn newest(&self) -> impl Iterator<Item = &Message> {
        let flying = self.wires.values().flat_map(|wire| wire.flying.iter().flatten());
        flying.chain(self.over.others.newest())
    }

    /// What is older and worth a look, newest first.
    pub fn older(&self) -> impl Iterator<Item = &Message> {
        self.over.others.older()
    }

    /// The newest signs of life, newest first.
    pub fn signs(&self) -> impl Iterator<Item = &Message> {
        self.over.signs.newest()
    }

    /// How many are not kept, signs of life not counted.
    pub fn left_out(&self) -> u64 {
        self.over.others.left_out()
    }
}

impl Over {
    fn push(&mut self, message: Message) {
        if message.weight == Weight::Sign { &mut self.signs } else { &mut self.others }.push(message);
    }
}

fn lose(message: Message, at_us: u64, over: &mut Over) {
    over.push(Message { ended_us: Some(at_us), fate: Fate::Lost, carries: Vec::new(), ..message });
}

/// A message as its sender hands it over.
fn read(bytes: &Bytes, from: usize, replicas: &Replicas) -> Message {
    let mut message = Message {
        from,
        to: None,
        sent_us: 0,
        ended_us: None,
        fate: Fate::Flying,
        is_doubled: false,
        weight: Weight::Sign,
        words: String::new(),
        partitions: Vec::new(),
        bytes: digest(bytes),
        carries: Vec::new(),
    };
    match parse(bytes.clone(), PROTOCOL_NEWEST + 1) {
        Ok(PeerBody::Raft(packed)) => {
            let pack = packed.parse().unwrap_or_default();
            pack.iter().for_each(|one| take_in(&mut message, one, replicas));
            let words_max = if message.weight == Weight::Sign { SIGN_WORDS_MAX } else { WORDS_MAX };
            for (number, one) in pack.iter().enumerate() {
                if message.words.len() > words_max {
                    let _ = write!(message.words, "; and {} more", pack.len() - number);
                    break;
                }
                read_out(&mut message.words, one, replicas);
            }
            message.partitions.sort_unstable();
            message.partitions.dedup();
            message.partitions.truncate(if message.partitions.len() > PARTITIONS_MAX {
                0
            } else {
                usize::MAX
            });
        }
        Ok(PeerBody::Alive(_)) => message.words.push_str("Alive"),
        Ok(body) => {
            message.weight = Weight::Content;
            if !is_of_a_new_link(&body) {
                message.carries.push(message.bytes);
            }
            let mut words = Short(String::new());
            // It ends with an error where the room does.
            let _ = write!(words, "{body:?}");
            message.words = words.0;
        }
        Err(error) => {
            message.weight = Weight::Content;
            message.words = format!("what no peer says: {error:?}");
        }
    }
    message.words = cut(message.words, BYTES_MAX);
    message
}

/// Whether peers say that whenever they have a link.
fn is_of_a_new_link(body: &PeerBody) -> bool {
    use PeerBody::{Found, Hello, IAm, Proof, Refused, WhoAreYou};
    matches!(body, Hello(_) | Found(_) | Proof(_) | Refused(_) | WhoAreYou(_) | IAm(_))
}

/// One message of a Raft group joins the others of its pack.
fn take_in(pack: &mut Message, one: &RaftMessage, replicas: &Replicas) {
    let kind = one.kind();
    let weight = match kind {
        RaftKind::Heartbeat | RaftKind::HeartbeatResponse => Weight::Sign,
        RaftKind::AppendResponse => Weight::Answer,
        RaftKind::Vote | RaftKind::VoteResponse | RaftKind::PreVote | RaftKind::PreVoteResponse => {
            Weight::Vote
        }
        RaftKind::Append | RaftKind::TimeoutNow | RaftKind::TransferWanted | RaftKind::Unknown => {
            Weight::Content
        }
    };
    pack.weight = pack.weight.max(weight);
    let partition = replicas.partition_of(ReplicaId(one.from));
    pack.partitions.extend(partition.map(|(number, _)| number));
    let carries_much = !one.entries.is_empty() || matches!(kind, RaftKind::Vote | RaftKind::TimeoutNow);
    if carries_much {
        let entries = one.entries.iter().map(|entry| digest(&entry.payload));
        let mut words = vec![one.from, one.to, one.kind as u64, one.term, one.log_term, one.index];
        words.extend(entries);
        pack.carries.push(hash(&words));
    }
}

fn read_out(words: &mut String, one: &RaftMessage, replicas: &Replicas) {
    let separator = if words.is_empty() { "" } else { "; " };
    let of = match replicas.partition_of(ReplicaId(one.from)) {
        Some((_, of)) => of.to_string(),
        None => format!("{}->{}", one.from, one.to),
    };
    let RaftMessage { term, index, commit, .. } = one;
    let _ = write!(words, "{separator}{:?} {of} term {term} index {index} commit {commit}", one.kind());
    if !one.entries.is_empty() {
        let _ = write!(words, " +{}", one.entries.len());
    }
    if one.reject {
        words.push_str(" REJECT");
    }
}

fn digest(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let words = words.iter().map(|word| u64::from_le_bytes(*word));
    words
        .chain([u64::from_le_bytes(last), bytes.len() as u64])
        .fold(0, |sum, word| (u64::rotate_left(sum, 5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95))
}

/// Takes the beginning of what is written.
struct Short(String);

impl Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.push_str(text);
        if self.0.len() > WORDS_MAX { Err(fmt::Error) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rust_mq_core::event::Nonce;
    use rust_mq_core::link::LaneKind;
    use rust_mq_proto::peer::message::SnapshotWanted;

    fn open(messages: &mut Messages, site: usize, link: u64, is_accepter: bool) {
        let mut nonce = Nonce::default();
        nonce.0[7] = 9;
        nonce.0[8] = u8::from(is_accepter);
        messages.opened(site, LinkId(link), &LinkKind::Peer { lane: LaneKind::Raft, nonce });
    }

    fn pair() -> (Messages, Replicas) {
        let mut messages = Messages::default();
        open(&mut messages, 0, 1, false);
        open(&mut messages, 1, 0, true);
        (messages, Replicas::new(2))
    }

    fn question(id: u64) -> Bytes {
        let body = PeerBody::SnapshotWanted(SnapshotWanted { id, ..SnapshotWanted::default() });
        Bytes::from(body.into_parts(PROTOCOL_NEWEST).concat())
    }

    #[test]
    fn what_was_sent_before_and_did_not_come_is_lost() {
        let (mut messages, replicas) = pair();
        for id in 1..=3 {
            messages.sent(id * 10, 0, LinkId(1), &[question(id)], &replicas);
        }
        messages.received(40, 1, LinkId(0), &question(2));
        messages.ended(50, 1);
        let ends: Vec<_> = messages.newest().map(|one| (one.sent_us, one.fate, one.ended_us)).collect();
        assert_eq!(
            ends,
            [(30, Fate::Lost, Some(50)), (20, Fate::Came, Some(40)), (10, Fate::Lost, Some(40))]
        );
        messages.sent(60, 0, LinkId(1), &[question(4)], &replicas);
        let last = messages.newest().next().expect("four were sent");
        assert_eq!((last.fate, last.to), (Fate::Lost, Some(1)), "nobody is there any more");
    }

    #[test]
    fn what_comes_a_second_time_is_doubled() {
        let (mut messages, replicas) = pair();
        for (at_us, id) in [(10, 1), (20, 1), (30, 2)] {
            messages.sent(at_us, 0, LinkId(1), &[question(id)], &replicas);
            messages.received(at_us + 5, 1, LinkId(0), &question(id));
        }
        assert_eq!(messages.newest().map(|one| one.is_doubled).collect::<Vec<_>>(), [false, true, false]);
    }
}
