//! What `cargo test -p sim` runs: a fixed set of seeds, the regression plans, equal traces twice, in one process and in
//! two, and the golden hashes. `SEED=n cargo test -p sim` runs that seed alone; if it is red, it is shrunk, told, and
//! its plan is stored.
//!
//! The set as a whole must reach every mark it promises: a green run that never tore a sector proves nothing
//! about torn sectors.
//!
//! That a release build gives the same traces is looked at by hand, for it takes minutes to build:
//! `cargo run --release -p sim -- golden | diff - sim/plans/golden.txt`.

use rust_mq_core::mutant::Mutant;
use sim::claims::Failure;
use sim::client::plan::{ClientPlan, Role};
use sim::golden;
use sim::marks::Marks;
use sim::mutants;
use sim::plan::Plan;
use sim::run::{plan_of, run};
use sim::shrink::shrink;
use sim::story::{self, Total};
use sim::trace::Watch;
use sim::world::Report;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Marks that the fixed seeds reach together, and in how many of a thousand runs each is reached at least.
const PROMISED: &[(&str, u64)] = &[
    ("atlas.allowed_a_loss", 10),
    ("atlas.forbade_a_loss", 10),
    ("audit.brought_back_the_rest", 10),
    ("audit.looked_at_a_lookup_again", 10),
    ("audit.read_a_partition", 10),
    ("audit.read_a_partition_that_retention_cut", 10),
    ("bounds.waited_for_a_disk_to_be_tidy", 10),
    ("bounds.weighed_an_idle_node", 10),
    ("client.asked_for_topics_by_id", 10),
    ("client.began_a_new_epoch", 10),
    ("client.committed_as_a_sharer", 10),
    ("client.consumed_by_time", 10),
    ("client.consumed_from_the_end", 10),
    ("client.consumed_from_the_start", 10),
    ("client.created_a_topic", 10),
    ("client.deleted_a_topic", 10),
    ("client.deleted_a_topic_by_id", 10),
    ("client.deleted_a_topic_with_data", 10),
    ("client.died_as_a_sharer", 10),
    ("client.died_within_a_request", 10),
    ("client.fetched_many_topics", 10),
    ("client.fetched_oddly", 10),
    ("client.filled_a_batch_to_the_brim", 10),
    ("client.gave_up_waiting", 10),
    ("client.left_a_consumer_group", 10),
    ("client.left_a_topic_that_was_remade", 10),
    ("client.looked_up_many_partitions", 10),
    ("client.lost_the_answer_to_a_produce", 10),
    ("client.made_a_topic_again", 10),
    ("client.made_a_topic_that_a_pattern_means", 10),
    ("client.never_read", 10),
    ("client.paused_past_its_consumer_session", 10),
    ("client.probed", 10),
    ("client.produced_plainly", 10),
    ("client.produced_to_many_partitions", 10),
    ("client.produced_with_acks_0", 10),
    ("client.produced_with_acks_1", 10),
    ("client.produced_with_acks_all", 10),
    ("client.produced_with_sequences", 10),
    ("client.read_records_by_offset", 10),
    ("client.read_slowly", 10),
    ("client.retried_an_unsure_produce", 10),
    ("client.saw_each_partition_with_somebody", 10),
    ("client.sent_a_part_that_is_refused", 10),
    ("client.sent_damaged_bytes", 10),
    ("client.stuck_to_an_old_leader", 10),
    ("client.told_the_epoch_it_read_last", 10),
    ("client.took_a_block_of_producer_ids", 10),
    ("client.took_a_new_producer_id", 10),
    ("client.validated_a_topic", 10),
    ("client.wanted_a_topic_made", 10),
    ("client.was_assigned_by_its_coordinator", 10),
    ("client.was_fenced_as_a_reader", 10),
    ("client.was_fenced_as_a_watcher", 10),
    ("client.was_fenced_from_a_consumer_group", 10),
    ("client.was_overtaken_by_retention", 10),
    ("client.was_refused_a_setting", 10),
    ("client.was_refused_at_an_old_epoch", 10),
    ("client.was_refused_for_good", 10),
    ("client.was_stamped_by_a_leader", 10),
    ("client.was_told_that_nothing_is_so_new", 10),
    ("client.was_told_the_end", 10),
    ("client.was_told_the_end_of_an_epoch", 10),
    ("client.was_told_the_largest_time", 10),
    ("client.was_told_the_start", 10),
    ("client.was_told_what_is_at_a_time", 10),
    ("client.wrote_and_never_read", 10),
    ("client.wrote_beyond_the_last_sequence", 10),
    ("core.caught_up_by_snapshot", 10),
    ("core.declared_a_replica_dead", 10),
    ("core.found_damage", 10),
    ("core.left_a_file_in_place", 10),
    ("core.mended_a_segment", 10),
    ("core.noticed_a_full_disk", 10),
    ("core.noticed_a_slow_disk", 10),
    ("core.noticed_a_sound_disk", 10),
    ("core.noticed_space_again", 10),
    ("core.refused_to_start", 10),
    ("core.rejected_a_link", 10),
    ("core.served", 10),
    ("core.stopped_on_a_disk_failure", 10),
    ("core.stopped_when_asked", 10),
    ("disk.crash_kept_later_lost_earlier", 10),
    ("disk.crash_lost_a_name", 10),
    ("disk.crash_tore_a_middle_sector", 10),
    ("disk.crash_undid_work", 10),
    ("disk.decayed_by_a_bit", 10),
    ("disk.decayed_by_a_sector", 10),
    ("disk.failed_a_read", 10),
    ("disk.failed_a_sync", 10),
    ("disk.failed_a_write", 10),
    ("disk.lost_a_file", 10),
    ("disk.lost_a_write", 10),
    ("disk.lost_writes_of_a_kind", 10),
    ("disk.rot_was_written_over", 10),
    ("disk.rotted", 10),
    ("disk.rotted_in_the_journal", 10),
    ("disk.was_rolled_back", 10),
    ("disk.was_wiped", 10),
    ("fault.asked_to_stop", 10),
    ("fault.changed_a_drift", 10),
    ("fault.cut_but_for_a_bridge", 10),
    ("fault.cut_into_halves", 10),
    ("fault.cut_one_way", 10),
    ("fault.filled_a_disk", 10),
    ("fault.hung_a_client_up", 10),
    ("fault.isolated_a_site", 10),
    ("fault.killed_a_process", 10),
    ("fault.killed_while_a_sync_failed", 10),
    ("fault.moved_a_clock_back", 10),
    ("fault.moved_a_clock_forth", 10),
    ("fault.paused_a_process", 10),
    ("fault.paused_everybody", 10),
    ("fault.power_was_lost", 10),
    ("fault.power_was_lost_everywhere", 10),
    ("fault.power_was_lost_in_a_checkpoint", 10),
    ("fault.power_was_lost_in_a_frame", 10),
    ("fault.power_was_lost_in_a_recovery", 10),
    ("fault.slowed_a_disk", 10),
    ("fault.slowed_reads", 10),
    ("fault.somebody_else_answered", 10),
    ("fault.stays_for_ever", 10),
    ("fault.swallowed_a_stream", 10),
    ("guest.asked_how_far_its_group_is", 10),
    ("guest.asked_once_more_for_one_call", 10),
    ("guest.closed_as_a_reader", 10),
    ("guest.committed_as_a_reader", 10),
    ("guest.committed_by_hand", 10),
    ("guest.delivered_plainly", 10),
    ("guest.delivered_with_sequences", 10),
    ("guest.died_as_a_reader", 10),
    ("guest.joined_a_generation", 10),
    ("guest.lost_a_lane", 10),
    ("guest.lost_its_partitions", 10),
    ("guest.read_on_somewhere_else", 10),
    ("guest.sent_several_records_together", 10),
    ("guest.was_assigned", 10),
    ("guest.was_away_for_long", 10),
    ("guest.was_handed_a_record", 10),
    ("guest.was_refused_a_commit", 10),
    ("guest.was_revoked", 10),
    ("guest.was_told_that_it_failed", 10),
    ("guest.was_told_that_nobody_knows", 10),
    ("guest.wrote_to_many_partitions_at_once", 10),
    ("network.close_lost_messages", 10),
    ("network.cut_held_a_piece", 10),
    ("network.cut_lost_messages", 10),
    ("recovery.was_rehearsed", 10),
    ("replay.met_a_live_state", 10),
    ("replay.met_a_restart", 10),
    ("replay.met_a_snapshot", 10),
    ("replay.met_an_election", 10),
];

