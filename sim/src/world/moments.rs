//! Faults that wait for their moment: a loss of power is at its worst in the midst of something.

use super::World;
use crate::clock::MILLI;
use crate::disk::image::PAGE;
use crate::trouble::{Moment, Trouble};
use rust_mq_core::file::File;

/// How long a loss of power waits for the write that it shall tear, milliseconds.
const MOMENT_WAIT_MS: u64 = 2_000;
/// How often it looks.
pub(super) const MOMENT_STEP: u64 = MILLI / 4;
/// How soon after a snapshot the power fails.
const JUST_AFTER: u64 = 200 * MILLI;
/// How long the worst moment is waited for, milliseconds: then it does not happen.
const WORST_WAIT_MS: u64 = 6_000;

/// What a fault that waits for a moment does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turnout {
    /// It begins.
    Now,
    /// It goes on waiting.
    Later,
    /// It will not happen any more.
    Never,
}

impl World {
    /// Whether a fault that waits for a moment has it: what shall be torn is being written, a checkpoint, or a frame,
    /// at first only a large one; or a sync is under way. After a while any moment will do, but not for the worst ones.
    pub(super) fn turnout(&self, what: &Trouble, at_ms: u64) -> Turnout {
        let waited_ms = (self.schedule.now().0 / MILLI).saturating_sub(at_ms);
        let bytes_min = if waited_ms < MOMENT_WAIT_MS / 2 { 2 * PAGE } else { PAGE };
        let has_come = match what {
            Trouble::Dark { site, when, .. } => {
                let sites = site.map_or(0..self.plan.sites.len(), |site| site..site + 1);
                if sites.into_iter().any(|site| self.is_worst(site, *when)) {
                    return Turnout::Now;
                }
                return if waited_ms < WORST_WAIT_MS { Turnout::Later } else { Turnout::Never };
            }
            Trouble::PowerLossAtWrite { site, is_checkpoint, .. } => {
                self.nodes[*site].disk.is_writing(|file, bytes| match file {
                    File::Checkpoint(_) => *is_checkpoint,
                    File::Journal(_) => !is_checkpoint && bytes >= bytes_min as u64,
                    _ => false,
                })
            }
            Trouble::KillAtSync { site } => self.nodes[*site].disk.is_syncing(),
            _ => true,
        };
        if has_come || waited_ms >= MOMENT_WAIT_MS { Turnout::Now } else { Turnout::Later }
    }

    fn is_worst(&self, site: usize, when: Moment) -> bool {
        let node = &self.nodes[site];
        let Some(process) = &node.process else { return false };
        let now = self.schedule.now();
        match when {
            Moment::Checkpoint => node.disk.is_writing(|file, _| matches!(file, File::Checkpoint(_))),
            Moment::Frame => node
                .disk
                .is_writing(|file, bytes| matches!(file, File::Journal(_)) && bytes >= 2 * PAGE as u64),
            Moment::Mend => node.disk.is_writing_over(|file| matches!(file, File::Segment(_))),
            Moment::CaughtUp => {
                let is_recent = self.stages.since_catch_up(site, now).is_some_and(|ago| ago < JUST_AFTER);
                is_recent && node.disk.is_writing(|file, _| matches!(file, File::Journal(_)))
            }
            Moment::Recovery => {
                node.boot > 1 && !process.broker.node().is_serving() && node.disk.outstanding() > 0
            }
        }
    }
}
