//! What a node is told, as its operator meets it: which layer wins, what is refused, what `--check` and `config` say.

use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};
use tests::client::Client;
use tests::cluster::metadata;
use tests::dialogue::create_topic;
use tests::folder::Folder;
use tests::node::{Node, Refusal, run_to_end, run_to_end_under};
use tests::ports::{free_address, free_ports};

/// A node's file in a folder, and its name.
fn file(folder: &Folder, text: &str) -> String {
    let path = folder.join("node.yaml");
    std::fs::write(&path, text).expect("a temporary file can be written");
    path
}

/// The one node of a cluster, on free ports, with its data in the folder.
fn whole(folder: &Folder) -> String {
    let ports = free_ports(2);
    let (api, rpc) = (format!("127.0.0.1:{}", ports[0]), format!("127.0.0.1:{}", ports[1]));
    let data = folder.join("data/of/it");
    format!(
        "node_id: 1\napi_addr: {api}\nrpc_addr: {rpc}\nstorage_path: {data}\ncluster:\n  bootstrap: true\n  \
         initial_members:\n    - {{ node_id: 1, api_addr: \"{api}\", rpc_addr: \"{rpc}\" }}\n"
    )
}

/// What was written to standard output alone.
fn output(ended: &Refusal) -> String {
    let errors: Vec<&str> = ended.errors.lines().collect();
    ended.log.lines().filter(|line| !errors.contains(line)).map(|line| format!("{line}\n")).collect()
}

#[track_caller]
fn ends_with(code: i32, words: &[&str], ended: &Refusal) {
    assert_eq!(ended.status.code(), Some(code), "{}", ended.log);
    for word in words {
        assert!(ended.log.contains(word), "no {word:?} in\n{}", ended.log);
    }
    assert!(!ended.log.contains("panicked"), "{}", ended.log);
}

#[test]
fn defaults_give_way_to_the_file_that_to_the_environment_and_that_to_flags() {
    let folder = Folder::new();
    let path =
        file(&folder, "node_id: 7\nadvertise: file.example:1\nmemory_limit: 100M\nlog_format: human\n");
    let say = ["env", "RUST_MQ_ADVERTISE=env.example:2", "RUST_MQ_NODE_ID=8", "RUST_MQ_LOG_LEVEL="];
    let node = Node::start_under(
        &say,
        &[
            "--config",
            &path,
            "--listen",
            "127.0.0.1:0",
            "--advertise",
            "flag.example:3",
            "--memory-limit",
            "64M",
        ],
    );
    let answer = metadata(&mut node.connect(), "any").expect("metadata is answered");
    let broker = &answer.brokers[0];
    assert_eq!((broker.node_id.0, broker.host.as_str(), broker.port), (8, "flag.example", 3));
    assert!(node.log().contains("64 MiB") && !node.log().starts_with('{'), "{}", node.log());
    drop(node);
    let node = Node::start_under(&say, &["--config", &path, "--listen", "127.0.0.1:0"]);
    let answer = metadata(&mut node.connect(), "any").expect("metadata is answered");
    assert_eq!(answer.brokers[0].host.as_str(), "env.example");
    assert!(node.log().contains("100 MiB"), "{}", node.log());
}

#[test]
fn a_cluster_is_told_by_the_environment_alone() {
    let folder = Folder::new();
    let ports = free_ports(2);
    let (api, rpc) = (SocketAddr::from(([127, 0, 0, 1], ports[0])), format!("127.0.0.1:{}", ports[1]));
    let data = folder.join("data");
    let said = [
        "env".to_owned(),
        "RUST_MQ_NODE_ID=3".to_owned(),
        format!("RUST_MQ_API_ADDR={api}"),
        format!("RUST_MQ_RPC_ADDR={rpc}"),
        format!("RUST_MQ_STORAGE_PATH={data}"),
        "RUST_MQ_CLUSTER__BOOTSTRAP=1\n".to_owned(),
        "RUST_MQ_CLUSTER__SECRET=correct horse battery staple".to_owned(),
        format!(
            "RUST_MQ_CLUSTER__INITIAL_MEMBERS=[{{node_id: 3, api_addr: \"{api}\", rpc_addr: \"{rpc}\"}}]"
        ),
        "RUST_MQ_RAFT__HEARTBEAT_INTERVAL_MS=100".to_owned(),
    ];
    let above: Vec<&str> = said.iter().map(String::as_str).collect();
    let shown = run_to_end_under(&above, &["config", "show"]);
    ends_with(0, &["(hidden)", "env RUST_MQ_CLUSTER__SECRET", "RUST_MQ_RAFT__HEARTBEAT_INTERVAL_MS"], &shown);
    assert!(!shown.log.contains("horse"), "{}", shown.log);
    ends_with(0, &["fine: one node on"], &run_to_end_under(&above, &["--check"]));
    let mut node = Node::start_under(&above, &[]);
    let mut client = Client::try_connect(api).expect("it listens where it was told");
    assert_eq!(metadata(&mut client, "any").expect("metadata is answered").brokers[0].node_id.0, 3);
    assert!(node.terminate().success());
}

