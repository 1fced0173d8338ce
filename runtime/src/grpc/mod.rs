//! gRPC for clients, on the port of the clients: a socket whose first bytes are HTTP/2's comes here from `clients`, and
//! what is called on it is asked of the core as a Kafka client would ask it, in the words of `proto`'s `translation`. So no
//! call has a meaning of its own: the handlers, their order, limits and budget are those of Kafka's protocol.
//!
//! ```text
//! server   one connection: HTTP/2 and its limits, which call it is, a call's end
//! frames   arriving  pool: what comes in, counted before it is looked at, and held back while there is no room
//! framing  whole: how a call's messages travel
//! call     one call: its line, its deadline; asks in Kafka's words
//! records  fetch  topics  groups  offsets  settings: each call, which is translated, asked, and asked again
//! health   gRPC's own services: health and reflection
//! streams  what is appended and read message after message
//! refusal  how a call fails
//! lines    the links on which calls reach the core; the crossing of threads
//! ```
//! The messages are `proto`'s (`rustmq/v1/*.proto`). HTTP/2 is hyper's; it is not simulated.
//!
//! A thread of its own, which starts with the first such socket: who does not call gRPC pays nothing for it, and a vote
//! between nodes does not wait for a client's megabytes. A call crosses to the core's thread once, and its answer back
//! once.
//!
//! A line a call, and not a connection: answers on a link leave in the order of its requests, so that a long poll would
//! hold up what was called after it. Lines are kept for the next call of the connection. What this costs is the core's
//! memory of a link, some 500 bytes, for each call that is under way at once.
//!
//! Bounds: `GRPC_*` of `limits`. A connection keeps its place among the clients' connections until it is closed here.
//!
//! Not here: what a call means (the core's `api`), its messages in Kafka's words (`proto/src/translation/`), the listener
//! and who is let in (`clients`).

mod arriving;
mod call;
mod fetch;
mod frames;
mod framing;
mod groups;
mod health;
mod lines;
mod offsets;
mod pool;
mod records;
mod refusal;
mod server;
mod settings;
mod streams;
mod topics;
mod whole;

use crate::limits::{
    GRPC_CONNECTION_BYTES, GRPC_CONNECTIONS_SHARE, GRPC_POOL_BYTES_MAX, GRPC_POOL_BYTES_MIN, GRPC_POOL_SHARE,
};
use crate::log::RateLimit;
use crate::log_levels::CLIENTS;
use crate::mailbox::{Room, Wake};
use crate::questions::Questions;
use call::{Caller, Served};
use lines::{Lines, Told};
use pool::Pool;
use rust_mq_core::action::Action;
use rust_mq_core::event::{Event, LinkKind};
use rust_mq_core::ids::LinkId;
use std::error::Error;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Handle;

/// The core's side of it, on the core's thread.
#[derive(Debug)]
pub struct Grpc {
    lines: Arc<Lines>,
    served: Served,
    connections_max: usize,
    /// What this turn has done to lines.
    told: Vec<Told>,
    gone: Arc<Gone>,
    /// There since the first connection.
    thread: Option<Handle>,
    is_more: bool,
}

/// Connections that have ended, for whoever counts them.
struct Gone {
    remotes: Mutex<Vec<SocketAddr>>,
    open: AtomicUsize,
    wake: Wake,
    lines: Mutex<RateLimit>,
}

impl Grpc {
    /// Nobody calls yet. `wake` gets the core's thread out of its wait; `memory_limit` is the whole process's.
    pub fn new(wake: Wake, questions: Arc<Questions>, memory_limit: u64) -> Grpc {
        let gone = Gone {
            remotes: Mutex::default(),
            open: AtomicUsize::new(0),
            wake: Arc::clone(&wake),
            lines: Mutex::default(),
        };
        let lines = Arc::new(Lines::new(wake));
        let share = usize::try_from(memory_limit / GRPC_POOL_SHARE).unwrap_or(usize::MAX);
        let pool = Pool::new(share.clamp(GRPC_POOL_BYTES_MIN, GRPC_POOL_BYTES_MAX));
        let connections = memory_limit / GRPC_CONNECTIONS_SHARE / GRPC_CONNECTION_BYTES;
        Grpc {
            served: Served { lines: Arc::clone(&lines), questions, pool },
            connections_max: usize::try_from(connections).unwrap_or(usize::MAX),
            lines,
            told: Vec::new(),
            gone: Arc::new(gone),
            thread: None,
            is_more: false,
        }
    }

