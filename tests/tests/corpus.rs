//! Every file of the fuzzers' corpora goes through the same function as in the fuzzer, so that what was once
//! found stays found, on stable and in seconds. `fuzz/README.md` says how to fuzz.
//!
//! A target's file is both a module here and, under cargo-fuzz, a binary there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

#[path = "../../fuzz/fuzz_targets/accepted.rs"]
mod accepted;
#[path = "../../fuzz/fuzz_targets/commands.rs"]
mod commands;
#[path = "../../fuzz/fuzz_targets/events.rs"]
mod events;
#[path = "../../fuzz/fuzz_targets/peer_messages.rs"]
mod peer_messages;
#[path = "../../fuzz/fuzz_targets/record_batch.rs"]
mod record_batch;
#[path = "../../fuzz/fuzz_targets/recovery.rs"]
mod recovery;
#[path = "../../fuzz/fuzz_targets/requests.rs"]
mod requests;
#[allow(dead_code, reason = "core/tests/lying_peers.rs uses the rest")]
#[path = "../../fuzz/stage/mod.rs"]
mod stage;

struct Target {
    name: &'static str,
    run: fn(&[u8]),
}

const TARGETS: [Target; 7] = [
    Target { name: "accepted", run: accepted::run },
    Target { name: "commands", run: commands::run },
    Target { name: "events", run: events::run },
    Target { name: "peer_messages", run: peer_messages::run },
    Target { name: "record_batch", run: record_batch::run },
    Target { name: "recovery", run: recovery::run },
    Target { name: "requests", run: requests::run },
];

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    files.sort();
    files
}

#[test]
fn every_input_of_every_corpus_is_survived() {
    for Target { name, run } in TARGETS {
        let inputs = files(&fuzz().join("corpus").join(name));
        assert!(!inputs.is_empty(), "{name} has no corpus");
        for input in inputs {
            // Shown only if it fails: the last line names the input.
            println!("{}", input.display());
            run(&fs::read(&input).expect("a readable input"));
        }
    }
}

#[test]
fn every_target_is_replayed_here_and_built_there() {
    let stem = |path: &PathBuf| path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let written: BTreeSet<String> = files(&fuzz().join("fuzz_targets")).iter().filter_map(stem).collect();
    let replayed: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    assert_eq!(written, replayed, "fuzz/fuzz_targets and TARGETS in this file name the same targets");
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).expect("fuzz has a manifest");
    for name in replayed {
        assert!(
            manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")),
            "{name} has no [[bin]] in fuzz"
        );
    }
}
