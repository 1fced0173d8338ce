//! The network: wires between places, latency, windows, cuts and breaks.
//!
//! A wire is ordered and loses nothing while it lives, as TCP does; loss, reordering and duplicates come from
//! wires that break and are dialled again. A cut direction holds what comes to it; the wire breaks, for each of
//! its ends at a moment of its own, unless the cut heals first.
//!
//! It keeps no time: it asks the world's `Schedule` for later calls (`Happening::Arrive` and so on) and says
//! what concerns a place through `signals`, which the world drains after each call.
//!
//! Law 10 (odd and even link ids) is the node's side, not the network's.

mod cuts;
mod links;

pub use links::LinkWeather;
use rust_mq_core::link::LaneKind;

use crate::clock::{MILLI, SECOND};
use crate::dice::{Dice, Key, Root};
use crate::marks::Marks;
use crate::schedule::{Happening, Schedule};
use crate::wire::{Flow, Piece, Place, Side, Taken, Wire, WireId, WireKind};
use bytes::{Bytes, BytesMut};
use rust_mq_core::event::CloseReason;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is sent takes the time of whole packets. So an answer that grows by a few bytes, as that to ApiVersions does with
/// every API, and a hello with every kind of message, comes when it came before, and no run changes for it.
const PACKET_BYTES: u64 = 1024;

/// A site or a client, whatever process runs on it: what a cut is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Spot {
    /// A site.
    Site(usize),
    /// A client.
    Client(usize),
}

/// How fast the network is, and how it hands over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weather {
    /// Least latency.
    pub latency_min_ns: u64,
    /// Mean of what is added to it.
    pub latency_mean_ns: u64,
    /// Pieces of a million that are late by up to a second.
    pub late_ppm: u64,
    /// Time of a byte, in picoseconds.
    pub byte_ps: u64,
    /// Bytes that may fly or wait at the receiver, one direction of a wire.
    pub window_bytes: u64,
    /// Streams are cut into pieces of at most so many bytes.
    pub cut_max: u64,
}

/// What a place is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// Who.
    pub place: Place,
    /// About which wire.
    pub wire: WireId,
    /// At which of its ends.
    pub side: Side,
    /// What.
    pub what: Told,
}

/// What a place is told about a wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// It is up.
    Opened(WireKind),
    /// There is something to take.
    Ready,
    /// So many bytes left the sender's buffer.
    Sent(u64),
    /// It is gone.
    Closed(CloseReason),
}

/// All wires.
#[derive(Debug)]
pub struct Network {
    wires: BTreeMap<WireId, Wire>,
    wires_made: u64,
    cuts: BTreeMap<(Spot, Spot), u32>,
    weather: Weather,
    /// Directions with a weather of their own.
    links: BTreeMap<(Spot, Spot, Option<LaneKind>), Weather>,
    signals: Vec<Signal>,
    wire_key: Key,
}

impl Place {
    /// Where it is.
    pub fn spot(self) -> Spot {
        match self {
            Place::Site { site, .. } => Spot::Site(site),
            Place::Client(client) => Spot::Client(client),
        }
    }
}

impl Network {
    /// A network without wires.
    pub fn new(root: Root, weather: Weather, links: &[LinkWeather]) -> Network {
        let links = links.iter().map(|link| ((link.from, link.to, link.lane), link.weather));
        Network {
            links: links.collect(),
            wires: BTreeMap::new(),
            wires_made: 0,
            cuts: BTreeMap::new(),
            weather,
            signals: Vec::new(),
            wire_key: root.key("wire", &[]),
        }
    }

