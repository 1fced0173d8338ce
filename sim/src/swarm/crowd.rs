//! Draws the topics, and the clients that use them. Each kind of client is drawn from a stream of its own, and a kind
//! that is new comes last, so that it shifts nothing of the runs that it is not in.

use crate::client::plan::{ClientPlan, ConsumerHabits, From, ProducerHabits, Role, Stamps, TopicPlan};
use crate::dice::{Dice, Root};
use crate::network::Weather;
use crate::plan::Knobs;
use std::collections::BTreeMap;

/// Records whose times are so far apart lie in different segments. Milliseconds.
const FAR_MS: u64 = 100_000;
/// The first epoch of a producer that is near the last.
const LATE_EPOCH: i16 = i16::MAX - 1;
/// The first sequence of a producer that soon comes to the last, and begins at 0 again.
const LATE_SEQUENCE: i32 = i32::MAX - 20;

/// The topics of a run.
pub fn topics(sites: usize, root: Root, dice: &mut Dice) -> Vec<TopicPlan> {
    let count = dice.between(1, 3);
    (0..count)
        .map(|number| {
            let (partitions, is_lonely) = (dice.between(1, 4) as i32, dice.below(8) == 0);
            let replicas = if sites == 1 || is_lonely { 1 } else { sites.min(3) as i16 };
            let mut own = root.stream("topic", &[number]);
            TopicPlan {
                name: format!("t{number}"),
                partitions,
                replicas,
                configs: configs(replicas, &mut own),
                is_remade: false,
            }
        })
        .collect()
}

/// What is set on a topic: nothing on most.
fn configs(replicas: i16, dice: &mut Dice) -> BTreeMap<String, String> {
    let mut configs = BTreeMap::new();
    let mut set = |name: &str, value: String| drop(configs.insert(name.to_owned(), value));
    if dice.below(5) == 0 {
        set("retention.bytes", (*dice.pick(&[0, 1_000, 20_000, 200_000])).to_string());
    }
    if dice.below(5) == 0 {
        set("retention.ms", (*dice.pick(&[0, 1_000, 5_000, 20_000, i64::MAX])).to_string());
    }
    if dice.below(6) == 0 {
        set("message.timestamp.type", "LogAppendTime".to_owned());
    }
    if dice.below(6) == 0 {
        set("min.insync.replicas", dice.between(1, replicas.unsigned_abs().into()).to_string());
    }
    if dice.below(8) == 0 {
        set("message.timestamp.before.max.ms", (*dice.pick(&[3_000_000, i64::MAX])).to_string());
    }
    configs
}

/// The clients of a run whose faults may be about clients.
pub fn clients(root: Root) -> Vec<ClientPlan> {
    let founder = ClientPlan { role: Role::Founder, operations: 0, think_ms: 100, asks_versions: false };
    let mut clients = vec![founder];
    let mut dice = root.stream("crowd", &[]);
    let (producers, consumers) = (dice.between(2, 4), dice.between(1, 3));
    clients.extend((0..producers).map(|number| producer(&mut root.stream("producer", &[number]))));
    clients.extend((0..consumers).map(|number| consumer(&mut root.stream("consumer", &[number]))));
    let mut dice = root.stream("admin", &[]);
    if dice.coin() {
        clients.push(some(Role::Admin, dice.between(5, 60), dice.log_uniform(50, 2000)));
    }
    let mut dice = root.stream("mute", &[]);
    if dice.below(4) == 0 {
        clients.push(some(Role::Mute, dice.between(5, 50), dice.log_uniform(10, 1000)));
    }
    let mut dice = root.stream("vandal", &[]);
    if dice.below(4) == 0 {
        clients.push(some(Role::Vandal, dice.between(10, 200), dice.log_uniform(10, 1000)));
    }
    clients.push(ClientPlan { role: Role::Auditor, operations: 0, think_ms: 50, asks_versions: false });
    clients
}

