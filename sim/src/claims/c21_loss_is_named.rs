//! C21, a loss has a name: a node that has found its journal damaged goes by another disk id from then on, so that its
//! peers take it for one that has promised nothing. Which replicas it had it cannot know: one may have been added in the
//! frame that rotted. Bound to an id that is gone, all of them are void.
//!
//! Looked at: the id that each process shows, at the turn it shows one first, and after it has reported the damage.
//!
//! Invariant: the ids before and after a start that found the journal damaged differ.

use super::{Claim, Verdict};
use rust_mq_core::ids::DiskId;

/// By which id a node's disk goes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Named {
    /// The process that showed one last, and the id.
    shown: Option<(u32, DiskId)>,
    /// The process that found the damage, and the id that no process may show from then on.
    lost: Option<(u32, Option<DiskId>)>,
}

impl Named {
    /// A process, in that life, has found its journal damaged: before it shows an id.
    pub fn found_damaged(&mut self, boot: u32) {
        let before = self.shown.filter(|(life, _)| *life != boot).map(|(_, disk)| disk);
        self.lost = Some((boot, before));
    }

    /// A process shows its disk's id after a turn.
    pub fn shows(&mut self, site: usize, boot: u32, disk: DiskId, verdict: &mut Verdict) {
        let is_its_own = self.lost.is_some_and(|(life, before)| life == boot && before == Some(disk));
        verdict.hold(!is_its_own, Claim::C21, || {
            format!("n{} has lost some of its journal, and goes by the id of {disk:?} as before", site + 1)
        });
        self.shown = Some((boot, disk));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_lost_something_goes_by_another_name() {
        let is_breach = |after| {
            let (mut named, mut verdict) = (Named::default(), Verdict::default());
            named.shows(0, 1, DiskId(7), &mut verdict);
            named.found_damaged(2);
            named.shows(0, 2, DiskId(after), &mut verdict);
            verdict.is_broken()
        };
        assert!(is_breach(7) && !is_breach(8));
    }
}
