//! `copy 1`: what is durable on the node's disk is remembered. `roll_back 1`: the disk, whose power has failed, is
//! again what it was then, as after a snapshot of a virtual machine, or with a disk that lied about its syncs.

use crate::script_runner::command::Command;
use crate::script_runner::world::World;

pub fn copy(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&[])?;
    world.node(command.number(0)?)?.disk.copy();
    Ok(())
}

pub fn roll_back(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&[])?;
    world.node(command.number(0)?)?.disk.roll_back();
    Ok(())
}
