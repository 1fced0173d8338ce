//! `topic list` and `topic describe`.

use super::{DescribeArguments, ListArguments};
use crate::Ending;
use crate::config;
use crate::output::Output;
use crate::table::{Column, Table};
use crate::trouble::Trouble;
use rust_mq_client::admin::{Admin, Documented, Partition, Setting, Settings, Topic};
use serde::Serialize;
use std::fmt::Write;

#[derive(Serialize)]
struct Listed {
    topics: Vec<Summary>,
}

#[derive(Serialize)]
struct Summary {
    name: String,
    partitions: usize,
    replication_factor: usize,
    is_internal: bool,
    id: String,
}

const LIST: &[Column] = &[
    Column::text("TOPIC"),
    Column::number("PARTITIONS"),
    Column::number("REPLICAS"),
    Column::text("INTERNAL").wide(),
    Column::text("ID").wide(),
];

/// Lists topics.
pub(super) async fn list(admin: &Admin, output: &Output, said: &ListArguments) -> Result<Ending, Trouble> {
    let topics = admin.topics().await;
    let topics = topics.map_err(|error| Trouble::of("the topics were not listed", &error))?;
    let shown = topics.iter().filter(|topic| said.internal || !topic.is_internal);
    let topics: Vec<Summary> = shown.map(summary).collect();
    let row = |topic: &Summary| {
        [
            topic.name.clone(),
            topic.partitions.to_string(),
            topic.replication_factor.to_string(),
            yes_or_no(topic.is_internal),
            topic.id.clone(),
        ]
    };
    let table = Table::new(LIST).rows(topics.iter().map(row));
    output.answer(&Listed { topics }, &[table])?;
    Ok(Ending::Fine)
}

#[derive(Serialize)]
struct DescribedTopics {
    topics: Vec<Described>,
}

#[derive(Serialize)]
struct Described {
    #[serde(flatten)]
    summary: Summary,
    partition_list: Vec<DescribedPartition>,
    configs: Vec<config::Shown>,
}

#[derive(Serialize)]
struct DescribedPartition {
    partition: i32,
    leader: Option<i32>,
    leader_epoch: i32,
    replicas: Vec<i32>,
    in_sync: Vec<i32>,
    offline: Vec<i32>,
}

const SUMMARY: &[Column] =
    &[Column::text("TOPIC"), Column::number("PARTITIONS"), Column::number("REPLICAS"), Column::text("ID")];

const PARTITIONS: &[Column] = &[
    Column::number("PARTITION"),
    Column::number("LEADER"),
    Column::number("EPOCH"),
    Column::text("REPLICAS"),
    Column::text("IN-SYNC"),
    Column::text("OFFLINE").wide(),
];

/// Shows topics.
pub(super) async fn describe(
    admin: &Admin,
    output: &Output,
    said: &DescribeArguments,
) -> Result<Ending, Trouble> {
    let mut topics = Vec::new();
    let mut tables = Vec::new();
    for name in &said.topics {
        let unshown = |error| Trouble::of(format!("topic `{name}` was not described"), &error);
        let topic = admin.topic(name).await.map_err(unshown)?;
        let of = Settings::Topic(name.clone());
        let settings = admin.settings(&of, &[], Documented::No).await.map_err(unshown)?;
        tables.extend(described_tables(&topic, &settings));
        topics.push(described(topic, settings));
    }
    output.answer(&DescribedTopics { topics }, &tables)?;
    Ok(Ending::Fine)
}

fn described(topic: Topic, settings: Vec<Setting>) -> Described {
    let summary = summary(&topic);
    let partitions = topic.partitions.into_iter();
    Described {
        summary,
        partition_list: partitions
            .map(|partition| DescribedPartition {
                partition: partition.number,
                leader: partition.leader,
                leader_epoch: partition.leader_epoch,
                replicas: partition.replicas,
                in_sync: partition.in_sync,
                offline: partition.offline,
            })
            .collect(),
        configs: settings.into_iter().map(config::Shown::from).collect(),
    }
}

fn described_tables(topic: &Topic, settings: &[Setting]) -> [Table; 3] {
    let summary = summary(topic);
    let head =
        [summary.name, summary.partitions.to_string(), summary.replication_factor.to_string(), summary.id];
    let row = |partition: &Partition| {
        [
            partition.number.to_string(),
            partition.leader.map(|leader| leader.to_string()).unwrap_or_default(),
            partition.leader_epoch.to_string(),
            numbers(&partition.replicas),
            numbers(&partition.in_sync),
            numbers(&partition.offline),
        ]
    };
    [
        Table::new(SUMMARY).rows([head]),
        Table::new(PARTITIONS).rows(topic.partitions.iter().map(row)),
        config::table(settings),
    ]
}

fn summary(topic: &Topic) -> Summary {
    let replicas = topic.partitions.iter().map(|partition| partition.replicas.len());
    Summary {
        name: topic.name.clone(),
        partitions: topic.partitions.len(),
        replication_factor: replicas.max().unwrap_or(0),
        is_internal: topic.is_internal,
        id: uuid(topic.id),
    }
}

fn numbers(numbers: &[i32]) -> String {
    numbers.iter().map(i32::to_string).collect::<Vec<_>>().join(",")
}

fn yes_or_no(is_so: bool) -> String {
    if is_so { "yes" } else { "no" }.to_owned()
}

/// An id as RFC 9562 writes them.
fn uuid(id: [u8; 16]) -> String {
    let mut text = String::new();
    for (at, byte) in id.iter().enumerate() {
        let dash = if matches!(at, 4 | 6 | 8 | 10) { "-" } else { "" };
        // Writing to a text does not fail.
        let _ = write!(text, "{dash}{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_written_in_five_groups() {
        let id = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 255];
        assert_eq!(uuid(id), "01020304-0506-0708-090a-0b0c0d0e0fff");
    }
}
