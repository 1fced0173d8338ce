//! Scrubbing: reading, slowly, through what nobody reads, so that rot is found while another replica can mend it.
//!
//! ```text
//! one place after the other: replica by replica, from a log's start to where its tail in memory begins
//! sound      -> the next place, when the rate allows it
//! Damaged    -> said, and mended, as when a consumer meets it (`mending`); on behind it
//! all read   -> a rest; a short one if there was damage, since a replica mends one place at a time
//! ```
//! The first pass begins at a place drawn by chance, and the whole follows at once: a node that restarts often still
//! comes by everything in time.
//!
//! - Invariant: at most one read of it is on the way, and as many bytes are read as the rate allows, and one read more.
//! - Invariant: where the rate is 0 nothing is read, drawn or waited for.
//!
//! Not here: what is damage (`storage/reads`, `mending`); the journal and the checkpoint, which are read at each start.
//! Source: the idea of a grid scrubber is TigerBeetle's (`src/vsr/grid_scrubber.zig`).

use super::Node;
use super::mending::end_of;
use crate::ids::{Offset, ReplicaId};
use crate::limits::{SCRUB_AFTER_START, SCRUB_READ_BYTES, SCRUB_REST, SCRUB_REST_AFTER_DAMAGE};
use crate::now::{Mono, Now};
use crate::storage::{Chunk, Lookup, ReadFault, ReadId};
use std::time::Duration;

/// How far scrubbing has come.
#[derive(Default)]
pub(super) struct Scrubbing {
    /// When the next place is read; `None` before the first.
    due: Option<Mono>,
    /// The place; `None` between two passes.
    at: Option<(ReplicaId, Offset)>,
    read: Option<ReadId>,
    has_begun: bool,
    /// The pass began somewhere: what lies before that follows at once.
    is_partial: bool,
    has_met_damage: bool,
}

impl Node {
    /// When [`Node::scrub_if_due`] has something to do.
    pub(super) fn scrub_due(&self) -> Option<Mono> {
        let is_at_work = self.config.storage.scrub_bytes_per_second > 0
            && self.residents.partition_count() > 0
            && self.scrubbing.read.is_none()
            && !self.is_stopping;
        is_at_work.then(|| self.scrubbing.due.unwrap_or_default())
    }

    /// Reads the next place if it is time.
    pub(super) fn scrub_if_due(&mut self, now: Now) {
        if self.scrub_due().is_none_or(|due| due > now.mono) {
            return;
        }
        if self.scrubbing.due.is_none() {
            self.scrubbing.due = Some(now.mono + SCRUB_AFTER_START);
            return;
        }
        let Some((id, from, below)) = self.next_place() else { return self.rest(now) };
        self.scrubbing.at = Some((id, from));
        match self.storage.read(id, from, below, SCRUB_READ_BYTES, &mut self.disk_actions) {
            Lookup::Later(read) => self.scrubbing.read = Some(read),
            // Nothing to read on the disk after all: on with the next replica.
            Lookup::Now(_) | Lookup::Refused(_) => self.scrubbed_to(now, below, 0),
        }
    }

    /// A cold read ended; returns whether scrubbing had asked for it.
    pub(super) fn scrubbed(&mut self, now: Now, read: ReadId, result: &Result<Chunk, ReadFault>) -> bool {
        if self.scrubbing.read != Some(read) {
            return false;
        }
        self.scrubbing.read = None;
        let from = self.scrubbing.at.map_or(Offset(0), |(_, from)| from);
        let (to, bytes) = match result {
            Ok(chunk) => (end_of(chunk), chunk.batches.iter().map(|run| run.len()).sum()),
            Err(ReadFault::Damaged { below, .. }) => {
                self.scrubbing.has_met_damage = true;
                (Some(*below), SCRUB_READ_BYTES)
            }
            Err(ReadFault::OutOfRange | ReadFault::Gone) => (None, 0),
        };
        // What is no longer there is passed: the log's start has moved, or the replica is another.
        let to = to.filter(|to| *to > from).unwrap_or(Offset(from.0.saturating_add(1)));
        self.scrubbed_to(now, to, bytes);
        true
    }

    fn scrubbed_to(&mut self, now: Now, to: Offset, bytes: usize) {
        let rate = self.config.storage.scrub_bytes_per_second.max(1);
        let nanos = (bytes as u64).max(1).saturating_mul(1_000_000_000) / rate;
        self.scrubbing.due = Some(now.mono + Duration::from_nanos(nanos));
        self.scrubbing.at = self.scrubbing.at.map(|(id, _)| (id, to));
    }

    /// The next replica with something cold from the place on, and where it is.
    fn next_place(&mut self) -> Option<(ReplicaId, Offset, Offset)> {
        let at = match self.scrubbing.at {
            None if !self.scrubbing.has_begun => {
                self.scrubbing.is_partial = true;
                self.drawn_place()
            }
            at => at.unwrap_or_default(),
        };
        self.scrubbing.has_begun = true;
        self.residents.partitions_from(at.0).find_map(|(id, _)| {
            let extent = self.storage.extent(id)?;
            let from = if id == at.0 { extent.log_start.max(at.1) } else { extent.log_start };
            (from < extent.cold_end).then_some((id, from, extent.cold_end))
        })
    }

    fn drawn_place(&mut self) -> (ReplicaId, Offset) {
        let place = usize::try_from(self.rng.below(self.residents.partition_count() as u64)).unwrap_or(0);
        let id = self.residents.partitions().nth(place).map_or(ReplicaId(0), |(id, _)| id);
        let cold = self.storage.extent(id).map_or(0..0, |extent| extent.log_start.0..extent.cold_end.0);
        let within = u64::try_from(cold.end.saturating_sub(cold.start)).unwrap_or(0).max(1);
        (id, Offset(cold.start.saturating_add_unsigned(self.rng.below(within))))
    }

    fn rest(&mut self, now: Now) {
        let rest = match &self.scrubbing {
            Scrubbing { is_partial: true, .. } => Duration::ZERO,
            Scrubbing { has_met_damage: true, .. } => SCRUB_REST_AFTER_DAMAGE,
            _ => SCRUB_REST,
        };
        self.scrubbing = Scrubbing { due: Some(now.mono + rest), has_begun: true, ..Scrubbing::default() };
    }
}
