//! `fail 1`: the node's disk answers syncs with an error from now on, until its power fails (`crash 1`).

use crate::script_runner::command::Command;
use crate::script_runner::world::World;

pub fn run(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&[])?;
    world.node(command.number(0)?)?.disk.fail();
    Ok(())
}
