//! Who may import whom: between crates (their manifests) and between the core's floors. Code that is only built for
//! tests may look anywhere in its own crate. That there are no circles is `circles`' rule.

use crate::floors::{FLOORS, floor_of, may_import};
use crate::reading::{Named, paths, tokens};
use crate::tree::Tree;
use crate::{Breach, demand};
use std::collections::BTreeSet;

/// A member of the workspace: its folder, its package, and which members it may depend on.
struct Member {
    folder: &'static str,
    package: &'static str,
    may_use: &'static [&'static str],
}

/// Every member there is. `sim` never sees `runtime`: what it tests is the core, under weather of its own. `tests`
/// may use all: the contract suite holds the simulator's disk to the laws that the real ones keep; `bench` takes their
/// traffic.
const MEMBERS: [Member; 9] = [
    Member { folder: "proto", package: "rust-mq-proto", may_use: &[] },
    Member { folder: "core", package: "rust-mq-core", may_use: &["rust-mq-proto"] },
    Member { folder: "metrics", package: "rust-mq-metrics", may_use: &["rust-mq-proto", "rust-mq-core"] },
    Member { folder: "client", package: "rust-mq-client", may_use: &["rust-mq-proto"] },
    Member {
        folder: "runtime",
        package: "rust-mq",
        may_use: &["rust-mq-proto", "rust-mq-core", "rust-mq-metrics", "rust-mq-client", "rust-mq-cli"],
    },
    Member { folder: "cli", package: "rust-mq-cli", may_use: &["rust-mq-client"] },
    Member { folder: "sim", package: "sim", may_use: &["rust-mq-proto", "rust-mq-core", "rust-mq-client"] },
    Member {
        folder: "tests",
        package: "tests",
        may_use: &["rust-mq-proto", "rust-mq-core", "rust-mq-client", "rust-mq", "sim"],
    },
    Member {
        folder: "bench",
        package: "rust-mq-bench",
        may_use: &["rust-mq-proto", "rust-mq-core", "rust-mq-client", "tests"],
    },
];

/// Crates that belong to one room, and to nobody else's manifest.
const OWNED: [(&str, &str); 3] =
    [("raft", "core"), ("madsim", "sim"), ("kafka-protocol", "proto and tests, for tests only")];

fn manifests(tree: &Tree) -> Vec<(&'static Member, String, toml::Table)> {
    let mut found = Vec::new();
    for member in &MEMBERS {
        let path = format!("{}/Cargo.toml", member.folder);
        if let Some(text) = tree.text(&path) {
            found.push((
                member,
                path.clone(),
                text.parse().unwrap_or_else(|error| panic!("{path}: {error}")),
            ));
        }
    }
    found
}

/// Dependencies of a manifest, with the table they stand in.
fn dependencies(manifest: &toml::Table) -> Vec<(&str, &str)> {
    ["dependencies", "dev-dependencies", "build-dependencies"]
        .into_iter()
        .filter_map(|section| Some((section, manifest.get(section)?.as_table()?)))
        .flat_map(|(section, table)| table.keys().map(move |name| (section, name.as_str())))
        .collect()
}

fn illegal_dependencies(tree: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (member, path, manifest) in manifests(tree) {
        for (section, name) in dependencies(&manifest) {
            let is_member = MEMBERS.iter().any(|other| other.package == name);
            if is_member && !member.may_use.contains(&name) {
                breaches.push(Breach::new(&path, 0, format!("{} may not depend on {name}", member.package)));
            }
            let oracle = name == "kafka-protocol"
                && (member.folder == "tests" || (member.folder == "proto" && section == "dev-dependencies"));
            if let Some((_, owner)) =
                OWNED.iter().find(|(owned, owner)| *owned == name && *owner != member.folder && !oracle)
            {
                breaches.push(Breach::new(&path, 0, format!("{name} belongs to {owner}")));
            }
        }
    }
    breaches
}

fn unknown_members(tree: &Tree) -> Vec<Breach> {
    let root: toml::Table =
        tree.text("Cargo.toml").unwrap_or_default().parse().expect("the root manifest is TOML");
    let members = root["workspace"]["members"].as_array().expect("a workspace lists its members");
    let names = members.iter().filter_map(|member| member.as_str());
    let unknown = names.filter(|name| MEMBERS.iter().all(|member| member.folder != *name));
    unknown
        .map(|name| Breach::new("Cargo.toml", 0, format!("`{name}` has no row in the table of arrows")))
        .collect()
}

