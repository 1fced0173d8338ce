//! One side goes through one station: started on empty folders, looked at while idle, warmed up, and then row by row.
//! A row that fails is written down as failed, and the next one is tried.

use crate::compare::matrix::{Kind, Row, Scale, Station, WARM_UP};
use crate::metric::{Metric, Outcome};
use crate::side::Subject;
use crate::side::cluster::{Cluster, Topic};
use crate::side::kit::Kit;
use crate::workload::administration::{crash, idle, topics};
use crate::workload::outside::Generators;
use crate::workload::paced::{self, Pace, Paced};
use crate::workload::pipelined::{Load, produce, warm_up};
use crate::workload::watch::{Watch, Work, settle, watched};
use crate::workload::{catch_up, prober};
use std::io;
use std::time::Duration;

/// Records that another program's generator sends for each second of a row.
const OUTSIDE_RATE: u64 = 60_000;
/// Round trips for each second of a row.
const ROUND_TRIPS: u64 = 400;

/// What it gave.
pub struct Session {
    /// Whose it was.
    pub subject: Subject,
    /// The settings it ran with.
    pub settings: String,
    /// A result for each row of the station, or why there is none.
    pub results: Vec<Result<Outcome, String>>,
}

impl Session {
    /// Goes through a station.
    pub fn run(
        kit: &Kit,
        generators: Option<&Generators>,
        station: &Station,
        subject: Subject,
        scale: Scale,
    ) -> io::Result<Session> {
        let cluster = Cluster::start(kit, subject, station.setup)?;
        let settings = cluster.settings.clone();
        let mut walk = Walk { kit, generators, cluster, scale };
        let mut results = Vec::new();
        let mut is_warm = false;
        for (number, row) in station.rows.iter().enumerate() {
            if !is_warm && !matches!(row.kind, Kind::Idle) {
                is_warm = true;
                if let Err(error) = warm_up(&walk.cluster, WARM_UP, scale.warm_up) {
                    eprintln!("    warming up failed: {error}");
                }
            }
            let result = walk.row(row, &format!("row-{number}")).map_err(|error| error.to_string());
            let shown = match &result {
                Ok(outcome) => brief(outcome),
                Err(why) => format!("failed: {why}"),
            };
            eprintln!("    {:<32} {shown}", row.name);
            results.push(result);
        }
        Ok(Session { subject, settings, results })
    }
}

/// The first few numbers of an outcome.
fn brief(outcome: &Outcome) -> String {
    let pieces =
        outcome.0.iter().filter(|(metric, _)| !matches!(metric, Metric::WrittenPerByte | Metric::PeakMemory));
    let pieces: Vec<String> = pieces
        .map(|(metric, value)| format!("{} {value:.2} {}", metric.name(), metric.unit()).trim().to_owned())
        .collect();
    pieces.join(", ")
}

struct Walk<'a> {
    kit: &'a Kit,
    generators: Option<&'a Generators>,
    cluster: Cluster,
    scale: Scale,
}

