//! An API has one name in all its mirrors. What they are stands in one checklist, at the head of `core/src/api/mod.rs`:
//! each path there that has `NAME` in it must exist for every API of the table in `proto/src/kafka/api/mod.rs`. What no
//! path can say is looked for here: that a story, a gotcha and the simulator's clients use it, and that README tells
//! which versions are served. An API that is described and `not served` yet has only what `proto` has of it.

use crate::tree::Tree;
use crate::{Breach, demand};

/// The table of what is described.
const TABLE: &str = "proto/src/kafka/api/mod.rs";

/// The essay with the checklist.
const CHECKLIST: &str = "core/src/api/mod.rs";

/// The verbs of stories, and which file runs each.
const VERBS: &str = "core/tests/script_runner/verbs/mod.rs";

/// One API of the table: `Fetch: fetch, FetchRequest -> FetchResponse`, and `, not served` where it is not.
struct Described<'a> {
    name: &'a str,
    module: &'a str,
    request: &'a str,
    is_served: bool,
}

fn described(tree: &Tree) -> Vec<Described<'_>> {
    let text = tree.text(TABLE).unwrap_or_default();
    let rows = text.split_once("\ntable! {").and_then(|(_, rest)| rest.split_once("\n}"));
    rows.map_or("", |(rows, _)| rows)
        .split(';')
        .filter_map(|row| {
            let (name, rest) = row.trim().split_once(':')?;
            let (module, rest) = rest.split_once(',')?;
            let request = rest.split_whitespace().next()?;
            let is_served = !row.ends_with(", not served");
            Some(Described { name, module: module.trim(), request, is_served })
        })
        .collect()
}

/// The checklist's paths that have `NAME` in them.
fn mirrors(tree: &Tree) -> Vec<&str> {
    let essay = tree.text(CHECKLIST).unwrap_or_default().lines().take_while(|line| line.starts_with("//!"));
    essay.flat_map(|line| line.split('`').skip(1).step_by(2)).filter(|path| path.contains("NAME")).collect()
}

/// Whether there is such a file; a `*` in the path stands for one folder.
fn is_there(tree: &Tree, path: &str) -> bool {
    let Some((folder, name)) = path.split_once("*/") else { return tree.has(path) };
    let is_meant = |file: &str| {
        let inner = file.strip_prefix(folder).and_then(|rest| rest.split_once('/'));
        inner.is_some_and(|(_, file)| file == name)
    };
    tree.files().any(|(file, _)| is_meant(file))
}

/// Whether a story has a command of a verb whose file sends that request.
fn is_told(tree: &Tree, api: &Described<'_>) -> bool {
    let body = format!("RequestBody::{}(", api.name);
    let arms = tree.text(VERBS).unwrap_or_default().lines().filter_map(|line| {
        let (verb, run) = line.trim().strip_prefix('"')?.split_once("\" => ")?;
        Some((verb, run.split_once("::")?.0))
    });
    let verbs: Vec<&str> = arms
        .filter(|(_, file)| {
            let path = format!("core/tests/script_runner/verbs/{file}.rs");
            tree.text(&path).is_some_and(|text| text.contains(&body))
        })
        .map(|(verb, _)| verb)
        .collect();
    let scripts = tree.files().filter(|(path, _)| path.starts_with("core/tests/scripts/"));
    let mut commands =
        scripts.flat_map(|(_, text)| text.lines().filter(|line| !line.starts_with([' ', '#'])));
    commands.any(|line| {
        line.split(';')
            .any(|command| command.split_whitespace().next().is_some_and(|verb| verbs.contains(&verb)))
    })
}

/// README's row of an API, by what its description says is served and advertised: `| Produce | 3 to 13 |`.
fn row_of(tree: &Tree, api: &Described<'_>) -> String {
    let text = tree.text(&format!("proto/src/kafka/api/{}.rs", api.module)).unwrap_or_default();
    let versions = text.lines().find_map(|line| line.trim().strip_prefix("versions ")).unwrap_or_default();
    let range = versions.split([',', ';']).next().unwrap_or_default();
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    format!("| {} | {first} to {last} |", api.name)
}

