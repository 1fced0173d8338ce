//! The host puts a machine on a replica: it keeps the machine's two copies, proposes what `decide` wants
//! changed, holds replies back until they are true, and replays the log into the committed copy.
//!
//! ```text
//! request -> decide(tip) -> propose -> apply to tip          parked: (index, waiter, reply)
//! replica commits entry -> apply to committed -> effects     replies up to the applied index leave
//! ```
//!
//! - Invariant: applied index <= tip index, and with nothing in flight committed == tip (the simulator compares).
//! - Invariant: a reply leaves when the applied index has reached the tip's at decide time; a confirmed one not before
//!   it is known that this replica led after that.
//! - Invariant: nothing is decided before soft state is whole.
//! - Invariant: the tip never holds a command that was not proposed: propose first, then apply.
//! - Invariant: commands of one decision <= commands_bytes_max of the room, and so can be proposed.
//!
//! A leader decides only once an entry of its own term is applied: then committed holds everything that any
//! earlier leader could have acknowledged, and the tip can start as its clone. The price is that requests in
//! the first round trip of a term are answered "not leader" and come again.
//!
//! Not here: what a command does to the node (the floor above gets each committed command as an effect).

#[cfg(test)]
mod tests;

use crate::codec::{self, Kind};
use crate::entry::{Entry, EntryKind, Stamp};
use crate::ids::{Index, Term};
use crate::level::{Level, Levels};
use crate::machine::{Answer, Built, Context, Decision, Machine, Proof, Room, Undecodable, Waiter};
use crate::mutant::{Mutant, is_planted};
use crate::now::{Mono, Now, Wall};
use crate::replica::{Confirming, Dropped, ReadContext, Replica};
use crate::rng::Rng;
use bytes::{BufMut, Bytes, BytesMut};
use rust_mq_proto::peer::raft::RaftEntry;
use std::collections::VecDeque;

/// A machine on its replica.
pub struct Host<M: Machine> {
    replica: Replica,
    committed: M,
    applied: Stamp,
    lead: Option<Lead<M>>,
    rng: Rng,
    room: Room,
    /// The newest feature level that this node reads.
    reads: Level,
}

/// What a machine is in a checkpoint or a snapshot.
const STATE: Kind = Kind::first(1, "Host");

/// What only the leader has.
struct Lead<M: Machine> {
    term: Term,
    tip: M,
    tip_index: Index,
    soft: M::Soft,
    built: Built,
    /// Answers that wait for what the tip held, in rising order.
    parked: VecDeque<(Index, Waiter, M::Reply)>,
    /// Those that wait for a majority before.
    confirming: Confirming<(Index, Waiter, M::Reply)>,
}

/// A reply that may leave.
#[derive(Clone, Debug)]
pub struct Replied<R> {
    /// Who asked.
    pub waiter: Waiter,
    /// The answer.
    pub reply: R,
    /// The image that has reached this index shows what the reply speaks of.
    pub index: Index,
}

impl<M: Machine> Host<M> {
    /// A machine in the state that it had at `applied`, on `replica`, which starts there too.
    /// `room` is what it may make of requests.
    pub fn new(replica: Replica, committed: M, applied: Stamp, rng: Rng, room: Room) -> Host<M> {
        Host { replica, committed, applied, lead: None, rng, room, reads: Levels::BUILD.newest }
    }

    /// Reads what was written up to that feature level.
    pub fn read_up_to(&mut self, level: Level) {
        self.reads = level;
    }

    /// Asks the machine. The answer comes at once only if there is no leader here, or none that may decide yet.
    pub fn request(
        &mut self,
        now: Now,
        waiter: Waiter,
        request: M::Request,
        image: &M::Image,
        out: &mut Vec<Replied<M::Reply>>,
    ) {
        let Some(lead) = self.lead.as_mut().filter(|lead| lead.built == Built::Whole) else {
            return refuse(waiter, out, M::not_leader());
        };
        let mutant = self.replica.settings().mutant;
        let (room, level) = (self.room, self.committed.level());
        let mut context = Context { now, rng: &mut self.rng, image, room, level, mutant };
        let decision = lead.tip.decide(&mut lead.soft, &mut context, waiter, request);
        self.carry_out(now, decision, out);
    }

    /// Lets the machine see what time has brought, or build on at its soft state.
    pub fn due(&mut self, now: Now, image: &M::Image, out: &mut Vec<Replied<M::Reply>>) {
        let Some(lead) = &mut self.lead else { return };
        let mutant = self.replica.settings().mutant;
        let (room, level) = (self.room, self.committed.level());
        let mut context = Context { now, rng: &mut self.rng, image, room, level, mutant };
        if lead.built == Built::Partly {
            lead.built = lead.tip.elected(&mut lead.soft, &mut context);
            return;
        }
        if lead.tip.next_deadline(&lead.soft).is_none_or(|at| at > now.mono) {
            return;
        }
        let decision = lead.tip.due(&mut lead.soft, &mut context);
        let is_seen_to = lead.tip.next_deadline(&lead.soft).is_none_or(|at| at > now.mono);
        assert!(is_seen_to, "what is due is seen to, or put off");
        self.carry_out(now, decision, out);
    }

