//! What `--memory-limit` holds against: resident memory of the release binary under traffic that costs much for little,
//! a fresh process for each row. The promise: at most the limit and 64 MiB, in memory and on a disk.
//!
//! The traffic is that of the tests (`tests/src/traffic.rs`); here it meets the shipped build and larger limits.

use crate::broker::{Broker, build};
use std::io;
use std::path::PathBuf;
use tests::traffic::{TRAFFIC, Traffic};

/// Resident memory above the limit that is promised. MiB.
const SLACK: u64 = 64;
/// The limits that are measured, unless others are asked for. MiB.
const LIMITS: [u64; 3] = [64, 256, 1024];

/// What to measure.
#[derive(clap::Args)]
pub struct Options {
    /// Only kinds of traffic whose name contains this
    #[arg(long, default_value = "")]
    only: String,
    /// Only this limit, MiB
    #[arg(long)]
    limit: Option<u64>,
}

/// Prints a row for each kind of traffic, limit and place of the data. The error is a row above its bound.
pub fn run(options: &Options) -> io::Result<()> {
    build()?;
    println!("{:<50} {:>6} {:>10} {:>10}", "peak of resident memory, MiB", "limit", "in memory", "on a disk");
    let mut missed = 0;
    for traffic in TRAFFIC.iter().filter(|traffic| traffic.name.contains(&options.only)) {
        for limit in LIMITS.into_iter().filter(|limit| options.limit.is_none_or(|only| only == *limit)) {
            let peaks = [peak(traffic, limit, false)?, peak(traffic, limit, true)?];
            let is_missed = peaks.iter().any(|peak| *peak > limit + SLACK);
            missed += usize::from(is_missed);
            let mark = if is_missed { "  MISSED" } else { "" };
            println!("{:<50} {limit:>6} {:>10} {:>10}{mark}", traffic.name, peaks[0], peaks[1]);
        }
    }
    if missed > 0 {
        return Err(io::Error::other(format!("{missed} rows are above the limit and {SLACK} MiB")));
    }
    Ok(())
}

/// The most memory that a broker took for it, MiB.
fn peak(traffic: &Traffic, limit: u64, is_on_disk: bool) -> io::Result<u64> {
    let folder = folder();
    let data = folder.to_string_lossy().into_owned();
    let limit = format!("{limit}MiB");
    let mut arguments = vec!["--memory-limit", &limit];
    if is_on_disk {
        arguments.extend(["--data", &data]);
    }
    let broker = Broker::start(&arguments)?;
    let address = broker.address.parse().map_err(io::Error::other)?;
    (traffic.run)(address);
    let peak = broker.counted()?.memory_peak >> 20;
    broker.kill()?;
    if is_on_disk {
        std::fs::remove_dir_all(&folder)?;
    }
    Ok(peak)
}

fn folder() -> PathBuf {
    std::env::temp_dir().join(format!("rust-mq-bench-memory-{}", std::process::id()))
}
