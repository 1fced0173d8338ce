//! A replica: one node's member of one partition. raft-rs 0.7, guarded; the only room that names it.
//!
//! # How it is used
//!
//! Events are stepped one by one (`step`, `tick`, `propose`, `persisted`, ...). Then, once a turn, each
//! touched replica gives a [`Ready`]: what to journal, what to send, what to apply. When the journal is
//! synced, its number comes back with `persisted`, before anything that happened later. When the floor above
//! has applied the committed entries, it says so with `applied`.
//! ```text
//! replica.propose(EntryKind::Batch, wall, batch)?;             // or step(message), tick()
//! let ready = replica.take_ready(room)?;                       // journal ready.{hard_state, reset, entries}
//! send(ready.messages);  apply(ready.committed);               // these wait for nothing
//! ...the frame is synced...
//! send(replica.persisted(ready.number));                       // these did
//! ```
//!
//! # What raft-rs leaves to us
//!
//! - It trusts its peers: `guard` refuses what it would panic on or be misled by.
//! - It says "send this after that is durable" per ready; the line of promises across readies is ours.
//! - It draws election timeouts from the thread's generator: ours are a pure hash, set after every call.
//! - It wins elections while entries are unsynced, and panics: such a replica does not stand for election.
//! - It forwards proposals and reads to the leader: we never propose or read on a follower, because offsets
//!   are assigned by who proposes.
//! - It keeps sending to a follower only what is in the window; one that is further behind is told to fetch
//!   (`catch_up_wanted`), and `restore`s from a snapshot of state and index when its data is synced.
//!
//! What is left out: leases and priorities (they are unsafe or stall), joint consensus, and for now changes
//! of members: they are fixed at the start, or come with a restore.
//!
//! Invariant: applied <= handed out <= min(commit, durable) <= last index.
//! Invariant: a promise (vote, append accepted) leaves only when its ready and all before it are durable.
//! Invariant: a leader says nothing until the hard state of its term is durable.
//! Invariant: a replica that is not leader and has unsynced entries does not campaign.
//! Invariant: term <= Term::MAX.
//!
//! Not here: the journal (`storage`), links and who is alive (`peer`), offsets (`partition`), machines
//! (`host`).
//! Sources: Raft paper; Ongaro's thesis 3.10, 6.4, 9.6, 10.2.1; raft-rs issues and pull requests 84, 489,
//! 537.

mod confirming;
mod election;
mod guard;
mod line;
mod log_entry;
mod promise;
mod propose;
mod ready;
mod restore;
mod start;
#[cfg(test)]
mod tests;
mod unheard;
mod window;
mod wire;

pub use confirming::Confirming;
pub use guard::Refused;
pub use promise::ReadyNumber;
pub use propose::Dropped;
pub use ready::Ready;
pub use restore::{Restored, SnapshotMeta};
pub use start::{Recovered, Settings, StartFault};

use crate::entry::{Entry, HardState, Members};
use crate::ids::{Index, ReplicaId, Term};
use crate::limits;
use crate::mutant::{Mutant, is_planted};
use promise::Promises;
use raft::{Progress, ProgressState, RawNode, StateRole};
use rust_mq_proto::peer::raft::{RaftKind, RaftMessage};
use unheard::Unheard;
use window::Window;

/// One node's member of one partition.
pub struct Replica {
    settings: Settings,
    node: RawNode<Window>,
    members: Members,
    promises: Promises,
    /// What the last ready said of the role.
    told_role: Role,
    /// Term and vote as the last ready gave them to the journal.
    told_vote: (Term, ReplicaId),
    taken: ReadyNumber,
    persisted: ReadyNumber,
    handed_out: Index,
    /// The election timeout of a term.
    election: (Term, usize),
    /// Its node's disk is slow: others are to lead.
    is_reluctant: bool,
    /// Ticks for which it has let others stand for election.
    hesitated: usize,
    /// Voters that do not hear the leader that is heard here.
    unheard: Unheard,
    /// They have not for too long.
    wants_to_lead: bool,
    /// Reads that were asked for.
    contexts: u64,
}

/// Who leads, as far as a replica knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Role {
    /// This replica does.
    pub is_leader: bool,
    /// Its term.
    pub term: Term,
    /// Who does in that term; [`ReplicaId::NOBODY`] if unknown.
    pub leader: ReplicaId,
}

/// Names a linearizable read. The asker counts up: equal ones would merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReadContext(pub u64);

impl Replica {
    /// A replica from what the disk gave back. Errors: what was recovered contradicts itself. A partition of one
    /// voter has a leader after the first [`Replica::campaign`].
    pub fn start(settings: Settings, id: ReplicaId, recovered: Recovered) -> Result<Replica, StartFault> {
        start::start(settings, id, recovered)
    }

