//! Lanes between nodes: ordered messages, each link a wire with two ends. A cut holds everything back, silently,
//! as a network does; when a process dies its ends break, and the other side is told if it can be reached.

use bytes::{Bytes, BytesMut};
use rust_mq_core::event::{CloseReason, Event, LinkKind, Nonce};
use rust_mq_core::ids::LinkId;
use rust_mq_core::link::LaneKind;
use std::collections::{BTreeSet, VecDeque};

/// All wires, and what cuts them.
#[derive(Default)]
pub struct Wires {
    wires: Vec<Wire>,
    cut: BTreeSet<(i32, i32, LaneKind)>,
    /// Nonces given.
    nonces: u64,
}

struct Wire {
    lane: LaneKind,
    ends: [End; 2],
}

/// One end, and what flies towards it.
struct End {
    node: i32,
    link: LinkId,
    credit: i64,
    flying: VecDeque<Vec<u8>>,
    /// Nothing more comes: this is told after what flies.
    closing: Option<CloseReason>,
    is_gone: bool,
}

impl End {
    fn new(node: i32, link: LinkId) -> End {
        End { node, link, credit: 0, flying: VecDeque::new(), closing: None, is_gone: false }
    }
}

impl Wires {
    /// Nothing passes between the two any more, on one lane or on both.
    pub fn cut(&mut self, one: i32, other: i32, lane: Option<LaneKind>) {
        let lanes = [LaneKind::Raft, LaneKind::Bulk].into_iter();
        let cut = lanes.filter(|other| lane.is_none_or(|lane| lane == *other));
        self.cut.extend(cut.map(|lane| (one.min(other), one.max(other), lane)));
    }

    /// Everything passes again.
    pub fn heal(&mut self) {
        self.cut.clear();
    }

    /// Whether nothing passes between the two on that lane.
    pub fn is_cut(&self, one: i32, other: i32, lane: LaneKind) -> bool {
        self.cut.contains(&(one.min(other), one.max(other), lane))
    }

    /// A wire between two ends; both are told.
    pub fn connect(
        &mut self,
        from: (i32, LinkId),
        to: (i32, LinkId),
        lane: LaneKind,
        told: &mut Vec<(i32, Event)>,
    ) {
        self.wires.push(Wire { lane, ends: [End::new(from.0, from.1), End::new(to.0, to.1)] });
        for (node, link) in [from, to] {
            self.nonces += 1;
            let mut nonce = Nonce::default();
            nonce.0[..8].copy_from_slice(&self.nonces.to_be_bytes());
            told.push((node, Event::Opened { link, kind: LinkKind::Peer { lane, nonce } }));
        }
    }

    /// Whether this link of that node is a lane.
    pub fn owns(&self, node: i32, link: LinkId) -> bool {
        self.place(node, link).is_some()
    }

    /// A message leaves `node` on `link`.
    pub fn send(&mut self, node: i32, link: LinkId, parts: &[Bytes]) {
        if let Some((wire, end)) = self.place(node, link) {
            self.wires[wire].ends[1 - end].flying.push_back(parts.concat());
        }
    }

    /// That end takes more.
    pub fn allow(&mut self, node: i32, link: LinkId, bytes: u64) {
        if let Some((wire, end)) = self.place(node, link) {
            self.wires[wire].ends[end].credit += i64::try_from(bytes).expect("credit is small");
        }
    }

    /// That end is closed by its own node.
    pub fn close(&mut self, node: i32, link: LinkId, told: &mut Vec<(i32, Event)>) {
        if let Some((wire, end)) = self.place(node, link) {
            let ends = &mut self.wires[wire].ends;
            ends[end].is_gone = true;
            ends[1 - end].closing = Some(CloseReason::Remote);
            told.push((node, Event::Closed { link, why: CloseReason::Asked }));
        }
    }

    /// The process is gone, and its ends with it.
    pub fn process_ended(&mut self, node: i32) {
        for wire in &mut self.wires {
            for end in 0..2 {
                if wire.ends[end].node == node {
                    wire.ends[end].is_gone = true;
                    wire.ends[1 - end].closing = Some(CloseReason::Failed);
                }
            }
        }
    }

    /// Everything that can arrive arrives.
    pub fn deliver(&mut self, told: &mut Vec<(i32, Event)>) {
        for wire in &mut self.wires {
            let (one, other) = (wire.ends[0].node, wire.ends[1].node);
            if self.cut.contains(&(one.min(other), one.max(other), wire.lane)) {
                continue;
            }
            for to in 0..2 {
                wire.deliver(to, told);
            }
        }
        self.wires.retain(|wire| !wire.ends.iter().all(|end| end.is_gone));
    }

    fn place(&self, node: i32, link: LinkId) -> Option<(usize, usize)> {
        let is_it = |end: &End| end.node == node && end.link == link && !end.is_gone;
        self.wires
            .iter()
            .enumerate()
            .find_map(|(at, wire)| wire.ends.iter().position(is_it).map(|end| (at, end)))
    }
}

impl Wire {
    fn deliver(&mut self, to: usize, told: &mut Vec<(i32, Event)>) {
        if self.ends[to].is_gone {
            return;
        }
        while self.ends[to].credit > 0
            && let Some(message) = self.ends[to].flying.pop_front()
        {
            let bytes = message.len() as u64;
            self.ends[to].credit -= i64::try_from(bytes).expect("messages are small");
            let message = BytesMut::from(&message[..]);
            told.push((self.ends[to].node, Event::Received { link: self.ends[to].link, bytes: message }));
            let from = &self.ends[1 - to];
            if !from.is_gone {
                told.push((from.node, Event::Sent { link: from.link, bytes }));
            }
        }
        if self.ends[to].flying.is_empty()
            && let Some(why) = self.ends[to].closing
        {
            self.ends[to].is_gone = true;
            told.push((self.ends[to].node, Event::Closed { link: self.ends[to].link, why }));
        }
    }
}
