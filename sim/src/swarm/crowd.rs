//! Draws the topics, and the clients that use them.

use crate::client::plan::{ClientPlan, ConsumerHabits, From, ProducerHabits, Role, TopicPlan};
use crate::dice::Dice;

/// The topics of a run.
pub fn topics(sites: usize, dice: &mut Dice) -> Vec<TopicPlan> {
    let count = dice.between(1, 3);
    (0..count)
        .map(|number| TopicPlan {
            name: format!("t{number}"),
            partitions: dice.between(1, 4) as i32,
            replicas: if sites == 1 || dice.below(8) == 0 { 1 } else { sites.min(3) as i16 },
        })
        .collect()
}

/// The clients of a run, but no watcher.
pub fn clients(dice: &mut Dice) -> Vec<ClientPlan> {
    let mut clients = vec![ClientPlan { role: Role::Founder, operations: 0, think_ms: 100 }];
    for _ in 0..dice.between(2, 4) {
        clients.push(producer(dice));
    }
    for _ in 0..dice.between(1, 3) {
        clients.push(consumer(dice));
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
pub fn watcher(dice: &mut Dice) -> Option<ClientPlan> {
    let think_ms = dice.log_uniform(5, 100);
    (dice.below(4) == 0).then_some(ClientPlan { role: Role::Watcher, operations: 2_000, think_ms })
}

fn producer(dice: &mut Dice) -> ClientPlan {
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
    };
    let role = Role::Consumer(habits);
    ClientPlan { role, operations: u32::MAX, think_ms: dice.log_uniform(1, 200) }
}
