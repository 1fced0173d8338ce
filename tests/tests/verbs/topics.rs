//! `rust-mq topic`.

use crate::fill;
use tests::node::Node;
use tests::verbs::Person;

#[test]
fn a_topic_is_made_seen_changed_widened_and_deleted() {
    let node = Node::in_memory();
    let person = Person::at(&node);
    assert_eq!(person.sees(&["topic", "list"]), "TOPIC  PARTITIONS  REPLICAS\n");
    let made = person.sees(&["topic", "create", "b", "a", "-p", "2", "-c", "retention.ms=1000000"]);
    let expected = "\
TOPIC  PARTITIONS  REPLICAS  STATUS
b               2         1  created
a               2         1  created
";
    assert_eq!(made, expected);
    assert_eq!(
        person.sees(&["topic", "list"]),
        "TOPIC  PARTITIONS  REPLICAS\na               2         1\nb               2         1\n"
    );
    let described = person.sees_cells(&["topic", "describe", "a"]);
    assert!(described[1].starts_with("a 2 1 "), "{described:?}");
    assert_eq!(described[4..6], ["0 1 1 1 1", "1 1 1 1 1"], "{described:?}");
    assert!(described.contains(&"retention.ms 1000000 topic".to_owned()), "{described:?}");

    let altered =
        person.sees_cells(&["topic", "alter", "a", "--set", "retention.ms=2000000", "--unset", "segment.ms"]);
    assert_eq!(altered, ["TOPIC STATUS", "a altered"]);
    let retention = person.sees_cells(&["config", "describe", "topic/a", "retention.ms"]);
    assert_eq!(retention, ["SETTING VALUE SOURCE", "retention.ms 2000000 topic"]);

    let would = person.sees_cells(&["topic", "add-partitions", "a", "-n", "3", "--dry-run"]);
    assert_eq!(would[1], "a 5 would be widened");
    let wider = person.sees_cells(&["topic", "add-partitions", "a", "-n", "3"]);
    assert_eq!(wider, ["TOPIC PARTITIONS STATUS", "a 5 widened"]);

    assert_eq!(person.sees_cells(&["topic", "delete", "a", "b"]), ["TOPIC STATUS", "a deleted", "b deleted"]);
    assert_eq!(person.sees(&["topic", "list"]), "TOPIC  PARTITIONS  REPLICAS\n");
}

#[test]
fn programs_get_one_object_with_stable_keys() {
    let node = Node::in_memory();
    let person = Person::at(&node);
    let made = "{\n  \"topics\": [\n    {\n      \"topic\": \"t\",\n      \"status\": \"created\",\n      \
                \"partitions\": 1,\n      \"replication_factor\": 1\n    }\n  ]\n}\n";
    assert_eq!(person.sees_json(&["topic", "create", "t"]), made);
    let listed: serde_json::Value =
        serde_json::from_str(&person.sees_json(&["topic", "list"])).expect("it is JSON");
    let topic = &listed["topics"][0];
    assert_eq!((topic["name"].as_str(), topic["partitions"].as_u64()), (Some("t"), Some(1)));
    assert_eq!(
        (topic["is_internal"].as_bool(), topic["replication_factor"].as_u64()),
        (Some(false), Some(1))
    );
    let yaml = person.sees(&["topic", "list", "--format", "yaml"]);
    let same: serde_json::Value = serde_saphyr::from_str(&yaml).expect("it is YAML");
    assert_eq!(same, listed);
    fill(&node, "t", 3);
    let offsets = "{\n  \"partitions\": [\n    {\n      \"topic\": \"t\",\n      \"partition\": 0,\n      \"start\": 0,\n      \
                   \"end\": 3,\n      \"records\": 3\n    }\n  ]\n}\n";
    assert_eq!(person.sees_json(&["topic", "offsets"]), offsets);
}

#[test]
fn what_fails_of_several_is_named_and_keeps_none_of_the_others_from_it() {
    let node = Node::in_memory();
    let person = Person::at(&node);
    person.sees(&["topic", "create", "t"]);
    let said = person.says(&["topic", "create", "t", "u"]);
    let out = "\
TOPIC  PARTITIONS  REPLICAS  STATUS
t               -         -  error: TOPIC_ALREADY_EXISTS
u               1         1  created
";
    assert_eq!((said.code, said.out.as_str()), (Some(1), out));
    let lines: Vec<&str> = said.errors.lines().collect();
    assert_eq!((lines.len(), lines[0]), (3, "error: topic `t` was not created"), "{said:?}");
    assert!(lines[1].starts_with("  why: ") && lines[1].ends_with("(TOPIC_ALREADY_EXISTS)"), "{said:?}");
    assert!(lines[2].starts_with("  try: "), "{said:?}");
    assert_eq!(person.sees_cells(&["topic", "create", "t", "--if-not-exists"])[1], "t - - exists");
    assert_eq!(person.sees_cells(&["topic", "delete", "nobody", "--if-exists"])[1], "nobody not there");
    let said = person.says(&["topic", "delete", "nobody", "t"]);
    assert_eq!(said.code, Some(1));
    assert_eq!(said.out, "TOPIC   STATUS\nnobody  error: UNKNOWN_TOPIC_OR_PARTITION\nt       deleted\n");
    let would = person.sees_cells(&["topic", "create", "w", "--dry-run"]);
    assert_eq!(would[1], "w 1 1 would be created");
    assert_eq!(person.says(&["topic", "describe", "w"]).code, Some(1));
}

#[test]
fn the_oldest_records_are_trimmed_as_far_as_a_word_says() {
    let node = Node::in_memory();
    let person = Person::at(&node);
    person.sees(&["topic", "create", "t", "-p", "2"]);
    fill(&node, "t", 5);
    assert_eq!(person.sees_cells(&["topic", "offsets", "t"])[1..], ["t 0 0 5 5", "t 1 0 0 0"]);
    let would = person.sees_cells(&["topic", "trim", "t", "--to", "-2", "--dry-run"]);
    assert_eq!(would, ["PARTITION STARTED STARTS STATUS", "0 0 3 would be trimmed", "1 0 0 unchanged"]);
    assert_eq!(person.sees_cells(&["topic", "trim", "t", "-o", "2", "-p", "0"])[1..], ["0 0 2 trimmed"]);
    assert_eq!(
        person.sees_cells(&["topic", "trim", "t", "--to", "@1d"])[1..],
        ["0 2 2 unchanged", "1 0 0 unchanged"]
    );
    assert_eq!(
        person.sees_cells(&["topic", "trim", "t", "--to", "end"])[1..],
        ["0 2 5 trimmed", "1 0 0 unchanged"]
    );
    assert_eq!(
        person.sees_cells(&["topic", "offsets", "t", "--at", "@1d"])[1..],
        ["t 0 5 5 0 5", "t 1 0 0 0 0"]
    );
    let beyond = person.says(&["topic", "trim", "t", "--to", "9", "-p", "0"]);
    assert_eq!(
        (beyond.code, beyond.out.lines().nth(1)),
        (Some(1), Some("        0        5       -  error: OFFSET_OUT_OF_RANGE"))
    );
    let narrow = person.says(&["topic", "trim", "t", "--to", "0", "-p", "7"]);
    assert_eq!((narrow.code, narrow.out.as_str()), (Some(2), ""));
}
