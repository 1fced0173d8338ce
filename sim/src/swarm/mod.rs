//! Draws the plan of a seed: topology, knobs at extremes, the `crowd` of clients, and the `weather` that a random
//! subset of faults makes.
//!
//! Swarm testing (Groce et al. 2012): a run that does a few things often finds more than one that does all of
//! them seldom.

pub mod crowd;
mod guests;
mod storms;
mod weather;

use crate::client::plan::{ClientPlan, Role, TopicPlan};
use crate::clock::{MICRO, MILLI};
use crate::dice::{Dice, Root};
use crate::plan::{Fault, Knobs, Plan, SitePlan};
use crate::trouble::Trouble;
use rust_mq_core::config::StorageConfig;
use rust_mq_core::limits::TURN_WORK_BYTES;
use std::time::Duration;
use storms::Area;

/// The bound of what a swarm draws, for a build that cannot do everything yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Most sites.
    pub sites_max: usize,
}

/// The plan of a seed.
pub fn draw(seed: u64, root: Root, reach: Reach) -> Plan {
    let mut dice = root.stream("topology", &[]);
    let count = match dice.below(100) {
        0..12 => 1,
        12..80 => 3,
        _ => 5,
    }
    .min(reach.sites_max);
    let chaos_ms = 30_000;
    let core = draw_core(count, &mut dice);
    let mut topics = crowd::topics(count, root, &mut dice);
    let mut clients = crowd::clients(root);
    let mut knobs = draw_knobs(&mut root.stream("knobs", &[]));
    let mut sites: Vec<SitePlan> =
        (0..count).map(|site| weather::site(&mut root.stream("machine", &[site as u64]), count)).collect();
    squeeze(&mut root.stream("squeeze", &[]), &mut knobs, &mut sites, &mut clients);
    let mut weather = weather::network(&mut root.stream("weather", &[]));
    let place =
        Area { sites: count, clients: clients.len(), chaos_ms, election_min_ms: knobs.election_min_ms };
    let demands = storms::demands(&mut root.stream("demands", &[]), count);
    let mut faults = weather::faults(root, (count, chaos_ms, knobs.election_min_ms), clients.len(), &core);
    storms::faults(root, place, &core, demands, &mut faults);
    forget(&mut root.stream("forget", &[]), place, &mut knobs, &mut faults);
    faults.sort_by_key(|fault| fault.at_ms);
    clients.extend(crowd::newcomers(root, &mut topics, count));
    shorten(&mut root.stream("short retention", &[]), &mut knobs, &topics);
    crowd::starve(&mut root.stream("starve", &[]), &mut knobs, &clients);
    crowd::fill(&mut root.stream("fill", &[]), &mut knobs, &mut weather, &mut topics, &mut clients);
    crowd::haunt(root, &mut clients);
    crowd::burst(&mut root.stream("bursts", &[]), &mut knobs, &mut clients);
    crowd::greet(&mut root.stream("greet", &[]), &mut clients);
    crowd::keep_sessions(&mut root.stream("fetch sessions", &[]), &mut clients);
    knobs.auto_create = root.stream("auto-create", &[]).below(4) == 0;
    let links = storms::links(&mut root.stream("links", &[]), count, weather);
    let rehearse_every = draw_rehearsals(&mut root.stream("rehearsals", &[]));
    mix_builds(&mut root.stream("builds", &[]), &mut sites);
    clients.extend(guests::draw(root));
    Plan {
        seed,
        sites,
        chaos_ms,
        weather,
        links,
        knobs,
        topics,
        clients,
        core,
        faults,
        mutant: None,
        client_mutant: None,
        rehearse_every,
        demands,
    }
}

/// In a half of the runs some nodes are of a build that is one newer, or become it with a restart; in a few all of them.
fn mix_builds(dice: &mut Dice, sites: &mut [SitePlan]) {
    let mix = dice.below(16);
    for site in sites {
        site.newer_from = match mix {
            0 => Some(0),
            1 | 2 => Some(1),
            3..8 => *dice.pick(&[None, None, Some(0), Some(1)]),
            _ => None,
        };
    }
}

/// In some runs nodes keep nothing of their logs in memory that a checkpoint covers, and make one after a few writes; and
/// whoever leads is cut off from its peers, not from its clients, again and again. So it takes what is never committed, and
/// when it is back whoever leads then has less, and of that no entries any more: it starts anew below what it has.
fn forget(dice: &mut Dice, area: Area, knobs: &mut Knobs, faults: &mut Vec<Fault>) {
    if area.sites < 3 || faults.is_empty() || dice.below(5) > 0 {
        return;
    }
    knobs.storage.window_kept_bytes_max = 0;
    knobs.storage.checkpoint_bytes = knobs.storage.checkpoint_bytes.min(16 << 10);
    let mut at_ms = dice.between(1_500, 4_000);
    while at_ms + 3_000 < area.chaos_ms {
        let lasts_ms = area.election_min_ms + dice.between(200, 1_000);
        faults.push(Fault { at_ms, lasts_ms, what: Trouble::Halves { left: vec![dice.index(area.sites)] } });
        at_ms += lasts_ms + dice.between(100, 1_000);
    }
}

