//! Three processes from three configuration files: they form a cluster in any order of starting, replicate,
//! elect anew, and lose nothing that an outside client was told is safe.
//!
//! `LEADER_KILLS` sets how often the leader dies; `.ci/run` says 20.

use kafka_protocol::messages::ProduceRequest;
use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};
use tests::batch::Batch;
use tests::client::{Client, PATIENCE};
use tests::cluster::{Cluster, SIZE, metadata};
use tests::dialogue::{Produced, fetch, produce, produce_request};
use tests::folder::Folder;
use tests::programs::{Outcome, kcat, python, run};

const TOPIC: &str = "counted";
const NOT_LEADER_OR_FOLLOWER: i16 = 6;
/// Records a second of the counting client.
const RATE: &str = "500";
const KILLS_DEFAULT: usize = 5;
/// How often a leader is frozen.
const FREEZES: u64 = 3;
/// Values from here on are not the counting client's.
const OURS: u64 = 1 << 40;

fn kills() -> usize {
    std::env::var("LEADER_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS_DEFAULT)
}

/// The counting client, at work until it is told to stop.
struct Counting {
    folder: Folder,
    client: thread::JoinHandle<Outcome>,
}

impl Counting {
    fn start(cluster: &Cluster) -> Counting {
        let folder = Folder::new();
        let mut command = python("counting.py");
        command.args([&cluster.bootstrap(), TOPIC, RATE, &folder.join("stop"), &folder.join("acknowledged")]);
        Counting { folder, client: thread::spawn(move || run(command, b"", Duration::from_secs(900))) }
    }

    /// Stops it and looks for everything that it, or we, were told is safe: nothing is lost, nothing there twice.
    #[track_caller]
    fn has_lost_nothing(self, cluster: &Cluster, what: &str, ours: &BTreeSet<u64>) {
        std::fs::write(self.folder.join("stop"), "").expect("a temporary file can be written");
        let summary = self.client.join().expect("the client ran").expect_success("counting.py");
        let counts = std::fs::read_to_string(self.folder.join("acknowledged"));
        let counts = counts.expect("the client wrote its counts");
        let mut acknowledged: BTreeSet<u64> =
            counts.lines().map(|line| line.parse().expect("numbers")).collect();
        assert!(!acknowledged.is_empty(), "nothing was acknowledged at all");
        acknowledged.extend(ours);
        let found = read_all(cluster);
        let distinct: BTreeSet<u64> = found.iter().copied().collect();
        let lost = acknowledged.difference(&distinct).count();
        let doubled = found.len() - distinct.len();
        println!("{what}; {}; found {}, lost {lost}, doubled {doubled}", summary.trim(), found.len());
        assert_eq!((lost, doubled), (0, 0), "of {} acknowledged", acknowledged.len());
        let theirs = found.iter().filter(|value| **value < OURS);
        assert!(theirs.is_sorted(), "an idempotent producer's records keep their order");
    }
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
    let counting = Counting::start(&cluster);
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
    counting.has_lost_nothing(&cluster, &format!("{} kills", kills()), &BTreeSet::new());
}

#[test]
fn nothing_acknowledged_is_lost_or_doubled_while_leaders_are_frozen() {
    let mut cluster = Cluster::start();
    metadata(&mut cluster.node(0).connect(), TOPIC).expect("a founded cluster answers");
    let counting = Counting::start(&cluster);
    let mut ours = BTreeSet::new();
    for value in OURS..OURS + FREEZES {
        let leader = cluster.leader(TOPIC);
        let mut stale = cluster.node(leader).connect();
        cluster.freeze(leader);
        // It lies in the frozen leader's socket, and is the first thing it sees when it goes on.
        let record = Batch::of(&[value.to_string().as_bytes()]).bytes();
        stale.send_request(9, &produce_request(TOPIC, -1, record)).expect("the kernel takes it");
        let next = cluster.leader(TOPIC);
        assert_ne!(next, leader, "a frozen node leads nothing");
        thread::sleep(Duration::from_millis(500));
        cluster.thaw(leader);
        // Whatever it says, it must be true: an acknowledged record is there in the end.
        if let Some(answer) = stale.answer_to(9, &ProduceRequest::default())
            && answer.responses[0].partition_responses[0].error_code == 0
        {
            ours.insert(value);
        }
        thread::sleep(Duration::from_millis(500));
    }
    let what = format!("{FREEZES} freezes, {} acknowledged by who led before", ours.len());
    counting.has_lost_nothing(&cluster, &what, &ours);
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
