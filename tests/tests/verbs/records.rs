//! `rust-mq produce` and `rust-mq consume`: what goes in comes out.

use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};
use tests::cluster::Cluster;
use tests::folder::Folder;
use tests::node::Node;
use tests::verbs::{Person, Said};

#[track_caller]
fn produce(person: &Person, arguments: &[&str], input: &str) -> Said {
    let mut all = vec!["produce"];
    all.extend(arguments);
    let said = person.says_with(&all, input.as_bytes());
    assert_eq!((said.code, said.errors.as_str()), (Some(0), ""), "{all:?}");
    said
}

#[test]
fn the_first_minute_needs_no_other_program() {
    let node = Node::in_memory();
    let person = Person::at(&node);
    produce(&person, &["greetings"], "hello\n");
    assert_eq!(person.sees(&["consume", "greetings"]), "hello\n");
    produce(&person, &["greetings"], "without an end of line");
    assert_eq!(person.sees(&["consume", "greetings", "-o", "-1"]), "without an end of line\n");
}

#[test]
fn topics_may_be_named_by_a_pattern_that_their_whole_name_fits() {
    let node = Node::in_memory();
    let person = Person::at(&node);
    for topic in ["orders-eu", "orders-us", "old-orders-eu"] {
        produce(&person, &[topic], "x\n");
    }
    let read = person.sees(&["consume", "-r", "orders-.*", "-f", "%t\\n"]);
    let mut topics: Vec<&str> = read.lines().collect();
    topics.sort_unstable();
    assert_eq!(topics, ["orders-eu", "orders-us"]);
    let nothing = person.says(&["consume", "-r", "orders"]);
    assert_eq!(nothing.code, Some(1), "{nothing:?}");
    let broken = person.says(&["consume", "-r", "["]);
    assert!(broken.errors.contains("`[` is no regular expression"), "{broken:?}");
    assert_eq!(broken.code, Some(2));
}

#[test]
fn keys_headers_tombstones_and_partitions_are_what_was_said() {
    let node = Node::in_memory();
    let person = Person::at(&node);
    person.sees(&["topic", "create", "t", "-p", "3"]);
    let placed = produce(&person, &["t", "-p", "1", "-o", "%t/%p@%o %k=%v\\n", "-K:"], "a:1\nb:2:3\nnone\n");
    assert_eq!(placed.out, "t/1@0 a=1\nt/1@1 b=2:3\nt/1@2 =none\n");
    produce(
        &person,
        &["t", "-p", "2", "-K", "::", "-D", ";", "-Z", "-H", "h=x", "-H", "h=y=z", "-z", "zstd"],
        "k::v;k::;x",
    );
    let format = "%p %o %K:%k %V:%v [%h]\\n";
    let expected = "1 0 1:a 1:1 []\n1 1 1:b 3:2:3 []\n1 2 -1: 4:none []\n";
    assert_eq!(person.sees(&["consume", "t", "-p", "1", "-f", format]), expected);
    let expected = "2 0 1:k 1:v [h=x,h=y=z]\n2 1 1:k -1: [h=x,h=y=z]\n2 2 -1: 1:x [h=x,h=y=z]\n";
    assert_eq!(person.sees(&["consume", "t", "-p", "2", "-f", format]), expected);
    let json = person.sees(&["consume", "t", "-p", "2", "-n", "1", "-f", "json"]);
    let record: serde_json::Value = serde_json::from_str(&json).expect("it is JSON");
    assert_eq!(
        (record["key"].as_str(), record["value"].as_str(), record["offset"].as_i64()),
        (Some("k"), Some("v"), Some(0))
    );
    assert_eq!(record["headers"][1], serde_json::json!({"key": "h", "value": "y=z"}));
    // Equal keys go to one partition.
    produce(&person, &["t", "-k", "same"], &"x\n".repeat(20));
    let with_key = person.sees(&["consume", "t", "-f", "%p %k\\n"]);
    let mut places: Vec<&str> = with_key.lines().filter(|line| line.ends_with("same")).collect();
    assert_eq!(places.len(), 20);
    places.dedup();
    assert_eq!(places.len(), 1);
}

