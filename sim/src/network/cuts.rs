//! Cuts: directions between two spots that carry nothing. What comes to a cut is held; the wire breaks at both
//! ends, each at its own moment, unless the cut heals first.
//!
//! Invariant: a direction is cut as often as it was cut and not mended.

use super::{Network, Spot};
use crate::clock::{MILLI, SECOND};
use crate::schedule::{Happening, Schedule};
use crate::wire::{Side, Wire, WireId};

impl Network {
    /// Cuts one direction; cuts add up.
    pub fn cut(&mut self, schedule: &mut Schedule, from: Spot, to: Spot) {
        *self.cuts.entry((from, to)).or_default() += 1;
        for id in self.between(from, to) {
            self.doom(schedule, id);
        }
    }

    /// Takes one cut back; what was held goes on its way.
    pub fn mend(&mut self, schedule: &mut Schedule, from: Spot, to: Spot) {
        let Some(count) = self.cuts.get_mut(&(from, to)) else { return };
        *count -= 1;
        if *count > 0 {
            return;
        }
        self.cuts.remove(&(from, to));
        for id in self.between(from, to) {
            let wire = self.wires.get_mut(&id).expect("just listed");
            for side in [Side::Dialler, Side::Accepter] {
                for _ in 0..std::mem::take(&mut wire.flows[side.index()].held) {
                    schedule.after(self.weather.latency_min_ns, Happening::Arrive { wire: id, side });
                }
            }
        }
    }

    /// Whether that direction is cut.
    pub fn is_cut(&self, from: Spot, to: Spot) -> bool {
        self.cuts.contains_key(&(from, to))
    }

    fn between(&self, one: Spot, other: Spot) -> Vec<WireId> {
        let is_pair = |wire: &Wire| {
            let (from, to) = (wire.places[0].spot(), wire.places[1].spot());
            (from, to) == (one, other) || (to, from) == (one, other)
        };
        self.wires.iter().filter(|(_, wire)| is_pair(wire)).map(|(id, _)| *id).collect()
    }

    /// Both ends of a cut wire will give up, each at its own moment, if the cut lasts.
    pub(super) fn doom(&mut self, schedule: &mut Schedule, id: WireId) {
        let wire = &self.wires[&id];
        let mut throw = wire.key.throw(schedule.now().0);
        for side in [Side::Dialler, Side::Accepter] {
            let wait = 200 * MILLI + throw.below(5 * SECOND);
            schedule.after(wait, Happening::Break { wire: id, side, is_forced: false });
        }
    }
}