/// Served versions of APIs that no client of the fixed seeds happens to speak: a client speaks one of each.
const UNSPOKEN_MAX: usize = 0;
/// Simulated milliseconds of faults in an ordinary run, at least.
const CHAOS_MS: u64 = 30_000;
/// Of a hundred runs, how many have three sites or more, at least.
const CLUSTERS_PERCENT: u64 = 80;
/// Batches that are acknowledged in the median run, at least.
const ACKED_MEDIAN: u64 = 300;
/// Elections in the median run, at least.
const ELECTIONS_MEDIAN: u64 = 3;

/// Reach what the first 96 miss by chance, after a change that moves all runs: about one seed in a hundred declares a
/// replica dead.
const CHOSEN: [u64; 1] = [80_000_031];

/// Runs seeds on two threads and demands that all are green.
fn all_green(seeds: impl Iterator<Item = u64> + Send) -> Total {
    let seeds = Mutex::new(seeds);
    let total = Mutex::new(Total::default());
    let red: Mutex<Vec<(u64, Failure)>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some(seed) = seeds.lock().expect("no thread panics here").next() else { return };
                    let plan = plan_of(seed);
                    assert!(plan.chaos_ms >= CHAOS_MS, "seed {seed} has {} ms of faults", plan.chaos_ms);
                    let report = run(&plan, Watch::Nobody, None);
                    total.lock().expect("no thread panics here").add(&report);
                    if let Some(failure) = report.failure {
                        red.lock().expect("no thread panics here").push((seed, failure));
                    }
                }
            });
        }
    });
    let red = red.into_inner().expect("no thread panics here");
    assert!(red.is_empty(), "red seeds, each shown by `cargo run -p sim -- --seed n`: {red:#?}");
    total.into_inner().expect("no thread panics here")
}

