//! What the disk tells: first what it holds, then that this and that is durable or read.
//!
//! Invariant: before `Recovered` nothing else of the node runs; after it the metadata starts, over as many turns as its
//! state takes; then what the image places here, in its turn (`unstarted`), and what the image does not know yet waits in
//! `unclaimed`.

use super::deleted_ahead::DeletedAhead;
use super::founding::{Stage, founding_of};
use super::{Node, behind};
use crate::action::{Action, HaltReason};
use crate::event::{DoneResult, FileWork};
use crate::ids::{ReplicaId, Ticket, TopicId, TopicPartition};
use crate::mutant::Mutant;
use crate::now::Now;
use crate::replica::ReadyNumber;
use crate::resident::{Kind, metadata_among, sort_out};
use crate::storage::{Chunk, Files, JournalLoss, Outcome, ReadFault, ReadId, Recovery};
use std::fmt;

impl Node {
    /// The process started.
    pub fn started(&mut self, actions: &mut Vec<Action>) {
        self.ports.storage.start(actions);
    }

    /// A file action ended.
    pub fn disk_done(&mut self, now: Now, ticket: Ticket, result: DoneResult, actions: &mut Vec<Action>) {
        let mut outcomes = Vec::new();
        let is_sync = matches!(&result, DoneResult::Failed { at: FileWork::Syncing, .. });
        let is_believed = is_sync && self.is_planted(Mutant::FailedSyncBelieved);
        let result = if is_believed { DoneResult::Synced } else { result };
        let is_full = result == DoneResult::Full && self.is_planted(Mutant::FullBelieved);
        let result = if is_full { DoneResult::Written { free_bytes: u64::MAX } } else { result };
        self.ports.storage.done(now.mono, ticket, result, actions, &mut outcomes);
        if !outcomes.is_empty() {
            self.disk_outcomes(now, outcomes, actions);
        }
    }

    /// A turn begins: what storage told at the end of the last one is taken.
    pub fn turn_begins(&mut self, now: Now, actions: &mut Vec<Action>) {
        self.unstarted.turn_begins();
        if !self.ports.outcomes.is_empty() {
            let news = std::mem::take(&mut self.ports.outcomes);
            self.disk_outcomes(now, news, actions);
        }
    }

    pub(super) fn disk_outcomes(&mut self, now: Now, outcomes: Vec<Outcome>, actions: &mut Vec<Action>) {
        for outcome in outcomes {
            self.disk_outcome(now, outcome, actions);
        }
    }

    fn disk_outcome(&mut self, now: Now, outcome: Outcome, actions: &mut Vec<Action>) {
        let (residents, ports) = (&mut self.residents, &mut self.ports);
        match outcome {
            Outcome::Recovered(recovery) => self.recovered(now, recovery, actions),
            Outcome::MetaWritten => match self.identity.written() {
                Some(reason) => self.halt(reason, actions),
                None => self.identity_written(now),
            },
            Outcome::Persisted { replica, number } if self.membership.stage() == Stage::Joining(replica) => {
                assert!(number == 0, "a replica that is not started has made no ready");
                let (cluster, known) = self.membership.joined();
                self.identity.joined(cluster);
                self.identity.write(ports);
                self.open(Kind::Metadata, known, actions);
                self.go_on_starting(now, actions);
            }
            Outcome::Persisted { replica, number } => self.persisted(replica, ReadyNumber(number)),
            Outcome::Read { read, replica, result } => {
                let result = result
                    .and_then(|chunk| self.mendings.compare_epochs(now, replica, chunk, residents, ports));
                self.read_done(now, read, result);
            }
            Outcome::Checkpointed => {
                let kept_bytes_max = behind::kept_bytes_max(residents, &self.budget, &self.config.storage);
                self.checkpoints.durable(kept_bytes_max, residents);
            }
            Outcome::Drained { replica, end } => self.catch_ups.log_durable(replica, end, residents, ports),
            Outcome::Damaged { replica, from, below } => {
                self.mendings.found_damage(now, replica, (from, below), residents, ports);
            }
            Outcome::Rewritten { replica, is_done } => {
                self.compacting.rewritten(now, replica, is_done, ports)
            }
            Outcome::Mended { replica, from, is_mended } => {
                self.mendings.mended(now, replica, (from, is_mended), residents, ports);
            }
        }
    }

