//! Of the Kafka clients that no other test drives, one of each language plays its everyday work on one node: Java's
//! own, franz-go, kafkajs. All clients, and three nodes of which some die, are `cargo run -p tests --bin interop`; what
//! that wrote is held here against its results.

use tests::interop::Verdict;
use tests::interop::acts::give;
use tests::interop::matrix::{self, PAGE, RESULTS};
use tests::interop::roster::Entry;
use tests::interop::scene::Scene;

/// The whole play on one node; no step fails, and none is declined but those.
#[track_caller]
fn plays(name: &str, declined: &[&str]) {
    let entry = Entry::named(name).expect("it is on the roster");
    let launch = entry.ready();
    let mut done = Vec::new();
    give(entry, &launch, &mut Scene::one(), "", |step| done.push(step.clone()));
    for step in &done {
        let is_as_expected = match step.verdict {
            Verdict::Fine(_) => true,
            Verdict::NotOffered(_) => declined.contains(&step.step.as_str()),
            Verdict::Wrong(_) => false,
        };
        let lines: String = done.iter().map(|step| matrix::line(step) + "\n").collect();
        assert!(is_as_expected, "{name}, {}: {:?}\nall of it:\n{lines}", step.step, step.verdict);
    }
    assert!(done.len() > 10, "the play has all its steps");
}

#[test]
fn apache_kafkas_client_for_java_is_at_work() {
    plays("java-4.4", &[]);
}

#[test]
fn franz_go_is_at_work() {
    plays("franz-go", &[]);
}

#[test]
fn kafkajs_is_at_work() {
    plays("kafkajs", &[]);
}

#[test]
fn the_matrix_is_what_its_results_say() {
    let read = |name: &str| {
        std::fs::read_to_string(matrix::path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    let results = matrix::parse(&read(RESULTS));
    let again = "cargo run -p tests --bin interop -- CLIENT writes them anew";
    assert_eq!(read(PAGE), matrix::page(&results), "{again}");
    let readme = read("README.md");
    assert_eq!(readme, matrix::with_short(&readme, &matrix::short(&results)), "{again}");
}
