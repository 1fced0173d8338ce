//! What was wrong, from when to when, and which sites had a process that ran.
//!
//! Both are seen from outside, after each step: a fault of whatever kind is drawn as long as the world says that it
//! is in force.

use super::strip::Notable;
use super::strip::Strip;

/// Lives of processes that are kept.
const LIVES_MAX: usize = 2_000;

/// For each fault of the plan, when it was in force.
#[derive(Clone, Debug)]
pub struct Troubles {
    spans: Vec<Option<(u64, Option<u64>)>>,
}

/// The lives of all sites' processes.
#[derive(Debug)]
pub struct Lives {
    running: Vec<Option<Life>>,
    over: Strip<Life>,
}

/// One life, or a stretch of it: a pause is a stretch of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// Where.
    pub site: usize,
    /// Which.
    pub boot: u32,
    /// Whether it stands still.
    pub is_paused: bool,
    /// Since when.
    pub from_us: u64,
    /// To when, if it is over.
    pub to_us: Option<u64>,
}

impl Notable for Life {
    fn is_notable(&self) -> bool {
        true
    }
}

impl Troubles {
    /// Of so many faults, none of which has begun.
    pub fn new(faults: usize) -> Troubles {
        Troubles { spans: vec![None; faults] }
    }

    /// Which are in force now.
    pub fn look(&mut self, at_us: u64, in_force: &[bool]) {
        for (span, is_in_force) in self.spans.iter_mut().zip(in_force) {
            match (&span, is_in_force) {
                (None, true) => *span = Some((at_us, None)),
                (Some((from_us, None)), false) => *span = Some((*from_us, Some(at_us))),
                _ => {}
            }
        }
    }

    /// Those that have begun: number, beginning, end.
    pub fn spans(&self) -> impl Iterator<Item = (usize, u64, Option<u64>)> {
        let begun = self.spans.iter().enumerate();
        begun.filter_map(|(number, span)| span.map(|(from_us, to_us)| (number, from_us, to_us)))
    }
}

impl Lives {
    /// Of sites that are all down.
    pub fn new(sites: usize) -> Lives {
        Lives { running: vec![None; sites], over: Strip::new(LIVES_MAX, LIVES_MAX) }
    }

    /// A site has that process now, by its boot and whether it is paused. True if an earlier one has ended.
    pub fn look(&mut self, at_us: u64, site: usize, life: Option<(u32, bool)>) -> bool {
        let running = &mut self.running[site];
        if running.map(|running| (running.boot, running.is_paused)) == life {
            return false;
        }
        let before = *running;
        *running = life.map(|(boot, is_paused)| Life { site, boot, is_paused, from_us: at_us, to_us: None });
        let Some(before) = before else { return false };
        self.over.push(Life { to_us: Some(at_us), ..before });
        life.is_none_or(|(boot, _)| boot != before.boot)
    }

    /// All of them, the newest first.
    pub fn all(&self) -> impl Iterator<Item = &Life> {
        self.running.iter().flatten().chain(self.over.newest()).chain(self.over.older())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_ends_no_life_and_a_restart_does() {
        let mut lives = Lives::new(1);
        assert!(!lives.look(1, 0, Some((1, false))));
        assert!(!lives.look(2, 0, Some((1, true))));
        assert!(!lives.look(3, 0, Some((1, false))));
        assert!(lives.look(4, 0, None));
        assert!(!lives.look(5, 0, Some((2, false))));
        assert!(lives.look(6, 0, Some((3, false))), "it ended and started within one step");
        assert_eq!(lives.all().count(), 5);
    }
}
