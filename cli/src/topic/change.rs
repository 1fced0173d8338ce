//! `topic create`, `delete`, `alter` and `add-partitions`. What is said of several topics is done one by one: one that fails
//! keeps none of the others from it.

use super::{AddPartitionsArguments, AlterArguments, CreateArguments, DeleteArguments};
use crate::output::Output;
use crate::table::{Column, Table};
use crate::trouble::Trouble;
use crate::{Ending, report};
use rust_mq_client::Error;
use rust_mq_client::admin::{Admin, Change, NewTopic, Settings};
use serde::Serialize;

/// What became of topics.
#[derive(Serialize)]
struct Changed {
    topics: Vec<Outcome>,
}

/// What became of one.
#[derive(Serialize)]
struct Outcome {
    topic: String,
    /// `created`, `deleted`, `error` and so on.
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    partitions: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replication_factor: Option<i32>,
    /// Kafka's name of the error, or what it was otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

const STATUS: &[Column] = &[Column::text("TOPIC"), Column::text("STATUS")];
const CREATED: &[Column] = &[
    Column::text("TOPIC"),
    Column::number("PARTITIONS"),
    Column::number("REPLICAS"),
    Column::text("STATUS"),
];

impl Outcome {
    fn of(topic: &str, status: &'static str) -> Outcome {
        let topic = topic.to_owned();
        Outcome { topic, status, partitions: None, replication_factor: None, error: None }
    }

    /// Says on standard error what failed.
    fn failed(topic: &str, what: String, error: &Error) -> Outcome {
        report(&Trouble::of(what, error));
        let name = error.name().map_or_else(|| error.to_string(), str::to_owned);
        Outcome { error: Some(name), ..Outcome::of(topic, "error") }
    }

    fn cells(&self) -> String {
        self.error.as_ref().map_or_else(|| self.status.to_owned(), |error| format!("error: {error}"))
    }
}

fn answer(output: &Output, topics: Vec<Outcome>) -> Result<Ending, Trouble> {
    let table = Table::new(STATUS).rows(topics.iter().map(|topic| [topic.topic.clone(), topic.cells()]));
    end(output, topics, table)
}

fn end(output: &Output, topics: Vec<Outcome>, table: Table) -> Result<Ending, Trouble> {
    let is_failed = topics.iter().any(|topic| topic.error.is_some());
    output.answer(&Changed { topics }, &[table])?;
    Ok(if is_failed { Ending::Failed } else { Ending::Fine })
}

/// Makes topics.
pub(super) async fn create(admin: &Admin, output: &Output, said: CreateArguments) -> Result<Ending, Trouble> {
    let mut outcomes = Vec::new();
    for name in &said.topics {
        let mut new = NewTopic::new(name).trial(said.dry_run);
        if let Some(partitions) = said.partitions {
            new = new.partitions(partitions);
        }
        if let Some(replicas) = said.replicas {
            new = new.replication_factor(replicas);
        }
        for (setting, value) in &said.config {
            new = new.setting(setting, value);
        }
        outcomes.push(match admin.create_topic(new).await {
            Ok(made) => Outcome {
                partitions: Some(made.partitions),
                replication_factor: Some(made.replication_factor),
                ..Outcome::of(name, if said.dry_run { "would be created" } else { "created" })
            },
            Err(error) if said.if_not_exists && error.name() == Some("TOPIC_ALREADY_EXISTS") => {
                Outcome::of(name, "exists")
            }
            Err(error) => Outcome::failed(name, format!("topic `{name}` was not created"), &error),
        });
    }
    let count = |count: Option<i32>| count.map(|count| count.to_string()).unwrap_or_default();
    let rows = outcomes.iter().map(|made| {
        [made.topic.clone(), count(made.partitions), count(made.replication_factor), made.cells()]
    });
    let table = Table::new(CREATED).rows(rows.collect::<Vec<_>>());
    end(output, outcomes, table)
}

/// Deletes topics.
pub(super) async fn delete(
    admin: &Admin,
    output: &Output,
    said: &DeleteArguments,
) -> Result<Ending, Trouble> {
    let mut outcomes = Vec::new();
    for name in &said.topics {
        outcomes.push(match admin.delete_topic(name).await {
            Ok(()) => Outcome::of(name, "deleted"),
            Err(error) if said.if_exists && error.name() == Some("UNKNOWN_TOPIC_OR_PARTITION") => {
                Outcome::of(name, "not there")
            }
            Err(error) => Outcome::failed(name, format!("topic `{name}` was not deleted"), &error),
        });
    }
    answer(output, outcomes)
}

/// Changes settings.
pub(super) async fn alter(admin: &Admin, output: &Output, said: AlterArguments) -> Result<Ending, Trouble> {
    let set = said.set.into_iter().map(|(name, value)| Change::Set(name, value));
    let append = said.append.into_iter().map(|(name, value)| Change::Append(name, value));
    let subtract = said.subtract.into_iter().map(|(name, value)| Change::Subtract(name, value));
    let unset = said.unset.into_iter().map(Change::Unset);
    let changes: Vec<Change> = set.chain(append).chain(subtract).chain(unset).collect();
    let mut outcomes = Vec::new();
    for name in &said.topics {
        let changed = admin.change_settings(&Settings::Topic(name.clone()), &changes, said.dry_run).await;
        outcomes.push(match changed {
            Ok(()) => Outcome::of(name, if said.dry_run { "would be altered" } else { "altered" }),
            Err(error) => Outcome::failed(name, format!("topic `{name}` was not altered"), &error),
        });
    }
    answer(output, outcomes)
}

/// Gives topics more partitions.
pub(super) async fn add_partitions(
    admin: &Admin,
    output: &Output,
    said: &AddPartitionsArguments,
) -> Result<Ending, Trouble> {
    let mut outcomes = Vec::new();
    for name in &said.topics {
        outcomes.push(match widen(admin, name, said).await {
            Ok(count) => Outcome {
                partitions: Some(count),
                ..Outcome::of(name, if said.dry_run { "would be widened" } else { "widened" })
            },
            Err(error) => Outcome::failed(name, format!("topic `{name}` got no more partitions"), &error),
        });
    }
    let rows = outcomes.iter().map(|topic| {
        let count = topic.partitions.map(|count| count.to_string()).unwrap_or_default();
        [topic.topic.clone(), count, topic.cells()]
    });
    let table = Table::new(WIDENED).rows(rows.collect::<Vec<_>>());
    end(output, outcomes, table)
}

const WIDENED: &[Column] = &[Column::text("TOPIC"), Column::number("PARTITIONS"), Column::text("STATUS")];

/// Says how many partitions the topic has then. Whoever widens it at the same time makes one of the two fail.
async fn widen(admin: &Admin, name: &str, said: &AddPartitionsArguments) -> Result<i32, Error> {
    let now = i32::try_from(admin.topic(name).await?.partitions.len()).unwrap_or(i32::MAX);
    let count = now.saturating_add(said.num);
    admin.create_partitions(name, count, said.dry_run).await.map(|()| count)
}
