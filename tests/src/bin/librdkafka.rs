//! Runs librdkafka's own integration suite against a node, and says how many of its tests pass.
//!
//! ```text
//! cargo run -p tests --bin librdkafka                      all that need a broker, about half an hour
//! cargo run -p tests --bin librdkafka -- 0012 0081         those whose names begin so
//! cargo run -p tests --bin librdkafka -- --brokers HOST:PORT   against a broker that runs already, Apache Kafka's say
//! ```
//!
//! Each test is a line on stdout, what it said a file in the folder that the first line names. The tests that cannot
//! pass stand in `tests/librdkafka/rest.txt`, each with its reason; the exit code is 1 if another one does not.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::process::{Command, ExitCode};
use tests::binary::binary;
use tests::librdkafka::{Suite, Verdict, number};
use tests::node::Node;
use tests::programs::{self, PATIENCE};

/// Those that cannot pass: a name and its reason a line.
const REST: &str = include_str!("../../librdkafka/rest.txt");

fn main() -> ExitCode {
    match run(std::env::args().skip(1)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// Whether all passed that can.
fn run(mut words: impl Iterator<Item = String>) -> io::Result<bool> {
    let (mut brokers, mut wanted) = (None, Vec::new());
    while let Some(word) = words.next() {
        match word.as_str() {
            "--brokers" => brokers = words.next(),
            _ => wanted.push(word),
        }
    }
    let suite = Suite::ready()?;
    let is_wanted =
        |name: &String| wanted.is_empty() || wanted.iter().any(|start| name.starts_with(start.as_str()));
    let tests: Vec<String> = suite.tests()?.into_iter().filter(is_wanted).collect();
    let node = brokers.is_none().then(node);
    let broker = brokers.or_else(|| node.as_ref().map(|node| node.address().to_string())).unwrap_or_default();
    let folder = std::env::temp_dir().join(format!("librdkafka-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    println!("{} tests against {broker}; what they say is in {}", tests.len(), folder.display());
    let rest = rest(REST);
    let (mut passed, mut skipped, mut worse) = (0, 0, Vec::new());
    for together in tests.chunk_by(|one, other| number(one) == number(other)) {
        let log = folder.join(format!("{}.log", number(&together[0])));
        for (test, verdict) in together.iter().zip(suite.run(together, &broker, &log)?) {
            let excuse = rest.get(test.as_str());
            let words = match &verdict {
                Verdict::Passed => "passed".to_owned(),
                Verdict::Skipped => "skipped by itself".to_owned(),
                Verdict::Failed(place) => format!("FAILED at {place}"),
                Verdict::Hung => "FAILED: it did not end".to_owned(),
            };
            let known = excuse.map_or(String::new(), |why| format!("; known: {why}"));
            println!("{test:<48} {words}{known}");
            match verdict {
                Verdict::Passed => passed += 1,
                Verdict::Skipped => skipped += 1,
                Verdict::Failed(_) | Verdict::Hung if excuse.is_none() => worse.push(test.as_str()),
                Verdict::Failed(_) | Verdict::Hung => {}
            }
        }
    }
    println!("{passed} of {} passed, {skipped} skipped themselves", tests.len());
    if !worse.is_empty() {
        println!("not known to fail: {}", worse.join(", "));
    }
    Ok(worse.is_empty())
}

/// A node as the suite wants it: topics that come into being by being named have four partitions.
fn node() -> Node {
    let node = Node::in_memory();
    let mut command = Command::new(binary());
    command.args(["config", "set", "--brokers", &node.address().to_string(), "broker", "num.partitions=4"]);
    programs::run(command, &[], PATIENCE).expect_success("setting num.partitions");
    node
}

fn rest(text: &str) -> BTreeMap<&str, &str> {
    text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(' ')).collect()
}
