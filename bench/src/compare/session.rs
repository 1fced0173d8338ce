//! One side goes through one station: started on empty folders, looked at while idle, warmed up, and then row by row.
//! A row that fails is written down as failed, and the next one is tried.

use crate::compare::Round;
use crate::compare::matrix::{Kind, Row, Scale, Station, WARM_UP};
use crate::metric::{Measurements, Metric};
use crate::side::cluster::{Cluster, Topic};
use crate::side::kit::Kit;
use crate::workload::administration::{crash, idle, topics};
use crate::workload::outside::{Generators, Records};
use crate::workload::paced::{self, Pace, Paced};
use crate::workload::pipelined::{Load, produce, warm_up};
use crate::workload::watch::{WarmUp, Watch, Work, settle, watched};
use crate::workload::{catch_up, prober};
use std::io;
use std::time::{Duration, Instant};

/// Records that another program's generator sends for each second of a row.
const OUTSIDE_RATE: u64 = 200_000;
/// Round trips for each second of a row.
const ROUND_TRIPS: u64 = 1_000;
/// How long Kafka's producer runs before it counts: its own code is compiled then.
const JAVA_WARM: Duration = Duration::from_secs(2);
/// Calls are counted in so many pairs: a window of their own costs time, and a count hardly varies.
const PAIRS_COUNTED: usize = 2;

/// What it gave.
pub struct Session {
    /// Whose it was, and of which pair.
    pub round: Round,
    /// How it was made warm.
    pub warm: WarmUp,
    /// The settings it ran with.
    pub settings: String,
    /// A result for each row of the station, or why there is none; nothing for a row that this pair leaves out.
    pub results: Vec<Option<Result<Measurements, String>>>,
}

impl Session {
    /// Goes through a station. A side that does not start has failed in every row.
    pub fn run(tools: Tools<'_>, station: &Station, round: Round, pairs: usize) -> Session {
        let is_due = |row: &Row| round.pair < row.pairs(pairs);
        match Cluster::start(tools.kit, round.subject, station.setup) {
            Ok(cluster) => Walk { tools, cluster, round, warm: None }.go(station, is_due),
            Err(error) => {
                eprintln!("    did not start: {error}");
                let failed = |row| is_due(row).then(|| Err(format!("did not start: {error}")));
                let results = station.rows.iter().map(failed).collect();
                Session { round, warm: WarmUp::default(), settings: String::new(), results }
            }
        }
    }
}

/// What every session needs.
#[derive(Clone, Copy)]
pub struct Tools<'a> {
    /// Both brokers.
    pub kit: &'a Kit,
    /// Other people's generators, if they are here.
    pub generators: Option<&'a Generators>,
    /// How long things go on.
    pub scale: Scale,
}

/// The first few numbers of what was measured.
fn brief(measured: &Measurements) -> String {
    let pieces = measured
        .0
        .iter()
        .filter(|(metric, _)| !matches!(metric, Metric::WrittenPerByte | Metric::PeakMemory));
    let pieces: Vec<String> = pieces
        .map(|(metric, value)| format!("{} {value:.2} {}", metric.name(), metric.unit()).trim().to_owned())
        .collect();
    pieces.join(", ")
}

struct Walk<'a> {
    tools: Tools<'a>,
    cluster: Cluster,
    round: Round,
    warm: Option<WarmUp>,
}

