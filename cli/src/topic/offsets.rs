//! `topic offsets` and `topic trim`: all partitions at once, each asked of its leader.

use super::{OffsetsArguments, TrimArguments};
use crate::offset::OffsetWord;
use crate::output::Output;
use crate::table::{Column, Table};
use crate::trouble::Trouble;
use crate::{Ending, report};
use rust_mq_client::Error;
use rust_mq_client::admin::{Admin, Found, Place, Topic, TopicPartition};
use serde::Serialize;

#[derive(Serialize)]
struct Offsets {
    partitions: Vec<Bounds>,
}

/// Where a partition begins and ends.
#[derive(Serialize)]
struct Bounds {
    topic: String,
    partition: i32,
    start: Option<i64>,
    end: Option<i64>,
    /// How many offsets lie between. Some of them may be records no more.
    records: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

const BOUNDS: &[Column] = &[
    Column::text("TOPIC"),
    Column::number("PARTITION"),
    Column::number("START"),
    Column::number("END"),
    Column::number("RECORDS"),
];
const BOUNDS_AT: &[Column] = &[
    Column::text("TOPIC"),
    Column::number("PARTITION"),
    Column::number("START"),
    Column::number("END"),
    Column::number("RECORDS"),
    Column::number("AT"),
];

/// Shows where partitions begin and end.
pub(super) async fn show(admin: &Admin, output: &Output, said: &OffsetsArguments) -> Result<Ending, Trouble> {
    let partitions = partitions(admin, &said.topics).await?;
    let starts = look_up(admin, &partitions, Place::Start).await;
    let ends = look_up(admin, &partitions, Place::End).await;
    let at = match said.at.and_then(OffsetWord::place) {
        Some(place) => look_up(admin, &partitions, place).await.into_iter().map(Some).collect(),
        None => vec![None; partitions.len()],
    };
    let bounds: Vec<Bounds> = partitions
        .into_iter()
        .zip(starts.into_iter().zip(ends).zip(at))
        .map(|(of, ((start, end), at))| bounds(of, &start, &end, at.as_ref(), said.at))
        .collect();
    let is_failed = bounds.iter().any(|bounds| bounds.error.is_some());
    let number = |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
    let row = |of: &Bounds| {
        [of.topic.clone(), of.partition.to_string(), number(of.start), number(of.end), number(of.records)]
    };
    let table = match said.at {
        None => Table::new(BOUNDS).rows(bounds.iter().map(row)),
        Some(_) => Table::new(BOUNDS_AT).rows(bounds.iter().map(|of| {
            let [topic, partition, start, end, records] = row(of);
            [topic, partition, start, end, records, number(of.at)]
        })),
    };
    output.answer(&Offsets { partitions: bounds }, &[table])?;
    Ok(if is_failed { Ending::Failed } else { Ending::Fine })
}

fn bounds(
    of: TopicPartition,
    start: &Result<Found, Error>,
    end: &Result<Found, Error>,
    at: Option<&Result<Found, Error>>,
    word: Option<OffsetWord>,
) -> Bounds {
    let offset = |found: &Result<Found, Error>| found.as_ref().ok().and_then(|found| found.offset);
    let (first, last) = (offset(start), offset(end));
    let failed = [Some(start), Some(end), at].into_iter().flatten().find_map(|found| found.as_ref().err());
    if let Some(error) = failed {
        report(&Trouble::of(format!("the offsets of {of} are not known"), error));
    }
    let at =
        word.zip(first.zip(last)).map(|(word, (start, end))| word.within(start, end, at.and_then(offset)));
    Bounds {
        topic: of.topic,
        partition: of.partition,
        start: first,
        end: last,
        records: first.zip(last).map(|(start, end)| end - start),
        at,
        error: failed.map(|error| error.name().map_or_else(|| error.to_string(), str::to_owned)),
    }
}

/// The offsets of that place, partition by partition.
async fn look_up(admin: &Admin, partitions: &[TopicPartition], place: Place) -> Vec<Result<Found, Error>> {
    let asked = partitions.iter().map(|of| (of.clone(), place)).collect();
    admin.offsets(asked).await.into_iter().map(|(_, found)| found).collect()
}

/// The partitions of those topics, or of all that are not the broker's own.
async fn partitions(admin: &Admin, names: &[String]) -> Result<Vec<TopicPartition>, Trouble> {
    let mut topics = Vec::new();
    if names.is_empty() {
        let all = admin.topics().await;
        let all = all.map_err(|error| Trouble::of("the topics were not listed", &error))?;
        topics.extend(all.into_iter().filter(|topic| !topic.is_internal));
    }
    for name in names {
        topics.push(topic(admin, name).await?);
    }
    let of = |topic: Topic| {
        let numbers: Vec<i32> = topic.partitions.iter().map(|partition| partition.number).collect();
        numbers.into_iter().map(move |number| TopicPartition::new(topic.name.clone(), number))
    };
    Ok(topics.into_iter().flat_map(of).collect())
}

async fn topic(admin: &Admin, name: &str) -> Result<Topic, Trouble> {
    let topic = admin.topic(name).await;
    topic.map_err(|error| Trouble::of(format!("topic `{name}` cannot be looked at"), &error))
}

#[derive(Serialize)]
struct Trimmed {
    topic: String,
    partitions: Vec<TrimmedPartition>,
}

#[derive(Serialize)]
struct TrimmedPartition {
    partition: i32,
    /// Where it began.
    before: Option<i64>,
    /// Where it begins now, or would.
    start: Option<i64>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

const TRIMMED: &[Column] = &[
    Column::number("PARTITION"),
    Column::number("STARTED"),
    Column::number("STARTS"),
    Column::text("STATUS"),
];

/// Deletes the oldest records.
pub(super) async fn trim(admin: &Admin, output: &Output, said: &TrimArguments) -> Result<Ending, Trouble> {
    let topic = topic(admin, &said.topic).await?;
    let numbers: Vec<i32> = topic.partitions.iter().map(|partition| partition.number).collect();
    if let Some(missing) = said.partitions.iter().find(|number| !numbers.contains(number)) {
        let why = format!("topic `{}` has {} partitions, numbered from 0", topic.name, numbers.len());
        let remedy = format!("`rust-mq topic offsets {}` shows them", topic.name);
        return Err(Trouble::usage(format!("there is no partition {missing} to trim"), why, remedy));
    }
    let chosen =
        numbers.into_iter().filter(|number| said.partitions.is_empty() || said.partitions.contains(number));
    let partitions: Vec<TopicPartition> =
        chosen.map(|number| TopicPartition::new(topic.name.clone(), number)).collect();
    let mut outcomes = Vec::new();
    let mut before = Vec::new();
    for (of, bounds) in partitions.iter().zip(targets(admin, &partitions, said.to).await) {
        match bounds {
            Ok((start, target)) => {
                before.push((of.clone(), Some(target)));
                outcomes.push(TrimmedPartition {
                    partition: of.partition,
                    before: Some(start),
                    start: Some(target),
                    status: match (target <= start, said.dry_run) {
                        (true, _) => "unchanged",
                        (false, true) => "would be trimmed",
                        (false, false) => "trimmed",
                    },
                    error: None,
                });
            }
            Err(error) => outcomes.push(untrimmed(of, &error)),
        }
    }
    if !said.dry_run {
        for (of, start) in admin.delete_records(before).await {
            let Some(outcome) = outcomes.iter_mut().find(|outcome| outcome.partition == of.partition) else {
                continue;
            };
            match start {
                Ok(start) => outcome.start = Some(start),
                Err(error) => {
                    *outcome = TrimmedPartition { before: outcome.before, ..untrimmed(&of, &error) }
                }
            }
        }
    }
    let number = |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
    let row = |of: &TrimmedPartition| {
        let status =
            of.error.as_ref().map_or_else(|| of.status.to_owned(), |error| format!("error: {error}"));
        [of.partition.to_string(), number(of.before), number(of.start), status]
    };
    let table = Table::new(TRIMMED).rows(outcomes.iter().map(row));
    let is_failed = outcomes.iter().any(|outcome| outcome.error.is_some());
    output.answer(&Trimmed { topic: topic.name, partitions: outcomes }, &[table])?;
    Ok(if is_failed { Ending::Failed } else { Ending::Fine })
}

fn untrimmed(of: &TopicPartition, error: &Error) -> TrimmedPartition {
    report(&Trouble::of(format!("{of} was not trimmed"), error));
    let name = error.name().map_or_else(|| error.to_string(), str::to_owned);
    TrimmedPartition {
        partition: of.partition,
        before: None,
        start: None,
        status: "error",
        error: Some(name),
    }
}

/// Where each partition begins, and where it is to begin. An offset that was said as a number is taken at its word.
async fn targets(
    admin: &Admin,
    partitions: &[TopicPartition],
    to: OffsetWord,
) -> Vec<Result<(i64, i64), Error>> {
    let starts = look_up(admin, partitions, Place::Start).await;
    let ends = look_up(admin, partitions, Place::End).await;
    let found = match to.place() {
        Some(place @ Place::Time(_)) => look_up(admin, partitions, place).await,
        _ => ends.clone(),
    };
    let bounds = starts.into_iter().zip(ends).zip(found);
    bounds.map(|((start, end), found)| target(to, start, end, found)).collect()
}

fn target(
    to: OffsetWord,
    start: Result<Found, Error>,
    end: Result<Found, Error>,
    found: Result<Found, Error>,
) -> Result<(i64, i64), Error> {
    let (start, end) = (start?.offset.unwrap_or(0), end?.offset.unwrap_or(0));
    let target = match to {
        OffsetWord::Exact(offset) => offset,
        word => word.within(start, end, found?.offset),
    };
    Ok((start, target))
}