    /// Dials. `accepter` is `None` where nothing listens there now; it need not be at the place that was dialled.
    pub fn dial(
        &mut self,
        schedule: &mut Schedule,
        kind: WireKind,
        from: Place,
        to: Spot,
        accepter: Option<Place>,
    ) -> WireId {
        let dialled = to;
        let to = accepter.map_or(dialled, Place::spot);
        self.wires_made += 1;
        let id = self.wires_made;
        let mut throw = self.wire_key.throw(id);
        let key = Root(throw.word()).key("pieces", &[]);
        let is_cut = self.is_cut(from.spot(), to) || self.is_cut(to, from.spot());
        let weather = self.weather_from(from.spot(), to, kind);
        let reach = latency(weather, &mut throw);
        let Some(accepter) = accepter.filter(|_| !is_cut) else {
            // Nothing listens: refused after a round trip. No way there: the dial times out.
            let wait =
                if is_cut { SECOND + throw.below(2 * SECOND) } else { reach + latency(weather, &mut throw) };
            let wire = Wire::new(kind, from, from, key);
            self.wires.insert(id, wire);
            schedule.after(wait, Happening::Break { wire: id, side: Side::Dialler, is_forced: true });
            return id;
        };
        let mut wire = Wire::new(kind, from, accepter, key);
        wire.is_stray = to != dialled;
        self.wires.insert(id, wire);
        schedule.after(reach, Happening::Reach { wire: id });
        id
    }

    /// Who dialled.
    pub fn dialler(&self, id: WireId) -> Option<Place> {
        self.wires.get(&id).map(|wire| wire.places[0])
    }

    /// Whom a dial is for.
    pub fn accepter(&self, id: WireId) -> Option<Place> {
        self.wires.get(&id).map(|wire| wire.places[1])
    }

    /// A dial has come to the accepter. `is_alive`: the process that listened still runs.
    pub fn reach(&mut self, schedule: &mut Schedule, id: WireId, is_alive: bool) {
        let Some(wire) = self.wires.get_mut(&id) else { return };
        if !wire.is_open[0] {
            self.wires.remove(&id);
            return;
        }
        let mut throw = wire.key.throw(u64::MAX);
        let (from, to) = (wire.places[0], wire.places[1]);
        let kind = wire.kind;
        if !is_alive {
            wire.close_end(Side::Accepter);
            let wait = latency(self.weather, &mut throw);
            schedule.after(wait, Happening::Break { wire: id, side: Side::Dialler, is_forced: true });
            return;
        }
        wire.is_up = true;
        self.signals.push(Signal { place: to, wire: id, side: Side::Accepter, what: Told::Opened(kind) });
        let wait = latency(self.weather_from(to.spot(), from.spot(), kind), &mut throw);
        schedule.after(wait, Happening::Answer { wire: id });
        let wire = &mut self.wires.get_mut(&id).expect("looked up above");
        for side in [Side::Dialler, Side::Accepter] {
            // Nothing sent by the accepter overtakes the answer to the dial.
            wire.flows[side.index()].latest = schedule.now().after(wait);
        }
        if self.is_cut(from.spot(), to.spot()) || self.is_cut(to.spot(), from.spot()) {
            self.doom(schedule, id);
        }
    }

    /// The answer to a dial has come back.
    pub fn answer(&mut self, id: WireId) {
        let Some(wire) = self.wires.get(&id).filter(|wire| wire.is_open[0]) else { return };
        let what = Told::Opened(wire.kind);
        self.signals.push(Signal { place: wire.places[0], wire: id, side: Side::Dialler, what });
    }

    /// Sends from `side` to the other; on a peer's lane the parts are one message.
    pub fn send(&mut self, schedule: &mut Schedule, id: WireId, side: Side, parts: &[Bytes]) {
        let Some(wire) = self.wires.get_mut(&id).filter(|wire| wire.is_open[side.index()]) else { return };
        let flow = &mut wire.flows[side.other().index()];
        if flow.is_closing {
            return;
        }
        let mut bytes = BytesMut::with_capacity(parts.iter().map(Bytes::len).sum());
        parts.iter().for_each(|part| bytes.extend_from_slice(part));
        if !bytes.is_empty() {
            flow.unsent.push_back(bytes);
        }
        self.pump(schedule, id, side);
    }