/// Clients that came later: no fault names them.
pub fn newcomers(root: Root, topics: &mut Vec<TopicPlan>, sites: usize) -> Vec<ClientPlan> {
    let mut clients = Vec::new();
    let mut dice = root.stream("watcher", &[]);
    if dice.below(3) == 0 {
        clients.push(some(Role::Watcher, 2_000, dice.log_uniform(10, 200)));
    }
    let mut dice = root.stream("remaker", &[]);
    if dice.below(3) == 0 {
        let replicas = if sites == 1 { 1 } else { sites.min(3) as i16 };
        let partitions = dice.between(1, 3) as i32;
        let configs = configs(replicas, &mut dice);
        topics.push(TopicPlan { name: "r0".to_owned(), partitions, replicas, configs, is_remade: true });
        clients.push(some(Role::Remaker, dice.between(1, 8), dice.log_uniform(100, 3_000)));
    }
    let mut dice = root.stream("eraser", &[]);
    if dice.coin() {
        clients.push(some(Role::Eraser, dice.between(3, 60), dice.log_uniform(50, 1_000)));
    }
    let mut dice = root.stream("hoarder", &[]);
    if dice.below(6) == 0 {
        clients.push(some(Role::Hoarder, dice.between(30, 80), dice.log_uniform(50, 300)));
    }
    let mut dice = root.stream("glutton", &[]);
    if dice.below(8) == 0 {
        let count = dice.between(1, 3);
        clients
            .extend((0..count).map(|_| some(Role::Glutton, dice.between(50, 300), dice.log_uniform(1, 20))));
    }
    let mut dice = root.stream("members", &[]);
    if dice.below(3) == 0 {
        let think_ms = dice.log_uniform(10, 300);
        for number in 0..dice.between(1, 6) {
            let group = format!("g{}", dice.below(2));
            let instance = if dice.below(3) == 0 { Some(format!("i{number}")) } else { None };
            clients.push(some(Role::Member { group, instance }, 1_000, think_ms));
        }
    }
    let mut dice = root.stream("sharers", &[]);
    if dice.below(3) == 0 {
        let think_ms = dice.log_uniform(10, 300);
        for _ in 0..dice.between(1, 6) {
            let group = format!("k{}", dice.below(2));
            let has_pattern = dice.below(3) == 0;
            clients.push(some(Role::Sharer { group, has_pattern }, 1_000, think_ms));
        }
    }
    // A clerk speaks one version of each API: the fixed seeds need many of them to have heard all.
    let mut dice = root.stream("clerk", &[]);
    if dice.coin() {
        clients.push(some(Role::Clerk, dice.between(20, 200), dice.log_uniform(20, 300)));
    }
    clients
}

/// In some runs producers send what they have collected for a while, as those do that linger: several requests of many
/// partitions at once. There a turn does so little that such a request takes several.
pub fn burst(dice: &mut Dice, knobs: &mut Knobs, clients: &mut [ClientPlan]) {
    if dice.below(3) > 0 {
        return;
    }
    knobs.turn_work_bytes = dice.log_uniform(500, 4_000) as usize;
    for client in clients {
        let Role::Producer(habits) = &mut client.role else { continue };
        habits.spread = habits.spread.max(4);
        habits.in_flight = 5;
        // What is sent again keeps no order of its own.
        habits.is_idempotent &= dice.coin();
        habits.bursts = dice.between(2, 4) as usize;
    }
}

/// Of those who begin new epochs half come back in one that they have left.
pub fn haunt(root: Root, clients: &mut [ClientPlan]) {
    for (number, client) in (0..).zip(clients) {
        let Role::Producer(habits) = &mut client.role else { continue };
        let mut dice = root.stream("haunts", &[number]);
        if habits.is_idempotent && habits.bumps_ppm > 0 && dice.coin() {
            habits.bumps_ppm = habits.bumps_ppm.max(10_000);
            habits.haunts_ppm = dice.log_uniform(10_000, 200_000);
        }
    }
}

/// One run in four has clients that ask for the versions first, as all real ones do.
pub fn greet(dice: &mut Dice, clients: &mut [ClientPlan]) {
    let asks = dice.below(4) == 0;
    clients.iter_mut().for_each(|client| client.asks_versions = asks);
}

/// In some runs batches are as large as a topic takes, to the byte and one beyond: on topics that take little mostly, for
/// a frame holds what one replica may have waiting, and now and then on those that take the most. A node takes no request
/// beyond half of what it has for requests, so there memory is not small, nor does one request fill many partitions.
pub fn fill(
    dice: &mut Dice,
    knobs: &mut Knobs,
    weather: &mut Weather,
    topics: &mut [TopicPlan],
    clients: &mut [ClientPlan],
) {
    let is_great = match dice.below(24) {
        0 => true,
        1..4 => false,
        _ => return,
    };
    if is_great {
        give_room(knobs, weather);
    } else {
        for topic in topics {
            let most = *dice.pick(&[1_000, 5_000, 16_000]);
            topic.configs.insert("max.message.bytes".to_owned(), most.to_string());
        }
    }
    for client in clients {
        if let Role::Producer(habits) = &mut client.role {
            (habits.records_max, habits.record_bytes_max) = (habits.records_max.min(3), 200);
            habits.fills_ppm = if is_great { 30_000 } else { 300_000 };
            habits.spread = if is_great { habits.spread.min(3) } else { habits.spread };
        }
    }
}

