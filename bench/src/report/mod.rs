//! The report: everything that was measured as JSON, and what a person reads of it as Markdown with charts. The
//! pages are made from the JSON alone, so that they can be made again without measuring.
//!
//! `markdown` writes the page and the short table, `chart` the pictures. What a person has to say about promises that
//! are not kept stands in `bench/report/notes.md`, and becomes a part of the page.

mod chart;
mod digits;
mod markdown;

pub use markdown::short;

use crate::finding::StationResult;
use crate::floor::Floor;
use crate::side::kit::Kit;
use crate::side::{JVM_FLAGS, artifacts};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

const COMMIT: &str = "Rust-MQ, commit";

/// Everything.
#[derive(Debug, Serialize, Deserialize)]
pub struct Report {
    /// When it began, UTC.
    pub date: String,
    /// How to measure it again.
    pub command: String,
    /// Whether it was a quick run, which proves little.
    pub is_quick: bool,
    /// Pairs a station.
    pub pairs: usize,
    /// What the machine is.
    pub machine: BTreeMap<String, String>,
    /// Who was compared.
    pub versions: BTreeMap<String, String>,
    /// The SHA-256 of each jar of Kafka's.
    pub jars: BTreeMap<String, String>,
    /// What Kafka's JVM was told.
    pub jvm_flags: Vec<String>,
    /// What the machine can do.
    pub floor: Floor,
    /// All results.
    pub stations: Vec<StationResult>,
}

impl Report {
    /// With what is known before anything was compared.
    pub fn begin(kit: &Kit, is_quick: bool, pairs: usize) -> io::Result<Report> {
        let mut versions = BTreeMap::new();
        let mut version = |name: &str, text: String| versions.insert(name.to_owned(), text);
        version("Rust-MQ", said(Command::new(&kit.binary).arg("--version")));
        version(COMMIT, said(Command::new("git").args(["rev-parse", "--short=12", "HEAD"])));
        version("Apache Kafka", kit.kafka_version.clone());
        version("Kafka's tools", artifacts::TOOLS_VERSION.to_owned());
        version("Java", kit.java_version.clone());
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        Ok(Report {
            date: date(),
            command: format!("cargo run --release -p rust-mq-bench -- {}", arguments.join(" ")),
            is_quick,
            pairs,
            machine: machine(&kit.disk)?,
            versions,
            jars: artifacts::sums(&kit.kafka)?,
            jvm_flags: JVM_FLAGS.map(str::to_owned).to_vec(),
            floor: Floor::measure(&kit.disk)?,
            stations: Vec::new(),
        })
    }
}

impl Report {
    /// Takes over the stations of the report that lies in this folder, if there is one.
    pub fn keep(&mut self, folder: &Path) -> io::Result<()> {
        let Ok(text) = fs::read_to_string(folder.join("report.json")) else { return Ok(()) };
        let old: Report = serde_json::from_str(&text)?;
        if old.is_quick != self.is_quick
            || old.versions.get("Apache Kafka") != self.versions.get("Apache Kafka")
        {
            return Err(io::Error::other(
                "the report there is of another kind of run; say `--out` with another folder",
            ));
        }
        self.stations = old.stations;
        Ok(())
    }

    /// The time, and the commit that is measured.
    pub fn now(&self) -> String {
        format!("{} UTC, commit {}", date(), self.versions.get(COMMIT).map_or("", String::as_str))
    }

    /// Puts a station in the place of an older one of its name, in the order of these names.
    pub fn put(&mut self, station: StationResult, names: &[&str]) {
        self.stations.retain(|old| old.name != station.name);
        self.stations.push(station);
        self.stations.sort_by_key(|station| names.iter().position(|name| *name == station.name));
    }
}

fn date() -> String {
    said(Command::new("date").args(["-u", "+%Y-%m-%d %H:%M"]))
}

/// Writes the JSON, and the pages made from it.
pub fn write(report: &Report, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut text = serde_json::to_string_pretty(report)?;
    text.push('\n');
    fs::write(folder.join("report.json"), text)?;
    pages(report, folder)
}

/// Makes the pages of a report that is there.
pub fn render(folder: &Path) -> io::Result<()> {
    let report: Report = serde_json::from_str(&fs::read_to_string(folder.join("report.json"))?)?;
    println!("{}", short(&report));
    pages(&report, folder)
}

fn pages(report: &Report, folder: &Path) -> io::Result<()> {
    let notes = fs::read_to_string(folder.join("notes.md")).unwrap_or_default();
    fs::write(folder.join("README.md"), markdown::page(report, &notes))?;
    for station in &report.stations {
        fs::write(folder.join(chart::file(station)), chart::svg(station))?;
    }
    Ok(())
}

fn machine(disk: &Path) -> io::Result<BTreeMap<String, String>> {
    let line = |path: &str, name: &str| {
        let text = fs::read_to_string(path).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
        line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    fs::create_dir_all(disk)?;
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    Ok(BTreeMap::from([
        ("processor", line("/proc/cpuinfo", "model name")),
        ("cores", std::thread::available_parallelism()?.to_string()),
        ("memory", line("/proc/meminfo", "MemTotal")),
        ("kernel", fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned()),
        ("file system", said(Command::new("stat").args(["-f", "-c", "%T"]).arg(disk))),
        ("load before the run", load.split(' ').next().unwrap_or_default().to_owned()),
    ])
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect())
}

/// What a command prints, or nothing where it cannot be run.
fn said(command: &mut Command) -> String {
    let out = command.output().map(|out| String::from_utf8_lossy(&out.stdout).trim().to_owned());
    out.unwrap_or_default()
}
