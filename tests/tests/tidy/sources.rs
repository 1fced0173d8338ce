//! The repository stands alone: what a comment or a page gives as its source can be opened by a stranger. A page
//! (a `.md`) is one of this tree, a decision has its page, and nothing is sourced by the number of a section or of
//! an issue that only its writer can see.
//!
//! What stands in code and not in prose (a file that a test writes, a name within quotes of another project) is not
//! looked at: of a Rust line only a comment counts.

use crate::tree::Tree;
use crate::{Breach, demand};

/// Endings of files in which sources are named.
const WRITTEN: [&str; 6] = [".rs", ".md", ".toml", ".yaml", ".yml", "run"];

/// Sources that nobody outside can open. In two halves, so that this file may hold them.
const UNSEEN: [&str; 5] = [
    concat!("DES", "IGN"),
    concat!("STY", "LE"),
    concat!("Source: iss", "ue "),
    concat!("(iss", "ue "),
    concat!("the simulation pa", "ge"),
];

/// What of a line is prose.
fn prose<'a>(path: &str, line: &'a str) -> &'a str {
    if !path.ends_with(".rs") {
        return line;
    }
    match line.trim_start() {
        comment if comment.starts_with("//") => comment,
        _ => line.find("; //").map_or("", |at| &line[at..]),
    }
}

/// The pages that a line names, without links to other hosts and without patterns.
fn pages(line: &str) -> impl Iterator<Item = &str> {
    let is_of_a_path = |c: char| c.is_ascii_alphanumeric() || "/._-*:".contains(c);
    line.split(move |c| !is_of_a_path(c))
        .map(|word| word.trim_end_matches(['.', ':']))
        .filter(|word| word.len() > 3 && word.ends_with(".md") && !word.contains([':', '*']))
}

/// Whether a page is there: named from the root, from the naming file's folder, or from any folder above that.
fn is_there(tree: &Tree, from: &str, page: &str) -> bool {
    let page = page.trim_start_matches("./");
    let mut folder = from;
    while let Some((above, _)) = folder.rsplit_once('/') {
        folder = above;
        if tree.has(&format!("{folder}/{page}")) {
            return true;
        }
    }
    tree.has(page)
}

/// Numbers of decisions that a line names: four digits behind the word.
fn decisions(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("decision").filter_map(|(at, word)| {
        let rest = line[at + word.len()..].trim_start_matches('s').trim_start();
        let number = rest.get(..4)?;
        (number.bytes().all(|digit| digit.is_ascii_digit())).then_some(number)
    })
}

fn unopened(tree: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    let named = |path: &str| WRITTEN.iter().any(|ending| path.ends_with(ending));
    for (path, text) in tree.files().filter(|(path, _)| named(path)) {
        for (number, line) in text.lines().enumerate() {
            let line = prose(path, line);
            let mut complain = |what: String| breaches.push(Breach::new(path, number + 1, what));
            if let Some(word) = UNSEEN.iter().find(|word| line.contains(*word)) {
                complain(format!("names `{word}`, which is not in the repository"));
            }
            for page in pages(line).filter(|page| !is_there(tree, path, page)) {
                complain(format!("names `{page}`, which is not there"));
            }
            for decision in decisions(line) {
                let start = format!("docs/decisions/{decision}-");
                if !tree.files().any(|(path, _)| path.starts_with(&start)) {
                    complain(format!("names decision {decision}, which has no page"));
                }
            }
        }
    }
    breaches
}

#[test]
fn every_source_that_is_named_can_be_opened() {
    demand(
        &unopened(Tree::of_this_workspace()),
        "name a file of this repository, a KIP, a paper or a named file of another project; or say the reason itself",
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::places;

    #[test]
    fn a_page_that_is_not_there_is_caught() {
        let tree = Tree::of(&[
            (
                "a.rs",
                concat!("//! See `docs/b.", "md`.\nlet x = 1; // and c.", "md\nlet y = \"d.", "md\";\n"),
            ),
            ("docs/b.md", "[here](../CONTRIBUTING.md) or [e](e.md), `*.md`\n"),
            ("docs/e.md", ""),
        ]);
        assert_eq!(places(&unopened(&tree)), ["a.rs:2", "docs/b.md:1"]);
    }

    #[test]
    fn a_decision_without_its_page_is_caught() {
        let tree = Tree::of(&[
            ("a.rs", "// Decision 1; decision 0001, decision 0002.\n"),
            ("docs/decisions/0001-x.md", ""),
        ]);
        assert_eq!(places(&unopened(&tree)), ["a.rs:1"]);
    }

    #[test]
    fn a_source_that_nobody_outside_can_open_is_caught() {
        let line = format!("// Source: {} section 3.\n// etcd issue 10166\n// {}7\n", UNSEEN[0], UNSEEN[2]);
        let tree = Tree::of(&[("a.rs", &line)]);
        assert_eq!(places(&unopened(&tree)), ["a.rs:1", "a.rs:3"]);
    }
}
