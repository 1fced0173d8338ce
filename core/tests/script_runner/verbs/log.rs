//! `log t-0`: what each replica holds. `0 a` is offset and value; `|` is the high watermark, beyond it nothing is
//! committed as far as this replica knows; `[e2]` begins leader epoch 2; `3-9 b` is the same value seven times.
//!
//! Records come from the replica's window and from its segments, so that what lies in neither is seen to be lost.

use crate::script_runner::command::Command;
use crate::script_runner::disk::Disk;
use crate::script_runner::values;
use crate::script_runner::world::World;
use rust_mq_core::entry::EntryKind;
use rust_mq_core::file::File;
use rust_mq_core::node::Node;
use rust_mq_core::partition::Partition;
use std::collections::BTreeMap;

pub fn run(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&[])?;
    let (topic, number) = command.partition(0)?;
    let mut lines = Vec::new();
    for (id, process) in &world.nodes {
        let Some(broker) = &process.broker else {
            lines.push(format!("n{id} is down"));
            continue;
        };
        let node = broker.node();
        let partition = node.named(&topic, number).ok().and_then(|of| node.partition(of));
        let Some(partition) = partition else { continue };
        lines.push(format!("n{id} {}", line(node, &process.disk, partition)));
    }
    lines.into_iter().for_each(|line| world.say(line));
    Ok(())
}

fn line(node: &Node, disk: &Disk, partition: &Partition) -> String {
    let (start, watermark) = (partition.log_start().0, partition.high_watermark().0);
    let records = records(node, disk, partition);
    let end = watermark.max(records.keys().max().map_or(0, |last| last + 1));
    let mut line = format!("from {start}:");
    let mut epoch = -1;
    let mut offset = start;
    while offset < end {
        if offset == watermark {
            line += " |";
        }
        let Some(record) = records.get(&offset) else {
            line += &format!(" {offset} LOST");
            offset += 1;
            continue;
        };
        if record.0 != epoch {
            epoch = record.0;
            line += &format!(" [e{epoch}]");
        }
        let last = (offset..end)
            .take_while(|next| records.get(next) == Some(record) && (*next == offset || *next != watermark))
            .last()
            .unwrap_or(offset);
        let range = if last > offset { format!("{offset}-{last}") } else { offset.to_string() };
        line += &format!(" {range} {}", record.1);
        offset = last + 1;
    }
    if end == watermark { line + " |" } else { line }
}

fn records(node: &Node, disk: &Disk, partition: &Partition) -> BTreeMap<i64, (i32, String)> {
    let replica = partition.replica();
    let mut records = BTreeMap::new();
    let end = node.storage().extent(replica.id()).map_or(0, |extent| extent.end.0);
    for (file, bytes) in disk.files() {
        if let File::Segment(name) = file
            && name.of == partition.of()
        {
            let kept = values::records(bytes).into_iter().filter(|(offset, ..)| *offset < end);
            records.extend(kept.map(|(offset, epoch, value)| (offset, (epoch, value))));
        }
    }
    for entry in replica.entries(replica.first_index(), replica.last_index().next()) {
        if entry.kind == EntryKind::Batch {
            let written = values::records(&entry.payload).into_iter();
            records.extend(written.map(|(offset, epoch, value)| (offset, (epoch, value))));
        }
    }
    records
}
