//! `rust-mq bench`: how fast a cluster is, as a client sees it. What `bench/` of the sources measures is what a request costs
//! the broker; here it is what a person gets, on whatever lies between.
//!
//! A topic of its own is made for it and deleted after it, unless one is named.

mod end_to_end;
mod histogram;
mod progress;
mod reading;
mod writing;

use crate::Ending;
use crate::connection::Connection;
use crate::output::Output;
use crate::produce::{Codec, Whom};
use crate::table::{Column, Table};
use crate::time::now_ms;
use crate::trouble::Trouble;
use clap::{Args, Subcommand};
use histogram::Histogram;
use rust_mq_client::admin::{Admin, NewTopic};
use serde::Serialize;
use std::time::Duration;

/// Measure how fast a cluster is
#[derive(Debug, Args)]
pub struct BenchArguments {
    /// Which cluster.
    #[command(flatten)]
    pub connection: Connection,
    /// How to answer.
    #[command(flatten)]
    pub output: Output,
    /// What to do.
    #[command(subcommand)]
    pub verb: BenchVerb,
}

/// What can be measured.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum BenchVerb {
    /// Append records, and see how many a second are acknowledged, and how long each takes
    Produce(WritingArguments),
    /// Read a topic from its start to its end, and see how many records a second come
    Consume(ReadingArguments),
    /// Append records at a steady rate and read them, and see how long each is on its way
    E2e(EndToEndArguments),
}

/// Append records, and see how many a second are acknowledged, and how long each takes
#[derive(Debug, Args)]
pub struct WritingArguments {
    /// To this topic, which stays; without it to one of its own
    #[arg(long, short = 't', value_name = "TOPIC")]
    pub topic: Option<String>,
    /// How many partitions a topic of its own has
    #[arg(long, short = 'p', value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(i32).range(1..))]
    pub partitions: i32,
    /// On how many nodes each of them is kept; the brokers' default if it is not said
    #[arg(long, short = 'r', value_name = "COUNT", value_parser = clap::value_parser!(i32).range(1..=32_767))]
    pub replicas: Option<i32>,
    /// How many records
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub num: u64,
    /// How many bytes each has
    #[arg(long, short = 's', value_name = "BYTES", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub size: u32,
    /// Records a second at most; as many as can be if it is not said
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    pub rate: Option<u32>,
    /// How to compress: none, gzip, snappy, lz4 or zstd
    #[arg(hide_possible_values = true, long, short = 'z', value_name = "CODEC", value_enum, default_value_t = Codec::None)]
    pub compression: Codec,
    /// Whom to wait for: all (a majority of the replicas) or none
    #[arg(hide_possible_values = true, long, value_name = "WHOM", value_enum, default_value_t = Whom::All)]
    pub acks: Whom,
}

/// Read a topic from its start to its end, and see how many records a second come
#[derive(Debug, Args)]
pub struct ReadingArguments {
    /// Which topic
    #[arg(value_name = "TOPIC")]
    pub topic: String,
    /// End after so many records
    #[arg(long, short = 'n', value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub num: Option<u64>,
}

/// Append records at a steady rate and read them, and see how long each is on its way
#[derive(Debug, Args)]
pub struct EndToEndArguments {
    /// How many records
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub num: u64,
    /// How many bytes each has
    #[arg(long, short = 's', value_name = "BYTES", default_value_t = 100, value_parser = clap::value_parser!(u32).range(16..=1_000_000))]
    pub size: u32,
    /// Records a second
    #[arg(long, value_name = "COUNT", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    pub rate: u32,
    /// On how many nodes they are kept; the brokers' default if it is not said
    #[arg(long, short = 'r', value_name = "COUNT", value_parser = clap::value_parser!(i32).range(1..=32_767))]
    pub replicas: Option<i32>,
}