    /// When `due` has something to do: at once while soft state is being built.
    pub fn next_deadline(&self) -> Option<Mono> {
        let lead = self.lead.as_ref()?;
        match lead.built {
            Built::Partly => Some(Mono::default()),
            Built::Whole => lead.tip.next_deadline(&lead.soft),
        }
    }

    /// What a ready of the replica says of reads that a majority has confirmed.
    pub fn heard(&mut self, reads: &[(ReadContext, Index)], out: &mut Vec<Replied<M::Reply>>) {
        let Some(lead) = self.lead.as_mut().filter(|_| !reads.is_empty()) else { return };
        for (_, waiter, _) in lead.confirming.heard(reads, &mut self.replica) {
            refuse(waiter, out, M::not_leader());
        }
        self.release(out);
    }

    fn carry_out(
        &mut self,
        now: Now,
        decision: Decision<M::Command, M::Reply>,
        out: &mut Vec<Replied<M::Reply>>,
    ) {
        let Some(lead) = &mut self.lead else { return };
        let has_commands = !decision.commands.is_empty();
        if has_commands {
            let is_rash = is_planted(self.replica.settings().mutant, Mutant::AboveTheLevel);
            let level = if is_rash { self.reads } else { self.committed.level() };
            for command in &decision.commands {
                assert!(M::since(command) <= level, "nothing is proposed above the cluster's level");
            }
            let payload = M::encode_commands(&decision.commands, level);
            let proposed = self.replica.propose(EntryKind::Commands, now.wall, payload);
            // It would be too large the next time as well: "not leader" would have it asked again for ever.
            assert!(proposed != Err(Dropped::TooLarge), "`decide` keeps to the room it is given");
            let Ok(index) = proposed else {
                // A dropped proposal never touched the tip. "Not leader" is true enough: ask again.
                for answer in decision.answers {
                    refuse(answer.waiter, out, M::not_leader());
                }
                return;
            };
            let stamp = Stamp { index, term: self.replica.term(), wall: self.replica.last_wall() };
            for command in &decision.commands {
                lead.tip.apply(stamp, command);
            }
            lead.tip_index = index;
        }
        for Answer { waiter, reply, proof } in decision.answers {
            // The commit of commands that were proposed just now says that this replica led then.
            if proof == Proof::Applied || has_commands {
                lead.parked.push_back((lead.tip_index, waiter, reply));
                continue;
            }
            for (_, waiter, _) in lead.confirming.ask((lead.tip_index, waiter, reply), &mut self.replica) {
                refuse(waiter, out, M::not_leader());
            }
        }
        self.release(out);
    }

    /// Whether the entries of an append could be applied: they are of no kind but commands that this build knows.
    pub fn check(&self, entries: &[RaftEntry]) -> Result<(), Undecodable> {
        for entry in entries {
            match u8::try_from(entry.kind).ok().and_then(EntryKind::parse) {
                Some(EntryKind::Commands) => drop(M::decode_commands(&entry.payload, self.reads)?),
                Some(EntryKind::Batch) => {
                    return Err(Undecodable { what: "commands", reason: "it is a record batch".into() });
                }
                // The replica's guard judges the other kinds.
                _ => {}
            }
        }
        Ok(())
    }

    /// Takes a committed entry in; each of its commands is told with the state that it finds.
    ///
    /// # Errors
    /// A command that this build does not know: the node must stop rather than skip it.
    pub fn apply(&mut self, entry: &Entry, mut told: impl FnMut(&M, &M::Command)) -> Result<(), Undecodable> {
        assert!(entry.index == self.applied.index.next(), "entries are applied in order, each once");
        let stamp = Stamp { index: entry.index, term: entry.term, wall: entry.wall };
        if entry.kind == EntryKind::Commands {
            for command in M::decode_commands(&entry.payload, self.reads)? {
                told(&self.committed, &command);
                self.committed.apply(stamp, &command);
            }
        }
        self.applied = stamp;
        Ok(())
    }

    /// After a round of `apply`, or a change of role: becomes leading or stops, and lets replies leave.
    pub fn settle(&mut self, now: Now, image: &M::Image, out: &mut Vec<Replied<M::Reply>>) {
        let term = self.replica.term();
        let is_leading = self.replica.is_leader() && self.replica.has_applied_own_term();
        if !is_leading || self.lead.as_ref().is_some_and(|lead| lead.term != term) {
            self.abandon(out);
        }
        if is_leading && self.lead.is_none() {
            self.lead = Some(Lead {
                term,
                tip: self.committed.clone(),
                tip_index: self.applied.index,
                soft: M::Soft::default(),
                built: Built::Partly,
                parked: VecDeque::new(),
                confirming: Confirming::default(),
            });
            self.due(now, image, out);
        }
        self.release(out);
    }

