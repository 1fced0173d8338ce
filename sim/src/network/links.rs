//! Links that are not like the others: each direction, and each lane of it, may have a weather of its own.

use super::{Network, Spot, Weather};
use crate::wire::WireKind;
use rust_mq_core::link::LaneKind;
use serde::{Deserialize, Serialize};

/// One direction of a link, or one lane of it, that is not like the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkWeather {
    /// From.
    pub from: Spot,
    /// To.
    pub to: Spot,
    /// Only this lane, where it is between nodes.
    pub lane: Option<LaneKind>,
    /// What it is like.
    pub weather: Weather,
}

impl Network {
    /// The worst of the weather.
    pub fn weather(&self) -> Weather {
        let slower = |one: Weather, other: &Weather| Weather {
            latency_min_ns: one.latency_min_ns.max(other.latency_min_ns),
            latency_mean_ns: one.latency_mean_ns.max(other.latency_mean_ns),
            byte_ps: one.byte_ps.max(other.byte_ps),
            window_bytes: one.window_bytes.min(other.window_bytes),
            ..one
        };
        self.links.values().fold(self.weather, slower)
    }

    /// From now on no piece is late: what is late by more than an election timeout is a fault as much as a cut is,
    /// and no leader outlives it; so it ends with the others where the core is healed (C17 and C18).
    pub fn calm_down(&mut self) {
        self.weather.late_ppm = 0;
        self.links.values_mut().for_each(|weather| weather.late_ppm = 0);
    }

    /// What that direction is like, for a wire of that kind.
    pub(super) fn weather_from(&self, from: Spot, to: Spot, kind: WireKind) -> Weather {
        if self.links.is_empty() {
            return self.weather;
        }
        let lane = match kind {
            WireKind::Peer(lane) => Some(lane),
            WireKind::Kafka => None,
        };
        let of_lane = self.links.get(&(from, to, lane)).or_else(|| self.links.get(&(from, to, None)));
        of_lane.copied().unwrap_or(self.weather)
    }
}
