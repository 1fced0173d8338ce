//! From sessions to claims: the ratio of each pair, their median and spread, and beside it how far the same side
//! differs from itself.

use crate::compare::Round;
use crate::compare::matrix::{Row, Station};
use crate::compare::session::Session;
use crate::finding::{Goal, Numbers, RowResult, StationResult};
use crate::metric::Metric;
use crate::side::Subject;
use crate::statistics::{Spread, distance};
use std::collections::BTreeSet;

/// The indexes of ours and Kafka's of each pair that is whole.
pub fn pair_up(rounds: &[Round]) -> Vec<(usize, usize)> {
    let of = |pair: usize, subject: Subject| {
        rounds.iter().position(|round| round.pair == pair && round.subject == subject && !round.is_alone)
    };
    let pairs = rounds.iter().map(|round| round.pair + 1).max().unwrap_or(0);
    (0..pairs).filter_map(|pair| of(pair, Subject::Ours).zip(of(pair, Subject::Kafka))).collect()
}

/// All results of a station.
pub fn station(station: &Station, sessions: &[Session], measured: &str) -> StationResult {
    let of = |subject: Subject| sessions.iter().filter(move |session| session.round.subject == subject);
    let settings = |subject: Subject| of(subject).next().map(|session| without_home(&session.settings));
    let warm = |subject: Subject| of(subject).map(|session| session.warm).collect();
    StationResult {
        name: station.name.to_owned(),
        about: station.about.to_owned(),
        setup: station.setup,
        measured: measured.to_owned(),
        ours_warm: warm(Subject::Ours),
        kafka_warm: warm(Subject::Kafka),
        ours_settings: settings(Subject::Ours).unwrap_or_default(),
        kafka_settings: settings(Subject::Kafka).unwrap_or_default(),
        rows: station.rows.iter().enumerate().map(|(at, row)| row_result(row, at, sessions)).collect(),
    }
}

/// Settings as any reader could have them: whose machine it was is nobody's business.
fn without_home(settings: &str) -> String {
    match std::env::var("HOME") {
        Ok(home) if home.len() > 1 => settings.replace(&home, "~"),
        _ => settings.to_owned(),
    }
}

fn row_result(row: &Row, at: usize, sessions: &[Session]) -> RowResult {
    let rounds: Vec<Round> = sessions.iter().map(|session| session.round).collect();
    let measured = |session: &'_ Session| session.results[at].clone().and_then(Result::ok);
    let metrics: BTreeSet<Metric> =
        sessions.iter().filter_map(measured).flat_map(|measured| measured.0.into_keys()).collect();
    let numbers = |metric: Metric| {
        let values: Vec<Option<f64>> =
            sessions.iter().map(|session| measured(session)?.value(metric)).collect();
        let goal = row.goals.iter().copied().find(|goal| goal.metric == metric);
        numbers(metric, &rounds, &values, goal)
    };
    let failed = sessions.iter().filter_map(|session| {
        let why = session.results[at].clone()?.err()?;
        Some(format!("{}: {why}", session.round.subject.name()))
    });
    RowResult {
        name: row.name.to_owned(),
        what: format!("{:?}", row.kind),
        numbers: metrics.into_iter().map(numbers).collect(),
        failures: failed.collect(),
    }
}

fn numbers(metric: Metric, rounds: &[Round], values: &[Option<f64>], goal: Option<Goal>) -> Numbers {
    let of = |subject: Subject| {
        let own = rounds.iter().zip(values).filter(|(round, _)| round.subject == subject);
        own.filter_map(|(_, value)| *value).collect()
    };
    let quotient = |above: usize, below: usize| {
        let (above, below) = (values[above]?, values[below]?);
        (above > 0.0 && below > 0.0).then(|| above / below)
    };
    let ratios: Vec<f64> =
        pair_up(rounds).into_iter().filter_map(|(ours, kafka)| quotient(ours, kafka)).collect();
    let neighbours = (1..rounds.len()).filter(|at| rounds[*at].subject == rounds[at - 1].subject);
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
    use crate::compare::order;

    #[test]
    fn the_ratio_is_of_pairs_and_the_noise_of_neighbours() {
        let rounds = order(2, false);
        let values = [11.0, 10.0, 100.0, 125.0, 10.0].map(Some);
        let goal = Goal { metric: Metric::CpuPerRequest, ratio: 0.1 };
        let found = numbers(Metric::CpuPerRequest, &rounds, &values, Some(goal));
        assert_eq!(found.ratio, Some(Spread { median: 0.09, least: 0.08, most: 0.1 }));
        assert_eq!(found.noise.map(|noise| (noise * 100.0).round().to_string()).as_deref(), Some("25"));
        assert_eq!(found.is_goal_kept(), Some(true));
        assert!(found.is_claim());
    }

    #[test]
    fn a_run_that_was_cut_short_has_the_pairs_that_are_whole() {
        assert_eq!(pair_up(&order(4, false)), [(1, 2), (4, 3), (5, 6), (8, 7)]);
        assert_eq!(pair_up(&order(4, false)[..4]), [(1, 2)]);
        assert_eq!(pair_up(&order(2, true)), [(0, 1), (3, 2)]);
    }

    #[test]
    fn a_failed_run_takes_its_pair_with_it_and_no_other() {
        let found =
            numbers(Metric::Requests, &order(2, true), &[Some(4.0), None, Some(2.0), Some(8.0)], None);
        assert_eq!(found.ratios.len(), 1);
        assert_eq!(found.ratio.map(|ratio| ratio.median.to_string()).as_deref(), Some("4"));
        assert!(found.noise.is_none() && !found.is_claim());
    }
}
