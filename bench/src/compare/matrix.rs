//! The stations and their rows: what is done under which durability, and what we promise of it.
//!
//! A station is a durability class with a number of nodes. One broker process goes through all rows of a station,
//! because starting and warming up a JVM takes longer than a row. Latencies come first: what a gigabyte leaves for the
//! disk to do would be measured with them.
//!
//! What promises something is done in every pair of sessions; the rest is sampled, so that the whole stays short enough
//! to be repeated: in the first three pairs, and what takes long in the first two.

use crate::finding::Goal;
use crate::metric::Metric;
use crate::side::{Durability, Setup};
use crate::workload::paced::Pace;
use crate::workload::pipelined::Load;
use std::time::Duration;

/// A flush that is slowed takes this much longer.
const DELAY_US: u64 = 2_000;
/// In so many pairs what promises nothing is done, and what besides takes long.
const PAIRS_SAMPLED: usize = 3;
const PAIRS_OF_LONG: usize = 2;
const KIB: usize = 1 << 10;
const GIB: u64 = 1 << 30;

/// A durability class.
pub struct Station {
    /// Its name.
    pub name: &'static str,
    /// What each side does before it acknowledges.
    pub about: &'static str,
    /// How both are set up.
    pub setup: Setup,
    /// What is done, in this order.
    pub rows: Vec<Row>,
}

/// One thing that is done.
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// What we promise of it.
    pub goals: Vec<Goal>,
}

/// What is done.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Nothing, just after the start.
    Idle,
    /// Requests in flight, as many as answered.
    Pipelined(Load),
    /// Records when they are due, over so many partitions, with consumers at the tail.
    Paced(Pace, i32),
    /// The same with and without a consumer: what it costs to deliver.
    Delivered(Pace, i32),
    /// Reading what lies there.
    CatchUp(Load),
    /// Making so many topics.
    Topics(usize),
    /// Killed while loaded, started again.
    Crash(Load),
    /// The leader killed under a prober.
    Failover,
    /// librdkafka's generator writes, records of so many bytes.
    RdkafkaProduce(usize),
    /// It reads what it has written.
    RdkafkaConsume(usize),
    /// Kafka's producer at a rate.
    JavaProduce(u64),
    /// Kafka's consumer reads what librdkafka has written.
    JavaConsume,
    /// Kafka's round trips.
    JavaRoundTrips,
}

/// How long things go on.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// A row.
    pub row: Duration,
    /// A row of latencies, which needs many samples.
    pub latency: Duration,
    /// Warming up, at most.
    pub warm_up: Duration,
    /// A window of the same row before it is watched; one follows the other until they agree, so that each is warm.
    pub rehearsal: Duration,
    /// Whether it only shows that everything works.
    pub is_quick: bool,
}

impl Scale {
    /// For numbers that are to be quoted.
    pub fn whole() -> Scale {
        let [row, latency, warm_up, rehearsal] = [1_200, 3_000, 12_000, 300].map(Duration::from_millis);
        Scale { row, latency, warm_up, rehearsal, is_quick: false }
    }

    /// Only to see that everything works here.
    pub fn quick() -> Scale {
        let [row, latency, warm_up, rehearsal] = [400, 1_000, 3_000, 150].map(Duration::from_millis);
        Scale { row, latency, warm_up, rehearsal, is_quick: true }
    }
}

/// All of them; those of other people's generators only if they are there.
pub fn stations(has_generators: bool) -> Vec<Station> {
    let mut stations = vec![memory(), shipped(), flushed(), flushed_slowly(), three(), three_slowly()];
    for station in &mut stations {
        station.rows.retain(|row| has_generators || !row.kind.is_of_others());
    }
    stations
}

impl Row {
    /// In how many pairs of sessions it is done, of so many.
    pub fn pairs(&self, all: usize) -> usize {
        match self.goals.is_empty() {
            false => all,
            true if self.kind.takes_long() => all.min(PAIRS_OF_LONG),
            true => all.min(PAIRS_SAMPLED),
        }
    }
}

impl Kind {
    fn takes_long(self) -> bool {
        let is_wide = matches!(self, Kind::Pipelined(load) if load.partitions >= 1_000);
        is_wide || self.is_of_others() || matches!(self, Kind::Topics(_) | Kind::Crash(_) | Kind::Failover)
    }

