//! The simulator's command line: runs a seed or a plan and shows it, searches for a red seed, shrinks it, and
//! prints how many random seeds catch each mutant.

use clap::{Parser, Subcommand};
use sim::explore::{self, Until};
use sim::plan::Plan;
use sim::run::{REACH, plan_within, run};
use sim::shrink::shrink;
use sim::story;
use sim::swarm::Reach;
use sim::trace::Watch;
use sim::trouble::TroubleKind;
use sim::world::Report;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Seeds after which a mutant counts as not caught.
const MUTANT_SEEDS: u64 = 300;

/// Simulated clusters from a seed.
#[derive(Parser)]
#[command(about, long_about = None)]
struct Arguments {
    /// The seed to run.
    #[arg(long, default_value_t = 0, global = true)]
    seed: u64,
    /// Run so many seeds from --seed on, quietly, and go on after red ones.
    #[arg(long, global = true)]
    count: Option<u64>,
    /// Stop the run at this step.
    #[arg(long)]
    until: Option<u64>,
    /// Print the table from this step on.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Run seeds from --seed on until one is red, then shrink it into a plan (--shrink says where).
    #[arg(long)]
    until_red: bool,
    /// Run this plan instead of a seed's.
    #[arg(long)]
    plan: Option<PathBuf>,
    /// Sites at most, of those that the seed would have.
    #[arg(long, default_value_t = REACH.sites_max)]
    sites_max: usize,
    /// A kind of trouble to leave out of the seed's plan, as `Rot`; may be given several times.
    #[arg(long, value_parser = kind_of)]
    without: Vec<TroubleKind>,
    /// Rehearse a start at every sync, whatever the plan says: each durable prefix of each journal is tried. Slow.
    #[arg(long)]
    rehearse: bool,
    /// Print no table, only the outcome.
    #[arg(long)]
    quiet: bool,
    /// Shrink the plan if it fails, and write what is left to this file.
    #[arg(long)]
    shrink: Option<PathBuf>,
    /// Draw the run, or what shrinking leaves of it, on a page of HTML, and write that to this file.
    #[arg(long)]
    page: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Prints the plan of the seed.
    Plan,
    /// Runs the golden seeds and prints their hashes.
    Golden,
    /// Writes anew which seed is nominated for which mutant, trying at most --count (300) for one that needs another.
    Nominate {
        /// Only those whose name contains this.
        #[arg(default_value = "")]
        name: String,
    },
    /// Prints how many random seeds it takes to catch each mutant, at most --count (300) from each of three
    /// starting points, which follow from --seed.
    Mutants {
        /// Only those whose name contains this.
        #[arg(default_value = "")]
        name: String,
    },
    /// Hunts with a build that counts, and prints the functions of `core/src` that no run has entered. Needs rustup's
    /// component `llvm-tools`; run it in the workspace's folder.
    Coverage {
        /// How long it hunts.
        #[arg(long, default_value_t = 2.0)]
        hours: f64,
        /// Do not hunt: this binary was built with counters and has run (`LLVM_PROFILE_FILE`).
        #[arg(long, requires = "profiles")]
        binary: Option<PathBuf>,
        /// The folder where it has left what it counted.
        #[arg(long, requires = "binary")]
        profiles: Option<PathBuf>,
    },
    /// Searches for red plans: keeps plans that reach what none before had reached, and breeds others from them, one
    /// worker a core. Red ones are made small. A later search in the same folder goes on from what was kept.
    Hunt {
        /// How long.
        #[arg(long, default_value_t = 1.0)]
        hours: f64,
        /// Where plans are kept (`kept/`) and red ones stored (`red/`).
        #[arg(long, default_value = "target/hunt")]
        folder: PathBuf,
    },
}

impl Arguments {
    fn plan_of(&self, seed: u64) -> Plan {
        let mut plan = plan_within(seed, Reach { sites_max: self.sites_max });
        plan.faults.retain(|fault| !self.without.contains(&fault.what.kind()));
        if self.rehearse {
            plan.rehearse_every = 1;
        }
        plan
    }
}

/// The kind of trouble of that name.
fn kind_of(name: &str) -> Result<TroubleKind, String> {
    let is_it = |kind: &TroubleKind| format!("{kind:?}").eq_ignore_ascii_case(name);
    TroubleKind::ALL.into_iter().find(is_it).ok_or_else(|| format!("one of {:?}", TroubleKind::ALL))
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match &arguments.command {
        Some(Command::Plan) => {
            println!("{}", story::plan_text(&arguments.plan_of(arguments.seed)));
            ExitCode::SUCCESS
        }
        Some(Command::Golden) => {
            print!("{}", sim::golden::record());
            ExitCode::SUCCESS
        }
        Some(Command::Mutants { name }) => mutants(&arguments, name),
        Some(Command::Coverage { hours, binary, profiles }) => {
            coverage(arguments.seed, *hours, binary.as_deref().zip(profiles.as_deref()))
        }
        Some(Command::Hunt { hours, folder }) => hunt(arguments.seed, *hours, folder),
        Some(Command::Nominate { name }) => nominate(&arguments, name),
        None if arguments.until_red || arguments.count.is_some() => many(&arguments),
        None => one(&arguments),
    }
}

