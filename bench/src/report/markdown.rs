//! The page that a person reads, and the short table that README carries.

use crate::finding::{Numbers, RowResult, StationResult};
use crate::metric::Metric;
use crate::report::digits::digits;
use crate::report::{Report, chart};
use crate::statistics::Spread;
use crate::workload::watch::WarmUp;
use std::fmt::Write;

/// The whole page; `notes` is what a person says about promises that are not kept.
pub fn page(report: &Report, notes: &str) -> String {
    let mut page = String::from("# Side by side with Apache Kafka\n\n");
    let mut say = |text: &str| {
        page.push_str(text);
        page.push('\n');
    };
    say(&format!(
        "Written by `{}`, {} UTC, {} pairs a station of what promises something; the rest is sampled in fewer, and as many ratios stand there.\n",
        report.command, report.date, report.pairs
    ));
    if report.is_quick {
        say("A quick run: it shows that the machinery works, and no more.\n");
    }
    say(HOW_TO_READ);
    say("## Promises\n");
    say(&table(report));
    say(&broken(report));
    say(notes);
    say("## The machine\n");
    say(&pairs(report.machine.iter().chain(&report.versions)));
    say("What it can do, measured before the first station:\n");
    let floor = report.floor.0.iter();
    let floor: Vec<(String, String)> =
        floor.map(|part| (part.name.clone(), format!("{} {}", digits(part.value), part.unit))).collect();
    say(&pairs(floor.iter().map(|(name, value)| (name, value))));
    for station in &report.stations {
        say(&station_text(report, station));
    }
    say("## Configurations\n");
    say(&format!(
        "Kafka's JVM: `{}`. Its jars and their sums are in `report.json`.\n",
        report.jvm_flags.join(" ")
    ));
    for station in &report.stations {
        say(&format!(
            "### {}\n\nOurs:\n\n```\n{}```\n\nKafka:\n\n```\n{}```\n",
            station.name, station.ours_settings, station.kafka_settings
        ));
    }
    page
}

const HOW_TO_READ: &str = "\
Ratios are ours over Kafka's, the median of all pairs with the least and the most; below 1 is less of it. Noise is how\n\
far the same side differed from itself in neighbouring sessions at most: a ratio closer to 1 than that says nothing, and\n\
stands in brackets. *Floor* is how many times the least that this machine needs a cost is: for a request, answering a\n\
message over loopback; for a GB, receiving it and summing it twice. Flushes are fsync, fdatasync and msync. Latencies\n\
count from when a record was due, at a fixed rate. CPU is the brokers' alone, from every task's schedstat; for three\n\
nodes, memory and CPU are those of all three.\n";

/// What README carries: the promises, and what, where, when and how they were measured.
pub fn short(report: &Report) -> String {
    let of = |table: &std::collections::BTreeMap<String, String>, name: &str| {
        table.get(name).cloned().unwrap_or_default()
    };
    let (machine, version) = (|name| of(&report.machine, name), |name| of(&report.versions, name));
    format!(
        "{}\n{} UTC, {}{}, {} cores, {} memory, {}, Linux {}. {} (commit {}) and Apache Kafka {} on {}. \
         Repeat it with `{}`.\n",
        table(report),
        report.date,
        if report.is_quick { "a quick run that proves little, " } else { "" },
        machine("processor"),
        machine("cores"),
        machine("memory"),
        machine("file system"),
        machine("kernel"),
        version("Rust-MQ"),
        version("Rust-MQ, commit"),
        version("Apache Kafka"),
        version("Java"),
        report.command
    )
}

/// The promises that are not kept, in words.
fn broken(report: &Report) -> String {
    let mut text = String::new();
    for (station, row, numbers) in promises(report) {
        let (Some(ratio), Some(goal), Some(false)) = (numbers.ratio, numbers.goal, numbers.is_goal_kept())
        else {
            continue;
        };
        let bound = if numbers.metric.is_better_high() { "at least" } else { "at most" };
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "- **Missed**: {}, {}, {}: {} of Kafka's ({} to {}), promised {bound} {}.",
            station.name,
            row.name,
            numbers.metric.name(),
            digits(ratio.median),
            digits(ratio.least),
            digits(ratio.most),
            digits(goal.ratio)
        );
    }
    text
}

/// Every number with a promise, with where it stands.
fn promises(report: &Report) -> Vec<(&StationResult, &RowResult, &Numbers)> {
    let mut found = Vec::new();
    for station in &report.stations {
        for row in &station.rows {
            let promised = row.numbers.iter().filter(|numbers| numbers.goal.is_some());
            found.extend(promised.map(|numbers| (station, row, numbers)));
        }
    }
    found
}

/// What was promised, and what came of it.
pub fn table(report: &Report) -> String {
    let mut text = String::from(
        "| durability | what | measured | promised | ours | Kafka | ratio (least to most) | kept |\n| --- | --- | --- | ---: | ---: | ---: | ---: | --- |\n",
    );
    for (station, row, numbers) in promises(report) {
        text.push_str(&promise(station, row, numbers));
    }
    for station in &report.stations {
        for row in station.rows.iter().filter(|row| row.numbers.is_empty() && !row.failures.is_empty()) {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "| {} | {} | failed: see the report | | | | | |", station.name, row.name);
        }
    }
    text
}

