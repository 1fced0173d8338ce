//! One question of a machine, on its way through a node: the call in Kafka's words (`proto`'s translation), what the node's
//! gRPC side asks besides, and the answer as the call gives it back. The same as `runtime/src/grpc` does, call by call:
//! a new member joins twice; who is refused for asking the wrong node is told who is right, which takes a question of
//! its own; an item that was alone and refused fails the call.
//!
//! Left out: a fetch that waits longer than a node's poll is asked again there. Here no machine waits so long
//! (`GuestHabits`' and `ReaderHabits`' waits are below it).

use crate::client::Street;
use crate::client::connection::Connections;
use crate::client::purpose::Purpose;
use rust_mq_client::machine::question::{Answer, Question};
use rust_mq_proto::grpc::{self, Error, ProduceResponse};
use rust_mq_proto::kafka::api::ResponseBody;
use rust_mq_proto::kafka::api::join_group::JoinGroupRequest;
use rust_mq_proto::translation::Misuse;
use rust_mq_proto::translation::error::{self, Missing};
use rust_mq_proto::translation::fetch::{self, Bounds, FETCH};
use rust_mq_proto::translation::groups::{self, FIND_COORDINATOR, HEARTBEAT, JOIN_GROUP, LEAVE_GROUP};
use rust_mq_proto::translation::offsets::{self, OFFSET_COMMIT, OFFSET_FETCH};
use rust_mq_proto::translation::records::{self, INIT_PRODUCER_ID, LIST_OFFSETS, PRODUCE};
use rust_mq_proto::translation::topics::{self, METADATA};
use std::collections::BTreeSet;

/// What a node's gRPC side reads at once, as `runtime`'s.
const BOUNDS: Bounds = Bounds { bytes_max: 4 << 20, partition_bytes: 1 << 20, fields_bytes_max: 3 << 20 };
/// How long it lets the core look something up.
const LOOKING_MS: i32 = 10_000;

/// What is asked.
#[derive(Debug)]
pub enum Call {
    /// A question of a machine.
    Question(Question),
    /// Batches on a lane.
    Produce(grpc::ProduceRequest),
}

/// What comes back.
#[derive(Debug)]
pub enum Reply {
    /// To a question: an answer, or what the call failed with.
    Answer(Result<Answer, Error>),
    /// On a lane.
    Produced(ProduceResponse),
}

/// A question, and how far it is.
#[derive(Debug)]
pub struct Errand {
    call: Call,
    step: Step,
    reply: Option<Reply>,
    /// Whom has been asked for already.
    sought: BTreeSet<Whom>,
}

/// What the core is asked now.
#[derive(Clone, Debug)]
enum Step {
    /// The question itself.
    First,
    /// To be a member, with the id that was given.
    JoinAs(JoinGroupRequest),
    /// Who is right, where this node was not.
    Seek(Whom),
}

/// Who is right.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Whom {
    Leader(String, i32),
    Coordinator(String),
}

impl Errand {
    /// Nothing of it has been asked.
    pub fn new(call: Call) -> Errand {
        Errand { call, step: Step::First, reply: None, sought: BTreeSet::new() }
    }

    /// Asks the core what is next. False if there is no way to that site now.
    ///
    /// # Errors
    /// The message makes no sense: no machine says such a thing.
    pub fn ask(
        &self,
        (line, site): (&mut Connections, usize),
        purpose: Purpose,
        street: &mut Street<'_>,
    ) -> Result<bool, Misuse> {
        match &self.step {
            Step::First => match &self.call {
                Call::Question(question) => ask_first(question.clone(), (line, site), purpose, street),
                Call::Produce(asked) => {
                    let timeout_ms = asked.timeout_ms;
                    let asked = records::to_append(asked.clone(), street.wall_ms(), timeout_ms)?;
                    Ok(line.request_in(site, PRODUCE, &asked, purpose, street))
                }
            },
            Step::JoinAs(asked) => Ok(line.request_in(site, JOIN_GROUP, asked, purpose, street)),
            Step::Seek(Whom::Leader(topic, _)) => {
                Ok(line.request_in(site, METADATA, &topics::to_leader(topic), purpose, street))
            }
            Step::Seek(Whom::Coordinator(group)) => {
                let asked = groups::to_find(group.clone());
                Ok(line.request_in(site, FIND_COORDINATOR, &asked, purpose, street))
            }
        }
    }

