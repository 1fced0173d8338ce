//! A client's connections, one a site: requests framed, answers matched in order, deaths noticed.
//!
//! Invariant: answers come in the order of their requests; anything else is a breach.

use super::Street;
use super::chance::version;
use super::hearsay::{ANSWER_BUDGET, is_out_of_time, made, promised};
use super::produced::Part;
use super::purpose::{Answered, Overheard, Purpose};
use super::shunned::Shunned;
use crate::claims::c09_lookups_are_exact::Stand;
use crate::claims::c20_never_panics;
use crate::claims::ledger::Shelf;
use crate::clock::{Moment, SECOND};
use crate::dice::{Dice, Root};
use crate::network::{Spot, Told};
use crate::wire::{Place, Side, Taken, WireId, WireKind};
use bytes::{Bytes, BytesMut};
use rust_mq_proto::kafka::api::api_versions::ApiVersionsRequest;
use rust_mq_proto::kafka::api::{ApiKey, ResponseBody};
use rust_mq_proto::kafka::{Reader, Request, Writer, read_response_start, write_request};
use std::collections::{BTreeMap, VecDeque};

/// How a client uses its connections.
#[derive(Clone, Copy, Debug)]
pub struct Manners {
    /// It reads what it is answered.
    pub reads: bool,
    /// It asks for the versions first.
    pub asks_versions: bool,
    /// It speaks the newest version of everything.
    pub is_newest: bool,
    /// Its first request has the number after that: who has connections of several kinds counts each apart.
    pub numbered_from: i32,
}

/// All connections of a client.
#[derive(Debug)]
pub struct Connections {
    client: usize,
    open: BTreeMap<usize, Connection>,
    versions: BTreeMap<ApiKey, i16>,
    correlation: i32,
    manners: Manners,
    /// No dial to a site before then.
    not_before: Vec<Moment>,
    shunned: Shunned,
    /// Bytes that came in answer to fetches.
    fetched_bytes: u64,
}

#[derive(Debug)]
struct Connection {
    wire: WireId,
    is_up: bool,
    waiting: Vec<Vec<Bytes>>,
    pending: VecDeque<Pending>,
    inbound: BytesMut,
    /// What the broker has sent and was not looked through yet.
    overheard: BytesMut,
    dialled_at: Moment,
    /// When anything last came.
    heard_at: Moment,
    is_raw: bool,
}

#[derive(Debug)]
struct Pending {
    correlation: i32,
    key: ApiKey,
    version: i16,
    purpose: Purpose,
    asked_at: Moment,
}

impl Connections {
    /// None yet. A client speaks one drawn version of each API, but for an auditor, who speaks the newest.
    pub fn new(client: usize, sites: usize, root: Root, manners: Manners) -> Connections {
        let least = if manners.is_newest { i16::MAX } else { 0 };
        let versions = ApiKey::served().map(|key| (key, version(root, client, key, least))).collect();
        Connections {
            client,
            open: BTreeMap::new(),
            versions,
            correlation: manners.numbered_from,
            manners,
            not_before: vec![Moment(0); sites],
            shunned: Shunned::default(),
            fetched_bytes: 0,
        }
    }

    /// Any site, but none that is shunned as long as there are others.
    pub fn anyone(&self, dice: &mut Dice) -> usize {
        self.shunned.anyone(self.not_before.len(), dice)
    }

    /// The version it speaks.
    pub fn version(&self, key: ApiKey) -> i16 {
        self.versions[&key]
    }

    /// Bytes that came in answer to fetches.
    pub fn fetched_bytes(&self) -> u64 {
        self.fetched_bytes
    }

    /// Requests that those of the sites that `counts` says have not answered.
    pub fn pending(&self, counts: impl Fn(usize) -> bool) -> usize {
        let counted = self.open.iter().filter(|(site, _)| counts(**site));
        counted.map(|(_, connection)| connection.pending.len()).sum()
    }

    /// Sends a request, dialling first if need be. False if the site was tried a moment ago.
    pub fn request<R: Request>(
        &mut self,
        site: usize,
        body: &R,
        purpose: Purpose,
        street: &mut Street<'_>,
    ) -> bool {
        self.request_in(site, self.version_of::<R>(), body, purpose, street)
    }

    /// The same in that version.
    pub fn request_in<R: Request>(
        &mut self,
        site: usize,
        version: i16,
        body: &R,
        purpose: Purpose,
        street: &mut Street<'_>,
    ) -> bool {
        let Some((frame, pending)) = self.frame((site, version), body, purpose, street) else { return false };
        self.hand_over(site, frame, pending, street);
        true
    }

