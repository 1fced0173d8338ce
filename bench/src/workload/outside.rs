//! Other people's load generators, so that nobody has to trust ours: librdkafka's `rdkafka_performance`, built from
//! the source that the crate rdkafka-sys carries (cargo fetches and checks it), and the classes of Kafka's own
//! `kafka-producer-perf-test` and `kafka-e2e-latency`.
//!
//! Not here: `kafka-consumer-perf-test`. It subscribes with a consumer group, which Rust-MQ does not have yet.

use crate::metric::{Metric, Outcome};
use crate::side::artifacts::missing;
use crate::workload::watch::Work;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The crate whose source has librdkafka with its examples.
const RDKAFKA_SYS: &str = "=4.10.0";

/// Generators that are ready to run.
pub struct Generators {
    /// librdkafka's.
    rdkafka: PathBuf,
    /// The jars of Kafka's.
    jars: PathBuf,
}

impl Generators {
    /// Fetches and builds what is missing.
    pub fn prepare(cache: &Path) -> io::Result<Generators> {
        Ok(Generators { rdkafka: librdkafka(cache)?, jars: crate::side::artifacts::tools(cache)? })
    }

    /// `rdkafka_performance` produces with its default batching and acks=all.
    pub fn rdkafka_produce(
        &self,
        addresses: &str,
        topic: &str,
        count: u64,
        bytes: usize,
    ) -> io::Result<Work> {
        let (count_text, bytes_text) = (count.to_string(), bytes.to_string());
        let arguments =
            ["-P", "-t", topic, "-s", &bytes_text, "-c", &count_text, "-a", "-1", "-b", addresses, "-q"];
        self.rdkafka(&arguments)?;
        Ok(Work { requests: 0, records: count, bytes: count * bytes as u64 })
    }

    /// `rdkafka_performance` reads partition 0 from its start.
    pub fn rdkafka_consume(
        &self,
        addresses: &str,
        topic: &str,
        count: u64,
        bytes: usize,
    ) -> io::Result<Work> {
        let count_text = count.to_string();
        let arguments =
            ["-C", "-t", topic, "-p", "0", "-o", "beginning", "-c", &count_text, "-b", addresses, "-q"];
        self.rdkafka(&arguments)?;
        Ok(Work { requests: 0, records: count, bytes: count * bytes as u64 })
    }

    fn rdkafka(&self, arguments: &[&str]) -> io::Result<()> {
        let out = Command::new(&self.rdkafka).args(arguments).output()?;
        let said =
            format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        let has_failed = failures(&said).is_none_or(|failures| failures > 0);
        if out.status.success() && !has_failed {
            return Ok(());
        }
        Err(io::Error::other(format!("rdkafka_performance {arguments:?}: {said}")))
    }

    /// Kafka's producer at a fixed rate: the latencies that it prints.
    pub fn java_produce(&self, addresses: &str, topic: &str, count: u64, rate: u64) -> io::Result<Outcome> {
        let (count, rate) = (count.to_string(), rate.to_string());
        let said = self.java(
            "ProducerPerformance",
            &[
                "--bootstrap-server",
                addresses,
                "--topic",
                topic,
                "--num-records",
                &count,
                "--record-size",
                "1024",
                "--throughput",
                &rate,
                "--command-property",
                "acks=all",
            ],
        )?;
        producer_percentiles(&said)
            .ok_or_else(|| io::Error::other(format!("ProducerPerformance said: {said}")))
    }

    /// Kafka's round trip: one record at a time from a producer to a consumer.
    pub fn java_round_trips(&self, addresses: &str, topic: &str, count: u64) -> io::Result<Outcome> {
        let count = count.to_string();
        let said = self.java("EndToEndLatency", &[addresses, topic, &count, "all", "100"])?;
        round_trip_percentiles(&said).ok_or_else(|| io::Error::other(format!("EndToEndLatency said: {said}")))
    }

    fn java(&self, class: &str, arguments: &[&str]) -> io::Result<String> {
        let out = Command::new("java")
            .args(["-Xmx256M", "-cp", &self.jars.join("*").display().to_string()])
            .arg(format!("org.apache.kafka.tools.{class}"))
            .args(arguments)
            .output()
            .map_err(|error| missing("java", &error))?;
        let said =
            format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        if out.status.success() { Ok(said) } else { Err(io::Error::other(format!("{class}: {said}"))) }
    }
}

/// The number of failures in the summary, which is there only if it ran to its end.
fn failures(said: &str) -> Option<u64> {
    let summary = said.lines().rfind(|line| line.starts_with('%') && line.contains("messages"))?;
    let before = summary.split("failed").next().filter(|_| summary.contains("failed"));
    before.map_or(Some(0), |text| text.split_whitespace().last()?.parse().ok())
}

