//! Draws the plan of a seed: topology, knobs at extremes, clients, and a random subset of faults.
//!
//! Swarm testing (Groce et al. 2012): a run that does a few things often finds more than one that does all of
//! them seldom. Each kind of trouble is on with probability one half, then its rate is drawn log-uniformly; one
//! run in ten has none, one in ten exactly one kind.
//!
//! The atlas: bit rot comes only to machines of one drawn minority, so that no record loses the copies of a
//! majority; and the core that is healed in the end holds none of them.

use crate::client::plan::{ClientPlan, ConsumerHabits, From, ProducerHabits, Role, TopicPlan};
use crate::clock::{MICRO, MILLI};
use crate::dice::{Dice, Root};
use crate::network::{Spot, Weather};
use crate::plan::{Fault, Knobs, Machine, Plan, Trouble, TroubleKind};
use rust_mq_core::config::StorageConfig;
use std::time::Duration;

/// The bound of what a swarm draws, for a build that cannot do everything yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Most machines.
    pub sites_max: usize,
}

/// The plan of a seed.
pub fn draw(seed: u64, root: Root, reach: Reach) -> Plan {
    let mut dice = root.stream("topology", &[]);
    let sites = match dice.below(100) {
        0..12 => 1,
        12..80 => 3,
        _ => 5,
    }
    .min(reach.sites_max);
    let chaos_ms = 30_000;
    let core = draw_core(sites, &mut dice);
    let topics = draw_topics(sites, &mut dice);
    let mut clients = draw_clients(&mut root.stream("crowd", &[]));
    let mut knobs = draw_knobs(&mut root.stream("knobs", &[]));
    let mut machines: Vec<Machine> =
        (0..sites).map(|site| draw_machine(&mut root.stream("machine", &[site as u64]), sites)).collect();
    squeeze(&mut root.stream("squeeze", &[]), &mut knobs, &mut machines, &mut clients);
    let weather = draw_weather(&mut root.stream("weather", &[]));
    let faults = draw_faults(root, (sites, chaos_ms, knobs.election_min_ms), clients.len(), &core);
    clients.extend(draw_watcher(&mut root.stream("watcher", &[])));
    Plan { seed, sites, chaos_ms, weather, knobs, machines, topics, clients, core, faults, mutant: None }
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

fn draw_topics(sites: usize, dice: &mut Dice) -> Vec<TopicPlan> {
    let count = dice.between(1, 3);
    (0..count)
        .map(|number| TopicPlan {
            name: format!("t{number}"),
            partitions: dice.between(1, 4) as i32,
            replicas: if sites == 1 || dice.below(8) == 0 { 1 } else { sites.min(3) as i16 },
        })
        .collect()
}

fn draw_clients(dice: &mut Dice) -> Vec<ClientPlan> {
    let mut clients = vec![ClientPlan { role: Role::Founder, operations: 0, think_ms: 100 }];
    for _ in 0..dice.between(2, 4) {
        clients.push(draw_producer(dice));
    }
    for _ in 0..dice.between(1, 3) {
        clients.push(draw_consumer(dice));
    }
    if dice.coin() {
        clients.push(ClientPlan {
            role: Role::Admin,
            operations: dice.between(5, 30) as u32,
            think_ms: dice.log_uniform(50, 2000),
        });
    }
    if dice.below(4) == 0 {
        clients.push(ClientPlan {
            role: Role::Mute,
            operations: dice.between(5, 50) as u32,
            think_ms: dice.log_uniform(10, 1000),
        });
    }
    if dice.below(4) == 0 {
        clients.push(ClientPlan {
            role: Role::Vandal,
            operations: dice.between(10, 200) as u32,
            think_ms: dice.log_uniform(10, 1000),
        });
    }
    clients.push(ClientPlan { role: Role::Auditor, operations: 0, think_ms: 50 });
    clients
}

/// In a quarter of the runs somebody asks where logs end.
fn draw_watcher(dice: &mut Dice) -> Option<ClientPlan> {
    let think_ms = dice.log_uniform(5, 100);
    (dice.below(4) == 0).then_some(ClientPlan { role: Role::Watcher, operations: 2_000, think_ms })
}

fn draw_producer(dice: &mut Dice) -> ClientPlan {
    let think_ms = dice.log_uniform(2, 200);
    let habits = ProducerHabits {
        is_idempotent: dice.below(3) > 0,
        acks: *dice.pick(&[-1, -1, -1, 1, 0]),
        in_flight: *dice.pick(&[1, 1, 2, 5]),
        records_max: *dice.pick(&[1, 3, 20]),
        record_bytes_max: *dice.pick(&[16, 100, 2_000]),
        is_stubborn: dice.below(4) == 0,
        dies_ppm: if dice.below(3) == 0 { dice.log_uniform(1_000, 100_000) } else { 0 },
    };
    let role = Role::Producer(habits);
    ClientPlan { role, operations: (25_000 / think_ms).clamp(20, 600) as u32, think_ms }
}

fn draw_consumer(dice: &mut Dice) -> ClientPlan {
    let habits = ConsumerHabits {
        from: match dice.below(6) {
            0 => From::Latest,
            1 => From::Time { ago_ms: dice.log_uniform(10, 20_000) },
            _ => From::Earliest,
        },
        max_wait_ms: *dice.pick(&[0, 10, 100, 500, 5_000]),
        min_bytes: *dice.pick(&[0, 1, 1, 1, 1_000, 100_000]),
        max_bytes: *dice.pick(&[1, 500, 10_000, 1 << 20, 50 << 20]),
        slow_ms: if dice.below(4) == 0 { dice.log_uniform(1, 500) } else { 0 },
    };
    let role = Role::Consumer(habits);
    ClientPlan { role, operations: u32::MAX, think_ms: dice.log_uniform(1, 200) }
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
        tail_bytes_max: *dice.pick(&[0, 1_000, 100_000, default.tail_bytes_max]),
        window_kept_bytes_max: *dice.pick(&[0, 10_000, 1 << 20, default.window_kept_bytes_max]),
    };
    Knobs {
        heartbeat_ms: (election_min_ms / 4).max(50),
        election_min_ms,
        election_max_ms: election_min_ms * 2,
        memory_limit: *dice.pick(&[64 << 20, 256 << 20, 1 << 30]),
        storage,
        turn_events_max: *dice.pick(&[1, 4, 32, 32]),
        turn_wait_ns: *dice.pick(&[MICRO, 50 * MICRO, 50 * MICRO, MILLI, 5 * MILLI]),
    }
}