    /// Whether it has that wire.
    pub fn has(&self, wire: WireId) -> bool {
        self.site_of(wire).is_some()
    }

    /// The site that a wire of its goes to.
    pub fn site_of(&self, wire: WireId) -> Option<usize> {
        self.open.iter().find(|(_, connection)| connection.wire == wire).map(|(site, _)| *site)
    }

    /// Whether a site has nothing to answer.
    pub fn is_idle(&self, site: usize) -> bool {
        self.open.get(&site).is_none_or(|connection| connection.pending.is_empty())
    }

    /// Whether there is a connection to a site, and whether it stands.
    pub fn stands(&self, site: usize) -> Option<bool> {
        self.open.get(&site).map(|connection| connection.is_up)
    }

    /// Hangs up on one site, whatever it has not answered.
    pub fn hang_up_on(&mut self, site: usize, street: &mut Street<'_>) {
        if let Some(connection) = self.open.get(&site) {
            street.network.abort(street.schedule, connection.wire, Side::Dialler, street.marks);
            self.forget(site, street);
        }
    }

    /// Sends batches that get no answer.
    pub fn tell<R: Request>(
        &mut self,
        site: usize,
        body: &R,
        parts: &[Part],
        street: &mut Street<'_>,
    ) -> bool {
        let way = (site, self.version_of::<R>());
        let Some((frame, _)) = self.frame(way, body, Purpose::Nothing, street) else { return false };
        let connection = self.open.get_mut(&site).expect("dialled before it is framed");
        parts.iter().for_each(|part| street.ledger.leaves(part.batch, connection.wire));
        connection.waiting.push(frame);
        flush(connection, street);
        true
    }

    /// Sends the first part of a request and breaks the connection off.
    pub fn die_within<R: Request>(
        &mut self,
        site: usize,
        body: &R,
        dice: &mut Dice,
        street: &mut Street<'_>,
    ) -> Vec<Answered> {
        let way = (site, self.version_of::<R>());
        let Some((frame, _)) = self.frame(way, body, Purpose::Nothing, street) else { return Vec::new() };
        if !self.open[&site].is_up {
            return Vec::new();
        }
        street.marks.hit("client.died_within_a_request");
        let mut whole = BytesMut::new();
        frame.iter().for_each(|part| whole.extend_from_slice(part));
        whole.truncate(dice.index(whole.len()));
        let wire = self.open[&site].wire;
        street.network.send(street.schedule, wire, Side::Dialler, &[whole.freeze()]);
        if dice.coin() {
            // Closed in order: the broker gets what was sent.
            street.network.close(street.schedule, wire, Side::Dialler);
        } else {
            street.network.abort(street.schedule, wire, Side::Dialler, street.marks);
        }
        self.forget(site, street)
    }

    /// Sends bytes that need not be a request.
    pub fn send_raw(&mut self, site: usize, bytes: Bytes, street: &mut Street<'_>) {
        if !self.dial(site, street) {
            return;
        }
        let connection = self.open.get_mut(&site).expect("just dialled");
        connection.is_raw = true;
        connection.pending.clear();
        connection.waiting.push(vec![bytes]);
        flush(connection, street);
    }

    /// Something about a wire of ours, but not that it can be read.
    pub fn told(&mut self, wire: WireId, what: Told, street: &mut Street<'_>) -> Vec<Answered> {
        let Some(site) = self.site_of(wire) else { return Vec::new() };
        match what {
            Told::Opened(_) => {
                let connection = self.open.get_mut(&site).expect("just found");
                connection.is_up = true;
                if self.manners.reads {
                    street.network.allow(wire, Side::Dialler, u64::MAX >> 2);
                }
                flush(connection, street);
                Vec::new()
            }
            Told::Ready | Told::Sent(_) => Vec::new(),
            Told::Closed(_) => self.died(site, street),
        }
    }

    /// Reads what a wire has, answer by answer.
    pub fn read(&mut self, wire: WireId, street: &mut Street<'_>) -> Vec<Answered> {
        let Some(site) = self.site_of(wire) else { return Vec::new() };
        let mut answers = Vec::new();
        while let Some(taken) = street.network.take(street.schedule, wire, Side::Dialler) {
            match taken {
                // What damaged bytes are answered nobody can say.
                Taken::Bytes(_) if self.open[&site].is_raw => {}
                Taken::Bytes(bytes) => {
                    let connection = self.open.get_mut(&site).expect("open until it ends");
                    connection.heard_at = street.now();
                    self.shunned.speaks(site);
                    let next = connection.pending.front();
                    if next.is_some_and(|next| matches!(next.purpose, Purpose::Fetch { .. })) {
                        self.fetched_bytes += bytes.len() as u64;
                    }
                    if connection.inbound.is_empty() {
                        connection.inbound = bytes;
                    } else {
                        connection.inbound.extend_from_slice(&bytes);
                    }
                    if !self.match_answers(site, &mut answers, street) {
                        street.network.abort(street.schedule, wire, Side::Dialler, street.marks);
                        answers.extend(self.forget(site, street));
                        return answers;
                    }
                }
                Taken::End(_) => {
                    answers.extend(self.died(site, street));
                    return answers;
                }
            }
        }
        answers
    }

