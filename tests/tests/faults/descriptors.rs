//! Few descriptors, and none left. Promise: connections never take those that files need; accepting rests and
//! starts again by itself; who is connected is served.

use super::{TOPIC, eventually, put};
use kafka_protocol::messages::ApiVersionsRequest;
use std::time::Duration;
use tests::batch::Batch;
use tests::client::{Client, PATIENCE, Reply};
use tests::dialogue::{create_topic, fetch, produce};
use tests::folder::Folder;
use tests::node::Node;

/// What a shell's `ulimit -n 64` would allow.
const FEW: [&str; 2] = ["prlimit", "--nofile=64:64"];

/// Connections that say nothing, as many of them as are kept open.
fn crowd(node: &Node, count: usize) -> Vec<Client> {
    (0..count).filter_map(|_| Client::try_connect(node.address()).ok()).collect()
}

#[test]
fn a_flood_of_connections_leaves_files_and_old_clients_alone() {
    let folder = Folder::new();
    let data = folder.join("data");
    let node = Node::start_under(&FEW, &["--listen", "127.0.0.1:0", "--data", &data]);
    let mut old = node.connect();
    assert_eq!(create_topic(&mut old, TOPIC, 1), 0);
    let mut flood = crowd(&node, 200);
    // Those above the limit are turned away at once.
    let last = flood.last_mut().expect("the kernel takes connections");
    assert_eq!(last.receive(PATIENCE), Reply::Closed);
    for offset in 0..50 {
        let taken = put(&mut old, TOPIC);
        assert_eq!((taken.error, taken.base_offset), (0, offset), "in the middle of the flood");
    }
    assert_eq!(create_topic(&mut old, "new-in-the-flood", 20), 0);
    assert!(node.descriptors() < 64, "{} descriptors", node.descriptors());
    let lines = || node.log().matches("connections are taken").count();
    eventually("one line says so", || lines() > 0);
    assert!(lines() < 20, "{} lines about it", lines());
    drop(flood);
    eventually("new clients are served", || node.serves());
}

#[test]
fn more_segments_than_descriptors_are_written_and_read() {
    const TOPICS: usize = 70;
    let folder = Folder::new();
    let data = folder.join("data");
    let arguments = ["--listen", "127.0.0.1:0", "--data", &data, "--memory-limit", "32MiB"];
    let mut node = Node::start_under(&FEW, &arguments);
    let mut client = node.connect();
    let value = vec![b'x'; 600 << 10];
    let batch = Batch::of(&[&value]).bytes();
    let name = |number: usize| format!("{TOPIC}-{number}");
    for number in 0..TOPICS {
        assert_eq!(create_topic(&mut client, &name(number), 1), 0);
        // Above a mebibyte a partition is written to its segment.
        for _ in 0..2 {
            assert_eq!(produce(&mut client, &name(number), batch.clone()).error, 0, "topic {number}");
        }
    }
    for number in 0..TOPICS {
        let found = fetch(&mut client, &name(number), 0);
        assert_eq!((found.error, found.high_watermark), (0, 2), "topic {number}");
        assert_eq!(found.records.map_or(0, |records| records.len()), 2 * batch.len(), "topic {number}");
    }
    let status = node.terminate();
    assert!(status.success(), "{status}:\n{}", node.log());
    node.restart();
    assert_eq!(fetch(&mut node.connect(), &name(0), 0).high_watermark, 2);
}

#[test]
fn without_a_descriptor_accepting_rests_and_starts_again() {
    let folder = Folder::new();
    let node = Node::on_disk(&folder.join("data"));
    let mut old = node.connect();
    assert_eq!(create_topic(&mut old, TOPIC, 1), 0);
    // The next connection has no descriptor. It waits in the kernel's queue.
    node.limit_descriptors(3);
    let mut waiting = node.connect();
    waiting.send_request(0, &ApiVersionsRequest::default()).expect("the kernel takes it");
    let (worked, window) = (node.core_time(), Duration::from_millis(500));
    assert_eq!(waiting.receive(window), Reply::Silence);
    let worked = node.core_time() - worked;
    assert!(worked < window / 4, "{worked:?} of processor time for {window:?} of waiting");
    for offset in 0..20 {
        let taken = put(&mut old, TOPIC);
        assert_eq!((taken.error, taken.base_offset), (0, offset));
    }
    eventually("one line says so", || node.log().contains("cannot accept connections for now"));
    node.limit_descriptors(1_024);
    assert!(matches!(waiting.receive(PATIENCE), Reply::Message(_)), "it is let in and answered");
}
