//! The steps in their order, each on topics of its own, so that one that fails takes no other with it.

use super::play::{COUNT, PARTITIONS, PATIENCE, Play};
use super::records::{all_seen, each_once, in_order};
use super::roster::{Entry, Launch};
use super::scene::Scene;
use super::{Outcome, Verdict, company, deaths, demand, tools};
use serde_json::{Value, json};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

type Step = fn(&mut Play<'_>) -> Outcome<String>;

/// What is done on one node and on three. The codecs' numbers are those of a batch's attributes.
const STEPS: [(&str, Step); 11] = [
    ("topics", topics),
    ("gzip", |play| compression(play, "gzip", 1)),
    ("snappy", |play| compression(play, "snappy", 2)),
    ("lz4", |play| compression(play, "lz4", 3)),
    ("zstd", |play| compression(play, "zstd", 4)),
    ("idempotent", idempotent),
    ("group", company::one_leaves_and_one_dies),
    ("commits", commits),
    ("times", times),
    ("settings", settings),
    ("deletes", deletes),
];
/// What can be done on three only.
const DEATHS: [(&str, Step); 2] =
    [("leader dies", deaths::of_a_leader), ("coordinator dies", deaths::of_a_coordinator)];
/// What only Kafka's own tools have.
const TOOLS: [(&str, Step); 5] = [
    ("get-offsets", tools::get_offsets),
    ("delete-records", tools::delete_records),
    ("log-dirs", tools::log_dirs),
    ("reset-offsets", tools::reset_offsets),
    ("verifiable producer", tools::verifiable_producer),
];

/// The names of the steps for every client, in their order.
pub fn step_names() -> impl Iterator<Item = &'static str> {
    STEPS.iter().chain(&DEATHS).map(|(name, _)| *name)
}

/// The names of those that are for Kafka's own tools only.
pub fn tool_names() -> impl Iterator<Item = &'static str> {
    TOOLS.iter().map(|(name, _)| *name)
}

/// One step that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// The client, as the roster names it.
    pub client: String,
    /// The library's version, as it says itself.
    pub version: String,
    /// One node or three.
    pub scene: String,
    /// Which step.
    pub step: String,
    /// What came of it.
    pub verdict: Verdict,
    /// How long it took.
    pub millis: u64,
}

/// Gives the whole play, and says each step when it is done. `choice` is a part of the names of the steps that are
/// wanted.
pub fn give(entry: &Entry, launch: &Launch, scene: &mut Scene, choice: &str, mut say: impl FnMut(&Done)) {
    let deaths = if matches!(scene, Scene::Three(_)) { &DEATHS[..] } else { &[] };
    let tools = if entry.is_tools() { &TOOLS[..] } else { &[] };
    let mut play = Play::new(entry, launch, scene);
    let version =
        play.ask("version").map_or_else(|_| "?".to_owned(), |said| said.as_str().unwrap_or("?").to_owned());
    for (name, step) in STEPS.iter().chain(deaths).chain(tools).filter(|(name, _)| name.contains(choice)) {
        let started = Instant::now();
        // A broker that does not answer us ends a step and not the lane.
        let result = catch_unwind(AssertUnwindSafe(|| step(&mut play)));
        let verdict = match result {
            Ok(Ok(note)) => Verdict::Fine(note),
            Ok(Err(verdict)) => verdict,
            Err(_) => Verdict::Wrong("the broker did not answer the judge".to_owned()),
        };
        if matches!(verdict, Verdict::Wrong(_)) {
            play.start_over();
        }
        let millis = u64::try_from(started.elapsed().as_millis()).expect("a step takes no eon");
        let (client, version) = (entry.name.to_owned(), version.clone());
        let scene = play.scene.name().to_owned();
        say(&Done { client, version, scene, step: (*name).to_owned(), verdict, millis });
    }
}

fn topics(play: &mut Play<'_>) -> Outcome<String> {
    let (topic, replicas) = (play.name("made"), i64::from(play.scene.replicas()));
    play.ask(&format!("create {topic} 4 {replicas}"))?;
    play.scene.comes_to_know(&topic, true)?;
    let said = play.ask(&format!("describe {topic}"))?;
    let expected = Value::from(vec![4, replicas]);
    if said == json!([4, null]) {
        return Ok("it does not say how many replicas there are".to_owned());
    }
    demand(said == expected, || format!("it sees {said} partitions and replicas, not {expected}"))?;
    Ok(String::new())
}

