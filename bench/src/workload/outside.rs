//! Other people's load generators, so that nobody has to trust ours: librdkafka's `rdkafka_performance`, built from
//! the source that the crate rdkafka-sys carries (cargo fetches and checks it), and the classes of Kafka's own
//! `kafka-producer-perf-test`, `kafka-consumer-perf-test` and `kafka-e2e-latency`. What they print is read, and what
//! cannot be read is a failure with its reason, never a number.

use crate::metric::{Measurements, Metric};
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

/// What a generator handles, and where.
#[derive(Clone, Copy)]
pub struct Records<'a> {
    /// The nodes.
    pub addresses: &'a str,
    /// The topic.
    pub topic: &'a str,
    /// How many.
    pub count: u64,
    /// Bytes of each.
    pub bytes: usize,
}

impl Records<'_> {
    fn work(self) -> Work {
        Work { requests: 0, records: self.count, bytes: self.count * self.bytes as u64 }
    }
}

impl Generators {
    /// Fetches and builds what is missing.
    pub fn prepare(cache: &Path) -> io::Result<Generators> {
        Ok(Generators { rdkafka: librdkafka(cache)?, jars: crate::side::artifacts::tools(cache)? })
    }

    /// `rdkafka_performance` produces with its default batching and acks=all: what was sent, and its MB/s.
    pub fn rdkafka_produce(&self, records: Records<'_>) -> io::Result<(Work, f64)> {
        self.rdkafka(records, &["-P", "-s", &records.bytes.to_string(), "-a", "-1"])
    }

    /// `rdkafka_performance` reads partition 0 from its start: what came, and its MB/s.
    pub fn rdkafka_consume(&self, records: Records<'_>) -> io::Result<(Work, f64)> {
        self.rdkafka(records, &["-C", "-p", "0", "-o", "beginning"])
    }

    fn rdkafka(&self, records: Records<'_>, does: &[&str]) -> io::Result<(Work, f64)> {
        let count = records.count.to_string();
        let mut command = limited(&self.rdkafka.display().to_string());
        command.args(does).args(["-t", records.topic, "-c", &count, "-b", records.addresses, "-q"]);
        let (said, has_succeeded) = heard(&mut command)?;
        match summary(&said) {
            Some((handled, rate)) if has_succeeded && handled >= records.count => Ok((records.work(), rate)),
            _ => Err(failed("rdkafka_performance", &said)),
        }
    }

    /// Kafka's producer at a fixed rate: the latencies that it prints for what came after `warm_up` records.
    pub fn java_produce(&self, records: Records<'_>, warm_up: u64, rate: u64) -> io::Result<Measurements> {
        let (said, has_succeeded) = heard(self.java("ProducerPerformance", records).args([
            "--record-size",
            &records.bytes.to_string(),
            "--warmup-records",
            &warm_up.to_string(),
            "--throughput",
            &rate.to_string(),
            "--command-property",
            "acks=all",
        ]))?;
        let measured = producer_percentiles(&said).filter(|_| has_succeeded);
        measured.ok_or_else(|| failed("ProducerPerformance", &said))
    }

    /// Kafka's consumer, in a group of its own, reads so many records: its MB/s after it has joined.
    pub fn java_consume(&self, records: Records<'_>) -> io::Result<(Work, f64)> {
        let (said, has_succeeded) =
            heard(self.java("ConsumerPerformance", records).args(["--timeout", "10000"]))?;
        match consumer_rate(&said) {
            Some((handled, rate)) if has_succeeded && handled >= records.count => Ok((records.work(), rate)),
            _ => Err(failed("ConsumerPerformance", &said)),
        }
    }

    /// Kafka's round trip: one record at a time from a producer to a consumer.
    pub fn java_round_trips(&self, records: Records<'_>) -> io::Result<Measurements> {
        let bytes = records.bytes.to_string();
        let mut command = self.java("EndToEndLatency", records);
        let (said, _) = heard(command.args(["--producer-acks", "all", "--record-size", &bytes]))?;
        // It prints when all trips are made, and then commits its offset, which a broker without consumer groups
        // refuses: the numbers are whole, whatever it says afterwards.
        round_trip_percentiles(&said).ok_or_else(|| failed("EndToEndLatency", &said))
    }

    fn java(&self, class: &str, records: Records<'_>) -> Command {
        let mut command = limited("java");
        command
            .args(["-Xmx512M", "-cp", &self.jars.join("*").display().to_string()])
            .arg(format!("org.apache.kafka.tools.{class}"))
            .args(["--bootstrap-server", records.addresses, "--topic", records.topic])
            .args(["--num-records", &records.count.to_string()]);
        command
    }
}

/// A program that is stopped when it takes too long: some of these wait for ever for what does not come.
fn limited(program: &str) -> Command {
    let mut command = Command::new("timeout");
    command.args(["60", program]);
    command
}

