//! The replicas that something happened to since the last readies were made: a turn makes them one each, in the order
//! of their ids. Most turns touch one replica, and many times: a vector, ordered when it is taken, costs a tenth of an
//! ordered set then, and its room is used again.
//!
//! Invariant: what is taken is in order, each once.

use crate::ids::ReplicaId;

/// Room that is kept from turn to turn, replicas (chosen: all that a turn's frame holds, and 16 KiB).
const KEPT: usize = 1024;

/// The replicas.
#[derive(Default)]
pub struct Touched {
    ids: Vec<ReplicaId>,
    spare: Vec<ReplicaId>,
}

impl Touched {
    /// How many there are.
    #[cfg(feature = "simulation")]
    pub fn held(&self) -> usize {
        self.ids.len()
    }

    /// Something happened to this one.
    pub fn insert(&mut self, id: ReplicaId) {
        if self.ids.last() != Some(&id) {
            self.ids.push(id);
        }
    }

    /// It is gone.
    pub fn remove(&mut self, id: ReplicaId) {
        self.ids.retain(|touched| *touched != id);
    }

    /// All of them, in no order; one may come twice.
    pub fn iter(&self) -> impl Iterator<Item = ReplicaId> {
        self.ids.iter().copied()
    }

    /// All of them, in order, each once; none is touched afterwards. They come back by [`Touched::reuse`].
    pub fn take(&mut self) -> Vec<ReplicaId> {
        if self.ids.is_empty() {
            return Vec::new();
        }
        let mut ids = std::mem::replace(&mut self.ids, std::mem::take(&mut self.spare));
        if ids.len() > 1 {
            ids.sort_unstable();
            ids.dedup();
        }
        assert!(ids.is_sorted_by(|a, b| a < b), "readies are made in order, one a replica");
        ids
    }

    /// The room of what was taken, to be used again.
    pub fn reuse(&mut self, mut ids: Vec<ReplicaId>) {
        if (1..=KEPT).contains(&ids.capacity()) {
            ids.clear();
            self.spare = ids;
        }
    }
}

impl Extend<ReplicaId> for Touched {
    fn extend<T: IntoIterator<Item = ReplicaId>>(&mut self, ids: T) {
        ids.into_iter().for_each(|id| self.insert(id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_in_order_each_once_and_nothing_is_left() {
        let id = ReplicaId;
        let mut touched = Touched::default();
        touched.extend([id(3), id(1), id(3), id(3), id(2)]);
        touched.remove(id(2));
        assert_eq!(touched.take(), [id(1), id(3)]);
        assert_eq!(touched.take(), []);
    }
}
