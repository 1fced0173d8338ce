//! `rust-mq bench`: that it measures, and leaves nothing; what it measures is nobody's promise.

use tests::node::Node;
use tests::verbs::Person;

#[track_caller]
fn measured(person: &Person, arguments: &[&str]) -> serde_json::Value {
    serde_json::from_str(&person.sees_json(arguments)).expect("it is JSON")
}

#[test]
fn what_is_measured_is_told_and_nothing_is_left() {
    let node = Node::in_memory();
    let person = Person::at(&node);
    let produced = measured(&person, &["bench", "produce", "-n", "5000", "-s", "50", "-p", "2", "-z", "lz4"]);
    assert_eq!((produced["records"].as_u64(), produced["bytes"].as_u64()), (Some(5_000), Some(250_000)));
    assert!(produced["records_per_second"].as_f64().is_some_and(|rate| rate > 0.0), "{produced}");
    let latency = &produced["latency_ms"];
    assert!(
        latency["p50"].as_f64() <= latency["p99"].as_f64()
            && latency["p99"].as_f64() <= latency["max"].as_f64()
    );
    let both = measured(&person, &["bench", "e2e", "-n", "20", "--rate", "200"]);
    assert_eq!(both["records"].as_u64(), Some(20));
    assert!(both["latency_ms"]["p999"].as_f64().is_some_and(|ms| ms > 0.0), "{both}");
    assert_eq!(person.sees(&["topic", "list"]), "TOPIC  PARTITIONS  REPLICAS\n");

    person.sees(&["topic", "create", "t"]);
    measured(&person, &["bench", "produce", "-n", "3000", "-t", "t", "--acks", "all", "--rate", "100000"]);
    let consumed = measured(&person, &["bench", "consume", "t"]);
    assert_eq!((consumed["records"].as_u64(), consumed["bytes"].as_u64()), (Some(3_000), Some(300_000)));
    assert_eq!(consumed["latency_ms"].as_object(), None);
    let table = person.sees_cells(&["bench", "consume", "t"]);
    assert_eq!(table[0], "RECORDS SECONDS RECORDS/S MIB/S P50 MS P99 MS P99.9 MS MAX MS");
    assert!(table[1].starts_with("3000 ") && table[1].ends_with(" - - - -"), "{table:?}");
    assert_eq!(person.says(&["bench", "consume", "nobody"]).code, Some(1));
}
