//! From sessions to claims: the ratio of each pair, their median and spread, and beside it how far the same side
//! differs from itself.

use crate::compare::matrix::{Row, Station};
use crate::compare::session::Session;
use crate::finding::{Goal, Numbers, RowResult, StationResult};
use crate::metric::Metric;
use crate::side::Subject;
use crate::statistics::{Spread, distance};
use std::collections::BTreeSet;

/// The indexes of ours and Kafka's of each pair, from the order of the sides. An odd first session stands alone.
pub fn pair_up(order: &[Subject]) -> Vec<(usize, usize)> {
    let first = order.len() % 2;
    let pair = |at: usize| if order[at] == Subject::Ours { (at, at + 1) } else { (at + 1, at) };
    (first..order.len().saturating_sub(1)).step_by(2).map(pair).collect()
}

/// All results of a station.
pub fn station(station: &Station, sessions: &[Session]) -> StationResult {
    let settings = |subject: Subject| {
        sessions.iter().find(|session| session.subject == subject).map(|session| session.settings.clone())
    };
    StationResult {
        name: station.name.to_owned(),
        about: station.about.to_owned(),
        setup: station.setup,
        ours_settings: settings(Subject::Ours).unwrap_or_default(),
        kafka_settings: settings(Subject::Kafka).unwrap_or_default(),
        rows: station.rows.iter().enumerate().map(|(at, row)| row_result(row, at, sessions)).collect(),
    }
}

fn row_result(row: &Row, at: usize, sessions: &[Session]) -> RowResult {
    let order: Vec<Subject> = sessions.iter().map(|session| session.subject).collect();
    let metrics: BTreeSet<Metric> = sessions
        .iter()
        .filter_map(|session| session.results[at].as_ref().ok())
        .flat_map(|outcome| outcome.0.keys().copied())
        .collect();
    let numbers = |metric: Metric| {
        let values: Vec<Option<f64>> =
            sessions.iter().map(|session| session.results[at].as_ref().ok()?.value(metric)).collect();
        let goal = row.goals.iter().copied().find(|goal| goal.metric == metric);
        numbers(metric, &order, &values, goal)
    };
    let failed = sessions.iter().filter_map(|session| {
        let why = session.results[at].as_ref().err()?;
        Some(format!("{}: {why}", session.subject.name()))
    });
    RowResult {
        name: row.name.to_owned(),
        what: format!("{:?}", row.kind),
        numbers: metrics.into_iter().map(numbers).collect(),
        failures: failed.collect(),
    }
}

fn numbers(metric: Metric, order: &[Subject], values: &[Option<f64>], goal: Option<Goal>) -> Numbers {
    let of = |subject: Subject| {
        order.iter().zip(values).filter(|(one, _)| **one == subject).filter_map(|(_, value)| *value).collect()
    };
    let quotient = |above: usize, below: usize| {
        let (above, below) = (values[above]?, values[below]?);
        (above > 0.0 && below > 0.0).then(|| above / below)
    };
    let ratios: Vec<f64> =
        pair_up(order).into_iter().filter_map(|(ours, kafka)| quotient(ours, kafka)).collect();
    let neighbours = (1..order.len()).filter(|at| order[*at] == order[at - 1]);
    let noise = neighbours.filter_map(|at| quotient(at, at - 1)).map(distance).max_by(f64::total_cmp);
    Numbers {
        metric,
        ours: of(Subject::Ours),
        kafka: of(Subject::Kafka),
        ratio: Spread::of(&ratios),
        ratios,
        noise,
        goal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::side::Subject::{Kafka, Ours};

    #[test]
    fn the_ratio_is_of_pairs_and_the_noise_of_neighbours() {
        let order = [Ours, Ours, Kafka, Kafka, Ours];
        let values = [11.0, 10.0, 100.0, 125.0, 10.0].map(Some);
        let goal = Goal { metric: Metric::CpuPerRequest, ratio: 0.1 };
        let found = numbers(Metric::CpuPerRequest, &order, &values, Some(goal));
        assert_eq!(found.ratio, Some(Spread { median: 0.09, least: 0.08, most: 0.1 }));
        assert_eq!(found.noise.map(|noise| (noise * 100.0).round().to_string()).as_deref(), Some("25"));
        assert_eq!(found.is_goal_kept(), Some(true));
        assert!(found.is_claim());
    }

    #[test]
    fn a_failed_run_takes_its_pair_with_it_and_no_other() {
        let order = [Ours, Kafka, Kafka, Ours];
        let found = numbers(Metric::Requests, &order, &[Some(4.0), None, Some(2.0), Some(8.0)], None);
        assert_eq!(found.ratios.len(), 1);
        assert_eq!(found.ratio.map(|ratio| ratio.median.to_string()).as_deref(), Some("4"));
        assert!(found.noise.is_none() && !found.is_claim());
    }
}
