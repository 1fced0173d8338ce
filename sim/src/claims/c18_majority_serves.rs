//! C18, availability: with a majority healed and connected, everything completes within the bound of C17 although the
//! other machines stay as broken as they are for ever: dead, cut off in both directions or in one, slow, paused, with
//! spoilt disks. A partition most of whose replicas are broken is excused.
//!
//! Looked at: what the clients call open, as for C17, in the runs whose healed core is not everybody.

use super::{Claim, Verdict, c17_everything_completes};

/// The bound has passed with a minority still broken, and this is open.
pub fn late(waited_ns: u64, open: &[String], verdict: &mut Verdict) {
    verdict.breach(Claim::C18, c17_everything_completes::words(waited_ns, open));
}
