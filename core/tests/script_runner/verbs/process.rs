//! `start 2`: the process starts on the disk that is there; `upgrade=yes`: it is of our build from now on. `crash 2`: the power fails, unsynced bytes are gone.
//! `wipe 2`: so is the disk, and an empty one takes its place. `kill 2`: only the process is gone. `stop 2`: it is asked to stop, and time passes until it has
//! (`wait=no`: none passes). Each takes
//! several nodes, which do it at once.

use crate::script_runner::command::Command;
use crate::script_runner::disk::Disk;
use crate::script_runner::world::World;
use rust_mq_core::event::{Event, Question};
use rust_mq_core::level::Levels;
use std::time::Duration;

pub fn start(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&["upgrade"])?;
    let is_upgraded = command.option::<String>("upgrade")?.is_some_and(|upgrade| upgrade == "yes");
    for id in nodes(command)? {
        if is_upgraded {
            world.node(id)?.config.levels = Levels::BUILD;
        }
        world.start(id)?;
    }
    world.settle();
    Ok(())
}

pub fn crash(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&[])?;
    for id in nodes(command)? {
        // The process may be gone already: then the machine goes after it.
        if world.node(id)?.broker.is_some() {
            world.end(id)?;
        }
        world.node(id)?.disk.crash();
    }
    world.settle();
    Ok(())
}

pub fn wipe(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&[])?;
    for id in nodes(command)? {
        world.end(id)?;
        world.node(id)?.disk = Disk::default();
    }
    world.settle();
    Ok(())
}

pub fn kill(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&[])?;
    for id in nodes(command)? {
        world.end(id)?;
        world.node(id)?.disk.killed();
    }
    world.settle();
    Ok(())
}

pub fn stop(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&["wait"])?;
    let ids = nodes(command)?;
    for id in &ids {
        world.node(*id)?.inbox.push(Event::Asked { question: 1, what: Question::Stop });
    }
    if command.option::<String>("wait")?.is_some_and(|wait| wait == "no") {
        world.settle();
        return Ok(());
    }
    let are_gone = |world: &World| ids.iter().all(|id| world.running().all(|(other, _)| other != *id));
    if world.pass_until(Duration::from_secs(30), are_gone).is_none() {
        world.say("still not stopped after 30s");
    }
    Ok(())
}

fn nodes(command: &Command) -> Result<Vec<i32>, String> {
    (0..command.words.len()).map(|at| command.number(at)).collect()
}
