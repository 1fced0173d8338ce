//! `holds 1`: what clients make a node keep: fetches that partitions would wake, and bytes charged to the budget.

use crate::script_runner::command::Command;
use crate::script_runner::world::World;

pub fn run(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&[])?;
    let asked: i32 = command.number(0)?;
    let mut found = None;
    for (_, node) in world.running().filter(|(id, _)| *id == asked) {
        let watchers: usize =
            node.residents().partitions().map(|(_, partition)| partition.watcher_count()).sum();
        found = Some(format!("n{asked} holds {watchers} watcher(s)"));
    }
    let line = found.ok_or_else(|| format!("n{asked} does not run"))?;
    world.say(line);
    Ok(())
}
