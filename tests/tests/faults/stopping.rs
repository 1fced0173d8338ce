//! SIGTERM under load: what waits is answered, what was acknowledged is there again, and the next start has
//! nothing to recover. With a disk that never answers the process ends all the same, and loses nothing.

use super::{TOPIC, eventually, put};
use std::thread;
use std::time::{Duration, Instant};
use tests::batch::Batch;
use tests::client::{PATIENCE, Reply, encode};
use tests::dialogue::{create_topic, fetch, fetch_request, produce_request};
use tests::folder::Folder;
use tests::node::Node;
use tests::programs::strace;

/// Far below the minute that a parked fetch may wait.
const STOP_MAX: Duration = Duration::from_secs(10);
/// The 25 seconds after which a stop no longer waits for the disk, with room for a busy machine.
const STALLED_STOP_MAX: Duration = Duration::from_secs(45);

/// What the start line says was recovered from the journal.
fn recovered_bytes(node: &Node) -> u64 {
    const KEY: &str = "\"journal_bytes\":";
    eventually("it is ready", || node.log().contains(KEY));
    let log = node.log();
    let digits = log.split(KEY).nth(1).and_then(|rest| rest.split(',').next());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or_else(|| panic!("no number in\n{log}"))
}

/// A seal, which is written a moment after the last frame: behind the checkpoint, if that is under way by then. It holds
/// nothing but how far commits have come.
const SEAL_BYTES: u64 = 4096;

#[track_caller]
fn expect_nothing_to_recover(node: &Node) {
    let bytes = recovered_bytes(node);
    assert!(bytes == 0 || bytes == SEAL_BYTES, "{bytes} bytes were recovered after a clean stop");
}

#[test]
fn sigterm_under_load_answers_what_is_parked_and_leaves_nothing_to_recover() {
    let folder = Folder::new();
    let mut node = Node::on_disk(&folder.join("data"));
    let mut parked = node.connect();
    assert_eq!(create_topic(&mut parked, TOPIC, 1), 0);
    assert_eq!(create_topic(&mut parked, "silent", 1), 0);
    let waits = fetch_request("silent", 0).with_min_bytes(1).with_max_wait_ms(60_000);
    parked.send_request(11, &waits).expect("the connection is open");
    let producers: Vec<_> = (0..4)
        .map(|_| {
            let mut client = node.connect();
            thread::spawn(move || {
                let request = produce_request(TOPIC, -1, Batch::of(&[b"x"]).bytes());
                let mut acknowledged = 0;
                while let Some(answer) = client.try_ask(9, &request) {
                    acknowledged += i64::from(answer.responses[0].partition_responses[0].error_code == 0);
                }
                acknowledged
            })
        })
        .collect();
    thread::sleep(Duration::from_millis(300));
    let asked = Instant::now();
    node.ask_to_stop();
    assert!(matches!(parked.receive(PATIENCE), Reply::Message(_)), "the parked fetch is answered");
    let status = node.end();
    assert!(status.success(), "{status}:\n{}", node.log());
    assert!(asked.elapsed() < STOP_MAX, "it took {:?} to stop", asked.elapsed());
    let acknowledged: i64 = producers.into_iter().map(|one| one.join().expect("a producer ran")).sum();
    assert!(acknowledged > 0, "nothing was acknowledged");
    node.restart();
    expect_nothing_to_recover(&node);
    let found = fetch(&mut node.connect(), TOPIC, 0);
    assert!(found.high_watermark >= acknowledged, "{} of {acknowledged}", found.high_watermark);
    assert!(found.high_watermark <= acknowledged + 4, "{} of {acknowledged}", found.high_watermark);
}

#[test]
fn a_stop_with_nothing_to_do_is_at_once_and_a_kill_says_what_was_recovered() {
    let folder = Folder::new();
    let mut node = Node::on_disk(&folder.join("data"));
    assert_eq!(create_topic(&mut node.connect(), TOPIC, 1), 0);
    assert_eq!(put(&mut node.connect(), TOPIC).error, 0);
    node.kill();
    node.restart();
    assert!(recovered_bytes(&node) > 0, "a kill leaves something");
    let asked = Instant::now();
    assert!(node.terminate().success());
    assert!(asked.elapsed() < Duration::from_secs(2), "it took {:?} to stop", asked.elapsed());
    node.restart();
    expect_nothing_to_recover(&node);
    assert_eq!(fetch(&mut node.connect(), TOPIC, 0).high_watermark, 1);
}

#[test]
fn a_stop_ends_although_the_disk_never_answers_and_loses_nothing() {
    let folder = Folder::new();
    let data = folder.join("data");
    // strace lets nobody die who is being delayed, so it is longer than the stop, and ends.
    let above = strace(&["fdatasync:delay_enter=30000000:when=30+"]);
    let above: Vec<&str> = above.iter().map(String::as_str).collect();
    let mut node = Node::start_under(&above, &["--listen", "127.0.0.1:0", "--data", &data]);
    let mut client = node.connect();
    assert_eq!(create_topic(&mut client, TOPIC, 1), 0);
    let request = encode(9, 1, &produce_request(TOPIC, -1, Batch::of(&[b"x"]).bytes()));
    let mut acknowledged = 0;
    loop {
        client.send_message(&request).expect("the connection is open");
        match client.receive(Duration::from_secs(1)) {
            Reply::Message(_) => acknowledged += 1,
            Reply::Silence => break,
            Reply::Closed => panic!("closed after {acknowledged} records"),
        }
        assert!(acknowledged < 10_000, "the disk never stalled");
    }
    node.ask_to_stop();
    let status = node.end_within(STALLED_STOP_MAX);
    assert_eq!(status.code(), Some(1), "{status}");
    assert!(node.log().contains("the disk did not finish what it was given in time"), "{}", node.log());
    node.restart();
    let found = fetch(&mut node.connect(), TOPIC, 0).high_watermark;
    assert!((acknowledged..=acknowledged + 1).contains(&found), "{found} of {acknowledged}");
}
