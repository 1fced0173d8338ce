//! `rot 1 t-0 5`: on node 1's disk the batch that holds offset 5 changes by a bit, in its last byte or `in=length` or
//! `in=epoch`. `lose 1 t-0 5`: the segment that holds it is gone. Both need it to be in a segment: wait 31s.
//! `flip 1 journal/0000 4200`: the byte there of any file changes by a bit.

use crate::script_runner::command::Command;
use crate::script_runner::world::World;
use rust_mq_core::file::File;
use rust_mq_core::ids::TopicPartition;
use rust_mq_proto::records::Batches;

/// Where in a batch that number stands.
const LENGTH_AT: usize = 10;
const EPOCH_AT: usize = 15;

pub fn rot(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&["in"])?;
    let (file, at, len) = find(world, command)?;
    let place = match command.option::<String>("in")?.as_deref() {
        None => len - 1,
        Some("length") => LENGTH_AT,
        Some("epoch") => EPOCH_AT,
        Some(other) => return Err(format!("nothing of a batch is called `{other}`")),
    };
    world.node(command.number(0)?)?.disk.flip(file, at + place);
    Ok(())
}

pub fn lose(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&[])?;
    let (file, ..) = find(world, command)?;
    world.node(command.number(0)?)?.disk.lose(file);
    Ok(())
}

pub fn flip(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&[])?;
    let path: String = command.word(1)?.to_owned();
    let file = File::parse(&path).ok_or_else(|| format!("`{path}` is no file of ours"))?;
    world.node(command.number(0)?)?.disk.flip(file, command.number(2)?);
    Ok(())
}

/// The file of the batch, where it starts in it, and its length.
fn find(world: &mut World, command: &Command) -> Result<(File, usize, usize), String> {
    let (topic, number) = command.partition(1)?;
    let offset: i64 = command.number(2)?;
    let of = partition(world, &topic, number)?;
    for (file, bytes) in world.node(command.number(0)?)?.disk.files() {
        let mut at = 0;
        let is_of_it = matches!(file, File::Segment(name) if name.of == of);
        for batch in Batches::new(bytes).filter(|_| is_of_it).map_while(Result::ok) {
            let len = batch.bytes().len();
            if batch.base_offset() <= offset && offset <= batch.last_offset() {
                return Ok((file, at, len));
            }
            at += len;
        }
    }
    Err(format!("offset {offset} of {topic}-{number} is in no segment there"))
}

fn partition(world: &World, topic: &str, number: i32) -> Result<TopicPartition, String> {
    let found = world.running().find_map(|(_, node)| node.named(topic, number).ok());
    found.ok_or_else(|| format!("no node that runs knows {topic}-{number}"))
}