/// Does it.
pub async fn run(said: BenchArguments) -> Result<Ending, Trouble> {
    let admin = said.connection.admin().await?;
    let result = match &said.verb {
        BenchVerb::Produce(writing) => writing::run(&admin, writing).await?,
        BenchVerb::Consume(reading) => reading::run(&admin, reading).await?,
        BenchVerb::E2e(both) => end_to_end::run(&admin, both).await?,
    };
    said.output.answer(&result, &[result.table()])?;
    Ok(Ending::Fine)
}

/// What was measured.
#[derive(Debug, Serialize)]
struct Measured {
    topic: String,
    records: u64,
    bytes: u64,
    seconds: f64,
    records_per_second: f64,
    mebibytes_per_second: f64,
    /// How long records took, in milliseconds; of reading alone there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_ms: Option<Latency>,
}

#[derive(Debug, Serialize)]
struct Latency {
    p50: f64,
    p99: f64,
    p999: f64,
    max: f64,
}

const MEASURED: &[Column] = &[
    Column::number("RECORDS"),
    Column::number("SECONDS"),
    Column::number("RECORDS/S"),
    Column::number("MIB/S"),
    Column::number("P50 MS"),
    Column::number("P99 MS"),
    Column::number("P99.9 MS"),
    Column::number("MAX MS"),
];

impl Measured {
    fn new(
        topic: &str,
        records: u64,
        bytes: u64,
        elapsed: Duration,
        latency: Option<&Histogram>,
    ) -> Measured {
        // A figure for people: what a float rounds off is beyond what was measured.
        let seconds = elapsed.as_secs_f64().max(1e-9);
        let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
        Measured {
            topic: topic.to_owned(),
            records,
            bytes,
            seconds,
            records_per_second: records as f64 / seconds,
            mebibytes_per_second: bytes as f64 / seconds / f64::from(1 << 20),
            latency_ms: latency.filter(|latency| !latency.is_empty()).map(|latency| Latency {
                p50: ms(latency.at_most(0.5)),
                p99: ms(latency.at_most(0.99)),
                p999: ms(latency.at_most(0.999)),
                max: ms(latency.longest()),
            }),
        }
    }

    fn table(&self) -> Table {
        let latency = self.latency_ms.as_ref();
        let ms = |of: fn(&Latency) -> f64| {
            latency.map(|latency| format!("{:.2}", of(latency))).unwrap_or_default()
        };
        Table::new(MEASURED).rows([[
            self.records.to_string(),
            format!("{:.2}", self.seconds),
            format!("{:.0}", self.records_per_second),
            format!("{:.1}", self.mebibytes_per_second),
            ms(|latency| latency.p50),
            ms(|latency| latency.p99),
            ms(|latency| latency.p999),
            ms(|latency| latency.max),
        ]])
    }
}

/// Measures with a topic of its own, which goes with it, also when somebody has had enough.
async fn with_topic(
    admin: &Admin,
    partitions: i32,
    replicas: Option<i32>,
    measure: impl AsyncFnOnce(String) -> Result<Measured, Trouble>,
) -> Result<Measured, Trouble> {
    let topic = make_topic(admin, partitions, replicas).await?;
    let measured = tokio::select! {
        measured = measure(topic.clone()) => measured,
        _ = tokio::signal::ctrl_c() => {
            let remedy = "say a smaller number of records with -n";
            Err(Trouble::failed("it was not measured to its end", "it was interrupted", remedy))
        }
    };
    let gone = admin.delete_topic(&topic).await;
    gone.map_err(|error| {
        Trouble::of(format!("topic `{topic}`, which was made to measure with, is left"), &error)
    })?;
    measured
}

/// Makes a topic of its own.
async fn make_topic(admin: &Admin, partitions: i32, replicas: Option<i32>) -> Result<String, Trouble> {
    let name = format!("rust-mq-bench-{}-{}", std::process::id(), now_ms());
    let new = NewTopic::new(&name).partitions(partitions);
    let new = replicas.map_or(new.clone(), |replicas| new.replication_factor(replicas));
    let made = admin.create_topic(new).await;
    made.map(|_| name).map_err(|error| Trouble::of("no topic was made to measure with", &error))
}
