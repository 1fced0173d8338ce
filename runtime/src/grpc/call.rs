//! One call: it asks the core in Kafka's words, over a line that it has for itself as long as it lasts, and keeps what it
//! was answered charged to the budget until its caller has taken it.
//!
//! Calls of a connection use its lines one after the other, so that a call usually finds one that has credit already. A
//! call that is cancelled, or whose deadline passes, takes its line with it: the core forgets what it held for it.
//!
//! Invariant: a line is used by one call at a time, and is put by only when everything on it was answered and taken.

use super::lines::{Line, Lines};
use super::pool::{Held, Pool, Taken};
use super::refusal;
use crate::limits::{GRPC_IDLE_LINES_MAX, GRPC_LINES_MAX, GRPC_SMALL_BYTES};
use crate::questions::Questions;
use bytes::BytesMut;
use rust_mq_core::event::LinkKind;
use rust_mq_proto::grpc::Node;
use rust_mq_proto::kafka::api::describe_cluster::DescribeClusterRequest;
use rust_mq_proto::kafka::{Reader, Request, Response, Writer, read_response_start, write_request};
use rust_mq_proto::translation::topics::{self, DESCRIBE_CLUSTER, METADATA};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use tonic::Status;

/// A connection, as its calls see it.
#[derive(Debug)]
pub(super) struct Caller {
    node: Served,
    kind: LinkKind,
    idle: Mutex<Vec<Line>>,
    /// The connection is to end: it takes nothing, and others need what it holds.
    end: Arc<Notify>,
}

/// The node, as all calls see it.
#[derive(Clone, Debug)]
pub(super) struct Served {
    /// Where it is asked.
    pub lines: Arc<Lines>,
    /// How it is.
    pub questions: Arc<Questions>,
    /// Memory beside its budget.
    pub pool: Pool,
}

/// Until there is room.
pub(super) type Waiting = Pin<Box<dyn Future<Output = Result<Taken, Status>> + Send>>;

/// A call.
#[derive(Debug)]
pub(super) struct Call {
    caller: Arc<Caller>,
    client_id: Option<String>,
    deadline: Option<Instant>,
    line: Mutex<Option<Line>>,
    is_streamed: AtomicBool,
    arriving: Mutex<Arrival>,
    /// For what is made of an answer, until its caller has taken it.
    leaving: Mutex<Option<Held>>,
}

/// What has come of a message that the core has not got.
#[derive(Debug, Default)]
struct Arrival {
    bytes: usize,
    held: Option<Held>,
    since: Option<Instant>,
}

impl Caller {
    /// Whoever came as `kind` says.
    pub(super) fn new(node: Served, kind: LinkKind) -> Caller {
        Caller { node, kind, idle: Mutex::default(), end: Arc::default() }
    }

    /// Its connection is to end.
    pub(super) async fn ends(&self) {
        self.end.notified().await;
    }

    fn line(&self) -> Result<Line, Status> {
        let mut idle = lock(&self.idle);
        while let Some(line) = idle.pop() {
            if !line.is_ended() {
                return Ok(line);
            }
        }
        drop(idle);
        if self.node.lines.len() >= GRPC_LINES_MAX {
            return Err(Status::resource_exhausted(format!("{GRPC_LINES_MAX} calls are under way already")));
        }
        Ok(self.node.lines.open(self.kind.clone(), Arc::clone(&self.end)))
    }

    fn put_by(&self, line: Line) {
        let mut idle = lock(&self.idle);
        if idle.len() < GRPC_IDLE_LINES_MAX && self.node.lines.len() <= GRPC_LINES_MAX / 2 {
            idle.push(line);
        }
    }
}

impl Call {
    /// A call of that caller, who calls itself so and waits so long.
    pub(super) fn new(caller: Arc<Caller>, client_id: Option<String>, patience: Option<Duration>) -> Call {
        let deadline = patience.and_then(|patience| Instant::now().checked_add(patience));
        Call {
            caller,
            client_id,
            deadline,
            line: Mutex::default(),
            is_streamed: AtomicBool::new(false),
            arriving: Mutex::default(),
            leaving: Mutex::default(),
        }
    }

    /// Until when it is to be answered.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// `wanted`, or as long as its caller still waits, in milliseconds.
    pub(super) fn wait_ms(&self, wanted: Duration) -> i32 {
        let left = self.deadline.map_or(Duration::MAX, |deadline| deadline.duration_since(Instant::now()));
        i32::try_from(wanted.min(left).as_millis()).unwrap_or(i32::MAX)
    }

    /// Whom to ask how the node is.
    pub(super) fn questions(&self) -> &Questions {
        &self.caller.node.questions
    }

