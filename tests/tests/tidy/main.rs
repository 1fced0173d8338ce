//! The house rules that a machine can check, as failing tests: a rule that no tool can fail on is advice.
//!
//! One rule is one function that reads a [`tree::Tree`] and returns its [`Breach`]es, and one test named as
//! the rule, which runs it over this workspace. Beside it stands a test that feeds it a small bad tree, so
//! that every rule has been seen failing.
//!
//! Where what is: `tree` reads the checkout, `reading` turns Rust text into paths, lines and functions;
//! `pages` holds the rules about any file, `functions` about their length, `arrows` who may import whom,
//! `floors` the table of the core's rooms, `houses` the rooms within them, `circles` that nothing imports itself in
//! the end, `faults` what a room may fail with, `purity` what each crate may not name, `door` the broker's public face, `supply` the dependencies,
//! `mirrors` what must exist because something else names it, `apis` that with an API, `sources` what a comment gives as its source, `words` where a word of ARCHITECTURE's table is at home.
//!
//! Not here: what clippy denies (the workspace's lint table, `core/clippy.toml`) and what rustfmt settles.

mod apis;
mod arrows;
mod circles;
mod door;
mod faults;
mod floors;
mod functions;
mod houses;
mod mirrors;
mod pages;
mod purity;
mod reading;
mod sources;
mod supply;
mod tree;
mod words;

use std::fmt;

/// One place that breaks a rule.
#[derive(Debug, PartialEq, Eq)]
struct Breach {
    /// Relative to the root of the workspace.
    path: String,
    /// From 1; 0 stands for the file as a whole.
    line: usize,
    /// What is wrong there.
    what: String,
}

impl Breach {
    fn new(path: &str, line: usize, what: impl Into<String>) -> Breach {
        Breach { path: path.to_owned(), line, what: what.into() }
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(out, "{}: {}", self.path, self.what),
            line => write!(out, "{}:{line}: {}", self.path, self.what),
        }
    }
}

/// Fails the test with every breach, one a line, and how to mend them.
#[track_caller]
fn demand(breaches: &[Breach], mend: &str) {
    let lines: String = breaches.iter().map(|breach| format!("\n  {breach}")).collect();
    assert!(breaches.is_empty(), "{} breach(es):{lines}\nmend: {mend}", breaches.len());
}

/// The places at which a bad example was caught, for the tests of the rules themselves.
#[cfg(test)]
fn places(breaches: &[Breach]) -> Vec<String> {
    breaches.iter().map(|breach| format!("{}:{}", breach.path, breach.line)).collect()
}
