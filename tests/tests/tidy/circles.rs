//! No circles: neither among the rooms of a crate, nor among the files of a room, at any depth. Whoever reads one of
//! two files that need each other has to read both.
//!
//! The units of a level are the files and folders of one folder. A file that has others below it (`mod.rs`) belongs
//! to them: it may name its children and they its words. A word that it hands on counts as the file's that has it.
//! Code that is only built for tests may look anywhere in its own crate.

use crate::reading::{Named, paths, tokens};
use crate::tree::Tree;
use crate::{Breach, demand};
use std::collections::{BTreeMap, BTreeSet};

/// The way from a crate's root to a module.
type Module = Vec<String>;

/// One crate: its modules, and what each imports.
struct Crate<'a> {
    modules: BTreeMap<Module, &'a str>,
    named: BTreeMap<&'a str, Vec<Named>>,
    /// What a module has imported under which name, and may so hand on.
    imports: BTreeMap<(Module, String), Module>,
}

/// One import between two units of a level.
struct Arrow {
    path: String,
    line: usize,
}

/// The arrows of one level, by the unit they come from and the one they lead to.
type Level = BTreeMap<String, BTreeMap<String, Arrow>>;

/// Folders that are a crate's root: with a `main.rs` or `lib.rs`, and every member's `tests`.
fn roots(tree: &Tree) -> BTreeSet<&str> {
    let mut roots = BTreeSet::new();
    for (path, _) in tree.rust("") {
        let Some((folder, file)) = path.rsplit_once('/') else { continue };
        if matches!(file, "main.rs" | "lib.rs") {
            roots.insert(folder);
        }
        if let Some((member, _)) = path.split_once("/tests/").filter(|(member, _)| !member.contains('/')) {
            roots.insert(&path[..member.len() + "/tests".len()]);
        }
    }
    roots
}

/// Every crate of the workspace; a file belongs to the deepest root above it.
fn crates(tree: &Tree) -> Vec<Crate<'_>> {
    let roots = roots(tree);
    let is_below = |path: &str, root: &str| path.strip_prefix(root).is_some_and(|rest| rest.starts_with('/'));
    let mut files: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
    for (path, text) in tree.rust("") {
        let above = roots.iter().filter(|root| is_below(path, root));
        if let Some(root) = above.max_by_key(|root| root.len()) {
            files.entry(root).or_default().push((path, text));
        }
    }
    files.into_iter().map(|(root, files)| Crate::of(root, &files)).collect()
}

fn module_of(root: &str, path: &str) -> Module {
    let file = path[root.len() + 1..].trim_end_matches(".rs");
    let mut module: Module = file.split('/').map(str::to_owned).collect();
    if matches!(module.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        module.pop();
    }
    module
}

impl<'a> Crate<'a> {
    fn of(root: &str, files: &[(&'a str, &'a str)]) -> Crate<'a> {
        let mut of = Crate { modules: BTreeMap::new(), named: BTreeMap::new(), imports: BTreeMap::new() };
        for (path, text) in files {
            of.modules.insert(module_of(root, path), path);
            of.named.insert(path, paths(tokens(path, text)));
        }
        let mut imports = BTreeMap::new();
        for (module, path) in &of.modules {
            for named in of.named[path].iter().filter(|named| named.is_import && named.inside.is_empty()) {
                if let (Some(target), Some(name)) = (of.absolute(module, named), named.segments.last()) {
                    imports.insert((module.clone(), name.clone()), target);
                }
            }
        }
        of.imports = imports;
        of
    }

    /// A path as one from the crate's root. None if it leads to another crate, or begins with a local name.
    fn absolute(&self, module: &Module, named: &Named) -> Option<Module> {
        if named.segments.len() < 2 {
            return None;
        }
        let mut base = module.clone();
        base.extend(named.inside.iter().cloned());
        let mut rest = named.segments.iter().peekable();
        match named.segments[0].as_str() {
            "crate" => {
                rest.next();
                base.clear();
            }
            "self" => {
                rest.next();
            }
            "super" => {
                while rest.next_if(|segment| *segment == "super").is_some() {
                    base.pop();
                }
            }
            child => {
                let mut below = base.clone();
                below.push(child.to_owned());
                if !self.modules.contains_key(&below) {
                    return None;
                }
            }
        }
        base.extend(rest.cloned());
        Some(base)
    }

    /// The module whose file has what an absolute path leads to, through whatever hands it on.
    fn home(&self, target: &[String], hands_left: usize) -> Module {
        let mut at = Module::new();
        for (step, segment) in target.iter().enumerate() {
            let mut below = at.clone();
            below.push(segment.clone());
            if self.modules.contains_key(&below) {
                at = below;
                continue;
            }
            let handed_on = self.imports.get(&(at.clone(), segment.clone())).filter(|_| hands_left > 0);
            return handed_on.map_or(at, |import| {
                let onwards: Module = import.iter().chain(&target[step + 1..]).cloned().collect();
                self.home(&onwards, hands_left - 1)
            });
        }
        at
    }

    /// The arrows of every level: a level is named by the folder whose files and folders are its units.
    fn levels(&self) -> BTreeMap<Module, Level> {
        let mut levels: BTreeMap<Module, Level> = BTreeMap::new();
        for (module, path) in
            self.modules.iter().filter(|(module, _)| !module.iter().any(|part| part == "tests"))
        {
            for named in self.named[path].iter().filter(|named| !named.is_test) {
                let Some(target) = self.absolute(module, named) else { continue };
                let home = self.home(&target, self.modules.len());
                let shared = module.iter().zip(&home).take_while(|(one, other)| one == other).count();
                let (Some(from), Some(to)) = (module.get(shared), home.get(shared)) else { continue };
                let arrow = Arrow { path: (*path).to_owned(), line: named.line };
                let level = levels.entry(module[..shared].to_vec()).or_default();
                level.entry(from.clone()).or_default().entry(to.clone()).or_insert(arrow);
            }
        }
        levels
    }
}

