//! What must exist because something else names it: a path in a document, an API in its mirrors, a command
//! in the README. And the one proportion we hold: the driver stays small beside the core.

use crate::tree::Tree;
use crate::{Breach, demand};

/// Documents whose paths are checked.
const MAPS: [&str; 3] = ["ARCHITECTURE.md", "README.md", "CONTRIBUTING.md"];

/// Endings that make a word without a slash a path.
const ENDINGS: [&str; 5] = [".rs", ".md", ".toml", ".yaml", ".lock"];

/// The driver may be at most one line in this many of core and driver together.
const RUNTIME_SHARE: usize = 5;

/// Files below `core/src/api` that are no API of their own.
const NOT_AN_API: [&str; 12] = [
    "mod",
    "tests",
    "addresses",
    "allowance",
    "desk",
    "early",
    "fetch_partition",
    "leaders",
    "named",
    "operations",
    "origin",
    "producer_ids",
];

/// Words in backticks outside code blocks that look like a path of this repository.
fn named_paths(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut is_block = false;
    for (number, line) in text.lines().enumerate() {
        is_block ^= line.trim_start().starts_with("```");
        if !is_block {
            found.extend(
                line.split('`')
                    .skip(1)
                    .step_by(2)
                    .filter(|word| is_path(word))
                    .map(|word| (number + 1, word)),
            );
        }
    }
    found
}

fn is_path(word: &str) -> bool {
    let is_plain = word.chars().all(|letter| letter.is_ascii_alphanumeric() || "._-/".contains(letter));
    let is_absolute = word.starts_with('/');
    is_plain && !is_absolute && (word.contains('/') || ENDINGS.iter().any(|ending| word.ends_with(ending)))
}

fn dead_paths(tree: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for map in MAPS {
        for (line, path) in named_paths(tree.text(map).unwrap_or_default()) {
            if !tree.has(path) {
                breaches.push(Breach::new(map, line, format!("`{path}` does not exist")));
            }
        }
    }
    breaches
}

/// APIs: handlers in the core without a description in `proto`, or without golden bytes.
fn missing_mirrors(tree: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (path, _) in tree.rust("core/src/api/") {
        let name = path
            .trim_start_matches("core/src/api/")
            .trim_end_matches(".rs")
            .split('/')
            .next()
            .unwrap_or_default();
        if NOT_AN_API.contains(&name) {
            continue;
        }
        if !tree.has(&format!("proto/src/kafka/api/{name}.rs")) {
            breaches.push(Breach::new(path, 0, format!("no description proto/src/kafka/api/{name}.rs")));
        }
        if !tree.has(&format!("tests/wire/{name}.txt")) {
            breaches.push(Breach::new(path, 0, format!("no golden bytes tests/wire/{name}.txt")));
        }
    }
    breaches
}

fn lines_of(tree: &Tree, folder: &str) -> usize {
    tree.rust(folder).map(|(_, text)| text.lines().count()).sum()
}

fn heavy_runtime(tree: &Tree) -> Vec<Breach> {
    let (runtime, core) = (lines_of(tree, "runtime/src/"), lines_of(tree, "core/src/"));
    let is_heavy = runtime * RUNTIME_SHARE > runtime + core;
    let what = format!("{runtime} lines beside {core} of the core: more than a fifth");
    if is_heavy { vec![Breach::new("runtime/src", 0, what)] } else { Vec::new() }
}

/// The two commands the README promises, each on a line of its own, and `.ci/run` reads the second there.
fn broken_promises(tree: &Tree) -> Vec<Breach> {
    let readme = tree.text("README.md").unwrap_or_default();
    let has_line = |command: &str| readme.lines().any(|line| line.trim() == command);
    let commands = ["cargo run --release", "cargo test --workspace"];
    let mut breaches: Vec<Breach> = commands
        .into_iter()
        .filter(|command| !has_line(command))
        .map(|command| {
            Breach::new("README.md", 0, format!("does not give the command `{command}` on its own line"))
        })
        .collect();
    if !tree.text(".ci/run").unwrap_or_default().contains("README.md") {
        breaches.push(Breach::new(".ci/run", 0, "does not take the test command from README.md"));
    }
    breaches
}

#[test]
fn every_path_named_in_the_documents_exists() {
    demand(
        &dead_paths(Tree::of_this_workspace()),
        "mend the document, it is part of the change that moved the file",
    );
}

#[test]
fn every_api_has_its_description_and_its_golden_bytes() {
    demand(
        &missing_mirrors(Tree::of_this_workspace()),
        "an API has one name in its mirrors: shape, handler, golden bytes",
    );
}

#[test]
fn the_runtime_is_at_most_a_fifth_of_core_and_runtime() {
    demand(
        &heavy_runtime(Tree::of_this_workspace()),
        "what has a Kafka or Raft meaning belongs into the core",
    );
}

#[test]
fn the_readme_gives_both_commands_and_ci_runs_the_same_one() {
    demand(&broken_promises(Tree::of_this_workspace()), "a reader must be able to do what CI does");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::places;

    #[test]
    fn a_dead_path_is_caught_outside_of_code_blocks() {
        let text = "the map `core/src/`, `core/src/b.rs`\n`Cargo.toml` and `node.meta`\n```\n`gone/too`\n```\n`gone.rs`";
        let tree = Tree::of(&[("ARCHITECTURE.md", text), ("core/src/a.rs", ""), ("Cargo.toml", "")]);
        assert_eq!(places(&dead_paths(&tree)), ["ARCHITECTURE.md:1", "ARCHITECTURE.md:6"]);
    }

    #[test]
    fn a_handler_without_mirrors_is_caught() {
        let tree = Tree::of(&[
            ("core/src/api/mod.rs", ""),
            ("core/src/api/fetch.rs", ""),
            ("tests/wire/fetch.txt", ""),
        ]);
        assert_eq!(places(&missing_mirrors(&tree)), ["core/src/api/fetch.rs:0"]);
    }

    #[test]
    fn a_heavy_runtime_is_caught() {
        let core = "x\n".repeat(79);
        let tree = Tree::of(&[("runtime/src/main.rs", &"x\n".repeat(20)), ("core/src/lib.rs", &core)]);
        assert_eq!(places(&heavy_runtime(&tree)), ["runtime/src:0"]);
    }

    #[test]
    fn a_readme_without_its_commands_is_caught() {
        let tree = Tree::of(&[
            ("README.md", "```\ncargo run --release\n```\n"),
            (".ci/run", "cargo test --workspace"),
        ]);
        assert_eq!(places(&broken_promises(&tree)), ["README.md:0", ".ci/run:0"]);
    }
}
