//! The process as an operator meets it: its help, its refusals, how it stops, who may use a directory.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::Duration;
use tests::batch::Batch;
use tests::dialogue::{create_topic, fetch, produce};
use tests::folder::Folder;
use tests::node::{Node, run_to_end};

#[test]
fn help_names_every_option_and_ends_well() {
    let ended = run_to_end(&["--help"]);
    assert!(ended.status.success(), "{}", ended.log);
    let options =
        ["--listen", "--data", "--memory-limit", "--advertise", "--log-format", "--config", "--check"];
    for option in options {
        assert!(ended.log.contains(option), "no {option} in\n{}", ended.log);
    }
}

#[test]
fn each_command_says_what_it_does() {
    for (command, words) in [
        (&["config"][..], "Show what a node is told"),
        (&["config", "show"], "Show every setting of a node"),
        (&["config", "example"], "Print a file with every setting"),
        (&["generate"], "Print files for"),
        (&["generate", "completion"], "Print completions"),
        (&["generate", "man"], "Print the page for man"),
        (&["generate", "systemd"], "Print a unit for systemd"),
        (&["generate", "compose"], "Print a file for Docker Compose"),
        (&["dev-cluster"], "Run a cluster of three nodes"),
    ] {
        for help in ["-h", "--help"] {
            let ended = run_to_end(&[command, &[help]].concat());
            assert!(
                ended.status.success() && ended.log.starts_with(words),
                "{command:?} {help}:\n{}",
                ended.log
            );
        }
    }
}

#[test]
fn a_wrong_option_is_refused_with_its_name() {
    let ended = run_to_end(&["--lisen", "127.0.0.1:0"]);
    assert!(!ended.status.success(), "it took --lisen");
    assert!(ended.log.contains("--lisen"), "{}", ended.log);
}

#[test]
fn each_mistake_on_the_command_line_is_named_with_what_to_do() {
    let folder = Folder::new();
    let file = folder.join("file");
    std::fs::write(&file, "somebody's").expect("a temporary file can be written");
    let below_a_file = format!("{file}/data");
    let mistakes: [(&[&str], &[&str]); 14] = [
        (&["--data"], &["--data <DIR>"]),
        (&["--listen", "nonsense"], &["--listen", "nonsense", "127.0.0.1:9092"]),
        (&["--listen", "127.0.0.1"], &["--listen", "127.0.0.1:9092"]),
        (&["--listen", "127.0.0.1:port"], &["--listen", "127.0.0.1:9092"]),
        (&["--listen", "0.0.0.0:0"], &["0.0.0.0:0", "other machines", "--insecure"]),
        (&["--advertise", "broker"], &["--advertise", "broker"]),
        (&["--memory-limit", "1M"], &["--memory-limit", "32 MiB"]),
        (&["--memory-limit", "much"], &["--memory-limit", "much", "512M"]),
        (&["--log-format", "xml"], &["--log-format", "human", "json"]),
        (&["--config", &file, "--data", "x"], &[&file, "keys and values"]),
        (&["--log-level", "peer=debug"], &["--log-level", "`peer` is no module", "peers"]),
        (&["--data", &file], &[&file, "not a directory"]),
        (&["--data", &below_a_file], &[&below_a_file, "Not a directory"]),
        (&["serve"], &["serve", "--help"]),
    ];
    for (arguments, words) in mistakes {
        let ended = run_to_end(arguments);
        assert!(!ended.status.success(), "it took {arguments:?}");
        for word in words {
            assert!(ended.log.contains(word), "no {word:?} after {arguments:?} in\n{}", ended.log);
        }
        assert!(!ended.log.contains("panicked"), "{}", ended.log);
    }
    assert_eq!(std::fs::read(&file).ok().as_deref(), Some(&b"somebody's"[..]), "the file is as it was");
}

#[test]
fn a_mistake_is_shown_without_control_characters_and_not_at_length() {
    let colour = "\u{1b}[31mred";
    let long = "9".repeat(100_000);
    let values = ["--listen", "--advertise", "--memory-limit", "--log-format", "--config"];
    for (flag, value) in values.into_iter().flat_map(|flag| [(flag, colour), (flag, long.as_str())]) {
        let ended = run_to_end(&[flag, value]);
        assert!(!ended.status.success(), "it took {flag}");
        assert!(!ended.log.contains('\u{1b}'), "{flag}: {:?}", ended.log);
        assert!(ended.log.len() < 4_000, "{flag}: {} bytes", ended.log.len());
    }
    for more in ["16000000000G", "1000T"] {
        let ended = run_to_end(&["--memory-limit", more, "--listen", "127.0.0.1:0"]);
        assert!(!ended.status.success() && ended.log.contains("this machine has"), "{}", ended.log);
    }
}