    /// Lets more bytes come to `side`.
    pub fn allow(&mut self, id: WireId, side: Side, bytes: u64) {
        let Some(wire) = self.wires.get_mut(&id).filter(|wire| wire.is_open[side.index()]) else { return };
        let flow = &mut wire.flows[side.index()];
        flow.credit = flow.credit.saturating_add(i64::try_from(bytes).unwrap_or(i64::MAX));
        self.announce(id, side);
    }

    /// The credit of `side`, while it is open.
    pub fn credit(&self, id: WireId, side: Side) -> Option<i64> {
        self.wires
            .get(&id)
            .filter(|wire| wire.is_open[side.index()])
            .map(|wire| wire.flows[side.index()].credit)
    }

    /// Bytes that `side` has handed over and that have not left its buffer.
    pub fn unsent_bytes(&self, id: WireId, side: Side) -> u64 {
        let Some(wire) = self.wires.get(&id) else { return 0 };
        wire.flows[side.other().index()].unsent.iter().map(|piece| piece.len() as u64).sum()
    }

    /// Closes `side` after all it has sent.
    pub fn close(&mut self, schedule: &mut Schedule, id: WireId, side: Side) {
        let Some(wire) = self.wires.get_mut(&id).filter(|wire| wire.is_open[side.index()]) else { return };
        wire.flows[side.other().index()].is_closing = true;
        self.pump(schedule, id, side);
    }

    /// Breaks `side` off at once; the other end may lose what was under way.
    pub fn abort(&mut self, schedule: &mut Schedule, id: WireId, side: Side, marks: &mut Marks) {
        let Some(wire) = self.wires.get(&id).filter(|wire| wire.is_open[side.index()]) else { return };
        let place = wire.places[side.index()];
        self.break_off(schedule, id, side, marks);
        self.signals.push(Signal { place, wire: id, side, what: Told::Closed(CloseReason::Asked) });
    }

    /// A process ended: its ends are gone. Its site still answers for it, unless the power is off too.
    pub fn end_process(
        &mut self,
        schedule: &mut Schedule,
        site: usize,
        boot: u32,
        is_power_off: bool,
        marks: &mut Marks,
    ) {
        let ids: Vec<(WireId, Side)> = self
            .wires
            .iter()
            .flat_map(|(id, wire)| [(*id, wire, Side::Dialler), (*id, wire, Side::Accepter)])
            .filter(|(_, wire, side)| {
                wire.is_open[side.index()] && wire.places[side.index()].is_process(site, boot)
            })
            .map(|(id, _, side)| (id, side))
            .collect();
        for (id, side) in ids {
            if !is_power_off {
                self.break_off(schedule, id, side, marks);
                continue;
            }
            let Some(wire) = self.wires.get_mut(&id) else { continue };
            wire.close_end(side);
            wire.flows[side.other().index()].unsent.clear();
            let wait = 100 * MILLI + wire.key.throw(u64::MAX - 1).below(2 * SECOND);
            schedule.after(wait, Happening::Break { wire: id, side: side.other(), is_forced: true });
        }
    }

    /// Something comes to `side`.
    pub fn arrive(&mut self, schedule: &mut Schedule, id: WireId, side: Side, marks: &mut Marks) {
        let Some(wire) = self.wires.get_mut(&id) else { return };
        let (to, from) = (wire.places[side.index()].spot(), wire.places[side.other().index()].spot());
        if self.cuts.contains_key(&(from, to)) {
            wire.flows[side.index()].held += 1;
            marks.hit("network.cut_held_a_piece");
            return;
        }
        if wire.flows[side.index()].is_swallowed {
            // Nothing behind a hole in a stream is ever delivered.
            marks.hit("network.lost_bytes_within_a_stream");
            return;
        }
        let Some((_, piece)) = wire.flows[side.index()].flying.pop_front() else { return };
        if !wire.is_open[side.index()] {
            // The receiver is gone: its site answers with a reset.
            if wire.is_open[side.other().index()] && matches!(piece, Piece::Bytes(_)) {
                let wait = self.weather.latency_min_ns;
                schedule.after(wait, Happening::Break { wire: id, side: side.other(), is_forced: true });
            }
            return;
        }
        let flow = &mut wire.flows[side.index()];
        if matches!(piece, Piece::Reset) {
            flow.arrived.clear();
        }
        flow.arrived.push_back(piece);
        self.announce(id, side);
    }

