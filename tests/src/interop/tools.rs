//! What only Apache Kafka's own command line tools do: `kafka-get-offsets`, `kafka-delete-records`, `kafka-log-dirs`,
//! `kafka-consumer-groups --reset-offsets`, the verifiable producer.

use super::play::{COUNT, PARTITIONS, Play};
use super::{Outcome, demand};
use serde_json::{Value, json};

/// A topic with some records.
fn filled(play: &mut Play<'_>, what: &str) -> Outcome<String> {
    let topic = play.topic(what, PARTITIONS)?;
    play.produce(&topic, "none plain", 0, COUNT)?;
    Ok(topic)
}

/// Where partitions end is where they end.
pub fn get_offsets(play: &mut Play<'_>) -> Outcome<String> {
    let topic = filled(play, "ends")?;
    let ends = play.scene.ends(&topic, PARTITIONS)?;
    let expected: Value = ends.iter().enumerate().map(|(partition, end)| json!([partition, end])).collect();
    let said = play.ask(&format!("ends {topic}"))?;
    demand(said == expected, || format!("it sees {said}, not {expected}"))?;
    Ok(String::new())
}

/// What is before an offset goes.
pub fn delete_records(play: &mut Play<'_>) -> Outcome<String> {
    let topic = filled(play, "trimmed")?;
    let before = play.scene.edge(&topic, 0, -2)?;
    play.ask(&format!("trim {topic} 0 7"))?;
    let after = play.scene.edge(&topic, 0, -2)?;
    demand((before, after) == (0, 7), || format!("it begins at {after} and began at {before}"))?;
    Ok(String::new())
}

/// A topic has a size on each disk.
pub fn log_dirs(play: &mut Play<'_>) -> Outcome<String> {
    let topic = filled(play, "sized")?;
    let bytes = play.ask(&format!("sizes {topic}"))?.as_i64().unwrap_or(0);
    // Values alone are 200 bytes and more.
    let least = 200 * COUNT * i64::from(play.scene.replicas());
    demand(bytes >= least, || format!("it sees {bytes} bytes, and there are more than {least}"))?;
    Ok(String::new())
}

/// A group is put back to the beginning.
pub fn reset_offsets(play: &mut Play<'_>) -> Outcome<String> {
    let (topic, group) = (filled(play, "reset")?, play.name("reset"));
    play.ask(&format!("read {group} {topic} {COUNT}"))?;
    let before = play.scene.committed(&group, &topic, PARTITIONS)?;
    play.ask(&format!("reset {group} {topic}"))?;
    let after = play.scene.committed(&group, &topic, PARTITIONS)?;
    let is_so = before.iter().sum::<i64>() == COUNT && after == [0; PARTITIONS as usize];
    demand(is_so, || format!("{after:?} is committed, and was {before:?}"))?;
    Ok(String::new())
}

/// What the verifiable producer says is so.
pub fn verifiable_producer(play: &mut Play<'_>) -> Outcome<String> {
    let topic = play.topic("verified", PARTITIONS)?;
    let acknowledged = play.ask(&format!("verify {topic} {COUNT}"))?;
    let kept = play.kept(&topic, PARTITIONS)?;
    let is_so = acknowledged == COUNT && kept == COUNT;
    demand(is_so, || format!("{acknowledged} were acknowledged and {kept} are kept of {COUNT}"))?;
    Ok(String::new())
}
