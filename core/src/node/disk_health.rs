//! How the journal's disk is, looked at once a tick: whether frames are synced as quickly as usual, and whether it has
//! space.
//!
//! What is slow depends on the disk: one that syncs in a millisecond and then holds a frame for two seconds is in
//! trouble, one that always takes half a second is not. So the bound is a multiple of what frames took lately, within
//! limits: below the shortest election timeout nothing is called slow, as nothing that is silent for less is called
//! dead; and what takes two of the longest is slow on any disk.
//!
//! - Invariant: shortest election timeout <= the bound <= `limits::SLOW_DISK_ELECTIONS` longest ones.
//! - Invariant: a disk is in trouble from the moment at which it is slow or full until it has been neither, and no frame
//!   half as old as the bound, for `limits::SOUND_DISK_ELECTIONS` longest election timeouts.

use crate::limits::{SLOW_DISK_ELECTIONS, SLOW_DISK_FACTOR, SOUND_DISK_ELECTIONS};

/// Parts of a tick in which the usual age is kept; a frame's age is one part in so many of it. Source: chosen; a busy
/// disk that grows slow for good is used to that after some seconds, an idle one after minutes.
const PARTS: usize = 64;

/// What is known of the disk.
#[derive(Debug, Default)]
pub(super) struct DiskHealth {
    /// The oldest frame that was unsynced at the last tick, and for how many ticks it has been.
    oldest: Option<u64>,
    age: usize,
    /// How old frames became lately, in parts of a tick.
    usual: usize,
    /// Ticks since it was last slow or full.
    calm: usize,
    is_stuck: bool,
    is_troubled: bool,
    /// Whether its trouble has been called slowness.
    is_slow: bool,
    has_just_changed: bool,
}

impl DiskHealth {
    /// A tick later: the oldest frame that is not synced, and the shortest and longest election timeout. Returns
    /// whether the disk is slow now, if that changed.
    pub fn tick(
        &mut self,
        oldest: Option<u64>,
        is_full: bool,
        (shortest, longest): (usize, usize),
    ) -> Option<bool> {
        if oldest.is_some() && oldest == self.oldest {
            self.age += 1;
        } else {
            if self.oldest.is_some() {
                self.usual = self.usual - self.usual / PARTS + self.age;
            }
            self.age = 0;
        }
        self.oldest = oldest;
        let bound = self.bound(shortest, longest);
        self.is_stuck = self.age >= bound;
        self.calm = if is_full || self.age * 2 >= bound { 0 } else { self.calm + 1 };
        let was_troubled = self.is_troubled;
        self.is_troubled = if was_troubled {
            self.calm < SOUND_DISK_ELECTIONS.saturating_mul(longest)
        } else {
            self.is_stuck || is_full
        };
        self.has_just_changed = was_troubled != self.is_troubled;
        let was_slow = self.is_slow;
        self.is_slow = self.is_troubled && (was_slow || self.is_stuck && !is_full);
        (was_slow != self.is_slow).then_some(self.is_slow)
    }

    /// Whether others had better lead.
    pub fn is_troubled(&self) -> bool {
        self.is_troubled
    }

    /// Whether that changed with the last tick.
    pub fn has_just_changed(&self) -> bool {
        self.has_just_changed
    }

    /// Whether a frame is unsynced for too long just now.
    pub fn is_stuck(&self) -> bool {
        self.is_stuck
    }

    /// How many ticks a frame may be unsynced.
    fn bound(&self, shortest: usize, longest: usize) -> usize {
        let most = SLOW_DISK_ELECTIONS.saturating_mul(longest);
        (self.usual.saturating_mul(SLOW_DISK_FACTOR) / PARTS).clamp(shortest.min(most), most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUTS: (usize, usize) = (6, 10);

    fn tick(disk: &mut DiskHealth, oldest: Option<u64>) -> Option<bool> {
        disk.tick(oldest, false, TIMEOUTS)
    }

    /// Frames that are synced after so many ticks each.
    fn frames(disk: &mut DiskHealth, numbers: std::ops::Range<u64>, ticks: usize) -> Vec<bool> {
        numbers
            .flat_map(|frame| (0..=ticks).filter_map(|_| tick(disk, Some(frame))).collect::<Vec<_>>())
            .collect()
    }

    #[test]
    fn a_quick_disk_is_slow_early_and_sound_late() {
        let mut disk = DiskHealth::default();
        assert!(frames(&mut disk, 0..100, 0).is_empty());
        assert!((0..6).all(|_| tick(&mut disk, Some(100)).is_none()), "not yet");
        assert_eq!(tick(&mut disk, Some(100)), Some(true), "the shortest election timeout");
        assert!((0..79).all(|_| tick(&mut disk, None).is_none()), "it has not been calm for long enough");
        assert!((0..10).any(|_| tick(&mut disk, None) == Some(false)));
    }

    #[test]
    fn what_a_disk_always_takes_is_not_slow() {
        let mut disk = DiskHealth::default();
        for ticks in 1..=4 {
            let from = u64::try_from(ticks).expect("small") * 1000;
            assert!(frames(&mut disk, from..from + 100, ticks).is_empty(), "{ticks}");
        }
        assert!(frames(&mut disk, 9000..9001, 19).is_empty(), "five times as long");
        assert_eq!(
            frames(&mut disk, 9001..9002, 21),
            [true],
            "two of the longest election timeouts on any disk"
        );
    }

    #[test]
    fn frames_that_end_just_in_time_do_not_make_it_sound() {
        let mut disk = DiskHealth::default();
        assert_eq!(frames(&mut disk, 0..1, 25), [true]);
        assert!(frames(&mut disk, 1..40, 11).is_empty(), "still slow");
    }

    #[test]
    fn a_full_disk_is_in_trouble_at_once_and_its_slowness_is_not_said() {
        let mut disk = DiskHealth::default();
        assert_eq!(disk.tick(None, true, TIMEOUTS), None);
        assert!(disk.is_troubled() && disk.has_just_changed() && !disk.is_stuck());
        // What waits for space is stuck, which is no news.
        assert!((0..30).all(|_| disk.tick(Some(1), true, TIMEOUTS).is_none()));
        assert!(disk.is_troubled() && disk.is_stuck());
        assert!((0..79).all(|_| tick(&mut disk, None).is_none()) && disk.is_troubled());
        assert!((0..10).all(|_| tick(&mut disk, None).is_none()) && !disk.is_troubled());
    }
}
