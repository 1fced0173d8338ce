//! The leader's side of a catch-up: it tells followers that are behind its window, gives them committed batches
//! through the consumers' own read path, and a snapshot of state and index.
//!
//! Batches are given by followers too: what is applied is committed whoever leads, and a replica that mends a
//! segment asks any that has it. For the same reason it is not asked of a leader that it has applied an entry of
//! its own term: one whose only other live member is behind the window commits nothing before that one has caught
//! up (seed 44).
//!
//! Invariant: nothing above the high watermark is given, and no snapshot but by a replica that leads.

use super::handing_over::HandingOver;
use super::ports::Ports;
use crate::ids::{NodeId, Offset, ReplicaId, TopicPartition};
use crate::limits::{CATCH_UP_FETCH_BYTES, PARTITIONS_MAX};
use crate::mutant::{Mutant, is_planted};
use crate::peer::{Bulk, CallId, CatchUp, Fetch, Fetched, SnapshotWanted};
use crate::replica::Replica;
use crate::resident::{Resident, Residents};
use crate::storage::{Chunk, Lookup, ReadFault, ReadId};
use rust_mq_proto::kafka::ErrorCode;
use std::collections::BTreeMap;

/// What is being given.
#[derive(Default)]
pub(super) struct Serving {
    /// Cold reads for peers that catch up, or mend.
    reads: BTreeMap<ReadId, (NodeId, CallId, TopicPartition)>,
}

impl Serving {
    /// How many reads for others are under way.
    #[cfg(feature = "simulation")]
    pub fn held(&self) -> usize {
        self.reads.len()
    }

    /// A replica asks for batches.
    pub fn give_batches(
        &mut self,
        node: NodeId,
        fetch: &Fetch,
        residents: &Residents,
        ports: &mut Ports,
        handing_over: &mut HandingOver,
    ) {
        let of = fetch.partition;
        let Some((id, partition)) = residents.placed(of) else {
            return send(node, fetch.id, of, Err(ErrorCode::NotLeaderOrFollower), residents, ports);
        };
        // Who is not behind asks for the sake of its own disk.
        let is_needed =
            |replica: &Replica| replica.progress().any(|(_, matched)| matched.next() < replica.first_index());
        if partition.replica().is_leader() && is_needed(partition.replica()) {
            handing_over.asked_for_batches(id);
        }
        if self.reads.len() >= PARTITIONS_MAX {
            // More than one for each replica that a peer could be catching up with.
            return send(node, fetch.id, of, Err(ErrorCode::KafkaStorageError), residents, ports);
        }
        let most = fetch.max_bytes.min(CATCH_UP_FETCH_BYTES) as usize;
        let below = partition.high_watermark();
        match ports.storage.read(id, fetch.from, below, most, &mut ports.actions) {
            Lookup::Now(chunk) => {
                handing_over.gave_batches(id);
                send(node, fetch.id, of, Ok(chunk), residents, ports);
            }
            Lookup::Later(read) => {
                self.reads.insert(read, (node, fetch.id, of));
            }
            Lookup::Refused(fault) => send(node, fetch.id, of, Err(code(fault)), residents, ports),
        }
    }

    /// A cold read ended; returns whether it was for a peer.
    pub fn read(
        &mut self,
        read: ReadId,
        result: &Result<Chunk, ReadFault>,
        residents: &Residents,
        ports: &mut Ports,
        handing_over: &mut HandingOver,
    ) -> bool {
        let Some((node, call, of)) = self.reads.remove(&read) else { return false };
        if result.is_ok()
            && let Some(id) = residents.replica_of(of)
        {
            handing_over.gave_batches(id);
        }
        send(node, call, of, result.clone().map_err(code), residents, ports);
        true
    }
}

/// Followers that Raft cannot serve from the window are told so.
pub(super) fn tell_who_is_behind(id: ReplicaId, residents: &mut Residents, ports: &mut Ports) {
    let Some(resident) = residents.get_mut(id) else { return };
    let of = resident.of();
    let replica = resident.replica_mut();
    let behind = replica.catch_up_wanted();
    let is_strict = is_planted(replica.settings().mutant, Mutant::CatchUpNeedsOwnTerm);
    if behind.is_empty() || is_strict && !replica.has_applied_own_term() {
        return;
    }
    let term = replica.term();
    let (log_start, high_watermark) = bounds(resident, ports);
    for follower in behind {
        let Some(node) = residents.node_of(of, follower) else { continue };
        let told = CatchUp { replica: follower, partition: of, term, log_start, high_watermark };
        // A lane that is down or full: Raft will ask again.
        let _ = ports.peers.send_bulk(node, Bulk::CatchUp(told));
    }
}

/// A replica that has the batches asks for the state above them. Who asks the wrong node hears nothing, gives up, and is
/// told anew by the right one.
pub(super) fn give_snapshot(
    node: NodeId,
    wanted: &SnapshotWanted,
    residents: &Residents,
    ports: &mut Ports,
    handing_over: &mut HandingOver,
) {
    let Some(resident) = residents.of(wanted.partition).filter(|one| one.replica().is_leader()) else {
        return;
    };
    handing_over.gave_batches(resident.replica().id());
    let (log_start, _) = bounds(resident, ports);
    let _ = ports.peers.send_bulk(node, Bulk::Snapshot(resident.snapshot(wanted, log_start)));
}

/// What is kept of a replica's log: whole batches. After a restart that may begin above where its state says: the journal
/// told that retention had come further before it is known again what is committed. With no other follower it stays
/// so until this catch-up is done (seed 7032). And it begins below where a client has deleted a part of a batch.
fn bounds(resident: &Resident, ports: &Ports) -> (Offset, Offset) {
    let (start, end) = resident.extent();
    let kept = ports.storage.extent(resident.replica().id()).map_or(start, |extent| extent.log_start);
    (kept.min(end), end)
}

fn send(
    node: NodeId,
    id: CallId,
    of: TopicPartition,
    chunk: Result<Chunk, ErrorCode>,
    residents: &Residents,
    ports: &mut Ports,
) {
    let ends = residents.partition_at(of).map(|partition| (partition.log_end(), partition.high_watermark()));
    let (log_end, high_watermark) = ends.unwrap_or((Offset(0), Offset(0)));
    let (error, chunks) = match chunk {
        Ok(chunk) => (0, chunk.batches),
        Err(code) => (code.code(), Vec::new()),
    };
    let fetched = Fetched { id, error, chunks, log_end, high_watermark };
    let _ = ports.peers.send_bulk(node, Bulk::Fetched(fetched));
}

fn code(fault: ReadFault) -> ErrorCode {
    match fault {
        ReadFault::OutOfRange => ErrorCode::OffsetOutOfRange,
        _ => ErrorCode::KafkaStorageError,
    }
}
