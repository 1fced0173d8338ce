//! Rules about a file as a page: it says at its head what it is, it is short, its name is a noun, and it
//! holds nothing unfinished and nothing of the machine it was written on.

use crate::tree::Tree;
use crate::{Breach, demand};

/// Lines a Rust file may have (300 is the habit).
const LINES_MAX: usize = 500;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 10] =
    ["util", "utils", "helper", "helpers", "common", "types", "manager", "impl", "misc", "shared"];

/// Words of unfinished work. In two halves, so that this file may hold them.
const UNFINISHED: [&str; 5] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X:"),
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
];

/// Where home folders and build folders lie. In two halves, as above.
const MACHINE_FOLDERS: [&str; 5] = [
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
    concat!("C:", "\\Users"),
];

/// Endings of files that people write and read.
const WRITTEN: [&str; 8] = [".rs", ".md", ".toml", ".yaml", ".yml", ".sh", ".py", "run"];

fn without_header(tree: &Tree) -> Vec<Breach> {
    let has_header = |text: &str| {
        let head = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        head.strip_prefix("//!").is_some_and(|essay| !essay.trim().is_empty())
    };
    let bare = tree.rust("").filter(|(_, text)| !has_header(text));
    bare.map(|(path, _)| Breach::new(path, 1, "does not begin with `//!` and what this room is")).collect()
}

fn too_long(tree: &Tree) -> Vec<Breach> {
    let long = tree
        .rust("")
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > LINES_MAX);
    long.map(|(path, lines)| {
        Breach::new(path, LINES_MAX + 1, format!("{lines} lines, {LINES_MAX} are the wall"))
    })
    .collect()
}

fn empty_names(tree: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (path, _) in tree.rust("") {
        let parts = path.trim_end_matches(".rs").split('/');
        for part in parts.filter(|part| EMPTY_NAMES.contains(part)) {
            breaches.push(Breach::new(path, 0, format!("`{part}` names no noun")));
        }
    }
    breaches
}

fn lines_with(tree: &Tree, words: &[&str], complaint: &str) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (path, text) in tree.files().filter(|(path, _)| WRITTEN.iter().any(|ending| path.ends_with(ending))) {
        for (number, line) in text.lines().enumerate() {
            if let Some(word) = words.iter().find(|word| line.contains(*word)) {
                breaches.push(Breach::new(path, number + 1, format!("{complaint} `{word}`")));
            }
        }
    }
    breaches
}

fn unfinished(tree: &Tree) -> Vec<Breach> {
    lines_with(tree, &UNFINISHED, "says that work is left by")
}

fn machine_paths(tree: &Tree) -> Vec<Breach> {
    lines_with(tree, &MACHINE_FOLDERS, "names a folder of one machine,")
}

#[test]
fn every_rust_file_begins_with_its_essay() {
    demand(
        &without_header(Tree::of_this_workspace()),
        "begin the file with `//!`: what it is, what it owns, its invariants, what is not here",
    );
}

#[test]
fn a_rust_file_has_at_most_500_lines() {
    demand(&too_long(Tree::of_this_workspace()), "split by who owns the state, never by size alone");
}

#[test]
fn a_rust_file_is_named_by_a_noun_of_the_domain() {
    demand(
        &empty_names(Tree::of_this_workspace()),
        "name the file as the paper or Kafka's documentation names the thing",
    );
}

#[test]
fn nothing_is_marked_as_left_for_later() {
    demand(
        &unfinished(Tree::of_this_workspace()),
        "do it, refuse it with the right error code, or put it on README's list of what it cannot do yet",
    );
}

#[test]
fn no_path_of_a_build_machine_is_in_the_tree() {
    demand(
        &machine_paths(Tree::of_this_workspace()),
        "write the path relative to the workspace, or take it from the environment",
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::places;

    #[test]
    fn a_file_without_an_essay_is_caught() {
        let tree =
            Tree::of(&[("a.rs", "//! Meaning.\n"), ("b.rs", "use a::b;\n"), ("c.rs", "//!\n"), ("d.rs", "")]);
        assert_eq!(places(&without_header(&tree)), ["b.rs:1", "c.rs:1", "d.rs:1"]);
    }

    #[test]
    fn a_file_of_501_lines_is_caught_and_one_of_500_is_not() {
        let tree = Tree::of(&[("a.rs", &"x\n".repeat(501)), ("b.rs", &"x\n".repeat(500))]);
        assert_eq!(places(&too_long(&tree)), ["a.rs:501"]);
    }

    #[test]
    fn an_empty_name_is_caught_for_files_and_folders() {
        let tree =
            Tree::of(&[("core/src/utils.rs", ""), ("core/src/common/x.rs", ""), ("core/src/commons.rs", "")]);
        assert_eq!(places(&empty_names(&tree)), ["core/src/common/x.rs:0", "core/src/utils.rs:0"]);
    }

    #[test]
    fn unfinished_work_is_caught() {
        let left = format!("fine\n// {} mend\n{})\n", UNFINISHED[0], UNFINISHED[3]);
        let tree = Tree::of(&[("a.rs", &left), ("a.bin", UNFINISHED[0])]);
        assert_eq!(places(&unfinished(&tree)), ["a.rs:2", "a.rs:3"]);
    }

    #[test]
    fn a_path_of_a_machine_is_caught() {
        let tree = Tree::of(&[("README.md", &format!("see {}me/x", MACHINE_FOLDERS[2]))]);
        assert_eq!(places(&machine_paths(&tree)), ["README.md:1"]);
    }
}
