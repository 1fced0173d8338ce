//! C17, liveness: once every site is healed, nothing open stands still: each partition has a leader, every open
//! request is answered, a probe of every producer is acknowledged, the audit reads every log to its end, replicas catch
//! up, and every node knows who leads the cluster. Nor does a node stop for no reason.
//!
//! Looked at: what the clients call open, and how far each has come with it, ten times a second of simulated time, from
//! the moment at which the faults freeze; and the reason of every halt. Two bounds, of which the first is the claim:
//!
//! - **Stall.** Time counts from the last progress of that client: a batch acknowledged or refused for good, an answer,
//!   an offset that the audit had not read, an entry applied. Twenty election timeouts, and the longest that a client
//!   waits for an answer before it asks again, of each machine that stays broken (C18): by then everything that was lost
//!   is asked for again, of somebody who answers.
//! - **Cap.** Progress may be feigned (a producer that begins anew for ever), so all of it ends a minute and twenty
//!   election timeouts after healing, and what the network needs for the backlog that it was healed with.
//!
//! Invariant: stall <= cap.

use super::{Claim, Verdict};
use crate::clock::{MILLI, Moment, SECOND};
use crate::network::Weather;
use rust_mq_core::action::HaltReason;
use std::collections::BTreeMap;

/// What everybody may take besides the election timeouts and the backlog.
const GRACE: u64 = 60 * SECOND;
/// Election timeouts that healing may take.
const ELECTIONS: u64 = 20;

/// Something open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// Whose, by a number that is its alone.
    pub who: usize,
    /// How far that one is: grows with progress.
    pub done: u64,
    /// What, in words.
    pub words: String,
}

/// How far everybody is who has something open, and since when.
#[derive(Debug, Default)]
pub struct Standing(BTreeMap<usize, (u64, Moment)>);

/// What may be late how long, nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    stall: u64,
    cap: u64,
}

impl Standing {
    /// How long that which stands longest has stood still.
    pub fn look(&mut self, now: Moment, open: &[Open]) -> u64 {
        let before = std::mem::take(&mut self.0);
        for one in open {
            let known = before.get(&one.who).filter(|(done, _)| one.done <= *done);
            self.0.insert(one.who, known.copied().unwrap_or((one.done, now)));
        }
        self.0.values().map(|(_, since)| now.since(*since)).max().unwrap_or(0)
    }
}

impl Bounds {
    /// Those of a cluster whose longest election timeout is that, whose clients wait so long for an answer before they
    /// ask again, and which has so much backlog.
    pub fn new(election_max_ms: u64, given_up_ns: u64, backlog_ns: u64) -> Bounds {
        let elections = ELECTIONS * election_max_ms * MILLI;
        Bounds { stall: elections + given_up_ns, cap: elections + GRACE + backlog_ns }
    }

    /// Whether that is too late, for what has stood still so long, so long after healing.
    pub fn is_late(&self, stood_ns: u64, waited_ns: u64) -> bool {
        stood_ns > self.stall || waited_ns > self.cap
    }
}

/// What the network needs to carry so many bytes over one wire, a window each mean round trip.
pub fn backlog_ns(bytes: u64, weather: Weather) -> u64 {
    let round_trip = 2 * (weather.latency_min_ns + weather.latency_mean_ns);
    bytes.div_ceil(weather.window_bytes) * round_trip + bytes * weather.byte_ps / 1000
}

/// A bound has passed with all sites healed, and this is open.
pub fn late(stood_ns: u64, waited_ns: u64, open: &[Open], verdict: &mut Verdict) {
    verdict.breach(Claim::C17, words(stood_ns, waited_ns, open));
}

/// Something that is driven turn by turn always wants another one.
pub fn restless(who: &str, verdict: &mut Verdict) {
    verdict.breach(Claim::C17, format!("{who} does not come to rest"));
}

/// What is late, in words.
pub fn words(stood_ns: u64, waited_ns: u64, open: &[Open]) -> String {
    let words: Vec<&str> = open.iter().map(|one| one.words.as_str()).collect();
    let (stood, waited) = (stood_ns / SECOND, waited_ns / SECOND);
    format!("{stood} s without progress, {waited} s after healing: {}", words.join("; "))
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

    fn open(who: usize, done: u64) -> Open {
        Open { who, done, words: String::new() }
    }

    #[test]
    fn only_progress_of_its_own_moves_what_is_open() {
        let mut standing = Standing::default();
        let at = |seconds: u64| Moment(seconds * SECOND);
        assert_eq!(standing.look(at(1), &[open(1, 0), open(2, 5)]), 0);
        assert_eq!(
            standing.look(at(3), &[open(1, 1), open(2, 5)]),
            2 * SECOND,
            "the other's progress is not its own"
        );
        assert_eq!(standing.look(at(4), &[open(1, 0), open(2, 6)]), SECOND, "a step back is no progress");
        assert_eq!(standing.look(at(9), &[open(1, 2)]), 0);
        assert_eq!(standing.look(at(9), &[]), 0);
    }

    #[test]
    fn a_stall_and_feigned_progress_are_late() {
        let bounds = Bounds::new(500, 12 * SECOND, 7 * SECOND);
        let (stall, cap) = ((10 + 12) * SECOND, (10 + 60 + 7) * SECOND);
        assert!(!bounds.is_late(stall, cap));
        assert!(bounds.is_late(stall + 1, stall + 1), "nothing moves");
        assert!(bounds.is_late(0, cap + 1), "it moves for ever");
    }

    #[test]
    fn a_backlog_takes_a_round_trip_each_window() {
        let weather = Weather {
            latency_min_ns: MILLI,
            latency_mean_ns: 4 * MILLI,
            late_ppm: 0,
            byte_ps: 1000,
            window_bytes: 100,
            cut_max: 1,
        };
        assert_eq!(backlog_ns(0, weather), 0);
        assert_eq!(backlog_ns(101, weather), 20 * MILLI + 101);
    }

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
