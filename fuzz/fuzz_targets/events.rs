//! A script of events into a whole node: clients and peers that connect, send anything and break off, a disk
//! that ends actions late, badly or not at all, clocks that jump.
//!
//! ```text
//! first byte: how many members the cluster has; then steps, a byte each and what follows it
//! ```
//!
//! Laws: nothing panics, a ticket is used once, nothing comes after the end, and with a willing disk and no more
//! input the node comes to rest.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
#[path = "../stage/mod.rs"]
mod stage;

use crate::stage::script::Script;
use crate::stage::{Fate, Files, Stage, config};
use rust_mq_core::link::LaneKind;
use std::time::Duration;

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| run(bytes));

/// Steps of one script: longer ones find nothing that shorter ones do not, only later.
const STEPS_MAX: usize = 200;
/// Turns in which a node at rest must have come to rest. Chosen.
const TURNS_MAX: usize = 2_000;

/// Plays one script.
pub fn run(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let nodes = if script.byte().is_multiple_of(2) { 1 } else { 3 };
    let mut stage = Stage::start(config(nodes), Files::new());
    if !script.byte().is_multiple_of(4) {
        assert!(stage.settle(TURNS_MAX), "a node that starts comes to rest");
    }
    for _ in 0..STEPS_MAX {
        if script.is_over() || stage.is_halted() {
            break;
        }
        step(&mut stage, &mut script);
    }
    assert!(stage.settle(TURNS_MAX), "a node without input comes to rest");
}

fn step(stage: &mut Stage, script: &mut Script<'_>) {
    match script.byte() % 14 {
        0 => stage.open_client(),
        1 => drop(stage.open_peer(LaneKind::Raft)),
        2 => drop(stage.open_peer(LaneKind::Bulk)),
        3 => stage.cut(script.byte()),
        4 | 5 => {
            let (link, length) = (script.byte(), script.byte());
            stage.receive(link, script.take(usize::from(length)));
        }
        // A whole request: its length is right, so that what follows is read as the next.
        6..=8 => {
            let (link, length) = (script.byte(), script.byte());
            let body = script.take(usize::from(length) * 4);
            let length = u32::try_from(body.len()).expect("at most 1020");
            let request = [&length.to_be_bytes(), body].concat();
            stage.receive(link, &request);
        }
        9 => stage.pass(Duration::from_nanos(1 << (script.byte() % 40)), 0),
        10 => stage.pass(Duration::ZERO, i64::from(script.byte() as i8) << (script.byte() % 50)),
        11 => {
            let fate = match script.byte() {
                0 => Fate::Full,
                1 => Fate::Failed,
                _ => Fate::Done,
            };
            stage.disk(fate);
        }
        12 => stage.turn(),
        _ => match script.byte() {
            0 => stage.stop(),
            _ => drop(stage.settle(usize::from(script.byte()))),
        },
    }
}