    /// Hears what a broker sends now, which the client will read later: batches acknowledged, with their offsets, for
    /// the check that looks a promise up when it leaves; topics made; and of an answer to a lookup, how the
    /// broker stands, as `stand` tells.
    pub fn overhear(
        &mut self,
        wire: WireId,
        parts: &[Bytes],
        stand: impl Fn(Shelf) -> Option<Stand>,
    ) -> Overheard {
        let mut overheard = Overheard::default();
        let Some(site) = self.site_of(wire) else { return overheard };
        let connection = self.open.get_mut(&site).expect("just found");
        parts.iter().for_each(|part| connection.overheard.extend_from_slice(part));
        while let Some((length, correlation)) = start_of(&connection.overheard) {
            if connection.overheard.len() < 4 + length {
                break;
            }
            let message = connection.overheard.split_to(4 + length).split_off(4);
            let asked = connection.pending.iter_mut().find(|pending| pending.correlation == correlation);
            let Some(pending) = asked else { continue };
            match &mut pending.purpose {
                Purpose::Lookups(asks) => {
                    asks.iter_mut().for_each(|ask| ask.said = stand(ask.shelf));
                }
                Purpose::Produce { parts } | Purpose::Guest { parts, .. } if !parts.is_empty() => {
                    overheard.promises.extend(promised(pending.key, pending.version, parts, message));
                }
                Purpose::Create(names) if !names.is_empty() => {
                    overheard.made.extend(made(pending.key, pending.version, message));
                }
                _ => {}
            }
        }
        overheard
    }

    /// Hangs up where an answer is overdue and nothing comes; the wire then tells that it is closed. A large answer
    /// on a slow way is no silence: to ask for it again would never end.
    pub fn hang_up_silent(&mut self, wait_max: u64, street: &mut Street<'_>) {
        let now = street.now();
        self.shunned.forgive(now);
        let overdue: Vec<(usize, WireId)> = self
            .open
            .iter()
            .filter(|(_, connection)| {
                let since = connection.pending.front().map_or(now, |pending| pending.asked_at);
                now.since(since.max(connection.dialled_at).max(connection.heard_at)) > wait_max
            })
            .map(|(site, connection)| (*site, connection.wire))
            .collect();
        for (site, wire) in overdue {
            street.marks.hit("client.gave_up_waiting");
            self.shunned.is_silent(site);
            street.network.abort(street.schedule, wire, Side::Dialler, street.marks);
        }
    }

    /// Hangs up everywhere.
    pub fn hang_up(&mut self, street: &mut Street<'_>) {
        for connection in self.open.values() {
            street.network.abort(street.schedule, connection.wire, Side::Dialler, street.marks);
        }
    }

    fn version_of<R: Request>(&self) -> i16 {
        self.versions[&ApiKey::parse(R::API.key).expect("every request has a key")]
    }

    fn frame<R: Request>(
        &mut self,
        (site, version): (usize, i16),
        body: &R,
        purpose: Purpose,
        street: &mut Street<'_>,
    ) -> Option<(Vec<Bytes>, Pending)> {
        if !self.dial(site, street) {
            return None;
        }
        let key = ApiKey::parse(R::API.key).expect("every request has a key");
        self.correlation += 1;
        let correlation = self.correlation;
        let mut writer = Writer::new();
        write_request(&mut writer, version, correlation, Some("sim"), body);
        let asked_at = street.now();
        Some((writer.take(), Pending { correlation, key, version, purpose, asked_at }))
    }

    fn hand_over(&mut self, site: usize, frame: Vec<Bytes>, mut pending: Pending, street: &mut Street<'_>) {
        let Pending { key, version, purpose, correlation, .. } = &pending;
        street.film.asks(self.client, site, *correlation, format_args!("{key} {version} {purpose:?}"));
        let connection = self.open.get_mut(&site).expect("dialled before it is framed");
        if let Purpose::Lookups(asks) = &mut pending.purpose {
            asks.iter_mut().for_each(|ask| ask.asked = street.stand(connection.wire, ask.shelf));
        }
        if let Purpose::Produce { parts } | Purpose::Guest { parts, .. } = &pending.purpose {
            parts.iter().for_each(|part| street.ledger.leaves(part.batch, connection.wire));
        }
        connection.waiting.push(frame);
        connection.pending.push_back(pending);
        flush(connection, street);
    }

