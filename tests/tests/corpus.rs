//! Every file of the fuzzers' corpora goes through the same function as in the fuzzer, so that what was once
//! found stays found, on stable and in seconds. `fuzz/README.md` says how to fuzz.
//!
//! A target's file is both a module here and, under cargo-fuzz, a binary there.
//!
//! `RECORD=1 cargo test -p tests --test corpus` writes a first input for an API that has none.

use rust_mq_proto::kafka::api::{ApiKey, RequestBody};
use rust_mq_proto::kafka::sample::{self, Chance};
use rust_mq_proto::kafka::{Reader, Writer};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

#[path = "../../fuzz/fuzz_targets/accepted.rs"]
mod accepted;
#[path = "../../fuzz/fuzz_targets/commands.rs"]
mod commands;
#[path = "../../fuzz/fuzz_targets/events.rs"]
mod events;
#[path = "../../fuzz/fuzz_targets/grpc_messages.rs"]
mod grpc_messages;
#[path = "../../fuzz/fuzz_targets/pages.rs"]
mod pages;
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

const TARGETS: [Target; 9] = [
    Target { name: "accepted", run: accepted::run },
    Target { name: "commands", run: commands::run },
    Target { name: "events", run: events::run },
    Target { name: "grpc_messages", run: grpc_messages::run },
    Target { name: "pages", run: pages::run },
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

/// A whole request of an API in its newest version, as it follows its length.
fn request(key: ApiKey) -> Vec<u8> {
    let version = key.versions().last;
    let mut body = Writer::new();
    let chance: Vec<u8> = (0..=255).collect();
    sample::body(key.api().request, key.version(version), &mut Chance::new(&chance), &mut body);
    let body = bytes::BytesMut::from(&body.take().concat()[..]);
    let body = RequestBody::decode(key, version, &mut Reader::new(body, 1 << 20)).expect("a sample is sound");
    let mut writer = Writer::new();
    body.write(&mut writer, version, 7, Some("corpus"));
    writer.take().concat().split_off(4)
}

#[test]
fn every_api_that_is_served_has_an_input_of_its_own() {
    for key in ApiKey::served() {
        let mut name = String::new();
        for letter in key.api().name.chars() {
            if letter.is_ascii_uppercase() && !name.is_empty() {
                name.push('_');
            }
            name.push(letter.to_ascii_lowercase());
        }
        let path = fuzz().join("corpus/requests").join(name);
        if std::env::var_os("RECORD").is_some() && !path.exists() {
            fs::write(&path, request(key)).expect("the corpus can be written");
        }
        let input = fs::read(&path).unwrap_or_default();
        assert!(
            input.starts_with(&key.number().to_be_bytes()),
            "{}: no request of {key}; `RECORD=1 cargo test -p tests --test corpus` writes one",
            path.display()
        );
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
