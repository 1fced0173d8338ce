//! The files that the binary prints for others: that those others take them, and that the cluster of the Compose file is
//! one. No Docker runs here; its three nodes run as three processes with the same variables, but for their addresses.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tests::client::Client;
use tests::cluster::told;
use tests::folder::Folder;
use tests::node::{Node, run_to_end};

/// Chosen, far above what nodes take to find each other.
const READY_WITHIN: Duration = Duration::from_secs(60);

fn generated(arguments: &[&str]) -> String {
    let ended = run_to_end(&[&["generate"], arguments].concat());
    assert!(ended.status.success() && ended.errors.is_empty(), "{arguments:?}: {}", ended.log);
    ended.log
}

#[test]
fn completions_know_every_flag_and_command() {
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = generated(&["completion", shell]);
        for word in ["memory-limit", "dev-cluster", "completion", "example"] {
            assert!(script.contains(word), "{shell}: no {word}");
        }
        let path = folder.join(shell);
        std::fs::write(&path, script).expect("a temporary file can be written");
        // Not every machine has the others.
        if let Ok(read) = Command::new(shell).args(["-n", &path]).output() {
            let errors = String::from_utf8_lossy(&read.stderr).into_owned();
            assert!(read.status.success() && errors.is_empty(), "{shell}: {errors}");
        }
    }
    let ended = run_to_end(&["generate", "completion", "tcsh"]);
    assert_eq!(ended.status.code(), Some(2), "{}", ended.log);
    assert!(ended.log.contains("tcsh") && ended.log.contains("bash, zsh, fish"), "{}", ended.log);
}

#[test]
fn the_manual_has_every_flag_and_a_page_for_each_command() {
    let page = generated(&["man"]);
    assert!(page.contains(".TH rust-mq 1"), "{page}");
    for flag in ["memory\\-limit", "config", "check", "log\\-level"] {
        assert!(page.contains(&format!("\\-\\-{flag}")), "no {flag} in\n{page}");
    }
    let folder = Folder::new();
    generated(&["man", "--into", &folder.join("man")]);
    for name in ["rust-mq.1", "rust-mq-config-show.1", "rust-mq-generate-compose.1", "rust-mq-dev-cluster.1"]
    {
        assert!(folder.path().join("man").join(name).exists(), "no {name}");
    }
}

#[test]
fn systemd_finds_nothing_wrong_with_the_unit() {
    let folder = Folder::new();
    let unit = generated(&["systemd", "--config", "/etc/my node.yaml"]);
    for line in
        ["--config \"/etc/my node.yaml\"", "ExecReload=/bin/kill -HUP $MAINPID", "ProtectSystem=strict"]
    {
        assert!(unit.contains(line), "no {line} in\n{unit}");
    }
    let path = folder.join("rust-mq.service");
    std::fs::write(&path, unit).expect("a temporary file can be written");
    // Not every machine is systemd's.
    if let Ok(read) = Command::new("systemd-analyze").args(["verify", "--man=no", &path]).output() {
        let errors = String::from_utf8_lossy(&read.stderr);
        let ours: Vec<&str> = errors.lines().filter(|line| line.contains("rust-mq.service")).collect();
        assert!(ours.is_empty(), "{errors}");
    }
}

/// The variables of each service of a Compose file.
fn services(file: &str) -> Vec<BTreeMap<String, String>> {
    let file: serde_json::Value = serde_saphyr::from_str(file).expect("it is YAML");
    let services = file["services"].as_object().expect("services have names");
    let variables = |service: &serde_json::Value| {
        assert!(service["ports"][0].as_str().is_some_and(|port| port.starts_with("127.0.0.1:")), "{service}");
        assert!(service["volumes"][0].as_str().is_some_and(|volume| volume.ends_with(":/data")), "{service}");
        let variables = service["environment"].as_object().expect("variables have names");
        let text = |value: &serde_json::Value| value.as_str().expect("Compose wants texts").to_owned();
        variables.iter().map(|(name, value)| (name.clone(), text(value))).collect()
    };
    services.values().map(variables).collect()
}

