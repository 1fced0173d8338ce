//! The desk: keeps the requests that wait in one table, and answers them. What each waits for, and how it ends, the
//! room's face knows (`mod`).
//!
//! Each that waits is known by a [`Waiter`] that the rooms below carry without knowing what it is, and has a deadline.
//! What usually ends by it, a long poll, has its own place in the queue (`wait_until`); all others usually end long
//! before, and a place each would outlive them by far: they share one, that of the earliest of them, or later by at most
//! `limits::SWEEP` (`wait`).
//!
//! Invariant: whatever waits has a deadline, and leaves the table with its answer. Only what waits for this node to be
//! open waits as long as that takes (`NEVER`).

use super::Waiting;
use super::fetch_sessions::FetchSessions;
use super::origin::{Format, Origin};
use super::producer_ids::Block;
use super::queue::Queue;
use super::timings::Timings;
use super::work::Work;
use crate::connection::Purpose;
use crate::ids::LinkId;
use crate::limits::{DECISION_AWAITED_MAX, SWEEP};
use crate::machine::Waiter;
use crate::mutant::Mutant;
use crate::node::Node;
use crate::now::{Mono, Now};
use crate::storage::ReadId;
use crate::timer::Deadlines;
use rust_mq_proto::kafka::{ErrorCode, Response, write_response};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// Everything that waits for an answer.
pub struct Desk {
    next_waiter: u64,
    table: BTreeMap<Waiter, Place>,
    deadlines: Deadlines<Due>,
    /// When all are looked at next.
    sweep_at: Option<Mono>,
    /// Cold reads, and who waits for each: those who ask for the same share one.
    pub(super) reads: BTreeMap<ReadId, Vec<Waiter>>,
    /// Those that wait for leaders.
    pub(super) awaiting_leaders: Vec<Waiter>,
    /// What this turn has done.
    pub(super) work: Work,
    pub(super) timings: Timings,
    /// Requests that go on in the next turn, in order.
    pub(super) unfinished: VecDeque<Waiter>,
    /// Links whose next request waits for one of those, whether the link is still there or not.
    held: BTreeSet<LinkId>,
    /// Fetches with news that were not looked at yet, in order.
    pub(super) woken: VecDeque<Waiter>,
    /// Those that came too early.
    pub(super) early: Queue,
    pub(super) parked: Parked,
    pub(super) sessions: FetchSessions,
    pub(super) producer_ids: Block,
    /// Topics that Metadata requests are making on the way.
    pub(super) auto_creations: usize,
}

/// The deadline of what waits as long as it takes.
pub(super) const NEVER: Mono = Mono(u64::MAX);

/// A place in the table.
struct Place {
    until: Mono,
    waiting: Waiting,
}

/// The fetches that were parked and are not answered.
#[derive(Debug, Default)]
pub(super) struct Parked {
    pub fetches: usize,
    pub parts: usize,
}

/// Why a request ends that nothing has come of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Vain {
    /// Its time is up.
    TooLate,
    /// The node stops.
    GivenUp,
}

impl Vain {
    /// What is said of a decision that nobody has told.
    pub fn undecided(self) -> ErrorCode {
        match self {
            Vain::TooLate => ErrorCode::RequestTimedOut,
            Vain::GivenUp => ErrorCode::NotController,
        }
    }
}

/// How long a client that says so waits for a decision.
pub(super) fn decision_patience(timeout_ms: i32) -> Duration {
    Duration::from_millis(u64::try_from(timeout_ms).unwrap_or(0)).min(DECISION_AWAITED_MAX)
}

/// Whose time is up, if it still waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// One that waits.
    One(Waiter),
    /// Some, perhaps.
    Some,
}

impl Desk {
    /// Nobody waits. A turn does so many bytes for clients before it leaves the rest to the next one.
    pub fn new(turn_work_bytes: usize) -> Desk {
        Desk {
            next_waiter: 0,
            table: BTreeMap::new(),
            deadlines: Deadlines::default(),
            sweep_at: None,
            reads: BTreeMap::new(),
            awaiting_leaders: Vec::new(),
            work: Work::new(turn_work_bytes),
            timings: Timings::default(),
            unfinished: VecDeque::new(),
            held: BTreeSet::new(),
            woken: VecDeque::new(),
            early: Queue::default(),
            parked: Parked::default(),
            sessions: FetchSessions::default(),
            producer_ids: Block::default(),
            auto_creations: 0,
        }
    }

    /// How many requests wait for something, and parts of them: for the simulator's bounds.
    pub fn waiting_count(&self) -> usize {
        self.table.len()
    }

    /// When `woke` has something to do.
    pub fn next_deadline(&self) -> Option<Mono> {
        self.deadlines.next()
    }

    /// What this turn has done for clients, bytes.
    #[cfg(feature = "simulation")]
    pub fn work_done(&self) -> usize {
        self.work.done()
    }

    /// The number of the next that waits.
    pub(super) fn waiter(&mut self) -> Waiter {
        self.next_waiter += 1;
        Waiter(self.next_waiter)
    }

    /// A request goes on in the next turn, and the next one of its link waits for it.
    pub(super) fn hold(&mut self, node: &mut Node, link: LinkId) {
        self.held.insert(link);
        node.hold_client(link);
    }

