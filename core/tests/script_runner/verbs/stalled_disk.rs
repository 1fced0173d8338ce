//! `stall 1`: the node's disk takes work and does none, at once or `after=2` more syncs; with
//! `only=reads` it goes on with everything else. `resume 1`: it does what has waited, and says how many reads were among
//! it where there are some.

use crate::script_runner::command::Command;
use crate::script_runner::world::World;

pub fn stall(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&["after", "only"])?;
    let after = command.option_or("after", 0)?;
    let disk = &mut world.node(command.number(0)?)?.disk;
    match command.option::<String>("only")?.as_deref() {
        None => disk.stall(after),
        Some("reads") => disk.stall_reads(),
        Some(what) => return Err(format!("`{what}` alone cannot stall")),
    }
    Ok(())
}

pub fn resume(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&[])?;
    let process = world.node(command.number(0)?)?;
    let reads = process.disk.waiting_reads();
    process.disk.resume(&mut process.inbox);
    if reads > 0 {
        world.said.push(format!("{reads} read(s) waited"));
    }
    world.settle();
    Ok(())
}