#[test]
fn what_is_read_lies_between_two_words() {
    let node = Node::in_memory();
    let person = Person::at(&node);
    let numbers: String = (0..10).map(|number| format!("{number}\n")).collect();
    produce(&person, &["t"], &numbers);
    for (offset, expected) in [
        ("start", "0 1 2 3 4 5 6 7 8 9"),
        ("end", ""),
        ("+8", "8 9"),
        ("-3", "7 8 9"),
        ("4", "4 5 6 7 8 9"),
        ("4:6", "4 5"),
        (":2", "0 1"),
        ("-3:-1", "7 8"),
        ("@1h", "0 1 2 3 4 5 6 7 8 9"),
        ("@1h:@30m", ""),
        ("@1970-01-01:end", "0 1 2 3 4 5 6 7 8 9"),
        ("99", ""),
    ] {
        let seen = person.sees(&["consume", "t", "-o", offset]);
        assert_eq!(seen.split_whitespace().collect::<Vec<_>>().join(" "), expected, "{offset}");
    }
    assert_eq!(person.sees(&["consume", "t", "-n", "2", "-f", "%v,"]), "0,1,");
    person.sees(&["topic", "trim", "t", "--to", "5"]);
    assert_eq!(person.sees(&["consume", "t", "-n", "1"]), "5\n");
}

#[test]
fn many_records_of_a_file_come_back_all_and_in_order() {
    let cluster = Cluster::start();
    let person = Person::of(&cluster.bootstrap());
    person.sees(&["topic", "create", "t", "-p", "3", "-r", "3", "--timeout", "30s"]);
    let folder = Folder::new();
    let lines: String = (0..20_000).map(|number| format!("{:03}:record {number}\n", number % 100)).collect();
    std::fs::write(folder.join("lines"), &lines).expect("a temporary file can be written");
    produce(&person, &["t", "-l", &folder.join("lines"), "-K", ":", "-z", "lz4", "--timeout", "30s"], "");
    let seen = person.sees(&["consume", "t", "-f", "%k:%v\\n", "--timeout", "30s"]);
    let mut by_key: Vec<&str> = seen.lines().collect();
    let mut expected: Vec<&str> = lines.lines().collect();
    // Of one key they come in order; of different ones in any.
    by_key.sort_by_key(|line| &line[..3]);
    expected.sort_by_key(|line| &line[..3]);
    assert_eq!(by_key, expected);
}

#[test]
fn a_leader_that_is_killed_meanwhile_costs_no_record() {
    const COUNT: usize = 6_000;
    let mut cluster = Cluster::start();
    let person = Person::of(&cluster.bootstrap());
    person.sees(&["topic", "create", "t", "-p", "1", "-r", "3", "--timeout", "30s"]);
    let mut reader =
        begun(&person, &["consume", "t", "--follow", "-n", &COUNT.to_string(), "--timeout", "30s"]);
    let mut writer = begun(&person, &["produce", "t", "--rate", "2000", "--timeout", "30s"]);
    let lines: String = (0..COUNT).map(|number| format!("{number}\n")).collect();
    let mut input = writer.stdin.take().expect("it is piped");
    input.write_all(lines.as_bytes()).expect("it reads");
    drop(input);
    std::thread::sleep(Duration::from_secs(1));
    let leader = cluster.leader("t");
    cluster.kill(leader);
    let written = writer.wait_with_output().expect("our own child can be waited for");
    let said = String::from_utf8_lossy(&written.stderr);
    assert_eq!((written.status.code(), said.as_ref()), (Some(0), ""));
    let mut seen = String::new();
    reader.stdout.take().expect("it is piped").read_to_string(&mut seen).expect("it is text");
    assert_eq!(reader.wait().expect("our own child can be waited for").code(), Some(0));
    assert!(seen == lines, "each once and in order: {} lines of {COUNT}", seen.lines().count());
}