/// The table of seeds to catch.
fn mutants(arguments: &Arguments, name: &str) -> ExitCode {
    let (table, is_well) = sim::score::table(arguments.seed, arguments.count.unwrap_or(MUTANT_SEEDS), name);
    print!("{table}");
    if is_well {
        return ExitCode::SUCCESS;
    }
    eprintln!("a mutant was not caught, or not by the claim that is meant to catch it");
    ExitCode::FAILURE
}

/// Functions that no run has entered: of a hunt, or of what a `binary` has run and counted.
fn coverage(seed: u64, hours: f64, counted: Option<(&Path, &Path)>) -> ExitCode {
    let report = match counted {
        Some((binary, profiles)) => sim::coverage::report(binary, profiles),
        None => sim::coverage::hunted(seed, hours),
    };
    match report {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// A search that marks lead.
fn hunt(seed: u64, hours: f64, folder: &Path) -> ExitCode {
    let Ok(span) = Duration::try_from_secs_f64(hours * 3600.0) else {
        eprintln!("{hours} hours are no time");
        return ExitCode::FAILURE;
    };
    let workers = std::thread::available_parallelism().map_or(1, NonZero::get);
    match explore::search(seed, workers, Until::Moment(Instant::now() + span), folder) {
        Ok((text, is_green)) => {
            println!("{text}");
            if is_green { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("{}: {error}", folder.display());
            ExitCode::FAILURE
        }
    }
}

/// The seeds of the mutants.
fn nominate(arguments: &Arguments, name: &str) -> ExitCode {
    let most = arguments.count.unwrap_or(MUTANT_SEEDS);
    let (lines, missed) = sim::score::nominate(arguments.seed, most, name);
    let path = sim::mutants::nominations();
    if let Err(error) = std::fs::write(&path, lines) {
        eprintln!("{}: {error}", path.display());
        return ExitCode::FAILURE;
    }
    if missed.is_empty() {
        return ExitCode::SUCCESS;
    }
    eprintln!("no seed catches {}", missed.join(", "));
    ExitCode::FAILURE
}

fn one(arguments: &Arguments) -> ExitCode {
    let plan = match &arguments.plan {
        Some(path) => match story::read_plan(path) {
            Ok(plan) => plan,
            Err(words) => {
                eprintln!("{}: {words}", path.display());
                return ExitCode::FAILURE;
            }
        },
        None => arguments.plan_of(arguments.seed),
    };
    let watch = if arguments.quiet {
        Watch::Nobody
    } else {
        Watch::Print { from: arguments.from, until: arguments.until.unwrap_or(u64::MAX) }
    };
    let started = Instant::now();
    let report = run(&plan, watch, arguments.until);
    eprintln!("{}", story::rate(report.events, started.elapsed()));
    println!("{}", story::summary(&report));
    let is_shrunk = report.failure.is_some() && arguments.shrink.is_some();
    if !is_shrunk && !draw(&plan, arguments) {
        return ExitCode::FAILURE;
    }
    finish(&plan, &report, arguments)
}

fn many(arguments: &Arguments) -> ExitCode {
    let count = arguments.count.unwrap_or(u64::MAX);
    let mut red = 0;
    let mut total = story::Total::default();
    let started = Instant::now();
    for seed in (arguments.seed..).take(usize::try_from(count).unwrap_or(usize::MAX)) {
        let plan = arguments.plan_of(seed);
        let report = run(&plan, Watch::Nobody, None);
        total.add(&report);
        if let Some(failure) = &report.failure {
            println!("seed {seed}: {failure}");
            red += 1;
            if arguments.until_red {
                return finish(&plan, &report, arguments);
            }
        } else if arguments.until_red {
            println!("seed {seed}: green, {} events, {} acknowledged", report.events, report.acked);
        }
    }
    eprintln!("{}", story::rate(total.events(), started.elapsed()));
    println!("{}", total.text());
    println!("{red} of {count} seeds are red");
    if red == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The page, if one is asked for. False if it cannot be written.
fn draw(plan: &Plan, arguments: &Arguments) -> bool {
    let Some(path) = &arguments.page else { return true };
    let page = run(plan, Watch::Film, arguments.until).page.expect("a film was made");
    let written = std::fs::write(path, page);
    match &written {
        Ok(()) => println!("{} shows it", path.display()),
        Err(error) => eprintln!("{}: {error}", path.display()),
    }
    written.is_ok()
}

fn finish(plan: &Plan, report: &Report, arguments: &Arguments) -> ExitCode {
    let Some(failure) = &report.failure else { return ExitCode::SUCCESS };
    let beside = || std::env::temp_dir().join(format!("rust-mq-seed-{}.json", plan.seed));
    let Some(path) = arguments.shrink.clone().or_else(|| arguments.until_red.then(beside)) else {
        println!("`--shrink FILE` makes it small, tells its story and stores its plan");
        return ExitCode::FAILURE;
    };
    let small = shrink(plan, failure.claim, &mut |words| eprintln!("{words}"));
    println!("{}", story::tell(&small));
    draw(&small, arguments);
    match std::fs::write(&path, story::plan_text(&small)) {
        Ok(()) => println!("its plan is stored; `cargo run -p sim -- --plan {}` runs it", path.display()),
        Err(error) => eprintln!("{}: {error}", path.display()),
    }
    ExitCode::FAILURE
}
