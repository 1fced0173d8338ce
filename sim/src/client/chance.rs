//! A client's chance: a stream of its own for each thing that it decides, and for each API that it speaks.
//!
//! So that another API, or one draw more for one of them, shifts nothing of what a client does with the others: a
//! newcomer to the table of APIs changes no run of a client that does not use it.

use crate::dice::{Dice, Root};
use rust_mq_proto::kafka::api::ApiKey;
use std::collections::BTreeMap;

/// The streams of one client.
#[derive(Debug)]
pub struct Chance {
    /// When it acts.
    pub pace: Dice,
    /// Whom it asks when any site will do.
    pub whom: Dice,
    root: Root,
    client: u64,
    keys: BTreeMap<ApiKey, Dice>,
}

impl Chance {
    /// Those of the client of that number.
    pub fn new(root: Root, client: usize) -> Chance {
        let client = client as u64;
        let stream = |name: &str| root.stream(name, &[client]);
        let (pace, whom) = (stream("client's pace"), stream("client's whom"));
        Chance { pace, whom, root, client, keys: BTreeMap::new() }
    }

    /// What it draws for that API.
    pub fn of(&mut self, key: ApiKey) -> &mut Dice {
        let fresh = || self.root.stream("client's api", &[self.client, key as u64]);
        self.keys.entry(key).or_insert_with(fresh)
    }
}

/// The version that a client speaks of an API, as old and new clients do; at least `least`.
pub fn version(root: Root, client: usize, key: ApiKey, least: i16) -> i16 {
    let served = key.versions();
    let first = served.first.max(least).min(served.last);
    let mut dice = root.stream("client's version", &[client as u64, key as u64]);
    if dice.coin() { served.last } else { dice.between(first as u64, served.last as u64) as i16 }
}