    /// A message came from another member.
    pub fn step(&mut self, message: RaftMessage) -> Result<(), Refused> {
        self.admit(&message)?;
        match message.kind() {
            RaftKind::TransferWanted => {
                self.transfer_to_who_asks(ReplicaId(message.from));
                return Ok(());
            }
            RaftKind::PreVote if !self.is_leader() && self.leader() != ReplicaId::NOBODY => {
                self.unheard.refused(self.term());
            }
            _ => {}
        }
        let message = self.bend(message);
        let stepped = self.node.step(wire::to_raft(message));
        self.pin_election_timeout();
        stepped.map_err(|_| Refused::Sender)
    }

    /// Time passed: [`limits::TICK`]. Replicas that are their only voter need none.
    pub fn tick(&mut self) {
        let raft = &mut self.node.raft;
        if raft.state == StateRole::Leader {
            // A leader that sends nothing keeps no buffers.
            raft.maybe_free_inflight_buffers();
        } else if raft.election_elapsed + 1 < raft.randomized_election_timeout() || !raft.promotable() {
            self.hesitated = 0;
        } else if !self.may_campaign() || self.hesitates() {
            // Only the tick that would fire is withheld: the old leader's lease must run out all the same.
            return;
        }
        self.node.tick();
        self.pin_election_timeout();
        let is_due = self.unheard.tick(self.term(), self.settings.election_ticks_max);
        self.wants_to_lead |= is_due && !self.is_leader() && self.may_campaign() && !self.is_reluctant;
    }

    /// Whether others have not heard the leader for too long, and this replica could lead, since the last call. It is
    /// for the floor above to know who is heard better, and to [`Replica::ask_for_leadership`].
    pub fn wants_to_lead(&mut self) -> bool {
        std::mem::take(&mut self.wants_to_lead)
    }

    /// Asks the leader for its leadership.
    pub fn ask_for_leadership(&mut self) {
        if !self.is_leader() && !is_planted(self.settings.mutant, Mutant::UnheardLeaderStays) {
            // Of a follower raft-rs takes this for a request to its leader.
            self.node.transfer_leader(self.id().0);
            self.pin_election_timeout();
        }
    }

    /// Whether its node's disk is slow. While it is, this replica lets others lead: it takes no leadership that is
    /// handed to it, and stands for election only when nobody else has for [`limits::RELUCTANT_ELECTIONS`].
    pub fn set_reluctant(&mut self, is_reluctant: bool) {
        self.is_reluctant = is_reluctant;
    }

    /// Stands for election now: the only voter at its start, or a follower whose leader's node died. Returns
    /// false if it may not: then ask again at the next tick.
    pub fn campaign(&mut self) -> bool {
        if self.is_leader() || !self.may_campaign() || self.is_reluctant {
            return false;
        }
        self.leader_lost();
        // An error means committed changes of members wait to be applied, and raft-rs has stayed follower.
        let _ = self.node.campaign();
        self.pin_election_timeout();
        self.node.raft.state != StateRole::Follower
    }

    /// The leader's node is known to be dead: its lease ends, so that another's campaign is heard at once.
    pub fn leader_lost(&mut self) {
        if !self.is_leader() && self.leader() != ReplicaId::NOBODY {
            self.step_down();
        }
    }

    /// A member's node is not reachable: what was sent to it is probably lost.
    pub fn peer_lost(&mut self, peer: ReplicaId) {
        self.node.report_unreachable(peer.0);
        self.pin_election_timeout();
    }

    /// A member's node is reachable again: a leader asks at once how far it is.
    pub fn peer_found(&mut self, peer: ReplicaId) {
        if self.is_leader() && self.node.raft.prs().get(peer.0).is_some() {
            self.node.ping();
            self.pin_election_timeout();
        }
    }

    /// A leader that lives with no majority of voters among `live` steps down. Returns whether it did.
    pub fn step_down_without_quorum(&mut self, live: &[ReplicaId]) -> bool {
        let me = self.id();
        let alive = self.members.voters.iter().filter(|voter| **voter == me || live.contains(voter)).count();
        let steps_down = self.is_leader() && alive * 2 <= self.members.voters.len();
        if steps_down {
            self.step_down();
        }
        steps_down
    }

    /// A leader that serves nobody, because its disk does not, steps down: others may be able to. Not where something
    /// is served, nor where the other voters are no majority. Returns whether it did.
    pub fn step_down_for_others(&mut self) -> bool {
        let voters = self.members.voters.len();
        let waits = self.applied_index() < self.last_index();
        let steps_down = self.is_leader() && waits && voters > 0 && voters - 1 > voters / 2;
        if steps_down {
            self.step_down();
        }
        steps_down
    }

