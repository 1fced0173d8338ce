//! One connection between two places: two flows of ordered pieces, each with a window and credit.
//!
//! A piece waits in its sender's buffer (`unsent`) until the window has room, flies, arrives, and is taken by
//! the receiver within its credit. A stream's pieces may be cut anywhere when taken; a message is taken whole.
//!
//! Invariant: taken bytes of a stream <= allowed bytes (law 6); pieces are taken in the order they were sent
//! (law 5); with the wire, the rest is lost as a whole.

use crate::clock::Moment;
use crate::dice::Key;
use bytes::BytesMut;
use rust_mq_core::event::CloseReason;
use rust_mq_core::link::LaneKind;
use std::collections::VecDeque;

/// Tells the throws for what is taken from those for what is sent.
const TAKES: u64 = 1 << 62;

/// Names a wire for the whole run.
pub type WireId = u64;

/// What a wire carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireKind {
    /// A Kafka client's byte stream.
    Kafka,
    /// A lane between two nodes: whole messages.
    Peer(LaneKind),
}

/// Whose end it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A simulated site, in one life of its process.
    Site {
        /// Which site.
        site: usize,
        /// Which start of its process.
        boot: u32,
    },
    /// A simulated client.
    Client(usize),
}

/// Which end: who dialled, or who accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// Who dialled.
    Dialler,
    /// Who accepted.
    Accepter,
}

/// What travels.
#[derive(Clone, Debug)]
pub enum Piece {
    /// Part of a stream, or a message.
    Bytes(BytesMut),
    /// The sender closed after all it had sent.
    Fin,
    /// The sender broke off: what has arrived and is not taken is lost too.
    Reset,
}

/// What a receiver gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Bytes: a cut of a stream, or one message.
    Bytes(BytesMut),
    /// The end of the wire.
    End(CloseReason),
}

/// One direction of a wire.
#[derive(Clone, Debug, Default)]
pub struct Flow {
    /// In the sender's buffer.
    pub unsent: VecDeque<BytesMut>,
    /// On the way, in order.
    pub flying: VecDeque<(Moment, Piece)>,
    /// At the receiver, in order.
    pub arrived: VecDeque<Piece>,
    /// Bytes that are flying or arrived.
    pub outstanding: u64,
    /// What the receiver may still be given.
    pub credit: i64,
    /// Pieces that came to a cut and wait for it to heal.
    pub held: u32,
    /// Some of it was lost: nothing arrives any more.
    pub is_swallowed: bool,
    /// The receiver knows that there is something to take.
    pub is_announced: bool,
    /// The sender wants to close once `unsent` is empty.
    pub is_closing: bool,
    /// How many pieces were sent: numbers the dice.
    pub sent: u64,
    /// How often some of it was taken: numbers the dice too.
    pub taken: u64,
    /// When the newest piece arrives.
    pub latest: Moment,
}

/// A connection.
#[derive(Clone, Debug)]
pub struct Wire {
    /// What it carries.
    pub kind: WireKind,
    /// The two places, dialler first.
    pub places: [Place; 2],
    /// Which of the two ends are open.
    pub is_open: [bool; 2],
    /// Whether the accepter has answered.
    pub is_up: bool,
    /// Whether the dial was for another place.
    pub is_stray: bool,
    /// `flows[side]` runs towards that side.
    pub flows: [Flow; 2],
    /// Its dice.
    pub key: Key,
}

impl Side {
    /// As an index.
    pub fn index(self) -> usize {
        match self {
            Side::Dialler => 0,
            Side::Accepter => 1,
        }
    }

    /// The other end.
    pub fn other(self) -> Side {
        match self {
            Side::Dialler => Side::Accepter,
            Side::Accepter => Side::Dialler,
        }
    }
}

impl Place {
    /// Whether it is that process.
    pub fn is_process(self, site: usize, boot: u32) -> bool {
        self == Place::Site { site, boot }
    }
}

impl Wire {
    /// A wire that is being dialled.
    pub fn new(kind: WireKind, dialler: Place, accepter: Place, key: Key) -> Wire {
        Wire {
            kind,
            places: [dialler, accepter],
            is_open: [true, true],
            is_up: false,
            is_stray: false,
            flows: [Flow::default(), Flow::default()],
            key,
        }
    }

    /// Gives `side` what it may have now. Precondition: its end is open.
    ///
    /// Where a stream is cut is thrown for each time by itself: a longer answer on one wire, or one more on another,
    /// moves no cut of those behind it.
    pub fn take(&mut self, side: Side, cut_max: u64) -> Option<Taken> {
        let flow = &mut self.flows[side.index()];
        let mut dice = self.key.throw(TAKES | (flow.taken * 2 + side.index() as u64));
        match flow.arrived.front_mut()? {
            Piece::Fin => Some(Taken::End(CloseReason::Remote)),
            Piece::Reset => Some(Taken::End(CloseReason::Failed)),
            Piece::Bytes(_) if flow.credit <= 0 => None,
            Piece::Bytes(bytes) => {
                let len = bytes.len() as u64;
                let most = match self.kind {
                    WireKind::Peer(_) => len,
                    WireKind::Kafka => {
                        // Not every read is short, or a slow run would be all that this brings.
                        let cut = if dice.below(16) == 0 { cut_max.max(1) } else { len };
                        len.min(flow.credit.unsigned_abs()).min(cut)
                    }
                };
                let size = if most < len && dice.coin() { 1 + dice.below(most) } else { most };
                let piece = bytes.split_to(size as usize);
                flow.taken += 1;
                if size == len {
                    flow.arrived.pop_front();
                }
                flow.credit -= size as i64;
                flow.outstanding -= size;
                Some(Taken::Bytes(piece))
            }
        }
    }

    /// Whether `take` would give something.
    pub fn is_ready(&self, side: Side) -> bool {
        let flow = &self.flows[side.index()];
        match flow.arrived.front() {
            None => false,
            Some(Piece::Bytes(_)) => flow.credit > 0,
            Some(Piece::Fin | Piece::Reset) => true,
        }
    }

    /// The end `side` is closed: nothing goes to it any more.
    pub fn close_end(&mut self, side: Side) {
        self.is_open[side.index()] = false;
        let flow = &mut self.flows[side.index()];
        flow.arrived.clear();
        flow.unsent.clear();
        flow.outstanding = 0;
    }
}