    /// Some of a message has come: there is room for it, or it is to wait for that.
    pub(super) fn room_for(&self, bytes: usize) -> Option<Waiting> {
        let pool = self.pool();
        let mut arriving = lock(&self.arriving);
        let counted = |bytes: usize| bytes.saturating_sub(GRPC_SMALL_BYTES);
        let more = counted(arriving.bytes + bytes) - counted(arriving.bytes);
        arriving.bytes += bytes;
        if more == 0 {
            return None;
        }
        arriving.since.get_or_insert_with(Instant::now);
        match pool.try_take(more) {
            Some(taken) => {
                self.hold(&mut arriving.held, taken);
                None
            }
            None => {
                if let Some(held) = &arriving.held {
                    held.waits();
                }
                Some(Box::pin(pool.clone().take(more)))
            }
        }
    }

    /// There is room for some of a message now.
    pub(super) fn has_taken(&self, taken: Taken) {
        self.hold(&mut lock(&self.arriving).held, taken);
    }

    /// Since when a message has been arriving that is not small.
    pub(super) fn arriving_since(&self) -> Option<Instant> {
        lock(&self.arriving).since
    }

    /// From now on it has many messages, and says itself when the core has one.
    pub(super) fn is_streamed(&self) {
        self.is_streamed.store(true, Ordering::Relaxed);
    }

    /// The core has the one message. Of a stream the next may be arriving.
    fn has_asked(&self) {
        if !self.is_streamed.load(Ordering::Relaxed) {
            self.handed_over();
        }
    }

    /// The core has the message, and has charged it.
    pub(super) fn handed_over(&self) {
        *lock(&self.arriving) = Arrival::default();
    }

    /// Memory beside the core's budget.
    pub(super) fn pool(&self) -> &Pool {
        &self.caller.node.pool
    }

    /// What is made of an answer takes so much until its caller has taken it. What was taken for the one before it.
    pub(super) fn leaves(&self, taken: Option<Taken>) -> Option<Held> {
        let held = taken.map(|taken| self.pool().hold(taken, Arc::clone(&self.caller.end)));
        std::mem::replace(&mut *lock(&self.leaving), held)
    }

    fn hold(&self, held: &mut Option<Held>, taken: Taken) {
        match held {
            Some(held) => held.add(taken),
            None => *held = Some(self.pool().hold(taken, Arc::clone(&self.caller.end))),
        }
    }

    /// Asks the core, in that version of Kafka's protocol.
    pub(super) async fn ask<R: Request>(&self, version: i16, body: &R) -> Result<R::Response, Status> {
        let mut line = self.take_line()?;
        line.ask(self.written(version, body)).await.map_err(refusal::of_end)?;
        self.has_asked();
        let answer = line.hear().await.map_err(refusal::of_end)?;
        self.keep_line(line);
        read::<R>(version, answer)
    }

    /// Hands the core a request that is not answered.
    pub(super) async fn tell<R: Request>(&self, version: i16, body: &R) -> Result<(), Status> {
        let mut line = self.take_line()?;
        line.ask(self.written(version, body)).await.map_err(refusal::of_end)?;
        self.has_asked();
        self.keep_line(line);
        Ok(())
    }

    /// Where the leader of a partition is, if anybody knows.
    pub(super) async fn leader_of(&self, topic: &str, partition: i32) -> Option<Node> {
        topics::leader(self.ask(METADATA, &topics::to_leader(topic)).await.ok()?, partition)
    }

    /// Where the controller is, if anybody knows.
    pub(super) async fn controller(&self) -> Option<Node> {
        let answer = self.ask(DESCRIBE_CLUSTER, &DescribeClusterRequest::default()).await.ok()?;
        topics::controller(answer)
    }

    /// A request with its length.
    pub(super) fn written<R: Request>(&self, version: i16, body: &R) -> BytesMut {
        let mut writer = Writer::new();
        write_request(&mut writer, version, 0, self.client_id.as_deref(), body);
        let length = writer.len();
        let mut parts = writer.take();
        if parts.len() == 1
            && let Some(part) = parts.pop()
        {
            return part.try_into_mut().unwrap_or_else(BytesMut::from);
        }
        let mut whole = BytesMut::with_capacity(length);
        parts.iter().for_each(|part| whole.extend_from_slice(part));
        whole
    }

    /// A line to ask on.
    pub(super) fn take_line(&self) -> Result<Line, Status> {
        let kept = lock(&self.line).take();
        kept.map_or_else(|| self.caller.line(), Ok)
    }

    /// Everything on it was answered.
    pub(super) fn keep_line(&self, line: Line) {
        *lock(&self.line) = Some(line);
    }
}

impl Drop for Call {
    /// Its caller has taken the answer, or gone.
    fn drop(&mut self) {
        if let Some(mut line) = self.line.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            line.spent();
            self.caller.put_by(line);
        }
    }
}

/// What the core has answered.
pub(super) fn read<R: Request>(version: i16, answer: BytesMut) -> Result<R::Response, Status> {
    let mut reader = Reader::new(answer, usize::MAX);
    read_response_start(&mut reader, R::API, version)
        .and_then(|_| R::Response::decode(&mut reader, version))
        .map_err(|error| Status::internal(format!("the broker's own answer is unreadable: {error}")))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
