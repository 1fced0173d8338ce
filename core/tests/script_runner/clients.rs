//! Kafka clients: each has a connection to one node, sends requests and prints what it is answered.
//!
//! Invariant: answers come in the order of the requests, each with its correlation id; anything else is printed
//! as a breach, and differs from what was recorded.

use super::answer::{self, TopicNames};
use super::answer_groups;
use bytes::{Bytes, BytesMut};
use rust_mq_core::event::{CloseReason, Event, LinkKind};
use rust_mq_core::ids::LinkId;
use rust_mq_core::link::Address;
use rust_mq_proto::kafka::api::{ApiKey, RequestBody, ResponseBody};
use rust_mq_proto::kafka::{Reader, Writer, read_response_start};
use std::collections::VecDeque;

/// All connections.
#[derive(Default)]
pub struct Clients {
    connections: Vec<Connection>,
    asked: i32,
    /// Members of groups, by when they were first told of.
    members: Vec<String>,
}

struct Connection {
    node: i32,
    link: LinkId,
    /// `None`: made for one request.
    name: Option<String>,
    credit: u64,
    sending: BytesMut,
    incoming: BytesMut,
    pending: VecDeque<Pending>,
}

/// A request without an answer.
struct Pending {
    id: i32,
    text: String,
    key: ApiKey,
    version: i16,
}

/// Something a client saw.
pub struct Seen {
    /// Which request it answers; 0 is none.
    pub id: i32,
    /// The command that sent that request.
    pub text: String,
    /// As lines for a reader.
    pub lines: Vec<String>,
}

impl Clients {
    /// The connection of that name to that node, if there is one.
    pub fn find(&self, node: i32, name: &str) -> Option<LinkId> {
        let is_it = |one: &&Connection| one.node == node && one.name.as_deref() == Some(name);
        self.connections.iter().find(is_it).map(|one| one.link)
    }

    /// A new connection; the node is told.
    pub fn connect(&mut self, node: i32, link: LinkId, name: Option<String>) -> Event {
        self.connections.push(Connection {
            node,
            link,
            name,
            credit: 0,
            sending: BytesMut::new(),
            incoming: BytesMut::new(),
            pending: VecDeque::new(),
        });
        let local = Address { host: format!("node{node}"), port: 9092 };
        let remote = Address { host: "client".into(), port: 1 };
        Event::Opened { link, kind: LinkKind::Kafka { listener: 0, local, remote } }
    }

    /// Sends a request on a connection. Returns its id.
    pub fn ask(
        &mut self,
        (node, link): (i32, LinkId),
        version: i16,
        body: &RequestBody,
        is_answered: bool,
        text: &str,
    ) -> i32 {
        self.asked += 1;
        let id = self.asked;
        let connection = self.of(node, link).expect("a request is sent on a connection there is");
        let mut writer = Writer::new();
        body.write(&mut writer, version, id, Some("story"));
        writer.take().iter().for_each(|part| connection.sending.extend_from_slice(part));
        if is_answered {
            connection.pending.push_back(Pending { id, text: text.to_owned(), key: body.key(), version });
        }
        id
    }

    /// Sends bytes that may be anything.
    pub fn send_raw(&mut self, node: i32, link: LinkId, bytes: &[u8]) {
        let connection = self.of(node, link).expect("bytes are sent on a connection there is");
        connection.sending.extend_from_slice(bytes);
    }

    /// The id of the member that is told of by that name; of one that is none, the name.
    pub fn member(&self, name: &str) -> String {
        let number = name.strip_prefix('m').and_then(|number| number.parse::<usize>().ok());
        let id = number.and_then(|number| self.members.get(number.checked_sub(1)?));
        id.cloned().unwrap_or_else(|| name.to_owned())
    }

    /// Whether that request has no answer yet.
    pub fn waits(&self, id: i32) -> bool {
        self.connections.iter().flat_map(|one| &one.pending).any(|pending| pending.id == id)
    }

    /// Every connection with credit and something to send sends it.
    pub fn pump(&mut self, told: &mut Vec<(i32, Event)>) {
        for connection in &mut self.connections {
            let most = usize::try_from(connection.credit).unwrap_or(usize::MAX);
            let len = connection.sending.len().min(most);
            if len > 0 {
                connection.credit -= len as u64;
                let bytes = BytesMut::from(&connection.sending.split_to(len)[..]);
                told.push((connection.node, Event::Received { link: connection.link, bytes }));
            }
        }
    }

    /// The node takes more from that connection.
    pub fn allow(&mut self, node: i32, link: LinkId, bytes: u64) {
        if let Some(connection) = self.of(node, link) {
            connection.credit += bytes;
        }
    }

