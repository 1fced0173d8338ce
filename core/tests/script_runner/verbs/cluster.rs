//! `cluster nodes=3`: the nodes of the story, small in everything. Node 1 founds (or `founder=`). All start at
//! once, and time passes until each serves and is registered; `start=2,3` starts some and waits for nothing, `start=none`
//! nobody. `older=2,3` are of a build that reads a feature level less.
//! `work=1`: a turn does so many bytes for clients.

use crate::script_runner::command::Command;
use crate::script_runner::process::Process;
use crate::script_runner::world::World;
use rust_mq_core::config::{Config, Member, StorageConfig};
use rust_mq_core::ids::NodeId;
use rust_mq_core::level::{Level, Levels};
use rust_mq_core::limits::{REGISTER_LOOK_AFTER, TURN_WORK_BYTES};
use rust_mq_core::link::Address;
use rust_mq_core::settings::TopicDefaults;
use std::time::Duration;

const OPTIONS: &[&str] = &[
    "nodes",
    "founder",
    "start",
    "auto_create",
    "checkpoint",
    "segment",
    "window",
    "tail",
    "retention_check",
    "scrub",
    "older",
    "work",
];

pub fn run(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(OPTIONS)?;
    let count: i32 = command.option_or("nodes", 1)?;
    let founder: i32 = command.option_or("founder", 1)?;
    for id in 1..=count {
        let mut config = config(id, count, founder, command)?;
        let older: String = command.option_or("older", String::new())?;
        if older.split(',').any(|one| one == id.to_string()) {
            config.levels.newest = Level(Levels::BUILD.newest.0 - 1);
        }
        world.nodes.insert(id, Process::new(config));
    }
    let start: String = command.option_or("start", "all".to_owned())?;
    match start.as_str() {
        "none" => return Ok(()),
        "all" => (1..=count).try_for_each(|id| world.start(id))?,
        some => {
            for id in some.split(',') {
                world.start(id.parse().map_err(|_| format!("`{id}` is no node"))?)?;
            }
            world.settle();
            return Ok(());
        }
    }
    let is_serving = |world: &World| world.running().all(|(_, node)| node.is_serving());
    match world.pass_until(Duration::from_secs(10), is_serving) {
        Some(_) => {
            // Each node has the registry say where it is: no story begins in the middle of that.
            world.pass(REGISTER_LOOK_AFTER * 2);
            Ok(())
        }
        None => {
            world.say("some node does not serve after 10s");
            Ok(())
        }
    }
}

fn config(id: i32, count: i32, founder: i32, command: &Command) -> Result<Config, String> {
    let member = |id: i32| Member {
        node: NodeId(id),
        api: Address { host: format!("node{id}"), port: 9092 },
        rpc: Address { host: format!("node{id}"), port: u16::try_from(id).expect("a story has few nodes") },
    };
    let auto_create: String = command.option_or("auto_create", "yes".to_owned())?;
    let storage = StorageConfig {
        journal_file_bytes: 4 << 20,
        first_journal_file_bytes: 256 << 10,
        frame_bytes_max: 1 << 20,
        checkpoint_bytes: command.option_or("checkpoint", 1 << 20)?,
        segment_bytes: command.option_or("segment", 1 << 20)?,
        tail_bytes_max: command.option_or("tail", 64 << 20)?,
        scrub_bytes_per_second: command.option_or("scrub", 0)?,
        window_kept_bytes_max: command.option_or("window", 32 << 20)?,
        ..StorageConfig::default()
    };
    Ok(Config {
        node: NodeId(id),
        members: (1..=count).map(member).collect(),
        bootstrap: id == founder,
        retention_interval: command.time_or("retention_check", Duration::from_secs(300))?,
        topics: TopicDefaults {
            partitions: 1,
            replication_factor: i16::try_from(count.min(3)).expect("at most 3"),
            auto_create: auto_create == "yes",
        },
        storage,
        turn_work_bytes: command.option_or("work", TURN_WORK_BYTES)?,
        ..Config::default()
    })
}