impl Walk<'_> {
    fn row(&mut self, row: &Row, topic: &str) -> io::Result<Outcome> {
        match row.kind {
            Kind::Idle => idle(&self.cluster),
            Kind::Pipelined(load) => self.pipelined(load, topic),
            Kind::Paced(pace, partitions) => self.paced(pace, partitions, topic),
            Kind::Delivered(pace, partitions) => self.delivered(pace, partitions, topic),
            Kind::CatchUp(load) => self.catch_up(load, topic),
            Kind::Topics(count) => topics(&self.cluster, count),
            Kind::Crash(load) => crash(&mut self.cluster, self.kit, load, self.scale.row),
            Kind::Failover => prober::failover(&mut self.cluster),
            Kind::RdkafkaProduce(bytes) => self.rdkafka(bytes, topic, false),
            Kind::RdkafkaConsume(bytes) => self.rdkafka(bytes, topic, true),
            Kind::JavaProduce(rate) => self.java_produce(rate, topic),
            Kind::JavaRoundTrips => self.java_round_trips(topic),
        }
    }

    fn watch(&self, length: Duration) -> Watch {
        Watch { length, counts_calls: true }
    }

    /// Runs on a topic of its own, which is gone afterwards.
    fn on_topic<T>(
        &self,
        name: &str,
        partitions: i32,
        work: impl FnOnce(&Topic) -> io::Result<T>,
    ) -> io::Result<T> {
        let topic = self.cluster.create_topic(name, partitions)?;
        let result = work(&topic);
        self.cluster.delete_topic(name)?;
        result
    }

    fn pipelined(&self, load: Load, name: &str) -> io::Result<Outcome> {
        self.on_topic(name, load.partitions, |topic| {
            let send = |length| produce(topic, load, length);
            settle(&self.cluster, self.scale.rehearsal, self.scale.warm_up / 3, send)?;
            watched(&self.cluster, self.watch(self.scale.row), |length| produce(topic, load, length))
        })
    }

    fn paced(&self, pace: Pace, partitions: i32, name: &str) -> io::Result<Outcome> {
        self.on_topic(name, partitions, |topic| {
            paced::run(topic, pace, self.scale.rehearsal)?;
            let mut last = Paced::default();
            let watch = Watch { length: self.scale.latency, counts_calls: false };
            let outcome = watched(&self.cluster, watch, |length| {
                last = paced::run(topic, pace, length)?;
                Ok(Work { bytes: last.consumed_bytes.max(last.work.bytes), ..last.work })
            })?;
            Ok(latencies(outcome, &mut last))
        })
    }

    /// What one consumer at the tail adds to the broker's work.
    fn delivered(&self, pace: Pace, partitions: i32, name: &str) -> io::Result<Outcome> {
        self.on_topic(name, partitions, |topic| {
            paced::run(topic, pace, self.scale.rehearsal)?;
            let cost = |pace: Pace| {
                let before = self.cluster.reading()?;
                let paced = paced::run(topic, pace, self.scale.latency)?;
                Ok::<_, io::Error>((self.cluster.reading()?.since(before).cpu_ns, paced))
            };
            let (without, _) = cost(Pace { consumers: 0, ..pace })?;
            let (with, mut paced) = cost(pace)?;
            let added = with.saturating_sub(without) as f64;
            let outcome =
                Outcome::default().with(Metric::CpuPerGigabyte, added / paced.consumed_bytes.max(1) as f64);
            Ok(latencies(outcome, &mut paced))
        })
    }

    fn catch_up(&self, load: Load, name: &str) -> io::Result<Outcome> {
        self.on_topic(name, load.partitions, |topic| {
            produce(topic, load, self.scale.row)?;
            catch_up::read(topic, load.record_bytes)?;
            let watch = Watch { length: self.scale.row, counts_calls: false };
            watched(&self.cluster, watch, |_| catch_up::read(topic, load.record_bytes))
        })
    }

    fn generators(&self) -> io::Result<&Generators> {
        self.generators.ok_or_else(|| io::Error::other("there are no generators"))
    }

    fn rdkafka(&self, bytes: usize, name: &str, reads: bool) -> io::Result<Outcome> {
        let (generators, addresses) = (self.generators()?, self.cluster.addresses());
        let count = OUTSIDE_RATE * self.scale.row.as_millis() as u64 / 1_000;
        self.on_topic(name, 1, |topic| {
            let write = || generators.rdkafka_produce(&addresses, &topic.name, count, bytes);
            let watch = Watch { length: self.scale.row, counts_calls: false };
            if reads {
                write()?;
                let read = |_| generators.rdkafka_consume(&addresses, &topic.name, count, bytes);
                return watched(&self.cluster, watch, read).map(without_requests);
            }
            watched(&self.cluster, watch, |_| write()).map(without_requests)
        })
    }

    fn java_produce(&self, rate: u64, name: &str) -> io::Result<Outcome> {
        let (generators, addresses) = (self.generators()?, self.cluster.addresses());
        let count = rate * self.scale.latency.as_millis() as u64 / 1_000;
        self.on_topic(name, 1, |topic| generators.java_produce(&addresses, &topic.name, count, rate))
    }

    fn java_round_trips(&self, name: &str) -> io::Result<Outcome> {
        let (generators, addresses) = (self.generators()?, self.cluster.addresses());
        let count = ROUND_TRIPS * self.scale.row.as_millis() as u64 / 1_000;
        self.on_topic(name, 1, |topic| generators.java_round_trips(&addresses, &topic.name, count))
    }
}

fn latencies(outcome: Outcome, paced: &mut Paced) -> Outcome {
    let mut outcome = outcome
        .with(Metric::AckMedian, paced.acknowledged.percentile_ms(0.5))
        .with(Metric::Ack99, paced.acknowledged.percentile_ms(0.99))
        .with(Metric::Ack999, paced.acknowledged.percentile_ms(0.999));
    if paced.received.count() > 0 {
        outcome = outcome
            .with(Metric::EndMedian, paced.received.percentile_ms(0.5))
            .with(Metric::End99, paced.received.percentile_ms(0.99))
            .with(Metric::End999, paced.received.percentile_ms(0.999));
    }
    // At a fixed pace these two are only the pace.
    outcome.0.remove(&Metric::Requests);
    outcome.0.remove(&Metric::Megabytes);
    outcome
}

/// Another program does not say how many requests it made.
fn without_requests(mut outcome: Outcome) -> Outcome {
    outcome.0.remove(&Metric::Requests);
    outcome.0.remove(&Metric::CpuPerRequest);
    outcome
}