/// What Docker runs in a container to see how it is.
fn health_check(file: &str) -> Vec<String> {
    let file: serde_json::Value = serde_saphyr::from_str(file).expect("it is YAML");
    let words = file["services"]["node-1"]["healthcheck"]["test"].as_array().expect("a list of words");
    words.iter().map(|word| word.as_str().expect("a word").to_owned()).collect()
}

#[test]
fn the_nodes_of_the_compose_file_form_a_cluster_that_both_sides_can_use() {
    let folder = Folder::new();
    let first = three_ports();
    let file = generated(&["compose", "--port", &first.to_string()]);
    let services = services(&file);
    assert_eq!(services.len(), 3);
    let secrets: Vec<&String> = services.iter().map(|said| &said["RUST_MQ_CLUSTER__SECRET"]).collect();
    assert!(secrets.iter().all(|secret| **secret == *secrets[0] && secret.len() == 64), "one for all");
    assert!(!generated(&["compose"]).contains(secrets[0].as_str()), "another file has another");
    // Each container has a network address of its own: here one of the loopback's 16 million, apart from other tests'.
    let process = std::process::id();
    let host = |node: usize| format!("127.{}.{}.{node}", 1 + (process >> 8 & 0x7f), process & 0xff);
    let mut nodes = Vec::new();
    for (index, said) in services.iter().enumerate() {
        let own = host(index + 1);
        let mut command = vec!["env".to_owned()];
        for (name, value) in said {
            let mut value = value.replace("/data", &folder.join(&format!("data-{index}")));
            if name == "RUST_MQ_LISTENERS__OUTER__ADDR" {
                value = format!("127.0.0.1:{}", first + index as u16);
            }
            value = value.replace("0.0.0.0:", &format!("{own}:"));
            for node in 1..=3 {
                value = value.replace(&format!("node-{node}:"), &format!("{}:", host(node)));
            }
            command.push(format!("{name}={value}"));
        }
        nodes.push(Node::start_under(&command.iter().map(String::as_str).collect::<Vec<_>>(), &[]));
    }
    let check = health_check(&file);
    assert!(!is_ready(&check, &host(9)), "where nobody is");
    let until = Instant::now() + READY_WITHIN;
    for index in 0..3 {
        while !is_ready(&check, &host(index + 1)) {
            assert!(Instant::now() < until, "node {} does not become ready", index + 1);
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    for index in 0..3 {
        let inner: SocketAddr = format!("{}:19092", host(index + 1)).parse().expect("an address");
        let outer = SocketAddr::from(([127, 0, 0, 1], first + index as u16));
        let expected = |address: &dyn Fn(usize) -> String| (1..=3).map(address).collect::<Vec<String>>();
        assert_eq!(told(&mut Client::connect(inner)), expected(&|node| format!("{}:19092", host(node))));
        assert_eq!(
            told(&mut Client::connect(outer)),
            expected(&|node| format!("localhost:{}", first as usize + node - 1))
        );
    }
}

/// Runs what Docker would run in the container whose address that is; whether the node is ready.
fn is_ready(command: &[String], host: &str) -> bool {
    let mut words =
        command.iter().map(|word| word.replace("/dev/tcp/localhost/", &format!("/dev/tcp/{host}/")));
    assert_eq!(words.next().as_deref(), Some("CMD"));
    let mut run = Command::new(words.next().expect("a program"));
    run.args(words).stderr(Stdio::null()).status().expect("it can be run").success()
}

/// The first of three ports in a row that are free: below those that the kernel gives to whoever connects.
fn three_ports() -> u16 {
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let begin = std::process::id() % 4_000;
    let mut candidates = (begin..begin + 100).map(|number| 20_000 + 3 * number as u16);
    candidates.find(|first| (*first..first + 3).all(is_free)).expect("three free ports in a row")
}