fn circles(tree: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for of in crates(tree) {
        for level in of.levels().values() {
            for (from, targets) in level {
                // Each arrow of a circle is named; where to cut it is a question of meaning.
                for (to, arrow) in targets.iter().filter(|(to, _)| reaches(level, to, from)) {
                    let what = format!("`{from}` imports `{to}`, which leads back to `{from}`");
                    breaches.push(Breach::new(&arrow.path, arrow.line, what));
                }
            }
        }
    }
    breaches.sort_by(|one, other| (&one.path, one.line).cmp(&(&other.path, other.line)));
    breaches
}

fn reaches(level: &Level, from: &str, wanted: &str) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(unit) = open.pop() {
        if unit == wanted {
            return true;
        }
        if seen.insert(unit) {
            open.extend(level.get(unit).into_iter().flat_map(BTreeMap::keys).map(String::as_str));
        }
    }
    false
}

#[test]
fn rooms_and_the_files_of_a_room_form_no_circle() {
    demand(
        &circles(Tree::of_this_workspace()),
        "move the word that both need into the lower one, or into a file of its own below both",
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::places;

    #[test]
    fn a_circle_of_three_rooms_is_caught() {
        let tree = Tree::of(&[
            ("sim/src/lib.rs", "mod disk; mod net; mod world; mod seed;"),
            ("sim/src/disk.rs", "use crate::net::N;"),
            ("sim/src/net.rs", "use crate::world::W;"),
            ("sim/src/world.rs", "\nuse crate::disk::D; use crate::seed::S;"),
            ("sim/src/seed.rs", "#[cfg(test)] mod tests { use crate::world::W; }"),
        ]);
        assert_eq!(places(&circles(&tree)), ["sim/src/disk.rs:1", "sim/src/net.rs:1", "sim/src/world.rs:2"]);
    }

    #[test]
    fn a_circle_of_two_files_is_caught_whichever_way_they_name_each_other() {
        let tree = Tree::of(&[
            ("core/src/lib.rs", ""),
            ("core/src/storage/mod.rs", "mod frame; mod journal; pub use frame::Frame;"),
            ("core/src/storage/frame.rs", "fn f() { super::journal::g() }"),
            ("core/src/storage/journal.rs", "\nuse super::Frame;"),
        ]);
        assert_eq!(places(&circles(&tree)), ["core/src/storage/frame.rs:1", "core/src/storage/journal.rs:2"]);
    }

    #[test]
    fn folders_below_a_room_are_units_too_and_files_of_tests_are_not() {
        let tree = Tree::of(&[
            ("core/src/lib.rs", ""),
            ("core/src/a/mod.rs", "mod x; mod y;"),
            ("core/src/a/x/mod.rs", "mod one; mod four;"),
            ("core/src/a/x/one.rs", "use crate::a::y::two::T;"),
            ("core/src/a/y/mod.rs", "mod two; mod three;"),
            ("core/src/a/y/two.rs", ""),
            ("core/src/a/y/three.rs", "use super::super::x::one::O;"),
            ("core/src/a/tests/mod.rs", "use super::x::O;"),
            ("core/src/a/x/four.rs", "#[cfg(test)] use super::super::tests::T;"),
            ("tests/tests/wire/main.rs", "mod a; mod b;"),
            ("tests/tests/wire/a.rs", "use crate::b;\nuse crate::b::B;"),
            ("tests/tests/wire/b.rs", "use crate::a::A;"),
        ]);
        let expected = [
            "core/src/a/x/one.rs:1",
            "core/src/a/y/three.rs:1",
            "tests/tests/wire/a.rs:1",
            "tests/tests/wire/b.rs:1",
        ];
        assert_eq!(places(&circles(&tree)), expected);
    }

    #[test]
    fn a_room_and_what_is_below_it_are_one() {
        let tree = Tree::of(&[
            ("core/src/lib.rs", ""),
            ("core/src/peer/mod.rs", "mod peers; mod lane; pub struct Word; use peers::Peers;"),
            ("core/src/peer/peers.rs", "mod arrival; use super::Word; use arrival::A;"),
            ("core/src/peer/peers/arrival.rs", "use super::Peers; use super::super::lane::Lane;"),
            ("core/src/peer/lane.rs", "use super::Word;"),
        ]);
        assert_eq!(places(&circles(&tree)), [""; 0]);
    }
}