#[test]
fn what_nobody_knows_is_refused_with_what_was_probably_meant() {
    let folder = Folder::new();
    let refused = |variable: &str, words: &[&str]| {
        ends_with(1, words, &run_to_end_under(&["env", variable], &["--listen", "127.0.0.1:0"]));
    };
    refused("RUST_MQ_CLUSTER_BOOTSTRAP=true", &["RUST_MQ_CLUSTER_BOOTSTRAP", "RUST_MQ_CLUSTER__BOOTSTRAP"]);
    refused("RUST_MQ_MEMORY_LIMT=64M", &["RUST_MQ_MEMORY_LIMT", "did you mean RUST_MQ_MEMORY_LIMIT?"]);
    refused("RUST_MQ_NODE_ID=one", &["RUST_MQ_NODE_ID", "`one`"]);
    refused("RUST_MQ_MEMORY_LIMIT=1M", &["RUST_MQ_MEMORY_LIMIT", "32 MiB"]);
    refused("RUST_MQ_LOG_LEVEL=loud", &["RUST_MQ_LOG_LEVEL", "loud", "debug"]);
    refused(
        "RUST_MQ_RAFT__HEARTBEAT_INTERVAL_MS=800",
        &["RUST_MQ_RAFT__HEARTBEAT_INTERVAL_MS", "two heartbeats"],
    );
    let path = file(&folder, "raft:\n  heartbeat_intervall_ms: 100\n");
    ends_with(
        1,
        &["node.yaml:2:3", "did you mean `heartbeat_interval_ms`?"],
        &run_to_end(&["--config", &path]),
    );
    let path = file(&folder, "bootstrap: true\n");
    ends_with(1, &["node.yaml:1:1", "below `cluster:`"], &run_to_end(&["--config", &path]));
}

#[test]
fn a_check_says_whether_a_node_would_start_and_leaves_nothing_behind() {
    let folder = Folder::new();
    let text = whole(&folder);
    let path = file(&folder, &text);
    let ended = run_to_end(&["--config", &path, "--check"]);
    ends_with(0, &["fine: one node on", "data/of/it"], &ended);
    assert!(ended.errors.is_empty(), "{}", ended.errors);
    assert!(!std::path::Path::new(&folder.join("data")).exists(), "it made a directory");
    ends_with(0, &["fine: one node in memory"], &run_to_end(&["--listen", "127.0.0.1:0", "--check"]));

    let taken = free_address().to_string();
    let held = TcpListener::bind(&taken).expect("nobody else has it");
    ends_with(1, &[&taken, "in use"], &run_to_end(&["--config", &path, "--check", "--listen", &taken]));
    drop(held);
    ends_with(
        1,
        &[&path, "not a directory"],
        &run_to_end(&["--check", "--listen", "127.0.0.1:0", "--data", &path]),
    );
    let lost = format!("{text}  secret_file: {}\n", folder.join("nobody"));
    ends_with(1, &["nobody", "openssl rand"], &run_to_end(&["--config", &file(&folder, &lost), "--check"]));
    let another = "    - { node_id: 2, api_addr: \"a:1\", rpc_addr: \"unknown.invalid:2\" }\n";
    let ended = run_to_end(&["--config", &file(&folder, &format!("{text}{another}")), "--check"]);
    ends_with(0, &["fine: n1 of 2 on", "note: no address is known for unknown.invalid:2"], &ended);
    ends_with(1, &["unknown.invalid"], &run_to_end(&["--check", "--listen", "unknown.invalid:1"]));
    ends_with(1, &["0.0.0.0:0", "--insecure"], &run_to_end(&["--check", "--listen", "0.0.0.0:0"]));
    ends_with(2, &["--listen"], &run_to_end(&["--check", "--listen", "nonsense"]));

    let mut node = Node::start(&["--config", &file(&folder, &text)]);
    let data = folder.join("data/of/it");
    ends_with(
        1,
        &[&data, "in use by another"],
        &run_to_end(&["--check", "--listen", "127.0.0.1:0", "--data", &data]),
    );
    assert!(node.terminate().success());
    ends_with(0, &["fine"], &run_to_end(&["--check", "--listen", "127.0.0.1:0", "--data", &data]));
}

