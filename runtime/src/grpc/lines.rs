//! Lines: the links on which calls reach the core, as a Kafka client's socket does. A line carries Kafka's requests and
//! answers, one call at a time; it is opened and closed like a socket, and its credit, its place in the budget and its
//! patience are the core's.
//!
//! ```text
//! call ->  Line::ask   Received, as the credit allows  -> mailbox -> core
//! call <-  Line::hear  one whole answer                <- outbox  <- core     one wake-up a turn
//!          spent       Sent, once its caller has taken it
//! ```
//! Both directions cross threads, and a thread is woken by a system call, so that what crosses is gathered. The core's side
//! hands over at its turn's end what the turn does to lines; on this side one task hands it on, and each waiting call is
//! woken without a system call of its own. What calls ask wakes the core after all calls that could move have moved, so
//! that one turn serves them all. That an answer was taken frees memory and nobody waits for it: it goes along with what
//! comes next, or after `GRPC_SPENT_WAIT`.
//!
//! Invariants: `Opened` precedes every other event of a line, one `Closed` follows them all; bytes given to the core <=
//! credit it allowed (law 6).

use crate::limits::GRPC_SPENT_WAIT;
use crate::mailbox::{Mailbox, Room, Wake};
use bytes::{Buf, Bytes, BytesMut};
use rust_mq_core::action::Action;
use rust_mq_core::event::{CloseReason, Event, LinkKind};
use rust_mq_core::ids::LinkId;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// The lowest id of a line, and the distance between two: sockets have the other multiples of four.
const FIRST: u64 = 4;
const STEP: u64 = 8;
/// Bytes of the length before each answer.
const PREFIX_BYTES: usize = 4;

/// All lines of this node.
#[derive(Debug)]
pub(super) struct Lines {
    mailbox: Mailbox,
    outbox: Mutex<Vec<Told>>,
    /// The outbox is no longer empty.
    bell: Notify,
    /// The core is to be woken, as soon as calls have moved.
    asked: Notify,
    /// The core is to be woken some time.
    spent: Notify,
    last: AtomicU64,
    open: Mutex<BTreeMap<LinkId, Arc<State>>>,
}

/// What the core's thread says of a line.
#[derive(Debug)]
pub(super) enum Told {
    /// The core does something to it.
    Does(Action),
    /// The core will close it for that: the request cannot be understood.
    Rejects(LinkId, String),
}

/// One line, as the call has it that uses it. Dropped while something is asked, or not put by, it is closed.
#[derive(Debug)]
pub(super) struct Line {
    lines: Arc<Lines>,
    state: Arc<State>,
    /// Bytes of answers that the caller has not taken yet.
    owed_bytes: u64,
}

/// Why a line ended before it answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The core could not make sense of what was asked.
    Rejected(String),
    /// The core serves nobody now, or needed what the line held.
    Closed,
}

#[derive(Debug)]
struct State {
    link: LinkId,
    side: Mutex<Side>,
    news: Notify,
    aborted: Arc<Notify>,
    /// Bytes of answers that the core has given and the caller not taken.
    unsent_bytes: AtomicU64,
}

/// What has come of the core's doing.
#[derive(Debug, Default)]
struct Side {
    credit: u64,
    parts: VecDeque<Bytes>,
    parts_bytes: usize,
    rejected: Option<String>,
    is_ended: bool,
}

impl Lines {
    /// None yet.
    pub(super) fn new(wake: Wake) -> Lines {
        Lines {
            mailbox: Mailbox::new(wake),
            outbox: Mutex::default(),
            bell: Notify::new(),
            asked: Notify::new(),
            spent: Notify::new(),
            last: AtomicU64::new(FIRST),
            open: Mutex::default(),
        }
    }

    /// Whether a client's link is a line and no socket.
    pub(super) fn owns(link: LinkId) -> bool {
        link.0 % STEP == FIRST
    }

    /// What calls have for the core; says whether there is more than the turn has room for.
    pub(super) fn take(&self, into: &mut Vec<Event>, room: &mut Room) -> bool {
        self.mailbox.take(into, room)
    }

