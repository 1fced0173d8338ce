//! `fill 1`: no file of the node can grow. `free 1`: all can.

use crate::script_runner::command::Command;
use crate::script_runner::world::World;

pub fn fill(world: &mut World, command: &Command) -> Result<(), String> {
    set(world, command, true)
}

pub fn free(world: &mut World, command: &Command) -> Result<(), String> {
    set(world, command, false)
}

fn set(world: &mut World, command: &Command, is_full: bool) -> Result<(), String> {
    command.allow(&[])?;
    world.node(command.number(0)?)?.disk.fill(is_full);
    world.settle();
    Ok(())
}