#[test]
fn every_value_is_shown_with_who_said_it() {
    let folder = Folder::new();
    let path = file(&folder, "# ours\nadvertise: file.example:1\n");
    let above = ["env", "RUST_MQ_SCRUB_RATE=0"];
    let arguments = ["config", "show", "--config", &path, "--data", "/tmp/x"];
    let table = run_to_end_under(&above, &arguments);
    let line = |name: &str| {
        let found = table.log.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        found.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("advertise"), format!("advertise file.example:1 file {path}:2"));
    assert_eq!(line("scrub_rate"), "scrub_rate 0 bytes env RUST_MQ_SCRUB_RATE");
    assert_eq!(line("storage_path"), "storage_path /tmp/x flag --data");
    assert_eq!(line("node_id"), "node_id 1 default");
    let json = run_to_end_under(&above, &[&arguments[..], &["--format", "json"]].concat());
    let value: serde_json::Value = serde_json::from_str(&output(&json)).expect("it is one JSON object");
    assert_eq!(value["scrub_rate"]["value"], 0);
    assert_eq!(value["scrub_rate"]["source"], "env");
    assert_eq!(value["advertise"]["at"], format!("{path}:2"));
    assert!(json.errors.is_empty(), "{}", json.errors);
}

#[test]
fn the_example_is_accepted_as_it_is_printed() {
    let folder = Folder::new();
    let example = run_to_end(&["config", "example"]);
    ends_with(0, &["node_id: 1", "#storage_path: data", "raft:"], &example);
    let path = file(&folder, &output(&example));
    // Port 9092 may be somebody's.
    let ended = run_to_end(&["--config", &path, "--check", "--listen", "127.0.0.1:0"]);
    ends_with(0, &["fine: one node in memory"], &ended);
}

/// Waits until a line with all of these words was written.
#[track_caller]
fn wait_for(node: &Node, words: &[&str]) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !node.log().lines().any(|line| words.iter().all(|word| line.contains(word))) {
        assert!(Instant::now() < deadline, "no line with {words:?} in\n{}", node.log());
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_hangup_has_the_levels_of_the_log_read_again_and_nothing_else() {
    let folder = Folder::new();
    let address = free_address();
    let with = |more: &str| file(&folder, &format!("api_addr: {address}\n{more}"));
    let path = with("log_level: warn\n");
    let mut node = Node::start_at(&["--config", &path], address).expect("it starts");
    let mut client = node.connect();
    assert_eq!(create_topic(&mut client, "unheard", 1), 0);
    with("log_level: \"off,topics=info,node=info\"\nscrub_rate: 0\n");
    node.hang_up();
    wait_for(&node, &["the configuration was read again", "topics=info", "node.yaml:2"]);
    wait_for(&node, &["WARN", "from the next start on: scrub_rate"]);
    assert_eq!(create_topic(&mut client, "heard", 1), 0);
    wait_for(&node, &["topic created", "heard"]);
    assert!(!node.log().contains("unheard"), "{}", node.log());

    with("log_level: loud\n");
    node.hang_up();
    wait_for(&node, &["WARN", "was not read again", "node.yaml:2:12", "`loud` is no level"]);
    std::fs::remove_file(&path).expect("it was written just now");
    node.hang_up();
    wait_for(&node, &["WARN", "was not read again", "there is no file"]);
    assert_eq!(create_topic(&mut client, "still-heard", 1), 0);
    wait_for(&node, &["topic created", "still-heard", "\"target\":\"rust_mq::topics\""]);
    assert!(node.terminate().success());
}

#[test]
fn a_flag_wins_over_the_file_when_that_is_read_again_too() {
    let folder = Folder::new();
    let path = file(&folder, "log_level: debug\n");
    let mut node = Node::start(&["--config", &path, "--listen", "127.0.0.1:0", "--log-level", "info"]);
    file(&folder, "log_level: off\n");
    node.hang_up();
    wait_for(&node, &["the configuration was read again", "info", "--log-level"]);
    assert_eq!(create_topic(&mut node.connect(), "heard", 1), 0);
    wait_for(&node, &["topic created", "heard"]);
    assert!(node.terminate().success());
}

#[test]
fn a_node_without_a_file_outlives_a_hangup() {
    let mut node = Node::in_memory();
    node.hang_up();
    wait_for(&node, &["no configuration file to read again"]);
    assert_eq!(create_topic(&mut node.connect(), "alive", 1), 0);
    assert!(node.terminate().success());
}

#[test]
fn topics_that_a_client_makes_by_the_hundred_are_not_a_line_each() {
    let node = Node::in_memory();
    let mut client = node.connect();
    for number in 0..200 {
        assert_eq!(create_topic(&mut client, &format!("topic-{number}"), 1), 0);
    }
    std::thread::sleep(Duration::from_millis(1_100));
    assert_eq!(create_topic(&mut client, "last", 1), 0);
    wait_for(&node, &["topic created", "last"]);
    // However slow this machine is: each topic has a line or is counted in one.
    let log = node.log();
    let lines = log.lines().filter(|line| line.contains("topic created"));
    let lines: Vec<serde_json::Value> =
        lines.map(|line| serde_json::from_str(line).expect("a line is a JSON object")).collect();
    let counted: u64 = lines.iter().filter_map(|line| line["not_logged"].as_u64()).sum();
    assert_eq!(lines.len() as u64 + counted, 201, "{log}");
}