    /// Whether answers wait for callers to take them.
    pub(super) fn has_unsent(&self) -> bool {
        let is_unsent = |state: &Arc<State>| state.unsent_bytes.load(Ordering::Relaxed) > 0;
        !lock(&self.outbox).is_empty() || lock(&self.open).values().any(is_unsent)
    }

    /// What a turn of the core has for calls.
    pub(super) fn put(&self, told: &mut Vec<Told>) {
        if !told.is_empty() {
            lock(&self.outbox).append(told);
            self.bell.notify_one();
        }
    }

    /// Carries both ways, for ever.
    pub(super) async fn carry(self: Arc<Self>) {
        // Tasks, which wait in line with the calls: the future that a runtime is blocked on does not, and costs a system
        // call whenever it is woken.
        tokio::spawn(Arc::clone(&self).deliver());
        tokio::spawn(Arc::clone(&self).wake_for_asked());
        self.wake_for_spent().await;
    }

    async fn wake_for_asked(self: Arc<Self>) {
        loop {
            self.asked.notified().await;
            self.mailbox.wake();
        }
    }

    async fn wake_for_spent(self: Arc<Self>) {
        loop {
            self.spent.notified().await;
            tokio::time::sleep(GRPC_SPENT_WAIT).await;
            self.mailbox.wake();
        }
    }

    /// Hands on what the core says.
    async fn deliver(self: Arc<Self>) {
        let (mut told, mut ended) = (Vec::new(), Vec::new());
        loop {
            self.bell.notified().await;
            std::mem::swap(&mut told, &mut lock(&self.outbox));
            let open = lock(&self.open);
            for (link, told) in told.drain(..).map(of_link) {
                // One that is gone has its `Closed` under way.
                let Some(state) = open.get(&link) else { continue };
                if state.hears(told) {
                    ended.push(link);
                }
            }
            drop(open);
            ended.drain(..).for_each(|link| self.end(link, CloseReason::Asked));
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        lock(&self.open).len()
    }

    /// Opens a line for a caller who came as `kind` says. `aborted` is told if the core ends it at once: its caller takes
    /// nothing of what waits for it.
    pub(super) fn open(self: &Arc<Self>, kind: LinkKind, aborted: Arc<Notify>) -> Line {
        let link = LinkId(self.last.fetch_add(STEP, Ordering::Relaxed));
        let unsent_bytes = AtomicU64::new(0);
        let state = State { link, side: Mutex::default(), news: Notify::new(), aborted, unsent_bytes };
        let state = Arc::new(state);
        lock(&self.open).insert(link, Arc::clone(&state));
        self.tell(Event::Opened { link, kind });
        Line { lines: Arc::clone(self), state, owed_bytes: 0 }
    }

    fn tell(&self, event: Event) {
        self.mailbox.put_quietly(event);
        self.asked.notify_one();
    }

    fn end(&self, link: LinkId, why: CloseReason) {
        let Some(state) = lock(&self.open).remove(&link) else { return };
        {
            let mut side = state.lock();
            side.is_ended = true;
            side.credit = 0;
        }
        state.news.notify_one();
        self.tell(Event::Closed { link, why });
    }
}

impl Line {
    /// Hands a whole request over, its length included, as the core gives credit for it.
    pub(super) async fn ask(&mut self, mut request: BytesMut) -> Result<(), Ended> {
        self.spent();
        while self.hand_over(&mut request)? {
            self.news().await;
        }
        Ok(())
    }

    /// The next whole answer, without its length.
    pub(super) async fn hear(&mut self) -> Result<BytesMut, Ended> {
        loop {
            match self.heard()? {
                Some(answer) => return Ok(answer),
                None => self.news().await,
            }
        }
    }

    /// Hands over as much of a request as there is credit for; says whether some of it is left.
    pub(super) fn hand_over(&mut self, request: &mut BytesMut) -> Result<bool, Ended> {
        let mut side = self.state.lock();
        side.if_ended()?;
        let count = request.len().min(usize::try_from(side.credit).unwrap_or(usize::MAX));
        side.credit -= count as u64;
        drop(side);
        if count > 0 {
            let bytes = request.split_to(count);
            self.lines.tell(Event::Received { link: self.state.link, bytes });
        }
        Ok(!request.is_empty())
    }