/// In some of the runs starts are rehearsed: seldom at every sync, for that takes as long as all else.
fn draw_rehearsals(dice: &mut Dice) -> u64 {
    match dice.below(48) {
        0 => 1,
        1..6 => 16,
        _ => 0,
    }
}

/// Where records are kept for a time that the run outlasts segments are small, so that some go while others stay.
fn shorten(dice: &mut Dice, knobs: &mut Knobs, topics: &[TopicPlan]) {
    let is_outlasted = |topic: &TopicPlan| (1..60_000).contains(&topic.number("retention.ms", i64::MAX));
    if topics.iter().any(is_outlasted) {
        let storage = &mut knobs.storage;
        storage.segment_bytes = storage.segment_bytes.min(dice.log_uniform(1 << 10, 16 << 10));
    }
}

/// A majority, or more.
fn draw_core(sites: usize, dice: &mut Dice) -> Vec<usize> {
    let majority = sites / 2 + 1;
    let wanted = dice.between(majority as u64, sites as u64) as usize;
    let mut core: Vec<usize> = (0..sites).collect();
    while core.len() > wanted {
        core.remove(dice.index(core.len()));
    }
    core
}

fn draw_knobs(dice: &mut Dice) -> Knobs {
    let election_min_ms = dice.log_uniform(200, 1500);
    let default = StorageConfig::default();
    // A frame holds what one replica may have waiting: many of the largest batches that clients send.
    let frame_bytes_max = *dice.pick(&[64 << 10, 128 << 10, 512 << 10, 2 << 20]);
    let journal_file_bytes = frame_bytes_max * dice.between(2, 4);
    let storage = StorageConfig {
        journal_file_bytes,
        first_journal_file_bytes: *dice.pick(&[journal_file_bytes, frame_bytes_max]),
        frame_bytes_max,
        checkpoint_bytes: dice.log_uniform(16 << 10, 4 << 20),
        segment_write_bytes: *dice.pick(&[1, 500, 10_000, default.segment_write_bytes]),
        segment_write_age: Duration::from_millis(dice.log_uniform(50, 30_000)),
        segment_bytes: dice.log_uniform(1 << 10, 1 << 20),
        index_interval_bytes: *dice.pick(&[1, 200, default.index_interval_bytes]),
        free_bytes_floor: *dice.pick(&[0, 64 << 10, 1 << 20]),
        free_bytes_short: 2 << 20,
        tail_bytes_max: *dice.pick(&[0, 1_000, 100_000, default.tail_bytes_max]),
        window_kept_bytes_max: *dice.pick(&[0, 10_000, 1 << 20, default.window_kept_bytes_max]),
        scrub_bytes_per_second: 0,
        // Small, and without a draw of their own: all other draws would change with it.
        gathered_bytes: frame_bytes_max / 64,
        state_file_bytes: frame_bytes_max,
        state_inline_bytes: if frame_bytes_max > 128 << 10 { default.state_inline_bytes } else { 0 },
    };
    Knobs {
        heartbeat_ms: (election_min_ms / 4).max(50),
        election_min_ms,
        election_max_ms: election_min_ms * 2,
        memory_limit: *dice.pick(&[64 << 20, 256 << 20, 1 << 30]),
        storage,
        turn_events_max: *dice.pick(&[1, 4, 32, 32]),
        auto_create: false,
        turn_wait_ns: *dice.pick(&[MICRO, 50 * MICRO, 50 * MICRO, MILLI, 5 * MILLI]),
        turn_work_bytes: *dice.pick(&[1, 2_000, 100_000, TURN_WORK_BYTES, TURN_WORK_BYTES]),
    }
}

/// In a quarter of the runs everything is tight: small frames, slow syncs, large batches and many of them under way.
fn squeeze(dice: &mut Dice, knobs: &mut Knobs, sites: &mut [SitePlan], clients: &mut [ClientPlan]) {
    if dice.below(4) > 0 {
        return;
    }
    let storage = &mut knobs.storage;
    storage.frame_bytes_max = 64 << 10;
    storage.journal_file_bytes = 128 << 10;
    storage.first_journal_file_bytes = 64 << 10;
    storage.checkpoint_bytes = dice.log_uniform(16 << 10, 256 << 10);
    for site in sites {
        site.sync_ns = site.sync_ns.max(dice.log_uniform(MILLI, 20 * MILLI));
    }
    for client in clients {
        if let Role::Producer(habits) = &mut client.role {
            habits.in_flight = 5;
            habits.records_max = 20;
            habits.record_bytes_max = *dice.pick(&[500, 2_000]);
        }
    }
}
