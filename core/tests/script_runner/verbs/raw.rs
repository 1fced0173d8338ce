//! `raw 1 00000008DEAD client=c`: any bytes, in hexadecimal, on a client's connection.

use crate::script_runner::command::Command;
use crate::script_runner::world::World;

pub fn run(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&["client"])?;
    let node = command.number(0)?;
    let name = command.option("client")?.ok_or("raw bytes need a client: they may be half a request")?;
    let link = world.connection(node, Some(name))?;
    let mut bytes = Vec::new();
    for word in &command.words[1..] {
        for at in (0..word.len()).step_by(2) {
            let pair = word.get(at..at + 2).ok_or("an odd number of digits")?;
            bytes.push(u8::from_str_radix(pair, 16).map_err(|_| format!("`{pair}` is not hexadecimal"))?);
        }
    }
    world.clients.send_raw(node, link, &bytes);
    world.settle();
    Ok(())
}