fn chosen_seed() -> Option<u64> {
    std::env::var("SEED").ok().map(|text| text.parse().expect("SEED is a number"))
}

#[test]
fn fixed_seeds_are_green_and_reach_their_marks() {
    if let Some(seed) = chosen_seed() {
        return tell_one(seed);
    }
    let started = Instant::now();
    let total = all_green((1..=96).chain(CHOSEN));
    say(&sim::story::rate(total.events(), started.elapsed()));
    say(&total.text());
    say(&total.floors_text(PROMISED));
    let missing = total.below(PROMISED);
    assert!(missing.is_empty(), "the fixed seeds reach all they promise as often as they do but {missing:?}");
    let unspoken = total.marks.unspoken();
    let most = UNSPOKEN_MAX;
    assert!(unspoken.len() <= most, "more than {most} versions of APIs were never answered: {unspoken:?}");
    assert!(total.clusters_percent() >= CLUSTERS_PERCENT, "{} % are clusters", total.clusters_percent());
    assert!(total.acked_median() >= ACKED_MEDIAN, "{} acknowledged in the median", total.acked_median());
    assert!(total.elections_median() >= ELECTIONS_MEDIAN, "{} elections", total.elections_median());
}

/// Says it past the test harness, which shows what a green test prints to nobody.
fn say(text: &str) {
    writeln!(std::io::stdout(), "{text}").expect("standard output is open");
}

/// One seed; if it is red, it is shrunk and told.
fn tell_one(seed: u64) {
    let plan = plan_of(seed);
    let report = run(&plan, Watch::Nobody, None);
    if let Some(failure) = &report.failure {
        let small = shrink(&plan, failure.claim, &mut |_| ());
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("seed-{seed}.json"));
        std::fs::write(&path, story::plan_text(&small)).expect("the target folder takes files");
        let again = format!("cargo run -p sim -- --plan {}", path.display());
        panic!("{}\nmade small, its plan is stored: {again}", story::tell(&small));
    }
    say(&format!("seed {seed} is green: {} events, trace {:016x}", report.events, report.hash));
}

#[test]
fn each_mutant_is_caught_by_its_claim() {
    if chosen_seed().is_some() {
        return;
    }
    let seeds = mutants::nominated();
    let next = AtomicUsize::new(0);
    let missed: Mutex<Vec<String>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(planted) = mutants::ALL.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let seed = seeds.get(&format!("{:?}", planted.mutant)).copied().unwrap_or_default();
                    if let Err(why) = planted.is_caught_by(seed) {
                        missed.lock().expect("no thread panics here").push(why.to_string());
                    }
                }
            });
        }
    });
    let missed = missed.into_inner().expect("no thread panics here");
    let again = "`cargo run -p sim -- nominate` looks for others";
    assert!(missed.is_empty(), "{}\n{again}", missed.join("\n"));
}

