//! What a crate may not name. The core is pure: no clock, socket, file, thread, lock, channel or hasher with
//! a random seed, and so is what decides in the client crate (`client/src/machine/`) and what stands between the two,
//! gRPC's messages in Kafka's words (`proto/src/translation/`); `core/clippy.toml` says the same to the compiler, with the
//! reason at each line, and this test also sees what clippy does not build (other features, other platforms).
//!
//! Besides: raft-rs is `replica/`'s secret, madsim the simulator's, `unsafe` nobody's.

use crate::reading::{Named, paths, tokens};
use crate::tree::Tree;
use crate::{Breach, demand};

/// What must be pure: the core, what decides in the client crate, and what translates between them.
const PURE: [&str; 3] = ["core/src/", "client/src/machine/", "proto/src/translation/"];

/// Paths the core may not name, and what to do instead.
const IMPURE_PATHS: [(&str, &str); 8] = [
    ("std::fs", "emit a file action"),
    ("std::net", "emit a link action (core::net holds plain addresses)"),
    ("std::thread", "the core is called, it never runs by itself"),
    ("std::process", "emit Action::Halt"),
    ("std::env", "take it as configuration"),
    ("std::time::Instant", "take `now: Now`"),
    ("std::time::SystemTime", "take `now: Now`"),
    ("std::sync::mpsc", "events come in, actions go out"),
];

/// Names the core may not use wherever they come from.
const IMPURE_NAMES: [(&str, &str); 12] = [
    ("HashMap", "use BTreeMap, or indexmap with a fixed hasher"),
    ("HashSet", "use BTreeSet, or indexmap with a fixed hasher"),
    ("Instant", "take `now: Now`"),
    ("SystemTime", "take `now: Now`"),
    ("Mutex", "one owner, one thread: no lock"),
    ("RwLock", "one owner, one thread: no lock"),
    ("Condvar", "one owner, one thread: no lock"),
    ("tokio", "the runtime's"),
    ("tonic", "the runtime's; in the client the shell's"),
    ("thread_local", "state lives in the Broker"),
    ("f32", "no float decides: count in integers"),
    ("f64", "no float decides: count in integers"),
];

/// raft-rs and what only comes with it.
const RAFT_CRATES: [&str; 4] = ["raft", "raft_proto", "protobuf", "slog"];

/// Every path of a file that `is_wrong` finds something to say about.
fn complaints(path: &str, text: &str, is_wrong: impl Fn(&Named) -> Option<String>) -> Vec<Breach> {
    let named = paths(tokens(path, text));
    named.iter().filter_map(|named| Some(Breach::new(path, named.line, is_wrong(named)?))).collect()
}

fn impurities(tree: &Tree) -> Vec<Breach> {
    let is_wrong = |named: &Named| {
        let written = named.segments.join("::");
        let below = |root: &str| written == root || written.starts_with(&format!("{root}::"));
        let by_path = IMPURE_PATHS.iter().find(|(root, _)| below(root));
        let by_name =
            || IMPURE_NAMES.iter().find(|(name, _)| named.segments.iter().any(|segment| segment == name));
        by_path.or_else(by_name).map(|(name, instead)| format!("names `{name}`; {instead}"))
    };
    // A test may run the core on another thread, to show that it makes no difference.
    let is_other_thread = |path: &str, named: &Named| {
        let is_test = named.is_test || path.split('/').any(|part| matches!(part, "tests" | "tests.rs"));
        is_test
            && named.segments.first().is_some_and(|first| first == "std")
            && named.segments.len() > 1
            && named.segments[1] == "thread"
    };
    PURE.iter()
        .flat_map(|folder| tree.rust(folder))
        .flat_map(|(path, text)| {
            complaints(path, text, |named| is_wrong(named).filter(|_| !is_other_thread(path, named)))
        })
        .collect()
}

fn raft_outside_its_room(tree: &Tree) -> Vec<Breach> {
    let is_wrong = |named: &Named| {
        let first = named.segments.first()?;
        (named.segments.len() > 1 && RAFT_CRATES.contains(&first.as_str()))
            .then(|| format!("names the crate `{first}`"))
    };
    let others = tree
        .rust("")
        .filter(|(path, _)| !path.starts_with("core/src/replica/") && *path != "core/src/replica.rs");
    others.flat_map(|(path, text)| complaints(path, text, is_wrong)).collect()
}

fn madsim_outside_sim(tree: &Tree) -> Vec<Breach> {
    let is_wrong = |named: &Named| {
        named.segments.iter().any(|segment| segment == "madsim").then(|| "names `madsim`".to_owned())
    };
    tree.rust("")
        .filter(|(path, _)| !path.starts_with("sim/"))
        .flat_map(|(path, text)| complaints(path, text, is_wrong))
        .collect()
}