fn draw_machine(dice: &mut Dice, sites: usize) -> Machine {
    let is_hostile = sites > 1 && dice.below(10) == 0;
    let drift = if is_hostile { 100_000 } else { 200 };
    Machine {
        offset_ns: dice.below(1 << 40),
        drift_ppm: dice.between(0, 2 * drift) as i64 - drift as i64,
        skew_ms: if dice.below(3) == 0 { dice.below(2_400_000) as i64 - 1_200_000 } else { 0 },
        capacity: 1 << 30,
        touch_ns: dice.log_uniform(5 * MICRO, 200 * MICRO),
        sync_ns: dice.log_uniform(100 * MICRO, 10 * MILLI),
        byte_ps: dice.log_uniform(100, 4_000),
    }
}

fn draw_weather(dice: &mut Dice) -> Weather {
    Weather {
        latency_min_ns: dice.log_uniform(10 * MICRO, MILLI),
        latency_mean_ns: dice.log_uniform(20 * MICRO, 20 * MILLI),
        late_ppm: if dice.below(3) == 0 { dice.log_uniform(100, 20_000) } else { 0 },
        byte_ps: dice.log_uniform(80, 8_000),
        window_bytes: *dice.pick(&[4 << 10, 64 << 10, 64 << 10, 1 << 20]),
        cut_max: *dice.pick(&[1 << 30, 1 << 30, 1 << 30, 1_000, 100, 7]),
    }
}