fn without_mirror(tree: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    let mirrors = mirrors(tree);
    for api in described(tree) {
        let mut lacks = |path: &str, what: String| breaches.push(Breach::new(path, 0, what));
        for mirror in mirrors.iter().filter(|mirror| api.is_served || mirror.starts_with("proto/")) {
            let path = mirror.replace("NAME", api.module);
            if !is_there(tree, &path) {
                lacks(&path, format!("{} is in the table, and this is not there", api.name));
            }
        }
        if !api.is_served {
            continue;
        }
        let names = |folder: &str| tree.rust(folder).any(|(_, text)| text.contains(api.request));
        for folder in ["tests/tests/gotchas/", "sim/src/client/"] {
            if !names(folder) {
                lacks(folder, format!("{} is served, and nothing here sends a `{}`", api.name, api.request));
            }
        }
        if !is_told(tree, &api) {
            lacks("core/tests/scripts", format!("{} is served, and no story asks for it", api.name));
        }
        let row = row_of(tree, &api);
        if !tree.text("README.md").is_some_and(|text| text.lines().any(|line| line == row)) {
            lacks("README.md", format!("{} is served, and the table lacks the row `{row}`", api.name));
        }
    }
    breaches
}

#[test]
fn every_api_has_all_its_mirrors() {
    let tree = Tree::of_this_workspace();
    demand(
        &without_mirror(tree),
        "the checklist at the head of core/src/api/mod.rs says what each is, and which command makes it",
    );
    assert!(!described(tree).is_empty(), "{TABLE} has no `table!`");
    assert!(mirrors(tree).len() >= 4, "{CHECKLIST} has lost its checklist");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::places;

    #[test]
    fn an_api_without_one_of_its_mirrors_is_caught() {
        let whole = [
            (TABLE, "\ntable! {\n    Fetch: fetch, FetchRequest -> FetchResponse;\n}\n"),
            (CHECKLIST, "//! Write `proto/src/kafka/api/NAME.rs`, and `core/src/api/*/NAME.rs`.\n"),
            ("proto/src/kafka/api/fetch.rs", "    versions 4-17, flexible 12+;\n"),
            ("core/src/api/records/fetch.rs", ""),
            (VERBS, "        \"take\" => fetch::run(world),\n"),
            ("core/tests/script_runner/verbs/fetch.rs", "RequestBody::Fetch(x)"),
            ("core/tests/scripts/a.txt", "wait 1s; take 1\n"),
            ("tests/tests/gotchas/records.rs", "FetchRequest"),
            ("sim/src/client/consumer.rs", "FetchRequest"),
            ("README.md", "| Fetch | 4 to 17 |\n"),
        ];
        assert_eq!(places(&without_mirror(&Tree::of(&whole))), [""; 0]);
        let without = |path: &str| {
            let rest: Vec<(&str, &str)> = whole.iter().copied().filter(|(other, _)| *other != path).collect();
            places(&without_mirror(&Tree::of(&rest)))
        };
        assert_eq!(without("core/src/api/records/fetch.rs"), ["core/src/api/*/fetch.rs:0"]);
        assert_eq!(without("core/tests/scripts/a.txt"), ["core/tests/scripts:0"]);
        assert_eq!(without("tests/tests/gotchas/records.rs"), ["tests/tests/gotchas/:0"]);
        assert_eq!(without("sim/src/client/consumer.rs"), ["sim/src/client/:0"]);
        assert_eq!(without("README.md"), ["README.md:0"]);
    }

    #[test]
    fn an_api_that_is_not_served_has_a_shape_and_golden_bytes() {
        let whole = [
            (
                TABLE,
                "\ntable! {\n    JoinGroup: join_group,\n        JoinGroupRequest -> A, not served;\n}\n",
            ),
            (
                CHECKLIST,
                "//! `proto/src/kafka/api/NAME.rs`, `proto/tests/wire/NAME.txt`, `core/src/api/NAME.rs`.\n",
            ),
            ("proto/src/kafka/api/join_group.rs", "    versions 0-9, flexible 6+;\n"),
            ("proto/tests/wire/join_group.txt", ""),
        ];
        assert_eq!(places(&without_mirror(&Tree::of(&whole))), [""; 0]);
        let shapeless = places(&without_mirror(&Tree::of(&whole[..2])));
        assert_eq!(shapeless, ["proto/src/kafka/api/join_group.rs:0", "proto/tests/wire/join_group.txt:0"]);
    }
}
