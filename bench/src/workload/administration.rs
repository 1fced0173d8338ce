//! What is not about records: many topics, starting again after a crash, doing nothing.

use crate::client::Client;
use crate::metric::{Measurements, Metric};
use crate::side::cluster::Cluster;
use crate::side::kit::Kit;
use crate::workload::pipelined::{Load, produce};
use std::io;
use std::thread;
use std::time::{Duration, Instant};

/// How long to do nothing while memory and processor time are looked at, and before that, as a JVM goes on with its
/// start after its first answer.
const IDLE: Duration = Duration::from_secs(2);

/// What a broker takes that has nothing to do; its start comes from the cluster.
pub fn idle(cluster: &Cluster) -> io::Result<Measurements> {
    thread::sleep(IDLE);
    let before = cluster.reading()?;
    thread::sleep(IDLE);
    let spent = cluster.reading()?.since(before);
    Ok(Measurements::default()
        .with(Metric::Start, milliseconds(cluster.start_time))
        .with(Metric::IdleMemory, spent.memory as f64 / f64::from(1 << 20))
        .with(Metric::IdleCpu, spent.cpu_ns as f64 / IDLE.as_nanos() as f64 * 100.0))
}

/// So many topics of one partition in one request, until all are led.
pub fn topics(cluster: &Cluster, count: usize) -> io::Result<Measurements> {
    let names: Vec<String> = (0..count).map(|number| format!("one-of-many-{number}")).collect();
    let before = cluster.reading()?;
    let begun = Instant::now();
    cluster.create_topics(&names, 1)?;
    let taken = begun.elapsed();
    let spent = cluster.reading()?.since(before);
    Ok(Measurements::default()
        .with(Metric::Duration, milliseconds(taken))
        .with(Metric::CpuPerRequest, spent.cpu_ns as f64 / 1e3 / count as f64)
        .with(Metric::PeakMemory, spent.memory_peak as f64 / f64::from(1 << 20)))
}

/// Kills a broker that has been written to, and starts it on its data: until what was acknowledged is read again.
pub fn crash(cluster: &mut Cluster, kit: &Kit, load: Load, length: Duration) -> io::Result<Measurements> {
    let topic = cluster.create_topic("crash", load.partitions)?;
    let acknowledged = produce(&topic, load, length)?;
    let begun = Instant::now();
    cluster.crash_and_start(kit)?;
    let deadline = begun + Duration::from_secs(60);
    while !is_readable(&topic.leaders[0], &topic.name) {
        if Instant::now() > deadline {
            return Err(io::Error::other("after a crash the records did not come back"));
        }
        thread::sleep(Duration::from_millis(2));
    }
    let taken = begun.elapsed();
    Ok(Measurements::default()
        .with(Metric::Duration, milliseconds(taken))
        .with(Metric::Megabytes, acknowledged.bytes as f64 / 1e6 / taken.as_secs_f64()))
}

fn is_readable(address: &str, topic: &str) -> bool {
    let records = Client::connect(address).and_then(|mut client| client.fetch(topic, 0));
    records.is_ok_and(|records| !records.is_empty())
}

fn milliseconds(taken: Duration) -> f64 {
    taken.as_secs_f64() * 1e3
}