    /// Hands leadership to a voter that keeps up: proposals are dropped until it has everything and has been
    /// asked to stand for election, or for an election timeout. Returns false if it cannot be handed to it.
    pub fn transfer(&mut self, to: ReplicaId) -> bool {
        let is_heard = self.node.raft.prs().get(to.0).is_some_and(|peer| peer.recent_active);
        is_heard && self.transfer_to_who_asks(to)
    }

    /// As `transfer`, to one that is heard, whatever the count of those heard since the last quorum check says.
    fn transfer_to_who_asks(&mut self, to: ReplicaId) -> bool {
        // A probe that has nothing more to tell stays a probe.
        let last = self.last_index().0;
        let keeps_up = |peer: &Progress| peer.state == ProgressState::Replicate || peer.matched == last;
        let is_fit = self.is_leader()
            && to != self.id()
            && self.members.voters.contains(&to)
            && self.node.raft.prs().get(to.0).is_some_and(keeps_up);
        if is_fit {
            self.node.transfer_leader(to.0);
            self.pin_election_timeout();
        }
        is_fit
    }

    /// Followers that need entries below the window, each once since the last call. They ask again with every
    /// heartbeat's answer until they are near.
    pub fn catch_up_wanted(&mut self) -> Vec<ReplicaId> {
        let behind = self.node.mut_store().take_behind();
        // Who was asked as a leader and is none any more has nothing to give: its log may be the wrong one.
        if self.is_leader() { behind } else { Vec::new() }
    }

    /// Forgets entries up to `to`, which must be applied.
    pub fn trim(&mut self, to: Index) {
        assert!(to <= self.applied_index(), "the window reaches down to what is applied");
        self.node.mut_store().trim(to);
        if self.first_index() > self.last_index() && !self.has_ready() {
            self.give_memory_back();
        }
    }
}

/// What a replica knows.
impl Replica {
    /// Its own id.
    pub fn id(&self) -> ReplicaId {
        ReplicaId(self.node.raft.id)
    }

    /// What it was started with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The current term.
    pub fn term(&self) -> Term {
        Term(self.node.raft.term)
    }

    /// Who leads in it; [`ReplicaId::NOBODY`] if unknown.
    pub fn leader(&self) -> ReplicaId {
        ReplicaId(self.node.raft.leader_id)
    }

    /// Whether this replica leads.
    pub fn is_leader(&self) -> bool {
        self.node.raft.state == StateRole::Leader
    }

    /// Whether it leads and has applied an entry of its own term: its state is current as of its election.
    pub fn has_applied_own_term(&self) -> bool {
        self.is_leader() && self.node.raft.apply_to_current_term()
    }

    /// Index of the first entry in the window; one above the last if it is empty.
    pub fn first_index(&self) -> Index {
        self.window().below().index.next()
    }

    /// Index of the log's last entry, durable or not.
    pub fn last_index(&self) -> Index {
        Index(self.node.raft.raft_log.last_index())
    }

    /// The newest index that is known to be durable here.
    #[cfg(feature = "simulation")]
    pub fn durable_index(&self) -> Index {
        Index(self.node.raft.raft_log.persisted)
    }

    /// The newest index known committed.
    pub fn commit(&self) -> Index {
        Index(self.node.raft.raft_log.committed)
    }

    /// The newest index of which `applied` was told.
    pub fn applied_index(&self) -> Index {
        Index(self.node.raft.raft_log.applied)
    }

    /// Who belongs to the partition, sorted. Empty: not known yet.
    pub fn members(&self) -> &Members {
        &self.members
    }

    /// Term, vote and commit as they are in memory.
    pub fn hard_state(&self) -> HardState {
        let raft = &self.node.raft;
        HardState { term: Term(raft.term), vote: ReplicaId(raft.vote), commit: self.commit() }
    }

    /// How far each member's log is known to agree with the leader's. Means something on a leader only.
    pub fn progress(&self) -> impl Iterator<Item = (ReplicaId, Index)> {
        let members = self.members.voters.iter().chain(&self.members.learners);
        members.map(|id| (*id, Index(self.node.raft.prs().get(id.0).map_or(0, |peer| peer.matched))))
    }

    /// Whether a member has said something to this leader lately, whatever it was.
    pub fn hears(&self, member: ReplicaId) -> bool {
        self.node.raft.prs().get(member.0).is_some_and(|peer| peer.recent_active)
    }

