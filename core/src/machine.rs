//! The contract of our replicated state machines: metadata now; those of consumer groups and transactions follow.
//!
//! `decide` reads the *tip* and proposes; `apply` alone changes replicated state. The host (`host/`) keeps two
//! copies, *committed* and *tip*, and its laws are: propose first, then apply to the tip (a dropped proposal
//! never touched it); all commands of one decision are one entry; when leadership is lost, tip and soft state are
//! dropped and every parked request is answered with the machine's "not leader" reply.
//!
//! ```text
//! elected      on a new leader, a bounded step at a time, until soft state is whole; nothing is decided before
//! decide       a request -> commands, and answers to it and to whoever waited in soft state
//! due          what time has brought, from `next_deadline` on; on the leader only
//! apply        a committed command, on every replica
//! ```
//! An answer leaves when what the tip held at decide time is applied. One that is to be *confirmed* waits besides for a
//! majority to say that this replica leads still: without commands of its own to commit, a leader that was deposed and
//! does not know it would answer from what is over.
//!
//! Shape after Kafka's CoordinatorShard (KIP-848's runtime): handlers return records plus a reply.

use crate::config::GroupSettings;
use crate::entry::Stamp;
use crate::ids::{NodeId, PageId};
use crate::level::Level;
use crate::mutant::Mutant;
use crate::now::{Mono, Now};
use crate::rng::Rng;
use bytes::{Bytes, BytesMut};

/// Who waits for a reply. The host's caller gives it a meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Waiter(pub u64);

/// How much a machine may make of what it is asked. Whatever is proposed, kept and sent is within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// The node that decides.
    pub node: NodeId,
    /// Most bytes of one decision's commands, encoded: they are one proposal.
    pub commands_bytes_max: usize,
    /// Most partitions that there may be: what the node that decides has memory for.
    pub partitions_max: usize,
    /// Most bytes of the whole state, encoded: it goes into one message as a snapshot, and into one frame as a reset.
    pub state_bytes_max: usize,
    /// What consumer groups may.
    pub groups: GroupSettings,
}

/// What `decide` may use besides the tip. `I` is what the machine sees of the rest of the cluster.
pub struct Context<'a, I> {
    /// Both clocks.
    pub now: Now,
    /// The machine's own stream.
    pub rng: &'a mut Rng,
    /// The image of the metadata, as it is applied on this node.
    pub image: &'a I,
    /// What the commands, and the state that they lead to, may take.
    pub room: Room,
    /// The cluster's feature level: nothing is proposed that is written only from a higher one on.
    pub level: Level,
    /// The bug that is planted, if one is.
    pub mutant: Option<Mutant>,
}

/// What a request leads to, or time. A request that must wait longer than the commit is answered by none of these; the
/// machine keeps its waiter in soft state, and answers it with a later decision.
#[derive(Clone, Debug)]
pub struct Decision<C, R> {
    /// Changes to replicate, as one entry. May be empty.
    pub commands: Vec<C>,
    /// Who is answered what, once all of `commands`, and all that the tip stood on, are applied.
    pub answers: Vec<Answer<R>>,
}

/// An answer to one of those who wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<R> {
    /// Who.
    pub waiter: Waiter,
    /// What.
    pub reply: R,
    /// What has to be so before it leaves.
    pub proof: Proof,
}

/// What has to be so before an answer leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// What the tip held is applied. A deposed leader with nothing in flight may say it.
    Applied,
    /// Besides, this replica led after the decision was made: commands of the decision are committed, or a majority has
    /// confirmed it.
    Confirmed,
}

/// Whether soft state is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Built {
    /// It is: requests are decided.
    Whole,
    /// Another step is needed.
    Partly,
}

impl<C, R> Default for Decision<C, R> {
    fn default() -> Self {
        Decision { commands: Vec::new(), answers: Vec::new() }
    }
}

impl<C, R> Decision<C, R> {
    /// One waiter is answered, what it is told being confirmed.
    pub fn confirmed(commands: Vec<C>, waiter: Waiter, reply: R) -> Decision<C, R> {
        Decision { commands, answers: vec![Answer { waiter, reply, proof: Proof::Confirmed }] }
    }
}

