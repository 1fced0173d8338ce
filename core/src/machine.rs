//! The contract of our replicated state machines: metadata now; those of consumer groups and transactions follow.
//!
//! `decide` reads the *tip* and proposes; `apply` alone changes replicated state. The host (`host/`) keeps two
//! copies, *committed* and *tip*, and its laws are: propose first, then apply to the tip (a dropped proposal
//! never touched it); a reply leaves when the applied index has reached the tip's at decide time; all commands
//! of one decision are one entry; when leadership is lost, tip and soft state are dropped and every parked
//! request is answered with the machine's "not leader" reply.
//!
//! Shape after Kafka's CoordinatorShard (KIP-848's runtime): handlers return records plus a reply.

use crate::entry::Stamp;
use crate::mutant::Mutant;
use crate::now::Now;
use crate::rng::Rng;
use bytes::{Bytes, BytesMut};

/// Who waits for a reply. The host's caller gives it a meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Waiter(pub u64);

/// How much a machine may make of what it is asked. Whatever is proposed, kept and sent is within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Most bytes of one decision's commands, encoded: they are one proposal.
    pub commands_bytes_max: usize,
    /// Most partitions that there may be: what the node that decides has memory for.
    pub partitions_max: usize,
    /// Most bytes of the whole state, encoded: it goes into one message as a snapshot, and into one frame as a reset.
    pub state_bytes_max: usize,
}

/// What `decide` may use besides the tip.
pub struct Context<'a> {
    /// Both clocks.
    pub now: Now,
    /// The machine's own stream.
    pub rng: &'a mut Rng,
    /// What the commands, and the state that they lead to, may take.
    pub room: Room,
    /// The bug that is planted, if one is.
    pub mutant: Option<Mutant>,
}

/// What a request leads to. A request that must wait longer than the commit is in neither list; the machine
/// keeps its waiter in soft state.
#[derive(Clone, Debug)]
pub struct Decision<C, R> {
    /// Changes to replicate, as one entry. May be empty.
    pub commands: Vec<C>,
    /// Who is answered what, once all of `commands`, and all that the tip stood on, are applied.
    pub replies: Vec<(Waiter, R)>,
}

impl<C, R> Default for Decision<C, R> {
    fn default() -> Self {
        Decision { commands: Vec::new(), replies: Vec::new() }
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

    /// Answers a request. `self` is the tip. What does not fit the context's room is refused.
    fn decide(
        &self,
        soft: &mut Self::Soft,
        context: &mut Context<'_>,
        waiter: Waiter,
        request: Self::Request,
    ) -> Decision<Self::Command, Self::Reply>;

    /// What time has brought; called on the leader only.
    fn due(&self, soft: &mut Self::Soft, context: &mut Context<'_>) -> Decision<Self::Command, Self::Reply>;

    /// The answer for a request that met no leader, or lost it.
    fn not_leader() -> Self::Reply;

    /// Changes the state. Total: a command that does not fit the state changes nothing.
    fn apply(&mut self, at: Stamp, command: &Self::Command);

    /// Appends the whole state to `into`.
    fn encode(&self, into: &mut BytesMut);

    /// The state that `encode` wrote.
    fn decode(bytes: &[u8]) -> Result<Self, Undecodable>;

    /// One entry's payload: the commands of one decision.
    fn encode_commands(commands: &[Self::Command]) -> Bytes;

    /// The commands of an entry's payload.
    fn decode_commands(bytes: &[u8]) -> Result<Vec<Self::Command>, Undecodable>;
}
