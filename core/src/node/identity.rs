//! Who this node is, as its disk says: the disk's own id, the cluster, and which replicas that were on it must never run
//! again, since it has lost what they had promised.
//!
//! - Invariant: what is told of it elsewhere was on its way to the disk before.
//! - Invariant: a node that must end for what it lost ends only once its disk knows why: the next start would vote.

use super::ports::Ports;
use crate::action::HaltReason;
use crate::ids::{BootId, ClusterId, DiskId, NodeId, ReplicaId};
use crate::level::Levels;
use crate::peer;
use crate::storage::{JournalLoss, NodeMeta};
use std::collections::BTreeSet;

/// Who this node is.
pub(super) struct Identity {
    node: NodeId,
    boot: BootId,
    /// Not known before the disk is read.
    disk: Option<DiskId>,
    cluster: Option<ClusterId>,
    dead: BTreeSet<ReplicaId>,
    /// What was lost of the journal, if anything ever was.
    loss: Option<JournalLoss>,
    /// How often it is on its way to the disk.
    writing: u32,
    /// Why the process ends as soon as it is there.
    ending: Option<HaltReason>,
}

impl Identity {
    /// A node that has not read its disk yet.
    pub fn new(node: NodeId, boot: BootId) -> Identity {
        let dead = BTreeSet::new();
        Identity { node, boot, disk: None, cluster: None, dead, loss: None, writing: 0, ending: None }
    }

    /// The disk says so.
    pub fn recovered(&mut self, meta: NodeMeta) {
        assert!(meta.node == self.node, "storage refuses another node's disk");
        (self.disk, self.cluster) = (Some(meta.disk), meta.cluster);
        (self.dead, self.loss) = (meta.dead.into_iter().collect(), meta.loss);
    }

    /// The disk is nobody's: it gets an id.
    pub fn draw(&mut self, ports: &mut Ports) {
        self.disk = Some(DiskId(ports.rng.next_u128()));
        self.write(ports);
    }

    /// The node belongs to that cluster.
    pub fn joined(&mut self, cluster: ClusterId) {
        self.cluster = Some(cluster);
    }

    /// A replica must never run again.
    pub fn bury(&mut self, replica: ReplicaId) {
        self.dead.insert(replica);
    }

    /// Nothing names these replicas any more: they are forgotten with the next thing to remember.
    pub fn forget(&mut self, replicas: &[ReplicaId]) {
        for replica in replicas {
            self.dead.remove(replica);
        }
    }

    /// The process ends for this reason, once the disk knows all of this.
    pub fn end(&mut self, reason: HaltReason) {
        self.ending = Some(reason);
    }

    /// All of it, to the disk.
    pub fn write(&mut self, ports: &mut Ports) {
        let Some(disk) = self.disk else { return };
        let (node, cluster, loss) = (self.node, self.cluster, self.loss);
        let dead = self.dead.iter().copied().collect();
        self.writing += 1;
        ports.storage.write_meta(NodeMeta { cluster, node, disk, dead, loss }, &mut ports.actions);
    }

    /// It is on the disk. Returns why the process ends now, if it does.
    pub fn written(&mut self) -> Option<HaltReason> {
        assert!(self.writing > 0, "what is written was on its way");
        self.writing -= 1;
        self.ending.take_if(|_| self.writing == 0)
    }

    /// The disk's id, once it is known.
    pub fn disk(&self) -> Option<DiskId> {
        self.disk
    }

    /// The cluster, once it is founded.
    pub fn cluster(&self) -> Option<ClusterId> {
        self.cluster
    }

    /// What peers are greeted with, by a build that reads those levels.
    pub fn greeting(&self, levels: Levels) -> Option<peer::Identity> {
        let (disk, boot, cluster) = (self.disk?, self.boot, self.cluster);
        Some(peer::Identity { disk, boot, cluster, levels })
    }

    /// Whether this replica must not run.
    pub fn is_dead(&self, replica: ReplicaId) -> bool {
        self.dead.contains(&replica)
    }

    /// Replicas that must not run any more.
    #[cfg(feature = "simulation")]
    pub fn dead(&self) -> impl Iterator<Item = ReplicaId> {
        self.dead.iter().copied()
    }
}