    fn release(&mut self, out: &mut Vec<Replied<M::Reply>>) {
        let Some(lead) = &mut self.lead else { return };
        let applied = self.applied.index;
        assert!(lead.tip_index >= applied || lead.parked.is_empty(), "the tip is never behind its replies");
        for answer in lead.confirming.take_confirmed(applied) {
            // It stood on what was in flight when it was decided, too.
            let at = lead.parked.partition_point(|(index, ..)| *index <= answer.0);
            lead.parked.insert(at, answer);
        }
        while lead.parked.front().is_some_and(|(index, ..)| *index <= applied) {
            let (index, waiter, reply) = lead.parked.pop_front().expect("the front was just looked at");
            out.push(Replied { waiter, reply, index });
        }
    }

    /// Replaces everything by a snapshot of another member's committed state. Whoever still waits here asked when this
    /// replica led: whether it was done, only the new leader can say.
    ///
    /// # Errors
    /// A state that this build cannot read.
    pub fn install(
        &mut self,
        at: Stamp,
        state: &[u8],
        out: &mut Vec<Replied<M::Reply>>,
    ) -> Result<(), Undecodable> {
        (_, self.committed) = Host::decode_state(state, self.reads)?;
        self.applied = at;
        self.abandon(out);
        Ok(())
    }

    /// It leads no more, or runs here no more: whoever waits is told "not leader". What was proposed may stand in the log
    /// or not.
    pub fn abandon(&mut self, out: &mut Vec<Replied<M::Reply>>) {
        let Some(mut lead) = self.lead.take() else { return };
        let parked = lead.parked.into_iter().chain(lead.confirming.lose()).map(|(_, waiter, _)| waiter);
        for waiter in parked.chain(M::lost(lead.soft)) {
            refuse(waiter, out, M::not_leader());
        }
    }

    /// The image: what is applied here.
    pub fn committed(&self) -> &M {
        &self.committed
    }

    /// The last entry it includes.
    pub fn applied(&self) -> Stamp {
        self.applied
    }

    /// Whether requests are decided here.
    pub fn is_leading(&self) -> bool {
        self.lead.as_ref().is_some_and(|lead| lead.built == Built::Whole)
    }

    /// The tip, with the index it stands at; only on a leader. For the simulator's comparison.
    pub fn tip(&self) -> Option<(&M, Index)> {
        self.lead.as_ref().map(|lead| (&lead.tip, lead.tip_index))
    }

    /// The term of the replica.
    pub fn term(&self) -> Term {
        self.replica.term()
    }

    /// The replica below.
    pub fn replica(&self) -> &Replica {
        &self.replica
    }

    /// The replica below, to be stepped, ticked and read.
    pub fn replica_mut(&mut self) -> &mut Replica {
        &mut self.replica
    }

    /// The committed state as bytes, for a checkpoint or a snapshot: kind and version, the time in the log (i64, big
    /// endian), then the machine's own.
    pub fn encode(&self) -> BytesMut {
        Host::encode_state(self.applied.wall, &self.committed)
    }

    /// What `encode` gives for that state.
    pub fn encode_state(wall: Wall, machine: &M) -> BytesMut {
        let mut bytes = BytesMut::new();
        codec::encode_head(&STATE, &mut bytes);
        bytes.put_i64(wall.0);
        machine.encode(&mut bytes);
        bytes
    }

    /// The time in the log and the state without its pages, for a checkpoint.
    pub fn head(wall: Wall, machine: &M) -> Bytes {
        let mut bytes = BytesMut::new();
        codec::encode_head(&STATE, &mut bytes);
        bytes.put_i64(wall.0);
        bytes.put_slice(&machine.head());
        bytes.freeze()
    }

    /// What `head` gave: the time in the log, and the machine, for its pages to be pushed.
    ///
    /// # Errors
    /// A state that this build cannot read.
    pub fn unfold(head: &[u8], reads: Level) -> Result<(Wall, M), Undecodable> {
        let (wall, machine) = split_wall(head)?;
        Ok((wall, M::unfold(machine, reads)?))
    }

    /// The machine in a snapshot from another node.
    ///
    /// # Errors
    /// A state that this build cannot read.
    pub fn decode(&self, state: &[u8]) -> Result<M, Undecodable> {
        Ok(Host::decode_state(state, self.reads)?.1)
    }

    /// What `encode_state` was given.
    ///
    /// # Errors
    /// A state that this build cannot read.
    pub fn decode_state(bytes: &[u8], reads: Level) -> Result<(Wall, M), Undecodable> {
        let (wall, machine) = split_wall(bytes)?;
        Ok((wall, M::decode(machine, reads)?))
    }
}

/// The time in the log, and the machine's own bytes behind it.
fn split_wall(bytes: &[u8]) -> Result<(Wall, &[u8]), Undecodable> {
    let what = "state of a machine";
    match codec::decode_head(what, &STATE, bytes)?.split_first_chunk() {
        Some((wall, machine)) => Ok((Wall(i64::from_be_bytes(*wall)), machine)),
        None => Err(Undecodable { what, reason: "it ends in the time of its log".into() }),
    }
}

/// Whoever asked is to ask again, or elsewhere.
fn refuse<R>(waiter: Waiter, out: &mut Vec<Replied<R>>, reply: R) {
    out.push(Replied { waiter, reply, index: Index(0) });
}