/// Bytes that are no state or command of the machine's. Never a client's fault: a newer version or a bug.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("undecodable {what}: {reason}")]
pub struct Undecodable {
    /// Which shape was expected.
    pub what: &'static str,
    /// What was wrong.
    pub reason: String,
}

/// A replicated state machine. Implementations see no raft, no storage and no connection.
pub trait Machine: Clone + Default {
    /// What is asked of it.
    type Request;
    /// What it answers.
    type Reply: Clone;
    /// A replicated change.
    type Command: Clone;
    /// What a leader keeps besides: deadlines, parked requests, last-seen. Never replicated.
    type Soft: Default;

    /// What it sees of the rest of the cluster: the metadata's image; the metadata machine itself nothing.
    type Image;

    /// After an election: builds soft state, a bounded step at each call, until it is whole. `self` is the tip.
    fn elected(&self, _soft: &mut Self::Soft, _context: &mut Context<'_, Self::Image>) -> Built {
        Built::Whole
    }

    /// Answers a request. `self` is the tip. What does not fit the context's room is refused.
    fn decide(
        &self,
        soft: &mut Self::Soft,
        context: &mut Context<'_, Self::Image>,
        waiter: Waiter,
        request: Self::Request,
    ) -> Decision<Self::Command, Self::Reply>;

    /// When `due` has something to do; asked after every call.
    fn next_deadline(&self, _soft: &Self::Soft) -> Option<Mono> {
        None
    }

    /// What time has brought; called on the leader only. Afterwards the next deadline lies ahead, also that of what the
    /// commands are to change: a proposal may be dropped, and is then made again.
    fn due(
        &self,
        _soft: &mut Self::Soft,
        _context: &mut Context<'_, Self::Image>,
    ) -> Decision<Self::Command, Self::Reply> {
        Decision::default()
    }

    /// Leadership is lost, and soft state with it: who waits there is answered with `not_leader`.
    fn lost(_soft: Self::Soft) -> Vec<Waiter> {
        Vec::new()
    }

    /// The answer for a request that met no leader, or lost it.
    fn not_leader() -> Self::Reply;

    /// Changes the state. Total: a command that does not fit the state changes nothing.
    fn apply(&mut self, at: Stamp, command: &Self::Command);

    /// Appends the whole state to `into`.
    fn encode(&self, into: &mut BytesMut);

    /// Bytes of the state, about, encoded; it costs nothing to ask.
    fn state_bytes(&self) -> usize {
        0
    }

    /// The state without the entries of its maps, for a checkpoint. A machine without maps has no more than that.
    fn head(&self) -> Bytes {
        let mut bytes = BytesMut::new();
        self.encode(&mut bytes);
        bytes.freeze()
    }

    /// The pages of its maps, one map after the other.
    fn page_ids(&self) -> Vec<PageId> {
        Vec::new()
    }

    /// The page of that number among them.
    fn page(&self, _number: usize) -> Option<Bytes> {
        None
    }

    /// The state that `head` wrote, for its pages to be pushed. A machine without maps has no more than that.
    fn unfold(head: &[u8], reads: Level) -> Result<Self, Undecodable> {
        Self::decode(head, reads)
    }

    /// The next page that `page` wrote.
    fn push_page(&mut self, id: PageId, _bytes: &[u8]) -> Result<(), Undecodable> {
        Err(Undecodable {
            what: "machine state",
            reason: format!("a page of table {}, and of no map", id.table),
        })
    }

    /// The state, once all its pages are there, if it can be one.
    fn checked(self) -> Result<Self, Undecodable> {
        Ok(self)
    }

    /// The state that `encode` wrote, if it is of a level that `reads` reaches.
    fn decode(bytes: &[u8], reads: Level) -> Result<Self, Undecodable>;

    /// The cluster's feature level, as this state knows it.
    fn level(&self) -> Level;

    /// The level from which a command may be proposed.
    fn since(command: &Self::Command) -> Level;

    /// One entry's payload: the commands of one decision, as they are written at that level.
    fn encode_commands(commands: &[Self::Command], level: Level) -> Bytes;

    /// The commands of an entry's payload, if they are of a level that `reads` reaches.
    fn decode_commands(bytes: &[u8], reads: Level) -> Result<Vec<Self::Command>, Undecodable>;
}
