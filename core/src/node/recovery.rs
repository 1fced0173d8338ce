//! What the disk tells: first what it holds, then that this and that is durable or read.
//!
//! Invariant: before `Recovered` nothing else of the node runs; after it, what the image places here runs, and
//! what the image does not know yet waits in `unclaimed`.

use super::deleted_ahead::DeletedAhead;
use super::effects::raft_part;
use super::{Identity, METADATA, Node, Stage};
use crate::action::{Action, HaltReason};
use crate::event::{DoneResult, FileWork};
use crate::host::Host;
use crate::ids::{DiskId, ReplicaId, Ticket, TopicId, TopicPartition};
use crate::limits::{PARTITION_BYTES, PARTITIONS_BESIDES_BYTES, PARTITIONS_MAX, PARTITIONS_SHARE};
use crate::metadata::Metadata;
use crate::mutant::{Mutant, is_planted};
use crate::now::Now;
use crate::replica::Replica;
use crate::rng::Rng;
use crate::storage::{Files, JournalLoss, Outcome, RecoveredReplica, Recovery};
use std::fmt;

impl Node {
    /// The process started.
    pub fn started(&mut self, actions: &mut Vec<Action>) {
        self.storage.start(actions);
    }

    /// A file action ended.
    pub fn disk_done(&mut self, now: Now, ticket: Ticket, result: DoneResult, actions: &mut Vec<Action>) {
        let mut outcomes = Vec::new();
        let is_sync = matches!(&result, DoneResult::Failed { at: FileWork::Syncing, .. });
        let is_believed = is_sync && is_planted(self.config.mutant, Mutant::FailedSyncBelieved);
        let result = if is_believed { DoneResult::Synced } else { result };
        let is_full = result == DoneResult::Full && is_planted(self.config.mutant, Mutant::FullBelieved);
        let result = if is_full { DoneResult::Written { free_bytes: u64::MAX } } else { result };
        self.storage.done(now.mono, ticket, result, actions, &mut outcomes);
        if !outcomes.is_empty() {
            self.disk_outcomes(now, outcomes, actions);
        }
    }

    /// What storage told at the end of the last turn.
    pub fn take_disk_news(&mut self, now: Now, actions: &mut Vec<Action>) {
        if !self.disk_news.is_empty() {
            let news = std::mem::take(&mut self.disk_news);
            self.disk_outcomes(now, news, actions);
        }
    }

    pub(super) fn disk_outcomes(&mut self, now: Now, outcomes: Vec<Outcome>, actions: &mut Vec<Action>) {
        for outcome in outcomes {
            match outcome {
                Outcome::Recovered(recovery) => self.recovered(now, recovery, actions),
                Outcome::MetaWritten => {
                    self.metas_waiting -= 1;
                    self.identified_itself(now, actions);
                }
                Outcome::Persisted { replica, number } if self.stage == Stage::Joining(replica) => {
                    assert!(number == 0, "a replica that is not started has made no ready");
                    self.joined(now, replica, actions);
                }
                Outcome::Persisted { replica, number } => self.persisted(replica, number),
                Outcome::Read { read, replica, result } => {
                    let result = result.and_then(|chunk| self.compare_epochs(now, replica, chunk));
                    self.read_done(now, read, result);
                }
                Outcome::Checkpointed => self.checkpointed(),
                Outcome::Settled { replica, end } => self.log_settled(replica, end),
                Outcome::Damaged { replica, from, below } => self.found_damage(now, replica, from, below),
                Outcome::Mended { replica, from, is_mended } => self.mended(now, replica, from, is_mended),
            }
        }
    }

    fn recovered(&mut self, now: Now, recovery: Recovery, actions: &mut Vec<Action>) {
        self.journal_bytes = recovery.journal_bytes;
        let Some(meta) = recovery.meta else {
            assert!(recovery.replicas.is_empty(), "storage gives no replicas of a disk that is nobody's");
            let disk = DiskId(self.rng.next_u128());
            self.identity = Some(Identity { disk, cluster: None });
            self.stage = Stage::Identifying;
            return self.write_meta();
        };
        assert!(meta.node == self.config.node, "storage refuses another node's disk");
        self.identity = Some(Identity { disk: meta.disk, cluster: meta.cluster });
        (self.dead, self.loss) = (meta.dead.into_iter().collect(), meta.loss);
        let without_metadata =
            WithoutMetadata { loss: meta.loss, dead: recovery.dead, segments: recovery.segments };
        for cut in recovery.cut {
            self.mendings.found_cut(cut.replica, cut.from, cut.below);
        }
        let mut metadata = None;
        for replica in recovery.replicas {
            if replica.of != METADATA {
                self.unclaimed.insert(replica.replica, replica);
            } else if let Some(other) = metadata.replace(replica) {
                let reason = format!("two replicas of the metadata partition, one of them {}", other.replica);
                return self.halt(HaltReason::Undecodable { reason }, actions);
            }
        }
        match metadata {
            Some(metadata) => self.revive_metadata(now, metadata, actions),
            None if self.identity.is_some_and(|identity| identity.cluster.is_some()) => {
                self.halt(HaltReason::CannotStart { reason: without_metadata.to_string() }, actions);
            }
            None => self.identified_itself(now, actions),
        }
    }

