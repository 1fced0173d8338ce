//! Consumer groups (KIP-848) of confluent-kafka: three share a topic, one leaves, the node is killed, and who comes then
//! reads on from what was committed; and a group of the classic protocol is changed over, and back. The script is
//! `tests/python/sharers.py`.

use tests::folder::Folder;
use tests::node::Node;
use tests::programs::{PATIENCE, python, run};

#[track_caller]
fn say(words: &[&str]) -> String {
    let mut command = python("sharers.py");
    command.args(words);
    run(command, b"", PATIENCE).expect_success(&format!("sharers.py {}", words.join(" "))).trim().to_owned()
}

#[test]
fn three_share_a_topic_one_leaves_and_all_that_was_committed_survives_a_kill() {
    let folder = Folder::new();
    let mut node = Node::on_disk(&folder.join("data"));
    let shared = say(&["share", &node.bootstrap(), "t", "g", "300"]);
    assert_eq!(shared, "300 300 CONSUMER uniform 2", "each record once, and two are left");
    node.kill();
    node.restart();
    assert_eq!(say(&["resume", &node.bootstrap(), "t", "g", "300"]), "3 300", "no record a second time");
}

#[test]
fn a_pattern_means_topics_that_are_made_later_too() {
    let node = Node::in_memory();
    let topics = say(&["pattern", &node.bootstrap(), "logs-", "g"]);
    assert_eq!(topics, "['logs-a-0', 'logs-a-1', 'logs-b-0', 'logs-b-1', 'logs-b-2']");
}

#[test]
fn a_group_is_changed_over_one_by_one_and_back_and_each_record_is_read_once() {
    let node = Node::in_memory();
    let said = say(&["change", &node.bootstrap(), "t", "g", "20"]);
    assert_eq!(said, "100 100 CLASSIC CONSUMER CONSUMER CONSUMER CLASSIC");
}
