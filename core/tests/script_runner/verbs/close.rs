//! `close c`: the client goes away, whatever it waited for.

use crate::script_runner::command::Command;
use crate::script_runner::world::World;

pub fn run(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&[])?;
    let told = world.clients.close(command.word(0)?);
    if told.is_empty() {
        return Err(format!("there is no client `{}`", command.word(0)?));
    }
    for (node, event) in told {
        world.node(node)?.inbox.push(event);
    }
    world.settle();
    Ok(())
}
