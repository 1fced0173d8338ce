//! What a person reads: the outcome of a run, the totals of many, and the story of a failure on one page.

use crate::marks::Marks;
use crate::plan::Plan;
use crate::run::run;
use crate::trace::Watch;
use crate::world::Report;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

/// Lines of the trace that a story ends with.
const TAIL: usize = 40;
/// Notes that a story has at most.
const NOTES: usize = 60;

/// Many runs together.
#[derive(Clone, Debug, Default)]
pub struct Total {
    runs: u64,
    events: u64,
    turns: u64,
    node_ns: u64,
    completed: Vec<u64>,
    acked: Vec<u64>,
    elections: Vec<u64>,
    clusters: u64,
    /// What was reached by any of them.
    pub marks: Marks,
    /// How many of them reached each mark.
    reached: BTreeMap<&'static str, u64>,
}

/// A plan as text.
pub fn plan_text(plan: &Plan) -> String {
    let mut text = serde_json::to_string_pretty(plan).expect("plans are plain data");
    text.push('\n');
    text
}

/// The plan of a file.
pub fn read_plan(path: &Path) -> std::io::Result<Plan> {
    let text = std::fs::read_to_string(path)?;
    Ok(serde_json::from_str(&text)?)
}

/// How fast it went: the one figure that is the clock's and not the seed's, so it stands in no story.
pub fn rate(events: u64, took: Duration) -> String {
    format!("{} events a second", events * 1_000_000 / (took.as_micros() as u64).max(1))
}

/// The outcome of a run in a few lines: the same for every run of a plan.
pub fn summary(report: &Report) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{} nodes, {} simulated ms, {} steps, {} turns, {} events",
        report.sites,
        report.lasted_ns / 1_000_000,
        report.steps,
        report.turns,
        report.events,
    );
    let _ = writeln!(
        text,
        "{} operations completed, {} batches acknowledged, {} refused, {} records read, {} elections",
        report.completed, report.acked, report.refused, report.read, report.elections
    );
    for (name, count) in report.marks.iter() {
        let _ = writeln!(text, "  {count:>8} {name}");
    }
    let _ = writeln!(text, "trace {:016x}", report.hash);
    match &report.failure {
        Some(failure) => {
            let _ = write!(text, "RED: {failure}");
        }
        None if report.is_whole => text.push_str("green"),
        None => {
            let _ = write!(text, "stopped after {} steps; nothing has broken so far", report.steps);
        }
    }
    text
}

/// The story of a failing plan: what was set up, what went wrong when, what broke, and the last that was said.
pub fn tell(plan: &Plan) -> String {
    let report = run(plan, Watch::Tail(TAIL), None);
    let mut text = String::new();
    let Some(failure) = &report.failure else { return "the plan is green\n".to_owned() };
    let _ = writeln!(text, "{failure}\n");
    let _ = writeln!(text, "seed {}: {} nodes, core {:?}", plan.seed, plan.sites.len(), plan.core);
    if let Some(mutant) = &plan.mutant {
        let _ = writeln!(text, "mutant: {mutant:?}");
    }
    if let Some(mutant) = &plan.client_mutant {
        let _ = writeln!(text, "mutant of the client: {mutant:?}");
    }
    for topic in &plan.topics {
        let _ = writeln!(
            text,
            "topic {}: partitions {}, replicas {}",
            topic.name, topic.partitions, topic.replicas
        );
    }
    for (number, client) in plan.clients.iter().enumerate() {
        let _ = match client.operations {
            u32::MAX => writeln!(text, "client {number}: {:?}", client.role),
            operations => writeln!(text, "client {number}: {:?}, {operations} operations", client.role),
        };
    }
    for fault in &plan.faults {
        let _ = writeln!(text, "{:>6} ms for {:>6} ms  {:?}", fault.at_ms, fault.lasts_ms, fault.what);
    }
    let _ = writeln!(text, "\nwhat happened, by milliseconds:");
    let (first, last) = report.notes.split_at(report.notes.len().min(NOTES / 2));
    let last = &last[last.len().saturating_sub(NOTES / 2)..];
    for line in first {
        let _ = writeln!(text, "{line}");
    }
    let left_out = report.notes.len() - first.len() - last.len();
    if left_out > 0 {
        let _ = writeln!(text, "       ... {left_out} more ...");
    }
    for line in last {
        let _ = writeln!(text, "{line}");
    }
    let _ = writeln!(
        text,
        "\nthe last that was said, by step and milliseconds (<- told to a node, -> asked by it):"
    );
    for line in &report.tail {
        let _ = writeln!(text, "{line}");
    }
    text
}

impl Total {
    /// Adds a run.
    pub fn add(&mut self, report: &Report) {
        self.runs += 1;
        self.events += report.events;
        self.turns += report.turns;
        self.node_ns += report.lasted_ns;
        self.clusters += u64::from(report.sites >= 3);
        self.completed.push(report.completed);
        self.acked.push(report.acked);
        self.elections.push(report.elections);
        self.marks.merge(&report.marks);
        report.marks.iter().for_each(|(name, _)| *self.reached.entry(name).or_default() += 1);
    }

    /// Of a thousand runs, how many reached a mark.
    pub fn per_thousand(&self, mark: &str) -> u64 {
        self.reached.get(mark).map_or(0, |runs| (runs * 1000).div_ceil(self.runs.max(1)))
    }

    /// What was promised and not kept: marks that fewer of a thousand runs reached than their floor.
    pub fn below<'a>(&self, floors: &[(&'a str, u64)]) -> Vec<&'a str> {
        let is_below = |(mark, floor): &&(&'a str, u64)| self.per_thousand(mark) < *floor;
        floors.iter().filter(is_below).map(|(mark, _)| *mark).collect()
    }

    /// What was promised, and how it was kept.
    pub fn floors_text(&self, floors: &[(&str, u64)]) -> String {
        let mut text =
            String::from("of a thousand runs so many reached the mark, and at least so many must:\n");
        for (mark, floor) in floors {
            let _ = writeln!(text, "  {:>4} {floor:>4} {mark}", self.per_thousand(mark));
        }
        text
    }

    /// The median of operations that were answered as hoped, acknowledged batches among them.
    pub fn completed_median(&self) -> u64 {
        median(&self.completed)
    }

    /// The median of acknowledged batches.
    pub fn acked_median(&self) -> u64 {
        median(&self.acked)
    }

    /// The median of elections.
    pub fn elections_median(&self) -> u64 {
        median(&self.elections)
    }

    /// Of a hundred runs, how many had three nodes or more.
    pub fn clusters_percent(&self) -> u64 {
        self.clusters * 100 / self.runs.max(1)
    }

    /// How many events there were in all.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// All of it: the same for every run of the same seeds.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let _ = writeln!(
            text,
            "{} runs, {} cluster-seconds, {} events, {} turns, {} % of three nodes or more",
            self.runs,
            self.node_ns / 1_000_000_000,
            self.events,
            self.turns,
            self.clusters_percent()
        );
        let _ = writeln!(
            text,
            "median: {} operations completed, {} batches acknowledged, {} elections",
            self.completed_median(),
            self.acked_median(),
            self.elections_median()
        );
        for (name, count) in self.marks.iter() {
            let _ = writeln!(text, "  {count:>8} {name}");
        }
        text
    }
}

fn median(of: &[u64]) -> u64 {
    let mut sorted = of.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or(0)
}
