//! Marks lead: a plan that reaches what none before it had reached is kept, and the next plans are bred from those that
//! were kept, so that the search goes on where it has found something. (As AFL does with the branches of a program:
//! Zalewski, "Technical whitepaper for afl-fuzz".)
//!
//! `novelty` says what is new about a run, `breed` changes a plan, `store` keeps plans in a folder; here are the
//! workers, one a core.
//!
//! - Invariant: a red plan is on the disk before it is made small, and what is small takes its place.
//! - Invariant: of reds that say the same but for numbers at most [`ALIKE_MAX`] are stored.

mod breed;
mod novelty;
mod store;

use crate::claims::Failure;
use crate::dice::Root;
use crate::plan::Plan;
use crate::run::{plan_of, run};
use crate::shrink::shrink;
use crate::trace::Watch;
use novelty::Novelty;
use rust_mq_core::rng::hash;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard};
use std::time::Instant;
use store::Folder;

/// Reds that say the same but for numbers, of which plans are stored.
const ALIKE_MAX: u32 = 3;
/// One plan in so many is a fresh seed's.
const FRESH_EVERY: u64 = 4;
/// Half of the parents are among so many that were kept last.
const YOUNG: usize = 32;
/// Seeds that are tried for a donor before a plan is bred without one.
const DONORS_TRIED: u64 = 64;

/// How long a search goes on.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// So many plans were run.
    Runs(u64),
    /// That moment.
    Moment(Instant),
}

/// What a search has found so far.
struct Findings {
    root: Root,
    folder: Folder,
    novelty: Novelty,
    /// Plans of an earlier search, still to be run.
    again: Vec<Plan>,
    kept: Vec<Plan>,
    /// How often each kind of red was met, with the first of them.
    reds: BTreeMap<String, (u32, Failure)>,
    /// Runs begun.
    begun: u64,
    runs: u64,
}

/// Searches with so many workers, from `seed` on, and keeps what it finds in the folder. The report, and whether all
/// was green.
///
/// # Errors
/// The folder cannot be read or written.
pub fn search(seed: u64, workers: usize, until: Until, folder: &Path) -> io::Result<(String, bool)> {
    let (folder, again) = Folder::open(folder)?;
    let findings = Mutex::new(Findings {
        root: Root(seed),
        folder,
        novelty: Novelty::default(),
        again,
        kept: Vec::new(),
        reds: BTreeMap::new(),
        begun: 0,
        runs: 0,
    });
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(|| work(&findings, until))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("a worker does not panic"))
    })?;
    let findings = findings.into_inner().expect("no worker panicked");
    Ok((findings.text(), findings.reds.is_empty()))
}

fn lock(findings: &Mutex<Findings>) -> MutexGuard<'_, Findings> {
    findings.lock().expect("no worker panicked")
}

fn work(findings: &Mutex<Findings>, until: Until) -> io::Result<()> {
    loop {
        let Some(job) = lock(findings).next(until) else { return Ok(()) };
        let plan = job.plan();
        let report = run(&plan, Watch::Nobody, None);
        let mut found = lock(findings);
        found.runs += 1;
        let Some(failure) = report.failure else {
            if found.novelty.learn(&report.marks) {
                found.folder.keep(&plan)?;
                found.kept.push(plan);
            }
            continue;
        };
        if !found.is_worth_storing(&failure) {
            continue;
        }
        let stored = found.folder.red(&failure, &plan)?;
        drop(found);
        eprintln!("{}: {failure}", stored.display());
        let small = shrink(&plan, failure.claim, &mut |_| ());
        lock(findings).folder.replace(&stored, &small)?;
    }
}

/// What is to be run next.
enum Job {
    /// A plan of an earlier search.
    Again(Plan),
    /// A seed's.
    Fresh(u64),
    /// A child of that one.
    Child { parent: Plan, root: Root },
}

impl Job {
    /// Drawing takes a runtime, so it happens outside the lock.
    fn plan(self) -> Plan {
        match self {
            Job::Again(plan) => plan,
            Job::Fresh(seed) => plan_of(seed),
            Job::Child { parent, root } => {
                let mut seeds = root.stream("donors", &[]);
                let donor = (0..DONORS_TRIED)
                    .map(|_| plan_of(seeds.word() >> 16))
                    .find(|donor| breed::is_donor_of(&parent, donor));
                breed::child(&parent, donor.as_ref(), &mut root.stream("breed", &[]))
            }
        }
    }
}

impl Findings {
    fn next(&mut self, until: Until) -> Option<Job> {
        let is_over = match until {
            Until::Runs(most) => self.begun >= most,
            Until::Moment(end) => Instant::now() >= end,
        };
        if is_over {
            return None;
        }
        self.begun += 1;
        if let Some(plan) = self.again.pop() {
            return Some(Job::Again(plan));
        }
        let mut dice = self.root.stream("job", &[self.begun]);
        if self.kept.is_empty() || dice.below(FRESH_EVERY) == 0 {
            return Some(Job::Fresh(hash(&[self.root.0, self.begun]) >> 16));
        }
        let from = if dice.coin() { self.kept.len().saturating_sub(YOUNG) } else { 0 };
        let parent = self.kept[from + dice.index(self.kept.len() - from)].clone();
        Some(Job::Child { parent, root: Root(dice.word()) })
    }

    fn is_worth_storing(&mut self, failure: &Failure) -> bool {
        let words: String = failure.words.chars().filter(|letter| !letter.is_ascii_digit()).collect();
        let kind = format!("{} {words}", failure.claim);
        let (count, _) = self.reds.entry(kind).or_insert_with(|| (0, failure.clone()));
        *count += 1;
        *count <= ALIKE_MAX
    }

    fn text(&self) -> String {
        let mut text = format!(
            "{} plans were run, {} kept; {} marks were reached, {} pairs of marks in one run\n",
            self.runs,
            self.kept.len(),
            self.novelty.marks(),
            self.novelty.pairs()
        );
        for (count, first) in self.reds.values() {
            let _ = writeln!(text, "RED, {count} times: {first}");
        }
        let _ = write!(text, "all of it is in {}", self.folder.path().display());
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reached_something_is_kept_and_taken_up_again() {
        let folder = std::env::temp_dir().join(format!("rust-mq-search-{}", std::process::id()));
        let search = |runs| search(1, 1, Until::Runs(runs), &folder).expect("the folder can be written");
        let (text, is_green) = search(1);
        assert!(is_green && text.contains("1 plans were run, 1 kept"), "{text}");
        let (text, _) = search(1);
        assert!(text.contains("1 plans were run, 1 kept"), "it is run again: {text}");
        assert_eq!(std::fs::read_dir(folder.join("kept")).expect("it is there").count(), 1, "under one name");
        std::fs::remove_dir_all(&folder).expect("it was made just now");
    }
}
