//! What the parts of a node reach the world through: the disk, the other nodes, those who wait, and the turn itself.
//! Each part is lent this and the table of residents for as long as a call of it takes, and never sees the node.
//!
//! Invariant: what is put here in a turn (`news`, `touched`, `actions`) is taken before the turn ends, or, of `touched`,
//! waits for room in a frame.

use super::touched::Touched;
use crate::action::Action;
use crate::config::Config;
use crate::host::Replied;
use crate::ids::{NodeId, Offset, ReplicaId, TopicPartition};
use crate::machine::Waiter;
use crate::mutant::{Mutant, is_planted};
use crate::partition::Settled;
use crate::peer::{CallId, Peers};
use crate::resident::{Reply, Resident, Told};
use crate::rng::Rng;
use crate::storage::{Chunk, Outcome, ReadFault, ReadId, Storage};

/// What parts are lent.
pub struct Ports {
    /// This node.
    pub node: NodeId,
    /// The disk.
    pub storage: Storage,
    /// The other nodes.
    pub peers: Peers,
    /// What happened for requests that wait.
    pub news: News,
    /// Replicas to which something happened: they make a ready at the end of the turn.
    pub touched: Touched,
    /// What is asked of the disk, and noted, between two events.
    pub actions: Vec<Action>,
    /// What storage told meanwhile.
    pub outcomes: Vec<Outcome>,
    /// What machines have answered, until it is seen to.
    pub answered: Vec<Replied<Reply>>,
    /// The node's own chance.
    pub rng: Rng,
    calls: u64,
    contexts: u64,
    mutant: Option<Mutant>,
}

/// What happened in a turn for requests that wait; `api/` takes all of it before the turn ends.
#[derive(Default)]
pub struct News {
    /// Batches that are committed, or lost their leader.
    pub settled: Vec<Settled>,
    /// Machines' answers, the image being there.
    pub replied: Vec<(Waiter, Reply)>,
    /// Fetches to look at again, and which of their partitions has news.
    pub woken: Vec<(Waiter, TopicPartition)>,
    /// Cold reads that ended.
    pub read: Vec<(ReadId, Result<Chunk, ReadFault>)>,
    /// Reads of a leader that is confirmed to lead; `false` where it does not.
    pub confirmed: Vec<(Waiter, bool)>,
    /// Some partition's leader changed.
    pub is_leader_changed: bool,
}

impl News {
    /// Whether nothing happened.
    pub fn is_empty(&self) -> bool {
        self.settled.is_empty()
            && self.replied.is_empty()
            && self.woken.is_empty()
            && self.read.is_empty()
            && self.confirmed.is_empty()
            && !self.is_leader_changed
    }
}

impl Ports {
    /// Those of a node before its start. `rng` is the node's own stream.
    pub fn new(config: &Config, seed: u64, rng: Rng) -> Ports {
        let storage = Storage::new(&config.storage, config.node, Rng::stream(seed, "storage"), config.mutant);
        Ports {
            node: config.node,
            storage,
            peers: Peers::new(config, seed),
            news: News::default(),
            touched: Touched::default(),
            actions: Vec::new(),
            outcomes: Vec::new(),
            answered: Vec::new(),
            rng,
            calls: 0,
            contexts: 0,
            mutant: config.mutant,
        }
    }

    /// Something happened to this replica.
    pub fn touch(&mut self, replica: ReplicaId) {
        self.touched.insert(replica);
    }

    /// Where a resident puts what those who wait are told.
    pub fn told(&mut self) -> Told<'_> {
        let News { settled, woken, .. } = &mut self.news;
        Told { settled, woken, replied: &mut self.answered }
    }

    /// Who waits for that resident's records looks again.
    pub fn wake_readers(&mut self, resident: Option<&mut Resident>) {
        if let Some(resident) = resident {
            resident.wake_readers(&mut self.news.woken);
        }
    }

    /// Where what storage keeps of a replica ends: ahead of what is applied while it catches up.
    pub fn kept_end(&self, id: ReplicaId) -> Offset {
        self.storage.end(id).unwrap_or(Offset(0))
    }

    /// A number for a call on the bulk lane.
    pub fn next_call(&mut self) -> CallId {
        self.calls += 1;
        CallId(self.calls)
    }

    /// A number that nothing else of this node has.
    pub fn next_context(&mut self) -> u64 {
        self.contexts += 1;
        self.contexts
    }

    /// Whether a node is there, as far as this one knows.
    pub fn is_alive(&self, node: NodeId) -> bool {
        node == self.node || self.peers.is_up(node)
    }

    /// Whether that bug is planted.
    pub fn is_planted(&self, mutant: Mutant) -> bool {
        is_planted(self.mutant, mutant)
    }
}
