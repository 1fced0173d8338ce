//! What machines are asked, by requests of this node and of others, and the way of the answers back.
//!
//! ```text
//! asked here     led here: the machine decides.  led elsewhere: forwarded, and answered or lost.  led by nobody: waits
//! asked there    the machine decides, if it is led here; the answer goes back to the node that asked
//! an answer      waits until the image here shows what it speaks of, then goes to whoever asked
//! ```
//! - Invariant: each waiter hears exactly once; a request that is forwarded may be done although it is answered as lost.
//! - Invariant: nobody waits for a leader longer than `limits::CONTROLLER_AWAITED_MAX`, and nothing waits in a queue
//!   whose partition has a leader that can be asked.
//! - Invariant: of other nodes' requests at most `limits::FORWARDS_MAX` are in work.
//!
//! Not here: what machines decide (`host`), the calls between nodes (`peer/forwards`).

use super::ports::Ports;
use crate::host::Replied;
use crate::ids::{Index, NodeId, TopicPartition};
use crate::limits::{CONTROLLER_AWAITED_MAX, FORWARDS_MAX};
use crate::machine::Waiter;
use crate::mutant::Mutant;
use crate::now::{Mono, Now};
use crate::peer::CallId;
use crate::resident::{Reply, Request, Resident, Residents};
use std::collections::{BTreeMap, VecDeque};

/// Waiters of peers' requests are told from those of the desk by this bit; the rest of the number is this
/// node's own count.
const PEERS: u64 = 1 << 63;

/// What was asked, and is not answered.
#[derive(Default)]
pub(super) struct Asking {
    /// Requests that nobody was there for, by the partition whose leader is to be asked.
    unasked: BTreeMap<TopicPartition, VecDeque<Unasked>>,
    /// Who waits for another node, and is told what if that does not answer.
    forwarded: BTreeMap<CallId, (Waiter, Reply)>,
    /// Requests that other nodes forwarded to this one.
    for_peers: BTreeMap<Waiter, (NodeId, CallId)>,
    /// Answers that speak of what this node's image does not show yet, by the index that shows it.
    awaiting_image: BTreeMap<(Index, Waiter), Reply>,
}

/// A request that no leader was there for.
struct Unasked {
    until: Mono,
    waiter: Waiter,
    request: Request,
}

impl Asking {
    /// How many requests wait for anything.
    #[cfg(feature = "simulation")]
    pub fn held(&self) -> usize {
        let unasked: usize = self.unasked.values().map(VecDeque::len).sum();
        unasked + self.forwarded.len() + self.for_peers.len() + self.awaiting_image.len()
    }

    /// Asks a machine, on whichever node leads it. The answer comes in the news once this node's own image shows what it
    /// speaks of. Where nobody leads, as just after a start, the request waits a bounded time for someone to; then it is
    /// "not leader". Too much at once is refused here, wherever the leader is.
    pub fn ask(
        &mut self,
        now: Now,
        waiter: Waiter,
        request: Request,
        residents: &mut Residents,
        ports: &mut Ports,
    ) {
        if let Some(refusal) = request.refusal(residents.level()) {
            ports.news.replied.push((waiter, refusal));
            return;
        }
        let of = request.of();
        if request.is_for_here() {
            // Who does not lead yet, or does not know all of it, says so at once.
            let asked = residents.request(now, waiter, request, &mut ports.told());
            ports.touched.extend(asked);
            return self.answered(residents, ports);
        }
        let unasked = Unasked { until: now.mono + CONTROLLER_AWAITED_MAX, waiter, request };
        if let Some(unasked) = self.ask_leader(now, unasked, residents, ports) {
            self.unasked.entry(of).or_default().push_back(unasked);
        }
    }

    /// Asks what waits for a leader, if there is one now, and gives up what has waited too long.
    pub fn ask_again(&mut self, now: Now, residents: &mut Residents, ports: &mut Ports) {
        if self.unasked.is_empty() {
            return;
        }
        for (of, mut queue) in std::mem::take(&mut self.unasked) {
            while let Some(unasked) = queue.pop_front() {
                let Some(unasked) = self.ask_leader(now, unasked, residents, ports) else { continue };
                if unasked.until > now.mono {
                    // Where this one cannot be asked, the later ones cannot either.
                    queue.push_front(unasked);
                    break;
                }
                ports.news.replied.push((unasked.waiter, unasked.request.not_leader()));
            }
            if !queue.is_empty() {
                self.unasked.insert(of, queue);
            }
        }
    }

