//! How the disk is, looked at once a tick: whether frames are synced as quickly as usual, whether reads come back, and
//! whether it has space.
//!
//! What is slow depends on the disk: one that syncs in a millisecond and then holds a frame for two seconds is in
//! trouble, one that always takes half a second is not. So the bound is a multiple of what frames took lately, within
//! limits: below the shortest election timeout nothing is called slow, as nothing that is silent for less is called
//! dead; and what takes two of the longest is slow on any disk. That is the bound of a read, which a sector that is
//! read again and again holds up for longer than any frame.
//!
//! - Invariant: shortest election timeout <= the bound <= `limits::SLOW_DISK_ELECTIONS` longest ones.
//! - Invariant: a disk is in trouble from the moment at which it is slow or full until it has been neither, and no frame
//!   or read half as old as its bound, for `limits::SOUND_DISK_ELECTIONS` longest election timeouts.

use crate::limits::{SLOW_DISK_ELECTIONS, SLOW_DISK_FACTOR, SOUND_DISK_ELECTIONS};

/// Parts of a tick in which the usual age is kept; a frame's age is one part in so many of it. Source: chosen; a busy
/// disk that grows slow for good is used to that after some seconds, an idle one after minutes.
const PARTS: usize = 64;

/// The oldest work of a kind that the disk has not done.
#[derive(Debug, Default)]
struct Oldest {
    /// Its number at the last tick; numbers of a kind only rise.
    number: Option<u64>,
    /// For how many ticks it has been that.
    age: usize,
}

/// What is known of the disk.
#[derive(Debug, Default)]
pub(super) struct DiskHealth {
    /// A frame that is not synced.
    frame: Oldest,
    /// A read that has not come back.
    read: Oldest,
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
    /// A tick later: the oldest frame that is not synced and the oldest read that has not come back, and the shortest
    /// and longest election timeout. Returns whether the disk is slow now, if that changed.
    pub fn tick(
        &mut self,
        frame: Option<u64>,
        read: Option<u64>,
        is_full: bool,
        (shortest, longest): (usize, usize),
    ) -> Option<bool> {
        if let Some(age) = self.frame.tick(frame) {
            self.usual = self.usual - self.usual / PARTS + age;
        }
        self.read.tick(read);
        let most = SLOW_DISK_ELECTIONS.saturating_mul(longest);
        let bound = self.bound(shortest, most);
        self.is_stuck = self.frame.age >= bound || self.read.age >= most;
        let is_calm = !is_full && self.frame.age * 2 < bound && self.read.age * 2 < most;
        self.calm = if is_calm { self.calm + 1 } else { 0 };
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

    /// Whether a frame is unsynced, or a read does not come back, for too long just now.
    pub fn is_stuck(&self) -> bool {
        self.is_stuck
    }

    /// How many ticks a frame may be unsynced.
    fn bound(&self, shortest: usize, most: usize) -> usize {
        (self.usual.saturating_mul(SLOW_DISK_FACTOR) / PARTS).clamp(shortest.min(most), most)
    }
}

impl Oldest {
    /// A tick later it is that one. Returns how old the one before it became, if there was one.
    fn tick(&mut self, number: Option<u64>) -> Option<usize> {
        if number.is_some() && number == self.number {
            self.age += 1;
            return None;
        }
        let before = std::mem::replace(self, Oldest { number, age: 0 });
        before.number.map(|_| before.age)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUTS: (usize, usize) = (6, 10);

    fn tick(disk: &mut DiskHealth, oldest: Option<u64>) -> Option<bool> {
        disk.tick(oldest, None, false, TIMEOUTS)
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
        assert_eq!(disk.tick(None, None, true, TIMEOUTS), None);
        assert!(disk.is_troubled() && disk.has_just_changed() && !disk.is_stuck());
        // What waits for space is stuck, which is no news.
        assert!((0..30).all(|_| disk.tick(Some(1), None, true, TIMEOUTS).is_none()));
        assert!(disk.is_troubled() && disk.is_stuck());
        assert!((0..79).all(|_| tick(&mut disk, None).is_none()) && disk.is_troubled());
        assert!((0..10).all(|_| tick(&mut disk, None).is_none()) && !disk.is_troubled());
    }

    #[test]
    fn a_read_that_does_not_come_back_is_trouble_on_any_disk() {
        let mut disk = DiskHealth::default();
        let mut read = |number| disk.tick(None, number, false, TIMEOUTS);
        for number in 1..10 {
            assert!((0..20).all(|_| read(Some(number)).is_none()), "slow reads follow one another");
        }
        assert!((0..20).all(|_| read(Some(10)).is_none()), "not yet");
        assert_eq!(read(Some(10)), Some(true), "two of the longest election timeouts");
        assert!((0..79).all(|_| read(None).is_none()), "it has not been calm for long enough");
        assert!((0..10).any(|_| read(None) == Some(false)));
    }
}
