//! Three processes from three configuration files: they form a cluster in any order of starting, replicate,
//! elect anew, and lose nothing that an outside client was told is safe.
//!
//! `LEADER_KILLS` sets how often the leader dies; `.ci/run` says 20.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};
use tests::batch::Batch;
use tests::client::{Client, PATIENCE};
use tests::cluster::{Cluster, SIZE, metadata};
use tests::dialogue::{Produced, fetch, produce};
use tests::folder::Folder;
use tests::programs::{kcat, python, run};

const TOPIC: &str = "counted";
const NOT_LEADER_OR_FOLLOWER: i16 = 6;
/// Records a second of the counting client.
const RATE: &str = "500";
const KILLS_DEFAULT: usize = 5;

fn kills() -> usize {
    std::env::var("LEADER_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS_DEFAULT)
}

/// Values of all records of partition 0, in order.
fn read_all(cluster: &Cluster) -> Vec<u64> {
    let mut command = kcat();
    command.args(["-b", &cluster.bootstrap(), "-C", "-q", "-e", "-t", TOPIC, "-p", "0", "-o", "beginning"]);
    let text = run(command, b"", Duration::from_secs(120)).expect_success("kcat -C");
    text.lines().map(|line| line.parse().expect("the counting client wrote numbers")).collect()
}

/// Produces to a leader that may have been elected in this moment: until it has committed an entry of its own it
/// says NOT_LEADER_OR_FOLLOWER, and clients ask again.
fn settled(client: &mut Client, topic: &str, value: &[u8]) -> Produced {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = produce(client, topic, Batch::of(&[value]).bytes());
        if answer.error != NOT_LEADER_OR_FOLLOWER || deadline < Instant::now() {
            return answer;
        }
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn nothing_acknowledged_is_lost_or_doubled_while_leaders_are_killed() {
    let mut cluster = Cluster::start();
    metadata(&mut cluster.node(0).connect(), TOPIC).expect("a founded cluster answers");
    let folder = Folder::new();
    let (stop, counts) = (folder.join("stop"), folder.join("acknowledged"));
    let mut command = python("counting.py");
    command.args([&cluster.bootstrap(), TOPIC, RATE, &stop, &counts]);
    let client = thread::spawn(move || run(command, b"", Duration::from_secs(900)));
    for _ in 0..kills() {
        let leader = cluster.leader(TOPIC);
        cluster.kill(leader);
        let next = cluster.leader(TOPIC);
        assert_ne!(next, leader, "a dead node leads nothing");
        // Time to write under the new leader before the old one is back.
        thread::sleep(Duration::from_millis(300));
        cluster.revive(leader);
        thread::sleep(Duration::from_millis(500));
    }
    std::fs::write(&stop, "").expect("a temporary file can be written");
    let summary = client.join().expect("the client ran").expect_success("counting.py");
    let acknowledged = std::fs::read_to_string(&counts).expect("the client wrote its counts");
    let acknowledged: BTreeSet<u64> =
        acknowledged.lines().map(|line| line.parse().expect("numbers")).collect();
    let found = read_all(&cluster);
    let distinct: BTreeSet<u64> = found.iter().copied().collect();
    let lost = acknowledged.difference(&distinct).count();
    let doubled = found.len() - distinct.len();
    println!("{} kills; {}; found {}, lost {lost}, doubled {doubled}", kills(), summary.trim(), found.len());
    assert_eq!((lost, doubled), (0, 0), "of {} acknowledged", acknowledged.len());
    assert!(found.is_sorted(), "an idempotent producer's records keep their order");
    assert!(!acknowledged.is_empty(), "nothing was acknowledged at all");
}

#[test]
fn a_minority_acknowledges_nothing() {
    let mut cluster = Cluster::start();
    metadata(&mut cluster.node(0).connect(), "minority").expect("a founded cluster answers");
    let leader = cluster.leader("minority");
    assert_eq!(settled(&mut cluster.node(leader).connect(), "minority", b"x").error, 0);
    for number in (0..SIZE).filter(|number| *number != leader) {
        cluster.kill(number);
    }
    let alone = produce(&mut cluster.node(leader).connect(), "minority", Batch::of(&[b"y"]).bytes());
    assert_ne!(alone.error, 0, "one of three acknowledged a record");
}

#[test]
fn all_nodes_killed_at_once_come_back_with_everything() {
    let mut cluster = Cluster::start();
    metadata(&mut cluster.node(0).connect(), "all").expect("a founded cluster answers");
    let leader = cluster.leader("all");
    let mut client = cluster.node(leader).connect();
    for value in 0..50_u8 {
        assert_eq!(settled(&mut client, "all", &[value]).error, 0);
    }
    (0..SIZE).for_each(|number| cluster.kill(number));
    (0..SIZE).for_each(|number| cluster.revive(number));
    let deadline = Instant::now() + PATIENCE;
    let found = loop {
        let leader = cluster.leader("all");
        let found = fetch(&mut cluster.node(leader).connect(), "all", 0);
        if found.error != NOT_LEADER_OR_FOLLOWER || deadline < Instant::now() {
            break found;
        }
    };
    assert_eq!((found.error, found.high_watermark), (0, 50));
}
