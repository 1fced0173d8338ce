//! `clock 1 by=-3600s`: the node's wall clock jumps, as when somebody sets it. The monotonic clock does not.

use crate::script_runner::command::{Command, duration};
use crate::script_runner::world::World;

pub fn run(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&["by"])?;
    let by: String = command.option("by")?.ok_or("a clock jumps by= a time")?;
    let (sign, text) = by.strip_prefix('-').map_or((1, by.as_str()), |text| (-1, text));
    let by_ms = i64::try_from(duration(text)?.as_millis()).map_err(|_| "too long a time")?;
    world.node(command.number(0)?)?.wall_ahead_ms += sign * by_ms;
    Ok(())
}