    /// Bytes came from the node.
    pub fn receive(&mut self, node: i32, link: LinkId, parts: &[Bytes], names: &TopicNames) -> Vec<Seen> {
        let Clients { connections, members, .. } = self;
        let is_it = |one: &&mut Connection| one.node == node && one.link == link;
        let Some(connection) = connections.iter_mut().find(is_it) else { return Vec::new() };
        parts.iter().for_each(|part| connection.incoming.extend_from_slice(part));
        let mut seen = Vec::new();
        while let Some(message) = connection.next_message() {
            seen.push(connection.read(message, names, members));
        }
        seen
    }

    /// Connections made for one request that have their answer; they are closed by the client.
    pub fn take_done(&mut self) -> Vec<(i32, LinkId)> {
        let is_done =
            |one: &Connection| one.name.is_none() && one.pending.is_empty() && one.sending.is_empty();
        let done =
            self.connections.iter().filter(|one| is_done(one)).map(|one| (one.node, one.link)).collect();
        self.connections.retain(|one| !is_done(one));
        done
    }

    /// The client of that name closes its connections.
    pub fn close(&mut self, name: &str) -> Vec<(i32, Event)> {
        let is_it = |one: &Connection| one.name.as_deref() == Some(name);
        let closed =
            |one: &Connection| (one.node, Event::Closed { link: one.link, why: CloseReason::Remote });
        let told = self.connections.iter().filter(|one| is_it(one)).map(closed).collect();
        self.connections.retain(|one| !is_it(one));
        told
    }

    /// The node has closed a connection.
    pub fn closed(&mut self, node: i32, link: LinkId) -> Vec<Seen> {
        let is_it = |one: &Connection| one.node == node && one.link == link;
        let seen = self.connections.iter().filter(|one| is_it(one)).flat_map(Connection::broken).collect();
        self.connections.retain(|one| !is_it(one));
        seen
    }

    /// The node is gone.
    pub fn process_ended(&mut self, node: i32) -> Vec<Seen> {
        let seen =
            self.connections.iter().filter(|one| one.node == node).flat_map(Connection::broken).collect();
        self.connections.retain(|one| one.node != node);
        seen
    }

    fn of(&mut self, node: i32, link: LinkId) -> Option<&mut Connection> {
        self.connections.iter_mut().find(|one| one.node == node && one.link == link)
    }
}

impl Connection {
    fn next_message(&mut self) -> Option<BytesMut> {
        let length = self.incoming.first_chunk::<4>().map(|length| u32::from_be_bytes(*length))?;
        let whole = 4 + usize::try_from(length).ok()?;
        (self.incoming.len() >= whole).then(|| self.incoming.split_to(whole).split_off(4))
    }

    fn read(&mut self, message: BytesMut, names: &TopicNames, members: &mut Vec<String>) -> Seen {
        let Some(Pending { id, text, key, version }) = self.pending.pop_front() else {
            return Seen {
                id: 0,
                text: String::new(),
                lines: vec!["BREACH: an answer that nobody asked for".into()],
            };
        };
        let mut reader = Reader::new(message, 64 << 20);
        let lines = match read_response_start(&mut reader, key.api(), version) {
            Ok(correlation) if correlation == id => match ResponseBody::decode(key, version, &mut reader) {
                Ok(body) => {
                    let lines = answer_groups::lines(&body, names);
                    called(lines.unwrap_or_else(|| answer::lines(&body, names)), &body, members)
                }
                Err(error) => vec![format!("BREACH: an unreadable answer: {error}")],
            },
            Ok(_) => vec!["BREACH: the answer to another request".into()],
            Err(error) => vec![format!("BREACH: an unreadable answer: {error}")],
        };
        Seen { id, text, lines }
    }

    fn broken(&self) -> Vec<Seen> {
        let lost = |pending: &Pending| Seen {
            id: pending.id,
            text: pending.text.clone(),
            lines: vec!["no answer: the connection broke".into()],
        };
        let mut seen: Vec<Seen> = self.pending.iter().map(lost).collect();
        if let (Some(name), true) = (&self.name, seen.is_empty()) {
            let lines = vec![format!("n{} closes {name}'s connection", self.node)];
            seen.push(Seen { id: 0, text: String::new(), lines });
        }
        seen
    }
}

/// Lines in which members are called m1, m2 and so on: their ids are long, and say nothing.
fn called(lines: Vec<String>, body: &ResponseBody, members: &mut Vec<String>) -> Vec<String> {
    if let ResponseBody::JoinGroup(joined) = body {
        let told = joined.members.iter().map(|member| &member.member_id).chain([&joined.member_id]);
        for id in told.filter(|id| id.len() > 4).cloned().collect::<Vec<_>>() {
            if !members.contains(&id) {
                members.push(id);
            }
        }
    }
    let call = |line: String| {
        members
            .iter()
            .zip(1..)
            .fold(line, |line, (id, number)| line.replace(id.as_str(), &format!("m{number}")))
    };
    lines.into_iter().map(call).collect()
}