fn draw_faults(
    root: Root,
    (sites, chaos_ms, election_min_ms): (usize, u64, u64),
    clients: usize,
    core: &[usize],
) -> Vec<Fault> {
    let mut dice = root.stream("swarm", &[]);
    let kinds: Vec<TroubleKind> = match dice.below(10) {
        0 => Vec::new(),
        1 => vec![*dice.pick(&TroubleKind::ALL)],
        _ => TroubleKind::ALL.into_iter().filter(|_| dice.coin()).collect(),
    };
    let outside: Vec<usize> = (0..sites).filter(|site| !core.contains(site)).collect();
    let mut faults = Vec::new();
    if kinds.len() > 1 {
        draw_extras(root, (sites, chaos_ms, election_min_ms), &outside, &mut faults);
    }
    for kind in kinds {
        let mut dice = root.stream("trouble", &[kind as u64]);
        let mean_gap_ms = dice.log_uniform(1_500, 20_000);
        let mut at_ms = 500 + dice.exponential(mean_gap_ms);
        while at_ms < chaos_ms {
            if let Some((what, lasts_ms)) = draw_trouble(kind, sites, clients, &outside, &mut dice) {
                faults.push(Fault { at_ms, lasts_ms, what });
            }
            at_ms += 50 + dice.exponential(mean_gap_ms);
        }
    }
    if let Some(site) = outside.first().filter(|_| dice.coin()) {
        // Something outside the core stays wrong for ever, a one-way cut included.
        let to = *dice.pick(core);
        let what = match dice.below(4) {
            0 => Trouble::Isolate { site: *site },
            1 => Trouble::Kill { site: *site },
            2 => Trouble::Cut { from: Spot::Site(*site), to: Spot::Site(to) },
            _ => Trouble::Cut { from: Spot::Site(to), to: Spot::Site(*site) },
        };
        faults.push(Fault { at_ms: chaos_ms - 1 - dice.below(10_000), lasts_ms: u64::MAX >> 24, what });
    }
    faults.sort_by_key(|fault| fault.at_ms);
    faults
}

/// Four patterns that single troubles seldom make, each in some of the runs. A carousel cuts one machine after the
/// other off from its peers, not from clients, just long enough for another to be elected: leadership goes round and
/// comes back to where it was. The power fails again and again in the midst of a write. A sync fails as the process is
/// killed, and the power fails in the next life. And a journal rots in a machine that the others can do without.
fn draw_extras(
    root: Root,
    (sites, chaos_ms, election_min_ms): (usize, u64, u64),
    outside: &[usize],
    faults: &mut Vec<Fault>,
) {
    let mut dice = root.stream("carousel", &[]);
    if sites >= 3 && dice.below(4) == 0 {
        let mut at_ms = dice.between(2_000, chaos_ms / 2);
        for turn in 0..dice.between(4, 12) as usize {
            // A peer is given up after the shortest election timeout, and whose turn it is stands then.
            let lasts_ms = election_min_ms + dice.between(100, 600);
            faults.push(Fault { at_ms, lasts_ms, what: Trouble::Halves { left: vec![turn % sites] } });
            at_ms += lasts_ms + dice.below(100);
            if at_ms >= chaos_ms {
                break;
            }
        }
    }
    let mut dice = root.stream("torn writes", &[]);
    if dice.below(3) == 0 {
        for _ in 0..dice.between(3, 8) {
            let is_checkpoint = dice.coin();
            let kept_ppm = *dice.pick(&[300_000, 600_000, 900_000]);
            let what = Trouble::PowerLossAtWrite { site: dice.index(sites), is_checkpoint, kept_ppm };
            let at_ms = dice.between(1_000, chaos_ms - 3_000);
            faults.push(Fault { at_ms, lasts_ms: dice.log_uniform(20, 1_000), what });
        }
    }
    let mut dice = root.stream("killed while syncing", &[]);
    if dice.below(4) == 0 {
        for _ in 0..dice.between(1, 3) {
            let site = dice.index(sites);
            let at_ms = dice.between(1_000, chaos_ms - 6_000);
            faults.push(Fault {
                at_ms,
                lasts_ms: dice.log_uniform(20, 300),
                what: Trouble::KillAtSync { site },
            });
            let at_ms = at_ms + dice.between(500, 3_000);
            let what = Trouble::PowerLoss { site, kept_ppm: *dice.pick(&[0, 500_000]) };
            faults.push(Fault { at_ms, lasts_ms: dice.log_uniform(20, 1_000), what });
        }
    }
    let mut dice = root.stream("rot of a journal", &[]);
    if let Some(site) = outside.first().filter(|_| dice.below(4) == 0) {
        let at_ms = dice.between(3_000, chaos_ms - 3_000);
        let lasts_ms = dice.log_uniform(50, 2_000);
        faults.push(Fault { at_ms, lasts_ms, what: Trouble::RotJournal { site: *site } });
    }
}