/// Where a path of a file leads within its own crate: `crate::a::b` as `[a, b]`.
pub fn within_crate(path: &str, named: &Named) -> Option<Vec<String>> {
    let (_, file) = path.split_once("/src/")?;
    let mut module: Vec<String> = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if matches!(module.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        module.pop();
    }
    module.extend(named.inside.iter().cloned());
    let mut rest = named.segments.iter().peekable();
    match rest.next()?.as_str() {
        "crate" => module.clear(),
        "self" => {}
        "super" => {
            module.pop();
            while rest.next_if(|segment| *segment == "super").is_some() {
                module.pop();
            }
        }
        _ => return None,
    }
    module.extend(rest.cloned());
    Some(module)
}

/// The room of a file: the module directly below the crate's root. The root itself is none.
pub fn room_of(path: &str) -> Option<&str> {
    let (_, file) = path.split_once("/src/")?;
    let room = file.split('/').next()?.trim_end_matches(".rs");
    (!matches!(room, "lib" | "main")).then_some(room)
}

pub fn is_test_file(path: &str) -> bool {
    path.trim_end_matches(".rs").split('/').skip(2).any(|part| part == "tests")
}

/// One import: from which room to which, and where it stands.
struct Arrow {
    from: String,
    to: String,
    path: String,
    line: usize,
}

fn arrows(tree: &Tree, folder: &str) -> Vec<Arrow> {
    let sources = format!("{folder}/src/");
    let rooms: BTreeSet<&str> = tree.rust(&sources).filter_map(|(path, _)| room_of(path)).collect();
    let mut found = Vec::new();
    for (path, text) in tree.rust(&sources).filter(|(path, _)| !is_test_file(path)) {
        let Some(from) = room_of(path) else { continue };
        for named in paths(tokens(path, text)).iter().filter(|named| !named.is_test) {
            let Some(target) = within_crate(path, named) else { continue };
            // The bare word, as in `pub(crate)` and `pub(super)`, leads nowhere.
            let Some(to) = target.first().cloned().filter(|_| named.segments.len() > 1) else { continue };
            if to != from && (rooms.contains(to.as_str()) || folder == "core") {
                found.push(Arrow { from: from.to_owned(), to, path: path.to_owned(), line: named.line });
            }
        }
    }
    found
}

fn upward_arrows(tree: &Tree) -> Vec<Breach> {
    let climbing = arrows(tree, "core").into_iter().filter(|arrow| !may_import(&arrow.from, &arrow.to));
    climbing
        .map(|arrow| {
            let floor = |room: &str| {
                floor_of(room).map_or("no floor".to_owned(), |floor| format!("floor {}", floor + 1))
            };
            let (from, to) = (&arrow.from, &arrow.to);
            let what = format!("`{from}` ({}) imports `{to}` ({})", floor(from), floor(to));
            Breach::new(&arrow.path, arrow.line, what)
        })
        .collect()
}

fn rooms_without_floor(tree: &Tree) -> Vec<Breach> {
    let rooms = tree.rust("core/src/").filter_map(|(path, _)| Some((path, room_of(path)?)));
    let unknown = rooms.filter(|(_, room)| floor_of(room).is_none());
    unknown.map(|(path, room)| Breach::new(path, 0, format!("room `{room}` is on no floor"))).collect()
}

/// Rows of the tables for what is not there, and rooms that a map leaves out.
fn rows_for_nothing(tree: &Tree) -> Vec<Breach> {
    let table = "tests/tests/tidy/floors.rs";
    let mut breaches = Vec::new();
    let rooms: BTreeSet<&str> = tree.rust("core/src/").filter_map(|(path, _)| room_of(path)).collect();
    for room in FLOORS.iter().flat_map(|floor| floor.rooms) {
        if !rooms.contains(room) {
            breaches.push(Breach::new(table, 0, format!("there is no room `{room}`")));
        }
        for (map, wanted) in
            [("ARCHITECTURE.md", (*room).to_owned()), ("core/src/lib.rs", format!("[`{room}`]"))]
        {
            let is_there =
                |text: &str| text.split_whitespace().any(|word| word.trim_matches([',', ':', ';']) == wanted);
            if !tree.text(map).is_some_and(is_there) {
                breaches.push(Breach::new(map, 0, format!("does not name the room `{room}`")));
            }
        }
    }
    let gone = MEMBERS.iter().filter(|member| !tree.has(&format!("{}/Cargo.toml", member.folder)));
    breaches.extend(gone.map(|member| {
        Breach::new("tests/tests/tidy/arrows.rs", 0, format!("there is no member `{}`", member.folder))
    }));
    breaches
}

