//! The table of the mutants: how many random seeds it takes to catch each, from several starting points that
//! nobody chose.

use crate::mutants::{ALL, Caught, Planted, nominated};
use rust_mq_core::rng::hash;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Starting points for each mutant.
const STARTS: u64 = 3;
/// Seeds within which a mutant is to be caught: that is its score.
const SOON: u64 = 50;
/// Runs at a time.
const THREADS: usize = 2;

/// What hunting one mutant brought.
struct Line {
    planted: Planted,
    catches: Vec<Option<Caught>>,
}

/// The table, with at most `most` seeds from each starting point; whether all are caught, by the claims meant.
/// Only mutants whose name contains `name` are hunted.
pub fn table(seed: u64, most: u64, name: &str) -> (String, bool) {
    let hunted: Vec<Planted> =
        ALL.into_iter().filter(|planted| format!("{:?}", planted.mutant).contains(name)).collect();
    let next = AtomicUsize::new(0);
    let mut lines: Vec<(usize, Line)> = std::thread::scope(|scope| {
        let work = || {
            let mut done = Vec::new();
            loop {
                let place = next.fetch_add(1, Ordering::Relaxed);
                let Some(planted) = hunted.get(place) else { return done };
                done.push((place, hunt(*planted, seed, most)));
            }
        };
        let workers: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("a hunt does not panic")).collect()
    });
    lines.sort_by_key(|(place, _)| *place);
    let lines: Vec<Line> = lines.into_iter().map(|(_, line)| line).collect();
    (text(&lines, most), lines.iter().all(Line::is_well))
}

/// Nominates a seed for each mutant whose name contains `name`: the one that is nominated now if it still catches it,
/// else the first of `most` that does. Returns the lines of all mutants, and the names of those without one.
pub fn nominate(seed: u64, most: u64, name: &str) -> (String, Vec<String>) {
    let known = nominated();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let Some(planted) = ALL.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mutant = format!("{:?}", planted.mutant);
            let old = known.get(&mutant).copied();
            let found = if mutant.contains(name) { nominee(planted, old, (seed, most)) } else { old };
            done.push((mutant, found));
        }
        done
    };
    let mut lines: BTreeMap<String, Option<u64>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("a hunt does not panic")).collect()
    });
    let missed = lines.iter().filter(|(_, seed)| seed.is_none()).map(|(name, _)| name.clone()).collect();
    lines.retain(|_, seed| seed.is_some());
    let text = lines.iter().map(|(name, seed)| format!("{name} {}\n", seed.unwrap_or_default())).collect();
    (text, missed)
}

fn nominee(planted: &Planted, old: Option<u64>, (seed, most): (u64, u64)) -> Option<u64> {
    let first = first_seed(seed, 0, planted);
    let tried = old.into_iter().chain((first..).take(most as usize));
    let mut taken = 0;
    let found = tried.into_iter().find(|seed| {
        taken += 1;
        planted.is_caught_by(*seed).is_ok()
    });
    if found != old {
        eprintln!("{:?}: seed {found:?} after {taken}", planted.mutant);
    }
    found
}

fn first_seed(seed: u64, start: u64, planted: &Planted) -> u64 {
    hash(&[seed, start, planted.mutant.number()]) >> 16
}

fn hunt(planted: Planted, seed: u64, most: u64) -> Line {
    let first = |start: u64| first_seed(seed, start, &planted);
    let catches = (0..STARTS).map(|start| planted.hunt((first(start)..).take(most as usize))).collect();
    let line = Line { planted, catches };
    for caught in line.catches.iter().flatten() {
        let note = if planted.is_named(caught.failure.claim) { "" } else { " (not the claim meant)" };
        eprintln!("{:?}: seed {}: {}{note}", planted.mutant, caught.seed, caught.failure);
    }
    line
}

impl Line {
    fn is_well(&self) -> bool {
        let is_meant = |caught: &Caught| self.planted.is_named(caught.failure.claim);
        self.catches.iter().all(|caught| caught.as_ref().is_some_and(is_meant))
    }

    /// The middle one of the numbers of seeds it took; none if most starts caught nothing.
    fn median(&self) -> Option<u64> {
        let mut taken: Vec<u64> = self
            .catches
            .iter()
            .map(|caught| caught.as_ref().map_or(u64::MAX, |caught| caught.taken))
            .collect();
        taken.sort_unstable();
        taken.get(taken.len() / 2).copied().filter(|taken| *taken < u64::MAX)
    }
}

fn text(lines: &[Line], most: u64) -> String {
    let mut text = String::from("| no. | mutant | claim | first caught by | seeds to catch | median |\n");
    text.push_str("| ---: | --- | --- | --- | --- | ---: |\n");
    for line in lines {
        let number = line.planted.number.map_or("-".to_owned(), |number| number.to_string());
        let named: Vec<String> = line.planted.claims.iter().map(ToString::to_string).collect();
        let first = line.catches.iter().flatten().next();
        let first =
            first.map_or("-".to_owned(), |caught| format!("{}, seed {}", caught.failure.claim, caught.seed));
        let taken = line.catches.iter().map(|caught| {
            caught.as_ref().map_or(format!("more than {most}"), |caught| caught.taken.to_string())
        });
        let taken = taken.collect::<Vec<_>>().join(", ");
        let median = line.median().map_or("-".to_owned(), |median| median.to_string());
        let named = named.join(" ");
        let _ = writeln!(
            text,
            "| {number} | {:?} | {named} | {first} | {taken} | {median} |",
            line.planted.mutant
        );
    }
    let soon = lines.iter().filter(|line| line.median().is_some_and(|taken| taken <= SOON)).count();
    let _ = writeln!(
        text,
        "\n{soon} of {} mutants are caught within {SOON} seeds, from two starts of three",
        lines.len()
    );
    text
}