#[test]
fn who_follows_sees_what_comes_and_who_interrupts_is_obeyed() {
    let node = Node::in_memory();
    let person = Person::at(&node);
    produce(&person, &["t"], "before\n");
    let mut child = begun(&person, &["consume", "t", "--follow"]);
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let mut line = || lines.next().expect("there is a line").expect("it is text");
    assert_eq!(line(), "before");
    for number in 0..3 {
        produce(&person, &["t"], &format!("{number}\n"));
        assert_eq!(line(), number.to_string());
    }
    kill_process(Pid::from_child(&child), Signal::INT).expect("our own child can be signalled");
    assert_eq!(child.wait().expect("our own child can be waited for").code(), Some(130));

    // Of a producer that is interrupted what it has read is there.
    let mut child = begun(&person, &["produce", "u", "--rate", "1000"]);
    let mut input = child.stdin.take().expect("it is piped");
    input.write_all(b"a\nb\n").expect("it reads");
    let deadline = Instant::now() + Duration::from_secs(20);
    while person.says(&["consume", "u"]).out != "a\nb\n" {
        assert!(Instant::now() < deadline, "what was read is produced at once");
    }
    kill_process(Pid::from_child(&child), Signal::INT).expect("our own child can be signalled");
    assert_eq!(child.wait().expect("our own child can be waited for").code(), Some(130));
    drop(input);
}

#[test]
fn a_rate_is_kept() {
    let node = Node::in_memory();
    let person = Person::at(&node);
    let started = Instant::now();
    produce(&person, &["t", "--rate", "20"], &"x\n".repeat(11));
    assert!(started.elapsed() >= Duration::from_millis(500), "the eleventh is due after half a second");
}

#[test]
fn what_cannot_be_done_is_said_in_three_lines() {
    let node = Node::in_memory();
    let person = Person::at(&node);
    let missing = person.says(&["consume", "nobody"]);
    let expected = "\
error: topic `nobody` was not read
  why: unknown topic or partition (UNKNOWN_TOPIC_OR_PARTITION)
  try: `rust-mq topic list` shows which topics there are
";
    assert_eq!((missing.code, missing.out.as_str(), missing.errors.as_str()), (Some(1), "", expected));
    let invalid = person.says_with(&["produce", "no good name", "--timeout", "2s"], b"x\n");
    assert_eq!((invalid.code, invalid.errors.lines().count()), (Some(1), 3), "{invalid:?}");
    let large = format!("small\n{}\nafter\n", "x".repeat(2 << 20));
    let large = person.says_with(&["produce", "t"], large.as_bytes());
    assert_eq!((large.code, large.errors.lines().count()), (Some(1), 3), "{large:?}");
    assert!(large.errors.starts_with("error: record 2 was not produced to `t`\n"), "{large:?}");
    assert_eq!(person.sees(&["consume", "t"]), "small\n");
    for usage in [
        &["produce"][..],
        &["produce", "t", "-k", "a", "-K", ":"],
        &["produce", "t", "-D", ""],
        &["consume", "t", "-o", "yesterday"],
        &["consume", "t", "-f", "%q"],
        &["consume", "t", "-f", "table"],
        &["consume", "t", "-p", "7"],
    ] {
        let said = person.says(usage);
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{usage:?}: {said:?}");
    }
    let file = person.says(&["produce", "t", "-l", "no such file"]);
    assert_eq!((file.code, file.errors.lines().count()), (Some(1), 3), "{file:?}");
}

#[test]
fn a_reader_that_has_seen_enough_ends_it_without_a_word() {
    let node = Node::in_memory();
    let person = Person::at(&node);
    produce(&person, &["t"], &"a line of some length\n".repeat(50_000));
    let mut child = begun(&person, &["consume", "t", "--follow"]);
    let mut begin = [0; 22];
    child.stdout.take().expect("it is piped").read_exact(&mut begin).expect("there is a line");
    // The pipe is closed now.
    assert_eq!(child.wait().expect("our own child can be waited for").code(), Some(0));
    let mut errors = String::new();
    child.stderr.take().expect("it is piped").read_to_string(&mut errors).expect("it is text");
    assert_eq!(errors, "");
}