#[test]
fn the_last_line_is_json_where_the_log_is() {
    let mistakes: [&[&str]; 4] = [
        &["--log-format", "json", "--listen", "nonsense"],
        &["--log-format=json", "--config", "/dev/zero"],
        &["--memory-limit", "much", "--log-format", "json"],
        &["--log-format", "json", "--data", "/proc/rust-mq-data"],
    ];
    for arguments in mistakes {
        let ended = run_to_end(arguments);
        assert!(!ended.status.success(), "it took {arguments:?}");
        let last = ended.errors.lines().last().unwrap_or_default();
        assert!(last.starts_with("{\"timestamp\"") && last.ends_with('}'), "{arguments:?}: {}", ended.log);
        assert!(last.contains("\"level\":\"ERROR\""), "{arguments:?}: {last}");
    }
}

#[test]
fn a_directory_that_may_not_be_written_is_refused_with_the_reason() {
    let folder = Folder::new();
    let data = folder.join("data");
    std::fs::create_dir(&data).expect("a temporary folder can be made");
    std::fs::set_permissions(&data, Permissions::from_mode(0o500)).expect("our own folder's mode can be set");
    // Root may write anywhere but where the kernel keeps house.
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    let data = if is_root { "/proc/rust-mq-data" } else { data.as_str() };
    let ended = run_to_end(&["--listen", "127.0.0.1:0", "--data", data]);
    assert!(!ended.status.success(), "it took {data}");
    let reason = if is_root { "No such file or directory" } else { "Permission denied" };
    for word in ["cannot use", data, reason] {
        assert!(ended.log.contains(word), "no {word:?} in\n{}", ended.log);
    }
}

#[test]
fn what_is_not_ours_in_a_data_directory_is_left_as_it_is() {
    let folder = Folder::new();
    let data = folder.join("data");
    std::fs::create_dir_all(format!("{data}/photos/2019")).expect("a temporary folder can be made");
    let theirs: Vec<String> = (0..50).map(|number| format!("{data}/photos/2019/{number}.jpg")).collect();
    for path in &theirs {
        std::fs::write(path, path).expect("a temporary file can be written");
    }
    let mut node = Node::on_disk(&data);
    assert_eq!(create_topic(&mut node.connect(), "beside", 1), 0);
    assert_eq!(produce(&mut node.connect(), "beside", Batch::of(&[b"x"]).bytes()).error, 0);
    assert!(node.terminate().success());
    node.restart();
    assert_eq!(fetch(&mut node.connect(), "beside", 0).high_watermark, 1);
    for path in &theirs {
        assert_eq!(std::fs::read_to_string(path).ok().as_ref(), Some(path), "their file is as it was");
    }
    let lines = node.log().matches("not ours").count();
    assert!((1..=30).contains(&lines), "{lines} lines about it");
}

#[test]
fn a_data_directory_without_its_node_meta_is_refused_and_left_as_it_is() {
    let folder = Folder::new();
    let data = folder.join("data");
    let mut node = Node::on_disk(&data);
    assert_eq!(create_topic(&mut node.connect(), "kept", 1), 0);
    assert!(node.terminate().success());
    let meta = format!("{data}/node.meta");
    let moved = folder.join("elsewhere");
    std::fs::rename(&meta, &moved).expect("a file can be moved");
    let ended = run_to_end(&["--listen", "127.0.0.1:0", "--data", &data]);
    assert!(!ended.status.success(), "it founded anew over what was there");
    for word in ["cannot start", "node.meta", "nothing was touched"] {
        assert!(ended.log.contains(word), "no {word:?} in\n{}", ended.log);
    }
    std::fs::rename(&moved, &meta).expect("a file can be moved back");
    node.restart();
    assert_eq!(create_topic(&mut node.connect(), "kept", 1), 36, "TOPIC_ALREADY_EXISTS");
}

#[test]
fn a_terminal_gets_lines_for_people_and_a_pipe_gets_json() {
    // script(1) gives it a terminal.
    let binary = tests::binary::binary().to_str().expect("the target folder's path is UTF-8");
    let command = format!("timeout 2 {binary} --listen 127.0.0.1:0");
    let mut script = std::process::Command::new("script");
    script.args(["-q", "-e", "-c", &command, "/dev/null"]);
    let seen = tests::programs::run(script, b"", Duration::from_secs(30)).output;
    assert!(seen.contains("listening") && !seen.contains("{\"timestamp\""), "{seen}");
    let piped = Node::in_memory().log();
    assert!(piped.lines().all(|line| line.starts_with('{')), "{piped}");
}

#[test]
fn signals_in_the_same_moment_are_one_wish_and_a_later_one_is_another() {
    let folder = Folder::new();
    let mut node = Node::on_disk(&folder.join("data"));
    for _ in 0..3 {
        node.ask_to_stop();
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(node.end().success(), "{}", node.log());
    assert!(node.log().contains("stopped"), "{}", node.log());
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
    let free = tests::ports::free_address();
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
