//! What the disk tells: first what it holds, then that this and that is durable or read.
//!
//! Invariant: before `Recovered` nothing else of the node runs; after it, what the image places here runs, and
//! what the image does not know yet waits in `unclaimed`.

use super::deleted_ahead::DeletedAhead;
use super::{Identity, Node, Stage};
use crate::action::{Action, HaltReason};
use crate::event::{DoneResult, FileWork};
use crate::ids::{DiskId, ReplicaId, Ticket, TopicId, TopicPartition};
use crate::mutant::{Mutant, is_planted};
use crate::now::Now;
use crate::resident::{Kind, METADATA, Resident, sort_out};
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
                    self.joined(now, actions);
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
        let (metadata, others) = sort_out(recovery.replicas);
        self.unclaimed.extend(others.into_iter().map(|known| (known.replica, known)));
        if let [one, _, ..] = &metadata[..] {
            let reason = format!("two replicas of the metadata partition, one of them {}", one.replica);
            return self.halt(HaltReason::Undecodable { reason }, actions);
        }
        match metadata.into_iter().next() {
            Some(known) => {
                self.deleted_ahead = DeletedAhead::read(&known.entries);
                self.start_metadata(now, known, actions);
            }
            None if self.identity.is_some_and(|identity| identity.cluster.is_some()) => {
                self.halt(HaltReason::CannotStart { reason: without_metadata.to_string() }, actions);
            }
            None => self.identified_itself(now, actions),
        }
    }

    /// From here on this node is a member: its image is there, and what it places here starts.
    pub(super) fn start_metadata(&mut self, now: Now, known: RecoveredReplica, actions: &mut Vec<Action>) {
        let (id, of) = (known.replica, known.of);
        let kind = Kind::Metadata {
            rng: Box::new(Rng::stream(self.seed, "metadata")),
            room: self.metadata_room(of),
        };
        match Resident::start(kind, self.settings(of), known) {
            Ok(resident) => self.residents.insert(resident),
            Err(fault) => {
                return self.halt(HaltReason::Undecodable { reason: format!("{of}: {fault}") }, actions);
            }
        }
        let image = self.image().expect("the resident that was just taken in is the metadata");
        let rank = image.members().position(|(node, _)| node == self.config.node);
        let cluster = image.cluster();
        let topics: Vec<TopicId> = image.topics().map(|(id, _)| id).collect();
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

    /// Whether this replica must not run: its disk has lost something it had promised.
    pub(super) fn is_dead(&self, replica: ReplicaId) -> bool {
        self.dead.contains(&replica)
    }
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
