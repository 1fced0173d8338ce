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

use super::mending::end_of;
use super::ports::Ports;
use crate::ids::{Offset, ReplicaId};
use crate::limits::{SCRUB_AFTER_START, SCRUB_READ_BYTES, SCRUB_REST, SCRUB_REST_AFTER_DAMAGE};
use crate::now::{Mono, Now};
use crate::resident::Residents;
use crate::storage::{Chunk, Lookup, ReadFault, ReadId};
use std::time::Duration;

/// How far scrubbing has come.
pub(super) struct Scrubbing {
    /// Bytes a second at most; 0 where nothing is scrubbed.
    rate: u64,
    is_stopped: bool,
    pass: Pass,
}

/// How far a pass has come.
#[derive(Default)]
struct Pass {
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

impl Scrubbing {
    /// At that rate in bytes a second.
    pub fn new(rate: u64) -> Scrubbing {
        Scrubbing { rate, is_stopped: false, pass: Pass::default() }
    }

    /// The node is about to stop.
    pub fn stop(&mut self) {
        self.is_stopped = true;
    }

    /// When `woke` has something to do.
    pub fn next_deadline(&self, residents: &Residents) -> Option<Mono> {
        let is_at_work =
            self.rate > 0 && residents.partition_count() > 0 && self.pass.read.is_none() && !self.is_stopped;
        is_at_work.then(|| self.pass.due.unwrap_or_default())
    }

    /// Reads the next place if it is time.
    pub fn woke(&mut self, now: Now, residents: &Residents, ports: &mut Ports) {
        if self.next_deadline(residents).is_none_or(|due| due > now.mono) {
            return;
        }
        if self.pass.due.is_none() {
            self.pass.due = Some(now.mono + SCRUB_AFTER_START);
            return;
        }
        let Some((id, from, below)) = self.next_place(residents, ports) else { return self.rest(now) };
        self.pass.at = Some((id, from));
        match ports.storage.read(id, from, below, SCRUB_READ_BYTES, &mut ports.actions) {
            Lookup::Later(read) => self.pass.read = Some(read),
            // Nothing to read on the disk after all: on with the next replica.
            Lookup::Now(_) | Lookup::Refused(_) => self.passed(now, below, 0),
        }
    }

    /// A cold read ended; returns whether scrubbing had asked for it.
    pub fn read(&mut self, now: Now, read: ReadId, result: &Result<Chunk, ReadFault>) -> bool {
        if self.pass.read != Some(read) {
            return false;
        }
        self.pass.read = None;
        let from = self.pass.at.map_or(Offset(0), |(_, from)| from);
        let (to, bytes) = match result {
            Ok(chunk) => (end_of(chunk), chunk.batches.iter().map(|run| run.len()).sum()),
            Err(ReadFault::Damaged { below, .. }) => {
                self.pass.has_met_damage = true;
                (Some(*below), SCRUB_READ_BYTES)
            }
            Err(ReadFault::OutOfRange | ReadFault::Gone) => (None, 0),
        };
        // What is no longer there is passed: the log's start has moved, or the replica is another.
        let to = to.filter(|to| *to > from).unwrap_or(Offset(from.0.saturating_add(1)));
        self.passed(now, to, bytes);
        true
    }

    fn passed(&mut self, now: Now, to: Offset, bytes: usize) {
        let nanos = (bytes as u64).max(1).saturating_mul(1_000_000_000) / self.rate.max(1);
        self.pass.due = Some(now.mono + Duration::from_nanos(nanos));
        self.pass.at = self.pass.at.map(|(id, _)| (id, to));
    }

    /// The next replica with something cold from the place on, and where it is.
    fn next_place(
        &mut self,
        residents: &Residents,
        ports: &mut Ports,
    ) -> Option<(ReplicaId, Offset, Offset)> {
        let at = match self.pass.at {
            None if !self.pass.has_begun => {
                self.pass.is_partial = true;
                drawn_place(residents, ports)
            }
            at => at.unwrap_or_default(),
        };
        self.pass.has_begun = true;
        residents.partitions_from(at.0).find_map(|(id, _)| {
            let extent = ports.storage.extent(id)?;
            let from = if id == at.0 { extent.log_start.max(at.1) } else { extent.log_start };
            (from < extent.cold_end).then_some((id, from, extent.cold_end))
        })
    }

    fn rest(&mut self, now: Now) {
        let rest = match &self.pass {
            Pass { is_partial: true, .. } => Duration::ZERO,
            Pass { has_met_damage: true, .. } => SCRUB_REST_AFTER_DAMAGE,
            _ => SCRUB_REST,
        };
        self.pass = Pass { due: Some(now.mono + rest), has_begun: true, ..Pass::default() };
    }
}

fn drawn_place(residents: &Residents, ports: &mut Ports) -> (ReplicaId, Offset) {
    let place = usize::try_from(ports.rng.below(residents.partition_count() as u64)).unwrap_or(0);
    let id = residents.partitions().nth(place).map_or(ReplicaId(0), |(id, _)| id);
    let cold = ports.storage.extent(id).map_or(0..0, |extent| extent.log_start.0..extent.cold_end.0);
    let within = u64::try_from(cold.end.saturating_sub(cold.start)).unwrap_or(0).max(1);
    (id, Offset(cold.start.saturating_add_unsigned(ports.rng.below(within))))
}