#[test]
fn the_tables_and_maps_of_rooms_name_what_is_there_and_all_of_it() {
    demand(
        &rows_for_nothing(Tree::of_this_workspace()),
        "a row enters and leaves FLOORS, MEMBERS, ARCHITECTURE's map and the table of core/src/lib.rs with its room",
    );
}

#[test]
fn crates_depend_only_downwards() {
    let tree = Tree::of_this_workspace();
    demand(&unknown_members(tree), "give the new member a row in MEMBERS of tests/tests/tidy/arrows.rs");
    demand(
        &illegal_dependencies(tree),
        "proto <- core <- runtime and sim, proto <- client; sim never imports runtime",
    );
}

#[test]
fn rooms_of_the_core_import_only_from_lower_floors() {
    let tree = Tree::of_this_workspace();
    demand(
        &rooms_without_floor(tree),
        "give the new room a place in tests/tests/tidy/floors.rs and on ARCHITECTURE's map",
    );
    demand(
        &upward_arrows(tree),
        "hand the value up: the floor above both rooms carries it from one to the other",
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::places;

    #[test]
    fn a_crate_that_imports_upwards_is_caught() {
        let tree = Tree::of(&[
            ("Cargo.toml", "workspace.members = ['core', 'extra']"),
            ("core/Cargo.toml", "[dev-dependencies]\nrust-mq = {}\nmadsim = '1'\nraft = '1'\n"),
            ("proto/Cargo.toml", "[dependencies]\nkafka-protocol = '1'\n"),
            ("sim/Cargo.toml", "[dependencies]\nrust-mq-core = {}\nmadsim = '1'\n"),
        ]);
        let expected = ["proto/Cargo.toml:0", "core/Cargo.toml:0", "core/Cargo.toml:0"];
        assert_eq!(places(&illegal_dependencies(&tree)), expected);
        assert_eq!(places(&unknown_members(&tree)), ["Cargo.toml:0"]);
    }

    #[test]
    fn a_room_that_imports_upwards_or_sideways_is_caught() {
        let tree = Tree::of(&[
            (
                "core/src/storage/journal.rs",
                "use super::frame;\nuse crate::{ids::X, replica::Y};\nuse super::super::peer::Z;",
            ),
            (
                "core/src/storage/mod.rs",
                "#[cfg(test)] mod tests { use crate::broker::Broker; } pub(crate) fn f() {}",
            ),
            ("core/src/host/mod.rs", "fn f() { crate::storage::g(); crate::api::h() }"),
            ("core/src/event.rs", "use crate::action::A;"),
        ]);
        let expected =
            ["core/src/host/mod.rs:1", "core/src/storage/journal.rs:2", "core/src/storage/journal.rs:3"];
        assert_eq!(places(&upward_arrows(&tree)), expected);
    }

    #[test]
    fn a_row_for_a_room_that_is_gone_is_caught() {
        let breaches =
            rows_for_nothing(&Tree::of(&[("core/src/ids.rs", ""), ("core/src/lib.rs", "[`ids`],")]));
        let of = |what: &str| breaches.iter().any(|breach| breach.what == what);
        assert!(of("there is no room `api`") && of("there is no member `sim`"), "{breaches:?}");
        assert!(of("does not name the room `ids`") && !of("there is no room `ids`"), "{breaches:?}");
    }

    #[test]
    fn a_room_on_no_floor_is_caught() {
        let tree = Tree::of(&[("core/src/attic.rs", ""), ("core/src/lib.rs", ""), ("core/src/api/x.rs", "")]);
        assert_eq!(places(&rooms_without_floor(&tree)), ["core/src/attic.rs:0"]);
    }
}