    /// Takes what `side` may have; the sender's buffer moves up.
    pub fn take(&mut self, schedule: &mut Schedule, id: WireId, side: Side) -> Option<Taken> {
        let cut_max = self.weather.cut_max;
        let wire = self.wires.get_mut(&id).filter(|wire| wire.is_open[side.index()])?;
        wire.flows[side.index()].is_announced = false;
        let taken = wire.take(side, cut_max)?;
        match &taken {
            Taken::Bytes(_) => {
                self.announce(id, side);
                self.pump(schedule, id, side.other());
            }
            Taken::End(_) => {
                wire.close_end(side);
                self.remove_if_dead(id);
            }
        }
        Some(taken)
    }

    /// An end gives up on its wire: forced, or because the way is cut.
    pub fn break_end(
        &mut self,
        schedule: &mut Schedule,
        id: WireId,
        side: Side,
        is_forced: bool,
        marks: &mut Marks,
    ) {
        let Some(wire) = self.wires.get_mut(&id) else { return };
        let (one, other) = (wire.places[0].spot(), wire.places[1].spot());
        let is_cut = self.cuts.contains_key(&(one, other)) || self.cuts.contains_key(&(other, one));
        if !wire.is_open[side.index()] {
            self.remove_if_dead(id);
            return;
        }
        // An accepter that a dial has not reached knows of none: it is the dialler that must be told.
        let is_unknown = side == Side::Accepter && !wire.is_up;
        if !is_forced && !is_cut || is_unknown {
            return;
        }
        let lost = wire.flows.iter().any(|flow| !flow.flying.is_empty() || !flow.unsent.is_empty());
        if is_cut && lost {
            marks.hit("network.cut_lost_messages");
        }
        let place = wire.places[side.index()];
        wire.close_end(side);
        wire.flows[side.other().index()].unsent.clear();
        if wire.is_open[side.other().index()] && wire.is_up {
            let wait = MILLI + wire.key.throw(u64::MAX - 3).below(3 * SECOND);
            schedule.after(wait, Happening::Break { wire: id, side: side.other(), is_forced: true });
        } else {
            wire.close_end(side.other());
        }
        self.signals.push(Signal { place, wire: id, side, what: Told::Closed(CloseReason::Failed) });
        self.remove_if_dead(id);
    }

    /// What places are to be told, since the last call.
    pub fn take_signals(&mut self) -> Vec<Signal> {
        std::mem::take(&mut self.signals)
    }

    /// How many wires there are.
    pub fn wires(&self) -> usize {
        self.wires.len()
    }

    /// The sending side breaks off: what was flying is lost from some piece on, then comes a reset.
    fn break_off(&mut self, schedule: &mut Schedule, id: WireId, side: Side, marks: &mut Marks) {
        let latency_min = self.weather.latency_min_ns;
        let Some(wire) = self.wires.get_mut(&id) else { return };
        wire.close_end(side);
        if !wire.is_up {
            return;
        }
        let mut throw = wire.key.throw(u64::MAX - 2);
        let flow = &mut wire.flows[side.other().index()];
        let kept = throw.index(flow.flying.len() + 1);
        if kept < flow.flying.len() || !flow.unsent.is_empty() {
            marks.hit("network.close_lost_messages");
        }
        flow.unsent.clear();
        // A held piece is among those that fly: what is lost was not held any more.
        flow.flying.truncate(kept.max(flow.held as usize));
        launch(flow, schedule, Piece::Reset, latency_min, 0, id, side.other());
        self.remove_if_dead(id);
    }