    fn is_of_others(self) -> bool {
        matches!(
            self,
            Kind::RdkafkaProduce(_)
                | Kind::RdkafkaConsume(_)
                | Kind::JavaProduce(_)
                | Kind::JavaConsume
                | Kind::JavaRoundTrips
        )
    }
}

/// What the warm-up sends: small requests and large ones go through the same code.
pub const WARM_UP: Load = Load {
    record_bytes: 100,
    batch_records: 100,
    partitions: 4,
    producers: 8,
    in_flight: 8,
    bytes_max: GIB / 4,
};

/// One record of 100 bytes a request: what a request costs.
const ONE_RECORD: Load = Load {
    record_bytes: 100,
    batch_records: 1,
    partitions: 1,
    producers: 16,
    in_flight: 32,
    bytes_max: GIB / 4,
};
/// What a gigabyte costs.
const LARGE_BATCHES: Load = Load {
    record_bytes: KIB,
    batch_records: 1_000,
    partitions: 1,
    producers: 1,
    in_flight: 4,
    bytes_max: GIB,
};
/// As clients batch by default, over a thousand partitions.
const SMALL_BATCHES: Load = Load {
    record_bytes: 100,
    batch_records: 160,
    partitions: 1_000,
    producers: 16,
    in_flight: 5,
    bytes_max: GIB / 2,
};
/// Many producers that do not batch, as clients are by default: five requests in flight each.
const MANY_PRODUCERS: Load = Load {
    record_bytes: KIB,
    batch_records: 1,
    partitions: 100,
    producers: 16,
    in_flight: 5,
    bytes_max: GIB / 2,
};
/// One producer that waits for each answer.
const ONE_AT_A_TIME: Load = Load {
    record_bytes: KIB,
    batch_records: 1,
    partitions: 1,
    producers: 1,
    in_flight: 1,
    bytes_max: GIB / 4,
};
/// Records that are batches by themselves.
const LARGE_RECORDS: Load = Load {
    record_bytes: 16 * KIB,
    batch_records: 1,
    partitions: 100,
    producers: 16,
    in_flight: 5,
    bytes_max: GIB,
};
const TEN_THOUSAND: Pace = Pace { rate: 10_000, record_bytes: 100, consumers: 1 };
const STREAM: Pace = Pace { rate: 10_000, record_bytes: KIB, consumers: 1 };
/// Large enough that a byte costs more than a request.
const LARGE_STREAM: Pace = Pace { rate: 3_000, record_bytes: 16 * KIB, consumers: 1 };

const fn at(metric: Metric, ratio: f64) -> Goal {
    Goal { metric, ratio }
}

fn row(name: &'static str, kind: Kind, goals: &[Goal]) -> Row {
    Row { name, kind, goals: goals.to_vec() }
}

const fn setup(nodes: u16, durability: Durability, flush_delay_us: u64) -> Setup {
    Setup { nodes, durability, flush_delay_us }
}

fn one_record(ratio: f64) -> Row {
    row("one record", Kind::Pipelined(ONE_RECORD), &[at(Metric::CpuPerRequest, ratio)])
}

fn large_batches(goals: &[Goal]) -> Row {
    row("large batches", Kind::Pipelined(LARGE_BATCHES), goals)
}

fn one_at_a_time() -> Row {
    row("one at a time", Kind::Pipelined(ONE_AT_A_TIME), &[])
}

fn many_producers(ratio: f64) -> Row {
    let goals = [at(Metric::Requests, ratio)];
    row("16 producers, 100 partitions", Kind::Pipelined(MANY_PRODUCERS), &goals)
}

fn ten_thousand(goals: &[Goal]) -> Row {
    row("10,000 records a second", Kind::Paced(TEN_THOUSAND, 4), goals)
}

fn memory() -> Station {
    Station {
        name: "memory",
        about: "Gone with the process: ours in memory, Kafka as shipped on a memory file system.",
        setup: setup(1, Durability::Memory, 0),
        rows: vec![
            one_record(0.1),
            large_batches(&[at(Metric::CpuPerGigabyte, 1.0 / 3.0)]),
            row("catch-up consume", Kind::CatchUp(LARGE_BATCHES), &[]),
            row("tail consume", Kind::Delivered(LARGE_STREAM, 4), &[]),
            row("fan-out 10", Kind::Paced(Pace { rate: 4_000, consumers: 10, ..STREAM }, 4), &[]),
        ],
    }
}

