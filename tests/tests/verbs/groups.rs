//! `rust-mq group`. The members are Kafka's: a group is the same whoever looks at it.

use crate::fill;
use tests::node::Node;
use tests::verbs::Person;

/// A group that has committed nothing exists for nobody; one that was reset has.
#[test]
fn a_group_is_moved_seen_and_deleted() {
    let node = Node::in_memory();
    let person = Person::at(&node);
    person.sees(&["topic", "create", "t", "-p", "2"]);
    fill(&node, "t", 5);
    assert_eq!(person.sees(&["group", "list"]), "GROUP  STATE  TYPE  COORDINATOR\n");
    // Nothing is done without --execute.
    let shown = person.says(&["group", "reset", "g", "--to", "end", "--topic", "t"]);
    let diff = "\
--- g, as it is
+++ g, as it would be
-t/0  nothing committed
+t/0  5
-t/1  nothing committed
+t/1  0
";
    assert_eq!((shown.code, shown.out.as_str()), (Some(0), diff));
    assert_eq!(shown.errors, "this is what would change; say --execute to do it\n");
    assert_eq!(person.says(&["group", "lag", "g"]).code, Some(1));

    let done = person.says(&["group", "reset", "g", "--to", "-2", "--topic", "t", "--execute"]);
    assert_eq!((done.code, done.errors.as_str()), (Some(0), "group `g` was reset\n"), "{done:?}");
    assert_eq!(person.sees_cells(&["group", "list"]), ["GROUP STATE TYPE COORDINATOR", "g Empty classic 1"]);
    let lag = person.sees_cells(&["group", "lag", "g"]);
    assert_eq!(lag, ["GROUP TOPIC PARTITION OFFSET END LAG", "g t 0 3 5 2", "g t 1 0 0 0"]);
    let json: serde_json::Value =
        serde_json::from_str(&person.sees_json(&["group", "lag"])).expect("it is JSON");
    assert_eq!(
        (json["groups"][0]["group"].as_str(), json["groups"][0]["lag"].as_i64()),
        (Some("g"), Some(2))
    );
    let described = person.sees_cells(&["group", "describe", "g"]);
    assert_eq!(described[1], "g Empty classic - 0");

    let again = person.says(&["group", "reset", "g", "--to", "start", "--execute"]);
    assert!(again.out.contains("-t/0  3\n+t/0  0  (3 back)\n t/1  0\n"), "{again:?}");
    person.says(&["group", "reset", "h", "--to-group", "g", "--execute"]);
    assert_eq!(person.sees_cells(&["group", "lag", "h"])[1..], ["h t 0 0 5 5", "h t 1 0 0 0"]);
    let unchanged = person.says(&["group", "reset", "g", "--to-group", "h", "--execute"]);
    assert_eq!((unchanged.code, unchanged.errors.as_str()), (Some(0), "nothing changes\n"));

    assert_eq!(person.sees_cells(&["group", "delete", "g", "h"]), ["GROUP STATUS", "g deleted", "h deleted"]);
    let gone = person.says(&["group", "delete", "g"]);
    assert_eq!(
        (gone.code, gone.out.as_str()),
        (Some(1), "GROUP  STATUS\ng      error: GROUP_ID_NOT_FOUND\n")
    );
    assert!(gone.errors.ends_with("try: `rust-mq group list` shows which groups there are\n"), "{gone:?}");
}
