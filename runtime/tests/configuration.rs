//! Mistakes in a node's YAML file, and how they are shown; the example files, which have none.

use rust_mq::configuration::Configuration;
use rust_mq_core::ids::NodeId;
use std::time::Duration;

const GOOD: &str = "\
node_id: 2
api_addr: 127.0.0.1:9093
rpc_addr: 127.0.0.1:9193
storage_path: data
cluster:
  initial_members:
    - { node_id: 3, api_addr: \"127.0.0.1:9094\", rpc_addr: \"127.0.0.1:9194\" }
    - { node_id: 2, api_addr: \"127.0.0.1:9093\", rpc_addr: \"127.0.0.1:9193\" }
raft:
  heartbeat_interval_ms: 100
";

fn read(path: &str) -> Result<Configuration, String> {
    Configuration::read(Some(path.as_ref()), std::iter::empty(), Vec::new())
        .map_err(|mistake| mistake.to_string())
}

/// A change to the good file, and what must be shown.
const MISTAKES: &[(&str, &str, &str)] = &[
    (
        "api_addr: 127.0.0.1:9093\nrpc",
        "api_adr: 127.0.0.1:9093\nrpc",
        "n.yaml:2:1: unknown key `api_adr`\n  |\n2 | api_adr: 127.0.0.1:9093\n  | ^^^^^^^ did you mean `api_addr`?",
    ),
    (
        "  heartbeat_interval_ms",
        "  heartbeat_intervall_ms",
        "n.yaml:10:3: unknown key `heartbeat_intervall_ms`\n   |\n10 |   heartbeat_intervall_ms: 100\n   |   \
         ^^^^^^^^^^^^^^^^^^^^^^ did you mean `heartbeat_interval_ms`?",
    ),
    (
        "storage_path: data",
        "colour: red",
        "known here: node_id, api_addr, advertise, rpc_addr, storage_path, memory_limit",
    ),
    ("storage_path: data\n", "", "`storage_path` is missing"),
    ("node_id: 2\napi", "node_id: 2\nnode_id: 3\napi", "n.yaml:2:1: `node_id` stands here twice"),
    (
        "node_id: 2\napi",
        "node_id: two\napi",
        "n.yaml:1:10: `two` is no whole number\n  |\n1 | node_id: two\n  |          ^^^",
    ),
    ("node_id: 2\napi", "node_id: 5\napi", "node 5 is not among cluster.initial_members"),
    ("{ node_id: 3,", "{ node_id: 2,", "n.yaml:8:18: node 2 stands here twice"),
    ("{ node_id: 3,", "{ node_id: -3,", "a node id is not negative, -3 is"),
    ("127.0.0.1:9194", "127.0.0.1", "`127.0.0.1` is no address; write it like 127.0.0.1:9092"),
    ("127.0.0.1:9194", ":9194", "`:9194` is no address"),
    ("127.0.0.1:9194", "127.0.0.1:99999", "`127.0.0.1:99999` is no address"),
    ("ms: 100", "ms: 0", "the heartbeat interval must not be 0"),
    ("ms: 100", "ms: 800", "an election timeout of 1500 ms is less than two heartbeats of 800 ms"),
    (
        "ms: 100",
        "ms: 100\n  election_timeout_max_ms: 1000",
        "n.yaml:11:28: the longest election timeout, 1000 ms, must exceed the shortest, 1500 ms",
    ),
    ("storage_path: data", "storage_path: &here data", "anchors, aliases"),
    ("ms: 100\n", "ms: 100\n---\nnode_id: 1\n", "several documents"),
];

#[test]
fn every_mistake_is_shown_where_it_is() {
    for (good, bad, expected) in MISTAKES {
        assert!(GOOD.contains(good), "{good}");
        let shown = match Configuration::parse("n.yaml", &GOOD.replacen(good, bad, 1)) {
            Err(mistake) => mistake.to_string(),
            Ok(_) => panic!("no mistake was seen in {bad}"),
        };
        assert!(shown.contains(expected), "{bad}:\n{shown}\nshould show\n{expected}");
    }
}

#[test]
fn a_mistake_on_a_long_line_is_shown_in_one_piece_and_moves_no_cursor() {
    let long = "x".repeat(900_000);
    let colour = "\u{1b}[31m\u{202e}";
    for bad in [
        format!("storage_path: {{ {long}: {long}\n"),
        format!("storage_path: data\n{long}: 1\n"),
        format!("storage_path: data\n\"{colour}\": 1\n"),
        format!("storage_path: data # {long} {colour}\ncolour: {long}{colour}\n"),
        format!("storage_path: [{}, &a 1]\n", "1, ".repeat(200_000)),
    ] {
        let text = GOOD.replacen("storage_path: data\n", &bad, 1);
        let shown = match Configuration::parse(&format!("{colour}.yaml"), &text) {
            Err(mistake) => mistake.to_string(),
            Ok(_) => panic!("no mistake was seen in {} bytes", bad.len()),
        };
        assert!(shown.len() < 3_000, "{} bytes", shown.len());
        assert!(!shown.contains(['\u{1b}', '\u{202e}']), "{shown:?}");
    }
    let text = GOOD.replacen("3, api_addr:", &format!("3, {}api_adr:", " ".repeat(5_000)), 1);
    let mistake = Configuration::parse("n.yaml", &text)
        .map(drop)
        .expect_err("a key that is not known, far to the right");
    let lines: Vec<String> = mistake.to_string().lines().map(str::to_owned).collect();
    let column = |line: &str, wanted: &str| line.find(wanted).map(|at| line[..at].chars().count());
    assert_eq!(column(&lines[2], "api_adr"), column(&lines[3], "^"), "{lines:#?}");
}

#[test]
fn a_file_without_end_is_refused() {
    let refused = read("/dev/zero").map(drop).expect_err("it never ends");
    assert_eq!(
        refused.to_string(),
        "cannot read /dev/zero: it has more than 1048576 bytes, which is the most"
    );
}

#[test]
fn what_is_not_said_has_kafkas_and_the_projects_defaults() {
    let config = Configuration::parse("n.yaml", GOOD).expect("the file is good").config();
    let members: Vec<NodeId> = config.members.iter().map(|member| member.node).collect();
    assert_eq!(members, [NodeId(2), NodeId(3)], "by rising id");
    assert_eq!(config.heartbeat_interval, Duration::from_millis(100));
    assert_eq!(config.election_timeout_min, Duration::from_millis(1500));
    assert_eq!(config.election_timeout_max, Duration::from_millis(3000));
    assert!(!config.bootstrap);
    assert_eq!(
        config.listeners[0].as_ref().map(|address| address.port),
        Some(9093),
        "its own entry's api_addr"
    );
}

#[test]
fn the_examples_form_one_cluster() {
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/examples/cluster");
    let configs: Vec<_> = (1..=3)
        .map(|node| {
            let path = format!("{examples}/node-{node}.yaml");
            read(&path).expect("the examples have no mistakes").config()
        })
        .collect();
    assert!(configs.iter().all(|config| config.members == configs[0].members));
    assert_eq!(configs.iter().map(|config| config.node.0).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(configs.iter().map(|config| config.bootstrap).collect::<Vec<_>>(), [true, false, false]);
}

const KEY: &str = "correct horse battery staple";

#[test]
fn secrets_stand_in_the_file_or_in_one_of_their_own() {
    let parse = |lines: &str| {
        let text = GOOD.replacen("cluster:\n", &format!("cluster:\n{lines}"), 1);
        Configuration::parse("n.yaml", &text).map(|file| file.secrets())
    };
    let count = |lines: &str| match parse(lines) {
        Ok(Ok(secrets)) => secrets.iter().count(),
        other => panic!("{lines}: {other:?}"),
    };
    assert_eq!(count(""), 0);
    assert_eq!(count(&format!("  secret: \"{KEY}\"\n")), 1);
    assert_eq!(count(&format!("  secret: [\"{KEY}\", \"another {KEY}\"]\n")), 2);
    assert_eq!(count(&format!("  secret:\n    - {KEY}\n    - another {KEY}\n")), 2);
    let file = std::env::temp_dir().join(format!("rust-mq-secret-{}", std::process::id()));
    std::fs::write(&file, format!("{KEY}\n\nanother {KEY}\n")).expect("a temporary file");
    assert_eq!(count(&format!("  secret_file: {}\n", file.display())), 2);
    std::fs::write(&file, "short\n").expect("a temporary file");
    let short = parse(&format!("  secret_file: {}\n", file.display())).expect("the node's file is good");
    let shown = short.expect_err("it is too short").to_string();
    assert!(shown.contains("at least 16 bytes") && !shown.contains("short\n"), "{shown}");
    std::fs::remove_file(&file).expect("it was written just now");
    for nothing in ["/dev/zero", "/no/such/file", "/"] {
        let read = parse(&format!("  secret_file: {nothing}\n")).expect("the node's file is good");
        assert!(read.expect_err("there is no secret").to_string().contains(nothing));
    }
}

#[test]
fn no_mistake_shows_a_secret() {
    let lines = [
        format!("  secret: \"{KEY}\" x\n"),
        format!("  secret: {{ a: \"{KEY}\" }}\n"),
        format!("  secrt: \"{KEY}\"\n"),
        format!("  secret: \"{KEY}\"\n  secret: \"{KEY}\"\n"),
        format!("  secret: [\"{KEY}\",\n    \"{KEY}\",\n   : \"{KEY}\"]\n"),
        format!("  secret: [\"{KEY}\", 7, \"short\"]\n"),
        format!("  secret: \"{}\"\n", KEY.repeat(20)),
        format!("  secret:\n    - \"{KEY}\"\n    - [\"{KEY}\"]\n"),
    ];
    for lines in lines {
        let text = GOOD.replacen("cluster:\n", &format!("cluster:\n{lines}"), 1);
        let mistake = Configuration::parse("n.yaml", &text).expect_err("it is no list of secrets");
        let shown = format!("{mistake} {mistake:?}");
        assert!(!shown.contains("horse"), "{lines}\n{shown}");
    }
    let text = GOOD.replacen("cluster:\n", &format!("cluster:\n  secret: \"{KEY}\"\n"), 1);
    let file = Configuration::parse("n.yaml", &text).expect("the file is good");
    assert!(!format!("{file:?} {:?}", file.secrets()).contains("horse"));
}