fn unsafe_code(tree: &Tree) -> Vec<Breach> {
    let is_wrong = |named: &Named| (named.segments == ["unsafe"]).then(|| "is unsafe".to_owned());
    tree.rust("").flat_map(|(path, text)| complaints(path, text, is_wrong)).collect()
}

fn globs(tree: &Tree) -> Vec<Breach> {
    let is_wrong = |named: &Named| {
        let is_glob = named.segments.len() > 1 && named.segments.last().is_some_and(|segment| segment == "*");
        (is_glob && !named.is_test).then(|| format!("imports `{}`", named.segments.join("::")))
    };
    let is_test = |path: &str| {
        path.starts_with("tests/") || path.split('/').any(|part| matches!(part, "tests" | "tests.rs"))
    };
    tree.rust("")
        .filter(|(path, _)| !is_test(path))
        .flat_map(|(path, text)| complaints(path, text, is_wrong))
        .collect()
}

#[test]
fn the_core_is_pure() {
    demand(
        &impurities(Tree::of_this_workspace()),
        "as each line says; CONTRIBUTING.md, rule 7: time and chance are arguments",
    );
}

#[test]
fn only_the_replica_room_names_raft() {
    demand(
        &raft_outside_its_room(Tree::of_this_workspace()),
        "use the words of core/src/entry.rs; replica/ translates",
    );
}

#[test]
fn only_the_simulator_names_madsim() {
    demand(
        &madsim_outside_sim(Tree::of_this_workspace()),
        "what the core must know of a simulation is the feature `simulation`",
    );
}

#[test]
fn nothing_is_unsafe() {
    demand(
        &unsafe_code(Tree::of_this_workspace()),
        "freeze a BytesMut, or leave it to a library that is audited for it",
    );
}

#[test]
fn nothing_is_imported_by_glob_outside_tests() {
    demand(
        &globs(Tree::of_this_workspace()),
        "name what is imported: a reader must find where a word comes from",
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::places;

    #[test]
    fn impure_names_are_caught_in_imports_expressions_and_macros() {
        let text = "use std::{fs, io};\nuse std::time::Duration;\nlet x: std::collections::HashMap<A, B>;\nlog!(std::env::args());\nlet y = 1 as f64;";
        let tree = Tree::of(&[
            ("core/src/a.rs", text),
            ("runtime/src/a.rs", text),
            ("client/src/a.rs", text),
            ("client/src/machine/a.rs", "use tonic::Status;"),
            ("proto/src/a.rs", text),
            ("proto/src/translation/a.rs", "use tonic::Status;"),
        ]);
        let expected = [
            "core/src/a.rs:1",
            "core/src/a.rs:3",
            "core/src/a.rs:4",
            "core/src/a.rs:5",
            "client/src/machine/a.rs:1",
            "proto/src/translation/a.rs:1",
        ];
        assert_eq!(places(&impurities(&tree)), expected);
    }

    #[test]
    fn raft_is_caught_outside_its_room_and_a_field_of_that_name_is_not() {
        let text = "fn f() { config.raft.tick(); raft::Config::default(); }";
        let tree = Tree::of(&[("core/src/host/a.rs", text), ("core/src/replica/a.rs", text)]);
        assert_eq!(places(&raft_outside_its_room(&tree)), ["core/src/host/a.rs:1"]);
    }

    #[test]
    fn madsim_is_caught_in_conditions_too() {
        let tree = Tree::of(&[
            ("core/src/a.rs", "#[cfg(madsim)]\nfn f() {}"),
            ("sim/src/a.rs", "use madsim::task;"),
        ]);
        assert_eq!(places(&madsim_outside_sim(&tree)), ["core/src/a.rs:1"]);
    }

    #[test]
    fn an_unsafe_block_is_caught() {
        let tree = Tree::of(&[("proto/src/a.rs", "fn f() {\n    unsafe { g() }\n}")]);
        assert_eq!(places(&unsafe_code(&tree)), ["proto/src/a.rs:2"]);
    }

    #[test]
    fn a_glob_is_caught_and_one_for_tests_is_not() {
        let text = "use a::b::*;\n#[cfg(test)]\nmod tests { use super::*; }\nfn f() { 2 * 3; *x }";
        let tree = Tree::of(&[("core/src/a.rs", text), ("core/src/a/tests.rs", text)]);
        assert_eq!(places(&globs(&tree)), ["core/src/a.rs:1"]);
    }
}
