//! librdkafka's own programs, from the source that the package `rdkafka-sys` carries: Cargo fetches it and looks that it is
//! what the registry says, the machine's C and C++ compilers build it. Its integration suite (`tests/test.c` there lists
//! it) is let loose on a broker one test at a time; its load generator is for `bench`.
//!
//! Without TLS and SASL, which a broker of ours does not speak.
//!
//! Invariant: what is fetched and built lies in the user's cache folder, never in the checkout.

use crate::programs::{self, cache};
use serde_json::Value;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// The package, whose librdkafka is 2.12.1.
const PACKAGE: &str = "rdkafka-sys = \"=4.10.0\"";
/// The version of Kafka that the suite is told: tests are left out that want a newer one.
const KAFKA_VERSION: &str = "4.0.0";
/// How long one test may take: their own bound is mostly 60 s, a few have more.
const TEST_MAX: Duration = Duration::from_secs(400);

/// What came of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It passed.
    Passed,
    /// It says itself that it does not apply here.
    Skipped,
    /// It failed: the last that it said of that.
    Failed(String),
    /// It did not end in time.
    Hung,
}

/// The load generator, fetched and built if need be.
///
/// # Errors
/// Something cannot be fetched or built; the error says what was said.
pub fn performance() -> io::Result<PathBuf> {
    let source = source()?;
    let program = source.join("examples/rdkafka_performance");
    if !program.exists() {
        done(Command::new("make").args(["-C", "examples", "rdkafka_performance"]).current_dir(&source))?;
    }
    Ok(program)
}

/// The suite, fetched and built if need be.
#[derive(Clone, Debug)]
pub struct Suite {
    folder: PathBuf,
}

impl Suite {
    /// Ready to run. Building takes some minutes.
    ///
    /// # Errors
    /// As [`performance`].
    pub fn ready() -> io::Result<Suite> {
        let source = source()?;
        let folder = source.join("tests");
        if !folder.join("test-runner").exists() {
            eprintln!("building librdkafka's tests");
            done(Command::new("make").args(["-C", "src-cpp"]).current_dir(&source))?;
            done(Command::new("make").args(["-C", "tests", "build"]).current_dir(&source))?;
        }
        Ok(Suite { folder })
    }

    /// The names of the tests that need a broker, in the suite's order. Those that begin with the same number run together.
    ///
    /// # Errors
    /// Its source cannot be read.
    pub fn tests(&self) -> io::Result<Vec<String>> {
        Ok(listed(&fs::read_to_string(self.folder.join("test.c"))?))
    }

    /// Runs the tests of these names, which begin with the same number, against the broker at that address, and keeps what
    /// they say in `log`. What came of each, in their order.
    ///
    /// # Errors
    /// They cannot be run.
    pub fn run(&self, tests: &[String], broker: &str, log: &Path) -> io::Result<Vec<Verdict>> {
        let (conf, report) = (log.with_extension("conf"), log.with_extension("json"));
        fs::write(&conf, format!("metadata.broker.list={broker}\ntest.topic.random=true\n"))?;
        let mut command = Command::new("./test-runner");
        command.args(["-p1", "-L"]).current_dir(&self.folder).env("LD_LIBRARY_PATH", "../src:../src-cpp");
        command.env("TESTS", number(&tests[0])).env("TEST_KAFKA_VERSION", KAFKA_VERSION);
        command.env("RDKAFKA_TEST_CONF", &conf).env("TEST_REPORT", &report);
        let patience = TEST_MAX * u32::try_from(tests.len()).unwrap_or(u32::MAX);
        let outcome = programs::run(command, &[], patience);
        let said = outcome.output + &outcome.errors;
        fs::write(log, &said)?;
        let report = fs::read_to_string(&report).unwrap_or_default();
        let has_ended = outcome.status.is_some();
        Ok(tests.iter().map(|test| verdict(test, &report, &said, has_ended)).collect())
    }
}

/// What a test is called by when it is run.
pub fn number(test: &str) -> &str {
    test.split('_').next().unwrap_or(test)
}

