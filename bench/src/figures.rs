//! The figures that the project promises to reach: what is done, what is counted, and the promise beside it.

use crate::broker::{self, Broker};
use crate::client::Client;
use crate::load::{self, Produce};
use rust_mq_proto::records::Batches;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// One figure: its name, its unit, the promise if there is one, and how it is measured.
struct Figure {
    name: &'static str,
    unit: &'static str,
    promise: Option<f64>,
    measure: fn() -> io::Result<f64>,
}

const FIGURES: &[Figure] = &[
    Figure {
        name: "produce one record, in memory",
        unit: "us CPU/request",
        promise: Some(5.0),
        measure: || one_record(false, false),
    },
    Figure {
        name: "produce one record, in memory: calls",
        unit: "calls/request",
        promise: Some(0.6),
        measure: || one_record(false, true),
    },
    Figure {
        name: "produce one record, fsync",
        unit: "us CPU/request",
        promise: Some(6.0),
        measure: || one_record(true, false),
    },
    Figure {
        name: "produce batches, fsync",
        unit: "CPU-s/GB",
        promise: Some(0.4),
        measure: || batches_produced(true),
    },
    Figure {
        // All of it stays in memory that was never touched before, which `floor` measures by itself.
        name: "produce batches, in memory",
        unit: "CPU-s/GB",
        promise: None,
        measure: || batches_produced(false),
    },
    Figure {
        name: "16 producers, 100 partitions, fsync",
        unit: "us CPU/request",
        promise: None,
        measure: many_partitions,
    },
    Figure {
        name: "consume batches at the tail",
        unit: "CPU-s/GB",
        promise: Some(0.15),
        measure: batches_consumed,
    },
    Figure { name: "start to first answer", unit: "ms", promise: Some(20.0), measure: start },
    Figure { name: "idle memory", unit: "MiB", promise: Some(16.0), measure: idle_memory },
    Figure { name: "idle CPU", unit: "%", promise: Some(0.0), measure: idle_cpu },
    Figure {
        name: "10,000 partitions created",
        unit: "s",
        promise: Some(2.0),
        measure: || partitions(false),
    },
    Figure {
        name: "10,000 partitions: memory each",
        unit: "KiB",
        promise: Some(8.0),
        measure: || partitions(true),
    },
    Figure { name: "recovery of a journal", unit: "s/256 MiB", promise: Some(1.0), measure: recovery },
    Figure { name: "stripped binary", unit: "MB", promise: Some(20.0), measure: binary_size },
];

/// Measures the figures whose name contains `only`, and prints a table.
pub fn print(only: &str, times: usize) -> io::Result<()> {
    broker::build()?;
    println!(
        "{:<40} {:>10} {:>10}  {:<16} {:>10} {:>10}",
        "figure", "median", "promise", "unit", "least", "most"
    );
    for figure in FIGURES.iter().filter(|figure| figure.name.contains(only)) {
        let mut measured = (0..times).map(|_| (figure.measure)()).collect::<io::Result<Vec<f64>>>()?;
        measured.sort_by(f64::total_cmp);
        let (median, least, most) = (measured[times / 2], measured[0], measured[times - 1]);
        let promise = figure.promise.map_or("-".into(), |promise| format!("{promise:.3}"));
        println!(
            "{:<40} {median:>10.3} {promise:>10}  {:<16} {least:>10.3} {most:>10.3}",
            figure.name, figure.unit
        );
    }
    Ok(())
}

/// A directory of a measurement's own, removed at its end.
struct Directory(PathBuf);

