//! Debian's kcat (librdkafka 2.0.2, the old one that many people have) produces and consumes, with each
//! compression, idempotent, and across a kill -9.

use std::time::Duration;
use tests::dialogue::fetch;
use tests::folder::Folder;
use tests::node::Node;
use tests::programs::{PATIENCE, kcat, run};

/// Bits 0-2 of a batch's attributes, which stand at byte 21 and 22.
fn codec_of(batch: &[u8]) -> u8 {
    batch[22] & 7
}

fn lines(count: usize) -> String {
    // Long and alike, so that compressing them is worth it: librdkafka sends plain what does not shrink.
    (0..count).map(|number| format!("value-{number} {}\n", "and so on ".repeat(20))).collect()
}

#[track_caller]
fn produce(node: &Node, topic: &str, more: &[&str], input: &str) {
    let mut command = kcat();
    command
        .args(["-b", &node.bootstrap(), "-P", "-t", topic, "-p", "0", "-X", "message.timeout.ms=30000"])
        .args(more);
    run(command, input.as_bytes(), PATIENCE).expect_success("kcat -P");
}

#[track_caller]
fn consume(node: &Node, topic: &str, from: &str) -> String {
    let mut command = kcat();
    command.args(["-b", &node.bootstrap(), "-C", "-q", "-e", "-t", topic, "-p", "0", "-o", from]);
    run(command, b"", PATIENCE).expect_success("kcat -C")
}

#[test]
fn what_kcat_produces_kcat_consumes_in_each_compression() {
    let node = Node::in_memory();
    for (code, codec) in ["none", "gzip", "snappy", "lz4", "zstd"].into_iter().enumerate() {
        let topic = format!("in-{codec}");
        let input = lines(200);
        produce(&node, &topic, &["-z", codec], &input);
        assert_eq!(consume(&node, &topic, "beginning"), input, "through {codec}");
        // A broker that advertises the wrong versions makes this librdkafka send uncompressed without a word.
        let batch = fetch(&mut node.connect(), &topic, 0).records.expect("records are never null");
        assert_eq!(usize::from(codec_of(&batch)), code, "stored as {codec}");
    }
}

#[test]
fn an_idempotent_kcat_is_served_in_each_compression_across_a_kill() {
    let folder = Folder::new();
    let mut node = Node::on_disk(&folder.join("data"));
    let input = lines(500);
    let codecs = ["none", "gzip", "snappy", "lz4", "zstd"];
    for codec in codecs {
        produce(&node, codec, &["-z", codec, "-X", "enable.idempotence=true"], &input);
        let batch = fetch(&mut node.connect(), codec, 0).records.expect("records are never null");
        let producer_id = i64::from_be_bytes(batch[43..51].try_into().expect("eight bytes"));
        assert!(producer_id >= 0, "it is idempotent");
    }
    node.kill();
    node.restart();
    for codec in codecs {
        assert_eq!(consume(&node, codec, "beginning"), input, "through {codec}");
    }
}

#[test]
fn kcat_consumes_from_an_offset_and_from_the_tail() {
    let node = Node::in_memory();
    produce(&node, "offsets", &[], "a\nb\nc\nd\n");
    assert_eq!(consume(&node, "offsets", "2"), "c\nd\n");
    assert_eq!(consume(&node, "offsets", "-1"), "d\n");
    assert_eq!(consume(&node, "offsets", "end"), "");
}

#[test]
fn kcat_finds_an_offset_by_time() {
    let node = Node::in_memory();
    produce(&node, "times", &[], "a\n");
    let query = |timestamp: &str| {
        let mut command = kcat();
        command.args(["-b", &node.bootstrap(), "-Q", "-t", &format!("times:0:{timestamp}")]);
        run(command, b"", PATIENCE).expect_success("kcat -Q")
    };
    assert!(
        query("1").contains("offset 0"),
        "the first record at or after 1970 is the first: {}",
        query("1")
    );
}

#[test]
fn kcat_lists_the_broker_and_its_topics() {
    let node = Node::in_memory();
    produce(&node, "listed", &[], "a\n");
    let mut command = kcat();
    command.args(["-b", &node.bootstrap(), "-L"]);
    let listing = run(command, b"", PATIENCE).expect_success("kcat -L");
    assert!(listing.contains(&node.bootstrap()), "the address that clients use is advertised:\n{listing}");
    assert!(listing.contains("topic \"listed\" with 1 partitions"), "{listing}");
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let folder = Folder::new();
    let mut node = Node::on_disk(&folder.join("data"));
    let mut expected = String::new();
    for round in 0..3 {
        let input = format!("round {round}\n{}", lines(50));
        produce(&node, "kept", &["-X", "enable.idempotence=true"], &input);
        expected.push_str(&input);
        node.kill();
        node.restart();
        assert_eq!(consume(&node, "kept", "beginning"), expected, "after kill {round}");
    }
}

#[test]
fn a_consumer_at_the_tail_sees_a_record_when_it_is_produced() {
    let node = Node::in_memory();
    produce(&node, "tail", &[], "early\n");
    let bootstrap = node.bootstrap();
    let consumer = std::thread::spawn(move || {
        let mut command = kcat();
        command.args([
            "-b",
            &bootstrap,
            "-C",
            "-q",
            "-u",
            "-t",
            "tail",
            "-p",
            "0",
            "-o",
            "beginning",
            "-c",
            "2",
        ]);
        run(command, b"", PATIENCE).expect_success("kcat -C at the tail")
    });
    // Late enough that the consumer's fetch is parked; if it is not, the test still holds.
    std::thread::sleep(Duration::from_millis(300));
    produce(&node, "tail", &[], "late\n");
    assert_eq!(consumer.join().expect("the consumer got both"), "early\nlate\n");
}
