//! Side by side with Apache Kafka, by the rules that make it fair:
//!
//! - never both at once, each on empty folders, each warmed up before it is watched;
//! - in the order A A, then A B B A A B B A: the first two and every two neighbours of one side say how far the
//!   same thing differs from itself (the noise floor), and a slow drift of the machine hits both sides alike;
//! - the claim is the median of the ratios of each pair, with the least and the most; nothing is dropped;
//! - durability classes are stations of their own and never mixed, but for the one that says so in its name.
//!
//! The report is written after each session, with what there is: a run that is cut short keeps what it has measured,
//! and the stations that are missing can be measured by themselves (`--station`) into the same report.
//!
//! `matrix` lists the stations and their rows, `session` takes one side through one station, `tally` turns sessions
//! into ratios.

mod matrix;
mod session;
mod tally;

use crate::compare::matrix::{Scale, Station};
use crate::compare::session::{Session, Tools};
use crate::report::{self, Report};
use crate::side::Subject;
use crate::side::kit::Kit;
use crate::workload::outside::Generators;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What the command line says.
#[derive(clap::Args)]
pub struct Options {
    /// One pair and short rows: whether it works here
    #[arg(long)]
    quick: bool,
    /// Pairs of sessions a station [default: 5, with --quick 1]
    #[arg(long)]
    pairs: Option<usize>,
    /// Only this station, by its name or a part of it that no other's is; can be given several times. The others stay
    /// in the report as they are
    #[arg(long)]
    station: Vec<String>,
    /// Without other people's load generators, which take two minutes to build the first time
    #[arg(long)]
    own_load_only: bool,
    /// Which release of Kafka; others than the default are not pinned by checksum
    #[arg(long, default_value = crate::side::artifacts::BROKER_VERSION)]
    kafka: String,
    /// Where the report goes
    #[arg(long, default_value = "bench/report")]
    out: PathBuf,
    /// Measure nothing, and write the pages of `report.json` in that folder again
    #[arg(long)]
    render: bool,
}

/// Runs the matrix and writes the report.
pub fn run(options: &Options) -> io::Result<()> {
    if options.render {
        return report::render(&options.out);
    }
    let kit = Kit::prepare(&options.kafka)?;
    let generators = if options.own_load_only { None } else { Some(Generators::prepare(&kit.cache)?) };
    let scale = if options.quick { Scale::quick() } else { Scale::whole() };
    let pairs = options.pairs.unwrap_or(if options.quick { 1 } else { 5 }).max(1);
    let all = matrix::stations(generators.is_some());
    let names: Vec<&str> = all.iter().map(|station| station.name).collect();
    let wanted =
        options.station.iter().map(|name| named(&names, name)).collect::<io::Result<Vec<usize>>>()?;
    let mut report = Report::begin(&kit, options.quick, pairs)?;
    if !wanted.is_empty() {
        report.keep(&options.out)?;
    }
    let tools = Tools { kit: &kit, generators: generators.as_ref(), scale };
    let mut run = Run { tools, report, pairs, out: &options.out, begun: Instant::now() };
    let is_wanted = |at: &usize| wanted.is_empty() || wanted.contains(at);
    let chosen: Vec<&Station> = (0..all.len()).filter(is_wanted).map(|at| &all[at]).collect();
    for (number, station) in chosen.iter().enumerate() {
        eprintln!("station {} of {}: {}", number + 1, chosen.len(), station.name);
        run.station(station, &names)?;
    }
    println!("{}", report::short(&run.report));
    println!("{} s; the report is in {}", run.begun.elapsed().as_secs(), options.out.display());
    Ok(())
}

/// The place of a station that is called so, or the only one whose name contains this.
fn named(names: &[&str], wanted: &str) -> io::Result<usize> {
    if let Some(at) = names.iter().position(|name| *name == wanted) {
        return Ok(at);
    }
    let found: Vec<usize> = (0..names.len()).filter(|at| names[*at].contains(wanted)).collect();
    match found[..] {
        [at] => Ok(at),
        _ => Err(io::Error::other(format!("'{wanted}' is no one station of: {}", names.join("; ")))),
    }
}

/// A run that goes on.
struct Run<'a> {
    tools: Tools<'a>,
    report: Report,
    pairs: usize,
    out: &'a Path,
    begun: Instant,
}

impl Run<'_> {
    /// All sessions of a station; the report is written after each.
    fn station(&mut self, station: &Station, names: &[&str]) -> io::Result<()> {
        let measured = self.report.now();
        let rounds = order(self.pairs, self.tools.scale.is_quick);
        let mut sessions = Vec::new();
        for (number, round) in rounds.iter().enumerate() {
            let (side, seconds) = (round.subject.name(), self.begun.elapsed().as_secs());
            eprintln!("[{seconds} s] {}, session {} of {}: {side}", station.name, number + 1, rounds.len());
            sessions.push(Session::run(self.tools, station, *round, self.pairs));
            self.report.put(tally::station(station, &sessions, &measured), names);
            report::write(&self.report, self.out)?;
        }
        Ok(())
    }
}

/// One session's place among the others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Round {
    /// Whose it is.
    pub subject: Subject,
    /// Of which pair.
    pub pair: usize,
    /// Whether it is the first of all, that only says how far its neighbour differs from it.
    pub is_alone: bool,
}

/// Whose round it is, from first to last. A quick run takes its noise floor from neighbours alone.
fn order(pairs: usize, is_quick: bool) -> Vec<Round> {
    let first = (!is_quick).then_some(Round { subject: Subject::Ours, pair: 0, is_alone: true });
    let rounds = (0..pairs).flat_map(|pair| {
        let (ours, kafka) = (Subject::Ours, Subject::Kafka);
        let sides = if pair % 2 == 0 { [ours, kafka] } else { [kafka, ours] };
        sides.map(|subject| Round { subject, pair, is_alone: false })
    });
    first.into_iter().chain(rounds).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_a_a_then_a_b_b_a_in_turns() {
        let letter = |round: &Round| if round.subject == Subject::Ours { 'A' } else { 'B' };
        assert_eq!(order(4, false).iter().map(letter).collect::<String>(), "AABBAABBA");
        assert_eq!(order(2, true).iter().map(letter).collect::<String>(), "ABBA");
    }

    #[test]
    fn a_station_is_found_by_its_name_before_a_part_of_it() {
        let names = ["memory", "fsync", "fsync, 2 ms slower", "three nodes, fsync"];
        assert_eq!(named(&names, "fsync").ok(), Some(1));
        assert_eq!(named(&names, "memo").ok(), Some(0));
        assert!(
            named(&names, "slow").is_ok() && named(&names, "sync").is_err() && named(&names, "x").is_err()
        );
    }
}
