//! What came of a comparison, as the report keeps it: stations, their rows, and of each row each kind of number on both
//! sides with the ratios of its pairs.

use crate::metric::Metric;
use crate::side::Setup;
use crate::statistics::{Spread, distance};
use crate::workload::watch::WarmUp;
use serde::{Deserialize, Serialize};

/// A station's results.
#[derive(Debug, Serialize, Deserialize)]
pub struct StationResult {
    /// Its name.
    pub name: String,
    /// What is promised before an acknowledgement.
    pub about: String,
    /// How both sides were set up.
    pub setup: Setup,
    /// When it was measured, UTC, and of which commit.
    pub measured: String,
    /// How each of our sessions was made warm, in the order of time.
    pub ours_warm: Vec<WarmUp>,
    /// The same of Kafka's.
    pub kafka_warm: Vec<WarmUp>,
    /// The settings of our first node.
    pub ours_settings: String,
    /// The settings of Kafka's first node.
    pub kafka_settings: String,
    /// Its rows.
    pub rows: Vec<RowResult>,
}

/// A row's results.
#[derive(Debug, Serialize, Deserialize)]
pub struct RowResult {
    /// Its name.
    pub name: String,
    /// What was done, exactly.
    pub what: String,
    /// Each kind of number.
    pub numbers: Vec<Numbers>,
    /// Runs that gave none, and why.
    pub failures: Vec<String>,
}

/// All there is of one kind of number in one row.
#[derive(Debug, Serialize, Deserialize)]
pub struct Numbers {
    /// Which kind.
    pub metric: Metric,
    /// Ours, in the order of time.
    pub ours: Vec<f64>,
    /// Kafka's, in the order of time.
    pub kafka: Vec<f64>,
    /// Ours over Kafka's of each pair.
    pub ratios: Vec<f64>,
    /// The same in three numbers; none where a side has no number, or a zero.
    pub ratio: Option<Spread>,
    /// The largest distance of two neighbours of one side: 0.1 is 10 %.
    pub noise: Option<f64>,
    /// What we promised.
    pub goal: Option<Goal>,
}

impl Numbers {
    /// Whether the promise is kept, if there is one and it was measured.
    pub fn is_goal_kept(&self) -> Option<bool> {
        Some(self.goal?.is_kept(self.ratio?.median))
    }

    /// Whether the ratio says more than the noise does.
    pub fn is_claim(&self) -> bool {
        let Some((ratio, noise)) = self.ratio.zip(self.noise) else { return false };
        distance(ratio.median) > noise
    }
}

/// A promise: our number over Kafka's is at most this, or at least.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Goal {
    /// Of what.
    pub metric: Metric,
    /// The bound of the ratio.
    pub ratio: f64,
}

impl Goal {
    /// Whether a ratio keeps it.
    pub fn is_kept(self, ratio: f64) -> bool {
        if self.metric.is_better_high() { ratio >= self.ratio } else { ratio <= self.ratio }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(metric: Metric, ratio: f64) -> Goal {
        Goal { metric, ratio }
    }

    #[test]
    fn a_goal_knows_its_direction() {
        assert!(at(Metric::Requests, 10.0).is_kept(11.0) && !at(Metric::Requests, 10.0).is_kept(9.0));
        assert!(
            at(Metric::CpuPerRequest, 0.1).is_kept(0.09) && !at(Metric::CpuPerRequest, 0.1).is_kept(0.11)
        );
    }
}
