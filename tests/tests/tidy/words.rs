//! A word has one meaning: ARCHITECTURE's table of words says which, and for some the rooms of the core in which it is
//! at home. Elsewhere in the core no identifier may be made of such a word: a second meaning begins as a second use.
//!
//! The third column of the table is read: rooms in backticks, `core/src`'s or deeper ones; "no room" where the word is
//! kept for what is to come; nothing where anyone may use it. The first column may give several forms of a word.
//! Comments and tests are not looked at: there it may be plain English.

use crate::arrows::is_test_file;
use crate::reading::tokens;
use crate::tree::Tree;
use crate::{Breach, demand};
use proc_macro2::{TokenStream, TokenTree};

const TABLE: &str = "ARCHITECTURE.md";

/// A row whose word is at home somewhere.
struct Reserved {
    line: usize,
    forms: Vec<String>,
    rooms: Vec<String>,
}

fn reserved(tree: &Tree) -> Vec<Reserved> {
    let lines = tree.text(TABLE).unwrap_or_default().lines().enumerate();
    let rows = lines.skip_while(|(_, line)| !line.starts_with("| word |")).skip(2);
    let row = |(number, line): (usize, &str)| {
        let cells: Vec<&str> = line.strip_prefix('|')?.split('|').map(str::trim).collect();
        let rooms: Vec<String> = cells.get(2)?.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        let is_reserved = !rooms.is_empty() || cells[2] == "no room";
        let forms = cells[0].split(',').map(|form| form.trim().to_owned()).filter(|_| is_reserved).collect();
        Some(Reserved { line: number + 1, forms, rooms })
    };
    rows.map_while(row).collect()
}

/// The lower-case words that an identifier is made of: `SettledUnsynced` and `is_settled` have `settled`.
fn parts(identifier: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut was_lower = false;
    for letter in identifier.chars() {
        if letter == '_' || (letter.is_ascii_uppercase() && was_lower) {
            parts.push(String::new());
        }
        if let Some(part) = parts.last_mut().filter(|_| letter != '_') {
            part.push(letter.to_ascii_lowercase());
        }
        was_lower = letter.is_ascii_lowercase();
    }
    parts
}

/// Every identifier outside of modules for tests, with its line.
fn identifiers(tokens: TokenStream, found: &mut Vec<(usize, String)>) {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while at < trees.len() {
        match &trees[at] {
            TokenTree::Ident(ident) if *ident == "mod" && is_for_tests(&trees[..at]) => at += 2,
            TokenTree::Ident(ident) => found.push((ident.span().start().line, ident.to_string())),
            TokenTree::Group(group) => identifiers(group.stream(), found),
            _ => {}
        }
        at += 1;
    }
}

/// Whether what stands before an item ends in `#[cfg(test)]`.
fn is_for_tests(before: &[TokenTree]) -> bool {
    let attribute = before.iter().rev().find(|tree| matches!(tree, TokenTree::Group(_)));
    let text = attribute.map(ToString::to_string).unwrap_or_default();
    before.len() >= 2 && text.replace(' ', "") == "[cfg(test)]"
}

fn strangers(tree: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    let reserved = reserved(tree);
    for (path, text) in tree.rust("core/src/").filter(|(path, _)| !is_test_file(path)) {
        let place = path.trim_start_matches("core/src/").trim_end_matches(".rs");
        let is_home = |room: &String| place == room || place.starts_with(&format!("{room}/"));
        let abroad: Vec<&Reserved> = reserved.iter().filter(|word| !word.rooms.iter().any(is_home)).collect();
        let mut found = Vec::new();
        identifiers(tokens(path, text), &mut found);
        for (line, identifier) in found {
            let parts = parts(&identifier);
            let of = |word: &&&Reserved| word.forms.iter().any(|form| parts.contains(form));
            if let Some(word) = abroad.iter().find(of) {
                let what = format!(
                    "`{identifier}`: {TABLE}:{} gives `{}` another meaning",
                    word.line, word.forms[0]
                );
                breaches.push(Breach::new(path, line, what));
            }
        }
    }
    breaches
}

/// Rooms of the table that are not there.
fn lost_rooms(tree: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for word in reserved(tree) {
        for room in word.rooms.iter().filter(|room| {
            !tree.has(&format!("core/src/{room}")) && !tree.has(&format!("core/src/{room}.rs"))
        }) {
            breaches.push(Breach::new(TABLE, word.line, format!("there is no room `{room}`")));
        }
    }
    breaches
}

#[test]
fn a_word_is_used_where_the_table_says_that_it_is_at_home() {
    let tree = Tree::of_this_workspace();
    demand(
        &strangers(tree),
        "find the word that is meant; if it is this one, its row in ARCHITECTURE.md names the room, too",
    );
    demand(&lost_rooms(tree), "the row's third column names rooms of core/src");
    let kept = ["settle", "turn", "terms", "group", "recovery", "cut", "identity", "outcome"];
    let is_kept = |word: &&&str| reserved(tree).iter().any(|row| row.forms.iter().any(|form| form == *word));
    let lost: Vec<&&str> = kept.iter().filter(|word| !is_kept(word)).collect();
    assert!(lost.is_empty(), "{TABLE} no longer says where these are at home: {lost:?}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::places;

    #[test]
    fn a_word_abroad_is_caught_in_every_form_and_in_tests_it_is_not() {
        let table = "| word | means | at home |\n| --- | --- | --- |\n| settle, settled | x | `node`, `host/parked` |\n\
                     | group | y | no room |\n| turn | z | |\n| cut | z | `attic` |\n";
        let text = "fn is_settled(turn: u8) {}\nstruct SettledSoon;\n// settle\nlet unsettled = \"settle\";\n\
                    #[cfg(test)] mod tests { fn settle() {} }\nfn regroup(group: Group) {}";
        let tree = Tree::of(&[
            (TABLE, table),
            ("core/src/storage/mod.rs", text),
            ("core/src/storage/tests/mod.rs", text),
            ("core/src/node/mod.rs", "fn settle() {}"),
            ("core/src/host/parked.rs", "fn settle() {}"),
            ("core/src/host/other.rs", "fn settle() {}"),
        ]);
        let expected = [
            "core/src/host/other.rs:1",
            "core/src/storage/mod.rs:1",
            "core/src/storage/mod.rs:2",
            "core/src/storage/mod.rs:6",
            "core/src/storage/mod.rs:6",
        ];
        assert_eq!(places(&strangers(&tree)), expected);
        assert_eq!(places(&lost_rooms(&tree)), ["ARCHITECTURE.md:6"]);
    }
}
