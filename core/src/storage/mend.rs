//! Mending: good bytes, from a peer, over damaged ones of a segment, in place.
//!
//! ```text
//! read finds damage at (segment, byte, offset)  --Damaged-->  the floor above asks a peer
//! the peer's batches  --mend-->  compared, written, synced  --Mended-->  the place is readable again
//! ```
//! While bytes are mended the replica's log is not written and no checkpoint syncs: so the sync that follows
//! speaks of these bytes alone, and a full disk is told from a failed one.
//!
//! - Invariant: what is written is whole batches with their own CRCs, contiguous from the damaged offset on, ends
//!   within the segment, and ends where the index, or the segment, says that the next batch begins.
//! - Invariant: at most one mending a replica is under way.
//!
//! Batches below the log's start nobody has to have: if the damage begins there, what a peer gives begins with the batch
//! that holds the start. Where that one lay follows from its end, up to which the run must then reach; before it goes a
//! batch without records, of the length that is left.
//!
//! Not here: who has good bytes, and when to ask again (`node/mending`).

use super::disk::Disk;
use super::disk::ticket::Job;
use super::reads::place::run_end;
use super::running::{Running, Turn, no_failure};
use super::{ChunkPlace, Outcome, Storage};
use crate::action::Action;
use crate::event::DoneResult;
use crate::file::{File, SegmentName};
use crate::ids::{Offset, ReplicaId};
use bytes::Bytes;
use rust_mq_proto::records::{BatchBuilder, Batches};

/// Why good bytes are not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MendRefused {
    /// Not now: the log is being written or synced. Ask again.
    Busy,
    /// No damage is known there, any more.
    Sound,
    /// They are not what belongs there.
    Unfit,
}

impl Storage {
    /// Somebody who knows more than a checksum covers has found damage in what was read: the batch that starts
    /// `after` so many bytes of the chunk, of these offsets. It can be mended now.
    pub fn doubt(
        &mut self,
        chunk: ChunkPlace,
        after: u64,
        offsets: (Offset, Offset),
        actions: &mut Vec<Action>,
    ) {
        if let Some(running) = self.running() {
            running.reads.doubt(chunk, after, offsets, &mut Disk::new(&mut running.tickets, actions));
        }
    }

    /// Writes good bytes over damaged ones: `bytes` are whole batches from `from` on, the place that a
    /// [`super::ReadFault::Damaged`] named, or from the one on that holds `log_start`, if that is behind it. Answered
    /// by [`Outcome::Mended`].
    ///
    /// # Errors
    /// Nothing is written.
    pub fn mend(
        &mut self,
        replica: ReplicaId,
        (from, log_start): (Offset, Offset),
        bytes: Bytes,
        actions: &mut Vec<Action>,
    ) -> Result<(), MendRefused> {
        let Some(running) = self.running() else { return Err(MendRefused::Sound) };
        let Some(local) = running.locals.get(&replica) else { return Err(MendRefused::Sound) };
        let Some(segment) = local.log.segment_of(from) else { return Err(MendRefused::Sound) };
        let name = segment.name(local.log.of);
        let Some(damage) = running.reads.damaged_at(name, from) else { return Err(MendRefused::Sound) };
        let at = damage.at;
        let is_held = local.log.is_writing() || local.log.is_syncing || running.checkpointer.is_syncing();
        if is_held || running.mending.contains(&replica) {
            return Err(MendRefused::Busy);
        }
        let first = Batches::new(&bytes).next().and_then(Result::ok).ok_or(MendRefused::Unfit)?;
        let (begins, epoch) = (Offset(first.base_offset()), first.leader_epoch());
        let next = run_end(&bytes, begins).ok_or(MendRefused::Unfit)?;
        let mut parts = vec![bytes];
        if begins > from {
            let end = damage.end.filter(|(_, below)| *below == next && begins <= log_start);
            let (end_at, _) = end.ok_or(MendRefused::Unfit)?;
            let left = (end_at - at).checked_sub(parts[0].len() as u64).ok_or(MendRefused::Unfit)?;
            let left = usize::try_from(left).unwrap_or(usize::MAX);
            let hollow = BatchBuilder::hollow((from.0, begins.0), epoch, left).ok_or(MendRefused::Unfit)?;
            parts.insert(0, hollow.freeze());
        }
        let next_at = at + parts.iter().map(|part| part.len() as u64).sum::<u64>();
        let is_end = (next == segment.next) == (next_at == segment.bytes);
        let is_indexed = running.reads.indexed_at(name, next).is_none_or(|indexed| indexed == next_at);
        if next > segment.next || next_at > segment.bytes || !is_end || !is_indexed {
            return Err(MendRefused::Unfit);
        }
        running.mending.insert(replica);
        let (job, file) = (Job::Mend(replica, name, from), File::Segment(name));
        let mut disk = Disk::new(&mut running.tickets, actions);
        running.removals.claim(file, &mut disk);
        disk.write(job, file, at, parts);
        Ok(())
    }
}

impl Running {
    /// A write of good bytes, or their sync, is answered.
    pub(super) fn mend_done(
        &mut self,
        (replica, name, from): (ReplicaId, SegmentName, Offset),
        result: DoneResult,
        turn: &mut Turn<'_>,
    ) -> Result<(), String> {
        let file = File::Segment(name);
        let is_mended = match result {
            DoneResult::Written { .. } if self.is_here(replica, name) => {
                turn.disk(&mut self.tickets).sync(Job::Mend(replica, name, from), vec![file]);
                return Ok(());
            }
            // The segment has been given up meanwhile: its file is removed behind the write.
            DoneResult::Written { .. } => false,
            DoneResult::Full => {
                turn.actions.push(Action::Forget { file });
                false
            }
            synced => {
                no_failure(synced)?;
                self.reads.mended(name, from);
                true
            }
        };
        self.mending.remove(&replica);
        turn.outcomes.push(Outcome::Mended { replica, from, is_mended });
        // What was held back meanwhile goes on.
        self.write_log(replica, turn);
        self.advance_checkpoint(turn);
        Ok(())
    }

    fn is_here(&self, replica: ReplicaId, name: SegmentName) -> bool {
        let log = self.locals.get(&replica).map(|local| &local.log);
        log.is_some_and(|log| log.segment_named(name).is_some())
    }
}
