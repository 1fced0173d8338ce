//! C18, availability: with a majority healed and connected, everything completes within the bounds of C17 although the
//! other sites stay as broken as they are for ever: dead, cut off in both directions or in one, slow, paused, with
//! spoilt disks. A partition most of whose replicas are broken is excused, until these sites are mended too, but those
//! with spoilt disks: then it is audited like all others.
//!
//! Looked at: what the clients call open, as for C17, in the runs whose healed core is not everybody.

use super::c17_everything_completes::{self, Open};
use super::{Claim, Verdict};

/// A bound has passed with a minority still broken, and this is open.
pub fn late(stood_ns: u64, waited_ns: u64, open: &[Open], verdict: &mut Verdict) {
    verdict.breach(Claim::C18, c17_everything_completes::words(stood_ns, waited_ns, open));
}
