//! What retention asks of storage: where segments end, what is there, what goes, and whether there is little space.
//!
//! Not here: which records may go (`partition/retention.rs`); the files of what went (`checkpointer`).

use super::journal::frame::LogStart;
use super::segments::log::Roll;
use super::segments::segment::Segment;
use super::{State, Storage};
use crate::ids::{Offset, ReplicaId};

impl Storage {
    /// Says when the segments of a replica that is here are to end.
    pub fn set_roll(&mut self, replica: ReplicaId, roll: Roll) {
        let Some(running) = self.running() else { return };
        running.locals.get_mut(&replica).expect("segments are of a replica that is here").log.roll = roll;
    }

    /// A replica's segments, oldest first, for retention.
    pub fn segments(&self, replica: ReplicaId) -> &[Segment] {
        let State::Running(running) = &self.state else { return &[] };
        running.locals.get(&replica).map_or(&[], |local| local.log.segments())
    }

    /// What of a replica is in no segment yet, as one would show it; `None` if nothing is.
    pub fn unwritten(&self, replica: ReplicaId) -> Option<Segment> {
        let State::Running(running) = &self.state else { return None };
        running.locals.get(&replica)?.log.unwritten()
    }

    /// Raises the first offset that may be read. Segments wholly below go after the next checkpoint.
    pub fn advance_log_start(&mut self, replica: ReplicaId, to: Offset) {
        let Some(running) = self.running() else { return };
        let Some(local) = running.locals.get_mut(&replica) else { return };
        let before = local.log.log_start();
        let below = local.log.advance_start(to);
        if local.log.log_start() > before {
            running.journal.log_start(replica, LogStart { offset: local.log.log_start(), anew: None });
        }
        running.doom(below);
    }

    /// Where a replica's log begins, and where the first batch does that is kept of it.
    #[cfg(any(test, feature = "simulation"))]
    pub fn kept(&self, replica: ReplicaId) -> Option<(Offset, Offset)> {
        match &self.state {
            State::Running(running) => {
                let log = &running.locals.get(&replica)?.log;
                let first = log.segments().first().map(|segment| segment.base);
                Some((log.log_start(), first.unwrap_or_else(|| log.tail_start())))
            }
            _ => None,
        }
    }

    /// What is begun and not done, by name; nothing before the start.
    #[cfg(feature = "simulation")]
    pub fn held(&self) -> Vec<(&'static str, usize)> {
        let State::Running(running) = &self.state else { return Vec::new() };
        let syncing = running.locals.values().filter(|local| local.log.is_syncing).count();
        vec![
            ("works of the disk", running.tickets.held()),
            ("reads of records", running.reads.held()),
            ("files that go", running.removals.held() + running.doomed.len() + running.replaced.len()),
            ("writes of records", running.behind.held()),
            ("syncs of logs", syncing),
            ("logs that met a full disk", running.stalled.len()),
            ("segments being mended", running.mending.len()),
            ("segments written anew", running.rewrites.len()),
        ]
    }

    /// Whether there is so little space that whatever retention can give up should go at once.
    pub fn is_space_short(&self) -> bool {
        matches!(&self.state, State::Running(running) if running.space.is_short())
    }
}
