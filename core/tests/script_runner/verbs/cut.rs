//! `cut 1 | 2 3`: nothing passes between the two sides from now on, and nobody is told; `lane=bulk` holds back that
//! lane alone. `heal` ends all cuts:
//! what was under way arrives.

use crate::script_runner::command::Command;
use crate::script_runner::world::World;
use rust_mq_core::link::LaneKind;

pub fn cut(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&["lane"])?;
    let lane = match command.option::<String>("lane")?.as_deref() {
        None => None,
        Some("bulk") => Some(LaneKind::Bulk),
        Some("raft") => Some(LaneKind::Raft),
        Some(other) => return Err(format!("no lane is called `{other}`")),
    };
    let mut sides = [Vec::new(), Vec::new()];
    let mut side = 0;
    for word in &command.words {
        match word.as_str() {
            "|" => side += 1,
            id => {
                let id: i32 = id.parse().map_err(|_| format!("`{id}` is no node"))?;
                sides.get_mut(side).ok_or("a cut has two sides")?.push(id);
            }
        }
    }
    for one in &sides[0] {
        sides[1].iter().for_each(|other| world.wires.cut(*one, *other, lane));
    }
    world.settle();
    Ok(())
}

pub fn heal(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&[])?;
    world.wires.heal();
    world.settle();
    Ok(())
}