    fn remove_if_dead(&mut self, id: WireId) {
        if self.wires.get(&id).is_some_and(|wire| wire.is_open == [false, false]) {
            self.wires.remove(&id);
        }
    }

    fn announce(&mut self, id: WireId, side: Side) {
        let Some(wire) = self.wires.get_mut(&id) else { return };
        if wire.is_ready(side) && !wire.flows[side.index()].is_announced {
            wire.flows[side.index()].is_announced = true;
            let place = wire.places[side.index()];
            self.signals.push(Signal { place, wire: id, side, what: Told::Ready });
        }
    }

    /// Moves what `side` has sent from its buffer into the window, and closes it if it is done.
    fn pump(&mut self, schedule: &mut Schedule, id: WireId, side: Side) {
        let Some(wire) = self.wires.get(&id).filter(|wire| wire.is_open[side.index()]) else { return };
        let (from, to) = (wire.places[side.index()].spot(), wire.places[side.other().index()].spot());
        let weather = self.weather_from(from, to, wire.kind);
        let Some(wire) = self.wires.get_mut(&id) else { return };
        let is_stream = wire.kind == WireKind::Kafka;
        let key = wire.key;
        let flow = &mut wire.flows[side.other().index()];
        let mut left = 0;
        while flow.outstanding < weather.window_bytes
            && let Some(mut bytes) = flow.unsent.pop_front()
        {
            let room = weather.window_bytes - flow.outstanding;
            if is_stream && bytes.len() as u64 > room {
                // Half a window at least, as every TCP has it (RFC 1122, 4.2.3.4): a receiver of small reads would
                // else grind the stream down to pieces of some bytes, each with a latency of its own (seed 601396).
                if room * 2 < weather.window_bytes {
                    flow.unsent.push_front(bytes);
                    break;
                }
                flow.unsent.push_front(bytes.split_off(room as usize));
            }
            let len = bytes.len() as u64;
            left += len;
            flow.outstanding += len;
            let mut throw = key.throw(flow.sent * 2 + side.index() as u64);
            let latency = latency(weather, &mut throw);
            launch(
                flow,
                schedule,
                Piece::Bytes(bytes),
                latency,
                len.next_multiple_of(PACKET_BYTES) * weather.byte_ps / 1000,
                id,
                side.other(),
            );
        }
        let is_done = flow.is_closing && flow.unsent.is_empty();
        if is_done {
            launch(flow, schedule, Piece::Fin, weather.latency_min_ns, 0, id, side.other());
        }
        let place = wire.places[side.index()];
        if left > 0 {
            self.signals.push(Signal { place, wire: id, side, what: Told::Sent(left) });
        }
        if is_done {
            wire.close_end(side);
            self.signals.push(Signal { place, wire: id, side, what: Told::Closed(CloseReason::Asked) });
            self.remove_if_dead(id);
        }
    }
}

fn latency(weather: Weather, dice: &mut Dice) -> u64 {
    let base = weather.latency_min_ns + dice.exponential(weather.latency_mean_ns);
    if dice.chance(weather.late_ppm) { base + dice.below(SECOND) } else { base }
}

/// Puts a piece on its way: after the newest one, whatever its own latency.
fn launch(
    flow: &mut Flow,
    schedule: &mut Schedule,
    piece: Piece,
    latency_ns: u64,
    transfer_ns: u64,
    wire: WireId,
    side: Side,
) {
    flow.sent += 1;
    flow.latest = flow.latest.max(schedule.now().after(latency_ns)).after(transfer_ns);
    flow.flying.push_back((flow.latest, piece));
    schedule.at(flow.latest, Happening::Arrive { wire, side });
}
