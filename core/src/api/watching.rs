//! What a node tells those who watch it (`watched`): a piece of it is a step of the turn, counted as a request's parts are,
//! and no more than the turn has left.

use super::desk::Desk;
use crate::limits::{PART_WORK_BYTES, WATCHED_PIECE};
use crate::node::Node;
use crate::watched::{Metrics, Wanted};

impl Desk {
    /// Tells what is wanted, or, of what is many, as much as this turn has room for and at least one.
    pub fn tell(&mut self, node: &Node, wanted: Wanted) -> Metrics {
        let most = (self.work.left_bytes() / PART_WORK_BYTES).clamp(1, WATCHED_PIECE);
        let (metrics, looked_at) = match wanted {
            Wanted::Node => {
                let mut metrics = node.counted();
                metrics.clients.waiting = self.waiting_count() as u64;
                metrics.requests = self.timings.all();
                (Metrics::Node(Box::new(metrics)), 1)
            }
            Wanted::Partitions { after } => {
                let piece = node.count_partitions(after, most);
                let looked_at = piece.told.len();
                (Metrics::Partitions(piece), looked_at)
            }
            Wanted::Groups { after } => {
                let piece = node.count_groups(after, most);
                let looked_at = piece.told.iter().map(|group| 1 + group.commits.len()).sum();
                (Metrics::Groups(piece), looked_at)
            }
        };
        (0..looked_at).for_each(|_| self.work.part(0));
        metrics
    }
}
