//! `elect t-0 not=1`: time passes until a replica leads that has applied an entry of its term, on another node
//! than `not`. An election cannot be forced: who won is printed, and how long it took. Without a partition: the
//! metadata partition.

use super::leaders::{self, View};
use crate::script_runner::command::Command;
use crate::script_runner::world::World;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

pub fn run(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&["not"])?;
    let not: i32 = command.option_or("not", 0)?;
    let partition = if command.words.is_empty() { None } else { Some(command.partition(0)?) };
    let leader = |world: &World| {
        let views = leaders::views(world, partition.as_ref());
        views.into_iter().find(|view| view.is_leading && view.node != not)
    };
    let waited = world.pass_until(PATIENCE, |world| leader(world).is_some());
    let line = match (waited, leader(world)) {
        (Some(waited), Some(View { node, term, .. })) => {
            format!("n{node} leads in epoch {term}, after {} ms", waited.as_millis())
        }
        _ => format!("nobody leads after {PATIENCE:?}"),
    };
    world.say(line);
    Ok(())
}
