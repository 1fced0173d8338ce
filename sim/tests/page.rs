//! The page of a run, looked at without a browser: it is one file that names no other, below two megabytes, the same
//! for every run of a plan; the run does not know that it is filmed; and what the page shows agrees with what else is
//! known of the run.
//!
//! How it looks is for eyes: `sim/README.md` says how to open one.

use rust_mq_core::mutant::Mutant;
use serde_json::Value;
use sim::film::page::BYTES_MAX;
use sim::mutants;
use sim::plan::Plan;
use sim::run::{plan_of, run};
use sim::trace::Watch;
use sim::world::Report;
use std::collections::BTreeSet;

/// What would make a browser fetch something.
const OUTSIDE: [&str; 8] = ["http", "src=", "href=", "url(", "@import", "<link", "fetch(", "import("];

/// A plan that a mutant's nominated seed makes red.
fn red(mutant: Mutant) -> Plan {
    let seed = mutants::nominated()[&format!("{mutant:?}")];
    Plan { mutant: Some(mutant), ..plan_of(seed) }
}

/// Films a plan, and demands of its page what every page owes.
fn filmed(plan: &Plan) -> (Report, Value) {
    let filmed = run(plan, Watch::Film, None);
    let page = filmed.page.clone().expect("a film was asked for");
    assert!(page.len() < BYTES_MAX, "seed {}: {} bytes", plan.seed, page.len());
    assert!(Some(&page) == run(plan, Watch::Film, None).page.as_ref(), "seed {}: two pages", plan.seed);
    let plain = run(plan, Watch::Nobody, None);
    assert_eq!((plain.hash, &plain.checkpoints), (filmed.hash, &filmed.checkpoints), "seed {}", plan.seed);
    assert_eq!(plain.failure, filmed.failure, "seed {}", plan.seed);
    assert!(plain.page.is_none(), "no page where none is asked for");
    for outside in OUTSIDE {
        assert!(!page.contains(outside), "seed {}: the page has `{outside}`", plan.seed);
    }
    assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"));
    for (element, count) in
        [("html", 1), ("head", 1), ("body", 1), ("style", 1), ("script", 2), ("canvas", 2)]
    {
        let (opened, closed) = (page.matches(&format!("<{element}")).count(), format!("</{element}>"));
        assert_eq!(page.matches(&closed).count(), count, "{closed}");
        // A header begins like a head.
        assert!(opened >= count, "<{element}");
    }
    let (_, rest) = page.split_once("type=\"application/json\">").expect("the page has data");
    let (data, _) = rest.split_once("</script>").expect("the data ends");
    (filmed, serde_json::from_str(data).expect("the data is JSON"))
}

fn rows<'a>(data: &'a Value, kind: &str) -> &'a Vec<Value> {
    data[kind].as_array().unwrap_or_else(|| panic!("no {kind}"))
}

/// What is shown lies within the run, at sites and clients that there are, and begins before it ends.
fn is_sound(plan: &Plan, report: &Report, data: &Value) {
    let end = report.lasted_ns / 1_000;
    let is_span = |from: &Value, to: &Value| {
        let from = from.as_u64().expect("a time");
        from <= to.as_u64().unwrap_or(end) && to.as_u64().unwrap_or(end) <= end
    };
    let is_site = |site: &Value| site.as_u64().is_some_and(|site| site < plan.sites.len() as u64);
    for one in rows(data, "messages").iter().chain(rows(data, "signs")) {
        assert!(
            is_site(&one[0]) && is_site(&one[1]) && one[0] != one[1] && is_span(&one[2], &one[3]),
            "{one}"
        );
        assert!(one[3].is_null() == (one[4] == 0), "what is under way has not ended: {one}");
    }
    for one in rows(data, "operations") {
        assert!(one[0].as_u64() < Some(plan.clients.len() as u64) && is_site(&one[1]), "{one}");
        assert!(is_span(&one[2], &one[3]), "{one}");
    }
    for one in rows(data, "stretches") {
        assert!(is_site(&one[0]) && is_span(&one[2], &one[3]), "{one}");
        assert!(one[1].as_u64() < Some(rows(data, "partitions").len() as u64), "{one}");
    }
    for one in rows(data, "works") {
        assert!(is_site(&one[0]) && is_span(&one[1], &one[2]), "{one}");
    }
    for one in rows(data, "faults") {
        assert!(is_span(&one[2], &one[3]), "{one}");
    }
    assert_eq!(rows(data, "partitions").iter().filter(|name| *name == "metadata").count(), 1);
}

