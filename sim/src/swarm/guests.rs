//! Draws the guests: programs that use our own client crate. They come last, from streams of their own, so that the plan of
//! a seed is what it was before there were any, but for them.

use crate::client::plan::{Aim, ClientPlan, GuestHabits, ReaderHabits, Role};
use crate::dice::{Dice, Root};

/// The guests of a run.
pub fn draw(root: Root) -> Vec<ClientPlan> {
    let mut guests = Vec::new();
    let mut dice = root.stream("guests", &[]);
    if dice.below(3) == 0 {
        let count = dice.between(1, 2);
        guests.extend((0..count).map(|number| writer(&mut root.stream("guest", &[number]))));
    }
    let mut dice = root.stream("readers", &[]);
    if dice.below(3) == 0 {
        let count = dice.between(1, 4);
        let shared = Shared {
            is_static: dice.below(4) == 0,
            session_ms: *dice.pick(&[6_000, 10_000]),
            rebalance_ms: *dice.pick(&[2_000, 5_000, 10_000]),
        };
        guests.extend((0..count).map(|number| reader(number, shared, &mut root.stream("reader", &[number]))));
    }
    guests
}

fn writer(dice: &mut Dice) -> ClientPlan {
    let think_ms = dice.log_uniform(5, 300);
    let habits = GuestHabits {
        is_idempotent: dice.below(5) > 0,
        is_leader_enough: dice.below(5) == 0,
        linger_ms: *dice.pick(&[0, 5, 50]),
        batch_bytes: *dice.pick(&[200, 2_000, 16 << 10]),
        record_bytes_max: *dice.pick(&[16, 100, 1_000]),
        burst: *dice.pick(&[1, 3, 20]),
        delivery_ms: *dice.pick(&[1_000, 4_000, 8_000, 15_000]),
        request_ms: *dice.pick(&[500, 2_000, 5_000]),
        aim: *dice.pick(&[Aim::Said, Aim::Said, Aim::Keyed, Aim::Free]),
    };
    let operations = (25_000 / think_ms).clamp(20, 600) as u32;
    ClientPlan { role: Role::Guest(habits), operations, think_ms, asks_versions: false }
}

/// What all readers of a run have in common, as the instances of one program have: who waits for a shorter time than the
/// group does never hears of the generation that it joins.
#[derive(Clone, Copy)]
struct Shared {
    is_static: bool,
    session_ms: u64,
    rebalance_ms: u64,
}

/// Most share what there is with the others; one in five reads by itself.
fn reader(number: u64, shared: Shared, dice: &mut Dice) -> ClientPlan {
    let think_ms = dice.log_uniform(5, 300);
    let group = if dice.below(5) == 0 { None } else { Some(format!("h{}", dice.below(8) / 6)) };
    let habits = ReaderHabits {
        instance: Some(format!("i{number}")).filter(|_| shared.is_static && group.is_some()),
        group,
        is_from_the_end: dice.below(8) == 0,
        commit_every_ms: if dice.below(4) == 0 { None } else { Some(dice.log_uniform(100, 5_000)) },
        session_ms: shared.session_ms,
        rebalance_ms: shared.rebalance_ms,
        fetch_wait_ms: *dice.pick(&[0, 100, 500, 1_000]),
        // What the client crate lets its users say at least, and more.
        prefetch_bytes: *dice.pick(&[64 << 10, 256 << 10, 1 << 20]),
        partition_bytes: *dice.pick(&[1 << 10, 16 << 10, 1 << 20]),
        appetite: *dice.pick(&[1, 5, 50]),
        odd_ppm: if dice.coin() { dice.log_uniform(300, 10_000) } else { 0 },
    };
    ClientPlan { role: Role::Reader(habits), operations: u32::MAX, think_ms, asks_versions: false }
}
