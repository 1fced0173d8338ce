//! C17, liveness: once every machine is healed, everything pending completes within a bound: each partition has a
//! leader, every open request is answered, a probe of every producer is acknowledged, and the audit reads every log to
//! its end. Nor does a node stop for no reason.
//!
//! Looked at: what the clients call open, ten times a second of simulated time, from the moment at which the faults
//! freeze; and the reason of every halt. The bound is twenty election timeouts, and a minute of grace for request
//! timeouts of clients and the backlog.

use super::{Claim, Verdict};
use crate::clock::{MILLI, SECOND};
use rust_mq_core::action::HaltReason;

/// What everybody may take besides the election timeouts: request timeouts of clients, and the backlog.
const GRACE: u64 = 60 * SECOND;
/// Election timeouts that healing may take.
const ELECTIONS: u64 = 20;

/// Nanoseconds after healing at which nothing may be open.
pub fn bound(election_max_ms: u64) -> u64 {
    GRACE + ELECTIONS * election_max_ms * MILLI
}

/// The bound has passed with all machines healed, and this is open.
pub fn late(waited_ns: u64, open: &[String], verdict: &mut Verdict) {
    verdict.breach(Claim::C17, words(waited_ns, open));
}

/// What is late, in words.
pub fn words(waited_ns: u64, open: &[String]) -> String {
    format!("{} s after healing: {}", waited_ns / SECOND, open.join("; "))
}

/// A node ends its process: legal when it was asked to, or when its disk failed or is spoilt.
pub fn check_halt(
    site: usize,
    reason: &HaltReason,
    is_asked: bool,
    did_disk_fail: bool,
    is_spoilt: bool,
    verdict: &mut Verdict,
) {
    let is_legal = match reason {
        HaltReason::Stopped | HaltReason::StoppedUnclean => is_asked,
        HaltReason::DiskFailed { .. } => did_disk_fail,
        HaltReason::CannotStart { .. } => is_spoilt,
        // Another claim's.
        HaltReason::Undecodable { .. } => true,
    };
    verdict.hold(is_legal, Claim::C17, || format!("n{} stopped without need: {reason:?}", site + 1));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_halt_needs_its_reason() {
        let is_breach = |reason: HaltReason, is_asked, did_fail, is_spoilt| {
            let mut verdict = Verdict::default();
            check_halt(0, &reason, is_asked, did_fail, is_spoilt, &mut verdict);
            verdict.is_broken()
        };
        let reason = String::new;
        assert!(!is_breach(HaltReason::Stopped, true, false, false));
        assert!(is_breach(HaltReason::Stopped, false, true, true));
        assert!(is_breach(HaltReason::DiskFailed { reason: reason() }, true, false, true));
        assert!(is_breach(HaltReason::CannotStart { reason: reason() }, true, true, false));
    }
}