    /// What gRPC may take of a memory limit, beside what is the core's budget. A small limit's least share, which is beyond
    /// this, is within what the limit leaves open.
    pub fn memory_bytes(memory_limit: u64) -> u64 {
        let pool = (memory_limit / GRPC_POOL_SHARE).min(GRPC_POOL_BYTES_MAX as u64);
        pool + memory_limit / GRPC_CONNECTIONS_SHARE
    }

    /// Whether a client's link is one of a call.
    pub fn owns(link: LinkId) -> bool {
        Lines::owns(link)
    }

    /// Serves a connection whose first bytes are HTTP/2's, and are still in it.
    pub fn adopt(&mut self, stream: TcpStream, kind: LinkKind, remote: SocketAddr) -> io::Result<()> {
        let most = self.connections_max;
        if self.connections() >= most {
            return Err(io::Error::other(format!("all {most} connections over gRPC are taken")));
        }
        let thread = self.thread()?;
        let caller = Arc::new(Caller::new(self.served.clone(), kind));
        let gone = Arc::clone(&self.gone);
        gone.open.fetch_add(1, Ordering::Relaxed);
        thread.spawn(async move {
            if let Err(error) = server::serve(stream, caller).await {
                gone.say(remote, &*error);
            }
            gone.tell(remote);
        });
        Ok(())
    }

    /// Does what the core asks to one of its links.
    pub fn perform(&mut self, action: Action) {
        self.told.push(Told::Does(action));
    }

    /// Takes note of why the core is about to close one of its links.
    pub fn rejected(&mut self, link: LinkId, reason: &str) {
        self.told.push(Told::Rejects(link, reason.to_owned()));
    }

    /// Hands over what the turn has done.
    pub fn end_turn(&mut self) {
        self.lines.put(&mut self.told);
    }

    /// Moves what calls ask into `into`, as much as there is room for.
    pub fn take(&mut self, into: &mut Vec<Event>, room: &mut Room) {
        self.is_more = self.thread.is_some() && self.lines.take(into, room);
    }

    /// Whether calls ask more than the last turn had room for.
    pub fn has_more(&self) -> bool {
        self.is_more
    }

    /// Whether answers wait for callers to take them.
    pub fn has_unsent(&self) -> bool {
        self.thread.is_some() && self.lines.has_unsent()
    }

    /// The connections that have ended since this was last asked.
    pub fn take_gone(&self) -> Vec<SocketAddr> {
        if self.thread.is_none() {
            return Vec::new();
        }
        std::mem::take(&mut *self.gone.remotes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How many connections there are.
    pub fn connections(&self) -> usize {
        self.gone.open.load(Ordering::Relaxed)
    }

    fn thread(&mut self) -> io::Result<Handle> {
        if let Some(thread) = &self.thread {
            return Ok(thread.clone());
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let handle = runtime.handle().clone();
        let lines = Arc::clone(&self.lines);
        std::thread::Builder::new().name("grpc".into()).spawn(move || runtime.block_on(lines.carry()))?;
        Ok(self.thread.insert(handle).clone())
    }
}

impl Gone {
    /// Says how one has ended that was not just closed.
    fn say(&self, remote: SocketAddr, error: &dyn Error) {
        let not_logged = self.lines.lock().unwrap_or_else(PoisonError::into_inner).next_line();
        if let Some(not_logged) = not_logged {
            tracing::debug!(target: CLIENTS, not_logged, "a gRPC connection from {remote} ended: {error}");
        }
    }

    fn tell(&self, remote: SocketAddr) {
        self.open.fetch_sub(1, Ordering::Relaxed);
        self.remotes.lock().unwrap_or_else(PoisonError::into_inner).push(remote);
        (self.wake)();
    }
}

impl std::fmt::Debug for Gone {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Gone").field("open", &self.open).finish_non_exhaustive()
    }
}
