//! `rust-mq cluster`.

use std::time::{Duration, Instant};
use tests::cluster::Cluster;
use tests::node::Node;
use tests::ports::free_address;
use tests::verbs::Person;

#[test]
fn a_cluster_that_is_well_ends_with_0_and_one_that_is_not_there_with_10() {
    let node = Node::in_memory();
    let person = Person::at(&node);
    let info = person.sees_cells(&["cluster", "info"]);
    assert!(info[1].ends_with(" 1 0 0"), "{info:?}");
    assert_eq!(info[4], format!("1 {} - there yes 0 0", node.address()));
    let healthy = "\
CHECK       STATE  WHAT
nodes       ok     1 of 1 answer
controller  ok     node 1
leaders     ok     no partition without one
replicas    ok     no partition with one missing or behind
";
    assert_eq!(person.sees(&["cluster", "health"]), healthy);
    assert_eq!(person.sees(&["cluster", "health", "--exit-when-healthy"]), healthy);
    let nobody = Person::of(&free_address().to_string());
    let said = nobody.says(&["cluster", "health", "--format", "json"]);
    let seen: serde_json::Value = serde_json::from_str(&said.out).expect("it is JSON");
    assert_eq!((said.code, seen["is_healthy"].as_bool()), (Some(10), Some(false)));
    assert!(seen["unreachable"].as_str().is_some_and(|why| why.contains("Connection refused")), "{seen}");
    assert_eq!(nobody.says(&["cluster", "info"]).code, Some(1));
}

#[test]
fn of_a_cluster_that_has_lost_a_node_it_is_said_what_is_not_well() {
    let mut cluster = Cluster::start();
    let person = Person::of(&cluster.bootstrap());
    person.sees(&["topic", "create", "t", "-p", "3", "-r", "3"]);
    person.sees(&["cluster", "health", "--exit-when-healthy", "--timeout", "30s"]);
    cluster.kill(0);
    let said = person.says(&["cluster", "health", "--timeout", "30s"]);
    assert_eq!((said.code, said.errors.as_str()), (Some(10), ""), "{said:?}");
    assert!(said.out.contains("NOT OK"), "{said:?}");
    // Who is not there is named, at once, beside what the others tell.
    let started = Instant::now();
    let groups = person.says(&["group", "list", "--timeout", "30s"]);
    assert!(groups.out.starts_with("GROUP  STATE  TYPE  COORDINATOR\n"), "{groups:?}");
    let is_named =
        groups.errors.starts_with("error: the groups of node 1 are not listed\n  why: nobody answers at ");
    assert!(groups.errors.is_empty() || (is_named && groups.code == Some(1)), "{groups:?}");
    assert!(started.elapsed() < Duration::from_secs(20), "a node that is not there is not waited for");
    // The partitions go on by the other two.
    let offsets = person.sees_cells(&["topic", "offsets", "t", "--timeout", "30s"]);
    assert_eq!(offsets[1..], ["t 0 0 0 0", "t 1 0 0 0", "t 2 0 0 0"]);
    // After nine seconds nobody is sent there any more.
    let started = Instant::now();
    let info = || person.sees_cells(&["cluster", "info", "--timeout", "30s"]);
    while !info().iter().any(|row| row.starts_with("1 ") && row.contains(" - gone ")) {
        assert!(started.elapsed() < Duration::from_secs(60), "{:?}", info());
        std::thread::sleep(Duration::from_millis(500));
    }
    let said = person.says(&["cluster", "health", "--timeout", "30s"]);
    assert!(said.out.contains("2 of 3 answer; node 1: no node has heard it"), "{said:?}");
}
