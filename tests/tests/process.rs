//! The process as an operator meets it: its help, its refusals, how it stops, who may use a directory.

use std::net::SocketAddr;
use tests::batch::Batch;
use tests::dialogue::{create_topic, fetch, produce};
use tests::folder::Folder;
use tests::node::{Node, run_to_end};

#[test]
fn help_names_every_option_and_ends_well() {
    let ended = run_to_end(&["--help"]);
    assert!(ended.status.success(), "{}", ended.log);
    let options = ["--listen", "--data", "--memory-limit", "--advertise", "--log-format", "--config"];
    for option in options {
        assert!(ended.log.contains(option), "no {option} in\n{}", ended.log);
    }
}

#[test]
fn a_wrong_option_is_refused_with_its_name() {
    let ended = run_to_end(&["--lisen", "127.0.0.1:0"]);
    assert!(!ended.status.success(), "it took --lisen");
    assert!(ended.log.contains("--lisen"), "{}", ended.log);
}

#[test]
fn port_zero_prints_the_port_it_got() {
    let node = Node::in_memory();
    assert_ne!(node.address().port(), 0);
    assert!(node.log().contains(&node.bootstrap()), "{}", node.log());
}

#[test]
fn two_brokers_in_memory_share_nothing() {
    let (one, other) = (Node::in_memory(), Node::in_memory());
    assert_eq!(create_topic(&mut one.connect(), "mine", 1), 0);
    assert_eq!(produce(&mut one.connect(), "mine", Batch::of(&[b"x"]).bytes()).error, 0);
    assert_eq!(fetch(&mut other.connect(), "mine", 0).error, 3, "UNKNOWN_TOPIC_OR_PARTITION");
}

#[test]
fn a_second_process_on_the_same_directory_is_refused_and_the_first_serves_on() {
    let folder = Folder::new();
    let data = folder.join("data");
    let first = Node::on_disk(&data);
    let second = Node::try_start(&["--listen", "127.0.0.1:0", "--data", &data]);
    let refusal = second.expect_err("two processes on one directory destroy it");
    assert!(!refusal.status.success());
    assert!(refusal.log.contains(&data), "the line names the directory:\n{}", refusal.log);
    assert_eq!(create_topic(&mut first.connect(), "alive", 1), 0);
    assert_eq!(produce(&mut first.connect(), "alive", Batch::of(&[b"x"]).bytes()).error, 0);
}

#[test]
fn a_taken_port_is_refused_with_the_address() {
    let first = Node::in_memory();
    let second = Node::try_start(&["--listen", &first.bootstrap()]);
    let refusal = second.expect_err("two processes cannot listen on one port");
    assert!(refusal.log.contains(&first.bootstrap()), "{}", refusal.log);
}

#[test]
fn sigterm_stops_it_well_and_the_data_is_there_again() {
    let folder = Folder::new();
    let mut node = Node::on_disk(&folder.join("data"));
    assert_eq!(create_topic(&mut node.connect(), "kept", 1), 0);
    assert_eq!(produce(&mut node.connect(), "kept", Batch::of(&[b"one", b"two"]).bytes()).error, 0);
    let status = node.terminate();
    assert!(status.success(), "{status}:\n{}", node.log());
    node.restart();
    let found = fetch(&mut node.connect(), "kept", 0);
    assert_eq!((found.error, found.high_watermark), (0, 2));
}

#[test]
fn json_logs_are_one_object_a_line() {
    let node = Node::start(&["--listen", "127.0.0.1:0", "--log-format", "json"]);
    let log = node.log();
    let is_object = |line: &str| line.starts_with('{') && line.ends_with('}');
    assert!(log.lines().count() > 0 && log.lines().all(is_object), "{log}");
}

#[test]
fn the_advertised_address_is_what_clients_are_told() {
    let node = Node::start(&["--listen", "127.0.0.1:0", "--advertise", "broker.example:1234"]);
    let answer = tests::cluster::metadata(&mut node.connect(), "any").expect("metadata is answered");
    let broker = &answer.brokers[0];
    assert_eq!((broker.host.as_str(), broker.port), ("broker.example", 1234));
}

#[test]
fn a_mistake_in_the_configuration_shows_the_line_and_the_likely_key() {
    let folder = Folder::new();
    let path = folder.join("node.yaml");
    let free: SocketAddr = ([127, 0, 0, 1], tests::cluster::free_ports(1)[0]).into();
    let text = format!(
        "node_id: 1\napi_adr: {free}\nrpc_addr: 127.0.0.1:0\nstorage_path: {}\n",
        folder.join("data")
    );
    std::fs::write(&path, text).expect("a temporary file can be written");
    let ended = run_to_end(&["--config", &path]);
    assert!(!ended.status.success(), "it took api_adr");
    for word in ["api_adr", "api_addr", "2"] {
        assert!(ended.log.contains(word), "no {word} in\n{}", ended.log);
    }
}

#[test]
fn a_configuration_that_is_not_there_is_named() {
    let ended = run_to_end(&["--config", "no/such/file.yaml"]);
    assert!(!ended.status.success());
    assert!(ended.log.contains("no/such/file.yaml"), "{}", ended.log);
}