    fn revive_metadata(&mut self, now: Now, recovered: RecoveredReplica, actions: &mut Vec<Action>) {
        let id = recovered.replica;
        let (wall, state) = match Host::<Metadata>::decode_state(&recovered.state) {
            Ok(state) => state,
            Err(error) => return self.halt(HaltReason::Undecodable { reason: error.to_string() }, actions),
        };
        self.deleted_ahead = DeletedAhead::read(&recovered.entries);
        let recovered = raft_part(recovered, wall);
        let applied = recovered.applied;
        match Replica::start(self.settings(METADATA), id, recovered) {
            Ok(replica) => self.start_metadata(
                now,
                id,
                Host::new(replica, state, applied, self.metadata_rng(), self.metadata_room()),
                actions,
            ),
            Err(fault) => {
                self.halt(HaltReason::Undecodable { reason: format!("{METADATA}: {fault}") }, actions)
            }
        }
    }

    /// From here on this node is a member: its image is there, and what it places here starts.
    pub(super) fn start_metadata(
        &mut self,
        now: Now,
        id: ReplicaId,
        mut host: Host<Metadata>,
        actions: &mut Vec<Action>,
    ) {
        host.limit_partitions(partitions_max(self.config.memory_limit));
        let rank = host.committed().members().position(|(node, _)| node == self.config.node);
        let cluster = host.committed().cluster();
        let topics: Vec<TopicId> = host.committed().topics().map(|(id, _)| id).collect();
        self.metadata = Some((id, host));
        let disk = self.identity.map_or(DiskId(0), |identity| identity.disk);
        self.identity = Some(Identity { disk, cluster: Some(cluster) });
        if self.stage == Stage::Recovering {
            self.begin_peering(now);
        }
        self.stage = Stage::Member;
        self.bind_peers(now);
        self.stand_first(now, id, rank.unwrap_or(0));
        for topic in topics {
            self.start_topic(now, topic, actions);
        }
        self.arm_ticks();
    }

    pub(super) fn metadata_rng(&self) -> Rng {
        Rng::stream(self.seed, "metadata")
    }

    /// Whether this replica must not run: its disk has lost something it had promised.
    pub(super) fn is_dead(&self, replica: ReplicaId) -> bool {
        self.dead.contains(&replica)
    }
}

/// Partitions that a node with so much memory can have.
fn partitions_max(memory_limit: u64) -> usize {
    let bytes = memory_limit / PARTITIONS_SHARE + PARTITIONS_BESIDES_BYTES;
    usize::try_from(bytes / PARTITION_BYTES).unwrap_or(usize::MAX).min(PARTITIONS_MAX)
}

/// Why there is no metadata replica to start from, and what there is.
struct WithoutMetadata {
    loss: Option<JournalLoss>,
    dead: Vec<(ReplicaId, TopicPartition)>,
    segments: Files,
}

impl fmt::Display for WithoutMetadata {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dead_metadata = self.dead.iter().find(|(_, of)| *of == METADATA).map(|(id, _)| id);
        match (self.loss, dead_metadata) {
            (Some(loss), _) => {
                write!(out, "{loss}. What this node's replicas have promised in it is not known, so ")?;
                write!(
                    out,
                    "none of them may vote, lead or answer again, the metadata replica among them. "
                )?;
                write!(out, "All that the journal says before, and the checkpoint, can still be read")?;
            }
            (None, Some(id)) => {
                write!(
                    out,
                    "{METADATA}: {id} has lost entries that this disk had promised to keep, so it must "
                )?;
                write!(
                    out,
                    "not vote, lead or answer again, and without it the node is none. All else is whole"
                )?;
            }
            (None, None) => {
                write!(
                    out,
                    "the data directory belongs to a cluster, but its metadata replica is not there: "
                )?;
                write!(
                    out,
                    "files of the journal were lost or removed, and the checkpoint does not name it"
                )?;
            }
        }
        let Files { count, bytes } = self.segments;
        write!(
            out,
            ", as are the {count} segments with {bytes} bytes of records. Nothing was deleted or written over: "
        )?;
        write!(out, "keep this directory. Other nodes serve on where they are a majority")
    }
}
