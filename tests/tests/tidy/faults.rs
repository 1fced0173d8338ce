//! Words are no error: what a room's public function can fail with is a type of its own, which its callers can tell
//! apart. (Within a room a reason may travel as text, to where it is said.)

use crate::arrows::{is_test_file, room_of};
use crate::reading::{group, ident, is_punct, tokens};
use crate::tree::Tree;
use crate::{Breach, demand};
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::collections::{BTreeMap, BTreeSet};

/// Crates whose rooms are looked at.
const CRATES: [&str; 7] = ["proto", "core", "metrics", "runtime", "client", "cli", "sim"];

/// A public function: its line, its name, the type whose method it is, and whether it can fail with words.
struct Public {
    line: usize,
    name: String,
    of: Option<String>,
    fails_with_words: bool,
}

/// Public functions, in order.
fn public_functions(tokens: TokenStream, of: Option<&str>, found: &mut Vec<Public>) {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    let is_end =
        |tree: &TokenTree| is_punct(Some(tree), ';') || group(Some(tree), Delimiter::Brace).is_some();
    let mut at = 0;
    while at < trees.len() {
        let end = trees[at..].iter().position(is_end).map_or(trees.len(), |steps| at + steps);
        let item = &trees[at..end];
        let word = |wanted: &str| item.iter().position(|tree| ident(Some(tree)).as_deref() == Some(wanted));
        let body = group(trees.get(end), Delimiter::Brace);
        if let Some(start) = word("fn") {
            let is_public = word("pub").is_some_and(|at| {
                let scope =
                    group(item.get(at + 1), Delimiter::Parenthesis).map(|scope| scope.stream().to_string());
                at < start && scope.is_none_or(|scope| scope == "crate")
            });
            if let Some(name) = ident(item.get(start + 1)).filter(|_| is_public) {
                found.push(Public {
                    line: item[start].span().start().line,
                    name,
                    of: of.map(str::to_owned),
                    fails_with_words: fails_with_words(&item[start..]),
                });
            }
        } else if let (Some(start), Some(body)) = (word("impl"), body) {
            let behind_for = word("for").map_or(start + 1, |at| at + 1);
            let type_ = item[behind_for..].iter().find_map(|tree| ident(Some(tree)));
            public_functions(body.stream(), type_.as_deref(), found);
        }
        at = end + 1;
    }
}

/// Whether a `Result<.., String>` stands behind the arrow of a function's head.
fn fails_with_words(head: &[TokenTree]) -> bool {
    let arrow = head.windows(2).position(|two| is_punct(two.first(), '-') && is_punct(two.get(1), '>'));
    arrow.is_some_and(|at| names_words(&head[at + 2..]))
}

fn names_words(trees: &[TokenTree]) -> bool {
    trees.iter().enumerate().any(|(at, tree)| match tree {
        TokenTree::Group(inner) => names_words(&inner.stream().into_iter().collect::<Vec<_>>()),
        _ => ident(Some(tree)).as_deref() == Some("Result") && second_of(&trees[at + 1..]),
    })
}

/// Whether the second of the arguments that begin here (`<A, B>`) is `String`.
fn second_of(trees: &[TokenTree]) -> bool {
    let mut depth = 0;
    for (at, tree) in trees.iter().enumerate() {
        depth += i32::from(is_punct(Some(tree), '<')) - i32::from(is_punct(Some(tree), '>'));
        if depth == 0 {
            return false;
        }
        if depth == 1 && is_punct(Some(tree), ',') {
            return ident(trees.get(at + 1)).as_deref() == Some("String") && is_punct(trees.get(at + 2), '>');
        }
    }
    false
}

/// The words of an essay's `pub use` and `pub struct`: what leaves the room; and its public modules.
fn exported(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for item in text.split([';', '{', '}']).map(str::trim) {
        let code =
            item.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join(" ");
        for start in ["pub struct ", "pub enum ", "pub mod "] {
            let name = code.rsplit_once(start).map(|(_, rest)| rest);
            let is_of_a_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
            names.extend(
                name.map(|name| name.chars().take_while(|letter| is_of_a_name(*letter)).collect::<String>()),
            );
        }
    }
    for list in text.split("pub use ").skip(1) {
        let list = list.split(';').next().unwrap_or_default();
        let words = list.split([',', '{', '}']).filter_map(|path| path.trim().rsplit("::").next());
        names.extend(words.filter(|word| !word.is_empty()).map(str::to_owned));
    }
    names
}

fn errors_of_words(tree: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for folder in CRATES {
        let sources = format!("{folder}/src/");
        let mut doors: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for (path, text) in tree.rust(&sources).filter(|(path, _)| path.ends_with("/mod.rs")) {
            doors.entry(room_of(path).unwrap_or_default()).or_default().extend(exported(text));
        }
        for (path, text) in tree.rust(&sources).filter(|(path, _)| !is_test_file(path)) {
            let file = path.rsplit('/').next().unwrap_or_default().trim_end_matches(".rs");
            let door = doors.get(room_of(path).unwrap_or_default());
            let leaves = |name: &str| door.is_none_or(|door| door.contains(name));
            let is_open = file == "mod" || leaves(file);
            let mut functions = Vec::new();
            public_functions(tokens(path, text), None, &mut functions);
            for function in functions.iter().filter(|function| function.fails_with_words) {
                let is_outside = match &function.of {
                    Some(of) => leaves(of),
                    None => is_open || leaves(&function.name),
                };
                if is_outside {
                    breaches.push(Breach::new(
                        path,
                        function.line,
                        format!("`{}` fails with a String", function.name),
                    ));
                }
            }
        }
    }
    breaches
}

#[test]
fn what_a_room_can_fail_with_is_a_type() {
    demand(
        &errors_of_words(Tree::of_this_workspace()),
        "give the error a type with a case for each reason, and its words in `Display` (`thiserror`)",
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::places;

    #[test]
    fn words_that_leave_a_room_as_an_error_are_caught_and_those_within_are_not() {
        let text = "pub fn a() -> Result<u8, String> { b() }\nfn b() -> Result<u8, String> {}\n\
                    impl Door { pub(super) fn c() -> Result<(), String> {}\n pub fn d(x: u8) -> Vec<(A, Result<(), String>)> {} }\n\
                    pub fn e() -> Result<String, Fault> {}\npub fn f() -> io::Result<String> {}";
        let tree = Tree::of(&[
            ("core/src/single.rs", text),
            ("core/src/room/mod.rs", "mod inner; pub use inner::Door;"),
            ("core/src/room/inner.rs", text),
            ("core/src/room/tests.rs", text),
            ("bench/src/single.rs", text),
        ]);
        let expected = ["core/src/room/inner.rs:4", "core/src/single.rs:1", "core/src/single.rs:4"];
        assert_eq!(places(&errors_of_words(&tree)), expected);
    }
}