/// All that a program says, and whether it was content.
fn heard(command: &mut Command) -> io::Result<(String, bool)> {
    let out = command.output().map_err(|error| missing("timeout (Debian: coreutils)", &error))?;
    let said = [out.stdout, out.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    Ok((said.concat(), out.status.success()))
}

/// The line that says most about a failure.
fn failed(program: &str, said: &str) -> io::Error {
    let lines = || said.lines().filter(|line| !line.trim().is_empty() && !line.contains("SLF4J"));
    let why =
        lines().find(|line| line.contains("Exception") || line.contains("ERROR")).or(lines().next_back());
    io::Error::other(format!("{program}: {}", why.unwrap_or("it said nothing")))
}

/// Messages that were delivered or consumed without a failure, and MB/s, of librdkafka's summary, which is there only if
/// it ran to its end: `% 9 messages produced (..), 9 delivered (offset 8, 0 failed) in 9ms: 1 msgs/s and 0.10 MB/s, ..`
fn summary(said: &str) -> Option<(u64, f64)> {
    let is_summary = |line: &&str| {
        line.starts_with("% ")
            && line.contains(" messages ")
            && line.contains("MB/s")
            && !line.contains("INTERVAL")
    };
    let line = said.lines().rfind(is_summary)?;
    let before = |name: &str| line.split(name).next().filter(|text| text.len() < line.len());
    let last = |text: &str| text.split_whitespace().last().map(str::to_owned);
    let count = match before(" delivered") {
        Some(text) if before(" failed").and_then(last)? == "0" => last(text)?,
        Some(_) => return None,
        None => last(before(" messages ")?)?,
    };
    Some((count.parse().ok()?, last(before(" MB/s")?)?.trim_start_matches('(').parse().ok()?))
}

/// Records and MB/s (of 10^6 bytes) of the last line, whose fields stand in the header above it.
fn consumer_rate(said: &str) -> Option<(u64, f64)> {
    let header = said.lines().find(|line| line.starts_with("start.time"))?;
    let line = said.lines().rfind(|line| line.starts_with("20") && line.split(',').count() > 5)?;
    let field = |name: &str| {
        let at = header.split(',').position(|field| field.trim() == name)?;
        line.split(',').nth(at)?.trim().parse::<f64>().ok()
    };
    // A count of records is far below what a float holds exactly.
    Some((field("data.consumed.in.nMsg")? as u64, field("fetch.MB.sec")? * f64::from(1 << 20) / 1e6))
}

/// Of `.., 1.20 ms avg latency, 9.00 ms max latency, 1 ms 50th, 3 ms 95th, 7 ms 99th, 9 ms 99.9th.`
fn producer_percentiles(said: &str) -> Option<Measurements> {
    let line = said.lines().rfind(|line| line.contains("99.9th"))?;
    let value = |name: &str| {
        let piece = line.split(',').find(|piece| piece.trim().trim_end_matches('.').ends_with(name))?;
        piece.split_whitespace().next()?.parse::<f64>().ok()
    };
    Some(
        Measurements::default()
            .with(Metric::AckMedian, value(" 50th")?)
            .with(Metric::Ack99, value(" 99th")?)
            .with(Metric::Ack999, value(" 99.9th")?),
    )
}

/// Of `Percentiles: 50th = 0.51, 99th = 2.1, 99.9th = 7.0`, whatever the spacing.
fn round_trip_percentiles(said: &str) -> Option<Measurements> {
    let line = said.lines().find(|line| line.contains("50th"))?.replace('=', " ");
    let value = |name: &str| {
        let mut words = line.split_whitespace().skip_while(|word| word.trim_end_matches(',') != name);
        words.nth(1)?.trim_end_matches(',').parse::<f64>().ok()
    };
    Some(
        Measurements::default()
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

    fn shown(measured: &Measurements) -> Vec<String> {
        measured.0.iter().map(|(metric, value)| format!("{} {value}", metric.name())).collect()
    }

    #[test]
    fn the_percentiles_of_the_producer_are_read_from_its_last_line() {
        let said = "900 records sent, 180 records/sec\n1000 records sent, 199.9 records/sec (0.19 MB/sec), \
                    1.20 ms avg latency, 9.00 ms max latency, 1 ms 50th, 3 ms 95th, 7 ms 99th, 9 ms 99.9th.\n";
        let measured = producer_percentiles(said).expect("the line is whole");
        assert_eq!(shown(&measured), ["acknowledged, p50 1", "acknowledged, p99 7", "acknowledged, p99.9 9"]);
        assert_eq!(producer_percentiles("an exception"), None);
    }

    #[test]
    fn the_percentiles_of_round_trips_are_read() {
        let measured =
            round_trip_percentiles("Avg latency: 0.6 ms\nPercentiles: 50th = 0.5, 99th = 2, 99.9th = 7");
        assert_eq!(
            shown(&measured.expect("the line is whole")),
            ["end to end, p50 0.5", "end to end, p99 2", "end to end, p99.9 7"]
        );
    }

    #[test]
    fn a_run_without_its_summary_or_with_failures_has_failed() {
        let produced = "% 1000 messages produced (1024000 bytes), 1000 delivered (offset 0, 0 failed) in 9ms: \
                        111111 msgs/s and 113.77 MB/s, 0 produce failures, 0 in queue, no compression";
        assert_eq!(
            summary(produced).map(|(count, rate)| (count, rate.to_string())),
            Some((1000, "113.77".into()))
        );
        assert_eq!(summary(&produced.replace("(offset 0, 0 failed)", "(offset 0, 3 failed)")), None);
        let consumed = "% 500 messages (512000 bytes) consumed in 9ms: 55555 msgs/s (56.88 MB/s)";
        assert_eq!(
            summary(consumed).map(|(count, rate)| (count, rate.to_string())),
            Some((500, "56.88".into()))
        );
        assert_eq!(summary("%3|FAIL|no broker"), None);
    }

    #[test]
    fn the_consumers_fields_are_found_by_their_header() {
        let said = "start.time, end.time, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, \
                    rebalance.time.ms, fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec\n\
                    2026-01-02 03:04:05:678, 2026-01-02 03:04:06:678, 10.0, 10.0, 10240, 10240.0, 500, 500, 20.0, 1.0\n";
        let rate = consumer_rate(said).map(|(count, rate)| (count, rate.to_string()));
        assert_eq!(rate, Some((10_240, "20.97152".into())));
        assert_eq!(consumer_rate("an exception"), None);
    }
}
