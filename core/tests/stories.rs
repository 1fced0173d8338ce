//! Stories: text files under `core/tests/scripts` that drive real brokers step by step and hold what came of it.
//! A story's name is its claim (`fetch/waits_until_min_bytes`), its text can be read alone.
//!
//! ```text
//! # What the story is about, for a newcomer.
//! cluster nodes=1
//! topic t partitions=1
//! produce 1 t-0 a b
//!     t-0: offset 0
//! ```
//! A line at the margin is a command, or several with `;` between them; `#` begins a comment. What came of a
//! command follows it, indented: this is compared with what comes of it now. Nothing in a story is left to
//! chance and nothing fails but what the story makes fail, so a difference is a change of behaviour.
//!
//! `cargo test -p rust-mq-core --test stories [FILTER]` runs them; the environment variable `RECORD=1` writes
//! what comes of them into the files instead, to be read before it is committed. The verbs are described in
//! `script_runner/verbs`.
//!
//! Not here: chance, and faults that nobody named. Those are the simulator's.

#![allow(clippy::disallowed_methods, reason = "the runner reads its scripts, and prints what it found")]
#![allow(clippy::disallowed_macros, reason = "the runner reads its scripts, and prints what it found")]

mod script_runner;

use script_runner::script::Script;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let filters: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    let wanted = |name: &str| filters.is_empty() || filters.iter().any(|filter| name.contains(*filter));
    let names: Vec<(String, PathBuf)> =
        scripts(&folder, "").into_iter().filter(|(name, _)| wanted(name)).collect();
    if words.iter().any(|word| word == "--list") {
        names.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let is_recording = std::env::var("RECORD").is_ok_and(|value| value == "1");
    println!("\nrunning {} stories", names.len());
    let failed = names.iter().filter(|(name, path)| !holds(name, path, is_recording)).count();
    println!("\nstories: {} hold, {failed} do not\n", names.len() - failed);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Every script below `folder` with its claim.
fn scripts(folder: &Path, prefix: &str) -> Vec<(String, PathBuf)> {
    let entries = std::fs::read_dir(folder).expect("the folder of the scripts is in the repository");
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| entry.expect("a folder of the repository can be listed").path()).collect();
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let name = format!("{prefix}{stem}");
        if path.is_dir() {
            found.extend(scripts(&path, &format!("{name}/")));
        } else if path.extension().is_some_and(|extension| extension == "txt") {
            found.push((name, path));
        }
    }
    found
}

fn holds(name: &str, path: &Path, is_recording: bool) -> bool {
    let text = std::fs::read_to_string(path).expect("a script is a text file");
    let script = Script::parse(&text);
    let told = std::panic::catch_unwind(|| script_runner::tell(&script));
    match told {
        Ok(Ok(told)) if told == text => {
            println!("story {name} ... ok");
            true
        }
        Ok(Ok(told)) if is_recording => {
            std::fs::write(path, told).expect("a script can be written where it was read");
            println!("story {name} ... RECORDED");
            true
        }
        Ok(Ok(told)) => {
            println!("story {name} ... DIFFERS (- as recorded, + as it is)");
            print_difference(&text, &told);
            println!(
                "if it is meant: `RECORD=1 cargo test -p rust-mq-core --test stories {name}`, then read it"
            );
            false
        }
        Ok(Err(reason)) => {
            println!("story {name} ... FAILED\n{reason}");
            false
        }
        Err(_) => {
            println!("story {name} ... PANICKED");
            false
        }
    }
}

/// The lines from the first that differs, to the last.
fn print_difference(recorded: &str, told: &str) {
    let (old, new): (Vec<&str>, Vec<&str>) = (recorded.lines().collect(), told.lines().collect());
    let same = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let tail = old[same..].iter().rev().zip(new[same..].iter().rev()).take_while(|(old, new)| old == new);
    let tail = tail.count();
    old[same.saturating_sub(3)..same].iter().for_each(|line| println!("  {line}"));
    old[same..old.len() - tail].iter().for_each(|line| println!("- {line}"));
    new[same..new.len() - tail].iter().for_each(|line| println!("+ {line}"));
}