#[test]
fn stored_plans_stay_green() {
    if chosen_seed().is_some() {
        return;
    }
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("plans");
    let mut plans: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the plans are in the repository")
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    plans.sort();
    for path in plans {
        let plan = story::read_plan(&path).expect("a stored plan is a plan");
        let report = run(&plan, Watch::Nobody, None);
        assert!(report.failure.is_none(), "{}: {}", path.display(), story::tell(&plan));
    }
}

#[test]
fn a_plan_runs_the_same_twice() {
    if chosen_seed().is_some() {
        return;
    }
    for seed in 100..120 {
        let plan = plan_of(seed);
        let same = |report: Report| (report.hash, report.checkpoints, report.steps, report.marks);
        let first: (u64, Vec<u64>, u64, Marks) = same(run(&plan, Watch::Nobody, Some(60_000)));
        let second = same(run(&plan, Watch::Tail(10), Some(60_000)));
        assert_eq!(first, second, "seed {seed} ran differently the second time");
    }
}

/// Who adds an API meets no run that changed for it: a client draws for each API by itself (`client/chance.rs`), and the
/// longer answer to ApiVersions comes when the shorter one came.
#[test]
fn one_more_api_changes_no_run() {
    if chosen_seed().is_some() {
        return;
    }
    let any = |seed: u64, is_one: fn(&ClientPlan) -> bool| plan_of(seed).clients.iter().any(is_one);
    let asks = |seed: &u64| any(*seed, |client| client.asks_versions);
    let (asking, others): (Vec<u64>, Vec<u64>) = (1..40).partition(asks);
    // A vandal asks too, though it reads no answer.
    let is_silent = |seed: &u64| !any(*seed, |client| client.role == Role::Vandal);
    let silent = others.into_iter().filter(is_silent);
    let both = |seed: u64| {
        let plan = plan_of(seed);
        let more = Plan { mutant: Some(Mutant::OneMoreApi), ..plan.clone() };
        [plan, more].map(|plan| run(&plan, Watch::Nobody, Some(60_000)))
    };
    for seed in silent.take(4) {
        let [one, more] = both(seed);
        assert_eq!(one.hash, more.hash, "seed {seed} changed, though nobody asks for the versions");
    }
    for seed in asking.into_iter().take(6) {
        let [one, more] = both(seed);
        let same =
            |report: Report| (report.steps, report.lasted_ns, report.events, report.marks, report.failure);
        assert_ne!(one.hash, more.hash, "in seed {seed} nobody was told of the new API");
        assert_eq!(same(one), same(more), "seed {seed} changed in more than what it was told");
    }
}

/// Two processes of different surroundings, at addresses of their own.
#[test]
fn a_seed_runs_the_same_in_two_processes() {
    if chosen_seed().is_some() {
        return;
    }
    let golden = |perturb: &str| {
        let mut process = Command::new(env!("CARGO_BIN_EXE_sim"));
        process.arg("golden").env("MALLOC_PERTURB_", perturb).env("SURROUNDINGS", perturb.repeat(100));
        let output = process.output().expect("the simulator starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("hashes are text")
    };
    let (first, second) = (golden("1"), golden("170"));
    assert_eq!(first, second, "two processes ran one seed differently");
    assert_eq!(first.lines().count(), golden::SEEDS.len());
}

#[test]
fn a_seed_says_the_same_twice() {
    if chosen_seed().is_some() {
        return;
    }
    let said = |arguments: &[&str]| {
        let output =
            Command::new(env!("CARGO_BIN_EXE_sim")).args(arguments).output().expect("the simulator starts");
        String::from_utf8(output.stdout).expect("a story is text")
    };
    for arguments in [&["--seed", "7", "--until", "2000"][..], &["--seed", "7", "--count", "1"]] {
        assert_eq!(said(arguments), said(arguments), "{arguments:?}");
    }
}

#[test]
fn golden_traces_are_as_recorded() {
    if chosen_seed().is_some() {
        return;
    }
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("plans/golden.txt");
    let recorded = std::fs::read_to_string(path).expect("the golden hashes are in the repository");
    assert_eq!(
        golden::record(),
        recorded,
        "a trace has changed; if it was meant to: cargo run -p sim -- golden > sim/plans/golden.txt"
    );
}
