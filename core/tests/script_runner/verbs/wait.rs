//! `wait 500ms`: time passes, and everything happens that it brings.

use crate::script_runner::command::{Command, duration};
use crate::script_runner::world::World;

pub fn run(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&[])?;
    world.pass(duration(command.word(0)?)?);
    Ok(())
}
