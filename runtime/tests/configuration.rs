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
    ("storage_path: data", "colour: red", "known here: node_id, api_addr, advertise, listeners, rpc_addr"),
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
    (
        "storage_path: data",
        "storage_path: data\nlisteners:\n  outer: { addr: \"127.0.0.1:9\" }",
        "n.yaml:9:18: `listeners.outer` is missing\n  |\n9 |     - { node_id: 3, api_addr: \"127.0.0.1:9094\", \
         rpc_addr: \"127.0.0.1:9194\" }\n  |                  ^ add to this member where the clients of `listeners.outer` find it",
    ),
    ("api_addr: \"127.0.0.1:9094\", ", "", "`api_addr` is missing"),
    (
        "api_addr: \"127.0.0.1:9094\"",
        "api_addr: \"127.0.0.1:9094\", listeners: {outer: \"a:1\"}",
        "there is no listener `outer` on this node",
    ),
    (
        "storage_path: data",
        "storage_path: data\nadvertise: a:1",
        "leave this out, and say it there on all nodes",
    ),
    (
        "storage_path: data",
        "storage_path: data\nlisteners: {in-ner: {addr: a:1}}",
        "`in-ner` is no name of a listener",
    ),
    ("storage_path: data", "storage_path: data\nlisteners: {inner: {adr: \"a:1\"}}", "did you mean `addr`?"),
    (
        "storage_path: data",
        "storage_path: data\nlisteners: {inner: \"a:1\"}",
        "`inner` has keys and values: addr, advertise",
    ),
    ("storage_path: data", "storage_path:", "`storage_path` has no value"),
    ("storage_path: data", "storage_path: data\nlog_level: peer=info", "`peer` is no module"),
    ("storage_path: data", "storage_path: data\nlog_format: xml", "`xml` is no format of the log"),
    ("storage_path: data", "storage_path: data\nmemory_limit: 1M", "at least 32 MiB are needed"),
    ("storage_path: data", "storage_path: data\ninsecure: perhaps", "`perhaps` is neither true nor false"),
    ("node_id: 2\napi", "node_id: 99999999999\napi", "`99999999999` is no whole number in its range"),
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
fn each_listener_has_its_own_addresses_of_all_members() {
    let members = [("3, api_addr", "c"), ("2, api_addr", "b")];
    let mut text =
        GOOD.replace("cluster:\n", "listeners: { OUTER: { addr: \"0.0.0.0:19092\" } }\ncluster:\n");
    for (member, host) in members {
        let with =
            member.replace("api_addr", &format!("listeners: {{ outer: \"{host}.example:1\" }}, api_addr"));
        text = text.replacen(member, &with, 1);
    }
    let configuration = Configuration::parse("n.yaml", &text).unwrap_or_else(|mistake| panic!("{mistake}"));
    let names: Vec<&str> = configuration.listeners.iter().map(|listener| listener.name.as_str()).collect();
    assert_eq!(names, ["", "outer"]);
    let config = configuration.config();
    let own: Vec<String> = config.listeners.iter().flatten().map(ToString::to_string).collect();
    assert_eq!(own, ["127.0.0.1:9093", "b.example:1"]);
    let hosts = |listener: usize| -> Vec<(i32, String)> {
        config.by_listener[listener].iter().map(|(node, address)| (node.0, address.to_string())).collect()
    };
    assert_eq!(hosts(0), [(2, "127.0.0.1:9093".into()), (3, "127.0.0.1:9094".into())]);
    assert_eq!(hosts(1), [(2, "b.example:1".into()), (3, "c.example:1".into())]);
    assert_eq!(config.members[1].api.port, 9094, "whoever asks no listener is told the first one's");
    let alone = "listeners: { outer: { addr: \"127.0.0.1:0\", advertise: \"a.example:1\" } }\n";
    let alone = Configuration::parse("n.yaml", alone).expect("a node alone needs no more").config();
    assert_eq!(alone.listeners.len(), 1, "no other than the one that was said");
    assert!(alone.by_listener.is_empty());
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