    fn dial(&mut self, site: usize, street: &mut Street<'_>) -> bool {
        if self.open.contains_key(&site) {
            return true;
        }
        if street.now() < self.not_before[site] {
            return false;
        }
        let from = Place::Client(self.client);
        let wire = street.network.dial(
            street.schedule,
            WireKind::Kafka,
            from,
            Spot::Site(site),
            street.listening[site],
        );
        let connection = Connection {
            wire,
            is_up: false,
            waiting: Vec::new(),
            pending: VecDeque::new(),
            inbound: BytesMut::new(),
            overheard: BytesMut::new(),
            dialled_at: street.now(),
            heard_at: street.now(),
            is_raw: false,
        };
        self.open.insert(site, connection);
        let hello = ApiVersionsRequest {
            client_software_name: "sim".into(),
            client_software_version: "1".into(),
            ..Default::default()
        };
        if self.manners.asks_versions
            && let Some((frame, pending)) =
                self.frame((site, self.version_of::<ApiVersionsRequest>()), &hello, Purpose::Versions, street)
        {
            self.hand_over(site, frame, pending, street);
        }
        true
    }

    fn died(&mut self, site: usize, street: &mut Street<'_>) -> Vec<Answered> {
        self.not_before[site] = street.now().after(SECOND / 20);
        let lost = self.forget(site, street);
        if !lost.is_empty() {
            self.shunned.closed(site, street.now());
        }
        lost
    }

    fn forget(&mut self, site: usize, street: &mut Street<'_>) -> Vec<Answered> {
        let Some(connection) = self.open.remove(&site) else { return Vec::new() };
        street.film.hung_up(self.client, site);
        let was_sent = connection.is_up;
        let lost = |pending: Pending| Answered { purpose: pending.purpose, body: None, was_sent };
        connection.pending.into_iter().map(lost).collect()
    }

    /// False if the broker does not speak as it should.
    fn match_answers(&mut self, site: usize, answers: &mut Vec<Answered>, street: &mut Street<'_>) -> bool {
        let connection = self.open.get_mut(&site).expect("open until it ends");
        while let Some(length) = connection.inbound.first_chunk::<4>() {
            let length = u32::from_be_bytes(*length) as usize;
            if connection.inbound.len() < 4 + length {
                return true;
            }
            let mut message = connection.inbound.split_to(4 + length).split_off(4);
            let Some(pending) = connection.pending.pop_front() else {
                let words = format!("site {site} answered what nobody asked");
                c20_never_panics::strange_answer(words, street.verdict);
                return false;
            };
            let api = pending.key.api();
            let mut reader = Reader::new(message.split(), ANSWER_BUDGET);
            let correlation = read_response_start(&mut reader, api, pending.version);
            let body = ResponseBody::decode(pending.key, pending.version, &mut reader);
            match (correlation, body) {
                (Ok(correlation), Ok(body)) if correlation == pending.correlation => {
                    street.marks.spoke(pending.key, pending.version);
                    street.film.answered(self.client, correlation, &body);
                    if is_out_of_time(&body) {
                        self.shunned.is_helpless(site, street.now());
                    }
                    answers.push(Answered { purpose: pending.purpose, body: Some(body), was_sent: true });
                }
                (correlation, body) => {
                    let body = body.map(|_| "decodes");
                    let words = format!(
                        "site {site} answered {} {} with correlation {correlation:?} for {}, body {body:?}",
                        pending.key, pending.version, pending.correlation
                    );
                    c20_never_panics::strange_answer(words, street.verdict);
                    return false;
                }
            }
        }
        true
    }
}

fn start_of(bytes: &[u8]) -> Option<(usize, i32)> {
    let length = u32::from_be_bytes(*bytes.first_chunk::<4>()?) as usize;
    let correlation = i32::from_be_bytes(*bytes.get(4..)?.first_chunk::<4>()?);
    Some((length, correlation))
}

fn flush(connection: &mut Connection, street: &mut Street<'_>) {
    if !connection.is_up {
        return;
    }
    for frame in connection.waiting.drain(..) {
        street.network.send(street.schedule, connection.wire, Side::Dialler, &frame);
    }
}
