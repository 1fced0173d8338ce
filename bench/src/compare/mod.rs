//! Side by side with Apache Kafka, by the rules that make it fair:
//!
//! - never both at once, each on empty folders, each warmed up before it is watched;
//! - in the order A A, then A B B A A B B A: the first two and every two neighbours of one side say how far the
//!   same thing differs from itself (the noise floor), and a slow drift of the machine hits both sides alike;
//! - the claim is the median of the ratios of each pair, with the least and the most; nothing is dropped;
//! - durability classes are stations of their own and never mixed, but for the one that says so in its name.
//!
//! `matrix` lists the stations and their rows, `session` takes one side through one station, `tally` turns sessions
//! into ratios.

mod matrix;
mod session;
mod tally;

use crate::compare::matrix::Scale;
use crate::compare::session::Session;
use crate::report::{self, Report};
use crate::side::Subject;
use crate::side::kit::Kit;
use crate::workload::outside::Generators;
use std::io;
use std::path::PathBuf;
use std::time::Instant;

/// What the command line says.
#[derive(clap::Args)]
pub struct Options {
    /// About three minutes: two pairs, short rows
    #[arg(long)]
    quick: bool,
    /// Pairs of sessions a station [default: 5, with --quick 2]
    #[arg(long)]
    pairs: Option<usize>,
    /// Only stations whose name contains this
    #[arg(long)]
    station: Option<String>,
    /// Only rows whose name contains this
    #[arg(long)]
    row: Option<String>,
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
    let pairs = options.pairs.unwrap_or(if options.quick { 2 } else { 5 }).max(1);
    let mut stations = matrix::stations(generators.is_some());
    stations.retain(|station| contains(station.name, options.station.as_deref()));
    for station in &mut stations {
        station.rows.retain(|row| contains(row.name, options.row.as_deref()));
    }
    stations.retain(|station| !station.rows.is_empty());
    let begun = Instant::now();
    let mut report = Report::begin(&kit, options.quick, pairs)?;
    let total: usize = stations.len() * order(pairs, options.quick).len();
    let mut done = 0;
    for station in &stations {
        let mut sessions = Vec::new();
        for subject in order(pairs, options.quick) {
            done += 1;
            let (name, side, seconds) = (station.name, subject.name(), begun.elapsed().as_secs());
            eprintln!("[{done}/{total}, {seconds} s] {name}: {side}");
            sessions.push(Session::run(&kit, generators.as_ref(), station, subject, scale)?);
        }
        report.stations.push(tally::station(station, &sessions));
        // After each station: a run that is cut short has not been for nothing.
        report::write(&report, &options.out)?;
    }
    println!("{}", report::table(&report));
    println!("{} s; the report is in {}", begun.elapsed().as_secs(), options.out.display());
    Ok(())
}

/// Whose turn it is, from first to last. A quick run takes its noise floor from neighbours alone.
fn order(pairs: usize, is_quick: bool) -> Vec<Subject> {
    let (ours, kafka) = (Subject::Ours, Subject::Kafka);
    let mut order = if is_quick { Vec::new() } else { vec![ours] };
    for pair in 0..pairs {
        order.extend(if pair % 2 == 0 { [ours, kafka] } else { [kafka, ours] });
    }
    order
}

/// Whether a name is among those asked for.
fn contains(name: &str, wanted: Option<&str>) -> bool {
    wanted.is_none_or(|wanted| name.contains(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::tally::pair_up;

    #[test]
    fn the_order_is_a_a_then_a_b_b_a_in_turns() {
        let letters: String = order(4, false)
            .into_iter()
            .map(|subject| if subject == Subject::Ours { 'A' } else { 'B' })
            .collect();
        assert_eq!(letters, "AABBAABBA");
        assert_eq!(pair_up(&order(4, false)), [(1, 2), (4, 3), (5, 6), (8, 7)]);
        assert_eq!(pair_up(&order(2, true)), [(0, 1), (3, 2)]);
    }
}
