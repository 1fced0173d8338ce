//! What goes wrong, and how people are told: three lines on standard error, and an exit code.

use std::io::Read;
use std::process::{Command, Stdio};
use tests::folder::Folder;
use tests::node::Node;
use tests::ports::free_address;
use tests::verbs::Person;

#[test]
fn a_broker_that_is_not_there_is_said_at_once_in_three_lines() {
    let address = free_address().to_string();
    let expected = format!(
        "error: the cluster was not reached\n  why: nobody answers at {address}: Connection refused\n  \
         try: start a broker with `rust-mq`, or say where one is: --brokers HOST:PORT\n"
    );
    let nobody = Person::of(&address);
    for verb in [&["topic", "list"][..], &["group", "lag"], &["config", "describe", "broker"]] {
        let said = nobody.says(verb);
        assert_eq!((said.code, said.out.as_str(), said.errors.as_str()), (Some(1), "", expected.as_str()));
    }
    // One of several is enough.
    let node = Node::in_memory();
    Person::of(&format!("{address},{}", node.bootstrap())).sees(&["topic", "list"]);
}

#[test]
fn a_question_that_makes_no_sense_ends_with_2() {
    let nobody = Person::of("127.0.0.1:1");
    for arguments in [
        &["topic"][..],
        &["topic", "frobnicate"],
        &["topic", "list", "--format", "xml"],
        &["topic", "list", "--brokers", "nonsense"],
        &["topic", "list", "--timeout", "soon"],
        &["topic", "create"],
        &["topic", "create", "t", "-p", "0"],
        &["topic", "trim", "t"],
        &["group", "reset", "g"],
    ] {
        let said = nobody.says(arguments);
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{arguments:?}: {said:?}");
        assert!(!said.errors.is_empty());
    }
}

#[test]
fn who_stops_reading_is_no_failure() {
    let node = Node::in_memory();
    let mut command = Person::at(&node).command(&["topic", "list"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("the built binary can be started");
    drop(child.stdout.take());
    let status = child.wait().expect("our own child can be waited for");
    let mut errors = String::new();
    child.stderr.take().expect("it is piped").read_to_string(&mut errors).expect("it is text");
    assert_eq!((status.code(), errors.as_str()), (Some(0), ""));
}

#[test]
fn a_profile_names_a_cluster() {
    let node = Node::in_memory();
    let folder = Folder::new();
    std::fs::create_dir(folder.join("rust-mq")).expect("a temporary folder can be written");
    let file = folder.join("rust-mq/profiles.yaml");
    let text = format!("current: here\nprofiles:\n  here: {{ brokers: [\"{}\"] }}\n", node.bootstrap());
    std::fs::write(&file, text).expect("a temporary file can be written");
    let run = |variables: &[(&str, &str)], arguments: &[&str]| {
        let mut command = Person::of("").command(arguments);
        command.env_remove("RUST_MQ_BROKERS").env("XDG_CONFIG_HOME", folder.join(""));
        command.envs(variables.iter().copied());
        let output = command.output().expect("the built binary can be started");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(run(&[], &["topic", "list"]), (Some(0), String::new()));
    assert_eq!(run(&[], &["topic", "list", "--profile", "here"]), (Some(0), String::new()));
    let (code, errors) = run(&[("RUST_MQ_PROFILE", "elsewhere")], &["topic", "list"]);
    assert_eq!(code, Some(2));
    assert!(
        errors.starts_with("error: there is no profile `elsewhere`\n  why: there are: here\n  try: "),
        "{errors}"
    );
    std::fs::write(&file, "profiles: { here: { broker: x } }").expect("a temporary file can be written");
    let (code, errors) = run(&[], &["topic", "list"]);
    assert_eq!((code, errors.lines().count()), (Some(2), 3), "{errors}");
}

#[test]
fn colour_is_for_terminals_whose_user_does_not_mind() {
    let node = Node::in_memory();
    let person = Person::at(&node);
    assert!(!person.sees(&["topic", "list"]).contains('\u{1b}'), "a pipe is no terminal");
    let list = format!("{} topic list -b {}", tests::binary::binary().display(), node.bootstrap());
    let shown = |variable: (&str, &str)| {
        let mut command = Command::new("script");
        command.args(["-qec", &list, "/dev/null"]).env("TERM", "xterm").env_remove("NO_COLOR");
        command.env(variable.0, variable.1).stdin(Stdio::null());
        command.output().ok().map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
    };
    // Not every machine has util-linux's `script`, which makes a terminal.
    if let (Some(on), Some(off)) = (shown(("COLUMNS", "100")), shown(("NO_COLOR", "1"))) {
        assert!(on.contains("TOPIC") && on.contains('\u{1b}'), "{on:?}");
        assert!(off.contains("TOPIC") && !off.contains('\u{1b}'), "{off:?}");
    }
}