    /// When `ask_again` has somebody to give up.
    pub fn next_deadline(&self) -> Option<Mono> {
        self.unasked.values().filter_map(|queue| queue.front()).map(|unasked| unasked.until).min()
    }

    /// Another node asks.
    pub fn asked_by(
        &mut self,
        now: Now,
        (node, id): (NodeId, CallId),
        request: &[u8],
        residents: &mut Residents,
        ports: &mut Ports,
    ) {
        let Ok(request) = Request::decode(request) else { return };
        if self.for_peers.len() >= FORWARDS_MAX {
            // Whoever asks gives up after a while, and is no worse off than with an answer that came too late.
            return;
        }
        let waiter = Waiter(PEERS | ports.next_context());
        self.for_peers.insert(waiter, (node, id));
        let asked = residents.request(now, waiter, request, &mut ports.told());
        ports.touched.extend(asked);
        self.answered(residents, ports);
    }

    /// Another node's answer to a forwarded request; `None` if it was lost.
    pub fn forwarded(
        &mut self,
        id: CallId,
        answer: Option<(Index, &[u8])>,
        residents: &Residents,
        ports: &mut Ports,
    ) {
        let Some((waiter, lost)) = self.forwarded.remove(&id) else { return };
        let (index, reply) = match answer {
            Some((index, bytes)) => (index, Reply::decode(bytes).unwrap_or(lost)),
            None => (Index(0), lost),
        };
        ports.answered.push(Replied { waiter, reply, index });
        self.answered(residents, ports);
    }

    /// Machines have answered, or the image has moved: lets the answers go whose subject the image shows by now.
    pub fn answered(&mut self, residents: &Residents, ports: &mut Ports) {
        if ports.answered.is_empty() && self.awaiting_image.is_empty() {
            return;
        }
        for Replied { waiter, reply, index } in ports.answered.drain(..) {
            self.awaiting_image.insert((index, waiter), reply);
        }
        let applied = residents.metadata().map_or(Index(0), |host| host.applied().index);
        while let Some(first) = self.awaiting_image.first_entry()
            && (first.key().0 <= applied || ports.is_planted(Mutant::AnsweredBeforeShown))
        {
            let ((index, waiter), reply) = first.remove_entry();
            match self.for_peers.remove(&waiter) {
                Some((node, id)) => {
                    if let Some(reply) = reply.encode(residents.level()) {
                        ports.peers.forwarded(node, id, index, reply);
                    }
                }
                None => ports.news.replied.push((waiter, reply)),
            }
        }
    }

    /// Gives the request back if nobody can be asked.
    fn ask_leader(
        &mut self,
        now: Now,
        unasked: Unasked,
        residents: &mut Residents,
        ports: &mut Ports,
    ) -> Option<Unasked> {
        let of = unasked.request.of();
        let leader = match residents.of(of) {
            Some(resident) => residents.node_of(of, resident.replica().leader()),
            None => ports.peers.leader_of(of).map(|(_, node)| node),
        };
        let Some(leader) = leader else { return Some(unasked) };
        if leader != ports.node {
            let Some(request) = unasked.request.encode(residents.level()) else {
                // The cluster is of a level at which nobody is asked that.
                ports.news.replied.push((unasked.waiter, unasked.request.not_leader()));
                return None;
            };
            let Some(call) = ports.peers.forward(leader, request, now.mono) else {
                return Some(unasked);
            };
            self.forwarded.insert(call, (unasked.waiter, unasked.request.not_leader()));
            return None;
        }
        if !residents.of(of).is_some_and(Resident::is_leading) {
            return Some(unasked);
        }
        let asked = residents.request(now, unasked.waiter, unasked.request, &mut ports.told());
        ports.touched.extend(asked);
        self.answered(residents, ports);
        None
    }
}