    /// The core has answered. Gives the reply once there is nothing more to ask.
    pub fn hear(&mut self, body: ResponseBody) -> Option<Reply> {
        match std::mem::replace(&mut self.step, Step::First) {
            Step::First => {
                if let (Call::Question(Question::Join(asked)), ResponseBody::JoinGroup(joined)) =
                    (&self.call, &body)
                {
                    let mut asked = groups::to_join(asked.clone());
                    if groups::joins_again(&mut asked, joined) {
                        self.step = Step::JoinAs(asked);
                        return None;
                    }
                }
                self.reply = Some(self.read(body));
            }
            Step::JoinAs(_) => self.reply = Some(self.read(body)),
            Step::Seek(whom) => self.found(&whom, body),
        }
        let whom = self.missing();
        if let Some(whom) = whom {
            self.sought.insert(whom.clone());
            self.step = Step::Seek(whom);
            return None;
        }
        self.reply.take().map(fail_if_alone)
    }

    /// Whether the question itself is answered.
    pub fn is_answered(&self) -> bool {
        self.reply.is_some()
    }

    /// Nobody will say who is right.
    pub fn give_up_seeking(&mut self) -> Option<Reply> {
        self.reply.take().map(fail_if_alone)
    }

    /// The question that it is.
    pub fn call(&self) -> &Call {
        &self.call
    }

    fn read(&self, body: ResponseBody) -> Reply {
        match &self.call {
            Call::Question(question) => Reply::Answer(read(question, body)),
            Call::Produce(_) => match body {
                ResponseBody::Produce(answer) => Reply::Produced(records::appended(answer)),
                _ => unreachable!("an answer is one to its request: the connection matches them"),
            },
        }
    }

    /// Whom an error of the reply is about, that nobody has asked for yet.
    fn missing(&mut self) -> Option<Whom> {
        let group = self.group();
        let mut first = None;
        let sought = &self.sought;
        each_error(self.reply.as_mut()?, &mut |error, place| {
            let whom = whom(error, place, group.as_deref());
            if let Some(whom) = whom.filter(|whom| !sought.contains(whom)) {
                first.get_or_insert(whom);
            }
        });
        first
    }

    /// Who is right was answered: who was refused for that is told.
    fn found(&mut self, whom_is_right: &Whom, body: ResponseBody) {
        let node = match (whom_is_right, body) {
            (Whom::Leader(_, partition), ResponseBody::Metadata(answer)) => {
                topics::leader(answer, *partition)
            }
            (Whom::Coordinator(_), ResponseBody::FindCoordinator(mut answer)) => {
                answer.coordinators.pop().and_then(|found| groups::found(found).ok())
            }
            _ => None,
        };
        let group = self.group();
        let Some(reply) = self.reply.as_mut() else { return };
        each_error(reply, &mut |error, place| {
            if whom(error, place, group.as_deref()).as_ref() == Some(whom_is_right) {
                error.leader.clone_from(&node);
            }
        });
    }

    /// The group that it is about.
    fn group(&self) -> Option<String> {
        let Call::Question(question) = &self.call else { return None };
        match question {
            Question::Join(asked) => Some(asked.group_id.clone()),
            Question::Sync(asked) => Some(asked.group_id.clone()),
            Question::Heartbeat(asked) => Some(asked.group_id.clone()),
            Question::Leave(asked) => Some(asked.group_id.clone()),
            Question::Commit(asked) => Some(asked.group_id.clone()),
            Question::Committed(asked) => Some(asked.group_id.clone()),
            Question::Topics(_)
            | Question::Identity(_)
            | Question::Offsets(_)
            | Question::Fetch(_)
            | Question::Coordinator(_) => None,
        }
    }
}

fn ask_first(
    question: Question,
    (line, site): (&mut Connections, usize),
    purpose: Purpose,
    street: &mut Street<'_>,
) -> Result<bool, Misuse> {
    Ok(match question {
        Question::Topics(asked) => {
            line.request_in(site, METADATA, &topics::to_metadata(asked), purpose, street)
        }
        Question::Identity(asked) => {
            line.request_in(site, INIT_PRODUCER_ID, &records::to_identify(asked), purpose, street)
        }
        Question::Offsets(asked) => {
            line.request_in(site, LIST_OFFSETS, &records::to_list(asked, LOOKING_MS)?, purpose, street)
        }
        Question::Fetch(asked) => {
            let max_wait_ms = asked.max_wait_ms;
            let mut asked = fetch::to_read(asked, &BOUNDS)?;
            asked.max_wait_ms = max_wait_ms;
            line.request_in(site, FETCH, &asked, purpose, street)
        }
        Question::Coordinator(asked) => {
            line.request_in(site, FIND_COORDINATOR, &groups::to_find(asked.group_id), purpose, street)
        }
        Question::Join(asked) => line.request_in(site, JOIN_GROUP, &groups::to_join(asked), purpose, street),
        Question::Sync(asked) => {
            let (version, asked) = groups::to_sync(asked);
            line.request_in(site, version, &asked, purpose, street)
        }
        Question::Heartbeat(asked) => {
            line.request_in(site, HEARTBEAT, &groups::to_beat(asked), purpose, street)
        }
        Question::Leave(asked) => {
            line.request_in(site, LEAVE_GROUP, &groups::to_leave(asked)?, purpose, street)
        }
        Question::Commit(asked) => {
            line.request_in(site, OFFSET_COMMIT, &offsets::to_commit(asked)?, purpose, street)
        }
        Question::Committed(asked) => {
            line.request_in(site, OFFSET_FETCH, &offsets::to_fetch(asked), purpose, street)
        }
    })
}

