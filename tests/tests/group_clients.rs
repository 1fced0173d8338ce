//! Consumer groups of real clients: confluent-kafka, kafka-python and kcat share a topic, one leaves, one dies, and what
//! was committed is there after a kill -9, on one node and on three.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use tests::cluster::Cluster;
use tests::dialogue::create_topic;
use tests::folder::Folder;
use tests::node::Node;
use tests::programs::{PATIENCE, kcat, python, run};

const TOPIC: &str = "shared";
const COUNT: usize = 300;

#[track_caller]
fn say(script: &str, words: &[&str]) -> String {
    let mut command = python(script);
    command.args(words);
    let said = run(command, b"", PATIENCE).expect_success(&format!("{script} {}", words.join(" ")));
    said.trim().to_owned()
}

/// A hundred records in each of three partitions.
fn fill(bootstrap: &str) {
    for partition in ["0", "1", "2"] {
        let mut command = kcat();
        command.args(["-b", bootstrap, "-P", "-t", TOPIC, "-p", partition]);
        let lines: String = (0..COUNT / 3).map(|number| format!("{number}\n")).collect();
        run(command, lines.as_bytes(), PATIENCE).expect_success("kcat -P");
    }
}

fn kcat_reads_the_rest(bootstrap: &str, group: &str) -> usize {
    let mut command = kcat();
    command.args(["-b", bootstrap, "-X", "auto.offset.reset=earliest", "-e", "-q", "-G", group, TOPIC]);
    run(command, b"", PATIENCE).expect_success("kcat -G").lines().count()
}

/// A member that commits what it reads, in a process of its own, once it has partitions.
fn member(bootstrap: &str, group: &str) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut command = python("confluent.py");
    command.args(["member", bootstrap, TOPIC, group]).stdout(Stdio::piped());
    let mut child = command.spawn().expect("python starts");
    let mut said = BufReader::new(child.stdout.take().expect("it is piped"));
    let mut line = String::new();
    said.read_line(&mut line).expect("it says what it has");
    assert!(line.starts_with("has"), "{line}");
    (child, said)
}

#[test]
fn three_share_a_topic_one_leaves_and_commits_outlive_a_kill() {
    let folder = Folder::new();
    let mut node = Node::on_disk(&folder.join("data"));
    assert_eq!(create_topic(&mut node.connect(), TOPIC, 3), 0);
    fill(&node.bootstrap());
    let all = format!("{COUNT} {COUNT}");
    for script in ["confluent.py", "kafka_python.py"] {
        let count = COUNT.to_string();
        assert_eq!(say(script, &["group", &node.bootstrap(), TOPIC, script, &count]), all, "each once");
    }
    assert_eq!(kcat_reads_the_rest(&node.bootstrap(), "kcat"), COUNT);
    node.kill();
    node.restart();
    for script in ["confluent.py", "kafka_python.py"] {
        let committed = say(script, &["committed", &node.bootstrap(), TOPIC, script]);
        assert_eq!(committed, COUNT.to_string(), "{script}");
    }
    assert_eq!(kcat_reads_the_rest(&node.bootstrap(), "kcat"), 0, "it goes on where it was");
}

#[test]
fn who_dies_is_replaced_once_its_session_is_over() {
    let node = Node::in_memory();
    assert_eq!(create_topic(&mut node.connect(), TOPIC, 3), 0);
    fill(&node.bootstrap());
    let (mut child, mut said) = member(&node.bootstrap(), "dying");
    let mut line = String::new();
    for _ in 0..10 {
        line.clear();
        said.read_line(&mut line).expect("it commits");
        assert!(line.starts_with("committed"), "{line}");
    }
    child.kill().expect("it runs");
    child.wait().expect("it ran");
    let rest = kcat_reads_the_rest(&node.bootstrap(), "dying");
    assert!((1..=COUNT - 10).contains(&rest), "{rest} of {COUNT} were left, of which ten were committed");
}

#[test]
fn a_group_outlives_its_coordinator() {
    let mut cluster = Cluster::start();
    assert_eq!(create_topic(&mut cluster.node(0).connect(), TOPIC, 3), 0);
    fill(&cluster.bootstrap());
    let count = COUNT.to_string();
    let all = format!("{COUNT} {COUNT}");
    assert_eq!(say("confluent.py", &["group", &cluster.bootstrap(), TOPIC, "outlives", &count]), all);
    for number in 0..3 {
        // Each of them, so that the coordinator is among them.
        cluster.kill(number);
        let committed = say("confluent.py", &["committed", &cluster.bootstrap(), TOPIC, "outlives"]);
        assert_eq!(committed, count, "without node {}", number + 1);
        cluster.revive(number);
    }
    assert_eq!(kcat_reads_the_rest(&cluster.bootstrap(), "outlives"), 0);
}