/// In a quarter of the runs everything is tight: small frames, slow syncs, large batches and many of them under way.
fn squeeze(dice: &mut Dice, knobs: &mut Knobs, machines: &mut [Machine], clients: &mut [ClientPlan]) {
    if dice.below(4) > 0 {
        return;
    }
    let storage = &mut knobs.storage;
    storage.frame_bytes_max = 64 << 10;
    storage.journal_file_bytes = 128 << 10;
    storage.first_journal_file_bytes = 64 << 10;
    storage.checkpoint_bytes = dice.log_uniform(16 << 10, 256 << 10);
    for machine in machines {
        machine.sync_ns = machine.sync_ns.max(dice.log_uniform(MILLI, 20 * MILLI));
    }
    for client in clients {
        if let Role::Producer(habits) = &mut client.role {
            habits.in_flight = 5;
            habits.records_max = 20;
            habits.record_bytes_max = *dice.pick(&[500, 2_000]);
        }
    }
}

fn draw_trouble(
    kind: TroubleKind,
    sites: usize,
    clients: usize,
    outside: &[usize],
    dice: &mut Dice,
) -> Option<(Trouble, u64)> {
    let site = dice.index(sites);
    let kept_ppm = *dice.pick(&[0, 100_000, 500_000, 900_000]);
    // Most are short; some outlast the window of the log, so that catch-up is needed.
    let lasts_ms =
        if dice.below(4) == 0 { dice.log_uniform(2_000, 20_000) } else { dice.log_uniform(20, 2_000) };
    let left = || (0..sites).filter(|other| *other != site).take(sites / 2).collect::<Vec<_>>();
    let what = match kind {
        TroubleKind::Process if dice.below(4) == 0 => Trouble::Stop { site },
        TroubleKind::Process => Trouble::Kill { site },
        TroubleKind::PowerLoss => Trouble::PowerLoss { site, kept_ppm },
        TroubleKind::Blackout => return Some((Trouble::Blackout { kept_ppm }, dice.log_uniform(20, 3_000))),
        TroubleKind::Pause => Trouble::Pause { site },
        TroubleKind::Cut => {
            let spots = sites + clients;
            let spot = |number: usize| {
                if number < sites { Spot::Site(number) } else { Spot::Client(number - sites) }
            };
            let other = spot(dice.index(spots));
            let (from, to) = if dice.coin() { (Spot::Site(site), other) } else { (other, Spot::Site(site)) };
            if from == to {
                return None;
            }
            Trouble::Cut { from, to }
        }
        TroubleKind::Isolate => Trouble::Isolate { site },
        TroubleKind::Partition if sites < 3 => return None,
        TroubleKind::Partition if dice.coin() => Trouble::Bridge { left: left(), site },
        TroubleKind::Partition => Trouble::Halves { left: left() },
        TroubleKind::Clock if dice.coin() => {
            Trouble::Drift { site, ppm: dice.below(100_000) as i64 - 50_000 }
        }
        TroubleKind::Clock => {
            let hours = dice.below(49) as i64 - 24;
            Trouble::Jump { site, by_ms: hours * 3_600_000 + dice.below(1000) as i64 }
        }
        TroubleKind::DiskError => match dice.below(3) {
            0 => Trouble::WriteFails { site },
            1 => Trouble::SyncFails { site },
            _ => Trouble::ReadFails { site },
        },
        TroubleKind::DiskFull => Trouble::Full { site },
        TroubleKind::DiskSlow => Trouble::Slow { site, factor: dice.log_uniform(5, 2_000) },
        TroubleKind::Rot => Trouble::Rot { site: *outside.first()? },
        TroubleKind::Hangup => Trouble::Hangup { client: dice.index(clients) },
    };
    Some((what, lasts_ms))
}
