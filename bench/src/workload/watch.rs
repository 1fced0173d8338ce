//! Counters before, work, counters after: what the work cost the broker.

use crate::kernel::{Calls, Reading};
use crate::metric::{Measurements, Metric};
use crate::side::cluster::Cluster;
use crate::statistics::is_settled;
use serde::{Deserialize, Serialize};
use std::io;
use std::time::{Duration, Instant};

/// Windows that differ by less are settled.
const SETTLED: f64 = 0.05;
/// Nobody goes on for longer than this, settled or not: memory and disks are finite.
const RECORDS_MAX: u64 = 10_000_000;

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Work {
    /// Requests that were answered without an error.
    pub requests: u64,
    /// Records in them.
    pub records: u64,
    /// Bytes of the records' values.
    pub bytes: u64,
}

/// How the brackets are set.
#[derive(Clone, Copy, Debug)]
pub struct Watch {
    /// How long a workload goes on.
    pub length: Duration,
    /// Whether it is done again under `perf`, for system calls and flushes.
    pub counts_calls: bool,
}

/// How a side was made warm.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct WarmUp {
    /// Records that were sent meanwhile.
    pub records: u64,
    /// How long it took.
    pub seconds: f64,
    /// Whether the cost of a request was settled by then.
    pub is_settled: bool,
}

/// Does some work and says what it cost.
pub fn watched(
    cluster: &Cluster,
    watch: Watch,
    mut work: impl FnMut(Duration) -> io::Result<Work>,
) -> io::Result<Measurements> {
    let before = cluster.reading()?;
    let begun = Instant::now();
    let done = work(watch.length)?;
    let taken = begun.elapsed();
    let spent = cluster.reading()?.since(before);
    let mut measured = measured(done, taken, spent);
    if watch.counts_calls
        && let Ok(count) = cluster.count_calls()
    {
        let again = work(watch.length / 2)?;
        if let Ok(calls) = count.stop() {
            measured = with_calls(measured, calls, again);
        }
    }
    Ok(measured)
}

/// Does some work in windows until the broker's cost of a request has settled and `records_min` were sent, or `most` is
/// over: a JVM compiles what it has run often enough, and nobody should be measured before that.
pub fn settle(
    cluster: &Cluster,
    window: Duration,
    most: Duration,
    records_min: u64,
    mut work: impl FnMut(Duration) -> io::Result<Work>,
) -> io::Result<WarmUp> {
    let begun = Instant::now();
    let mut windows = Vec::new();
    let mut warm = WarmUp::default();
    while begun.elapsed() < most
        && warm.records < RECORDS_MAX
        && (warm.records < records_min || !is_settled(&windows, SETTLED))
    {
        let before = cluster.reading()?;
        let done = work(window)?;
        let spent = cluster.reading()?.since(before);
        windows.push(spent.cpu_ns as f64 / done.requests.max(1) as f64);
        warm.records += done.records;
    }
    warm.seconds = begun.elapsed().as_secs_f64();
    warm.is_settled = is_settled(&windows, SETTLED);
    Ok(warm)
}

/// The quotients of what was counted by what was done.
fn measured(done: Work, taken: Duration, spent: Reading) -> Measurements {
    // Counts are far below what a float holds exactly.
    let each = |count: u64, of: u64| count as f64 / of.max(1) as f64;
    let seconds = taken.as_secs_f64();
    Measurements::default()
        .with(Metric::CpuPerRequest, each(spent.cpu_ns, done.requests) / 1e3)
        .with(Metric::CpuPerRecord, each(spent.cpu_ns, done.records) / 1e3)
        .with(Metric::CpuPerGigabyte, each(spent.cpu_ns, done.bytes))
        .with(Metric::SwitchesPerRecord, each(spent.switches, done.records))
        .with(Metric::WrittenPerByte, each(spent.written_bytes, done.bytes))
        .with(Metric::PeakMemory, spent.memory_peak as f64 / f64::from(1 << 20))
        .with(Metric::Requests, done.requests as f64 / seconds)
        .with(Metric::Megabytes, done.bytes as f64 / 1e6 / seconds)
}

fn with_calls(measured: Measurements, calls: Calls, done: Work) -> Measurements {
    let records = done.records.max(1) as f64;
    measured
        .with(Metric::CallsPerRecord, calls.all as f64 / records)
        .with(Metric::FlushesPerThousand, calls.flushes as f64 * 1e3 / records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_divided_by_what_was_done() {
        let done = Work { requests: 1_000, records: 2_000, bytes: 1_000_000 };
        let spent = Reading {
            cpu_ns: 4_000_000,
            switches: 500,
            written_bytes: 2_000_000,
            memory: 0,
            memory_peak: 3 << 20,
        };
        let measured = measured(done, Duration::from_secs(2), spent);
        let shown = |metric| measured.value(metric).map(|value| value.to_string());
        assert_eq!(shown(Metric::CpuPerRequest).as_deref(), Some("4"));
        assert_eq!(shown(Metric::CpuPerRecord).as_deref(), Some("2"));
        assert_eq!(shown(Metric::CpuPerGigabyte).as_deref(), Some("4"));
        assert_eq!(shown(Metric::WrittenPerByte).as_deref(), Some("2"));
        assert_eq!(shown(Metric::Requests).as_deref(), Some("500"));
        assert_eq!(shown(Metric::PeakMemory).as_deref(), Some("3"));
    }
}
