//! A ready: what one replica has for the disk, the network and the floor above, once a turn.
//!
//! raft-rs's own `Ready` must be finished before anything else is stepped, so it lives within one function
//! and nobody else sees it. The asynchronous form is used: the entries are in the window at once, the disk
//! confirms later by number.
//!
//! Invariant: taken numbers rise by one; persisted <= taken.
//! Invariant: committed entries are handed out once, in order, and are durable here.
//!
//! Not here: which messages wait for the disk, and how long (`promise`).

use super::promise::{Debt, Kept, ReadyNumber};
use super::{ReadContext, Replica, Role, SnapshotMeta, log_entry, wire};
use crate::entry::{Entry, HardState, Members, Stamp};
use crate::ids::{Index, ReplicaId, Term};
use crate::limits;
use crate::mutant::{Mutant, is_planted};
use crate::now::Wall;
use raft::eraftpb;
use rust_mq_proto::peer::raft::{RaftKind, RaftMessage};

/// What one replica has to give. Everything in it is taken out of the replica.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ready {
    /// To be given back with [`Replica::persisted`].
    pub number: ReadyNumber,
    /// Whether `persisted` must be called: there is something in the next three fields. All of it goes into
    /// one journal frame.
    pub must_persist: bool,
    /// To journal.
    pub hard_state: Option<HardState>,
    /// To journal, before the entries: the log starts anew above it.
    pub reset: Option<SnapshotMeta>,
    /// To journal. They replace what stood at their indexes and above.
    pub entries: Vec<Entry>,
    /// These leave now, before anything is durable.
    pub messages: Vec<RaftMessage>,
    /// To apply, in order; then [`Replica::applied`].
    pub committed: Vec<Entry>,
    /// Reads that may be answered once everything up to the index is applied.
    pub reads: Vec<(ReadContext, Index)>,
    /// Who leads, if that changed. A leader whose term changed has lost its leadership in between.
    pub role: Option<Role>,
}

impl Replica {
    /// Whether there is anything to take. Cheap.
    pub fn has_ready(&self) -> bool {
        self.node.has_ready()
    }

    /// What the next ready may take in a journal frame, at most. 0: nothing to persist.
    pub fn ready_bytes(&self) -> usize {
        let log = &self.node.raft.raft_log;
        let is_nothing = log.unstable.entries.is_empty()
            && log.unstable.snapshot.is_none()
            && self.told_vote == (self.term(), ReplicaId(self.node.raft.vote));
        if is_nothing { 0 } else { limits::READY_ITEM_BYTES + self.unstable_bytes() }
    }

    /// Takes what there is, unless it needs more room in the journal frame than there is. Once a turn for
    /// each touched replica.
    pub fn take_ready(&mut self, room_bytes: usize) -> Option<Ready> {
        if !self.has_ready() || self.ready_bytes() > room_bytes {
            return None;
        }
        let mut raw = self.node.ready();
        let number = ReadyNumber(raw.number());
        assert!(number > self.taken, "readies are numbered in order");
        self.taken = number;

        let must_persist = raw.must_sync();
        let hard_state = raw.hs().filter(|_| must_persist).map(hard_state);
        let reset = Some(raw.snapshot()).filter(|snapshot| !snapshot.is_empty()).map(snapshot_meta);
        if let Some(reset) = &reset {
            self.node.mut_store().reset(reset.at);
            self.members = reset.members.clone();
            self.handed_out = reset.at.index;
        }
        let unstable = raw.take_entries();
        let first = unstable.first().map(|entry| Index(entry.index));
        self.node.mut_store().append(unstable);
        let entries =
            first.map_or(Vec::new(), |first| self.entries(first, self.window().last().index.next()));
        let committed: Vec<_> = raw.take_committed_entries().iter().map(log_entry::from_raft).collect();
        let reads = raw.take_read_states().iter().map(read).collect();
        let mut said = raw.take_messages();
        said.append(&mut raw.take_persisted_messages());
        // From here on raft-rs may be stepped again.
        self.node.advance_append_async(raw);
        self.pin_election_timeout();

        if let Some(last) = committed.last() {
            assert!(
                committed[0].index == self.handed_out.next(),
                "committed entries are handed out in order"
            );
            self.handed_out = last.index;
        }
        self.told_vote = (self.term(), ReplicaId(self.node.raft.vote));
        let debt = Debt {
            must_persist,
            term: hard_state.map(|state| state.term),
            has_entries: !entries.is_empty(),
            reset: reset.as_ref().map(|reset| reset.at.index),
        };
        let messages = self.promise(number, debt, said);
        let role = self.role_change();
        Some(Ready { number, must_persist, hard_state, reset, entries, messages, committed, reads, role })
    }

