//! What retention takes, and when.

use std::thread;
use std::time::{Duration, Instant};
use tests::batch::Batch;
use tests::client::Client;
use tests::dialogue::{create_topics, list_offset, produce, topic_with};
use tests::folder::Folder;
use tests::node::Node;

const EARLIEST: i64 = -2;
const LATEST: i64 = -1;
/// Kafka looks 30 s after a start.
const KAFKAS_WAIT: Duration = Duration::from_secs(30);

fn make(client: &mut Client, topic: &str, settings: &[(&str, &str)]) {
    assert_eq!(create_topics(client, vec![topic_with(topic, settings)])[0].error_code, 0, "{topic}");
}

#[test]
fn g33_one_old_record_goes_within_kafkas_time_with_a_timestamp_and_without() {
    let folder = Folder::new();
    let mut node = Node::on_disk(&folder.join("data"));
    let mut client = node.connect();
    let topics = ["timed", "timeless"];
    for topic in topics {
        make(&mut client, topic, &[("retention.ms", "1000")]);
    }
    assert_eq!(produce(&mut client, "timed", Batch::of(&[b"x"]).bytes()).error, 0);
    assert_eq!(produce(&mut client, "timeless", Batch::at(&[-1]).bytes()).error, 0);
    let started = Instant::now();
    while topics.iter().any(|topic| list_offset(&mut client, topic, EARLIEST) != (0, 1)) {
        assert!(started.elapsed() < KAFKAS_WAIT + Duration::from_secs(5), "the record is there still");
        thread::sleep(Duration::from_millis(200));
    }
    for topic in topics {
        assert_eq!(list_offset(&mut client, topic, LATEST), (0, 1));
        assert_eq!(produce(&mut client, topic, Batch::of(&[b"y"]).bytes()).base_offset, 1);
    }
    node.kill();
    node.restart();
    let mut client = node.connect();
    for topic in topics {
        assert_eq!(produce(&mut client, topic, Batch::of(&[b"z"]).bytes()).base_offset, 2);
    }
}

#[test]
fn g33_in_memory_what_may_go_makes_room_before_a_write_is_refused() {
    let node = Node::start(&["--listen", "127.0.0.1:0", "--memory-limit", "64M"]);
    let mut client = node.connect();
    make(&mut client, "small", &[("retention.bytes", "1048576"), ("segment.bytes", "1048576")]);
    let value = vec![b'x'; 100_000];
    // Ten times what there is.
    for number in 0..6_400 {
        let produced = produce(&mut client, "small", Batch::of(&[&value]).bytes());
        assert_eq!((produced.error, produced.base_offset), (0, number), "record {number}");
    }
    let (_, earliest) = list_offset(&mut client, "small", EARLIEST);
    assert!(earliest > 6_000, "{earliest}");
}
