//! What storage has counted, for those who watch the node.

use super::{State, Storage};
use crate::watched::DiskMetrics;

impl Storage {
    /// What was counted since it has run, and how the disk is; whether it is in trouble is known above.
    pub fn counted(&self) -> DiskMetrics {
        let State::Running(running) = &self.state else { return DiskMetrics::default() };
        DiskMetrics {
            free_bytes: running.space.free_bytes(),
            takes_records: !running.space.is_full(),
            is_troubled: false,
            journal_bytes: running.journal.bytes_written(),
            frames: running.journal.took(),
            checkpoints: running.checkpoints,
        }
    }
}