    /// The ready `number`, and with it all before it, is durable. Returns what had waited for that. To be
    /// called in number order, and before anything that happened later is stepped; then there may be another
    /// ready.
    pub fn persisted(&mut self, number: ReadyNumber) -> Vec<RaftMessage> {
        assert!(number > self.persisted, "the journal keeps order: readies become durable in theirs");
        assert!(number <= self.taken, "what was not taken cannot be durable");
        let kept = self.promises.keep(number);
        self.confirm(&kept);
        kept.messages
    }

    /// Whether it was told that the ready `number` is durable.
    pub fn has_persisted(&self, number: ReadyNumber) -> bool {
        number <= self.persisted
    }

    /// The floor above has applied what was handed out up to `index`. A reset counts as applied by itself,
    /// when it is durable.
    pub fn applied(&mut self, index: Index) {
        assert!(index <= self.handed_out, "what was not handed out cannot be applied");
        let waits_for_reset = index.0 > self.node.raft.raft_log.persisted;
        if index > self.applied_index() && !waits_for_reset {
            self.node.advance_apply_to(index.0);
            self.pin_election_timeout();
        }
    }

    /// Decides which of a ready's messages leave now.
    fn promise(&mut self, number: ReadyNumber, debt: Debt, said: Vec<eraftpb::Message>) -> Vec<RaftMessage> {
        let mut said = wire::from_raft(said, self.window(), self.settings.append_bytes_max);
        let leads = self.is_leader().then(|| self.term());
        let mut early = Vec::new();
        if is_planted(self.settings.mutant, Mutant::VoteBeforeDurable) {
            early.extend(said.extract_if(.., |message| message.kind() == RaftKind::VoteResponse));
        }
        if is_planted(self.settings.mutant, Mutant::EmptyReadySpeaks) && !debt.must_persist {
            early.append(&mut said);
        }
        let mut messages = self.promises.make(number, debt, leads, said);
        messages.append(&mut early);
        if self.promises.is_empty() {
            // Nothing was owed: raft-rs need not remember this one.
            self.confirm(&Kept { number, ..Kept::default() });
        }
        messages
    }

    fn confirm(&mut self, kept: &Kept) {
        self.persisted = kept.number;
        let is_rash = is_planted(self.settings.mutant, Mutant::NewestConfirmed);
        self.node.on_persist_ready(if is_rash { self.taken.0 } else { kept.number.0 });
        if let Some(reset) = kept.reset
            && reset > self.applied_index()
        {
            // The state came with the reset: raft-rs must not look for entries below it.
            self.node.advance_apply_to(reset.0);
        }
        self.pin_election_timeout();
    }

    /// Whether the floor above knows the role; it learns of a change with the next ready.
    #[cfg(feature = "simulation")]
    pub fn is_role_told(&self) -> bool {
        self.role() == self.told_role
    }

    fn role(&self) -> Role {
        Role { is_leader: self.is_leader(), term: self.term(), leader: self.leader() }
    }

    fn role_change(&mut self) -> Option<Role> {
        let role = self.role();
        (role != self.told_role).then(|| {
            self.told_role = role;
            role
        })
    }
}

fn hard_state(raft: &eraftpb::HardState) -> HardState {
    HardState { term: Term(raft.term), vote: ReplicaId(raft.vote), commit: Index(raft.commit) }
}

fn snapshot_meta(snapshot: &eraftpb::Snapshot) -> SnapshotMeta {
    let meta = snapshot.get_metadata();
    let wall = snapshot.get_data().try_into().expect("`restore` puts eight bytes there");
    let ids = |ids: &[u64]| ids.iter().map(|id| ReplicaId(*id)).collect();
    let members = meta.get_conf_state();
    SnapshotMeta {
        at: Stamp { index: Index(meta.index), term: Term(meta.term), wall: Wall(i64::from_le_bytes(wall)) },
        members: Members { voters: ids(members.get_voters()), learners: ids(members.get_learners()) },
    }
}

fn read(state: &raft::ReadState) -> (ReadContext, Index) {
    let context = state.request_ctx.as_slice().try_into().expect("`read_index` puts eight bytes there");
    (ReadContext(u64::from_le_bytes(context)), Index(state.index))
}
