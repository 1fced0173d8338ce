//! The leader's side of a catch-up: it tells followers that are behind its window, gives them committed batches
//! through the consumers' own read path, and a snapshot of state and index.
//!
//! Batches are given by followers too: what is applied is committed whoever leads, and a replica that mends a
//! segment asks any that has it. For the same reason it is not asked of a leader that it has applied an entry of
//! its own term: one whose only other live member is behind the window commits nothing before that one has caught
//! up (seed 44).
//!
//! Invariant: nothing above the high watermark is given, and no snapshot but by a replica that leads.

use super::Node;
use crate::error_code::ErrorCode;
use crate::ids::{NodeId, Offset, ReplicaId, TopicPartition};
use crate::limits::{CATCH_UP_FETCH_BYTES, PARTITIONS_MAX};
use crate::mutant::{Mutant, is_planted};
use crate::now::Now;
use crate::peer::{Bulk, CallId, CatchUp, Fetch, Fetched, Snapshot, SnapshotWanted};
use crate::replica::Replica;
use crate::resident::Resident;
use crate::storage::{Chunk, Lookup, ReadFault, ReadId};

impl Node {
    /// A message of a peer's bulk lane.
    pub(super) fn bulk(&mut self, now: Now, node: NodeId, bulk: Bulk) {
        match bulk {
            Bulk::CatchUp(told) => self.told_to_catch_up(now, node, &told),
            Bulk::Fetch(fetch) => self.give_batches(node, &fetch),
            Bulk::Fetched(fetched) => {
                if !self.fetched_for_mending(now, node, &fetched) {
                    self.fetched(now, node, fetched);
                }
            }
            Bulk::SnapshotWanted(wanted) => self.give_snapshot(node, &wanted),
            Bulk::Snapshot(snapshot) => self.snapshot_came(now, node, snapshot),
        }
    }

    /// Followers that Raft cannot serve from the window are told so.
    pub(super) fn tell_who_is_behind(&mut self, id: ReplicaId) {
        let Some(of) = self.residents.partition_of(id) else { return };
        let Some(replica) = self.residents.replica_mut(id) else { return };
        let behind = replica.catch_up_wanted();
        let is_strict = is_planted(replica.settings().mutant, Mutant::CatchUpNeedsOwnTerm);
        if behind.is_empty() || is_strict && !replica.has_applied_own_term() {
            return;
        }
        let term = replica.term();
        let (log_start, high_watermark) = self.bounds(id);
        for follower in behind {
            let Some(node) = self.residents.node_of(of, follower) else { continue };
            let told = CatchUp { replica: follower, partition: of, term, log_start, high_watermark };
            // A lane that is down or full: Raft will ask again.
            let _ = self.peers.send_bulk(node, Bulk::CatchUp(told));
        }
    }

    /// What is led here.
    fn led(&self, of: TopicPartition) -> Option<&Resident> {
        self.residents.of(of).filter(|resident| resident.replica().is_leader())
    }

    /// What is kept of a replica's log. After a restart that may begin above where its state says: the journal told
    /// that retention had come further before it is known again what is committed. With no other follower it stays
    /// so until this catch-up is done (seed 7032).
    fn bounds(&self, id: ReplicaId) -> (Offset, Offset) {
        let Some(partition) = self.residents.partition(id) else { return (Offset(0), Offset(0)) };
        let end = partition.high_watermark();
        let kept = self.storage.extent(id).map_or(Offset(0), |extent| extent.log_start);
        (partition.log_start().max(kept).min(end), end)
    }

    fn give_batches(&mut self, node: NodeId, fetch: &Fetch) {
        let of = fetch.partition;
        if self.residents.partition_at(of).is_none() {
            return self.send_fetched(node, fetch.id, of, Err(ErrorCode::NotLeaderOrFollower));
        }
        // Who is not behind asks for the sake of its own disk.
        let is_needed =
            |replica: &Replica| replica.progress().any(|(_, matched)| matched.next() < replica.first_index());
        let led = self.led(of).map(Resident::replica);
        if let Some(id) = led.filter(|replica| is_needed(replica)).map(Replica::id) {
            self.asked_for_batches(id);
        }
        if self.peer_reads.len() >= PARTITIONS_MAX {
            // More than one for each replica that a peer could be catching up with.
            return self.send_fetched(node, fetch.id, of, Err(ErrorCode::KafkaStorageError));
        }
        match self.read_for_peer(of, fetch.from, fetch.max_bytes.min(CATCH_UP_FETCH_BYTES) as usize) {
            Lookup::Now(chunk) => self.send_fetched(node, fetch.id, of, Ok(chunk)),
            Lookup::Later(read) => {
                self.peer_reads.insert(read.0, (node, fetch.id, of));
            }
            Lookup::Refused(fault) => self.send_fetched(node, fetch.id, of, Err(code(fault))),
        }
    }

    /// A cold read ended; returns whether it was for a peer.
    pub(super) fn answer_catch_up_read(&mut self, read: ReadId, result: &Result<Chunk, ReadFault>) -> bool {
        let Some((node, call, of)) = self.peer_reads.remove(&read.0) else { return false };
        self.send_fetched(node, call, of, result.clone().map_err(code));
        true
    }

    fn send_fetched(
        &mut self,
        node: NodeId,
        id: CallId,
        of: TopicPartition,
        chunk: Result<Chunk, ErrorCode>,
    ) {
        let partition = self.residents.partition_at(of);
        let (log_end, high_watermark) = partition
            .map_or((Offset(0), Offset(0)), |partition| (partition.log_end(), partition.high_watermark()));
        let (error, chunks) = match chunk {
            Ok(chunk) => {
                if let Some(id) = self.residents.replica_of(of) {
                    self.gave_batches(id);
                }
                (0, chunk.batches)
            }
            Err(code) => (code.code(), Vec::new()),
        };
        let fetched = Fetched { id, error, chunks, log_end, high_watermark };
        let _ = self.peers.send_bulk(node, Bulk::Fetched(fetched));
    }

    fn give_snapshot(&mut self, node: NodeId, wanted: &SnapshotWanted) {
        // Who asks the wrong node hears nothing, gives up, and is told anew by the right one.
        if let Some(snapshot) = self.snapshot_of(wanted) {
            if let Some(id) = self.residents.replica_of(wanted.partition) {
                self.gave_batches(id);
            }
            let _ = self.peers.send_bulk(node, Bulk::Snapshot(snapshot));
        }
    }

    fn snapshot_of(&self, wanted: &SnapshotWanted) -> Option<Snapshot> {
        let resident = self.led(wanted.partition)?;
        let (log_start, _) = self.bounds(resident.replica().id());
        Some(resident.snapshot(wanted, log_start))
    }
}

fn code(fault: ReadFault) -> ErrorCode {
    match fault {
        ReadFault::OutOfRange => ErrorCode::OffsetOutOfRange,
        _ => ErrorCode::KafkaStorageError,
    }
}