fn shipped() -> Station {
    let idle = [at(Metric::Start, 0.05), at(Metric::IdleMemory, 0.05)];
    Station {
        name: "ours with fsync, Kafka as shipped",
        about: "Not the same promise: ours flushes before it acknowledges, Kafka leaves it to the page cache.",
        setup: setup(1, Durability::Shipped, 0),
        rows: vec![
            row("start and idle", Kind::Idle, &idle),
            ten_thousand(&[at(Metric::End99, 1.0)]),
            one_record(1.0),
            large_batches(&[at(Metric::CpuPerGigabyte, 1.0)]),
            row("large records", Kind::Pipelined(LARGE_RECORDS), &[]),
            row("both at once", Kind::Paced(STREAM, 4), &[]),
            row("librdkafka produces", Kind::RdkafkaProduce(KIB), &[]),
            row("librdkafka consumes", Kind::RdkafkaConsume(KIB), &[]),
            row("Kafka's producer at 10,000", Kind::JavaProduce(10_000), &[]),
            row("Kafka's consumer", Kind::JavaConsume, &[]),
            row("Kafka's round trips", Kind::JavaRoundTrips, &[]),
            row("1,000 topics", Kind::Topics(1_000), &[]),
        ],
    }
}

fn flushed() -> Station {
    Station {
        name: "fsync",
        about: "Flushed before the acknowledgement: Kafka with log.flush.interval.messages=1.",
        setup: setup(1, Durability::Flushed, 0),
        rows: vec![
            ten_thousand(&[]),
            one_record(0.1),
            one_at_a_time(),
            many_producers(10.0),
            row("small batches, 1,000 partitions", Kind::Pipelined(SMALL_BATCHES), &[]),
            large_batches(&[at(Metric::CpuPerGigabyte, 1.0 / 3.0)]),
            row("killed and started", Kind::Crash(LARGE_BATCHES), &[]),
        ],
    }
}

fn flushed_slowly() -> Station {
    Station {
        name: "fsync, 2 ms slower",
        about: "As fsync, with every flush of both brokers 2 ms slower than this disk.",
        setup: setup(1, Durability::Flushed, DELAY_US),
        rows: vec![ten_thousand(&[at(Metric::End99, 0.2)]), one_at_a_time(), many_producers(10.0)],
    }
}

fn three() -> Station {
    Station {
        name: "three nodes, fsync",
        about: "Flushed on a majority of three: three replicas, min.insync.replicas=2, Kafka flushing each append.",
        setup: setup(3, Durability::Flushed, 0),
        rows: vec![
            ten_thousand(&[]),
            many_producers(2.0),
            large_batches(&[]),
            row("leader killed", Kind::Failover, &[]),
        ],
    }
}

fn three_slowly() -> Station {
    Station {
        name: "three nodes, fsync, 2 ms slower",
        about: "As three nodes with fsync, with every flush of all nodes 2 ms slower than this disk.",
        setup: setup(3, Durability::Flushed, DELAY_US),
        rows: vec![ten_thousand(&[]), many_producers(2.0)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_spoils_the_broker_comes_last() {
        for station in stations(true) {
            let before_last = &station.rows[..station.rows.len() - 1];
            let is_spoiling =
                |row: &Row| matches!(row.kind, Kind::Crash(_) | Kind::Failover | Kind::Topics(_));
            assert!(!before_last.iter().any(is_spoiling), "{}", station.name);
        }
    }

    #[test]
    fn what_is_promised_is_done_in_every_pair_and_the_rest_in_some() {
        assert_eq!(one_record(0.1).pairs(5), 5);
        assert_eq!(one_at_a_time().pairs(5), 3);
        assert_eq!(row("killed", Kind::Failover, &[]).pairs(5), 2);
        assert_eq!(row("killed", Kind::Failover, &[]).pairs(1), 1);
    }

    #[test]
    fn names_are_unique() {
        for station in stations(true) {
            let mut names: Vec<&str> = station.rows.iter().map(|row| row.name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), station.rows.len(), "{}", station.name);
        }
    }
}
