//! Instruction counts of the pure core, which do not depend on how busy the machine is: the same binary counts the
//! same twice, so that a change of two in a hundred is the code's and can be refused by CI.
//!
//! `callgrind` runs one script of `scripts` in a process of its own and counts the instructions within
//! [`world::measured_turn`], so within `Broker::handle` alone: making requests, the disk in memory and the wires
//! between nodes are not counted. What is kept stands in `bench/instructions.txt`, a line a script.
//!
//! The counts hold for the release profile, this compiler and this C library (its `malloc` and `memcpy` are within);
//! who changes one of them records them anew with `--record`, in a commit that says so.

mod attacks;
mod disk;
mod scripts;
mod world;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

/// By how much a count may differ from the one that is kept.
const TOLERANCE: f64 = 0.02;
const KEPT: &str = "bench/instructions.txt";

/// What the command line says.
#[derive(clap::Args)]
pub struct Options {
    /// Keep the counts of now
    #[arg(long)]
    record: bool,
    /// Run this script once, and count nothing: what callgrind is started on
    #[arg(long, hide = true)]
    script: Option<String>,
    /// The script is an attack, of this size
    #[arg(long, hide = true)]
    size: Option<usize>,
    /// Only those whose name contains this, and keep nothing
    #[arg(long)]
    only: Option<String>,
}

/// Counts every script, and compares with what is kept.
pub fn run(options: &Options) -> io::Result<()> {
    if let Some(name) = &options.script {
        let ran = options.size.map_or_else(|| scripts::run(name), |size| attacks::run(name, size));
        return ran.map_err(io::Error::other);
    }
    let only = options.only.as_deref().unwrap_or("");
    attacked(only)?;
    let mut counts = BTreeMap::new();
    for name in scripts::names().filter(|name| name.contains(only)) {
        counts.insert(name.to_owned(), count(name, None)?);
    }
    if options.record && only.is_empty() {
        let lines = counts.iter().map(|(name, count)| format!("{name} {count}\n"));
        fs::write(KEPT, lines.collect::<String>())?;
    }
    let mut kept = parse(&fs::read_to_string(KEPT)?);
    kept.retain(|name, _| name.contains(only));
    let (lines, is_within) = compared(&counts, &kept);
    print!("{lines}");
    if is_within {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "instructions differ by more than {:.0} %: mend it, or record them with `instructions --record` and say why",
        TOLERANCE * 100.0
    )))
}

/// Counts every attack at two sizes, and holds what it costs against its bounds.
fn attacked(only: &str) -> io::Result<()> {
    let [size, once, twice] = ["size", "instructions", "twice the size"];
    println!(
        "{:<28} {size:>6} {once:>14} {twice:>14} {:>6} {:>10} {:>9}",
        "attack", "ratio", "each", "at most"
    );
    let mut is_within = true;
    for attack in attacks::ATTACKS.iter().filter(|attack| attack.name.contains(only)) {
        let once = count(attack.name, Some(attack.size))?;
        let (line, holds) = attack.judge(once, count(attack.name, Some(2 * attack.size))?);
        print!("{line}");
        is_within &= holds;
    }
    if is_within { Ok(()) } else { Err(io::Error::other("a request costs more than it may")) }
}

/// A table of now against kept, and whether all are within the tolerance.
fn compared(counts: &BTreeMap<String, u64>, kept: &BTreeMap<String, u64>) -> (String, bool) {
    let mut lines = format!("{:<24} {:>14} {:>14} {:>9}\n", "script", "instructions", "kept", "change");
    let mut is_within = counts.len() == kept.len();
    for (name, count) in counts {
        let before = kept.get(name).copied().unwrap_or(0);
        let change = *count as f64 / before.max(1) as f64 - 1.0;
        is_within &= change.abs() <= TOLERANCE;
        lines += &format!("{name:<24} {count:>14} {before:>14} {:>8.2}%\n", change * 100.0);
    }
    (lines, is_within)
}

/// Lines of a name and a count.
fn parse(text: &str) -> BTreeMap<String, u64> {
    let line = |line: &str| {
        let (name, count) = line.rsplit_once(' ')?;
        Some((name.to_owned(), count.parse().ok()?))
    };
    text.lines().filter_map(line).collect()
}

fn count(script: &str, size: Option<usize>) -> io::Result<u64> {
    let out = std::env::temp_dir().join(format!("callgrind-{}-{script}", std::process::id()));
    let ran = Command::new("valgrind")
        .args(["--tool=callgrind", "--collect-atstart=no", "--toggle-collect=*measured_turn*"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(std::env::current_exe()?)
        .args(["instructions", "--script", script])
        .args(size.iter().flat_map(|size| ["--size".into(), size.to_string()]))
        .env_clear()
        .output()
        .map_err(|error| {
            crate::side::artifacts::missing("valgrind (Debian: apt-get install valgrind)", &error)
        })?;
    if !ran.status.success() {
        return Err(io::Error::other(format!("{script}: {}", String::from_utf8_lossy(&ran.stderr))));
    }
    let total = total(&out);
    fs::remove_file(&out)?;
    total?.ok_or_else(|| io::Error::other(format!("{script}: callgrind counted nothing")))
}

/// The `totals:` of callgrind's file.
fn total(file: &Path) -> io::Result<Option<u64>> {
    let text = fs::read_to_string(file)?;
    let line = text.lines().find_map(|line| line.strip_prefix("totals:"));
    Ok(line.and_then(|count| count.trim().parse().ok()).filter(|count| *count > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_in_a_hundred_are_allowed_and_three_are_not() {
        let kept = parse("fetch 1000\n");
        assert!(compared(&parse("fetch 1019\n"), &kept).1);
        assert!(!compared(&parse("fetch 1030\n"), &kept).1);
        assert!(!compared(&parse("fetch 970\n"), &kept).1, "what became cheaper is recorded too");
        assert!(!compared(&parse("fetch 1000\nnew 5\n"), &kept).1, "a new script has to be recorded");
    }

    #[test]
    fn every_script_runs_to_its_end() {
        for name in scripts::names() {
            scripts::run(name).unwrap_or_else(|why| panic!("{name}: {why}"));
        }
    }
}
