//! The turn loop: one thread that runs the sockets and the core.
//!
//! ```text
//! loop   wait     for an edge, a wake-up from another thread, or the next deadline
//!        gather   Done, Woke, questions and peers, clients in turn       (law 8, bounded by Room)
//!        handle   one call of the core
//!        perform  its actions; then one write per link, one message per lane
//! ```
//! A plain epoll loop (mio, tokio's own base) rather than tokio tasks: the set of ready links comes from one
//! call, without a waker, a task switch or a lock per connection; and the loop itself decides when sockets are
//! polled, which law 8 demands of a disk whose completions need no waiting. tokio runs beside it, on a small
//! thread for peers and signals (`peers`), so that a vote is decoded and answered by its own thread's time
//! and waits here for at most one turn.
//!
//! Invariant: the loop waits only when no completion, no leftover of a bounded turn and no unwritten bytes that
//! the kernel would take are there.

use crate::clients::Clients;
use crate::clock::Clock;
use crate::counts::Counts;
use crate::disk::Disk;
use crate::limits::{LAST_WORDS_LOOK, LAST_WORDS_WAIT};
use crate::log::NoticeLog;
use crate::mailbox::{Room, Wake};
use crate::peers::Peers;
use crate::questions::Questions;
use mio::{Events, Poll, Token, Waker};
use rust_mq_core::action::{Action, HaltReason, Notice};
use rust_mq_core::broker::Broker;
use rust_mq_core::event::{Event, Question};
use rust_mq_core::now::Mono;
use std::io;
use std::sync::Arc;
use std::time::Duration;

const WAKE: Token = Token(1);

/// The loop's wait, made before everything that must be able to end it.
#[derive(Debug)]
pub struct Wait {
    poll: Poll,
    wake: Arc<Waker>,
}

impl Wait {
    /// A wait that nothing ends yet.
    pub fn new() -> io::Result<Wait> {
        let poll = Poll::new()?;
        let wake = Arc::new(Waker::new(poll.registry(), WAKE)?);
        Ok(Wait { poll, wake })
    }

    /// Ends the wait, from any thread.
    pub fn waker(&self) -> Wake {
        let wake = Arc::clone(&self.wake);
        Arc::new(move || {
            // It fails only when the process is out of kernel memory; the next deadline then finds the mail.
            let _ = wake.wake();
        })
    }

    /// Where sockets are registered.
    pub fn registry(&self) -> io::Result<mio::Registry> {
        self.poll.registry().try_clone()
    }
}

/// A node: the core and its hands.
pub struct Node {
    /// The core.
    pub broker: Broker,
    /// Its disk.
    pub disk: Disk,
    /// Its clients.
    pub clients: Clients,
    /// Its peers, in a cluster.
    pub peers: Option<Peers>,
    /// Questions of other threads.
    pub questions: Arc<Questions>,
    /// What it counts for those who watch.
    pub counts: Arc<Counts>,
    /// Its clocks.
    pub clock: Clock,
    /// Where the core's notices go.
    pub log: NoticeLog,
    /// Its wait.
    pub wait: Wait,
}

/// What one loop carries from turn to turn.
#[derive(Debug)]
struct Turns {
    events: Vec<Event>,
    actions: Vec<Action>,
    ready: Events,
    deadline: Option<Mono>,
    /// Some mailbox held more than the last turn had room for.
    has_leftover: bool,
    is_stopping: bool,
    halt: Option<HaltReason>,
}

impl Node {
    /// Runs until the core halts.
    pub fn run(mut self) -> io::Result<HaltReason> {
        let mut turns = Turns {
            events: vec![Event::Started],
            actions: Vec::new(),
            ready: Events::with_capacity(1024),
            deadline: None,
            has_leftover: false,
            is_stopping: false,
            halt: None,
        };
        loop {
            if !turns.events.is_empty() {
                self.broker.handle(self.clock.now(), &mut turns.events, &mut turns.actions);
                assert!(turns.events.is_empty(), "a turn consumes its events");
                self.perform(&mut turns);
            }
            if let Some(reason) = turns.halt.take() {
                self.say_last_words(&mut turns)?;
                if reason == HaltReason::StoppedUnclean {
                    self.disk.abandon();
                }
                return Ok(reason);
            }
            if !self.disk.has_done() {
                self.wait_for_more(&mut turns)?;
            }
            self.gather(&mut turns);
        }
    }

