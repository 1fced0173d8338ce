//! `start 2`: the process starts on the disk that is there. `crash 2`: the power fails, unsynced bytes are gone.
//! `wipe 2`: so is the disk, and an empty one takes its place. `kill 2`: only the process is gone. `stop 2`: it is asked to stop, and time passes until it has. Each takes
//! several nodes, which do it at once.

use crate::script_runner::command::Command;
use crate::script_runner::disk::Disk;
use crate::script_runner::world::World;
use rust_mq_core::event::{Event, Question};
use std::time::Duration;

pub fn start(world: &mut World, command: &Command) -> Result<(), String> {
    nodes(command)?.into_iter().try_for_each(|id| world.start(id))?;
    world.settle();
    Ok(())
}

pub fn crash(world: &mut World, command: &Command) -> Result<(), String> {
    for id in nodes(command)? {
        world.end(id)?;
        world.node(id)?.disk.crash();
    }
    world.settle();
    Ok(())
}

pub fn wipe(world: &mut World, command: &Command) -> Result<(), String> {
    for id in nodes(command)? {
        world.end(id)?;
        world.node(id)?.disk = Disk::default();
    }
    world.settle();
    Ok(())
}

pub fn kill(world: &mut World, command: &Command) -> Result<(), String> {
    for id in nodes(command)? {
        world.end(id)?;
        world.node(id)?.disk.killed();
    }
    world.settle();
    Ok(())
}

pub fn stop(world: &mut World, command: &Command) -> Result<(), String> {
    let ids = nodes(command)?;
    for id in &ids {
        world.node(*id)?.inbox.push(Event::Asked { question: 1, what: Question::Stop });
    }
    let are_gone = |world: &World| ids.iter().all(|id| world.running().all(|(other, _)| other != *id));
    if world.pass_until(Duration::from_secs(30), are_gone).is_none() {
        world.say("still not stopped after 30s");
    }
    Ok(())
}

fn nodes(command: &Command) -> Result<Vec<i32>, String> {
    command.allow(&[])?;
    (0..command.words.len()).map(|at| command.number(at)).collect()
}