fn source() -> io::Result<PathBuf> {
    let folder = cache().join("librdkafka");
    let source = folder.join("vendor/rdkafka-sys/librdkafka");
    if source.join("src/librdkafka.a").exists() {
        return Ok(source);
    }
    eprintln!("fetching and building librdkafka");
    fs::create_dir_all(folder.join("src"))?;
    fs::write(folder.join("src/lib.rs"), "")?;
    let package = "[package]\nname = \"peer\"\nversion = \"0.0.0\"\nedition = \"2021\"\n";
    fs::write(folder.join("Cargo.toml"), format!("{package}[dependencies]\n{PACKAGE}\n[workspace]\n"))?;
    done(Command::new("cargo").args(["vendor", "vendor"]).current_dir(&folder))?;
    let without = ["--disable-sasl", "--disable-ssl", "--disable-curl"];
    done(Command::new("./configure").args(without).current_dir(&source))?;
    done(Command::new("make").args(["-C", "src"]).current_dir(&source))?;
    Ok(source)
}

fn done(command: &mut Command) -> io::Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| io::Error::other(format!("{program} cannot be started: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("{program} failed: {}", String::from_utf8_lossy(&output.stderr))))
}

/// The tests in the table of `test.c`, less those that need no broker or are for a person.
fn listed(source: &str) -> Vec<String> {
    let entries = source.split("\n    _TEST(").skip(1);
    let needs_broker = |entry: &str| {
        let (name, rest) = entry.split_once(',')?;
        // Flags up to the next comma, or the end of the entry.
        let flags = rest.split([',', ')']).next().unwrap_or_default();
        let is_ours = !flags.contains("TEST_F_LOCAL") && !flags.contains("TEST_F_MANUAL");
        is_ours.then(|| name.to_owned())
    };
    entries.filter_map(needs_broker).collect()
}

/// From the report that the runner writes at its end, and what it said.
fn verdict(test: &str, report: &str, said: &str, has_ended: bool) -> Verdict {
    let report: Value = serde_json::from_str(report).unwrap_or_default();
    match report["tests"][test]["state"].as_str() {
        Some("PASSED") => Verdict::Passed,
        Some("SKIPPED") => Verdict::Skipped,
        None if !has_ended => Verdict::Hung,
        _ => Verdict::Failed(first_words(test, said)),
    }
}

/// The first that was said of a test's failure, without colours, up to the time.
fn first_words(test: &str, said: &str) -> String {
    let tells = |line: &&str| line.contains("### Test") && line.contains(test) && line.contains("failed at");
    let line = said.lines().find(tells).and_then(|line| line.split(" failed at ").nth(1));
    let line = line.map_or("it did not say why", |line| line.split(" at ").next().unwrap_or(line));
    line.chars().filter(|letter| !letter.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_that_need_no_broker_are_left_out() {
        let source = "x = {\n    _TEST(0001_a, 0),\n    _TEST(0002_b, TEST_F_LOCAL),\n    _TEST(0003_c,\n          TEST_F_LOCAL,\n          TEST_BRKVER(1, 0, 0, 0)),\n    _TEST(0004_d, TEST_F_SOCKEM, TEST_BRKVER(0, 9, 0, 0)),\n    _TEST(8000_e, TEST_F_MANUAL),\n";
        assert_eq!(listed(source), ["0001_a", "0004_d"]);
    }

    #[test]
    fn a_verdict_is_what_the_report_says_and_a_failure_says_where() {
        let report = |state: &str| format!("{{\"tests\": {{\"0001_a\": {{\"state\": \"{state}\"}}}}}}");
        assert_eq!(verdict("0001_a", &report("PASSED"), "", true), Verdict::Passed);
        assert_eq!(verdict("0001_a", &report("SKIPPED"), "", true), Verdict::Skipped);
        assert_eq!(verdict("0001_a", "", "", false), Verdict::Hung);
        let said = "\u{1b}[31m### Test \"0001_a (sub:1)\" failed at 0001-a.c:7:do() at Sat Nov 28: ###\n";
        let failed = verdict("0001_a", &report("FAILED"), said, true);
        assert_eq!(failed, Verdict::Failed("0001-a.c:7:do()".into()));
        assert_eq!(number("0001_a"), "0001");
    }
}