    /// A cold read ended: it was for a peer, for one of the parts, or for clients.
    fn read_done(&mut self, now: Now, read: ReadId, result: Result<Chunk, ReadFault>) {
        self.cold_reads.ended(read);
        let (residents, ports) = (&mut self.residents, &mut self.ports);
        let is_ours = self.serving.read(read, &result, residents, ports, &mut self.handing_over)
            || self.mendings.read(now, read, &result, residents, ports)
            || self.scrubbing.read(now, read, &result)
            || self.compacting.read(now, read, &result, ports);
        if !is_ours {
            ports.news.read.push((read, result));
        }
    }

    fn recovered(&mut self, now: Now, recovery: Recovery, actions: &mut Vec<Action>) {
        self.service.recovered(&recovery);
        let Some(meta) = recovery.meta else {
            assert!(recovery.replicas.is_empty(), "storage gives no replicas of a disk that is nobody's");
            self.membership.identifies();
            return self.identity.draw(&mut self.ports);
        };
        let without_metadata =
            WithoutMetadata { loss: meta.loss, dead: recovery.dead, segments: recovery.segments };
        self.identity.recovered(meta);
        for shortened in recovery.shortened {
            self.mendings.found_shortened(shortened);
        }
        let (metadata, others) = sort_out(recovery.replicas);
        self.unclaimed.add(others);
        if let [one, _, ..] = &metadata[..] {
            let reason = format!("two replicas of the metadata partition, one of them {}", one.replica);
            return self.halt(HaltReason::Undecodable { reason }, actions);
        }
        match metadata.into_iter().next() {
            Some(known) => {
                match DeletedAhead::read(&known.entries, self.config.levels.newest) {
                    Ok(ahead) => self.deleted_ahead = ahead,
                    Err(error) => {
                        let reason = format!("the journal, {}: {error}", known.of);
                        return self.halt(HaltReason::Undecodable { reason }, actions);
                    }
                }
                self.open(Kind::Metadata, known, actions);
                self.go_on_starting(now, actions);
            }
            None if self.identity.cluster().is_some() => {
                self.halt(HaltReason::CannotStart { reason: without_metadata.to_string() }, actions);
            }
            None => self.identity_written(now),
        }
    }

    /// The identity is on the disk.
    fn identity_written(&mut self, now: Now) {
        if self.membership.identified() {
            self.greet(now);
            self.found_if_complete(now);
        }
    }

    /// From here on this node is a member: its image is there, and what it places here starts.
    pub(super) fn metadata_starts(&mut self, now: Now, id: ReplicaId, actions: &mut Vec<Action>) {
        let image = self.residents.image().expect("the resident that was just taken in is the metadata");
        let rank = image.voters().position(|(node, _)| node == self.config.node);
        let topics: Vec<TopicId> = image.topics().map(|(id, _)| id).collect();
        let founding = founding_of(image);
        self.identity.joined(founding.cluster);
        if self.membership.stage() == Stage::Recovering {
            self.greet(now);
        }
        self.membership.is_member();
        self.bind_peers(now, &founding);
        self.level_is(now, actions);
        self.registering.look_soon(now);
        self.elections.started(now, id, rank.unwrap_or(0), &mut self.residents, &mut self.ports);
        for topic in topics {
            self.start_topic(now, topic, actions);
        }
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
        match (self.loss, metadata_among(&self.dead)) {
            (Some(loss), _) => {
                write!(out, "{loss}. What this node's replicas have promised in it is not known, so ")?;
                write!(
                    out,
                    "none of them may vote, lead or answer again, the metadata replica among them. "
                )?;
                write!(out, "All that the journal says before, and the checkpoint, can still be read")?;
            }
            (None, Some((id, of))) => {
                write!(out, "{of}: {id} has lost entries that this disk had promised to keep, so it must ")?;
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
