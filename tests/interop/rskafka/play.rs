//! rskafka, which speaks for single partitions: it has no groups, no idempotence and no settings.
//!
//! It is told something by a line of words, and answers by a line of JSON: `tests/src/interop/mod.rs`.

use rskafka::client::partition::{Compression, OffsetAt, PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder};
use rskafka::record::Record;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::error::Error;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What a verb ends with: data, or nothing where there is no such thing, or an error.
type Answer = Result<Result<Value, &'static str>, Box<dyn Error>>;

fn main() {
    let bootstrap = std::env::args().nth(1).expect("the first word is the bootstrap list");
    let brokers: Vec<String> = bootstrap.split(',').map(String::from).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.expect("a runtime can be made");
    for line in std::io::stdin().lines().map_while(Result::ok) {
        let words: Vec<&str> = line.split(' ').collect();
        let answer = match runtime.block_on(does(&brokers, &words)) {
            Ok(Ok(data)) => json!({ "ok": true, "data": data }),
            Ok(Err(why)) => json!({ "ok": null, "why": why }),
            Err(error) => json!({ "ok": false, "why": error.to_string() }),
        };
        println!("{answer}");
    }
}

async fn does(brokers: &[String], words: &[&str]) -> Answer {
    let client = ClientBuilder::new(brokers.to_vec()).build().await?;
    let data = match words {
        ["version"] => json!(version()),
        ["create", topic, partitions, replicas] => {
            client
                .controller_client()?
                .create_topic(*topic, partitions.parse()?, replicas.parse()?, 10_000)
                .await?;
            Value::Null
        }
        ["describe", topic] => json!([partitions(&client, topic).await?.len(), null]),
        ["delete", topic] => {
            client.controller_client()?.delete_topic(*topic, 10_000).await?;
            Value::Null
        }
        ["produce", _, _, "idempotent", ..] => return Ok(Err("it has no idempotent producer")),
        ["produce", topic, codec, _, first, count, pause] => {
            let numbers = first.parse()?..first.parse::<i64>()? + count.parse::<i64>()?;
            produce(&client, topic, codec, numbers, pause.parse()?).await?
        }
        ["consume", topic, count] => read(&client, topic, OffsetAt::Earliest, count.parse()?).await?,
        ["since", topic, millis, count] => {
            let time = chrono::DateTime::from_timestamp_millis(millis.parse()?).ok_or("it is no time")?;
            read(&client, topic, OffsetAt::Timestamp(time), count.parse()?).await?
        }
        ["configs" | "alter", ..] => return Ok(Err("it does not know settings")),
        _ => return Ok(Err("it has no groups")),
    };
    Ok(Ok(data))
}

/// As this workspace's lock file has it.
fn version() -> Option<&'static str> {
    let lock = include_str!("../../../Cargo.lock");
    let (_, rest) = lock.split_once("name = \"rskafka\"\nversion = \"")?;
    rest.split('"').next()
}

/// A client of each partition of a topic.
async fn partitions(client: &Client, topic: &str) -> Result<Vec<PartitionClient>, Box<dyn Error>> {
    let all = client.list_topics().await?;
    let found = all.into_iter().find(|known| known.name == topic).ok_or("it sees no such topic")?;
    let mut clients = Vec::new();
    for partition in found.partitions {
        clients.push(client.partition_client(topic, partition, UnknownTopicHandling::Retry).await?);
    }
    Ok(clients)
}

/// Ten numbers at a time to each partition in turn, so that within each they stay in order.
async fn produce(
    client: &Client,
    topic: &str,
    codec: &str,
    numbers: std::ops::Range<i64>,
    pause_ms: u64,
) -> Result<Value, Box<dyn Error>> {
    let compression = match codec {
        "none" => Compression::NoCompression,
        "gzip" => Compression::Gzip,
        "snappy" => Compression::Snappy,
        "lz4" => Compression::Lz4,
        "zstd" => Compression::Zstd,
        other => return Err(format!("there is no {other}").into()),
    };
    let partitions = partitions(client, topic).await?;
    let all: Vec<i64> = numbers.collect();
    for (round, batch) in all.chunks(10).enumerate() {
        let records = batch.iter().map(|number| record(*number)).collect();
        partitions[round % partitions.len()].produce(records, compression).await?;
        tokio::time::sleep(Duration::from_millis(pause_ms * 10)).await;
    }
    Ok(json!(all.len()))
}

/// Long and alike, so that compressing it is worth it.
fn record(number: i64) -> Record {
    Record {
        key: Some(number.to_string().into_bytes()),
        value: Some(format!("{number} {}", "and so on ".repeat(20)).into_bytes()),
        headers: BTreeMap::new(),
        timestamp: now(),
    }
}

/// In milliseconds, which are what the wire carries.
fn now() -> chrono::DateTime<chrono::Utc> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    let millis = i64::try_from(since.as_millis()).expect("the year is below 292 million");
    chrono::DateTime::from_timestamp_millis(millis).expect("a date of today is valid")
}

/// Each partition from there to its end.
async fn read(client: &Client, topic: &str, from: OffsetAt, count: usize) -> Result<Value, Box<dyn Error>> {
    let mut seen = Vec::with_capacity(count);
    for partition in partitions(client, topic).await? {
        let end = partition.get_offset(OffsetAt::Latest).await?;
        let mut at = partition.get_offset(from).await?;
        // Where nothing is that late.
        if at < 0 {
            at = end;
        }
        while at < end {
            let (records, _) = partition.fetch_records(at, 1..1_000_000, 1_000).await?;
            for found in records {
                let key = String::from_utf8(found.record.key.ok_or("a record has lost its key")?)?;
                seen.push(json!([partition.partition(), found.offset, key.parse::<i64>()?]));
                at = found.offset + 1;
            }
        }
    }
    Ok(json!(seen))
}
