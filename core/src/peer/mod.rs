//! Links to other nodes: who dials whom, the hello, the two lanes of a pair, the packing of all partitions'
//! messages, the liveness of the pair, who leads what, what each says of itself (`sign`), and requests forwarded to a
//! leader.
//!
//! A pair has two lanes, each a link of its own: `raft` for what elections wait for, `bulk` for everything
//! that may be large. The node with the lower id dials both, again and again with a bounded, jittered wait.
//!
//! ```text
//! dialler    Dial .. Opened   Hello ->               (check, Ready)  Proof ->
//! acceptor           Opened            (check) Hello ->                       (check, Ready)
//! ```
//! The acceptor believes in a lane when the dialler's proof arrives: then both have accepted each other, and a refusal
//! never looks like a link that came and went. Until then the link is a stranger's, whatever it has said: it takes
//! no other's place, may bring `PEER_STRANGER_BYTES_MAX` in all, and makes way for a newer stranger when there are too
//! many. Who is turned away is told so, and why (`Refused`).
//!
//! Hellos say ranges: which versions of the messages a build speaks, and which feature levels it reads. Two nodes speak
//! the newest version that both do, and who does not read the cluster's level is turned away.
//!
//! Where the cluster has a secret, both hellos' answers prove that it is known (`proof`). Where it has none, whoever
//! dials in could be anybody, and a cluster's founding is for ever: before a node founds with, or joins by the word
//! of, a peer that has dialled it, it asks once at that peer's configured address who is there (`vouch`).
//!
//! A peer is *up* while its raft lane is ready, and it is heard: every node says something on it at each
//! heartbeat interval at least. A peer that is silent for the shortest election timeout, whose raft lane breaks
//! or that comes back with another `BootId` is *down* first; both lanes are then dialled anew. The bulk lane
//! may break alone.
//!
//! Invariants:
//! - a peer that is up reads the cluster's feature level, and is told nothing in a version that it does not speak;
//! - a hello is the first message on each lane, both ways, and the only one;
//! - a node that has secrets has no peer that did not prove to know one of them;
//! - a peer is up only with the same cluster (or one of both unfounded), the same fixed members, and the disk
//!   that was bound to it;
//! - both lanes of a peer that are ready are of one boot;
//! - raft lane: at most one `Raft` message a peer and turn, unless it passes `PEER_MESSAGE_BYTES_MAX`; bytes
//!   that wait <= `PEER_QUEUE_BYTES_MAX` + one message, above which appends are dropped (Raft repeats them);
//! - bulk lane: bytes that wait <= `PEER_QUEUE_BYTES_MAX`, at most `PEER_BULK_WINDOW_BYTES` and a message of
//!   them with the driver; what does not fit is refused to the sender. It never delays the raft lane;
//! - the leader table only rises: (term, leader) of a partition is replaced by a higher term alone.
//!
//! In single mode there are no peers: nothing is dialled, sent or waited for; the leader table still answers.
//!
//! Not here: what the messages mean (`replica/`, `partition/`, `host/`), TLS and the transport (the driver),
//! who founds and joins (the floors above, by `founded` and `bind`).

mod bulk;
mod forwards;
mod hello;
mod lane;
mod leaders;
mod outcome;
mod peers;
mod proof;
mod refusals;
mod remote;
mod sign;
#[cfg(test)]
mod tests;

pub use bulk::{Bulk, BulkRefused, CallId, CatchUp, Fetch, Fetched, Snapshot, SnapshotWanted};
pub use hello::{Greeting, Identity, Protocol};
pub use outcome::{Founder, Founding, Outcome};
pub use peers::Peers;
pub use sign::Sign;
