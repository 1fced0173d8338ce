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

    /// Takes all cuts back.
    pub fn mend_all(&mut self, schedule: &mut Schedule) {
        while let Some(((from, to), count)) = self.cuts.first_entry().map(|cut| (*cut.key(), *cut.get())) {
            (0..count).for_each(|_| self.mend(schedule, from, to));
        }
    }

    /// Whether that direction is cut.
    pub fn is_cut(&self, from: Spot, to: Spot) -> bool {
        self.cuts.contains_key(&(from, to))
    }

    /// What is under way from one place to the other is lost, with all that follows it on the same wires; their ends
    /// learn of that late. Whether there was anything.
    pub fn swallow(&mut self, schedule: &mut Schedule, from: Spot, to: Spot) -> bool {
        let mut is_any = false;
        for id in self.between(from, to) {
            let wire = self.wires.get_mut(&id).expect("just listed");
            let side = if wire.places[0].spot() == to { Side::Dialler } else { Side::Accepter };
            let flow = &mut wire.flows[side.index()];
            if !wire.is_up || flow.is_swallowed || flow.flying.is_empty() {
                continue;
            }
            flow.is_swallowed = true;
            is_any = true;
            let mut throw = wire.key.throw(schedule.now().0 ^ 1);
            for side in [Side::Dialler, Side::Accepter] {
                let wait = SECOND + throw.below(10 * SECOND);
                schedule.after(wait, Happening::Break { wire: id, side, is_forced: true });
            }
        }
        is_any
    }

    /// Wires that reached another than was dialled end: no way stays open that nobody would find again.
    pub fn end_strays(&mut self, schedule: &mut Schedule) {
        for (id, wire) in self.wires.iter().filter(|(_, wire)| wire.is_stray) {
            let mut throw = wire.key.throw(schedule.now().0 ^ 2);
            for side in [Side::Dialler, Side::Accepter] {
                let wait = throw.below(2 * SECOND);
                schedule.after(wait, Happening::Break { wire: *id, side, is_forced: true });
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::marks::Marks;
    use crate::network::{Told, Weather};
    use crate::wire::{Place, WireKind};

    /// Whoever dials learns how that ended: a client once waited for ever on a dial that a cut had met (seed 601045).
    #[test]
    fn a_dial_that_a_cut_meets_is_told_to_its_dialler() {
        let (client, site) = (Place::Client(0), Place::Site { site: 0, boot: 1 });
        let weather = Weather {
            // So late that both ends give up before it arrives.
            latency_min_ns: 10 * SECOND,
            latency_mean_ns: 1,
            late_ppm: 0,
            byte_ps: 0,
            window_bytes: 1,
            cut_max: 1,
        };
        for seed in 0..20 {
            let root = crate::dice::Root(seed);
            let mut schedule = Schedule::new(root.stream("schedule", &[]));
            let mut network = Network::new(root, weather, &[]);
            let id = network.dial(&mut schedule, WireKind::Kafka, client, site.spot(), Some(site));
            network.cut(&mut schedule, client.spot(), site.spot());
            let mut marks = Marks::default();
            while let Some(happening) = schedule.pop() {
                match happening {
                    Happening::Break { wire, side, is_forced } => {
                        network.break_end(&mut schedule, wire, side, is_forced, &mut marks);
                    }
                    Happening::Reach { wire } => network.reach(&mut schedule, wire, true),
                    _ => {}
                }
            }
            let told = network.take_signals();
            let is_told = |place| {
                let mut of_it = told.iter().filter(|signal| signal.place == place && signal.wire == id);
                of_it.any(|signal| matches!(signal.what, Told::Closed(_)))
            };
            assert!(is_told(client) && !is_told(site), "seed {seed}: {told:?}");
        }
    }
}
