//! `rust-mq config describe|set|unset`, beside the `show` and `example` of a node's own file.

use tests::node::{Node, run_to_end};
use tests::verbs::Person;

#[test]
fn settings_of_topics_nodes_and_groups_are_told_and_changed() {
    let node = Node::in_memory();
    let person = Person::at(&node);
    person.sees(&["topic", "create", "t"]);
    let set = person.sees_cells(&["config", "set", "topic/t", "retention.ms=1000000", "segment.ms=2000000"]);
    assert_eq!(set, ["WHOSE STATUS", "topic/t altered"]);
    let changed = person.sees_cells(&["config", "describe", "topic/t", "--changed"]);
    assert_eq!(changed, ["SETTING VALUE SOURCE", "retention.ms 1000000 topic", "segment.ms 2000000 topic"]);
    assert_eq!(person.sees_cells(&["config", "unset", "topic/t", "segment.ms"])[1], "topic/t altered");
    let json = person.sees_json(&["config", "describe", "topic/t", "retention.ms"]);
    let expected = "{\n  \"whose\": \"topic/t\",\n  \"configs\": [\n    {\n      \"name\": \"retention.ms\",\n      \
                    \"value\": \"1000000\",\n      \"source\": \"topic\",\n      \"is_read_only\": false,\n      \
                    \"is_sensitive\": false\n    }\n  ]\n}\n";
    assert_eq!(json, expected);
    person.sees(&["config", "set", "broker", "log.retention.ms=5000000"]);
    let all = person.sees_cells(&["config", "describe", "broker/1", "log.retention.ms"]);
    assert_eq!(all[1], "log.retention.ms 5000000 all brokers");
    let docs = person.sees(&["config", "describe", "topic/t", "cleanup.policy", "--docs"]);
    assert!(docs.lines().nth(1).is_some_and(|line| line.len() > 60), "{docs}");
    person.sees(&["config", "set", "group/g", "consumer.session.timeout.ms=50000"]);
    let group = person.sees_cells(&["config", "describe", "group/g", "consumer.session.timeout.ms"]);
    assert_eq!(group[1], "consumer.session.timeout.ms 50000 group");
}

#[test]
fn what_makes_no_sense_is_refused_and_nothing_is_changed() {
    let node = Node::in_memory();
    let person = Person::at(&node);
    person.sees(&["topic", "create", "t"]);
    let said = person.says(&["config", "set", "topic/t", "segment.ms=2000000", "retention.ms=soon"]);
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""));
    assert!(said.errors.starts_with("error: the settings of topic/t were not changed\n  why: "), "{said:?}");
    assert!(said.errors.contains("(INVALID_CONFIG)\n  try: "), "{said:?}");
    assert_eq!(person.sees_cells(&["config", "describe", "topic/t", "--changed"]).len(), 1);
    let trial = person.sees_cells(&["config", "set", "topic/t", "segment.ms=2000000", "--dry-run"]);
    assert_eq!(trial[1], "topic/t would be altered");
    assert_eq!(person.sees_cells(&["config", "describe", "topic/t", "--changed"]).len(), 1);
    assert_eq!(person.says(&["config", "describe", "topic/t", "colour"]).code, Some(1));
    for usage in
        [&["config", "set", "t", "a=b"][..], &["config", "set", "topic/t", "a"], &["config", "describe"]]
    {
        let said = person.says(usage);
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{usage:?}: {said:?}");
    }
}

#[test]
fn the_settings_of_a_node_s_own_file_are_shown_beside_them() {
    let shown = run_to_end(&["config", "show", "--format", "json"]);
    assert!(shown.status.success() && shown.log.contains("api_addr"), "{shown:?}");
    let help = run_to_end(&["config", "--help"]).log;
    for verb in ["show", "example", "describe", "set", "unset"] {
        assert!(help.lines().any(|line| line.trim_start().starts_with(verb)), "no {verb} in\n{help}");
    }
}