impl Directory {
    fn new() -> io::Result<Directory> {
        let path = std::env::temp_dir().join(format!("rust-mq-bench-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path)?;
        Ok(Directory(path))
    }

    fn broker(&self) -> io::Result<Broker> {
        Broker::start(&["--data", &self.0.to_string_lossy()])
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // What cannot be removed is left to the system's own tidying of its temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn one_record(is_durable: bool, counts_calls: bool) -> io::Result<f64> {
    let directory = Directory::new()?;
    let broker = if is_durable { directory.broker()? } else { Broker::start(&[])? };
    Client::connect(&broker.address)?.create_topic("one", 1)?;
    let load = Produce { topic: "one", connections: 16, in_flight: 32, requests: 20_000, partitions: 1 };
    let batch = load::batch(1, 100);
    load::produce(&broker.address, Produce { requests: 2_000, ..load }, &batch)?;
    if counts_calls {
        let (calls, answered) = broker.calls_during(|| load::produce(&broker.address, load, &batch))?;
        return Ok(calls as f64 / answered as f64);
    }
    let before = broker.counted()?;
    let answered = load::produce(&broker.address, load, &batch)?;
    let spent = broker.counted()?.since(before);
    Ok(spent.cpu_ns as f64 / 1e3 / answered as f64)
}

const BATCH_RECORDS: usize = 1_000;
const BATCHES: usize = 1_024;
/// Enough to have gone round the journal's ring: its files are zeroed once, memory is taken once.
const BATCHES_BEFORE: usize = 384;

fn batches_produced(is_durable: bool) -> io::Result<f64> {
    let directory = Directory::new()?;
    let broker = if is_durable { directory.broker()? } else { Broker::start(&[])? };
    Client::connect(&broker.address)?.create_topic("batches", 1)?;
    let batch = load::batch(BATCH_RECORDS, 1_000);
    let load =
        Produce { topic: "batches", connections: 1, in_flight: 4, requests: BATCHES_BEFORE, partitions: 1 };
    load::produce(&broker.address, load, &batch)?;
    let before = broker.counted()?;
    load::produce(&broker.address, Produce { requests: BATCHES, ..load }, &batch)?;
    let spent = broker.counted()?.since(before);
    Ok(spent.cpu_ns as f64 / (BATCHES * batch.len()) as f64)
}

/// As clients are by default: five requests in flight each, here without batching, so that every turn finds most of
/// its records for different partitions.
fn many_partitions() -> io::Result<f64> {
    let directory = Directory::new()?;
    let broker = directory.broker()?;
    Client::connect(&broker.address)?.create_topic("many", 100)?;
    let load = Produce { topic: "many", connections: 16, in_flight: 5, requests: 8_000, partitions: 100 };
    let batch = load::batch(1, 1 << 10);
    load::produce(&broker.address, Produce { requests: 4_000, ..load }, &batch)?;
    let before = broker.counted()?;
    let answered = load::produce(&broker.address, load, &batch)?;
    let spent = broker.counted()?.since(before);
    Ok(spent.cpu_ns as f64 / 1e3 / answered as f64)
}

/// The consumer keeps up with the producer; what the producing costs is measured apart and taken off.
fn batches_consumed() -> io::Result<f64> {
    let broker = Broker::start(&["--memory-limit", "2GiB"])?;
    let mut client = Client::connect(&broker.address)?;
    client.create_topic("tail", 1)?;
    let batch = load::batch(BATCH_RECORDS, 1_000);
    let load = Produce { topic: "tail", connections: 1, in_flight: 1, requests: 32, partitions: 1 };
    load::produce(&broker.address, load, &batch)?;
    // Read again and again from memory, as consumers at the tail do.
    let before = broker.counted()?;
    let mut bytes = 0;
    for _ in 0..16 {
        let mut offset = 0;
        while offset < (32 * BATCH_RECORDS) as i64 {
            let records = client.fetch("tail", offset)?;
            bytes += records.len();
            let last = Batches::new(&records).flatten().last().map(|batch| batch.last_offset() + 1);
            offset = last.ok_or_else(|| io::Error::other("a fetch at the tail came back empty"))?;
        }
    }
    let spent = broker.counted()?.since(before);
    Ok(spent.cpu_ns as f64 / bytes as f64)
}

fn start() -> io::Result<f64> {
    let directory = Directory::new()?;
    Ok(directory.broker()?.start_time.as_secs_f64() * 1e3)
}

fn idle_memory() -> io::Result<f64> {
    let broker = Broker::start(&[])?;
    thread::sleep(Duration::from_secs(1));
    Ok(broker.counted()?.memory as f64 / f64::from(1 << 20))
}

fn idle_cpu() -> io::Result<f64> {
    let directory = Directory::new()?;
    let broker = directory.broker()?;
    thread::sleep(Duration::from_secs(1));
    let before = broker.counted()?;
    thread::sleep(Duration::from_secs(2));
    Ok(broker.counted()?.since(before).cpu_ns as f64 / 2e9 * 100.0)
}

fn partitions(counts_memory: bool) -> io::Result<f64> {
    let broker = Broker::start(&[])?;
    let mut client = Client::connect(&broker.address)?;
    thread::sleep(Duration::from_millis(200));
    let before = broker.counted()?.memory;
    let begun = Instant::now();
    client.create_topic("wide", 10_000)?;
    let taken = begun.elapsed();
    thread::sleep(Duration::from_secs(1));
    let each = broker.counted()?.memory.saturating_sub(before) as f64 / 10_000.0 / 1024.0;
    Ok(if counts_memory { each } else { taken.as_secs_f64() })
}

/// A journal of nearly as much as one checkpoint interval holds, scaled to 256 MiB: from starting the process to
/// its first answer to Metadata, which waits for the recovery as ApiVersions does not.
fn recovery() -> io::Result<f64> {
    const WRITTEN: usize = 60;
    let directory = Directory::new()?;
    let broker = directory.broker()?;
    Client::connect(&broker.address)?.create_topic("journal", 1)?;
    let batch = load::batch(BATCH_RECORDS, 1_000);
    let load = Produce { topic: "journal", connections: 1, in_flight: 1, requests: WRITTEN, partitions: 1 };
    load::produce(&broker.address, load, &batch)?;
    broker.kill()?;
    let empty = Directory(directory.0.join("empty"));
    let base = recovered(&empty)?;
    let taken = recovered(&directory)?.saturating_sub(base);
    let bytes = WRITTEN * batch.len();
    Ok(taken.as_secs_f64() * f64::from(256 << 20) / bytes as f64)
}

/// How long a broker takes from its start until it is open.
fn recovered(directory: &Directory) -> io::Result<Duration> {
    let begun = Instant::now();
    let broker = directory.broker()?;
    Client::connect(&broker.address)?.metadata()?;
    Ok(begun.elapsed())
}

/// The release binary without its symbols.
fn binary_size() -> io::Result<f64> {
    let stripped = std::env::temp_dir().join(format!("rust-mq-stripped-{}", std::process::id()));
    let status = Command::new("strip").arg("-o").arg(&stripped).arg(broker::binary()?).status()?;
    if !status.success() {
        return Err(io::Error::other("strip has failed"));
    }
    let bytes = std::fs::metadata(&stripped)?.len();
    std::fs::remove_file(&stripped)?;
    Ok(bytes as f64 / 1e6)
}
