//! Our own client end to end, beside librdkafka: both write the same records to a broker in memory and read them again,
//! one after the other. Counted are records a second, the client's processor time, and the broker's.
//!
//! Ours is this program once more, as a process of its own, so that both are counted by the kernel alike.
//! `rdkafka_performance` is librdkafka's own load generator. Both wait for all replicas, batch for 5 ms, and are otherwise
//! as they are by default.

use crate::broker::{self, Broker};
use crate::client::Client as Plain;
use crate::kernel;
use crate::statistics::Spread;
use bytes::Bytes;
use rust_mq_client::{Client, ConsumerSettings, Goal, ProducerSettings, Record};
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

const TOPIC: &str = "ends";
/// What is written and read: how many records, of how many bytes.
const LOADS: [(u64, usize); 2] = [(1_000_000, 100), (400_000, 1_000)];
/// What is promised beside librdkafka.
const PROMISED: f64 = 1.3;
/// Records that are handed over before the producer has its turn: all share one thread.
const AT_A_TIME: u64 = 64;
/// Deliveries that are waited for at a time.
const UNDER_WAY_MAX: usize = 50_000;

/// What one run of one client came to, a record.
struct Cost {
    /// Records a second.
    rate: f64,
    /// The client's processor time, microseconds.
    client_us: f64,
    /// The broker's.
    broker_us: f64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Ours,
    Librdkafka,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Writes,
    Reads,
}

/// Measures so often, and prints the medians and their ratios.
pub fn print(times: usize) -> io::Result<()> {
    broker::build()?;
    let peer = tests::librdkafka::performance()?;
    println!("{:<44} {:>12} {:>12} {:>8}", "", "rust-mq-client", "librdkafka", "ratio");
    for (count, size) in LOADS {
        let mut costs: Vec<(Who, What, Cost)> = Vec::new();
        for _ in 0..times {
            for who in [Who::Ours, Who::Librdkafka] {
                let broker = Broker::start(&["--memory-limit", "4GiB"])?;
                Plain::connect(&broker.address)?.create_topic(TOPIC, 1)?;
                for what in [What::Writes, What::Reads] {
                    costs.push((who, what, cost(&broker, (who, what), (count, size), &peer)?));
                }
            }
        }
        for (what, verb) in [(What::Writes, "written"), (What::Reads, "read")] {
            let median = |who: Who, of: fn(&Cost) -> f64| {
                let those = costs.iter().filter(|(by, done, _)| *by == who && *done == what);
                let values: Vec<f64> = those.map(|(_, _, cost)| of(cost)).collect();
                Spread::of(&values).map_or(0.0, |spread| spread.median)
            };
            let line = |name: &str, of: fn(&Cost) -> f64, is_rate: bool| {
                let (ours, theirs) = (median(Who::Ours, of), median(Who::Librdkafka, of));
                let ratio = if is_rate { theirs / ours } else { ours / theirs };
                let name = format!("{size} bytes {verb}: {name}");
                println!("{name:<44} {ours:>12.3} {theirs:>12.3} {ratio:>8.2}");
            };
            line("million records a second", |cost| cost.rate / 1e6, true);
            line("us CPU of the client a record", |cost| cost.client_us, false);
            line("us CPU of the broker a record", |cost| cost.broker_us, false);
        }
    }
    println!(
        "ratio: how many times librdkafka's time or processor time ours takes; promised: at most {PROMISED}"
    );
    Ok(())
}

fn cost(broker: &Broker, (who, what): (Who, What), load: (u64, usize), peer: &Path) -> io::Result<Cost> {
    let (count, size) = load;
    let mut command = match who {
        Who::Ours => {
            let mut command = Command::new(std::env::current_exe()?);
            let verb = if what == What::Writes { "client-writes" } else { "client-reads" };
            command.args([verb, &broker.address, &count.to_string(), &size.to_string()]);
            command
        }
        Who::Librdkafka => {
            let mut command = Command::new(peer);
            command.args(["-b", &broker.address, "-t", TOPIC, "-p", "0", "-c", &count.to_string(), "-q"]);
            match what {
                What::Writes => {
                    command.args(["-P", "-s", &size.to_string(), "-a", "-1", "-X", "linger.ms=5"])
                }
                What::Reads => command.args(["-C", "-o", "beginning"]),
            };
            command
        }
    };
    let before = broker.counted()?;
    let started = Instant::now();
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let client_ns = kernel::whole_processor_time(&child)?;
    let elapsed = started.elapsed();
    if !child.wait()?.success() {
        return Err(io::Error::other(format!("{} failed", command.get_program().display())));
    }
    let broker_ns = broker.counted()?.since(before).cpu_ns;
    let each = |ns: u64| ns as f64 / 1e3 / count as f64;
    Ok(Cost {
        rate: count as f64 / elapsed.as_secs_f64(),
        client_us: each(client_ns),
        broker_us: each(broker_ns),
    })
}

/// Writes so many records, as a program with our client does.
pub fn write(address: &str, count: u64, size: usize) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let written = runtime.block_on(async {
        let producer = Client::new(address)?.producer(ProducerSettings::default())?;
        let value = Bytes::from(vec![b'x'; size]);
        let (sender, mut under_way) = tokio::sync::mpsc::channel(UNDER_WAY_MAX);
        let write = async {
            let sender = sender;
            for number in 0..count {
                let delivery = producer.send(Record::new(TOPIC, value.clone())).await?;
                // Its other half ends after this one.
                let _ = sender.send(delivery).await;
                if number % AT_A_TIME == 0 {
                    tokio::task::yield_now().await;
                }
            }
            Ok::<_, rust_mq_client::Error>(())
        };
        let settle = async {
            while let Some(delivery) = under_way.recv().await {
                delivery.await?;
            }
            Ok(())
        };
        tokio::try_join!(write, settle)?;
        producer.close().await;
        Ok::<_, rust_mq_client::Error>(())
    });
    written.map_err(io::Error::other)
}

/// Reads so many records from the start.
pub fn read(address: &str, count: u64, size: usize) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let bytes = runtime.block_on(async {
        let consumer = Client::new(address)?.consumer(ConsumerSettings::default())?;
        consumer.assign(&[(TOPIC, 0, Some(Goal::Earliest))]);
        let mut bytes = 0;
        for _ in 0..count {
            bytes += consumer.next().await?.value.map_or(0, |value| value.len());
        }
        Ok::<_, rust_mq_client::Error>(bytes)
    });
    match bytes.map_err(io::Error::other)? {
        bytes if bytes as u64 == count * size as u64 => Ok(()),
        bytes => Err(io::Error::other(format!("{bytes} bytes were read"))),
    }
}