    /// The next whole answer, without its length, if it has come. What was answered before the end is an answer.
    pub(super) fn heard(&mut self) -> Result<Option<BytesMut>, Ended> {
        let mut side = self.state.lock();
        let Some(answer) = side.take_answer() else { return side.if_ended().map(|()| None) };
        self.owed_bytes += (PREFIX_BYTES + answer.len()) as u64;
        Ok(Some(answer))
    }

    /// The core has done something to it since this was last awaited.
    pub(super) async fn news(&self) {
        self.state.news.notified().await;
    }

    /// The caller has taken all answers.
    pub(super) fn spent(&mut self) {
        let bytes = std::mem::take(&mut self.owed_bytes);
        self.state.unsent_bytes.fetch_sub(bytes, Ordering::Relaxed);
        if bytes > 0 && !self.is_ended() {
            self.lines.mailbox.put_quietly(Event::Sent { link: self.state.link, bytes });
            self.lines.spent.notify_one();
        }
    }

    /// Whether the core has closed it.
    pub(super) fn is_ended(&self) -> bool {
        self.state.lock().is_ended
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.lines.end(self.state.link, CloseReason::Remote);
    }
}

/// Which line it is about.
fn of_link(told: Told) -> (LinkId, Told) {
    let link = match &told {
        Told::Rejects(link, _)
        | Told::Does(
            Action::Send { link, .. }
            | Action::Allow { link, .. }
            | Action::Close { link }
            | Action::Abort { link },
        ) => *link,
        Told::Does(other) => unreachable!("not done to a client's link: {other}"),
    };
    (link, told)
}

impl State {
    /// Takes what the core says; says whether that is its end.
    fn hears(&self, told: Told) -> bool {
        match told {
            Told::Does(Action::Send { parts, .. }) => {
                let bytes = parts.iter().map(Bytes::len).sum::<usize>();
                self.unsent_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
                let mut side = self.lock();
                side.parts_bytes += bytes;
                side.parts.extend(parts);
            }
            Told::Does(Action::Allow { bytes, .. }) => {
                let mut side = self.lock();
                side.credit = side.credit.saturating_add(bytes);
            }
            Told::Rejects(_, reason) => self.lock().rejected = Some(reason),
            Told::Does(Action::Abort { .. }) => {
                self.aborted.notify_one();
                return true;
            }
            Told::Does(_) => return true,
        }
        self.news.notify_one();
        false
    }

    fn lock(&self) -> MutexGuard<'_, Side> {
        lock(&self.side)
    }
}

impl Side {
    fn if_ended(&self) -> Result<(), Ended> {
        if !self.is_ended {
            return Ok(());
        }
        Err(self.rejected.clone().map_or(Ended::Closed, Ended::Rejected))
    }

    /// Cuts off the first answer, if it is all there: into memory of its own, since it lies in parts.
    fn take_answer(&mut self) -> Option<BytesMut> {
        let mut prefix = [0; PREFIX_BYTES];
        if self.parts_bytes < PREFIX_BYTES {
            return None;
        }
        let first = self.parts.iter().flatten().take(PREFIX_BYTES);
        prefix.iter_mut().zip(first).for_each(|(into, byte)| *into = *byte);
        let length = u32::from_be_bytes(prefix) as usize;
        if self.parts_bytes < PREFIX_BYTES + length {
            return None;
        }
        self.drop_bytes(PREFIX_BYTES, |_| {});
        let mut answer = BytesMut::with_capacity(length);
        self.drop_bytes(length, |part| answer.extend_from_slice(part));
        Some(answer)
    }

    fn drop_bytes(&mut self, mut count: usize, mut see: impl FnMut(&[u8])) {
        self.parts_bytes -= count;
        while count > 0
            && let Some(front) = self.parts.front_mut()
        {
            let some = front.len().min(count);
            see(&front[..some]);
            front.advance(some);
            count -= some;
            if front.is_empty() {
                self.parts.pop_front();
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