    fn wait_for_more(&mut self, turns: &mut Turns) -> io::Result<()> {
        let timeout = if turns.has_leftover || self.clients.has_more() {
            Some(Duration::ZERO)
        } else {
            let earliest = [turns.deadline, self.clients.deadline()].into_iter().flatten().min();
            earliest.map(|deadline| deadline.since(self.clock.mono()))
        };
        match self.wait.poll.poll(&mut turns.ready, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            result => result?,
        }
        for event in turns.ready.iter().filter(|event| event.token() != WAKE) {
            self.clients.on_ready(event);
        }
        Ok(())
    }

    fn gather(&mut self, turns: &mut Turns) {
        let mut room = Room::of_a_turn();
        let events = &mut turns.events;
        turns.has_leftover = self.disk.take_done(events, &mut room);
        if turns.deadline.is_some_and(|deadline| deadline <= self.clock.mono()) {
            turns.deadline = None;
            events.push(Event::Woke);
        }
        let questions_from = events.len();
        turns.has_leftover |= self.questions.take(events, &mut room);
        if let Some(peers) = &self.peers {
            turns.has_leftover |= peers.take(events, &mut room);
        }
        if events[questions_from..]
            .iter()
            .any(|event| matches!(event, Event::Asked { what: Question::Stop, .. }))
        {
            turns.is_stopping = true;
            self.clients.stop_accepting();
        }
        self.clients.gather(events, &mut room);
    }

    fn perform(&mut self, turns: &mut Turns) {
        for action in turns.actions.drain(..) {
            match action {
                Action::Send { link, parts } if Clients::owns(link) => self.clients.send(link, parts),
                Action::Allow { link, bytes } if Clients::owns(link) => self.clients.allow(link, bytes),
                Action::Close { link } if Clients::owns(link) => self.clients.close(link),
                Action::Abort { link } if Clients::owns(link) => self.clients.abort(link),
                Action::Dial { .. }
                | Action::Send { .. }
                | Action::Allow { .. }
                | Action::Close { .. }
                | Action::Abort { .. } => {
                    let peers =
                        self.peers.as_ref().expect("a node without peers has no links but its clients'");
                    peers.perform(action);
                }
                Action::Write { .. }
                | Action::Sync { .. }
                | Action::Read { .. }
                | Action::Truncate { .. }
                | Action::Remove { .. }
                | Action::List { .. }
                | Action::Forget { .. } => self.disk.perform(action),
                Action::WakeAt { mono } => turns.deadline = Some(mono),
                Action::Tell { question, answer } => self.questions.answer(question, answer),
                Action::Note(notice) => {
                    if let Notice::Rejected { link, reason } = &notice {
                        self.clients.rejected(*link, reason);
                    }
                    self.counts.note(&notice);
                    self.log.write(&notice);
                }
                Action::Halt(reason) => {
                    turns.halt = Some(reason);
                    break;
                }
            }
        }
        turns.actions.clear();
        self.disk.end_turn();
        self.clients.flush();
        self.clients.count(&self.counts);
    }

    /// Lets the last answers leave, for a while.
    fn say_last_words(&mut self, turns: &mut Turns) -> io::Result<()> {
        let until = self.clock.mono() + LAST_WORDS_WAIT;
        while self.clients.has_unsent() && self.clock.mono() < until {
            // What leaves on other threads says nothing here.
            let wait = until.since(self.clock.mono()).min(LAST_WORDS_LOOK);
            self.wait.poll.poll(&mut turns.ready, Some(wait))?;
            for event in turns.ready.iter().filter(|event| event.token() != WAKE) {
                self.clients.on_ready(event);
            }
            self.clients.flush();
        }
        Ok(())
    }
}
