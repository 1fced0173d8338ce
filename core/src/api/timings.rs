//! How long requests took, by API: counted when a request leaves the desk, from the turn that took it up to the turn that
//! answers it. The core's time stands still within a turn, so that what is answered in its own turn took none of it.

use crate::now::Mono;
use crate::watched::Durations;
use rust_mq_proto::kafka::api::ApiKey;

/// What is counted.
#[derive(Debug, Default)]
pub(super) struct Timings {
    /// When this turn began.
    turn: Mono,
    /// By `place`: what is not asked takes no memory.
    by_api: Vec<Option<Box<Durations>>>,
}

impl Timings {
    /// A turn begins.
    pub fn turn_begins(&mut self, now: Mono) {
        self.turn = now;
    }

    /// The moment at which what comes now is taken up.
    pub fn now(&self) -> Mono {
        self.turn
    }

    /// A request leaves that was taken up then.
    pub fn took(&mut self, key: ApiKey, since: Mono) {
        let ns = self.turn.0.saturating_sub(since.0);
        match self.by_api.get_mut(place(key)) {
            Some(Some(durations)) => durations.add(ns),
            _ => self.first(key, ns),
        }
    }

    /// All that was asked, by Kafka's number.
    pub fn all(&self) -> Vec<(i16, Durations)> {
        let counted = |key: &ApiKey| Some((key.number(), **self.by_api.get(place(*key))?.as_ref()?));
        ApiKey::ALL.iter().filter_map(counted).collect()
    }

    #[cold]
    fn first(&mut self, key: ApiKey, ns: u64) {
        let place = place(key);
        if self.by_api.len() <= place {
            self.by_api.resize(place + 1, None);
        }
        self.by_api[place].get_or_insert_default().add(ns);
    }
}

/// Where an API is counted: by Kafka's number, which is small; of ours, which begin far above, behind those.
fn place(key: ApiKey) -> usize {
    usize::from(key.number() as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_api_has_a_place_of_its_own() {
        let places: BTreeSet<usize> = ApiKey::ALL.iter().map(|key| place(*key)).collect();
        assert_eq!(places.len(), ApiKey::ALL.len());
    }

    #[test]
    fn what_was_not_asked_is_not_told() {
        let mut timings = Timings::default();
        timings.turn_begins(Mono(5_000_000));
        timings.took(ApiKey::Fetch, Mono(1_000_000));
        timings.took(ApiKey::Fetch, Mono(5_000_000));
        timings.took(ApiKey::ApiVersions, Mono(6_000_000));
        let told: Vec<(i16, u64, u64)> =
            timings.all().into_iter().map(|(key, took)| (key, took.count(), took.sum_ns())).collect();
        assert_eq!(told, [(1, 2, 4_000_000), (18, 1, 0)]);
    }
}