fn promise(station: &StationResult, row: &RowResult, numbers: &Numbers) -> String {
    let metric = numbers.metric;
    let bound = numbers.goal.map_or(0.0, |goal| goal.ratio);
    let sign = if metric.is_better_high() { ">=" } else { "<=" };
    let kept = match numbers.is_goal_kept() {
        None => "not measured",
        Some(true) => "met",
        Some(false) => "**missed**",
    };
    format!(
        "| {} | {} | {} | {sign} {} | {} | {} | {}{} | {kept} |\n",
        station.name,
        row.name,
        metric.name(),
        digits(bound),
        with_unit(median(&numbers.ours), metric),
        with_unit(median(&numbers.kafka), metric),
        ratio(numbers),
        spread(numbers).map_or(String::new(), |spread| format!(" ({spread})")),
    )
}

fn station_text(report: &Report, station: &StationResult) -> String {
    let mut text = format!(
        "## {}\n\n{} Measured {}. Warmed up by {}; Kafka by {}.\n\n![{}]({})\n",
        station.name,
        station.about,
        station.measured,
        warm(&station.ours_warm),
        warm(&station.kafka_warm),
        station.name,
        chart::file(station)
    );
    for row in &station.rows {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n### {}: {}\n\n`{}`\n\n", station.name, row.name, row.what);
        for failure in &row.failures {
            let _ = writeln!(text, "- failed: {}", failure.lines().next().unwrap_or_default());
        }
        if row.numbers.is_empty() {
            continue;
        }
        text.push_str("| | ours | Kafka | ratio | least to most | pairs | noise | floor, ours | floor, Kafka |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n");
        for numbers in &row.numbers {
            text.push_str(&line(report, numbers));
        }
    }
    text
}

/// How the sessions of a side were made warm.
fn warm(sessions: &[WarmUp]) -> String {
    let least = sessions.iter().map(|warm| warm.records).min().unwrap_or(0);
    let settled = sessions.iter().filter(|warm| warm.is_settled).count();
    format!("at least {least} records, {settled} of {} sessions settled within 5 %", sessions.len())
}

fn line(report: &Report, numbers: &Numbers) -> String {
    let metric = numbers.metric;
    let (ours, kafka) = (median(&numbers.ours), median(&numbers.kafka));
    let noise = numbers.noise.map(|noise| format!("{:.0} %", noise * 100.0));
    let floor = |value: Option<f64>| {
        let least = match metric {
            Metric::CpuPerRequest => report.floor.request_us(),
            Metric::CpuPerGigabyte => report.floor.gigabyte(),
            _ => return String::new(),
        };
        value.filter(|_| least > 0.0).map_or(String::new(), |value| format!("{} x", digits(value / least)))
    };
    format!(
        "| {} | {} | {} | {} | {} | {} | {} | {} | {} |\n",
        metric.name(),
        with_unit(ours, metric),
        with_unit(kafka, metric),
        ratio(numbers),
        spread(numbers).unwrap_or_default(),
        numbers.ratios.len(),
        noise.unwrap_or_default(),
        floor(ours),
        floor(kafka),
    )
}

/// The least and the most of the ratios.
fn spread(numbers: &Numbers) -> Option<String> {
    let ratio = numbers.ratio.filter(|_| numbers.ratios.len() > 1)?;
    Some(format!("{} to {}", digits(ratio.least), digits(ratio.most)))
}

/// The median of the ratios; in brackets where the noise is as large.
fn ratio(numbers: &Numbers) -> String {
    match numbers.ratio {
        None => "-".to_owned(),
        Some(ratio) if numbers.is_claim() => digits(ratio.median),
        Some(ratio) => format!("({})", digits(ratio.median)),
    }
}

fn median(values: &[f64]) -> Option<f64> {
    Spread::of(values).map(|spread| spread.median)
}

fn with_unit(value: Option<f64>, metric: Metric) -> String {
    value.map_or("-".to_owned(), |value| format!("{} {}", digits(value), metric.unit()).trim().to_owned())
}

fn pairs<'a>(pairs: impl Iterator<Item = (&'a String, &'a String)>) -> String {
    let mut text = String::from("| | |\n| --- | --- |\n");
    for (name, value) in pairs {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| {name} | {value} |");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Goal;

    fn numbers(median: f64, noise: f64) -> Numbers {
        Numbers {
            metric: Metric::CpuPerRequest,
            ours: vec![4.0],
            kafka: vec![60.0],
            ratios: vec![median],
            ratio: Spread::of(&[median]),
            noise: Some(noise),
            goal: Some(Goal { metric: Metric::CpuPerRequest, ratio: 0.1 }),
        }
    }

    #[test]
    fn a_number_is_as_long_as_it_says_something() {
        assert_eq!([0.0, 0.0667, 1.5, 23.456, 1_234.5].map(digits), ["0", "0.067", "1.50", "23.5", "1234"]);
    }

    #[test]
    fn a_ratio_within_the_noise_stands_in_brackets() {
        assert_eq!(ratio(&numbers(0.95, 0.2)), "(0.950)");
        assert_eq!(ratio(&numbers(0.07, 0.2)), "0.070");
    }

    #[test]
    fn a_broken_promise_is_said_in_bold() {
        assert_eq!(numbers(0.3, 0.2).is_goal_kept(), Some(false));
        assert_eq!(numbers(0.07, 0.2).is_goal_kept(), Some(true));
    }
}
