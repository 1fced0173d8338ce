//! Other languages, with stubs of our own files: they are shown to work, not promised. The scripts are in `tests/python`
//! and `tests/node`.

use std::process::Command;
use tests::node::Node;
use tests::programs::{PATIENCE, node_grpc, python_grpc, run};

const PROTO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../proto");

#[track_caller]
fn converses(mut program: Command, what: &str) {
    let node = Node::in_memory();
    program.args([PROTO, &node.bootstrap()]);
    let said = run(program, b"", PATIENCE).expect_success(what);
    assert_eq!(said.trim(), "done");
}

#[test]
fn python_calls_and_streams() {
    converses(python_grpc("grpc_calls.py"), "grpcio");
}

#[test]
fn node_calls_and_streams() {
    converses(node_grpc("grpc_calls.js"), "@grpc/grpc-js");
}