impl Walk<'_> {
    fn go(mut self, station: &Station, is_due: impl Fn(&Row) -> bool) -> Session {
        let settings = self.cluster.settings.clone();
        let mut results = Vec::new();
        for (number, row) in station.rows.iter().enumerate() {
            results.push(is_due(row).then(|| self.timed(row, number)));
        }
        Session { round: self.round, warm: self.warm.unwrap_or_default(), settings, results }
    }

    /// A row, on a side that is warm, and a line about it.
    fn timed(&mut self, row: &Row, number: usize) -> Result<Measurements, String> {
        let begun = Instant::now();
        if self.warm.is_none() && !matches!(row.kind, Kind::Idle) {
            let warm = warm_up(&self.cluster, WARM_UP, self.tools.scale.warm_up).unwrap_or_else(|error| {
                eprintln!("    warming up failed: {error}");
                WarmUp::default()
            });
            let state = if warm.is_settled { "settled" } else { "not settled" };
            eprintln!("    warm after {} records, {:.1} s: {state}", warm.records, warm.seconds);
            self.warm = Some(warm);
        }
        let result = self.row(row, &format!("row-{number}")).map_err(|error| error.to_string());
        let shown = match &result {
            Ok(measured) => brief(measured),
            Err(why) => format!("failed: {why}"),
        };
        eprintln!("    {:<32} [{:.1} s] {shown}", row.name, begun.elapsed().as_secs_f64());
        result
    }

    fn row(&mut self, row: &Row, topic: &str) -> io::Result<Measurements> {
        match row.kind {
            Kind::Idle => idle(&self.cluster),
            Kind::Pipelined(load) => self.pipelined(load, topic),
            Kind::Paced(pace, partitions) => self.paced(pace, partitions, topic),
            Kind::Delivered(pace, partitions) => self.delivered(pace, partitions, topic),
            Kind::CatchUp(load) => self.catch_up(load, topic),
            Kind::Topics(count) => topics(&self.cluster, count),
            Kind::Crash(load) => crash(&mut self.cluster, self.tools.kit, load, self.tools.scale.row),
            Kind::Failover => prober::failover(&mut self.cluster),
            Kind::RdkafkaProduce(bytes) => self.rdkafka(bytes, topic, false),
            Kind::RdkafkaConsume(bytes) => self.rdkafka(bytes, topic, true),
            Kind::JavaProduce(rate) => self.java_produce(rate, topic),
            Kind::JavaConsume => self.java_consume(topic),
            Kind::JavaRoundTrips => self.java_round_trips(topic),
        }
    }

    fn watch(&self, length: Duration) -> Watch {
        Watch { length, counts_calls: self.round.pair < PAIRS_COUNTED }
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

    fn pipelined(&self, load: Load, name: &str) -> io::Result<Measurements> {
        self.on_topic(name, load.partitions, |topic| {
            let send = |length| produce(topic, load, length);
            settle(&self.cluster, self.tools.scale.rehearsal, self.tools.scale.warm_up / 3, 0, send)?;
            watched(&self.cluster, self.watch(self.tools.scale.row), |length| produce(topic, load, length))
        })
    }

    fn paced(&self, pace: Pace, partitions: i32, name: &str) -> io::Result<Measurements> {
        self.on_topic(name, partitions, |topic| {
            paced::run(topic, pace, self.tools.scale.rehearsal)?;
            let mut last = Paced::default();
            let watch = Watch { length: self.tools.scale.latency, counts_calls: false };
            let measured = watched(&self.cluster, watch, |length| {
                last = paced::run(topic, pace, length)?;
                Ok(Work { bytes: last.consumed_bytes.max(last.work.bytes), ..last.work })
            })?;
            Ok(latencies(measured, &mut last))
        })
    }

    /// What one consumer at the tail adds to the broker's work. Without, with, with, without: a side that is still
    /// becoming faster would otherwise seem to pay nothing for it.
    fn delivered(&self, pace: Pace, partitions: i32, name: &str) -> io::Result<Measurements> {
        self.on_topic(name, partitions, |topic| {
            paced::run(topic, pace, self.tools.scale.rehearsal)?;
            let (mut added, mut all) = (0_f64, Paced::default());
            for consumers in [0, pace.consumers, pace.consumers, 0] {
                let before = self.cluster.reading()?;
                let paced = paced::run(topic, Pace { consumers, ..pace }, self.tools.scale.latency / 2)?;
                let spent = self.cluster.reading()?.since(before).cpu_ns as f64;
                added += if consumers > 0 { spent } else { -spent };
                if consumers > 0 {
                    all.add(paced);
                }
            }
            // Less than nothing is no number.
            let measured = match added > 0.0 {
                true => Measurements::default()
                    .with(Metric::CpuPerGigabyte, added / all.consumed_bytes.max(1) as f64),
                false => Measurements::default(),
            };
            Ok(latencies(measured, &mut all))
        })
    }

    fn catch_up(&self, load: Load, name: &str) -> io::Result<Measurements> {
        self.on_topic(name, load.partitions, |topic| {
            produce(topic, load, self.tools.scale.row)?;
            catch_up::read(topic, load.record_bytes)?;
            let watch = Watch { length: self.tools.scale.row, counts_calls: false };
            watched(&self.cluster, watch, |_| catch_up::read(topic, load.record_bytes))
        })
    }

    fn generators(&self) -> io::Result<&Generators> {
        self.tools.generators.ok_or_else(|| io::Error::other("there are no generators"))
    }

    /// As many records of another program's as this scale has time for.
    fn records<'r>(&self, addresses: &'r str, topic: &'r Topic, bytes: usize) -> Records<'r> {
        let count = OUTSIDE_RATE * self.tools.scale.row.as_millis() as u64 / 1_000;
        Records { addresses, topic: &topic.name, count, bytes }
    }

    /// What another program's run costs; its own word for the rate, as our clock would count its start.
    fn outside(&self, run: impl Fn() -> io::Result<(Work, f64)>) -> io::Result<Measurements> {
        let mut rate = 0.0;
        let watch = Watch { length: self.tools.scale.row, counts_calls: false };
        let measured = watched(&self.cluster, watch, |_| {
            let (work, said) = run()?;
            rate = said;
            Ok(work)
        })?;
        Ok(without_requests(measured).with(Metric::Megabytes, rate))
    }

    fn rdkafka(&self, bytes: usize, name: &str, reads: bool) -> io::Result<Measurements> {
        let (generators, addresses) = (self.generators()?, self.cluster.addresses());
        self.on_topic(name, 1, |topic| {
            let records = self.records(&addresses, topic, bytes);
            if !reads {
                return self.outside(|| generators.rdkafka_produce(records));
            }
            generators.rdkafka_produce(records)?;
            self.outside(|| generators.rdkafka_consume(records))
        })
    }

    fn java_produce(&self, rate: u64, name: &str) -> io::Result<Measurements> {
        let (generators, addresses) = (self.generators()?, self.cluster.addresses());
        let warm_up = rate * JAVA_WARM.as_secs();
        let count = warm_up + rate * self.tools.scale.latency.as_millis() as u64 / 1_000;
        self.on_topic(name, 1, |topic| {
            let records = Records { addresses: &addresses, topic: &topic.name, count, bytes: 1 << 10 };
            generators.java_produce(records, warm_up, rate)
        })
    }

    fn java_consume(&self, name: &str) -> io::Result<Measurements> {
        let (generators, addresses) = (self.generators()?, self.cluster.addresses());
        self.on_topic(name, 1, |topic| {
            let records = self.records(&addresses, topic, 1 << 10);
            generators.rdkafka_produce(records)?;
            self.outside(|| generators.java_consume(records))
        })
    }

    fn java_round_trips(&self, name: &str) -> io::Result<Measurements> {
        let (generators, addresses) = (self.generators()?, self.cluster.addresses());
        let count = ROUND_TRIPS * self.tools.scale.row.as_millis() as u64 / 1_000;
        self.on_topic(name, 1, |topic| {
            generators.java_round_trips(Records {
                addresses: &addresses,
                topic: &topic.name,
                count,
                bytes: 100,
            })
        })
    }
}

fn latencies(measured: Measurements, paced: &mut Paced) -> Measurements {
    let mut measured = measured
        .with(Metric::AckMedian, paced.acknowledged.percentile_ms(0.5))
        .with(Metric::Ack99, paced.acknowledged.percentile_ms(0.99))
        .with(Metric::Ack999, paced.acknowledged.percentile_ms(0.999));
    if paced.received.count() > 0 {
        measured = measured
            .with(Metric::EndMedian, paced.received.percentile_ms(0.5))
            .with(Metric::End99, paced.received.percentile_ms(0.99))
            .with(Metric::End999, paced.received.percentile_ms(0.999));
    }
    // At a fixed pace these two are only the pace.
    measured.0.remove(&Metric::Requests);
    measured.0.remove(&Metric::Megabytes);
    measured
}

/// Another program does not say how many requests it made.
fn without_requests(mut measured: Measurements) -> Measurements {
    measured.0.remove(&Metric::Requests);
    measured.0.remove(&Metric::CpuPerRequest);
    measured
}