/// Of a run that is short enough to be kept whole.
#[test]
fn the_page_of_a_red_seed_shows_its_broken_claim() {
    let plan = red(Mutant::AckAtPropose);
    let (report, data) = filmed(&plan);
    is_sound(&plan, &report, &data);
    let failure = report.failure.expect("the mutant is caught");
    let broken = &data["head"]["broken"];
    assert_eq!(broken["claim"], failure.claim.to_string());
    assert_eq!((&broken["at"], &broken["step"]), (&(failure.at_ns / 1_000).into(), &failure.step.into()));
    assert_eq!(broken["words"], failure.words);
    let partition = data["head"]["partition"].as_u64().expect("the claim names a partition") as usize;
    let name = rows(&data, "partitions")[partition].as_str().expect("a name");
    assert!(failure.words.contains(name), "{name}: {}", failure.words);
    let is_last = |line: &Value| line[1] == failure.step;
    assert!(rows(&data, "lines").iter().any(is_last), "the story goes to the step that broke the claim");
}

/// Each leadership that the run has noted is there as a stretch of that term at that node, and each fault and each
/// start that it has noted.
#[test]
fn the_page_of_a_long_green_seed_shows_what_happened() {
    let plan = plan_of(1);
    let (report, data) = filmed(&plan);
    is_sound(&plan, &report, &data);
    assert!(data["head"]["broken"].is_null() && report.failure.is_none());
    let notes: Vec<Vec<&str>> =
        report.notes.iter().map(|note| note.split_whitespace().skip(1).collect()).collect();
    let noted = |place: usize, word: &str| -> Vec<&Vec<&str>> {
        notes.iter().filter(|words| words.get(place) == Some(&word)).collect()
    };
    for words in noted(1, "leads") {
        let site: u64 = words[0].trim_start_matches('n').parse().expect("a node");
        let term: u64 = words[5].parse().expect("a term");
        let is_it = |one: &Value| one[0] == site - 1 && one[4] == 0 && one[5] == term;
        assert!(rows(&data, "stretches").iter().any(is_it), "{words:?}");
    }
    let lives: BTreeSet<String> =
        rows(&data, "lives").iter().map(|life| format!("{} {}", life[0], life[1])).collect();
    assert_eq!(noted(1, "starts,").len(), lives.len());
    assert_eq!(noted(0, "fault").len(), rows(&data, "faults").len());
    assert!(lives.len() >= plan.sites.len() && !noted(1, "leads").is_empty(), "{notes:?}");
    let ended = rows(&data, "operations").iter().filter(|one| one[4] == 1).count();
    assert!(ended > 100, "{ended} operations went well");
}

/// A run has more than a page: what is left out is said.
#[test]
fn a_page_says_what_it_left_out() {
    let plan = plan_of(2);
    let (report, data) = filmed(&plan);
    is_sound(&plan, &report, &data);
    let (since, left_out) = (&data["kept"]["since"], &data["kept"]["left_out"]);
    for kind in ["messages", "operations"] {
        let is_whole = left_out[kind] == 0;
        assert_eq!(is_whole, since[kind] == 0, "{kind}: {since} {left_out}");
        let is_late_enough = |one: &Value| one[3].as_u64() >= since[kind].as_u64();
        assert!(rows(&data, kind).iter().filter(|one| is_late_enough(one)).count() > 500, "{kind}");
    }
    let lines = rows(&data, "lines");
    assert!(lines.len() > 1_000 && since["lines"].as_u64() > Some(0));
    assert!(lines.iter().all(|line| line[0].as_u64() >= since["lines"].as_u64()));
}