/// Of `.., 1.20 ms avg latency, 9.00 ms max latency, 1 ms 50th, 3 ms 95th, 7 ms 99th, 9 ms 99.9th.`
fn producer_percentiles(said: &str) -> Option<Outcome> {
    let line = said.lines().rfind(|line| line.contains("99.9th"))?;
    let value = |name: &str| {
        let piece = line.split(',').find(|piece| piece.trim().trim_end_matches('.').ends_with(name))?;
        piece.split_whitespace().next()?.parse::<f64>().ok()
    };
    Some(
        Outcome::default()
            .with(Metric::AckMedian, value(" 50th")?)
            .with(Metric::Ack99, value(" 99th")?)
            .with(Metric::Ack999, value(" 99.9th")?),
    )
}

/// Of `Percentiles: 50th = 0.51, 99th = 2.1, 99.9th = 7.0`, whatever the spacing.
fn round_trip_percentiles(said: &str) -> Option<Outcome> {
    let line = said.lines().find(|line| line.contains("50th"))?.replace('=', " ");
    let value = |name: &str| {
        let mut words = line.split_whitespace().skip_while(|word| word.trim_end_matches(',') != name);
        words.nth(1)?.trim_end_matches(',').parse::<f64>().ok()
    };
    Some(
        Outcome::default()
            .with(Metric::EndMedian, value("50th")?)
            .with(Metric::End99, value("99th")?)
            .with(Metric::End999, value("99.9th")?),
    )
}

/// Builds `rdkafka_performance` in the cache folder.
fn librdkafka(cache: &Path) -> io::Result<PathBuf> {
    let folder = cache.join("librdkafka");
    let program = folder.join("source/examples/rdkafka_performance");
    if program.exists() {
        return Ok(program);
    }
    eprintln!("building librdkafka's rdkafka_performance, once (about two minutes)");
    let source = folder.join("source");
    // A build that was cut short begins anew.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.join("src"))?;
    let manifest = format!(
        "[package]\nname = \"source\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
         [dependencies]\nrdkafka-sys = {{ version = \"{RDKAFKA_SYS}\", default-features = false }}\n[workspace]\n"
    );
    fs::write(folder.join("Cargo.toml"), manifest)?;
    fs::write(folder.join("src/lib.rs"), "")?;
    // Cargo's vendoring is the one ordinary command that lays a crate's source at a place one chooses.
    run(Command::new("cargo").args(["vendor", "--quiet", "vendor"]).current_dir(&folder), "cargo")?;
    fs::rename(folder.join("vendor/rdkafka-sys/librdkafka"), &source)?;
    let without = ["ssl", "sasl", "gssapi", "curl", "zstd", "lz4-ext", "syslog"]
        .map(|part| format!("--disable-{part}"));
    run(Command::new("bash").arg("./configure").args(without).current_dir(&source), "bash")?;
    run(
        Command::new("make").args(["-j2", "-C", "src", "librdkafka.a"]).current_dir(&source),
        "make (Debian: apt-get install build-essential zlib1g-dev)",
    )?;
    run(Command::new("make").args(["-C", "examples", "rdkafka_performance"]).current_dir(&source), "make")?;
    Ok(program)
}

fn run(command: &mut Command, install: &str) -> io::Result<()> {
    let out = command.output().map_err(|error| missing(install, &error))?;
    if out.status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("{command:?} failed: {}", String::from_utf8_lossy(&out.stderr))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(outcome: &Outcome) -> Vec<String> {
        outcome.0.iter().map(|(metric, value)| format!("{} {value}", metric.name())).collect()
    }

    #[test]
    fn the_percentiles_of_the_producer_are_read_from_its_last_line() {
        let said = "900 records sent, 180 records/sec\n1000 records sent, 199.9 records/sec (0.19 MB/sec), \
                    1.20 ms avg latency, 9.00 ms max latency, 1 ms 50th, 3 ms 95th, 7 ms 99th, 9 ms 99.9th.\n";
        let outcome = producer_percentiles(said).expect("the line is whole");
        assert_eq!(shown(&outcome), ["acknowledged, p50 1", "acknowledged, p99 7", "acknowledged, p99.9 9"]);
        assert_eq!(producer_percentiles("an exception"), None);
    }

    #[test]
    fn the_percentiles_of_round_trips_are_read() {
        let outcome =
            round_trip_percentiles("Avg latency: 0.6 ms\nPercentiles: 50th = 0.5, 99th = 2, 99.9th = 7");
        assert_eq!(
            shown(&outcome.expect("the line is whole")),
            ["end to end, p50 0.5", "end to end, p99 2", "end to end, p99.9 7"]
        );
    }

    #[test]
    fn a_run_without_its_summary_has_failed() {
        assert_eq!(
            failures("% 1000 messages produced (1024 bytes), 1000 delivered (offset 0, 0 failed) in 9ms"),
            Some(0)
        );
        assert_eq!(
            failures("% 1000 messages produced (9 bytes), 997 delivered (offset 0, 3 failed) in 9ms"),
            Some(3)
        );
        assert_eq!(failures("% 1000 messages (1024 bytes) consumed in 9ms"), Some(0));
        assert_eq!(failures("%3|FAIL|no broker"), None);
    }
}
