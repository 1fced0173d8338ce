//! Lets every Kafka client of the roster play against one node and against three, and writes down what came of it.
//!
//! ```text
//! cargo run -p tests --bin interop                       all of them, about 40 minutes
//! cargo run -p tests --bin interop -- kafkajs franz-go   these; the other rows of the matrix stay as they are
//! cargo run -p tests --bin interop -- --only group --scene three kafkajs
//! ```
//!
//! Each step is a line of JSON on stdout. `--only` is a part of the steps' names, `--scene` is `one` or `three`;
//! with either nothing is written but those lines. The exit code is 1 if a step failed.

use std::process::ExitCode;
use tests::interop::Verdict;
use tests::interop::acts::{Done, give};
use tests::interop::matrix::{self, PAGE, RESULTS};
use tests::interop::roster::{Entry, ROSTER};
use tests::interop::scene::Scene;

/// What the command line asks for.
struct Wish {
    clients: Vec<&'static Entry>,
    only: String,
    scene: String,
}

fn main() -> ExitCode {
    let wish = match wish(std::env::args().skip(1)) {
        Ok(wish) => wish,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::from(2);
        }
    };
    let mut all = Vec::new();
    for entry in &wish.clients {
        let launch = entry.ready();
        for (name, scene) in [("one", Scene::one as fn() -> Scene), ("three", Scene::three)] {
            if name.contains(&wish.scene) {
                // Brokers of its own, so that what one client does to them is no other's trouble.
                give(entry, &launch, &mut scene(), &wish.only, |done| {
                    println!("{}", matrix::line(done));
                    all.push(done.clone());
                });
            }
        }
        if wish.only.is_empty() && wish.scene.is_empty() {
            write(&all);
        }
    }
    let failed = all.iter().filter(|done| matches!(done.verdict, Verdict::Wrong(_))).count();
    eprintln!("{} steps, {failed} failed", all.len());
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn wish(mut words: impl Iterator<Item = String>) -> Result<Wish, String> {
    let mut wish = Wish { clients: Vec::new(), only: String::new(), scene: String::new() };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--only" => wish.only = words.next().ok_or("--only wants a part of a step's name")?,
            "--scene" => wish.scene = words.next().ok_or("--scene wants `one` or `three`")?,
            name => {
                let known: Vec<&str> = ROSTER.iter().map(|entry| entry.name).collect();
                let entry = Entry::named(name).ok_or(format!("no client {name}; there are {known:?}"))?;
                wish.clients.push(entry);
            }
        }
    }
    if wish.clients.is_empty() {
        wish.clients = ROSTER.iter().collect();
    }
    Ok(wish)
}

/// Keeps the results, and what they render to.
fn write(new: &[Done]) {
    let (results, readme) = (matrix::path(RESULTS), matrix::path("README.md"));
    // There is none before the first run.
    let old = std::fs::read_to_string(&results).unwrap_or_default();
    let all = matrix::merge(matrix::parse(&old), new.to_vec());
    let lines: String = all.iter().map(|done| matrix::line(done) + "\n").collect();
    let text = std::fs::read_to_string(&readme).expect("README.md can be read");
    let pages = [
        (results, lines),
        (matrix::path(PAGE), matrix::page(&all)),
        (readme, matrix::with_short(&text, &matrix::short(&all))),
    ];
    for (path, text) in pages {
        std::fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}
