//! What must exist because something else names it: a path in a document, a command in the README, a mutant in its page
//! (an API in its mirrors: `apis`). And the one proportion we hold: the driver stays small beside the core.

use crate::tree::Tree;
use crate::{Breach, demand};

/// Documents whose paths are checked.
const MAPS: [&str; 3] = ["ARCHITECTURE.md", "README.md", "CONTRIBUTING.md"];

/// Endings that make a word without a slash a path.
const ENDINGS: [&str; 5] = [".rs", ".md", ".toml", ".yaml", ".lock"];

/// The driver may be at most one line in this many of core and driver together.
const RUNTIME_SHARE: usize = 5;

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

/// A row of the mutants' table: number, name, claims.
type Mutant = (String, String, String);

/// The mutants of the simulator's table, in its order.
fn planted(tree: &Tree) -> Vec<Mutant> {
    let text: String = tree.text("sim/src/mutants.rs").unwrap_or_default().split_whitespace().collect();
    let rows = text.split("numbered(").flat_map(|part| part.split("ours("));
    let rows = rows.flat_map(|part| part.split("of_client(")).skip(1);
    let row = |row: &str| {
        let (head, rest) = row.split_once("Mutant::")?;
        let (name, rest) = rest.split_once(',')?;
        let claims = rest.strip_prefix("&[")?.split(']').next()?;
        let claims: Vec<&str> = claims.split(',').filter_map(|claim| claim.strip_prefix("Claim::")).collect();
        // Those of the clients are `ClientMutant`s.
        let number = head.trim_end_matches("Client").trim_end_matches(',');
        Some((if number.is_empty() { "-" } else { number }.to_owned(), name.to_owned(), claims.join(" ")))
    };
    rows.filter_map(row).collect()
}

/// The mutants of the page, in its order.
fn shown(tree: &Tree) -> Vec<(usize, Mutant)> {
    let page = tree.text("docs/mutants.md").unwrap_or_default();
    let rows = page.lines().enumerate().skip_while(|(_, line)| !line.starts_with("| no. | mutant |")).skip(2);
    let row = |(number, line): (usize, &str)| {
        let mut cells = line.strip_prefix('|')?.split('|').map(|cell| cell.trim().to_owned());
        Some((number + 1, (cells.next()?, cells.next()?, cells.next()?)))
    };
    rows.map_while(row).collect()
}

fn page_of_other_mutants(tree: &Tree) -> Vec<Breach> {
    let (planted, shown) = (planted(tree), shown(tree));
    let lacks = planted.iter().filter(|mutant| !shown.iter().any(|(_, other)| other == *mutant));
    let lacks =
        lacks.map(|(number, name, claims)| (0, format!("has no row `| {number} | {name} | {claims} |`")));
    let gone = shown.iter().filter(|(_, mutant)| !planted.contains(mutant));
    let gone = gone.map(|(line, (_, name, _))| (*line, format!("`{name}` is not planted so")));
    lacks.chain(gone).map(|(line, what)| Breach::new("docs/mutants.md", line, what)).collect()
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
fn the_page_of_mutants_has_a_row_for_each_that_is_planted() {
    let tree = Tree::of_this_workspace();
    demand(
        &page_of_other_mutants(tree),
        "`cargo run --release -p sim -- mutants NAME --count 400` prints the row; without NAME it prints all of them",
    );
    assert!(!planted(tree).is_empty(), "sim/src/mutants.rs has no table");
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
    fn a_mutant_without_a_row_and_a_row_without_its_mutant_are_caught() {
        let table =
            "numbered(1, Mutant::A, &[Claim::C3, Claim::C7]),\n ours(\n Mutant::B,\n &[Claim::C6],\n)";
        let page = "| no. | mutant | claim |\n| ---: | --- | --- |\n| 1 | A | C3 C7 | seed 1 |\n| - | C | C6 | seed 2 |\n\n| x |";
        let tree = Tree::of(&[("sim/src/mutants.rs", table), ("docs/mutants.md", page)]);
        assert_eq!(places(&page_of_other_mutants(&tree)), ["docs/mutants.md:0", "docs/mutants.md:4"]);
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