    /// Whether who has everything up to `matched` lacks more than so many bytes, or something that is below the window.
    pub fn lacks_more_than(&self, matched: Index, bytes_max: usize) -> bool {
        if matched < self.window().below().index {
            return true;
        }
        let unstable = self.unstable_bytes();
        if self.window_bytes() + unstable <= bytes_max {
            return false;
        }
        let mut lacking = unstable;
        let mut weights = self.window().range(matched.next(), self.last_index().next());
        weights.any(|entry| {
            lacking += log_entry::weight(&entry.data);
            lacking > bytes_max
        })
    }

    /// The entries of `[from, to)` that are in the window: those of readies that were taken, durable or not.
    pub fn entries(&self, from: Index, to: Index) -> Vec<Entry> {
        self.window().range(from, to).map(log_entry::from_raft).collect()
    }

    /// Whether the log has an entry of that term there.
    pub fn has_entry(&self, index: Index, term: Term) -> bool {
        self.node.raft.raft_log.match_term(index.0, term.0)
    }

    /// The payload of the last batch up to `to`, which is in the log, that is not applied yet.
    pub fn newest_batch(&self, to: Index) -> Option<&[u8]> {
        let unapplied = self.applied_index().0 + 1..=to.0;
        unapplied.rev().filter_map(|index| self.entry(Index(index))).find_map(log_entry::batch)
    }

    /// Weight of the window's entries.
    pub fn window_bytes(&self) -> usize {
        self.window().bytes()
    }

    /// What the entries that are here take in memory, about.
    pub fn held_bytes(&self) -> usize {
        let count = self.window().len() + self.node.raft.raft_log.unstable.entries.len();
        self.window().bytes() + self.unstable_bytes() + count * limits::ENTRY_MEMORY_BYTES
    }

    /// Payload bytes that this leader has proposed and not yet seen committed.
    pub fn uncommitted_bytes(&self) -> usize {
        self.node.raft.uncommitted_size()
    }

    /// Weight of the entries that no ready has taken yet.
    pub fn unsynced_bytes(&self) -> usize {
        self.unstable_bytes()
    }

    /// Whether entries, or a reset, are not durable yet.
    pub fn has_unsynced_log(&self) -> bool {
        let log = &self.node.raft.raft_log;
        log.unstable.snapshot.is_some() || log.persisted != log.last_index() || self.promises.owe_log()
    }

    /// Whether standing for election would be safe, and of any use.
    fn may_campaign(&self) -> bool {
        self.node.raft.promotable() && self.term() < Term::MAX && !self.has_unsynced_log()
    }

    /// Whether others are given another tick to lead, the disk here being slow.
    fn hesitates(&mut self) -> bool {
        let patience = limits::RELUCTANT_ELECTIONS.saturating_mul(self.settings.election_ticks_max);
        let hesitates = self.is_reluctant && self.hesitated < patience;
        self.hesitated += usize::from(hesitates);
        hesitates
    }

    /// An entry of the window, or one that no ready has taken yet.
    fn entry(&self, index: Index) -> Option<&raft::eraftpb::Entry> {
        let unstable = &self.node.raft.raft_log.unstable;
        match index.0.checked_sub(unstable.offset) {
            Some(place) => unstable.entries.get(usize::try_from(place).ok()?),
            None => self.window().range(index, index.next()).next(),
        }
    }

    fn window(&self) -> &Window {
        self.node.store()
    }

    /// The term of an entry that is here, or of the one just below the window.
    fn term_at(&self, index: Index) -> Option<Term> {
        let log = &self.node.raft.raft_log;
        // Not the window's first: a restore that no ready has taken yet has moved raft-rs's, and outside of
        // its log raft-rs answers term 0.
        if index.next().0 < log.first_index() || index > self.last_index() {
            return None;
        }
        log.term(index.0).ok().map(Term)
    }

    fn unstable_bytes(&self) -> usize {
        // raft-rs counts 12 bytes and the context of 9 (none on its own entry) with each payload.
        let unstable = &self.node.raft.raft_log.unstable;
        unstable.entries_size + unstable.entries.len() * limits::ENTRY_ITEM_BYTES
    }

    /// A replica at rest keeps no buffers: there may be ten thousand of them.
    fn give_memory_back(&mut self) {
        self.promises.shrink();
        self.node.raft.raft_log.unstable.entries.shrink_to_fit();
        self.node.raft.msgs.shrink_to_fit();
        self.node.raft.read_states.shrink_to_fit();
    }

    fn step_down(&mut self) {
        let term = self.node.raft.term;
        self.node.raft.become_follower(term, ReplicaId::NOBODY.0);
        self.pin_election_timeout();
    }

    /// After every call into raft-rs: see `election`.
    fn pin_election_timeout(&mut self) {
        let term = self.term();
        if self.election.0 != term {
            self.election = (term, election::timeout(&self.settings, term));
        }
        self.node.raft.set_randomized_election_timeout(self.election.1);
    }
}