/// Whether some client fills batches of a topic that takes as much as any.
pub fn needs_room(topics: &[TopicPlan], clients: &[ClientPlan]) -> bool {
    let fills = |client: &ClientPlan| matches!(&client.role, Role::Producer(habits) if habits.fills_ppm > 0);
    clients.iter().any(fills) && topics.iter().any(|topic| !topic.configs.contains_key("max.message.bytes"))
}

/// Lets such batches through.
pub fn give_room(knobs: &mut Knobs, weather: &mut Weather) {
    let storage = &mut knobs.storage;
    storage.frame_bytes_max = storage.frame_bytes_max.max(4 << 20);
    storage.journal_file_bytes = storage.journal_file_bytes.max(2 * storage.frame_bytes_max);
    weather.window_bytes = weather.window_bytes.max(256 << 10);
    weather.latency_mean_ns = weather.latency_mean_ns.min(2_000_000);
    knobs.memory_limit = knobs.memory_limit.max(64 << 20);
}

/// Half of the consumers read in sessions.
pub fn keep_sessions(dice: &mut Dice, clients: &mut [ClientPlan]) {
    for client in clients {
        if let Role::Consumer(habits) = &mut client.role
            && dice.coin()
        {
            habits.session_ends_ppm = Some(*dice.pick(&[0, 0, 1_000, 50_000]));
        }
    }
}

/// In some runs memory is so small that those who write much leave none to others for a while.
pub fn starve(dice: &mut Dice, knobs: &mut Knobs, clients: &[ClientPlan]) {
    let has_gluttons = clients.iter().any(|client| client.role == Role::Glutton);
    if has_gluttons && dice.below(3) > 0 {
        knobs.memory_limit = *dice.pick(&[8 << 20, 16 << 20]);
    }
}

fn some(role: Role, operations: u64, think_ms: u64) -> ClientPlan {
    ClientPlan { role, operations: operations as u32, think_ms, asks_versions: false }
}

fn producer(dice: &mut Dice) -> ClientPlan {
    let think_ms = dice.log_uniform(2, 200);
    let is_idempotent = dice.below(3) > 0;
    let habits = ProducerHabits {
        is_idempotent,
        acks: *dice.pick(&[-1, -1, -1, 1, 0]),
        in_flight: *dice.pick(&[1, 1, 2, 5]),
        records_max: *dice.pick(&[1, 3, 20]),
        record_bytes_max: *dice.pick(&[16, 100, 2_000]),
        is_stubborn: dice.below(4) == 0,
        dies_ppm: if dice.below(3) == 0 { dice.log_uniform(1_000, 100_000) } else { 0 },
        spread: *dice.pick(&[1, 1, 3, 8]),
        bursts: 1,
        stamps: stamps(dice),
        // An idempotent one begins anew after each, so that it comes to nothing else if there are many.
        spoils_ppm: match dice.below(3) {
            0 if is_idempotent => 10_000,
            0 => 100_000,
            _ => 0,
        },
        fills_ppm: 0,
        bumps_ppm: if dice.coin() { dice.log_uniform(1_000, 30_000) } else { 0 },
        haunts_ppm: 0,
        first_epoch: *dice.pick(&[0, 0, LATE_EPOCH]),
        first_sequence: *dice.pick(&[0, 0, 0, LATE_SEQUENCE]),
    };
    some(Role::Producer(habits), (25_000 / think_ms).clamp(20, 600), think_ms)
}

fn stamps(dice: &mut Dice) -> Stamps {
    let away = dice.log_uniform(1, FAR_MS) as i64;
    match dice.below(8) {
        0 => Stamps::Away { by_ms: -away },
        1 => Stamps::Away { by_ms: away },
        2 => Stamps::Around { within_ms: away },
        3 => Stamps::Never,
        _ => Stamps::Now,
    }
}

fn consumer(dice: &mut Dice) -> ClientPlan {
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
        knows_epochs: dice.below(4) > 0,
        is_committed_only: dice.below(4) == 0,
        odd_ppm: if dice.below(3) == 0 { dice.log_uniform(1_000, 300_000) } else { 0 },
        session_ends_ppm: None,
    };
    some(Role::Consumer(habits), u64::from(u32::MAX), dice.log_uniform(1, 200))
}