fn compression(play: &mut Play<'_>, codec: &str, code: u8) -> Outcome<String> {
    let topic = play.topic(codec, PARTITIONS)?;
    play.produce(&topic, &format!("{codec} plain"), 0, COUNT)?;
    for partition in 0..PARTITIONS {
        let stored = play.scene.stored(&topic, partition)?;
        let kept = stored.get(22).map(|attributes| attributes & 7);
        demand(kept.is_none_or(|kept| kept == code), || {
            format!("it is kept with codec {kept:?}, not {code}")
        })?;
    }
    each_once(&play.consume(&topic, COUNT)?, 0..COUNT)?;
    Ok(String::new())
}

fn idempotent(play: &mut Play<'_>) -> Outcome<String> {
    let topic = play.topic("idempotent", PARTITIONS)?;
    play.produce(&topic, "none idempotent", 0, COUNT)?;
    let stored = play.scene.stored(&topic, 0)?;
    let id = stored.get(43..51).map(|id| i64::from_be_bytes(id.try_into().expect("eight bytes")));
    demand(id.is_some_and(|id| id >= 0), || format!("the producer's id is {id:?}"))?;
    each_once(&play.consume(&topic, COUNT)?, 0..COUNT)?;
    Ok(String::new())
}

/// Half is read and committed, and another member goes on there, in a process of its own.
fn commits(play: &mut Play<'_>) -> Outcome<String> {
    let (topic, group) = (play.topic("commits", PARTITIONS)?, play.name("resumes"));
    play.produce(&topic, "none plain", 0, COUNT)?;
    let half = COUNT / 2;
    let first = all_seen(&play.ask(&format!("read {group} {topic} {half}"))?)?;
    in_order(&first)?;
    let committed: i64 = play.scene.committed(&group, &topic, PARTITIONS)?.iter().filter(|at| **at > 0).sum();
    let read = i64::try_from(first.len()).expect("a few");
    demand(committed == read, || format!("{read} were read, and {committed} committed"))?;
    // Some libraries cannot stop within a batch.
    demand(read >= half && read < COUNT, || format!("{read} were read, not {half}"))?;
    let rest = COUNT - read;
    let second = play.another().ask(&format!("read {group} {topic} {rest}"), PATIENCE)?;
    let mut all = first;
    all.extend(all_seen(&second)?);
    each_once(&all, 0..COUNT)?;
    let (ends, committed) =
        (play.scene.ends(&topic, PARTITIONS)?, play.scene.committed(&group, &topic, PARTITIONS)?);
    demand(ends == committed, || format!("{committed:?} is committed, the ends are {ends:?}"))?;
    Ok(String::new())
}

fn times(play: &mut Play<'_>) -> Outcome<String> {
    let topic = play.topic("times", PARTITIONS)?;
    play.produce(&topic, "none plain", 0, COUNT)?;
    std::thread::sleep(Duration::from_millis(50));
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_millis();
    std::thread::sleep(Duration::from_millis(50));
    play.produce(&topic, "none plain", COUNT, COUNT)?;
    let read = all_seen(&play.ask(&format!("since {topic} {since} {COUNT}"))?)?;
    each_once(&read, COUNT..2 * COUNT)?;
    Ok(String::new())
}

fn settings(play: &mut Play<'_>) -> Outcome<String> {
    const KEY: &str = "retention.ms";
    let topic = play.topic("settings", 1)?;
    let before = play.ask(&format!("configs {topic}"))?[KEY].take();
    demand(before == "604800000", || format!("it sees {KEY}={before}"))?;
    play.ask(&format!("alter {topic} {KEY} 7200000"))?;
    // Where a setting is changed and where it is asked for are two nodes.
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let after = play.ask(&format!("configs {topic}"))?[KEY].take();
        if after == "7200000" {
            return Ok(String::new());
        }
        demand(Instant::now() < deadline, || format!("it set {KEY} to 7200000 and sees {after}"))?;
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn deletes(play: &mut Play<'_>) -> Outcome<String> {
    let topic = play.topic("deleted", 1)?;
    play.ask(&format!("delete {topic}"))?;
    play.scene.comes_to_know(&topic, false)?;
    Ok(String::new())
}
