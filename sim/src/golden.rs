//! Golden traces: the hashes of five seeds, kept in the repository, so that a run on another MACH, in another
//! profile, or after a change that should change nothing, is seen to be the same.
//!
//! `cargo run -p sim -- golden > sim/plans/golden.txt` records them anew, in the commit that means to change them.

use crate::run::{plan_of, run};
use crate::trace::Watch;
use std::fmt::Write;

/// The seeds.
pub const SEEDS: [u64; 5] = [1, 2, 3, 4, 6];

/// What the file holds: a seed, its hash, and its checkpoints' number, a line each.
pub fn record() -> String {
    let mut text = String::new();
    for seed in SEEDS {
        let report = run(&plan_of(seed), Watch::Nobody, None);
        let _ = writeln!(text, "{seed} {:016x} {} steps", report.hash, report.steps);
    }
    text
}
