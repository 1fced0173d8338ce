//! confluent-kafka and kafka-python produce, consume by assignment and administer, with each compression and
//! across a kill -9. The scripts are in `tests/python`.

use tests::dialogue::fetch;
use tests::folder::Folder;
use tests::node::Node;
use tests::programs::{PATIENCE, python, run};

const COUNT: usize = 300;

#[track_caller]
fn say(script: &str, words: &[&str]) -> String {
    let mut command = python(script);
    command.args(words);
    run(command, b"", PATIENCE).expect_success(&format!("{script} {}", words.join(" ")))
}

fn values() -> String {
    (0..COUNT).map(|number| format!("value-{number}\n")).collect()
}

/// Everything one client does, on a disk, with a kill between producing and consuming.
fn rounds(script: &str) {
    let folder = Folder::new();
    let mut node = Node::on_disk(&folder.join("data"));
    let count = COUNT.to_string();
    let codecs = ["none", "gzip", "snappy", "lz4", "zstd"];
    for (code, codec) in codecs.into_iter().enumerate() {
        let acknowledged = say(script, &["produce", &node.bootstrap(), codec, &count, codec]);
        assert_eq!(acknowledged.trim(), count, "{script} through {codec}");
        let batch = fetch(&mut node.connect(), codec, 0).records.expect("records are never null");
        assert_eq!(usize::from(batch[22] & 7), code, "{script} sent {codec}, and it is stored as that");
        let producer_id = i64::from_be_bytes(batch[43..51].try_into().expect("eight bytes"));
        assert!(producer_id >= 0, "{script} is idempotent");
    }
    node.kill();
    node.restart();
    for codec in codecs {
        assert_eq!(
            say(script, &["consume", &node.bootstrap(), codec, &count]),
            values(),
            "{script} through {codec}"
        );
    }
    say(script, &["admin", &node.bootstrap(), "administered"]);
}

#[test]
fn confluent_kafka_is_served() {
    rounds("confluent.py");
}

#[test]
fn kafka_python_is_served() {
    // Its lz4, snappy and zstd need further packages, which are installed beside it.
    rounds("kafka_python.py");
}

#[test]
fn what_one_client_wrote_the_other_reads() {
    let node = Node::in_memory();
    let count = COUNT.to_string();
    say("confluent.py", &["produce", &node.bootstrap(), "theirs", &count, "zstd"]);
    say("kafka_python.py", &["produce", &node.bootstrap(), "ours", &count, "gzip"]);
    assert_eq!(say("kafka_python.py", &["consume", &node.bootstrap(), "theirs", &count]), values());
    assert_eq!(say("confluent.py", &["consume", &node.bootstrap(), "ours", &count]), values());
}