    /// It is gone on with, or ended.
    pub(super) fn release(&mut self, node: &mut Node, link: LinkId) {
        self.held.remove(&link);
        node.release_client(link);
    }

    /// Whether a request of that link is not finished, though the link may be gone.
    pub(super) fn holds(&self, link: LinkId) -> bool {
        self.held.contains(&link)
    }

    /// Lets it wait until then, or `limits::SWEEP` longer.
    pub(super) fn wait(&mut self, now: Now, waiter: Waiter, until: Mono, waiting: Waiting) {
        self.put(waiter, until, waiting);
        self.sweep_after(until.max(now.mono + SWEEP));
    }

    /// Lets it wait until then: exactly, which costs a place in the queue until then.
    pub(super) fn wait_until(&mut self, waiter: Waiter, until: Mono, waiting: Waiting) {
        self.put(waiter, until, waiting);
        self.deadlines.arm(until, Due::One(waiter));
    }

    /// Puts it in the table; its deadline is in the queue.
    pub(super) fn put(&mut self, waiter: Waiter, until: Mono, waiting: Waiting) {
        let before = self.table.insert(waiter, Place { until, waiting });
        assert!(before.is_none(), "one waiter waits once");
    }

    /// One that waits, to be gone on with.
    pub(super) fn waiting_mut(&mut self, waiter: Waiter) -> Option<&mut Waiting> {
        self.table.get_mut(&waiter).map(|place| &mut place.waiting)
    }

    /// One that waits.
    pub(super) fn waiting(&self, waiter: Waiter) -> Option<&Waiting> {
        self.table.get(&waiter).map(|place| &place.waiting)
    }

    /// All that wait.
    pub(super) fn all_waiting(&self) -> impl Iterator<Item = (Waiter, &Waiting)> {
        self.table.iter().map(|(waiter, place)| (*waiter, &place.waiting))
    }

    /// Takes one out of the table.
    pub(super) fn take_out(&mut self, waiter: Waiter) -> Option<Waiting> {
        self.table.remove(&waiter).map(|place| place.waiting)
    }

    fn sweep_after(&mut self, at: Mono) {
        if at < NEVER && self.sweep_at.is_none_or(|next| at < next) {
            self.sweep_at = Some(at);
            self.deadlines.arm(at, Due::Some);
        }
    }

    /// Those that have waited until `now` or longer. Each is told once: what is not ended then is not looked at again.
    pub(super) fn take_late(&mut self, now: Now) -> Vec<Waiter> {
        let mut late = Vec::new();
        while let Some(due) = self.deadlines.pop_due(now.mono) {
            match due {
                Due::One(waiter) => late.push(waiter),
                // An earlier place in the queue has taken this one's over.
                Due::Some if self.sweep_at.is_none_or(|at| at > now.mono) => {}
                Due::Some => {
                    self.sweep_at = None;
                    late.extend(
                        self.table
                            .iter()
                            .filter(|(_, place)| place.until <= now.mono)
                            .map(|(waiter, _)| *waiter),
                    );
                    let rest = self.table.values().map(|place| place.until).filter(|until| *until > now.mono);
                    if let Some(until) = rest.min() {
                        self.sweep_after(until.max(now.mono + SWEEP));
                    }
                }
            }
        }
        late.retain(|waiter| self.table.get(waiter).is_some_and(|place| place.until <= now.mono));
        late
    }

    /// Those that wait so.
    pub(super) fn those(&self, are_meant: impl Fn(&Waiting) -> bool) -> Vec<Waiter> {
        self.table.iter().filter(|(_, place)| are_meant(&place.waiting)).map(|(waiter, _)| *waiter).collect()
    }

    /// Answers.
    pub(super) fn answer<R: Response>(&mut self, node: &mut Node, origin: Origin, body: &R) {
        self.leaves(node, origin);
        let Format { version, correlation_id } = origin.format;
        node.answer(origin.caller.link, origin.slot, |writer| {
            write_response(writer, version, correlation_id, body);
        });
    }

    /// Ends a request that gets no answer.
    pub(super) fn silence(&mut self, node: &mut Node, origin: Origin) {
        self.leaves(node, origin);
        node.silence(origin.caller.link, origin.slot);
    }

    /// Ends a request with its link.
    pub(super) fn reject(&mut self, node: &mut Node, now: Now, origin: Origin, reason: String) {
        self.leaves(node, origin);
        node.reject(now, origin.caller.link, reason);
    }

    /// Of a request that waits now no more than so many bytes are kept: what it was decoded to is gone.
    pub(super) fn keeps(node: &mut Node, origin: &mut Origin, bytes: usize) {
        let freed = origin.held_bytes.saturating_sub(bytes);
        node.give_back(Purpose::Decoded, freed);
        origin.held_bytes -= freed;
    }

    /// A request leaves the desk, whether its client is still there or not.
    pub(super) fn leaves(&mut self, node: &mut Node, origin: Origin) {
        self.timings.took(origin.key, origin.taken);
        let is_gone = node.client(origin.caller.link).is_none();
        if !(is_gone && node.is_planted(Mutant::BudgetNotGivenBack)) {
            node.give_back(Purpose::Decoded, origin.held_bytes);
        }
    }
}
