//! Counting what was read: nothing lost, in order within its partition, twice only where that is allowed.
//!
//! A record carries its number, and one producer sent the numbers in order; so within a partition numbers ascend as
//! offsets do.

use super::{Outcome, demand, wrong};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// One record as a client saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    /// Of the topic.
    pub partition: i64,
    /// Within the partition.
    pub offset: i64,
    /// What the producer called it.
    pub number: i64,
}

/// One record of a client's answer.
pub fn seen(value: &Value) -> Outcome<Seen> {
    let field = |at: usize| value.get(at).and_then(Value::as_i64);
    match (field(0), field(1), field(2)) {
        (Some(partition), Some(offset), Some(number)) => Ok(Seen { partition, offset, number }),
        _ => wrong(format!("{value} is no [partition, offset, number]")),
    }
}

/// All records of a client's answer.
pub fn all_seen(value: &Value) -> Outcome<Vec<Seen>> {
    match value.as_array() {
        Some(records) => records.iter().map(seen).collect(),
        None => wrong(format!("{value} is no list of records")),
    }
}

/// Each number of the range once and no other, and every partition in order.
pub fn each_once(records: &[Seen], numbers: Range<i64>) -> Outcome<()> {
    let twice = read_twice(records, numbers)?;
    demand(twice == 0, || format!("{twice} records were read twice"))?;
    in_order(records)
}

/// Each number of the range at least once and no other; how many times too often.
pub fn read_twice(records: &[Seen], numbers: Range<i64>) -> Outcome<usize> {
    let found: BTreeSet<i64> = records.iter().map(|seen| seen.number).collect();
    let missing: Vec<i64> = numbers.clone().filter(|number| !found.contains(number)).collect();
    demand(missing.is_empty(), || format!("{} lost, the first is {}", missing.len(), missing[0]))?;
    let stranger = found.iter().find(|number| !numbers.contains(number));
    demand(stranger.is_none(), || format!("{stranger:?} was never sent"))?;
    Ok(records.len() - found.len())
}

/// As they were read, offsets ascend within each partition, and so do the numbers.
pub fn in_order(records: &[Seen]) -> Outcome<()> {
    let mut last: BTreeMap<i64, Seen> = BTreeMap::new();
    for seen in records {
        if let Some(before) = last.insert(seen.partition, *seen) {
            let ascends = before.offset < seen.offset && before.number < seen.number;
            demand(ascends, || format!("{seen:?} was read after {before:?}"))?;
        }
    }
    Ok(())
}

/// Whoever read an offset read the same there, and numbers ascend with offsets, however often each was read.
pub fn agree(records: &[Seen]) -> Outcome<()> {
    let distinct: BTreeSet<Seen> = records.iter().copied().collect();
    in_order(&distinct.into_iter().collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(all: &[(i64, i64, i64)]) -> Vec<Seen> {
        all.iter().map(|&(partition, offset, number)| Seen { partition, offset, number }).collect()
    }

    #[test]
    fn what_is_lost_twice_or_never_sent_is_seen() {
        let read = records(&[(0, 0, 0), (1, 0, 1), (0, 1, 2)]);
        assert_eq!(each_once(&read, 0..3), Ok(()));
        assert_eq!(each_once(&read, 0..4), wrong("1 lost, the first is 3"));
        assert_eq!(each_once(&read, 0..2), wrong("Some(2) was never sent"));
        let twice = records(&[(0, 0, 0), (0, 1, 0)]);
        assert_eq!(each_once(&twice, 0..1), wrong("1 records were read twice"));
        assert_eq!(read_twice(&twice, 0..1), Ok(1));
    }

    #[test]
    fn order_is_that_of_offsets_within_a_partition() {
        assert!(in_order(&records(&[(0, 1, 5), (1, 0, 3), (0, 2, 6)])).is_ok());
        assert!(in_order(&records(&[(0, 1, 5), (0, 2, 4)])).is_err(), "numbers fall");
        assert!(in_order(&records(&[(0, 2, 5), (0, 1, 6)])).is_err(), "offsets fall");
        assert!(agree(&records(&[(0, 1, 5), (0, 2, 6), (0, 1, 5)])).is_ok(), "the same again");
        assert!(agree(&records(&[(0, 1, 5), (0, 1, 6)])).is_err(), "two records at one offset");
    }
}
