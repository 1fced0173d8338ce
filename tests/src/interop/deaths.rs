//! Nodes that die by `kill -9` in the middle of something, and come back: the leader of what is produced to, the
//! coordinator of a group at work.

use super::company::Company;
use super::play::{PATIENCE, Play};
use super::records::{each_once, read_twice};
use super::{Outcome, Verdict, demand, wrong};
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

/// Partitions of the topic that loses its leader.
const PARTITIONS: i32 = 3;
/// Records that are produced across the death, and the pause after each.
const COUNT: i64 = 800;
const PAUSE_MS: u32 = 5;
/// How long the records flow before the node dies, and how long it is dead.
const BEFORE: Duration = Duration::from_millis(1500);
const DEAD: Duration = Duration::from_secs(2);

/// The leader of a partition dies while records are on their way. An idempotent producer loses none and doubles none.
pub fn of_a_leader(play: &mut Play<'_>) -> Outcome<String> {
    let mode = match is_idempotent(play)? {
        true => "idempotent",
        false => "plain",
    };
    let topic = play.topic("led", PARTITIONS)?;
    let words = format!("produce {topic} none {mode} 0 {COUNT} {PAUSE_MS}");
    play.program().tell(&words);
    thread::sleep(BEFORE);
    let leader = play.scene.leader(&topic, 0)?;
    die_and_return(play, leader, |_| Ok(()))?;
    let acknowledged = play.program().answer(&words, PATIENCE)?;
    demand(acknowledged == COUNT, || format!("{acknowledged} of {COUNT} were acknowledged"))?;
    let kept = play.kept(&topic, PARTITIONS)?;
    let read = play.consume(&topic, kept)?;
    if mode == "idempotent" {
        demand(kept == COUNT, || format!("{kept} records are kept of {COUNT} that were sent"))?;
        each_once(&read, 0..COUNT)?;
        return Ok(String::new());
    }
    let twice = read_twice(&read, 0..COUNT)?;
    Ok(format!("without idempotence; {twice} kept twice"))
}

/// The coordinator of two members dies; they go on with another one.
pub fn of_a_coordinator(play: &mut Play<'_>) -> Outcome<String> {
    let mut company = Company::gather(play, 2)?;
    let coordinator = play.scene.coordinator(company.group())?;
    die_and_return(play, coordinator, |play| company.round(play))?;
    company.round(play)?;
    company.end(play)
}

fn is_idempotent(play: &mut Play<'_>) -> Outcome<bool> {
    let topic = play.topic("tried", 1)?;
    match play.produce(&topic, "none idempotent", 0, 1) {
        Err(Verdict::NotOffered(_)) => Ok(false),
        other => other.map(|()| true),
    }
}

/// The node is dead for a moment, and for as long as `meanwhile` takes; it is there again whatever came of that.
fn die_and_return(
    play: &mut Play<'_>,
    address: SocketAddr,
    meanwhile: impl FnOnce(&mut Play<'_>) -> Outcome<()>,
) -> Outcome<()> {
    let cluster = play.scene.cluster().expect("nodes die in a cluster only");
    let Some(number) = cluster.number_at(address) else { return wrong(format!("no node at {address}")) };
    cluster.kill(number);
    thread::sleep(DEAD);
    let done = meanwhile(play);
    play.scene.cluster().expect("it is still a cluster").revive(number);
    done
}
