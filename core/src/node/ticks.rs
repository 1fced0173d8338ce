//! When Raft's clock ticks here, and when leaders look at their followers, which they do at a tick.
//!
//! - Invariant: a node that is its own cluster does not tick: the only voter of a partition needs no clock.
//! - Invariant: two looks at followers are at least `limits::ISR_LOOK_INTERVAL` apart.

use crate::limits::{ISR_LOOK_INTERVAL, TICK};
use crate::now::{Mono, Now};

/// The next tick.
#[derive(Debug)]
pub(super) struct Ticks {
    is_single: bool,
    next: Option<Mono>,
    /// When leaders look at their followers next.
    followers_at: Mono,
}

impl Ticks {
    /// None before a replica runs.
    pub fn new(is_single: bool) -> Ticks {
        Ticks { is_single, next: None, followers_at: Mono::default() }
    }

    /// A replica runs.
    pub fn started(&mut self) {
        if !self.is_single {
            self.next.get_or_insert_default();
        }
    }

    /// Whether it is time to tick.
    pub fn take_due(&mut self, now: Now) -> bool {
        let is_due = self.next.is_some_and(|at| at <= now.mono);
        if is_due {
            self.next = Some(now.mono + TICK);
        }
        is_due
    }

    /// Whether leaders look at their followers at this tick.
    pub fn take_followers_due(&mut self, now: Now) -> bool {
        let is_due = self.followers_at <= now.mono;
        if is_due {
            self.followers_at = now.mono + ISR_LOOK_INTERVAL;
        }
        is_due
    }

    /// When `take_due` says yes.
    pub fn next_deadline(&self) -> Option<Mono> {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::now::Wall;

    fn at(mono: Mono) -> Now {
        Now { mono, wall: Wall(0) }
    }

    #[test]
    fn a_node_of_a_cluster_ticks_from_its_first_replica_on() {
        let mut ticks = Ticks::new(false);
        assert_eq!(ticks.next_deadline(), None);
        ticks.started();
        assert!(ticks.take_due(at(Mono(5))) && !ticks.take_due(at(Mono(5))));
        assert_eq!(ticks.next_deadline(), Some(Mono(5) + TICK));
        ticks.started();
        assert!(!ticks.take_due(at(Mono(6))), "another replica changes nothing");
    }

    #[test]
    fn a_node_alone_never_ticks() {
        let mut ticks = Ticks::new(true);
        ticks.started();
        assert!(!ticks.take_due(at(Mono(5))) && ticks.next_deadline().is_none());
    }

    #[test]
    fn followers_are_looked_at_less_often_than_it_ticks() {
        let mut ticks = Ticks::new(false);
        let looks =
            (0..100u64).filter(|tick| ticks.take_followers_due(at(Mono::default() + TICK * *tick as u32)));
        let most = 1 + (TICK * 99).as_nanos() / ISR_LOOK_INTERVAL.as_nanos();
        assert_eq!(looks.count() as u128, most.min(100));
    }
}
