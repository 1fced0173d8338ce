//! Sites that a client rather does not ask what any of them can do, as long as there are others: real clients choose so.

use crate::clock::{Moment, SECOND};
use crate::dice::Dice;
use std::collections::BTreeMap;

/// How long others are asked rather than a site that closed the connection on a request, or whose time was up.
const SHUNNED: u64 = 10 * SECOND;

/// They.
#[derive(Debug, Default)]
pub struct Shunned {
    /// Those that are silent, or closed a connection, and until when they are shunned; whatever they say, they are not.
    silent: BTreeMap<usize, Moment>,
    /// Those that say that their time was up, and until when: a site whose disk has stopped answers all else.
    helpless: BTreeMap<usize, Moment>,
}

impl Shunned {
    /// Any of so many sites, but none of these if there are others.
    pub fn anyone(&self, sites: usize, dice: &mut Dice) -> usize {
        let is_fine = |site: &usize| !self.silent.contains_key(site) && !self.helpless.contains_key(site);
        let others: Vec<usize> = (0..sites).filter(is_fine).collect();
        if others.is_empty() { dice.index(sites) } else { *dice.pick(&others) }
    }

    /// It says something.
    pub fn speaks(&mut self, site: usize) {
        self.silent.remove(&site);
    }

    /// It says nothing.
    pub fn is_silent(&mut self, site: usize) {
        self.silent.insert(site, Moment(u64::MAX));
    }

    /// It closed the connection on a request.
    pub fn closed(&mut self, site: usize, now: Moment) {
        self.silent.insert(site, now.after(SHUNNED));
    }

    /// It could not do in time what any site can.
    pub fn is_helpless(&mut self, site: usize, now: Moment) {
        self.helpless.insert(site, now.after(SHUNNED));
    }

    /// Whoever was shunned for long enough is no more.
    pub fn forgive(&mut self, now: Moment) {
        self.silent.retain(|_, until| now < *until);
        self.helpless.retain(|_, until| now < *until);
    }
}