/// The answer of the core as the call's.
fn read(question: &Question, body: ResponseBody) -> Result<Answer, Error> {
    Ok(match (question, body) {
        (Question::Topics(asked), ResponseBody::Metadata(answer)) => {
            topics::known(&topics::to_metadata(asked.clone()), answer)?.into()
        }
        (Question::Identity(_), ResponseBody::InitProducerId(answer)) => records::identified(answer)?.into(),
        (Question::Offsets(_), ResponseBody::ListOffsets(answer)) => records::listed(answer).into(),
        (Question::Fetch(asked), ResponseBody::Fetch(answer)) => {
            fetch::if_refused(&answer)?;
            let format = grpc::RecordFormat::Batches;
            fetch::read(&answer, &fetch::starts(&asked.partitions), format, &BOUNDS).0.into()
        }
        (Question::Coordinator(_), ResponseBody::FindCoordinator(mut answer)) => {
            let found = answer.coordinators.pop().map(groups::found).transpose()?;
            grpc::FindCoordinatorResponse { coordinator: found }.into()
        }
        (Question::Join(_), ResponseBody::JoinGroup(answer)) => groups::joined(answer)?.into(),
        (Question::Sync(_), ResponseBody::SyncGroup(answer)) => groups::synced(answer)?.into(),
        (Question::Heartbeat(_), ResponseBody::Heartbeat(answer)) => groups::beaten(answer)?.into(),
        (Question::Leave(_), ResponseBody::LeaveGroup(answer)) => groups::left(answer)?.into(),
        (Question::Commit(_), ResponseBody::OffsetCommit(answer)) => offsets::committed(answer).into(),
        (Question::Committed(asked), ResponseBody::OffsetFetch(answer)) => {
            offsets::fetched(&offsets::to_fetch(asked.clone()), answer)?.into()
        }
        _ => unreachable!("an answer is one to its request: the connection matches them"),
    })
}

/// Whom an error sends to, about that partition or that group.
fn whom(error: &Error, place: Option<(&str, i32)>, group: Option<&str>) -> Option<Whom> {
    match error::missing(error)? {
        Missing::Leader => place.map(|(topic, partition)| Whom::Leader(topic.to_owned(), partition)),
        Missing::Coordinator => group.map(|group| Whom::Coordinator(group.to_owned())),
        Missing::Controller => None,
    }
}

/// What looks at an error, with the partition that it is about.
type See<'a> = dyn FnMut(&mut Error, Option<(&str, i32)>) + 'a;

/// Each error of a reply.
fn each_error(reply: &mut Reply, see: &mut See<'_>) {
    let mut look = |error: &mut Option<Error>, topic: &str, partition: i32| {
        if let Some(error) = error {
            see(error, Some((topic, partition)));
        }
    };
    match reply {
        Reply::Answer(Err(error)) => see(error, None),
        Reply::Answer(Ok(Answer::Offsets(found))) => {
            found.offsets.iter_mut().for_each(|part| look(&mut part.error, &part.topic, part.partition));
        }
        Reply::Answer(Ok(Answer::Fetch(found))) => {
            found.partitions.iter_mut().for_each(|part| look(&mut part.error, &part.topic, part.partition));
        }
        Reply::Answer(Ok(Answer::Commit(kept))) => {
            kept.partitions.iter_mut().for_each(|part| look(&mut part.error, &part.topic, part.partition));
        }
        Reply::Answer(Ok(_)) => {}
        Reply::Produced(made) => {
            made.partitions.iter_mut().for_each(|part| look(&mut part.error, &part.topic, part.partition));
        }
    }
}

/// A call that named one item, which was refused, fails as a whole. A stream's message does not.
fn fail_if_alone(reply: Reply) -> Reply {
    let Reply::Answer(Ok(answer)) = reply else { return reply };
    let is_refused = match &answer {
        Answer::Offsets(found) => error::if_alone(found.offsets.iter().map(|part| part.error.as_ref())),
        Answer::Fetch(found) => error::if_alone(found.partitions.iter().map(|part| part.error.as_ref())),
        Answer::Commit(kept) => error::if_alone(kept.partitions.iter().map(|part| part.error.as_ref())),
        _ => Ok(()),
    };
    Reply::Answer(is_refused.map(|()| answer))
}