fn begun(person: &Person, arguments: &[&str]) -> Child {
    let mut command = person.command(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the built binary can be started")
}

#[test]
fn a_group_goes_on_where_it_was_and_two_members_share() {
    let node = Node::in_memory();
    let person = Person::at(&node);
    person.sees(&["topic", "create", "t", "-p", "2"]);
    produce(&person, &["t", "-p", "0"], "a\nb\nc\n");
    let first = ["consume", "t", "-g", "g", "-n", "2"];
    assert_eq!(person.sees(&first), "a\nb\n");
    let lag = person.sees_cells(&["group", "lag", "g"]);
    assert!(lag.contains(&"g t 0 2 3 1".to_owned()), "{lag:?}");
    // Without --follow it ends where the partitions ended.
    produce(&person, &["t", "-p", "1"], "d\n");
    let mut rest: Vec<String> =
        person.sees(&["consume", "t", "-g", "g"]).lines().map(str::to_owned).collect();
    rest.sort();
    assert_eq!(rest, ["c", "d"]);
    assert_eq!(person.sees(&["consume", "t", "-g", "g"]), "");
    assert_eq!(person.sees_cells(&["group", "lag", "g"])[1..], ["g t 0 3 3 0", "g t 1 1 1 0"]);
    assert_eq!(person.sees_cells(&["group", "list"])[1], "g Empty classic 1");
    // One that has committed nothing begins where it is told.
    assert_eq!(person.sees(&["consume", "t", "-g", "late", "-o", "end"]), "");
    assert_eq!(person.says(&["consume", "t", "-g", "g", "-o", "-5"]).code, Some(2));

    let mut members: Vec<Child> =
        (0..2).map(|_| begun(&person, &["consume", "t", "-g", "g", "--follow", "-f", "%p\\n"])).collect();
    let deadline = Instant::now() + Duration::from_secs(60);
    while !shared(&person) {
        assert!(Instant::now() < deadline, "both members get a partition");
        std::thread::sleep(Duration::from_millis(200));
    }
    let held = person.says(&["group", "reset", "g", "--to", "start"]);
    assert!(held.errors.contains("stop the group's 2 members first"), "{held:?}");
    let held = person.says(&["group", "reset", "g", "--to", "start", "--execute"]);
    assert_eq!((held.code, held.errors.lines().count()), (Some(1), 3), "{held:?}");
    produce(&person, &["t", "-p", "0"], "x\n");
    produce(&person, &["t", "-p", "1"], "y\n");
    let mut seen: Vec<String> = members
        .iter_mut()
        .map(|member| {
            let out = member.stdout.as_mut().expect("it is piped");
            let mut line = [0; 2];
            out.read_exact(&mut line).expect("each gets a record");
            String::from_utf8_lossy(&line).into_owned()
        })
        .collect();
    seen.sort();
    assert_eq!(seen, ["0\n", "1\n"]);
    for mut member in members {
        kill_process(Pid::from_child(&member), Signal::INT).expect("our own child can be signalled");
        assert_eq!(member.wait().expect("our own child can be waited for").code(), Some(130));
    }
    // They have left, and committed what they wrote.
    assert_eq!(person.sees_cells(&["group", "describe", "g"])[1], "g Empty classic - 0");
    assert_eq!(person.sees_cells(&["group", "lag", "g"])[1..], ["g t 0 4 4 0", "g t 1 2 2 0"]);
}

/// Whether two members of the group have a partition each.
fn shared(person: &Person) -> bool {
    let said = person.says(&["group", "describe", "g", "--format", "json"]);
    let Ok(group) = serde_json::from_str::<serde_json::Value>(&said.out) else { return false };
    let members = group["groups"][0]["members"].as_array().cloned().unwrap_or_default();
    let is_one =
        |member: &serde_json::Value| member["partitions"].as_array().is_some_and(|parts| parts.len() == 1);
    members.len() == 2 && members.iter().all(is_one)
}
