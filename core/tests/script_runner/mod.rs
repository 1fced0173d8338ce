//! Tells a story: a tiny world of brokers, disks, links and clients, in which nothing moves but by a command.
//!
//! ```text
//! script    the text: commands, and what came of them        verbs/   one file a verb: what a command does
//! world     time, and the order of everything                 process  a broker with its disk
//! disk      bytes that are synced, and bytes that are not     wires    lanes between nodes; cuts
//! clients   Kafka's language, spoken from outside             answer   an answer as a line of text
//! ```
//! After each command the world *settles*: everything happens that can happen without time passing. Time passes
//! only by `wait`, `elect` and the few verbs that say so.

mod answer;
mod answer_consumers;
mod answer_groups;
mod clients;
mod command;
mod disk;
mod embedded;
mod process;
pub mod script;
mod values;
mod verbs;
mod wires;
mod world;

use script::{Line, Script};
use world::World;

/// The story with what came of its commands now. The error names the line that makes no sense.
pub fn tell(script: &Script) -> Result<String, String> {
    let mut world = World::default();
    let mut told = String::new();
    for (number, line) in script.lines.iter().enumerate() {
        match line {
            Line::Prose(text) => told += &format!("{text}\n"),
            Line::Commands(text, commands) => {
                told += &format!("{text}\n");
                for command in commands {
                    let came = verbs::run(&mut world, command);
                    let said = std::mem::take(&mut world.said);
                    said.iter().for_each(|line| told += &format!("    {line}\n"));
                    came.map_err(|reason| format!("{told}\nline {}: {reason}", number + 1))?;
                }
            }
        }
    }
    Ok(told)
}
